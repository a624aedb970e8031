"""F: how long a request is (RFC 9112 section 6).  Two readings of it are an attack."""

from .case import CLOSED, SMUGGLED, Table, post, request

TABLE = Table("F")
bad, fine, add = TABLE.bad, TABLE.fine, TABLE.add

CHUNKED = b"Transfer-Encoding: chunked"
EMPTY = b"0\r\n\r\n"
FIVE = b"5\r\nhello\r\n0\r\n\r\n"


def length(value, content=b"hello", **more):
    return post(b"Content-Length: " + value, content=content, **more)


def coding(value, content=FIVE, **more):
    return post(b"Transfer-Encoding: " + value, content=content, **more)


# --- Content-Length with Transfer-Encoding -------------------------------------------------------
bad("length-then-chunked", post(b"Content-Length: 5", CHUNKED, content=EMPTY))
bad("chunked-then-length", post(CHUNKED, b"Content-Length: 5", content=EMPTY))
bad(
    "length-then-chunked-smuggled",
    post(b"Content-Length: 5", CHUNKED, content=EMPTY + SMUGGLED),
    "TE.CL: the rest would be a request for who believes the length",
)
bad(
    "chunked-then-length-smuggled",
    post(CHUNKED, b"Content-Length: %d" % len(EMPTY + SMUGGLED), content=EMPTY + SMUGGLED),
    "CL.TE: the rest would be a request for who believes the coding",
)
bad("length-zero-and-chunked", post(b"Content-Length: 0", CHUNKED, content=EMPTY))
bad("length-and-unknown-coding", post(b"Content-Length: 5", b"Transfer-Encoding: x", content=b"hello"))
bad("length-and-empty-coding", post(b"Content-Length: 5", b"Transfer-Encoding:", content=b"hello"))
bad("length-and-coding-on-get", request(b"GET / HTTP/1.1", b"Content-Length: 5", CHUNKED, content=EMPTY))
bad(
    "length-coding-length",
    post(b"Content-Length: 5", CHUNKED, b"Content-Length: 5", content=EMPTY),
)

# --- Content-Length repeated or listed -----------------------------------------------------------
bad("length-twice-equal", post(b"Content-Length: 5", b"Content-Length: 5", content=b"hello"))
bad("length-twice-different", post(b"Content-Length: 5", b"Content-Length: 6", content=b"hello!"))
bad("length-twice-other-case", post(b"Content-Length: 5", b"content-length: 5", content=b"hello"))
bad("length-three-times", post(*[b"Content-Length: 5"] * 3, content=b"hello"))
bad("length-twice-zero", post(b"Content-Length: 0", b"Content-Length: 0"))
bad(
    "length-twice-apart",
    post(b"Content-Length: 5", b"X: y", b"Content-Length: 35", content=b"hello" + SMUGGLED),
)
bad("length-listed-equal", length(b"5, 5"))
bad("length-listed-different", length(b"5, 6"))
bad("length-listed-tight", length(b"5,5"))
bad("length-listed-trailing-comma", length(b"5,"))
bad("length-listed-leading-comma", length(b",5"))

# --- Content-Length that is no number ------------------------------------------------------------
for name, value in {
    "plus": b"+5",
    "minus": b"-5",
    "minus-zero": b"-0",
    "hex-prefix": b"0x5",
    "hex-digit": b"a",
    "inner-space": b"5 5",
    "inner-tab": b"5\t5",
    "underscore": b"0_5",
    "quotes": b'"5"',
    "single-quotes": b"'5'",
    "point": b"5.0",
    "exponent": b"5e0",
    "vt": b"5\x0b",
    "vt-before": b"\x0b5",
    "ff": b"5\x0c",
    "nbsp": b"5\xa0",
    "nbsp-before": b"\xa05",
    "nul": b"5\x00",
    "nul-before": b"\x005",
    "empty": b"",
    "blanks-only": b"  \t ",
    "letters": b"five",
    "semicolon": b"5;",
    "slash": b"5/1",
    "colon": b":5",
    "fullwidth-digit": b"\xef\xbc\x95",
    "two-to-63": b"9223372036854775808",
    "two-to-64": b"18446744073709551616",
    "two-to-64-and-5": b"18446744073709551621",
    "thirty-digits": b"1" * 30,
    "thousand-digits": b"9" * 1000,
}.items():
    bad(f"length-{name}", length(value))

# --- Content-Length that is one ------------------------------------------------------------------
fine("length-plain", length(b"5"))
fine("length-zero", length(b"0", content=b""))
fine("length-leading-zeros", length(b"0005"), "decimal, whatever the zeros look like")
fine("length-leading-zero-ten", length(b"010", content=b"0123456789"), "ten, not eight")
fine("length-thirty-zeros", length(b"0" * 30 + b"5"))
fine("length-blanks-around", length(b" \t 5 \t "))
fine("length-no-blank", post(b"Content-Length:5", content=b"hello"))
fine("length-upper-case", post(b"CONTENT-LENGTH: 5", content=b"hello"))
fine("length-of-a-request", length(b"%d" % len(SMUGGLED), content=SMUGGLED), "content is content")
add(
    "length-largest",
    length(b"9223372036854775807", content=b""),
    413,
    CLOSED,
    "a number, and far above what is read",
)
add("length-above-limit", length(b"1048577", content=b""), 413, CLOSED)
fine("length-at-limit", length(b"1048576", content=b"x" * 1048576))

# --- Transfer-Encoding ---------------------------------------------------------------------------
fine("chunked", coding(b"chunked"))
fine("chunked-empty", coding(b"chunked", EMPTY))
fine("chunked-upper", coding(b"CHUNKED"))
fine("chunked-mixed", coding(b"ChUnKeD"))
fine("chunked-blanks-around", coding(b" \t chunked \t "))
fine("chunked-no-blank", post(b"Transfer-Encoding:chunked", content=FIVE))
fine("chunked-name-case", post(b"tRANSFER-eNCODING: chunked", content=FIVE))
fine("chunked-on-get", request(b"GET / HTTP/1.1", CHUNKED, content=FIVE))
bad("chunked-on-1.0", request(b"POST / HTTP/1.0", CHUNKED, content=FIVE))
bad("chunked-on-1.0-keep", request(b"POST / HTTP/1.0", CHUNKED, b"Connection: keep-alive", content=FIVE))
bad("chunked-on-1.0-length", request(b"POST / HTTP/1.0", b"Content-Length: 5", CHUNKED, content=EMPTY))
for name, value in {
    "foo": b"foo",
    "gzip": b"gzip",
    "identity": b"identity",
    "gzip-chunked": b"gzip, chunked",
    "x-chunked": b"xchunked",
    "chunked-x": b"chunkedx",
    "chunke": b"chunke",
    "gzip-deflate": b"gzip, deflate",
    "cow": b"cow",
}.items():
    bad(f"coding-{name}", coding(value), "a coding we do not know: 501 and close", status=501)
for name, value in {
    "doubled": b"chunked, chunked",
    "doubled-tight": b"chunked,chunked",
    "not-last": b"chunked, gzip",
    "not-last-identity": b"chunked, identity",
    "empty": b"",
    "blanks": b" \t",
    "comma": b",",
    "comma-before": b", chunked",
    "comma-after": b"chunked,",
    "comma-twice": b"gzip,, chunked",
    "parameter": b"chunked;q=1",
    "parameter-blank": b"chunked ; foo=bar",
    "parameter-empty": b"chunked;",
    "quoted": b'"chunked"',
    "single-quoted-space": b"' chunked'",
    "vt": b"chunked\x0b",
    "vt-before": b"\x0bchunked",
    "ff": b"chunked\x0c",
    "nul": b"chunked\x00",
    "del": b"chunked\x7f",
    "nbsp": b"chunked\xa0",
    "nbsp-before": b"\xa0chunked",
    "two-words": b"chunked x",
    "two-words-before": b"x chunked",
    "slash": b"chunked/1",
    "colon": b": chunked",
    "8-bit": b"\xe7hunked",
}.items():
    bad(f"coding-{name}", coding(value))
bad("coding-two-lines-same", post(CHUNKED, CHUNKED, content=FIVE))
bad("coding-two-lines-gzip", post(b"Transfer-Encoding: gzip", CHUNKED, content=FIVE))
bad("coding-two-lines-identity", post(CHUNKED, b"Transfer-Encoding: identity", content=FIVE))
bad("coding-two-lines-empty", post(b"Transfer-Encoding:", CHUNKED, content=FIVE))

# --- Names and lines that hide framing -----------------------------------------------------------
for name, raw in {
    "coding-blank-colon": b"Transfer-Encoding : chunked",
    "coding-tab-colon": b"Transfer-Encoding\t: chunked",
    "length-blank-colon": b"Content-Length : 5",
    "length-nul-in-name": b"Content\x00-Length: 5",
    "coding-vt-in-name": b"Transfer-Encoding\x0b: chunked",
    "coding-nbsp-name": b"\xa0Transfer-Encoding: chunked",
    "coding-blank-before": b" Transfer-Encoding: chunked",
    "coding-tab-before": b"\tTransfer-Encoding: chunked",
    "coding-folded": b"Transfer-Encoding:\r\n chunked",
    "coding-folded-tab": b"Transfer-Encoding:\r\n\tchunked",
    "coding-folded-after": b"Transfer-Encoding: chunked\r\n , identity",
    "length-folded": b"Content-Length: 5\r\n 5",
    "coding-behind-lf": b"X: y\nTransfer-Encoding: chunked",
    "coding-behind-cr": b"X: y\rTransfer-Encoding: chunked",
    "length-behind-lf": b"X: y\nContent-Length: 5",
    "length-behind-cr": b"X: y\rContent-Length: 5",
    "coding-no-colon": b"Transfer-Encoding chunked",
    "coding-equals": b"Transfer-Encoding= chunked",
}.items():
    bad(f"hidden-{name}", post(raw, content=FIVE))
fine(
    "name-underscore-coding",
    post(b"Transfer_Encoding: chunked", b"Content-Length: 5", content=b"hello"),
    "just a name",
)
fine("name-underscore-length", post(b"Content_Length: 50", b"Content-Length: 5", content=b"hello"))
fine("name-longer", post(b"X-Content-Length: 50", b"Content-Length: 5", content=b"hello"))
fine("name-te", post(b"TE: chunked", b"Content-Length: 5", content=b"hello"))
fine("no-framing-on-post", post(), "no content: the next bytes are the next request")
