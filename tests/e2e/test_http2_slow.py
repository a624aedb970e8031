"""Slow peers that hide behind busy ones: on a connection of many streams, each wait has a deadline
of its own, whatever the other streams do.  And the same patience over TLS."""

import time

import pytest

from lib.h2frames import *  # noqa: F403
from lib.runner import Pollux
from lib.tls import TlsWire
from lib.wire import Wire, WireReset

TEXT = "0123456789abcdef" * 6000
FLAGS = ["--timeout-head=1s", "--timeout-idle=1s", "--rate-window=1s", "--timeout-handshake=1s"]
SHUT = ((ENABLE_PUSH, 0), (INITIAL_WINDOW_SIZE, 0))
PATIENCE_S = 12


@pytest.fixture(scope="module")
def hasty(authority):
    """A server whose patience is one second; addresses[1] speaks TLS."""
    cert, key = authority.issue("a", file="hasty")
    argv = ["respond", "--log", "off", "-w", "1", *FLAGS, "--tls-cert", cert, "--tls-key", key]
    with Pollux(*argv, TEXT, "-l", "127.0.0.1:0", "-l", "https://127.0.0.1:0") as server:
        server.authority = authority
        yield server


@pytest.fixture(params=["clear", "tls"])
def h2(request, hasty):
    if request.param == "clear":
        wire = Wire(hasty.addresses[0])
    else:
        wire = TlsWire(hasty.addresses[1], hasty.authority.context(alpn=["h2"]))
    with H2Wire(None, wire=wire, preface=False) as h2:
        yield h2


def keep_busy_until(h2, is_over, what):
    """Good requests all the time (HEAD, because no window holds them back)."""
    end = time.monotonic() + PATIENCE_S
    stream = 1001
    while time.monotonic() < end:
        if is_over():
            return
        try:
            h2.request(stream, get(method="HEAD"))
            assert h2.response(stream).status == 200
        except (WireReset, WireError):
            assert h2.judge.goaways or h2.wire.eof or h2.wire.reset
            return
        stream += 2
        time.sleep(0.02)
    raise AssertionError(f"{what} is still there")


def start(h2, pairs=((ENABLE_PUSH, 0),)):
    h2.send(PREFACE + settings(*pairs))
    h2.note_settings(pairs)


def test_a_shut_window_among_busy_streams(h2):
    start(h2, SHUT)
    h2.send(headers(1, get()))
    keep_busy_until(h2, lambda: h2.judge.stream(1).over, "a stream whose window is shut")


def test_content_that_does_not_come_among_busy_streams(h2):
    start(h2)
    h2.send(headers(1, post(), end=False))
    keep_busy_until(h2, lambda: h2.judge.stream(1).over, "a request without its content")


def test_content_trickled_among_busy_streams(h2):
    start(h2)
    h2.send(headers(1, post(), end=False))

    def trickle():
        if not h2.judge.stream(1).over:
            h2.send(data(1, b"x"))
        return h2.judge.stream(1).over

    keep_busy_until(h2, trickle, "a request whose content trickles")


def test_a_window_opened_by_the_byte_among_busy_streams(h2):
    start(h2, SHUT)
    h2.send(headers(1, get()))

    def trickle():
        if not h2.judge.stream(1).over:
            h2.send(window(1, 1))
        return h2.judge.stream(1).over

    keep_busy_until(h2, trickle, "a stream whose window is opened by the byte")


def trickle_until_over(h2, bytes_, pause_s=0.05):
    """Bytes one by one, until the server has had enough; how many it took."""
    end = time.monotonic() + PATIENCE_S
    for count, byte in enumerate(bytes_):
        if h2.wire.eof or h2.wire.reset:
            return count
        assert time.monotonic() < end, "still listening"
        h2.wire.send(bytes([byte]))
        time.sleep(pause_s)
    raise AssertionError("it took all of it")


@pytest.mark.parametrize("with_preface", [True, False])
def test_a_head_trickled(h2, with_preface):
    """An absolute deadline: progress is no excuse."""
    whole = headers(1, get(("x", "y" * 2000)))
    if with_preface:
        start(h2)
        h2.settled()
    else:
        whole = PREFACE + settings() + whole
    assert trickle_until_over(h2, whole) < 200


def test_a_head_trickled_while_a_stream_is_open(h2):
    """A request that waits for its answer is no excuse either."""
    start(h2, SHUT)
    h2.send(headers(1, get()))
    h2.settled()
    assert trickle_until_over(h2, headers(3, get(("x", "y" * 2000)))) < 200


def test_a_frame_of_content_trickled(h2):
    start(h2)
    h2.send(headers(1, post(), end=False))
    h2.settled()
    assert trickle_until_over(h2, data(1, bytes(4000))) < 400


# --- TLS -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_a_handshake_and_then_nothing(hasty, alpn):
    with TlsWire(hasty.addresses[1], hasty.authority.context(alpn=[alpn])) as wire:
        said = wire.rest()  # an end in order, close_notify included
        assert alpn == "h2" or not said or said.startswith(b"HTTP/1.1 408")


def test_a_request_trickled_over_tls(hasty):
    with TlsWire(hasty.addresses[1], hasty.authority.context(alpn=["http/1.1"])) as wire:
        end = time.monotonic() + PATIENCE_S
        for byte in b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 1000:
            if wire.eof:
                break
            assert time.monotonic() < end
            wire.send(bytes([byte]))
            time.sleep(0.03)
        assert wire.reply().status == 408


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_a_peer_that_reads_nothing_over_tls(hasty, alpn):
    """The rest of its answers is not kept for ever: the connection ends."""
    context = hasty.authority.context(alpn=[alpn])
    with TlsWire(hasty.addresses[1], context, rcvbuf=4096) as wire:
        if alpn == "h2":
            pairs = ((ENABLE_PUSH, 0), (INITIAL_WINDOW_SIZE, WINDOW_MAX))
            out = PREFACE + settings(*pairs) + window(0, WINDOW_MAX - 65535)
            out += b"".join(headers(n, get()) for n in range(1, 161, 2))
        else:
            out = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 80
        wire.send(out, read=False)
        time.sleep(3)  # longer than its patience
        with pytest.raises((WireReset, WireError)):
            while True:  # what was on its way, and then an end that is no good one
                if not wire._more(time.monotonic() + 10):
                    raise WireError("an end in order, though much was not sent")
                wire.received = b""


def test_many_slow_and_one_fast(hasty):
    """A crowd of stalled streams and connections does not slow down anybody else."""
    crowd = []
    try:
        for _ in range(50):
            h2 = H2Wire(hasty.addresses[0], pairs=SHUT)
            crowd.append(h2)
            h2.send(b"".join(headers(n, get()) for n in range(1, 101, 2)))
        with H2Wire(hasty.addresses[0]) as fast:
            fast.gives_credit = True
            for n in range(1, 41, 2):
                assert fast.probe(n)
    finally:
        for h2 in crowd:
            h2.close()


def stall(h2, first, count):
    """Asks for more than windows allow on so many streams, and waits for what becomes of them."""
    streams = range(first, first + 2 * count, 2)
    h2.send(b"".join(headers(number, get()) for number in streams))
    h2.until(lambda: h2.judge.goaways or all(h2.judge.stream(n).code is not None for n in streams), "an end")


def test_stalling_by_and_by_is_counted(hasty):
    """As many as are let go at once may not be had again and again."""
    with H2Wire(hasty.addresses[0], pairs=SHUT) as h2:
        stall(h2, 1, 24)
        assert not h2.judge.goaways
        stall(h2, 101, 24)
        assert h2.goaway_code() == ENHANCE_YOUR_CALM
