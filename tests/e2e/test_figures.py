"""Figures of docs/HTTP.md and SECURITY.md: the page, the code and what is measured cannot part.

What many connections hold is a table of docs/HTTP.md ("HTTP/2", Memory). Its parts are those of
src/base/budget.h, and "bytes for a byte sent, at most" is read off the page and measured: what a crowd
makes a server keep, less what the same crowd makes it keep without the bytes that the row is about.
"""

import contextlib
import re
import socket
import ssl
import time
import zlib

import pytest

from lib.echo import running_echo
from lib.h2frames import *  # noqa: F403
from lib.runner import ROOT, Pollux

BUDGET = (ROOT / "src/base/budget.h").read_text()
LIMITS = (ROOT / "src/base/limits.h").read_text()
WORK = (ROOT / "src/base/work.h").read_text()
TLS = (ROOT / "src/tls/tls_session.h").read_text() + (ROOT / "src/tls/tls_measure.h").read_text()
SECURITY = " ".join((ROOT / "SECURITY.md").read_text().split())


def constant(source, name):
    """The number of an enum, of which some are products."""
    value = re.search(rf"\b{name} = ([0-9 *]+)", source).group(1)
    product = 1
    for factor in value.split("*"):
        product *= int(factor)
    return product


def rows():
    """The table's rows, by their first words."""
    page = (ROOT / "docs/HTTP.md").read_text()
    lines = page[page.index("| what is kept |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def row(name):
    (found,) = [cells for cells in rows() if cells[0].startswith(name)]
    return found


PARTS = {
    "decoded heads": "HEADS",
    "requests that wait": "EXCHANGES",
    "what requests keep": "EXCHANGES",
    "unread bytes": "INBOX",
    "written and not taken": "OUTPUT",
    "blocks of 16 KiB": "OUTPUT",
    "what TLS has sealed": "SEALED",
    "sessions of HTTP/2": "SESSIONS",
    "messages of WebSockets": "SOCKETS",
    "compression of WebSockets": "SOCKET_CODERS",
    "coders": "CODERS",
    "caches": "CACHES",
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_are_those_of_the_code(name):
    assert int(re.match(r"\d+", row(name)[2]).group()) == constant(BUDGET, "PART_" + PARTS[name])


def test_no_part_is_left_out():
    listed = {"PART_" + part for part in PARTS.values()}
    assert set(re.findall(r"^    (PART_\w+) =", BUDGET, re.M)) == listed
    assert len(rows()) == len(PARTS) + 3  # blocks that are not whole have a number; TLS is of sessions


def test_limits_of_the_table():
    assert f"{constant(LIMITS, 'H2_HEADS_MAX'):,} of them" in row("header blocks")[2]
    assert f"{constant(LIMITS, 'H2_CONN_HEADS_BYTES_MAX') >> 10} KiB" in row("decoded heads")[3]
    assert f"at most {constant(LIMITS, 'HEADS_BYTES_TOTAL_MAX') >> 20} MiB" in row("decoded heads")[2]
    assert f"{constant(LIMITS, 'H2_SESSION_BYTES_MAX') >> 20} MiB" in row("sessions")[3]
    assert f"at most {constant(LIMITS, 'TLS_HANDSHAKES_DEFAULT'):,}" in row("TLS handshakes")[2]
    assert f"{constant(TLS, 'TLS_HANDSHAKE_BYTES') >> 10} KiB" in row("TLS handshakes")[3]
    assert f"{constant(TLS, 'TLS_HELLO_BYTES_MAX') >> 10} KiB is refused" in row("TLS handshakes")[1]
    assert f"{constant(TLS, 'TLS_PARTIAL_BYTES') >> 10} KiB more" in row("open TLS")[1]
    assert f"{constant(LIMITS, 'TLS_QUEUE_BYTES') >> 10} KiB of a connection" in row("what TLS has sealed")[3]
    assert f"at most {constant(LIMITS, 'COMPRESS_MEMORY_BYTES_DEFAULT') >> 20} MiB" in row("coders")[2]


def test_figures_of_security():
    """What a peer can make us burn and hold."""
    turn, conn = constant(WORK, "WORK_TURN_MAX"), constant(WORK, "WORK_CONN_MAX")
    assert f"a tick begins at most {4 * turn:,} units" in SECURITY
    assert f"a connection {2 * conn:,} of them" in SECURITY
    assert constant(LIMITS, "PEER_END_MS") == 1000 and "for one second after it has left" in SECURITY
    assert constant(LIMITS, "HEAD_SHED_MS") == 1000 and "for one second without a whole head" in SECURITY
    assert f"for two below {constant(LIMITS, 'MINIMUM_RATE_DEFAULT')} bytes a second" in SECURITY


# --- What is measured ------------------------------------------------------------------------------

COUNT = 100  # members of a crowd
GET = b"GET /huge.bin HTTP/1.1\r\nHost:a\r\n\r\n"
SHUT = PREFACE + settings((INITIAL_WINDOW_SIZE, 0))
SMALL, WAITS = b"\x82\x86\x84\x01\x01a", b"\x83\x86\x84\x01\x01a"  # GET, POST
WIDE = PREFACE + settings((INITIAL_WINDOW_SIZE, WINDOW_MAX)) + window(0, 1 << 30)
LARGE = headers(1, b"\x82\x86\x41\x01a" + literal(":path", "/huge.bin"))


def rss(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) << 10


def settled(pid):
    """What it keeps once that does not change any more."""
    seen, end = [rss(pid)], time.monotonic() + 10
    while len(seen) < 4 or seen[-1] != seen[-4]:
        assert time.monotonic() < end
        time.sleep(0.25)
        seen.append(rss(pid))
    return seen[-1]


def cost(served, said, secure=None, count=COUNT, first=8):
    """What a crowd that says this makes a fresh server keep; `said` may be made for each of its members."""
    argv = [*served, "--log", "off", "-w", "0", *(secure[1:] if secure else ())]
    with Pollux(*argv) as server, contextlib.ExitStack() as crowd:

        def member(bytes_said):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
            sock.connect(server.address)
            if secure and bytes_said is not None and not bytes_said.startswith(b"\x16"):
                sock = secure[0].wrap_socket(sock, server_hostname="localhost")
            crowd.enter_context(contextlib.closing(sock))
            if bytes_said:
                sock.sendall(bytes_said)

        each = said if callable(said) else lambda number: said
        for number in range(first):  # what the first ones make it keep for all
            member(each(number))
        before = settled(server.process.pid)
        for number in range(first, first + count):
            member(each(number))
        return (settled(server.process.pid) - before) / count


def hello(context):
    back, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(back, out, server_hostname="localhost").do_handshake()
    return out.read()


# The row; what is said; what is said where its bytes are missing; how many bytes that are.
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\nX: %s\r\n\r\n"
TABLE = SHUT + headers(1, SMALL + b"\x40" + text("x") + text("a" * 3990))
PLAIN = [
    ("header blocks", PREFACE + settings() + frame(HEADERS, 4, 1, b"\x82", length=30), PREFACE + settings(), 43),
    ("sessions", PREFACE + settings() + settings(ack=True), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 51),
    ("requests that wait", SHUT + b"".join(headers(n, SMALL) for n in range(1, 9, 2)), SHUT, 4 * 15),
    ("decoded heads", TABLE + b"".join(headers(n, WAITS + b"\xbe" * 7, end=False) for n in range(3, 17, 2)), TABLE,
     7 * 22),
    ("unread bytes", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 24000, b"G", 24000),
    ("blocks of 16 KiB", WIDE + LARGE, WIDE, 26),
    ("what requests keep", POST % (b"x" * 24000), POST % b"", 24000),
]


def held(name, kept, sent):
    at_most = int(re.match(r"[\d,]+", row(name)[1]).group().replace(",", ""))
    assert kept <= at_most * sent, f"{kept / sent:.0f} bytes for a byte sent, where the page says {at_most}"
    # The attack is the one that the row means.
    assert kept >= at_most * sent / 10, f"only {kept / sent:.1f} bytes for a byte sent of {at_most}"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "huge.bin").write_bytes(bytes(20 << 20))
    (tmp_path / "index.html").write_bytes(b"small")
    return tmp_path


@pytest.mark.parametrize(("name", "said", "without", "sent"), PLAIN, ids=[case[0] for case in PLAIN])
def test_what_a_byte_makes_us_keep(name, said, without, sent, folder):
    served = ["respond"] if name in ("decoded heads", "what requests keep") else ["files", folder]
    held(name, cost(served, said) - cost(served, without), sent)


@pytest.mark.parametrize("name", ["TLS handshakes", "open TLS", "what TLS has sealed"])
def test_what_a_byte_makes_us_keep_over_tls(name, folder, authority):
    cert, key = authority.issue("a", "localhost")
    context = authority.context()
    secure = (context, "--tls-cert", cert, "--tls-key", key, "-l", "https://127.0.0.1:0")
    folder, nothing, first = ["files", folder], None, hello(context)
    if name == "TLS handshakes":
        held(name, cost(folder, first, secure) - cost(folder, nothing, secure), len(first))
    elif name == "open TLS":
        held(name, cost(folder, b"", secure) - cost(folder, nothing, secure), len(first) + 80)
    else:
        held(name, cost(folder, GET, secure) - cost(folder, b"", secure), len(GET))


def test_what_coders_keep(tmp_path):
    """An answer of its own for each query, coded as far as its peer takes it."""
    text_of = b"".join(b"%d some words of it\n" % (number * 7919) for number in range(200000))
    (tmp_path / "huge.txt").write_bytes(text_of)

    def coded(*fields):
        some = PREFACE + settings((INITIAL_WINDOW_SIZE, 20000))
        return lambda number: some + headers(1, literals([*get(path=f"/huge.txt?{number}"), *fields]))

    served = ["files", tmp_path]
    kept = cost(served, coded(("accept-encoding", "br")), count=8, first=2) - cost(served, coded(), count=8, first=2)
    # It is 16 bytes once its fields are in the table.
    held("coders", kept, 16)


def test_what_caches_keep(tmp_path):
    """The content of files that were asked for, which is a part of --max-memory and goes with the oldest."""
    for number in range(400):
        (tmp_path / f"{number}.bin").write_bytes(bytes([number % 256]) * 60000)
    with Pollux("files", tmp_path, "--log", "off", "-w", "0", "--max-memory", "32m") as server:

        def asked(numbers):
            with contextlib.closing(socket.create_connection(server.address)) as sock, sock.makefile("rb") as answers:
                for number in numbers:
                    sock.sendall(b"GET /%d.bin HTTP/1.1\r\nHost:a\r\n\r\n" % number)
                    while answers.readline() != b"\r\n":
                        pass
                    assert len(answers.read(60000)) == 60000
            return settled(server.process.pid)

        before = asked(range(4))
        part = (32 << 20) * int(row("caches")[2][0]) // 32
        assert asked(range(4, 400)) - before < part + (1 << 20)


class Echo:
    """`examples/websocket_echo` on a unix socket, whose buffers in the kernel are small, and open WebSockets."""

    OFFER = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
    OPENING = (
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n"
    )

    def __init__(self, child, stack):
        self.child, self.stack = child, stack

    def member(self, offer, message, first=0x82):
        """One that says a message, in one frame without a mask to speak of, and reads nothing of its echo."""
        sock = self.stack.enter_context(contextlib.closing(socket.socket(socket.AF_UNIX)))
        sock.settimeout(10)
        sock.connect(self.child.path)
        sock.sendall(self.OPENING % offer)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += sock.recv(1)
        assert answer.startswith(b"HTTP/1.1 101") and (b"permessage-deflate" in answer) == bool(offer)
        size = bytes([0x80 | len(message)]) if len(message) < 126 else b"\xff" + len(message).to_bytes(8, "big")
        sock.sendall(bytes([first]) + size + bytes(4) + message)

    def cost(self, count, *said):
        for _ in range(2):
            self.member(*said)
        before = settled(self.child.process.pid)
        for _ in range(count):
            self.member(*said)
        return (settled(self.child.process.pid) - before) / count


@pytest.fixture
def echo(tmp_path):
    with running_echo(tmp_path) as child, contextlib.ExitStack() as stack:
        yield Echo(child, stack)


def test_what_compression_of_websockets_keeps(echo):
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    text_of = (deflater.compress(b"some words, and some words") + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]
    plain = echo.cost(40, b"", text_of)
    kept = echo.cost(40, Echo.OFFER, text_of, 0xC1)
    held("compression of WebSockets", kept - plain, len(Echo.OPENING) + len(Echo.OFFER) + len(text_of) + 6)


def test_what_is_written_and_not_taken(echo):
    """As much as the answer, less what the kernel has, until memory doubles."""
    size = 1 << 20
    small = echo.cost(10, b"", b"x")
    kept = echo.cost(10, b"", b"x" * size) - small
    assert "the answer's" in row("written and not taken")[1]
    assert size / 2 < kept < 2 * size, f"{kept / size:.2f} bytes for a byte of an answer"
