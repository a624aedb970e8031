"""Packages for Debian and for distributions with RPM: their descriptions agree with the tree; POLLUX_FULL builds them."""
import os
import re
import subprocess
import tarfile

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
full = pytest.mark.skipif(not os.environ.get("POLLUX_FULL"), reason="minutes: in script/test full")
SYSTEM = "/usr/sbin:/usr/bin:/sbin:/bin"  # what Debian builds with: not another python3
PACKAGES = {
    "pollux": ["/usr/bin/pollux", "/usr/share/man/man1/pollux.1.gz", "/lib/systemd/system/pollux.service"],
    "libpollux0.1": ["/libpollux.so.0.1.0"],
    "libpollux-dev": ["/usr/include/pollux.hpp", "/usr/include/pollux/save.h", "/libpollux.a", "/pkgconfig/pollux.pc",
                      "/polluxConfig.cmake"],
    "libpollux-doc": ["/docs/COOKBOOK.md", "/docs/status/status-390-dark.png", "/examples/cookbook/01_hello.c", "/examples/chat.c"],
    "python3-pollux": ["/usr/lib/python3/dist-packages/pollux/wsgi.py", "/usr/lib/python3/dist-packages/pollux/api.cdef"],
}


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def run(*command, **more):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=3000, **more)
    assert done.returncode == 0, (command, done.stdout[-4000:], done.stderr[-4000:])
    return done.stdout + done.stderr


def test_they_agree():
    version = re.search(r'PX_VERSION_STRING "(.*)"', read("include", "pollux", "version.h"))[1]
    soversion = ".".join(version.split(".")[:2])
    assert re.match(r"pollux \((.*?)\)", read("debian", "changelog"))[1] == version
    assert re.search(r"^Version: +(.*)$", read("deploy", "rpm", "pollux.spec"), re.M)[1] == version
    assert set(re.findall(r"^Package: (.*)$", read("debian", "control"), re.M)) == set(PACKAGES)
    assert f"libpollux{soversion}" in PACKAGES
    assert f"(symver)LIBPOLLUX_{soversion} " in read("debian", f"libpollux{soversion}.symbols")
    assert f"libpollux.so.{soversion}*" in read("deploy", "rpm", "pollux.spec")
    # Each library that the build can need is asked for by both.
    headers = set(re.findall(r"PACKAGE (\S+)-dev", read("cmake", "Dependencies.cmake")))
    assert len(headers) > 6
    for package in headers:
        assert f"{package}-dev" in read("debian", "control")
    names = set(re.findall(r" PC (\w+)", read("cmake", "Dependencies.cmake")))
    for name in names:
        assert f"pkgconfig({name})" in read("deploy", "rpm", "pollux.spec")


def archive(folder):
    made = folder / "pollux-0.1.0.tar"
    run("git", "-C", ROOT, "archive", "--prefix=pollux-0.1.0/", "-o", made, "HEAD")
    with tarfile.open(made) as file:
        file.extractall(folder)
    return folder / "pollux-0.1.0"


@full
def test_debian(tmp_path):
    source = archive(tmp_path)
    run("dpkg-buildpackage", "-us", "-uc", "-b", cwd=source, env={**os.environ, "DEB_BUILD_OPTIONS": "parallel=2", "PATH": SYSTEM})
    (changes,) = tmp_path.glob("*.changes")
    for package, files in PACKAGES.items():
        (deb,) = tmp_path.glob(f"{package}_*.deb")
        there = run("dpkg-deb", "-c", deb)
        for name in files:
            assert re.search(re.escape(name) + "$", there, re.M), (package, name, there)
    run("lintian", "--allow-root", "--fail-on", "error,warning", changes)
    tried = run(os.path.join(ROOT, "tests", "package", "try_packages.sh"), tmp_path, source / "debian" / "tests")
    for line in ("by-pkg-config: ok", "by-cpp: ok", "build/by-cmake-static: ok", "serve: ok", "python: ok", "all is gone"):
        assert line in tried


@full
def test_rpm():
    spec = os.path.join(ROOT, "deploy", "rpm", "pollux.spec")
    parsed = run("rpmspec", "-P", spec)
    assert re.findall(r"^%package -n (\S+)", parsed, re.M) == ["libpollux", "libpollux-devel"]


# What a distribution with RPM defines by packages of its own (systemd-rpm-macros).
MACROS = {"_unitdir": "/usr/lib/systemd/system", "_tmpfilesdir": "/usr/lib/tmpfiles.d", "systemd_post()": "%{nil}",
          "systemd_preun()": "%{nil}", "systemd_postun_with_restart()": "%{nil}", "optflags": "-O1"}


@full
def test_rpm_builds(tmp_path):
    """By rpmbuild of Debian, where the names of what it needs are none of its own: --nodeps."""
    source = archive(tmp_path)
    (tmp_path / "SOURCES").mkdir()
    run("tar", "-czf", tmp_path / "SOURCES" / f"{source.name}.tar.gz", "-C", tmp_path, source.name)
    defined = [word for name, value in {**MACROS, "_topdir": tmp_path, "_smp_mflags": "-j2"}.items() for word in ("--define", f"{name} {value}")]
    run("rpmbuild", "-bb", "--nodeps", *defined, source / "deploy" / "rpm" / "pollux.spec", env={**os.environ, "PATH": SYSTEM})
    there = {package.name.split("-0.1.0")[0]: run("rpm", "-qlp", package) for package in tmp_path.glob("RPMS/*/*.rpm")}
    assert set(there) == {"pollux", "libpollux", "libpollux-devel"}
    for package, name in (("pollux", "/usr/bin/pollux"), ("pollux", "/usr/lib/systemd/system/pollux.service"),
                          ("libpollux-devel", "/usr/include/pollux/flat.h"), ("libpollux-devel", "/pkgconfig/pollux.pc")):
        assert re.search(re.escape(name) + "$", there[package], re.M), (package, name, there[package])
    assert re.search(r"/libpollux\.so\.0\.1$", there["libpollux"], re.M)
