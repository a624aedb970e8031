"""The log, format by format, byte by byte; whole lines, on stdout or in a file, and nothing else."""

import datetime
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from lib.runner import PROGRAM, ROOT, Pollux, Server, run
from lib.upstream import Upstream, answers, closed_port
from lib.wire import Wire, WireError, WireReset, ask

pytestmark = pytest.mark.short

STAMP = re.compile(rb"\[([0-3]\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]")
ROW = b"-" * 40 + b"\n"


def request(line=b"GET / HTTP/1.1", *fields, content=b""):
    return b"\r\n".join([line, b"Host: a", *fields, b"", b""]) + content


def logged(data, *args, lines=1, answers=1, head_only=False, wrap=lambda out: out.count(b"\n")):
    """What the log says about these bytes, sent on one connection."""
    with Pollux("respond", "-w1", *args) as server:
        with Wire(server.address) as wire:
            wire.send(data)
            for _ in range(answers):
                assert wire.reply(head_only) is not None
        out = server.wait_stdout(lambda out: wrap(out) >= lines)
        time.sleep(0.05)
        assert server.stdout == out, "more lines than answers"
        return out


def without_date(line):
    line, count = STAMP.subn(b"[DATE]", line)
    assert count == 1, line
    return line


# --- combined ------------------------------------------------------------------------------------


def combined(data, **more):
    return without_date(logged(data, **more))


def test_combined_is_the_default():
    assert combined(request()) == b'127.0.0.1 - - [DATE] "GET / HTTP/1.1" 200 13 "-" "-"\n'


def test_combined_by_name():
    out = logged(request(), "--log", "combined")
    assert without_date(out) == b'127.0.0.1 - - [DATE] "GET / HTTP/1.1" 200 13 "-" "-"\n'


def test_combined_referer_and_agent():
    data = request(
        b"GET /a/b?c=d HTTP/1.1", b"Referer: http://www.example.org/x", b"User-Agent: Mozilla/5.0 (X11)"
    )
    assert combined(data) == (
        b'127.0.0.1 - - [DATE] "GET /a/b?c=d HTTP/1.1" 200 13 '
        b'"http://www.example.org/x" "Mozilla/5.0 (X11)"\n'
    )


def test_combined_empty_values():
    data = request(b"GET / HTTP/1.1", b"Referer:", b"User-Agent:")
    assert combined(data) in (
        b'127.0.0.1 - - [DATE] "GET / HTTP/1.1" 200 13 "" ""\n',
        b'127.0.0.1 - - [DATE] "GET / HTTP/1.1" 200 13 "-" "-"\n',
    )


def test_combined_date_is_now():
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    stamp = STAMP.search(logged(request()))[1].decode()
    then = datetime.datetime.strptime(stamp, "%d/%b/%Y:%H:%M:%S %z")
    after = datetime.datetime.now(datetime.timezone.utc)
    second = datetime.timedelta(seconds=1)
    assert before - second <= then <= after + second


def test_combined_methods_versions_and_sizes():
    assert combined(request(b"POST /p HTTP/1.0", b"Content-Length: 5", content=b"hello")) == (
        b'127.0.0.1 - - [DATE] "POST /p HTTP/1.0" 200 13 "-" "-"\n'
    )
    assert combined(request(b"BREW /tea HTTP/1.1")).startswith(
        b'127.0.0.1 - - [DATE] "BREW /tea HTTP/1.1" 501 '
    )


def test_combined_head_has_no_bytes():
    line = combined(request(b"HEAD / HTTP/1.1"), head_only=True)
    assert re.fullmatch(rb'127\.0\.0\.1 - - \[DATE\] "HEAD / HTTP/1\.1" 200 (0|-) "-" "-"\n', line)


def test_combined_refused():
    """What could not be read is a dash, not a guess; the answer is there."""
    line = combined(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n")
    assert re.fullmatch(
        rb'127\.0\.0\.1 - - \[DATE\] "(-|GET / HTTP/1\.1)" 400 (\d+|-) "-" "-"\n', line
    )


def logged_and_answered(data):
    with Pollux("respond", "-w1") as server:
        with Wire(server.address) as wire:
            wire.send(data)
            reply = wire.reply()
        out = server.wait_stdout(lambda out: out.endswith(b"\n"))
        time.sleep(0.1)
        assert server.stdout == out and out.count(b"\n") == 1, "more lines than answers"
    return without_date(out), reply


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"nonsense\r\n\r\n",
        request(b"GET /" + b"a" * 10000 + b" HTTP/1.1"),
        request(b"GET / HTTP/2.0"),
        request(b"POST /p HTTP/1.1", b"Transfer-Encoding: gzip"),
        request(b"POST /p HTTP/1.1", b"Transfer-Encoding: chunked", content=b"zz\r\n"),
        request(b"POST /p HTTP/1.1", b"Content-Length: 5000000"),
        request(b"GET /p HTTP/1.1", b"Expect: x"),
        request(b"TRACE /p HTTP/1.1"),
        request(b"BREW /p HTTP/1.1"),
    ],
    ids=["head", "nonsense", "414", "505", "501-coding", "chunk", "413", "417", "405", "501"],
)
def test_combined_says_what_was_answered(data):
    """One line; its status and bytes are those of the answer."""
    line, reply = logged_and_answered(data)
    assert b'" %d %d "' % (reply.status, len(reply.content)) in line, (line, reply.head, reply.content)


def test_combined_knows_whose_content_was_refused():
    data = request(b"POST /p HTTP/1.1", b"Transfer-Encoding: chunked", content=b"zz\r\n")
    line, _ = logged_and_answered(data)
    assert b'"POST /p HTTP/1.1" 400 ' in line


def test_silence_is_not_logged():
    """A peer that only connects, or comes back for nothing, has asked for nothing."""
    with Pollux("respond", "-w1", "--timeout-idle=300ms", "--timeout-head=300ms") as server:
        with Wire(server.address) as wire:
            assert wire.rest() == b""
        ask(server.address, request(b"GET /last HTTP/1.1"))
        out = server.wait_stdout(lambda out: b"/last" in out)
        assert out.count(b"\n") == 1, out


def test_combined_escapes():
    data = request(b"GET /?a\\b{}|^ HTTP/1.1", b'User-Agent: a"b\\c\td\xe9', b"Referer: \x80\xff")
    line = combined(data)
    assert line == (
        b'127.0.0.1 - - [DATE] "GET /?a%5Cb%7B%7D%7C%5E HTTP/1.1" 200 13 '
        b'"\\x80\\xFF" "a\\x22b\\x5Cc\\x09d\\xE9"\n'
    )


def test_combined_cannot_be_forged():
    """No bytes of a request make a second line."""
    out = logged(request(b"GET / HTTP/1.1", b'User-Agent: x"\\n127.0.0.1 - - "GET /forged'))
    assert out.count(b"\n") == 1 and out.count(b'"') == 6


def test_combined_pipelined_in_order():
    data = b"".join(request(b"GET /%d HTTP/1.1" % n) for n in range(100))
    out = logged(data, lines=100, answers=100)
    assert re.findall(rb'"GET /(\d+) HTTP/1\.1"', out) == [b"%d" % n for n in range(100)]


@pytest.mark.parametrize("listen", ["[::1]:0", "unix"])
def test_combined_peers(listen, tmp_path):
    if listen == "unix":
        listen = f"unix:{tmp_path}/sock"
    with Pollux("respond", "-w1", "-l", listen) as server:
        ask(server.address, request())
        line = without_date(server.wait_stdout(lambda out: out.endswith(b"\n")))
    peer = line.split(b" ")[0]
    assert peer == b"::1" if listen.startswith("[") else peer in (b"unix", b"unix:", b"-"), line
    assert line[len(peer) :] == b' - - [DATE] "GET / HTTP/1.1" 200 13 "-" "-"\n'


# --- json ----------------------------------------------------------------------------------------


def test_json():
    data = request(b"GET /a?b=c HTTP/1.1", b"User-Agent: x", b"Referer: http://y/")
    row = json.loads(logged(data, "--log=json"))
    assert (row["method"], row["target"], row["status"], row["bytes"]) == ("GET", "/a?b=c", 200, 13)
    assert "127.0.0.1" in str(row["peer"])
    assert (row["user_agent"], row["referer"], row["host"]) == ("x", "http://y/", "a")
    assert abs(row["time"] - time.time()) < 60 and row["version"] == 1.1
    assert isinstance(row["duration_ms"], int) and row["ended"] == "complete"


def test_json_is_one_object_a_line_whatever_comes():
    wild = bytes(byte for byte in range(0x20, 0x100) if byte != 0x7F) + b"\t."
    data = request(b"GET /?\\{}|^ HTTP/1.1", b"User-Agent: " + wild, b"Referer: \xc3\x28\"\\\\")
    out = logged(data * 3, "--log=json", lines=3, answers=3)
    rows = [json.loads(line) for line in out.decode("ascii").splitlines()]
    assert len(rows) == 3 and all(row["status"] == 200 for row in rows)


def test_ecs():
    row = json.loads(logged(request(), "--log=ecs"))
    assert row["ecs.version"] == "8.11.0" and row["http.request.method"] == "GET" and row["http.response.status_code"] == 200
    then = datetime.datetime.strptime(row["@timestamp"], "%Y-%m-%dT%H:%M:%S%z")
    assert abs((datetime.datetime.now(datetime.timezone.utc) - then).total_seconds()) < 60
    assert all("." in name or name.startswith("@") for name in row)


def test_ecs_in_a_file(tmp_path):
    path = tmp_path / "pollux.conf"
    path.write_text(f"listen 127.0.0.1:0\nlog json {tmp_path}/log ecs\nrespond\n")
    with Server([PROGRAM, "run", "-c", path]) as server:
        assert ask(server.address, request()).status == 200
        wait_until(lambda: (tmp_path / "log").read_bytes().endswith(b"\n"), "a line")
        assert json.loads((tmp_path / "log").read_bytes())["url.original"] == "/"
    path.write_text("listen 127.0.0.1:0\nlog combined ecs\nrespond\n")
    code, _, said = run("check", "-c", path)
    assert code == 78 and "ecs is a spelling of json" in said


def test_a_sample_with_all_errors(tmp_path):
    path = tmp_path / "pollux.conf"
    path.write_text(f"listen 127.0.0.1:0\nworkers 2\nlog json {tmp_path}/log sample=1/1000000 errors=all\n"
                    "route /bad { respond 404 no }\nrespond\n")
    with Server([PROGRAM, "run", "-c", path]) as server:
        with Wire(server.address) as wire:
            for target in (b"/good", b"/bad") * 10:
                wire.send(request(b"GET %s HTTP/1.1" % target))
                assert wire.reply().status == (404 if target == b"/bad" else 200)
        server.stop()
    seen = [json.loads(line)["target"] for line in (tmp_path / "log").read_bytes().splitlines()]
    assert seen == ["/bad"] * 10


def test_a_template(tmp_path):
    path = tmp_path / "pollux.conf"
    text = '{client} "{method} {uri}" {status} {bytes} {duration_ms}ms "{header.x}" {path}'
    path.write_text(f"listen 127.0.0.1:0\nlog template `{text}` {tmp_path}/log\nrespond hello\n")
    with Server([PROGRAM, "run", "-c", path]) as server:
        assert ask(server.address, request(b"GET /a%0A%22b?c HTTP/1.1", b'X: "\xff')).status == 200
        wait_until(lambda: (tmp_path / "log").read_bytes().endswith(b"\n"), "a line")
        line = re.sub(rb" \d+ms ", b" Nms ", (tmp_path / "log").read_bytes())
        assert line == b'127.0.0.1 "GET /a%0A%22b?c" 200 5 Nms "\\x22\\xFF" /a\\x0A\\x22b\n'
    for wrong, says in (("`{nope}`", "there is no placeholder"), ("", "a template has a text")):
        path.write_text(f"listen 127.0.0.1:0\nlog template {wrong}\nrespond\n")
        code, _, said = run("check", "-c", path)
        assert code == 78 and says in said


def test_workers_of_a_reload_do_not_hold_the_log_before_it(tmp_path):
    path = tmp_path / "pollux.conf"
    path.write_text(f"listen 127.0.0.1:0\nlog json {tmp_path}/log\nrespond\n")
    with Server([PROGRAM, "run", "-c", path]) as server:
        old = server.children()
        path.write_text(f"listen 127.0.0.1:0\nlog template `{{status}}` {tmp_path}/next\nrespond\n")
        server.signal(signal.SIGHUP)
        server.wait_stderr("reloaded: ")
        wait_until(lambda: not set(old) & set(server.children()), "the end of the old workers")
        for worker in server.children():
            held = [os.readlink(fd) for fd in Path(f"/proc/{worker}/fd").iterdir()]
            assert str(tmp_path / "next") in held and str(tmp_path / "log") not in held
        assert ask(server.address, request()).status == 200
        wait_until(lambda: (tmp_path / "next").read_bytes() == b"200\n", "a line")


def test_json_refused():
    row = json.loads(logged(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "--log=json"))
    assert row["status"] == 400


# --- What was sent -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("www")
    (root / "numbers.txt").write_bytes(b" ".join(b"%d" % n for n in range(60_000)))
    with open(root / "long.bin", "wb") as file:
        file.truncate(50 << 20)
    return root


def rows(server, count):
    out = server.wait_stdout(lambda out: out.count(b"\n") >= count)
    return [json.loads(line) for line in out.splitlines()]


def files(root, *args):
    return Pollux("files", root, "--log=json", "--user", str(os.geteuid()), *args)


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "identity"])
def test_bytes_are_those_that_were_sent(folder, version, coding):
    """Coded on the fly, from what was kept of that, and by another worker: as the client counts."""
    with files(folder, "-w2") as server:
        sizes = [int(subprocess.run(
            ["curl", "-q", "-sS", "--noproxy", "*", version, "-o", "/dev/null", "-w", "%{size_download}",
             "-H", f"Accept-Encoding: {coding}", f"{server.url}/numbers.txt"],
            capture_output=True, check=True, timeout=30).stdout) for _ in range(6)]
        found = rows(server, len(sizes))
    whole = (folder / "numbers.txt").stat().st_size
    assert all(size == whole if coding == "identity" else 0 < size < whole for size in sizes)
    assert sorted(row["bytes"] for row in found) == sorted(sizes)
    assert {row["ended"] for row in found} == {"complete"}


def test_a_client_that_left_got_what_the_system_took(folder):
    with files(folder, "-w1") as server:
        with Wire(server.address, rcvbuf=4096) as wire:
            wire.send(request(b"GET /long.bin HTTP/1.1"), read=False)
            time.sleep(0.3)
            wire.close_with_reset()
        row, = rows(server, 1)
        time.sleep(0.1)
        assert (row["ended"], row["status"]) == ("client", 200)
        # What the sockets hold, far from all of it; and never more than the file.
        assert 4096 < row["bytes"] < 20 << 20


def test_an_answer_cut_by_the_end_says_so(folder):
    with files(folder, "-w1", "--timeout-drain=200ms") as server:
        with Wire(server.address, rcvbuf=4096) as wire:
            wire.send(request(b"GET /long.bin HTTP/1.1"), read=False)
            time.sleep(0.3)
            server.stop()
        row, = rows(server, 1)
        assert row["ended"] == "server" and 4096 < row["bytes"] < 20 << 20


def test_what_was_refused_says_so():
    row = json.loads(logged(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "--log=json"))
    assert row["ended"] == "refused"


# --- request -------------------------------------------------------------------------------------


def request_log(data, *wanted, **more):
    text = b"".join(ROW + one + b"\n" for one in wanted)
    out = logged(data, "--log=request", wrap=len, lines=len(text), **more)
    assert out == text


def test_request():
    request_log(request(), b"GET / HTTP/1.1\r\nHost: a\r\n")


def test_request_as_received():
    """Order, case, blanks: nothing is tidied."""
    data = b"GET /x?y HTTP/1.1\r\nhOST:a\r\nX:   b  \r\nX:c\r\n\r\n"
    request_log(data, data[:-2])


def test_request_without_content():
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
    request_log(head + b"\r\nhello", head)


def test_request_escapes():
    data = request(b"GET /?\\ HTTP/1.1", b'X: a"b\\c\td\x80\xff')
    request_log(data, b'GET /?\\ HTTP/1.1\r\nHost: a\r\nX: a"b\\c\\x09d\\x80\\xFF\r\n')


def test_request_pipelined():
    heads = [b"GET /%d HTTP/1.1\r\nHost: a\r\n" % n for n in range(50)]
    request_log(b"".join(head + b"\r\n" for head in heads), *heads, answers=50)


def test_request_does_not_print_what_is_refused():
    good = b"GET /good HTTP/1.1\r\nHost: a\r\n"
    request_log(good + b"\r\n" + b"GET /bad HTTP/1.1\r\nHost : a\r\n\r\n", good, answers=2)


def test_request_large_head():
    data = request(b"GET / HTTP/1.1", b"X: " + b"y" * 30000)
    request_log(data, data[:-2])


# --- off, files, pipes ---------------------------------------------------------------------------


def test_off():
    with Pollux("respond", "-w1", "--log", "off") as server:
        for _ in range(5):
            assert ask(server.address, request()).status == 200
        time.sleep(0.2)
        assert server.stdout == b""


def test_log_file(tmp_path):
    path = tmp_path / "log"
    path.write_text("what was there stays\n")
    with Pollux("respond", "-w1", "--log-file", path) as server:
        assert ask(server.address, request()).status == 200
        end = time.monotonic() + 5
        while path.read_bytes().count(b"\n") < 2:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert server.stdout == b""
    first, second = path.read_bytes().splitlines(True)
    assert first == b"what was there stays\n"
    assert without_date(second) == b'127.0.0.1 - - [DATE] "GET / HTTP/1.1" 200 13 "-" "-"\n'


def test_workers_do_not_mix_their_lines(tmp_path):
    path = tmp_path / "log"
    agent = b"User-Agent: " + b"a" * 300
    with Pollux("respond", "-w2", "--log-file", path) as server:

        def load(name):
            for _ in range(20):
                with Wire(server.address) as wire:
                    wire.send(request(b"GET /%d HTTP/1.1" % name, agent) * 20)
                    for _ in range(20):
                        assert wire.reply().status == 200

        threads = [threading.Thread(target=load, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    lines = path.read_bytes().splitlines(True)
    assert len(lines) == 4 * 20 * 20
    for line in lines:
        assert re.fullmatch(
            rb'127\.0\.0\.1 - - \[[^]]+\] "GET /[0-3] HTTP/1\.1" 200 13 "-" "a{300}"\n', line
        ), line


def test_a_log_that_nobody_reads_stalls_nobody():
    """stdout is a pipe, and full: requests are answered all the same."""
    reader, writer = os.pipe()
    try:
        with Pollux("respond", "-w1", stdout=writer) as server:
            os.close(writer)
            writer = None
            for _ in range(200):
                with Wire(server.address, deadline_s=5) as wire:
                    wire.send(request(b"GET /" + b"a" * 500 + b" HTTP/1.1") * 20)
                    for _ in range(20):
                        assert wire.reply().status == 200
    finally:
        os.close(reader)
        if writer is not None:
            os.close(writer)


def test_a_log_whose_reader_left():
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with Pollux("respond", "-w1", stdout=writer) as server:
            for _ in range(5):
                assert ask(server.address, request()).status == 200
    finally:
        os.close(writer)


@pytest.mark.parametrize("closed", [">&-", "<&-", "<&- >&-"])
def test_started_without_stdout(closed):
    """Nobody's connection becomes descriptor 1, and gets the log."""
    with Pollux("respond", "-w1", wrapper=["sh", "-c", f'exec "$@" {closed}', "sh"]) as server:
        wires = [Wire(server.address) for _ in range(6)]
        for wire in wires:
            wire.send(request())
            assert wire.reply().content == b"Hello, world!"
        for wire in wires:
            assert wire.silent(0.02), "the log went to a peer"
            wire.close()


def test_a_log_on_a_full_disk():
    with open("/dev/full", "wb") as full:
        with Pollux("respond", "-w1", stdout=full) as server:
            for _ in range(5):
                assert ask(server.address, request()).status == 200


# --- A folder that goes ----------------------------------------------------------------------------


def wait_until(holds, what, seconds=10):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what()
        time.sleep(0.02)


def test_a_folder_that_goes_stops_nobody(tmp_path):
    """Workers that die are replaced, and HUP, USR1 and USR2 work, all with the file that is open."""
    folder = tmp_path / "logs"
    folder.mkdir()
    log = folder / "log"
    with Pollux("respond", "-w2", "--log", "combined", "--log-file", log, "--pid-file", tmp_path / "pid") as server:
        with log.open("rb") as kept:
            shutil.rmtree(folder)
            for pid in server.children():
                os.kill(pid, signal.SIGKILL)
            assert ask(server.address, b"GET /replaced HTTP/1.1\r\nHost: a\r\n\r\n").status == 200
            server.signal(signal.SIGUSR1)
            server.wait_stderr(r"cannot reopen the log file .*: No such file or directory \(the old one goes on\)")
            before = set(server.children())
            server.signal(signal.SIGHUP)
            wait_until(lambda: len(set(server.children()) - before) >= 2, lambda: server.stderr)
            server.wait_stderr(r"cannot reopen the log file", count=2)
            assert ask(server.address, b"GET /reloaded HTTP/1.1\r\nHost: a\r\n\r\n").status == 200
            old = server.pid
            server.signal(signal.SIGUSR2)
            server.wait_stderr(r"cannot open the log file .*: No such file or directory \(the old one goes on\)")
            wait_until(lambda: (tmp_path / "pid").read_text().strip() != str(old), lambda: server.stderr)
            successor = int((tmp_path / "pid").read_text())
            try:
                assert ask(server.address, b"GET /succeeded HTTP/1.1\r\nHost: a\r\n\r\n").status == 200
                seen = b""

                def read():
                    nonlocal seen
                    seen += kept.read()
                    return all(word in seen for word in (b"/replaced", b"/reloaded", b"/succeeded"))

                wait_until(read, lambda: seen)
            finally:
                os.kill(successor, signal.SIGTERM)


def test_root_follows_no_link_of_others(tmp_path):
    """In a folder that others may write; in one of root's own a link is as good as its file."""
    if os.geteuid() != 0:
        pytest.skip("only root has files that others cannot write")
    target = tmp_path / "target"
    target.write_text("precious\n")
    for mode, code in ((0o777, 73), (0o755, 0)):
        folder = tmp_path / f"{mode:o}"
        folder.mkdir()
        folder.chmod(mode)
        (folder / "log").symlink_to(target)
        args = ["respond", "-w1", "-l", "127.0.0.1:0", "--log", "combined", "--log-file", folder / "log"]
        if code == 0:
            with Pollux(*args):
                pass
        else:
            assert run(*args)[0] == code
    assert target.read_text() == "precious\n"


def test_what_stdout_is_is_appended_to(tmp_path):
    """A worker could rewrite a file that a shell opened: the flag that forbids it is set for all."""
    with open(tmp_path / "out", "wb") as out, Pollux("respond", "-w1", "--log", "combined", stdout=out) as server:
        for fd in Path(f"/proc/{server.children()[0]}/fdinfo").iterdir():
            link = Path(f"/proc/{server.children()[0]}/fd/{fd.name}")
            if os.readlink(link) == str(tmp_path / "out"):
                flags = int(re.search(r"flags:\s+(\d+)", fd.read_text())[1], 8)
                assert flags & os.O_APPEND, fd
        assert ask(server.address, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").status == 200


# --- Names of a request ------------------------------------------------------------------------

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


def rows_of(*requests, flags=()):
    data = b"".join(f"GET /?n={n} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode() for n, fields in enumerate(requests))
    out = logged(data, "--log=json", *flags, lines=len(requests), answers=len(requests))
    return [json.loads(line) for line in out.decode().splitlines()]


def test_every_request_has_names():
    rows = rows_of("", "", "X-Request-Id: of-a-client\r\n")
    for row in rows:
        assert re.fullmatch("[0-9a-f]{32}", row["request_id"]) and re.fullmatch("[0-9a-f]{32}", row["trace_id"])
        assert re.fullmatch("[0-9a-f]{16}", row["span_id"])
        assert row["route"] == "/" and row["bytes_in"] == 0 and "tls_version" not in row
    for name in ("request_id", "trace_id", "span_id"):
        assert len({row[name] for row in rows}) == 3


def test_the_name_that_a_trusted_proxy_gives_is_kept():
    trusted = ("--trust-proxy", "127.0.0.0/8", "--proxy-header", "x-forwarded-for")
    wrong = ["a b", 'a"b', "a" * 129, "caf\u00e9"]
    rows = rows_of("X-Request-Id: given/1.2\r\n", "X-Request-Id: " + "a" * 128 + "\r\n",
                   *(f"X-Request-Id: {name}\r\n" for name in wrong), flags=trusted)
    assert [row["request_id"] for row in rows[:2]] == ["given/1.2", "a" * 128]
    assert all(re.fullmatch("[0-9a-f]{32}", row["request_id"]) for row in rows[2:])


def test_a_valid_trace_goes_on():
    parent = f"traceparent: 00-{TRACE}-{SPAN}-01\r\n"
    rows = rows_of(parent, parent + parent, f"traceparent: 00-{TRACE}-{SPAN}-01-\r\n", f"traceparent: 00-{'0' * 32}-{SPAN}-01\r\n")
    assert rows[0]["trace_id"] == TRACE and rows[0]["span_id"] != SPAN
    assert all(row["trace_id"] != TRACE for row in rows[1:])


def manual_fields():
    page = (ROOT / "docs" / "OBSERVABILITY.md").read_text()
    table = page[page.index("<!-- fields: begin -->") : page.index("<!-- fields: end -->")]
    return set(re.findall(r"^\| `([a-z_]+)` \|", table, re.M))


def test_the_manual_has_every_field():
    with_all = rows_of("", flags=("--trust-proxy", "10.0.0.0/8", "--proxy-header", "x-forwarded-for"))[0]
    refused = json.loads(logged(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "--log=json"))
    elsewhere = {"client", "tls_version", "tls_cipher", "tls_resumed", "upstream", "upstream_status", "upstream_ms", "tries"}
    assert set(with_all) | set(refused) == manual_fields() - elsewhere


@pytest.mark.parametrize("version, protocol", [("--http1.0", "HTTP/1.0"), ("--http1.1", "HTTP/1.1"), ("--http2-prior-knowledge", "HTTP/2")])
def test_protocol(version, protocol):
    with Pollux("respond", "-w1", "--log=json") as server:
        subprocess.run(["curl", "-q", "-sS", "--noproxy", "*", version, server.url], check=True, timeout=30,
                       stdout=subprocess.DEVNULL)
        assert rows(server, 1)[0]["protocol"] == protocol


def test_whether_a_session_went_on():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # its session is known when the handshake is done
    session = None
    with Pollux("respond", "-w1", "-l", "https://127.0.0.1:0", "--tls-self-signed", "--log=json") as server:
        for _ in range(2):
            with socket.create_connection(server.address) as plain, context.wrap_socket(plain, session=session) as secure:
                secure.sendall(request())
                assert secure.recv(100).startswith(b"HTTP/1.1 200")
                session = secure.session
        assert [row["tls_resumed"] for row in rows(server, 2)] == [False, True]


# --- What a server behind it has done -----------------------------------------------------------


@contextmanager
def proxied(script, *flags, urls=()):
    with Upstream(script) as upstream:
        with Pollux("proxy", "--log=json", "-w1", *flags, *urls, upstream.url) as server:
            yield server, upstream


def waits(peer):
    while True:
        peer.request()
        time.sleep(0.2)
        peer.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n")
        time.sleep(0.2)
        peer.send(b"no")


def test_what_the_upstream_did():
    with proxied(waits) as (server, upstream):
        assert ask(server.address, request()).status == 404
        row = rows(server, 1)[0]
    assert (row["upstream"], row["upstream_status"], row["tries"], row["ended"]) == (upstream.url, 404, 1, "complete")
    assert 180 <= row["upstream_ms"] < 390 and 180 <= row["handler_ms"] < 390
    assert 180 <= row["first_byte_ms"] < 390 <= row["duration_ms"] + 10


def test_the_upstream_that_answered_is_the_last_that_was_asked():
    dead = closed_port()
    with proxied(answers(), "--balance=roundrobin", urls=[dead]) as (server, upstream):
        for _ in range(2):
            assert ask(server.address, request()).status == 200
        both = rows(server, 2)
    assert all((row["upstream"], row["upstream_status"]) == (upstream.url, 200) for row in both)
    assert sorted(row["tries"] for row in both) == [1, 2]


def test_an_upstream_that_does_not_answer():
    dead = closed_port()
    with Pollux("proxy", "--log=json", "-w1", "--tries=1", dead) as server:
        assert ask(server.address, request()).status == 502
        row = rows(server, 1)[0]
    assert (row["upstream"], row["tries"], row["status"], row["ended"]) == (dead, 1, 502, "complete")
    assert "upstream_status" not in row and row["upstream_ms"] <= row["duration_ms"]


def test_an_upstream_that_breaks_off():
    def script(peer):
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        time.sleep(0.1)
        peer.reset()

    with proxied(script) as (server, _):
        with Wire(server.address) as wire:
            wire.send(request())
            with pytest.raises((WireError, WireReset)):
                wire.reply()
        row = rows(server, 1)[0]
    assert (row["ended"], row["upstream_status"]) == ("upstream", 200)


def test_what_was_not_proxied_names_no_upstream():
    assert not {"upstream", "upstream_status", "upstream_ms", "tries"} & set(rows_of("")[0])


def test_a_server_is_told_the_names_that_are_logged():
    mine = f"00-{TRACE}-{SPAN}-01"
    cases = [
        # (what a client sends, whether its trace goes on, the state that arrives)
        (f"X-Request-Id: mine\r\ntraceparent: {mine}\r\ntracestate: a=1\r\ntracestate: b=2\r\n", True, b"a=1,b=2"),
        (f"traceparent: {mine}\r\ntracestate: A=1\r\n", True, None),
        (f"traceparent: {mine[:-1]}\r\ntracestate: a=1\r\n", False, None),
        (f"traceparent: {mine}\r\ntraceparent: {mine}\r\ntracestate: a=1\r\n", False, None),
        (f"traceparent: 01-{mine[3:]}-more\r\ntracestate: a=1\r\n", True, b"a=1"),
        (f"traceparent: ff-{mine[3:]}\r\ntracestate: a=1\r\n", False, None),
    ]
    with proxied(answers()) as (server, upstream):
        for number, (fields, goes_on, state) in enumerate(cases):
            assert ask(server.address, f"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n".encode()).status == 200
            row, head = rows(server, number + 1)[number], upstream.heads[number]
            found = lambda name: re.findall(rb"\r\n" + name + rb": (.*?)(?=\r\n)", head)
            flags = b"01" if goes_on else b"00"
            assert (row["trace_id"] == TRACE) == goes_on and row["span_id"] != SPAN
            traceparent = f"00-{row['trace_id']}-{row['span_id']}-".encode() + flags
            assert upstream.names[number] == [row["request_id"].encode(), traceparent]
            assert found(rb"tracestate") == ([state] if state else [])
            assert row["request_id"] != "mine"
        assert ask(server.address, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\ntracestate: a=1\r\n\r\n").status == 200
        row = rows(server, len(cases) + 1)[-1]  # one without a trace begins one
        traceparent = f"00-{row['trace_id']}-{row['span_id']}-00".encode()
        assert upstream.names[-1] == [row["request_id"].encode(), traceparent]
        assert b"trace" not in upstream.heads[-1]
