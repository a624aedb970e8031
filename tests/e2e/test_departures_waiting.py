"""Clients that leave while their request waits: what they asked for ends with them.

Seen from behind: a server that never answers stands behind the proxy, and its connection ends when the
client has left, over each protocol and with each kind of leaving (docs/HTTP.md, "Persistence").
"""

import contextlib
import json
import socket
import ssl
import struct
import time

import pytest

from lib.h2frames import *  # noqa: F403
from lib.runner import Pollux
from lib.upstream import OK, Upstream
from lib.wire import connect

ASK = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
ASK_H2 = PREFACE + settings() + headers(1, literals(get(authority="localhost")))
PROTOCOLS = {"h1": (False, None), "h1 over TLS": (True, "http/1.1"), "h2c": (False, "h2"), "h2 over TLS": (True, "h2")}
GRACE_S = 1.0  # a peer that ended its side may wait for an answer for so long


def fin(sock):
    """It closes: over TLS with a close_notify before."""
    if isinstance(sock, ssl.SSLSocket):
        with contextlib.suppress(OSError, ValueError):
            sock.settimeout(0.05)
            sock.unwrap()
    sock.close()


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def half_close(sock):
    socket.socket.shutdown(sock, socket.SHUT_WR)


def streams_reset(sock):
    sock.sendall(rst(1))


@contextlib.contextmanager
def waiting(authority, protocol, script):
    """A request that waits for its server, and the connection it came by."""
    secure, spoken = PROTOCOLS[protocol]
    argv = ["proxy", "--log", "json", "-w", "1"]
    if secure:
        cert, key = authority.issue("a", "localhost")
        argv += ["--tls-cert", cert, "--tls-key", key, "-l", "https://127.0.0.1:0"]
    with Upstream(script) as upstream:
        with Pollux(*argv, upstream.url) as server:
            sock = connect(server.address)
            if secure:
                context = authority.context()
                context.set_alpn_protocols([spoken])
                sock = context.wrap_socket(sock, server_hostname="localhost")
            with contextlib.closing(sock):
                sock.sendall(ASK_H2 if spoken == "h2" else ASK)
                end = time.monotonic() + 5
                while not upstream.heads:
                    assert time.monotonic() < end
                    time.sleep(0.01)
                yield server, upstream, sock


def never(peer):
    peer.request()
    peer.wait_end()


@pytest.mark.parametrize("leave", [fin, reset, half_close])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_waits_ends_with_its_client(authority, protocol, leave):
    with waiting(authority, protocol, never) as (server, upstream, sock):
        begin = time.monotonic()
        assert not upstream.ended.wait(0.2)  # it waits
        leave(sock)
        assert upstream.ended.wait(GRACE_S + 2)
        assert leave is not reset or time.monotonic() - begin < 0.2 + GRACE_S  # nothing can be answered any more
        out = server.wait_stdout(lambda out: b"\n" in out)
        entry = json.loads(out.splitlines()[0])
        assert (entry["status"], entry["ended"]) == (499, "client")


@pytest.mark.parametrize("protocol", ["h2c", "h2 over TLS"])
def test_a_stream_that_is_reset_ends_alone(authority, protocol):
    with waiting(authority, protocol, never) as (server, upstream, sock):
        streams_reset(sock)
        assert upstream.ended.wait(2)
        sock.settimeout(2)
        sock.sendall(ping(b"whatever"))
        said = b""
        while b"whatever" not in said:
            piece = sock.recv(4096)
            assert piece
            said += piece


@pytest.mark.parametrize("protocol", ["h1", "h2c"])
def test_a_half_closed_client_is_answered_in_time(authority, protocol):
    """Within a second of its end it may still wait for the answer."""

    def late(peer):
        peer.request()
        time.sleep(0.4)
        peer.send(OK)

    with waiting(authority, protocol, late) as (server, upstream, sock):
        half_close(sock)
        sock.settimeout(5)
        said = b""
        while piece := sock.recv(4096):
            said += piece
        assert b"ok" in said
