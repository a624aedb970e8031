"""The Python binding: WSGI and ASGI applications, asked by httpx and by plain sockets."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import httpx
import pytest

from lib.runner import BUILD, ROOT
from lib.shared import shared_library
from lib.wire import DEADLINE_S

BINDING = ROOT / "bindings" / "python"

WSGI = """
import json, sys, threading, time
from wsgiref.validate import validator
from pollux.wsgi import serve

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/raise":
        raise RuntimeError("no")
    if path == "/slow":
        print("slow", flush=True)
        time.sleep(0.3)
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    lines = [environ["REQUEST_METHOD"], path, environ["QUERY_STRING"], environ.get("HTTP_X_A", "none"),
             environ["REMOTE_ADDR"], str(len(body)), environ.get("CONTENT_TYPE", "none")]
    start_response("201 Made", [("Content-Type", "text/plain"), ("X-Thread", threading.current_thread().name)])
    return ["|".join(lines).encode(), b"\\n"]

def connection_fields(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3"), ("Connection", "close")])
    return [b"abc"]

def trace(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(environ["pollux.trace"]).encode()]

def routes(environ, start_response):
    if environ["PATH_INFO"] == "/trace":
        return trace(environ, start_response)
    if environ["PATH_INFO"] == "/fields":
        return connection_fields(environ, start_response)
    return validator(application)(environ, start_response)

serve(routes, "127.0.0.1:0", threads=4, queue_max=8, trace_sample=1)
"""

ASGI = """
import asyncio, json
from pollux.asgi import serve

state = []

async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        for phase in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{phase}"
            state.append(phase)
            print(phase, flush=True)
            await send({"type": f"lifespan.{phase}.complete"})
        return
    event = await receive()
    if scope["path"] == "/raise":
        raise RuntimeError("no")
    if scope["path"] == "/trace":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(scope["extensions"]["pollux.trace"]).encode()})
        return
    if scope["path"] == "/wait":
        print((await receive())["type"], flush=True)
        return
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-type", b"text/plain"), (b"x-method", scope["method"].encode())]})
    if scope["path"] == "/stream":
        for number in range(200):
            await send({"type": "http.response.body", "body": b"x" * 50000, "more_body": True})
        await send({"type": "http.response.body"})
    elif scope["path"] == "/broken":
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("no")
    else:
        await asyncio.sleep(0.01)
        text = f'{scope["path"]}|{scope["query_string"].decode()}|{len(event["body"])}|{dict(scope["headers"])[b"host"] != b""}'
        await send({"type": "http.response.body", "body": text.encode()})

serve(application, "127.0.0.1:0", trace_restart=True)
"""

# The C API as it is: each call is a symbol of the library, and those that own something work.
PLAIN = """
from pollux import ffi, lib

names = [name for name in dir(lib) if name.startswith("px_")]
print(len(names))
for name in names:
    getattr(lib, name)
error = ffi.new("px_error *")
tls = [lib.px_tls_create(ffi.NULL, error) for _ in range(2)]
assert tls[0] and tls[1], ffi.string(error.text)
assert lib.px_tls_add_self_signed(tls[0], b"a.test", error) == lib.PX_OK
assert lib.px_tls_keep_self_signed(tls[1], b"b.test", tls[0], error) == lib.PX_ERR_NOT_FOUND
assert lib.px_tls_keep_self_signed(tls[1], b"a.test", tls[0], error) == lib.PX_OK
room = [ffi.new("char[96]") for _ in tls]
for one, text in zip(tls, room):
    assert lib.px_tls_fingerprint_at(one, 0, text, 96) == 95
assert ffi.string(room[0]) == ffi.string(room[1])
loop = lib.px_loop_create(ffi.NULL, error)
server = ffi.new("char[]", b"192.0.2.53")
assert lib.px_loop_set_name_servers(loop, [server], 1, error) == lib.PX_OK
lib.px_loop_destroy(loop)
for one in tls:
    lib.px_tls_destroy(one)
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return shared_library(BUILD, tmp_path_factory)


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The package as setup.py builds it: with the declarations that are made of the headers."""
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(BINDING / "pollux", folder / "pollux")
    made = subprocess.run([sys.executable, ROOT / "tools/api.py", "--cdef"], capture_output=True, check=True).stdout
    (folder / "pollux/api.cdef").write_bytes(made)
    return folder


def test_a_source_package_has_the_declarations(tmp_path):
    """It is made where the headers are, and built where they are not."""
    shutil.copytree(BINDING, tmp_path / "tree/bindings/python")
    for name in ("tools", "include"):
        shutil.copytree(ROOT / name, tmp_path / "tree" / name)
    setup = [sys.executable, "setup.py", "-q"]
    where = {"check": True, "capture_output": True, "timeout": 120}
    subprocess.run([*setup, "sdist", "-d", tmp_path], cwd=tmp_path / "tree/bindings/python", **where)
    packed = next(tmp_path.glob("pollux-*.tar.gz"))
    shutil.unpack_archive(packed, tmp_path)
    unpacked = tmp_path / packed.name.removesuffix(".tar.gz")
    subprocess.run([*setup, "build", "-b", tmp_path / "built"], cwd=unpacked, **where)
    assert "px_server_create" in (tmp_path / "built/lib/pollux/api.cdef").read_text()


@pytest.mark.parametrize("missing,said", [("api.cdef", "python3 tools/api.py --cdef"), ("library", "POLLUX_LIBRARY")])
def test_an_import_says_what_is_missing(package, tmp_path, missing, said):
    shutil.copytree(package, tmp_path / "package")
    if missing == "api.cdef":
        (tmp_path / "package/pollux/api.cdef").unlink()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "package"), "POLLUX_LIBRARY": str(tmp_path / "none.so")}
    made = subprocess.run([sys.executable, "-c", "import pollux"], env=environment, capture_output=True, text=True, timeout=60)
    assert made.returncode == 1 and "ImportError" in made.stderr and said in made.stderr


def test_the_c_api_is_there(library, package):
    environment = {**os.environ, "POLLUX_LIBRARY": str(library), "PYTHONPATH": str(package)}
    made = subprocess.run([sys.executable, "-c", PLAIN], env=environment, capture_output=True, text=True, timeout=60)
    assert made.returncode == 0, made.stderr
    described = json.loads(subprocess.run([sys.executable, ROOT / "tools/api.py"], capture_output=True, check=True).stdout)
    assert int(made.stdout) == sum(not function["inline"] for function in described["functions"].values()) > 380


PARENT = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}


def test_traces(wsgi, asgi):
    """The one goes on with a stranger's trace and samples each that begins here; the other does neither."""
    told = [httpx.get(url + "/trace", headers=fields).json() for url in (wsgi.url, asgi.url) for fields in ({}, PARENT)]
    assert [trace["is_sampled"] for trace in told] == [True, True, False, False]
    assert [trace["parent_span_id"] for trace in told] == [None, "b7ad6b7169203331", None, None]
    assert [trace["trace_id"] == "0af7651916cd43dd8448eb211c80319c" for trace in told] == [False, True, False, False]
    assert len({trace["span_id"] for trace in told}) == 4 and all(len(trace["span_id"]) == 16 for trace in told)


class Served:
    def __init__(self, library, package, program):
        environment = {**os.environ, "POLLUX_LIBRARY": str(library), "PYTHONPATH": str(package)}
        self.process = subprocess.Popen([sys.executable, "-c", program], env=environment, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
        line = self.process.stderr.readline()
        found = re.fullmatch(r"pollux: listening on (127\.0\.0\.1:\d+)\n", line)
        assert found, line + self.process.stderr.read()
        self.url = f"http://{found[1]}"

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        out, errors = self.process.communicate(timeout=DEADLINE_S)
        assert self.process.returncode == 0, errors
        return out, errors


@pytest.fixture
def wsgi(library, package):
    served = Served(library, package, WSGI)
    yield served
    served.process.kill()


@pytest.fixture
def asgi(library, package):
    served = Served(library, package, ASGI)
    yield served
    served.process.kill()


def test_wsgi(wsgi):
    with httpx.Client(base_url=wsgi.url) as client:
        answer = client.get("/a%20b%2Fc?x=1&y=%20", headers={"X-A": "b"})
        assert (answer.status_code, answer.text) == (201, "GET|/a b/c|x=1&y=%20|b|127.0.0.1|0|none\n")
        assert answer.headers["x-thread"] != "MainThread"
        answer = client.post("/p", content=b"x" * 300000, headers={"Content-Type": "text/x"})
        assert answer.text == "POST|/p||none|127.0.0.1|300000|text/x\n"
        assert client.get("/a", headers=[("X-A", "1"), ("X-A", "2"), ("X_A", "3")]).text == "GET|/a||1,2|127.0.0.1|0|none\n"
        assert client.get("/raise").status_code == 500
        answer = client.get("/fields")
        assert (answer.text, answer.headers["connection"]) == ("abc", "close")
        assert client.get("/a").status_code == 201
    assert "RuntimeError: no" in wsgi.end()[1]


def test_wsgi_is_concurrent_and_bounded(wsgi):
    import concurrent.futures

    def get(_):
        return httpx.get(wsgi.url + "/slow", timeout=DEADLINE_S).status_code

    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        statuses = list(pool.map(get, range(30)))
    assert set(statuses) == {201, 503} and statuses.count(201) >= 8, statuses
    assert time.monotonic() - began < 8 * 0.3 + 5
    assert get(0) == 201


def test_wsgi_ends_gracefully(wsgi):
    import concurrent.futures

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: httpx.get(wsgi.url + "/slow", timeout=DEADLINE_S).status_code)
        assert wsgi.process.stdout.readline() == "slow\n"
        wsgi.end()
        assert waiting.result() == 201


def test_asgi(asgi):
    with httpx.Client(base_url=asgi.url) as client:
        for _ in range(3):
            answer = client.get("/a%20b?x=1")
            assert (answer.status_code, answer.text, answer.headers["x-method"]) == (200, "/a b|x=1|0|True", "GET")
            assert answer.headers["content-length"] == str(len(answer.content))
        assert client.post("/p", content=b"x" * 300000).text == "/p||300000|True"
        answer = client.get("/stream")
        assert len(answer.content) == 10_000_000 and set(answer.content) == {ord("x")}
        assert client.get("/raise").status_code == 500
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            client.get("/broken")
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(asgi.url + "/wait", timeout=0.2)
        time.sleep(1.5)  # what half-closes is believed to have left after a second
        assert client.get("/a").status_code == 200
    out, errors = asgi.end()
    assert out.split() == ["startup", "http.disconnect", "shutdown"]
    assert errors.count("RuntimeError: no") == 2


def test_a_slow_reader_holds_the_application_back(asgi):
    with httpx.Client(base_url=asgi.url, timeout=DEADLINE_S) as client, client.stream("GET", "/stream") as answer:
        got = 0
        for piece in answer.iter_raw(chunk_size=65536):
            got += len(piece)
            if got < 2_000_000:
                time.sleep(0.02)
        assert got == 10_000_000
