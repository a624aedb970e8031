"""An ASGI server (HTTP and lifespan) on asyncio: pollux's loop is stepped by the event loop.

    from pollux.asgi import serve
    serve(application, "127.0.0.1:8080")

Everything runs in one thread.  Content is collected before the application is called; what it sends goes out as
it is sent, and `send` waits while the client reads slowly.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any, Awaitable, Callable, Optional

from ._library import LENGTH_UNKNOWN, Server, check, ffi, fields_of, lib, new_error, new_options, split_address, to_bytes, to_str, trace_of

Application = Callable[[dict, Callable, Callable], Awaitable[None]]


class _Cycle:
    """One request and its answer."""

    def __init__(self, server: "ASGIServer", exchange: Any):
        self.server, self.exchange = server, exchange
        self.is_over, self.is_told = asyncio.Event(), False
        self.room = asyncio.Event()
        self.content = to_bytes(lib.px_request_content(exchange)) or b""
        self.started: Optional[dict] = None
        self.is_answered = self.is_ended = False
        client, port = split_address((to_bytes(lib.px_exchange_peer(exchange)) or b"").decode())
        count = ffi.new("size_t *")
        fields = lib.px_request_fields(exchange, count)
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": {10: "1.0", 11: "1.1"}.get(lib.px_request_version(exchange), "2"),
            "method": (to_bytes(lib.px_request_method(exchange)) or b"").decode(),
            "scheme": (to_bytes(lib.px_request_scheme(exchange)) or b"").decode(),
            "path": (to_bytes(lib.px_request_path(exchange)) or b"/").decode(errors="replace"),
            "raw_path": to_bytes(lib.px_request_raw_path(exchange)) or b"",
            "query_string": to_bytes(lib.px_request_query(exchange)) or b"",
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in fields_of(fields, count[0])],
            "extensions": {"pollux.trace": trace_of(exchange)},
            "client": (client, int(port)) if port else None,
            "server": (self.server.local[0], int(self.server.local[1])) if self.server.local[1] else (self.server.local[0], None),
        }

    async def receive(self) -> dict:
        if not self.is_told:
            self.is_told = True
            return {"type": "http.request", "body": self.content, "more_body": False}
        await self.is_over.wait()
        return {"type": "http.disconnect"}

    async def send(self, event: dict) -> None:
        if self.is_over.is_set():
            return
        if event["type"] == "http.response.start":
            self.started = event
        elif event["type"] == "http.response.body":
            await self._write(event.get("body", b""), event.get("more_body", False))
            self.server.wake()

    def _begin(self, length: int) -> None:
        assert self.started is not None, "http.response.body came before http.response.start"
        for name, value in self.started.get("headers", []):
            (name_str, kept), (value_str, kept_too) = to_str(bytes(name)), to_str(bytes(value))
            lib.px_response_pass_field(self.exchange, name_str, value_str)
            del kept, kept_too
        lib.px_response_start(self.exchange, self.started["status"], to_str(None)[0], length)
        self.is_answered = True

    async def _write(self, body: bytes, more: bool) -> None:
        if not self.is_answered:
            self._begin(LENGTH_UNKNOWN if more else len(body))
        at = 0
        while at < len(body) and not self.is_over.is_set():
            room = lib.px_response_room(self.exchange)
            if room == 0:
                self.room.clear()
                self.server.wake()
                await self.room.wait()
                continue
            piece, kept = to_str(body[at : at + room])
            lib.px_response_write(self.exchange, piece)
            at += piece.len
            del kept
        if not more and not self.is_over.is_set():
            lib.px_response_end(self.exchange)
            self.is_ended = True

    async def run(self) -> None:
        try:
            await self.server.application(self.scope, self.receive, self.send)
        except Exception:  # pylint: disable=broad-except
            sys.excepthook(*sys.exc_info())
        if self.is_over.is_set():
            return
        if not self.is_answered:
            lib.px_respond_error(self.exchange, 500)
        elif not self.is_ended:
            lib.px_exchange_abort(self.exchange)  # it ends visibly broken
        self.server.wake()


class ASGIServer:
    """An application, served by the running event loop."""

    def __init__(self, application: Application, content_bytes_max: int = 16 * 1024 * 1024, trace_sample: int = 0,
                 trace_restart: bool = False):
        self.application = application
        self.local: tuple[str, Optional[str]] = ("localhost", None)
        self.cycles: dict[int, _Cycle] = {}
        self.tasks: set = set()
        self.is_drained = asyncio.Event()
        self.server = Server(self._handle, content_bytes_max, True, trace_sample, trace_restart)
        self.loop = lib.px_server_loop(self.server.ptr)
        self.timer: Optional[asyncio.TimerHandle] = None
        self.is_stepping = False
        self.callbacks = new_options("px_exchange_callbacks")
        self.kept = (ffi.callback("void(px_exchange *, px_end, void *)", self._end),
                     ffi.callback("void(px_exchange *, void *)", self._room),
                     ffi.callback("void(px_server *, void *)", lambda _server, _context: self.is_drained.set()))
        self.callbacks.on_end, self.callbacks.on_room = self.kept[0], self.kept[1]

    def _handle(self, exchange: Any, _context: Any) -> None:
        cycle = _Cycle(self, exchange)
        self.cycles[id(cycle)] = cycle
        lib.px_exchange_set_callbacks(exchange, self.callbacks, ffi.cast("void *", id(cycle)))
        task = asyncio.get_running_loop().create_task(cycle.run())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _room(self, _exchange: Any, context: Any) -> None:
        self.cycles[int(ffi.cast("uintptr_t", context))].room.set()

    def _end(self, _exchange: Any, _end: int, context: Any) -> None:
        cycle = self.cycles.pop(int(ffi.cast("uintptr_t", context)))
        cycle.is_over.set()
        cycle.room.set()

    def wake(self) -> None:
        """What was answered goes out with the next step."""
        asyncio.get_running_loop().call_soon(self._step)

    def _step(self) -> None:
        if self.server.ptr == ffi.NULL or self.is_stepping:
            return
        self.is_stepping = True
        error = new_error()
        try:
            check(lib.px_loop_step(self.loop, error), error)
        finally:
            self.is_stepping = False
        if self.timer:
            self.timer.cancel()
            self.timer = None
        wait_ms = lib.px_loop_timeout_ms(self.loop)
        if wait_ms >= 0:
            self.timer = asyncio.get_running_loop().call_later(wait_ms / 1000, self._step)

    def listen(self, address: str) -> str:
        found = self.server.listen(address)
        self.local = split_address(found.split(", ")[0])
        return found

    def drain(self) -> None:
        lib.px_server_drain(self.server.ptr, 0, 0)
        self.wake()

    async def run(self) -> None:
        """Until it has drained."""
        running = asyncio.get_running_loop()
        lib.px_server_on_drained(self.server.ptr, self.kept[2], ffi.NULL)
        running.add_reader(lib.px_loop_fd(self.loop), self._step)
        self._step()
        try:
            await self.is_drained.wait()
        finally:
            running.remove_reader(lib.px_loop_fd(self.loop))
            if self.timer:
                self.timer.cancel()
            self.server.close()


class _Lifespan:
    """Startup and shutdown, for applications that want them."""

    def __init__(self, application: Application):
        self.application = application
        self.events: asyncio.Queue = asyncio.Queue()
        self.done = {"startup": asyncio.Event(), "shutdown": asyncio.Event()}
        self.failure: Optional[str] = None
        self.task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            await self.application({"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}, self.events.get, self._send)
        except Exception:  # pylint: disable=broad-except
            pass  # it has none, as the specification lets it
        for done in self.done.values():
            done.set()

    async def _send(self, event: dict) -> None:
        _, phase, result = event["type"].split(".")
        if result == "failed":
            self.failure = event.get("message", "")
        self.done[phase].set()

    async def tell(self, phase: str) -> None:
        await self.events.put({"type": f"lifespan.{phase}"})
        await self.done[phase].wait()
        if self.failure is not None:
            raise RuntimeError(f"the application's {phase} failed: {self.failure}")


async def serve_async(application: Application, address: str = "127.0.0.1:8080", **options: int) -> None:
    """Serves until TERM or INT, in the running event loop."""
    server = ASGIServer(application, **options)
    lifespan = _Lifespan(application)
    await lifespan.tell("startup")
    print(f"pollux: listening on {server.listen(address)}", file=sys.stderr, flush=True)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.drain)
    await server.run()
    await lifespan.tell("shutdown")


def serve(application: Application, address: str = "127.0.0.1:8080", **options: int) -> None:
    asyncio.run(serve_async(application, address, **options))
