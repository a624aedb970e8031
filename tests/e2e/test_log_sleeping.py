"""Many logs whose receivers sleep: they hold no thread that others need, and their end is one wait, not one for each."""

import base64
import os
import re
import socket
import time
from contextlib import ExitStack

import pytest

from lib.runner import PROGRAM, Server
from lib.wire import Wire, ask

COUNT = 8
ANN = "ann:$2y$04$ozVXPYgty45XXVBBKVeV9.g1g8l3HoXKr11f3Tv4wbBahtCt/Mq9q"  # bcrypt of "secret"
LONG = b"x" * 4000


def fifo(stack, folder, number):
    path = folder / f"fifo{number}"
    os.mkfifo(path)
    path.chmod(0o666)
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    stack.callback(os.close, fd)
    return str(path), lambda: os.read(fd, 1 << 16)


def syslog(stack, folder, number):
    path = folder / f"syslog{number}"
    receiver = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    receiver.bind(str(path))
    path.chmod(0o666)
    receiver.setblocking(False)
    return f"syslog:{path}", lambda: receiver.recv(1 << 16) + b"\n"


def serve(stack, folder, kind, workers):
    """A server with so many sleeping logs, each with more to say than it takes; and functions that read of them."""
    folder.chmod(0o777)
    logs = [kind(stack, folder, number) for number in range(COUNT)]
    routes = [f"route /{i}/{{p...}} {{\n access_log combined {path}\n respond ok\n}}" for i, (path, _) in enumerate(logs)]
    (folder / "users").write_text(ANN + "\n")
    (folder / "users").chmod(0o644)
    guarded = "route /in {\n access_log off\n basic_auth staff users\n respond in\n}\nroute /metrics {\n access_log off\n metrics\n}"
    named = "route /named {\n access_log off\n proxy http://localhost:1\n}"
    conf = folder / "pollux.conf"
    conf.write_text("\n".join([f"listen 127.0.0.1:0\nworkers {workers}\nlog combined /dev/null", *routes, guarded, named]) + "\n")
    server = stack.enter_context(Server([PROGRAM, "run", "-c", conf], cwd=folder))
    with Wire(server.address) as wire:
        for i in range(COUNT):
            for _ in range(40):
                wire.send(b"GET /%d/%s HTTP/1.1\r\nHost: a\r\n\r\n" % (i, LONG))
                assert wire.reply().status == 200
    time.sleep(0.3)
    return server, [read for _, read in logs]


def get(server, target, fields=b"", **more):
    return ask(server.address, b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n" % (target, fields), **more)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("kind", [fifo, syslog])
def test_helper_threads_are_free(kind, workers, tmp_path):
    """Passwords are hashed and names looked up by the threads that write logs."""
    with ExitStack() as stack:
        server, _ = serve(stack, tmp_path, kind, workers)
        for i in range(6):  # a wrong password is hashed each time
            field = b"Authorization: Basic %s\r\n" % base64.b64encode(b"ann:wrong%d" % i)
            assert get(server, b"/in", field, deadline_s=2.0).status in (401, 429)
        assert get(server, b"/named", deadline_s=3.0).status == 502
        before = server.cpu_seconds()
        time.sleep(1)
        assert server.cpu_seconds() - before < 0.3, "waiting for room costs next to nothing"


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("kind", [fifo, syslog])
def test_the_end_is_one_wait(kind, workers, tmp_path):
    with ExitStack() as stack:
        server, _ = serve(stack, tmp_path, kind, workers)
        began = time.monotonic()
        assert server.stop() == 0
        took = time.monotonic() - began
        assert 4 < took < 8, took
        for i in range(COUNT):  # each says how many, by its name
            name = f"{kind.__name__}{i}"
            told = re.findall(rf"(\d+) lines? of the log \S*{name} dropped: the log is not read", server.stderr)
            assert 0 < sum(map(int, told)) <= 40, (name, server.stderr)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("kind", [fifo, syslog])
def test_nothing_is_lost_of_one_that_wakes(kind, workers, tmp_path):
    """Each line is there, whole and in order, though it was written in pieces."""
    with ExitStack() as stack:
        server, reads = serve(stack, tmp_path, kind, workers)
        for i, read in enumerate(reads):
            got, end = b"", time.monotonic() + 10
            while got.count(b"\n") < 40:
                assert time.monotonic() < end, got.count(b"\n")
                try:
                    got += read()
                except BlockingIOError:
                    time.sleep(0.005)
            lines = got.splitlines()
            assert len(lines) == 40
            assert all(re.search(rb'"GET /%d/x{4000} HTTP/1.1" 200 2 "-" "-"$' % i, line) for line in lines)
