"""pollux on the loops of other libraries: requests are answered, and deadlines kept by the other loop's timers."""

import contextlib
import os
import pty
import select
import signal
import subprocess
import time

import pytest

from lib.runner import BUILD, Child, clean_environment, is_listening_unix
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


class Terminal:
    """The example at a terminal of its own, as one that sits there has it."""

    def __init__(self, path):
        self.shown = ""
        self.side, other = pty.openpty()
        self.process = subprocess.Popen(
            [BUILD / "examples/adapters/terminal", f"unix:{path}"],
            stdin=other, stdout=other, stderr=other, env=clean_environment(), start_new_session=True,
        )  # fmt: skip
        os.close(other)
        end = time.monotonic() + DEADLINE_S
        while not is_listening_unix(path):
            assert self.process.poll() is None and time.monotonic() < end
            time.sleep(0.01)

    def type(self, line):
        os.write(self.side, line + b"\n")

    def await_text(self, text):
        end = time.monotonic() + DEADLINE_S
        while text not in self.shown:
            left = end - time.monotonic()
            assert left > 0, self.shown
            if select.select([self.side], [], [], left)[0]:
                self.shown += os.read(self.side, 4096).decode()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.side)


def until(wire, text):
    while text not in wire.received:
        assert wire._more(time.monotonic() + DEADLINE_S)


def test_a_terminal_and_a_server_on_one_loop(tmp_path):
    """Lines that are typed reach who listens at once, though nothing comes from the network meanwhile; what is posted
    is shown, without what a terminal obeys; the end waits for streams that are open."""
    path = str(tmp_path / "sock")
    terminal = Terminal(path)
    try:
        with Wire(path) as events, Wire(path) as poster:
            events.send(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
            until(events, b"\r\n\r\n")
            terminal.type(b"count")
            terminal.await_text("1 listen")
            for number in range(5):
                began = time.monotonic()
                terminal.type(b"line %d" % number)
                until(events, b"data: line %d\n" % number)
                assert time.monotonic() - began < 1
            poster.send(b"POST /say HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhi\x1b[2Jyo")
            assert poster.reply().status == 204
            terminal.await_text("hi?[2Jyo")
            terminal.type(b"quit")
            events.rest()
        assert terminal.process.wait(DEADLINE_S) == 0
    finally:
        terminal.close()
