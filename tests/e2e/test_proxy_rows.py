"""`pollux proxy` over time and with many servers: refusals, departures, silence, queues, health, reloads."""

import signal
import threading
import time

import pytest

from lib import h2frames as h2
from lib.runner import Pollux
from lib.upstream import OK, Upstream, answers
from lib.wire import Wire, WireError, ask
from test_proxy_health import Sick, Slow, get
from test_proxy_table import (
    ADDED, CLIENTS, SERVERS, Answer, Cut, H1Client, H2Client, TablePeer, TlsUpstream, between, h1_request,
)  # fmt: skip
from test_proxy_upstream import ACCEPT, GET, HANDSHAKE, proxy, switches, through, until
from test_run import folder, serve  # noqa: F401
from test_supervise import generation_after

pytestmark = pytest.mark.short

BOTH = [pytest.param(client, server, id=f"{client}-{server}") for client in CLIENTS for server in SERVERS]


# --- Names with "_" -------------------------------------------------------------------------------

UNDERSCORES = ["X_Forwarded_For", "Remote_User", "_", "X-A_B", "__proto__", "Content_Length", "Transfer_Encoding", "Host_"]


@pytest.mark.parametrize("client,server", BOTH)
def test_names_with_underscores(client, server, authority):
    assert len(UNDERSCORES) == 8
    sent = [(name, str(at)) for at, name in enumerate(UNDERSCORES)] + [("X-A", "1")]
    kept = [(name.lower(), value) for name, value in sent]
    for flags, wanted in ((), [("x-a", "1")]), (("--keep-underscores",), kept):
        with between(client, server, Answer(), authority, *flags) as (asker, upstream):
            assert asker.ask("GET", sent, None, []).status == 200
            added = {"host", *(name for name, _ in ADDED)}
            assert [pair for pair in upstream.heads.pop().fields if pair[0] not in added] == wanted


# --- Informational answers that speak of framing --------------------------------------------------

INTERIM = [
    # (head of HTTP/1.1, the status that goes on, or none)
    (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 5\r\n\r\n", 103),
    (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nTransfer-Encoding: chunked\r\n\r\n", 103),
    (b"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nLink: </a>\r\n\r\n", 103),
    (b"HTTP/1.1 103 Early Hints\r\nContent-Length: 1\r\nContent-Length: 2\r\nLink: </a>\r\n\r\n", 103),
    (b"HTTP/1.1 102 Processing\r\nContent-Length: x\r\n\r\n", 102),
    (b"HTTP/1.1 199 Odd\r\nTransfer-Encoding: gzip, chunked\r\nTransfer-Encoding: foo\r\n\r\n", 199),
    (b"HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\n", None),
    (b"HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n", None),
]


@pytest.mark.parametrize("client", CLIENTS)
def test_informational_answers_have_no_content(client, authority):
    assert len(INTERIM) == 8

    def script(peer):
        for head, _ in INTERIM:
            peer.upstream.heads.append(h1_request(peer))
            peer.send(head + OK)

    cert, key = authority.issue("a", file="rows")
    listen = ["-l", "127.0.0.1:0", "-l", "https://127.0.0.1:0", "--tls-cert", cert, "--tls-key", key]
    with Upstream(script) as upstream, Pollux("proxy", "--log", "off", "-w", "1", *listen, upstream.url) as server:
        asker = H1Client(server, None) if client == "h1" else H2Client(server, authority if client == "h2" else None)
        for head, status in INTERIM:
            seen = asker.ask("GET", [], None, [])
            assert (seen.status, seen.content, seen.interim) == (200, b"ok", [status] if status else []), head
        assert len(upstream.peers) == 1  # each on the same connection: nothing was taken for content


@pytest.mark.parametrize("client", CLIENTS)
def test_informational_answers_of_http2_have_no_content(client, authority):
    def script(peer):
        server = TablePeer(peer)
        for length in ("5", "x"):
            stream, _ = server.asked()
            hints = h2.headers(stream, [(":status", "103"), ("link", "</a>"), ("content-length", length)], end=False)
            head = h2.headers(stream, [(":status", "200"), ("content-length", "2")], end=False)
            peer.send(hints + head + h2.data(stream, b"ok", end=True))
        peer.wait_end()

    cert, key = authority.issue("a", file="rows2")
    listen = ["-l", "127.0.0.1:0", "-l", "https://127.0.0.1:0", "--tls-cert", cert, "--tls-key", key]
    with Upstream(script) as upstream:
        with Pollux("proxy", "--log", "off", "-w", "1", *listen, "h2c://" + upstream.authority) as server:
            asker = H1Client(server, None) if client == "h1" else H2Client(server, authority if client == "h2" else None)
            for _ in range(2):
                seen = asker.ask("GET", [], None, [])
                assert (seen.status, seen.content, seen.interim) == (200, b"ok", [103])


# --- Refused here, with content coming ------------------------------------------------------------

EATEN = b"GET /eaten HTTP/1.1\r\nHost: a\r\n\r\n"
WITH_CONTENT = [
    # (framing, content, what else comes of it before the answer)
    (b"Content-Length: 5", b"hello"),
    (b"Content-Length: %d" % len(EATEN), EATEN),
    (b"Transfer-Encoding: chunked", b"%x\r\n%s\r\n0\r\n\r\n" % (len(EATEN), EATEN)),
    (b"Transfer-Encoding: chunked", b"5;x=y\r\nhello\r\n0\r\nGET: /eaten\r\n\r\n"),
    (b"Content-Length: 0", b""),
    (b"Content-Length: 200000", EATEN * (200000 // len(EATEN)) + b"x" * (200000 % len(EATEN))),
]


def test_content_of_a_refused_request_is_not_the_next_one(folder):  # noqa: F811
    assert len(WITH_CONTENT) == 6
    with Upstream() as upstream:
        text = f"""
route /deny {{
    deny all
    proxy {upstream.url}
}}
route /rate {{
    rate_limit {{path}} 1/h burst=1
    proxy {upstream.url}
}}
proxy {upstream.url}
"""
        with serve(folder, text) as server:
            assert ask(server.address, get(b"/rate")).status == 200
            for path, status in (b"/deny", 403), (b"/rate", 429):
                for framing, content in WITH_CONTENT:
                    head = b"POST %s HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n" % (path, framing)
                    for sent in ([head + content + GET], [head, content, GET], [head, content[:3], content[3:] + GET]):
                        with Wire(server.address) as wire:
                            for piece in sent:
                                wire.send(piece)
                                time.sleep(0.002)
                            assert wire.reply().status == status, (path, framing)
                            assert wire.reply().content == b"ok", (path, framing)
            # What waits for 100 (Continue) is told otherwise, and has sent nothing.
            with Wire(server.address) as wire:
                wire.send(b"POST /deny HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
                refused = wire.reply()
                assert refused.status == 403
                if not refused.says_close:
                    wire.send(b"hello" + GET)
                    assert wire.reply().content == b"ok"
        assert all(b"/eaten" not in head and b"/deny" not in head for head in upstream.heads)


def test_content_of_a_refused_stream_is_dropped(folder):  # noqa: F811
    with Upstream() as upstream:
        text = f"route /deny {{\n deny all\n proxy {upstream.url}\n}}\nproxy {upstream.url}\n"
        with serve(folder, text) as server, h2.H2Wire(server.address) as wire:
            fields = [(":method", "POST"), (":scheme", "http"), (":path", "/deny"), (":authority", "a")]
            wire.request(1, fields, b"x" * 60000, end=False)
            state = wire.judge.stream(1)
            wire.until(lambda: state.over, "an end")
            assert state.status == 403
            wire.request(3, [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")])
            assert wire.response(3).content == b"ok"
        assert len(upstream.heads) == 1


# --- A client leaves while the server thinks ------------------------------------------------------


class Thinking:
    """Answers but the first request, which it is left alone with."""

    def __init__(self, kind):
        self.kind, self.first = kind, True

    def __call__(self, peer):
        server = TablePeer(peer) if self.kind == "h2c" else None
        while True:
            stream, asked = server.asked() if server else (0, h1_request(peer))
            thinks, self.first = self.first, False
            peer.upstream.heads.append(asked)
            if thinks and server:
                server.cancelled(stream)
            elif thinks:
                return peer.wait_end()
            elif server:
                server.answer(stream)
            else:
                peer.send(OK)


@pytest.mark.parametrize("how", ["reset", "end"])
@pytest.mark.parametrize("client,server", BOTH)
def test_a_client_leaves_while_its_server_thinks(client, server, how, authority):
    cert, key = authority.issue("a", file="rows3")
    listen = ["-l", "127.0.0.1:0", "-l", "https://127.0.0.1:0", "--tls-cert", cert, "--tls-key", key]
    script = Thinking(server)
    upstream = TlsUpstream(script, authority) if server == "https" else Upstream(script)
    url = upstream.url.replace("http:", "h2c:") if server == "h2c" else upstream.url
    flags = ["--log", "json", "-w", "1", "--fails", "1", "--tries", "1"]
    flags += ["--upstream-ca", authority.path] if server == "https" else []
    with upstream, Pollux("proxy", *listen, *flags, url) as pollux:

        def asker():
            return H1Client(pollux, None) if client == "h1" else H2Client(pollux, authority if client == "h2" else None)

        first = asker()
        if client == "h1":
            first.wire.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
            until(lambda: upstream.heads)
            first.wire.close_with_reset() if how == "reset" else first.wire.close()
        else:
            pairs = [(":method", "GET"), (":scheme", first.scheme), (":path", "/x"), (":authority", "a")]
            first.wire.request(1, pairs)
            until(lambda: upstream.heads)
            first.wire.send(h2.rst(1, h2.CANCEL)) if how == "reset" else first.wire.close()
        assert upstream.ended.wait(5)
        assert asker().ask("GET", [], None, []).content == b"ok"  # it was not blamed
        out = pollux.wait_stdout(lambda out: out.count(b"\n") >= 2)
        assert b'"status":499' in out and b'"status":200' in out
        assert "is out" not in pollux.stderr


# --- Silence inside an answer ---------------------------------------------------------------------


@pytest.mark.parametrize("length", [True, False], ids=["length", "chunked"])
@pytest.mark.parametrize("client,server", BOTH)
def test_silence_inside_an_answer(client, server, length, authority):
    answer = Answer(length=length, whole=False, stalls=True)
    with between(client, server, answer, authority, "--timeout-upstream", "150ms") as (asker, upstream):
        with pytest.raises(Cut):
            asker.ask("GET", [], None, [])
        assert upstream.ended.wait(5)


# --- A server at its limit ------------------------------------------------------------------------


def test_streams_wait_in_order_and_leave():
    slow = Slow()
    with through(slow, "--max-upstream", "1", "--queue", "3") as (server, _), h2.H2Wire(server.address) as wire:
        for stream in (1, 3, 5, 7):
            wire.request(stream, [(":method", "GET"), (":scheme", "http"), (":path", f"/{stream}"), (":authority", "a")])
            until(lambda: slow.paths)
        reply = ask(server.address, get(b"/full"))
        assert (reply.status, reply.value("Retry-After")) == (503, "1")
        wire.send(h2.rst(5, h2.CANCEL))
        with Wire(server.address) as other:  # its place is free
            until(lambda: b'"status":499' in server.stdout)  # it has left
            other.send(get(b"/9"))
            time.sleep(0.05)
            for _ in range(4):
                slow.go.release()
            for stream in (1, 3, 7):
                assert wire.response(stream).content == b"ok"
            assert other.reply().content == b"ok"
        assert slow.paths == [b"/1", b"/3", b"/7", b"/9"]


# --- Checks ---------------------------------------------------------------------------------------

BAD = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"


class Told:
    """A server whose answers to checks are a list; behind its end the last of them."""

    def __init__(self, *replies):
        self.replies, self.checks = list(replies), 0

    def __call__(self, peer):
        while True:
            head, _ = peer.request()
            if not head.startswith(b"GET /up "):
                peer.send(OK)
                continue
            self.checks += 1
            peer.send(self.replies.pop(0) if len(self.replies) > 1 else self.replies[0])


def checked(*upstreams, **more):
    """An upstream of those, checked each 20 ms; `more` are further lines."""
    lines = "".join(f"    server {upstream.url.removeprefix('http://')}\n" for upstream in upstreams)
    more = "".join(f"    {line}\n" for line in more.pop("lines", []))
    return f"upstream app {{\n    balance roundrobin\n{lines}{more}}}\nproxy app\n"


def test_only_checks_in_a_row_count(folder):  # noqa: F811
    told = Told(*[OK, BAD] * 6, OK, BAD, BAD, OK, OK)
    other = Told(OK)
    with Upstream(told) as first, Upstream(other) as second:
        with serve(folder, checked(first, second, lines=["check /up every=20ms timeout=2s fall=2 rise=2"])) as server:
            server.wait_stderr("is down by its checks: the last was answered 500")
            assert told.checks >= 15
            server.wait_stderr("is up again by its checks")
            assert server.stderr.count("is down by its checks") == 1


def test_a_check_that_a_reload_cancels_is_no_failure(folder):  # noqa: F811
    asked, go = threading.Semaphore(0), threading.Event()

    def slow(peer):
        while True:
            head, _ = peer.request()
            if head.startswith(b"GET /up "):
                asked.release()
                go.wait(5)
            peer.send(OK)

    with Upstream(slow) as first, Upstream(Sick()) as second:
        text = "pid_file p\n" + checked(first, second, lines=["check /up every=20ms timeout=5s fall=1 rise=1"])
        with serve(folder, text) as server:
            for _ in range(3):
                assert asked.acquire(timeout=5)
                before = server.children()
                server.signal(signal.SIGHUP)
                generation_after(server, before, 1)
            assert asked.acquire(timeout=5)
            go.set()
            assert {ask(server.address, GET).status for _ in range(6)} == {200}
            assert "is down" not in server.stderr


def test_failures_are_counted_over_a_reload(folder):  # noqa: F811
    def fails(peer):
        peer.request()

    with Upstream(fails) as bad, Upstream() as good:
        with serve(folder, "pid_file p\n" + checked(bad, good, lines=["fails 2 within=1m backoff=1m"])) as server:
            statuses = [ask(server.address, GET).status for _ in range(2)]
            assert sorted(statuses) == [200, 502] and "is out" not in server.stderr
            before = server.children()
            server.signal(signal.SIGHUP)
            generation_after(server, before, 1)
            until(lambda: len(server.children()) == 1)
            statuses = [ask(server.address, GET).status for _ in range(8)]
            assert statuses.count(502) == 1, statuses
            assert "is out for failures" in server.stderr


@pytest.mark.parametrize("down,of,asked", [(1, 1, 1), (1, 3, 2), (2, 3, 3), (1, 2, 1), (3, 4, 4)])
def test_more_than_half_down_by_checks_is_a_panic(folder, down, of, asked):  # noqa: F811
    upstreams = [Upstream(Told(BAD if at < down else OK)) for at in range(of)]
    for upstream in upstreams:
        upstream.__enter__()
    with serve(folder, checked(*upstreams, lines=["check /up every=20ms fall=2", "slow_start off"])) as server:
        server.wait_stderr("is down by its checks", count=down)
        before = [sum(b"/up" not in head for head in upstream.heads) for upstream in upstreams]
        for _ in range(12):
            assert ask(server.address, GET).status == 200
        after = [sum(b"/up" not in head for head in upstream.heads) for upstream in upstreams]
        assert sum(new > old for old, new in zip(before, after)) == asked
        assert ("fewer than half of the servers are up: all are asked" in server.stderr) == (2 * (of - down) < of)
    for upstream in upstreams:
        upstream.__exit__()


def test_no_server_starts_slowly_with_its_process():
    with Upstream() as first, Upstream() as second, proxy(first, second, flags=("--slow-start", "10m")) as server:
        for _ in range(20):
            assert ask(server.address, GET).status == 200
        assert (len(first.heads), len(second.heads)) == (10, 10)


STATUSES = (400, 401, 403, 404, 405, 407, 408, 409, 410, 413, 421, 425, 429, 431, 451, 499, 500, 501, 502, 503, 504)


def test_no_status_is_a_failure():
    left = list(STATUSES)
    assert len(left) == 21

    def script(peer):
        while True:
            peer.request()
            peer.send(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % left.pop(0))

    with through(script, "--fails", "1", "--tries", "1") as (server, upstream):
        assert [ask(server.address, GET).status for _ in STATUSES] == list(STATUSES)
        assert len(upstream.heads) == len(STATUSES) and "is out" not in server.stderr


# --- By a key -------------------------------------------------------------------------------------


def named(name):
    return answers(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + name)


def test_of_a_hash_only_the_keys_of_the_one_that_is_gone_move():
    servers = [Upstream(named(b"%d" % at)) for at in range(5)]
    for upstream in servers:
        upstream.__enter__()
    keys = [b"/%d" % key for key in range(100)]
    with proxy(*servers, flags=("--balance", "hash={path}", "--fails", "1")) as server, Wire(server.address) as wire:

        def spread():
            seen = {}
            for key in keys:
                wire.send(get(key))
                seen[key] = wire.reply().content
            return seen

        before = spread()
        assert spread() == before
        shares = [list(before.values()).count(b"%d" % at) for at in range(5)]
        assert min(shares) >= 8 and max(shares) <= 35, shares
        servers[2].__exit__()
        after = spread()
        assert {key for key in keys if before[key] != after[key]} == {key for key in keys if before[key] == b"2"}
        moved = [after[key] for key in keys if before[key] == b"2"]
        assert len(set(moved)) > 1  # to several
    for upstream in servers:
        upstream.__exit__()


def test_one_key_does_not_bury_its_server():
    """A server with half as much again as its share is passed over."""
    slow = [Slow() for _ in range(3)]
    with Upstream(slow[0]) as one, Upstream(slow[1]) as two, Upstream(slow[2]) as three:
        with proxy(one, two, three, flags=("--balance", "hash={path}")) as server:
            wires = [Wire(server.address) for _ in range(12)]
            for wire in wires:
                wire.send(get(b"/same"))
            until(lambda: sum(len(each.paths) for each in slow) == 12)
            loads = sorted(len(each.paths) for each in slow)
            assert loads == [0, 6, 6]
            for each in slow:
                for _ in range(12):
                    each.go.release()
            for wire in wires:
                assert wire.reply().content == b"ok"
                wire.close()


# --- Reloads --------------------------------------------------------------------------------------


def test_tunnels_of_many_reloads_are_capped():
    """Each worker holds a WebSocket; four old ones are left to it, those before them have told both sides 1001."""
    with through(switches(first=b"\x81\x05first"), "--timeout-drain", "1s") as (server, upstream):
        wires = []
        for count in range(10):
            wire = Wire(server.address)
            wire.send(HANDSHAKE)
            until(lambda: wire._collect() or wire.received.endswith(b"first"))
            assert ACCEPT in wire.received
            wires.append((wire, upstream.peers[-1]))
            if count < 9:
                server.signal(signal.SIGHUP)
                server.wait_stderr("reloaded: 1 new worker serves", count=count + 1)
                until(lambda: len(server.accepting()) == 1, 10)  # the old one may take one more until then
        for wire, peer in wires[:5]:
            until(lambda: wire._collect() or wire.received.endswith(b"\x88\x02\x03\xe9"))
            until(lambda: peer.received[-8:-6] == b"\x88\x82")
        until(lambda: len(server.children()) == 5, 10)
        for wire, peer in wires[5:]:
            wire.send(b"\x81\x80abcd")
            until(lambda: peer.received.endswith(b"\x81\x80abcd"))
            assert not wire._collect() and wire.received.endswith(b"first")
        for wire, _ in wires:
            wire.close()
