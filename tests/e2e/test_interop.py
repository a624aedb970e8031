"""Stock clients over TLS and HTTP/2: curl, nghttp, h2load, Node, Python's h2 and httpx, Chromium.

(Over HTTP/1.1 in the clear: test_clients.py. openssl s_client: test_tls_hostile.py.)
"""

import json
import re
import struct
import subprocess
import time
import zlib
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import httpx
import pytest

from lib.runner import Pollux, parse_address
from lib.tls import TlsWire
from lib.wire import Wire

TEXT = b"Hello, world!"


def run(*argv, seconds=60, code=0):
    done = subprocess.run(list(map(str, argv)), capture_output=True, timeout=seconds, stdin=subprocess.DEVNULL)
    out, err = done.stdout, done.stderr.decode("utf-8", "replace")
    assert done.returncode == code, f"{argv}: {done.returncode}, {out[-500:]!r} {err[-1500:]}"
    return out, err


@pytest.fixture(params=["clear", "tls"])
def url(request, secure):
    """With a way to reach it for each client."""
    index, scheme = (0, "http") if request.param == "clear" else (1, "https")
    return f"{scheme}://127.0.0.1:{secure.addresses[index][1]}"


# --- curl ----------------------------------------------------------------------------------------


def curl(secure, *args):
    return run("curl", "-q", "-sS", "--max-time", "20", "--noproxy", "*", "--cacert", secure.authority.path, *args)[0]


def version_flag(url):
    return "--http2" if url.startswith("https") else "--http2-prior-knowledge"


@pytest.mark.short
def test_curl(secure, url):
    flags = [version_flag(url), "-w", "\n%{http_version} %{http_code} %{num_connects}\n"]
    if url.startswith("https"):
        out = curl(secure, *flags, url, url + "/two")
        assert out == b"Hello, world!\n2 200 1\nHello, world!\n2 200 0\n"
    else:
        # Debian's curl 7.88 fails to use such a connection twice, with any server.
        assert curl(secure, *flags, url) == b"Hello, world!\n2 200 1\n"


@pytest.mark.short
def test_curl_http_1_over_tls(secure):
    url = f"https://127.0.0.1:{secure.addresses[1][1]}"
    for flags in (["--http1.1"], ["--no-alpn"], ["--tls-max", "1.2", "--http1.1"]):
        assert curl(secure, *flags, "-w", " %{http_version}", url) == b"Hello, world! 1.1"
    assert curl(secure, "--http2", "--tls-max", "1.2", "-w", " %{http_version}", url) == b"Hello, world! 2"


@pytest.mark.short
@pytest.mark.parametrize("size", [0, 1, 100000, 1048576])
def test_curl_post(secure, url, size, tmp_path):
    path = tmp_path / "content"
    path.write_bytes(b"x" * size)
    for field in ("A: b", "Expect: 100-continue"):
        out = curl(secure, version_flag(url), "-H", field, "--data-binary", f"@{path}", "-w", " %{http_code}", url)
        assert out == b"Hello, world! 200"
    assert curl(secure, version_flag(url), "-T", path, url) == TEXT


@pytest.mark.short
@pytest.mark.parametrize("args, code", [(["-I"], b"200"), (["-X", "DELETE"], b"200"), (["-X", "TRACE"], b"405"), (["-X", "BREW"], b"501"),
                                        (["-X", "OPTIONS", "--request-target", "*"], b"200")])  # fmt: skip
def test_curl_methods(secure, url, args, code):
    assert curl(secure, version_flag(url), *args, "-o", "/dev/null", "-w", "%{http_code}", url) == code


@pytest.mark.short
def test_curl_too_large(secure, url, tmp_path):
    path = tmp_path / "content"
    path.write_bytes(b"x" * 5_000_000)
    out = curl(secure, version_flag(url), "-o", "/dev/null", "-w", "%{http_code}", "--data-binary", f"@{path}", url)
    assert out == b"413"


def test_curl_in_parallel(secure):
    url = f"https://127.0.0.1:{secure.addresses[1][1]}"
    out = curl(secure, version_flag(url), "--parallel", "--parallel-max", "50", "-w", "%{http_code} ", "-o", "/dev/null",
               *[f"{url}/[1-200]"])  # fmt: skip
    assert out.count(b"200") == 200


# --- nghttp and h2load ---------------------------------------------------------------------------


def nghttp(url, *args):
    return run("nghttp", "-y", *args, url)[0]


@pytest.mark.short
def test_nghttp(url, tmp_path):
    """It reports what it finds wrong with frames in its log."""
    out = nghttp(url, "-v")
    assert b"Hello, world!" in out and b":status: 200" in out and b"error_code=NO_ERROR" in out or b"GOAWAY" in out
    assert not re.search(rb"PROTOCOL_ERROR|INTERNAL_ERROR|\[ERROR\]", out), out[-2000:]
    path = tmp_path / "content"
    path.write_bytes(b"x" * 300000)
    assert nghttp(url, "-d", path) == TEXT
    assert nghttp(url, "-d", path, "--trailer", "x-sum: 1", "-b", "200") == TEXT
    assert nghttp(url, "-m", "100", "-w", "10") == TEXT * 100
    assert nghttp(url, "-H", ":method: HEAD") == b""
    assert nghttp(url, "-c", "0") == nghttp(url, "-c", "65536") == TEXT


def h2load(url, *args):
    out = run("h2load", *args, url)[0].decode()
    count = int(args[args.index("-n") + 1])
    assert re.search(rf"{count} total, {count} started, {count} done, {count} succeeded, 0 failed, 0 errored, 0 timeout", out), out
    assert f"status codes: {count} 2xx, 0 3xx, 0 4xx, 0 5xx" in out, out
    return out


@pytest.mark.parametrize("streams", ["1", "100"])
def test_h2load(url, streams):
    out = h2load(url, "-n", "5000", "-c", "20", "-m", streams)
    assert "Application protocol: h2" in out


def test_h2load_http_1(url):
    h2load(url, "-n", "2000", "-c", "20", "--h1")


def test_h2load_small_windows(url):
    h2load(url, "-n", "1000", "-c", "4", "-m", "32", "-w", "2", "-W", "16")


def test_h2load_content(url, tmp_path):
    path = tmp_path / "content"
    path.write_bytes(b"x" * 50000)
    h2load(url, "-n", "400", "-c", "4", "-m", "10", "-d", str(path))


# --- Node ----------------------------------------------------------------------------------------


@pytest.mark.short
def test_node(secure, url):
    client = Path(__file__).parent / "lib" / "client2.js"
    out, _ = run("node", client, url, *([secure.authority.path] if url.startswith("https") else []))
    assert json.loads(out) == {
        "protocol": "h2" if url.startswith("https") else "h2c", "many": 300, "posted": 200, "head": [200, 0],
        "pinged": True, "after": 200,
    }  # fmt: skip


# --- Python: h2 and httpx ------------------------------------------------------------------------


def wire_for(secure, url):
    address = parse_address(url.split("//")[1])
    if url.startswith("https"):
        return TlsWire(address, secure.authority.context(alpn=["h2"]))
    return Wire(address)


@pytest.mark.short
def test_python_h2(secure, url):
    """Its state machine judges every frame, with code that is not ours."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
    head = [(":method", "GET"), (":scheme", url.split(":")[0]), (":authority", "a"), (":path", "/")]
    with wire_for(secure, url) as wire:
        connection.initiate_connection()
        streams = list(range(1, 161, 2))
        for stream in streams:
            connection.send_headers(stream, head, end_stream=stream % 3 != 0)
            if stream % 3 == 0:
                connection.send_data(stream, b"x" * 500, end_stream=True)
        wire.send(connection.data_to_send())
        got, statuses, over = {}, {}, set()
        while len(over) < len(streams):
            if not wire.received:
                assert wire._more(time.monotonic() + 10), "closed"
            chunk, wire.received = wire.received, b""
            for event in connection.receive_data(chunk):
                if isinstance(event, h2.events.ResponseReceived):
                    statuses[event.stream_id] = dict(event.headers)[":status"]
                elif isinstance(event, h2.events.DataReceived):
                    got[event.stream_id] = got.get(event.stream_id, b"") + event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    over.add(event.stream_id)
                else:
                    assert not isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)), event
            wire.send(connection.data_to_send())
    assert statuses == {stream: "200" for stream in streams}
    assert got == {stream: TEXT for stream in streams}


@pytest.mark.short
def test_httpx(secure):
    url = f"https://127.0.0.1:{secure.addresses[1][1]}"
    for http2 in (True, False):
        context = secure.authority.context()
        with httpx.Client(base_url=url, verify=context, http2=http2, trust_env=False) as client:
            for _ in range(20):
                response = client.get("/")
                assert response.text == "Hello, world!"
                assert response.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
            assert client.head("/").headers["content-length"] == "13"
            assert client.post("/", content=b"x" * 1000000).status_code == 200
            assert client.post("/", content=(b"x" * 1000 for _ in range(50))).status_code == 200
            assert client.post("/", data={"a": "b"}, files={"f": b"content"}).status_code == 200
            assert client.request("BREW", "/").status_code == 501


# --- Chromium ------------------------------------------------------------------------------------

PAGE = """<!doctype html><title>200</title>
%s
<script>
window.addEventListener('load', () => {
  const images = [...document.images];
  const whole = images.filter((image) => image.complete && image.naturalWidth === 8).length;
  const protocols = new Set(performance.getEntriesByType('resource').map((entry) => entry.nextHopProtocol));
  document.body.dataset.result = `${whole} of ${images.length} over ${[...protocols].sort()}`;
});
</script>
"""


def png(red, green):
    """Eight by eight pixels of one colour."""

    def chunk(kind, content):
        return struct.pack("!L", len(content)) + kind + content + struct.pack("!L", zlib.crc32(kind + content))

    rows = (b"\0" + bytes([red, green, 99]) * 8) * 8
    head = struct.pack("!LLBBBBB", 8, 8, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def images(authority, tmp_path_factory):
    """A page with 200 images, served as files."""
    root = tmp_path_factory.mktemp("images")
    for n in range(200):
        (root / f"{n}.png").write_bytes(png(n, 255 - n))
    (root / "index.html").write_text(PAGE % "\n".join(f'<img src="{n}.png" alt="">' for n in range(200)))
    root.chmod(0o755)
    cert, key = authority.issue("127.0.0.1", file="images")
    argv = ["files", root, "--log", "off", "-w", "1", "--tls-cert", cert, "--tls-key", key]
    with Pollux(*argv, "-l", "127.0.0.1:0", "-l", "https://127.0.0.1:0") as server:
        yield server


@pytest.mark.parametrize("scheme, protocol", [("https", "h2"), ("http", "http/1.1")])
def test_chromium(images, scheme, protocol, tmp_path):
    port = images.addresses[scheme == "https"][1]
    out, err = run(
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--ignore-certificate-errors",
        f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=20000", "--dump-dom",
        f"{scheme}://127.0.0.1:{port}/", seconds=100,
    )  # fmt: skip
    assert f'data-result="200 of 200 over {protocol}"'.encode() in out, (out[-600:], err[-600:])
