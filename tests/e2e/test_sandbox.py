"""What a worker of the shipped program cannot do, even when code in it tries.

The attempts are put into a running worker from outside (lib/inject.py), so that the program needs
no hook for them.  A call that the filter traps ends the worker; the master says which one it was
and replaces it.
"""

import ctypes
import errno
import os
import platform
import pwd
import re
import signal
import socket
import struct
import time
from pathlib import Path

import pytest

from lib.inject import call
from lib.runner import IS_RELEASE, Pollux, run
from lib.wire import ask

pytestmark = pytest.mark.skipif(
    not IS_RELEASE or platform.machine() != "x86_64",
    reason="sanitizers are outside of the sandbox, and system calls are made by their x86-64 numbers",
)

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
IS_ROOT = os.geteuid() == 0

# x86-64
OPENAT, EXECVE, SOCKET, CLONE, KILL, UNLINK, MKDIR, MPROTECT, MMAP = 257, 59, 41, 56, 62, 87, 83, 10, 9
CONNECT, PTRACE, SETUID, FORK, CLONE3, RENAME, CHMOD, IO_URING_SETUP, BPF = (
    42, 101, 105, 57, 435, 82, 90, 425, 321,
)  # fmt: skip
AT_FDCWD = -100
RWX = 7


def pollux(*args, **options):
    return Pollux("respond", "--log=off", "-w2", *args, **options)


def status_of(pid):
    rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(row.split(":\t", 1) for row in rows if ":\t" in row)


def confined_worker(server, seconds=10):
    """The pid of a worker that is inside: one that was forked just now may be on its way."""
    end = time.monotonic() + seconds
    while True:
        for pid in server.children():
            try:
                if status_of(pid)["Seccomp"] == "2":
                    return pid
            except FileNotFoundError:
                pass
        assert time.monotonic() < end, f"nobody is confined: {server.stderr}"
        time.sleep(0.02)


def new_worker(server, old, seconds=10):
    """Waits until the master has replaced `old`; the pids of its children."""
    end = time.monotonic() + seconds
    while True:
        children = set(server.children())
        if old not in children and len(children) == 2:
            return children
        assert time.monotonic() < end, f"not replaced: {server.stderr}"
        time.sleep(0.02)


def test_what_a_worker_has_given_up():
    with pollux() as server:
        for pid in server.children():
            status = status_of(pid)
            assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", status
            for name in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
                assert int(status[name], 16) == 0, status
            if IS_ROOT:
                nobody = pwd.getpwnam("nobody")
                assert status["Uid"].split() == [str(nobody.pw_uid)] * 4
                assert status["Gid"].split() == [str(nobody.pw_gid)] * 4
                assert status["Groups"].split() == [str(nobody.pw_gid)]
                assert int(status["CapBnd"], 16) == 0


@pytest.mark.skipif(not IS_ROOT, reason="only root may become another user")
@pytest.mark.parametrize(
    "user, uid, gid", [("nobody", None, None), ("54321", 54321, 54321), ("54321:77", 54321, 77), ("root", 0, 0)]
)
def test_user(user, uid, gid):
    with pollux("--user", user) as server:
        assert ask(server.address, GET).status == 200
        status = status_of(server.children()[0])
        if uid is not None:
            assert status["Uid"].split() == [str(uid)] * 4 and status["Gid"].split() == [str(gid)] * 4
        assert int(status["CapEff"], 16) == 0
        assert "root" not in server.stderr


@pytest.mark.skipif(not IS_ROOT, reason="only root becomes nobody")
def test_root_says_who_it_becomes():
    with pollux() as server:
        server.wait_stderr(r"\Apollux: started as root, so workers are nobody ")
        assert server.stderr.startswith("pollux: listening on ")
    with Pollux("respond", "--log=off", "-w2", "--user", "nobody") as server:
        assert "started as root" not in server.stderr


@pytest.mark.parametrize("user", ["no-such-user", "nobody:no-such-group", ":", "4294967295"])
def test_user_that_is_not_there(user):
    code, out, err = run("respond", "-l", "127.0.0.1:0", "--user", user)
    assert (code, out) == (64, "")
    assert re.fullmatch(r"pollux: --user: there is no (user|group) [^\n]*\n", err), err


def test_files_outside(tmp_path):
    """Refused by Landlock, and the worker lives: a handler may ask for a file that is not there."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o666)
    with pollux() as server:
        pid = server.children()[0]
        for path in (secret, "/etc/passwd", "/proc/self/maps", "/", "/dev/null"):
            assert call(pid, OPENAT, (AT_FDCWD, bytes(Path(path)), os.O_RDONLY)) == -errno.EACCES, path
        assert pid in server.children() and secret.read_text() == "x"
        assert ask(server.address, GET).status == 200


ATTEMPTS = {
    "execve": (EXECVE, (b"/bin/true", 0, 0)),
    "socket raw": (SOCKET, (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)),
    "socket packet": (SOCKET, (socket.AF_PACKET, socket.SOCK_RAW, 0)),
    "socket stream": (SOCKET, (socket.AF_INET, socket.SOCK_STREAM, 0)),
    "connect": (CONNECT, (0, 0, 0)),
    "clone": (CLONE, (17, 0, 0, 0, 0)),
    "fork": (FORK, ()),
    "kill": (KILL, (1, 0)),
    "openat write": (OPENAT, (AT_FDCWD, b"/tmp/pollux-sandbox", os.O_WRONLY | os.O_CREAT, 0o600)),
    "unlink": (UNLINK, (b"/tmp/pollux-sandbox",)),
    "mkdir": (MKDIR, (b"/tmp/pollux-sandbox", 0o700)),
    "rename": (RENAME, (b"/tmp/a", b"/tmp/b")),
    "chmod": (CHMOD, (b"/tmp", 0o777)),
    "mmap": (MMAP, (0, 4096, RWX, 0x22, -1, 0)),
    "mprotect": (MPROTECT, (0, 4096, RWX)),
    "ptrace": (PTRACE, (0, 0, 0, 0)),
    "setuid": (SETUID, (0,)),
    "io_uring_setup": (IO_URING_SETUP, (1, 0)),
    "bpf": (BPF, (0, 0, 0)),
}


def test_calls_that_end_a_worker():
    assert len(ATTEMPTS) >= 19
    with pollux() as server:
        for name, (number, arguments) in ATTEMPTS.items():
            pid = confined_worker(server)
            assert call(pid, number, arguments) is None, name
            server.wait_stderr(rf"was ended by its sandbox: it called {name.split()[0]} \(system call {number}\)")
            new_worker(server, pid)
            assert ask(server.address, GET).status == 200
        assert call(confined_worker(server), CLONE3, (0, 0)) == -errno.ENOSYS
        assert not Path("/tmp/pollux-sandbox").exists()


# --- One process ---------------------------------------------------------------------------------


@pytest.mark.skipif(not IS_ROOT, reason="the folder is given to another user")
def test_alone_it_keeps_what_a_master_would_do(tmp_path):
    """The log is opened anew, pid file and unix socket are removed, all from inside."""
    os.chown(tmp_path, 54321, 54321)
    log, pid_file, sock = (tmp_path / name for name in ("log", "pid", "sock"))
    with Pollux("respond", "-w0", "--user", "54321", "--log-file", log, "--pid-file", pid_file,
                "-l", f"unix:{sock}") as server:  # fmt: skip
        status = status_of(server.pid)
        assert status["Seccomp"] == "2" and status["Uid"].split() == ["54321"] * 4
        assert int(pid_file.read_text()) == server.pid
        for number in (signal.SIGUSR1, signal.SIGHUP):
            log.rename(tmp_path / "log.1")
            server.signal(number)
            end = time.monotonic() + 5
            while not log.exists():
                assert time.monotonic() < end, f"not reopened: {server.stderr}"
                time.sleep(0.01)
            assert ask(str(sock), b"GET /after HTTP/1.1\r\nHost: a\r\n\r\n").status == 200
        assert call(server.pid, OPENAT, (AT_FDCWD, b"/etc/passwd", os.O_RDONLY)) == -errno.EACCES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1"]
    assert b"/after" in log.read_bytes()


def test_alone_it_is_ended_too():
    with Pollux("respond", "--log=off", "-w0", exit_code=-signal.SIGSYS) as server:
        assert call(server.pid, EXECVE, (b"/bin/true", 0, 0)) is None
        assert server.wait() == -signal.SIGSYS


# --- What is served ------------------------------------------------------------------------------


def test_files(tmp_path):
    """The folder that is served and the folder of a page beside it; nothing beside that."""
    root, pages, other = (tmp_path / name for name in ("root", "pages", "other"))
    for folder in (root, pages, other):
        folder.mkdir()
        (folder / "file").write_text(folder.name)
    args = ["-w1", "--log=off", "--error-page", f"404={pages}/file"]
    with Pollux("files", root, *args) as server:
        pid = confined_worker(server)
        assert ask(server.address, b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n").content == b"root"
        assert ask(server.address, b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n").content == b"pages"
        for path, expected in ((root, 0), (pages, 0), (other, errno.EACCES), (tmp_path, errno.EACCES)):
            result = call(pid, OPENAT, (AT_FDCWD, bytes(path), os.O_RDONLY | os.O_DIRECTORY))
            assert result >= 0 if expected == 0 else result == -expected, path
        assert call(pid, OPENAT, (AT_FDCWD, bytes(root / "file"), os.O_RDWR)) is None, "reading alone"
        while confined_worker(server) == pid:
            time.sleep(0.01)
    with Pollux("files", root, "-w1", "--log=off", "--follow-symlinks") as server:
        assert call(confined_worker(server), OPENAT, (AT_FDCWD, bytes(other / "file"), os.O_RDONLY)) >= 0


# --- Kernels that lack a part --------------------------------------------------------------------

LANDLOCK_CREATE_RULESET, SECCOMP = 444, 317


def without(number, error=errno.ENOSYS):
    """A preexec_fn: system call `number` fails, by default as on a kernel that does not have it."""

    def instruction(code, yes, no, value):
        return struct.pack("HBBI", code, yes, no, value)

    program = b"".join(
        [
            instruction(0x20, 0, 0, 0),  # load the number
            instruction(0x15, 0, 1, number),  # is it that one?
            instruction(0x06, 0, 0, 0x00050000 | error),
            instruction(0x06, 0, 0, 0x7FFF0000),
        ]
    )
    code = ctypes.create_string_buffer(program, len(program))
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)

    def install(_alive=code):
        libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
        assert libc.prctl(22, 2, head, 0, 0) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER

    return install


OPENAT2, PREADV2, STATX = 437, 327, 332


@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EPERM])
@pytest.mark.parametrize("number", [OPENAT2, PREADV2, STATX])
def test_files_are_served_without_a_newer_call(number, error, tmp_path):
    """Kernels before 5.6, and containers whose filter is older than the call and says EPERM."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_bytes(b"a" * 1000)
    (tmp_path / "large").write_bytes(b"b" * 3_000_000)
    for link, target in {"in": "sub/a.txt", "deep": "sub/../in", "folder": "sub", "out": "/etc/hostname"}.items():
        (tmp_path / link).symlink_to(target)
    os.chmod(tmp_path, 0o755)
    paths = {"/sub/a.txt": 200, "/large": 200, "/in": 200, "/deep": 200, "/folder/a.txt": 200, "/out": 404, "/no": 404}
    with Pollux("files", tmp_path, "-w1", "--log=off", preexec_fn=without(number, error)) as server:
        assert ("openat2 is refused" in server.stderr) == (number == OPENAT2)
        for path, status in paths.items():
            reply = ask(server.address, f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert (path, reply.status) == (path, status)
            if status == 200:
                assert len(reply.content) == (3_000_000 if path == "/large" else 1000)


LACKS = [(LANDLOCK_CREATE_RULESET, "this kernel has no Landlock"), (SECCOMP, "this kernel has no seccomp filters")]


@pytest.mark.parametrize("number, text", LACKS)
def test_a_kernel_that_lacks_a_part(number, text):
    with pollux(preexec_fn=without(number)) as server:
        server.wait_stderr(rf"\Apollux: the sandbox is not whole: {text}\Z")
        assert ask(server.address, GET).status == 200
    with pollux("--sandbox=off", preexec_fn=without(number)) as server:
        assert ask(server.address, GET).status == 200
        assert "sandbox" not in server.stderr
    code, out, err = run("respond", "-l", "127.0.0.1:0", "--sandbox=require", preexec_fn=without(number))
    assert (code, out, err) == (71, "", f"pollux: --sandbox=require: {text}\n")


def test_require_is_met_here():
    with pollux("--sandbox=require") as server:
        assert ask(server.address, GET).status == 200
        assert status_of(server.children()[0])["Seccomp"] == "2"


def test_off():
    with pollux("--sandbox=off") as server:
        pid = server.children()[0]
        assert status_of(pid)["Seccomp"] == "0"
        fd = call(pid, OPENAT, (AT_FDCWD, b"/etc/passwd", os.O_RDONLY))
        assert fd >= 0
        assert ask(server.address, GET).status == 200
