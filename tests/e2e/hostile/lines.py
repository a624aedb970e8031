"""L: lines and fields of the head (RFC 9112 sections 2.2 and 5)."""

from .case import CLOSED, KEPT, Table, request

TABLE = Table("L")
bad, fine, add = TABLE.bad, TABLE.fine, TABLE.add

LINE = b"GET / HTTP/1.1"


def field(raw):
    return request(LINE, raw)


# --- Line ends -----------------------------------------------------------------------------------
bad("lf-after-request-line", b"GET / HTTP/1.1\nHost: a\r\n\r\n")
bad("lf-after-field", b"GET / HTTP/1.1\r\nHost: a\n\r\n")
bad("lf-at-end", b"GET / HTTP/1.1\r\nHost: a\r\n\n")
bad("lf-everywhere", b"GET / HTTP/1.1\nHost: a\n\n")
bad("lf-before", b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
bad("lf-in-value", field(b"X: a\nb"))
bad("lf-in-name", field(b"X\ny: a"))
bad("cr-after-request-line", b"GET / HTTP/1.1\rHost: a\r\n\r\n")
bad("cr-in-value", field(b"X: a\rb"))
bad("cr-in-name", field(b"X\ry: a"))
bad("cr-at-end", b"GET / HTTP/1.1\r\nHost: a\r\n\rX")
bad("cr-cr-lf", b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n")
bad("cr-cr-lf-field", field(b"X: a\r"))
bad("cr-before", b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n")
bad("cr-lf-mixed-up", b"GET / HTTP/1.1\n\rHost: a\r\n\r\n")

# --- Before the request line ---------------------------------------------------------------------
fine("one-empty-line", b"\r\n" + request())
fine("eight-empty-lines", b"\r\n" * 8 + request())
bad("nine-empty-lines", b"\r\n" * 9 + request())
bad("blank-line-with-space", b" \r\n" + request())
bad("leading-space", b" " + request())
bad("leading-tab", b"\t" + request())
bad("empty-line-then-space", b"\r\n " + request())
bad("first-field-with-space", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n")
bad("first-field-with-tab", b"GET / HTTP/1.1\r\n\tX: y\r\nHost: a\r\n\r\n")
bad("first-line-of-blanks", b"GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n")
bad("byte-order-mark", b"\xef\xbb\xbf" + request())
bad("leading-nul", b"\x00" + request())

# --- Control bytes -------------------------------------------------------------------------------
for byte in (0x00, 0x01, 0x07, 0x08, 0x0B, 0x0C, 0x0E, 0x1B, 0x1F, 0x7F):
    bad(f"value-byte-{byte:02x}", field(b"X: a" + bytes([byte]) + b"b"))
for byte in b'\x00\x01\x1f "(),/;<=>?@[\\]{}\x7f\x80\xe9\xff':
    bad(f"name-byte-{byte:02x}", field(b"X" + bytes([byte]) + b"y: a"))
bad("value-byte-only", field(b"X: \x00"))
bad("value-byte-first", field(b"X:\x01a"))

# --- Names ---------------------------------------------------------------------------------------
bad("empty-name", field(b": a"))
bad("only-colon", field(b":"))
bad("no-colon", field(b"X"))
bad("no-colon-words", field(b"X y z"))
bad("blank-before-colon", field(b"X : a"))
bad("tab-before-colon", field(b"X\t: a"))
bad("folded", field(b"X: a\r\n b"))
bad("folded-tab", field(b"X: a\r\n\tb"))
bad("folded-blank-line", field(b"X: a\r\n \r\nY: b"))
bad("folded-hides-host", b"GET / HTTP/1.1\r\nX: a\r\n Host: a\r\n\r\n")
fine("all-token-bytes", field(b"!#$%&'*+-.^_`|~09AZaz: a"))
fine("one-byte-name", field(b"a:b"))
fine("long-name", field(b"x" * 4000 + b": a"))

# --- Values --------------------------------------------------------------------------------------
fine("empty-value", field(b"X:"))
fine("empty-value-blanks", field(b"X: \t "))
fine("tab-inside", field(b"X: a\tb"))
fine("obs-text", field(b"X: \x80\xa0\xe9\xff"))
fine("colons", field(b"X: a:b::c"))
fine("no-blank", field(b"X:y"))
fine("same-name-often", request(LINE, *[b"X: y"] * 50))
fine("every-visible-byte", field(b"X: " + bytes(range(0x21, 0x7F))))

# --- Capacity ------------------------------------------------------------------------------------
fine("hundred-fields", request(LINE, *[b"X-%d: y" % i for i in range(99)]))
bad("101-fields", request(LINE, *[b"X-%d: y" % i for i in range(100)]), status=431)
bad("thousand-fields", request(LINE, *[b"X: y"] * 1000), status=431)
bad("field-100k", field(b"X: " + b"y" * 102400), status=431)
bad("name-100k", field(b"x" * 102400 + b": y"), status=431)
fine("field-30k", field(b"X: " + b"y" * 30000))
_FIXED = len(request(LINE, b"X: "))
fine("head-at-limit", field(b"X: " + b"y" * (32768 - _FIXED)), "32 KiB, its empty line included")
bad("head-above-limit", field(b"X: " + b"y" * (32769 - _FIXED)), status=431)
bad("fields-never-end", request(LINE, *[b"X: " + b"y" * 1000] * 90)[:-2], status=431)
fine("blanks-8k", field(b"X:" + b" " * 8000 + b"y"))

# --- Connection naming what must not be dropped --------------------------------------------------
for name, option in {
    "host": b"Host",
    "authorization": b"Authorization",
    "content-length": b"Content-Length",
    "transfer-encoding": b"Transfer-Encoding",
    "host-in-list": b"keep-alive, HOST, x",
}.items():
    bad(f"connection-names-{name}", field(b"Connection: " + option))
fine("connection-names-other", field(b"Connection: X-Foo"))
fine("connection-empty-elements", field(b"Connection: , keep-alive, ,"))
bad("connection-not-tokens", field(b"Connection: a b"))
bad("connection-quoted", field(b'Connection: "close"'))
add("connection-two-lines-close", request(LINE, b"Connection: x", b"Connection: close"), 200, CLOSED)
add("connection-keep-alive", field(b"Connection: keep-alive"), 200, KEPT)
