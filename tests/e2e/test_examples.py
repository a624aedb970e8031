"""The examples do what their first lines say.  (howto has a file of its own.)"""

import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
import zlib
from contextlib import contextmanager

import pytest

from lib.browser import Browser
from lib.runner import BUILD, ROOT, Child, clean_environment, is_listening_unix
from lib.tls import TlsWire
from lib.transport import H1Client, H2Client
from lib.upstream import Upstream
from lib.echo import running_example
from lib.websocket import BINARY, TEXT, Socket, frame
from lib.wire import DEADLINE_S, Wire, ask, connect

pytestmark = pytest.mark.short

EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.c"))


def get(target, *fields):
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: a", *fields, "", ""]).encode()


@contextmanager
def example(name, tmp_path, *args):
    with running_example(name, str(tmp_path / "sock"), *args) as child:
        yield child.path


def test_each_is_built_short_and_tested():
    assert len(EXAMPLES) >= 9
    tests = (ROOT / "tests/e2e/test_examples.py").read_text()
    for name in EXAMPLES:
        assert os.access(BUILD / "examples" / name, os.X_OK), name
        lines = (ROOT / "examples" / f"{name}.c").read_text().splitlines()
        assert len(lines) < (120 if name == "chat" else 60), f"{name}: {len(lines)} lines"
        assert lines[0].startswith("/*"), name
        assert name == "howto" or f'"{name}"' in tests, name


def test_https(tmp_path):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with example("https", tmp_path) as path, TlsWire(path, context, "a") as wire:
        wire.send(get("/"))
        assert wire.reply().content == b"a by TLSv1.3\n"


def test_exporter(tmp_path):
    with example("exporter", tmp_path) as path:
        for _ in range(2):
            with Wire(path) as wire:
                wire.send(get("/metrics"))
                text = wire.reply().content.decode()
            loads = dict(re.findall(r'^machine_load{minutes="(1|5|15)"} ([0-9.]+)$', text, re.M))
            assert set(loads) == {"1", "5", "15"} and text.count("# TYPE machine_load gauge\n") == 1
            with open("/proc/loadavg", encoding="ascii") as file:
                assert abs(float(file.read().split()[2]) - float(loads["15"])) < 1
        assert 'http_route="/metrics"' in text, text  # the first of the two


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_address_that_is_none(name):
    """Each says in one line what is wrong, and fails."""
    done = subprocess.run(
        [BUILD / "examples" / name, "nonsense"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=10, env=clean_environment(),
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith(name.encode() + b": ") and done.stderr.count(b"\n") == 1, done.stderr


def test_hello(tmp_path):
    with example("hello", tmp_path) as path:
        with Wire(path) as wire:
            wire.send(get("/") + get("/x") + b"POST / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert wire.reply().content == b"Hello, world!"
            assert wire.reply().status == 404
            assert wire.reply().status == 405


def test_api(tmp_path):
    with example("api", tmp_path) as path:
        with Wire(path) as wire:
            for request, content in [
                (get("/version"), b'{"version": "0.1.0"}\n'),
                (get("/greet?name=Ada"), b'{"greeting": "Hello Ada"}\n'),
                (get("/greet?x=y&name=A+%22B", "Accept-Language: de-CH"), b'{"greeting": "Hallo A _B"}\n'),
                (get("/users/a%2Fb"), b'{"user": "a/b"}\n'),
                (get("/users/" + "x" * 400), b'{"user": "' + b"x" * 238 + b'"}\n'),
            ]:
                wire.send(request)
                reply = wire.reply()
                assert (reply.status, reply.content) == (200, content)
                assert reply.value("Content-Type") == "application/json"


def test_files(tmp_path):
    with example("files", tmp_path) as path:
        with Wire(path) as wire:
            wire.send(get("/") + get("/static") + get("/static/") + get("/static/no-such-file") + get("/static/../x"))
            assert wire.reply().value("Location") == "/static/"
            assert wire.reply().value("Location") == "static/"
            assert wire.reply().status == 200
            assert wire.reply().status == 404
            assert wire.reply().status == 400


def test_post(tmp_path):
    with example("post", tmp_path) as path:
        wires = [Wire(path) for _ in range(20)]
        before = time.monotonic()
        for wire in wires:
            wire.send(get("/"))
        for wire in wires[:5]:
            wire.close_with_reset()  # the answers find nobody
        for wire in wires[5:]:
            assert wire.reply().content == b"worked out\n"
            wire.close()
        assert time.monotonic() - before < 1.5, "they waited for each other"
        assert ask(path, get("/")).status == 200


def test_pool(tmp_path):
    """More requests than the queue holds: each is answered, or told 503; and what left is not missed."""

    def post(content):
        return f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len(content)}\r\n\r\n{content}".encode()

    with example("pool", tmp_path) as path:
        wires = [Wire(path) for _ in range(700)]
        for index, wire in enumerate(wires):
            wire.send(post(f"job {index}"))
        for wire in wires[:5]:
            wire.close_with_reset()
        statuses = []
        for index, wire in list(enumerate(wires))[5:]:
            reply = wire.reply()
            statuses.append(reply.status)
            if reply.status == 200:
                assert reply.content == f"job {index}".encode()
            wire.close()
        assert set(statuses) == {200, 503} and statuses.count(200) >= 400, statuses.count(200)
        assert ask(path, post("last")).content == b"last"


def test_upload(tmp_path):
    part = b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
    big = b"y" * 3_000_000
    content = part % (b"a", b"12345") + part % (b"b", big) + b"--x--\r\n"
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
    with example("upload", tmp_path) as path:
        with Wire(path) as wire:
            wire.send(head % (b"multipart/form-data; boundary=x", len(content)) + content)
            assert wire.reply().content == b"2 parts, 3000005 bytes\n"
            wire.send(head % (b"multipart/form-data; boundary=x", 9) + b"nonsense\n")
            assert wire.reply().status == 400
        assert ask(path, head % (b"text/plain", 1) + b"x").status == 415


def test_producer(tmp_path):
    with example("producer", tmp_path) as path:
        with Wire(path) as wire:
            wire.send(get("/?n=200000") + get("/") + get("/?n=0"))
            assert wire.reply().content == b"".join(b"%d\n" % n for n in range(1, 200001))
            assert wire.reply().content == b"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n"
            assert wire.reply().content == b""


def test_tunnel(tmp_path):
    data = os.urandom(1 << 20) * 8
    with example("tunnel", tmp_path) as path:
        assert ask(path, get("/")).status == 400
        with connect(path) as sock:
            sock.settimeout(DEADLINE_S)
            sock.sendall(get("/", "Connection: upgrade", "Upgrade: echo"))
            head = b""
            while b"\r\n\r\n" not in head:
                head += sock.recv(1)
            assert head.startswith(b"HTTP/1.1 101 ")

            def send():
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)

            # It is not read from for a while: it must wait, and lose nothing.
            sender = threading.Thread(target=send)
            sender.start()
            time.sleep(0.5)
            back = bytearray()
            while chunk := sock.recv(65536):
                back += chunk
            sender.join(DEADLINE_S)
            assert bytes(back) == data


def test_threads():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        address = sock.getsockname()
    child = Child([BUILD / "examples" / "threads", "%s:%d" % address])
    try:
        end = time.monotonic() + DEADLINE_S
        answers = set()
        while len(answers) < 2:
            assert child.running and time.monotonic() < end, (answers, child.stderr)
            try:
                answers.add(ask(address, get("/")).content)
            except ConnectionRefusedError:
                time.sleep(0.01)
        assert answers == {b"first\n", b"second\n"}
        child.signal(signal.SIGINT)
        assert child.wait() == 0
        child.assert_clean()
    finally:
        child.kill()


def test_poll_loop(tmp_path):
    path = str(tmp_path / "sock")
    with subprocess.Popen(
        [BUILD / "examples" / "poll_loop", f"unix:{path}"],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment(),
    ) as child:  # fmt: skip
        try:
            end = time.monotonic() + DEADLINE_S
            while not is_listening_unix(path):
                assert child.poll() is None and time.monotonic() < end
                time.sleep(0.01)
            with Wire(path) as wire:
                wire.send(get("/") * 3)
                for n in (1, 2, 3):
                    assert wire.reply().content == b"request %d\n" % n
                child.stdin.write(b"not yet\n")
                child.stdin.flush()
                wire.send(get("/"))
                assert wire.reply().content == b"request 4\n"
            child.stdin.write(b"quit\n")
            child.stdin.flush()
            assert child.wait(DEADLINE_S) == 0
            assert child.stderr.read() == b""
        finally:
            child.kill()


def test_gateway(tmp_path):
    with Upstream() as one, Upstream() as two, example("gateway", tmp_path, one.url, two.url) as path:
        for _ in range(4):
            assert ask(path, get("/")).content == b"ok"
        assert (len(one.heads), len(two.heads)) == (2, 2)


def test_fetch(tmp_path):
    def fetch(url):
        return subprocess.run([BUILD / "examples" / "fetch", url], capture_output=True, timeout=DEADLINE_S,
                              env=clean_environment())  # fmt: skip

    with example("hello", tmp_path) as path:
        done = fetch(f"unix:{path}")
        assert (done.returncode, done.stdout, done.stderr) == (0, b"Hello, world!", b"fetch: 200\n")
    done = fetch(f"unix:{path}")
    assert done.returncode == 1 and b"Connection refused" in done.stderr and done.stdout == b""
    done = fetch("gopher://a/")
    assert done.returncode == 1 and done.stderr.startswith(b"fetch: no URL that can be asked for")


def test_websocket_echo(tmp_path):
    """Text and binary, deflated, to 16 MiB, in 65,536 fragments; over HTTP/1.1 and HTTP/2."""
    extension = ("Sec-WebSocket-Extensions", "permessage-deflate")
    with example("websocket_echo", tmp_path) as path:
        for client in (H1Client(Wire(path, 60)), H2Client(Wire(path, 60), "http")):
            with Socket.open(None, None, "/", extension, client=client) as socket:
                assert socket.fields["sec-websocket-extensions"] == "permessage-deflate"
                for payload in (b"", b"hello", os.urandom(16 << 20)):
                    socket.send_binary(payload)
                    inflate = lambda data: zlib.decompressobj(-15).decompress(data + b"\0\0\xff\xff")
                    assert socket.message(60, inflate) == (BINARY, payload)
                    if len(payload) > 5:
                        break
        with Socket.open(None, None, "/", client=H1Client(Wire(path, 60))) as socket:
            last = 65535
            socket.send(b"".join(frame(TEXT if i == 0 else 0, b"ab", fin=i == last) for i in range(last + 1)))
            assert socket.message(60) == (TEXT, "ab" * 65536)
            socket.send(frame(BINARY, b"", length=(16 << 20) + 1))
            socket.closes(1009)


def test_ticker(tmp_path):
    with example("ticker", tmp_path) as path, Wire(path) as wire:
        wire.send(get("/"))
        head = b""
        while b"data: 2\n\n" not in head:
            assert wire._more(time.monotonic() + DEADLINE_S)
            head = wire.received
        assert b"\r\nContent-Type: text/event-stream\r\n" in head and b"event: tick\ndata: 1\n\n" in head
        assert b"\r\nCache-Control: no-cache\r\n" in head


def test_chat(tmp_path):
    """In a browser: two windows talk by WebSocket, a third one listens to events and says something too."""
    page = ROOT / "examples/chat.html"
    with socket.create_server(("127.0.0.1", 0)) as spare:
        address = f"127.0.0.1:{spare.getsockname()[1]}"
    child = Child([BUILD / "examples/chat", address, page])
    said = "[...document.querySelectorAll('#said li')].map(item => item.textContent)"

    def wait(page, expression, wanted):
        end = time.monotonic() + 30
        while (got := page.evaluate(expression)) != wanted:
            assert time.monotonic() < end, (got, wanted)
            time.sleep(0.05)

    def say(page, name, text):
        page.evaluate(
            f"document.forms[0].elements.name.value = {name!r}; document.forms[0].text.value = {text!r};"
            "document.querySelector('button').click()")

    try:
        with Browser() as browser:
            one, two, three = (browser.open(f"http://{address}/{query}") for query in ("", "", "?events"))
            for page, way in ((one, "WebSocket"), (two, "WebSocket"), (three, "events")):
                wait(page, "document.querySelector('#way').textContent", f"connected by {way}")
            say(one, "ann", "hello <b>all</b>")
            wait(two, said, ["ann: hello <b>all</b>"])
            say(two, "bob", "hello ann")
            say(three, "eve", "I read along")
            everything = ["ann: hello <b>all</b>", "bob: hello ann", "eve: I read along"]
            for page in (one, two, three):
                wait(page, f"{said}.length", 3)
                assert sorted(page.evaluate(said)) == everything
            late = browser.open(f"http://{address}/")
            wait(late, f"{said}.length", 3)
            for page in (one, two, three, late):
                assert not page.complaints, page.complaints
        assert child.running, child.stderr
    finally:
        child.kill()
