"""Servers behind a proxy that die and come back, and a proxy that is reloaded and replaced, under load."""

import re
import signal
import time

import pytest

from chaos import Load, long_or, say, wait_for
from lib.runner import Pollux

pytestmark = pytest.mark.timeout(900)

KEPT, NEW = 48, 16


class Behind:
    """A server that can be killed and started again where it was."""

    def __init__(self):
        self.server = Pollux("respond", "--log=off", "-w", "0", "--sandbox=off")
        self.address = "127.0.0.1:%d" % self.server.address[1]

    def kill(self):
        self.server.signal(signal.SIGKILL)
        self.server.process.wait()

    def start(self):
        self.server = Pollux("respond", "--log=off", "-w", "0", "--sandbox=off", "-l", self.address)


@pytest.fixture
def two():
    servers = [Behind(), Behind()]
    yield servers
    for server in servers:
        if server.server.process.poll() is None:
            server.kill()


def test_servers_are_killed_and_started(two):
    """Of two one is, every second: all that is asked for with GET is answered by the other."""
    deaths = long_or(60, 8)
    urls = ["http://" + server.address for server in two]
    with Pollux("proxy", "--log=off", "-w", "2", "--retry-disconnect", *urls) as proxy:
        with Load(proxy.address, kept=KEPT, new=NEW, pause_ms=2) as load:
            time.sleep(0.3)
            for number in range(deaths):
                two[number % 2].kill()
                time.sleep(0.2)
                two[number % 2].start()
                time.sleep(0.8)
        load.assert_nothing_lost()
        say(f"{deaths} deaths of servers")
        told = re.findall(r"answered (\d+)", proxy.stderr)
        assert not told, told
        wait_for("word of servers that are out", lambda: "is out for failures" in proxy.stderr)


def test_the_proxy_is_reloaded(two):
    reloads = long_or(30, 8)
    urls = ["http://" + server.address for server in two]
    with Pollux("proxy", "--log=off", "-w", "2", *urls) as proxy:
        with Load(proxy.address, kept=KEPT, new=NEW, pause_ms=10) as load:
            time.sleep(0.2)
            for _ in range(reloads):
                before = set(proxy.children())
                proxy.signal(signal.SIGHUP)
                wait_for("a new generation", lambda b=before: len(set(proxy.children()) - b) >= 2, 30)
                time.sleep(0.1)
        result = load.assert_nothing_lost()
        say(f"{reloads} reloads of a proxy")
        assert result["told_close"] > 0
        wait_for("one generation", lambda: len(proxy.children()) == 2, 30)
