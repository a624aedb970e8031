"""Master and workers: deaths, reloads and replacements under load; service managers; process 1."""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from lib.h2frames import GOAWAY, H2Wire
from lib.load import Crowd
from lib.runner import PROGRAM, Child, Pollux, Server, run
from lib.wire import Wire, ask

pytestmark = pytest.mark.short

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HALF = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello"


def wait_until(holds, seconds=10):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False


def listens(pid, port):
    """Whether a process holds a socket that listens there."""
    with open("/proc/net/tcp") as table:
        rows = [row.split() for row in list(table)[1:]]
    inodes = {row[9] for row in rows if row[3] == "0A" and row[1].endswith(f":{port:04X}")}
    links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
    return any(f"socket:[{inode}]" in links for inode in inodes)


def generation_after(server, before, workers):
    """Waits for a generation of which nobody was there before."""
    wait_until(lambda: len(set(server.children()) - set(before)) >= workers)


def kill_one(server, count=1):
    """Kills a worker, and waits until the master has heard of it, `count` times in all."""
    os.kill(server.children()[-1], signal.SIGKILL)  # the youngest: an old one may be ending
    server.wait_stderr(r"ended by signal 9", count=count)


# --- Deaths ------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_nothing_in_a_queue_is_lost_when_workers_are_killed(workers):
    """Only what a dead worker had accepted may fail."""
    with Pollux("respond", "--log=off", "-w", workers) as server:
        torn = (ConnectionResetError, BrokenPipeError)
        with Crowd(server.address, tolerate=torn) as crowd:
            for count in range(10):
                crowd.wait(50)
                kill_one(server, count + 1)
            crowd.wait(200)
        assert crowd.answered > 700
        print(f"{crowd.answered} answered, {crowd.torn} torn by ten deaths")
        assert crowd.torn <= 10 * 4, "more than was open when a worker died"
        assert all("signal 9" in l for l in server.stderr.splitlines() if "worker " in l)


def test_what_waits_in_the_queue_of_a_dead_worker_is_served():
    """One worker is stopped, connections pile up in its queue, and then it dies."""
    with Pollux("respond", "--log=off", "-w2") as server:
        stopped, _ = server.children()
        os.kill(stopped, signal.SIGSTOP)
        wires = [Wire(server.address) for _ in range(40)]
        for wire in wires:
            wire.send(GET)
        waiting = [w for w in wires if w.silent(0.05)]
        assert waiting, "the kernel gave all of them to the other worker"
        os.kill(stopped, signal.SIGKILL)
        for wire in waiting:
            assert wire.reply().status == 200
        for wire in wires:
            wire.close()
        server.wait_stderr(r"ended by signal 9")


def test_a_hung_worker_loses_its_sockets_and_its_life():
    with Pollux("respond", "--log=off", "-w2", "--timeout-hung=1s") as server:
        stopped, other = server.children()
        os.kill(stopped, signal.SIGSTOP)
        for _ in range(20):
            with Wire(server.address) as wire:
                wire.send(GET)
                assert wire.reply().status == 200
        server.wait_stderr(rf"worker {stopped} does not move")
        wait_until(lambda: len(server.children()) == 2 and stopped not in server.children())
        assert other in server.children()


def test_a_pause_of_all_is_nobodys_fault():
    """A person stops the program with ^Z, or a hypervisor the machine."""
    with Pollux("respond", "--log=off", "-w2", "--timeout-hung=1s") as server:
        before = server.children()
        for pid in [server.pid, *before]:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(2.5)
        for pid in [server.pid, *before]:
            os.kill(pid, signal.SIGCONT)
        time.sleep(0.5)
        assert ask(server.address, GET).status == 200
        assert server.children() == before


def test_one_socket_for_all_workers():
    with Pollux("respond", "--log=off", "-w3", "--accept=shared") as server:
        with Crowd(server.address, tolerate=(ConnectionResetError, BrokenPipeError)) as crowd:
            for count in range(5):
                crowd.wait(50)
                kill_one(server, count + 1)
            crowd.wait(100)


def sockets_of(pid):
    folder = f"/proc/{pid}/fd"
    return sum(os.readlink(f"{folder}/{fd}").startswith("socket:") for fd in os.listdir(folder))


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_connections_that_stay_are_spread_over_a_shared_socket(kind, tmp_path):
    """As a balancer opens them: one after the other, in a quiet time."""
    where = ["-l", f"unix:{tmp_path}/s"] if kind == "unix" else ["--accept=shared"]
    with Pollux("respond", "--log=off", "-w4", *where) as server:
        address = f"{tmp_path}/s" if kind == "unix" else server.address
        workers = server.children()
        wait_until(lambda: {sockets_of(pid) for pid in workers} == {2})  # its channel, and what it accepts from
        wires = []
        try:
            for _ in range(16):
                wires.append(Wire(address))
                wires[-1].send(GET)
                assert wires[-1].reply().status == 200
            held = [sockets_of(pid) - 2 for pid in workers]
        finally:
            for wire in wires:
                wire.close()
    assert sum(held) == 16 and max(held) <= 8, held


def test_a_unix_socket_survives_deaths_and_reloads(tmp_path):
    path = tmp_path / "s"
    with Pollux("respond", "--log=off", "-w2", "-l", f"unix:{path}") as server:
        for _ in range(3):
            before = server.children()
            server.signal(signal.SIGHUP)
            generation_after(server, before, 2)
            assert ask(str(path), GET).status == 200
        kill_one(server)
        for _ in range(10):
            assert ask(str(path), GET).status == 200
        assert server.stop() == 0
        assert not path.exists()


def test_a_worker_without_a_master_finishes_what_it_has():
    with Pollux("respond", "--log=off", "-w2") as server:
        workers = server.children()
        with Wire(server.address) as wire:
            wire.send(HALF)
            assert wire.silent(0.2)
            server.signal(signal.SIGKILL)
            server.process.wait(5)
            wire.send(b"world")
            assert wire.reply().status == 200
            # It says close, unless it was rendered before the worker heard of the death: then nothing
            # says so, and it is the last all the same.
            assert wire.rest(20) == b""
        wait_until(lambda: not any(is_alive(pid) for pid in workers))
        server.exit_code = -signal.SIGKILL


# --- Reload ------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("accept", ["own", "shared"])
def test_reloads_lose_nothing(workers, accept):
    with Pollux("respond", "--log=off", "-w", workers, f"--accept={accept}") as server:
        with Crowd(server.address) as crowd:
            for _ in range(10):
                before = server.children()
                server.signal(signal.SIGHUP)
                generation_after(server, before, workers)
                crowd.wait(50)
        print(f"{crowd.answered} answered over {crowd.connections} connections")
        assert crowd.answered >= 500
        assert not re.search(r"worker \d|not reloaded", server.stderr), server.stderr


def test_an_exchange_outlives_a_reload():
    with Pollux("respond", "--log=off", "-w1") as server:
        with Wire(server.address) as wire:
            wire.send(HALF)
            assert wire.silent(0.2)
            old = server.children()
            server.signal(signal.SIGHUP)
            wait_until(lambda: not listens(old[0], server.address[1]))
            assert set(old) < set(server.children()), "the old worker lives on for it"
            wire.send(b"world")
            reply = wire.reply()
            assert reply.status == 200 and reply.says_close
            wire.ends()
        wait_until(lambda: not set(old) & set(server.children()))


def test_old_generations_are_capped():
    """Each holds an exchange; the oldest are told to close, the others are left alone."""
    with Pollux("respond", "--log=off", "-w1", "--timeout-drain=300ms") as server:
        wires = []
        for _ in range(7):
            wire = Wire(server.address)
            wire.send(HALF)
            assert wire.silent(0.1)
            wires.append(wire)
            before = server.children()
            server.signal(signal.SIGHUP)
            generation_after(server, before, 1)
        wait_until(lambda: len(server.children()) == 5)  # four old ones, and the one that serves
        for wire in wires[3:]:
            wire.send(b"world")
            assert wire.reply().status == 200
        for wire in wires:
            wire.close()


def test_a_reload_that_fails_changes_nothing(tmp_path):
    folder = tmp_path / "root"
    folder.mkdir()
    with Pollux("files", folder, "--log=off", "-w2") as server:
        before = server.children()
        shutil.rmtree(folder)
        server.signal(signal.SIGHUP)
        server.wait_stderr("cannot serve")
        server.wait_stderr("not reloaded")
        assert server.children() == before
        assert ask(server.address, GET).status == 403
        folder.mkdir()
        (folder / "index.html").write_text("again")
        server.signal(signal.SIGHUP)
        generation_after(server, before, 2)
        wait_until(lambda: ask(server.address, GET).content == b"again")


def test_a_reload_finds_the_folder_anew(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.txt").write_text("old")
    with Pollux("files", root, "--log=off", "-w2") as server:
        get = b"GET /a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        assert ask(server.address, get).content == b"old"
        root.rename(tmp_path / "before")
        root.mkdir()
        (root / "a.txt").write_text("new")
        before = server.children()
        server.signal(signal.SIGHUP)
        wait_until(lambda: not any(pid in server.children() for pid in before))
        for _ in range(8):
            assert ask(server.address, get).content == b"new"
        # Without it nothing changes, and the old one is served on.
        (root / "a.txt").unlink()
        root.rmdir()
        server.signal(signal.SIGHUP)
        server.wait_stderr("not reloaded")


# --- Replacement -------------------------------------------------------------------------------


class Replaced:
    """A program that is replaced again and again, found by its pid file."""

    def __init__(self, tmp_path, *args, **options):
        self.pid_file = tmp_path / "pid"
        self.program = tmp_path / "pollux"
        shutil.copy2(PROGRAM, self.program)
        self.server = Server(
            [self.program, *args, "--pid-file", self.pid_file, "-l", "127.0.0.1:0"], **options
        )
        self.pids = [self.server.pid]
        self.exit_code = 0

    @property
    def pid(self):
        return int(self.pid_file.read_text())

    def replace(self):
        old = self.pid
        os.kill(old, signal.SIGUSR2)
        wait_until(lambda: self.pid != old)
        self.pids.append(self.pid)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if self.pid_file.exists():
                os.kill(self.pid, signal.SIGTERM)
            wait_until(lambda: not any(is_alive(pid) for pid in self.pids))
            self.server.assert_clean()
            if kind is None:
                assert self.server.wait() == self.exit_code
                assert not self.pid_file.exists()
        finally:
            for pid in self.pids[1:]:
                if is_alive(pid):
                    os.kill(pid, signal.SIGKILL)
            self.server.kill()


@pytest.mark.parametrize("workers", [1, 2])
def test_replacements_lose_nothing(workers, tmp_path):
    with Replaced(tmp_path, "respond", "--log=off", "-w", workers) as program:
        with Crowd(program.server.address) as crowd:
            for _ in range(5):
                program.replace()
                crowd.wait(50)
        assert crowd.answered >= 250
        assert len(set(program.pids)) == 6
        wait_until(lambda: not any(is_alive(pid) for pid in program.pids[:-1]))


def test_an_exchange_outlives_a_replacement(tmp_path):
    with Replaced(tmp_path, "respond", "--log=off", "-w2") as program:
        with Wire(program.server.address) as wire:
            wire.send(HALF)
            assert wire.silent(0.2)
            program.replace()
            assert is_alive(program.pids[0])
            assert ask(program.server.address, GET).status == 200
            wire.send(b"world")
            assert wire.reply().status == 200
        assert program.server.process.wait(15) == 0


def test_what_is_executed_is_the_program_as_it_is_now(tmp_path):
    """An upgrade puts another file in its place."""
    with Replaced(tmp_path, "respond", "--log=off", "-w1") as program:
        before = os.stat(program.program).st_ino
        shutil.copy2(PROGRAM, tmp_path / "next")
        os.rename(tmp_path / "next", program.program)
        assert os.stat(program.program).st_ino != before
        program.replace()
        assert os.stat(f"/proc/{program.pid}/exe").st_ino == os.stat(program.program).st_ino


NOT_REPLACED = {
    "gone": ("", r"not replaced: cannot execute \S+: No such file or directory; the old one goes on"),
    "no program": ("", r"not replaced: cannot execute \S+: Exec format error; the old one goes on"),
    "locked": ("", r"not replaced: cannot execute \S+: Permission denied; the old one goes on"),
    "fails": ("exit 3", r"not replaced: the new program ended with exit code 3; the old one goes on"),
    "is killed": ("kill -SEGV $$", r"not replaced: the new program was ended by signal 11 \(.*\); the old one goes on"),
    "sleeps": ("exec sleep 60", r"nothing changed: what is new was not ready in time; the old goes on"),
    "is another": ("exec /bin/true", r"not replaced: the new program ended with exit code 0; the old one goes on"),
}


@pytest.mark.parametrize("what", NOT_REPLACED)
def test_a_replacement_that_fails_changes_nothing(what, tmp_path):
    with Replaced(tmp_path, "respond", "--log=off", "-w1", "--timeout-start=2s") as program:
        workers = program.server.children()
        program.program.unlink()
        script, says = NOT_REPLACED[what]
        if what != "gone":
            program.program.write_bytes(f"#!/bin/sh\n{script}\n".encode() if script else b"\x7fELF")
            program.program.chmod(0o644 if what == "locked" else 0o755)
        os.kill(program.pid, signal.SIGUSR2)
        program.server.wait_stderr(rf"\Apollux: {says}\Z")
        assert program.pid == program.pids[0]
        wait_until(lambda: program.server.children() == workers)
        assert ask(program.server.address, GET).status == 200
        program.program.unlink(missing_ok=True)
        shutil.copy2(PROGRAM, program.program)
        program.replace()
        assert ask(program.server.address, GET).status == 200


def test_two_ports_that_were_picked_stay(tmp_path):
    more = ["-l", "127.0.0.1:0"]
    with Replaced(tmp_path, "respond", "--log=off", "-w2", *more) as program:
        first = program.server.addresses
        assert len(set(first)) == 2
        program.replace()
        hits = program.server.wait_stderr("listening on (.*) \\(", count=2)
        assert hits[0][1] == hits[1][1]
        for address in first:
            assert ask(address, GET).status == 200


def test_a_unix_socket_is_handed_over(tmp_path):
    path = tmp_path / "s"
    with Replaced(tmp_path, "respond", "--log=off", "-w1", "-l", f"unix:{path}") as program:
        program.replace()
        wait_until(lambda: not is_alive(program.pids[0]))
        assert ask(str(path), GET).status == 200
    assert not path.exists()


def test_a_successor_serves_when_its_predecessor_dies_first(tmp_path):
    with Replaced(tmp_path, "respond", "--log=off", "-w2") as program:
        old, address = program.pid, program.server.address
        real = tmp_path / "real"
        program.program.rename(real)
        program.program.write_text(f'#!/bin/sh\nsleep 1\nexec {real} "$@"\n')
        program.program.chmod(0o755)
        workers = program.server.children()
        os.kill(old, signal.SIGUSR2)
        wait_until(lambda: len(program.server.children()) == 3)
        (successor,) = set(program.server.children()) - set(workers)
        program.pids.append(successor)
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: program.pid == successor)
        for _ in range(10):
            assert ask(address, GET).status == 200
        assert program.server.process.wait(5) == -signal.SIGKILL
        program.exit_code = -signal.SIGKILL


def test_without_a_master_it_is_not_replaced():
    with Pollux("respond", "--log=off", "-w0") as server:
        server.signal(signal.SIGUSR2)
        server.wait_stderr("cannot be replaced")
        assert server.children() == []
        assert ask(server.address, GET).status == 200


# --- The end -----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_a_drain_serves_what_waits(workers):
    """Connections that are in the queue when TERM comes are answered."""
    for _ in range(5):
        with Pollux("respond", "--log=off", "-w", workers) as server:
            for pid in server.children() or [server.pid]:
                os.kill(pid, signal.SIGSTOP)
            wires = [Wire(server.address) for _ in range(30)]
            for wire in wires:
                wire.send(GET)
            time.sleep(0.05)
            server.signal(signal.SIGTERM)
            time.sleep(0.05)
            for pid in server.children() or [server.pid]:
                os.kill(pid, signal.SIGCONT)
            for wire in wires:
                reply = wire.reply()
                assert reply.status == 200
                wire.close()
            assert server.wait() == 0


@pytest.mark.parametrize("workers", [0, 2])
def test_a_drain_delay_lets_newcomers_in(workers):
    with Pollux("respond", "--log=off", "-w", workers, "--drain-delay=1s") as server:
        server.signal(signal.SIGTERM)
        before = time.monotonic()
        while time.monotonic() - before < 0.7:
            assert ask(server.address, GET).status == 200
        assert server.wait() == 0


@pytest.mark.parametrize("workers", [0, 2])
def test_idle_connections_get_a_grace(workers):
    """A request that is on its way when TERM comes is answered."""
    with Pollux("respond", "--log=off", "-w", workers) as server:
        with Wire(server.address) as wire:
            wire.send(GET)
            assert wire.reply().status == 200
            server.signal(signal.SIGTERM)
            time.sleep(0.1)
            wire.send(GET)
            reply = wire.reply()
            assert reply.status == 200 and reply.says_close
        assert server.wait() == 0


# --- Service managers --------------------------------------------------------------------------


class Manager:
    """What listens behind NOTIFY_SOCKET."""

    def __init__(self, tmp_path):
        self.path = str(tmp_path / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(10)
        self.heard = []

    def hear(self, pattern):
        """The first message that matches, however many come before."""
        while True:
            message = self.socket.recv(4096).decode()
            self.heard.append(message)
            match = re.search(pattern, message, re.M)
            if match:
                return match


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_systemd_is_told(workers, tmp_path):
    manager = Manager(tmp_path)
    environment = {"NOTIFY_SOCKET": manager.path}
    with Pollux("respond", "--log=off", "-w", workers, env=environment) as server:
        manager.hear(r"^READY=1$")
        server.signal(signal.SIGHUP)
        assert int(manager.hear(r"^RELOADING=1\nMONOTONIC_USEC=(\d+)$")[1]) > 0
        manager.hear(r"^READY=1$")
        server.signal(signal.SIGTERM)
        manager.hear(r"^STOPPING=1$")
        assert server.wait() == 0
    manager.socket.close()


@pytest.mark.parametrize("workers", [0, 1])
def test_the_watchdog_is_fed(workers, tmp_path):
    manager = Manager(tmp_path)
    environment = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "400000"}
    with Pollux("respond", "--log=off", "-w", workers, env=environment):
        for _ in range(3):
            manager.hear(r"^WATCHDOG=1$")
    manager.socket.close()


def test_systemd_hears_of_a_replacement(tmp_path):
    manager = Manager(tmp_path)
    program = Replaced(
        tmp_path, "respond", "--log=off", "-w1", env={"NOTIFY_SOCKET": manager.path}
    )
    with program:
        manager.hear(r"^READY=1$")
        program.replace()
        assert int(manager.hear(r"^MAINPID=(\d+)$")[1]) == program.pid
    manager.socket.close()


ACTIVATE = """
import os, socket, sys
count = int(sys.argv[1])
for i in range(count):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", 0)); s.listen(64)
    os.dup2(s.fileno(), 50 + i)
for i in range(count):
    os.dup2(50 + i, 3 + i); os.close(50 + i); os.set_inheritable(3 + i, True)
os.environ["LISTEN_FDS"] = str(count)
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDNAMES"] = ":".join(["web", "admin"][:count])
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_socket_activation(workers):
    argv = [sys.executable, "-c", ACTIVATE, "2", PROGRAM, "respond", "--log=off", "-w", workers]
    with Server([*argv, "-l", "fd:web", "-l", "fd:admin"]) as server:
        assert len(server.addresses) == 2 and server.addresses[0] != server.addresses[1]
        for address in server.addresses:
            assert ask(address, GET).status == 200
        if not workers:
            return
        with Crowd(server.addresses[0]) as crowd:
            for _ in range(3):
                before = server.children()
                server.signal(signal.SIGHUP)
                generation_after(server, before, workers)
                crowd.wait(30)


# --- The pid file ------------------------------------------------------------------------------


def test_the_pid_file_of_a_live_program_is_left_alone(tmp_path):
    path = tmp_path / "pid"
    with Pollux("respond", "--log=off", "-w1", "--pid-file", path) as server:
        code, _, err = run("respond", "-l", "127.0.0.1:0", "--pid-file", path)
        assert code == 73 and "which runs" in err and len(err.splitlines()) == 1
        assert int(path.read_text()) == server.pid
    assert not path.exists()


def test_what_is_no_pid_file_is_left_alone(tmp_path):
    path = tmp_path / "hello.c"
    path.write_text("int main(void)\n")
    code, _, err = run("respond", "-l", "127.0.0.1:0", "--pid-file", path)
    assert code == 73 and "something else than a process id" in err and len(err.splitlines()) == 1
    assert path.read_text() == "int main(void)\n"


# --- Process 1 ---------------------------------------------------------------------------------

CAN_UNSHARE = (
    subprocess.run(
        ["unshare", "-p", "-f", "--mount-proc", "true"], capture_output=True, check=False
    ).returncode
    == 0
)

ORPHANS = """
import os, sys, time
for _ in range(5):
    if os.fork() == 0:
        if os.fork() == 0:
            time.sleep(0.3)   # its parent is gone by then: process 1 inherits it
            os._exit(0)
        os._exit(0)
    os.wait()
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.skipif(not CAN_UNSHARE, reason="needs a pid namespace of its own")
@pytest.mark.parametrize("workers", [0, 2])
def test_as_process_1(workers):
    """It forwards signals, reaps what it did not make, and cannot be replaced."""
    argv = ["unshare", "-p", "-f", "--kill-child", "--mount-proc", sys.executable, "-c", ORPHANS]
    child = Child([*argv, PROGRAM, "respond", "--log=off", "-w", workers, "-l", "127.0.0.1:0"])
    try:
        port = int(child.wait_stderr(r"listening on 127\.0\.0\.1:(\d+)")[0][1])
        (inside,) = child.children()
        assert ask(("127.0.0.1", port), GET).status == 200

        def zombies():
            found = []
            for task in Path(f"/proc/{inside}/task").iterdir():
                for pid in (task / "children").read_text().split():
                    stat = Path(f"/proc/{pid}/stat").read_text()
                    found += [pid] if stat.rsplit(") ", 1)[1][0] == "Z" else []
            return found

        time.sleep(0.5)
        wait_until(lambda: not zombies())
        os.kill(inside, signal.SIGUSR2)
        child.wait_stderr("cannot be replaced")
        assert ask(("127.0.0.1", port), GET).status == 200
        os.kill(inside, signal.SIGTERM)
        assert child.wait() == 0
        child.assert_clean()
    finally:
        child.kill()


# --- No worker -----------------------------------------------------------------------------------


def limit_free_descriptors(pid, count):
    """Lowers what a process may open to so many descriptors more than it has in a row."""
    there = {int(number) for number in os.listdir(f"/proc/{pid}/fd")}
    free = next(number for number in range(len(there) + 1) if number not in there)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free + count, resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]))


@pytest.mark.parametrize("spare", [0, 1], ids=["no descriptor is free", "one is free"])
def test_peers_are_refused_while_no_worker_serves(spare, tmp_path):
    """Not left to hang, for a few seconds are enough to know; and let in again by itself."""
    manager = Manager(tmp_path)
    path = tmp_path / "s"
    environment = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "400000"}
    args = ["--log=off", "-w1", "-l", "127.0.0.1:0", "-l", f"unix:{path}"]
    with Pollux("respond", *args, env=environment) as server:
        assert ask(server.address, GET).status == 200
        port = server.address[1]
        before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        # Too few to start a worker; and where none is left at all, the master can still take a connection.
        limit_free_descriptors(server.pid, 1)
        for pid in server.children():
            os.kill(pid, signal.SIGKILL)
        server.wait_stderr(r"cannot start a worker: Too many open files")
        limit_free_descriptors(server.pid, spare)  # those of the channel are free now
        server.wait_stderr(r"no worker serves: connections are refused until one does")
        manager.hear(r"^STATUS=no worker serves, connections are refused$")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(server.address, 5)
        with socket.socket(socket.AF_UNIX) as waiting:
            waiting.settimeout(5)
            waiting.connect(str(path))
            assert waiting.recv(1) == b"", "turned away"
        assert server.stderr.count("no worker serves") == 1
        # A replacement that fails meanwhile leaves it so.
        server.signal(signal.SIGUSR2)
        server.wait_stderr(r"not replaced: cannot execute \S+: Too many open files; the old one goes on")
        time.sleep(0.2)
        for _ in range(2):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(server.address, 5)
            with socket.socket(socket.AF_UNIX) as waiting:
                waiting.settimeout(5)
                waiting.connect(str(path))
                assert waiting.recv(1) == b"", "turned away"
        manager.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                manager.socket.recv(4096)
        manager.socket.settimeout(1.5)
        with pytest.raises(TimeoutError):
            manager.hear(r"^WATCHDOG=1$")
        manager.socket.settimeout(20)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, before)
        manager.hear(r"^WATCHDOG=1$")
        server.wait_stderr(r"a worker serves again", seconds=20)
        assert server.address[1] == port
        for _ in range(8):
            assert ask(server.address, GET).status == 200
            assert ask(str(path), GET).status == 200
    manager.socket.close()


def test_the_watchdog_is_withheld_while_all_stand_still(tmp_path):
    manager = Manager(tmp_path)
    environment = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "400000"}
    with Pollux("respond", "--log=off", "-w2", "--timeout-hung=60s", env=environment) as server:
        manager.hear(r"^WATCHDOG=1$")
        workers = server.children()
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        manager.socket.settimeout(1)
        end = time.monotonic() + 15
        with pytest.raises(TimeoutError):
            while time.monotonic() < end:
                manager.hear(r"^WATCHDOG=1$")
        manager.socket.settimeout(10)
        os.kill(workers[0], signal.SIGCONT)
        manager.hear(r"^WATCHDOG=1$")
        os.kill(workers[1], signal.SIGCONT)
    manager.socket.close()


# --- What is said --------------------------------------------------------------------------------


def test_what_succeeds_is_said(tmp_path):
    program = Replaced(tmp_path, "respond", "--log=off", "-w2")
    with program:
        program.server.signal(signal.SIGHUP)
        program.server.wait_stderr(r"\Apollux: reloaded: 2 new workers serve\Z")
        program.replace()
        program.server.wait_stderr(rf"\Apollux: replaced: process {program.pid} serves, this one finishes what it has\Z")


def test_signals_in_a_drain_are_answered():
    with Pollux("respond", "--log=off", "-w1", "--drain-delay=2s") as server:
        server.signal(signal.SIGTERM)
        time.sleep(0.3)
        server.signal(signal.SIGHUP)
        server.wait_stderr(r"HUP is ignored: this program was told to end")
        server.signal(signal.SIGUSR2)
        server.wait_stderr(r"USR2 is ignored: this program was told to end")


def test_a_second_signal_ends_a_worker_that_stands_still():
    with Pollux("respond", "--log=off", "-w2") as server:
        stopped = server.children()[0]
        os.kill(stopped, signal.SIGSTOP)
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        time.sleep(0.2)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0 and time.monotonic() - began < 4


def test_a_master_that_is_killed_is_missed():
    server = Pollux("respond", "--log=off", "-w1")
    try:
        worker = server.children()[0]
        server.process.kill()
        server.wait_stderr(rf"the master is gone: worker {worker} finishes what it has, and ends")
        wait_until(lambda: not is_alive(worker))
    finally:
        server.kill()


def test_a_unix_socket_whose_file_has_gone_comes_back(tmp_path):
    path = tmp_path / "s"
    with Pollux("respond", "--log=off", "-w2", "-l", f"unix:{path}") as server:
        assert ask(str(path), GET).status == 200
        path.unlink()
        server.signal(signal.SIGHUP)
        server.wait_stderr(r"is made anew: its file was gone")
        wait_until(path.exists)
        server.wait_stderr(r"reloaded")
        for _ in range(4):
            assert ask(str(path), GET).status == 200


# --- The folder that is served -------------------------------------------------------------------


PAGE = b"GET /page HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def release(folder, name):
    """A folder with one page that says whose it is."""
    (folder / name).mkdir()
    (folder / name / "page").write_text(name)
    return folder / name


def test_a_link_that_is_switched_is_followed_by_all_at_once(tmp_path):
    """And until then a worker that comes in place of a dead one serves what its siblings do."""
    current = tmp_path / "current"
    current.symlink_to(release(tmp_path, "one"))
    with Pollux("files", current, "--log=off", "-w2") as server:
        assert ask(server.address, PAGE).content == b"one"
        release(tmp_path, "two")
        (tmp_path / "next").symlink_to(tmp_path / "two")
        (tmp_path / "next").rename(current)
        began = time.monotonic()
        os.kill(server.children()[0], signal.SIGKILL)
        seen = []
        while time.monotonic() - began < 3:
            seen.append(ask(server.address, PAGE).content)
            time.sleep(0.01)
        first = seen.index(b"two")
        assert set(seen[:first]) == {b"one"}
        assert set(seen[-20:]) == {b"two"}, "within two seconds, with some room"
        server.wait_stderr(r"current is another folder now: new workers serve it")
        server.wait_stderr(r"reloaded: 2 new workers serve")


def test_a_folder_that_is_made_anew_is_served(tmp_path):
    root = release(tmp_path, "root")
    with Pollux("files", root, "--log=off", "-w2") as server:
        assert ask(server.address, PAGE).content == b"root"
        shutil.rmtree(root)
        wait_until(lambda: ask(server.address, PAGE).status == 404)
        root.mkdir()
        (root / "page").write_text("anew")
        server.wait_stderr(r"is another folder now", seconds=3)
        wait_until(lambda: ask(server.address, PAGE).content == b"anew", 3)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start on what its workers cannot read")
def test_a_folder_that_workers_cannot_read_is_said(tmp_path):
    root = release(tmp_path, "root")
    root.chmod(0o700)
    with Pollux("files", root, "--log=off", "-w2") as server:
        server.wait_stderr(r"root cannot be read by nobody: permission denied; every answer will be 403")
        assert ask(server.address, PAGE).status == 403
        assert server.stderr.count("cannot be read") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a file that its worker cannot read")
@pytest.mark.parametrize("command", ["files", "run"])
@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_cannot_be_read_is_said(tmp_path, workers, command):
    root = release(tmp_path, "root")
    (root / "locked.txt").write_text("x")
    (root / "locked.txt").chmod(0o600)
    (tmp_path / "a.conf").write_text(f"listen 127.0.0.1:0\nworkers {workers}\nlog off\nfiles {root}\n")
    by_file = command == "run"
    with (
        Server([PROGRAM, "run", "-c", str(tmp_path / "a.conf")]) if by_file
        else Pollux("files", root, "--log=off", f"-w{workers}")
    ) as server:  # fmt: skip
        locked = PAGE.replace(b"/page", b"/locked.txt")
        for _ in range(30):
            assert ask(server.address, locked).status == 403
        server.wait_stderr(rf"^pollux: cannot read {root}/locked\.txt: permission denied$")
        assert 1 <= server.stderr.count("cannot read") <= 25  # ten lines a second
        assert ask(server.address, PAGE).status == 200


# --- Readiness, addresses, one process -----------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
def test_health_fails_once_a_drain_is_announced(workers):
    """While new connections are still answered, which is when a balancer needs to know."""
    check = b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with Pollux("respond", "--log=off", "-w", workers, "--health", "/health", "--drain-delay=2s") as server:
        reply = ask(server.address, check)
        assert (reply.status, reply.content) == (200, b"ok\n")
        assert ask(server.address, b"GET /healthy HTTP/1.1\r\nHost: a\r\n\r\n").content == b"Hello, world!"
        assert ask(server.address, b"DELETE /health HTTP/1.1\r\nHost: a\r\n\r\n").content == b"Hello, world!"
        server.signal(signal.SIGTERM)
        wait_until(lambda: ask(server.address, check).status == 503, 1.5)
        assert ask(server.address, GET).status == 200
        assert server.wait() == 0


@pytest.mark.parametrize("form", ["request", "combined", "json"])
def test_health_has_no_line_in_the_log(form):
    with Pollux("respond", "--log", form, "-w1", "--health", "/health") as server:
        for path in (b"/health", b"/health", b"/last"):
            ask(server.address, b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path)
        ask(server.address, b"HEAD /health HTTP/1.1\r\nHost: a\r\n\r\n", head_only=True)
        out = server.wait_stdout(lambda out: b"/last" in out)
        time.sleep(0.05)
        assert b"/health" not in server.stdout, out


@pytest.mark.parametrize("path", ["health", "/a?b", "/a#b", "/%41", "/a b", "/{a}", "/a//b", "/../a", "/./a"])
def test_health_is_a_plain_path(path):
    code, _, err = run("respond", "--health", path)
    assert code == 64 and "it is a path that begins with a slash" in err, err
    assert run("respond", "--health", "/" + "a" * 1024)[0] == 64


def test_answers_say_close_in_the_second_half_of_the_delay():
    get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    for workers in (0, 2):
        with Pollux("respond", "--log=off", "-w", workers, "--drain-delay=3s") as server:
            with Wire(server.address) as kept, Wire(server.address) as other, H2Wire(server.address) as h2:
                h2.probe(1)
                for wire in (kept, other):
                    wire.send(get)
                    assert not wire.reply().says_close
                server.signal(signal.SIGTERM)
                time.sleep(0.7)
                kept.send(get)
                assert not kept.reply().says_close
                time.sleep(1.2)
                kept.send(get)
                assert kept.reply().says_close and kept.rest() == b""
                assert ask(server.address, get).says_close
                h2.until(lambda: any(frame.kind == GOAWAY for frame in h2.judge.frames), "GOAWAY")
            assert server.wait() == 0


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("how", ["deadline", "second signal"])
def test_what_the_end_cuts_is_counted(tmp_path, workers, how):
    with open(tmp_path / "long.bin", "wb") as file:
        file.truncate(50 << 20)
    args = ["--timeout-drain=300ms"] if how == "deadline" else []
    with Pollux("files", tmp_path, "--log=off", "-w", workers, "--user", str(os.geteuid()), *args) as server:
        with ExitStack() as stack:
            for _ in range(3):
                wire = stack.enter_context(Wire(server.address, rcvbuf=4096))
                wire.send(b"GET /long.bin HTTP/1.1\r\nHost: a\r\n\r\n", read=False)
            time.sleep(0.3)
            server.signal(signal.SIGTERM)
            if how == "second signal":
                time.sleep(0.2)
                server.signal(signal.SIGTERM)
            assert server.wait() == 0
        assert server.stderr.count("pollux: 3 requests were cut short, by --timeout-drain or a second signal\n") == 1
        assert ", aborted 3, cut 3, " in server.stderr


@pytest.mark.parametrize("addresses", [("127.0.0.1:18080", ":18080"), ("*:18080", "[::1]:18080"),
                                       ("0.0.0.0:18080", "https://127.0.0.1:18080")])  # fmt: skip
def test_addresses_that_overlap_are_a_slip(addresses):
    for pair in (addresses, addresses[::-1]):
        code, out, err = run("respond", "-l", pair[0], "-l", pair[1])
        assert (code, out) == (64, "")
        assert re.fullmatch(r"pollux: --listen [^\n]* overlaps with [^\n]*\n", err), err


def test_a_star_is_every_address():
    with Pollux("respond", "--log=off", "-w1", "-l", "*:0") as server:
        port = server.address[1]
        assert ask(("127.0.0.1", port), GET).status == 200
        assert ask(("127.0.0.2", port), GET).status == 200


@pytest.mark.parametrize("address, says", [("[*]:8080", "brackets hold"), ("[localhost]:8080", "brackets hold")])
def test_no_other_spelling_of_all_is_the_loopback(address, says):
    code, _, err = run("respond", "-l", address)
    assert (code, err.count("\n")) == (64, 1) and says in err


def test_a_star_is_no_server():
    code, _, err = run("proxy", "-l", "127.0.0.1:0", "http://*:8080")
    assert (code, err.count("\n")) == (64, 1) and "every address to listen at" in err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a folder that its worker cannot write")
def test_alone_its_pid_file_is_written_before_it_becomes_nobody(tmp_path):
    path = tmp_path / "pid"
    with Pollux("respond", "--log=off", "-w0", "--pid-file", path) as server:
        assert int(path.read_text()) == server.pid


def test_alone_it_removes_the_socket_of_tls(tmp_path):
    tmp_path.chmod(0o777)
    path = tmp_path / "s"
    args = ["--log=off", "-w0", "--tls-self-signed", "-l", f"https://unix:{path}"]
    with Pollux("respond", *args):
        assert path.exists()
    assert not path.exists()


def test_a_trusted_proxy_without_its_field_is_warned_of():
    with Pollux("respond", "--log=off", "-w1", "--trust-proxy", "127.0.0.1") as server:
        server.wait_stderr(r"--trust-proxy without --proxy-header")
    with Pollux("respond", "--log=off", "-w1", "--trust-proxy", "127.0.0.1", "--proxy-header", "forwarded") as server:
        assert "--trust-proxy" not in server.stderr
