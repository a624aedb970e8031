"""Newer system calls that are refused, each with ENOSYS and with EPERM: all is served without them."""

import errno
import os
import platform
import signal
import time

import pytest

from lib.older import refusing
from lib.runner import Pollux
from lib.wire import ask

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="calls are named by their x86-64 numbers")

NEWER = {
    "openat2": [437],
    "preadv2": [327],
    "statx": [332],
    "landlock": [444, 445, 446],
    "close_range": [436],
    "pidfd": [424, 434, 438],
    "memfd": [319],
}


def get(path):
    return f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()


def wait_for_lines(log, count):
    end = time.monotonic() + 5
    while log.read_bytes().count(b"\n") < count:
        assert time.monotonic() < end, log.read_bytes()
        time.sleep(0.02)


@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EPERM], ids=["ENOSYS", "EPERM"])
@pytest.mark.parametrize("name", NEWER)
def test_without(name, error, tmp_path):
    """Files small and large, a log, a worker that dies, a reload, an end: as ever."""
    assert len(NEWER) == 7
    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (root / "small").write_bytes(b"small")
    (root / "large").write_bytes(bytes(range(256)) * 4096)
    (root / "folder" / "index.html").write_bytes(b"index")
    log = tmp_path / "log"
    args = ["-w2", "--log", "combined", "--log-file", log]
    with Pollux("files", root, *args, preexec_fn=refusing(NEWER[name], error)) as server:
        for _ in range(3):
            assert ask(server.address, get("/small")).content == b"small"
            assert ask(server.address, get("/large")).content == (root / "large").read_bytes()
            assert ask(server.address, get("/folder/")).content == b"index"
            assert ask(server.address, get("/none")).status == 404
        wait_for_lines(log, 12)  # what a worker has not written yet dies with it
        os.kill(server.children()[0], signal.SIGKILL)
        assert ask(server.address, get("/small")).content == b"small"
        server.signal(signal.SIGHUP)
        server.wait_stderr(r"reloaded: 2 new workers serve")
        assert ask(server.address, get("/small")).content == b"small"
        wait_for_lines(log, 14)
