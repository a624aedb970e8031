"""A WSGI server (PEP 3333): the event loop in one thread, the application in a bounded pool of others.

    from pollux.wsgi import serve
    serve(application, "127.0.0.1:8080")

Content is collected before the application is called, and its answer before it is sent; a request that finds
the queue full is answered 503. TERM and INT end it gracefully.
"""

from __future__ import annotations

import io
import queue
import signal
import sys
import threading
from typing import Any, Callable, Iterable, Optional
from urllib.parse import unquote_to_bytes

from ._library import Server, check, ffi, fields_of, lib, new_error, split_address, to_bytes, to_str, trace_of

Application = Callable[[dict, Callable], Iterable[bytes]]


def _latin(data: Optional[bytes]) -> str:
    return (data or b"").decode("latin-1")


def _environ(held: Any, local: tuple[str, Optional[str]], trace: dict) -> dict:
    raw_path = (to_bytes(held.raw_path) or b"").split(b"?")[0]
    host, port = split_address(_latin(to_bytes(held.peer)))
    environ = {
        "REQUEST_METHOD": _latin(to_bytes(held.method)),
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(raw_path).decode("latin-1"),
        "QUERY_STRING": _latin(to_bytes(held.query)),
        "REQUEST_URI": _latin(to_bytes(held.target)),
        "SERVER_NAME": local[0],
        "SERVER_PORT": local[1] or "0",
        "SERVER_PROTOCOL": {10: "HTTP/1.0", 11: "HTTP/1.1"}.get(held.version, "HTTP/2"),
        "REMOTE_ADDR": _latin(to_bytes(held.client)) or host,
        "REMOTE_PORT": port or "0",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": _latin(to_bytes(held.scheme)),
        "wsgi.input": io.BytesIO(to_bytes(held.content) or b""),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "pollux.trace": trace,
    }
    for name, value in fields_of(held.fields, held.field_count):
        key = _latin(name).upper().replace("-", "_")
        if b"_" in name:
            continue  # it would be taken for the field with a hyphen
        if key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            environ[key] = _latin(value)
        else:
            key = "HTTP_" + key
            joined = environ.get(key)
            environ[key] = _latin(value) if joined is None else f"{joined}{'; ' if key == 'HTTP_COOKIE' else ','}{_latin(value)}"
    environ["CONTENT_LENGTH"] = str(held.content.len)
    return environ


class _Answer:
    """What an application says, gathered."""

    def __init__(self) -> None:
        self.status = 0
        self.fields: list[tuple[bytes, bytes]] = []
        self.content = io.BytesIO()

    def start_response(self, status: str, headers: list, exc_info: Any = None) -> Callable[[bytes], Any]:
        if self.status and not exc_info:
            raise AssertionError("start_response was called twice")
        self.status = int(status.split(" ", 1)[0])
        self.fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return self.content.write

    def run(self, application: Application, environ: dict) -> None:
        pieces = application(environ, self.start_response)
        try:
            for piece in pieces:
                self.content.write(piece)
        finally:
            if hasattr(pieces, "close"):
                pieces.close()
        if not self.status:
            raise AssertionError("the application did not call start_response")

    def fail(self) -> None:
        self.status, self.fields, self.content = 500, [(b"Content-Type", b"text/plain")], io.BytesIO(b"500 Internal Server Error\n")


def respond(exchange: Any, answer: _Answer) -> None:
    for name, value in answer.fields:
        (name_str, kept), (value_str, kept_too) = to_str(name), to_str(value)
        lib.px_response_pass_field(exchange, name_str, value_str)
        del kept, kept_too
    content, kept = to_str(answer.content.getvalue())
    lib.px_respond(exchange, answer.status, to_str(None)[0], content)
    del kept


class WSGIServer:
    """An application, served.  `run` blocks until `stop`, which any thread may call."""

    def __init__(self, application: Application, threads: int = 8, queue_max: int = 256,
                 content_bytes_max: int = 16 * 1024 * 1024, trace_sample: int = 0, trace_restart: bool = False):
        self.application = application
        self.jobs: queue.Queue = queue.Queue(queue_max)
        self.local: tuple[str, Optional[str]] = ("localhost", None)
        self.server = Server(self._handle, content_bytes_max, True, trace_sample, trace_restart)
        self.posted: dict[int, _Answer] = {}
        self.finish = ffi.callback("void(px_exchange *, px_err, void *)", self._finish)
        self.threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]

    def listen(self, address: str) -> str:
        found = self.server.listen(address)
        self.local = split_address(found.split(", ")[0])
        return found

    # On the loop's thread.
    def _handle(self, exchange: Any, _context: Any) -> None:
        held = lib.px_request_hold(exchange)
        try:
            if held != ffi.NULL:
                self.jobs.put_nowait((held, trace_of(exchange)))
                return
        except queue.Full:
            lib.px_held_release(held)
        lib.px_respond_error(exchange, 503)

    def _finish(self, exchange: Any, _status: int, context: Any) -> None:
        answer = self.posted.pop(int(ffi.cast("uintptr_t", context)))
        if exchange != ffi.NULL:
            respond(exchange, answer)

    # On the others.
    def _work(self) -> None:
        while (job := self.jobs.get()) is not None:
            held, trace = job
            answer = _Answer()
            try:
                answer.run(self.application, _environ(held, self.local, trace))
            except Exception:  # pylint: disable=broad-except
                sys.excepthook(*sys.exc_info())
                answer.fail()
            self.posted[id(answer)] = answer
            ref = ffi.new("px_ref *", held.ref)
            if lib.px_ref_post(ref, self.finish, ffi.cast("void *", id(answer))) != lib.PX_OK:
                del self.posted[id(answer)]
            lib.px_held_release(held)

    def run(self) -> None:
        error = new_error()
        for thread in self.threads:
            thread.start()
        try:
            check(lib.px_server_run(self.server.ptr, error), error)
        finally:
            for _ in self.threads:
                self.jobs.put(None)
            for thread in self.threads:
                thread.join()
            self.server.close()

    def drain(self) -> None:
        """Ends gracefully; `run` returns.  Any thread."""
        lib.px_server_drain_post(self.server.ptr, ffi.NULL)

    def stop(self) -> None:
        """Any thread."""
        lib.px_server_stop(self.server.ptr)


def serve(application: Application, address: str = "127.0.0.1:8080", **options: int) -> None:
    """Serves until TERM or INT."""
    server = WSGIServer(application, **options)
    print(f"pollux: listening on {server.listen(address)}", file=sys.stderr, flush=True)
    error = new_error()
    ended = ffi.callback("void(int, void *)", lambda _number, _context: server.drain())
    for number in (signal.SIGTERM, signal.SIGINT):
        check(lib.px_loop_signal(lib.px_server_loop(server.server.ptr), number, ended, ffi.NULL, error), error)
    server.run()
