#!/usr/bin/env python3
"""Measures pollux against floors and peers; see docs/benchmarks/README.md for the method.

The figure is CPU microseconds per request of a server's processes: nanoseconds on a core, from
/proc/PID/task/*/schedstat before and after, over the requests answered. The server has one core and
the load another; rounds go over all servers in turn, so that what changes on the machine changes
for everyone. Servers are stopped by their pids, also when something fails.
"""

import argparse
import os
import pathlib
import resource
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time

import report
import rows as table
from servers import (FLOOR, HELLO, Behind, BenchError, all_servers, ask, ask_h2, ask_h2_idle, over_tls,
                     read_answer)

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROUNDS_TO_PUBLISH = 9
MEMORY_ROUNDS_MAX = 3
WARM_UP_SECONDS = 1
SETTLE_SECONDS = 0.1
FILES_KEPT_FREE = 200
ATTEMPTS = 2


class Bench:
    """What a run shares: where things are, and the servers that run right now."""

    def __init__(self, options, folder):
        self.build = options.build.resolve()
        self.rounds, self.seconds = options.rounds, options.seconds
        self.server_core, self.load_core = options.cores
        self.folder = folder
        self.root = folder / "root"
        self.answers = {}  # row name: the bytes pollux answers with, for the floors
        self.running = []
        self.many = 0  # files there are for the curve of them
        self.behind = None  # what the proxies of a row stand in front of
        self.troubles = []
        self.make_root()
        self.make_certificate()

    def make_root(self):
        self.folder.chmod(0o755)
        self.root.mkdir()
        self.root.chmod(0o755)
        pattern = b"abcdefghijklmnopqrstuvwxyz" * (1 << 16)
        (self.root / "index.txt").write_bytes(HELLO)
        (self.root / "10k.txt").write_bytes(pattern[:10 << 10])
        (self.root / "1m.txt").write_bytes(pattern[:1 << 20])

    def make_files(self, count):
        """For the curve of files: /many/0 and on. They stay, since the next point has more."""
        folder = self.root / "many"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        for number in range(self.many, count):
            (folder / str(number)).write_bytes(b"x" * 100)
        self.many = max(self.many, count)

    def make_certificate(self):
        """One for all servers, of the kind that most of the web uses today."""
        self.certificate, self.key = self.folder / "certificate.pem", self.folder / "key.pem"
        argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days",
                "30", "-keyout", self.key, "-out", self.certificate]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchError(f"openssl: {done.stderr.strip()[-200:]}")

    def start(self, server, row):
        running = server.start(self, row)
        self.running.append(running)
        return running

    def stop(self, running):
        if running in self.running:
            self.running.remove(running)
            running.stop()

    def stop_all(self):
        while self.running:
            self.stop(self.running[-1])

    def trouble(self, text):
        self.troubles.append(text)
        print(f"bench: {text}", file=sys.stderr)

    def record_answer(self, server, row):
        """Keeps what pollux says to the row's request, for the floor to say the same."""
        running = self.start(server, row)
        head, content = ask(running.port, row.target or "/", close=row.closing)
        self.answers[row.name] = head + content
        self.stop(running)


def check_answer(row, running):
    """The server says what it should before anybody counts how fast."""
    server = running.server
    if table.is_websocket(row):
        return row.content_bytes  # the load looks at each message
    if row.load == "h2load":
        head, content = ask_h2(running.port, server.request_target(row), row.tls)
    else:
        head, content = ask(running.port, server.request_target(row), (*server.fields, *row.fields),
                            row.closing, tls=row.tls)
    is_good = row.load == "h2load" or head.startswith(b"HTTP/1.1 200 ")
    if not is_good or len(content) != row.content_bytes:
        raise BenchError(f"{row.name}: {server.name} answers {head[:60]!r}, {len(content)} bytes")
    if row.content_bytes == len(HELLO) and content != HELLO:
        raise BenchError(f"{row.name}: {server.name} answers {content!r}")
    return len(head) + len(content)


def load_nanoseconds():
    """What the loads took so far: they are the children that ended, of those that run (the servers) nothing is in it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round((used.ru_utime + used.ru_stime) * 1e9)


def measure_once(bench, row, running, seconds):
    if table.is_websocket(row):
        # What opening and closing the connections took is not of the messages.
        answered, elapsed, before, after = table.websocket_load(bench, row, running, seconds,
                                                                running.schedstat)
        (ran_before, waited_before), (ran, waited) = before, after
    else:
        ran_before, waited_before = running.schedstat()
        load_before = load_nanoseconds()
        answered, elapsed = table.load_run(bench, row, running, seconds)
        time.sleep(SETTLE_SECONDS)
        ran, waited = running.schedstat()
        if row.together:
            ran += load_nanoseconds() - load_before
    ran, waited = ran - ran_before, waited - waited_before
    return {"value": ran / 1000 / answered, "rate": answered / elapsed,
            "requests": answered, "waited": waited / (ran + waited) if ran else 0}


def measure_patiently(bench, row, running, seconds):
    """A load that failed is tried again once: the machine may have been away for a moment."""
    for attempt in range(ATTEMPTS):
        try:
            return measure_once(bench, row, running, seconds)
        except BenchError as error:
            bench.trouble(f"attempt {attempt + 1}: {error}")
    return None


def measure_cpu_row(bench, row, servers):
    """{server name: [one measurement a round]}."""
    results, there = {}, []
    try:
        for server in servers:
            try:
                running = bench.start(server, row)
                size = check_answer(row, running)
                if measure_patiently(bench, row, running, WARM_UP_SECONDS):
                    there.append(running)
                    results[server.name] = []
                    print(f"  {server.name}: {size} bytes an answer", flush=True)
            except (BenchError, OSError) as error:
                bench.trouble(f"{row.name}: {server.name} is left out: {error}")
        for number in range(bench.rounds):
            turn = number % max(1, len(there))
            for running in there[turn:] + there[:turn]:
                found = measure_patiently(bench, row, running, bench.seconds)
                if found:
                    results[running.server.name].append(dict(found, round=number))
            print(f"  round {number + 1} of {bench.rounds}", flush=True)
    finally:
        bench.stop_all()
    return {name: found for name, found in results.items() if found}


WEBSOCKET = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")


def read_upgrade(conn):
    head = conn.recv(4096)
    if not head.startswith(b"HTTP/1.1 101 ") or not head.endswith(b"\r\n\r\n"):
        raise BenchError(f"no upgrade: {head[:80]!r}")


def open_idle(running, row, count):
    """Opens that many connections, each with one request answered, and keeps them."""
    server = running.server
    lines = [f"GET {server.request_target(row)} HTTP/1.1", f"Host: 127.0.0.1:{running.port}",
             *server.fields, *(WEBSOCKET if table.is_websocket(row) else ())]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    conns = []
    try:
        for _ in range(count):
            conn = socket.create_connection(("127.0.0.1", running.port), timeout=10)
            if row.tls:
                conn = over_tls(conn, *(("h2",) if row.load == "h2load" else ()))
            conns.append(conn)
            if row.load == "h2load":
                ask_h2_idle(conn, server.request_target(row))
                continue
            conn.sendall(request)
            read_upgrade(conn) if table.is_websocket(row) else read_answer(conn)
    except (OSError, BenchError) as error:
        close_all(conns)
        raise BenchError(f"connection {len(conns)} of {count} to {server.name}: {error}") from error
    return conns


def close_all(conns):
    for conn in conns:
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        conn.close()


def closed_count(conns):
    """How many the server has closed meanwhile."""
    closed = 0
    for conn in conns:
        conn.setblocking(False)
        try:
            closed += conn.recv(1) == b""
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        except OSError:
            closed += 1
    return closed


def measure_memory(bench, row, server):
    running = bench.start(server, row)
    try:
        time.sleep(0.5)
        if row.kind == "fresh":
            return {"value": running.rss_anon(worker_only=True) / 1024}
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        count = min(row.connections, limit - FILES_KEPT_FREE)
        before = running.rss_anon()
        conns = open_idle(running, row, count)
        try:
            time.sleep(0.5)
            grown = running.rss_anon() - before
            gone = closed_count(conns)
            if gone:
                raise BenchError(f"{server.name} closed {gone} of {count} idle connections")
            return {"value": grown / count, "requests": count}
        finally:
            close_all(conns)
    finally:
        bench.stop(running)


def measure_memory_row(bench, row, servers):
    results = {}
    for number in range(min(bench.rounds, MEMORY_ROUNDS_MAX)):
        for server in servers:
            if server.name == FLOOR:
                continue
            try:
                found = dict(measure_memory(bench, row, server), round=number)
                results.setdefault(server.name, []).append(found)
            except (BenchError, OSError) as error:
                bench.trouble(f"{row.name}: {server.name}: {error}")
    return results


def measure_proxies(bench, row, servers):
    """All of them in front of the same server."""
    bench.behind = Behind().start(bench, row)
    try:
        return measure_cpu_row(bench, row, servers)
    finally:
        bench.behind.stop()
        bench.behind = None


def measure_row(bench, row, servers):
    taking_part = [server for server in servers if server.takes_part(row)]
    print(f"{row.title}", flush=True)
    if row.curve == "files":
        bench.make_files(row.at)
    if row.proxied:
        return measure_proxies(bench, row, taking_part)
    if row.kind != "cpu":
        return measure_memory_row(bench, row, taking_part)
    pollux = [server for server in taking_part if server.name == "pollux"]
    if pollux and row.floor and row.load == "wrk":
        bench.record_answer(pollux[0], row)
    return measure_cpu_row(bench, row, taking_part)


def count_calls(bench, servers, selected):
    """{row name: {server name: {call: a request}}} for pollux and the floors, by strace."""
    import syscalls

    found = {}
    for row in selected:
        if row.kind != "cpu" or row.name not in syscalls.WORKLOADS:
            continue
        for server in servers:
            if server.name not in ("pollux", FLOOR) or not server.takes_part(row):
                continue
            running = bench.start(server, row)
            try:
                counted = syscalls.calls_per_request(
                    running.serving_pid(has_master=server.name == "pollux"), running.port, row.name)
                found.setdefault(row.name, {})[server.name] = counted
            except syscalls.CountError as error:
                bench.trouble(f"calls of {server.name}, {row.name}: {error}")
            finally:
                bench.stop(running)
    return found


def parse_options(argv):
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="ROW[,ROW]", help="these rows: "
                        + ", ".join(row.name for row in table.ROWS))
    parser.add_argument("--page", choices=sorted({row.page for row in table.ROWS}), default="http1",
                        help="the rows of this page (default: http1)")
    parser.add_argument("--servers", metavar="A[,B]", help="these servers alone")
    parser.add_argument("--rounds", type=int, default=11, help="rounds a row (default: 11)")
    parser.add_argument("--seconds", type=float, default=2, help="of load a round (default: 2)")
    parser.add_argument("--cores", default="0,1", help="of the server and of the load (0,1)")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release",
                        help="the build folder (default: build/release)")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "docs/benchmarks",
                        help="where the page goes (default: docs/benchmarks)")
    parser.add_argument("--write", action="store_true",
                        help="write the page after a partial or short run too")
    options = parser.parse_args(argv)
    options.cores = tuple(int(core) for core in options.cores.split(","))
    if len(options.cores) != 2 or not set(options.cores) <= os.sched_getaffinity(0):
        parser.error("--cores takes two cores this process may use")
    if not 1 <= options.rounds <= 1000 or not 0.1 <= options.seconds <= 60:
        parser.error("--rounds takes 1 to 1000, --seconds 0.1 to 60")
    return options


def selected_rows(options):
    if options.only:
        return [table.row_named(name) for name in options.only.split(",")]
    return [row for row in table.ROWS if row.standard and row.page == options.page]


def selected_servers(options):
    floors = {row.name for row in table.ROWS if row.floor}
    there, missing = all_servers(options.build.resolve(), floors,
                                 tuple(row.name for row in table.ROWS if row.curve))
    if options.servers:
        wanted = options.servers.split(",")
        unknown = set(wanted) - {server.name for server in there}
        if unknown:
            raise BenchError(f"not here: {', '.join(sorted(unknown))} "
                             f"(there are {', '.join(server.name for server in there)})")
        there = [server for server in there if server.name in wanted]
    return there, missing


def run(options, folder):
    selected = selected_rows(options)
    servers, missing = selected_servers(options)
    bench = Bench(options, folder)
    if missing:
        print(f"bench: not here, and left out: {', '.join(missing)}", file=sys.stderr)
    try:
        results = {row.name: measure_row(bench, row, servers) for row in selected}
        calls = count_calls(bench, servers, selected)
    finally:
        bench.stop_all()
    page = report.Page(selected, servers, missing, results, calls, options, bench.troubles)
    print(page.text())
    whole = not options.only and not options.servers and options.rounds >= ROUNDS_TO_PUBLISH
    if whole or options.write:
        page.write(options.output)
    else:
        print("bench: a partial or short run is not written; --write does that", file=sys.stderr)
    return 1 if bench.troubles else 0


def main(argv):
    options = parse_options(argv)
    for tool in ("taskset", "wrk", "strace", "gnuplot", "openssl", "h2load"):
        if not shutil.which(tool):
            raise BenchError(f"{tool} is not installed; script/bench --install installs it")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="pollux-bench-") as folder:
        return run(options, pathlib.Path(folder))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BenchError as failed:
        sys.exit(f"bench: {failed}")
    except KeyboardInterrupt:
        sys.exit(130)
