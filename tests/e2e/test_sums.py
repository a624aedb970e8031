"""What many peers hold together has a bound, and who holds little is served while others hold much.

Each attack is bounded: some megabytes, some hundred connections, some seconds.  The numbers are
those of docs/HTTP.md.
"""

import contextlib
import os
import re
import signal
import socket
import ssl
import time

import pytest

from lib.h2frames import *  # noqa: F403
from lib.runner import Pollux
from lib.wire import WireError, ask, connect

GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
HELD_S = 2.0  # an honest client is served within this


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))


def counter(server, what):
    pattern = re.compile(what + r" (\d+)")
    before = len(pattern.findall(server.stderr))
    server.signal(signal.SIGUSR1)
    server.wait_stderr(pattern, count=before + 1)
    return int(pattern.findall(server.stderr)[-1])


@contextlib.contextmanager
def crowd():
    """Sockets that are closed before the server drains, which would wait for them."""
    with contextlib.ExitStack() as stack:
        yield lambda address: stack.enter_context(contextlib.closing(connect(address)))


def served(address):
    """HTTP/1 and HTTP/2, each on a connection of its own, in time."""
    begin = time.monotonic()
    assert ask(address, GET).status == 200
    with H2Wire(address) as h2:
        h2.probe(1)
    assert time.monotonic() - begin < HELD_S


def opening(*pairs):
    return PREFACE + settings(*pairs)


def test_unfinished_header_blocks_give_way():
    """One byte of a head on more connections than heads can be written to at once."""
    with Pollux("respond", "--log", "off", "-w", "1", "--max-connections", "2000") as server, crowd() as member:
        for _ in range(1100):
            member(server.address).sendall(opening() + frame(HEADERS, 4, 1, b"\x82", length=30))
        served(server.address)
        assert counter(server, "shed") >= 1100 - 1024
        # They make room for one another; who comes whole is never refused.
        for _ in range(20):
            served(server.address)


def test_fields_that_are_not_whole_give_way():
    """A field of 16 KiB of which half has come is kept; many of them do not keep others from what they need."""
    argv = ["respond", "--log", "off", "-w", "0", "--max-connections", "1000", "--max-memory", "16m"]
    with Pollux(*argv) as server, crowd() as member, H2Wire(server.address) as honest:
        honest.probe(1)
        for size in (300, 4000, 12000, 15000):
            half = opening() + frame(HEADERS, 4, 1, literal(b"x", b"a" * size)[:-100], length=16384)
            for _ in range(250):
                member(server.address).sendall(half)
            served(server.address)
        # One that came before them, and one whose field comes in two pieces.
        honest.probe(3)
        with H2Wire(server.address) as h2:
            whole = headers(1, literals(get()) + literal(b"x", b"a" * 9000))
            h2.send(whole[:8000])
            time.sleep(0.2)
            h2.send(whole[8000:])
            assert h2.response(1).status == 200
            h2.probe(3)
        assert counter(server, "shed") >= 100


def test_tables_of_the_idle_give_way():
    """Connections that were there before, and fill their tables one after the other: what asks is served, also
    where nobody new comes for whom room would be made."""
    argv = ["respond", "--log", "off", "-w", "0", "--max-connections", "1000", "--max-memory", "16m"]
    asks = literals(get()) + b"".join(indexed(f"x-{number}", "y" * 900) for number in range(4))
    with Pollux(*argv) as server, contextlib.ExitStack() as stack:
        members = [stack.enter_context(H2Wire(server.address)) for _ in range(550)]
        honest = [stack.enter_context(H2Wire(server.address)) for _ in range(8)]
        for member in [*members, *honest]:
            member.settled()
        for index, member in enumerate(members):
            with contextlib.suppress(WireError):
                member.send(headers(1, asks))
                member.response(1)
            honest[index % 8].probe(index // 8 * 2 + 1)
        for member in honest:
            member.send(headers(1001, asks))
            assert member.response(1001).status == 200
        assert counter(server, "shed") >= 10


def bomb(field):
    """A head of 28 KiB in 40 bytes, a hundred times: the window is closed, so no answer ends them."""
    base = b"\x82\x86" + literal(b":path", b"/") + literal(b":authority", b"x")
    first = base + b"\x40" + literal(field, b"a" * 3990)[1:]
    return opening((INITIAL_WINDOW_SIZE, 0)) + headers(1, first) + b"".join(
        headers(number, base + b"\xbe" * 7) for number in range(3, 200, 2)
    )


@pytest.mark.parametrize("field", [b"cookie", b"x"])
def test_decoded_heads_have_a_sum(field):
    """A hundred and fifty connections of 8 KB: 256 KiB each at most, 32 MiB for all."""
    with Pollux("respond", "--log", "off", "-w", "0", "--max-connections", "400") as server, crowd() as member:
        assert ask(server.address, GET).status == 200
        before = rss_kib(server.process.pid)
        attack = bomb(field)
        for _ in range(150):
            member(server.address).sendall(attack)
        served(server.address)
        assert rss_kib(server.process.pid) - before < 64 * 1024


def test_memory_has_a_sum_that_can_be_set():
    """What bombs may keep is a part of --max-memory, whatever their number; who comes then is served."""
    argv = ["respond", "--log", "off", "-w", "0", "--max-connections", "400", "--max-memory", "32m"]
    with Pollux(*argv) as server, crowd() as member:
        assert ask(server.address, GET).status == 200
        before = rss_kib(server.process.pid)
        attack = bomb(b"cookie")
        for _ in range(150):
            member(server.address).sendall(attack)
        served(server.address)
        assert rss_kib(server.process.pid) - before < 16 * 1024


def test_stalled_streams_do_not_take_all_exchanges():
    """A hundred stalled requests on as many connections as would take every exchange there is."""
    with Pollux("respond", "--log", "off", "-w", "1", "--max-connections", "400") as server, crowd() as member:
        block = literals(get())
        attack = opening((INITIAL_WINDOW_SIZE, 0)) + b"".join(headers(number, block) for number in range(1, 200, 2))
        for _ in range(300):
            member(server.address).sendall(attack)
        for _ in range(5):
            served(server.address)
            time.sleep(0.1)


WHOLE = ping()
PINGS = {
    "whole": [WHOLE],
    "in two": [WHOLE[:5], WHOLE[5:]],
    # Never between two frames: each piece ends one and begins the next.
    "overlapping": [WHOLE[5:] + WHOLE[:5]],
}


@pytest.mark.parametrize("pieces", PINGS.values(), ids=PINGS)
def test_pings_do_not_keep_a_connection(pieces):
    """Idle is who asks for nothing, also in frames that come in pieces."""
    times = ["--timeout-idle", "2s", "--timeout-head", "2s"]
    with Pollux("respond", "--log", "off", "-w", "1", *times) as server:
        with contextlib.closing(connect(server.address)) as sock:
            sock.sendall(opening() + (WHOLE[:5] if len(pieces) == 1 and pieces != [WHOLE] else b""))
            sock.settimeout(0.2)
            begin, said = time.monotonic(), b""
            # GOAWAY on stream 0, of eight bytes.
            while time.monotonic() - begin < 6 and b"\0\0\x08\x07\0" not in said:
                for piece in pieces:
                    sock.sendall(piece)
                    with contextlib.suppress(TimeoutError):
                        said += sock.recv(4096)
                    time.sleep(0.1)
            assert 1.5 < time.monotonic() - begin < 4


def test_handshakes_that_dawdle_give_way(authority):
    """At the connection limit an unfinished handshake is shed as an unfinished head is."""
    cert, key = authority.issue("a", "localhost")
    argv = ["respond", "--log", "off", "-w", "1", "--max-connections", "100", "--tls-cert", cert, "--tls-key", key]
    with Pollux(*argv, "-l", "https://127.0.0.1:0") as server, crowd() as member:
        for _ in range(100):
            member(server.address).sendall(b"\x16\x03\x01\x02\x00\x01")
        time.sleep(1.5)
        with authority.context().wrap_socket(connect(server.address), server_hostname="localhost") as secure:
            secure.sendall(GET)
            assert secure.recv(15) == b"HTTP/1.1 200 OK"


def test_pipelined_bytes_do_not_shut_out_others(tmp_path):
    """Connections that pipeline 64 KiB behind a download which they hardly read, more than all unread bytes may
    be; a head or content that comes in two pieces is still taken."""
    (tmp_path / "huge.bin").write_bytes(bytes(20 << 20))
    (tmp_path / "small").write_bytes(b"small")
    get = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"
    junk = get % b"small" * 2000
    argv = ["files", str(tmp_path), "--log", "off", "-w", "1", "--max-connections", "600", "--max-inbox", "8m"]
    with Pollux(*argv) as server, contextlib.ExitStack() as crowd:
        for _ in range(300):
            sock = crowd.enter_context(contextlib.closing(socket.socket()))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
            sock.connect(("127.0.0.1", server.address[1]))
            sock.settimeout(2)
            sock.sendall((get % b"huge.bin" + junk)[:65536])
        for _ in range(3):
            for pieces in (
                [b"GET /small HTTP/1.1\r\nHo", b"st: a\r\n\r\n"],
                [b"POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\na", b"bcd"],
            ):
                with contextlib.closing(connect(server.address)) as sock:
                    sock.settimeout(HELD_S)
                    sock.sendall(pieces[0])
                    time.sleep(0.2)
                    sock.sendall(pieces[1])
                    assert (pieces[0][:4], sock.recv(12)) in ((b"GET ", b"HTTP/1.1 200"), (b"POST", b"HTTP/1.1 405"))


def test_small_pipelines_do_not_fill_what_is_unread(tmp_path):
    """Some KiB behind a request that waits, on more connections than unread bytes have room for: they stay for as
    long as it takes, so that a part is left for heads that come in two pieces."""
    (tmp_path / "huge.bin").write_bytes(bytes(20 << 20))
    (tmp_path / "small").write_bytes(b"small")
    get = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"
    argv = ["files", str(tmp_path), "--log", "off", "-w", "1", "--max-connections", "600", "--max-inbox", "1m"]
    with Pollux(*argv) as server, contextlib.ExitStack() as stack:
        for _ in range(400):
            hold(stack, server.address, get % b"huge.bin" + get % b"small" * 100)
        for _ in range(5):
            with contextlib.closing(connect(server.address)) as sock:
                sock.settimeout(HELD_S)
                sock.sendall(b"GET /small HTTP/1.1\r\nHo")
                time.sleep(0.1)
                sock.sendall(b"st: a\r\n\r\n")
                assert sock.recv(12) == b"HTTP/1.1 200"


POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
HOLDERS = {
    "half a head": b"GET / HTTP/1.1\r\nHo",
    "no content": POST + b"Content-Length: 1000000\r\n\r\n",
    "half a chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n5",
    "unread answer": b"GET /huge.bin HTTP/1.1\r\nHost: a\r\n\r\n",
    "half a preface": PREFACE[:20],
    "half a block": opening() + frame(HEADERS, 4, 1, b"\x82", length=30),
    "no content on a stream": opening() + headers(1, literals(post()), end=False),
    "shut window": opening((INITIAL_WINDOW_SIZE, 0)) + headers(1, literals(get(path="/huge.bin"))),
}


def served_in_time(address):
    """The first to ask may be refused where it takes a look, or the end of a tick, to make room."""
    begin = time.monotonic()
    while ask(address, GET).status != 200:
        assert time.monotonic() - begin < HELD_S
        time.sleep(0.1)
    assert time.monotonic() - begin < HELD_S


def hold(stack, address, said):
    sock = stack.enter_context(contextlib.closing(socket.socket()))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
    sock.connect(address)
    sock.sendall(said)
    return sock


@pytest.mark.parametrize("said", HOLDERS.values(), ids=HOLDERS)
def test_places_are_not_held_by_peers_that_do_not_go_on(said, tmp_path):
    """At the limit of connections whoever is waited for gives way, where nothing has moved for a second."""
    (tmp_path / "huge.bin").write_bytes(bytes(20 << 20))
    (tmp_path / "index.html").write_bytes(b"small")
    argv = ["files", str(tmp_path), "--log", "off", "-w", "1", "--max-connections", "50"]
    with Pollux(*argv) as server, contextlib.ExitStack() as crowd:
        for _ in range(50):
            hold(crowd, server.address, said)
        time.sleep(1.2)
        served_in_time(server.address)
        assert counter(server, "shed") >= 1


def test_peers_that_go_on_keep_their_places(tmp_path):
    """Slow is not stalled: who sends and who reads some hundred bytes a second is not for others to displace."""
    (tmp_path / "huge.bin").write_bytes(bytes(20 << 20))
    argv = ["files", str(tmp_path), "--log", "off", "-w", "1", "--max-connections", "4"]
    with Pollux(*argv) as server, contextlib.ExitStack() as crowd:
        readers = [hold(crowd, server.address, HOLDERS["unread answer"]) for _ in range(2)]
        writers = [hold(crowd, server.address, HOLDERS["no content"]) for _ in range(2)]
        refused = 0
        for _ in range(20):
            for sock in readers:
                assert sock.recv(2048)
            for sock in writers:
                sock.sendall(b"x" * 200)
            refused += ask(server.address, GET).status == 503
            time.sleep(0.2)
        assert refused == 20 and counter(server, "shed") == 0


def test_small_heads_do_not_fill_what_is_unread():
    """Heads of 4 KiB that are not whole, more than unread bytes have room for: the oldest give way."""
    argv = ["respond", "--log", "off", "-w", "1", "--max-connections", "600", "--max-inbox", "1m"]
    with Pollux(*argv) as server, crowd() as member:
        for _ in range(300):
            member(server.address).sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 3900)
        time.sleep(2)
        served_in_time(server.address)
        time.sleep(0.2)  # room is there from the end of the tick
        for _ in range(3):
            with contextlib.closing(connect(server.address)) as sock:
                sock.settimeout(HELD_S)
                sock.sendall(b"GET / HTTP/1.1\r\nHo")
                time.sleep(0.1)
                sock.sendall(b"st: a\r\n\r\n")
                assert sock.recv(12) == b"HTTP/1.1 200"


class Secure:
    """A server with TLS and little memory, and a client that holds nothing."""

    def __init__(self, authority, *argv):
        cert, key = authority.issue("a", "localhost")
        self.context = authority.context()
        argv = [*argv, "--log", "off", "-w", "0", "--max-connections", "2000", "--max-memory", "32m"]
        self.server = Pollux(*argv, "--tls-cert", cert, "--tls-key", key, "-l", "https://127.0.0.1:0")

    def __enter__(self):
        self.server.__enter__()
        self.served()
        self.before = rss_kib(self.server.process.pid)
        return self

    def __exit__(self, *how):
        return self.server.__exit__(*how)

    def open(self, sock):
        return self.context.wrap_socket(sock, server_hostname="localhost")

    def hello(self):
        """The first flight of a client."""
        back, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        with contextlib.suppress(ssl.SSLWantReadError):
            self.context.wrap_bio(back, out, server_hostname="localhost").do_handshake()
        return out.read()

    def served(self):
        begin = time.monotonic()
        with self.open(connect(self.server.address)) as secure:
            secure.sendall(b"GET /huge.bin HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-9\r\n\r\n")
            assert secure.recv(12) in (b"HTTP/1.1 200", b"HTTP/1.1 206", b"HTTP/1.1 404")
        assert time.monotonic() - begin < HELD_S

    def grown_kib(self):
        return rss_kib(self.server.process.pid) - self.before


def record(kind, body, length=None):
    return bytes([kind, 3, 1]) + (len(body) if length is None else length).to_bytes(2, "big") + body


CLIENT_HELLO = b"\x01"
SAYS_128_KIB = CLIENT_HELLO + b"\x01\xff\xf0\x03\x03"
HANDSHAKES = {
    "half a hello": lambda secure: record(22, CLIENT_HELLO + b"\0\x3f\xf0\x03\x03" + bytes(9000), 16000),
    "a hello that says 128 KiB": lambda secure: record(22, SAYS_128_KIB),
    "the same a byte a record": lambda secure: b"".join(record(22, bytes([byte])) for byte in SAYS_128_KIB),
    "no second flight": lambda secure: secure.hello(),
}


@pytest.mark.parametrize("said", HANDSHAKES.values(), ids=HANDSHAKES)
def test_handshakes_have_a_sum(said, authority):
    """What unfinished handshakes keep is a part of --max-memory: a thousand of them, the oldest give way."""
    with Secure(authority, "respond") as secure, crowd() as member:
        for _ in range(1000):
            member(secure.server.address).sendall(said(secure))
        secure.served()
        assert secure.grown_kib() < 12 * 1024


@pytest.mark.parametrize("more", [b"", b"\x17\x03\x03\x40\0" + bytes(16000)], ids=["idle", "half a record"])
def test_sessions_of_tls_have_a_sum(more, authority):
    """Open connections too, the longest idle give way; half a record is kept and counted."""
    with Secure(authority, "respond") as secure, contextlib.ExitStack() as stack:
        for _ in range(700):
            client = stack.enter_context(secure.open(connect(secure.server.address)))
            with contextlib.suppress(ConnectionError, BrokenPipeError):
                os.write(client.fileno(), more)
        secure.served()
        assert secure.grown_kib() < 10 * 1024


def test_sealed_answers_have_a_sum(tmp_path, authority):
    """Downloads over TLS that are not read hold 68 KiB each; those that have been sending for longest end."""
    (tmp_path / "huge.bin").write_bytes(bytes(20 << 20))
    with Secure(authority, "files", tmp_path) as secure, contextlib.ExitStack() as stack:
        for _ in range(300):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
            sock.connect(secure.server.address)
            client = stack.enter_context(secure.open(sock))
            client.sendall(b"GET /huge.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
        secure.served()
        assert secure.grown_kib() < 8 * 1024
