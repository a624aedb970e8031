"""Proxies in front: haproxy and curl say who is behind them, and are believed where they are trusted."""

import json
import os
import socket
import ssl
import subprocess
import tempfile
import time

import pytest

from lib.runner import Child, Pollux
from lib.wire import Wire, WireReset, ask

pytestmark = pytest.mark.short

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
TRUST = ("--trust-proxy", "127.0.0.0/8", "--trust-proxy", "unix:")


def entry(server, count=1):
    out = server.wait_stdout(lambda out: out.count(b"\n") >= count)
    return json.loads(out.splitlines()[count - 1])


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Haproxy:
    """A haproxy in front of an address, with lines of its own in the frontend and on the server."""

    def __init__(self, address, frontend, server, mode="http"):
        self.port = free_port()
        target = address if isinstance(address, str) else "%s:%d" % address
        if target.startswith("/"):
            target = "unix@" + target
        self.folder = tempfile.TemporaryDirectory(prefix="px-haproxy-")
        path = os.path.join(self.folder.name, "haproxy.cfg")
        with open(path, "w", encoding="ascii") as config:
            config.write(f"""
defaults
  mode {mode}
  timeout connect 5s
  timeout client 10s
  timeout server 10s
frontend f
  bind 127.0.0.1:{self.port}
  {frontend}
  default_backend b
backend b
  server s {target} {server}
""")
        self.process = subprocess.Popen(["/usr/sbin/haproxy", "-db", "-f", path], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE)

    def __enter__(self):
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    self.__exit__()
                    raise AssertionError(self.process.stderr.read()) from None
                time.sleep(0.02)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self.process.stderr.close()
        self.folder.cleanup()


def ask_from(port, source, fields=b""):
    """A request through a proxy, from an address of the loopback net."""
    sock = socket.create_connection(("127.0.0.1", port), 10, source_address=(source, 0))
    with sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"Connection: close\r\n\r\n")
        answer = b""
        while piece := sock.recv(65536):
            answer += piece
    return answer


@pytest.mark.parametrize("options", [
    "send-proxy",
    "send-proxy-v2",
    "send-proxy-v2 proxy-v2-options crc32c,unique-id",
])
def test_haproxy_says_who_is_behind_it(options):
    with Pollux("respond", "-w1", "--log=json", "--proxy-protocol", *TRUST, "hi") as server:
        with Haproxy(server.address, "unique-id-format %ci", options) as proxy:
            assert ask_from(proxy.port, "127.0.0.9").endswith(b"hi")
            assert entry(server)["peer"] == "127.0.0.9"


def test_haproxy_over_a_unix_socket(tmp_path):
    path = str(tmp_path / "s")
    with Pollux("respond", "-w1", "--log=json", "--proxy-protocol", *TRUST, "-l",
                "unix:" + path, "hi") as server:
        with Haproxy(path, "", "send-proxy-v2") as proxy:
            assert ask_from(proxy.port, "127.0.0.9").endswith(b"hi")
            assert entry(server)["peer"] == "127.0.0.9"


@pytest.mark.parametrize("field", ["x-forwarded-for", "either"])
def test_haproxy_adds_a_field(field):
    with Pollux("respond", "-w1", "--log=json", "--trust-proxy", "127.0.0.1", "--proxy-header", field,
                "hi") as server:
        with Haproxy(server.address, "option forwardfor", "") as proxy:
            assert ask_from(proxy.port, "127.0.0.9", b"X-Forwarded-For: 6.6.6.6\r\n").endswith(b"hi")
            line = entry(server)
            assert (line["peer"], line["client"]) == ("127.0.0.1", "127.0.0.9")


def test_combined_has_the_client():
    with Pollux("respond", "-w1", "--log=combined", *TRUST) as server:
        assert ask(server.address, b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6, 192.0.2.7"
                                   b"\r\n\r\n").status == 200
        assert server.wait_stdout(lambda out: b"\n" in out).startswith(b"192.0.2.7 - - [")


def test_strangers_are_not_believed():
    with Pollux("respond", "-w1", "--log=json", "--proxy-protocol", "--trust-proxy",
                "192.0.2.0/24") as server:
        assert ask(server.address, b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\n"
                                   b"Forwarded: for=6.6.6.6\r\n\r\n").status == 200
        line = entry(server)
        assert line["peer"] == "127.0.0.1" and "client" not in line
        assert ask(server.address, b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n" + GET).status == 400


def test_who_is_trusted_must_say_it():
    with Pollux("respond", "-w1", "--proxy-protocol", *TRUST) as server:
        with Wire(server.address) as wire:
            wire.send(GET)
            try:
                assert wire.reply() is None
            except WireReset:
                pass


def test_curl_says_who_it_is():
    with Pollux("respond", "-w1", "--log=json", "--proxy-protocol", *TRUST, "hi") as server:
        host, port = server.address
        out = subprocess.run(["curl", "-sS", "--haproxy-protocol", f"http://{host}:{port}/"],
                             capture_output=True, timeout=20, check=True).stdout
        assert out == b"hi"
        assert entry(server)["peer"] == "127.0.0.1"


def test_the_header_comes_before_tls():
    with Pollux("respond", "-w1", "--log=json", "--tls-self-signed", "--proxy-protocol", *TRUST,
                "-l", "https://127.0.0.1:0", "hi") as server:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        for step in (1000, 7):
            with socket.create_connection(("127.0.0.1", server.address[1]), 10) as sock:
                header = b"PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n"
                for at in range(0, len(header), step):
                    sock.sendall(header[at : at + step])
                    time.sleep(0.01)
                with context.wrap_socket(sock, server_hostname="localhost") as secure:
                    secure.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    answer = b""
                    while piece := secure.recv(65536):
                        answer += piece
                assert answer.endswith(b"hi")
        assert [entry(server, n)["peer"] for n in (1, 2)] == ["2001:db8::7"] * 2
