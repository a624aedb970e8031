"""What the chaos tests are made of: the load that verifies, the peers that are no good, and what a
server's processes cost.

    with Load(server.address, kept=50, new=10) as load:
        ...
    load.assert_nothing_lost()

Each prints how much load there was; times are printed, never asserted.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from lib.runner import PROGRAM

TOOLS = PROGRAM.parent / "tests" / "e2e" / "chaos"
LONG = os.environ.get("POLLUX_CHAOS") == "long"
LOSSES = ("refused", "dropped", "cut", "wrong", "told_503", "late")
# Below this load says nothing; far below what a busy machine manages.
ANSWERS_MIN = 500


def long_or(long, short):
    return long if LONG else short


def say(*words):
    print("   ", *words, file=sys.stderr, flush=True)


def address_text(address):
    return address if isinstance(address, str) else "%s:%d" % address


class Tool:
    """A program of the suite, which ends on SIGTERM with a line of JSON."""

    def __init__(self, name, *args):
        self.name = name
        self.result = None
        self.process = subprocess.Popen([TOOLS / name, *map(str, args)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def stop(self):
        if self.result is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                out, self.complaints = self.process.communicate(timeout=40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                out, self.complaints = self.process.communicate()
            assert self.process.returncode == 0, (self.name, self.process.returncode, self.complaints)
            self.result = json.loads(out.splitlines()[-1])
        return self.result

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            self.stop()
        except BaseException:
            if kind is None:
                raise
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


class Load(Tool):
    def __init__(self, address, kept=0, new=0, pause_ms=0, path="/", expect="Hello, world!"):
        super().__init__("load", "--to", address_text(address), "--kept", kept, "--new", new,
                         "--pause-ms", pause_ms, "--path", path, "--expect", expect)
        self.what = f"{kept} kept, {new} new"

    def report(self):
        result = self.stop()
        say(f"load ({self.what}): {result['answered']} answers on {result['connections']} connections "
            f"in {result['seconds']:.1f} s; {result['told_close']} told to close, "
            f"{result['retried']} sent again; slowest {result['slowest_us'] / 1000:.1f} ms")
        return result

    def lost(self, *allowed):
        result = self.report()
        return {name: result[name] for name in LOSSES if result[name] and name not in allowed}

    def assert_nothing_lost(self, *allowed, answers_min=ANSWERS_MIN):
        lost = self.lost(*allowed)
        assert not lost, (lost, self.complaints)
        assert self.result["answered"] >= answers_min, self.result
        return self.result


class Peers(Tool):
    def __init__(self, address, count, kind, every_ms=1000, path="/"):
        super().__init__("peers", "--to", address_text(address), "--count", count, "--kind", kind,
                         "--every-ms", every_ms, "--path", path)
        self.what = f"{count} {kind}"

    def ready(self):
        """How many are open when all have begun."""
        line = self.process.stdout.readline()
        assert line.startswith("ready "), (line, self.process.poll())
        return int(line.split()[1])

    def report(self):
        result = self.stop()
        say(f"peers ({self.what}): {result}")
        return result


def process_ids(server):
    return [server.pid, *server.children()]


def rss_anon_bytes(*pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            total += sum(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))
    return total


def cpu_s(*pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def counters(server):
    """The counters of a server, by USR1, as a dictionary."""
    before = server.stderr.count("pollux: counters: ")
    server.signal(signal.SIGUSR1)
    end = time.monotonic() + 10
    while server.stderr.count("pollux: counters: ") == before:
        assert time.monotonic() < end, server.stderr
        time.sleep(0.01)
    line = [line for line in server.stderr.splitlines() if line.startswith("pollux: counters: ")][-1]
    line = line.replace(" us (", ", longest callbacks ").replace(" callbacks, ", ", longest bytes ")
    found = {}
    for part in line[len("pollux: counters: "):].replace(" bytes)", "").split(", "):
        name, _, number = part.replace("(", "").replace(")", "").rpartition(" ")
        if number.isdigit():
            found[name] = int(number)
    return found


def wait_for(what, condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"in {seconds} s: not {what}"
        time.sleep(0.01)
    return found


__all__ = [name for name in dir() if not name.startswith("_")]
assert Path(TOOLS).name == "chaos"
