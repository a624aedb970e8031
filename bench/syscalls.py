#!/usr/bin/env python3
"""Counts a server's system calls per request with `strace -c`: deterministic, unlike a time.

    bench/syscalls.py --pid PID --port PORT [keepalive|pipelined|connection]

or, from a test, `calls_per_request(pid, port, "keepalive")["recvfrom"]`.

A batch of requests is made ready while the server is stopped (SIGSTOP), so that it finds them all
at once as it would under load: what a batch shares, such as epoll_wait, shows as a small fraction.
Connections of the keep-alive workloads are opened, and used once, before counting begins.
"""

import argparse
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

from servers import ask, process_tree, read_answer

CONNECTIONS = 64
BATCHES = 10
DEPTH = 16
TIMEOUT_SECONDS = 20
SETTLE_SECONDS = 0.1


class CountError(Exception):
    """Why nothing could be counted."""


class Strace:
    """`strace -f -c` on a process and its descendants, for the length of a `with`."""

    def __init__(self, pid):
        self.pids = process_tree(pid)
        self.counts = {}

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="pollux-strace-")
        self.summary = pathlib.Path(self.folder.name, "summary")
        argv = ["strace", "-f", "-c", "-U", "calls,name", "-o", self.summary]
        for pid in self.pids:
            argv += ["-p", str(pid)]
        try:
            self.process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
        except FileNotFoundError as error:
            self.folder.cleanup()
            raise CountError("strace is not installed") from error
        for _ in self.pids:
            line = self.process.stderr.readline()
            if "attached" not in line:
                self.end()
                raise CountError(f"strace: {line.strip()}")
        return self

    def end(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.communicate(timeout=TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
        text = self.summary.read_text() if self.summary.exists() else ""
        self.folder.cleanup()
        return text

    def __exit__(self, *_):
        time.sleep(SETTLE_SECONDS)  # the last answer is there before its connection is closed
        for line in self.end().splitlines():
            columns = line.split()
            if len(columns) == 2 and columns[0].isdigit() and columns[1] != "total":
                self.counts[columns[1]] = int(columns[0])


class Held:
    """The server's processes are stopped for the length of a `with`."""

    def __init__(self, pids):
        self.pids = pids

    def __enter__(self):
        for pid in self.pids:
            os.kill(pid, signal.SIGSTOP)

    def __exit__(self, *_):
        for pid in reversed(self.pids):
            os.kill(pid, signal.SIGCONT)


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS)


def read_answers(conn, count, answer_bytes):
    received = 0
    while received < count * answer_bytes:
        chunk = conn.recv(65536)
        if not chunk:
            raise CountError(f"the connection ended after {received} bytes of answers")
        received += len(chunk)


def read_to_end(conn):
    received = b""
    while chunk := conn.recv(65536):
        received += chunk
    if not received.startswith(b"HTTP/1.1 200"):
        raise CountError(f"the answer is {received[:60]!r}")


def run_persistent(pid, port, request, depth):
    """Batches over connections that stay; returns ({call: count}, requests)."""
    conns = [connect(port) for _ in range(CONNECTIONS)]
    try:
        for conn in conns:
            conn.sendall(request)
            answer_bytes = sum(map(len, read_answer(conn)))
        with Strace(pid) as strace:
            for _ in range(BATCHES):
                with Held(strace.pids):
                    for conn in conns:
                        conn.sendall(request * depth)
                for conn in conns:
                    read_answers(conn, depth, answer_bytes)
    finally:
        for conn in conns:
            conn.close()
    return strace.counts, BATCHES * CONNECTIONS * depth


def run_closing(pid, port, request):
    with Strace(pid) as strace:
        for _ in range(BATCHES):
            with Held(strace.pids):
                conns = [connect(port) for _ in range(CONNECTIONS)]
                for conn in conns:
                    conn.sendall(request)
            for conn in conns:
                read_to_end(conn)
                conn.close()
    return strace.counts, BATCHES * CONNECTIONS


WORKLOADS = ("keepalive", "pipelined", "connection")


def calls_per_request(pid, port, workload, target="/"):
    """{name of the system call: calls a request} of the server `pid` on 127.0.0.1:port."""
    close = "Connection: close\r\n" if workload == "connection" else ""
    request = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{close}\r\n".encode()
    try:
        if workload == "connection":
            ask(port, target, close=True)
            counts, requests = run_closing(pid, port, request)
        else:
            counts, requests = run_persistent(pid, port, request,
                                              DEPTH if workload == "pipelined" else 1)
    except OSError as error:
        raise CountError(str(error)) from error
    if not counts:
        raise CountError("strace counted nothing")
    return {name: count / requests for name, count in counts.items()}


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("workload", choices=WORKLOADS, nargs="?", default="keepalive")
    options = parser.parse_args(argv)
    try:
        counted = calls_per_request(options.pid, options.port, options.workload)
    except CountError as error:
        sys.exit(f"syscalls: {error}")
    for name, count in sorted(counted.items(), key=lambda pair: -pair[1]):
        print(f"{count:8.3f}  {name}")
    print(f"{sum(counted.values()):8.3f}  in all, a request ({options.workload})")


if __name__ == "__main__":
    main(sys.argv[1:])
