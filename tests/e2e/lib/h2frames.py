"""HTTP/2 frames, byte by byte: builders that will build anything, and a reader that forgives nothing.

Happy path: `with H2Wire(address) as h2: h2.send(headers(1, get())); h2.response(1).status`.  What is
sent is never checked, so that any nonsense can be sent.  What comes back is held against RFC 9113 in
`Judge`: a server that breaks a rule in an answer raises Violation, whatever the test was about.
Every wait ends at a deadline.
"""

import struct
import time
from dataclasses import dataclass, field

import hpack

from lib.wire import DEADLINE_S, DATE, Wire, WireError, WireReset, WireTimeout

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY = range(8)
WINDOW_UPDATE, CONTINUATION = 8, 9
PRIORITY_UPDATE = 0x10
NAMES = {
    DATA: "DATA", HEADERS: "HEADERS", PRIORITY: "PRIORITY", RST_STREAM: "RST_STREAM",
    SETTINGS: "SETTINGS", PUSH_PROMISE: "PUSH_PROMISE", PING: "PING", GOAWAY: "GOAWAY",
    WINDOW_UPDATE: "WINDOW_UPDATE", CONTINUATION: "CONTINUATION",
}  # fmt: skip

END_STREAM, ACK, END_HEADERS, PADDED, PRIORITIZED = 1, 1, 4, 8, 0x20
# What RFC 9113 section 6 defines for each type; a sender leaves all others unset.
FLAGS = {
    DATA: END_STREAM | PADDED, HEADERS: END_STREAM | END_HEADERS | PADDED | PRIORITIZED,
    SETTINGS: ACK, PUSH_PROMISE: END_HEADERS | PADDED, PING: ACK, CONTINUATION: END_HEADERS,
}  # fmt: skip

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT = range(5)
STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR = range(5, 10)
CONNECT_ERROR, ENHANCE_YOUR_CALM, INADEQUATE_SECURITY, HTTP_1_1_REQUIRED = range(10, 14)
CODES = (
    "NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED "
    "FRAME_SIZE_ERROR REFUSED_STREAM CANCEL COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM "
    "INADEQUATE_SECURITY HTTP_1_1_REQUIRED"
).split()

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 1, 2, 3, 4
MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE, ENABLE_CONNECT_PROTOCOL, NO_RFC7540_PRIORITIES = 5, 6, 8, 9
WINDOW_MAX = 2**31 - 1
CONNECTION_FIELDS = {"connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade", "te"}


class Violation(WireError):
    """The server sent what RFC 9113 forbids."""


# --- Builders: bytes out of anything ------------------------------------------------------------


def frame(kind, flags, stream, payload=b"", length=None, reserved=0):
    """A frame; `length` lies about its payload, `reserved` sets the bit in front of the stream."""
    length = len(payload) if length is None else length
    return length.to_bytes(3, "big") + struct.pack("!BBL", kind, flags, stream | reserved << 31) + payload


def data(stream, payload=b"", end=False, flags=0, pad=None):
    if pad is not None:
        payload, flags = bytes([pad]) + payload + b"\0" * pad, flags | PADDED
    return frame(DATA, flags | (END_STREAM if end else 0), stream, payload)


def headers(stream, block, end=True, done=True, flags=0, pad=None, priority=None):
    """`block` is bytes, or fields that are encoded as literals."""
    payload = block if isinstance(block, bytes) else literals(block)
    if priority is not None:
        payload, flags = priority + payload, flags | PRIORITIZED
    if pad is not None:
        payload, flags = bytes([pad]) + payload + b"\0" * pad, flags | PADDED
    flags |= (END_STREAM if end else 0) | (END_HEADERS if done else 0)
    return frame(HEADERS, flags, stream, payload)


def continuation(stream, block=b"", done=True):
    return frame(CONTINUATION, END_HEADERS if done else 0, stream, block)


def priority(stream, dependency=0, weight=15, exclusive=0):
    return frame(PRIORITY, 0, stream, depends(dependency, weight, exclusive))


def depends(dependency=0, weight=15, exclusive=0):
    return struct.pack("!LB", dependency | exclusive << 31, weight)


def rst(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack("!L", code))


def settings(*pairs, ack=False, stream=0):
    return frame(SETTINGS, ACK if ack else 0, stream, b"".join(struct.pack("!HL", *pair) for pair in pairs))


def ping(payload=b"12345678", ack=False, stream=0):
    return frame(PING, ACK if ack else 0, stream, payload)


def goaway(last=0, code=NO_ERROR, debug=b"", stream=0):
    return frame(GOAWAY, 0, stream, struct.pack("!LL", last, code) + debug)


def window(stream, increment, reserved=0):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack("!L", increment | reserved << 31))


def priority_update(prioritized, value=b"u=1", stream=0):
    return frame(PRIORITY_UPDATE, 0, stream, struct.pack("!L", prioritized) + value)


def integer(value, bits, first=0):
    """RFC 7541 section 5.1."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([first | value])
    out, value = bytearray([first | limit]), value - limit
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    out.append(value)
    return bytes(out)


def text(value, huffman=False):
    value = value.encode("latin-1") if isinstance(value, str) else value
    return integer(len(value), 7, 0x80 if huffman else 0) + value


def literal(name, value):
    """A literal without indexing, new name: depends on no state, leaves none (RFC 7541, 6.2.2)."""
    return b"\0" + text(name) + text(value)


def indexed(name, value):
    """A literal that enters the dynamic table (RFC 7541, 6.2.1)."""
    return b"\x40" + text(name) + text(value)


def literals(fields):
    return b"".join(literal(name, value) for name, value in fields)


def get(*more, method="GET", path="/", scheme="http", authority="a"):
    """A request's fields.  None leaves a pseudo-field out."""
    pseudo = [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path)]
    return [pair for pair in pseudo if pair[1] is not None] + list(more)


def post(*more, **pseudo):
    return get(*more, **{"method": "POST", **pseudo})


# --- What comes back -----------------------------------------------------------------------------


@dataclass
class Frame:
    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def code(self):
        """Of RST_STREAM and GOAWAY."""
        return struct.unpack("!L", self.payload[4:8] if self.kind == GOAWAY else self.payload)[0]

    def __repr__(self):
        code = CODES[self.code] if self.kind in (GOAWAY, RST_STREAM) and self.code < len(CODES) else ""
        return f"<{NAMES.get(self.kind, self.kind)} {self.stream} {self.flags:#x} {self.payload[:24]!r} {code}>"


@dataclass
class Stream:
    """What the server has said on one stream."""

    interim: list = field(default_factory=list)
    fields: list = None
    content: bytearray = field(default_factory=bytearray)
    trailers: list = None
    ended: bool = False
    code: int = None  # of the server's RST_STREAM
    window: int = 65535  # what it may still send

    @property
    def status(self):
        return int(dict(self.fields)[":status"]) if self.fields else None

    @property
    def over(self):
        return self.ended or self.code is not None

    def values(self, name):
        return [value for key, value in self.fields if key == name.lower()]

    def value(self, name):
        values = self.values(name)
        if len(values) > 1:
            raise Violation(f"{name} stands {len(values)} times in {self.fields}")
        return values[0] if values else None


class Judge:
    """Holds every frame of a server against the rules for a sender, and keeps what it said."""

    def __init__(self):
        self.decoder = hpack.Decoder(max_header_list_size=1 << 20)
        self.streams = {}
        self.heads = set()  # streams whose request was HEAD
        self.window = 65535
        self.initial_window = 65535
        self.frame_max = 16384
        self.table_max = 4096
        self.settings = None  # the server's own, once it has said them
        self.last_settings = {}
        self.acks = 0
        self.pongs = []
        self.pings = []
        self.goaways = []
        self.credit = {}  # what WINDOW_UPDATEs of the server added, by stream
        self.frames = []
        self._block = None  # (stream, flags, bytes) while CONTINUATION is due
        self.opened = set()

    def need(self, is_so, what, frame):
        if not is_so:
            raise Violation(f"{what}: {frame!r}, after {self.frames[-8:-1]!r}")

    def take(self, frame):
        self.frames.append(frame)
        need = lambda is_so, what: self.need(is_so, what, frame)  # noqa: E731
        if self.settings is None:
            need(frame.kind == SETTINGS and not frame.flags, "section 3.4: SETTINGS come first")
        need(len(frame.payload) <= self.frame_max, "section 4.2: longer than we take")
        need(frame.kind in NAMES, "section 4.1: a type that was not agreed on")
        need(not frame.flags & ~FLAGS.get(frame.kind, 0), "section 4.1: undefined flags are set")
        if self._block:
            need(frame.kind == CONTINUATION and frame.stream == self._block[0], "section 4.3: contiguous")
        getattr(self, "_" + NAMES[frame.kind].lower())(frame, need)

    def stream(self, number):
        if number not in self.streams:
            self.streams[number] = Stream(window=self.initial_window)
        return self.streams[number]

    def _speaks_on(self, frame, need):
        need(frame.stream % 2 == 1, "section 5.1.1: a stream that no client opens")
        need(frame.stream in self.opened, "section 5.1: speaks on an idle stream")
        stream = self.stream(frame.stream)
        need(not stream.ended, "section 5.1: speaks after END_STREAM")
        need(stream.code is None, "section 5.4.2: speaks after RST_STREAM")
        return stream

    def _unpadded(self, frame, need):
        if not frame.flags & PADDED:
            return frame.payload
        need(frame.payload and frame.payload[0] < len(frame.payload), "section 6.1: padding")
        pad = frame.payload[0]
        need(not any(frame.payload[len(frame.payload) - pad :]), "section 6.1: padding is zeros")
        return frame.payload[1 : len(frame.payload) - pad]

    def _data(self, frame, need):
        stream = self._speaks_on(frame, need)
        need(stream.fields is not None, "section 8.1: content before a head")
        need(stream.trailers is None, "section 8.1: content after trailers")
        count = len(frame.payload)
        if count:
            need(count <= self.window, f"section 6.9: over the connection's window ({self.window})")
            need(count <= stream.window, f"section 6.9: over the stream's window ({stream.window})")
        self.window -= count
        stream.window -= count
        stream.content += self._unpadded(frame, need)
        self._end(frame, stream, need)

    def _headers(self, frame, need):
        self._speaks_on(frame, need)
        payload = self._unpadded(frame, need)
        need(not frame.flags & PRIORITIZED, "section 5.3: a server sends no priorities")
        self._block = (frame.stream, frame.flags, payload)
        if frame.flags & END_HEADERS:
            self._head(frame, need)

    def _continuation(self, frame, need):
        need(self._block, "section 6.10: no HEADERS before it")
        number, flags, payload = self._block
        self._block = (number, flags | frame.flags, payload + frame.payload)
        if frame.flags & END_HEADERS:
            self._head(Frame(HEADERS, self._block[1], number, b""), need)

    def _head(self, frame, need):
        block, self._block = self._block[2], None
        try:
            fields = [(str(n), str(v)) for n, v in self.decoder.decode(block)]
        except hpack.HPACKError as error:
            need(False, f"section 4.3: {error!r}")
        stream = self.stream(frame.stream)
        names = [name for name, _ in fields]
        need(all(name == name.lower() for name in names), f"section 8.2: upper case in {names}")
        need(not CONNECTION_FIELDS & set(names), f"section 8.2.2: connection fields in {names}")
        if stream.fields is not None:
            need(frame.flags & END_STREAM, "section 8.1: trailers end the stream")
            need(not any(name.startswith(":") for name in names), "section 8.1: pseudo-field in trailers")
            stream.trailers = fields
        else:
            need(names[:1] == [":status"], f"section 8.3.2: :status is the first, of {names}")
            need(sum(name.startswith(":") for name in names) == 1, f"section 8.3: {names}")
            status = fields[0][1]
            need(len(status) == 3 and status.isdigit(), f"section 8.3.2: status {status}")
            need(status != "101", "section 8.6: 101 is not of HTTP/2")
            if status[0] == "1":
                need(not frame.flags & END_STREAM, "section 8.1: an interim response ends nothing")
                stream.interim.append(fields)
            else:
                stream.fields = fields
        self._end(frame, stream, need)

    def _end(self, frame, stream, need):
        if not frame.flags & END_STREAM:
            return
        stream.ended = True
        length = stream.value("content-length")
        # Length of content that a HEAD or 304 does not have (section 8.1.1).
        if length is not None and stream.status != 304 and frame.stream not in self.heads:
            need(int(length) == len(stream.content), f"section 8.1.1: {len(stream.content)} for {length}")
        if stream.status in (204, 304) or frame.stream in self.heads:
            need(not stream.content, "RFC 9110 section 6.4.1: content where there is none")
        need(stream.value("server") == "pollux", f"Server is {stream.value('server')}")
        need(DATE.match(stream.value("date") or ""), f"Date is {stream.value('date')}")

    def _rst_stream(self, frame, need):
        need(len(frame.payload) == 4, "section 6.4: length")
        need(frame.stream in self.opened, "section 6.4: RST_STREAM of an idle stream")
        stream = self.stream(frame.stream)
        need(stream.code is None, "section 5.4.2: a second RST_STREAM")
        stream.code = frame.code

    def _settings(self, frame, need):
        need(frame.stream == 0, "section 6.5: stream")
        if frame.flags & ACK:
            need(not frame.payload, "section 6.5: an ACK is empty")
            self.acks += 1
            return
        need(len(frame.payload) % 6 == 0, "section 6.5: length")
        pairs = [struct.unpack("!HL", frame.payload[at : at + 6]) for at in range(0, len(frame.payload), 6)]
        for key, value in pairs:
            need(key != ENABLE_PUSH or value == 0, "section 6.5.2: a server's ENABLE_PUSH is 0")
            need(key != INITIAL_WINDOW_SIZE or value <= WINDOW_MAX, "section 6.5.2: window")
            need(key != MAX_FRAME_SIZE or 16384 <= value < 1 << 24, "section 6.5.2: frame size")
            need(key not in (ENABLE_CONNECT_PROTOCOL, NO_RFC7540_PRIORITIES) or value <= 1, "0 or 1")
            if key == ENABLE_CONNECT_PROTOCOL and self.last_settings.get(key):
                need(value == 1, "RFC 8441 section 3: 0 after 1")
        self.last_settings.update(pairs)
        self.settings = dict(self.last_settings)

    def _ping(self, frame, need):
        need(frame.stream == 0 and len(frame.payload) == 8, "section 6.7")
        (self.pongs if frame.flags & ACK else self.pings).append(frame.payload)

    def _goaway(self, frame, need):
        need(frame.stream == 0 and len(frame.payload) >= 8, "section 6.8")
        last = struct.unpack("!L", frame.payload[:4])[0]
        if self.goaways:
            before = struct.unpack("!L", self.goaways[-1].payload[:4])[0]
            need(last <= before, "section 6.8: the last stream grows")
        need(frame.code < len(CODES), "section 7: an unknown code")
        self.goaways.append(frame)

    def _window_update(self, frame, need):
        need(len(frame.payload) == 4, "section 6.9: length")
        increment = struct.unpack("!L", frame.payload)[0]
        need(0 < increment <= WINDOW_MAX, "section 6.9: increment")
        need(frame.stream == 0 or frame.stream in self.opened, "section 5.1: WINDOW_UPDATE on an idle stream")
        self.credit[frame.stream] = self.credit.get(frame.stream, 0) + increment

    def _push_promise(self, frame, need):
        need(False, "section 8.4: push, which we turned off")

    def _priority(self, frame, need):
        need(False, "section 5.3: a server sends no priorities")


class H2Wire:
    """A connection, its preface said (unless told otherwise), with the judge listening."""

    def __init__(self, address, preface=True, pairs=((ENABLE_PUSH, 0),), step=0, wire=None, deadline_s=DEADLINE_S,
                 rcvbuf=None):  # fmt: skip
        self.wire = wire or Wire(address, deadline_s, rcvbuf)
        self.deadline_s = deadline_s
        self.step = step
        self.judge = Judge()
        self._uploaded = {}  # content sent by upload, by stream and in all (0)
        self.answers_settings = True
        self.answers_pings = True
        self.gives_credit = False  # opens windows again as content arrives
        self._taken = {}  # content not given credit for yet, by stream
        if preface:
            self.send(PREFACE + settings(*pairs))
            self.note_settings(pairs)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.wire.close()

    def half_close(self):
        """Says no more, and so answers nothing any more."""
        self.answers_settings = self.answers_pings = self.gives_credit = False
        self.wire.half_close()

    # --- Sending ---------------------------------------------------------------------------------

    def note_settings(self, pairs):
        """What we allow from now on."""
        judge = self.judge
        for key, value in pairs:
            if key == INITIAL_WINDOW_SIZE and value <= WINDOW_MAX:
                for stream in judge.streams.values():
                    stream.window += value - judge.initial_window
                judge.initial_window = value
            elif key == MAX_FRAME_SIZE:
                judge.frame_max = value
            elif key == HEADER_TABLE_SIZE:
                judge.decoder.max_allowed_table_size = min(value, 1 << 20)

    def send(self, data, step=None):
        """Bytes as they are.  The judge learns which streams they open and what windows they give."""
        self._learn(data)
        step = self.step if step is None else step
        # A pause would only slow the suite down: without Nagle each write is a segment of its own.
        return self.wire.send(data, step=step)

    def _learn(self, data):
        """Reads along as far as it is frames at all; what is not, the judge need not know."""
        at = len(PREFACE) if data.startswith(PREFACE) else 0
        while at + 9 <= len(data):
            length = int.from_bytes(data[at : at + 3], "big")
            kind, flags, stream = struct.unpack("!BBL", data[at + 3 : at + 9])
            payload = data[at + 9 : at + 9 + length]
            stream &= WINDOW_MAX
            if kind == HEADERS and stream:
                self.judge.opened.add(stream)
                if b"\x04HEAD" in payload:
                    self.judge.heads.add(stream)
            elif kind == WINDOW_UPDATE and len(payload) == 4:
                increment = struct.unpack("!L", payload)[0] & WINDOW_MAX
                if stream:
                    self.judge.stream(stream).window += increment
                else:
                    self.judge.window += increment
            at += 9 + length

    def change_settings(self, *pairs):
        """What allows more holds at once; what allows less, when the server has acknowledged it."""
        less = [pair for pair in pairs if pair[1] < self._allowed(pair[0])]
        self.note_settings([pair for pair in pairs if pair not in less])
        acks = self.judge.acks
        self.send(settings(*pairs))
        self.until(lambda: self.judge.acks > acks, "ACK")
        self.note_settings(less)

    def _allowed(self, key):
        judge = self.judge
        return {
            HEADER_TABLE_SIZE: judge.decoder.max_allowed_table_size,
            INITIAL_WINDOW_SIZE: judge.initial_window, MAX_FRAME_SIZE: judge.frame_max,
        }.get(key, 0)  # fmt: skip

    def request(self, stream, fields, content=b"", end=True, **more):
        """A head and, in frames of at most 16 KiB, its content (that must fit the windows)."""
        out = headers(stream, fields, end=end and not content, **more)
        for at in range(0, len(content), 16384):
            out += data(stream, content[at : at + 16384], end=end and at + 16384 >= len(content))
        self.send(out)

    def upload(self, stream, content, end=True, size=16384):
        """Content as the server's windows allow; reads what comes meanwhile."""
        judge, at = self.judge, 0
        self.until(lambda: judge.settings is not None, "SETTINGS")
        sent = self._uploaded
        while at < len(content) or (end and not content):
            first = judge.settings.get(INITIAL_WINDOW_SIZE, 65535)
            room = lambda: min(  # noqa: E731
                first + judge.credit.get(stream, 0) - sent.get(stream, 0), 65535 + judge.credit.get(0, 0) - sent.get(0, 0)
            )
            if content and room() <= 0:
                self.until(lambda: room() > 0 or judge.stream(stream).over, "WINDOW_UPDATE")
                if judge.stream(stream).over:
                    return at
            piece = content[at : at + min(size, room(), 16384)]
            at += len(piece)
            for key in (0, stream):
                sent[key] = sent.get(key, 0) + len(piece)
            self.send(data(stream, piece, end=end and at == len(content)))
            if not content:
                break
        return at

    # --- Receiving -------------------------------------------------------------------------------

    def read(self, end):
        """One frame; None at the orderly end of the connection."""
        wire = self.wire
        while not wire.received:
            if not wire._more(end):
                return None
        head = wire._take(9, end)
        length = int.from_bytes(head[:3], "big")
        kind, flags, stream = struct.unpack("!BBL", head[3:])
        if stream >> 31:
            raise Violation(f"section 4.1: the reserved bit is set: {head!r}")
        frame = Frame(kind, flags, stream, wire._take(length, end))
        self.judge.take(frame)
        # After a GOAWAY nobody reads ours; and a write to a peer that has closed would lose what it said.
        if not self.judge.goaways:
            if kind == SETTINGS and not flags & ACK and self.answers_settings:
                self.send(settings(ack=True))
            elif kind == PING and not flags & ACK and self.answers_pings:
                self.send(ping(frame.payload, ack=True))
            elif kind == DATA and self.gives_credit:
                self._give_credit(frame)
        return frame

    def _give_credit(self, frame):
        for key in (0, frame.stream):
            self._taken[key] = self._taken.get(key, 0) + len(frame.payload)
            if self._taken[key] > 16384 and not (key and self.judge.streams[key].over):
                self.send(window(key, self._taken.pop(key)))

    def until(self, is_so, what, deadline_s=None):
        """Reads until `is_so()`; an end of the connection before that is an error."""
        end = time.monotonic() + (deadline_s or self.deadline_s)
        while not is_so():
            if self.read(end) is None:
                raise WireError(f"closed while we waited for {what}, after {self.judge.frames[-6:]!r}")

    def response(self, stream, deadline_s=None):
        state = self.judge.stream(stream)
        self.until(lambda: state.over, f"the end of stream {stream}", deadline_s)
        if not state.ended:
            raise WireError(f"stream {stream} was reset: {CODES[state.code]}, {state}")
        return state

    def reset_code(self, stream, deadline_s=None):
        """The code of the server's RST_STREAM."""
        state = self.judge.stream(stream)
        self.until(lambda: state.over, f"RST_STREAM of {stream}", deadline_s)
        if state.code is None:
            # An answer that is whole may be followed by RST_STREAM(NO_ERROR), section 8.1.
            raise WireError(f"stream {stream} was answered: {state}")
        return state.code

    def goaway_code(self, deadline_s=None):
        """Reads to the end: GOAWAY and then an orderly close.  The code; None without a GOAWAY."""
        end = time.monotonic() + (deadline_s or self.deadline_s)
        while self.read(end) is not None:
            pass
        return self.judge.goaways[-1].code if self.judge.goaways else None

    def settled(self):
        """A round trip: what was sent before has been seen, and the connection lives."""
        payload = struct.pack("!Q", len(self.judge.frames) + 0xA000)
        self.send(ping(payload))
        self.until(lambda: payload in self.judge.pongs, "PONG")

    def probe(self, stream, fields=None):
        """A request as good as any; the connection must still serve it."""
        self.request(stream, fields or get())
        response = self.response(stream)
        if response.status != 200:
            raise WireError(f"probe answered {response.status}")
        return response

    def silent(self, seconds):
        """Whether nothing but what was read already comes for that long."""
        try:
            self.read(time.monotonic() + seconds)
        except WireTimeout:
            return not self.wire.received
        return False


__all__ = [name for name in dir() if not name.startswith("_")]
