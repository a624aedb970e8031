"""R: the request line (RFC 9112 section 3): method, target, version, and what is none at all."""

from .case import Table, request

TABLE = Table("R")
bad, fine = TABLE.bad, TABLE.fine


def line(raw):
    return request(raw)


def get(target):
    return request(b"GET " + target + b" HTTP/1.1")


# --- Blanks --------------------------------------------------------------------------------------
bad("two-blanks-before-target", line(b"GET  / HTTP/1.1"))
bad("two-blanks-before-version", line(b"GET /  HTTP/1.1"))
bad("tab-before-target", line(b"GET\t/ HTTP/1.1"))
bad("tab-before-version", line(b"GET /\tHTTP/1.1"))
bad("trailing-blank", line(b"GET / HTTP/1.1 "))
bad("trailing-tab", line(b"GET / HTTP/1.1\t"))
bad("trailing-word", line(b"GET / HTTP/1.1 x"))
bad("vt-for-blank", line(b"GET\x0b/\x0bHTTP/1.1"))
bad("no-blanks", line(b"GET/HTTP/1.1"))
bad("method-only", line(b"GET"))
bad("method-and-blank", line(b"GET "))
bad("no-target", line(b"GET HTTP/1.1"))
bad("empty-target", line(b"GET  HTTP/1.1"))

# --- Methods -------------------------------------------------------------------------------------
for name, method in {
    "parenthesis": b"G(T",
    "nul": b"G\x00T",
    "slash": b"G/T",
    "8-bit": b"G\xc9T",
    "del": b"G\x7fT",
    "colon": b"GET:",
    "quote": b'"GET"',
    "comma": b"GET,POST",
    "braces": b"{GET}",
    "at": b"@GET",
    "33-bytes": b"M" * 33,
    "8k": b"M" * 8192,
    "100k": b"M" * 102400,
}.items():
    bad(f"method-{name}", line(method + b" / HTTP/1.1"))
for name, method in {
    "lower-get": b"get",
    "mixed-get": b"Get",
    "longer": b"GETX",
    "propfind": b"PROPFIND",
    "token-bytes": b"!#$%&'*+-.^_`|~09",
    "one-byte": b"X",
    "32-bytes": b"M" * 32,
    "pri": b"PRI",
}.items():
    fine(f"method-{name}", line(method + b" / HTTP/1.1"), "a token we do not know", status=501)
fine(
    "method-unknown-with-content",
    request(b"BREW / HTTP/1.1", b"Content-Length: 5", content=b"hello"),
    status=501,
)
fine("method-trace", line(b"TRACE / HTTP/1.1"), status=405)

# --- Versions ------------------------------------------------------------------------------------
for name, version in {
    "none": b"",
    "http": b"HTTP",
    "slash": b"HTTP/",
    "one": b"HTTP/1",
    "one-dot": b"HTTP/1.",
    "dot-one": b"HTTP/.1",
    "two-minors": b"HTTP/1.1.1",
    "minor-10": b"HTTP/1.10",
    "major-11": b"HTTP/11.1",
    "major-01": b"HTTP/01.1",
    "lower": b"http/1.1",
    "mixed": b"Http/1.1",
    "blank-for-slash": b"HTTP 1.1",
    "comma": b"HTTP/1,1",
    "blank-inside": b"HTTP/ 1.1",
    "blank-minor": b"HTTP/1. 1",
    "letters": b"HTTP/x.y",
    "letter-minor": b"HTTP/1.x",
    "minus": b"HTTP/-1.1",
    "https": b"HTTPS/1.1",
    "htp": b"HTP/1.1",
    "icy": b"ICY/1.1",
    "8-bit": b"HTTP/1.\xb1",
    "nul": b"HTTP/1.1\x00",
    "backslash": b"HTTP\\1.1",
}.items():
    bad(f"version-{name}", line(b"GET / " + version))
bad("http-0.9", b"GET /\r\n")
bad("http-0.9-lf", b"GET /\n")
for name, version in {"2.0": b"2.0", "3.0": b"3.0", "9.9": b"9.9"}.items():
    bad(f"version-{name}", line(b"GET / HTTP/" + version), status=505)
bad("version-0.9", line(b"GET / HTTP/0.9"), "well-formed, and not ours", status=505)
fine("version-1.2", line(b"GET / HTTP/1.2"), "RFC 9110 section 2.5: as 1.1")
fine("version-1.9", line(b"GET / HTTP/1.9"))

# --- Targets -------------------------------------------------------------------------------------
bad("target-no-slash", get(b"index.html"))
bad("target-question", get(b"?a=b"))
bad("target-asterisk-get", get(b"*"))
bad("target-asterisk-post", line(b"POST * HTTP/1.1"))
bad("target-asterisk-more", line(b"OPTIONS *x HTTP/1.1"))
bad("target-asterisk-slash", line(b"OPTIONS */ HTTP/1.1"))
bad("target-asterisk-query", line(b"OPTIONS *?a HTTP/1.1"))
bad("target-authority-get", get(b"a:80"))
bad("target-authority-only", get(b"a"))
bad("target-backslash", get(b"\\"))
bad("target-dot", get(b"./a"))
bad("target-fragment", get(b"/a#b"))
bad("target-fragment-empty", get(b"/#"))
bad("target-fragment-in-query", get(b"/?a#b"))
for byte in (0x00, 0x01, 0x08, 0x0B, 0x1F, 0x7F, 0x80, 0xE9, 0xFF):
    bad(f"target-byte-{byte:02x}", get(b"/a" + bytes([byte]) + b"b"))
    if byte in (0x00, 0x01, 0x7F, 0xE9):
        bad(f"query-byte-{byte:02x}", get(b"/?a" + bytes([byte]) + b"b"))
bad("target-space", get(b"/a b"))
bad("target-tab", get(b"/a\tb"))
bad("target-cr", get(b"/a\rb"))
bad("target-lf", get(b"/a\nb"))
for byte in b'"<>\\^`{|}[]':
    fine(f"path-byte-{byte:02x}", get(b"/a" + bytes([byte]) + b"b"), "clients send it raw")
    fine(f"query-byte-{byte:02x}", get(b"/?a" + bytes([byte]) + b"b"), "clients send it raw")
for name, text in {
    "two": "\u00e4".encode(),
    "three": "\u20ac".encode(),
    "four": "\U0001f600".encode(),
    "last": "\U0010ffff".encode(),
}.items():
    fine(f"path-utf8-{name}", get(b"/a" + text + b"b"), "clients send it raw")
    fine(f"query-utf8-{name}", get(b"/?a" + text + b"b"), "clients send it raw")
for name, text in {
    "lone": b"\xc3",
    "cut": b"\xe2\x82",
    "overlong": b"\xc0\xaf",
    "overlong-three": b"\xe0\x80\xaf",
    "surrogate": b"\xed\xa0\x80",
    "above": b"\xf4\x90\x80\x80",
    "then-encoded": b"\xc3%a4",
}.items():
    bad(f"path-utf8-{name}", get(b"/a" + text + b"b"))
    bad(f"query-utf8-{name}", get(b"/?a" + text + b"b"))
for name, text in {"end": b"/%", "one-digit": b"/%2", "not-hex": b"/%zz", "half-hex": b"/%2g", "twice": b"/%%20"}.items():
    bad(f"percent-{name}", get(text))
fine("percent-in-query", get(b"/?a=%zz"), "it stands for itself")
fine("percent-in-query-end", get(b"/?a=100%"), "it stands for itself")
fine("path-every-byte", get(b"/-._~!$&'()*+,;=:@%20%C3%A9/09AZaz"))
fine("query-every-byte", get(b"/?-._~!$&'()*+,;=:@/?%20"))
fine("query-empty", get(b"/?"))
fine("query-question", get(b"/??a=b?c"))
fine("path-dots", get(b"/a/../b/./c"))
fine("path-two-slashes", get(b"//a//b"))
fine("target-8000", get(b"/" + b"a" * 7999))
fine("target-8192", get(b"/" + b"a" * 8191))
bad("target-8193", get(b"/" + b"a" * 8192), status=414)
bad("target-100k", get(b"/" + b"a" * 102400), status=414)
bad("target-100k-query", get(b"/?" + b"a" * 102400), status=414)
bad("target-never-ends", b"GET /" + b"a" * 20000, status=414, waits=True)

# --- Absolute, authority and asterisk form -------------------------------------------------------
fine("absolute", get(b"http://a/"))
fine("absolute-no-path", get(b"http://a"))
fine("absolute-query", get(b"http://a?x=y"))
fine("absolute-upper-scheme", get(b"HTTP://A/"))
fine("absolute-port", request(b"GET http://a:80/ HTTP/1.1", host=b"a:80"))
fine("absolute-ipv6", request(b"GET http://[::1]:80/ HTTP/1.1", host=b"[::1]:80"))
for name, target in {
    "empty-authority": b"http:///",
    "nothing": b"http://",
    "only-port": b"http://:80/",
    "one-slash": b"http:/a/",
    "no-slashes": b"http:a",
    "ftp": b"ftp://a/",
    "gopher": b"gopher://a/",
    "javascript": b"javascript:alert(1)",
    "userinfo": b"http://u@a/",
    "userinfo-password": b"http://u:p@a/",
    "bad-port": b"http://a:b/",
    "port-65536": b"http://a:65536/",
    "open-bracket": b"http://[::1/",
    "backslash": b"http://a\\b/",
    "percent-host": b"http://a%41/",
    "fragment": b"http://a/#b",
    "two-authorities": b"http://a,b/",
}.items():
    bad(f"absolute-{name}", get(target))
bad("absolute-without-host", request(b"GET http://a/ HTTP/1.1", host=None))
bad("absolute-two-hosts", request(b"GET http://a/ HTTP/1.1", b"Host: a"))
bad("absolute-bad-host", request(b"GET http://a/ HTTP/1.1", host=b"a/b"))
fine("connect", request(b"CONNECT a:80 HTTP/1.1", host=b"a:80"), status=405)
fine("connect-ipv6", request(b"CONNECT [::1]:80 HTTP/1.1", host=b"[::1]:80"), status=405)
for name, target in {
    "no-port": b"a",
    "empty-port": b"a:",
    "bad-port": b"a:b",
    "port-65536": b"a:65536",
    "no-host": b":80",
    "origin": b"/",
    "absolute": b"http://a:80/",
    "asterisk": b"*",
    "userinfo": b"u@a:80",
    "path": b"a:80/x",
    "query": b"a:80?x",
}.items():
    bad(f"connect-{name}", request(b"CONNECT " + target + b" HTTP/1.1"))
fine("options-asterisk", line(b"OPTIONS * HTTP/1.1"))
fine("options-origin", line(b"OPTIONS / HTTP/1.1"))

# --- Not HTTP/1 at all ---------------------------------------------------------------------------
bad(
    "tls-hello",
    bytes.fromhex("16030100a5010000a10303") + bytes(range(1, 33)) + b"\x00" * 8,
    "a TLS client hello on a plain port",
)
bad("garbage", b"\x80\x81\x82\x83\r\n\r\n")
bad("garbage-text", b"hello\r\n\r\n")
bad("ssh", b"SSH-2.0-OpenSSH_9.2\r\n")
bad("response", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
bad("proxy-v1", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + request(), "not asked for, so not taken")
bad("proxy-v2", b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + b"\x00" * 12)
bad("smtp", b"EHLO example.org\r\n")
bad("rtsp", line(b"OPTIONS / RTSP/1.0"))
bad(
    "http2-preface-almost",
    b"PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "only the preface itself is one; behind a request it is refused as well",
    status=505,
)
