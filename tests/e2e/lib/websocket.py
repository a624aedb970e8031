"""A WebSocket client that writes any bytes and is itself strict about what comes back.

Happy path: `with Socket.open(transport, server, "/socket") as socket: socket.send_text("a");
socket.message()`.  The handshake is that of RFC 6455 over HTTP/1.1 and of RFC 8441 over HTTP/2.  Every
frame of the server is held to section 5 of RFC 6455; every wait ends at a deadline.
"""

import base64
import hashlib
import os
import struct
import time

from lib.transport import H1Client
from lib.wire import DEADLINE_S, WireError, WireTimeout

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(opcode, payload=b"", fin=True, rsv=0, key=b"\x37\xfa\x21\x3d", length=None, masked=True, size=None):
    """`length` lies about it; `size` (7, 16, 64) writes it wider than it needs."""
    count = len(payload) if length is None else length
    size = size or (7 if count < 126 else 16 if count < 65536 else 64)
    first = bytes([fin << 7 | rsv << 4 | opcode])
    bit = masked << 7
    if size == 7:
        head = bytes([bit | count])
    elif size == 16:
        head = bytes([bit | 126]) + struct.pack("!H", count)
    else:
        head = bytes([bit | 127]) + struct.pack("!Q", count)
    if not masked:
        return first + head + payload
    return first + head + key + mask(payload, key)


def mask(payload, key):
    if not payload:
        return b""
    whole = key * (len(payload) // 4 + 1)
    number = int.from_bytes(payload, "big") ^ int.from_bytes(whole[: len(payload)], "big")
    return number.to_bytes(len(payload), "big")


def close_frame(code=None, reason=b"", **more):
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason, **more)


class Refused(Exception):
    def __init__(self, answer):
        super().__init__(f"refused: {answer}")
        self.answer = answer


def handshake_fields(key="dGhlIHNhbXBsZSBub25jZQ==", **changed):
    """Of HTTP/1.1; None leaves one out."""
    fields = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key}
    fields.update({name.replace("_", "-"): value for name, value in changed.items()})
    return [(name, value) for name, value in fields.items() if value is not None]


class Socket:
    def __init__(self, client, fields):
        self.client = client
        self.fields = fields  # of the answer, names in lower case
        self.received = bytearray()
        self.taken = 0

    @classmethod
    def open(cls, transport, server, target, *fields, client=None, **more):
        client = client or transport.client(server, **more)
        try:
            opened = cls._open_h1 if isinstance(client, H1Client) else cls._open_h2
            return cls(client, opened(client, target, fields))
        except BaseException:
            client.__exit__()
            raise

    @staticmethod
    def _open_h1(client, target, fields):
        key = base64.b64encode(os.urandom(16)).decode()
        client.wire.send(client._head("GET", target, [*handshake_fields(key), *fields]))
        reply = client.wire.reply()
        if reply.status != 101:
            raise Refused(reply)
        assert reply.value("Upgrade") == "websocket" and reply.value("Connection") == "Upgrade", reply.head
        accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        assert reply.value("Sec-WebSocket-Accept") == accept, reply.head
        return {name.lower(): value for name, value in reply.fields}

    @staticmethod
    def _open_h2(client, target, fields):
        h2 = client.h2
        h2.until(lambda: h2.judge.settings is not None, "SETTINGS")
        assert h2.judge.settings.get(8) == 1, "RFC 8441 section 3: SETTINGS_ENABLE_CONNECT_PROTOCOL"
        stream, client.next = client.next, client.next + 2
        client.tunnel_stream = stream
        head = [(":method", "CONNECT"), (":protocol", "websocket"), *client._head("", target, fields)[1:]]
        h2.request(stream, [*head, ("sec-websocket-version", "13")], end=False)
        state = h2.judge.stream(stream)
        h2.until(lambda: state.fields is not None or state.over, "an answer to CONNECT")
        if state.status != 200:
            h2.until(lambda: state.over, "the end of the answer")
            raise Refused(state)
        assert not state.values("sec-websocket-accept"), "RFC 8441 section 5: there is no accept"
        return dict(state.fields)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.__exit__()

    @property
    def is_h1(self):
        return isinstance(self.client, H1Client)

    # --- Sending ---------------------------------------------------------------------------------

    def send(self, data, step=0):
        """Bytes as they are."""
        if self.is_h1:
            return self.client.wire.send(data, step=step)
        return self.client.h2.upload(self.client.tunnel_stream, data, end=False, size=step or 16384)

    def send_text(self, text, **more):
        self.send(frame(TEXT, text.encode(), **more))

    def send_binary(self, data, **more):
        self.send(frame(BINARY, data, **more))

    def end(self):
        """Ends our side without a Close frame."""
        if self.is_h1:
            self.client.wire.half_close()
        else:
            self.client.h2.upload(self.client.tunnel_stream, b"", end=True)

    # --- Receiving -------------------------------------------------------------------------------

    def _more(self, end):
        """More bytes; False at the end of the server's side."""
        if self.is_h1:
            wire = self.client.wire
            if not wire.received and not wire._more(end):
                return False
            self.received += wire.received
            wire.received = b""
            return True
        h2 = self.client.h2
        state = h2.judge.stream(self.client.tunnel_stream)
        while len(state.content) == self.taken:
            if state.over:
                if state.code not in (None, 0):
                    raise WireError(f"the stream was reset: {state.code}")
                return False
            if time.monotonic() > end:
                raise WireTimeout("nothing more came")
            if h2.read(end) is None:
                return False
        self.received += state.content[self.taken :]
        self.taken = len(state.content)
        return True

    def _take(self, count, end):
        while len(self.received) < count:
            if not self._more(end):
                raise WireError(f"ended inside of a frame, after {bytes(self.received)!r}")
        taken = bytes(self.received[:count])
        del self.received[:count]
        return taken

    def frame(self, deadline_s=DEADLINE_S):
        """The next frame as (opcode, payload, fin, rsv); None at the orderly end."""
        end = time.monotonic() + deadline_s
        while not self.received:
            if not self._more(end):
                return None
        first, second = self._take(2, end)
        fin, rsv, opcode = first >> 7, first >> 4 & 7, first & 15
        assert not second & 128, "section 5.1: a server does not mask"
        length = second
        if second == 126:
            length = struct.unpack("!H", self._take(2, end))[0]
            assert length >= 126, "section 5.2: the minimal number of bytes"
        elif second == 127:
            length = struct.unpack("!Q", self._take(8, end))[0]
            assert 65536 <= length < 1 << 63, "section 5.2: the minimal number of bytes"
        assert opcode in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG), f"opcode {opcode}"
        if opcode >= CLOSE:
            assert fin and length <= 125 and not rsv, "section 5.5"
        return opcode, self._take(length, end), fin, rsv

    def message(self, deadline_s=DEADLINE_S, inflate=None):
        """The next whole message as (opcode, bytes); control frames in between fail."""
        opcode, payload, fin, rsv = self.frame(deadline_s) or (None, b"", 1, 0)
        assert opcode in (TEXT, BINARY), f"opcode {opcode}, {payload[:100]!r}"
        assert not rsv or (rsv == 4 and inflate)
        while not fin:
            more, piece, fin, again = self.frame(deadline_s)
            assert more == CONTINUATION and not again
            payload += piece
        if rsv:
            payload = inflate(payload)
        return opcode, payload.decode() if opcode == TEXT else payload

    def expect(self, opcode, payload):
        got = self.frame()
        assert got is not None and (got[0], got[1]) == (opcode, payload), got

    def closes(self, code, deadline_s=DEADLINE_S):
        """Reads to the server's Close, which must say this (or one of these), and then to the end of its side,
        answering as a client does.  The reason."""
        while (got := self.frame(deadline_s)) is not None and got[0] != CLOSE:
            pass
        assert got is not None, "ended without Close"
        said = struct.unpack("!H", got[1][:2])[0] if got[1] else None
        wanted = code if isinstance(code, (tuple, list)) else (code,)
        assert said in wanted, f"closed with {said}, {got[1][2:]!r}"
        return got[1][2:].decode()

    def ends(self, deadline_s=DEADLINE_S):
        """The server's side ends in order, without a frame more."""
        assert (got := self.frame(deadline_s)) is None, got
        return True

    def close(self, code=1000, reason=b""):
        """The closing handshake, begun by us."""
        self.send(close_frame(code, reason))
        self.closes(code)
        self.ends()
