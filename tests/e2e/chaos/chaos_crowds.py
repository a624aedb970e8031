"""Crowds: many who are slow, silent or idle, beside a few who are not."""

import json
import os
import resource
import signal
import socket
import struct
import subprocess
import time

import pytest

from chaos import (TOOLS, Load, Peers, counters, cpu_s, long_or, process_ids,
                   rss_anon_bytes, say, wait_for)
from lib.runner import Pollux

pytestmark = pytest.mark.timeout(600)

QUIET = ("--log=off",)
MANY = 5000
REQUEST = b"POST /x?y=z HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"


def beside(server, kind, count, path="/", every_ms=500):
    """A normal client is served as if it were alone, while so many others dawdle."""
    with Peers(server.address, count, kind, every_ms=every_ms, path=path) as peers:
        ready = peers.ready()
        cpu = cpu_s(*process_ids(server))
        with Load(server.address, kept=4, new=4, pause_ms=2) as load:
            time.sleep(long_or(30, 3))
        load.assert_nothing_lost()
        spent = cpu_s(*process_ids(server)) - cpu
        say(f"{ready} of {count} {kind} peers beside it; {spent:.2f} s of CPU, "
            f"{rss_anon_bytes(*process_ids(server)) >> 20} MiB")
        peers.report()
        return ready, peers.result


@pytest.mark.parametrize("kind", ["head", "post"])
def test_slow_senders(kind):
    with Pollux("respond", "-w1", *QUIET) as server:
        ready, result = beside(server, kind, MANY)
        assert ready == MANY
        # None of them was served something that it has not asked for.
        assert not set(result["statuses"]) - {"408"}
        say("counters", counters(server))


def test_slow_readers(tmp_path):
    with open(tmp_path / "big", "wb") as big:
        big.truncate(64 << 20)
    (tmp_path / "small").write_text("Hello, world!")
    with Pollux("files", "-w1", *QUIET, tmp_path) as server:
        with Peers(server.address, MANY, "read", path="/big") as peers:
            peers.ready()
            before = rss_anon_bytes(*process_ids(server))
            with Load(server.address, kept=4, new=4, pause_ms=2, path="/small") as load:
                time.sleep(long_or(30, 3))
            load.assert_nothing_lost()
            say(f"{MANY} read 64 MiB, 16 bytes at a time; {before >> 20} MiB")
            report = peers.report()
            # On a slow machine some wait for a second and longer before they are accepted, and are shed.
            assert report["open"] == MANY - counters(server)["shed"]
            assert report["open"] > MANY // 2


def test_an_idle_crowd_costs_little():
    count = 15000
    with Pollux("respond", "-w1", *QUIET, "--timeout-idle=600s") as server:
        pids = process_ids(server)
        before = rss_anon_bytes(*pids)
        with Peers(server.address, count, "idle") as peers:
            assert peers.ready() == count
            time.sleep(0.5)
            each = (rss_anon_bytes(*pids) - before) / count
            cpu = cpu_s(*pids)
            with Load(server.address, kept=4, new=4, pause_ms=2) as load:
                time.sleep(long_or(20, 2))
            load.assert_nothing_lost()
            say(f"{count} idle: {each:.0f} bytes of RssAnon each; {cpu_s(*pids) - cpu:.2f} s of CPU")
            assert peers.report()["open"] == count
        # The pool's slabs are whole pages: a little above the 400 bytes of one connection.
        assert each < 460


def test_a_crowd_at_the_limit():
    """Unfinished heads hold every place; from a second on they make room for who has a request."""
    with Pollux("respond", "-w1", *QUIET, "--max-connections=200") as server:
        with Peers(server.address, 200, "head", every_ms=100) as peers:
            assert peers.ready() == 200
            with Load(server.address, kept=30, new=10, pause_ms=20) as load:
                time.sleep(long_or(20, 4))
            load.assert_nothing_lost("told_503")
            assert peers.report()["closed"] > 0
        seen = counters(server)
        say(f"shed {seen['shed']}, turned away {seen['turned away']}")
        assert seen["shed"] > 0
        # It recovers by itself.
        with Load(server.address, kept=4, new=4) as load:
            time.sleep(0.5)
        load.assert_nothing_lost(answers_min=100)


def test_uploads_that_dawdle_make_room():
    """Uploads of 20 bytes a second hold every place: after a second they give way to those that come, and until then
    these are told so, at once."""
    with Pollux("respond", "-w1", *QUIET, "--max-connections=100") as server:
        with Peers(server.address, 100, "post", every_ms=50) as peers:
            assert peers.ready() == 100
            with Load(server.address, new=20) as load:
                time.sleep(long_or(10, 2))
            result = load.report()
            assert result["answered"] > 1000
            assert not load.lost("told_503")
            assert peers.report()["closed"] > 0
        assert counters(server)["turned away"] >= result["told_503"]
        with Load(server.address, kept=4, new=4) as load:
            time.sleep(0.5)
        load.assert_nothing_lost(answers_min=100)


def test_out_of_descriptors():
    """The limit of the process is below that of the options: it sheds, tries again, and serves on."""

    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (150, 150))

    with Pollux("respond", "-w1", *QUIET, "--max-connections=100000", preexec_fn=few) as server:
        pid = process_ids(server)[-1]
        with Peers(server.address, 400, "idle") as peers:
            time.sleep(1)
            with Load(server.address, new=6) as load:
                time.sleep(long_or(20, 3))
            load.assert_nothing_lost()
            say(f"{len(os.listdir(f'/proc/{pid}/fd'))} descriptors of 150, shed "
                f"{counters(server)['shed']}")
            peers.report()
        assert counters(server)["shed"] > 0
        wait_for("few descriptors", lambda: len(os.listdir(f"/proc/{pid}/fd")) < 40)


def broken_off(address, bytes_sent, how):
    with socket.create_connection(address, 10) as sock:
        if bytes_sent:
            sock.sendall(bytes_sent)
        if how == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif how == "half":
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass


@pytest.mark.parametrize("how", ["reset", "half", "close"])
def test_broken_off_at_every_byte(how):
    with Pollux("respond", "-w1", *QUIET) as server:
        rounds = long_or(20, 2)
        with Load(server.address, kept=4, new=4, pause_ms=2) as load:
            for _ in range(rounds):
                for at in range(len(REQUEST) + 1):
                    broken_off(server.address, REQUEST[:at], how)
            time.sleep(0.5)
        load.assert_nothing_lost()
        say(f"{rounds * (len(REQUEST) + 1)} connections ended by {how}")
        wait_for("all gone", lambda: counters(server)["open"] == 0)


def test_the_longest_tick():
    """By the CPU time of each step of a loop, under every kind of crowd at once: no peer's bytes hold
    the others up for 10 ms."""
    process = subprocess.Popen([TOOLS / "ticks", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    try:
        host, port = process.stdout.readline().strip().rsplit(":", 1)
        address = (host, int(port))
        with Peers(address, 1000, "head", every_ms=200) as heads, \
                Peers(address, 1000, "post", every_ms=200) as posts, \
                Peers(address, 500, "read", every_ms=50, path="/big") as readers, \
                Peers(address, 1000, "idle") as idle:
            for peers in (heads, posts, readers, idle):
                peers.ready()
            with Load(address, kept=50, new=20) as load:
                time.sleep(long_or(30, 4))
            load.assert_nothing_lost()
        process.send_signal(signal.SIGTERM)
        longest = json.loads(process.stdout.readlines()[-1])
    finally:
        process.kill()
        process.wait()
    say(f"{longest['ticks']} ticks; longest by CPU {longest['cpu_us']} us ({longest['cpu_requests']} "
        f"requests, {longest['cpu_bytes']} bytes), {longest['over_10_ms']} above 10 ms; by the clock {longest['clock_us']} us "
        f"({longest['callbacks']} callbacks, {longest['bytes']} bytes)")
    # Now and then the machine itself stands still, and a thread's clock counts what a hypervisor takes:
    # what peers can cause comes again and again.
    assert longest["over_10_ms"] <= longest["ticks"] // 100, longest
    # What limits.h allows in a tick: events, accepts, what is left over, tasks; and in bytes two
    # halves of TICK_TURN_BYTES, with the last stream's turn.
    assert longest["callbacks"] <= 256 + 64 + 256 + 64
    assert max(longest["bytes"], longest["cpu_bytes"], longest["most_bytes"]) <= 8 << 20
