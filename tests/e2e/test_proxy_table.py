"""`pollux proxy` between every kind of client and every kind of server: what goes on, and what does not.

A case says what a client asks for, what its server must see of that, what the server answers and what the
client must see of that.  Each is run over HTTP/1.1, HTTP/2 and HTTP/2 over TLS outside, and HTTP/1.1, HTTP/2
and HTTP/1.1 over TLS inside.
"""

import ssl
from contextlib import contextmanager

import pytest

from lib import h2frames as h2
from lib.h2frames import H2Wire
from lib.runner import Pollux
from lib.tls import TlsWire
from lib.upstream import Gone, Upstream
from lib.wire import Wire, WireError
from test_proxy_http2 import H2Peer

pytestmark = pytest.mark.short

CLIENTS = ("h1", "h2c", "h2")
SERVERS = ("http", "h2c", "https")
NAMED = ("x-request-id", "traceparent")


class Cut(Exception):
    """The answer is seen to be cut."""


# --- Clients --------------------------------------------------------------------------------------


class Seen:
    def __init__(self, status, fields, content, trailers, interim):
        self.status = status
        self.fields = [(name.lower(), value) for name, value in fields]
        self.content = content
        self.trailers = [(name.lower(), value) for name, value in trailers or []]
        self.interim = interim

    def values(self, name):
        return [value for key, value in self.fields if key == name]


class H1Client:
    version = "1.1"

    def __init__(self, server, _):
        self.wire = Wire(server.addresses[0])

    def ask(self, method, fields, content, trailers):
        head = f"{method} /x HTTP/1.1\r\nHost: a\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields)
        if trailers:
            tail = "".join(f"{name}: {value}\r\n" for name, value in trailers).encode()
            chunk = b"%x\r\n%s\r\n" % (len(content), content) if content else b""
            content = chunk + b"0\r\n%s\r\n" % tail
            head += "Transfer-Encoding: chunked\r\n"
        elif content is not None:
            head += f"Content-Length: {len(content)}\r\n"
        self.wire.send(head.encode() + b"\r\n" + (content or b""))
        interim = []
        try:
            while True:
                reply = self.wire.reply(head_only=method == "HEAD")
                if reply.status >= 200:
                    return Seen(reply.status, reply.fields, reply.content, reply.trailers, interim)
                interim.append(reply.status)
        except WireError as error:
            raise Cut from error


class H2Client:
    version = "2.0"

    def __init__(self, server, authority):
        wire = TlsWire(server.addresses[1], authority.context(alpn=["h2"])) if authority else None
        self.wire = H2Wire(server.addresses[0], wire=wire)
        self.scheme = "https" if authority else "http"
        self.wire.gives_credit = True
        self.stream = -1

    def ask(self, method, fields, content, trailers):
        self.stream += 2
        pairs = [(":method", method), (":scheme", self.scheme), (":path", "/x"), (":authority", "a")]
        pairs += [(name.lower(), value) for name, value in fields]
        if content is not None and not trailers:
            pairs.append(("content-length", str(len(content))))
        self.wire.request(self.stream, pairs, content or b"", end=not trailers)
        if trailers:
            self.wire.send(h2.headers(self.stream, trailers))
        state = self.wire.judge.stream(self.stream)
        self.wire.until(lambda: state.over, "an end")
        if not state.ended:
            raise Cut
        fields = [pair for pair in state.fields if not pair[0].startswith(":")]
        return Seen(state.status, fields, state.content, state.trailers, [int(one[0][1]) for one in state.interim])


# --- Servers --------------------------------------------------------------------------------------


class Answer:
    """`whole=False`: it is cut, or with `stalls` nothing more of it comes; `interim` has statuses, or for HTTP/1.1
    whole heads."""

    def __init__(self, status=200, fields=(), content=b"ok", trailers=(), interim=(), length=True, whole=True, stalls=False):
        self.status, self.fields, self.content, self.trailers = status, list(fields), content, list(trailers)
        self.interim, self.length, self.whole, self.stalls = interim, length, whole, stalls


class Asked:
    """What a server was asked."""

    def __init__(self, method, target, fields, content, trailers):
        self.line = (method, target)
        self.fields = [(name.lower(), value) for name, value in fields if name.lower() not in NAMED]
        self.content = content
        self.trailers = [(name.lower(), value) for name, value in trailers]


def line_of(peer):
    while b"\r\n" not in peer.received:
        peer.more()
    line, peer.received = peer.received.split(b"\r\n", 1)
    return line.decode("latin-1")


def h1_fields(peer):
    fields = []
    while line := line_of(peer):
        fields.append(tuple(line.split(": ", 1)))
    return fields


def h1_request(peer):
    method, target, version = line_of(peer).split(" ")
    assert version == "HTTP/1.1"
    fields = h1_fields(peer)
    named = {name.lower(): value for name, value in fields}
    content, trailers = b"", []
    if "content-length" in named:
        assert "transfer-encoding" not in named
        content = peer.take(int(named["content-length"]))
    elif named.get("transfer-encoding") == "chunked":
        while size := int(line_of(peer), 16):
            content += peer.take(size)
            assert peer.take(2) == b"\r\n"
        trailers = h1_fields(peer)
    return Asked(method, target, fields, content, trailers)


def h1_text(fields):
    return "".join(f"{name}: {value}\r\n" for name, value in fields).encode("latin-1")


def h1_script(peer):
    while True:
        peer.upstream.heads.append(h1_request(peer))
        answer = peer.upstream.answer
        for status in answer.interim:
            peer.send(b"HTTP/1.1 %d Odd\r\nX-I: 1\r\n\r\n" % status)
        head = b"HTTP/1.1 %d Fine\r\n" % answer.status + h1_text(answer.fields)
        none = answer.status in (204, 304) or peer.upstream.heads[-1].line[0] == "HEAD"
        if answer.length and answer.status != 204:
            peer.send(head + b"Content-Length: %d\r\n\r\n" % (len(answer.content) + (0 if answer.whole else 9)))
            peer.send(b"" if none else answer.content)
        elif none:
            peer.send(head + b"\r\n")
        else:
            content = answer.content
            peer.send(head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(content), content))
            if answer.whole:
                peer.send(b"0\r\n" + h1_text(answer.trailers) + b"\r\n")
        if answer.stalls:
            peer.wait_end()
        if not answer.whole:
            return


def h2_script(peer):
    server = TablePeer(peer)
    while True:
        stream, asked = server.asked()
        peer.upstream.heads.append(asked)
        answer, out = peer.upstream.answer, b""
        for status in answer.interim:
            out += h2.headers(stream, [(":status", str(status)), ("x-i", "1")], end=False)
        fields = [(":status", str(answer.status))] + [(name.lower(), value) for name, value in answer.fields]
        none = answer.status in (204, 304) or asked.line[0] == "HEAD"
        if answer.length and answer.status != 204:
            fields.append(("content-length", str(len(answer.content) + (0 if answer.whole else 9))))
        out += h2.headers(stream, fields, end=none)
        if not none:
            out += h2.data(stream, answer.content, end=answer.whole and not answer.trailers)
        if answer.trailers and answer.whole and not none:
            out += h2.headers(stream, [(name.lower(), value) for name, value in answer.trailers])
        if not answer.whole and not answer.stalls:
            out += h2.rst(stream, h2.INTERNAL_ERROR)
        peer.send(out)
        if answer.stalls:
            server.cancelled(stream)


class TablePeer(H2Peer):
    def cancelled(self, stream):
        """Waits until the proxy has given the stream up."""
        while True:
            kind, _, of, payload = self.frame()
            if kind == h2.RST_STREAM and of == stream:
                assert int.from_bytes(payload, "big") == h2.CANCEL
                self.peer.upstream.ended.set()
                return

    def asked(self):
        """The next request: its stream, and what was asked."""
        fields, content, trailers = None, b"", []
        while True:
            kind, flags, stream, payload = self.frame()
            if kind == h2.SETTINGS and not flags & h2.ACK:
                self.peer.send(h2.settings(ack=True))
            elif kind == h2.HEADERS:
                pairs = [(str(name), str(value)) for name, value in self.decoder.decode(payload)]
                fields, trailers = (pairs, trailers) if fields is None else (fields, pairs)
            elif kind == h2.DATA:
                content += payload
            if kind in (h2.HEADERS, h2.DATA) and flags & h2.END_STREAM:
                break
        pseudo = {name: value for name, value in fields if name.startswith(":")}
        rest = [pair for pair in fields if not pair[0].startswith(":")]
        rest.insert(0, ("host", pseudo[":authority"]))
        return stream, Asked(pseudo[":method"], pseudo[":path"], rest, content, trailers)


class TlsUpstream(Upstream):
    """One that speaks TLS."""

    def __init__(self, script, authority):
        super().__init__(script)
        cert, key = authority.issue("127.0.0.1", file="table-server")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        self.url = self.url.replace("http:", "https:")

    def _run(self, peer):
        try:
            peer.sock = self.context.wrap_socket(peer.sock, server_side=True)
        except (OSError, ssl.SSLError):
            return
        super()._run(peer)


@contextmanager
def upstream_of(kind, answer, authority):
    if kind == "https":
        upstream = TlsUpstream(h1_script, authority)
    else:
        upstream = Upstream(h2_script if kind == "h2c" else h1_script)
        upstream.url = upstream.url.replace("http:", kind + ":")
    upstream.answer = answer
    with upstream:
        yield upstream


@contextmanager
def between(client, server, answer, authority, *flags):
    """A client of that kind and a server of that kind, which answers so until it has another `answer`, with the proxy
    between them."""
    cert, key = authority.issue("a", file="table")
    listen = ["-l", "127.0.0.1:0", "-l", "https://127.0.0.1:0", "--tls-cert", cert, "--tls-key", key]
    with upstream_of(server, answer, authority) as upstream:
        trust = ["--upstream-ca", authority.path] if upstream.url.startswith("https://") else []
        argv = ["proxy", "--log", "off", "-w", "1", *listen, *trust, *flags, upstream.url]
        with Pollux(*argv) as pollux:
            if client == "h1":
                yield H1Client(pollux, None), upstream
            else:
                yield H2Client(pollux, authority if client == "h2" else None), upstream


# --- Requests -------------------------------------------------------------------------------------

FORWARDED = [("x-forwarded-for", "127.0.0.1"), ("x-forwarded-proto", "{scheme}"), ("x-forwarded-host", "a")]
VIA = ("via", "{version} pollux")
ADDED = [*FORWARDED, VIA]

REQUESTS = [
    # (method, fields, content, trailers, the fields that the server sees beside Host, its trailers)
    ("GET", [], None, [], ADDED, []),
    ("GET", [("TE", "trailers")], None, [], [*ADDED, ("te", "trailers")], []),
    ("GET", [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "7.7.7.7"), ("X-Forwarded-Port", "1")], None, [],
     ADDED, []),
    ("GET", [("X-Forwarded-Proto", "gopher"), ("X-Forwarded-Host", "evil"), ("Forwarded", "for=6.6.6.6")], None, [],
     ADDED, []),
    ("GET", [("X_Forwarded_For", "6.6.6.6"), ("Remote_User", "root")], None, [], ADDED, []),
    ("GET", [("Proxy-Authorization", "x"), ("Proxy", "http://evil"), ("X-A", "1")], None, [],
     [("x-a", "1"), *ADDED], []),
    ("GET", [("Cookie", "a=1"), ("Accept", ""), ("X-A", "1"), ("X-A", "2")], None, [],
     [("cookie", "a=1"), ("accept", ""), ("x-a", "1"), ("x-a", "2"), *ADDED], []),
    ("GET", [("Via", "1.0 fred, 1.1 p.example (pollux)")], None, [],
     [("via", "1.0 fred, 1.1 p.example (pollux)"), *ADDED], []),
    ("OPTIONS", [("Max-Forwards", "5")], None, [], [*FORWARDED, ("max-forwards", "4"), VIA], []),
    ("GET", [("Max-Forwards", "5")], None, [], [("max-forwards", "5"), *ADDED], []),
    ("POST", [], b"", [], [*ADDED, ("content-length", "0")], []),
    ("POST", [], b"hello", [], [*ADDED, ("content-length", "5")], []),
    ("PUT", [("Content-Type", "x/y")], b"hello", [], [("content-type", "x/y"), *ADDED, ("content-length", "5")], []),
    ("DELETE", [], None, [], ADDED, []),
    ("DELETE", [], b"hello", [], [*ADDED, ("content-length", "5")], []),
    ("GET", [], b"hello", [], [*ADDED, ("content-length", "5")], []),
    ("POST", [], b"hello", [("x-t", "1"), ("x-u", "2")], ADDED, [("x-t", "1"), ("x-u", "2")]),
    ("POST", [], b"", [("x-t", "1")], ADDED, [("x-t", "1")]),
    ("PUT", [], b"hello", [("authorization", "x"), ("x-forwarded-for", "6.6.6.6"), ("proxy", "x"), ("x_t", "1"),
                           ("via", "1.1 b"), ("x-request-id", "1"), ("x-t", "a" * 6000)], ADDED, [("x-t", "a" * 6000)]),
]  # fmt: skip


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("client", CLIENTS)
def test_requests(client, server, authority):
    assert len(REQUESTS) == 19
    with between(client, server, Answer(), authority) as (asker, upstream):
        for method, fields, content, trailers, wanted, wanted_trailers in REQUESTS:
            assert asker.ask(method, fields, content, trailers).content == b"ok", fields
            asked = upstream.heads.pop()
            said = {"version": asker.version, "scheme": "https" if client == "h2" else "http"}
            expected = [("host", "a")] + [(name, value.format_map(said)) for name, value in wanted]
            got = [pair for pair in asked.fields if pair not in (("connection", "TE"), ("transfer-encoding", "chunked"))]
            assert sorted(got) == sorted(expected), (method, fields)
            assert asked.line == (method, "/x") and asked.content == (content or b"")
            assert asked.trailers == wanted_trailers


# --- Answers --------------------------------------------------------------------------------------

ANSWERS = [
    # (method, what the server answers, the client's status, fields, content, trailers, interim)
    ("GET", Answer(), 200, [("content-length", "2")], b"ok", [], []),
    ("GET", Answer(length=False), 200, [], b"ok", [], []),
    ("HEAD", Answer(content=b"x" * 77), 200, [("content-length", "77")], b"", [], []),
    ("GET", Answer(204, content=b""), 204, [], b"", [], []),
    ("GET", Answer(304, [("ETag", '"a"')], b"x" * 9), 304, [("etag", '"a"')], b"", [], []),
    ("GET", Answer(404, [("Date", "Mon, 01 Jan 2024 00:00:00 GMT"), ("Server", "pollux")], b"no"), 404,
     [("date", "Mon, 01 Jan 2024 00:00:00 GMT"), ("server", "pollux"), ("content-length", "2")], b"no", [], []),
    ("GET", Answer(interim=[100, 102, 103, 199]), 200, [("content-length", "2")], b"ok", [], [102, 103, 199]),
    ("GET", Answer(200, [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Proxy-Authenticate", "x")]), 200,
     [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("content-length", "2")], b"ok", [], []),
    ("GET", Answer(trailers=[("X-T", "1"), ("Authorization", "x"), ("Content-Length", "5")], length=False), 200, [],
     b"ok", [("x-t", "1")], []),
]  # fmt: skip


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("client", CLIENTS)
def test_answers(client, server, authority):
    assert len(ANSWERS) == 9
    te = [("TE", "trailers"), ("Connection", "TE")][: 2 if client == "h1" else 1]
    with between(client, server, Answer(), authority) as (asker, upstream):
        for method, answer, status, fields, content, trailers, interim in ANSWERS:
            upstream.answer = answer
            for _ in range(2):
                seen = asker.ask(method, te, None, [])
                assert (seen.status, seen.content, seen.interim) == (status, content, interim), answer.fields
                assert seen.trailers == trailers
                via = [("via", "2.0 pollux" if server == "h2c" else "1.1 pollux")]
                left = ("date", "server") if not any(name == "date" for name, _ in fields) else ()
                got = [pair for pair in seen.fields if pair[0] not in (*left, "transfer-encoding", "connection", "trailer")]
                assert sorted(got) == sorted(fields + via), (method, answer.fields)
        assert len(upstream.peers) == 1


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("length", [True, False], ids=["length", "chunked"])
def test_an_answer_that_is_cut(client, server, length, authority):
    with between(client, server, Answer(length=length, whole=False), authority) as (asker, _):
        with pytest.raises(Cut):
            asker.ask("GET", [], None, [])
