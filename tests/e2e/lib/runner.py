"""Starts and stops the program under test, by its process id, and looks at what it left behind.

Happy path: `with Pollux("respond", "-l", "127.0.0.1:0") as server: ask(server.address, ...)`.  On
the way out the program gets SIGTERM and must exit 0 within its deadline; its stderr must hold no
word of a sanitizer.
"""

import fcntl
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from lib.wire import end_ours

ROOT = Path(__file__).resolve().parents[3]
BUILD = (ROOT / os.environ.get("POLLUX_BUILD", "build/release")).resolve()
PROGRAM = BUILD / "pollux"
IS_RELEASE = BUILD.name == "release"
START_S = 10.0
STOP_S = 15.0

LISTENING = re.compile(r"\Apollux: listening on (.+) \((\d+) workers?\)\Z")
SANITIZER = re.compile(r"Sanitizer|runtime error:|==\d+==|Shadow bytes")


def clean_environment(extra=None):
    """Ours, without what the program itself would read."""
    gone = ("PORT", "NO_COLOR", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET")
    environment = {k: v for k, v in os.environ.items() if k not in gone}
    environment["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1"
    environment.update(extra or {})
    return environment


def is_listening(port):
    """Asked of the kernel, because a connection of ours would be one to the program as well."""
    wanted = f":{port:04X}"
    with open("/proc/net/tcp") as table:
        rows = [row.split() for row in list(table)[1:]]
    return any(row[1].endswith(wanted) and row[3] == "0A" for row in rows)


def is_listening_unix(path):
    """The file is there from bind on, but only listen makes it answer (flag 0x10000: it listens)."""
    with open("/proc/net/unix") as table:
        rows = [row.split() for row in list(table)[1:]]
    return any(row[-1] == str(path) and int(row[3], 16) & 0x10000 for row in rows)


def links(pid):
    """What the descriptors of a process name; what is closed meanwhile is left out."""
    found = []
    with suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
    return found


@contextmanager
def default_port():
    """Port 8080 is one for all of us; whoever needs the real one takes turns."""
    with open(Path(tempfile.gettempdir()) / f"pollux-e2e-8080.{os.getuid()}", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def parse_address(text):
    """What `listening on` names, as Wire wants it: (host, port) or a path."""
    text = text.removeprefix("https://")
    if text.startswith("unix:"):
        return text[len("unix:") :]
    host, port = text.rsplit(":", 1)
    host = host.strip("[]")
    return ({"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host), int(port))


class Child:
    """A child process whose output is kept whole, and which is never left behind."""

    def __init__(self, argv, env=None, cwd=None, **popen):
        self.argv = [str(a) for a in argv]
        self._stdout = tempfile.TemporaryFile()
        self._lines = []
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            self.argv,
            stdin=subprocess.DEVNULL,
            stdout=popen.pop("stdout", self._stdout),
            stderr=subprocess.PIPE,
            env=clean_environment(env),
            cwd=cwd,
            **popen,
        )
        self.pid = self.process.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            with self._news:
                self._lines.append(line.decode("utf-8", "replace"))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    @property
    def stderr(self):
        with self._news:
            return "".join(self._lines)

    @property
    def stdout(self):
        size = os.fstat(self._stdout.fileno()).st_size
        return os.pread(self._stdout.fileno(), size, 0)

    def wait_stdout(self, wanted, seconds=5.0):
        """Waits until stdout satisfies `wanted` (a function of its bytes), and returns it."""
        end = time.monotonic() + seconds
        while True:
            out = self.stdout
            if wanted(out):
                return out
            assert time.monotonic() < end, f"stdout is {out[-2000:]!r}; stderr {self.stderr!r}"
            time.sleep(0.01)

    def wait_stderr(self, pattern, seconds=START_S, count=1):
        """Waits until `count` lines of stderr match, and returns the matches."""
        end = time.monotonic() + seconds
        pattern = re.compile(pattern)
        with self._news:
            while True:
                hits = [m for m in map(pattern.search, (l.rstrip("\n") for l in self._lines)) if m]
                if len(hits) >= count:
                    return hits
                left = end - time.monotonic()
                over = self.process.poll() is not None and not self._reader.is_alive()
                assert left > 0 and not over, (
                    f"{self.argv}: no {pattern.pattern!r} in {''.join(self._lines)!r}, "
                    f"exit code {self.process.poll()}"
                )
                self._news.wait(min(left, 0.1))

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=STOP_S):
        code = self.process.wait(seconds)
        self._reader.join(seconds)
        return code

    @property
    def running(self):
        return self.process.poll() is None

    def cpu_seconds(self):
        """Processor time of the program and its workers so far."""
        hertz = os.sysconf("SC_CLK_TCK")
        total = 0
        for pid in [self.pid, *self.children()]:
            stat = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
            total += int(stat[11]) + int(stat[12])
        return total / hertz

    def children(self):
        found = []
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            found += [int(p) for p in (task / "children").read_text().split()]
        return found

    def accepting(self):
        """Process ids of the workers that hold a listening TCP socket: one that retires has closed its own."""
        with open("/proc/net/tcp") as table:
            inodes = {f"socket:[{row.split()[9]}]" for row in table if row.split()[3] == "0A"}
        return [pid for pid in self.children() if inodes & set(links(pid))]

    def assert_clean(self):
        assert not SANITIZER.search(self.stderr), self.stderr

    def kill(self):
        if self.running:
            for pid in self.children():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.kill()
            self.process.wait(STOP_S)
        self._reader.join(STOP_S)
        self.process.stderr.close()
        self._stdout.close()


class Server(Child):
    """A server that says where it listens; a context manager that stops it and judges its end."""

    def __init__(self, argv, listeners=1, exit_code=0, **child):
        super().__init__(argv, **child)
        self.exit_code = exit_code
        try:
            self.hits = self.wait_stderr(LISTENING, count=listeners)
        except BaseException:
            self.kill()
            raise
        names = [name for match in self.hits for name in match[1].split(", ")]
        self.addresses = [parse_address(name) for name in names]
        self.address = self.addresses[0]
        self.workers = int(self.hits[0][2])

    @property
    def url(self):
        host, port = self.address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def stop(self, number=signal.SIGTERM, seconds=STOP_S):
        if self.running:
            self.signal(number)
        return self.wait(seconds)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            end_ours(self.addresses)
            code = self.stop()
            self.assert_clean()
            if kind is None:
                assert code == self.exit_code, f"exit code {code}; stderr {self.stderr!r}"
        finally:
            self.kill()


class Pollux(Server):
    """`pollux ARGS`; without a -l among them it listens on a free port of the loopback."""

    def __init__(self, *args, wrapper=(), **options):
        argv = [*wrapper, PROGRAM, *args]
        if not any(str(a).startswith(("-l", "--listen")) for a in args) and "PORT" not in (
            options.get("env") or {}
        ):
            argv += ["-l", "127.0.0.1:0"]
        super().__init__(argv, **options)


def run(*args, wrapper=(), env=None, seconds=START_S, cwd=None, program=PROGRAM, **popen):
    """Runs the program to its end; its exit code, stdout and stderr as text."""
    done = subprocess.run(
        [*wrapper, str(program), *map(str, args)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=seconds,
        env=clean_environment(env),
        cwd=cwd,
        **popen,
    )
    err = done.stderr.decode("utf-8", "replace")
    assert not SANITIZER.search(err), err
    return done.returncode, done.stdout.decode("utf-8", "replace"), err
