"""RFC 9218 (priorities) and RFC 8441 (extended CONNECT), as far as a server can violate or must punish."""

from http2.case import Either, Fine, Goaway, Rst, Settings, Status, Table
from lib.h2frames import *  # noqa: F403

TABLE = Table("ext")
add = TABLE.add

OPEN = headers(1, post(), end=False)

# --- RFC 9218 ------------------------------------------------------------------------------------

UPDATE = "PRIORITY_UPDATE"
add("9218-7.1", "on-a-stream", "MUST be on stream 0, else a connection error PROTOCOL_ERROR",
    OPEN + priority_update(1, stream=1), Goaway(PROTOCOL_ERROR))  # fmt: skip
add("9218-7.1", "of-stream-0", "the prioritized stream MUST NOT be 0, else a connection error PROTOCOL_ERROR",
    priority_update(0), Goaway(PROTOCOL_ERROR))  # fmt: skip
add("9218-7.1", "of-a-push-stream", "a push stream in idle is a connection error PROTOCOL_ERROR",
    priority_update(2), Goaway(PROTOCOL_ERROR))  # fmt: skip
for length in (0, 3):
    add("9218-7.1", f"length-{length}", "shorter than its stream identifier is a FRAME_SIZE_ERROR",
        frame(PRIORITY_UPDATE, 0, 0, bytes(length)), Goaway(FRAME_SIZE_ERROR))  # fmt: skip
add("9218-7.1", "ahead-of-its-request", "may come before the request", priority_update(1, b"u=0, i") + headers(1, get()), Fine(1))
add("9218-7.1", "of-an-open-stream", "may come while the stream is open",
    OPEN + priority_update(1, b"u=7") + data(1, b"", end=True), Fine(1))  # fmt: skip
for name, value in {"empty": b"", "malformed": b"u=;;", "out-of-range": b"u=99", "8-bit": b"\xff\0", "unknown": b"x=1, y", "long": b"u=1," + b"a" * 200}.items():
    add("9218-7.1", f"value-{name}", "a value that does not parse is ignored or a PROTOCOL_ERROR",
        priority_update(1, value) + headers(1, get()), Either(Fine(1), Goaway(PROTOCOL_ERROR)))  # fmt: skip
for name, value in {"plain": "u=1, i", "malformed": "u=;;", "out-of-range": "u=99", "token": "u=high", "twice": "u=1, u=9"}.items():
    add("9218-5", f"field-{name}", "a priority field that does not parse, or is out of range, MUST be ignored",
        headers(1, get(("priority", value))), Fine(1))  # fmt: skip
for value in (2, 2**32 - 1):
    add("9218-2.1", f"setting-{value}", "SETTINGS_NO_RFC7540_PRIORITIES other than 0 or 1 MUST be a PROTOCOL_ERROR",
        settings((NO_RFC7540_PRIORITIES, value)), Goaway(PROTOCOL_ERROR))  # fmt: skip
add("9218-2.1", "setting-1", "1 in the first SETTINGS is fine", headers(1, get()), Fine(1),
    pairs=((ENABLE_PUSH, 0), (NO_RFC7540_PRIORITIES, 1)))  # fmt: skip

# --- RFC 8441 ------------------------------------------------------------------------------------

EXTENDED = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":authority", "a"), (":path", "/")]


def without(name):
    return [pair for pair in EXTENDED if pair[0] != name]


for value in (2, 2**32 - 1):
    add("8441-3", f"setting-{value}", "SETTINGS_ENABLE_CONNECT_PROTOCOL other than 0 or 1 is a PROTOCOL_ERROR (RFC 9113 section 6.5.2)",
        settings((ENABLE_CONNECT_PROTOCOL, value)), Goaway(PROTOCOL_ERROR))  # fmt: skip
add("8441-3", "offered", "the server says SETTINGS_ENABLE_CONNECT_PROTOCOL 1",
    [Settings(), lambda h2: b"" if h2.judge.settings.get(ENABLE_CONNECT_PROTOCOL) == 1 else ping(stream=9)], Fine())  # fmt: skip
for name in (":scheme", ":path", ":authority"):
    add("8441-4", f"without-{name[1:]}", ":scheme and :path MUST be included, :authority is as ever",
        headers(1, without(name), end=False), Rst(1, PROTOCOL_ERROR))  # fmt: skip
add("8441-4", "protocol-with-get", ":protocol is for CONNECT alone",
    headers(1, [(":protocol", "websocket")] + get()), Rst(1, PROTOCOL_ERROR))  # fmt: skip
add("8441-4", "protocol-twice", "a pseudo-field MUST stand once",
    headers(1, [(":protocol", "websocket")] + EXTENDED, end=False), Rst(1, PROTOCOL_ERROR))  # fmt: skip
add("8441-4", "nobody-serves-it", "a target that is no tunnel refuses it",
    headers(1, EXTENDED, end=False), Status(1, 405, 501))  # fmt: skip
