"""Peers that obey every rule of HTTP/2 and still mean harm: floods, bombs, stalls.

Each flood must end its connection with ENHANCE_YOUR_CALM, not the server; the handlers it started
are counted; and just below each budget everybody is served.  Stalls end at a deadline.  The tables
of `http2/` hold what breaks rules.
"""

import re
import signal
import time

import pytest

from lib.h2frames import *  # noqa: F403
from lib.runner import Pollux
from lib.wire import Wire, WireReset

# Budgets of hostile.md, in any ten seconds.
RESETS, CONTROLS, EMPTY_CONTINUATIONS, CONCURRENT, CRUMBS, FIELDS = 200, 1000, 8, 100, 256, 100
BLOCK = literals(get())
OPEN = headers(1, post(), end=False)


def count(server, what):
    """A counter of the server."""
    pattern = re.compile(what + r" (\d+)")
    before = len(pattern.findall(server.stderr))
    server.signal(signal.SIGUSR1)
    server.wait_stderr(pattern, count=before + 1)
    return int(pattern.findall(server.stderr)[-1])


def requests(server):
    """How many handlers were started, so far."""
    return count(server, "requests")


@pytest.fixture
def victim():
    with Pollux("respond", "--log", "off", "-w", "1") as server:
        yield server
        # Whatever was done to it: it serves others.
        with H2Wire(server.address) as h2:
            h2.probe(1)


def calm(h2):
    code = h2.goaway_code()
    assert code == ENHANCE_YOUR_CALM, f"GOAWAY {code}, wanted ENHANCE_YOUR_CALM"


def numbers(count, first=1):
    return range(first, first + 2 * count, 2)


# --- Resets --------------------------------------------------------------------------------------

# What makes a server reset a stream, or would: a stream each.
FORCED = {
    "upper-case": lambda n: headers(n, get(("X", "y"))),
    "no-path": lambda n: headers(n, get(path=None)),
    "connection-field": lambda n: headers(n, get(("connection", "close"))),
    "content-too-short": lambda n: headers(n, post(("content-length", "5"))),
    "content-too-long": lambda n: headers(n, post(("content-length", "1")), end=False) + data(n, b"xx", end=True),
    "trailers-without-end": lambda n: headers(n, post(), end=False) + headers(n, [("x", "y")], end=False),
    "window-over": lambda n: headers(n, post(), end=False) + window(n, WINDOW_MAX),
    "window-zero": lambda n: headers(n, post(), end=False) + window(n, 0),
    "data-after-end": lambda n: headers(n, get()) + data(n, b"x", end=True),
    "headers-after-end": lambda n: headers(n, get()) + headers(n, get()),
    "priority-length": lambda n: headers(n, post(), end=False) + frame(PRIORITY, 0, n, bytes(4)),
    "priority-self": lambda n: headers(n, get(), priority=depends(n)),
}
# A rule of RFC 9113 may end the connection at once, which is as good.
AT_ONCE = {
    "data-after-end": STREAM_CLOSED, "headers-after-end": STREAM_CLOSED, "window-zero": PROTOCOL_ERROR,
    "priority-length": FRAME_SIZE_ERROR, "priority-self": PROTOCOL_ERROR,
}  # fmt: skip


@pytest.mark.parametrize("content", [False, True], ids=["get", "open"])
def test_rapid_reset(victim, content):
    with H2Wire(victim.address) as h2:
        for n in numbers(1000):
            h2.send((headers(n, post(), end=False) if content else headers(n, get())) + rst(n))
            if h2.wire.eof:
                break
        calm(h2)
    assert requests(victim) <= RESETS + 2


def test_rapid_reset_in_one_write(victim):
    with H2Wire(victim.address) as h2:
        h2.send(b"".join(headers(n, get()) + rst(n) for n in numbers(5000)))
        calm(h2)
    assert requests(victim) <= RESETS + 2


@pytest.mark.parametrize("name", FORCED)
def test_made_you_reset(victim, name):
    with H2Wire(victim.address) as h2:
        h2.send(b"".join(FORCED[name](n) for n in numbers(600)))
        assert h2.goaway_code() in (ENHANCE_YOUR_CALM, AT_ONCE.get(name, ENHANCE_YOUR_CALM))
    assert requests(victim) <= RESETS + 2


def test_refused_streams_are_resets_too(victim):
    with H2Wire(victim.address) as h2:
        h2.send(b"".join(headers(n, post(), end=False) for n in numbers(1000)))
        calm(h2)
    assert requests(victim) <= CONCURRENT + 1


def test_resets_below_the_budget(victim):
    """190 in a row, and then 400 more among twice as many streams: browsers cancel, too."""
    with H2Wire(victim.address) as h2:
        first = 1
        for n in numbers(190, first):
            h2.send(headers(n, post(), end=False) + rst(n))
        first += 2 * 190
        for _ in range(6):
            served = numbers(90, first)
            h2.send(b"".join(headers(n, get()) for n in served))
            for n in served:
                assert h2.response(n).status == 200
            first += 2 * 90
        for _ in range(4):
            cancelled = numbers(50, first)
            served = numbers(60, first + 100)
            h2.send(b"".join(headers(n, post(), end=False) + rst(n) for n in cancelled))
            h2.send(b"".join(headers(n, get()) for n in served))
            for n in served:
                assert h2.response(n).status == 200
            first += 220
        h2.probe(first)


# --- Frames that cost us and cost a peer nothing -------------------------------------------------

FLOODS = {
    "ping": (b"", ping()),
    "ping-ack": (b"", ping(ack=True)),
    "settings": (b"", settings()),
    "settings-full": (b"", settings(*[(INITIAL_WINDOW_SIZE, 65535 + n) for n in range(10)])),
    "settings-ack": (b"", settings(ack=True)),
    "priority": (b"", priority(3, 1)),
    "priority-of-many": (b"", None),
    "priority-update": (b"", priority_update(3)),
    "empty-data": (OPEN, data(1)),
    "padded-empty-data": (OPEN, data(1, b"", pad=0)),
    "padding-alone": (OPEN, data(1, b"", pad=20)),
}


@pytest.mark.parametrize("name", FLOODS)
def test_flood(victim, name):
    before, one = FLOODS[name]
    many = one * 5000 if one else b"".join(priority(n, n + 2) for n in numbers(5000))
    with H2Wire(victim.address) as h2:
        h2.send(before + many)
        code = h2.goaway_code()
        # An ACK that nobody asked for may be an error of its own.
        assert code == ENHANCE_YOUR_CALM or (name == "settings-ack" and code == PROTOCOL_ERROR)


@pytest.mark.parametrize("name", [name for name in FLOODS if FLOODS[name][1] and name != "settings-ack"])
def test_below_the_budget(victim, name):
    before, one = FLOODS[name]
    with H2Wire(victim.address) as h2:
        h2.send(before + one * (CONTROLS - 20))
        if before:
            h2.send(data(1, b"", end=True))
            assert h2.response(1).status == 200
        h2.probe(101)


def test_a_peer_that_pings_and_does_not_read(victim):
    """What is owed to it is bounded, and so is the time that it is borne with."""
    with H2Wire(victim.address, rcvbuf=4096) as h2:
        h2.wire.send(ping() * 20000, read=False)
        calm(h2)


@pytest.mark.parametrize("name, one", [("window", window(0, 1)), ("unknown", frame(0x77, 0, 0, b"x")), ("unknown-empty", frame(0x77, 0, 0)),
                                       ("goaway", goaway()), ("window-of-closed", None)])  # fmt: skip
def test_much_of_what_costs_nothing(victim, name, one):
    """No budget names these: they may go on or end calmly, but they do not stop others."""
    with H2Wire(victim.address) as h2, H2Wire(victim.address) as other:
        if one is None:
            h2.probe(1)
            one = window(1, 1)
        h2.send(one * 20000)
        for n in numbers(20):
            other.probe(n)
        try:
            h2.settled()
        except WireError:
            # RFC 9113 section 6.8: a peer that has said good-bye, and waits for nothing, may be closed.
            assert name == "goaway" or h2.goaway_code() == ENHANCE_YOUR_CALM


# --- CONTINUATION --------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [9, 10, 1000, 50000])
def test_empty_continuations(victim, count):
    with H2Wire(victim.address) as h2:
        h2.send(headers(1, BLOCK, done=False) + continuation(1, b"", done=False) * count)
        calm(h2)
    assert requests(victim) == 0


def test_eight_empty_continuations(victim):
    with H2Wire(victim.address) as h2:
        h2.send(headers(1, BLOCK, done=False) + continuation(1, b"", done=False) * 7 + continuation(1))
        assert h2.response(1).status == 200


@pytest.mark.parametrize("size", [1, 100, 16384])
def test_continuations_without_end(victim, size):
    field = literal("x", "a" * (size - 10)) if size > 10 else b"\x82"
    with H2Wire(victim.address) as h2:
        h2.send(headers(1, BLOCK, done=False) + continuation(1, field, done=False) * (4_000_000 // (len(field) + 9)))
        calm(h2)
    assert requests(victim) == 0


# --- Field sections ------------------------------------------------------------------------------


def too_large(h2, stream=1):
    """431 or a reset of the stream, or the end of the connection; never a handler."""
    state = h2.judge.stream(stream)
    try:
        h2.until(lambda: state.over, "431")
    except WireError:
        calm(h2)
        return
    assert state.status == 431 or (state.status is None and state.code in (PROTOCOL_ERROR, ENHANCE_YOUR_CALM, REFUSED_STREAM)), state
    h2.probe(stream + 100)


BOMBS = {
    "fields-101": literals([(f"x{n}", "y") for n in range(FIELDS + 1)]),
    "fields-101-the-same": literals([("x", "y")] * (FIELDS + 1)),
    "fields-10000-by-index": indexed("x", "y") + b"\xbe" * 10000,
    "static-references": b"\x90" * 15000,
    "references-to-4k": indexed("x", "y" * 4000) + b"\xbe" * 12000,
    "references-to-2k": indexed("x", "y" * 2000) + b"\xbe" * 8000,
    "name-references": indexed("x" * 2000, "y") + (b"\x7e\x00") * 7000,
    "crumbs-257": literals([("cookie", "a=1")] * (CRUMBS + 1)),
    "crumbs-by-index": indexed("cookie", "a=1") + b"\xbe" * 15000,
    "crumbs-empty": b"\x60\x80" * 8000,
    "one-long-value": literal("x", "y" * 40000),
    "one-long-name": literal("x" * 40000, "y"),
    "two-halves": literal("x", "y" * 17000) + literal("z", "y" * 17000),
    "target-of-9000": None,
    "fields-empty-values": literals([("x", "")] * 5000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_field_section_too_large(victim, name):
    block = BLOCK + BOMBS[name] if BOMBS[name] else literals(get(path="/" + "a" * 9000))
    with H2Wire(victim.address) as h2:
        parts = [block[at : at + 16384] for at in range(0, len(block), 16384)]
        out = headers(1, parts[0], done=len(parts) == 1)
        for index, part in enumerate(parts[1:]):
            out += continuation(1, part, done=index == len(parts) - 2)
        h2.send(out)
        if name == "target-of-9000":
            assert h2.response(1).status == 414
            h2.probe(101)
        else:
            too_large(h2)
    assert requests(victim) <= 1, "a handler was started"


@pytest.mark.parametrize("fields", [
    [(f"x{n}", "y") for n in range(FIELDS - 10)],
    [("x", "y" * 16000), ("z", "y" * 14000)],
    [("cookie", "a=" + "b" * 90)] * 100,
], ids=["90-fields", "30000-bytes", "100-crumbs"])  # fmt: skip
def test_field_section_of_honest_size(victim, fields):
    block = literals(get() + fields)
    with H2Wire(victim.address) as h2:
        out = headers(1, block[:16384], done=len(block) <= 16384)
        for at in range(16384, len(block), 16384):
            out += continuation(1, block[at : at + 16384], done=at + 16384 >= len(block))
        h2.send(out)
        assert h2.response(1).status == 200


def test_trailers_too_large(victim):
    for trailers in ([("x", "y" * 9000)], [(f"x{n}", "y") for n in range(101)]):
        with H2Wire(victim.address) as h2:
            h2.send(OPEN + data(1, b"x") + headers(1, trailers))
            too_large(h2)


# --- Stalls: every wait has a deadline -----------------------------------------------------------


@pytest.fixture(scope="module")
def hasty():
    """A server whose patience is one second."""
    flags = ["--timeout-head=1s", "--timeout-idle=1s", "--rate-window=1s"]
    with Pollux("respond", "--log", "off", "-w", "1", *flags, "0123456789abcdef" * 6000) as server:
        yield server


def ends(h2, *codes):
    """The connection ends, in order or, where an answer was cut short, by a reset."""
    try:
        code = h2.goaway_code()
    except WireReset:
        return
    assert code in codes, f"GOAWAY {code}"


SHUT = ((ENABLE_PUSH, 0), (INITIAL_WINDOW_SIZE, 0))
BEGINNINGS = {
    "half-a-preface": PREFACE[:12],
    "preface-alone": PREFACE,
    "half-of-settings": PREFACE + settings((ENABLE_PUSH, 0))[:10],
    "headers-without-end": PREFACE + settings() + headers(1, get(), done=False),
    "half-of-a-frame-head": PREFACE + settings() + headers(1, get())[:5],
    "half-of-headers": PREFACE + settings() + headers(1, get())[:20],
    "half-of-a-ping": PREFACE + settings() + ping()[:12],
    "nothing-more": PREFACE + settings(),
}


@pytest.mark.parametrize("name", BEGINNINGS)
def test_a_beginning_that_stalls(hasty, name):
    with H2Wire(hasty.address, preface=False) as h2:
        h2.send(BEGINNINGS[name])
        if name == "half-a-preface":
            said = h2.wire.rest()
            assert not said or said.startswith(b"HTTP/1.1 408 ")
        else:
            ends(h2, NO_ERROR, PROTOCOL_ERROR, ENHANCE_YOUR_CALM, SETTINGS_TIMEOUT, None)


def test_idle_after_a_request(hasty):
    with H2Wire(hasty.address) as h2:
        h2.gives_credit = True
        assert h2.probe(1)
        ends(h2, NO_ERROR)


def test_pings_are_no_life(hasty):
    """Whoever only pings is idle all the same."""
    with H2Wire(hasty.address) as h2:
        h2.gives_credit = True
        h2.probe(1)
        for _ in range(100):
            h2.send(ping())
            time.sleep(0.05)
            if not h2.silent(0.05) and h2.judge.goaways:
                break
        assert h2.judge.goaways and h2.judge.goaways[-1].code == NO_ERROR


def reset_or_ended(h2, streams):
    """Each stream is reset, or the connection is over."""
    try:
        for n in streams:
            state = h2.judge.stream(n)
            h2.until(lambda state=state: state.over, f"an end of stream {n}")
            assert state.code is not None or state.status in (408, 503), state
    except WireError:
        pass  # closed: that is an end as well


@pytest.mark.parametrize("count", [1, 100])
def test_windows_that_stay_shut(hasty, count):
    with H2Wire(hasty.address, pairs=SHUT) as h2:
        h2.send(b"".join(headers(n, get()) for n in numbers(count)))
        reset_or_ended(h2, numbers(count))


def test_windows_opened_by_the_byte(hasty):
    with H2Wire(hasty.address, pairs=SHUT) as h2:
        h2.send(headers(1, get()))
        end = time.monotonic() + 15
        while time.monotonic() < end and not h2.wire.eof and not h2.wire.reset:
            h2.send(window(1, 1))
            time.sleep(0.05)
            h2.silent(0)
            if h2.judge.stream(1).code is not None or h2.judge.goaways:
                break
        assert len(h2.judge.stream(1).content) < 250
        reset_or_ended(h2, [1])


def test_a_connection_window_that_stays_shut(hasty):
    with H2Wire(hasty.address) as h2:
        h2.send(headers(1, get()) + headers(3, get()) + window(1, 100000) + window(3, 100000))
        reset_or_ended(h2, [1, 3])


@pytest.mark.parametrize("count", [1, 100])
def test_content_that_does_not_come(hasty, count):
    with H2Wire(hasty.address) as h2:
        h2.send(b"".join(headers(n, post(), end=False) for n in numbers(count)))
        reset_or_ended(h2, numbers(count))


def test_content_trickled(hasty):
    with H2Wire(hasty.address) as h2:
        h2.send(headers(1, post(), end=False))
        for _ in range(100):
            h2.send(data(1, b"x"))
            if not h2.silent(0.05) and (h2.judge.stream(1).over or h2.judge.goaways):
                break
            if h2.wire.eof or h2.wire.reset:
                break
        reset_or_ended(h2, [1])


def test_a_slow_reader_of_tcp(hasty):
    """It opens every window there is, and then reads nothing."""
    with H2Wire(hasty.address, rcvbuf=4096, pairs=((ENABLE_PUSH, 0), (INITIAL_WINDOW_SIZE, WINDOW_MAX))) as h2:
        h2.wire.send(window(0, WINDOW_MAX - 65535) + b"".join(headers(n, get()) for n in numbers(100)), read=False)
        with H2Wire(hasty.address) as other:
            other.gives_credit = True
            other.probe(1)
        end = time.monotonic() + 15
        while count(hasty, "open") > 0:
            assert time.monotonic() < end, "it is still served"
            time.sleep(0.1)


# --- Ends of connections -------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["at-once", "after-settings", "in-a-frame", "in-content", "while-answered"])
@pytest.mark.parametrize("how", ["reset", "half-close"])
def test_peers_that_leave(victim, where, how):
    for _ in range(20):
        with H2Wire(victim.address, preface=where != "at-once") as h2:
            h2.send({
                "at-once": PREFACE[:10], "after-settings": b"", "in-a-frame": headers(1, get())[:13],
                "in-content": OPEN + data(1, b"abc"), "while-answered": headers(1, get()) + headers(3, get()),
            }[where])  # fmt: skip
            if how == "reset":
                h2.wire.close_with_reset()
            else:
                h2.half_close()
                if where == "while-answered":
                    assert h2.response(1).status == 200 and h2.response(3).status == 200
                if where == "at-once":
                    h2.wire.rest()
                else:
                    h2.goaway_code()


def test_half_close_behind_whole_requests(victim):
    """As with HTTP/1.1: no departure, the answers are awaited."""
    with H2Wire(victim.address) as h2:
        h2.send(b"".join(headers(n, get()) for n in numbers(50)))
        h2.half_close()
        for n in numbers(50):
            assert h2.response(n).status == 200


def test_ten_thousand_streams(victim):
    with H2Wire(victim.address) as h2:
        h2.gives_credit = True
        for first in range(0, 10000, 100):
            streams = numbers(100, 2 * first + 1)
            h2.send(b"".join(headers(n, get()) for n in streams))
            for n in streams:
                assert h2.response(n).status == 200
                del h2.judge.streams[n]
    assert requests(victim) == 10000


def test_the_last_stream_number(victim):
    with H2Wire(victim.address) as h2:
        h2.probe(WINDOW_MAX)
        h2.settled()


# --- The preface ---------------------------------------------------------------------------------


@pytest.mark.parametrize("at", range(1, 24))
def test_preface_split(victim, at):
    whole = PREFACE + settings() + headers(1, get())
    with H2Wire(victim.address, preface=False) as h2:
        h2.judge.opened.add(1)
        h2.wire.send(whole[:at])
        time.sleep(0.003)
        h2.wire.send(whole[at:])
        assert h2.response(1).status == 200


@pytest.mark.parametrize("data_, status", [
    (b"PRI / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    (b"P / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    (b"PRIME / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    (b"PRI * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 200),
    (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 200),
], ids=["PRI", "P", "PRIME", "PRI-asterisk", "POST", "PUT"])  # fmt: skip
@pytest.mark.parametrize("step", [0, 1])
def test_what_begins_like_a_preface(victim, data_, status, step):
    with Wire(victim.address) as wire:
        wire.send(data_, step=step)
        assert wire.reply().status == status


def test_preface_behind_a_request(victim):
    with Wire(victim.address) as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + PREFACE + settings())
        assert wire.reply().status == 200
        reply = wire.reply()
        assert reply.status in (400, 505) and reply.says_close
        wire.ends()


@pytest.mark.parametrize("upgrade", ["h2c", "h2c, websocket"])
def test_never_by_upgrade(victim, upgrade):
    with Wire(victim.address) as wire:
        wire.send(
            f"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\n"
            "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n".encode()
        )
        assert wire.reply().status == 200
