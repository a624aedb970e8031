"""The library as two files: HTTP/1 with libc alone, and (POLLUX_FULL) all of it, by gcc and clang."""
import os
import re
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import package_test  # noqa: E402

PROGRAM = """
#include <stdio.h>
#include "pollux.h"

static void hello(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "Hello, world!");
}

int main(void)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);

    if (!server || px_server_route(server, "GET /{$}", hello, NULL, &error) != PX_OK)
        return 1;
    px_test_answer *answer = px_test_ask(server, "GET /\\nAccept-Encoding: gzip", px_str_of(NULL), &error);
    if (!answer)
        return 2;
    printf("%u %.*s %x\\n", answer->status, (int)answer->content.len, answer->content.ptr, px_features());
    px_test_answer_free(answer);
    px_server_destroy(server);
    return 0;
}
"""
FLAGS = ["-std=c17", "-Wall", "-Wextra", "-Werror", "-pthread"]
ALL = ["TLS", "HTTP2", "ZLIB", "BROTLI", "ZSTD", "CRYPT", "REDIS"]
LIBRARIES = ["ssl", "crypto", "z", "brotlienc", "zstd", "crypt", "hiredis"]
LIBRARY_OF = ["TLS", "TLS", "ZLIB", "BROTLI", "ZSTD", "CRYPT", "REDIS"]
full = pytest.mark.skipif(not os.environ.get("POLLUX_FULL"), reason="minutes: in script/test full")


def run(folder, *command):
    result = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout + result.stderr[:4000]
    return result.stdout


def built(folder, compiler, level, options, libraries, *emulator):
    run(folder, os.path.join(ROOT, "script", "amalgamate"), folder, *(f"-DPX_{option}=ON" for option in options))
    (folder / "program.c").write_text(PROGRAM)
    run(folder, compiler, *FLAGS, level, "-c", "pollux.c")
    run(folder, compiler, *FLAGS, "program.c", "pollux.o", *(f"-l{name}" for name in libraries), "-o", "program")
    return run(folder, *emulator, "./program")


@pytest.mark.parametrize("arguments,code,said", [
    ("--help", 0, "usage: script/amalgamate OUT"), ("-h", 0, "usage: script/amalgamate OUT"), ("", 64, "OUT is missing"),
    ("--hepl", 64, "not --hepl"), ("-DPX_TLS=ON out", 64, "OUT comes first"), ("out tls", 64, "tls: an option is"),
    ("out -DPX_TLS", 64, "-DPX_TLS: an option is"), ("out -DPX_TSL=ON -DPX_ZLIP=ON", 64, "build: PX_TSL PX_ZLIP"),
])
def test_arguments(tmp_path, arguments, code, said):
    done = subprocess.run([os.path.join(ROOT, "script", "amalgamate"), *arguments.split()], cwd=tmp_path, capture_output=True, text=True,
                          timeout=600)
    assert done.returncode == code and said in (done.stderr if code else done.stdout)
    assert (code == 0) == (done.stderr == "") and os.listdir(tmp_path) == []


def test_libc_alone(tmp_path):
    assert built(tmp_path, "gcc", "-O0", [], []) == "200 Hello, world! 0\n"
    needed = re.findall(r"NEEDED.*\[(.*)\]", run(tmp_path, "readelf", "-d", "program"))
    assert needed == ["libc.so.6"]
    defined = package_test.defined("nm", "-g", "--defined-only", tmp_path / "pollux.o")
    assert {name for name in defined if not name.startswith("px_table_")} == package_test.public_functions()
    hidden = run(tmp_path, "readelf", "-sW", "pollux.o")
    assert [line for line in hidden.splitlines() if "px_table_" in line and "HIDDEN" not in line] == []
    run(tmp_path, "g++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c++", "pollux.h")


@full
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_with_all_options(tmp_path, compiler):
    assert built(tmp_path, compiler, "-O2", ALL, LIBRARIES) == "200 Hello, world! 7f\n"


def combinations():
    """Each option alone, and all but each."""
    for option in ALL:
        yield pytest.param([option], id=option)
        yield pytest.param([other for other in ALL if other != option], id=f"without-{option}")


@full
@pytest.mark.parametrize("options", combinations())
def test_each_option(tmp_path, options):
    bits = sum(1 << ALL.index(option) for option in options)
    libraries = [library for library, option in zip(LIBRARIES, LIBRARY_OF, strict=True) if option in options]
    assert built(tmp_path, "gcc", "-O0", options, libraries) == f"200 Hello, world! {bits:x}\n"


@full
def test_on_arm64(tmp_path):
    assert built(tmp_path, "aarch64-linux-gnu-gcc", "-O1", [], [], "qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu") == \
        "200 Hello, world! 0\n"
