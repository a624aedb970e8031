"""A scripted server behind a proxy: raw sockets, and every byte that came is kept.

Happy path: `with Upstream(script) as upstream`, where `script(peer)` is called for each connection
in a thread of its own and uses peer.request() and peer.send(bytes).
"""

import re
import socket
import struct
import threading

NAMED = re.compile(rb"\r\n(?:X-Request-Id|traceparent): ([^\r\n]+)(?=\r\n|$)")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Gone(Exception):
    """The proxy has ended the connection."""


class Peer:
    def __init__(self, sock, index, upstream):
        self.sock = sock
        self.index = index  # of the connection, from 0
        self.upstream = upstream
        self.received = b""

    def more(self):
        try:
            chunk = self.sock.recv(65536)
        except OSError:
            chunk = b""
        if not chunk:
            raise Gone
        self.received += chunk

    def head(self):
        """The next head, up to and with its empty line."""
        while b"\r\n\r\n" not in self.received:
            self.more()
        head, self.received = self.received.split(b"\r\n\r\n", 1)
        # What a request is called is another each time: it is kept beside the head.  Checks have no names.
        names = [match[1] for match in NAMED.finditer(head)]
        assert len(names) in (0, 2), head
        self.upstream.names.append(names)
        head = NAMED.sub(b"", head) + b"\r\n\r\n"
        self.upstream.heads.append(head)
        return head

    def take(self, count):
        while len(self.received) < count:
            self.more()
        taken, self.received = self.received[:count], self.received[count:]
        return taken

    def request(self):
        """The next request: its head and content of a declared length."""
        head = self.head()
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)\r\n", head)
        content = self.take(int(length[1])) if length else b""
        self.upstream.contents.append(content)
        return head, content

    def send(self, data):
        self.sock.sendall(data)

    def close(self):
        self.sock.close()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def wait_end(self):
        """Until the proxy has ended its side."""
        try:
            while True:
                self.more()
        except Gone:
            self.upstream.ended.set()


def answers(reply=OK):
    """A script that answers every request so."""

    def script(peer):
        while True:
            peer.request()
            peer.send(reply)

    return script


class Upstream:
    def __init__(self, script=None, path=None, port=0):
        self.script = script or answers()
        self.heads = []
        self.names = []  # X-Request-Id and traceparent of each
        self.contents = []
        self.peers = []
        self.ended = threading.Event()
        self.sock = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(path or ("127.0.0.1", port))
        self.sock.listen(64)
        self.url = f"unix:{path}" if path else "http://127.0.0.1:%d" % self.sock.getsockname()[1]
        self.authority = None if path else "127.0.0.1:%d" % self.sock.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        for peer in self.peers:
            peer.sock.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            if sock.family != socket.AF_UNIX:  # a script sends in pieces, and none waits for the last one's ACK
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = Peer(sock, len(self.peers), self)
            self.peers.append(peer)
            threading.Thread(target=self._run, args=(peer,), daemon=True).start()

    def _run(self, peer):
        try:
            self.script(peer)
        except (Gone, OSError, ValueError):
            pass
        finally:
            peer.sock.close()


_held = []


def closed_port():
    """A URL where nothing listens: its port stays bound, so that nothing else gets it."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    _held.append(sock)
    return "http://127.0.0.1:%d" % sock.getsockname()[1]
