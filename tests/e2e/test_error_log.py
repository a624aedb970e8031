"""The error log, its levels and its file; and what is told of the requests of one client."""

import re
import signal
import time

import pytest

from lib.runner import PROGRAM, Child, Server, is_listening_unix, run
from lib.wire import ask

pytestmark = pytest.mark.short

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (critical|error|warning|notice|info|debug) pollux\[\d+\]: (.*)")


class Quiet(Child):
    """A server whose stderr says nothing, where its error log is a file."""

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.signal(signal.SIGTERM)
        assert self.process.wait(15) == 0 or kind


def start(folder, text, workers=2, kind=Server):
    file = folder / "pollux.conf"
    file.write_text(f"listen unix:{folder}/sock mode=0666\nworkers {workers}\nlog off\n{text}")
    folder.chmod(0o777)
    return kind([PROGRAM, "run", "-c", file], cwd=folder)


def get(folder, path="/", fields=""):
    request = f"GET {path} HTTP/1.1\r\nHost: a.test\r\n{fields}Connection: close\r\n\r\n"
    return ask(str(folder / "sock"), request.encode())


def wait_for(path, pattern, seconds=10):
    end = time.monotonic() + seconds
    while True:
        text = path.read_text() if path.exists() else ""
        found = re.search(pattern, text, re.M)
        if found:
            return found
        assert time.monotonic() < end, (pattern, text)
        time.sleep(0.02)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_file_of_its_own(tmp_path, workers):
    log = tmp_path / "error.log"
    text = f"error_log info error.log\npid_file {tmp_path}/pid\nroute /broken {{ proxy http://127.0.0.1:1 }}\nrespond\n"
    with start(tmp_path, text, workers, kind=Quiet) as child:
        wait_for(log, "listening on")
        assert get(tmp_path, "/broken").status == 502
        wait_for(log, r"^\S+Z warning pollux\[\d+\]: answered 502: ")
        log.rename(tmp_path / "error.log.1")
        child.signal(signal.SIGUSR1)
        wait_for(log, "counters")
        end = time.monotonic() + 10
        while "answered 502" not in log.read_text():
            assert time.monotonic() < end
            get(tmp_path, "/broken")
            time.sleep(0.1)
    lines = (log.read_text() + (tmp_path / "error.log.1").read_text()).splitlines()
    assert all(LINE.fullmatch(line) for line in lines), lines
    assert child.stderr == ""


@pytest.mark.parametrize("level, seen", [("error", False), ("warning", True), ("info", True)])
def test_levels(tmp_path, level, seen):
    log = tmp_path / "error.log"
    with start(tmp_path, f"error_log {level} error.log\nproxy http://127.0.0.1:1\n", kind=Quiet):
        end = time.monotonic() + 10
        while not is_listening_unix(tmp_path / "sock") and time.monotonic() < end:
            time.sleep(0.02)
        assert get(tmp_path).status == 502
        time.sleep(0.2)
        text = log.read_text()
        assert ("answered 502" in text) == seen and ("listening on" in text) == (level == "info"), text


def test_a_reload_switches_debug(tmp_path):
    file = tmp_path / "pollux.conf"
    text = f"pid_file {tmp_path}/pid\n%sroute /a/{{x}} {{ respond }}\n"
    with start(tmp_path, text % "") as server:
        get(tmp_path, "/a/1")
        assert "request" not in server.stderr.replace("requests", "")
        before = file.read_text()
        file.write_text(before.replace("route", "debug 10.0.0.0/8 unix:\nroute", 1))
        assert run("reload", "-c", file)[0] == 0
        get(tmp_path, "/a/2", "X-Request-Id: mine\r\n")
        get(tmp_path, "/none\x01"[:5])
        begun, ended = (
            server.wait_stderr(r"\Apollux: request ([0-9a-f]{32}): GET /a/2 of http://a.test, HTTP/1.1, client unix:, trace [0-9a-f]{32}\Z")[0],
            server.wait_stderr(r"\Apollux: request ([0-9a-f]{32}): 200, complete, by route /a/\{x\}\Z")[0],
        )  # fmt: skip
        assert begun[1] == ended[1]
        server.wait_stderr(r": 404, complete, by route \(none\)\Z")
        file.write_text(before.replace("route", "debug 10.0.0.0/8\nroute", 1))
        assert run("reload", "-c", file)[0] == 0
        get(tmp_path, "/a/3")
        assert "/a/3" not in server.stderr


@pytest.mark.parametrize("workers", [0, 1])
def test_errors_of_a_reload_are_lines_like_others(tmp_path, workers):
    log, file = tmp_path / "error.log", tmp_path / "pollux.conf"
    with start(tmp_path, f"error_log info error.log\npid_file {tmp_path}/pid\nrespond\n", workers, kind=Quiet):
        wait_for(log, "listening on")
        good = file.read_text()
        file.write_text(good + "\trespnd \"x\"\nlimits { heads 1k }\n")
        code, _, err = run("reload", "-c", file, cwd=tmp_path)
        assert code == 78 and re.search(r'^\S*pollux\.conf:7:2: unknown directive "respnd".*\n    7 \| \trespnd "x"\n', err, re.M), err
        wait_for(log, r'^\S+Z error pollux\[\d+\]: \S*pollux\.conf:7:2: unknown directive "respnd"')
        wait_for(log, r"^\S+Z error pollux\[\d+\]: not reloaded: the configuration has errors")
        lines = log.read_text().splitlines()
        assert len([line for line in lines if "pollux.conf:8:" in line]) == 1
        assert all(LINE.fullmatch(line) for line in lines), lines
        file.write_text(good)


def test_what_a_client_sends_is_escaped(tmp_path):
    """A line of debug drives no terminal, and nothing in it is taken for another part of it."""
    with start(tmp_path, "debug unix:\nrespond\n") as server:
        request = b'GET /\xc2\x9b31m"\xc3\xa4 HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n'
        assert ask(str(tmp_path / "sock"), request).status == 200
        server.wait_stderr(r"GET /\\xC2\\x9B31m\\x22\\xC3\\xA4 of http://a\.test, HTTP/1\.1, client unix:")
        long = b"GET /" + b"\xc3\xa4" * 600 + b" HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
        assert ask(str(tmp_path / "sock"), long).status == 200
        server.wait_stderr(r"GET /(\\xC3\\xA4){37} of http://a\.test, HTTP/1\.1, client unix:, trace [0-9a-f]{32}\Z")


@pytest.mark.parametrize("level", ["critical", "warning"])
def test_lines_of_debug_pass_every_threshold(tmp_path, level):
    log = tmp_path / "error.log"
    with start(tmp_path, f"error_log {level} error.log\ndebug unix:\nrespond\n", kind=Quiet):
        end = time.monotonic() + 10
        while not is_listening_unix(tmp_path / "sock") and time.monotonic() < end:
            time.sleep(0.02)
        assert get(tmp_path, "/a/2").status == 200
        wait_for(log, r"^\S+Z debug pollux\[\d+\]: request [0-9a-f]{32}: GET /a/2 ")
        wait_for(log, r"^\S+Z debug pollux\[\d+\]: request [0-9a-f]{32}: 200, complete")
        assert "listening on" not in log.read_text()


@pytest.mark.parametrize(
    "line, place, says",
    [("error_log loud", "1:11", '"loud" is not one of critical, error, warning, notice, info or debug'),
     ("error_log info none/error.log", "1:16", "cannot write"), ("debug nobody", "1:7", ""), ("debug off unix:", "1:11", "takes no other value"), ("debug unix: off", "1:13", "off stands alone"),
     ("error_log", "1:1", "needs a value"), ("error_log info journal:", "1:16", "is no file"), ("error_log info syslog:/dev/log", "1:16", "is no file")],
)  # fmt: skip
def test_mistakes(tmp_path, line, place, says):
    (tmp_path / "pollux.conf").write_text(line + "\nrespond\n")
    code, _, err = run("check", "-c", "pollux.conf", cwd=tmp_path)
    assert code == 78 and f"pollux.conf:{place}: " in err and says in err, err
