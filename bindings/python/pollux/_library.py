"""libpollux, loaded as its headers describe it (api.cdef is what tools/api.py --cdef prints;
setup.py makes it)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Optional

from cffi import FFI

ffi: Any = FFI()
_cdef = Path(__file__).parent / "api.cdef"
_name = os.environ.get("POLLUX_LIBRARY", "libpollux.so.0.1")
if not _cdef.exists():
    raise ImportError(
        f"{_cdef} is missing: install the package (pip install bindings/python), or make the file by "
        "python3 tools/api.py --cdef"
    )
ffi.cdef(_cdef.read_text())
try:
    lib: Any = ffi.dlopen(_name)
except OSError as error:
    raise ImportError(
        f"{error}; POLLUX_LIBRARY can say which file it is, or LD_LIBRARY_PATH which folder it is in"
    ) from error

# What api.cdef leaves out: its numbers that are macros.
LENGTH_UNKNOWN = 2**64 - 1


class Error(Exception):
    """A setup call of the library failed."""

    def __init__(self, code: int, text: str):
        super().__init__(text)
        self.code = code


def new_error() -> Any:
    return ffi.new("px_error *")


def check(code: int, error: Any) -> None:
    if code != lib.PX_OK:
        raise Error(code, ffi.string(error.text).decode(errors="replace"))


def new_options(kind: str) -> Any:
    """A struct of options with the defaults."""
    options = ffi.new(kind + " *")
    options.struct_size = ffi.sizeof(kind)
    return options


def to_bytes(text: Any) -> Optional[bytes]:
    return None if text.ptr == ffi.NULL else bytes(ffi.buffer(text.ptr, text.len))


def to_str(data: Optional[bytes]) -> tuple:
    """A px_str for one call, and what keeps its bytes until then."""
    if data is None:
        return ffi.new("px_str *")[0], None
    kept = ffi.from_buffer(data)
    return ffi.new("px_str *", {"ptr": ffi.cast("char *", kept), "len": len(data)})[0], kept


def fields_of(fields: Any, count: int) -> list[tuple[bytes, bytes]]:
    return [(to_bytes(fields[index].name) or b"", to_bytes(fields[index].value) or b"") for index in range(count)]


def split_address(address: str) -> tuple[str, Optional[str]]:
    """Host and port of "192.0.2.1:80" and "[::1]:80"; of a unix socket its name."""
    if address.startswith("unix:"):
        return address, None
    host, _, port = address.rpartition(":")
    return host.strip("[]"), port


def trace_of(exchange: Any) -> dict:
    """Where a request stands in its trace (W3C Trace Context): for spans of the application's own."""
    parent = to_bytes(lib.px_request_parent_span_id(exchange))
    return {
        "trace_id": (to_bytes(lib.px_request_trace_id(exchange)) or b"").decode(),
        "span_id": (to_bytes(lib.px_request_span_id(exchange)) or b"").decode(),
        "parent_span_id": parent.decode() if parent is not None else None,
        "is_sampled": bool(lib.px_request_is_sampled(exchange)),
    }


class Server:
    """A px_server on a loop of its own, with one handler for all requests."""

    def __init__(self, handler: Any, content_bytes_max: int, collect: bool, trace_sample: int = 0, trace_restart: bool = False):
        error = new_error()
        options = new_options("px_server_options")
        options.content_bytes_max = content_bytes_max
        options.trace_sample, options.trace_restart = trace_sample, int(trace_restart)
        self.ptr = lib.px_server_create(options, error)
        if self.ptr == ffi.NULL:
            raise Error(error.code, ffi.string(error.text).decode())
        self.handler = ffi.callback("void(px_exchange *, void *)", handler)
        route = new_options("px_route_options")
        route.content_mode = lib.PX_CONTENT_COLLECT if collect else lib.PX_CONTENT_STREAM
        check(lib.px_server_route_with(self.ptr, b"/", route, self.handler, ffi.NULL, error), error)

    def listen(self, address: str) -> str:
        """Opens an address; says which one it is, with its port."""
        error = new_error()
        check(lib.px_server_listen(self.ptr, address.encode(), error), error)
        return ffi.string(lib.px_server_address(self.ptr)).decode()

    def close(self) -> None:
        if self.ptr != ffi.NULL:
            lib.px_server_destroy(self.ptr)
            self.ptr = ffi.NULL
