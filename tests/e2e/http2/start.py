"""RFC 9113 sections 3 and 4: starting HTTP/2, frames, field section compression."""

from http2.case import Answered, Either, Fine, Goaway, NoHttp2, Rst, Settings, Settled, Table
from lib.h2frames import *  # noqa: F403

TABLE = Table("9113")
add = TABLE.add

# --- 3.4 Connection preface ----------------------------------------------------------------------

FIRST = "the client's connection preface starts with the 24 octets"
SECOND = "followed by a SETTINGS frame, which MAY be empty"
EMPTY = settings()

add("3.4", "empty-settings", SECOND, PREFACE + EMPTY + headers(1, get()), Fine(1), preface=False)
add("3.4", "at-once", "clients may send frames right after the preface, before the server's",
    PREFACE + settings((ENABLE_PUSH, 0)) + headers(1, get()) + headers(3, get()) + headers(5, get()),
    Fine(1, 3, 5), preface=False)  # fmt: skip
for name, start in {
    "wrong-end": PREFACE[:-1] + b"X",
    "wrong-sm": PREFACE.replace(b"SM", b"XX"),
    "other-version": PREFACE.replace(b"2.0", b"2.1"),
    "bare-lf": PREFACE.replace(b"\r\n", b"\n"),
}.items():
    add("3.4", name, FIRST + "; an invalid one is a connection error PROTOCOL_ERROR",
        start + EMPTY + headers(1, get()), NoHttp2(), preface=False)  # fmt: skip
for name, first in {
    "headers-first": headers(1, get()),
    "ping-first": ping(),
    "window-first": window(0, 1),
    "data-first": data(1, b"x"),
    "unknown-first": frame(0xEE, 0, 0, b"x"),
    "ack-first": settings(ack=True),
    "goaway-first": goaway(),
}.items():
    add("3.4", name, SECOND + "; anything else is a connection error PROTOCOL_ERROR",
        PREFACE + first + EMPTY, Goaway(PROTOCOL_ERROR), preface=False)  # fmt: skip
add("3.4", "preface-twice", "the preface is no frame", PREFACE, Goaway(FRAME_SIZE_ERROR, PROTOCOL_ERROR))

# --- 4.1 Frame format ----------------------------------------------------------------------------

UNKNOWN = "MUST ignore and discard frames of unknown types"
UNUSED = "flags without a meaning for a type MUST be ignored on receipt"
RESERVED = "the reserved bit MUST be ignored when receiving"

for kind in (0x0B, 0x20, 0x99, 0xFF):
    for stream in (0, 1):
        add("4.1", f"unknown-{kind:#x}-on-{stream}", UNKNOWN,
            frame(kind, 0xFF, stream, b"12345") + headers(1, get()), Fine(1))  # fmt: skip
add("4.1", "unknown-empty", UNKNOWN, frame(0x77, 0, 0) + headers(1, get()), Fine(1))
add("4.1", "unknown-longest", UNKNOWN, frame(0x77, 0, 0, bytes(16384)) + headers(1, get()), Fine(1))
add("4.1", "unknown-within-a-request", UNKNOWN,
    headers(1, post(), end=False) + frame(0x77, 0, 1, b"x") + data(1, b"x", end=True), Fine(1))  # fmt: skip
for name, data_ in {
    "ping": frame(PING, 0xFE, 0, b"12345678"),
    "settings": frame(SETTINGS, 0xFE, 0),
    "window": frame(WINDOW_UPDATE, 0xFF, 0, b"\0\0\0\1"),
    "priority": frame(PRIORITY, 0xFF, 1, depends()),
}.items():
    add("4.1", f"unused-flags-{name}", UNUSED, data_ + headers(1, get()), Fine(1))
add("4.1", "unused-flags-headers", UNUSED,
    frame(HEADERS, 0xD2 | END_HEADERS | END_STREAM, 1, literals(get())), Fine(1))  # fmt: skip
add("4.1", "unused-flags-data", UNUSED,
    headers(1, post(), end=False) + frame(DATA, 0xF6 | END_STREAM, 1, b"x"), Fine(1))  # fmt: skip
add("4.1", "unused-flags-continuation", UNUSED,
    headers(1, get(), done=False) + frame(CONTINUATION, 0xFB | END_HEADERS, 1), Fine(1))  # fmt: skip
add("4.1", "unused-flags-rst", UNUSED,
    headers(1, post(), end=False) + frame(RST_STREAM, 0xFF, 1, b"\0\0\0\x08"), Fine())  # fmt: skip
for name, data_ in {
    "headers": frame(HEADERS, 5, 1, literals(get()), reserved=1),
    "ping": frame(PING, 0, 0, b"12345678", reserved=1) + headers(1, get()),
    "settings": frame(SETTINGS, 0, 0, reserved=1) + headers(1, get()),
    "window": window(0, 5, reserved=1) + headers(1, get()),
    "data": headers(1, post(), end=False) + frame(DATA, 1, 1, b"x", reserved=1),
}.items():
    add("4.1", f"reserved-bit-{name}", RESERVED, data_, Fine(1))

# --- 4.2 Frame size ------------------------------------------------------------------------------

SIZE = "MUST send FRAME_SIZE_ERROR if a frame exceeds SETTINGS_MAX_FRAME_SIZE"
ENTIRE = "a frame size error that could alter the state of the connection MUST be a connection error"

over = lambda h2: h2.judge.settings.get(MAX_FRAME_SIZE, 16384) + 1  # noqa: E731


def too_long(kind, stream, flags=0):
    return lambda h2: frame(kind, flags, stream, bytes(over(h2)))


add("4.2", "longest-data", "every frame up to 2^14 octets is taken",
    headers(1, post(), end=False) + data(1, bytes(16384), end=True), Fine(1))  # fmt: skip
add("4.2", "longest-headers", "every frame up to 2^14 octets is taken",
    headers(1, get(("x", "a" * 16000))), Fine(1))  # fmt: skip
add("4.2", "data", SIZE, [Settings(), headers(1, post(), end=False), too_long(DATA, 1)],
    Either(Rst(1, FRAME_SIZE_ERROR), Goaway(FRAME_SIZE_ERROR)))  # fmt: skip
for name, kind, stream, flags in [
    ("headers", HEADERS, 1, 5),
    ("settings", SETTINGS, 0, 0),
    ("ping", PING, 0, 0),
    ("window", WINDOW_UPDATE, 0, 0),
    ("goaway", GOAWAY, 0, 0),
]:
    add("4.2", name, ENTIRE, [Settings(), too_long(kind, stream, flags)], Goaway(FRAME_SIZE_ERROR))
add("4.2", "continuation", ENTIRE,
    [Settings(), headers(1, get(), done=False), too_long(CONTINUATION, 1, END_HEADERS)], Goaway(FRAME_SIZE_ERROR))  # fmt: skip
add("4.2", "unknown", SIZE, [Settings(), too_long(0x77, 0)], Goaway(FRAME_SIZE_ERROR))
add("4.2", "length-of-16m", SIZE, frame(DATA, 0, 1, b"", length=0xFFFFFF), Goaway(FRAME_SIZE_ERROR))

# --- 4.3 Field section compression and decompression ---------------------------------------------

CONTIGUOUS = "a field block MUST be a contiguous sequence of frames"
DECODES = "a decoding error MUST be a connection error COMPRESSION_ERROR"
DISCRETE = "blocks of streams that are refused or closed MUST be decompressed as well"

block = literals(get())
add("4.3", "continued", "one HEADERS and any CONTINUATION are one block",
    headers(1, block[:7], done=False) + continuation(1, block[7:20], done=False) + continuation(1, block[20:]),
    Fine(1))  # fmt: skip
add("4.3", "continued-eight-times", "one HEADERS and any CONTINUATION are one block",
    headers(1, block[:1], done=False)
    + b"".join(continuation(1, block[at : at + 1], done=False) for at in range(1, 8)) + continuation(1, block[8:]),
    Fine(1))  # fmt: skip
add("4.3", "continued-empty", "an empty fragment is one",
    headers(1, b"", done=False) + continuation(1, block), Fine(1))  # fmt: skip
for name, between in {
    "headers-of-other": headers(3, get()),
    "data": data(1, b"x"),
    "ping": ping(),
    "settings": settings(),
    "window": window(0, 1),
    "priority": priority(1),
    "rst": rst(1),
    "unknown": frame(0x77, 0, 0, b"x"),
    "priority-update": priority_update(1),
    "continuation-of-other": continuation(3, b"", done=False),
}.items():
    add("4.3", f"between-{name}", CONTIGUOUS,
        headers(1, block[:9], done=False) + between + continuation(1, block[9:]), Goaway(PROTOCOL_ERROR))  # fmt: skip
add("4.3", "undecodable", DECODES, headers(1, b"\xff\xff\xff\xff\xff\xff"), Goaway(COMPRESSION_ERROR))
add("4.3", "cut-off", DECODES, headers(1, block[:-1]), Goaway(COMPRESSION_ERROR))
add("4.3", "state-after-a-malformed-request", DISCRETE,
    headers(1, literals(get(("X", "upper"))) + indexed("kept", "yes"))
    + headers(3, literals(get()) + b"\xbe"), Fine(3))  # fmt: skip
add("4.3", "state-after-a-closed-stream", DISCRETE,
    [headers(1, post(), end=False) + rst(1), Settled(),
     headers(3, literals(get()) + indexed("kept", "yes")) + headers(5, literals(get()) + b"\xbe")],
    Fine(3, 5))  # fmt: skip
add("4.3.1", "table-size-update", "an update within the limit, first in a block",
    headers(1, b"\x20" + block) + headers(3, b"\x3f\xe1\x1f" + block), Fine(1, 3))  # fmt: skip
add("4.3.1", "table-size-twice", "two updates, the smaller first",
    headers(1, b"\x20\x3f\xe1\x1f" + block), Fine(1))  # fmt: skip
add("4.3.1", "table-size-over", "an update over SETTINGS_HEADER_TABLE_SIZE MUST be a COMPRESSION_ERROR",
    [Settings(), lambda h2: headers(1, integer(h2.judge.settings.get(HEADER_TABLE_SIZE, 4096) + 1, 5, 0x20) + block)],
    Goaway(COMPRESSION_ERROR))  # fmt: skip
for size in (0, 32, 100, 65536):
    add("4.3.1", f"our-table-is-{size}", "an encoder MUST keep to the table its peer allows",
        headers(1, get()) + headers(3, get()) + headers(5, get()), Fine(1, 3, 5),
        pairs=((ENABLE_PUSH, 0), (HEADER_TABLE_SIZE, size)))  # fmt: skip
add("4.3.1", "our-table-shrinks", "a reduced table is said at the start of the next block",
    [headers(1, get()), Answered(1),
     lambda h2: h2.note_settings([(HEADER_TABLE_SIZE, 0)]) or settings((HEADER_TABLE_SIZE, 0)),
     Settled(), headers(3, get()), Answered(3),
     lambda h2: h2.note_settings([(HEADER_TABLE_SIZE, 4096)]) or settings((HEADER_TABLE_SIZE, 4096)),
     Settled(), headers(5, get()), headers(7, get())], Fine(3, 5, 7))  # fmt: skip
