"""examples/howto: the ancestor, byte for byte on the wire and on stdout."""

import select
import signal
import socket
import struct
import threading
import time
from contextlib import contextmanager

import pytest

from lib.runner import BUILD, Child, default_port, is_listening
from lib.wire import DEADLINE_S, connect

pytestmark = pytest.mark.short

ANSWER = (
    b"HTTP/1.0 200 OK\r\n"
    b"Date: Mon, 1 Jan 1996 01:01:01 GMT\r\n"
    b"Content-Type: text/plain\r\n"
    b"Content-Length: 13\r\n"
    b"\r\n"
    b"Hello, world!"
)
ROW = b"-" * 40 + b"\n"


def free_port():
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@contextmanager
def howto():
    """The example on a free port; it prints no address, so one is picked for it."""
    for attempt in range(5):
        port = free_port()
        child = Child([BUILD / "examples" / "howto", f"127.0.0.1:{port}"])
        child.address = ("127.0.0.1", port)
        child.stopped = False
        end = time.monotonic() + DEADLINE_S
        while child.running and time.monotonic() < end:
            if is_listening(port):
                break
            time.sleep(0.01)
        if child.running:
            break
        child.kill()
    try:
        assert child.running, child.stderr
        yield child
        if not child.stopped:
            interrupt(child)
        assert child.stderr == ""
        with pytest.raises(OSError):
            connect(child.address, timeout=2).close()
    finally:
        child.kill()


def interrupt(child):
    """It ends in order, and with nothing to say."""
    assert child.running, f"gone, exit code {child.process.poll()}: {child.stderr}"
    child.signal(signal.SIGINT)
    assert child.wait() == 0, child.stderr
    child.assert_clean()
    child.stopped = True


def read_all(sock, deadline_s=DEADLINE_S):
    sock.settimeout(deadline_s)
    data = b""
    while True:
        chunk = sock.recv(65536)
        if not chunk:
            return data
        data += chunk


def printed(*collected):
    return b"".join(ROW + one[:-2] + b"\n" for one in collected)


def exchange(server, data, step=0):
    with connect(server.address) as sock:
        if step:
            for at in range(0, len(data), step):
                sock.sendall(data[at : at + step])
                time.sleep(0.001)
        else:
            sock.sendall(data)
        return read_all(sock)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"\n\n",
        b"\n\r\n",
        b"\r\n\r\n",
        b"anything\x00\xff\x80 at all\n\n",
        b"GET / HTTP/1.1\r\nHost: a\n\r\n",
    ],
    ids=["crlf", "lf", "only-lf", "shortest-lf-crlf", "shortest-crlf", "binary", "mixed"],
)
def test_both_line_ends(data):
    with howto() as server:
        assert exchange(server, data) == ANSWER
        assert server.wait_stdout(lambda out: len(out) >= len(printed(data))) == printed(data)


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /\n\n"], ids=["crlf", "lf"])
def test_one_byte_at_a_time(data):
    with howto() as server:
        assert exchange(server, data, step=1) == ANSWER
        assert server.wait_stdout(lambda out: len(out) >= len(printed(data))) == printed(data)


def test_what_came_in_the_same_read_is_printed_too():
    data = b"GET / HTTP/1.1\r\n\r\nmore than that"
    with howto() as server:
        assert exchange(server, data) == ANSWER
        assert server.wait_stdout(lambda out: len(out) >= len(printed(data))) == printed(data)


def test_no_answer_before_the_end():
    with howto() as server:
        with connect(server.address) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
            assert not select.select([sock], [], [], 0.3)[0]
            assert server.stdout == b""
            sock.sendall(b"\r\n")
            assert read_all(sock) == ANSWER


def test_a_request_of_one_megabyte():
    data = b"POST / HTTP/1.1\r\n" + b"X: " + b"y" * 1_000_000 + b"\r\n\r\n"
    with howto() as server:
        assert exchange(server, data) == ANSWER
        out = server.wait_stdout(lambda out: len(out) >= len(printed(data)))
        assert out == printed(data)


def test_many_at_once():
    count = 200
    requests = [b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(count)]
    with howto() as server:
        socks = [connect(server.address) for _ in range(count)]
        try:
            for sock, data in zip(socks, requests):
                sock.sendall(data[:9])
            for sock, data in reversed(list(zip(socks, requests))):
                sock.sendall(data[9:])
            for sock in socks:
                assert read_all(sock) == ANSWER
        finally:
            for sock in socks:
                sock.close()
        total = len(printed(*requests))
        out = server.wait_stdout(lambda out: len(out) >= total)
        assert sorted(out.split(ROW)[1:]) == sorted(data[:-2] + b"\n" for data in requests)


def test_a_peer_that_never_reads():
    """It must not hold up the others, nor the end."""
    with howto() as server:
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        deaf.settimeout(DEADLINE_S)
        deaf.connect(server.address)
        try:
            deaf.sendall(b"GET /deaf\n\n")
            for n in range(20):
                assert exchange(server, b"GET /%d\n\n" % n) == ANSWER
            # What it was sent is still there, whole, however late it reads.
            time.sleep(0.2)
            assert read_all(deaf) == ANSWER
        finally:
            deaf.close()


def test_peers_that_reset():
    with howto() as server:
        for n in range(60):
            sock = connect(server.address)
            if n % 3:
                sock.sendall(b"GET /" if n % 3 == 1 else b"GET /\n\n")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
        assert exchange(server, b"GET /after\n\n") == ANSWER
        server.wait_stdout(lambda out: out.endswith(printed(b"GET /after\n\n")))


def test_peers_that_leave_early():
    with howto() as server:
        for data in (b"", b"GET", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\n\r"):
            with connect(server.address) as sock:
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
                assert read_all(sock) == b"", "an answer without a request"
        assert exchange(server, b"GET /\n\n") == ANSWER
        assert server.wait_stdout(lambda out: out) == printed(b"GET /\n\n")


def test_nothing_is_read_behind_the_request():
    """One answer, however much follows."""
    with howto() as server:
        with connect(server.address) as sock:
            sock.sendall(b"GET /1\n\n")
            assert read_all(sock) == ANSWER
            try:
                sock.sendall(b"GET /2\n\n")
            except (BrokenPipeError, ConnectionResetError):
                pass
        time.sleep(0.1)
        assert server.stdout == printed(b"GET /1\n\n")


def test_nodelay_and_reuse():
    """It can be started again at once on the port that it has just used."""
    port = free_port()
    for n in range(3):
        child = Child([BUILD / "examples" / "howto", f"127.0.0.1:{port}"])
        try:
            end = time.monotonic() + DEADLINE_S
            while not is_listening(port) and child.running and time.monotonic() < end:
                time.sleep(0.01)
            assert child.running, child.stderr
            with connect(("127.0.0.1", port)) as sock:
                sock.sendall(b"GET /\n\n")
                assert read_all(sock) == ANSWER
            interrupt(child)
        finally:
            child.kill()


def test_interrupted_in_the_middle():
    """With connections open in every state it still frees everything and exits 0."""
    with howto() as server:
        socks = [connect(server.address) for _ in range(10)]
        for sock in socks[:5]:
            sock.sendall(b"GET / HTTP/1.1\r\nHost")
        time.sleep(0.1)
        interrupt(server)
        for sock in socks:
            sock.close()


def test_default_address():
    """Without an argument it takes 0.0.0.0:8080, or says that somebody else has it."""
    with default_port():
        taken = is_listening(8080)
        child = Child([BUILD / "examples" / "howto"])
        try:
            end = time.monotonic() + DEADLINE_S
            while child.running and not is_listening(8080) and time.monotonic() < end:
                time.sleep(0.01)
            if taken:
                assert child.wait() != 0 and "8080" in child.stderr
            else:
                interrupt(child)
        finally:
            child.kill()


def test_interrupt_while_busy():
    """An interrupt under load ends it in order."""
    with howto() as server:
        stop = threading.Event()

        def load():
            while not stop.is_set():
                try:
                    exchange(server, b"GET /\n\n")
                except OSError:
                    return

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        try:
            interrupt(server)
        finally:
            stop.set()
            for thread in threads:
                thread.join(DEADLINE_S)
