"""What an HTTP/2 server does of its own accord: SETTINGS, windows, priorities, drains, logs.

That it keeps to the rules while it does is judged by `lib/h2frames.py` in every test.
"""

import json
import re
import signal
import time

import pytest

from lib.h2frames import *  # noqa: F403
from lib.runner import Pollux
from lib.wire import WireReset

pytestmark = pytest.mark.short

TEXT = ("0123456789abcdef" * 6000).encode()
WIDE = ((ENABLE_PUSH, 0), (INITIAL_WINDOW_SIZE, WINDOW_MAX))


@pytest.fixture(scope="session")
def big():
    with Pollux("respond", "--log", "off", "-w", "1", TEXT.decode()) as server:
        yield server


# --- Settings ------------------------------------------------------------------------------------


def test_settings(plain):
    with H2Wire(plain.address) as h2:
        h2.settled()
        said = h2.judge.settings
    assert said[MAX_CONCURRENT_STREAMS] == 100
    assert said[ENABLE_CONNECT_PROTOCOL] == 1
    assert said.get(NO_RFC7540_PRIORITIES) == 1, "RFC 9218 section 2.1"
    assert said.get(ENABLE_PUSH, 0) == 0
    assert said.get(MAX_FRAME_SIZE, 16384) == 16384
    assert 0 < said[MAX_HEADER_LIST_SIZE] <= 1 << 20, "a limit that is stated"


def test_settings_come_before_any_answer_and_at_once(plain):
    """Section 3.4: the server's preface does not wait for the client's SETTINGS to be acknowledged."""
    with H2Wire(plain.address, preface=False) as h2:
        h2.answers_settings = False
        h2.send(PREFACE + settings() + headers(1, get()))
        assert h2.response(1).status == 200
        assert h2.judge.acks == 1
        h2.probe(3)


# --- Windows -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 100, 16384, 65535, 65536, 1 << 20, WINDOW_MAX])
def test_content_through_windows_of_any_size(big, size):
    with H2Wire(big.address, pairs=((ENABLE_PUSH, 0), (INITIAL_WINDOW_SIZE, size))) as h2:
        h2.send(headers(1, get()) + window(0, 1 << 20))
        state = h2.judge.stream(1)
        steps = 0
        while not state.over:
            if state.window <= 0 and not state.over:
                steps += 1
                # Small windows are opened in larger steps after a while, or this would take long.
                h2.send(window(1, size if steps < 20 or size > 4000 else 30000))
            h2.read(time.monotonic() + 10)
        assert bytes(state.content) == TEXT


@pytest.mark.parametrize("size", [16384, 20000, 65536, 2**24 - 1])
def test_frames_of_our_size(big, size):
    with H2Wire(big.address, pairs=(*WIDE, (MAX_FRAME_SIZE, size))) as h2:
        h2.note_settings([(MAX_FRAME_SIZE, size)])
        h2.send(window(0, 1 << 20) + headers(1, get()))
        assert bytes(h2.response(1).content) == TEXT


def test_content_is_taken_as_fast_as_it_is_used(plain):
    """1 MiB through the server's windows, in frames of every kind of size."""
    for size in (1000, 4096, 16384):
        with H2Wire(plain.address) as h2:
            h2.request(1, post(("content-length", str(1 << 20))), end=False)
            assert h2.upload(1, bytes(1 << 20), size=size) == 1 << 20
            assert h2.response(1).status == 200


def test_content_over_the_limit_is_413(plain):
    """Answered before it is all there (section 8.1), and the connection goes on."""
    with H2Wire(plain.address) as h2:
        h2.request(1, post(("content-length", str(1 << 21))), end=False)
        state = h2.judge.stream(1)
        h2.until(lambda: state.over, "413")
        assert state.status == 413
        h2.probe(3)
        h2.request(5, post(), end=False)
        h2.upload(5, bytes(1 << 21))
        state = h2.judge.stream(5)
        h2.until(lambda: state.over, "413")
        assert state.status == 413
        h2.probe(7)


def test_expect_continue(plain):
    with H2Wire(plain.address) as h2:
        h2.request(1, post(("expect", "100-continue")), end=False)
        state = h2.judge.stream(1)
        h2.until(lambda: state.interim, "100")
        assert dict(state.interim[0])[":status"] == "100" and state.fields is None
        h2.send(data(1, b"hello", end=True))
        assert h2.response(1).status == 200


# --- Priorities (RFC 9218): who is served first when there is not room for all -------------------


def contend(h2, *requests):
    """Streams that all wait for the connection's window, which is then opened bit by bit.  The
    order in which they got DATA."""
    h2.send(headers(1, get()))
    h2.until(lambda: h2.judge.window == 0, "an empty window")
    h2.send(b"".join(requests))
    h2.settled()
    h2.send(rst(1))
    h2.settled()
    start = len(h2.judge.frames)
    for _ in range(60):
        h2.send(window(0, 8192))
        h2.until(lambda: h2.judge.window == 0 or not any_open(h2), "DATA")
        if not any_open(h2):
            break
    return [frame.stream for frame in h2.judge.frames[start:] if frame.kind == DATA and frame.payload]


def any_open(h2):
    return any(not state.over for number, state in h2.judge.streams.items() if number > 1)


def test_urgency(big):
    """Section 10: responses of higher urgency come first."""
    with H2Wire(big.address, pairs=WIDE) as h2:
        order = contend(h2, *[headers(n, get(("priority", f"u={u}"))) for n, u in [(3, 7), (5, 0), (7, 3)]])
        assert sorted(order, key=[5, 7, 3].index) == order
        assert set(order) == {3, 5, 7}


def test_urgency_by_frame(big):
    with H2Wire(big.address, pairs=WIDE) as h2:
        order = contend(h2, priority_update(3, b"u=6"), headers(3, get()), headers(5, get()), priority_update(5, b"u=1"))
        assert sorted(order, key=[5, 3].index) == order and set(order) == {3, 5}


def test_default_is_one_after_the_other(big):
    """Section 10: not incremental, so in the order of their streams."""
    with H2Wire(big.address, pairs=WIDE) as h2:
        order = contend(h2, headers(3, get()), headers(5, get()), headers(7, get()))
        assert order == sorted(order) and set(order) == {3, 5, 7}


def test_incremental_shares(big):
    with H2Wire(big.address, pairs=WIDE) as h2:
        order = contend(h2, headers(3, get(("priority", "i"))), headers(5, get(("priority", "i"))))
        assert {3, 5} == set(order[: len(order) // 2]), order


def test_a_small_answer_is_not_stuck_behind_large_ones(big):
    """Heads are not flow-controlled, so HEAD passes everything that waits for a window."""
    with H2Wire(big.address) as h2:
        h2.send(headers(1, get()) + headers(3, get()))
        h2.until(lambda: h2.judge.window == 0, "an empty window")
        h2.send(headers(5, get(method="HEAD")))
        assert h2.response(5).status == 200


# --- Going away ----------------------------------------------------------------------------------


def test_a_drain_loses_no_request():
    """Section 6.8: GOAWAY first allows what is on its way; then what is in flight is answered."""
    with Pollux("respond", "--log", "off", "-w", "1") as server:
        with H2Wire(server.address) as h2, H2Wire(server.address) as idle:
            idle.probe(1)
            h2.probe(1)
            h2.send(b"".join(headers(n, post(), end=False) for n in range(3, 43, 2)))
            h2.settled()
            server.signal(signal.SIGTERM)
            h2.until(lambda: h2.judge.goaways, "GOAWAY")
            assert h2.judge.goaways[0].code == NO_ERROR
            last = struct.unpack("!L", h2.judge.goaways[0].payload[:4])[0]
            assert last == WINDOW_MAX or last >= 41
            for n in range(3, 43, 2):
                h2.send(data(n, b"hello", end=True))
                assert h2.response(n).status == 200
            assert h2.goaway_code() == NO_ERROR
            assert struct.unpack("!L", h2.judge.goaways[-1].payload[:4])[0] >= 41
            assert idle.goaway_code() == NO_ERROR
        assert server.wait() == 0


def test_a_drain_with_requests_on_their_way():
    """Requests sent before the client can have seen a GOAWAY are answered, or said to be not
    processed: a stream above the last one of GOAWAY, or REFUSED_STREAM."""
    with Pollux("respond", "--log", "off", "-w", "1") as server:
        with H2Wire(server.address) as h2:
            h2.probe(1)
            served = lost = 0
            next_stream, sent = 3, []
            server.signal(signal.SIGTERM)
            for _ in range(50):
                h2.wire.send(headers(next_stream, get()))
                h2.judge.opened.add(next_stream)
                sent.append(next_stream)
                next_stream += 2
            try:
                assert h2.goaway_code() == NO_ERROR
            except WireReset:
                pass
            last = struct.unpack("!L", h2.judge.goaways[-1].payload[:4])[0]
            for n in sent:
                state = h2.judge.stream(n)
                if state.ended:
                    served += 1
                elif n > last or state.code == REFUSED_STREAM:
                    lost += 1
                else:
                    raise AssertionError(f"stream {n} up to {last} got no answer")
            assert served + lost == 50
        assert server.wait() == 0


def test_the_clients_goaway(plain):
    """It opens no more streams; those that are open are answered, then the connection ends."""
    with H2Wire(plain.address) as h2:
        h2.send(headers(1, post(), end=False) + goaway())
        h2.settled()
        h2.send(data(1, b"x", end=True))
        assert h2.response(1).status == 200
        h2.half_close()
        assert h2.goaway_code() in (NO_ERROR, None)


# --- What is written down ------------------------------------------------------------------------


def test_the_access_log():
    with Pollux("respond", "--log", "combined", "-w", "1") as server:
        with H2Wire(server.address) as h2:
            h2.probe(1, get(("user-agent", "e2e"), ("referer", "here"), path="/x?y"))
        out = server.wait_stdout(lambda out: b"\n" in out).decode()
    assert re.fullmatch(r'127\.0\.0\.1 - - \[.+\] "GET /x\?y HTTP/2\.0" 200 13 "here" "e2e"\n', out), out


def test_the_access_log_in_json():
    with Pollux("respond", "--log", "json", "-w", "1") as server:
        with H2Wire(server.address) as h2:
            h2.probe(1, get(path="/x?y"))
        line = json.loads(server.wait_stdout(lambda out: b"\n" in out))
    assert "/x?y" in line.values() and 200 in line.values(), line


def test_the_log_cannot_be_forged():
    with Pollux("respond", "--log", "combined", "-w", "1") as server:
        with H2Wire(server.address) as h2:
            h2.probe(1, get(("user-agent", 'x" 200 0 "\x80\xff\\')))
        out = server.wait_stdout(lambda out: b"\n" in out).decode()
    assert out.endswith(r'"x\x22 200 0 \x22\x80\xFF\x5C"' + "\n") and out.count("\n") == 1, out
