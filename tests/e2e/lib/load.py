"""A crowd of clients that notices every request that was lost.

Happy path: `with Crowd(address) as crowd: do_something(); crowd.wait(1000)`, and on the way out the
first failure of anybody is raised.  A client may send a request again in one case only: on a
connection that it has used before and that was closed before the first byte of the answer (RFC
9110 section 9.2.2).
"""

import socket
import threading
import time

from lib.wire import connect

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Lost(AssertionError):
    """A request that should have been answered was not."""


def read_answer(sock, got=b""):
    """The content of one answer with a Content-Length, and whether it was the last there."""
    while b"\r\n\r\n" not in got:
        more = sock.recv(65536)
        if not more:
            raise (Lost("cut within a head") if got else ConnectionResetError("closed"))
        got += more
    head, content = got.split(b"\r\n\r\n", 1)
    lines = head.lower().split(b"\r\n")
    if not lines[0].startswith(b"http/1.1 200"):
        raise Lost(f"answered {lines[0]!r}")
    length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length"))
    while len(content) < length:
        more = sock.recv(65536)
        if not more:
            raise Lost("cut within content")
        content += more
    return content, b"connection: close" in lines


class Crowd:
    """`fresh` clients make a connection a request, `kept` ones keep theirs."""

    def __init__(self, address, fresh=2, kept=2, tolerate=()):
        self.address = address
        self.tolerate = tolerate  # failures that the test itself causes, counted in `torn`
        self.answered = 0
        self.torn = 0
        self.connections = 0
        self.failure = None
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(keeps,), daemon=True)
            for keeps in [False] * fresh + [True] * kept
        ]

    def _run(self, keeps):
        try:
            while not self._stop.is_set():
                self._live(keeps)
        except BaseException as failure:
            with self._lock:
                self.failure = self.failure or failure
            self._stop.set()

    def _live(self, keeps):
        """The life of one connection."""
        answers = 0
        try:
            with connect(self.address) as sock:
                with self._lock:
                    self.connections += 1
                while not self._stop.is_set():
                    try:
                        sock.sendall(REQUEST)
                        _, is_last = read_answer(sock)
                    except (ConnectionResetError, BrokenPipeError):
                        if answers:
                            return  # it was reused: the request is sent again on a new one
                        raise
                    answers += 1
                    with self._lock:
                        self.answered += 1
                    if is_last or not keeps:
                        return
        except (OSError, Lost) as failure:
            if not isinstance(failure, self.tolerate or ()):
                raise Lost(f"{'kept' if keeps else 'fresh'}, answer {answers}: {failure!r}") from failure
            with self._lock:
                self.torn += 1

    def wait(self, more, seconds=60):
        """Until `more` requests have been answered from now on."""
        wanted = self.answered + more
        end = time.monotonic() + seconds
        while self.answered < wanted:
            if self.failure:
                raise self.failure
            assert time.monotonic() < end, f"{self.answered} answered, {wanted} wanted"
            time.sleep(0.005)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(20)
        if self.failure and kind is None:
            raise self.failure


def silent_socket(address):
    """A connection that says nothing."""
    sock = connect(address)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock
