"""Signals that come while the process waits at its end, for a log that nobody reads or a collector that hangs.

The server and much else is gone by then: what a signal asks for must not reach for it.  A second TERM makes the
wait a short one, HUP and USR1 change nothing.  Run against build/dev this is what shows a use after free.
"""

import os
import signal
import socket
import time
from contextlib import ExitStack, contextmanager

import pytest

from lib.runner import PROGRAM, Server
from lib.wire import Wire

GET = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % (b"x" * 4000)
WAIT_S = 1.2  # into the wait, behind the drain (half a second) and before its end (two for a collector)
WORKERS = [0, 1, 2]
ASKED = 40  # lines of 4 KB: more than what waits for them takes
names = lambda number: signal.Signals(number).name  # noqa: E731


@contextmanager
def sleeping_fifo(folder):
    """Open for reading, and never read."""
    path = folder / "fifo"
    os.mkfifo(path)
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield f"log combined {path}"
    os.close(fd)


@contextmanager
def sleeping_syslog(folder):
    path = folder / "syslog"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(path))
        yield f"log combined syslog:{path}"


@contextmanager
def hanging_collector(_folder):
    """It accepts, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as collector:
        yield f"log off\ntrace otlp http://127.0.0.1:{collector.getsockname()[1]}"


HOLDS = [sleeping_fifo, sleeping_syslog, hanging_collector]


def ask_much(server):
    with Wire(server.address) as wire:
        for _ in range(ASKED):
            wire.send(GET)
            assert wire.reply().status in (200, 404)


def ends(folder, hold, workers, signals):
    """Ends a server that has something left to say; how long it took, and what it said."""
    with ExitStack() as stack:
        lines = stack.enter_context(hold(folder))
        conf = folder / "pollux.conf"
        conf.write_text(f"listen 127.0.0.1:0\nworkers {workers}\n{lines}\nhost * {{\n    route /{{p...}} {{ respond ok }}\n}}\n")
        server = stack.enter_context(Server([PROGRAM, "run", "-c", conf]))
        ask_much(server)
        before = time.monotonic()
        server.signal(signal.SIGTERM)
        time.sleep(WAIT_S)
        assert server.running, "it did not wait"
        for number in signals:
            if server.running:
                server.signal(number)
            time.sleep(0.05)
        assert server.wait() == 0, server.stderr
        server.assert_clean()
        return time.monotonic() - before, server.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT], ids=names)
@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("hold", HOLDS, ids=lambda hold: hold.__name__)
def test_a_second_end_signal_shortens_the_wait(hold, workers, number, tmp_path):
    took, said = ends(tmp_path, hold, workers, [number])
    assert took < WAIT_S + 2.0, said
    assert "killed" not in said


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("hold", HOLDS, ids=lambda hold: hold.__name__)
def test_others_are_harmless(hold, workers, tmp_path):
    signals = [signal.SIGUSR1, signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD, signal.SIGUSR1, signal.SIGHUP]
    took, said = ends(tmp_path, hold, workers, signals)
    assert took < 9, said
    assert "HUP is ignored: this program was told to end" in said


@pytest.mark.parametrize("workers", WORKERS)
def test_all_of_them_together(workers, tmp_path):
    """A log and a collector: a signal ends the waits for both."""
    signals = [signal.SIGUSR1, signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP]

    @contextmanager
    def all_of_them(folder):
        with sleeping_syslog(folder) as logged, hanging_collector(folder) as traced:
            yield logged + traced.removeprefix("log off")

    took, said = ends(tmp_path, all_of_them, workers, signals)
    assert took < WAIT_S + 3.0, said
