"""WebSockets by the ten thousand: what idle ones take, and a new generation that takes them over."""

import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

from chaos import long_or, rss_anon_bytes, say
from lib.echo import running_echo
from lib.runner import BUILD, Server

pytestmark = pytest.mark.timeout(300)

HANDSHAKE = (b"GET /%s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
             b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n")
# What a browser says beside that.
BROWSER = (b"Pragma: no-cache\r\nCache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) "
           b"AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\nOrigin: http://a\r\n"
           b"Accept-Encoding: gzip, deflate\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
           b"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n")
CLOSE_1001 = b"\x88\x82\0\0\0\0\x03\xe9"
EACH_BYTES_MAX = 680  # measured: 628

# Holds idle WebSockets until its stdin ends, and says so; a process of its own for its descriptors.
HOLDER = """
import resource, socket, sys
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
path, count, head, held = sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3]), []
for _ in range(count):
    held.append(socket.socket(socket.AF_UNIX))
    held[-1].connect(path)
    held[-1].sendall(head)
    assert held[-1].recv(4096).startswith(b"HTTP/1.1 101 ")
print("held", flush=True)
sys.stdin.read()
"""


def hold(stack, path, count, head):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, path, str(count), head.hex()],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    stack.callback(holder.wait)
    stack.callback(holder.stdin.close)
    assert holder.stdout.readline() == b"held\n"


def test_idle_ones_cost_little(tmp_path_factory):
    """10,000 in one process; the long run has 50,000 in four, half of them with a browser's head."""
    heads = [HANDSHAKE % (b"", b""), HANDSHAKE % (b"", BROWSER)]
    with ExitStack() as stack:
        for number in range(long_or(4, 1)):
            child = stack.enter_context(running_echo(tmp_path_factory.mktemp("echo")))
            hold(stack, child.path, 500, heads[0])
            before = rss_anon_bytes(child.pid)
            count = long_or(12_500, 10_000)
            hold(stack, child.path, count, heads[number % 2])
            each = (rss_anon_bytes(child.pid) - before) / count
            say(f"{count} idle WebSockets: {each:.0f} bytes of RssAnon each")
            assert each < EACH_BYTES_MAX


# --- A new generation -------------------------------------------------------------------------------


class Crowd:
    """WebSockets that come back when they are told to leave, as clients do."""

    def __init__(self, path, target, count):
        self.path, self.target = path, target
        self.poll = select.epoll()
        self.open, self.told_s, self.cut, self.came_back = {}, [], 0, 0
        for _ in range(count):
            self.connect()

    def connect(self):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(self.path)
        sock.sendall(HANDSHAKE % (self.target, b""))
        assert sock.recv(4096).startswith(b"HTTP/1.1 101 ")
        sock.setblocking(False)
        self.open[sock.fileno()] = [sock, False]
        self.poll.register(sock, select.EPOLLIN)

    def drain(self, begun, seconds):
        """Until each that was there when it began has been told, has answered and has come back."""
        end, leaving = begun + seconds, set(self.open)
        while leaving and time.monotonic() < end:
            for number, _ in self.poll.poll(0.1):
                sock, told = self.open[number]
                try:
                    data = sock.recv(4096)
                except ConnectionError:
                    data = None
                if data == b"\x88\x02\x03\xe9" and not told:
                    self.told_s.append(time.monotonic() - begun)
                    self.open[number][1] = True
                    sock.sendall(CLOSE_1001)
                    continue
                # In order, behind both Closes: anything else is a cut.
                self.cut += not (told and data == b"")
                self.poll.unregister(sock)
                del self.open[number]
                sock.close()
                leaving.discard(number)
                self.connect()
                self.came_back += 1
        return leaving

    def close(self):
        for sock, _ in self.open.values():
            sock.close()
        self.poll.close()


@pytest.mark.parametrize("target", [b"socket?detach=1", b"socket"])
def test_a_new_generation_takes_them_over(tmp_path_factory, authority, target):
    """10,000 are open when a new process takes the address over and the old one drains: each is told 1001 at a moment
    of its own within the spread, answers, and lands on the new one; none is cut, and the old one ends well."""
    count = 10_000
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    assert most > count + 2000
    folder = tmp_path_factory.mktemp("generations")
    (folder / "file").write_bytes(b"")
    cert, key = authority.issue("a", file="generations")
    environment = {"GALLERY_CERT": str(cert), "GALLERY_KEY": str(key)}

    def generation(name):
        argv = [BUILD / "gallery" / "gallery", folder / "file", f"unix:{folder}/{name}", "https://127.0.0.1:0"]
        return Server(argv, env=environment)

    with generation("old") as old:
        os.symlink("old", folder / "at")
        crowd = Crowd(str(folder / "at"), target, count)
        with generation("new") as new:
            os.symlink("new", folder / "next")
            os.rename(folder / "next", folder / "at")  # who comes from now on comes to the new one
            begun = time.monotonic()
            old.signal(signal.SIGTERM)  # the gallery gives 5 s, and half of it is the spread
            left = crowd.drain(begun, 60)
            assert old.wait(10) == 0
            crowd.told_s.sort()
            say(f"{len(crowd.told_s)} told, the first after {crowd.told_s[0]:.2f} s, the last after "
                f"{crowd.told_s[-1]:.2f} s; {crowd.cut} cut, {len(left)} left, {crowd.came_back} came back")
            assert (len(crowd.told_s), crowd.cut, len(left), crowd.came_back) == (count, 0, 0, count)
            # Not all at once: whatever the machine takes for it, no tenth of the time has half of them.
            tenth = (crowd.told_s[-1] - crowd.told_s[0]) / 10
            parts = [sum(low * tenth <= at - crowd.told_s[0] < (low + 1) * tenth for at in crowd.told_s)
                     for low in range(10)]  # fmt: skip
            assert max(parts) < count / 2, parts
            assert len(crowd.open) == count and new.running
            crowd.close()
