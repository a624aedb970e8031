"""Rules that a program breaks, in a library as it is shipped: silent, and told with POLLUX_CHECK_RULES=1."""

import signal
import subprocess
import sys

import pytest

from lib.runner import BUILD, IS_RELEASE, clean_environment
from lib.shared import shared_library

pytestmark = pytest.mark.skipif(not IS_RELEASE, reason="a build for tests looks at these rules anyway, and has its own tests of that")

BEGIN = """
import ctypes, sys, threading
lib = ctypes.CDLL(sys.argv[1])
POINTER, WORD = ctypes.c_void_p, ctypes.c_size_t
for name in ("px_loop_create", "px_timer_create", "px_server_create", "px_server_loop", "px_flat_test_ask"):
    getattr(lib, name).restype = POINTER
"""
THREAD = BEGIN + """
def elsewhere(timer):
    lib.px_timer_start(POINTER(timer), ctypes.c_uint(1000))

@ctypes.CFUNCTYPE(None, POINTER, POINTER)
def on_timer(timer, _context):
    thread = threading.Thread(target=elsewhere, args=(timer,))
    thread.start()
    thread.join()

loop = POINTER(lib.px_loop_create(None, None))
timer = POINTER(lib.px_timer_create(loop, on_timer, None))
lib.px_timer_start(timer, ctypes.c_uint(0))
lib.px_loop_wait(loop, 1000, None)
"""
AFTER = BEGIN + """
kept = []

@ctypes.CFUNCTYPE(None, POINTER, POINTER)
def handle(exchange, _context):
    kept.append(exchange)
    lib.px_respond_text(POINTER(exchange), ctypes.c_uint(200), b"x")

server = POINTER(lib.px_server_create(None, None))
assert lib.px_server_route(server, b"/x", handle, None, None) == 0
assert lib.px_flat_test_ask(server, b"GET /x", None, WORD(0), None)
lib.px_request_method_is(POINTER(kept[0]), b"GET")
"""


@pytest.mark.parametrize("text, said", [
    (THREAD, "called on another thread than the loop's"),
    (AFTER, "an exchange was used after its on_end"),
], ids=["thread", "after"])  # fmt: skip
def test_a_rule_is_told(tmp_path_factory, text, said):
    library = str(shared_library(BUILD, tmp_path_factory))
    for wanted in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", text, library], capture_output=True, text=True, timeout=60,
            env=clean_environment({"POLLUX_CHECK_RULES": wanted}),
        )  # fmt: skip
        if wanted == "1":
            assert done.returncode == -signal.SIGABRT, done
            assert said in done.stderr and done.stderr.startswith("pollux: ")
        else:
            assert (done.returncode, done.stderr) == (0, ""), done
