"""Stock clients: what everybody has must simply work."""

import json
import re
import subprocess
from pathlib import Path

import h11
import httpx
import pytest

from lib.runner import Pollux
from lib.wire import connect

pytestmark = pytest.mark.short

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def curl(*args):
    done = subprocess.run(
        ["curl", "-q", "-sS", "--max-time", "20", "--noproxy", "*", *map(str, args)],
        capture_output=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout, done.stderr.decode()


# --- curl ----------------------------------------------------------------------------------------


def test_curl(plain):
    assert curl(plain.url)[0] == b"Hello, world!"


def test_curl_keeps_the_connection(plain):
    count = "%{stderr}%{num_connects},%{stdout}"
    out, err = curl("-w", count, plain.url, plain.url + "/two", plain.url + "/three")
    assert out == b"Hello, world!" * 3
    assert err == "1,0,0,", "connections that each transfer made"


def test_curl_head(plain):
    out, _ = curl("-I", plain.url)
    assert out.startswith(b"HTTP/1.1 200 OK\r\n") and b"\r\nContent-Length: 13\r\n" in out


def test_curl_http_1_0(plain):
    assert curl("--http1.0", plain.url)[0] == b"Hello, world!"


@pytest.mark.parametrize("size", [0, 5, 100000, 1048576])
@pytest.mark.parametrize("field", ["A: b", "Transfer-Encoding: chunked", "Expect:", "Expect: 100-continue"])
def test_curl_post(plain, size, field, tmp_path):
    path = tmp_path / "content"
    path.write_bytes(b"x" * size)
    out, err = curl("-v", "-H", field, "--data-binary", f"@{path}", plain.url)
    assert out == b"Hello, world!" and "HTTP/1.1 200 OK" in err
    if field == "Expect: 100-continue" and size:
        assert "HTTP/1.1 100 Continue" in err


def test_curl_upload(plain, tmp_path):
    path = tmp_path / "content"
    path.write_bytes(b"x" * 300000)
    assert curl("-T", path, plain.url)[0] == b"Hello, world!"


def test_curl_too_large(plain, tmp_path):
    path = tmp_path / "content"
    path.write_bytes(b"x" * 5_000_000)
    for field in ("Expect:", "Expect: 100-continue"):
        out, _ = curl("-o", "/dev/null", "-w", "%{http_code}", "-H", field, "--data-binary", f"@{path}", plain.url)
        assert out == b"413"


@pytest.mark.parametrize("method, status", [("DELETE", 200), ("OPTIONS", 200), ("TRACE", 405), ("BREW", 501)])
def test_curl_methods(plain, method, status):
    out, _ = curl("-X", method, "-o", "/dev/null", "-w", "%{http_code}", plain.url)
    assert out == b"%d" % status


def test_curl_unix(tmp_path):
    path = tmp_path / "sock"
    with Pollux("respond", "--log=off", "-w1", "-l", f"unix:{path}"):
        assert curl("--unix-socket", path, "http://a/", "http://a/2")[0] == b"Hello, world!" * 2


def test_curl_ipv6():
    with Pollux("respond", "--log=off", "-w1", "-l", "[::1]:0") as server:
        assert curl("-g", server.url)[0] == b"Hello, world!"


def test_curl_http2_upgrade_is_declined(plain):
    out, err = curl("-v", "--http2", plain.url)
    assert out == b"Hello, world!" and "101 Switching" not in err


# --- h11 -----------------------------------------------------------------------------------------


def h11_ask(sock, connection, method="GET", content=b"", fields=()):
    framing = [("Content-Length", str(len(content)))] if content else []
    request = h11.Request(method=method, target="/", headers=[("Host", "a"), *framing, *fields])
    sock.sendall(connection.send(request))
    if content:
        sock.sendall(connection.send(h11.Data(data=content)))
    sock.sendall(connection.send(h11.EndOfMessage()))
    informational, response, got = [], None, b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(sock.recv(65536))
        elif isinstance(event, h11.InformationalResponse):
            informational.append(event.status_code)
        elif isinstance(event, h11.Response):
            response = event
        elif isinstance(event, h11.Data):
            got += event.data
        elif isinstance(event, h11.EndOfMessage):
            return response, got, informational


def test_h11(plain):
    connection = h11.Connection(h11.CLIENT)
    with connect(plain.address) as sock:
        for method, content in [("GET", b""), ("HEAD", b""), ("POST", b"x" * 70000), ("GET", b"")]:
            response, got, _ = h11_ask(sock, connection, method, content)
            assert response.status_code == 200
            assert got == (b"" if method == "HEAD" else b"Hello, world!")
            connection.start_next_cycle()
        response, _, _ = h11_ask(sock, connection, fields=[("Connection", "close")])
        assert response.status_code == 200
        assert connection.their_state is h11.MUST_CLOSE or connection.their_state is h11.CLOSED
        assert sock.recv(1) == b""


# --- Node and httpx ------------------------------------------------------------------------------


def test_node(plain):
    host, port = plain.address
    done = subprocess.run(
        ["node", str(Path(__file__).parent / "lib" / "client.js"), host, str(port)],
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == {"reused": True, "many": 300}


def test_httpx(plain):
    with httpx.Client(base_url=plain.url, trust_env=False) as client:
        for _ in range(20):
            assert client.get("/").text == "Hello, world!"
        assert client.head("/").headers["content-length"] == "13"
        assert client.post("/", content=b"x" * 100000).status_code == 200
        assert client.post("/", content=(b"x" * 1000 for _ in range(50))).status_code == 200
        assert client.post("/", data={"a": "b"}, files={"f": b"content"}).status_code == 200
        assert client.request("BREW", "/").status_code == 501


def test_httpx_refused():
    """It reads only when it has sent everything, so what is refused must fit what a lingering
    close still takes (1 MiB)."""
    with Pollux("respond", "--log=off", "--max-content=64k") as server:
        with httpx.Client(base_url=server.url, trust_env=False) as client:
            assert client.post("/", content=b"x" * 800_000).status_code == 413
            assert client.get("/").status_code == 200


# --- wrk -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_wrk(workers):
    """A short burst of load, without one error."""
    with Pollux("respond", "--log=off", "-w", workers) as server:
        done = subprocess.run(
            ["wrk", "-t1", "-c64", "-d2s", "--timeout", "5s", server.url], capture_output=True, timeout=30
        )
        out = done.stdout.decode()
        assert done.returncode == 0, done.stderr
        assert "Socket errors" not in out and "Non-2xx" not in out, out
        count = int(re.search(r"(\d+) requests in", out)[1])
        assert count > 1000, f"hardly any load: {out}"


def test_wrk_connection_per_request():
    with Pollux("respond", "--log=off", "-w1") as server:
        done = subprocess.run(
            ["wrk", "-t1", "-c16", "-d1s", "-H", "Connection: close", server.url], capture_output=True, timeout=30
        )
        out = done.stdout.decode()
        assert "Non-2xx" not in out and not re.search(r"connect [1-9]|write [1-9]|timeout [1-9]", out), out
        assert int(re.search(r"(\d+) requests in", out)[1]) > 200, out
