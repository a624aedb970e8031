"""One way to ask, over every protocol version: HTTP/1.1 and HTTP/2, in the clear and over TLS.

Happy path: `with transport.client(server) as client: client.ask("GET", "/").content`.  A test that is
written with this knows no version; the `transport` fixture runs it over all four.
"""

import time
from dataclasses import dataclass, field

from lib.h2frames import CODES, H2Wire, headers
from lib.tls import TlsWire
from lib.wire import DEADLINE_S, Wire, WireError

FRAMING = {"connection", "keep-alive", "transfer-encoding"}


@dataclass
class Answer:
    """What a client sees of an answer, whichever version brought it.  Names are in lower case, and
    what only one version has (framing) is left out."""

    status: int
    fields: list
    content: bytes
    trailers: list = field(default_factory=list)
    interim: list = field(default_factory=list)

    def values(self, name):
        return [value for key, value in self.fields if key == name.lower()]

    def value(self, name):
        values = self.values(name)
        assert len(values) < 2, f"{name} stands {len(values)} times in {self.fields}"
        return values[0] if values else None


def lower(fields):
    return [(name.lower(), value) for name, value in fields if name.lower() not in FRAMING and name[0] != ":"]


class H1Client:
    """One connection of HTTP/1.1."""

    def __init__(self, wire):
        self.wire = wire

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.close()

    def _head(self, method, target, fields, host="a"):
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in fields]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def send(self, method, target, *fields, content=None, unsized=False, trailers=()):
        """A whole request; `unsized` says no length in advance."""
        if content is None:
            return self.wire.send(self._head(method, target, fields))
        if not unsized and not trailers:
            head = self._head(method, target, [*fields, ("Content-Length", len(content))])
            return self.wire.send(head + content)
        out = [self._head(method, target, [*fields, ("Transfer-Encoding", "chunked")])]
        for at in range(0, len(content), 10000):
            piece = content[at : at + 10000]
            out.append(b"%x\r\n%b\r\n" % (len(piece), piece))
        out.append(b"0\r\n" + "".join(f"{n}: {v}\r\n" for n, v in trailers).encode() + b"\r\n")
        return self.wire.send(b"".join(out))

    def receive(self, method="GET"):
        interim = []
        while True:
            reply = self.wire.reply(head_only=method == "HEAD")
            if reply is None:
                raise WireError("closed without an answer")
            if reply.status >= 200:
                return Answer(reply.status, lower(reply.fields), reply.content, lower(reply.trailers), interim)
            interim.append((reply.status, lower(reply.fields)))

    def ask(self, method, target, *fields, **more):
        self.send(method, target, *fields, **more)
        return self.receive(method)

    def ask_all(self, targets):
        """All at once: pipelined."""
        self.wire.send(b"".join(self._head("GET", target, ()) for target in targets))
        return [self.receive() for _ in targets]

    def breaks(self, target):
        """Asks for what cannot come whole.  True when a client cannot mistake it for whole."""
        try:
            self.send("GET", target)
            self.receive()
        except WireError:
            return True
        return False

    def tunnel(self, target, protocol):
        self.wire.send(self._head("GET", target, [("Connection", "upgrade"), ("Upgrade", protocol)]))
        reply = self.wire.reply()
        return reply.status == 101

    def tunnel_send(self, data, end=False):
        self.wire.send(data)
        self.tunnelled = getattr(self, "tunnelled", 0) + len(data)
        if end:
            # Python's unwrap looks for the peer's close_notify at once, and takes content for an error:
            # what is on its way has to be here before.
            while len(self.wire.received) < self.tunnelled:
                assert self.wire._more(time.monotonic() + DEADLINE_S), "the tunnel ended"
            self.wire.half_close()

    def tunnel_rest(self):
        return self.wire.rest(deadline_s=30)


class H2Client:
    """One connection of HTTP/2."""

    def __init__(self, wire, scheme):
        self.h2 = H2Wire(None, wire=wire)
        self.h2.gives_credit = True
        self.scheme = scheme
        self.next = 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.h2.close()

    def _head(self, method, target, fields):
        pseudo = [(":method", method), (":scheme", self.scheme), (":authority", "a"), (":path", target)]
        return [*pseudo, *((name.lower(), str(value)) for name, value in fields)]

    def send(self, method, target, *fields, content=None, unsized=False, trailers=()):
        stream, self.next = self.next, self.next + 2
        if content is not None and not unsized and not trailers:
            fields = [*fields, ("content-length", len(content))]
        self.h2.request(stream, self._head(method, target, fields), end=content is None)
        if content is not None:
            self.h2.upload(stream, content, end=not trailers)
        if trailers:
            self.h2.send(headers(stream, [(name.lower(), value) for name, value in trailers]))
        return stream

    def receive(self, stream):
        state = self.h2.response(stream)
        interim = [(int(dict(fields)[":status"]), lower(fields)) for fields in state.interim]
        return Answer(state.status, lower(state.fields), bytes(state.content), lower(state.trailers or []), interim)

    def ask(self, method, target, *fields, **more):
        return self.receive(self.send(method, target, *fields, **more))

    def ask_all(self, targets):
        """All at once: a stream each."""
        streams = [self.send("GET", target) for target in targets]
        return [self.receive(stream) for stream in streams]

    def breaks(self, target):
        stream = self.send("GET", target)
        code = self.h2.reset_code(stream)
        assert CODES[code] != "NO_ERROR"
        self.h2.settled()
        return True

    def tunnel(self, target, protocol):
        self.h2.until(lambda: self.h2.judge.settings is not None, "SETTINGS")
        fields = [(":method", "CONNECT"), (":protocol", protocol), *self._head("", target, ())[1:]]
        self.tunnel_stream = self.next
        self.h2.request(self.tunnel_stream, fields, end=False)
        state = self.h2.judge.stream(self.tunnel_stream)
        self.h2.until(lambda: state.fields is not None or state.over, "an answer to CONNECT")
        return state.status == 200

    def tunnel_send(self, data, end=False):
        self.h2.upload(self.tunnel_stream, data, end=end)

    def tunnel_rest(self):
        return bytes(self.h2.response(self.tunnel_stream, deadline_s=30).content)


@dataclass(frozen=True)
class Transport:
    """A protocol version and what is below it.  A server that has both listens in the clear first."""

    name: str
    is_h2: bool
    is_tls: bool

    @property
    def scheme(self):
        return "https" if self.is_tls else "http"

    def wire(self, server, **more):
        """Below the version: a connection whose next byte is the first of HTTP."""
        if not self.is_tls:
            return Wire(server.addresses[0], **more)
        protocol = "h2" if self.is_h2 else "http/1.1"
        wire = TlsWire(server.addresses[1], server.authority.context(alpn=[protocol]), **more)
        assert wire.protocol == protocol, f"ALPN chose {wire.protocol}"
        return wire

    def client(self, server, **more):
        wire = self.wire(server, **more)
        return H2Client(wire, self.scheme) if self.is_h2 else H1Client(wire)


TRANSPORTS = [
    Transport("h1", False, False),
    Transport("h1+tls", False, True),
    Transport("h2c", True, False),
    Transport("h2", True, True),
]
