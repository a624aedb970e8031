"""Where the program listens, in every form of -l, and what it says about it."""

import os
import re
import signal
import socket
import stat
import subprocess

import pytest

from lib.activation import inherited
from lib.runner import PROGRAM, Pollux, Server, run
from lib.wire import Wire, ask

pytestmark = pytest.mark.short

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
QUIET = ["respond", "--log=off"]


def test_the_line(plain):
    line = plain.stderr.splitlines()[0]
    assert re.fullmatch(r"pollux: listening on 127\.0\.0\.1:[1-9][0-9]{3,4} \(1 workers?\)", line)


def test_both_families():
    with Pollux(*QUIET, "-w1", "-l", ":0") as server:
        port = server.address[1]
        assert port != 0
        assert ask(("127.0.0.1", port), GET).status == 200
        assert ask(("::1", port), GET).status == 200


def test_ipv4_alone():
    with Pollux(*QUIET, "-w1", "-l", "0.0.0.0:0") as server:
        port = server.address[1]
        assert ask(("127.0.0.1", port), GET).status == 200
        with pytest.raises(ConnectionRefusedError):
            ask(("::1", port), GET)


def test_ipv6_alone():
    with Pollux(*QUIET, "-w1", "-l", "[::1]:0") as server:
        assert server.hits[0][1].startswith("[::1]:")
        assert ask(server.address, GET).status == 200
        with pytest.raises(ConnectionRefusedError):
            ask(("127.0.0.1", server.address[1]), GET)


def test_a_name_is_every_address_found():
    try:
        found = socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)
        wanted = {info[4][0] for info in found}
    except socket.gaierror:
        wanted = {"127.0.0.1"}  # where no hosts file has it (RFC 6761 section 6.3)
    with Pollux(*QUIET, "-w1", "-l", "localhost:0") as server:
        assert {address[0] for address in server.addresses} == wanted
        for address in server.addresses:
            assert ask(address, GET).status == 200


def test_several_addresses(tmp_path):
    path = tmp_path / "sock"
    args = ["-l", "127.0.0.1:0", "-l", "127.0.0.1:0", "--listen=[::1]:0", f"--listen=unix:{path}"]
    with Pollux(*QUIET, "-w2", *args) as server:
        text = server.stderr
        server.wait_stderr(re.escape(f"unix:{path}"))
        found = re.findall(r"(127\.0\.0\.1:\d+|\[::1\]:\d+|unix:[^\s,]+)", text)
        assert len(set(found)) == 4, text
        for name in found:
            address = name[5:] if name.startswith("unix:") else None
            if address is None:
                host, port = name.rsplit(":", 1)
                address = (host.strip("[]"), int(port))
            for _ in range(4):
                assert ask(address, GET).status == 200


# --- Unix sockets --------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_unix_socket(tmp_path, workers):
    path = tmp_path / "sock"
    before = os.umask(0o077)
    try:
        with Pollux(*QUIET, "-w", workers, "-l", f"unix:{path}") as server:
            assert server.hits[0][1] == f"unix:{path}"
            mode = path.stat().st_mode
            assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o660
            for _ in range(6):
                assert ask(str(path), GET).status == 200
        assert not path.exists(), "left behind"
    finally:
        os.umask(before)


def test_a_stale_unix_socket_is_replaced(tmp_path):
    path = tmp_path / "sock"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
    assert path.exists()
    with Pollux(*QUIET, "-w1", "-l", f"unix:{path}") as server:
        assert ask(str(path), GET).status == 200
        assert server.running


def test_a_unix_socket_in_use_is_not_replaced(tmp_path):
    path = tmp_path / "sock"
    with Pollux(*QUIET, "-w1", "-l", f"unix:{path}"):
        code, _, err = run("respond", "-w1", "-l", f"unix:{path}")
        assert code == 69 and str(path) in err
        assert ask(str(path), GET).status == 200


def test_a_file_is_not_replaced(tmp_path):
    path = tmp_path / "precious"
    path.write_text("precious")
    code, _, err = run("respond", "-w1", "-l", f"unix:{path}")
    assert (code, err) == (69, f"pollux: cannot listen on unix:{path}: the file there is not a socket\n")
    assert path.read_text() == "precious"


# --- Options of an address -----------------------------------------------------------------------


def facts(path):
    status = path.stat()
    return stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("workers", [0, 1])
def test_a_unix_socket_has_mode_and_owner(tmp_path, workers):
    path = tmp_path / "sock"
    where = f"unix:{path},mode=0606,owner=54321,group=77"
    with Pollux(*QUIET, "--user=root", "-w", workers, "-l", where) as server:
        assert server.hits[0][1] == f"unix:{path}"
        assert facts(path) == (0o606, 54321, 77) and ask(str(path), GET).status == 200
    assert not path.exists(), "left behind"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_options_outlive_a_reload_and_a_lost_file(tmp_path):
    path = tmp_path / "sock"
    with Pollux(*QUIET, "-w1", "-l", f"unix:{path},mode=0666,owner=54321") as server:
        server.signal(signal.SIGHUP)
        server.wait_stderr("reloaded")
        path.unlink()
        server.wait_stderr("is made anew")
        assert facts(path)[:2] == (0o666, 54321) and ask(str(path), GET).status == 200
        server.signal(signal.SIGHUP)
        server.wait_stderr("reloaded", count=2)
        assert ask(str(path), GET).status == 200


def test_proxy_on_one_address_alone():
    args = ["--trust-proxy", "127.0.0.0/8", "--proxy-header", "off", "-l", "127.0.0.1:0,proxy", "-l", "127.0.0.1:0"]
    with Pollux("respond", "--log=json", "-w1", *args) as server:
        proxied, plain = server.addresses
        assert ask(proxied, b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n" + GET).status == 200
        server.wait_stdout(lambda out: b"192.0.2.7" in out)
        assert ask(plain, GET).status == 200
        assert ask(plain, b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n" + GET).status == 400


def test_a_backlog_of_its_own():
    with Pollux(*QUIET, "-w1", "--backlog=7", "-l", "127.0.0.1:0,backlog=3", "-l", "127.0.0.1:0") as server:
        shown = subprocess.run(["ss", "-Hltn"], capture_output=True, text=True, check=True, timeout=10).stdout
        rows = {row.split()[3]: row.split()[2] for row in shown.splitlines()}
        assert [rows[f"{host}:{port}"] for host, port in server.addresses] == ["3", "7"]


# --- Inherited descriptors -----------------------------------------------------------------------


@pytest.mark.parametrize("pid", [True, False], ids=["pid", "no-pid"])
def test_inherited(pid):
    argv, env, keep, names, socks = inherited("web", "other", pid=pid)
    try:
        with Server(argv, env=env, pass_fds=keep) as server:
            for sock in socks:
                sock.close()
            assert server.running
            for address in names:
                assert ask(address, GET).status == 200
    finally:
        for sock in socks:
            sock.close()
        for fd in keep:
            os.close(fd)


def test_inherited_but_not_that_name():
    argv, env, keep, _, socks = inherited("web", listen=["-l", "fd:nonsense"])
    try:
        done = subprocess.run(argv, env={**os.environ, **env}, pass_fds=keep, capture_output=True, timeout=10)
        assert done.returncode == 66
        warning, error = done.stderr.splitlines()  # the first says which name there is
        assert warning.startswith(b"pollux: inherited socket 3 (web) is closed")
        assert error.startswith(b"pollux: cannot listen on fd:nonsense")
    finally:
        for sock in socks:
            sock.close()
        for fd in keep:
            os.close(fd)


def test_inherited_and_not_named():
    """One line for each, and the socket is closed: the first of a name is the one that has it."""
    argv, env, keep, names, socks = inherited("web", "web", "admin", listen=["-l", "fd:web"])
    try:
        with Server(argv, env=env, pass_fds=keep) as server:
            assert ask(names[0], GET).status == 200
            lines = re.findall(r"inherited socket (\d) \((\w+)\) is closed: no --listen names it", server.stderr)
            assert lines == [("4", "web"), ("5", "admin")], server.stderr
            for sock in socks:
                sock.close()
            for fd in keep:
                os.close(fd)
            keep = []
            for address in names[1:]:
                with pytest.raises(ConnectionRefusedError):
                    ask(address, GET)
    finally:
        for sock in socks:
            sock.close()
        for fd in keep:
            os.close(fd)


def test_inherited_by_nobody():
    code, _, err = run("respond", "-w1", "-l", "fd:web")
    assert code == 66 and "fd:web" in err


def test_no_descriptor_is_left_open_over_exec(tmp_path):
    """Whatever else was open when it started is its starter's business; it adds no leaks of its own."""
    with Pollux(*QUIET, "-w1") as server:
        with Wire(server.address) as wire:
            wire.send(GET)
            assert wire.reply().status == 200
            for pid in [server.pid, *server.children()]:
                for fd in os.listdir(f"/proc/{pid}/fd"):
                    info = open(f"/proc/{pid}/fdinfo/{fd}").read()
                    flags = int(re.search(r"flags:\s+([0-7]+)", info)[1], 8)
                    assert int(fd) <= 2 or flags & os.O_CLOEXEC, f"{fd}: {os.readlink(f'/proc/{pid}/fd/{fd}')}"
