"""`examples/websocket_echo`, on a unix socket, and clients of both protocol versions for it."""

import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass

from lib.runner import BUILD, Child, is_listening_unix
from lib.transport import H1Client, H2Client
from lib.websocket import Socket
from lib.wire import DEADLINE_S, Wire


@dataclass(frozen=True)
class Client:
    name: str
    is_h2: bool

    def connect(self, path, **more):
        wire = Wire(path, **more)
        return H2Client(wire, "http") if self.is_h2 else H1Client(wire)


CLIENTS = [Client("h1", False), Client("h2c", True)]


def open_echo(client, path, *fields, target="/", **more):
    return Socket.open(None, None, target, *fields, client=client.connect(path, **more))


@contextmanager
def running_example(name, path, *args):
    """Its process, on a unix socket, so that no port has to be found.  It is ended by TERM, which it does not catch."""
    child = Child([BUILD / "examples" / name, f"unix:{path}", *args])
    try:
        end = time.monotonic() + DEADLINE_S
        while not is_listening_unix(path):
            assert child.running and time.monotonic() < end, child.stderr
            time.sleep(0.01)
        child.path = path
        yield child
        assert child.running, child.stderr
        child.signal(signal.SIGTERM)
        assert child.wait() == -signal.SIGTERM
        assert child.stderr == ""
    finally:
        child.kill()


def running_echo(folder):
    return running_example("websocket_echo", str(folder / "echo"))
