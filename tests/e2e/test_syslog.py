"""The access log to syslog (RFC 5424, over a unix socket or UDP) and to the journal: what a receiver gets of each line, and
what becomes of lines while it sleeps, is gone or is started anew."""

import json
import os
import re
import signal
import socket
import time

import pytest

from lib.runner import PROGRAM, Server, run
from lib.wire import ask

pytestmark = pytest.mark.short

# RFC 5424 section 6, as far as it is used: no message id and no structured data.
LINE = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([!-~]{1,255}) ([!-~]{1,48}) (\d{1,128}) - - (.*)", re.S
)


class Receiver:
    def __init__(self, place=None):
        self.sock = socket.socket(socket.AF_UNIX if place else socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(str(place) if place else ("127.0.0.1", 0))
        if place:
            os.chmod(place, 0o666)
        self.sock.settimeout(10)
        self.name = f"unix:{place}" if place else "udp:127.0.0.1:%d" % self.sock.getsockname()[1]

    def line(self):
        return self.sock.recv(1 << 16)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


def get(server, path="/", fields=""):
    return ask(server.address, f"GET {path} HTTP/1.1\r\nHost: a.test\r\n{fields}Connection: close\r\n\r\n".encode())


def serve(folder, line, top="workers 1\n", **popen):
    file = folder / "pollux.conf"
    file.write_text(f"listen 127.0.0.1:0\n{top}{line}\nrespond hi\n")
    folder.chmod(0o777)
    return Server([PROGRAM, "run", "-c", file], cwd=folder, **popen)


def read(line, priority=23 * 8 + 6, tag=b"pollux"):
    told = LINE.fullmatch(line)
    assert told, line
    assert int(told[1]) == priority and told[4] == tag
    assert abs(time.time() - time.mktime(time.strptime(told[2][:19].decode(), "%Y-%m-%dT%H:%M:%S")) + time.timezone) < 60
    assert told[3].decode() == socket.gethostname()
    return told[6]


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("kind", ["unix", "udp", "path"])
def test_each_line_is_a_message(tmp_path, workers, kind):
    with Receiver(tmp_path / "log" if kind != "udp" else None) as receiver:
        name = receiver.name.removeprefix("unix:") if kind == "path" else receiver.name
        with serve(tmp_path, f"log json syslog:{name}", top=f"workers {workers}\n") as server:
            for path in ("/a", "/b?c"):
                get(server, path)
            first, second = (json.loads(read(receiver.line())) for _ in range(2))
            assert first["target"] == "/a" and second["target"] == "/b?c"


def test_facility_and_tag(tmp_path):
    with Receiver() as receiver:
        with serve(tmp_path, f"log combined syslog:{receiver.name},facility=local0,tag=edge-1") as server:
            get(server)
            assert b'"GET / HTTP/1.1" 200 2 ' in read(receiver.line(), 16 * 8 + 6, b"edge-1")


def test_the_command_line(tmp_path):
    with Receiver() as receiver:
        line = [PROGRAM, "respond", "-w", "1", "-l", "127.0.0.1:0", "--log", "json", "--log-file", "syslog:" + receiver.name]
        with Server(line) as server:
            get(server)
            assert json.loads(read(receiver.line()))["status"] == 200
        code, out, err = run(*line[1:], "--print-config")
        assert code == 0 and f"log json syslog:{receiver.name}\n" in out


def test_the_journal(tmp_path):
    """systemd's native protocol: fields, each on a line."""
    with Receiver(tmp_path / "journal") as receiver:
        with serve(tmp_path, f"log json journal:{tmp_path}/journal") as server:
            get(server)
            line = receiver.line().decode()
    fields = dict(field.split("=", 1) for field in line.removesuffix("\n").split("\n"))
    assert line.endswith("\n") and set(fields) == {"PRIORITY", "SYSLOG_FACILITY", "SYSLOG_IDENTIFIER", "MESSAGE"}
    assert (fields["PRIORITY"], fields["SYSLOG_IDENTIFIER"]) == ("6", "pollux")
    assert json.loads(fields["MESSAGE"])["status"] == 200


def test_a_long_line_is_cut(tmp_path):
    with Receiver() as receiver:
        with serve(tmp_path, f"log combined syslog:{receiver.name}") as server:
            get(server, fields="User-Agent: " + "\\" * 2048 + "\r\nReferer: " + "\\" * 2048 + "\r\n")
            get(server, "/next")
            assert 4000 < len(receiver.line()) <= 8192
            assert b"/next" in read(receiver.line())


def test_a_receiver_that_sleeps_holds_nothing_up(tmp_path):
    with Receiver(tmp_path / "log") as receiver:
        with serve(tmp_path, f"log combined syslog:{receiver.name}") as server:
            count = 3 * int(open("/proc/sys/net/unix/max_dgram_qlen").read())
            began = time.monotonic()
            for i in range(count):
                assert get(server, f"/{i}").status == 200
            assert time.monotonic() - began < 10
            lines = [read(receiver.line()) for _ in range(count)]
    assert [re.search(rb"GET /(\d+) ", line)[1] for line in lines] == [b"%d" % i for i in range(count)]


def dropped(server):
    found = re.findall(rb'^pollux_log_dropped_total\{log="syslog:[^"]+"\} (\d+)$', get(server, "/metrics").content, re.M)
    assert found, "each log has its count from the start"
    return sum(map(int, found))


def comes_to(receiver, server, path):
    """The log of a path reaches its receiver within some seconds: no process was started for it, no signal sent."""
    receiver.sock.settimeout(0.1)
    end = time.monotonic() + 15
    while time.monotonic() < end:
        get(server, path)
        try:
            while path.encode() not in read(receiver.line()):
                pass  # a line of before that was on its way
            return
        except TimeoutError:
            continue
    raise AssertionError("no line came to the new receiver")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_receiver_that_was_started_anew(tmp_path, workers):
    """Of the program's log and of a route's: both go on by themselves, and what was lost meanwhile is counted."""
    places = tmp_path / "log", tmp_path / "other"
    receivers = [Receiver(place) for place in places]
    top = f"workers {workers}\nroute /other {{\n access_log combined syslog:{receivers[1].name}\n respond hi\n}}\n"
    top += "route /metrics {\n access_log off\n metrics\n}\n"
    with serve(tmp_path, f"log combined syslog:{receivers[0].name}", top=top) as server:
        for receiver, path in zip(receivers, ("/own", "/other")):
            get(server, path)
            assert path.encode() in read(receiver.line())
            receiver.sock.close()
        for place in places:
            place.unlink()
        server.wait_stderr(r"syslog:\S+ (\(and 1 other log\) )?has no receiver: (No such file|Connection refused).*; it is tried every")
        before = dropped(server)
        for path in ("/own", "/other"):
            get(server, path)
        end = time.monotonic() + 10
        while dropped(server) < before + 2:
            assert time.monotonic() < end
            time.sleep(0.05)
        server.wait_stderr(r"1 line of the log syslog:\S+ dropped: (Connection refused|No such file or directory)")
        receivers = [Receiver(place) for place in places]
        server.wait_stderr(r"syslog:\S+ (\(and 1 other log\) )?has a receiver again")
        for receiver, path in zip(receivers, ("/own", "/other")):
            comes_to(receiver, server, path)
            receiver.sock.close()
        assert "reloaded" not in server.stderr and "was ended" not in server.stderr


@pytest.mark.parametrize("signal_number", [signal.SIGHUP, signal.SIGUSR1])
def test_signals_keep_it(tmp_path, signal_number):
    with Receiver() as receiver:
        with serve(tmp_path, f"log combined syslog:{receiver.name}", top="workers 2\n") as server:
            server.signal(signal_number)
            server.wait_stderr("reloaded|counters")
            for _ in range(4):
                get(server)
            for _ in range(4):
                read(receiver.line())


@pytest.mark.parametrize(
    "place, says",
    [("syslog:nowhere", "it is syslog:, syslog:/path, syslog:udp:host:port or journal:"),
     ("syslog:udp:", "it is syslog:"), ("syslog:udp:a:b", "it is syslog:"), ("journal:udp:a", "it is syslog:"),
     ("syslog:/dev/log,facility=pollux", "behind a comma stands facility=NAME (local7) or tag=NAME (pollux)"),
     ("syslog:,tag=", "behind a comma"), ("syslog:,tag=" + "x" * 49, "behind a comma")],
)  # fmt: skip
def test_mistakes(tmp_path, place, says):
    file = tmp_path / "pollux.conf"
    file.write_text(f"log json {place}\nrespond\n")
    code, _, err = run("check", "-c", file)
    assert code == 78 and "pollux.conf:1:10: " in err and says in err, err
    code, _, err = run("respond", "-l", "127.0.0.1:0", "--log-file", place)
    assert code == 64 and err.startswith(f"pollux: --log-file {place}: ") and says in err, err


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("why", ["nothing", "a file", "closed", "forbidden"])
def test_one_that_is_not_there_yet(tmp_path, workers, why):
    """The program starts, says so at once, counts what it cannot send, and finds the receiver when it comes."""
    place = tmp_path / "log"
    if why == "a file":
        place.touch()
        place.chmod(0o666)
    elif why in ("closed", "forbidden"):
        early = Receiver(place)
        if why == "closed":
            early.sock.close()
        place.chmod(0o666 if why == "closed" else 0)
    top = f"workers {workers}\nroute /metrics {{\n access_log off\n metrics\n}}\n"
    nobody = {"user": 65534, "group": 65534} if os.getuid() == 0 else {}  # root may write to every socket
    with serve(tmp_path, f"log combined syslog:{place}", top=top, **nobody) as server:
        says = {"nothing": "No such file", "forbidden": "Permission denied"}.get(why, "Connection refused")
        get(server, "/early")
        server.wait_stderr(rf"syslog:{place} has no receiver: {says}.*; it is tried every second")
        end = time.monotonic() + 5
        while dropped(server) < 1:
            assert time.monotonic() < end
            time.sleep(0.05)
        place.unlink(missing_ok=True)
        with Receiver(place) as receiver:
            comes_to(receiver, server, "/late")
            server.wait_stderr(rf"syslog:{place} has a receiver again")
        assert server.stderr.count("has no receiver") <= 2, server.stderr


def test_it_may_come_and_go_without_a_master(tmp_path):
    """Under the filter of a release, which ends a process that connects."""
    place = tmp_path / "log"
    with serve(tmp_path, f"log combined syslog:{place}", top="workers 0\n") as server:
        for turn in range(4):
            with Receiver(place) as receiver:
                comes_to(receiver, server, f"/{turn}")
            if turn % 2:
                get(server, "/closed")
            place.unlink()
            if turn % 2 == 0:
                get(server, "/gone")
        server.signal(signal.SIGHUP)
        server.signal(signal.SIGUSR1)
        with Receiver(place) as receiver:
            comes_to(receiver, server, "/last")


def test_one_that_cannot_be_named(tmp_path):
    file = tmp_path / "pollux.conf"
    file.write_text("listen 127.0.0.1:0\nlog json syslog:udp:no-such-host.invalid\nrespond\n")
    code, _, err = run("run", "-c", file)
    assert code == 73 and "cannot open the log file syslog:udp:no-such-host.invalid: " in err
