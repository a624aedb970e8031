"""Workers that die, hang, are reloaded and replaced, and a log that cannot be written, under load."""

import os
import shutil
import signal
import time

import pytest

from chaos import Load, counters, long_or, say, wait_for
from lib.runner import PROGRAM, Pollux, Server

pytestmark = pytest.mark.timeout(900)

WORKERS = 3
# One place of the load has one request under way, so that a death ends at most so many.
KEPT, NEW = 40, 16


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False


def test_workers_are_killed():
    """Every 200 ms one is.  What waits in its queue is served by a sibling: only what it had accepted
    itself may be lost."""
    kills = long_or(300, 25)
    with Pollux("respond", "--log=off", "-w", WORKERS) as server:
        with Load(server.address, kept=KEPT, new=NEW, pause_ms=3) as load:
            time.sleep(0.3)
            for number in range(kills):
                workers = server.children()
                if workers:
                    os.kill(workers[number % len(workers)], signal.SIGKILL)
                time.sleep(0.2)
            time.sleep(0.5)
        result = load.assert_nothing_lost("dropped", "cut")
        torn = result["dropped"] + result["cut"]
        say(f"{kills} deaths tore {torn} requests on connections that the dead had accepted")
        assert torn <= kills * (KEPT + NEW) // WORKERS
        assert result["retried"] > 0
        seen = counters(server)
        # They outlive their workers, but for what was counted in a last tick.
        assert seen["requests"] > result["answered"] * 0.99
        wait_for("all workers", lambda: len(server.children()) == WORKERS)


def test_reloads_lose_nothing():
    reloads = long_or(50, 12)
    with Pollux("respond", "--log=off", "-w", WORKERS) as server:
        with Load(server.address, kept=KEPT, new=NEW, pause_ms=20) as load:
            time.sleep(0.2)
            for _ in range(reloads):
                before = set(server.children())
                server.signal(signal.SIGHUP)
                wait_for("a new generation",
                         lambda b=before: len(set(server.children()) - b) >= WORKERS, 30)
                time.sleep(0.1)
            time.sleep(0.3)
        result = load.assert_nothing_lost()
        say(f"{reloads} reloads of {WORKERS} workers")
        assert result["told_close"] > 0
        wait_for("one generation", lambda: len(server.children()) == WORKERS, 30)


def test_replacements_lose_nothing(tmp_path):
    replacements = long_or(20, 5)
    pid_file, program = tmp_path / "pid", tmp_path / "pollux"
    shutil.copy2(PROGRAM, program)
    with Server([program, "respond", "--log=off", "-w", WORKERS, "--pid-file", pid_file, "-l",
                 "127.0.0.1:0"]) as server:
        pids = [server.pid]
        try:
            with Load(server.address, kept=KEPT, new=NEW, pause_ms=20) as load:
                time.sleep(0.2)
                for _ in range(replacements):
                    os.kill(pids[-1], signal.SIGUSR2)
                    pids.append(wait_for("another program", lambda: next(
                        (pid for pid in [int(pid_file.read_text() or 0)] if pid not in [0, *pids]),
                        None), 30))
                    time.sleep(0.2)
                time.sleep(0.3)
            load.assert_nothing_lost()
            say(f"{replacements} replacements: {pids}")
        finally:
            for pid in pids[1:]:
                if is_alive(pid):
                    os.kill(pid, signal.SIGTERM)
        wait_for("all ended", lambda: not any(is_alive(pid) for pid in pids), 40)


def test_a_hung_worker():
    """It is stopped in the middle of its work; a sibling takes its queue, and a successor its place."""
    hangs = long_or(10, 2)
    with Pollux("respond", "--log=off", "-w", WORKERS, "--timeout-hung=1s") as server:
        with Load(server.address, kept=KEPT, new=NEW, pause_ms=3) as load:
            time.sleep(0.3)
            for _ in range(hangs):
                hung = server.children()[0]
                os.kill(hung, signal.SIGSTOP)
                wait_for("its end", lambda pid=hung: not is_alive(pid), 20)
                wait_for("its successor", lambda: len(server.children()) == WORKERS, 20)
        # What it had accepted goes with it, and nothing else.
        result = load.assert_nothing_lost("dropped", "cut")
        torn = result["dropped"] + result["cut"]
        say(f"{hangs} hung workers; {torn} requests went with them")
        assert torn <= hangs * (KEPT + NEW)


def test_a_log_that_cannot_be_written():
    """The disk is full: that is said, and served on."""
    with Pollux("respond", "--log=combined", "--log-file", "/dev/full", "-w2") as server:
        with Load(server.address, kept=KEPT, new=NEW, pause_ms=3) as load:
            time.sleep(long_or(10, 2))
        load.assert_nothing_lost()
        assert "No space left" in server.stderr or "no space left" in server.stderr, server.stderr
        say(server.stderr.splitlines()[1])
