"""What becomes of a worker that was taken over: each thing that it tries fails, or is healed.

Every attempt is made by a worker of the shipped program (lib/inject.py).  Whatever comes of it, the
service answers within two seconds.  Attempts that the filter traps are made once more without it
(--sandbox=off) where they could spoil a socket: then the master has to mend what they did.
"""

import array
import errno
import os
import platform
import re
import signal
import socket
import struct
import time
from pathlib import Path

import pytest

from lib.inject import call
from lib.runner import IS_RELEASE, Pollux
from lib.wire import WireTimeout, ask

pytestmark = pytest.mark.skipif(
    not IS_RELEASE or platform.machine() != "x86_64",
    reason="sanitizers are outside of the sandbox, and system calls are made by their x86-64 numbers",
)

GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
HEAL_S = 2.0

# x86-64
WRITE, PWRITE64, MREMAP, SENDTO, SENDMSG, SHUTDOWN, SETSOCKOPT, FCNTL = 1, 18, 25, 44, 46, 48, 54, 72
MSG_FASTOPEN, SO_ATTACH_FILTER, SO_LOCK_FILTER = 0x20000000, 26, 44
SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF, TCP_FASTOPEN_CONNECT = 51, 52, 30
F_GETFL, F_SETFL, F_SETOWN, F_SETSIG, F_SETOWN_EX = 3, 4, 8, 10, 15
O_APPEND, O_NONBLOCK, O_ASYNC = 0o2000, 0o4000, 0o20000
CONTROL_VERSION, CONTROL_READY = 1, 9


def rows_of(table):
    with open(f"/proc/net/{table}") as lines:
        return [line.split() for line in list(lines)[1:]]


def links(pid):
    """The descriptors of a process and what each is."""
    found = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found[int(entry.name)] = os.readlink(entry)
        except FileNotFoundError:
            pass
    return found


def listeners(pid, port, seconds=5):
    """A worker's listening sockets of a port: they come over its channel, so they may take a moment."""
    end = time.monotonic() + seconds
    while True:
        inodes = {f"socket:[{r[9]}]" for r in rows_of("tcp") if r[3] == "0A" and r[1].endswith(f":{port:04X}")}
        found = [fd for fd, what in links(pid).items() if what in inodes]
        if found or time.monotonic() > end:
            assert found, f"worker {pid} listens nowhere"
            return found
        time.sleep(0.02)


def channel(pid):
    """The worker's end of the conversation: the socket of packets, the pipe for its answers."""
    packets = {f"socket:[{r[6]}]" for r in rows_of("unix") if r[4] == "0005"}
    found = links(pid)
    ends = sorted(fd for fd, what in found.items() if what in packets)
    pipes = sorted(fd for fd, what in found.items() if what.startswith("pipe:") and fd > 2)
    assert len(ends) == 1 and len(pipes) == 1, found
    return ends[0], pipes[0]


def confined(server, seconds=10):
    """A worker that is inside and serves."""
    end = time.monotonic() + seconds
    while True:
        for pid in server.children():
            try:
                if "Seccomp:\t2" in Path(f"/proc/{pid}/status").read_text() and listeners(pid, server.address[1]):
                    return pid
            except (FileNotFoundError, AssertionError):
                pass
        assert time.monotonic() < end, f"nobody is confined: {server.stderr}"
        time.sleep(0.02)


def assert_serves(server, times=20):
    """Every new connection is answered, from two seconds after now at the latest."""
    end = time.monotonic() + HEAL_S
    good = 0
    while good < times:
        try:
            assert ask(server.address, GET, deadline_s=1.0).status == 200
            good += 1
        except (OSError, AssertionError, WireTimeout):
            assert time.monotonic() < end, f"no service {HEAL_S} s after it: {server.stderr}"
            good = 0
            time.sleep(0.05)


def gone(server, pid, seconds=5):
    end = time.monotonic() + seconds
    while pid in server.children():
        assert time.monotonic() < end, f"worker {pid} lives: {server.stderr}"
        time.sleep(0.01)


def steer(to):
    """A program for a group of listeners that sends every connection to one of them."""
    return struct.pack("<HBBI", 6, 0, 0, to)


# What is trapped: name -> the call, given a listener, the log and somebody's address.
TRAPPED = {
    "shutdown both": lambda at: (SHUTDOWN, (at.listener, 2)),
    "shutdown reading": lambda at: (SHUTDOWN, (at.listener, 0)),
    "sendto fastopen": lambda at: (SENDTO, (at.listener, b"secret", 6, MSG_FASTOPEN, at.outside, 16)),
    "sendto an address": lambda at: (SENDTO, (at.listener, b"secret", 6, 0, at.outside, 16)),
    "sendmsg fastopen": lambda at: (SENDMSG, (at.listener, bytes(56), MSG_FASTOPEN)),
    "fastopen connect": lambda at: (SETSOCKOPT, (at.listener, 6, TCP_FASTOPEN_CONNECT, struct.pack("<I", 1), 4)),
    "steer": lambda at: (SETSOCKOPT, (at.listener, 1, SO_ATTACH_REUSEPORT_CBPF, bytes(16), 16)),
    "steer by eBPF": lambda at: (SETSOCKOPT, (at.listener, 1, SO_ATTACH_REUSEPORT_EBPF, bytes(4), 4)),
    "filter": lambda at: (SETSOCKOPT, (at.listener, 1, SO_ATTACH_FILTER, bytes(16), 16)),
    "lock a filter": lambda at: (SETSOCKOPT, (at.listener, 1, SO_LOCK_FILTER, struct.pack("<I", 1), 4)),
    "owner": lambda at: (FCNTL, (at.listener, F_SETOWN, at.master)),
    "owner by struct": lambda at: (FCNTL, (at.listener, F_SETOWN_EX, bytes(8))),
    "signal": lambda at: (FCNTL, (at.listener, F_SETSIG, signal.SIGKILL)),
    "blocking listener": lambda at: (FCNTL, (at.listener, F_SETFL, 0)),
    "async": lambda at: (FCNTL, (at.listener, F_SETFL, O_NONBLOCK | O_ASYNC)),
    "log without append": lambda at: (FCNTL, (at.log, F_SETFL, O_NONBLOCK)),
    "log by pwrite": lambda at: (PWRITE64, (at.log, b"XXXX", 4, 0)),
}


class At:
    """What an attempt may be made on."""

    def __init__(self, server, pid, log):
        self.listener = listeners(pid, server.address[1])[0]
        self.log = next(fd for fd, what in links(pid).items() if what == str(log))
        self.outside = struct.pack("<H", socket.AF_INET) + struct.pack(">H", 9) + socket.inet_aton("127.0.0.2") + bytes(8)
        self.master = server.pid


@pytest.mark.parametrize("accept", ["own", "shared"])
def test_what_the_filter_ends(accept, tmp_path):
    """The worker ends before anything happens; sockets and log are as they were."""
    assert len(TRAPPED) == 17
    log = tmp_path / "log"
    args = ["-w2", "--accept", accept, "--log=combined", "--log-file", log]
    with Pollux("respond", *args) as server:
        assert_serves(server, 1)
        end = time.monotonic() + 5
        while not log.read_bytes():
            assert time.monotonic() < end
            time.sleep(0.01)
        first = log.read_bytes().splitlines()[0]
        for name, attempt in TRAPPED.items():
            pid = confined(server)
            number, arguments = attempt(At(server, pid, log))
            assert call(pid, number, arguments) is None, name
            gone(server, pid)
            assert_serves(server, 8)
            os.kill(confined(server), 0)
        assert log.read_bytes().splitlines()[0] == first
        assert "spoiled" not in server.stderr, server.stderr


def test_an_outside_server_hears_nothing():
    """A listener that was shut and connected would be a way out: neither works."""
    with socket.create_server(("127.0.0.2", 0)) as outside, Pollux("respond", "--log=off", "-w2") as server:
        outside.settimeout(0.5)
        pid = confined(server)
        fd = listeners(pid, server.address[1])[0]
        port = struct.pack(">H", outside.getsockname()[1])
        address = struct.pack("<H", socket.AF_INET) + port + socket.inet_aton("127.0.0.2") + bytes(8)
        assert call(pid, SHUTDOWN, (fd, 1)) == 0, "the writing side of a listener is nothing"
        assert_serves(server)
        assert call(pid, SENDTO, (fd, b"secret", 6, MSG_FASTOPEN | socket.MSG_DONTWAIT, address, 16)) is None
        with pytest.raises(TimeoutError):
            outside.accept()
        assert_serves(server)


# --- Without a master, which connects logs ---------------------------------------------------------

CONNECT, SOCKET, SOCKETPAIR, BIND, DUP2, DUP3 = 42, 41, 53, 49, 33, 292


def alone(folder, log):
    """The one process that there is, with a log of this kind, in its sandbox."""
    server = Pollux("respond", "-w0", "--log=combined", "--log-file", log)
    end = time.monotonic() + 5
    while "Seccomp:\t2" not in Path(f"/proc/{server.pid}/status").read_text():
        assert time.monotonic() < end
        time.sleep(0.02)
    return server


def named(family, length):
    """An address of a family, so long: of TCP, of a unix socket, of nothing."""
    places = {socket.AF_INET: struct.pack(">H", 9) + socket.inet_aton("127.0.0.2"), socket.AF_UNIX: b"/dev/log",
              socket.AF_INET6: struct.pack(">HI", 9, 0) + bytes(15) + b"\1", socket.AF_UNSPEC: b""}  # fmt: skip
    return (struct.pack("<H", family) + places[family]).ljust(128, b"\0")[:length]


@pytest.mark.parametrize("kind", ["unix", "udp"])
def test_the_process_that_is_alone_connects_nothing(kind, tmp_path):
    """Neither its listener nor the log's socket nor an accepted connection, whatever the length says; and it dies of
    the attempt before anything is sent."""
    families = [socket.AF_UNSPEC, socket.AF_UNIX, socket.AF_INET, socket.AF_INET6]
    with socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "log") if kind == "unix" else ("127.0.0.1", 0))
        log = f"syslog:{tmp_path}/log" if kind == "unix" else "syslog:udp:127.0.0.1:%d" % receiver.getsockname()[1]
        attempts = [("listener", CONNECT, family, length) for family in families for length in (16, 110)]
        attempts += [("log", CONNECT, family, 110) for family in families]
        attempts += [("accepted", CONNECT, family, 110) for family in families]
        attempts += [("new", SOCKET, family, 0) for family in families[1:]]
        for which, number, family, length in attempts:
            server = alone(tmp_path, log)
            try:
                with socket.create_connection(server.address) as client:
                    client.sendall(GET.replace(b"Connection: close", b"A: b"))
                    assert client.recv(1 << 16).startswith(b"HTTP/1.1 200")
                    kinds = {f"socket:[{r[9]}]": r[3] for r in rows_of("tcp")}
                    found = {kinds.get(what, "log"): fd for fd, what in links(server.pid).items() if what.startswith("socket:")}
                    fd = {"listener": found.get("0A"), "accepted": found.get("01"), "log": found.get("log"), "new": 0}[which]
                    arguments = (fd, named(family, length), length)
                    if which == "new":
                        arguments = (family, socket.SOCK_STREAM, 0)
                    assert fd is not None and call(server.pid, number, arguments) is None, (which, family, length)
                    assert server.wait() == -signal.SIGSYS, (which, family, length)
            finally:
                server.kill()


# --- Its siblings and its master -----------------------------------------------------------------


def shared_pages(pid):
    """What it shares writable with other processes."""
    found = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        if re.search(r" rw-s .* /dev/zero", line):
            low, high = (int(part, 16) for part in line.split()[0].split("-"))
            found.append((low, high))
    return found


def test_it_lies_about_itself_alone():
    """All that it can write of the shared memory is overwritten: nobody else dies of it."""
    with Pollux("respond", "--log=off", "-w3", "--timeout-hung=1s") as server:
        assert_serves(server)
        pid = confined(server)
        siblings = set(server.children()) - {pid}
        pages = shared_pages(pid)
        assert len(pages) <= 2, "its block of the board, and what notes trapped calls"
        for low, high in pages:  # what lies behind is nobody's
            moved = call(pid, MREMAP, (low, high - low, 2 * (high - low), 1))
            assert moved > 0 or moved == -errno.EFAULT
        pages = shared_pages(pid)
        end = time.monotonic() + 3
        with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
            while time.monotonic() < end and pid in server.children():
                for low, _ in pages:
                    memory.seek(low)
                    try:
                        memory.write(struct.pack("<Q", 1) * 8)
                    except OSError:
                        break
                time.sleep(0.005)
        assert siblings <= set(server.children()), server.stderr
        assert_serves(server)


def test_the_master_takes_no_descriptor():
    """One whose last close sleeps would stop the master: it never gets there."""
    with Pollux("respond", "--log=off", "-w2") as server:
        pid = confined(server)
        words, _ = channel(pid)
        with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as peer:
            peer.setblocking(False)
            with pytest.raises(BlockingIOError):
                while True:
                    peer.send(bytes(65536))
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 30))
            pidfd = os.pidfd_open(pid)
            libc = __import__("ctypes").CDLL(None, use_errno=True)
            ours = socket.socket(fileno=libc.syscall(438, pidfd, words, 0))  # pidfd_getfd: its own end
            with ours, pytest.raises(BrokenPipeError):
                ours.sendmsg([bytes(272)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [peer.fileno()]))])
            os.close(pidfd)
            # It did not get there, so the last close is the one here, which need not sleep.
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        began = time.monotonic()
        assert server.stop() == 0 and time.monotonic() - began < 5


@pytest.mark.parametrize("what", ["an answer too many", "nonsense", "half an answer"])
def test_what_it_says_too_much_is_its_end(what):
    good = struct.pack("<III", CONTROL_VERSION, CONTROL_READY, 0)
    said = {"an answer too many": good, "nonsense": b"\xff" * 12, "half an answer": good[:5]}[what]
    with Pollux("respond", "--log=off", "-w2") as server:
        assert_serves(server)
        pid = confined(server)
        _, answers = channel(pid)
        try:
            assert call(pid, WRITE, (answers, said, len(said))) == len(said)
        except (AssertionError, OSError):
            pass  # the master was quicker than the end of the call
        gone(server, pid)
        server.wait_stderr(rf"worker {pid} answered what it was not asked and is killed")
        assert_serves(server)


# --- Without the filter: the master mends --------------------------------------------------------


def spoil(kind, pid, fd):
    if kind == "shut":
        assert call(pid, SHUTDOWN, (fd, 2)) == 0
    elif kind == "blocking":
        assert call(pid, FCNTL, (fd, F_SETFL, 0)) == 0
    elif kind == "lingering":
        assert call(pid, SETSOCKOPT, (fd, 1, socket.SO_LINGER, struct.pack("ii", 1, 0), 8)) == 0
    else:
        raise AssertionError(kind)


@pytest.mark.parametrize("accept", ["own", "shared"])
@pytest.mark.parametrize("kind", ["shut", "blocking", "lingering"])
def test_what_it_spoils_is_mended(kind, accept):
    with Pollux("respond", "--log=off", "-w2", "--sandbox=off", "--accept", accept) as server:
        assert_serves(server)
        pid = server.children()[0]
        for fd in listeners(pid, server.address[1]):
            spoil(kind, pid, fd)
        os.kill(pid, signal.SIGKILL)
        server.wait_stderr(r"a socket of 127\.0\.0\.1:0 was spoiled by a worker, and is mended")
        assert_serves(server)


def test_a_unix_socket_is_made_anew(tmp_path):
    path = tmp_path / "s"
    with Pollux("respond", "--log=off", "-w2", "--sandbox=off", "-l", f"unix:{path}") as server:
        pid = server.children()[0]
        inodes = {f"socket:[{r[6]}]" for r in rows_of("unix") if r[-1] == str(path)}
        end = time.monotonic() + 5
        while not (found := [fd for fd, what in links(pid).items() if what in inodes]):
            assert time.monotonic() < end
            time.sleep(0.02)
        assert call(pid, SHUTDOWN, (found[0], 2)) == 0
        os.kill(pid, signal.SIGKILL)
        server.wait_stderr(r"is made anew")
        assert_serves(server)


# --- What it is given ----------------------------------------------------------------------------


def test_descriptors_of_whoever_started_it_are_closed():
    """But for those that the command line names."""
    with open("/etc/passwd") as secret, open(os.devnull, "w") as named:
        kept = [secret.fileno(), named.fileno()]
        args = ["--log-file", f"/dev/fd/{named.fileno()}"]
        with Pollux("respond", "--log=combined", "-w1", *args, pass_fds=kept) as server:
            for pid in (server.pid, *server.children()):
                assert not [what for what in links(pid).values() if what == "/etc/passwd"]
            assert_serves(server)


def test_a_crash_loop_has_a_brake():
    """Workers that die by a fault of their own, as soon as they serve."""
    with Pollux("respond", "--log=off", "-w2") as server:
        end = time.monotonic() + 4
        killed = 0
        while time.monotonic() < end:
            for pid in server.children():
                try:
                    os.kill(pid, signal.SIGSEGV)
                    killed += 1
                except ProcessLookupError:
                    pass
            time.sleep(0.02)
        lines = [line for line in server.stderr.splitlines() if "was ended by signal 11" in line]
        # Two places, each after 0.1, 0.2, 0.4 s and then every half second: without a pause some 170.
        assert 2 <= len(lines) <= 20, "each has a longer pause before it"
        end = time.monotonic() + 12
        while True:  # and it comes back by itself
            try:
                assert ask(server.address, GET, deadline_s=1.0).status == 200
                break
            except (OSError, WireTimeout):
                assert time.monotonic() < end, server.stderr
