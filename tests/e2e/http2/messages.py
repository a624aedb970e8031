"""RFC 9113 section 8: how a request is made of frames, and which requests are malformed.

A malformed request MUST be a stream error PROTOCOL_ERROR (section 8.1.1): it is reset, and no
handler sees it.  Where the fault is of HTTP and not of HTTP/2 (a target, a method, a host), it is
answered with 400.
"""

from http2.case import Fine, Rst, Status, Table
from lib.h2frames import *  # noqa: F403

TABLE = Table("9113")
add = TABLE.add

BAD = Rst(1, PROTOCOL_ERROR)


def refused(section, name, rule, steps):
    """A request that can be answered is (RFC 9113 section 8.1.1): with what HTTP/1 says to it."""
    add(section, name, rule, steps, Status(1, 400))


def bad(section, name, rule, steps, **more):
    add(section, name, rule, steps, BAD, **more)


# --- 8.1 Message framing -------------------------------------------------------------------------

FRAMING = "a request is HEADERS, DATA, and perhaps HEADERS with END_STREAM"

OPEN = headers(1, post(), end=False)
add("8.1", "content", FRAMING, OPEN + data(1, b"hello") + data(1, b" you", end=True), Fine(1))
add("8.1", "empty-end", FRAMING, OPEN + data(1, b"hello") + data(1, b"", end=True), Fine(1))
add("8.1", "trailers", FRAMING, OPEN + data(1, b"hello") + headers(1, [("x-sum", "1")]), Fine(1))
add("8.1", "trailers-alone", FRAMING, OPEN + headers(1, [("x-sum", "1")]), Fine(1))
add("8.1", "trailers-continued", FRAMING,
    OPEN + data(1, b"x") + headers(1, b"", done=False) + continuation(1, literal("x-sum", "1")), Fine(1))  # fmt: skip
bad("8.1", "trailers-without-end", "a second HEADERS without END_STREAM is malformed",
    OPEN + data(1, b"hello") + headers(1, [("x-sum", "1")], end=False))  # fmt: skip
add("8.1", "trailers-that-go-on", "a second HEADERS without END_STREAM is malformed",
    OPEN + headers(1, [("x", "1")], end=False) + headers(1, [("y", "2")]), Rst(1, PROTOCOL_ERROR, STREAM_CLOSED))  # fmt: skip
for name in (":path", ":method", ":status", ":authority"):
    bad("8.1", f"trailers-with-{name[1:]}", "pseudo-fields MUST NOT be in trailers",
        OPEN + data(1, b"x") + headers(1, [(name, "/")]))  # fmt: skip
bad("8.1", "trailers-upper-case", "trailers are fields", OPEN + data(1, b"x") + headers(1, [("X", "y")]))
bad("8.1", "trailers-connection", "trailers are fields", OPEN + data(1, b"x") + headers(1, [("connection", "close")]))
bad("8.1", "trailers-nul", "trailers are fields", OPEN + data(1, b"x") + headers(1, [("x", "a\0b")]))
add("8.1", "get-with-content", "content is a matter of frames, not of methods",
    headers(1, get(), end=False) + data(1, b"hello", end=True), Fine(1))  # fmt: skip

# --- 8.1.1 Malformed: content-length -------------------------------------------------------------

LENGTH = "content-length that is not the sum of the DATA payloads is malformed"


def sized(length, **more):
    return post(("content-length", str(length)), **more)


add("8.1.1", "length-right", "content-length that is right is fine", headers(1, sized(5), end=False) + data(1, b"hello", end=True), Fine(1))
add("8.1.1", "length-right-padded", "padding is no content", headers(1, sized(5), end=False) + data(1, b"hello", end=True, pad=9), Fine(1))
add("8.1.1", "length-0", "content-length that is right is fine", headers(1, sized(0)), Fine(1))
add("8.1.1", "length-right-trailers", "content-length that is right is fine",
    headers(1, sized(5), end=False) + data(1, b"hello") + headers(1, [("x", "y")]), Fine(1))  # fmt: skip
bad("8.1.1", "too-short", LENGTH, headers(1, sized(6), end=False) + data(1, b"hello", end=True))
bad("8.1.1", "too-short-then-empty", LENGTH, headers(1, sized(6), end=False) + data(1, b"hello") + data(1, b"", end=True))
bad("8.1.1", "too-short-on-headers", LENGTH, headers(1, sized(5), end=True))
bad("8.1.1", "too-short-on-trailers", LENGTH, headers(1, sized(6), end=False) + data(1, b"hello") + headers(1, [("x", "y")]))
bad("8.1.1", "none-on-trailers", LENGTH, headers(1, sized(1), end=False) + headers(1, [("x", "y")]))
bad("8.1.1", "too-long", LENGTH, headers(1, sized(4), end=False) + data(1, b"hello", end=True))
bad("8.1.1", "too-long-later", LENGTH, headers(1, sized(5), end=False) + data(1, b"hello") + data(1, b"x", end=True))
bad("8.1.1", "content-for-0", LENGTH, headers(1, sized(0), end=False) + data(1, b"x", end=True))
bad("8.1.1", "get-too-short", LENGTH, headers(1, sized(5, method="GET")))
for name, value in {
    "negative": "-1", "plus": "+5", "hex": "0x5", "list": "5, 5", "empty": "", "blank": "5 5",
    "overflow": str(2**64 + 5), "letters": "five", "point": "5.0",
}.items():  # fmt: skip
    bad("8.1.1", f"length-{name}", "content-length is a decimal number",
        headers(1, sized(value), end=False) + data(1, b"hello", end=True))  # fmt: skip
bad("8.1.1", "length-twice", "content-length stands once",
    headers(1, sized(5) + [("content-length", "6")], end=False) + data(1, b"hello", end=True))  # fmt: skip
bad("8.1.1", "length-twice-equal", "content-length stands once",
    headers(1, sized(5) + [("content-length", "5")], end=False) + data(1, b"hello", end=True))  # fmt: skip

# --- 8.2 Fields, 8.2.1 Field validity ------------------------------------------------------------

LOWER = "a name with upper case MUST be malformed"
NAME = "a name with a character outside of what section 8.2.1 allows MUST be malformed"
COLON = "a name with a colon, but a pseudo-field's first, MUST be malformed"
VALUE = "a value with NUL, LF or CR at any position MUST be malformed"
EDGE = "a value that starts or ends with SP or HTAB MUST be malformed"

for name in ("X", "abC", "Host", "Content-Length"):
    bad("8.2", f"upper-case-{name}", LOWER, headers(1, get((name, "1"))))
for name, text_ in {
    "empty": "", "blank": "a b", "blank-alone": " ", "leading-blank": " a", "trailing-blank": "a ", "tab": "a\t", "nul": "a\0b",
    "lf": "a\nb", "cr": "a\rb", "del": "a\x7f", "ctl": "a\x01", "8-bit": "a\xe4", "ff": "\xff",
}.items():  # fmt: skip
    bad("8.2.1", f"name-{name}", NAME, headers(1, get((text_, "1"))))
for name, text_ in {"middle": "a:b", "end": "a:", "alone": ":", "double": "::path"}.items():
    bad("8.2.1", f"colon-{name}", COLON, headers(1, get((text_, "1"))))
for name, text_ in {"paren": "a(b", "slash": "a/b", "quote": 'a"b', "at": "a@b", "brace": "a{b"}.items():
    bad("8.2.1", f"name-{name}", "a name that is no token is malformed (RFC 9110 section 5.1)", headers(1, get((text_, "1"))))
for name, byte in {"nul": "\0", "lf": "\n", "cr": "\r"}.items():
    for where, value in {"start": byte + "a", "middle": "a" + byte + "b", "end": "a" + byte, "alone": byte}.items():
        bad("8.2.1", f"value-{name}-{where}", VALUE, headers(1, get(("x", value))))
bad("8.2.1", "value-crlf-smuggled", VALUE, headers(1, get(("x", "a\r\nHost: b\r\n\r\nGET / HTTP/1.1"))))
for name, value in {"space-start": " a", "space-end": "a ", "tab-start": "\ta", "tab-end": "a\t", "space-alone": " ", "tab-alone": "\t"}.items():
    bad("8.2.1", f"value-{name}", EDGE, headers(1, get(("x", value))))
for name, value in {"ctl": "a\x01b", "del": "a\x7fb", "esc": "\x1b"}.items():
    bad("8.2.1", f"value-{name}", "field values hold no controls (RFC 9110 section 5.5)", headers(1, get(("x", value))))
for name, value in {"empty": "", "blank-inside": "a b\tc", "8-bit": "gr\xfc\xdf", "all": "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~"}.items():
    add("8.2.1", f"value-fine-{name}", "such values are fine", headers(1, get(("x", value))), Fine(1))
add("8.2.1", "name-fine", "such names are fine", headers(1, get(("!#$%&'*+-.^_`|~09az", "x"))), Fine(1))

# --- 8.2.2 Connection-specific fields ------------------------------------------------------------

CONNECTION = "connection-specific fields MUST be malformed"

for name, value in [
    ("connection", "keep-alive"), ("connection", "close"), ("proxy-connection", "keep-alive"), ("keep-alive", "timeout=5"),
    ("transfer-encoding", "chunked"), ("transfer-encoding", "identity"), ("upgrade", "h2c"), ("upgrade", "websocket"),
]:  # fmt: skip
    bad("8.2.2", f"{name}-{value.split('=')[0]}", CONNECTION, headers(1, get((name, value))))
bad("8.2.2", "transfer-encoding-with-content", CONNECTION,
    headers(1, post(("transfer-encoding", "chunked")), end=False) + data(1, b"0\r\n\r\n", end=True))  # fmt: skip
for value in ("gzip", "trailers, deflate", "trailers;q=1", ""):
    bad("8.2.2", f"te-{value or 'empty'}", "TE MUST NOT hold anything but `trailers`", headers(1, get(("te", value))))
for value in ("trailers", "Trailers"):
    add("8.2.2", f"te-fine-{value}", "TE may be `trailers`", headers(1, get(("te", value))), Fine(1))

# --- 8.2.3 Cookies -------------------------------------------------------------------------------

add("8.2.3", "crumbs", "cookie crumbs MUST be joined with `; ` before a handler sees them",
    headers(1, get(("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"), ("cookie", "c=3"))), Fine(1))  # fmt: skip
add("8.2.3", "crumbs-256", "as many crumbs as our limit", headers(1, get(*[("cookie", f"c{n}=1") for n in range(256)])), Fine(1))

# --- 8.3 Control data ----------------------------------------------------------------------------

AFTER = "pseudo-fields MUST stand before regular ones"
UNKNOWN = "unknown or undefined pseudo-fields MUST be malformed"
ONCE = "a pseudo-field MUST stand once"
NEEDED = "exactly one :method, :scheme and :path unless CONNECT"

for name in (":method", ":scheme", ":path", ":authority"):
    moved = [pair for pair in get() if pair[0] != name]
    kept = [pair for pair in get() if pair[0] == name]
    bad("8.3", f"late-{name[1:]}", AFTER, headers(1, moved + [("x", "y")] + kept))
    bad("8.3", f"twice-{name[1:]}", ONCE, headers(1, kept + get()))
    bad("8.3", f"twice-and-late-{name[1:]}", AFTER, headers(1, get(("x", "y")) + kept))
for name in (":status", ":unknown", ":protocol", ":", ":Path", ":path ", ":host"):
    bad("8.3", f"unknown-{name[1:].strip() or 'empty'}{'-blank' if name.endswith(' ') else ''}", UNKNOWN,
        headers(1, [(name, "200")] + get()))  # fmt: skip
bad("8.3.1", "no-method", NEEDED, headers(1, get(method=None)))
bad("8.3.1", "no-scheme", NEEDED, headers(1, get(scheme=None)))
bad("8.3.1", "no-path", NEEDED, headers(1, get(path=None)))
bad("8.3.1", "nothing", NEEDED, headers(1, [("x", "y")]))
bad("8.3.1", "an-empty-block", NEEDED, headers(1, b""))
refused("8.3.1", "path-empty", ":path MUST NOT be empty for http and https", headers(1, get(path="")))
refused("8.3.1", "method-empty", "a method is a token", headers(1, get(method="")))
refused("8.3.1", "scheme-empty", "a scheme is one", headers(1, get(scheme="")))
for name, path in {"relative": "index.html", "asterisk": "*", "absolute": "http://a/", "query": "?x"}.items():
    refused("8.3.1", f"path-{name}", ":path starts with `/`, or is `*` for OPTIONS", headers(1, get(path=path)))
for name, path in {"nul": "/\0", "blank": "/a b", "lf": "/a\n", "cr": "/a\r", "tab": "/a\t", "del": "/\x7f", "fragment": "/a#b", "8-bit": "/\xe4"}.items():
    refused("8.3.1", f"path-{name}", ":path is a path and a query (RFC 3986)", headers(1, get(path=path)))
for name, method in {"blank": "GE T", "nul": "G\0T", "lf": "GET\n", "colon": "GET:", "8-bit": "G\xe4T", "smuggled": "GET / HTTP/1.1\r\nx: "}.items():
    refused("8.3.1", f"method-{name}", "a method is a token (RFC 9110 section 9.1)", headers(1, get(method=method)))
for name, scheme in {"blank": "ht tp", "nul": "http\0", "digit": "1http", "colon": "http:", "slash": "http://x"}.items():
    refused("8.3.1", f"scheme-{name}", "a scheme is one (RFC 3986 section 3.1)", headers(1, get(scheme=scheme)))
add("8.3.1", "options-asterisk", "`*` is for OPTIONS", headers(1, get(method="OPTIONS", path="*")), Fine(1))
for name, authority in {
    "userinfo": "user@a", "userinfo-password": "u:p@a", "path": "a/b", "query": "a?b", "fragment": "a#b", "blank": "a b",
    "backslash": "a\\b", "port-letters": "a:b", "port-large": "a:99999", "open-bracket": "[::1", "after-bracket": "[::1]x",
    "nul": "a\0", "8-bit": "\xe4", "ctl": "a\x01", "comma": "a,b, c",
}.items():  # fmt: skip
    refused("8.3.1", f"authority-{name}", ":authority is host and port, without userinfo", headers(1, get(authority=authority)))
for name, authority in {"port": "a:8080", "ipv6": "[::1]:80", "dot": "a.example.", "upper": "A.Example"}.items():
    add("8.3.1", f"authority-fine-{name}", ":authority is host and port", headers(1, get(authority=authority)), Fine(1))
add("8.3.1", "host-equal", "Host may stand beside an equal :authority", headers(1, get(("host", "a"))), Fine(1))
add("8.3.1", "host-case", "hosts compare without regard to case", headers(1, get(("host", "A"))), Fine(1))
add("8.3.1", "host-alone", "Host may take the place of :authority", headers(1, get(("host", "a"), authority=None)), Fine(1))
refused("8.3.1", "host-other", "Host and :authority that differ are malformed", headers(1, get(("host", "b"))))
refused("8.3.1", "host-other-port", "Host and :authority that differ are malformed", headers(1, get(("host", "a:81"))))
refused("8.3.1", "host-empty", "Host and :authority that differ are malformed", headers(1, get(("host", ""))))
refused("8.3.1", "host-twice", "Host stands once (RFC 9110 section 7.2)", headers(1, get(("host", "a"), ("host", "a"))))
refused("8.3.1", "host-twice-alone", "Host stands once (RFC 9110 section 7.2)", headers(1, get(("host", "a"), ("host", "b"), authority=None)))
for name, host in {"userinfo": "u@a", "path": "a/b", "list": "a, b", "blank": "a b"}.items():
    refused("8.3.1", f"host-{name}", "Host is host and port", headers(1, get(("host", host), authority=None)))
refused("8.3.1", "no-authority-at-all", "a request for http or https has an authority", headers(1, get(authority=None)))
refused("8.3.1", "authority-empty", "a request for http or https has an authority", headers(1, get(authority="")))

# --- 8.4, 8.5, 8.6 -------------------------------------------------------------------------------

add("8.5", "connect", "CONNECT has :method and :authority alone; we are no proxy",
    headers(1, [(":method", "CONNECT"), (":authority", "a:443")]), Status(1, 405))  # fmt: skip
bad("8.5", "connect-with-path", "CONNECT: :scheme and :path MUST be omitted",
    headers(1, [(":method", "CONNECT"), (":authority", "a:443"), (":path", "/")]))  # fmt: skip
bad("8.5", "connect-with-scheme", "CONNECT: :scheme and :path MUST be omitted",
    headers(1, [(":method", "CONNECT"), (":authority", "a:443"), (":scheme", "https")]))  # fmt: skip
bad("8.5", "connect-without-authority", "CONNECT: :authority is host and port", headers(1, [(":method", "CONNECT")]))
refused("8.5", "connect-without-port", "CONNECT: :authority is host and port", headers(1, [(":method", "CONNECT"), (":authority", "a")]))
for method, status in {"TRACE": 405, "BREW": 501, "get": 501}.items():
    add("8.3.1", f"method-{method}", "methods mean what they mean in any version", headers(1, get(method=method)), Status(1, status))
add("8.1", "expect-unknown", "an expectation that cannot be met is 417", headers(1, get(("expect", "x"))), Status(1, 417))
