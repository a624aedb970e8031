"""Stock servers behind a proxy, and stock proxies in front of it."""

import json
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager

import pytest

from lib.browser import Browser
from lib.runner import ROOT, is_listening
from lib.upstream import Upstream
from test_proxy import Haproxy, free_port
from test_proxy_smuggling import node
from test_proxy_upstream import proxy
from test_websocket_peers import SCRIPT

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")

pytestmark = pytest.mark.short


def fetched(address, text):
    """A whole answer to a request whose connection closes: its head and its content."""
    with socket.create_connection(address, 10) as sock:
        sock.sendall(text)
        answer = b""
        while piece := sock.recv(65536):
            answer += piece
    head, content = answer.split(b"\r\n\r\n", 1)
    return head, content


def get(path, method=b"GET", content=None):
    length = b"" if content is None else b"Content-Length: %d\r\n" % len(content)
    head = method + b" " + path + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + length + b"\r\n"
    return head + (content or b"")


@contextmanager
def started(argv, port, **more):
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
    try:
        end = time.monotonic() + 20
        while not is_listening(port):
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


def test_node(tmp_path):
    with node(tmp_path) as (port, _), proxy(f"http://127.0.0.1:{port}") as server:
        for count in (0, 5, 300000):
            head, content = fetched(server.address, get(b"/a?b", b"POST", b"x" * count))
            assert content == b"POST /a?b %d" % count and b" 200 " in head


def test_http_server_of_python(tmp_path):
    """HTTP/1.0, answers that end with the connection."""
    (tmp_path / "file").write_bytes(bytes(range(256)) * 2000)
    port = free_port()
    argv = ["python3", "-m", "http.server", "--bind", "127.0.0.1", "-d", str(tmp_path), str(port)]
    with started(argv, port), proxy(f"http://127.0.0.1:{port}") as server:
        for _ in range(3):
            head, content = fetched(server.address, get(b"/file"))
            assert content == bytes(range(256)) * 2000 and b"\r\nVia: 1.0 pollux" in head
        head, _ = fetched(server.address, get(b"/none"))
        assert b" 404 " in head.split(b"\r\n")[0]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_nginx_in_front(tmp_path, version):
    """It speaks HTTP/1.0 to servers unless it is told otherwise."""
    assert NGINX, "nginx is not installed (script/bootstrap test)"
    port = free_port()
    with Upstream() as upstream, proxy(upstream) as server:
        kinds = "".join(f"{k}_temp_path {tmp_path}/{k};" for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (tmp_path / "nginx.conf").write_text(f"""
            daemon off; worker_processes 1; pid {tmp_path}/pid; error_log {tmp_path}/error.log crit;
            {"user root root;" if os.geteuid() == 0 else ""}
            events {{ worker_connections 64; }}
            http {{ {kinds} access_log off;
                server {{ listen 127.0.0.1:{port}; location / {{
                    proxy_http_version {version}; proxy_set_header Connection "";
                    proxy_pass http://127.0.0.1:{server.address[1]}; }} }} }}""")
        argv = [NGINX, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), "-e", str(tmp_path / "error.log")]
        with started(argv, port):
            for content in (b"", b"x" * 100000):
                head, answer = fetched(("127.0.0.1", port), get(b"/x", b"POST", content))
                assert answer == b"ok" and upstream.contents.pop() == content
            assert upstream.heads[-1].startswith(b"POST /x HTTP/1.1\r\n")


def test_haproxy_in_front_and_behind(tmp_path):
    with node(tmp_path) as (port, _), Haproxy(("127.0.0.1", port), "", "") as behind:
        with proxy(f"http://127.0.0.1:{behind.port}") as server, Haproxy(server.address, "", "") as front:
            for count in (0, 5, 100000):
                _, answer = fetched(("127.0.0.1", front.port), get(b"/x", b"POST", b"x" * count))
                assert answer == b"POST /x %d" % count


@pytest.mark.parametrize("target, extensions", [("/socket", ""), ("/socket?deflate=1", "permessage-deflate")])
def test_a_websocket_of_chromium(gallery, target, extensions):
    with proxy("http://%s:%d" % gallery.addresses[0]) as server, Browser() as browser:
        there = "%s:%d" % server.address
        page = browser.open(f"http://{there}/text")
        said = page.evaluate(SCRIPT % json.dumps(f"ws://{there}{target}"))
        assert said == {"got": [True] * 4, "code": 4002, "clean": True, "protocol": "chat", "extensions": extensions}


@pytest.mark.parametrize("compressed", ["no", "yes"])
def test_a_websocket_of_npm(gallery, compressed):
    script = ROOT / "tests/e2e/lib/websocket_peer.js"
    with proxy("http://%s:%d" % gallery.addresses[0]) as server:
        url = "ws://%s:%d/socket?deflate=1&min=1" % server.address
        argv = [shutil.which("node"), script, ROOT / "build/npm", url, compressed]
        done = subprocess.run(argv, capture_output=True, timeout=60, check=True)
    said = json.loads(done.stdout)
    assert said.pop("extensions") == ("permessage-deflate" if compressed == "yes" else "")
    assert said == {"same": 14, "pongs": 1, "code": 4001, "protocol": "chat", "sent": 14}
