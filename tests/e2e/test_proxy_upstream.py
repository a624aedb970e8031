"""`pollux proxy`: what servers get, what clients get, byte for byte, with scripted servers behind it."""

import base64
import hashlib
import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest

from lib.runner import Pollux
from lib.upstream import OK, Upstream, answers, closed_port
from lib.wire import Wire, WireError, WireReset, ask

pytestmark = pytest.mark.short

GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello"
ADDED = (
    b"X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n"
    b"X-Forwarded-Host: a.example\r\nVia: 1.1 pollux\r\n"
)


@contextmanager
def proxy(*servers, flags=(), workers=1):
    urls = [server if isinstance(server, str) else server.url for server in servers]
    with Pollux("proxy", "--log", "json", "-w", str(workers), *flags, *urls) as server:
        yield server


@contextmanager
def through(script, *flags):
    """A proxy in front of one scripted server."""
    with Upstream(script) as upstream, proxy(upstream, flags=flags) as server:
        yield server, upstream


def until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


# --- What servers get ---------------------------------------------------------------------------

REQUESTS = [
    # (what a client sends, the head that its server gets)
    (GET, b"GET / HTTP/1.1\r\nHost: a.example\r\n" + ADDED + b"\r\n"),
    (
        b"GET /a%2Fb?c=d HTTP/1.1\r\nHost: a.example\r\nConnection: close, X-A\r\nX-A: 1\r\nKeep-Alive: 5\r\n\r\n",
        b"GET /a%2Fb?c=d HTTP/1.1\r\nHost: a.example\r\n" + ADDED + b"\r\n",
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: X-Forwarded-For\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.example\r\n" + ADDED + b"\r\n",
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a.example\r\nTE: trailers, gzip\r\nConnection: TE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.example\r\n" + ADDED + b"TE: trailers\r\nConnection: TE\r\n\r\n",
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a.example\r\nTE: trailers;q=0.5\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.example\r\n" + ADDED + b"\r\n",
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Port: 1\r\n"
        b"Forwarded: for=6.6.6.6\r\nRemote_User: root\r\nX_Forwarded_For: 6.6.6.6\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.example\r\n" + ADDED + b"\r\n",
    ),
    (
        b"GET http://b.example:8/x?y HTTP/1.1\r\nHost: b.example:8\r\n\r\n",
        b"GET /x?y HTTP/1.1\r\nHost: b.example:8\r\n" + ADDED.replace(b"a.example", b"b.example:8") + b"\r\n",
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
        b"Connection: Upgrade, HTTP2-Settings\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.example\r\n" + ADDED + b"\r\n",
    ),
    (
        b"OPTIONS /x HTTP/1.1\r\nHost: a.example\r\nMax-Forwards: 3\r\n\r\n",
        b"OPTIONS /x HTTP/1.1\r\nHost: a.example\r\n"
        + ADDED.replace(b"Via", b"Max-Forwards: 2\r\nVia")
        + b"\r\n",
    ),
    (
        b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a.example\r\n" + ADDED + b"Content-Length: 0\r\n\r\n",
    ),
    (
        POST,
        b"POST / HTTP/1.1\r\nHost: a.example\r\n" + ADDED + b"Content-Length: 5\r\n\r\n",
    ),
]


def test_heads_are_written_anew():
    assert len(REQUESTS) == 11
    with through(answers()) as (server, upstream):
        for sent, wanted in REQUESTS:
            assert ask(server.address, sent).content == b"ok"
            assert upstream.heads.pop() == wanted, sent


def test_a_trusted_peer_is_added_to():
    with through(answers(), "--trust-proxy", "127.0.0.0/8", "--forwarded") as (server, upstream):
        ask(server.address, GET[:-2] + b"X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n\r\n")
        head = upstream.heads.pop()
    assert b"\r\nX-Forwarded-For: 1.2.3.4, 127.0.0.1\r\n" in head
    assert b"\r\nX-Forwarded-Proto: https\r\n" in head
    assert b'\r\nForwarded: for=127.0.0.1;host="a.example";proto=http\r\n' in head


@pytest.mark.parametrize("flag,wanted", [("pass", b"a.example"), ("upstream", None), ("b.example", b"b.example")])
def test_host(flag, wanted):
    with through(answers(), "--host", flag) as (server, upstream):
        ask(server.address, GET)
        assert b"\r\nHost: " + (wanted or upstream.authority.encode()) + b"\r\n" in upstream.heads.pop()


HERE = [
    (GET[:-2] + b"Via: 1.0 a, 1.1 pollux\r\n\r\n", 508),
    (b"OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n", 204),
    (b"TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n", 405),
    (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 405),
    (GET[:-2] + b"Connection: " + b",".join(b"x%d" % i for i in range(17)) + b"\r\n\r\n", 400),
    (GET[:-2] + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n", 400),
]


def test_what_is_answered_here():
    assert len(HERE) == 6
    with through(answers()) as (server, upstream):
        for sent, status in HERE:
            assert ask(server.address, sent).status == status, sent
        assert not upstream.heads


def test_chunked_content_is_chunked_anew():
    def script(peer):
        head = peer.head()
        assert b"\r\nTransfer-Encoding: chunked\r\n" in head
        while not peer.received.lower().endswith(b"\r\n0\r\nx: y\r\n\r\n"):
            peer.more()
        peer.send(OK)

    with through(script) as (server, upstream):
        sent = b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n"
        assert ask(server.address, sent).status == 200
        got = upstream.peers[0].received
    chunks = got[: got.index(b"\r\n0\r\n")].split(b"\r\n")
    assert b"".join(chunks[1::2]) == b"abcde", got  # and no extension of a chunk, RFC 9112 section 7.1.1
    assert [int(size, 16) for size in chunks[::2]] == [len(chunk) for chunk in chunks[1::2]]


def test_expect_is_ours():
    with through(answers()) as (server, upstream), Wire(server.address) as wire:
        wire.send(POST.replace(b"\r\n\r\nhello", b"\r\nExpect: 100-continue\r\n\r\n"))
        assert wire.reply().status == 100
        wire.send(b"hello")
        assert wire.reply().status == 200
        assert upstream.contents == [b"hello"] and b"Expect" not in upstream.heads[0]


def test_expect_waits_for_a_connection():
    with proxy(closed_port()) as server, Wire(server.address) as wire:
        wire.send(POST.replace(b"\r\n\r\nhello", b"\r\nExpect: 100-continue\r\n\r\n"))
        assert wire.reply().status == 502


# --- What clients get ---------------------------------------------------------------------------

BAD_ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: foo\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
    b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n",
    b"hello\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20000 + b"\r\n\r\n",
    b"HTTP/1.1 20",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
    b"",
]


def final(wire):
    reply = wire.reply()
    while reply.status < 200:
        reply = wire.reply()
    return reply


def test_an_answer_that_breaks_the_protocol_is_502():
    assert len(BAD_ANSWERS) == 20
    for answer in BAD_ANSWERS:

        def script(peer):
            peer.request()
            peer.send(answer)

        with through(script) as (server, upstream), Wire(server.address) as wire:
            wire.send(GET)
            reply = final(wire)
            assert (reply.status, reply.content) == (502, b"502 Bad Gateway\n"), answer
            wire.send(GET)  # the client's connection is none the worse
            assert final(wire).status == 502
            assert len(upstream.heads) == 2, answer


GOOD_ANSWERS = [
    # (method, the server's answer, status, content, fields that are there, fields that are not)
    ("GET", OK, 200, b"ok", {"Via": "1.1 pollux", "Content-Length": "2"}, []),
    ("GET", b"HTTP/1.0 200 OK\r\n\r\nto the end", 200, b"to the end", {"Via": "1.0 pollux"}, ["Content-Length"]),
    (
        "GET",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
        200,
        b"abc",
        {"Transfer-Encoding": "chunked"},
        [],
    ),
    ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n", 200, b"", {"Content-Length": "77"}, []),
    ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", {}, ["Content-Length", "Transfer-Encoding"]),
    ("GET", b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 9\r\n\r\n", 304, b"", {"ETag": '"a"'}, []),
    (
        "GET",
        b"HTTP/1.1 200 OK\r\nConnection: X-A, close\r\nX-A: 1\r\nX-B: 2\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\n"
        b"Proxy-Authenticate: x\r\nContent-Length: 0\r\n\r\n",
        200,
        b"",
        {"X-B": "2"},
        ["X-A", "Keep-Alive", "Upgrade", "Proxy-Authenticate", "Connection"],
    ),
    ("GET", b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: x/1, y\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n", 426, b"",
     {"Upgrade": "x/1, y"}, []),
    ("GET", b"HTTP/1.1 500 Oh\r\nContent-Length: 3\r\n\r\nbad", 500, b"bad", {}, []),
    ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokMORE", 200, b"ok", {}, []),
    ("GET", b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"ok", {}, []),
]


def test_answers_are_written_anew():
    assert len(GOOD_ANSWERS) == 11
    for method, answer, status, content, there, absent in GOOD_ANSWERS:

        def script(peer):
            peer.request()
            peer.send(answer)

        with through(script) as (server, _), Wire(server.address) as wire:
            wire.send(GET.replace(b"GET", method.encode()))
            reply = wire.reply(head_only=method == "HEAD")
            assert (reply.status, reply.content) == (status, content), answer
            for name, value in there.items():
                assert reply.value(name) == value, answer
            for name in absent:
                assert not reply.values(name), (name, answer)


def test_informational_answers_go_on():
    def script(peer):
        peer.request()
        peer.send(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\n" + OK)

    with through(script) as (server, _), Wire(server.address) as wire:
        wire.send(GET)
        assert wire.reply().status == 102
        hints = wire.reply()
        assert (hints.status, hints.fields) == (103, [("Link", "</a>"), ("Link", "</b>")])
        assert wire.reply().status == 200
    with through(script) as (server, _), Wire(server.address) as wire:
        wire.send(b"GET / HTTP/1.0\r\n\r\n")
        assert wire.rest().startswith(b"HTTP/1.1 200 ")


def test_trailers_go_to_those_that_want_them():
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-T: 1\r\nContent-Length: 5\r\nAuthorization: x\r\n\r\n"
    with through(answers(answer)) as (server, _):
        assert ask(server.address, GET).trailers == []
        wanting = ask(server.address, GET[:-2] + b"TE: trailers\r\nConnection: TE\r\n\r\n")
        assert wanting.trailers == [("X-T", "1")]


CUT = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfew",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfew\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfewx",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfew\r\n0\r\n",
]


def test_a_cut_answer_is_seen_to_be_cut():
    assert len(CUT) == 4
    for answer in CUT:

        def script(peer):
            peer.request()
            peer.send(answer)

        with through(script) as (server, _), Wire(server.address) as wire:
            wire.send(GET)
            with pytest.raises(WireError):
                wire.reply()
            assert b"\r\n0\r\n\r\n" not in wire.received


def test_content_to_a_reset_is_cut():
    def script(peer):
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nsome")
        time.sleep(0.2)
        peer.reset()

    with through(script) as (server, _), Wire(server.address) as wire:
        wire.send(GET)
        with pytest.raises(WireError):
            wire.reply()


def test_silence_inside_an_answer_is_cut():
    def script(peer):
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfew")
        peer.wait_end()

    with through(script, "--timeout-upstream", "300ms") as (server, upstream), Wire(server.address) as wire:
        wire.send(GET)
        with pytest.raises(WireError):
            wire.reply()
        assert upstream.ended.wait(5)


def test_an_answer_that_its_server_cuts_is_logged_as_it_was_sent():
    def script(peer):
        peer.request()
        peer.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\nfew")
        time.sleep(0.1)
        peer.close()

    with through(script) as (server, _), Wire(server.address) as wire:
        wire.send(GET)
        with pytest.raises(WireError):
            wire.reply()
        entry = json.loads(server.wait_stdout(lambda out: b"\n" in out).splitlines()[0])
        assert (entry["status"], entry["ended"], entry["bytes"]) == (404, "upstream", 3)


def test_events_are_not_held_back():
    def script(peer):
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for number in range(3):
            peer.send(b"data: %d\n\n" % number)
            peer.upstream.ended.wait(5)
            peer.upstream.ended.clear()

    with through(script) as (server, upstream), Wire(server.address) as wire:
        wire.send(GET)
        for number in range(3):
            until(lambda: wire._collect() or b"data: %d\n\n" % number in wire.received)
            upstream.ended.set()


def test_a_slow_client_holds_the_server_back():
    sent = []

    def script(peer):
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (32 << 20))
        block = bytes(65536)
        for _ in range(512):
            peer.send(block)
            sent.append(len(block))

    with through(script) as (server, _), Wire(server.address, rcvbuf=65536) as wire:
        wire.sock.send(GET)
        last = -1
        while len(sent) != last:
            last = len(sent)
            time.sleep(0.5)
        assert sum(sent) < 24 << 20
        wire.sock.setblocking(True)
        left = 32 << 20
        while left > 0:
            chunk = wire.sock.recv(65536)
            assert chunk
            left -= len(chunk)


# --- Errors, retries ----------------------------------------------------------------------------


@pytest.mark.parametrize("request_bytes", [GET, POST])
def test_a_server_that_refuses_gives_way(request_bytes):
    with Upstream() as upstream, proxy(closed_port(), upstream) as server:
        for _ in range(4):
            assert ask(server.address, request_bytes).status == 200
        assert len(upstream.heads) == 4
        if request_bytes == POST:
            assert upstream.contents == [b"hello"] * 4


def test_turns_are_taken():
    with Upstream() as one, Upstream() as two, Upstream() as three, proxy(one, two, three) as server:
        for _ in range(9):
            assert ask(server.address, GET).status == 200
        assert [len(upstream.heads) for upstream in (one, two, three)] == [3, 3, 3]


def serves_one(peer, end):
    """Answers once; what comes next on the connection is read and the connection ends."""
    peer.request()
    peer.send(OK)
    if peer.index == 0:
        peer.head()
        end(peer)
        return
    while True:
        peer.request()
        peer.send(OK)


@pytest.mark.parametrize("end", [lambda peer: peer.close(), lambda peer: peer.reset()], ids=["eof", "reset"])
@pytest.mark.parametrize(
    "request_bytes,status,seen",
    [(GET, 200, 3), (GET.replace(b"GET", b"DELETE"), 200, 3), (POST.replace(b"POST", b"PUT"), 200, 3), (POST, 502, 2)],
    ids=["GET", "DELETE", "PUT", "POST"],
)
def test_a_kept_connection_that_ends(request_bytes, status, seen, end):
    with through(lambda peer: serves_one(peer, end)) as (server, upstream):
        assert ask(server.address, GET).status == 200
        assert ask(server.address, request_bytes).status == status
        assert len(upstream.heads) == seen


@pytest.mark.parametrize("flags,status", [((), 502), (("--retry-disconnect",), 200)])
def test_a_new_connection_that_ends(flags, status):
    with Upstream(lambda peer: peer.request()) as bad, Upstream() as good:
        with proxy(bad, good, flags=flags) as server:
            assert ask(server.address, GET).status == status
            assert (len(bad.heads), len(good.heads)) == (1, int(status == 200))


def test_half_a_status_line_is_not_retried():
    def script(peer):
        peer.request()
        peer.send(b"HTTP/1.1 2")

    with Upstream(script) as bad, Upstream() as good, proxy(bad, good, flags=("--retry-disconnect",)) as server:
        assert ask(server.address, GET).status == 502
        assert (len(bad.heads), len(good.heads)) == (1, 0)


def test_content_beyond_the_replay_buffer_is_not_sent_again():
    content = bytes(300000)

    def script(peer):
        if peer.index == 0:
            peer.request()
            peer.send(OK)
            peer.head()
            peer.take(200000)
            return
        peer.request()
        peer.send(OK)

    with through(script) as (server, upstream):
        assert ask(server.address, GET).status == 200
        put = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n"
        assert ask(server.address, put + content).status == 502
        assert len(upstream.heads) == 2


def test_tries_are_bounded():
    with proxy(*(closed_port() for _ in range(5)), flags=("--tries", "3")) as server:
        assert ask(server.address, GET).status == 502


def test_a_stale_connection_is_no_try():
    """With one try there is still one on a new connection (and not a second)."""
    for flags, seen in (("--tries", "1"), 3), (("--tries", "2"), 3):
        with through(lambda peer: serves_one(peer, lambda peer: peer.close()), *flags) as (server, upstream):
            assert ask(server.address, GET).status == 200
            assert ask(server.address, GET).status == 200
            assert len(upstream.heads) == seen


def test_a_server_that_is_out_is_asked_before_one_that_was():
    """The only one that is up has just refused: the other, out for a second, may be back by now."""
    with Upstream() as gone:
        port = int(gone.authority.rsplit(":", 1)[1])
    with Upstream() as first, proxy(first, gone, flags=("--fails", "2", "--balance", "roundrobin")) as server:
        for _ in range(4):
            assert ask(server.address, GET).status == 200
        server.wait_stderr(r"is out for failures")
        with Upstream(port=port) as back:
            first.__exit__()
            assert ask(server.address, GET).status == 200
            assert len(back.heads) == 1


def test_a_handshake_that_was_not_sent_is_tried_again():
    with Upstream(switches()) as upstream, proxy(closed_port(), upstream) as server, Wire(server.address) as wire:
        wire.send(HANDSHAKE)
        until(lambda: wire._collect() or b"first" in wire.received)
        assert wire.received.startswith(b"HTTP/1.1 101 ")


def test_a_handshake_on_a_stale_connection_is_tried_again():
    def script(peer):
        if peer.index > 0:
            switches()(peer)
            return
        peer.request()
        peer.send(OK)
        peer.head()  # and the connection ends

    with through(script) as (server, upstream), Wire(server.address) as wire:
        wire.send(GET)
        assert wire.reply().status == 200
        wire.send(HANDSHAKE)
        until(lambda: wire._collect() or b"first" in wire.received)
        assert wire.received.startswith(b"HTTP/1.1 101 ") and len(upstream.peers) == 2


def test_times():
    def silent(peer):
        peer.request()
        peer.wait_end()

    with through(silent, "--timeout-first-byte", "200ms") as (server, upstream):
        assert ask(server.address, GET).status == 504
        assert upstream.ended.wait(5)


def test_all_tries_have_one_deadline():
    def silent(peer):
        peer.request()
        peer.wait_end()

    with through(silent, "--timeout-tries", "200ms", "--tries", "5") as (server, upstream):
        assert ask(server.address, GET).status == 504
        assert upstream.ended.wait(5) and len(upstream.heads) == 1


def test_a_full_server_and_its_queue():
    def slow(peer):
        peer.request()
        peer.upstream.ended.wait(5)
        peer.send(OK)

    flags = ("--max-upstream", "1", "--queue", "1", "--timeout-queue", "400ms")
    with through(slow, *flags) as (server, upstream):
        with Wire(server.address) as first, Wire(server.address) as second:
            first.send(GET)
            until(lambda: len(upstream.heads) == 1)
            second.send(GET)
            time.sleep(0.1)
            third = ask(server.address, GET)
            assert (third.status, third.value("Retry-After")) == (503, "1")
            late = second.reply()
            assert (late.status, late.value("Retry-After")) == (503, "1")
            upstream.ended.set()
            assert first.reply().status == 200


def test_a_client_that_leaves_frees_its_place_in_the_queue():
    def slow(peer):
        while True:
            peer.request()
            peer.upstream.ended.wait(5)
            peer.send(OK)

    with through(slow, "--max-upstream", "1", "--queue", "1") as (server, upstream):
        with Wire(server.address) as first:
            first.send(GET)
            until(lambda: len(upstream.heads) == 1)
            with Wire(server.address) as second:
                second.send(GET.replace(b"/", b"/left", 1))
                time.sleep(0.1)
                second.close_with_reset()
            with Wire(server.address) as third:
                time.sleep(0.2)
                third.send(GET)
                time.sleep(0.1)
                upstream.ended.set()
                assert first.reply().status == 200
                assert third.reply().status == 200
        assert not any(b"/left" in head for head in upstream.heads)


# --- Both at once -------------------------------------------------------------------------------


def test_an_early_answer_comes_at_once():
    def script(peer):
        peer.head()
        peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        peer.wait_end()

    with through(script) as (server, upstream), Wire(server.address) as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + bytes(1000))
        reply = wire.reply()
        assert (reply.status, reply.content) == (413, b"big")
        assert upstream.ended.wait(5)  # that connection is not used again


def test_an_answer_is_read_though_writing_fails():
    def script(peer):
        peer.head()
        peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
        peer.close()

    with through(script) as (server, _), Wire(server.address) as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n" + bytes(3000000))
        assert wire.reply().status == 413


def test_a_client_that_leaves_while_the_server_thinks():
    def script(peer):
        peer.request()
        peer.wait_end()

    with through(script) as (server, upstream):
        with Wire(server.address) as wire:
            wire.send(GET)
            until(lambda: upstream.heads)
            wire.close_with_reset()
        assert upstream.ended.wait(5)
        server.wait_stdout(lambda out: b'"status":499' in out)


def test_a_client_that_leaves_during_its_upload():
    def script(peer):
        peer.head()
        peer.wait_end()

    with through(script) as (server, upstream):
        with Wire(server.address) as wire:
            wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            until(lambda: upstream.peers and b"abc" in upstream.peers[0].received)
            wire.close_with_reset()
        assert upstream.ended.wait(5)
        assert b"0\r\n\r\n" not in upstream.peers[0].received


def test_large_content_both_ways():
    content = os.urandom(3 << 20)

    def script(peer):
        _, got = peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(got) + got)

    with through(script) as (server, _), Wire(server.address) as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(content) + content)
        assert wire.reply(deadline_s=30).content == content


# --- Tunnels ------------------------------------------------------------------------------------

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = base64.b64encode(hashlib.sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n\r\n"
)


def switches(accept=ACCEPT, protocol=b"websocket", first=b"first"):
    def script(peer):
        peer.head()
        peer.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: " + protocol + b"\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + first
        )
        try:
            while True:
                peer.more()
                if b"bye" in peer.received:
                    peer.send(b"end")
                    return
        finally:
            peer.upstream.ended.set()

    return script


def test_a_websocket_is_a_tunnel():
    with through(switches()) as (server, upstream), Wire(server.address) as wire:
        wire.send(HANDSHAKE + b"early")
        until(lambda: wire._collect() or b"\r\n\r\nfirst" in wire.received)
        head = wire.received.split(b"\r\n\r\n")[0]
        assert head.startswith(b"HTTP/1.1 101 ") and b"\r\nUpgrade: websocket" in head
        assert b"\r\nSec-WebSocket-Accept: " + ACCEPT in head
        until(lambda: upstream.peers[0].received == b"early")
        wire.send(b"bye")
        assert wire.rest().endswith(b"firstend")


def test_a_tunnel_ends_with_its_client():
    with through(switches()) as (server, upstream):
        with Wire(server.address) as wire:
            wire.send(HANDSHAKE)
            until(lambda: wire._collect() or b"first" in wire.received)
        assert upstream.ended.wait(5)


def unmasked(frame):
    return bytes(byte ^ frame[2 + index % 4] for index, byte in enumerate(frame[6:]))


def test_a_websocket_outlives_a_reload_and_is_told_before_it_ends():
    """It goes on with its old worker; before that one is to end both sides get 1001, behind the frame at hand."""

    with through(switches(first=b"\x81\x05first"), "--timeout-drain", "3s") as (server, upstream), Wire(server.address) as wire:
        wire.send(HANDSHAKE)
        until(lambda: wire._collect() or b"first" in wire.received)
        at = len(wire.received)
        wire.send(b"\x81\x85abcd" + b"12345")  # a frame, and half of another: text of 5 bytes
        wire.send(b"\x81\x85abcd12")
        peer = upstream.peers[0]
        until(lambda: peer.received.endswith(b"abcd12"))
        server.signal(signal.SIGHUP)
        time.sleep(1.5)
        peer.send(b"\x82\x03abc")
        until(lambda: wire._collect() or wire.received.endswith(b"abc"))
        assert wire.received[at:] == b"\x82\x03abc"
        wire.send(b"345")  # the other half still goes on
        until(lambda: peer.received.count(b"abcd12345") == 2)
        wire.send(b"\x81\x85abcd12")
        until(lambda: peer.received.endswith(b"abcd12"))
        server.signal(signal.SIGTERM)
        time.sleep(0.5)
        peer.send(b"\x82\x03abc")
        until(lambda: wire._collect() or wire.received.endswith(b"\x88\x02\x03\xe9"))
        assert wire.received[at:] == b"\x82\x03abc" * 2 + b"\x88\x02\x03\xe9"
        assert peer.received.endswith(b"abcd12")  # a frame is not cut in two
        wire.send(b"345" + b"\x81\x80efgh")  # and what follows is not of use any more
        until(lambda: len(peer.received) == 3 * 11 + 8)
        close = peer.received[-8:]
        assert close[:2] == b"\x88\x82" and unmasked(close) == b"\x03\xe9"


@pytest.mark.parametrize("script", [switches(accept=b"x" * 28), switches(protocol=b"other")], ids=["accept", "protocol"])
def test_a_switch_that_was_not_agreed_on(script):
    with through(script) as (server, upstream):
        assert ask(server.address, HANDSHAKE).status == 502
        assert upstream.ended.wait(5)


def test_an_upgrade_that_is_declined():
    with through(answers()) as (server, _), Wire(server.address) as wire:
        for _ in range(2):
            wire.send(HANDSHAKE)
            assert wire.reply().content == b"ok"


# --- Health, sockets, the end -------------------------------------------------------------------


def test_a_server_that_fails_is_left_out():
    def fails(peer):
        peer.request()

    with Upstream(fails) as bad, Upstream() as good, proxy(
        bad, good, flags=("--fails", "2", "--slow-start", "off")
    ) as server:
        statuses = [ask(server.address, GET).status for _ in range(10)]
        assert statuses.count(502) == 2, statuses
        time.sleep(1.2)  # back in, and out with its first failure
        statuses = [ask(server.address, GET).status for _ in range(10)]
        assert statuses.count(502) == 1, statuses


def test_errors_of_the_server_itself_are_no_failures():
    with through(answers(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"), "--fails", "1") as (server, upstream):
        for _ in range(5):
            assert ask(server.address, GET).status == 404
        assert len(upstream.heads) == 5


def test_a_unix_socket(tmp_path):
    path = str(tmp_path / "s")
    with Upstream(path=path) as upstream:
        os.chmod(path, 0o777)
        with proxy(upstream) as server:
            assert ask(server.address, GET).content == b"ok"


def test_a_name_is_looked_up_inside_the_sandbox():
    with Upstream() as upstream, proxy(upstream.url.replace("127.0.0.1", "localhost")) as server:
        assert ask(server.address, GET).content == b"ok"


def test_a_drain_waits_for_answers():
    def slow(peer):
        peer.request()
        time.sleep(0.5)
        peer.send(OK)

    with through(slow) as (server, upstream), Wire(server.address) as wire:
        wire.send(GET)
        until(lambda: upstream.heads)
        server.signal(15)
        assert wire.reply().content == b"ok"


def test_https_upstream(authority, tmp_path):
    cert, key = authority.issue("a", "127.0.0.1", "localhost")
    argv = ["respond", "--log", "off", "-w", "1", "--tls-cert", cert, "--tls-key", key, "-l", "https://127.0.0.1:0"]
    with Pollux(*argv) as secure:
        url = "https://127.0.0.1:%d" % secure.address[1]
        with proxy(url, flags=("--upstream-ca", authority.path)) as server:
            assert ask(server.address, GET).content == b"Hello, world!"
        with proxy(url) as server:
            assert ask(server.address, GET).status == 502


def test_http2_upstream():
    with Pollux("respond", "--log", "off", "-w", "1") as plain:
        with proxy("h2c://127.0.0.1:%d" % plain.address[1]) as server, Wire(server.address) as wire:
            for request in (GET, POST, GET):
                wire.send(request)
                reply = wire.reply()
                assert (reply.status, reply.content) == (200, b"Hello, world!")
                assert reply.value("Via") == "2.0 pollux"


def test_http2_client():
    with through(answers()) as (server, upstream):
        url = "http://%s:%d/x" % server.address
        done = subprocess.run(["curl", "-s", "--http2-prior-knowledge", url], capture_output=True, timeout=20)
        assert done.stdout == b"ok"
        head = upstream.heads.pop()
    assert head.startswith(b"GET /x HTTP/1.1\r\nHost: %s:%d\r\n" % (server.address[0].encode(), server.address[1]))
    assert b"\r\nVia: 2.0 pollux\r\n" in head and b"Content-Length" not in head and b"chunked" not in head
