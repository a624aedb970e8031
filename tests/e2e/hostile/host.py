"""H: whom the request is for (RFC 9112 section 3.2, RFC 3986 section 3.2)."""

from .case import CLOSED, Table, request

TABLE = Table("H")
bad, fine, add = TABLE.bad, TABLE.fine, TABLE.add


def host(value):
    return request(host=value)


bad("missing", request(host=None))
bad("missing-1.2", request(b"GET / HTTP/1.2", host=None))
bad("missing-options", request(b"OPTIONS * HTTP/1.1", host=None))
bad("twice-equal", request(b"GET / HTTP/1.1", b"Host: a"))
bad("twice-different", request(b"GET / HTTP/1.1", b"Host: b"))
bad("twice-other-case", request(b"GET / HTTP/1.1", b"hOST: a"))
bad("twice-on-1.0", request(b"GET / HTTP/1.0", b"Host: b"))
bad("bad-on-1.0", request(b"GET / HTTP/1.0", host=b"a/b"))
for name, value in {
    "empty": b"",
    "blanks": b" \t ",
    "listed": b"a, b",
    "listed-tight": b"a,b",
    "path": b"a/",
    "path-more": b"a/b",
    "scheme": b"http://a",
    "userinfo": b"u@a",
    "userinfo-password": b"u:p@a",
    "userinfo-empty": b"@a",
    "query": b"a?b",
    "fragment": b"a#b",
    "backslash": b"a\\b",
    "blank-inside": b"a b",
    "tab-inside": b"a\tb",
    "port-letters": b"a:b",
    "port-minus": b"a:-80",
    "port-plus": b"a:+80",
    "port-65536": b"a:65536",
    "port-huge": b"a:18446744073709551696",
    "port-twice": b"a:80:80",
    "port-blank": b"a: 80",
    "port-hex": b"a:0x50",
    "only-port": b":80",
    "only-colon": b":",
    "open-bracket": b"[::1",
    "close-bracket": b"::1]",
    "bare-ipv6": b"::1",
    "bracket-junk": b"[::1]x",
    "bracket-port-junk": b"[::1]:80x",
    "bracket-empty": b"[]",
    "bracket-bad": b"[::g]",
    "bracket-ipv4": b"[127.0.0.1]",
    "bracket-twice-short": b"[1::2::3]",
    "bracket-nine-groups": b"[1:2:3:4:5:6:7:8:9]",
    "bracket-zone": b"[fe80::1%25eth0]",
    "bracket-inside": b"a[::1]",
    "ctl": b"a\x01b",
    "nul": b"a\x00b",
    "nul-end": b"a\x00",
    "del": b"a\x7f",
    "8-bit": b"\xe9",
    "utf-8": b"ex\xc3\xa4mple",
    "percent": b"a%41",
    "percent-bad": b"a%zz",
    "angle": b"<a>",
    "quotes": b'"a"',
    "braces": b"{a}",
    "pipe": b"a|b",
    "caret": b"a^b",
    "5k": b"a" * 5000,
    "1025-bytes": b"a" * 1025,
}.items():
    bad(name, host(value))
for name, value in {
    "name": b"example.org",
    "upper": b"EXAMPLE.org",
    "trailing-dot": b"a.",
    "port": b"a:80",
    "port-65535": b"a:65535",
    "port-empty": b"a:",
    "ipv4": b"127.0.0.1",
    "ipv4-port": b"127.0.0.1:8080",
    "ipv6": b"[::1]",
    "ipv6-port": b"[::1]:8080",
    "ipv6-full": b"[1:2:3:4:5:6:7:8]",
    "ipv6-ipv4": b"[::ffff:127.0.0.1]",
    "hyphen": b"a-b",
    "underscore": b"a_b",
    "blanks-around": b" \t a \t ",
    "253-bytes": b".".join([b"a" * 63] * 3 + [b"a" * 61]),
}.items():
    fine(f"fine-{name}", host(value))
add("none-on-1.0", request(b"GET / HTTP/1.0", host=None), 200, CLOSED, "1.0 need not name one")
fine("case-of-name", b"GET / HTTP/1.1\r\nHOST: a\r\n\r\n")
fine("last-field", b"GET / HTTP/1.1\r\nX: y\r\nHost: a\r\n\r\n")
