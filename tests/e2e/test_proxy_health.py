"""`pollux proxy`: which servers are asked, checks of them, and what they are told of connections."""

import re
import signal
import struct
import threading
import time

import pytest

from lib.runner import PROGRAM, Pollux, Server
from lib.upstream import OK, Upstream, answers
from lib.wire import Wire, ask
from test_proxy_upstream import GET, proxy, through, until

pytestmark = pytest.mark.short

FAST = ("--check", "/up", "--slow-start", "off")


class Sick:
    """A server whose answers to checks are as it is told."""

    def __init__(self):
        self.reply = OK
        self.checks = 0

    def __call__(self, peer):
        while True:
            head, _ = peer.request()
            if head.startswith(b"GET /up "):
                self.checks += 1
                peer.send(self.reply)
            else:
                peer.send(OK)


def often(tmp_path, *upstreams, workers=1, timeout="5s"):
    """As FAST, but often: the command line has no word for that."""
    lines = "".join(f"    server {upstream.authority}\n" for upstream in upstreams)
    path = tmp_path / "pollux.conf"
    path.write_text(f"""listen 127.0.0.1:0
workers {workers}
log off
upstream app {{
    balance roundrobin
{lines}    slow_start off
    check /up every=100ms timeout={timeout}
}}
proxy app
""")
    return Server([PROGRAM, "run", "-c", path], cwd=tmp_path)


def test_checks_take_a_server_out_and_in_again(tmp_path):
    sick = Sick()
    with Upstream(sick) as first, Upstream(Sick()) as second, Upstream(Sick()) as third:
        with often(tmp_path, first, second, third, workers=2) as server:
            until(lambda: sick.checks >= 1)
            assert b"GET /up HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % first.authority.encode() in first.heads
            sick.reply = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
            until(lambda: "is down by its checks: the last was answered 500" in server.stderr, 15)
            seen = len([head for head in first.heads if b"/up" not in head])
            for _ in range(12):
                assert ask(server.address, GET).status == 200
            assert len([head for head in first.heads if b"/up" not in head]) == seen
            sick.reply = OK
            until(lambda: "is up again by its checks" in server.stderr, 15)
            for _ in range(12):
                ask(server.address, GET)
            assert len([head for head in first.heads if b"/up" not in head]) > seen


def test_checks_read_content_and_end_without_a_reset():
    ends = []

    def page(peer):
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200000)
        try:
            ends.append(peer.sock.recv(1))
        except OSError as error:
            ends.append(error)

    with Upstream(page) as first, proxy(first, flags=FAST):
        until(lambda: len(ends) >= 2, 10)
    assert set(ends) == {b""}


def test_checks_do_not_wait_for_an_end(tmp_path):
    def stream(peer):
        peer.request()
        peer.send(b"HTTP/1.1 500 No\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        peer.wait_end()

    with Upstream(stream) as first, Upstream() as second, Upstream() as third:
        with often(tmp_path, first, second, third, timeout="200ms") as server:
            until(lambda: "is down by its checks: the last was answered 500" in server.stderr, 15)


def test_one_worker_checks_for_all(tmp_path):
    sick = Sick()
    with Upstream(sick) as upstream, often(tmp_path, upstream, workers=4):
        until(lambda: sick.checks >= 1)
        time.sleep(0.6)
        assert 2 <= sick.checks <= 9  # give or take a tenth; four workers would make 24


def test_health_is_one_for_all_workers_and_lives_on_across_a_reload():
    def fails(peer):
        peer.request()

    with Upstream(fails) as bad, Upstream() as good:
        flags = ("--fails", "2", "--slow-start", "10m")
        with proxy(bad, good, flags=flags, workers=2) as server:
            statuses = [ask(server.address, GET).status for _ in range(40)]
            assert 2 <= statuses.count(502) <= 3, statuses
            server.signal(signal.SIGHUP)
            time.sleep(1.5)
            # Back for a moment only, and then with a thousandth of its share.
            statuses = [ask(server.address, GET).status for _ in range(40)]
            assert statuses.count(502) <= 1, statuses


def test_a_server_that_is_back_starts_slowly():
    ok = threading.Event()

    def recovers(peer):
        while True:
            peer.request()
            if not ok.is_set():
                return
            peer.send(OK)

    with Upstream(recovers) as first, Upstream() as second:
        with proxy(first, second, flags=("--fails", "1", "--slow-start", "4s")) as server:
            for _ in range(4):
                ask(server.address, GET)
            ok.set()
            time.sleep(1.1)
            before = len(first.heads)
            for _ in range(40):
                ask(server.address, GET)
            assert len(first.heads) - before <= 8
            time.sleep(4)
            before = len(first.heads)
            for _ in range(40):
                ask(server.address, GET)
            assert len(first.heads) - before == 20


def test_panic_asks_all():
    def fails(peer):
        peer.request()

    with Upstream(fails) as first, Upstream(fails) as second, Upstream() as third:
        with proxy(first, second, third, flags=("--fails", "1")) as server:
            for _ in range(6):
                ask(server.address, GET)
            assert "fewer than half of the servers are up: all are asked" in server.stderr
            assert len(first.heads) + len(second.heads) >= 2


# --- What waits ---------------------------------------------------------------------------------


class Slow:
    """Answers when it is let."""

    def __init__(self):
        self.go = threading.Semaphore(0)
        self.paths = []

    def __call__(self, peer):
        while True:
            head, _ = peer.request()
            self.paths.append(head.split()[1])
            self.go.acquire()
            peer.send(OK)


def get(path):
    return b"GET %s HTTP/1.1\r\nHost: a.example\r\n\r\n" % path


def test_what_waits_is_served_in_order_and_leaves():
    slow = Slow()
    with through(slow, "--max-upstream", "1", "--queue", "3") as (server, _):
        wires = [Wire(server.address) for _ in range(4)]
        for index, wire in enumerate(wires):
            wire.send(get(b"/%d" % index))
            until(lambda: slow.paths) if index == 0 else time.sleep(0.1)
        reply = ask(server.address, get(b"/full"))
        assert (reply.status, reply.value("Retry-After")) == (503, "1")
        wires[2].close_with_reset()  # it has left, and is not asked for
        time.sleep(0.2)
        for _ in range(3):
            slow.go.release()
        for index in (0, 1, 3):
            assert wires[index].reply().content == b"ok"
        assert slow.paths == [b"/0", b"/1", b"/3"]
        for wire in wires:
            wire.close()


def test_what_waits_too_long():
    slow = Slow()
    with through(slow, "--max-upstream", "1", "--timeout-queue", "300ms") as (server, _):
        with Wire(server.address) as first:
            first.send(get(b"/0"))
            until(lambda: slow.paths)
            begun = time.monotonic()
            reply = ask(server.address, get(b"/1"))
            assert (reply.status, reply.value("Retry-After")) == (503, "1")
            assert 0.25 < time.monotonic() - begun < 2
            slow.go.release()
            assert first.reply().content == b"ok"


# --- What servers are told ----------------------------------------------------------------------


def test_send_proxy_version_1():
    def script(peer):
        while b"\r\n" not in peer.received:
            peer.more()
        line, peer.received = peer.received.split(b"\r\n", 1)
        lines.append(line)
        answers()(peer)

    lines = []
    with through(script, "--send-proxy", "v1") as (server, upstream):
        with Wire(server.address) as wire:
            for _ in range(2):
                wire.send(GET)
                assert wire.reply().content == b"ok"
        assert len(lines) == 2  # a connection is one client's
    for line in lines:
        assert re.fullmatch(rb"PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ %d" % server.address[1], line)


def test_send_proxy_version_2():
    def script(peer):
        while len(peer.received) < 28:
            peer.more()
        blocks.append(peer.take(28))
        answers()(peer)

    blocks = []
    with through(script, "--send-proxy", "v2") as (server, _):
        assert ask(server.address, GET).content == b"ok"
    assert blocks[0][:16] == b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
    assert blocks[0][16:24] == bytes([127, 0, 0, 1] * 2)
    assert struct.unpack(">H", blocks[0][26:])[0] == server.address[1]


def test_a_certificate_for_servers(authority):
    cert, key = authority.issue("server", "127.0.0.1")
    own, own_key = authority.issue("client.example", client=True)
    argv = ["respond", "--log", "off", "-w", "1", "--tls-cert", cert, "--tls-key", key]
    argv += ["--tls-client-ca", authority.path, "-l", "https://127.0.0.1:0"]
    with Pollux(*argv) as secure:
        url = "https://127.0.0.1:%d" % secure.address[1]
        trust = ("--upstream-ca", authority.path)
        with proxy(url, flags=trust + ("--upstream-cert", own, "--upstream-key", own_key)) as server:
            assert ask(server.address, GET).content == b"Hello, world!"
        with proxy(url, flags=trust) as server:
            assert ask(server.address, GET).status == 502


WRONG = [
    (("--check", "up"), "--check up: it is a path, like /health"),
    (("--send-proxy", "v3"), "--send-proxy v3: it is v1 or v2"),
    (("--slow-start", "x"), "--slow-start"),
]


@pytest.mark.parametrize("flags,text", WRONG)
def test_flags_that_are_wrong(flags, text):
    from lib.runner import run

    assert len(WRONG) == 3
    code, _, err = run("proxy", *flags, "http://127.0.0.1:1")
    assert code == 64 and text in err
