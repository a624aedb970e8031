"""Signals: drain and stop, reopen, report."""

import os
import re
import signal
import time

import pytest

from lib.runner import Pollux
from lib.wire import Wire, ask

pytestmark = pytest.mark.short

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HALF = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello"
STOPS = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]
names = lambda number: signal.Signals(number).name  # noqa: E731


@pytest.mark.parametrize("number", STOPS, ids=names)
@pytest.mark.parametrize("workers", [1, 2])
def test_stops_when_idle(number, workers):
    with Pollux("respond", "--log=off", "-w", workers) as server:
        wires = [Wire(server.address) for _ in range(8)]
        for wire in wires:
            wire.send(GET)
            assert wire.reply().status == 200
        before = time.monotonic()
        assert server.stop(number) == 0
        assert time.monotonic() - before < 5, "idle connections held it up"
        for wire in wires:
            wire.ends()
            wire.close()
        for pid in server.children() if server.running else []:
            raise AssertionError(f"{pid} is left")
        with pytest.raises(OSError):
            ask(server.address, GET)


@pytest.mark.parametrize("number", STOPS, ids=names)
@pytest.mark.parametrize("workers", [1, 2])
def test_drains(number, workers):
    """What is in flight is finished, with a close; nobody new is let in; then it ends with 0."""
    with Pollux("respond", "--log=off", "-w", workers) as server:
        with Wire(server.address) as wire:
            wire.send(HALF)
            assert wire.silent(0.2)
            server.signal(number)
            end = time.monotonic() + 5
            while time.monotonic() < end:
                try:
                    with Wire(server.address, deadline_s=1) as other:
                        other.send(GET)
                        other.rest()
                except ConnectionRefusedError:
                    break  # every worker has closed its listener; a reset is the end of one only
                except (OSError, AssertionError):
                    pass
                time.sleep(0.05)
            else:
                raise AssertionError("still lets connections in")
            assert server.running
            wire.send(b"world")
            reply = wire.reply()
            assert reply.status == 200 and reply.says_close
            wire.ends()
        assert server.wait() == 0


@pytest.mark.parametrize("first", STOPS, ids=names)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_signal_is_at_once(first, workers):
    with Pollux("respond", "--log=off", "-w", workers) as server:
        with Wire(server.address) as wire:
            wire.send(HALF)
            assert wire.silent(0.2)
            server.signal(first)
            time.sleep(0.3)
            assert server.running
            before = time.monotonic()
            server.signal(signal.SIGTERM)
            assert server.wait() == 0
            assert time.monotonic() - before < 3


def test_the_drain_has_a_deadline():
    with Pollux("respond", "--log=off", "-w1", "--timeout-drain=500ms") as server:
        with Wire(server.address) as wire:
            wire.send(HALF)
            assert wire.silent(0.2)
            before = time.monotonic()
            assert server.stop() == 0
            assert 0.3 < time.monotonic() - before < 5


def test_many_signals_of_one_kind_to_the_group():
    """A terminal sends INT to every process of the group: that is one."""
    with Pollux("respond", "--log=off", "-w2", start_new_session=True) as server:
        with Wire(server.address) as wire:
            wire.send(HALF)
            assert wire.silent(0.2)
            os.killpg(server.pid, signal.SIGINT)
            time.sleep(0.3)
            assert server.running
            wire.send(b"world")
            assert wire.reply().status == 200
        assert server.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1], ids=names)
@pytest.mark.parametrize("workers", [1, 2])
def test_the_log_is_reopened(number, workers, tmp_path):
    path, moved = tmp_path / "log", tmp_path / "log.1"
    with Pollux("respond", "--log-file", path, "-w", workers) as server:
        assert ask(server.address, b"GET /before HTTP/1.1\r\nHost: a\r\n\r\n").status == 200
        wait_for(path, "/before")
        path.rename(moved)
        server.signal(number)
        end = time.monotonic() + 5
        while not path.exists():
            assert time.monotonic() < end, "not reopened"
            time.sleep(0.01)
        time.sleep(0.2)
        for _ in range(8):
            assert ask(server.address, b"GET /after HTTP/1.1\r\nHost: a\r\n\r\n").status == 200
        wait_for(path, "/after", count=8)
        assert "/after" not in moved.read_text() and "/before" not in path.read_text()
        assert server.stdout == b""


def wait_for(path, word, count=1, seconds=5):
    end = time.monotonic() + seconds
    while not path.exists() or path.read_text().count(word) < count:
        assert time.monotonic() < end, f"{word} is not in {path}"
        time.sleep(0.01)


@pytest.mark.parametrize("workers", [1, 2])
def test_usr1_prints_the_counters(workers):
    """One line for each signal, a sum over all workers, as of their last ticks: a worker that has
    sent an answer may not have ended its tick yet, so asking again is allowed."""
    with Pollux("respond", "--log=off", "-w", workers) as server:
        for _ in range(7):
            assert ask(server.address, GET).status == 200
        for count in range(1, 50):
            server.signal(signal.SIGUSR1)
            lines = server.wait_stderr(r"\Apollux: counters: .*\brequests (\d+),", count=count)
            assert len(lines) == count and int(lines[-1][1]) <= 7
            if int(lines[-1][1]) == 7:
                break
            time.sleep(0.02)
        assert int(lines[-1][1]) == 7, lines
        assert server.stdout == b""
        assert ask(server.address, GET).status == 200


@pytest.mark.parametrize("number", STOPS, ids=names)
@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_parent_ignored(number, workers):
    """A shell leaves INT and QUIT ignored for what it runs in the background of a script."""
    ignoring = ["sh", "-c", "trap '' INT QUIT TERM CHLD; exec \"$@\"", "sh"]
    with Pollux("respond", "--log=off", "-w", workers, wrapper=ignoring) as server:
        assert ask(server.address, GET).status == 200
        assert server.stop(number) == 0


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_hup_keeps_connections(workers):
    """An idle connection stays until its next answer, which says that it is the last one there."""
    with Pollux("respond", "--log=off", "-w", workers) as server:
        for _ in range(5):
            with Wire(server.address) as wire:
                wire.send(GET)
                assert not wire.reply().says_close
                before = server.children()
                server.signal(signal.SIGHUP)
                if workers:
                    wait_until(lambda: len(set(server.children()) - set(before)) == workers)
                time.sleep(0.1)
                wire.send(GET)
                reply = wire.reply()
                assert reply.status == 200 and reply.says_close == (workers > 0)
                if workers:
                    wire.ends()


def wait_until(holds, seconds=5):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_no_signal_kills_a_worker_that_writes_to_a_gone_peer():
    with Pollux("respond", "--log=off", "-w1", "x" * 90000) as server:
        for _ in range(30):
            wire = Wire(server.address, rcvbuf=2048)
            wire.send(GET * 50, read=False)
            wire.close_with_reset()
        assert ask(server.address, GET).status == 200
        assert server.running


def test_a_worker_that_dies_is_replaced():
    with Pollux("respond", "--log=off", "-w2") as server:
        first = server.children()
        assert len(first) == 2
        os.kill(first[0], signal.SIGKILL)
        end = time.monotonic() + 5
        while len(server.children()) < 2 or first[0] in server.children():
            assert time.monotonic() < end, server.children()
            time.sleep(0.02)
        server.wait_stderr(r"^pollux: .*worker")
        for _ in range(20):
            assert ask(server.address, GET).status == 200


def test_workers_do_not_outlive_their_master():
    server = Pollux("respond", "--log=off", "-w2")
    try:
        workers = server.children()
        server.signal(signal.SIGKILL)
        server.process.wait(5)
        end = time.monotonic() + 5
        while any(os.path.exists(f"/proc/{pid}") for pid in workers):
            assert time.monotonic() < end, "orphans hold the port"
            time.sleep(0.02)
    finally:
        for pid in workers:
            if os.path.exists(f"/proc/{pid}"):
                os.kill(pid, signal.SIGKILL)
        server.kill()


def test_pipelined_requests_are_all_answered_by_a_drain():
    """What was read is answered in order; the last answer says close, and nothing is cut."""
    with Pollux("respond", "--log=off", "-w1", "x" * 20000) as server:
        with Wire(server.address, rcvbuf=4096) as wire:
            wire.send(GET * 200, read=False)
            time.sleep(0.2)
            server.signal(signal.SIGTERM)
            time.sleep(0.2)
            count = 0
            while True:
                reply = wire.reply()
                if reply is None:
                    break
                count += 1
                assert len(reply.content) == 20000
                last = reply
            assert count >= 1 and last.says_close
        assert server.wait() == 0
