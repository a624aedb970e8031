"""Clients that leave in the middle of an answer: its end is theirs, and its status the one that was sent.

The program's on_done, the log and metrics have to agree, over every protocol version, for every answer
that lasts, behind a proxy too, however the client leaves.
"""

import json
import re
import time

import pytest

from lib.runner import BUILD, Pollux, Server, parse_address
from lib.transport import TRANSPORTS
from lib.websocket import Socket
from lib.wire import DEADLINE_S, Wire

pytestmark = pytest.mark.short

PEER_GONE = 1
KINDS = {
    "events": ("/events?beat=1000000", 200),
    "producer": ("/wait?how=producer", 200),
    "pieces": ("/wait?how=pieces", 200),
    "never": ("/wait?how=never", 499),
    "socket": ("/socket?ping=100000", 101),
}
# A close_notify and a FIN; a FIN without a word of TLS, as of a program that was stopped; a reset.
WAYS = ["close", "cut", "reset"]


@pytest.fixture(scope="module")
def watched(authority):
    """A gallery that logs and counts."""
    cert, key = authority.issue("a", file="departures")
    argv = [BUILD / "gallery" / "gallery", "/dev/null", "127.0.0.1:0", "https://127.0.0.1:0"]
    env = {"GALLERY_CERT": str(cert), "GALLERY_KEY": str(key), "GALLERY_LOG": "1"}
    with Server(argv, env=env) as server:
        server.authority = authority
        yield server


@pytest.fixture(scope="module")
def gateway(watched, authority):
    """A proxy in front of it."""
    cert, key = authority.issue("a", file="departures-proxy")
    argv = ["proxy", watched.url, "-w", "1", "--log", "json", "--tls-cert", cert, "--tls-key", key]
    with Pollux(*argv, "-l", "127.0.0.1:0", "-l", "https://127.0.0.1:0", "--metrics", "127.0.0.1:0") as server:
        server.authority = authority
        server.metrics = parse_address(server.wait_stderr(r"metrics on (\S+)")[0][1])
        yield server


def begin(server, transport, kind, name):
    """Asks for what lasts; the connection, once the answer has begun."""
    target = f"{KINDS[kind][0]}&name={name}"
    if kind == "socket":
        socket = Socket.open(transport, server, target)
        return socket.client.h2.wire if transport.is_h2 else socket.client.wire
    client = transport.client(server)
    client.send("GET", target)
    if not transport.is_h2:
        wire = client.wire
        while kind != "never" and len(wire.received.partition(b"\r\n\r\n")[2]) < 6:
            assert wire._more(time.monotonic() + DEADLINE_S)
        return wire
    if kind != "never":
        client.h2.until(lambda: client.h2.judge.stream(1).content, "the first bytes")
    return client.h2.wire


def leave(wire, way):
    if way == "reset":
        wire.close_with_reset()
    elif way == "close":
        wire.half_close()  # with TLS: says close_notify
        wire.close()
    else:
        wire.sock.close()


def told(server, names):
    """What on_done was told of each: px_end and status."""
    found, end = {}, time.monotonic() + DEADLINE_S
    while set(found) != names:
        assert time.monotonic() < end, f"these have not ended: {names - set(found)}"
        with TRANSPORTS[0].client(server) as client:
            lines = client.ask("GET", "/ends").content.decode().splitlines()
        for name, reason, status in map(str.split, lines):
            assert name not in found, f"{name} has ended twice"
            found[name] = (int(reason), int(status))
        time.sleep(0.05)
    return found


def logged(server, names):
    """Likewise of the log: how it ended, and the status."""

    def lines(out):
        found = {}
        for line in map(json.loads, out.decode().splitlines()):
            name = re.search(r"name=([^&]*)", line["target"])
            if name and name[1] in names:
                assert name[1] not in found, f"{name[1]} has two lines"
                found[name[1]] = (line["ended"], line["status"])
        return found

    return lines(server.wait_stdout(lambda out: out.endswith(b"\n") and set(lines(out)) == names, DEADLINE_S))


def metrics(address):
    with Wire(address) as wire:
        wire.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        return wire.reply().content.decode()


def fail_none(text):
    """Nothing that is counted says that we, or a server behind us, failed, or that it took too long."""
    assert set(re.findall(r'error_type="([^"]*)"', text)) == {"client"}
    timeouts = re.findall(r"^pollux_timeouts_total\S* (\d+)$", text, re.MULTILINE)
    assert len(timeouts) >= 5 and set(timeouts) == {"0"}


@pytest.mark.parametrize("proxied", [False, True], ids=["handler", "proxied"])
@pytest.mark.parametrize("transport", TRANSPORTS, ids=lambda transport: transport.name)
def test_clients_that_leave(watched, gateway, transport, proxied):
    server, cases, wires = gateway if proxied else watched, {}, []
    for kind in KINDS:
        for way in WAYS:
            name = f"{kind}-{way}-{transport.name.replace('+', '')}{'-proxied' * proxied}"
            cases[name] = 200 if kind == "socket" and transport.is_h2 else KINDS[kind][1]
            wires.append((begin(server, transport, kind, name), way))
    assert len(cases) == 15
    time.sleep(0.1)  # those that are not answered have come
    for wire, way in wires:
        leave(wire, way)
    assert logged(server, set(cases)) == {name: ("client", status) for name, status in cases.items()}
    # What lies behind a proxy hears of it as well: there all are HTTP/1.1.
    behind = {name: (PEER_GONE, KINDS[name.split("-")[0]][1] if proxied else status) for name, status in cases.items()}
    assert told(watched, set(cases)) == behind
    fail_none(metrics(watched.addresses[0]))
    if proxied:
        fail_none(metrics(server.metrics))
