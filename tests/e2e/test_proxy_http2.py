"""`pollux proxy` with HTTP/2 at one end or the other: the same answers, and what HTTP/2 alone can say."""

import base64
import hashlib
import struct
import threading
import time
from contextlib import contextmanager

import hpack
import pytest

from lib import h2frames as h2
from lib.h2frames import H2Wire, get, post
from lib.upstream import OK, Upstream, answers
from lib.wire import Wire, ask
from test_proxy_upstream import BAD_ANSWERS, CUT, GET, POST, proxy, through, until
from test_run import folder, serve  # noqa: F401

pytestmark = pytest.mark.short


@contextmanager
def asking(script, *flags):
    """A client of HTTP/2, a proxy, a scripted server of HTTP/1.1."""
    with through(script, *flags) as (server, upstream), H2Wire(server.address) as wire:
        wire.gives_credit = True
        yield wire, upstream


# --- A client of HTTP/2 ---------------------------------------------------------------------------

ADDED = b"X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\nVia: 2.0 pollux\r\n"

REQUESTS = [
    # (fields, content, the head that the server gets)
    (get(), b"", b"GET / HTTP/1.1\r\nHost: a\r\n" + ADDED + b"\r\n"),
    (get(path="/a%2Fb?c"), b"", b"GET /a%2Fb?c HTTP/1.1\r\nHost: a\r\n" + ADDED + b"\r\n"),
    (get(("te", "trailers")), b"", b"GET / HTTP/1.1\r\nHost: a\r\n" + ADDED + b"TE: trailers\r\nConnection: TE\r\n\r\n"),
    (get(("x_a", "1"), ("x-b", "2")), b"", b"GET / HTTP/1.1\r\nHost: a\r\nx-b: 2\r\n" + ADDED + b"\r\n"),
    (get(("cookie", "a=1"), ("cookie", "b=2")), b"",
     b"GET / HTTP/1.1\r\nHost: a\r\ncookie: a=1; b=2\r\n" + ADDED + b"\r\n"),
    (post(), b"", b"POST / HTTP/1.1\r\nHost: a\r\n" + ADDED + b"Content-Length: 0\r\n\r\n"),
    (post(("content-length", "5")), b"hello", b"POST / HTTP/1.1\r\nHost: a\r\n" + ADDED + b"Content-Length: 5\r\n\r\n"),
    (get(method="DELETE"), b"", b"DELETE / HTTP/1.1\r\nHost: a\r\n" + ADDED + b"\r\n"),
]  # fmt: skip


def test_heads_of_http2_are_written_anew():
    assert len(REQUESTS) == 8
    with asking(answers()) as (wire, upstream):
        for index, (fields, content, wanted) in enumerate(REQUESTS):
            wire.request(2 * index + 1, fields, content)
            assert wire.response(2 * index + 1).content == b"ok", fields
            assert upstream.heads.pop() == wanted, fields


def test_a_bad_answer_is_502_over_http2():
    for answer in BAD_ANSWERS:

        def script(peer):
            peer.request()
            peer.send(answer)

        with asking(script) as (wire, _):
            for stream in (1, 3):
                wire.request(stream, get())
                reply = wire.response(stream)
                assert (reply.status, reply.content) == (502, b"502 Bad Gateway\n"), answer


def test_a_cut_answer_is_a_reset():
    for answer in CUT:

        def script(peer):
            peer.request()
            peer.send(answer)

        with asking(script) as (wire, _):
            wire.request(1, get())
            assert wire.reset_code(1) == h2.INTERNAL_ERROR, answer
            wire.request(3, get())  # the connection is none the worse
            assert wire.reset_code(3) == h2.INTERNAL_ERROR, answer


PLAIN = [
    # (the server's answer, status, content, trailers)
    (OK, 200, b"ok", None),
    (b"HTTP/1.0 200 OK\r\n\r\nto the end", 200, b"to the end", None),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\nHost: b\r\n\r\n", 200, b"ok",
     [("x-t", "1")]),
    (b"HTTP/1.1 204 No Content\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", 204, b"", None),
    (b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: x\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n", 426, b"", None),
    (b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nConnection: x-a\r\nX-A: 1\r\nX-B: 2\r\nContent-Length: 2\r\n\r\nok",
     200, b"ok", None),
]  # fmt: skip


def test_answers_over_http2():
    assert len(PLAIN) == 6
    for answer, status, content, trailers in PLAIN:

        def script(peer):
            peer.request()
            peer.send(answer)

        with asking(script) as (wire, _):
            wire.request(1, get())
            reply = wire.response(1)  # its reader refuses fields that are of connections
            assert (reply.status, reply.content, reply.trailers) == (status, content, trailers), answer
            assert not reply.values("x-a")


def test_informational_answers_go_on_with_their_fields():
    def script(peer):
        peer.request()
        peer.send(b"HTTP/1.1 102 Processing\r\nX-A: 1\r\nContent-Length: 9\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\nHTTP/1.1 199 Odd\r\n\r\n" + OK)

    with asking(script) as (wire, _):
        wire.request(1, get())
        assert wire.response(1).interim == [
            [(":status", "102"), ("x-a", "1")],
            [(":status", "103"), ("link", "</a>"), ("link", "</b>")],
            [(":status", "199")],
        ]


@pytest.mark.parametrize("content", [b"hell", b"hello!"], ids=["shorter", "longer"])
def test_content_of_another_length_is_cut(content):
    """RFC 9113 section 8.1.1: the server must not take it for whole."""

    def script(peer):
        peer.head()
        peer.wait_end()

    with asking(script) as (wire, upstream):
        wire.request(1, post(("content-length", "5")), end=False)
        until(lambda: upstream.heads)
        wire.send(h2.data(1, content, end=True))
        assert wire.reset_code(1) == h2.PROTOCOL_ERROR
        assert upstream.ended.wait(5)
        assert len(upstream.peers[0].received) < 5


def test_a_reset_while_the_server_thinks():
    def script(peer):
        peer.head()
        peer.wait_end()

    with asking(script) as (wire, upstream):
        wire.request(1, get())
        until(lambda: upstream.heads)
        wire.send(h2.rst(1))
        assert upstream.ended.wait(5)
        wire.settled()


# --- WebSocket over HTTP/2 (RFC 8441), over HTTP/1.1 behind ------------------------------------------


def connect(*more, protocol="websocket"):
    return get((":protocol", protocol), *more, method="CONNECT", path="/ws")


def handshakes(reply, first=b""):
    """Takes a handshake and answers with what reply(accept) makes."""

    def script(peer):
        head = peer.head()
        key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
        assert len(base64.b64decode(key)) == 16
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        peer.send(reply(accept) + first)
        try:
            while True:
                peer.more()
                if b"bye" in peer.received:
                    peer.send(b"end")
                    return
        finally:
            peer.upstream.ended.set()

    return script


def agrees(accept):
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def test_an_extended_connect_becomes_an_upgrade():
    with asking(handshakes(agrees, b"first")) as (wire, upstream):
        wire.until(lambda: wire.judge.settings is not None, "SETTINGS")
        assert wire.judge.settings[h2.ENABLE_CONNECT_PROTOCOL] == 1
        wire.request(1, connect(("sec-websocket-version", "13"), ("sec-websocket-protocol", "chat")), end=False)
        state = wire.judge.stream(1)
        wire.until(lambda: state.content == b"first", "the first bytes")
        assert state.fields[0] == (":status", "200") and state.value("sec-websocket-protocol") == "chat"
        assert not state.values("sec-websocket-accept") and not state.ended
        head = upstream.heads[0]
        assert head.startswith(b"GET /ws HTTP/1.1\r\nHost: a\r\n")
        assert b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" in head and head.count(b"Sec-WebSocket-Key") == 1
        assert b"\r\nsec-websocket-version: 13\r\n" in head
        wire.send(h2.data(1, b"one") + h2.data(1, b"bye"))
        wire.until(lambda: state.ended, "the end")
        assert state.content == b"firstend" and upstream.peers[0].received == b"onebye"


def test_keys_of_an_extended_connect_are_ours():
    with asking(handshakes(agrees)) as (wire, upstream):
        wire.request(1, connect(("sec-websocket-version", "13"), ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==")),
                     end=False)  # fmt: skip
        state = wire.judge.stream(1)
        wire.until(lambda: state.fields is not None, "a head")
        assert state.status == 200
        assert b"AAAAAAAAAAAAAAAAAAAAAA==" not in upstream.heads[0]
        assert upstream.heads[0].lower().count(b"sec-websocket-key") == 1


NO_TUNNELS = [
    # (what the server answers, what the client of HTTP/2 gets)
    (lambda accept: agrees(b"x" * 28), 502),
    (lambda accept: agrees(accept).replace(b"websocket\r\n", b"other\r\n"), 502),
    (lambda accept: OK, 502),  # RFC 8441 section 4: a 2xx would say that the tunnel stands
    (lambda accept: b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", 403),
    (lambda accept: b"", 502),
]


def test_an_extended_connect_without_a_tunnel():
    assert len(NO_TUNNELS) == 5
    for reply, status in NO_TUNNELS:

        def script(peer):
            head = peer.head()
            key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
            peer.send(reply(base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())))

        with asking(script) as (wire, _):
            wire.request(1, connect(("sec-websocket-version", "13")), end=False)
            state = wire.judge.stream(1)
            wire.until(lambda: state.fields is not None, "a head")
            assert state.status == status


@pytest.mark.parametrize("length", ["0", "4"])
def test_an_extended_connect_has_no_length(length):
    with asking(handshakes(agrees)) as (wire, upstream):
        wire.request(1, connect(("sec-websocket-version", "13"), ("content-length", length)), end=False)
        state = wire.judge.stream(1)
        wire.until(lambda: state.fields is not None, "a head")
        assert state.status == 400 and not upstream.heads


def test_extended_connect_where_upgrades_are_off(folder):  # noqa: F811
    with Upstream() as upstream, serve(folder, "proxy %s {\n    websocket off\n}\n" % upstream.url) as server:
        with H2Wire(server.address) as wire:
            wire.request(1, connect(("sec-websocket-version", "13")), end=False)
            state = wire.judge.stream(1)
            wire.until(lambda: state.fields is not None, "a head")
            assert state.status == 405 and not upstream.heads


# --- A server of HTTP/2 ---------------------------------------------------------------------------


class H2Peer:
    """A scripted server's end of HTTP/2: its preface and SETTINGS are exchanged."""

    def __init__(self, peer, *pairs):
        self.peer = peer
        self.decoder = hpack.Decoder()
        assert peer.take(24) == h2.PREFACE
        peer.send(h2.settings(*pairs))

    def frame(self):
        head = self.peer.take(9)
        kind, flags, stream = struct.unpack("!BBL", head[3:])
        return kind, flags, stream, self.peer.take(int.from_bytes(head[:3], "big"))

    def request(self):
        """The next request without content: its stream and its fields."""
        while True:
            kind, flags, stream, payload = self.frame()
            if kind == h2.SETTINGS and not flags & h2.ACK:
                self.peer.send(h2.settings(ack=True))
            elif kind == h2.HEADERS:
                fields = [(str(name), str(value)) for name, value in self.decoder.decode(payload)]
                self.peer.upstream.heads.append(fields)
                if not flags & h2.END_STREAM:
                    self.content()
                return stream, fields

    def content(self):
        while True:
            kind, flags, _, payload = self.frame()
            if kind == h2.SETTINGS and not flags & h2.ACK:
                self.peer.send(h2.settings(ack=True))
            elif kind == h2.DATA:
                self.peer.upstream.contents.append(payload)
                if flags & h2.END_STREAM:
                    return

    def answer(self, stream, status="200", content=b"ok"):
        self.peer.send(h2.headers(stream, [(":status", status)], end=False) + h2.data(stream, content, end=True))


@contextmanager
def in_front_of_http2(script, *flags, workers=1):
    with Upstream(script) as upstream:
        with proxy("h2c://" + upstream.authority, flags=flags, workers=workers) as server:
            yield server, upstream


@pytest.mark.parametrize("request_bytes", [GET, POST], ids=["GET", "POST"])
def test_a_refused_stream_is_tried_again(request_bytes):
    def script(peer):
        server = H2Peer(peer)
        stream, _ = server.request()
        peer.send(h2.rst(stream, h2.REFUSED_STREAM))
        stream, _ = server.request()
        server.answer(stream)
        peer.wait_end()

    with in_front_of_http2(script) as (server, upstream):
        assert ask(server.address, request_bytes).content == b"ok"
        assert len(upstream.heads) == 2


@pytest.mark.parametrize("request_bytes", [GET, POST], ids=["GET", "POST"])
def test_streams_above_the_last_of_a_goaway_are_tried_again(request_bytes):
    def script(peer):
        server = H2Peer(peer)
        stream, _ = server.request()
        if peer.index == 0:
            peer.send(h2.goaway(0))
            peer.wait_end()
        else:
            server.answer(stream)
            peer.wait_end()

    with in_front_of_http2(script) as (server, upstream):
        assert ask(server.address, request_bytes).content == b"ok"
        assert len(upstream.peers) == 2 and upstream.ended.wait(5)


def test_streams_below_the_last_of_a_goaway_finish():
    def script(peer):
        server = H2Peer(peer)
        stream, _ = server.request()
        peer.send(h2.goaway(stream))
        time.sleep(0.2)
        server.answer(stream)
        peer.wait_end()

    with in_front_of_http2(script) as (server, upstream):
        for _ in range(2):
            assert ask(server.address, GET).content == b"ok"
        assert len(upstream.peers) == 2 and len(upstream.heads) == 2


def test_a_reset_that_says_nothing_of_retries_is_none():
    def script(peer):
        server = H2Peer(peer)
        stream, _ = server.request()
        peer.send(h2.rst(stream, h2.INTERNAL_ERROR))
        peer.wait_end()

    with in_front_of_http2(script) as (server, upstream):
        assert ask(server.address, GET).status == 502
        assert len(upstream.heads) == 1


@pytest.mark.parametrize("request_bytes", [GET, POST], ids=["GET", "POST"])
def test_http_1_1_required_is_remembered(request_bytes):
    """RFC 9113 section 7: it is asked once more over HTTP/1.1, and so are those that follow."""

    def script(peer):
        while len(peer.received) < 4:
            peer.more()
        if not peer.received.startswith(b"PRI "):
            while True:
                peer.request()
                peer.send(OK)
        server = H2Peer(peer)
        stream, _ = server.request()
        peer.send(h2.rst(stream, h2.HTTP_1_1_REQUIRED))
        peer.wait_end()

    with in_front_of_http2(script) as (server, upstream):
        for _ in range(3):
            assert ask(server.address, request_bytes).content == b"ok"
        assert len(upstream.peers) == 2
        assert [isinstance(head, bytes) for head in upstream.heads] == [False, True, True, True]


def test_http_1_1_required_of_a_server_that_speaks_http2_alone():
    """That request cannot be served; all others are as before."""

    def script(peer):
        while len(peer.received) < 4:
            peer.more()
        if not peer.received.startswith(b"PRI "):
            return
        server = H2Peer(peer)
        while True:
            stream, fields = server.request()
            if dict(fields)[":path"] == "/only":
                peer.send(h2.rst(stream, h2.HTTP_1_1_REQUIRED))
            else:
                server.answer(stream)

    with in_front_of_http2(script) as (server, _):
        for _ in range(3):
            assert ask(server.address, GET).content == b"ok"
            assert ask(server.address, GET.replace(b"/", b"/only", 1)).status == 502


def test_a_server_of_http2_that_hangs_is_left_out():
    """On a connection that has served before, too."""

    def script(peer):
        server = H2Peer(peer)
        stream, _ = server.request()
        server.answer(stream)
        while True:
            server.request()

    flags = ("--timeout-first-byte", "200ms", "--fails", "3", "--balance", "roundrobin")
    with Upstream(script) as bad, Upstream() as good:
        with proxy("h2c://" + bad.authority, good, flags=flags) as server:
            seen = [ask(server.address, GET).status for _ in range(12)]
            assert seen.count(504) == 3 and seen.count(200) == 9, seen
            assert "is out for failures" in server.stderr


def test_streams_that_are_refused_are_tries():
    """On a connection that has served before, too, and none of them opens another."""

    def script(peer):
        server = H2Peer(peer)
        stream, _ = server.request()
        server.answer(stream)
        while True:
            stream, _ = server.request()
            peer.send(h2.rst(stream, h2.REFUSED_STREAM))

    with in_front_of_http2(script, "--fails", "off") as (server, upstream):
        assert ask(server.address, GET).status == 200
        for _ in range(5):
            assert ask(server.address, GET).status == 502
        assert len(upstream.peers) == 1 and len(upstream.heads) == 1 + 5 * 2


def test_an_upgrade_to_a_server_of_http2_takes_a_connection_of_http1():
    def script(peer):
        while len(peer.received) < 4:
            peer.more()
        if peer.received.startswith(b"PRI "):
            server = H2Peer(peer)
            while True:
                stream, _ = server.request()
                server.answer(stream)
        handshakes(agrees, b"first")(peer)

    with in_front_of_http2(script) as (server, upstream):
        assert ask(server.address, GET).content == b"ok"
        with H2Wire(server.address) as wire:
            wire.gives_credit = True
            wire.request(1, connect(("sec-websocket-version", "13")), end=False)
            state = wire.judge.stream(1)
            wire.until(lambda: state.content == b"first", "the first bytes")
            wire.send(h2.data(1, b"bye"))
            wire.until(lambda: state.ended, "the end")


def test_trailers_from_http2_to_http2():
    def script(peer):
        server = H2Peer(peer)
        stream, _ = server.request()
        peer.send(
            h2.headers(stream, [(":status", "200")], end=False)
            + h2.data(stream, b"ok")
            + h2.headers(stream, [("grpc-status", "0"), ("content-length", "5")])
        )
        peer.wait_end()

    with in_front_of_http2(script) as (server, _), H2Wire(server.address) as wire:
        wire.request(1, get(("te", "trailers")))
        reply = wire.response(1)
        assert (reply.content, reply.trailers) == (b"ok", [("grpc-status", "0")])


BAD_HTTP2 = [
    lambda stream: h2.headers(stream, [(":status", "200"), ("connection", "close")]),
    lambda stream: h2.headers(stream, [(":status", "200"), ("X", "1")]),
    lambda stream: h2.headers(stream, [("x", "1")]),
    lambda stream: h2.headers(stream, [(":status", "20")]),
    lambda stream: h2.headers(stream, [(":status", "101")]),
    lambda stream: h2.headers(stream, [(":status", "200"), (":path", "/")]),
    lambda stream: h2.headers(stream, [(":status", "103")]),
    lambda stream: h2.data(stream, b"x", end=True),
    lambda stream: h2.headers(stream, [(":status", "200"), ("x", "a\r\nb")]),
    lambda stream: h2.headers(stream, [(":status", "200"), ("content-length", "1"), ("content-length", "2")]),
    lambda stream: h2.headers(stream, [(":status", "200"), ("content-length", "x")]),
    lambda stream: h2.headers(stream, [(":status", "200"), ("x", "a" * 40000)]),
    lambda stream: h2.rst(stream, h2.PROTOCOL_ERROR),
    lambda stream: b"\0" * 9,
]


def test_a_bad_answer_of_http2_is_502():
    assert len(BAD_HTTP2) == 14
    for index, answer in enumerate(BAD_HTTP2):

        def script(peer):
            server = H2Peer(peer)
            stream, _ = server.request()
            frames = answer(stream)
            if len(frames) > 16384:
                block = frames[9:]
                frames = h2.headers(stream, block[:16000], done=False) + h2.continuation(stream, block[16000:32000], False)
                frames += h2.continuation(stream, block[32000:])
            peer.send(frames)
            peer.wait_end()

        with in_front_of_http2(script) as (server, _):
            assert ask(server.address, GET).status == 502, index


def test_a_client_that_leaves_resets_its_stream():
    def script(peer):
        server = H2Peer(peer)
        server.request()
        while True:
            kind, _, _, payload = server.frame()
            if kind == h2.RST_STREAM:
                peer.upstream.contents.append(payload)
                return

    with in_front_of_http2(script) as (server, upstream):
        with Wire(server.address) as wire:
            wire.send(GET)
            until(lambda: upstream.heads)
        until(lambda: upstream.contents)
        assert upstream.contents == [struct.pack("!L", h2.CANCEL)]


def test_content_that_waits_for_100_of_a_server_of_http2(folder):  # noqa: F811
    """`expect forward`: as over HTTP/1.1."""

    def script(peer):
        server = H2Peer(peer)
        while True:
            kind, flags, stream, payload = server.frame()
            if kind == h2.SETTINGS and not flags & h2.ACK:
                peer.send(h2.settings(ack=True))
            elif kind == h2.HEADERS:
                peer.upstream.heads.append([(str(name), str(value)) for name, value in server.decoder.decode(payload)])
                assert go.wait(5)
                is_first = len(peer.upstream.heads) == 1
                peer.send(h2.headers(stream, [(":status", "100" if is_first else "417")], end=not is_first))
            elif kind == h2.DATA:
                peer.upstream.contents.append(payload)
                if flags & h2.END_STREAM:
                    peer.send(h2.headers(stream, [(":status", "200")]))

    head = POST[:-5].replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    go = threading.Event()
    with Upstream(script) as upstream:
        with serve(folder, f"proxy h2c://{upstream.authority} {{\n expect forward\n}}\n") as server:
            with Wire(server.address) as wire:
                wire.send(head)
                until(lambda: upstream.heads)
                assert ("expect", "100-continue") in upstream.heads[0]
                assert wire.silent(0.2) and not upstream.contents
                go.set()
                assert wire.reply().status == 100
                wire.send(b"hello")
                assert wire.reply().status == 200 and upstream.contents == [b"hello"]
            with Wire(server.address) as wire:
                wire.send(head)
                assert wire.reply().status == 417 and upstream.contents == [b"hello"]
