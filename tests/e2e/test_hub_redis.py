"""A hub over a real Redis: what is published in one process reaches the WebSockets of another, once; Redis may be late,
ask for a password, die and come back."""

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager

import pytest

from lib.runner import BUILD, Server
from lib.transport import TRANSPORTS
from lib.websocket import BINARY, PING, PONG, TEXT, Socket, frame
from lib.wire import DEADLINE_S, ask

pytestmark = pytest.mark.short

H1 = TRANSPORTS[0]


@contextmanager
def redis(folder, *options, port=0):
    """On a unix socket, on a port of 127.0.0.1 where one is given, and without a disk."""
    program = shutil.which("redis-server")
    assert program, "redis-server is not installed: script/bootstrap test"
    path = folder / "redis"
    argv = [program, "--port", port, "--bind", "127.0.0.1", "--unixsocket", path, "--save", "", "--dir", folder, *options]
    process = subprocess.Popen(list(map(str, argv)), stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + DEADLINE_S
        while not path.exists():
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.01)
        yield process
    finally:
        process.kill()
        process.wait()
        path.unlink(missing_ok=True)


@pytest.fixture
def member(authority, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    cert, key = authority.issue("a", file="hub")
    argv = [BUILD / "gallery" / "gallery", tmp_path / "file", "127.0.0.1:0", "https://127.0.0.1:0"]

    def make(**more):
        environment = {"GALLERY_CERT": str(cert), "GALLERY_KEY": str(key), "GALLERY_REDIS": f"unix:{tmp_path}/redis"}
        return Server(argv, env={**environment, **more})

    return make


def state(server):
    reply = ask(server.addresses[0], b"GET /socket/hub HTTP/1.1\r\nHost: a\r\n\r\n")
    connected, lost = reply.content.split()
    return int(connected), int(lost)


def connected(server, wanted=1):
    end = time.monotonic() + DEADLINE_S
    while state(server)[0] != wanted:
        assert time.monotonic() < end, state(server)
        time.sleep(0.02)


def enter(server):
    return Socket.open(H1, server, "/socket?mode=hub&max=1000000")


def test_a_message_reaches_all_members_once(member, tmp_path):
    with redis(tmp_path), member() as one, member() as two:
        connected(one)
        connected(two)
        with enter(one) as here, enter(one) as beside, enter(two) as there:
            for opcode, payload in ((TEXT, b"hello"), (BINARY, b"\0\xff\r\n" * 100), (BINARY, b""), (BINARY, b"x" * 60000)):
                here.send(frame(opcode, payload))
                for socket in (here, beside, there):
                    assert socket.frame()[:2] == (opcode, payload)
            there.send_text("back")
            for socket in (here, beside, there):
                assert socket.message() == (TEXT, "back")
            for i in range(500):
                here.send_text(str(i))
            for socket in (there, beside, here):
                assert [socket.message()[1] for _ in range(500)] == [str(i) for i in range(500)]
            for socket in (here, beside, there):
                socket.send(frame(PING, b"nothing more"))
                socket.expect(PONG, b"nothing more")
                socket.close()
        assert state(one) == (1, 0) and state(two) == (1, 0)


def test_what_is_too_long_goes_nowhere(member, tmp_path):
    with redis(tmp_path), member() as one:
        connected(one)
        with enter(one) as here:
            here.send(frame(BINARY, b"x" * 65001) + frame(PING, b"p"))
            here.expect(PONG, b"p")
            here.close()


def test_redis_may_come_late_and_come_back(member, tmp_path):
    """While it is away the own process is reached, and what the others miss is counted."""
    with member() as one, member() as two:
        with enter(one) as here, enter(two) as there:
            for turn in range(3):
                connected(one, 0)
                lost = state(one)[1]
                here.send_text("alone")
                assert here.message() == (TEXT, "alone")
                assert state(one) == (0, lost + 1)
                with redis(tmp_path):
                    connected(one)
                    connected(two)
                    here.send_text(f"together {turn}")
                    assert here.message() == there.message() == (TEXT, f"together {turn}")
                connected(one, 0)
                connected(two, 0)
            here.close()
            there.close()


def test_a_password(member, tmp_path):
    with redis(tmp_path, "--requirepass", "secret"):
        with member(GALLERY_REDIS_PASSWORD="secret") as one, member(GALLERY_REDIS_PASSWORD="secret") as two:
            connected(one)
            connected(two)
            with enter(one) as here, enter(two) as there:
                here.send_text("a")
                assert here.message() == there.message() == (TEXT, "a")
        with member(GALLERY_REDIS_PASSWORD="wrong") as one, member() as two:
            for server in (one, two):
                with enter(server) as here:
                    here.send_text("alone")
                    assert here.message() == (TEXT, "alone")
                assert state(server)[0] == 0


def test_over_tcp(member, tmp_path):
    """By address and port, with a password; it goes and comes back there."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    where = {"GALLERY_REDIS": f"127.0.0.1:{port}", "GALLERY_REDIS_PASSWORD": "secret"}
    with member(**where) as one, member(**where) as two, enter(one) as here, enter(two) as there:
        for turn in range(2):
            with redis(tmp_path, "--requirepass", "secret", port=port):
                connected(one)
                connected(two)
                for text in (f"turn {turn}", "x" * 60000):
                    here.send_text(text)
                    assert here.message() == there.message() == (TEXT, text)
            connected(one, 0)
            connected(two, 0)
        here.close()
        there.close()


def test_a_stranger_in_the_channel_is_passed_over(member, tmp_path):
    with redis(tmp_path), member() as one:
        connected(one)
        cli = shutil.which("redis-cli")
        with enter(one) as here:
            for payload in ("", "x", "x" * 16, "x" * 17, "x" * 100, "x" * 70000):
                done = subprocess.run([cli, "-s", tmp_path / "redis", "-x", "PUBLISH", "pollux:news"], input=payload.encode(),
                                      stdout=subprocess.PIPE, timeout=10, check=True)  # fmt: skip
                assert done.stdout.strip() == b"1"
            here.send_text("still here")
            assert here.message() == (TEXT, "still here")


def test_an_address_that_is_none_is_refused(member):
    for address in ("localhost:6379", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000", "127.0.0.1:x", "unix:path", ""):
        with member(GALLERY_REDIS=address) as one:
            assert state(one) == (-1, 0), address
