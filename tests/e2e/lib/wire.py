"""A raw connection with deadlines, and a reader of responses that is itself strict.

Happy path: `with Wire(address) as wire: wire.send(bytes); reply = wire.reply()`.  Whatever is not
exactly an HTTP/1.1 response raises WireError, so that a sloppy server cannot hide behind a lenient
client.  Every wait ends at a deadline.
"""

import re
import select
import socket
import struct
import time
import weakref

DEADLINE_S = 10.0

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
STATUS_LINE = re.compile(rb"\AHTTP/1\.1 ([1-5][0-9][0-9]) ([\t\x20-\x7e]*)\Z")
FIELD_LINE = re.compile(rb"\A(" + TOKEN + rb"):[ ]([\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?|)\Z")
DATE = re.compile(
    r"\A(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-3][0-9] "
    r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-9]{4} [0-2][0-9]:[0-5][0-9]:[0-6][0-9] GMT\Z"
)


class WireError(AssertionError):
    """The peer did what no correct server does."""


class WireReset(WireError):
    """The peer sent a reset."""


class WireTimeout(WireError):
    """The peer said nothing before the deadline."""


class Reply:
    """One response: status, fields in order, content."""

    def __init__(self, status, reason, fields, content, head):
        self.status = status
        self.reason = reason
        self.fields = fields
        self.content = content
        self.head = head
        self.trailers = []

    def values(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def value(self, name):
        values = self.values(name)
        if len(values) > 1:
            raise WireError(f"{name} stands {len(values)} times in {self.head!r}")
        return values[0] if values else None

    @property
    def says_close(self):
        return any(
            "close" in [option.strip().lower() for option in value.split(",")]
            for value in self.values("Connection")
        )

    def __repr__(self):
        return f"<{self.status} {self.reason} {len(self.content)} bytes>"


_connected = weakref.WeakSet()  # sockets, all that connect() has made


def end_ours(addresses):
    """Ends our side of what is still connected to those addresses; what comes from there can be read on.  A server
    that stops waits for each peer that does not end its own: 500 ms for an idle one, 5 s for one of HTTP/2."""
    for sock in list(_connected):
        try:
            peer = sock.getpeername()
            if (peer if isinstance(peer, str) else peer[:2]) in addresses:
                sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it is closed


def connect(address, rcvbuf=None, timeout=DEADLINE_S):
    """`address` is (host, port), or a path for a unix socket."""
    if isinstance(address, str):
        sock = socket.socket(socket.AF_UNIX)
    else:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        sock = socket.socket(family)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if rcvbuf:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    sock.settimeout(timeout)
    try:
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    _connected.add(sock)
    return sock


class Wire:
    def __init__(self, address, deadline_s=DEADLINE_S, rcvbuf=None):
        self.deadline_s = deadline_s
        self.sock = connect(address, rcvbuf)
        self.sock.setblocking(False)
        self.received = b""
        self.eof = False
        self.reset = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def close_with_reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    # What TLS does otherwise; both raise BlockingIOError where nothing can be done now.

    def _read(self):
        return self.sock.recv(262144)

    def _write(self, piece):
        return self.sock.send(piece)

    def _wait(self, events, seconds):
        poll = select.poll()  # select() knows no descriptors above 1023
        poll.register(self.sock, events)
        poll.poll(max(1, seconds * 1000))

    # --- sending -------------------------------------------------------------------------

    def send(self, data, step=0, pause_s=0.0, read=True):
        """Sends all of it, `step` bytes a write (0: as much as the kernel takes), and collects what
        comes meanwhile.  Stops without complaint once the peer has ended its side: what it answered
        is judged by the caller.  Returns how many bytes the kernel took."""
        data = memoryview(data)
        sent = 0
        end = time.monotonic() + self.deadline_s + len(data) * pause_s * 4
        while sent < len(data) and not (self.eof or self.reset):
            left = end - time.monotonic()
            if left <= 0:
                raise WireTimeout(f"only {sent} of {len(data)} bytes were taken")
            piece = data[sent : sent + step] if step else data[sent:]
            try:
                sent += self._write(piece)
            except BlockingIOError:
                self._wait(select.POLLOUT | (select.POLLIN if read else 0), min(left, 1.0))
            except (BrokenPipeError, ConnectionResetError):
                self._collect()
                self.reset = self.reset or not self.eof
                break
            if read:
                self._collect()
            if pause_s:
                time.sleep(pause_s)
        return sent

    # --- receiving -----------------------------------------------------------------------

    def _collect(self):
        while not (self.eof or self.reset):
            try:
                chunk = self._read()
            except BlockingIOError:
                return
            except ConnectionResetError:
                self.reset = True
                return
            if not chunk:
                self.eof = True
                return
            self.received += chunk

    def _more(self, end):
        """Waits for more bytes; False at the orderly end."""
        before = len(self.received)
        while True:
            self._collect()
            if len(self.received) > before:
                return True
            if self.reset:
                raise WireReset(f"reset, after {self.received!r}")
            if self.eof:
                return False
            left = end - time.monotonic()
            if left <= 0:
                raise WireTimeout(f"nothing more came, after {self.received!r}")
            self._wait(select.POLLIN, left)

    def _take(self, count, end):
        while len(self.received) < count:
            if not self._more(end):
                raise WireError(f"ended after {self.received!r}, wanted {count} bytes")
        taken, self.received = self.received[:count], self.received[count:]
        return taken

    def _line(self, end):
        while b"\r\n" not in self.received:
            if not self._more(end):
                raise WireError(f"ended within a line: {self.received!r}")
        line, self.received = self.received.split(b"\r\n", 1)
        return line

    def reply(self, head_only=False, deadline_s=None):
        """The next response, or None where the peer ended before its first byte."""
        end = time.monotonic() + (deadline_s or self.deadline_s)
        while not self.received:
            if not self._more(end):
                return None
        lines = []
        while True:
            line = self._line(end)
            if not line:
                break
            lines.append(line)
        head = b"\r\n".join(lines) + b"\r\n\r\n"
        if not lines:
            raise WireError("an empty line before a response")
        match = STATUS_LINE.match(lines[0])
        if not match:
            raise WireError(f"not a status line: {lines[0]!r}")
        status, reason = int(match[1]), match[2].decode()
        fields = []
        for line in lines[1:]:
            field = FIELD_LINE.match(line)
            if not field:
                raise WireError(f"not a field line: {line!r}")
            fields.append((field[1].decode(), field[2].decode()))
        reply = Reply(status, reason, fields, b"", head)
        reply.content = self._content(reply, head_only, end)
        if status >= 200:
            self._check_final(reply)
        return reply

    def _content(self, reply, head_only, end):
        length, coding = reply.value("Content-Length"), reply.value("Transfer-Encoding")
        if length is not None and coding is not None:
            raise WireError(f"two framings: {reply.head!r}")
        if length is not None and not re.fullmatch(r"0|[1-9][0-9]*", length):
            raise WireError(f"bad length: {reply.head!r}")
        if reply.status < 200 or reply.status == 204:
            if length is not None or coding is not None:
                raise WireError(f"framing on {reply.status}: {reply.head!r}")
            return b""
        if head_only or reply.status == 304:
            return b""
        if coding is not None:
            if coding != "chunked":
                raise WireError(f"coding {coding}")
            return self._chunks(end, reply)
        if length is None:
            if not reply.says_close:
                raise WireError(f"no framing and no close: {reply.head!r}")
            while self._more(end):
                pass
            content, self.received = self.received, b""
            return content
        return self._take(int(length), end)

    def _chunks(self, end, reply):
        content = b""
        while True:
            line = self._line(end)
            if not re.fullmatch(rb"[0-9a-fA-F]{1,16}", line):
                raise WireError(f"chunk size {line!r}")
            size = int(line, 16)
            if size == 0:
                break
            content += self._take(size, end)
            if self._take(2, end) != b"\r\n":
                raise WireError("chunk does not end in CRLF")
        while line := self._line(end):
            field = FIELD_LINE.match(line)
            if not field:
                raise WireError(f"not a field line: {line!r}")
            reply.trailers.append((field[1].decode(), field[2].decode()))
        return content

    @staticmethod
    def _check_final(reply):
        if reply.value("Server") != "pollux":
            raise WireError(f"Server: {reply.head!r}")
        date = reply.value("Date")
        if date is None or not DATE.match(date):
            raise WireError(f"Date: {reply.head!r}")

    def ends(self, deadline_s=None):
        """True when the peer ends in order now, without another byte; raises on a reset, on bytes
        and at the deadline."""
        end = time.monotonic() + (deadline_s or self.deadline_s)
        if self.received or self._more(end):
            raise WireError(f"bytes after the last response: {self.received!r}")
        return True

    def rest(self, deadline_s=None):
        """Everything until the orderly end."""
        end = time.monotonic() + (deadline_s or self.deadline_s)
        while self._more(end):
            pass
        taken, self.received = self.received, b""
        return taken

    def silent(self, seconds):
        """True when nothing at all comes for so long."""
        try:
            self._more(time.monotonic() + seconds)
        except WireTimeout:
            return not self.received
        return False


def ask(address, data, head_only=False, deadline_s=DEADLINE_S):
    """One request, one response, on a connection of its own."""
    with Wire(address, deadline_s) as wire:
        wire.send(data)
        return wire.reply(head_only)
