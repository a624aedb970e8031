"""The library as a package: installs it, and builds a program outside of the tree in every way.

With pkg-config and with find_package, against the shared and the static library, as C and as C++;
checks which symbols are visible, and that a program's own px_on_fatal takes the place of ours.
"""
import os
import re
import subprocess
import textwrap

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pollux/error.h>
#include <pollux/fatal.h>
#include <pollux/loop.h>

static void on_timer(px_timer *timer, void *context)
{
    (void)timer;
    px_loop_stop((px_loop *)context);
}

/* Takes the place of the library's weak one. */
void px_on_fatal(const char *file, int line, const char *condition)
{
    printf("fatal %s %d %s\\n", file, line, condition);
    fflush(stdout);
    _Exit(7);
}

int main(int argc, char **argv)
{
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);

    if (!loop)
        return 2;
    px_timer *timer = px_timer_create(loop, on_timer, loop);

    if (!timer)
        return 3;
    /* A loop must not be destroyed while a timer is on it. */
    if (argc > 1 && strcmp(argv[1], "break") == 0)
        px_loop_destroy(loop);
    px_timer_start(timer, 1);
    if (px_loop_run(loop, &error) != PX_OK)
        return 4;
    px_timer_destroy(timer);
    while (px_loop_handle_count(loop) > 0)
        if (px_loop_step(loop, &error) != PX_OK)
            return 5;
    px_loop_destroy(loop);
    printf("%s\\n", px_err_name(PX_ERR_TIMEOUT));
    return 0;
}
"""

CMAKE = """
cmake_minimum_required(VERSION 3.25)
project(outside LANGUAGES C CXX)
find_package(pollux 0.1 REQUIRED)
foreach(language c cpp)
    add_executable(shared_${language} program.${language})
    target_link_libraries(shared_${language} PRIVATE pollux::pollux)
    add_executable(static_${language} program.${language})
    target_link_libraries(static_${language} PRIVATE pollux::static)
endforeach()
"""

FLAGS = ["-Wall", "-Wextra", "-Werror", "-pedantic"]


def run(*command, **more):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                            timeout=300, **more)
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """Builds the release and installs it, then moves it: nothing may know where it was."""
    folder = tmp_path_factory.mktemp("package")
    build = os.path.join(ROOT, "build", "package")
    run("cmake", "-S", ROOT, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
        "-DPX_EXAMPLES=OFF", "-DPX_TESTS=OFF", f"-DCMAKE_INSTALL_PREFIX={folder / 'first'}")
    run("cmake", "--build", build, "-j", "2")
    run("cmake", "--install", build)
    os.rename(folder / "first", folder / "moved")
    return folder / "moved"


@pytest.fixture(scope="module")
def libraries(prefix):
    found = [folder for folder, _, names in os.walk(prefix) if "libpollux.a" in names]
    assert len(found) == 1
    return found[0]


@pytest.fixture()
def outside(tmp_path):
    for language in ("c", "cpp"):
        (tmp_path / f"program.{language}").write_text(PROGRAM)
    (tmp_path / "CMakeLists.txt").write_text(CMAKE)
    return tmp_path


def works(program, libraries):
    """The program runs, and its px_on_fatal is called when it breaks a rule of the library."""
    environment = {**os.environ, "LD_LIBRARY_PATH": libraries}
    assert run(program, env=environment) == "timed out\n"
    broken = subprocess.run([str(program), "break"], env=environment, capture_output=True, text=True,
                            timeout=60)
    assert broken.returncode == 7, broken
    assert re.match(r"fatal \w+\.c \d+ .+\n", broken.stdout), broken


@pytest.mark.parametrize("compiler,source,standard",
                         [("gcc", "program.c", "c99"), ("gcc", "program.c", "c17"),
                          ("g++", "program.cpp", "c++11"), ("g++", "program.cpp", "c++20")])
@pytest.mark.parametrize("static", [False, True])
def test_pkg_config(prefix, libraries, outside, compiler, source, standard, static):
    environment = {**os.environ, "PKG_CONFIG_PATH": os.path.join(libraries, "pkgconfig")}
    flags = run("pkg-config", "--cflags", "--libs", *(["--static"] if static else []), "pollux",
                env=environment).split()
    if static:
        flags = [os.path.join(libraries, "libpollux.a") if flag == "-lpollux" else flag
                 for flag in flags]
    run(compiler, f"-std={standard}", *FLAGS, source, *flags, "-o", "program", cwd=outside)
    works(outside / "program", libraries)
    needed = run("readelf", "-d", outside / "program")
    assert ("libpollux.so.0" in needed) != static


def test_find_package(prefix, libraries, outside):
    run("cmake", "-S", outside, "-B", outside / "build", "-G", "Ninja",
        f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", outside / "build", "-j", "2")
    for name in ("shared_c", "shared_cpp", "static_c", "static_cpp"):
        works(outside / "build" / name, libraries)
        needed = run("readelf", "-d", outside / "build" / name)
        assert ("libpollux.so.0" in needed) == name.startswith("shared")


def test_other_version_is_refused(prefix, outside):
    text = CMAKE.replace("find_package(pollux 0.1 REQUIRED)", "find_package(pollux 9.0 REQUIRED)")
    (outside / "CMakeLists.txt").write_text(text)
    result = subprocess.run(["cmake", "-S", str(outside), "-B", str(outside / "build"), "-G", "Ninja",
                             f"-DCMAKE_PREFIX_PATH={prefix}"], capture_output=True, text=True,
                            timeout=60)
    assert result.returncode != 0
    assert "requested version \"9.0\"" in result.stderr


def defined(*command):
    """The global symbols that a library defines."""
    names = set()
    for line in run(*command).splitlines():
        match = re.match(r"[0-9a-f]+ ([A-Za-z]) (\S+)$", line)
        if match:
            names.add(match.group(2))
    return names


def public_functions():
    """Every function that a public header declares without a body."""
    names = set()
    folder = os.path.join(ROOT, "include", "pollux")
    for header in os.listdir(folder):
        with open(os.path.join(folder, header), encoding="utf-8") as file:
            text = re.sub(r"/\*.*?\*/", " ", file.read(), flags=re.S)
        text = re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", " ", text, flags=re.M)
        text = re.sub(r"\b(?:struct|enum)\s+\w+\s*\{[^{}]*\}", " ", text)
        for statement in text.split(";"):
            match = re.search(r"\b(px_\w+)\s*\([^{}]*\)[^(){}]*$", statement)
            if match and "{" not in statement.split(match.group(0))[-1] and \
                    "typedef" not in statement and "static inline" not in statement:
                names.add(match.group(1))
    return names


def test_only_px_symbols(libraries):
    shared = defined("nm", "-D", "--defined-only", os.path.join(libraries, "libpollux.so"))
    static = defined("nm", "-g", "--defined-only", os.path.join(libraries, "libpollux.a"))
    assert [name for name in shared | static if not name.startswith("px_")] == []
    assert shared == static
    assert len(static) > 40


def test_every_public_function_is_there(libraries):
    static = defined("nm", "-g", "--defined-only", os.path.join(libraries, "libpollux.a"))
    declared = public_functions()
    assert len(declared) > 40
    assert sorted(declared - static) == []
    assert sorted(static - declared) == []


def test_soname(libraries):
    dynamic = run("readelf", "-d", os.path.join(libraries, "libpollux.so"))
    assert "Library soname: [libpollux.so.0]" in dynamic
    assert "TEXTREL" not in dynamic
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
    known = r"(libc|libssl|libcrypto|libnghttp2|libz|libbrotlienc|libbrotlicommon|libzstd)\.so|ld-linux"
    assert [name for name in needed if not re.match(known, name)] == []


def test_the_man_page_is_installed(prefix):
    assert ".TH" in (prefix / "share" / "man" / "man1" / "pollux.1").read_text()


def test_every_header_is_installed(prefix):
    installed = set(os.listdir(prefix / "include" / "pollux"))
    assert installed == set(os.listdir(os.path.join(ROOT, "include", "pollux")))
    headers = "".join(f"#include <pollux/{name}>\n" for name in sorted(installed))
    run("gcc", "-std=c99", *FLAGS, "-fsyntax-only", f"-I{prefix / 'include'}", "-x", "c", "-",
        input=textwrap.dedent(headers))
