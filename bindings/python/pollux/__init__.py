"""pollux for Python: a WSGI server (pollux.wsgi) and an ASGI server (pollux.asgi) on libpollux.

The C API is there as it is: `pollux.lib` and `pollux.ffi` (cffi)."""

from ._library import Error, ffi, lib

__all__ = ["Error", "ffi", "lib"]
__version__ = "0.1.0"
