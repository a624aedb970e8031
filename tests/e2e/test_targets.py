"""Targets as clients send them: raw bytes name files, and are encoded again wherever they go on."""

import json
import os
import pathlib
import subprocess
import tempfile

import pytest

from lib.runner import Pollux
from lib.wire import Wire

pytestmark = pytest.mark.short

# What names a file, as it is sent, and as it goes on.
NAMES = [
    (b"a[b].txt", b"a%5Bb%5D.txt"),
    (b'{a}|^"<>`.txt', b"%7Ba%7D%7C%5E%22%3C%3E%60.txt"),
    (b"a\\b.txt", b"a%5Cb.txt"),
    ("\u00e4\u20ac.txt".encode(), b"%C3%A4%E2%82%AC.txt"),
]


@pytest.fixture(scope="module")
def tree():
    with tempfile.TemporaryDirectory(prefix="targets-") as folder:
        os.chmod(folder, 0o755)  # workers may be another user
        root = pathlib.Path(folder)
        fill(root)
        yield root


def fill(root):
    for raw, _ in NAMES:
        path = os.path.join(os.fsencode(root), raw)
        with open(path, "wb") as file:
            file.write(raw)
    os.mkdir(root / "d[e]")
    (root / "d[e]" / "index.html").write_text("index")


@pytest.fixture(scope="module")
def server(tree):
    with Pollux("files", "-w1", "--log", "json", str(tree)) as running:
        yield running


def get(server, target):
    with Wire(server.address) as wire:
        wire.send(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return wire.reply()


@pytest.mark.parametrize("raw, encoded", NAMES)
def test_raw_and_encoded_name_the_same_file(server, raw, encoded):
    for target in (b"/" + raw, b"/" + encoded):
        reply = get(server, target)
        assert (reply.status, reply.content) == (200, raw)


@pytest.mark.parametrize("raw, encoded", NAMES[:3])
def test_curl_sends_it_raw(server, raw, encoded):
    url = os.fsencode(server.url) + b"/"
    argv = [b"curl", b"-q", b"-sS", b"--globoff", b"--noproxy", b"*", b"--max-time", b"20",
            b"--request-target", b"/" + raw, url]  # fmt: skip
    assert subprocess.run(argv, capture_output=True, check=True).stdout == raw


def test_curl_globoff(server):
    argv = ["curl", "-q", "-sS", "--globoff", "--noproxy", "*", "--max-time", "20", server.url + "/a[b].txt?x=[1]"]
    assert subprocess.run(argv, capture_output=True, check=True).stdout == b"a[b].txt"


@pytest.mark.parametrize("query", [b"off=100%", b"%", b"%zz", b"a[]=1|2", "\u00e4".encode()])
def test_a_query_is_not_checked(server, query):
    assert get(server, b"/a[b].txt?" + query).status == 200


@pytest.mark.parametrize("target", [b"/a%", b"/a%zz", b"/\xc3", b"/?\xff", b"/a#b", b"/\xed\xa0\x80"])
def test_what_stays_refused(server, target):
    assert get(server, target).status == 400


def test_a_backslash_separates_nothing(server):
    assert get(server, b"/d[e]\\index.html").status == 404
    assert get(server, b"/d[e]\\..\\a[b].txt").status == 404


def test_redirects_are_encoded_again(server):
    reply = get(server, b'/d[e]?q="[x]"&off=100%')
    assert reply.status in (301, 308)
    location = reply.value("Location")
    assert location.endswith("d%5Be%5D/?q=%22%5Bx%5D%22&off=100%25"), location
    # What browsers would take for another host never leaves.
    location = get(server, b"/\\evil.example/x/..").value("Location") or ""
    assert "\\" not in location and not location.startswith("//")


def test_the_log_is_encoded_again(tree):
    with Pollux("files", "-w1", "--log", "json", str(tree)) as running:
        get(running, b'/a[b].txt?q="\xc3\xa4\\"')
        line = json.loads(running.wait_stdout(lambda out: out.endswith(b"\n")))
    assert line["target"] == "/a%5Bb%5D.txt?q=%22%C3%A4%5C%22"


def test_http2_answers_what_is_no_target(server):
    for target, status in (("/a[b].txt", "200"), ("/a%zz", "400"), ("/a[b].txt?off=100%", "200")):
        argv = ["curl", "-q", "-sS", "--globoff", "--http2-prior-knowledge", "--noproxy", "*", "--max-time", "20",
                "-o", "/dev/null", "-w", "%{http_version} %{http_code}", "--request-target", target, server.url]  # fmt: skip
        out = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        assert out == f"2 {status}"
