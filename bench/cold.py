#!/usr/bin/env python3
"""A cold file on a slow disk while a hot client keeps its pace.

Puts each server into a control group that reads from the disk at a few MiB/s, has one client fetch a
large file that is not in the page cache, and measures meanwhile how long another one waits for a
small file that is.  A server that reads from its loop makes the second wait for the first.

    bench/cold.py [--megabytes 256] [--rate 20] [--servers pollux,nginx] [--folder /var/tmp]

Needs root, a disk (no tmpfs) beneath --folder, and control groups with blkio (v1) or io (v2).
"""

import argparse
import http.client
import os
import pathlib
import tempfile
import threading
import time
from types import SimpleNamespace

from servers import BenchError, all_servers

GROUPS = pathlib.Path("/sys/fs/cgroup")
MIB = 1 << 20
ROW = SimpleNamespace(name="cold", target="/cold.bin", tls=False, load="wrk")


class Throttle:
    """A control group whose members read from the disk of `path` at `rate` bytes a second."""

    def __init__(self, path, rate):
        device = os.stat(path).st_dev
        # The whole disk, not its partition, has the queue.
        block = pathlib.Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve()
        if (block / "partition").exists():
            block = block.parent
        number = (block / "dev").read_text().strip()
        if (GROUPS / "blkio").is_dir():
            self.group = GROUPS / "blkio/pollux-cold"
            name, line = "blkio.throttle.read_bps_device", f"{number} {rate}"
        else:
            self.group = GROUPS / "pollux-cold"
            name, line = "io.max", f"{number} rbps={rate}"
        self.group.mkdir(exist_ok=True)
        (self.group / name).write_text(line + "\n")

    def take(self, pids):
        for pid in pids:
            (self.group / "cgroup.procs").write_text(f"{pid}\n")

    def remove(self):
        self.group.rmdir()


def evict(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


def download(port, result):
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    start, got = time.monotonic(), 0
    conn.request("GET", "/cold.bin")
    reply = conn.getresponse()
    while piece := reply.read(MIB):
        got += len(piece)
    result["seconds"], result["bytes"] = time.monotonic() - start, got
    conn.close()


def hot_waits(port, until):
    """Milliseconds of each request for the hot file while `until` says so."""
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    waits = []
    while until():
        start = time.monotonic()
        conn.request("GET", "/hot.bin")
        conn.getresponse().read()
        waits.append((time.monotonic() - start) * 1000)
        time.sleep(0.002)
    conn.close()
    return sorted(waits)


def show(waits):
    def at(share):
        return waits[min(int(len(waits) * share), len(waits) - 1)]

    return (f"{len(waits)} requests, median {at(0.5):.2f} ms, 99% {at(0.99):.2f} ms, "
            f"99.9% {at(0.999):.2f} ms, longest {waits[-1]:.2f} ms")


def measure(server, bench, options):
    running = server.start(bench, ROW)
    throttle = Throttle(bench.root, options.rate * MIB)
    try:
        throttle.take(running.pids())
        end = time.monotonic() + 2
        alone = hot_waits(running.port, lambda: time.monotonic() < end)
        evict(bench.root / "cold.bin")
        result = {}
        thread = threading.Thread(target=download, args=(running.port, result))
        thread.start()
        beside = hot_waits(running.port, thread.is_alive)
        thread.join()
    finally:
        running.stop()
        time.sleep(0.2)
        throttle.remove()
    if result.get("bytes") != options.megabytes * MIB:
        raise BenchError(f"{server.name}: the cold file did not arrive: {result}")
    print(f"{server.name} {server.version}\n"
          f"  cold file: {options.megabytes} MiB in {result['seconds']:.1f} s\n"
          f"  hot file alone:  {show(alone)}\n"
          f"  hot file beside: {show(beside)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--megabytes", type=int, default=256)
    parser.add_argument("--rate", type=int, default=20, help="MiB a second that the disk gives")
    parser.add_argument("--servers", default="pollux,nginx,lighttpd,h2o")
    parser.add_argument("--folder", default="/var/tmp")
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        folder = pathlib.Path(folder)
        bench = SimpleNamespace(folder=folder, root=folder / "root", build=options.build.resolve(),
                                server_core=0, load_core=1, answers={})
        folder.chmod(0o755)
        bench.root.mkdir(mode=0o755)
        (bench.root / "hot.bin").write_bytes(os.urandom(10 << 10))
        with open(bench.root / "cold.bin", "wb") as file:
            for _ in range(options.megabytes):
                file.write(os.urandom(MIB))
        there, _ = all_servers(bench.build, ())
        for server in there:
            if server.name in options.servers.split(","):
                measure(server, bench, options)


if __name__ == "__main__":
    main()
