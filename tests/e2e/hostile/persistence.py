"""P: which requests follow each other on one connection (RFC 9112 section 9, RFC 9110 10.1.1)."""

from .case import CLOSED, INTERIM, KEPT, SMUGGLED, Table, post, request

TABLE = Table("P")
add = TABLE.add

GET = request()
OLD = b"GET / HTTP/1.0"
FIVE = b"5\r\nhello\r\n0\r\n\r\n"

# --- Pipelining ----------------------------------------------------------------------------------
add("two", GET * 2, [200] * 2, KEPT)
add("fifty", GET * 50, [200] * 50, KEPT)
add("three-hundred", GET * 300, [200] * 300, KEPT)
add("mixed-methods", GET + request(b"HEAD / HTTP/1.1") + GET, [200] * 3, KEPT, heads=[1])
add("content-between", (GET + post(b"Content-Length: 5", content=b"hello")) * 3, [200] * 6, KEPT)
add(
    "chunks-between",
    (post(b"Transfer-Encoding: chunked", content=FIVE) + GET) * 3,
    [200] * 6,
    KEPT,
)
add("empty-line-between", GET + b"\r\n" + GET, [200, 200], KEPT)
add("nine-empty-lines-between", GET + b"\r\n" * 9 + GET, [200, 400], CLOSED)
add("valid-then-invalid", GET + b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", [200, 400], CLOSED)
add("valid-then-garbage", GET * 3 + b"\x00\x01\x02\r\n\r\n", [200, 200, 200, 400], CLOSED)
add("valid-invalid-valid", GET + request(host=None) + GET, [200, 400], CLOSED)
add("valid-then-http2", GET + request(b"GET / HTTP/2.0"), [200, 505], CLOSED)
add("valid-then-preface", GET + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [200, 505], CLOSED)
add("bad-chunk-then-valid", post(b"Transfer-Encoding: chunked", content=b"x\r\n") + GET, 400, CLOSED)
add(
    "refusals-are-kept",
    request(b"TRACE / HTTP/1.1") + request(b"BREW / HTTP/1.1") + GET,
    [405, 501, 200],
    KEPT,
)

# --- Closing -------------------------------------------------------------------------------------
add("close", request(b"GET / HTTP/1.1", b"Connection: close"), 200, CLOSED)
add("close-then-bytes", request(b"GET / HTTP/1.1", b"Connection: close") + GET, 200, CLOSED)
add("close-then-many", request(b"GET / HTTP/1.1", b"Connection: close") + GET * 40, 200, CLOSED)
add("close-then-garbage", request(b"GET / HTTP/1.1", b"Connection: close") + b"\x00" * 99, 200, CLOSED)
add("close-upper", request(b"GET / HTTP/1.1", b"Connection: CLOSE"), 200, CLOSED)
add("close-listed", request(b"GET / HTTP/1.1", b"Connection: foo, close"), 200, CLOSED)
add("close-beats-keep", request(b"GET / HTTP/1.1", b"Connection: keep-alive, close"), 200, CLOSED)
add("close-in-part", request(b"GET / HTTP/1.1", b"Connection: closed"), 200, KEPT, "another token")
add(
    "close-with-content",
    post(b"Connection: close", b"Content-Length: 5", content=b"hello" + GET),
    200,
    CLOSED,
)
add("keep-then-close", GET + request(b"GET / HTTP/1.1", b"Connection: close"), [200, 200], CLOSED)
add("unknown-method-close", request(b"BREW / HTTP/1.1", b"Connection: close"), 501, CLOSED)
add("old", request(OLD), 200, CLOSED)
add("old-without-host", request(OLD, host=None), 200, CLOSED)
add("old-then-bytes", request(OLD) + GET, 200, CLOSED)
add("old-keep", request(OLD, b"Connection: keep-alive"), 200, KEPT)
add("old-keep-upper", request(OLD, b"Connection: Keep-Alive"), 200, KEPT)
add("old-keep-twice", request(OLD, b"Connection: keep-alive") * 2, [200, 200], KEPT)
add("old-keep-and-close", request(OLD, b"Connection: keep-alive, close"), 200, CLOSED)
add(
    "old-post-keep",
    request(b"POST / HTTP/1.0", b"Connection: keep-alive", b"Content-Length: 5", content=b"hello"),
    200,
    KEPT,
)
add("old-head", request(b"HEAD / HTTP/1.0"), 200, CLOSED, heads=[0])
add("proxy-connection", request(b"GET / HTTP/1.1", b"Proxy-Connection: close"), 200, KEPT)

# --- Expect --------------------------------------------------------------------------------------
EXPECT = b"Expect: 100-continue"
add("expect-content-there", post(EXPECT, b"Content-Length: 5", content=b"hello"), [INTERIM, 200], KEPT)
add("expect-upper", post(b"Expect: 100-CONTINUE", b"Content-Length: 5", content=b"hello"), [INTERIM, 200], KEPT)
add("expect-chunked", post(EXPECT, b"Transfer-Encoding: chunked", content=FIVE), [INTERIM, 200], KEPT)
add("expect-no-content", request(b"GET / HTTP/1.1", EXPECT), [INTERIM, 200], KEPT)
add(
    "expect-smuggled",
    post(EXPECT, b"Content-Length: %d" % len(SMUGGLED), content=SMUGGLED),
    [INTERIM, 200],
    KEPT,
    "content is content",
)
add("expect-too-large", post(EXPECT, b"Content-Length: 2000000"), 413, CLOSED, "no 100 first")
add("expect-unknown", request(b"GET / HTTP/1.1", b"Expect: 200-ok"), 417, KEPT)
add("expect-empty", request(b"GET / HTTP/1.1", b"Expect:"), 417, KEPT)
add("expect-listed", request(b"GET / HTTP/1.1", b"Expect: 100-continue, x"), 417, KEPT)
add(
    "expect-unknown-content",
    post(b"Expect: x", b"Content-Length: 5", content=b"hello"),
    417,
    KEPT,
    "the framing is known, so the content is read past",
)
add(
    "expect-unknown-smuggled",
    post(b"Expect: x", b"Content-Length: %d" % len(SMUGGLED), content=SMUGGLED),
    417,
    KEPT,
)
add(
    "expect-unknown-head",
    request(b"HEAD / HTTP/1.1", b"Expect: x"),
    417,
    KEPT,
    "an error that answers a HEAD has no content either, or the next answer is misread",
    heads=[0],
)
add("expect-unknown-close", request(b"GET / HTTP/1.1", b"Expect: x", b"Connection: close"), 417, CLOSED)
add("expect-unknown-chunked", post(b"Expect: x", b"Transfer-Encoding: chunked", content=FIVE), 417, KEPT)
add(
    "expect-on-1.0",
    request(b"POST / HTTP/1.0", EXPECT, b"Content-Length: 5", content=b"hello"),
    200,
    CLOSED,
    "RFC 9110 section 10.1.1: ignored, and never a 100",
)
add("expect-bad-length", post(EXPECT, b"Content-Length: x"), 400, CLOSED)

# --- Content on methods that need none -----------------------------------------------------------
for method in (b"GET", b"HEAD", b"OPTIONS", b"DELETE", b"PATCH", b"PUT", b"BREW", b"TRACE"):
    status = {b"BREW": 501, b"TRACE": 405}.get(method, 200)
    heads = [0] if method == b"HEAD" else []
    name = method.decode().lower()
    add(
        f"content-on-{name}",
        request(method + b" / HTTP/1.1", b"Content-Length: 5", content=b"hello"),
        status,
        KEPT,
        heads=heads,
    )
    add(
        f"chunks-on-{name}",
        request(method + b" / HTTP/1.1", b"Transfer-Encoding: chunked", content=FIVE),
        status,
        KEPT,
        heads=heads,
    )
add(
    "content-on-get-smuggled",
    request(b"GET / HTTP/1.1", b"Content-Length: %d" % len(SMUGGLED), content=SMUGGLED),
    200,
    KEPT,
)
add("chunk-bad-after-good-head", post(b"Transfer-Encoding: chunked", content=b"5\r\nhelloXX"), 400, CLOSED)

# --- Upgrade -------------------------------------------------------------------------------------
add(
    "h2c-upgrade",
    request(
        b"GET / HTTP/1.1",
        b"Connection: Upgrade, HTTP2-Settings",
        b"Upgrade: h2c",
        b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
    ),
    200,
    KEPT,
    "never a 101",
)
add("upgrade-without-connection", request(b"GET / HTTP/1.1", b"Upgrade: h2c"), 200, KEPT)
add(
    "upgrade-websocket",
    request(
        b"GET / HTTP/1.1",
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ),
    200,
    KEPT,
    "nobody here speaks it",
)

# --- What never ends: 408 when the time is up ----------------------------------------------------
for name, data in {
    "method": b"GE",
    "request-line": b"GET / HTTP/1.1",
    "request-line-cr": b"GET / HTTP/1.1\r",
    "fields": b"GET / HTTP/1.1\r\nHost: a\r\n",
    "field-name": b"GET / HTTP/1.1\r\nHo",
    "field-value": b"GET / HTTP/1.1\r\nHost: a",
    "last-cr": b"GET / HTTP/1.1\r\nHost: a\r\n\r",
    "length": post(b"Content-Length: 5", content=b"hell"),
    "length-nothing": post(b"Content-Length: 5"),
    "chunk-size": post(b"Transfer-Encoding: chunked", content=b"5"),
    "chunk-data": post(b"Transfer-Encoding: chunked", content=b"5\r\nhel"),
    "chunk-end": post(b"Transfer-Encoding: chunked", content=b"5\r\nhello\r\n"),
    "trailer": post(b"Transfer-Encoding: chunked", content=b"0\r\nX: y\r\n"),
}.items():
    add(f"unfinished-{name}", data, 408, CLOSED, waits=True)
add("unfinished-behind-valid", GET + b"GET /", [200, 408], CLOSED, waits=True)
