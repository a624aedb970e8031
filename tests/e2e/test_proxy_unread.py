"""`pollux proxy` with little memory, and clients that ask and read nothing: what they hold gives way, and others are answered."""

import time
from contextlib import ExitStack, contextmanager

import pytest

from lib import h2frames as h2
from lib.runner import Pollux
from lib.tls import TlsWire
from lib.upstream import Upstream
from lib.wire import Wire, ask

pytestmark = pytest.mark.short

MIB = 1 << 20
SIZE = 15000  # of an answer: less than a proxy keeps of one


def script(peer):
    while True:
        path = peer.head().split()[1]
        size = 300000 if path == b"/large" else SIZE
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)


@contextmanager
def small(authority):
    cert, key = authority.issue("a", file="unread")
    listen = ["-l", "127.0.0.1:0", "-l", "https://127.0.0.1:0", "--tls-cert", cert, "--tls-key", key]
    flags = ["--log", "json", "-w", "1", "--max-memory", "16m", "--max-upstream", "1024", "--queue", "1024"]
    with Upstream(script) as upstream, Pollux("proxy", *listen, *flags, upstream.url) as pollux:
        yield pollux


def get(path):
    return b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path


def h2_wire(pollux, authority, secure):
    wire = TlsWire(pollux.addresses[1], authority.context(alpn=["h2"])) if secure else None
    return h2.H2Wire(pollux.addresses[0], wire=wire, pairs=((h2.ENABLE_PUSH, 0), (h2.INITIAL_WINDOW_SIZE, 0)))


def streams(stack, pollux, authority, secure, count=100):
    wire = stack.enter_context(h2_wire(pollux, authority, secure))
    pairs = [(":method", "GET"), (":scheme", "https" if secure else "http"), (":path", "/"), (":authority", "a")]
    for stream in range(1, 2 * count, 2):
        wire.request(stream, pairs)
    return wire


def pipelines(stack, pollux, authority, secure):
    for _ in range(40):
        wire = TlsWire(pollux.addresses[1], authority.context()) if secure else Wire(pollux.addresses[0], rcvbuf=4096)
        stack.enter_context(wire).send(get(b"/large") * 20, read=False)


def read_all(pollux, authority, secure):
    """A client that reads what it asks for gets all of it, over each protocol."""
    for _ in range(3):
        assert len(ask(pollux.addresses[0], get(b"/large")).content) == 300000
        with TlsWire(pollux.addresses[1], authority.context()) as wire:
            wire.send(get(b"/large"))
            assert len(wire.reply().content) == 300000
        with h2_wire(pollux, authority, secure) as wire:
            wire.gives_credit = True
            wire.change_settings((h2.INITIAL_WINDOW_SIZE, 65535))
            pairs = [(":method", "GET"), (":scheme", "https" if secure else "http"), (":path", "/large"), (":authority", "a")]
            wire.request(1, pairs)
            assert len(wire.response(1).content) == 300000


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("connections", [1, 3])
def test_streams_that_are_not_read(authority, secure, connections):
    with small(authority) as pollux, ExitStack() as stack:
        for _ in range(connections):
            streams(stack, pollux, authority, secure)
        time.sleep(1)
        read_all(pollux, authority, secure)


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_pipelines_that_are_not_read(authority, secure):
    with small(authority) as pollux, ExitStack() as stack:
        pipelines(stack, pollux, authority, secure)
        time.sleep(1)
        read_all(pollux, authority, secure)
