"""`resolver`: names of servers are asked of the name servers that it names, and of no other."""

import socket
import struct
import threading
import time
from contextlib import contextmanager

import pytest

from lib.runner import PROGRAM, Server, run
from lib.upstream import Upstream
from lib.wire import ask

pytestmark = pytest.mark.short


class Names:
    """A name server of one port, UDP and TCP; `cut` sends those that ask by UDP to TCP (RFC 1035 section 4.2.1)."""

    def __init__(self, table, family=socket.AF_INET, cut=False):
        self.table, self.cut, self.asked, self.silent = table, cut, [], False
        host = "127.0.0.1" if family == socket.AF_INET else "::1"
        self.tcp = socket.socket(family, socket.SOCK_STREAM)
        self.tcp.bind((host, 0))
        self.tcp.listen()
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(family, socket.SOCK_DGRAM)
        self.udp.bind((host, self.port))
        self.address = f"{host}:{self.port}" if family == socket.AF_INET else f"[{host}]:{self.port}"
        for loop in (self._udp, self._tcp):
            threading.Thread(target=loop, daemon=True).start()

    def _answer(self, question, how):
        at, labels = 12, []
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode())
            at += 1 + question[at]
        name, kind = ".".join(labels).lower(), struct.unpack("!H", question[at + 1 : at + 3])[0]
        self.asked.append((how, name))
        known = name in self.table
        rows = self.table.get(name, []) if kind == 1 and not (self.cut and how == "udp") else []
        flags = 0x8180 | (0x0200 if self.cut and how == "udp" else 0) | (0 if known else 3)
        answer = question[:2] + struct.pack("!5H", flags, 1, len(rows), 0, 0) + question[12 : at + 5]
        for row in rows:
            answer += struct.pack("!HHHIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton(row)
        return answer

    def _udp(self):
        while True:
            try:
                question, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            answer = self._answer(question, "udp")
            if not self.silent:
                self.udp.sendto(answer, peer)

    def _tcp(self):
        while True:
            try:
                peer, _ = self.tcp.accept()
            except OSError:
                return
            with peer, peer.makefile("rb") as questions:
                while len(length := questions.read(2)) == 2:
                    answer = self._answer(questions.read(struct.unpack("!H", length)[0]), "tcp")
                    peer.sendall(struct.pack("!H", len(answer)) + answer)

    def close(self):
        self.udp.close()
        self.tcp.close()


@contextmanager
def names(*args, **more):
    server = Names(*args, **more)
    try:
        yield server
    finally:
        server.close()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("cut", [False, True], ids=["whole", "cut"])
def test_names_are_asked_there(tmp_path, family, cut):
    with Upstream() as upstream:
        port = upstream.authority.rsplit(":", 1)[1]
        with names({"svc.pollux.test": ["127.0.0.1"]}, family, cut) as server:
            file = tmp_path / "pollux.conf"
            file.write_text(f"""listen 127.0.0.1:0
workers 1
log off
resolver {server.address}
host a.test {{ proxy http://svc.pollux.test:{port} }}
host b.test {{ proxy http://none.pollux.test:{port} }}
""")
            code, _, err = run("check", "-c", file)
            assert code == 0 and "none.pollux.test" in err and "svc.pollux.test" not in err, err
            checked = len(server.asked)
            with Server([PROGRAM, "run", "-c", file]) as pollux:
                for host, status in (("a.test", 200), ("b.test", 502)):
                    request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
                    assert ask(pollux.address, request.encode()).status == status
            asked = server.asked[checked:]
            assert {"svc.pollux.test", "none.pollux.test"} <= {name for _, name in asked}
            assert ("tcp" in {how for how, _ in asked}) == cut, asked


def test_a_silent_server_of_names_holds_up_no_connection(tmp_path):
    """What was found last stands in while the lookup is under way, and there is one for all connections."""
    with Upstream() as upstream, names({"svc.pollux.test": ["127.0.0.1"]}) as server:
        port = upstream.authority.rsplit(":", 1)[1]
        file = tmp_path / "pollux.conf"
        file.write_text(f"""listen 127.0.0.1:0
workers 1
log off
resolver {server.address}
upstream app {{
    server svc.pollux.test:{port}
    keepalive 1 idle=1ms
}}
proxy app
""")
        with Server([PROGRAM, "run", "-c", file]) as pollux:
            request = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
            assert ask(pollux.address, request).status == 200
            server.silent = True
            time.sleep(1.1)  # so long an answer is good for
            asked = len(server.asked)
            began = time.monotonic()
            assert [ask(pollux.address, request).status for _ in range(5)] == [200] * 5
            assert time.monotonic() - began < 4  # libc asks anew after 5 s
            assert 1 <= len(server.asked) - asked <= 2  # A and AAAA


@pytest.mark.parametrize(
    "line, place, says",
    [("resolver dns.example", "1:10", "is no address of a name server"), ("resolver", "1:1", "needs a value"),
     ("resolver 192.0.2.1:99999", "1:10", "is no address of a name server"),
     ("resolver 192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4", "1:40", "")],
)  # fmt: skip
def test_mistakes(tmp_path, line, place, says):
    file = tmp_path / "pollux.conf"
    file.write_text(line + "\nrespond\n")
    code, _, err = run("check", "-c", file)
    assert code == 78 and f"pollux.conf:{place}: " in err and says in err, err
