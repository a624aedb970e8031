"""Logs of hosts and routes: what goes where, over reloads, signals, deaths of workers and moved files."""

import json
import os
import re
import signal
import time

import pytest

from lib.runner import PROGRAM, Server, run
from lib.wire import Wire, ask

pytestmark = pytest.mark.short

SITE = """
host a.test {
    access_log json a.log
    respond "a"
    route /own { access_log combined own.log; respond "own" }
    route /off { access_log off; respond "off" }
    route /main { access_log on; respond "main" }
}
host b.test { access_log a.log; respond "b" }
host c.test { access_log template "{host} {status}" c.log; respond "c" }
host d.test { respond "d" }
"""


def serve(folder, text=SITE, top="workers 2\nlog combined main.log\n"):
    (folder / "pollux.conf").write_text(f"listen 127.0.0.1:0\npid_file pid\n{top}{text}")
    folder.chmod(0o777)
    return Server([PROGRAM, "run", "-c", "pollux.conf"], cwd=folder)


def get(server, host, path="/"):
    return ask(server.address, f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())


def lines(folder, name, count, seconds=5):
    end = time.monotonic() + seconds
    while True:
        text = (folder / name).read_text() if (folder / name).exists() else ""
        if text.count("\n") >= count or time.monotonic() > end:
            break
        time.sleep(0.02)
    found = text.splitlines()
    assert len(found) == count, (name, found)
    return found


@pytest.mark.parametrize("workers", [0, 2])
def test_what_goes_where(tmp_path, workers):
    with serve(tmp_path, top=f"workers {workers}\nlog combined main.log\n") as server:
        asked = [("a.test", "/"), ("a.test", "/own"), ("a.test", "/off"), ("a.test", "/main"), ("b.test", "/"),
                 ("c.test", "/"), ("d.test", "/"), ("none.test", "/"), ("a.test", "/")]  # fmt: skip
        for host, path in asked:
            get(server, host, path)
        a = lines(tmp_path, "a.log", 3)
        assert [json.loads(line)["target"] for line in a if line.startswith("{")] == ["/", "/"]
        assert sum('"GET / HTTP/1.1" 200 1 ' in line for line in a) == 1, "in the format of log"
        assert '"GET /own HTTP/1.1" 200 3 ' in lines(tmp_path, "own.log", 1)[0]
        assert lines(tmp_path, "c.log", 1) == ["c.test 200"]
        told = [re.search(r'"GET (\S+) HTTP/1.1" (\d+)', line)[0] for line in lines(tmp_path, "main.log", 3)]
        assert sorted(told) == ['"GET / HTTP/1.1" 200', '"GET / HTTP/1.1" 404', '"GET /main HTTP/1.1" 200']


def test_answers_in_one_tick_keep_their_order(tmp_path):
    """Requests of one connection for hosts of different logs: each log has its own, whole."""
    with serve(tmp_path, top="workers 1\nlog combined main.log\n") as server:
        many = "".join(f"GET /{i} HTTP/1.1\r\nHost: {'abcd'[i % 4]}.test\r\n\r\n" for i in range(199))
        with Wire(server.address) as wire:
            wire.send((many + "GET /199 HTTP/1.1\r\nHost: d.test\r\nConnection: close\r\n\r\n").encode())
            for _ in range(200):
                assert wire.reply().status == 200
        a, c, d = (lines(tmp_path, name, count) for name, count in (("a.log", 100), ("c.log", 50), ("main.log", 50)))
        seen = [int(re.search(r'(?:GET |"target":")/(\d+)', line)[1]) for line in a]
        assert seen == [i for i in range(200) if i % 4 < 2]
        assert c == ["c.test 200"] * 50
        assert [int(re.search(r"GET /(\d+)", line)[1]) for line in d] == list(range(3, 200, 4))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("signal_number", [signal.SIGHUP, signal.SIGUSR1])
def test_rotation(tmp_path, workers, signal_number):
    with serve(tmp_path, top=f"workers {workers}\nlog combined main.log\n") as server:
        get(server, "a.test")
        lines(tmp_path, "a.log", 1)
        for name in ("a.log", "main.log"):
            (tmp_path / name).rename(tmp_path / f"{name}.1")
        server.signal(signal_number)
        server.wait_stderr("reloaded|counters")
        end = time.monotonic() + 10
        while not (tmp_path / "a.log").exists() or (tmp_path / "a.log").stat().st_size == 0:
            assert time.monotonic() < end
            get(server, "a.test")
            time.sleep(0.05)
        time.sleep(0.3)
        before = (tmp_path / "a.log.1").stat().st_size
        for _ in range(8):
            get(server, "a.test")
        time.sleep(0.3)
        assert (tmp_path / "a.log.1").stat().st_size == before


@pytest.mark.parametrize("signal_number", [signal.SIGUSR1, signal.SIGHUP])
def test_600_logs_and_a_worker_that_is_held(tmp_path, signal_number):
    """What is opened anew waits for a worker that reads nothing for a while: it lives on and gets each."""
    routes = "".join(f"route /{i} {{ access_log {i}.log; respond }}\n" for i in range(600))
    with serve(tmp_path, routes, top="workers 1\nlog combined main.log\n") as server:
        with Wire(server.address) as wire:
            wire.send(b"GET /0 HTTP/1.1\r\nHost: a.test\r\n\r\n")
            assert wire.reply().status == 200  # it is this worker's connection, and stays so
            (worker,) = server.children()
            os.kill(worker, signal.SIGSTOP)
            for i in range(0, 600, 50):
                (tmp_path / f"{i}.log").rename(tmp_path / f"old-{i}.log")
            server.signal(signal_number)
            server.wait_stderr("counters" if signal_number == signal.SIGUSR1 else "reloaded")
            time.sleep(0.3)
            os.kill(worker, signal.SIGCONT)
            time.sleep(0.2)
            for i in range(0, 600, 50):
                wire.send(f"GET /{i} HTTP/1.1\r\nHost: a.test\r\n\r\n".encode())
                reply = wire.reply()
                assert reply.status == 200
                lines(tmp_path, f"{i}.log", 1)
                if reply.says_close:  # of the last, after a reload
                    break
        assert not re.search("killed|ended by", server.stderr)


def test_a_reload_adds_and_takes_away(tmp_path):
    with serve(tmp_path) as server:
        get(server, "a.test")
        get(server, "b.test")
        (tmp_path / "pollux.conf").write_text(
            (tmp_path / "pollux.conf").read_text().replace("access_log json a.log", "access_log json new.log")
        )
        code, out, err = run("reload", "-c", "pollux.conf", cwd=tmp_path)
        assert code == 0, err
        get(server, "a.test")
        get(server, "b.test")
        lines(tmp_path, "new.log", 1)
        lines(tmp_path, "a.log", 3)


def test_a_bad_reload_changes_nothing(tmp_path):
    with serve(tmp_path) as server:
        text = (tmp_path / "pollux.conf").read_text()
        (tmp_path / "pollux.conf").write_text(text.replace("json a.log", "json syslog:udp:none.invalid"))
        code, out, err = run("reload", "-c", "pollux.conf", cwd=tmp_path)
        assert code == 78 and "pollux.conf:7:21: cannot open the log file syslog:udp:none.invalid: " in err, err
        get(server, "a.test")
        lines(tmp_path, "a.log", 1)


def test_a_worker_that_dies_leaves_the_logs_to_the_next(tmp_path):
    with serve(tmp_path, top="workers 1\nlog combined main.log\n") as server:
        get(server, "a.test")
        lines(tmp_path, "a.log", 1)
        (worker,) = server.children()
        os.kill(worker, signal.SIGKILL)
        server.wait_stderr("was ended by signal 9")
        end = time.monotonic() + 10
        while get(server, "a.test") is None:
            assert time.monotonic() < end
        lines(tmp_path, "a.log", 2)


def test_with_workers_0_no_log_is_added(tmp_path):
    with serve(tmp_path, top="workers 0\nlog combined main.log\n") as server:
        text = (tmp_path / "pollux.conf").read_text()
        (tmp_path / "pollux.conf").write_text(text.replace("json a.log", "json new.log"))
        code, _, err = run("reload", "-c", "pollux.conf", cwd=tmp_path)
        assert code == 78 and "pollux.conf:7:21: a log cannot be added by a reload with workers 0" in err, err
        get(server, "a.test")
        lines(tmp_path, "a.log", 1)


@pytest.mark.parametrize(
    "line, says",
    [("access_log off a.log", "takes no other value"), ("access_log a.log b.log", "write access_log FORMAT PATH"),
     ("access_log combined a ecs", "ecs is a spelling of json"), ("access_log json a errors=all", "give sample too"),
     ("access_log template", "access_log template"), ("access_log on a.log", "write access_log FORMAT PATH"),
     ('access_log template "{nope}" a', "there is no placeholder {nope}"),
     ("access_log a.log sample=1/2", "options of lines need their format"),
     ("access_log json none/a.log", "cannot write"), ("access_log json syslog:x", "it is syslog:"),
     ("log off; access_log json a", "nothing is logged where log is off"),
     ("log request; access_log json a", "log request is of all hosts")],
)  # fmt: skip
def test_mistakes(tmp_path, line, says):
    (tmp_path / "pollux.conf").write_text(line + "\nrespond\n")
    code, _, err = run("check", "-c", "pollux.conf", cwd=tmp_path)
    assert code == 78 and "pollux.conf:1:" in err and says in err, err


def test_all_forms_are_fine(tmp_path):
    for line in ("access_log", "access_log on", "access_log off", "access_log a.log", "access_log json",
                 "access_log json a.log ecs sample=1/2 errors=all", 'access_log template "{host}"',
                 "access_log combined syslog:", "log off; access_log off", "log off; access_log on"):  # fmt: skip
        (tmp_path / "pollux.conf").write_text(line + "\nrespond\n")
        code, _, err = run("check", "-c", "pollux.conf", cwd=tmp_path)
        assert code == 0, (line, err)
        code, out, err = run("config", "-c", "pollux.conf", cwd=tmp_path)
        assert code == 0 and "access_log" in out, (line, err)
        (tmp_path / "again.conf").write_text(out)
        assert run("check", "-c", "again.conf", cwd=tmp_path)[0] == 0, out
