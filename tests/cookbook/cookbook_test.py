"""The programs of docs/COOKBOOK.md do what they say; the page shows them as they are; none is long."""
import gzip
import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))

import cookbook  # noqa: E402

PROGRAM = os.environ["POLLUX_COOKBOOK"]
FORM = "multipart/form-data; boundary=b"
PART = 'b\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\nhello\r\n--b--\r\n'
LARGE_PART = PART.replace("hello", "hello" * 500000)
PLAIN = "application/x-www-form-urlencoded"


class Server:
    def __init__(self, name, folder, *more):
        self.path = str(folder / "s")
        self.process = subprocess.Popen([PROGRAM, name, f"unix:{self.path}", *more], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True,
                                        env={**os.environ, "POLLUX_CHECK_RULES": "1"})
        end = time.monotonic() + 20
        while not self.listens():
            assert self.process.poll() is None and time.monotonic() < end, self.process.communicate()
            time.sleep(0.005)

    def listens(self):
        try:
            self.connect().close()
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    def connect(self):
        stream = socket.socket(socket.AF_UNIX)
        stream.settimeout(20)
        stream.connect(self.path)
        return stream

    def ask(self, method, target, content=None, **fields):
        client = http.client.HTTPConnection("localhost")
        client.sock = self.connect()
        client.request(method, target, content, {name.replace("_", "-"): value for name, value in fields.items()})
        answer = client.getresponse()
        answer.content = answer.read()
        client.close()
        return answer

    def end(self):
        self.process.kill()
        if self.process.stdin.closed:
            self.process.stdin = None
        return self.process.communicate(timeout=20)[0]


@pytest.fixture()
def serve(tmp_path):
    servers = []

    def start(name, *more):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.txt").write_text("all is well")
        servers.append(Server(name, tmp_path / name, *more))
        return servers[-1]

    yield start
    for server in servers:
        assert "Sanitizer" not in server.end()


# Program: rows of method, target, content, fields, and what is answered: status, content or a field of it.
TABLE = {
    "01_hello": [("GET", "/", None, {}, 200, b"Hello, world!"), ("GET", "/x", None, {}, 404, None)],
    "02_path": [("GET", "/users/a%20b", None, {}, 200, b"a b")],
    "03_query": [("GET", "/search?q=a+b%21", None, {}, 200, b"a b!"), ("GET", "/search", None, {}, 400, None)],
    "04_json": [("POST", "/things", "{}", {}, 201, b'{"id": 1}\n'), ("POST", "/things", "{}", {}, 201, b'{"id": 2}\n')],
    "05_form": [("POST", "/greet", "name=Ada+L", {"Content_Type": PLAIN}, 200, b"Ada L"),
                ("POST", "/greet", "x=1", {"Content_Type": PLAIN}, 422, b"no name")],
    "06_content": [("POST", "/echo", "abc", {}, 200, b"abc"), ("POST", "/echo", "x" * 70000, {}, 413, None)],
    "07_stream_in": [("POST", "/count", "x" * 100000, {}, 200, b"100000 bytes\n"),
                     ("POST", "/count", "x" * 3000000, {}, 200, b"3100000 bytes\n"),
                     ("POST", "/count", iter([b"x" * 3000000]), {}, 200, b"6100000 bytes\n")],
    "08_save": [("PUT", "/upload", "y" * 5000000, {}, 201, b"saved\n"),
                ("PUT", "/upload", iter([b"y" * 5000000]), {}, 201, b"saved\n"),
                ("PUT", "/upload", "y" * 300000, {}, 201, b"saved\n")],
    "09_files_of_a_form": [("POST", "/form", "--" + PART, {"Content_Type": FORM}, 200, b"thanks\n"),
                           ("POST", "/form", "--" + LARGE_PART, {"Content_Type": FORM}, 200, b"thanks\n"),
                           ("POST", "/form", iter([b"--" + LARGE_PART.encode()]), {"Content_Type": FORM}, 200, b"thanks\n"),
                           ("POST", "/form", "x", {}, 415, None)],
    "10_files": [("GET", "/static/report.txt", None, {}, 200, b"all is well"), ("GET", "/static/no", None, {}, 404, None)],
    "11_download": [("GET", "/report", None, {"Range": "bytes=0-2"}, 206, b"all")],
    "12_producer": [("GET", "/lines", None, {}, 200, b"".join(b"line %d\n" % line for line in range(1, 1001)))],
    "13_later": [("GET", "/wait", None, {}, 200, b"here it is\n")],
    "14_blocking": [("GET", "/ask", None, {}, 200, b"42\n")],
    "15_thread": [("GET", "/jobs/hard", None, {}, 200, b"/jobs/hard")],
    "16_middleware": [("GET", "/secret", None, {}, 401, None), ("GET", "/secret", None, {"X_Token": "sesame"}, 200, b"42\n")],
    "17_group": [("GET", "/api/things", None, {}, 200, b"one two\n"), ("GET", "/things", None, {}, 404, None)],
    "18_cookie": [("GET", "/", None, {}, 200, b"welcome\n"), ("GET", "/", None, {"Cookie": "seen=yes"}, 200, b"again\n")],
    "19_redirect": [("GET", "/old/x", None, {}, 308, None)],
    "20_error_page": [("GET", "/x", None, {}, 404, b"<h1>Sorry: 404</h1>\n")],
    "21_password": [("GET", "/", None, {}, 401, None),
                    ("GET", "/", None, {"Authorization": "Basic YWRhOmxvdmVsYWNl"}, 200, b"42\n")],
    "22_rate_limit": [("GET", "/", None, {}, 200, b"hello\n"), ("GET", "/", None, {}, 200, b"hello\n"), ("GET", "/", None, {}, 429, None)],
    "31_progress": [("GET", "/upload", None, {}, 200, b"nothing comes\n"), ("PUT", "/upload", "abc", {}, 200, b"it is here\n"),
                    ("GET", "/upload", None, {}, 200, b"nothing comes\n")],
    "32_fault": [("GET", "/twice", None, {}, 500, None), ("GET", "/forget", None, {}, 500, None)],
    "23_compress": [("GET", "/", None, {}, 200, b"x" * 5000)],
}
OTHERS = {"24_https", "25_websocket", "26_events", "27_fetch", "28_proxy", "29_end", "30_test", "33_own_loop"}


@pytest.mark.parametrize("name", TABLE)
def test_program(serve, name):
    server = serve(name)
    for method, target, content, fields, status, expected in TABLE[name]:
        answer = server.ask(method, target, content, **fields)
        assert answer.status == status, answer.content
        assert expected is None or answer.content == expected
    if name == "04_json":
        assert answer.headers["Location"] == "/things/2"
    if name == "08_save":
        with open(os.path.join(os.path.dirname(server.path), "upload.bin"), encoding="ascii") as file:
            assert file.read() == "y" * 300000
    if name == "11_download":
        assert answer.headers["Content-Disposition"] == 'attachment; filename="report.txt"'
    if name == "18_cookie":
        assert answer.headers["Set-Cookie"] == "seen=yes; Path=/; HttpOnly; SameSite=Lax"
    if name == "19_redirect":
        assert answer.headers["Location"] == "/new/"
    if name == "23_compress":
        assert gzip.decompress(server.ask("GET", "/", Accept_Encoding="gzip").content) == expected


def test_https(serve):
    context = ssl._create_unverified_context()
    with context.wrap_socket(serve("24_https").connect(), server_hostname="localhost") as stream:
        stream.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert stream.recv(10000).endswith(b"TLSv1.3")


def test_websocket(serve):
    stream = serve("25_websocket").connect()
    stream.sendall(b"GET /talk HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
                   b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    assert b" 101 " in stream.recv(10000)
    stream.sendall(b"\x81\x82\0\0\0\0hi")
    assert stream.recv(100) == b"\x81\x02hi"


def test_events(serve):
    server = serve("26_events")
    stream = server.connect()
    stream.sendall(b"GET /news HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"text/event-stream" in stream.recv(10000)
    assert server.ask("POST", "/news", "it rains").status == 204
    got = b""
    while b"data: it rains\n\n" not in got.replace(b"\r\n", b"\n"):
        got += stream.recv(1000)


def test_fetch_and_proxy(serve):
    backend = serve("01_hello")
    proxy = serve("28_proxy", f"unix:{backend.path}")
    assert proxy.ask("GET", "/").content == b"Hello, world!"
    done = subprocess.run([PROGRAM, "27_fetch", f"unix:{backend.path}"], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (0, "Hello, world!", "200")
    done = subprocess.run([PROGRAM, "27_fetch", f"unix:{backend.path}.not"], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and done.stdout == "" and "No such file" in done.stderr


def test_end(serve):
    server = serve("29_end")
    assert server.ask("GET", "/").status == 200
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=20) == 0


def test_progress(serve):
    server = serve("31_progress")
    stream = server.connect()
    stream.sendall(b"PUT /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
    end = time.monotonic() + 20
    while server.ask("GET", "/upload").content != b"3 of 10\n":
        assert time.monotonic() < end
    stream.sendall(b"defghij")
    assert stream.recv(10000).endswith(b"it is here\n")


def test_own_loop(serve):
    server = serve("33_own_loop")
    stream = server.connect()
    stream.sendall(b"GET /lines HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"text/event-stream" in stream.recv(10000)
    for line in ("one", "two"):  # nothing comes from the network meanwhile
        server.process.stdin.write(line + "\n")
        server.process.stdin.flush()
        got = b""
        while b"data: " + line.encode() not in got:
            got += stream.recv(1000)
    server.process.stdin.close()
    assert server.process.wait(timeout=20) == 0


def test_of_a_handler():
    done = subprocess.run([PROGRAM, "30_test"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0 and "1 test passed" in done.stdout, done.stderr


def test_all_are_tried():
    names = [name[:-2] for name, _ in cookbook.programs()]
    assert len(names) == 33 and set(names) == set(TABLE) | OTHERS


def test_the_page_shows_them():
    with open(cookbook.PAGE, encoding="utf-8") as file:
        assert file.read() == cookbook.page(), "run tools/cookbook.py"


@pytest.mark.parametrize("name,text", cookbook.programs(), ids=lambda value: value[:2] if value.endswith(".c") else "c")
def test_each_does_without_an_argument(name, text):
    found = re.findall(r'argc > 1 \? argv\[1\] : ("[^"]*")', text)
    expected = {"27_fetch.c": ['"http://127.0.0.1:8080/"'], "30_test.c": []}.get(name, ['"127.0.0.1:8080"'])
    assert found == expected and "argv[1]," not in text


@pytest.mark.parametrize("name,text", cookbook.programs(), ids=lambda value: value[:2] if value.endswith(".c") else "c")
def test_none_is_long(name, text):
    lines = [line for line in re.sub(r"/\*.*?\*/", "", text, flags=re.S).splitlines() if line.strip(" {}\t") and line[0] != "#"]
    assert len(lines) < 30, name
