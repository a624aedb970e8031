"""RFC 9113 section 5: stream states, identifiers, concurrency, flow control, error handling."""

from http2.case import Answered, Either, Fine, Goaway, Rst, Settings, Settled, Table, Was
from lib.h2frames import *  # noqa: F403

TABLE = Table("9113")
add = TABLE.add

OPEN = headers(1, post(), end=False)

# --- 5.1 Stream states ---------------------------------------------------------------------------

IDLE = "idle: any frame but HEADERS and PRIORITY MUST be a connection error PROTOCOL_ERROR"
HALF = "half-closed (remote): anything but WINDOW_UPDATE, PRIORITY, RST_STREAM is a stream error STREAM_CLOSED"
CLOSED = "closed: frames MUST be minimally processed, or are a connection error STREAM_CLOSED"
LATE = "closed: WINDOW_UPDATE, RST_STREAM and PRIORITY may arrive and are ignored"

for name, frame_ in {
    "data": data(1, b"x", end=True),
    "data-empty": data(1),
    "rst": rst(1),
    "window": window(1, 100),
    "continuation": continuation(1, literals(get())),
}.items():
    add("5.1", f"idle-{name}", IDLE, frame_, Goaway(PROTOCOL_ERROR))
add("5.1", "idle-priority", "idle: PRIORITY may be sent", priority(1) + headers(1, get()), Fine(1))
add("5.1", "idle-above-an-open-one", IDLE, OPEN + data(3, b"x"), Goaway(PROTOCOL_ERROR))

# The server has 96,000 bytes to say and a window of 0, so the stream stays half-closed (remote).
SHUT = ((ENABLE_PUSH, 0), (INITIAL_WINDOW_SIZE, 0))
HELD = headers(1, get())
for name, frame_ in {
    "data": data(1, b"x", end=True),
    "data-empty": data(1, b""),
    "headers": headers(1, get()),
    "trailers": headers(1, [("x", "y")]),
}.items():
    add("5.1", f"half-closed-{name}", HALF, [HELD, Settled(), frame_],
        Either(Rst(1, STREAM_CLOSED), Goaway(STREAM_CLOSED)), pairs=SHUT, server="big")  # fmt: skip
    add("5.1", f"half-closed-at-once-{name}", HALF, HELD + frame_,
        Either(Rst(1, STREAM_CLOSED), Goaway(STREAM_CLOSED)), pairs=SHUT, server="big")  # fmt: skip
add("5.1", "half-closed-others", "half-closed (remote): PRIORITY and WINDOW_UPDATE are fine",
    [HELD, Settled(), priority(1) + window(1, 96000) + window(0, 96000)], Fine(1), pairs=SHUT, server="big")  # fmt: skip
add("5.1", "half-closed-rst", "half-closed (remote): RST_STREAM ends the stream",
    [HELD, Settled(), rst(1)], Fine(), server="big")  # fmt: skip

for name, frame_ in {"data": data(1, b"x", end=True), "headers": headers(1, get()), "trailers": headers(1, [("x", "y")])}.items():
    add("5.1", f"closed-by-end-{name}", CLOSED, [headers(1, get()), Answered(1), frame_],
        Either(Fine(), Goaway(STREAM_CLOSED)))  # fmt: skip
    add("5.1", f"closed-by-us-{name}", CLOSED, [OPEN + rst(1), Settled(), frame_],
        Either(Fine(), Goaway(STREAM_CLOSED)))  # fmt: skip
add("5.1", "closed-by-server-frames", "closed by its own RST_STREAM: any frame MUST be ignored",
    [headers(1, post(("X", "y")), end=False), Was(1),
     data(1, b"x") + data(1, b"x") + headers(1, [("x", "y")]) + window(1, 1) + priority(1)], Fine())  # fmt: skip
for name, frame_ in {"window": window(1, 5), "rst": rst(1), "priority": priority(1), "priority-update": priority_update(1)}.items():
    add("5.1", f"closed-{name}", LATE, [headers(1, get()), Answered(1), frame_], Fine())
add("5.1", "closed-continuation", "CONTINUATION MUST follow HEADERS without END_HEADERS, in any state",
    [headers(1, get()), Answered(1), continuation(1, b"")], Goaway(PROTOCOL_ERROR))  # fmt: skip
add("5.1", "closed-data-is-counted", "DATA on a closed stream counts toward the connection's window, which is given back",
    [OPEN + rst(1), Settled(), *[data(1, bytes(16384)) * 4, Settled()] * 20], Either(Fine(), Goaway(STREAM_CLOSED)))  # fmt: skip

# --- 5.1.1 Stream identifiers --------------------------------------------------------------------

NUMBERS = "an unexpected stream identifier MUST be a connection error PROTOCOL_ERROR"

for stream in (2, 4, 2**31 - 2):
    add("5.1.1", f"even-{stream}", NUMBERS, headers(stream, get()), Goaway(PROTOCOL_ERROR))
for name, frame_ in {"data": data(2, b"x"), "rst": rst(2), "window": window(2, 1), "rst-of-16": rst(16)}.items():
    add("5.1.1", f"even-{name}", "even streams are the server's, which opened none: idle", frame_, Goaway(PROTOCOL_ERROR))
add("5.1.1", "decreasing", NUMBERS, headers(5, get()) + headers(3, get()), Goaway(PROTOCOL_ERROR))
add("5.1.1", "decreasing-later", NUMBERS, [headers(9, get()), Answered(9), headers(7, get())], Goaway(PROTOCOL_ERROR))
add("5.1.1", "repeated", "stream identifiers cannot be reused", [headers(3, get()), Answered(3), headers(3, get())],
    Either(Fine(), Goaway(STREAM_CLOSED, PROTOCOL_ERROR)))  # fmt: skip
add("5.1.1", "gaps", "identifiers MUST grow, not be dense", headers(1, get()) + headers(101, get()) + headers(9001, get()),
    Fine(1, 101, 9001))  # fmt: skip
add("5.1.1", "skipped-are-closed", "first use of an identifier closes idle ones below it",
    [headers(7, get()), Answered(7), window(5, 1)], Fine())  # fmt: skip
add("5.1.1", "skipped-headers", NUMBERS, [headers(7, get()), Answered(7), headers(5, get())], Goaway(PROTOCOL_ERROR))

# --- 5.1.2 Concurrency ---------------------------------------------------------------------------

LIMIT = "HEADERS over the concurrency limit MUST be a stream error PROTOCOL_ERROR or REFUSED_STREAM"


def many(h2):
    """As many open streams as are allowed, each waiting for its content."""
    h2.limit = h2.judge.settings[MAX_CONCURRENT_STREAMS]
    return b"".join(headers(2 * n + 1, post(), end=False) for n in range(h2.limit))


def one_more(h2):
    return headers(2 * h2.limit + 1, get())


def close_all(h2):
    return b"".join(data(2 * n + 1, b"", end=True) for n in range(h2.limit))


add("5.1.2", "one-too-many", LIMIT, [Settings(), many, one_more, Was(201), rst(1)], Rst(201, REFUSED_STREAM))
add("5.1.2", "room-again", "a closed stream no longer counts",
    [Settings(), many, Settled(), rst(1), one_more], Fine(201))  # fmt: skip
add("5.1.2", "all-are-served", "up to the limit every stream is served",
    [Settings(), many, Settled(), close_all], Fine(*range(1, 201, 2)))  # fmt: skip
add("5.1.2", "refused-is-decompressed", "a refused stream's block keeps the decoder in step",
    [Settings(), many, lambda h2: headers(201, literals(get()) + indexed("kept", "yes")), Was(201),
     rst(1) + headers(203, literals(get()) + b"\xbe")], Fine(203))  # fmt: skip

# --- 5.2 Flow control (the server as a sender is judged in every case) ---------------------------

add("5.2.1", "zero-window", "a sender MUST respect a window of 0, and go on when it opens",
    [headers(1, get()), Settled(), Settled(), window(1, 50000), Settled(), window(1, 46000) + window(0, 46000)],
    Fine(1), pairs=SHUT, server="big")  # fmt: skip
add("5.2.1", "by-the-byte", "a sender MUST respect windows, however small",
    [headers(1, get()), *[window(1, 1), Settled()] * 20, window(1, 96000) + window(0, 96000)],
    Fine(1), pairs=SHUT, server="big")  # fmt: skip
add("5.2.1", "connection-window", "the connection's window is shared by all streams",
    [headers(1, get()) + headers(3, get()), Settled(), window(1, 100000) + window(3, 100000), Settled(),
     window(0, 200000)], Fine(1, 3), server="big")  # fmt: skip
add("5.2.2", "window-is-not-for-heads", "flow control covers DATA alone: heads pass a window of 0",
    [headers(1, get(method="HEAD")), lambda h2: h2.until(lambda: h2.judge.stream(1).ended, "a head") or b"",
     lambda h2: h2.note_settings([(INITIAL_WINDOW_SIZE, 65535)]) or settings((INITIAL_WINDOW_SIZE, 65535))], Fine(), pairs=SHUT)  # fmt: skip

# --- 5.3 Prioritization, deprecated --------------------------------------------------------------

add("5.3.2", "self-dependency", "priority signals may be ignored; RFC 7540 had this a stream error",
    headers(1, get(), priority=depends(1)), Either(Rst(1, PROTOCOL_ERROR), Goaway(PROTOCOL_ERROR)))  # fmt: skip
add("5.3.2", "priority-on-headers", "priority information is read and may be ignored",
    headers(1, get(), priority=depends(0, 255, 1)) + headers(3, get(), priority=depends(1, 0)), Fine(1, 3))  # fmt: skip
add("5.3.2", "dependency-on-idle", "priority information is read and may be ignored",
    headers(1, get(), priority=depends(1001)) + priority(3, 999) + headers(3, get()), Fine(1, 3))  # fmt: skip

# --- 5.4 Error handling --------------------------------------------------------------------------

add("5.4.1", "goaway-then-close", "after GOAWAY for an error the connection MUST be closed",
    ping(stream=1) + headers(1, get()), Goaway(PROTOCOL_ERROR))  # fmt: skip
add("5.4.1", "nothing-after", "what follows an error is never served",
    data(0, b"x") + headers(1, get()) + headers(3, get()), Goaway(PROTOCOL_ERROR))  # fmt: skip
add("5.4.2", "others-go-on", "a stream error does not touch other streams",
    headers(1, post(), end=False) + headers(3, get(("X", "y"))) + data(1, b"x", end=True) + headers(5, get()), Fine(1, 5))  # fmt: skip
add("5.4.2", "no-rst-for-rst", "MUST NOT send RST_STREAM in response to RST_STREAM",
    [OPEN + rst(1), Settled(), rst(1), Settled()], Fine())  # fmt: skip

# --- 5.5 Extending -------------------------------------------------------------------------------

add("5.5", "unknown-setting", "unknown settings MUST be ignored", settings((0xF000, 0xFFFFFFFF)) + headers(1, get()), Fine(1))
add("5.5", "unknown-error-code", "unknown error codes MUST NOT trigger special behaviour",
    OPEN + rst(1, 0xFFFFFFFF) + headers(3, get()), Fine(3))  # fmt: skip
