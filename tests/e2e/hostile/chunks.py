"""C: chunked content (RFC 9112 section 7.1).  Nothing resynchronises after a bad byte."""

from .case import CLOSED, SMUGGLED, Table, post

TABLE = Table("C")
bad, fine, add = TABLE.bad, TABLE.fine, TABLE.add

END = b"0\r\n\r\n"


def chunked(content, **more):
    return post(b"Transfer-Encoding: chunked", content=content, **more)


def size(text):
    return chunked(text + b"\r\nhello\r\n" + END)


def extension(text):
    return chunked(b"5" + text + b"\r\nhello\r\n" + END)


# --- Sizes ---------------------------------------------------------------------------------------
fine("size-one-digit", size(b"5"))
fine("size-leading-zeros", size(b"0005"))
fine("size-sixteen-digits", size(b"0" * 15 + b"5"))
fine("size-hex-lower", chunked(b"a\r\n0123456789\r\n" + END))
fine("size-hex-upper", chunked(b"A\r\n0123456789\r\n" + END))
fine("size-hex-mixed", chunked(b"1b\r\n" + b"x" * 27 + b"\r\n1B\r\n" + b"y" * 27 + b"\r\n" + END))
fine("size-many-zeros-last", chunked(b"5\r\nhello\r\n0000\r\n\r\n"))
for name, text in {
    "prefix": b"0x5",
    "prefix-upper": b"0X5",
    "plus": b"+5",
    "minus": b"-5",
    "minus-zero": b"-0",
    "blank-before": b" 5",
    "tab-before": b"\t5",
    "blank-after": b"5 ",
    "tab-after": b"5\t",
    "junk": b"5g",
    "junk-only": b"xyz",
    "suffix-h": b"5h",
    "underscore": b"0_5",
    "point": b"5.0",
    "comma": b"5,5",
    "quotes": b'"5"',
    "nothing": b"",
    "only-extension": b";a=b",
    "nul": b"5\x00",
    "vt": b"5\x0b",
    "nbsp": b"\xa05",
    "8-bit": b"\xb5",
    "seventeen-digits": b"1" + b"0" * 15 + b"5",
    "seventeen-zeros": b"0" * 16 + b"5",
    "twenty-f": b"f" * 20,
    "overflow-to-five": b"10000000000000005",
    "thousand-zeros": b"0" * 1000 + b"5",
}.items():
    bad(f"size-{name}", size(text))
bad("size-sign-bit", size(b"8000000000000000"), "no length has it, so no doubt may either")
bad("size-all-ones", size(b"ffffffffffffffff"), "minus one to who reads a sign")
add("size-63-bits", size(b"7fffffffffffffff"), 413, CLOSED)
add("size-above-limit", size(b"100001"), 413, CLOSED)
add(
    "size-sum-above-limit",
    chunked(b"80000\r\n" + b"x" * 0x80000 + b"\r\n80001\r\n" + b"x" * 0x80001 + b"\r\n" + END),
    413,
    CLOSED,
)
fine(
    "size-sum-at-limit",
    chunked(b"80000\r\n" + b"x" * 0x80000 + b"\r\n80000\r\n" + b"x" * 0x80000 + b"\r\n" + END),
)

# --- Extensions ----------------------------------------------------------------------------------
for name, text in {
    "name": b";a",
    "value": b";a=b",
    "two": b";a;b=c",
    "quoted": b';a="b c"',
    "quoted-empty": b';a=""',
    "quoted-escape": b';a="\\""',
    "quoted-semicolon": b';a=";b"',
    "quoted-8-bit": b';a="\xe9"',
    "token-bytes": b";!#$%&'*+-.^_`|~09=!#",
    "long": b";a=" + b"b" * 1000,
}.items():
    fine(f"extension-{name}", extension(text), "ignored")
fine("extension-on-last", chunked(b"5\r\nhello\r\n0;a=b\r\n\r\n"))
for name, text in {
    "empty": b";",
    "empty-twice": b";;",
    "empty-after": b";a;",
    "no-name": b";=b",
    "no-value": b";a=",
    "unterminated": b';a="b',
    "after-quote": b';a="b"c',
    "two-words": b";a b",
    "nul": b";a\x00b",
    "ctl": b";a\x01b",
    "del": b";a=\x7f",
    "8-bit-token": b";\xe9",
    "quoted-nul": b';a="\x00"',
    "quoted-lf": b';a="\n"',
    "quoted-crlf": b';a="\r\n"',
    "quoted-crlf-smuggled": b';a="\r\n0\r\n\r\n' + SMUGGLED + b'"',
    "escaped-lf": b';a="\\\n"',
    "bare-lf": b";a\nb",
    "bare-lf-smuggled": b";\nhello\r\n" + END + SMUGGLED,
    "bare-cr": b";a\rb",
}.items():
    bad(f"extension-{name}", extension(text))
bad("extension-64k", chunked(b"5;a=" + b"b" * 65536 + b"\r\nhello\r\n" + END))
bad(
    "extensions-64k-in-sum",
    chunked(b"".join(b"1;a=" + b"b" * 1020 + b"\r\nx\r\n" for _ in range(64)) + END),
)

# --- Line ends -----------------------------------------------------------------------------------
for name, content in {
    "lf-after-size": b"5\nhello\r\n" + END,
    "lf-after-data": b"5\r\nhello\n" + END,
    "lf-after-last": b"5\r\nhello\r\n0\n\r\n",
    "lf-at-end": b"5\r\nhello\r\n0\r\n\n",
    "lf-everywhere": b"5\nhello\n0\n\n",
    "cr-after-size": b"5\rhello\r\n" + END,
    "cr-after-data": b"5\r\nhello\r" + END,
    "cr-after-last": b"5\r\nhello\r\n0\r\r\n",
    "cr-cr-lf": b"5\r\r\nhello\r\n" + END,
    "lf-cr": b"5\n\rhello\r\n" + END,
    "crlf-before-size": b"\r\n5\r\nhello\r\n" + END,
    "crlf-between": b"5\r\nhello\r\n\r\n" + END,
    "nothing-after-data": b"5\r\nhello" + END,
    "blank-after-data": b"5\r\nhello \r\n" + END,
    "ctl-at-end": b"5\r\nhello\r\n0\r\n\x00\r\n",
}.items():
    bad(f"line-{name}", chunked(content))

# --- Data ----------------------------------------------------------------------------------------
fine("data-crlf-inside", chunked(b"4\r\n\r\n\r\n\r\n" + END), "data is data")
fine("data-request-inside", chunked(b"%x\r\n" % len(SMUGGLED) + SMUGGLED + b"\r\n" + END))
fine("data-binary", chunked(b"100\r\n" + bytes(range(256)) + b"\r\n" + END))
bad("data-longer", chunked(b"5\r\nhello!\r\n" + END))
bad("data-longer-by-request", chunked(b"5\r\nhello" + SMUGGLED + END))
bad("data-shorter", chunked(b"5\r\nhell\r\n" + END))
bad("data-none", chunked(b"5\r\n\r\n" + END + SMUGGLED), "the last chunk is data here")
bad("not-chunked-at-all", chunked(b"hello" + SMUGGLED))
bad("request-instead", chunked(SMUGGLED), "'G' is no size, and what follows is no request")
bad(
    "twenty-thousand",
    chunked(b"1\r\nx\r\n" * 20000 + END),
    "an overhead budget: 100,000 bytes of framing for 20,000 of data",
)
fine("thousand", chunked(b"1\r\nx\r\n" * 1000 + END))

# --- Trailers ------------------------------------------------------------------------------------
LAST = b"5\r\nhello\r\n0\r\n"
for name, text in {
    "one": b"X: y\r\n",
    "empty-value": b"X:\r\n",
    "several": b"X: y\r\nZ: w\r\nX: v\r\n",
    "length": b"Content-Length: 100\r\n",
    "coding": b"Transfer-Encoding: gzip\r\n",
    "host": b"Host: b\r\n",
    "connection": b"Connection: close\r\n",
    "expect": b"Expect: nonsense\r\n",
    "obs-text": b"X: \xe9\r\n",
}.items():
    fine(f"trailer-{name}", chunked(LAST + text + b"\r\n"), "dropped or apart, never merged")
for name, text in {
    "folded": b"X: y\r\n z\r\n",
    "folded-first": b" X: y\r\n",
    "no-colon": b"X\r\n",
    "empty-name": b": y\r\n",
    "blank-colon": b"X : y\r\n",
    "bad-name": b"X(: y\r\n",
    "bare-lf": b"X: y\n",
    "bare-lf-hidden": b"X: y\nZ: w\r\n",
    "bare-cr": b"X: y\rZ: w\r\n",
    "nul": b"X: \x00\r\n",
    "ctl": b"X: \x01\r\n",
    "request": b"GET /smuggled HTTP/1.1\r\nHost: a\r\n",
}.items():
    bad(f"trailer-{name}", chunked(LAST + text + b"\r\n"))
add("trailer-too-long", chunked(LAST + b"X: " + b"y" * 40000 + b"\r\n\r\n"), 431, CLOSED)
add("trailer-too-many", chunked(LAST + b"X: y\r\n" * 5000 + b"\r\n"), 431, CLOSED)
