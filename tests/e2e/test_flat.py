"""flat.h from a language that knows numbers and pointers alone: a server in ctypes, without a struct by value.

The callback on_content is declared with a pointer and a length where C has a px_str.
"""

import ctypes
import json
import subprocess
import sys
import threading

import httpx
import pytest

from lib.runner import BUILD, ROOT
from lib.shared import shared_library
from lib.wire import DEADLINE_S

WORD, POINTER = ctypes.c_size_t, ctypes.c_void_p
HANDLER = ctypes.CFUNCTYPE(None, POINTER, POINTER)
ON_CONTENT = ctypes.CFUNCTYPE(None, POINTER, POINTER, WORD, POINTER)
ON_END = ctypes.CFUNCTYPE(None, POINTER, ctypes.c_int, POINTER)


@pytest.fixture(scope="module")
def lib(tmp_path_factory):
    found = ctypes.CDLL(str(shared_library(BUILD, tmp_path_factory)))
    for name in ("px_server_create", "px_server_address", "px_flat_request_param", "px_flat_request_field"):
        getattr(found, name).restype = POINTER
    return found


@pytest.fixture(scope="module")
def callbacks():
    """px_exchange_callbacks, whose members are its size and pointers."""
    described = json.loads(subprocess.run([sys.executable, ROOT / "tools/api.py"], capture_output=True, check=True).stdout)
    members = [member["name"] for member in described["structs"]["px_exchange_callbacks"]["members"]]
    kind = type("Callbacks", (ctypes.Structure,), {"_fields_": [(members[0], WORD), *((name, POINTER) for name in members[1:])]})
    table = kind()
    table.struct_size = ctypes.sizeof(kind)
    return table


def text(lib, call, exchange, name):
    count = WORD(7)
    at = getattr(lib, call)(POINTER(exchange), name, ctypes.byref(count))
    return ctypes.string_at(at, count.value) if at else (None, count.value)


def test_a_server_without_structs_by_value(lib, callbacks):
    heard, ends, error = [], [], ctypes.create_string_buffer(1024)

    def handle(exchange, _context):
        name = text(lib, "px_flat_request_param", exchange, b"name")
        absent = text(lib, "px_flat_request_field", exchange, b"X-Absent")
        said = b"%s %r" % (name, absent)
        lib.px_flat_response_add_field(POINTER(exchange), b"X-Mine", WORD(6), b"1\x002", WORD(1))
        lib.px_flat_respond(POINTER(exchange), ctypes.c_uint(201), None, WORD(0), said, WORD(len(said)))

    def on_content(exchange, at, count, context):
        heard.append((ctypes.string_at(at, count), context))

    def on_content_end(exchange, _context):
        lib.px_flat_respond(POINTER(exchange), ctypes.c_uint(200), b"text/x", WORD(6), b"taken", WORD(5))

    def on_end(_exchange, end, context):
        ends.append((end, context))

    def take(exchange, _context):
        lib.px_exchange_set_callbacks(POINTER(exchange), ctypes.byref(callbacks), POINTER(4711))

    kept = [HANDLER(handle), HANDLER(take), ON_CONTENT(on_content), ON_END(on_end), HANDLER(on_content_end)]
    callbacks.on_content = ctypes.cast(kept[2], POINTER)
    callbacks.on_end = ctypes.cast(kept[3], POINTER)
    callbacks.on_content_end = ctypes.cast(kept[4], POINTER)
    server = POINTER(lib.px_server_create(None, error))
    assert server.value
    assert lib.px_server_route(server, b"GET /n/{name}", kept[0], None, error) == 0
    assert lib.px_server_route(server, b"POST /take", kept[1], None, error) == 0
    assert lib.px_server_listen(server, b"127.0.0.1:0", error) == 0
    url = "http://" + ctypes.string_at(lib.px_server_address(server)).decode()
    running = threading.Thread(target=lib.px_server_run, args=(server, error))
    running.start()
    try:
        answer = httpx.get(url + "/n/a%20b", timeout=DEADLINE_S)
        assert (answer.status_code, answer.text, answer.headers["x-mine"]) == (201, "a b (None, 0)", "1")
        answer = httpx.post(url + "/take", content=b"some content", timeout=DEADLINE_S)
        assert (answer.text, answer.headers["content-type"]) == ("taken", "text/x")
    finally:
        lib.px_server_stop(server)
        running.join(DEADLINE_S)
    lib.px_server_destroy(server)
    assert b"".join(piece for piece, _ in heard) == b"some content" and {context for _, context in heard} == {4711}
    assert ends == [(0, 4711)]
