"""The library as a package: installs it, and builds a program outside of the tree in every way.

With pkg-config and with find_package, against the shared and the static library, as C and as C++;
checks which symbols are visible, and that a program's own px_on_fatal takes the place of ours.
"""
import json
import os
import platform
import re
import shutil
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
                            timeout=900, **more)
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


BUILD = os.path.join(ROOT, "build", "package")
BUILD_PLAIN = os.path.join(ROOT, "build", "package-plain")
DEFAULTS = {"CMAKE_BUILD_TYPE": "Release", "PX_EXAMPLES": "OFF", "PX_TESTS": "OFF", "PX_MAN": "ON", "PX_STATIC": "ON",
            "PX_SHARED": "ON", "PX_PROGRAM": "ON", "PX_PROGRAM_SHARED": "OFF", "CMAKE_INSTALL_LIBDIR": "lib",
            "CMAKE_INSTALL_INCLUDEDIR": "include"}


# What is built and where it goes does not depend on how it is optimised, and merging takes a minute.
PLAIN = {"CMAKE_BUILD_TYPE": "Debug", "CMAKE_C_FLAGS_DEBUG": "-O1", "PX_LTO": "OFF"}


def installed(prefix, build=BUILD, **options):
    """Builds what these options ask for beside the defaults, and installs it. Objects are built once."""
    given = {**DEFAULTS, **options, "CMAKE_INSTALL_PREFIX": prefix}
    run("cmake", "-S", ROOT, "-B", build, "-G", "Ninja", *(f"-D{name}={value}" for name, value in given.items()))
    run("cmake", "--build", build, "-j", "2")
    run("cmake", "--install", build)
    return prefix


def installed_plain(prefix, **options):
    return installed(prefix, BUILD_PLAIN, **PLAIN, **options)


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """Builds the release and installs it, then moves it: nothing may know where it was."""
    folder = tmp_path_factory.mktemp("package")
    os.rename(installed(folder / "first"), folder / "moved")
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
    # Nothing of the libraries below, whose headers ours do not include.
    assert [os.path.realpath(flag[2:]) for flag in flags if flag.startswith("-I")] == [str(prefix / "include")]
    assert {flag[:2] for flag in flags} | {"-p"} == {"-I", "-L", "-l", "-p"}
    if static:
        flags = [os.path.join(libraries, "libpollux.a") if flag == "-lpollux" else flag
                 for flag in flags]
    run(compiler, f"-std={standard}", *FLAGS, source, *flags, "-o", "program", cwd=outside)
    works(outside / "program", libraries)
    needed = run("readelf", "-d", outside / "program")
    assert ("libpollux.so.0.1" in needed) != static


def test_find_package(prefix, libraries, outside):
    run("cmake", "-S", outside, "-B", outside / "build", "-G", "Ninja",
        f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", outside / "build", "-j", "2")
    for name in ("shared_c", "shared_cpp", "static_c", "static_cpp"):
        works(outside / "build" / name, libraries)
        needed = run("readelf", "-d", outside / "build" / name)
        assert ("libpollux.so.0.1" in needed) == name.startswith("shared")


@pytest.mark.parametrize("compiler,language,standard", [("gcc", "c", "c99"), ("g++", "c++", "c++11"), ("g++", "c++", "c++20")])
def test_initialisers(prefix, tmp_path, compiler, language, standard):
    """Each PX_*_DEFAULT has a PX_*_INIT for statics, and both are the same struct."""
    text = "".join(path.read_text() for path in (prefix / "include" / "pollux").glob("*.h"))
    found = re.findall(r"^#define PX_(\w+)_DEFAULT (px_\w+)_default\(\)", text, re.M)
    assert len(found) > 8
    source = "#include <string.h>\n#include <pollux/pollux.h>\n#include <pollux/stream.h>\n#include <pollux/compress.h>\n" \
             "#include <pollux/files.h>\nstatic px_error error = PX_ERROR_INIT;\n"
    for name, kind in found:
        source += f"static {kind} static_{kind} = PX_{name}_INIT;\n"
    source += "int main(void) {\n    px_error local = PX_ERROR_INIT;\n"
    for name, kind in found:
        source += f"    {kind} value_{kind} = PX_{name}_DEFAULT;\n" \
                  f"    if (memcmp(&value_{kind}, &static_{kind}, sizeof(value_{kind})) != 0) return 1;\n"
    source += "    return memcmp(&error, &local, sizeof(error)) != 0 || local.code != PX_OK;\n}\n"
    run(compiler, f"-std={standard}", *FLAGS, f"-I{prefix / 'include'}", "-x", language, "-", "-o", tmp_path / "program",
        input=source)
    run(tmp_path / "program")


@pytest.mark.parametrize("compiler,language", [("gcc", "c"), ("g++", "c++")])
def test_the_program_of_README(prefix, libraries, tmp_path, compiler, language):
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        source = re.search(r"```c\n(.*?)```", file.read(), re.S)[1]
    run(compiler, *FLAGS, f"-I{prefix / 'include'}", "-x", language, "-", f"-L{libraries}", "-lpollux", "-o",
        tmp_path / "program", input=source)


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
        match = re.match(r"[0-9a-f]+ ([B-Zb-z]) ([^@\s]+)", line)  # A: the name of a version
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
    assert "Library soname: [libpollux.so.0.1]" in dynamic
    assert "TEXTREL" not in dynamic
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
    known = r"(libc|libssl|libcrypto|libz|libbrotlienc|libbrotlicommon|libzstd|libcrypt|libhiredis)\.so|ld-linux"
    assert [name for name in needed if not re.match(known, name)] == []


def test_symbols_have_a_version(libraries):
    """One that is built against this library does not run with another by chance, and a process may have two."""
    library = os.path.join(libraries, "libpollux.so")
    node = "LIBPOLLUX_0.1"
    names = [line.split()[-1] for line in run("nm", "-D", "--defined-only", library).splitlines()]
    functions = [name for name in names if name.startswith("px_")]
    assert len(functions) > 300
    assert [name for name in functions if not name.endswith("@@" + node)] == []
    assert [name for name in names if name not in functions] == [node]


def test_the_man_page_is_installed(prefix):
    assert ".TH" in (prefix / "share" / "man" / "man1" / "pollux.1").read_text()


def test_what_else_is_installed(prefix):
    docs = prefix / "share" / "doc" / "pollux"
    for name in ("LICENSE", "README.md", "CHANGELOG.md", "docs/OPERATIONS.md", "docs/decisions/sandbox.md",
                 "examples/hello.c", "systemd/tls.conf", "systemd/run.conf", "systemd/pollux.conf",
                 "systemd/pollux.logrotate"):
        assert (docs / name).is_file(), name
    assert "#compdef pollux" in (prefix / "share/zsh/site-functions/_pollux").read_text()
    assert "complete -c pollux" in (prefix / "share/fish/vendor_completions.d/pollux.fish").read_text()
    assert "/srv/www" in (prefix / "lib/tmpfiles.d/pollux.conf").read_text()
    service = (prefix / "lib/systemd/system/pollux.service").read_text()
    assert re.search(r"^ExecStart=(\S+)", service, re.M)[1] == str(prefix.parent / "first" / "bin" / "pollux")
    for name in ("pollux.socket", "pollux-tls.socket"):
        assert "ListenStream=" in (prefix / "lib/systemd/system" / name).read_text()


COMPLETED = [
    (["pollux", "fi"], ["files"]),
    (["pollux", "files", "--lis"], ["--listen", "--listing"]),
    (["pollux", "respond", "--stat"], ["--status"]),
    (["pollux", "healthcheck", "--time"], ["--timeout"]),
    (["pollux", "files", "--spa", "ind"], ["index.html"]),
    (["pollux", "files", "--log-file", "=", "ind"], ["index.html"]),
    (["pollux", "files", "--workers", ""], []),
    (["pollux", "files", "fo"], ["folder"]),
]


@pytest.mark.parametrize("words,found", COMPLETED)
def test_completion(prefix, tmp_path, words, found):
    (tmp_path / "index.html").touch()
    (tmp_path / "folder").mkdir()
    script = prefix / "share/bash-completion/completions/pollux"
    line = 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pollux; printf "%s\\n" "${COMPREPLY[@]}"'
    out = run("bash", "-c", line, script, str(prefix / "bin" / "pollux"), *words[1:], cwd=tmp_path)
    assert out.split() == found


def links(prefix, outside, names):
    """A program outside, by find_package and each of the targets."""
    text = CMAKE[:CMAKE.index("foreach")]
    for name in names:
        text += f"add_executable({name} program.c)\ntarget_link_libraries({name} PRIVATE pollux::{name})\n"
    (outside / "CMakeLists.txt").write_text(text)
    run("cmake", "-S", outside, "-B", outside / "build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", outside / "build", "-j", "2")
    for name in names:
        works(outside / "build" / name, prefix / "lib")


def test_static_alone(tmp_path, outside):
    prefix = installed_plain(tmp_path / "prefix", PX_SHARED="OFF")
    assert sorted(path.name for path in prefix.glob("lib/libpollux*")) == ["libpollux.a"]
    links(prefix, outside, ["pollux", "static"])
    environment = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib" / "pkgconfig")}
    flags = run("pkg-config", "--cflags", "--libs", "pollux", env=environment).split()
    run("gcc", "program.c", *flags, "-o", "by-pkg-config", cwd=outside)
    works(outside / "by-pkg-config", prefix / "lib")


def test_shared_alone(tmp_path, outside):
    prefix = installed_plain(tmp_path / "prefix", PX_STATIC="OFF", PX_PROGRAM_SHARED="ON")
    assert not list(prefix.glob("lib/*.a"))
    links(prefix, outside, ["pollux"])
    assert "libpollux.so.0.1" in run("readelf", "-d", prefix / "bin" / "pollux")
    environment = {**os.environ, "LD_LIBRARY_PATH": str(prefix / "lib")}
    assert run(prefix / "bin" / "pollux", "--version", env=environment).startswith("pollux 0.")


def test_the_static_library_in_a_package_of_its_own(prefix, outside, tmp_path):
    """find_package works where the file was left out."""
    shutil.copytree(prefix, tmp_path / "prefix", symlinks=True)
    os.remove(tmp_path / "prefix" / "lib" / "libpollux.a")
    links(tmp_path / "prefix", outside, ["pollux"])


def test_library_alone(tmp_path):
    prefix = installed_plain(tmp_path / "prefix", PX_PROGRAM="OFF", PX_MAN="OFF")
    assert sorted(path.name for path in prefix.iterdir()) == ["include", "lib", "share"]
    assert sorted(path.name for path in (prefix / "lib").iterdir() if path.is_dir()) == ["cmake", "pkgconfig"]
    assert [path.name for path in (prefix / "share").iterdir()] == ["doc"]


def test_absolute_folders(tmp_path, outside):
    """As Nix and Guix have them: outside of the prefix."""
    lib, include = tmp_path / "out" / "lib", tmp_path / "dev" / "include"
    installed_plain(tmp_path / "prefix", CMAKE_INSTALL_LIBDIR=lib, CMAKE_INSTALL_INCLUDEDIR=include)
    environment = {**os.environ, "PKG_CONFIG_PATH": str(lib / "pkgconfig")}
    for name, wanted in (("libdir", lib), ("includedir", include), ("prefix", tmp_path / "prefix")):
        assert run("pkg-config", f"--variable={name}", "pollux", env=environment).strip() == str(wanted)
    flags = run("pkg-config", "--cflags", "--libs", "pollux", env=environment).split()
    run("gcc", "program.c", *flags, "-o", "program", cwd=outside)
    works(outside / "program", lib)


@pytest.mark.parametrize("name", sorted(name for name in os.listdir(os.path.join(ROOT, "examples")) if name.endswith(".c")))
def test_the_installed_examples_compile(prefix, name):
    """As they are: with what their own first lines define."""
    source = prefix / "share" / "doc" / "pollux" / "examples" / name
    run("gcc", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", f"-I{prefix}/include", source)


def test_cpp_before_20_is_told_so(prefix):
    made = subprocess.run(["g++", "-std=c++17", "-fsyntax-only", f"-I{prefix}/include", "-x", "c++", "-"],
                          input="#include <pollux.hpp>\n", capture_output=True, text=True, timeout=60)
    assert made.returncode != 0 and "pollux.hpp needs C++20" in made.stderr.splitlines()[1], made.stderr


def test_units_name_the_prefix_they_are_installed_to(prefix, tmp_path):
    """Also where `cmake --install --prefix` says another one than the build was made for."""
    run("cmake", "--install", BUILD, "--prefix", tmp_path / "other")
    program = str(tmp_path / "other" / "bin" / "pollux")
    for place in ("lib/systemd/system/pollux.service", "share/doc/pollux/systemd/run.conf", "share/doc/pollux/systemd/tls.conf"):
        found = re.findall(r"^ExecStart(?:Pre)?=(\S+)", (tmp_path / "other" / place).read_text(), re.M)
        assert found and set(found) == {program}, place


@pytest.mark.parametrize("kind", ["Release", "RelWithDebInfo", "MinSizeRel", "None"])
def test_hardening_whatever_the_build_type(tmp_path, kind):
    flags = ["-DCMAKE_C_FLAGS=-O2 -D_FORTIFY_SOURCE=2 -Wall"] if kind == "None" else []
    run("cmake", "-S", ROOT, "-B", tmp_path, "-G", "Ninja", f"-DCMAKE_BUILD_TYPE={kind}", *flags)
    for entry in json.loads((tmp_path / "compile_commands.json").read_text()):
        if "/src/" not in entry["file"]:
            continue
        words = entry["command"].split()
        for flag in ("-fstack-protector-strong", "-fstack-clash-protection", f"-ffile-prefix-map={ROOT}=."):
            assert flag in words, (flag, entry["command"])
        assert ("-fcf-protection" in words) == (platform.machine() == "x86_64")
        assert [word for word in words if "_FORTIFY_SOURCE" in word][-1] == "-D_FORTIFY_SOURCE=3"


def test_hardening_as_linked(prefix):
    for name in ("bin/pollux", "lib/libpollux.so"):
        dynamic = run("readelf", "-dlW", prefix / name)
        assert "GNU_RELRO" in dynamic and "BIND_NOW" in dynamic
        assert re.search(r"GNU_STACK .* RW ", dynamic)
        assert "_chk" in run("nm", "-D", prefix / name)


def test_the_same_bytes_in_two_folders(tmp_path):
    """src/base as it is optimised and merged; and TLS, where OpenSSL's macros have __FILE__, as it is
    compiled: objects for the optimiser hold the build's folder until they are linked."""
    made = []
    for name in ("a", "another-folder"):
        folder = tmp_path / name
        folder.mkdir()
        for part in ("CMakeLists.txt", "cmake", "include", "src", "deploy"):
            where = os.path.join(ROOT, part)
            (shutil.copytree if os.path.isdir(where) else shutil.copy)(where, folder / part)
        found = {}
        for lto, target in (("ON", "px_base_object"), ("OFF", "px_tls")):
            build = folder / f"build-{lto}"
            run("cmake", "-S", folder, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
                f"-DPX_LTO={lto}", "-DPX_EXAMPLES=OFF", "-DPX_MAN=OFF")
            run("cmake", "--build", build, "-j", "2", "--target", target)
        for path in [folder / "build-ON" / "base.o", *(folder / "build-OFF" / "src" / "tls").rglob("*.o")]:
            found[path.name] = path.read_bytes()
            assert str(tmp_path).encode() not in found[path.name], path
        made.append(found)
    assert len(made[0]) > 5 and made[0] == made[1]


def test_every_header_is_installed(prefix):
    installed = set(os.listdir(prefix / "include" / "pollux"))
    assert installed == set(os.listdir(os.path.join(ROOT, "include", "pollux")))
    headers = "".join(f"#include <pollux/{name}>\n" for name in sorted(installed))
    run("gcc", "-std=c99", *FLAGS, "-fsyntax-only", f"-I{prefix / 'include'}", "-x", "c", "-",
        input=textwrap.dedent(headers))
