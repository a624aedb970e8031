"""The rows of the table: what is loaded how, and what pollux has to reach.

A target is a largest ratio to another server of the same run, or a largest number of bytes.  It is pollux' own, or that of
the server before a slash.
"""

import dataclasses
import pathlib
import re
import subprocess

from servers import BenchError, find_program

HERE = pathlib.Path(__file__).resolve().parent


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    title: str
    kind: str  # "cpu", "idle" or "fresh"
    unit: str
    floor: str = ""  # the program in bench/floors
    connections: int = 0
    depth: int = 1
    closing: bool = False
    target: str = ""  # of the request; empty: the server's own
    content_bytes: int = 13
    reach: tuple = ()  # (what to compare with, largest ratio or bytes)
    standard: bool = True
    page: str = "http1"  # which page it stands on
    tls: bool = False
    # or "h2load" (depth: streams of a connection), "full", "resumed" (handshakes), "echo",
    # "broadcast" (WebSocket)
    load: str = "wrk"
    proxied: bool = False  # what is measured stands in front of a server that answers from memory
    together: bool = False  # the figure is the server's and the load's
    curve: str = ""  # of a curve of the page "scale": what grows,
    at: int = 0  # and how many of it there are at this point
    fields: tuple = ()  # of every request, beside those that the server's row asks for


CURVES = {"connections": "Keep-alive connections, all of them asking", "fields": "Fields of a request, 64 connections",
          "routes": "Routes of the site, 64 connections", "files": "Files asked for in turn, 100 bytes each, 64 connections"}


def some_fields(count):
    """Such as clients send: names that differ, values of 20 bytes. Host, which the load adds, makes one more."""
    return tuple(f"X-Field-{number}: value of twenty byte" for number in range(count))


def point(curve, at, connections=64, **more):
    return Row(f"{curve}_{at}", f"{CURVES[curve]}: {at:,}", "cpu", "us", connections=connections, page="scale",
               curve=curve, at=at, **more)


ROWS = (
    Row("keepalive", "Keep-alive, 512 connections, saturated", "cpu", "us", "keepalive", 512,
        reach=(("floor", 1.03), ("nginx", 0.80))),
    Row("pipelined", "16 requests pipelined, 64 connections", "cpu", "us", "pipelined", 64, 16,
        reach=(("floor", 1.15), ("nginx", 0.10))),
    Row("connection", "A connection per request, 64 at a time", "cpu", "us", "connection", 64,
        closing=True, reach=(("floor", 1.05), ("nginx", 0.65))),
    Row("file_10k", "File of 10 KiB, keep-alive, 64 connections", "cpu", "us", "file_10k", 64,
        target="/10k.txt", content_bytes=10 << 10, reach=(("floor", 1.03),)),
    Row("file_1m", "File of 1 MiB, keep-alive, 16 connections", "cpu", "us", "file_1m", 16,
        target="/1m.txt", content_bytes=1 << 20, reach=(("lighttpd", 0.80),)),
    Row("file_1m_both", "File of 1 MiB, 16 connections, server and reader together", "cpu", "us", "file_1m", 16,
        target="/1m.txt", content_bytes=1 << 20, together=True, reach=(("lighttpd", 0.76),)),
    Row("idle", "An idle keep-alive connection, anonymous memory", "idle", "B", connections=10000,
        reach=(("bytes", 360),)),
    Row("fresh", "A fresh worker, anonymous memory (RssAnon)", "fresh", "KiB",
        reach=(("bytes", 1 << 20),)),
    Row("tls_keepalive", "TLS 1.3, keep-alive, 64 connections", "cpu", "us", connections=64,
        reach=(("nginx", 0.80),), page="secure", tls=True),
    Row("tls_file_1m", "TLS 1.3, file of 1 MiB, AES-GCM, 16 connections", "cpu", "us",
        connections=16, target="/1m.txt", content_bytes=1 << 20, reach=(("nginx", 0.75), ("h2o", 0.95)),
        page="secure", tls=True),
    Row("h2_clear", "HTTP/2 in the clear, 16 connections, 32 streams each", "cpu", "us", "h2", 16,
        32, reach=(("libh2o", 0.96), ("nginx", 0.20)), page="secure", load="h2load"),
    Row("h2_tls", "HTTP/2 over TLS 1.3, 16 connections, 32 streams each", "cpu", "us",
        connections=16, depth=32, reach=(("h2o", 0.62), ("nginx", 0.35)), page="secure", tls=True,
        load="h2load"),
    Row("tls_full", "A full TLS 1.3 handshake (ECDSA P-256, X25519) and a request", "cpu", "us",
        closing=True, page="secure", tls=True, load="full", reach=(("h2o", 0.98),)),
    Row("tls_resumed", "A resumed TLS 1.3 handshake and a request", "cpu", "us", closing=True,
        page="secure", tls=True, load="resumed", reach=(("nginx", 0.80),)),
    Row("idle_tls", "An idle TLS 1.3 connection, anonymous memory", "idle", "B", connections=500,
        page="secure", tls=True, reach=(("bytes", 9 << 10),)),
    Row("idle_h2_tls", "An idle HTTP/2 connection over TLS 1.3, anonymous memory", "idle", "B", connections=500,
        page="secure", tls=True, load="h2load", reach=(("bytes", 14 << 10),)),
    Row("ws_echo", "WebSocket: 64 bytes and their echo, 512 connections", "cpu", "us", "ws_echo", 512,
        target="/", content_bytes=66, page="realtime", load="echo",
        reach=(("floor", 1.06), ("libwebsockets", 1.0), ("ws", 1.0))),
    Row("ws_broadcast", "WebSocket: 1 KiB to each of 10,000 subscribers", "cpu", "us", "ws_broadcast",
        10000, target="/room", content_bytes=1028, page="realtime", load="broadcast", reach=(("floor", 1.15),)),
    Row("ws_idle", "An idle WebSocket, anonymous memory", "idle", "B", connections=10000, target="/",
        page="realtime", load="echo", reach=(("bytes", 600),)),
    Row("proxy_keepalive", "Proxy: 13 bytes, keep-alive on both sides, 64 connections", "cpu", "us", "proxy",
        64, target="/", page="proxy", proxied=True, reach=(("nginx", 0.80),)),
    Row("proxy_1m", "Proxy: 1 MiB, 16 connections", "cpu", "us", "proxy", 16, target="/",
        content_bytes=1 << 20, page="proxy", proxied=True, reach=(("nginx", 0.80), ("haproxy", 0.80))),
    Row("proxy_tls", "Proxy: 13 bytes, TLS 1.3 outside, 64 connections", "cpu", "us", connections=64,
        target="/", page="proxy", proxied=True, tls=True, reach=(("nginx", 0.80),)),
    Row("proxy_h2", "Proxy: 13 bytes, HTTP/2 outside, 16 connections, 32 streams each", "cpu", "us",
        connections=16, depth=32, target="/", page="proxy", proxied=True, load="h2load",
        reach=(("nginx", 0.80),)),
    *(point("connections", at, connections=at) for at in (1, 64, 512, 8192)),
    *(point("fields", at, fields=some_fields(at - 1)) for at in (3, 10, 30, 60)),
    *(point("routes", at, target=f"/r{at // 2}/page") for at in (1, 10, 100, 1000, 10_000)),
    *(point("files", at, target="/many/0", content_bytes=100) for at in (1, 100, 10_000, 100_000)),
    Row("observed", "Keep-alive, 512 connections: with metrics, with a JSON log", "cpu", "us", connections=512,
        page="operations", reach=(("library-metrics/library", 1.01), ("program-json/program", 1.06))),
    Row("hosts", "Keep-alive, 512 connections: one host of 10,000", "cpu", "us", connections=512, page="operations",
        reach=(("hosts-10000/hosts-1", 1.03),)),
)


def row_named(name):
    for row in ROWS:
        if row.name == name:
            return row
    raise BenchError(f"no row is called {name} (there are {', '.join(r.name for r in ROWS)})")


def load_argv(bench, row, running, seconds):
    target = running.server.request_target(row)
    pin = ["taskset", "-c", str(bench.load_core)]
    scheme = "https" if row.tls else "http"
    if row.load in ("full", "resumed"):
        return pin + [str(bench.build / "bench/load/tls_load"), str(running.port), f"{seconds:g}",
                      row.load, target]
    if row.load == "h2load":
        return pin + [find_program("h2load"), f"-c{row.connections}", f"-m{row.depth}",
                      f"-D{max(1, round(seconds))}", f"{scheme}://127.0.0.1:{running.port}{target}"]
    if row.closing:
        return pin + [str(bench.build / "bench/load/connect_load"), str(running.port),
                      f"{seconds:g}", str(row.connections), target, *running.server.fields]
    argv = pin + [find_program("wrk"), "-t1", f"-c{row.connections}", f"-d{max(1, round(seconds))}s"]
    for field in (*running.server.fields, *row.fields):
        argv += ["-H", field]
    if row.depth > 1:
        argv += ["-s", str(HERE / "load/pipeline.lua")]
    if row.curve == "files":
        argv += ["-s", str(HERE / "load/files.lua")]
    argv.append(f"{scheme}://127.0.0.1:{running.port}{target}")
    if row.curve == "files":
        return argv + ["--", str(row.at)]
    return argv + (["--", str(row.depth)] if row.depth > 1 else [])


def is_websocket(row):
    return row.load in ("echo", "broadcast")


def websocket_load(bench, row, running, seconds, on_ready):
    """Opens the connections, calls `on_ready`, and loads; returns as load_run, with what `on_ready` returned when it
    began and when all had come."""
    argv = ["taskset", "-c", str(bench.load_core), str(bench.build / "bench/load/ws_load"),
            str(running.port), f"{seconds:g}", str(row.connections), row.load, row.target]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as load:
        is_ready = load.stdout.readline() == "ready\n"
        before = on_ready()
        if is_ready:
            load.stdin.write("\n")
            load.stdin.flush()
        said = load.stdout.readline()
        after = on_ready()
        load.stdin.close()
        said += load.stderr.read()
        load.wait(seconds + 30)
    found = re.search(r"requests (\d+) errors 0 seconds ([\d.]+)", said)
    if load.returncode != 0 or not found:
        raise BenchError(f"{row.name}: the load on {running.server.name} failed "
                         f"({load.returncode}): {said.strip()[-300:]}")
    return int(found[1]), float(found[2]), before, after


def load_run(bench, row, running, seconds):
    """Loads a server; returns (answers, seconds). Anything but good answers is an error."""
    argv = load_argv(bench, row, running, seconds)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds + 30, check=False)
    said = done.stdout + done.stderr
    if row.load == "h2load":
        return h2load_run(row, running, done.returncode, said)
    if row.closing:
        found = re.search(r"requests (\d+) errors 0 seconds ([\d.]+)", said)
        if done.returncode == 0 and found:
            return int(found[1]), float(found[2])
    else:
        found = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m),", said)
        troubled = re.search(r"Non-2xx|Socket errors: (?!connect 0, read 0, write 0, timeout 0)", said)
        if done.returncode == 0 and found and int(found[1]) > 0 and not troubled:
            return int(found[1]), float(found[2]) * {"ms": 0.001, "s": 1, "m": 60}[found[3]]
    raise BenchError(f"{row.name}: the load on {running.server.name} failed "
                     f"({done.returncode}): {said.strip()[-300:]}")


def h2load_run(row, running, exit_code, said):
    """What h2load says of a run: every request has to have had its answer, of the right protocol."""
    found = re.search(r"finished in ([\d.]+)(ms|s),", said)
    counts = re.search(r"requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, "
                       r"(\d+) errored, (\d+) timeout", said)
    if (exit_code == 0 and found and counts and "Application protocol: h2" in said
            and int(counts[2]) > 0 and all(int(counts[n]) == 0 for n in (3, 4, 5))):
        return int(counts[2]), float(found[1]) * {"ms": 0.001, "s": 1}[found[2]]
    raise BenchError(f"{row.name}: the load on {running.server.name} failed ({exit_code}): "
                     f"{said.strip()[-300:]}")
