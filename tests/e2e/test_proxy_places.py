"""`pollux proxy` where all places of an upstream are taken: which requests give way, and which do not."""

import threading
import time
from contextlib import ExitStack, contextmanager

import pytest

from lib import h2frames as h2
from lib.runner import Pollux
from lib.upstream import OK, Upstream
from lib.wire import Wire, ask
from test_proxy_upstream import ACCEPT, HANDSHAKE, until

pytestmark = pytest.mark.short

PLACES = 8
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n"
SWITCH %= ACCEPT
BIG = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 30)


class Server:
    """Does what the path says: sends without end, waits for content, waits until it is let, or answers."""

    def __init__(self):
        self.paths, self.go = [], threading.Event()

    def __call__(self, peer):
        while True:
            head = peer.head()
            path = head.split()[1]
            self.paths.append(path)
            if path == b"/big":
                peer.send(BIG)
                while True:
                    peer.send(b"x" * 65536)
            elif path == b"/content":
                peer.wait_end()
            elif path == b"/early":
                peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                peer.wait_end()
            elif path == b"/counted":
                peer.take(20000)
            elif path == b"/socket":
                peer.send(SWITCH)
                peer.wait_end()
            elif path == b"/slow":
                self.go.wait(20)
            peer.send(OK)


@contextmanager
def full(*flags, places=PLACES, queue_ms=2000):
    server = Server()
    flags = ["--max-upstream", str(places), "--timeout-queue", f"{queue_ms}ms", *flags]
    with Upstream(server) as upstream, Pollux("proxy", "--log", "json", "-w", "1", *flags, upstream.url) as pollux:
        yield pollux, server


def get(path, *fields, method=b"GET"):
    return b"%s %s HTTP/1.1\r\nHost: a\r\n%s\r\n" % (method, path, b"".join(field + b"\r\n" for field in fields))


def streams(stack, address, path, count, method="GET", window=65535):
    """A connection that asks so many times, and reads nothing of what comes."""
    wire = stack.enter_context(h2.H2Wire(address, pairs=((h2.ENABLE_PUSH, 0), (h2.INITIAL_WINDOW_SIZE, window))))
    pairs = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "a")]
    for stream in range(1, 2 * count, 2):
        wire.request(stream, pairs, end=method == "GET")
    return wire


# --- Those that give way --------------------------------------------------------------------------


def idle_h2_answers(stack, address):
    for _ in range(2):
        streams(stack, address, "/big", PLACES // 2, window=0)


def idle_h2_connections(stack, address):
    """Windows that are wide open, and a connection that is not read."""
    for _ in range(2):
        wire = streams(stack, address, "/big", PLACES // 2, window=h2.WINDOW_MAX)
        wire.send(h2.window(0, h2.WINDOW_MAX - 65535))


def idle_h2_uploads(stack, address):
    for _ in range(2):
        streams(stack, address, "/content", PLACES // 2, method="POST")


def idle_h2_early(stack, address):
    for _ in range(2):
        streams(stack, address, "/early", PLACES // 2, method="POST")


def idle_h1_answers(stack, address):
    for _ in range(PLACES):
        stack.enter_context(Wire(address, rcvbuf=4096)).send(get(b"/big"), read=False)


def idle_h1_uploads(stack, address):
    for index in range(PLACES):
        framing = b"Transfer-Encoding: chunked" if index % 2 else b"Content-Length: 5"
        stack.enter_context(Wire(address)).send(get(b"/content", framing, method=b"POST"))


def trickled_uploads(stack, address):
    """A byte now and then does not keep a place."""
    wires = []
    for _ in range(PLACES):
        wire = stack.enter_context(Wire(address))
        wire.send(get(b"/content", b"Content-Length: 1000", method=b"POST"))
        wires.append(wire)
    over = threading.Event()
    stack.callback(over.set)

    def trickle():
        while not over.wait(0.2):
            for wire in wires:
                try:
                    wire.sock.send(b"x")
                except OSError:
                    pass

    threading.Thread(target=trickle, daemon=True).start()


IDLE = [idle_h2_answers, idle_h2_connections, idle_h2_uploads, idle_h2_early, idle_h1_answers, idle_h1_uploads,
        trickled_uploads]  # fmt: skip


@pytest.mark.parametrize("idle", IDLE)
def test_a_place_that_its_client_keeps_gives_way(idle):
    with full() as (pollux, server), ExitStack() as stack:
        idle(stack, pollux.address)
        until(lambda: len(server.paths) == PLACES)
        for _ in range(3):
            assert ask(pollux.address, get(b"/")).content == b"ok"
        pollux.wait_stderr("while others waited")


def test_content_that_did_not_come_is_408():
    with full(places=1) as (pollux, server), Wire(pollux.address) as idle:
        idle.send(get(b"/content", b"Content-Length: 5", method=b"POST"))
        until(lambda: server.paths)
        assert ask(pollux.address, get(b"/")).content == b"ok"
        assert idle.reply().status == 408


def test_nothing_gives_way_while_none_waits():
    with full() as (pollux, server), ExitStack() as stack:
        idle_h2_uploads(stack, pollux.address)
        until(lambda: len(server.paths) == PLACES)
        time.sleep(1.5)
        assert "while others waited" not in pollux.stderr


def test_the_longest_idle_goes_first():
    with full(places=2) as (pollux, server), Wire(pollux.address) as first, Wire(pollux.address) as second:
        for index, wire in enumerate((first, second)):
            wire.send(get(b"/content", b"Content-Length: 5", method=b"POST"))
            until(lambda: len(server.paths) == index + 1)
            time.sleep(0.3)
        assert ask(pollux.address, get(b"/")).content == b"ok"
        assert first.reply().status == 408
        assert second.silent(0.3)


# --- Those that do not ----------------------------------------------------------------------------


def test_slow_ones_that_move_are_not_cut():
    """Both read and send little at a time, for three times as long as an idle one has."""
    with full(places=3) as (pollux, server), ExitStack() as stack:
        upload = stack.enter_context(Wire(pollux.address))
        upload.send(get(b"/counted", b"Content-Length: 20000", method=b"POST"))
        reader = streams(stack, pollux.address, "/big", 1, window=1000)
        until(lambda: len(server.paths) == 2)
        stack.enter_context(Wire(pollux.address)).send(get(b"/slow"))  # the server's own, which has the last place
        until(lambda: len(server.paths) == 3)
        state = reader.judge.stream(1)
        for step in range(20):
            upload.send(b"x" * 1000)
            reader.until(lambda: len(state.content) >= 1000 * (step + 1), "content")
            if step % 4 == 0:
                threading.Thread(target=ask, args=(pollux.address, get(b"/waits")), daemon=True).start()
            time.sleep(0.15)
            reader.send(h2.window(1, 1000))
        assert upload.reply().content == b"ok"
        assert not state.over and "while others waited" not in pollux.stderr


def test_what_waits_for_its_server_keeps_its_place():
    with full(places=2) as (pollux, server), Wire(pollux.address) as thinks, Wire(pollux.address) as socket:
        thinks.send(get(b"/slow"))
        socket.send(HANDSHAKE.replace(b"/ws", b"/socket", 1))
        until(lambda: len(server.paths) == 2)
        began = time.monotonic()
        late = ask(pollux.address, get(b"/"))
        assert (late.status, late.value("Retry-After")) == (503, "1")
        assert time.monotonic() - began < 4
        server.go.set()
        assert thinks.reply().content == b"ok"
        socket._collect()
        assert socket.received.startswith(b"HTTP/1.1 101 ")


# --- Shares ---------------------------------------------------------------------------------------


def test_a_connection_has_its_share_of_places_while_others_wait():
    """Of four places a quarter is one: what waits of a connection that has three comes behind."""
    with full(places=4, queue_ms=9000) as (pollux, server), ExitStack() as stack:
        wire = streams(stack, pollux.address, "/slow", 3)
        until(lambda: len(server.paths) == 3)
        other = stack.enter_context(Wire(pollux.address))
        other.send(get(b"/slow"))
        until(lambda: len(server.paths) == 4)
        for stream in range(7, 21, 2):
            pairs = [(":method", "GET"), (":scheme", "http"), (":path", f"/many{stream}"), (":authority", "a")]
            wire.request(stream, pairs)
        wire.settled()
        waits = stack.enter_context(Wire(pollux.address))
        waits.send(get(b"/one"))
        time.sleep(0.2)
        server.go.set()
        assert waits.reply().content == b"ok"
        for stream in range(1, 21, 2):
            assert wire.response(stream).content == b"ok"
        assert server.paths.index(b"/one") < 8 < len(server.paths)


def test_a_connection_that_fills_the_queue_makes_room():
    with full("--queue", "30", places=1, queue_ms=9000) as (pollux, server), ExitStack() as stack:
        wire = streams(stack, pollux.address, "/slow", 31)
        until(lambda: server.paths)
        wire.settled()
        waits = stack.enter_context(Wire(pollux.address))
        waits.send(get(b"/one"))
        assert h2_status(wire, 61) == 503  # its last
        server.go.set()
        assert waits.reply().content == b"ok"
        assert h2_status(wire, 59) == 200


def h2_status(wire, stream):
    return wire.response(stream).status


def test_the_queue_is_for_all_connections_alike():
    """One that has no more of it than others is refused, where it is full."""
    with full("--queue", "3", places=1) as (pollux, server), ExitStack() as stack:
        for index in range(4):
            stack.enter_context(Wire(pollux.address)).send(get(b"/slow"))
            until(lambda: server.paths)
        time.sleep(0.1)
        assert ask(pollux.address, get(b"/full")).status == 503
        server.go.set()
