"""Where two other parsers judge the hostile bytes differently, and why; nothing else may differ.

A row: why, what theirs is, and the cases.  Ours is always the table's.
"""

LLHTTP = [
    (
        "it takes ASCII alone for a target; some clients send UTF-8 as it is",
        {
            "reject after 0": """
                R-path-utf8-two R-query-utf8-two R-path-utf8-three R-query-utf8-three
                R-path-utf8-four R-query-utf8-four R-path-utf8-last R-query-utf8-last
            """,
        },
    ),
    (
        "it stops a length or a coding at a tab before it; RFC 9110 5.6.3 lets tabs stand there",
        {
            "reject after 0": """
                F-length-blanks-around F-chunked-blanks-around
            """,
        },
    ),
    (
        "it knows no difference between HTTP/1.0 and 1.1 in framing; we see a broken gateway",
        {
            "accept 1": """
                F-chunked-on-1.0 F-chunked-on-1.0-keep
            """,
        },
    ),
    (
        "it leaves other codings before chunked to its user; to us they are unknown, and 501",
        {
            "accept 1": """
                F-coding-gzip-chunked F-coding-two-lines-gzip
            """,
        },
    ),
    (
        "it skips empty elements of the list; to us each is a doubt about framing",
        {
            "accept 1": """
                F-coding-comma-before F-coding-comma-twice F-coding-two-lines-empty
            """,
        },
    ),
    (
        "it takes an empty coding for one that lasts until the close, so the content is the next request",
        {
            "reject after 1": """
                F-coding-empty F-coding-blanks
            """,
        },
    ),
    (
        "it ends numbers by overflow only; we end a run of zeros at 16 digits",
        {
            "accept 1": """
                C-size-seventeen-zeros C-size-thousand-zeros
            """,
        },
    ),
    (
        "what is too much is its user's to say; our limits on content, framing and fields are met",
        {
            "accept 1": """
                C-size-sum-above-limit C-extension-64k C-extensions-64k-in-sum
                C-twenty-thousand
                C-trailer-too-many L-101-fields L-thousand-fields L-head-above-limit
                R-target-8193 H-5k H-1025-bytes
            """,
        },
    ),
    (
        "it lets an extension be without a name, or without the value that '=' announces",
        {
            "accept 1": """
                C-extension-no-name C-extension-no-value
            """,
        },
    ),
    (
        "it refuses framing fields in trailers; RFC 9110 6.5.1 has us ignore them, and we drop them",
        {
            "reject after 0": """
                C-trailer-length C-trailer-coding
            """,
        },
    ),
    (
        "it skips any CR and LF before a request; we skip eight whole empty lines",
        {
            "accept 1": """
                L-lf-before L-cr-before L-nine-empty-lines
            """,
            "accept 2": """
                P-nine-empty-lines-between
            """,
        },
    ),
    (
        "it looks in Connection for the words it knows; we read the whole list, and refuse what it must not name",
        {
            "accept 1": """
                L-connection-names-host L-connection-names-authorization
                L-connection-names-content-length
                L-connection-names-transfer-encoding L-connection-names-host-in-list
                L-connection-not-tokens L-connection-quoted
            """,
        },
    ),
    (
        "it skips further blanks in the request line; the grammar has one",
        {
            "accept 1": """
                R-two-blanks-before-target R-two-blanks-before-version
            """,
        },
    ),
    (
        "it knows a list of methods and refuses every other; any token is one to us, and gets 501",
        {
            "reject after 0": """
                R-method-lower-get R-method-mixed-get R-method-longer
                R-method-token-bytes R-method-one-byte R-method-32-bytes
                R-method-pri R-method-unknown-with-content P-unknown-method-close
                P-content-on-brew P-chunks-on-brew
            """,
            "reject after 1": """
                P-refusals-are-kept
            """,
        },
    ),
    (
        "it takes HTTP/2.0 and 0.9 as a version of the same syntax; to us they are 505",
        {
            "accept 1": """
                R-version-2.0 R-version-0.9
            """,
            "accept 2": """
                P-valid-then-http2
            """,
        },
    ),
    (
        "it knows minor versions by name; RFC 9110 2.5 has a higher one read as the highest known",
        {
            "reject after 0": """
                R-version-1.2 R-version-1.9
            """,
        },
    ),
    (
        "it does not ask which form of target goes with which method",
        {
            "accept 1": """
                R-target-asterisk-get R-target-asterisk-post R-target-asterisk-more
                R-target-asterisk-slash R-target-asterisk-query R-connect-no-port
                R-connect-empty-port R-connect-bad-port R-connect-port-65536
                R-connect-no-host R-connect-origin R-connect-absolute
                R-connect-asterisk R-connect-userinfo R-connect-path R-connect-query
            """,
        },
    ),
    (
        "it lets a fragment through, which RFC 9112 3.2 has no place for",
        {
            "accept 1": """
                R-target-fragment R-target-fragment-empty R-target-fragment-in-query
            """,
        },
    ),
    (
        "it does not look behind a percent sign",
        {
            "accept 1": """
                R-percent-end R-percent-one-digit R-percent-not-hex
                R-percent-half-hex R-percent-twice
            """,
        },
    ),
    (
        "it does not check an absolute target's scheme and authority further than their bytes",
        {
            "accept 1": """
                R-absolute-empty-authority R-absolute-nothing R-absolute-only-port
                R-absolute-ftp R-absolute-gopher R-absolute-userinfo
                R-absolute-userinfo-password R-absolute-bad-port
                R-absolute-port-65536 R-absolute-open-bracket
                R-absolute-percent-host R-absolute-fragment
                R-absolute-two-authorities R-absolute-without-host
                R-absolute-two-hosts R-absolute-bad-host
            """,
        },
    ),
    (
        "it does not look at Host at all; Node does so above it, and only asks that there is one",
        {
            "accept 1": """
                H-missing H-missing-options H-twice-equal H-twice-different
                H-twice-other-case H-twice-on-1.0 H-bad-on-1.0 H-empty H-blanks
                H-listed H-listed-tight H-path H-path-more H-scheme H-userinfo
                H-userinfo-password H-userinfo-empty H-query H-fragment H-backslash
                H-blank-inside H-tab-inside H-port-letters H-port-minus H-port-plus
                H-port-65536 H-port-huge H-port-twice H-port-blank H-port-hex
                H-only-port H-only-colon H-open-bracket H-close-bracket H-bare-ipv6
                H-bracket-junk H-bracket-port-junk H-bracket-empty H-bracket-bad
                H-bracket-ipv4 H-bracket-twice-short H-bracket-nine-groups
                H-bracket-zone H-bracket-inside H-8-bit H-utf-8 H-percent
                H-percent-bad H-angle H-quotes H-braces H-pipe H-caret
            """,
            "accept 3": """
                P-valid-invalid-valid
            """,
        },
    ),
    (
        "it parses RTSP as well",
        {
            "accept 1": """
                R-rtsp
            """,
        },
    ),
    (
        "it refuses bytes after a close; we answer once and read no further, so they are never seen",
        {
            "reject after 1": """
                P-close-then-bytes P-close-then-many P-close-then-garbage
                P-close-with-content P-old-then-bytes
            """,
        },
    ),
]

H11 = [
    (
        "it takes ASCII alone for a target; some clients send UTF-8 as it is",
        {
            "reject after 0": """
                R-path-utf8-two R-query-utf8-two R-path-utf8-three R-query-utf8-three
                R-path-utf8-four R-query-utf8-four R-path-utf8-last R-query-utf8-last
            """,
        },
    ),
    (
        "it lets Transfer-Encoding win over Content-Length, as RFC 9112 6.3 allows; we refuse to choose",
        {
            "accept 1": """
                F-length-then-chunked F-chunked-then-length
                F-length-zero-and-chunked F-length-and-coding-on-get
                F-length-coding-length
            """,
            "accept 2": """
                F-length-then-chunked-smuggled F-chunked-then-length-smuggled
            """,
        },
    ),
    (
        "it merges lengths that are equal, as RFC 9112 6.3 allows; we refuse to choose",
        {
            "accept 1": """
                F-length-twice-equal F-length-twice-other-case F-length-three-times
                F-length-twice-zero F-length-listed-equal F-length-listed-tight
            """,
        },
    ),
    (
        "it reads chunks in HTTP/1.0; we see a broken gateway",
        {
            "accept 1": """
                F-chunked-on-1.0 F-chunked-on-1.0-keep F-chunked-on-1.0-length
            """,
        },
    ),
    (
        "it unfolds, as RFC 9112 5.2 allowed gateways; a server may refuse, and does",
        {
            "reject after 1": """
                F-hidden-coding-blank-before F-hidden-coding-tab-before
            """,
            "accept 1": """
                F-hidden-coding-folded F-hidden-coding-folded-tab C-trailer-folded
                L-folded L-folded-tab L-folded-blank-line
            """,
        },
    ),
    (
        "it takes a bare LF for a line end, as RFC 9112 2.2 allows; two readings are an attack to us",
        {
            "accept 1": """
                F-hidden-coding-behind-lf C-line-lf-at-end C-trailer-bare-lf
                C-trailer-bare-lf-hidden L-lf-after-request-line L-lf-after-field
                L-lf-at-end L-lf-everywhere
            """,
            "reject after 1": """
                F-hidden-length-behind-lf
            """,
        },
    ),
    (
        "it lets blanks stand behind a chunk size",
        {
            "accept 1": """
                C-size-blank-after C-size-tab-after
            """,
        },
    ),
    (
        "it ends a chunk size at 20 digits, we at 16",
        {
            "accept 1": """
                C-size-seventeen-zeros
            """,
        },
    ),
    (
        "what is too much is its user's to say, and a whole head at once passes its limit",
        {
            "accept 1": """
                C-size-sum-above-limit C-extension-64k C-extensions-64k-in-sum
                C-twenty-thousand C-trailer-too-long C-trailer-too-many L-101-fields
                L-thousand-fields L-field-100k L-name-100k L-head-above-limit
                R-method-33-bytes R-method-8k R-method-100k R-target-8193
                R-target-100k R-target-100k-query H-5k H-1025-bytes
            """,
        },
    ),
    (
        "it takes any bytes for an extension up to the line end",
        {
            "accept 1": """
                C-extension-empty C-extension-empty-twice C-extension-empty-after
                C-extension-no-name C-extension-no-value C-extension-unterminated
                C-extension-after-quote C-extension-two-words C-extension-nul
                C-extension-ctl C-extension-del C-extension-8-bit-token
                C-extension-quoted-nul C-extension-bare-cr
            """,
        },
    ),
    (
        "it refuses framing fields in trailers; RFC 9110 6.5.1 has us ignore them, and we drop them",
        {
            "reject after 0": """
                C-trailer-coding
            """,
        },
    ),
    (
        "it lets control bytes stand in values, other than NUL and white space",
        {
            "accept 1": """
                C-trailer-ctl L-value-byte-01 L-value-byte-07 L-value-byte-08
                L-value-byte-0e L-value-byte-1b L-value-byte-1f L-value-byte-7f
                L-value-byte-first
            """,
        },
    ),
    (
        "it skips no empty line before a request, which RFC 9112 2.2 asks of servers",
        {
            "reject after 0": """
                L-one-empty-line L-eight-empty-lines
            """,
            "reject after 1": """
                P-empty-line-between
            """,
        },
    ),
    (
        "it looks in Connection for the words it knows; we read the whole list, and refuse what it must not name",
        {
            "accept 1": """
                L-connection-names-host L-connection-names-authorization
                L-connection-names-content-length
                L-connection-names-transfer-encoding L-connection-names-host-in-list
                L-connection-not-tokens L-connection-quoted
            """,
        },
    ),
    (
        "it takes any major version, and answers as 1.1",
        {
            "accept 1": """
                R-version-2.0 R-version-3.0 R-version-9.9 R-version-0.9
            """,
            "reject after 1": """
                R-http2-preface-almost
            """,
            "accept 2": """
                P-valid-then-http2
            """,
            "reject after 2": """
                P-valid-then-preface
            """,
        },
    ),
    (
        "it takes any visible bytes for a target, and leaves their sense to its user",
        {
            "accept 1": """
                R-target-no-slash R-target-question R-target-asterisk-get
                R-target-asterisk-post R-target-asterisk-more
                R-target-asterisk-slash R-target-asterisk-query
                R-target-authority-get R-target-authority-only R-target-backslash
                R-target-dot R-target-fragment R-target-fragment-empty
                R-target-fragment-in-query
                R-percent-end R-percent-one-digit R-percent-not-hex
                R-percent-half-hex R-percent-twice
                R-absolute-empty-authority R-absolute-nothing
                R-absolute-only-port R-absolute-one-slash R-absolute-no-slashes
                R-absolute-ftp R-absolute-gopher R-absolute-javascript
                R-absolute-userinfo R-absolute-userinfo-password R-absolute-bad-port
                R-absolute-port-65536 R-absolute-open-bracket R-absolute-backslash
                R-absolute-percent-host R-absolute-fragment
                R-absolute-two-authorities R-absolute-bad-host R-connect-no-port
                R-connect-empty-port R-connect-bad-port R-connect-port-65536
                R-connect-no-host R-connect-origin R-connect-absolute
                R-connect-asterisk R-connect-userinfo R-connect-path R-connect-query
            """,
        },
    ),
    (
        "it asks that HTTP/1.1 has one Host, not of 1.2, and not what stands in it",
        {
            "accept 1": """
                H-missing-1.2 H-bad-on-1.0 H-empty H-blanks H-listed H-listed-tight
                H-path H-path-more H-scheme H-userinfo H-userinfo-password
                H-userinfo-empty H-query H-fragment H-backslash H-blank-inside
                H-tab-inside H-port-letters H-port-minus H-port-plus H-port-65536
                H-port-huge H-port-twice H-port-blank H-port-hex H-only-port
                H-only-colon H-open-bracket H-close-bracket H-bare-ipv6
                H-bracket-junk H-bracket-port-junk H-bracket-empty H-bracket-bad
                H-bracket-ipv4 H-bracket-twice-short H-bracket-nine-groups
                H-bracket-zone H-bracket-inside H-ctl H-del H-8-bit H-utf-8
                H-percent H-percent-bad H-angle H-quotes H-braces H-pipe H-caret
            """,
        },
    ),
    (
        "it never keeps an HTTP/1.0 connection",
        {
            "accept 1": """
                P-old-keep-twice
            """,
        },
    ),
]
