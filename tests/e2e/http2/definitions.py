"""RFC 9113 section 6: what each frame type may be, and what must come of those that may not."""

from http2.case import Either, Fine, Goaway, Rst, Settled, Settings, Table
from lib.h2frames import *  # noqa: F403

TABLE = Table("9113")
add = TABLE.add

OPEN = headers(1, post(), end=False)
SHUT = ((ENABLE_PUSH, 0), (INITIAL_WINDOW_SIZE, 0))

# --- 6.1 DATA ------------------------------------------------------------------------------------

ON_ZERO = "MUST be associated with a stream: 0 is a connection error PROTOCOL_ERROR"
PAD = "padding of the payload's length or more MUST be a connection error PROTOCOL_ERROR"

add("6.1", "stream-0", ON_ZERO, data(0, b"x"), Goaway(PROTOCOL_ERROR))
add("6.1", "padded", "padding is dropped", OPEN + data(1, b"hello", end=True, pad=200), Fine(1))
add("6.1", "padding-alone", "padding is dropped", OPEN + data(1, b"", pad=255) + data(1, b"", end=True, pad=0), Fine(1))
add("6.1", "padding-of-length", PAD, OPEN + frame(DATA, PADDED | END_STREAM, 1, b"\x06hello"), Goaway(PROTOCOL_ERROR))
add("6.1", "padding-too-long", PAD, OPEN + frame(DATA, PADDED | END_STREAM, 1, b"\xffhello"), Goaway(PROTOCOL_ERROR))
add("6.1", "padded-and-empty", "PADDED needs its Pad Length", OPEN + frame(DATA, PADDED, 1),
    Goaway(FRAME_SIZE_ERROR, PROTOCOL_ERROR))  # fmt: skip
add("6.1", "padding-not-zero", "padding that is not zero MAY be an error", OPEN + frame(DATA, PADDED | END_STREAM, 1, b"\x03axyz"),
    Either(Fine(1), Goaway(PROTOCOL_ERROR)))  # fmt: skip
add("6.1", "padding-is-counted", "the whole payload, padding too, is flow-controlled and given back",
    [OPEN, *[data(1, b"x", pad=255) * 50, Settled()] * 30, data(1, b"", end=True)], Fine(1))  # fmt: skip

# --- 6.2 HEADERS ---------------------------------------------------------------------------------

add("6.2", "stream-0", ON_ZERO, headers(0, get()), Goaway(PROTOCOL_ERROR))
add("6.2", "padded", "padding is dropped", headers(1, get(), pad=99), Fine(1))
add("6.2", "padded-with-priority", "padding and priority are dropped", headers(1, get(), pad=9, priority=depends(0)), Fine(1))
add("6.2", "padding-too-long", PAD, frame(HEADERS, PADDED | 5, 1, b"\xff" + literals(get())), Goaway(PROTOCOL_ERROR))
add("6.2", "padding-over-priority", PAD, frame(HEADERS, PADDED | PRIORITIZED | 5, 1, b"\x02" + depends(0) + b"x"),
    Goaway(PROTOCOL_ERROR, FRAME_SIZE_ERROR))  # fmt: skip
add("6.2", "padded-and-empty", "PADDED needs its Pad Length", frame(HEADERS, PADDED | 5, 1),
    Goaway(FRAME_SIZE_ERROR, PROTOCOL_ERROR))  # fmt: skip
add("6.2", "priority-too-short", "PRIORITY needs five octets", frame(HEADERS, PRIORITIZED | 5, 1, b"\0\0\0\0"),
    Goaway(FRAME_SIZE_ERROR, PROTOCOL_ERROR))  # fmt: skip
add("6.2", "no-end-headers", "HEADERS without END_HEADERS MUST be followed by CONTINUATION of the stream",
    headers(1, get(), done=False) + headers(3, get()), Goaway(PROTOCOL_ERROR))  # fmt: skip
add("6.2", "end-stream-on-headers-continued", "END_STREAM stands on HEADERS, CONTINUATION ends the block",
    headers(1, literals(get())[:5], done=False) + continuation(1, literals(get())[5:]), Fine(1))  # fmt: skip

# --- 6.3 PRIORITY --------------------------------------------------------------------------------

add("6.3", "stream-0", ON_ZERO, priority(0), Goaway(PROTOCOL_ERROR))
for length in (0, 4, 6):
    add("6.3", f"length-{length}", "a length other than 5 MUST be a stream error FRAME_SIZE_ERROR",
        OPEN + frame(PRIORITY, 0, 1, bytes(length)), Either(Rst(1, FRAME_SIZE_ERROR), Goaway(FRAME_SIZE_ERROR)))  # fmt: skip
add("6.3", "open", "PRIORITY may be sent in any state", OPEN + priority(1) + data(1, b"", end=True), Fine(1))

# --- 6.4 RST_STREAM ------------------------------------------------------------------------------

add("6.4", "stream-0", ON_ZERO, rst(0), Goaway(PROTOCOL_ERROR))
add("6.4", "idle", "on an idle stream MUST be a connection error PROTOCOL_ERROR", rst(9), Goaway(PROTOCOL_ERROR))
for length in (0, 3, 5):
    add("6.4", f"length-{length}", "a length other than 4 MUST be a connection error FRAME_SIZE_ERROR",
        OPEN + frame(RST_STREAM, 0, 1, bytes(length)), Goaway(FRAME_SIZE_ERROR))  # fmt: skip
add("6.4", "stops-an-answer", "after RST_STREAM nothing more is sent on the stream",
    [headers(1, get()), Settled(), rst(1), Settled(), window(1, 96000) + window(0, 96000), Settled()], Fine(),
    pairs=SHUT, server="big")  # fmt: skip

# --- 6.5 SETTINGS --------------------------------------------------------------------------------

add("6.5", "ack-with-payload", "ACK with a payload MUST be a connection error FRAME_SIZE_ERROR",
    frame(SETTINGS, ACK, 0, bytes(6)), Goaway(FRAME_SIZE_ERROR))  # fmt: skip
for stream in (1, 2):
    add("6.5", f"on-stream-{stream}", "a stream other than 0 MUST be a connection error PROTOCOL_ERROR",
        settings(stream=stream), Goaway(PROTOCOL_ERROR))  # fmt: skip
for length in (1, 5, 7, 17):
    add("6.5", f"length-{length}", "a length that is no multiple of 6 MUST be a connection error FRAME_SIZE_ERROR",
        frame(SETTINGS, 0, 0, bytes(length)), Goaway(FRAME_SIZE_ERROR))  # fmt: skip
add("6.5", "ack-on-a-stream", "a stream other than 0 MUST be a connection error PROTOCOL_ERROR",
    settings(ack=True, stream=1), Goaway(PROTOCOL_ERROR))  # fmt: skip
for value in (2, 2**31, 2**32 - 1):
    add("6.5.2", f"enable-push-{value}", "other than 0 or 1 MUST be a connection error PROTOCOL_ERROR",
        settings((ENABLE_PUSH, value)), Goaway(PROTOCOL_ERROR))  # fmt: skip
for value in (2**31, 2**32 - 1):
    add("6.5.2", f"initial-window-{value}", "above 2^31-1 MUST be a connection error FLOW_CONTROL_ERROR",
        settings((INITIAL_WINDOW_SIZE, value)), Goaway(FLOW_CONTROL_ERROR))  # fmt: skip
for value in (0, 16383, 2**24, 2**32 - 1):
    add("6.5.2", f"max-frame-size-{value}", "outside of 2^14 to 2^24-1 MUST be a connection error PROTOCOL_ERROR",
        settings((MAX_FRAME_SIZE, value)), Goaway(PROTOCOL_ERROR))  # fmt: skip
for name, pairs in {
    "push-0": [(ENABLE_PUSH, 0)], "push-1": [(ENABLE_PUSH, 1)],
    "window-largest": [(INITIAL_WINDOW_SIZE, WINDOW_MAX)],
    "frame-smallest": [(MAX_FRAME_SIZE, 16384)], "frame-largest": [(MAX_FRAME_SIZE, 2**24 - 1)],
    "streams-0": [(MAX_CONCURRENT_STREAMS, 0)], "streams-all": [(MAX_CONCURRENT_STREAMS, 2**32 - 1)],
    "list-0": [(MAX_HEADER_LIST_SIZE, 0)], "table-all": [(HEADER_TABLE_SIZE, 2**32 - 1)],
    "none": [], "repeated": [(INITIAL_WINDOW_SIZE, 1), (INITIAL_WINDOW_SIZE, 70000)],
    "many": [(0xF0, n) for n in range(30)],
}.items():  # fmt: skip
    add("6.5.2", f"fine-{name}", "every value that is allowed is taken",
        lambda h2, pairs=pairs: h2.note_settings(pairs) or settings(*pairs) + headers(1, get()), Fine(1))  # fmt: skip
add("6.5.3", "each-is-acknowledged", "each SETTINGS MUST be acknowledged, once, in order",
    [settings() * 20, lambda h2: h2.until(lambda: h2.judge.acks == 21, "21 ACKs") or b"", Settled(),
     lambda h2: (_ for _ in ()).throw(AssertionError(h2.judge.acks)) if h2.judge.acks != 21 else b""], Fine())  # fmt: skip
add("6.5.3", "ack-unasked", "an ACK that was not due is no reason to fail", settings(ack=True) * 2, Either(Fine(), Goaway(PROTOCOL_ERROR)))

# --- 6.6 PUSH_PROMISE ----------------------------------------------------------------------------

PUSH = "a client cannot push: PUSH_PROMISE MUST be a connection error PROTOCOL_ERROR"

add("6.6", "on-open", PUSH, OPEN + frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + literals(get())), Goaway(PROTOCOL_ERROR))
add("6.6", "on-0", PUSH, frame(PUSH_PROMISE, END_HEADERS, 0, b"\0\0\0\2"), Goaway(PROTOCOL_ERROR))
add("6.6", "on-idle", PUSH, frame(PUSH_PROMISE, END_HEADERS, 3, b"\0\0\0\4"), Goaway(PROTOCOL_ERROR))

# --- 6.7 PING ------------------------------------------------------------------------------------

add("6.7", "answered", "MUST be answered with an identical payload",
    [ping(b"\0\xff\x80\x7fabcd"), lambda h2: h2.until(lambda: b"\0\xff\x80\x7fabcd" in h2.judge.pongs, "PONG") or b""], Fine())  # fmt: skip
add("6.7", "ack-is-not-answered", "MUST NOT be sent in response to a PING with ACK",
    [ping(b"unwanted", ack=True), Settled(),
     lambda h2: b"" if b"unwanted" not in h2.judge.pongs else ping(stream=9)], Fine())  # fmt: skip
for stream in (1, 2):
    add("6.7", f"on-stream-{stream}", "a stream other than 0 MUST be a connection error PROTOCOL_ERROR",
        ping(stream=stream), Goaway(PROTOCOL_ERROR))  # fmt: skip
for length in (0, 7, 9):
    add("6.7", f"length-{length}", "a length other than 8 MUST be a connection error FRAME_SIZE_ERROR",
        ping(bytes(length)), Goaway(FRAME_SIZE_ERROR))  # fmt: skip

# --- 6.8 GOAWAY ----------------------------------------------------------------------------------

for stream in (1, 2):
    add("6.8", f"on-stream-{stream}", "a stream other than 0 MUST be a connection error PROTOCOL_ERROR",
        goaway(stream=stream), Goaway(PROTOCOL_ERROR))  # fmt: skip
add("6.8", "too-short", "eight octets at least", frame(GOAWAY, 0, 0, bytes(7)), Goaway(FRAME_SIZE_ERROR))

# --- 6.9 WINDOW_UPDATE ---------------------------------------------------------------------------

ZERO = "an increment of 0 MUST be an error PROTOCOL_ERROR, of the stream or the connection"
OVER = "a window above 2^31-1 MUST be an error FLOW_CONTROL_ERROR, of the stream or the connection"

add("6.9", "zero-on-0", ZERO, window(0, 0), Goaway(PROTOCOL_ERROR))
add("6.9", "zero-on-stream", ZERO, OPEN + window(1, 0), Either(Rst(1, PROTOCOL_ERROR), Goaway(PROTOCOL_ERROR)))
add("6.9", "zero-but-reserved", ZERO, window(0, 0, reserved=1), Goaway(PROTOCOL_ERROR))
for length in (0, 3, 5):
    add("6.9", f"length-{length}", "a length other than 4 MUST be a connection error FRAME_SIZE_ERROR",
        frame(WINDOW_UPDATE, 0, 0, bytes(length)), Goaway(FRAME_SIZE_ERROR))  # fmt: skip
add("6.9", "length-on-stream", "a length other than 4 MUST be a connection error FRAME_SIZE_ERROR",
    OPEN + frame(WINDOW_UPDATE, 0, 1, bytes(5)), Goaway(FRAME_SIZE_ERROR))  # fmt: skip
add("6.9.1", "over-on-0", OVER, window(0, WINDOW_MAX), Goaway(FLOW_CONTROL_ERROR))
add("6.9.1", "over-on-0-in-two", OVER, window(0, 2**30) + window(0, 2**30), Goaway(FLOW_CONTROL_ERROR))
add("6.9.1", "over-on-stream", OVER, OPEN + window(1, WINDOW_MAX), Rst(1, FLOW_CONTROL_ERROR))
add("6.9.1", "over-on-stream-in-two", OVER, OPEN + window(1, 2**30) + window(1, 2**30), Rst(1, FLOW_CONTROL_ERROR))
add("6.9.1", "largest", "2^31-1 exactly is fine", window(0, WINDOW_MAX - 65535) + OPEN + window(1, WINDOW_MAX - 65535)
    + data(1, b"", end=True), Fine(1))  # fmt: skip


def too_much(h2):
    """DATA over the window of the stream or of the connection, whichever is smaller."""
    allowed = min(h2.judge.settings.get(INITIAL_WINDOW_SIZE, 65535), 65535 + h2.judge.credit.get(0, 0))
    return data(1, bytes(16384)) * (allowed // 16384 + 2)


# Whether it reads content faster than it comes is the server's business, so a window that was
# opened again while we wrote is no fault of ours: one write, and no END_STREAM.
add("6.9.2", "shrunk-below-zero", "a change of SETTINGS_INITIAL_WINDOW_SIZE adjusts windows, which may turn negative",
    [headers(1, get()), lambda h2: h2.until(lambda: len(h2.judge.stream(1).content) == 65535, "a full window") or b"",
     window(0, 96000), lambda h2: h2.note_settings([(INITIAL_WINDOW_SIZE, 100)]) or settings((INITIAL_WINDOW_SIZE, 100)),
     Settled(), window(1, 65435), Settled(), window(1, 1), Settled(), window(1, 96000)], Fine(1), server="big")  # fmt: skip
add("6.9.2", "grown", "a larger SETTINGS_INITIAL_WINDOW_SIZE opens windows of streams that wait",
    [headers(1, get()), Settled(), window(0, 96000),
     lambda h2: h2.note_settings([(INITIAL_WINDOW_SIZE, 96000)]) or settings((INITIAL_WINDOW_SIZE, 96000))],
    Fine(1), pairs=SHUT, server="big")  # fmt: skip
add("6.9.2", "overflows-a-stream", "a change that lifts any window above 2^31-1 MUST be a connection error FLOW_CONTROL_ERROR",
    [OPEN + window(1, WINDOW_MAX - 65535), Settled(), settings((INITIAL_WINDOW_SIZE, 65536))], Goaway(FLOW_CONTROL_ERROR))  # fmt: skip
add("6.9.2", "not-the-connection", "SETTINGS_INITIAL_WINDOW_SIZE does not change the connection's window",
    [lambda h2: h2.note_settings([(INITIAL_WINDOW_SIZE, 96000)]) or settings((INITIAL_WINDOW_SIZE, 96000)) + headers(1, get()),
     lambda h2: h2.until(lambda: len(h2.judge.stream(1).content) == 65535, "a full window") or b"", Settled(),
     window(0, 96000)], Fine(1), server="big")  # fmt: skip

# --- 6.10 CONTINUATION ---------------------------------------------------------------------------

BEFORE = "MUST be preceded by HEADERS, PUSH_PROMISE or CONTINUATION without END_HEADERS of the same stream"

add("6.10", "stream-0", ON_ZERO, headers(1, get(), done=False) + continuation(0, b""), Goaway(PROTOCOL_ERROR))
add("6.10", "alone", BEFORE, continuation(1, literals(get())), Goaway(PROTOCOL_ERROR))
add("6.10", "after-end-headers", BEFORE, OPEN + continuation(1, b""), Goaway(PROTOCOL_ERROR))
add("6.10", "after-continuation-end", BEFORE,
    headers(1, literals(get())[:3], done=False) + continuation(1, literals(get())[3:]) + continuation(1, b""), Goaway(PROTOCOL_ERROR))  # fmt: skip
add("6.10", "after-data", BEFORE, OPEN + data(1, b"x") + continuation(1, b""), Goaway(PROTOCOL_ERROR))
add("6.10", "on-0-alone", BEFORE, continuation(0, b""), Goaway(PROTOCOL_ERROR))
