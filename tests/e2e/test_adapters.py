"""pollux on the loops of other libraries: requests are answered, and deadlines kept by the other loop's timers."""

import signal
import time

import pytest

from lib.runner import BUILD, Child, is_listening_unix
from lib.wire import DEADLINE_S, Wire

pytestmark = pytest.mark.short

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize("name,library", [("libuv", b"libuv"), ("glib", b"GLib"), ("libev", b"libev"), ("sd_event", b"sd-event")])
def test_adapter(tmp_path, name, library):
    path = str(tmp_path / "sock")
    child = Child([BUILD / "examples/adapters" / name, f"unix:{path}"])
    try:
        end = time.monotonic() + DEADLINE_S
        while not is_listening_unix(path):
            assert child.running and time.monotonic() < end, child.stderr
            time.sleep(0.01)
        with Wire(path) as slow, Wire(path) as wire:
            slow.send(b"GET / HTTP/1.1\r\n")
            began = time.monotonic()
            for _ in range(3):
                wire.send(GET + GET)
                assert [wire.reply().content for _ in range(2)] == [b"Hello from " + library + b"\n"] * 2
            assert slow.reply().status == 408  # nothing but a timer of the other loop can say so
            assert 1.5 < time.monotonic() - began < 5
        child.signal(signal.SIGTERM)
        assert child.wait() == -signal.SIGTERM
        assert child.stderr == ""
    finally:
        child.kill()
