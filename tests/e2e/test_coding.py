"""`pollux files` compresses: stock decoders get back what is in the folder, byte for byte."""

import gzip
import os
import random
import shutil
import socket
import subprocess
import time

import httpx
import pytest

from lib.runner import Pollux
from lib.wire import Wire

pytestmark = pytest.mark.short

CODINGS = ("gzip", "br", "zstd")
SUFFIX = {"gzip": ".gz", "br": ".br", "zstd": ".zst"}
DECODER = {"br": ["brotli", "-d", "-c"], "zstd": ["zstd", "-d", "-q", "-c"]}
ENCODER = {"br": ["brotli", "-c"], "zstd": ["zstd", "-q", "-c"]}

# The folders of pytest are ours alone: the program stays who we are.
QUIET = ("--log", "off", "-w", "1", "--user", str(os.geteuid()))


def decode(coding, content):
    if coding == "gzip":
        return gzip.decompress(content)
    return subprocess.run(DECODER[coding], input=content, capture_output=True, check=True, timeout=30).stdout


def encode(coding, content):
    if coding == "gzip":
        return gzip.compress(content)
    return subprocess.run(ENCODER[coding], input=content, capture_output=True, check=True, timeout=30).stdout


def text(size, seed=1):
    rng = random.Random(seed)
    words = [bytes(rng.choices(b"abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(500)]
    return b" ".join(rng.choice(words) for _ in range(size // 5 + 1))[:size]


FILES = {
    "small.txt": text(500),
    "page.html": text(5000),
    "data.json": text(200_000),
    "big.js": text(5 << 19),
    "zeros.svg": bytes(1 << 20),
    "noise.csv": random.Random(3).randbytes(1 << 18),
    "picture.png": text(5000),
    "download.bin": text(5000),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    root = tmp_path_factory.mktemp("site")
    for name, content in FILES.items():
        (root / name).write_bytes(content)
    with Pollux("files", root, *QUIET) as server:
        yield server


def get(url, method="GET", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    with httpx.Client(headers={"Accept-Encoding": "identity"}, trust_env=False, timeout=30) as client:
        with client.stream(method, url, headers=headers) as response:
            content = b"".join(response.iter_raw())
            return response, content


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("name", ["page.html", "data.json", "big.js", "zeros.svg", "noise.csv"])
def test_content_comes_back(site, coding, name):
    response, content = get(f"{site.url}/{name}", Accept_Encoding=coding)
    assert response.status_code == 200
    assert response.headers["content-encoding"] == coding
    assert response.headers["vary"] == "Accept-Encoding"
    assert response.headers["etag"].endswith(f'-{coding}"')
    assert "accept-ranges" not in response.headers
    assert decode(coding, content) == FILES[name]
    if name != "noise.csv":
        assert len(content) < len(FILES[name])


def test_what_was_coded_is_kept(site):
    url = f"{site.url}/data.json?kept"
    first, content = get(url, Accept_Encoding="br")
    again, same = get(url, Accept_Encoding="br")
    assert first.headers.get("transfer-encoding") == "chunked" and "content-length" not in first.headers
    assert int(again.headers["content-length"]) == len(content) and same == content
    head, _ = get(url, "HEAD", Accept_Encoding="br")
    assert int(head.headers["content-length"]) == len(content)


@pytest.mark.parametrize("name", ["small.txt", "picture.png", "download.bin"])
def test_what_does_not_shrink_goes_as_it_is(site, name):
    response, content = get(f"{site.url}/{name}", Accept_Encoding="gzip, br, zstd")
    assert "content-encoding" not in response.headers
    assert int(response.headers["content-length"]) == len(content)
    assert content == FILES[name]


@pytest.mark.parametrize(
    "accept, coding",
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "br"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("br;q=0, *", "gzip"),
        ("deflate", None),
        ("gzip;q=0", None),
        ("", None),
    ],
)
def test_weights(site, accept, coding):
    response, content = get(f"{site.url}/page.html", Accept_Encoding=accept)
    assert response.headers.get("content-encoding") == coding
    assert (decode(coding, content) if coding else content) == FILES["page.html"]


def test_curl_compressed(site):
    for name, content in FILES.items():
        done = subprocess.run(
            ["curl", "-q", "-sS", "--compressed", "--noproxy", "*", f"{site.url}/{name}"],
            capture_output=True, timeout=30, check=True)
        assert done.stdout == content


def test_curl_compressed_over_http2(site):
    done = subprocess.run(
        ["curl", "-q", "-sS", "--compressed", "--noproxy", "*", "--http2-prior-knowledge", "-w",
         "%{http_version}", f"{site.url}/big.js"], capture_output=True, timeout=30, check=True)
    assert done.stdout == FILES["big.js"] + b"2"


def test_wget(site, tmp_path):
    for compression in ("auto", "none"):
        out = tmp_path / compression
        subprocess.run(["wget", "-q", "--no-proxy", f"--compression={compression}", "-O", out,
                        f"{site.url}/data.json"], timeout=30, check=True)
        assert out.read_bytes() == FILES["data.json"]


def test_httpx_decodes_by_itself(site):
    with httpx.Client(trust_env=False) as client:
        response = client.get(f"{site.url}/data.json", headers={"Accept-Encoding": "gzip"})
        assert response.headers["content-encoding"] == "gzip"
        assert response.content == FILES["data.json"]


@pytest.mark.parametrize("name", ["page.html", "small.txt", "picture.png", "big.js"])
@pytest.mark.parametrize("accept", ["gzip", "br, zstd", "identity"])
def test_head_is_that_of_get(site, name, accept):
    whole, _ = get(f"{site.url}/{name}", Accept_Encoding=accept)
    head, content = get(f"{site.url}/{name}", "HEAD", Accept_Encoding=accept)
    assert content == b""
    apart = ("date", "transfer-encoding", "connection", "content-length")
    assert [h for h in whole.headers.items() if h[0] not in apart] == [
        h for h in head.headers.items() if h[0] not in apart]
    if "content-length" in head.headers:
        assert head.headers["content-length"] == whole.headers.get(
            "content-length", head.headers["content-length"])


def test_http_1_0_keeps_its_length(site):
    with Wire(site.address) as wire:
        wire.send(b"GET /page.html HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n")
        reply = wire.reply()
    assert reply.value("Content-Encoding") is None and reply.value("Vary") == "Accept-Encoding"
    assert int(reply.value("Content-Length")) == len(FILES["page.html"])
    assert reply.content == FILES["page.html"]


def test_ranges_are_of_the_content_as_it_is(site):
    response, content = get(f"{site.url}/page.html", Accept_Encoding="gzip", Range="bytes=10-19")
    assert response.status_code == 206
    assert "content-encoding" not in response.headers
    assert content == FILES["page.html"][10:20]


@pytest.mark.parametrize("coding", CODINGS)
def test_preconditions_know_the_coded_tag(site, coding):
    url = f"{site.url}/page.html"
    plain = get(url)[0].headers["etag"]
    coded = get(url, Accept_Encoding=coding)[0].headers["etag"]
    assert coded == f'{plain[:-1]}-{coding}"'
    response, content = get(url, Accept_Encoding=coding, If_None_Match=coded)
    assert (response.status_code, content) == (304, b"")
    assert response.headers["etag"] == coded
    assert response.headers["vary"] == "Accept-Encoding"
    # It names another representation than the one that is asked for here.
    assert get(url, If_None_Match=coded)[0].status_code == 200
    # A range of content that has changed its coding is all of it.
    response, content = get(url, Accept_Encoding=coding, If_Range=coded, Range="bytes=0-9")
    assert response.status_code == 200 and decode(coding, content) == FILES["page.html"]


def test_a_cut_answer_is_visibly_broken(site):
    """Read a little of a coded answer and leave; the server goes on."""
    for _ in range(20):
        with socket.create_connection(site.address) as peer:
            peer.sendall(b"GET /big.js HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br\r\n\r\n")
            assert peer.recv(1000)
    assert get(f"{site.url}/page.html")[1] == FILES["page.html"]


def test_many_at_once(site):
    """More than the memory of coders allows: some come as they are, all of them right."""
    peers = []
    try:
        for _ in range(60):
            peer = socket.create_connection(site.address)
            peer.settimeout(60)
            peer.sendall(b"GET /big.js HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                         b"Accept-Encoding: gzip, br, zstd\r\n\r\n")
            peers.append(peer)
        for peer in peers[::7]:
            whole = b"".join(iter(lambda: peer.recv(1 << 20), b""))
            assert whole.startswith(b"HTTP/1.1 200 OK\r\n")
            assert whole.endswith(b"\r\n0\r\n\r\n") or b"Content-Length" in whole[:1000]
    finally:
        for peer in peers:
            peer.close()


# --- Sidecars ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def precompressed(tmp_path_factory):
    root = tmp_path_factory.mktemp("precompressed")
    past = time.time() - 1000
    (root / "app.js").write_bytes(FILES["data.json"])
    os.utime(root / "app.js", (past, past))
    for coding in CODINGS:
        (root / f"app.js{SUFFIX[coding]}").write_bytes(encode(coding, FILES["data.json"]))
    (root / "old.css").write_bytes(FILES["page.html"])
    (root / "old.css.gz").write_bytes(gzip.compress(b"of another version"))
    os.utime(root / "old.css.gz", (past, past))
    (root / "index.html").write_bytes(FILES["page.html"])
    os.utime(root / "index.html", (past, past))
    (root / "index.html.br").write_bytes(encode("br", FILES["page.html"]))
    (root / "tiny.txt").write_bytes(b"tiny")
    (root / "tiny.txt.gz").symlink_to("/etc/passwd")
    with Pollux("files", root, *QUIET) as server:
        server.root = root
        yield server


@pytest.mark.parametrize("coding", CODINGS)
def test_sidecars_are_sent_as_they_are(precompressed, coding):
    url = f"{precompressed.url}/app.js"
    sidecar = (precompressed.root / f"app.js{SUFFIX[coding]}").read_bytes()
    tags = {get(url)[0].headers["etag"]}
    response, content = get(url, Accept_Encoding=coding)
    assert content == sidecar and decode(coding, content) == FILES["data.json"]
    assert response.headers["content-encoding"] == coding
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    assert response.headers["vary"] == "Accept-Encoding"
    assert int(response.headers["content-length"]) == len(sidecar)
    assert response.headers["etag"] not in tags
    etag = response.headers["etag"]
    assert get(url, Accept_Encoding=coding, If_None_Match=etag)[0].status_code == 304
    assert get(url, If_None_Match=etag)[0].status_code == 200
    response, content = get(url, Accept_Encoding=coding, Range="bytes=5-24")
    assert response.status_code == 206 and content == sidecar[5:25]
    assert response.headers["content-encoding"] == coding


@pytest.mark.parametrize("accept, coding", [
    ("gzip, br, zstd", "zstd"), ("gzip;q=1, br;q=0.9", "gzip"), ("identity, gzip;q=0.5", None),
    ("gzip;q=0", None), ("*", "gzip")])
def test_sidecars_by_weight(precompressed, accept, coding):
    response, _ = get(f"{precompressed.url}/app.js", Accept_Encoding=accept)
    assert response.headers.get("content-encoding") == coding


def test_an_index_has_sidecars(precompressed):
    response, content = get(precompressed.url + "/", Accept_Encoding="br")
    assert content == (precompressed.root / "index.html.br").read_bytes()
    assert response.headers["content-type"] == "text/html; charset=utf-8"


def test_an_old_sidecar_is_not_used(precompressed):
    _, content = get(f"{precompressed.url}/old.css", Accept_Encoding="gzip")
    assert gzip.decompress(content) == FILES["page.html"]


def test_a_sidecar_that_leads_out_is_not_used(precompressed):
    response, content = get(f"{precompressed.url}/tiny.txt", Accept_Encoding="gzip")
    assert "content-encoding" not in response.headers and content == b"tiny"


def test_a_sidecar_itself_is_a_file(precompressed):
    response, content = get(f"{precompressed.url}/app.js.gz", Accept_Encoding="gzip")
    assert "content-encoding" not in response.headers
    assert response.headers["content-type"] == "application/gzip"
    assert content == (precompressed.root / "app.js.gz").read_bytes()


def test_no_compress(precompressed):
    with Pollux("files", precompressed.root, "--no-compress", *QUIET) as server:
        for name in ("app.js", "old.css"):
            response, content = get(f"{server.url}/{name}", Accept_Encoding="gzip, br, zstd")
            assert "content-encoding" not in response.headers and "vary" not in response.headers
            assert content == (precompressed.root / name).read_bytes()


def test_a_sidecar_that_comes_and_goes(tmp_path):
    (tmp_path / "a.txt").write_bytes(FILES["page.html"])
    with Pollux("files", tmp_path, *QUIET) as server:
        def is_sidecar():
            response, content = get(f"{server.url}/a.txt", Accept_Encoding="gzip")
            assert gzip.decompress(content) == FILES["page.html"]
            return not response.headers["etag"].endswith('-gzip"')

        assert not is_sidecar()
        sidecar = gzip.compress(FILES["page.html"])
        (tmp_path / "new").write_bytes(sidecar)
        shutil.move(tmp_path / "new", tmp_path / "a.txt.gz")
        deadline = time.monotonic() + 20
        while not is_sidecar():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        (tmp_path / "a.txt.gz").unlink()
        while is_sidecar():
            assert time.monotonic() < deadline
            time.sleep(0.1)
