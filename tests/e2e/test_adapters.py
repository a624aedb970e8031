"""pollux on the loops of other libraries: requests are answered, and deadlines kept by the other loop's timers."""

import contextlib
import signal
import time

import pytest

from lib.runner import BUILD, Child, is_listening_unix
from lib.wire import DEADLINE_S, Wire

pytestmark = pytest.mark.short

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


each_adapter = pytest.mark.parametrize(
    "name,library", [("libuv", b"libuv"), ("glib", b"GLib"), ("libev", b"libev"), ("sd_event", b"sd-event")]
)


@contextlib.contextmanager
def adapter(tmp_path, name):
    path = str(tmp_path / "sock")
    child = Child([BUILD / "examples/adapters" / name, f"unix:{path}"])
    try:
        end = time.monotonic() + DEADLINE_S
        while not is_listening_unix(path):
            assert child.running and time.monotonic() < end, child.stderr
            time.sleep(0.01)
        yield child, path
        child.signal(signal.SIGTERM)
        assert child.wait() == -signal.SIGTERM
        assert child.stderr == ""
    finally:
        child.kill()


@each_adapter
def test_adapter(tmp_path, name, library):
    with adapter(tmp_path, name) as (_, path):
        with Wire(path) as slow, Wire(path) as wire:
            slow.send(b"GET / HTTP/1.1\r\n")
            began = time.monotonic()
            for _ in range(3):
                wire.send(GET + GET)
                assert [wire.reply().content for _ in range(2)] == [b"Hello from " + library + b"\n"] * 2
            assert slow.reply().status == 408  # nothing but a timer of the other loop can say so
            assert 1.5 < time.monotonic() - began < 5


@each_adapter
def test_what_callbacks_of_the_other_loop_do_is_done_at_once(tmp_path, name, library):
    """Nothing comes from outside meanwhile, and no deadline of pollux is near."""
    with adapter(tmp_path, name) as (_, path), Wire(path) as wire:
        for target in ("later", "timer", "post") * 5:
            began = time.monotonic()
            wire.send(f"GET /{target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert wire.reply().content == target.encode() + b"\n"
            assert time.monotonic() - began < 1


@each_adapter
def test_more_than_a_turn(tmp_path, name, library):
    """Requests that are left over from a turn's share are answered, though all of them have come."""
    with adapter(tmp_path, name) as (_, path), Wire(path) as wire:
        for _ in range(3):
            wire.send(GET * 1500)
            for _ in range(1500):
                assert wire.reply().content == b"Hello from " + library + b"\n"
