"""The command line: what is refused, with which code and in one line; help, version, healthcheck."""

import os
import re
import shutil
import signal
import socket
import tempfile
import time

import pytest

from lib.runner import PROGRAM, Child, Pollux, default_port, is_listening, is_listening_unix, run
from lib.wire import ask

pytestmark = pytest.mark.short

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LOCAL = ["-l", "127.0.0.1:0"]


def refused(code, *args, says="", **options):
    """It ends at once with this code, nothing on stdout, and one line that says what to do."""
    got, out, err = run(*args, **options)
    assert got == code, f"exit code {got}: {err}"
    assert out == ""
    assert re.fullmatch(r"pollux: [^\n]+\n", err), err
    assert not err.endswith(".\n") and "\x1b" not in err
    assert re.search(says, err), err
    return err


# --- Usage errors --------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["prox", "nonsense", "Respond", ""])
def test_commands_that_are_not_there(command):
    refused(64, command, *LOCAL, says=re.escape(command))


@pytest.mark.parametrize(
    "args",
    [
        ["--nonsense"],
        ["-x"],
        ["-d"],
        ["--listen"],
        ["-l"],
        ["-w"],
        ["--log"],
        ["-w", "x"],
        ["-w", "-1"],
        ["-w", "1.5"],
        ["-w", "1x"],
        ["-w", "99999999999999999999"],
        ["--log", "nonsense"],
        ["--log", ""],
        ["--log-file", ""],
        ["--pid-file", ""],
        ["--status", "199"],
        ["--status", "600"],
        ["--status", "100"],
        ["--status", "abc"],
        ["--status", "0x200"],
        ["--status", ""],
        ["-H", "no colon"],
        ["-H", ": no name"],
        ["-H", "bad name: x"],
        ["-H", "A: b\r\nInjected: c"],
        ["-H", "A: b\nInjected: c"],
        ["-H", "A\r\n: b"],
        ["-H", ""],
        ["-H", "Content-Length: 5"],
        ["-H", "Transfer-Encoding: chunked"],
        ["-H", "connection: close"],
        ["--type", "a\r\nInjected: b"],
        ["--type", ""],
        ["--max-connections", "x"],
        ["--max-connections", "-5"],
        ["--max-head", "12q"],
        ["--timeout-head", "x"],
        ["--timeout-head", "-1s"],
        ["--timeout-head", "10 s"],
        ["--timeout-idle", ""],
        ["--quiet=yes"],
        ["one", "two"],
    ],
    ids=repr,
)
def test_usage_errors(args):
    refused(64, "respond", *LOCAL, *args)


@pytest.mark.parametrize(
    "address",
    [
        "8080",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:x",
        "127.0.0.1:-1",
        "127.0.0.1: 80",
        "[::1]",
        "[::1:80",
        "::1:80",
        "unix:",
        "fd:",
        "",
        ":",
        "http://127.0.0.1:0",
        "ftp://127.0.0.1:0",
        "unix:/" + "x" * 200,
    ],
)
def test_addresses_that_are_none(address):
    refused(64, "respond", "-l", address)


@pytest.mark.parametrize(
    "first, second",
    [
        ("127.0.0.1:18080", "127.0.0.1:18080"),
        (":18080", ":18080"),
        ("[::1]:18080", "[::1]:18080"),
        ("localhost:18080", "LOCALHOST:18080"),
        ("unix:/tmp/pollux-twice.sock", "unix:/tmp/pollux-twice.sock"),
    ],
)
def test_the_same_address_twice(first, second):
    refused(64, "respond", "-l", first, f"--listen={second}", says="twice")


@pytest.mark.parametrize("port", ["x", "65536", "-1", "80 80", "8080x"])
def test_port_that_is_none(port):
    refused(64, "respond", env={"PORT": port}, says="PORT")


def test_errors_are_plain_text_on_a_terminal_too():
    """Whether or not NO_COLOR is set."""
    for env in ({}, {"NO_COLOR": "1"}, {"TERM": "xterm-256color"}):
        refused(64, "--nonsense", env=env)


def test_control_bytes_in_an_argument_do_not_reach_the_terminal():
    err = refused(64, "--log", "\x1b[31mred", *LOCAL)
    assert "\x1b" not in err


# --- Help and version ----------------------------------------------------------------------------


@pytest.mark.parametrize("args", [["-h"], ["--help"], ["help"], ["healthcheck", "-h"]])
def test_help_is_one_screen(args):
    code, out, err = run(*args)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert 4 < len(lines) <= 24 and max(map(len, lines)) <= 80
    assert "\x1b" not in out and out.endswith("\n")


@pytest.mark.parametrize("command", ["respond", "files", "proxy", "healthcheck"])
def test_help_of_a_command_lists_its_flags(command):
    code, out, err = run(command, "--help")
    assert (code, err) == (0, "") and out.startswith(f"Usage: pollux {command} ")
    assert max(map(len, out.splitlines())) <= 100
    found = re.findall(r"^  (?:-\w, |    )--([a-z0-9-]+)", out, re.M)
    assert {"help", "version", "quiet"} <= set(found) and len(found) == len(set(found))
    for flag in set(found) - {"help", "version", "quiet"}:
        code, _, err = run(command, f"--{flag}=\x01nonsense", *(LOCAL if command != "healthcheck" else []))
        assert code == 64 and "unknown flag" not in err and "not a flag of" not in err, err


@pytest.mark.parametrize("command", ["respond", "check", "reload"])
def test_help_is_a_command(command):
    words = [["help", command], ["help", "chekc"]]
    assert run(*words[0]) == run(command, "--help")
    code, out, err = run(*words[1])
    assert (code, out) == (64, "") and "did you mean check?" in err


def test_help_lists_what_is_there_and_nothing_else():
    _, out, _ = run("--help")
    for word in ("respond", "files", "proxy", "healthcheck", "--listen", "-l", "--workers", "-w", "--log", "--log-file",
                 "--pid-file", "--user", "--sandbox", "--max-connections", "--timeout-head", "--timeout-idle", "--status",
                 "--type", "-H", "-q", "--help", "-h", "--version", "8080"):  # fmt: skip
        assert word in out, word
    for flag in sorted(set(re.findall(r"--[a-z][a-z-]+", out))):
        code, _, err = run("respond", flag + "=\x01nonsense", *LOCAL)
        assert code == 64 and "unknown flag" not in err, f"{flag} is in the help only: {err}"


@pytest.mark.parametrize("args", [["--version"], ["-V"], ["respond", "--version"], ["run", "-V"]])
def test_version(args):
    code, out, err = run(*args)
    assert (code, err) == (0, "")
    assert re.fullmatch(r"pollux [0-9]+\.[0-9]+\.[0-9]+\n", out)


def test_help_to_a_full_disk_is_no_success():
    with open("/dev/full", "wb") as full:
        child = Child([PROGRAM, "--help"], stdout=full)
        try:
            assert child.wait() != 0
        finally:
            child.kill()


# --- Starting ------------------------------------------------------------------------------------


def test_default_address():
    with default_port():
        if is_listening(8080):
            refused(69, "respond", "-w1", says="8080")
            return
        with Pollux("respond", "--log", "off", "-w1", "-l", "0.0.0.0:8080") as other:
            assert other.hits[0][1] == "0.0.0.0:8080"
            refused(69, "respond", "-w1", says=re.escape("0.0.0.0:8080"))
            refused(69, says=re.escape("0.0.0.0:8080"))


def test_port_of_the_environment():
    with Pollux("respond", "--log=off", "-w1", env={"PORT": "0"}) as server:
        assert server.hits[0][1].startswith("0.0.0.0:") and not server.hits[0][1].endswith(":0")
        assert ask(server.address, GET).status == 200


def test_a_flag_wins_over_the_environment():
    with Pollux("respond", "--log=off", "-w1", "-l", "127.0.0.1:0", env={"PORT": "1"}) as server:
        assert server.hits[0][1].startswith("127.0.0.1:")
        assert len(server.addresses) == 1


@pytest.mark.parametrize("count", [1, 2, 3])
def test_workers(count):
    with Pollux("respond", "--log=off", "-w", count) as server:
        assert server.workers == count
        for _ in range(8):
            assert ask(server.address, GET).status == 200


def test_workers_by_default():
    """As many as there are processors to use, at most."""
    with Pollux("respond", "--log=off") as server:
        assert 1 <= server.workers <= len(os.sched_getaffinity(0))


def test_workers_follow_the_affinity_mask():
    first = str(min(os.sched_getaffinity(0)))
    with Pollux("respond", "--log=off", wrapper=["taskset", "-c", first]) as server:
        assert server.workers == 1


@pytest.mark.parametrize("flag", ["-q", "--quiet"])
def test_quiet(flag, tmp_path):
    path = tmp_path / "sock"
    child = Child([PROGRAM, "respond", "--log=off", "-w1", "-l", f"unix:{path}", flag])
    try:
        end = time.monotonic() + 10
        while not is_listening_unix(path) and time.monotonic() < end:
            time.sleep(0.01)
        assert ask(str(path), GET).status == 200
        child.signal(signal.SIGTERM)
        assert child.wait() == 0
        assert child.stderr == "" and child.stdout == b""
    finally:
        child.kill()


def test_bare_is_respond_with_log_request():
    with Pollux("-w1") as server:
        assert ask(server.address, GET).content == b"Hello, world!"
        wanted = b"-" * 40 + b"\n" + b"GET / HTTP/1.1\r\nHost: a\r\n\n"
        assert server.wait_stdout(lambda out: len(out) >= len(wanted)) == wanted


def test_pid_file(tmp_path):
    path = tmp_path / "pollux.pid"
    with Pollux("respond", "--log=off", "-w1", "--pid-file", path) as server:
        assert path.read_text() == f"{server.pid}\n"
    assert not path.exists()


def test_pid_file_that_cannot_be_written(tmp_path):
    for path in (tmp_path / "missing" / "pid", tmp_path):
        refused(73, "respond", *LOCAL, "-w1", "--pid-file", path, says=re.escape(str(path)))


def test_log_file_that_cannot_be_written(tmp_path):
    for path in (tmp_path / "missing" / "log", tmp_path):
        refused(73, "respond", *LOCAL, "-w1", "--log-file", path, says=re.escape(str(path)))


# --- Addresses that cannot be had ----------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("shared", [False, True], ids=["alone", "reuseport"])
def test_address_in_use(workers, shared):
    with socket.socket() as sock:
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        address = "127.0.0.1:%d" % sock.getsockname()[1]
        err = refused(69, "respond", "-w", workers, "-l", address)
        assert err.startswith(f"pollux: cannot listen on {address}: ") and "in use" in err


@pytest.mark.parametrize("workers", [1, 2])
def test_two_servers_on_one_port(workers):
    """Although both use SO_REUSEPORT."""
    with Pollux("respond", "--log=off", "-w", 2) as server:
        address = server.hits[0][1]
        refused(69, "respond", "-w", workers, "-l", address, says=re.escape(address))
        assert ask(server.address, GET).status == 200


def test_one_of_two_addresses_in_use():
    with Pollux("respond", "--log=off", "-w1") as server:
        refused(69, "respond", "-w1", "-l", "127.0.0.1:0", "-l", server.hits[0][1])


def test_address_of_another_machine():
    refused(66, "respond", "-l", "192.0.2.1:0", says="192.0.2.1")


def test_unix_socket_in_no_folder(tmp_path):
    refused(66, "respond", "-l", f"unix:{tmp_path}/missing/sock", says="missing")


def test_permission():
    """As somebody who may not: run by root or not, it is the same line."""
    folder = tempfile.mkdtemp()
    try:
        os.chmod(folder, 0o755)
        program = shutil.copy(PROGRAM, folder)
        drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]
        if os.geteuid() == 0:
            drop += ["--reuid=65534", "--regid=65534", "--clear-groups"]
        got, out, err = run("respond", "-w1", "-l", "0.0.0.0:81", wrapper=drop, program=program, cwd="/")
        assert (got, out) == (77, "")
        assert err == (
            "pollux: cannot listen on 0.0.0.0:81: permission denied "
            "(ports below 1024 need CAP_NET_BIND_SERVICE)\n"
        )
    finally:
        shutil.rmtree(folder)


# --- healthcheck ---------------------------------------------------------------------------------


def test_healthcheck_yes(plain):
    for url in (plain.url, plain.url + "/", plain.url + "/path?query"):
        assert run("healthcheck", url) == (0, "", "")


@pytest.mark.parametrize("status, code", [(200, 0), (204, 0), (302, 0), (404, 1), (500, 1), (503, 1)])
def test_healthcheck_judges_the_status(status, code):
    with Pollux("respond", "--log=off", "-w1", "--status", status) as server:
        got, out, err = run("healthcheck", server.url)
        assert (got, out) == (code, "")
        assert re.fullmatch(r"pollux: [^\n]+\n", err) if code else err == ""
        if code:
            assert str(status) in err


def test_healthcheck_ipv6():
    with Pollux("respond", "--log=off", "-w1", "-l", "[::1]:0") as server:
        assert run("healthcheck", server.url) == (0, "", "")


def test_healthcheck_nobody_there():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        refused(1, "healthcheck", "http://127.0.0.1:%d/" % sock.getsockname()[1])


def test_healthcheck_silence_has_an_end():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        before = time.monotonic()
        refused(1, "healthcheck", "--timeout", "300ms", "http://127.0.0.1:%d/" % sock.getsockname()[1])
        assert time.monotonic() - before < 5


def test_healthcheck_nonsense_is_no(tmp_path):
    """Something answers there, but not HTTP."""
    path = tmp_path / "out"
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        child = Child([PROGRAM, "healthcheck", "http://127.0.0.1:%d/" % sock.getsockname()[1]])
        try:
            peer, _ = sock.accept()
            with peer:
                peer.settimeout(5)
                assert peer.recv(65536).startswith(b"GET / HTTP/1.1\r\n")
                peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
            assert child.wait() == 1
            child.assert_clean()
        finally:
            child.kill()
    assert not path.exists()


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["http://127.0.0.1:1/", "http://127.0.0.1:2/"],
        ["127.0.0.1:1"],
        ["ftp://127.0.0.1/"],
        ["https:/127.0.0.1/"],
        ["https://"],
        ["http://"],
        ["http:///path"],
        ["http://127.0.0.1:x/"],
        ["http://127.0.0.1:65536/"],
        ["http://127.0.0.1:1/ x"],
        ["http://127.0.0.1:1/\r\nX: y"],
        [""],
        ["--nonsense", "http://127.0.0.1:1/"],
        ["-l", "127.0.0.1:0", "http://127.0.0.1:1/"],
        ["--timeout", "x", "http://127.0.0.1:1/"],
    ],
    ids=repr,
)
def test_healthcheck_usage(args):
    refused(64, "healthcheck", *args)


@pytest.mark.parametrize("command", ["healthcheck", "proxy"])
def test_an_address_without_a_scheme_is_told_what_it_would_be(command):
    code, out, err = run(command, "localhost:1")
    assert (code, out) == (64, "") and "localhost:1" in err and "did you mean http://localhost:1" in err


def test_help_says_how_reload_and_explain_are_called():
    assert "reload)" in run("--help")[1]
    assert "stdin where it is -\n" in run("fmt", "--help")[1]
    assert "check [FLAGS] --explain METHOD URL" in run("check", "--help")[1]
    for command in ("check", "config"):
        assert "do not say which file it is" in run(command, "--help")[1]
