"""The units of deploy/systemd: rated by systemd-analyze, read by it without a complaint, and wide
enough for what pollux does inside of them."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from deployment import BUILD, ROOT, help_of

FOLDER = ROOT / "deploy" / "systemd"
EXPOSURE_MAX = 2.0


def sections(name):
    """Section and key to the list of values, as systemd reads a unit: keys may repeat."""
    found, section = {}, None
    for line in (FOLDER / name).read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith(("#", ";")):
            key, _, value = line.partition("=")
            found.setdefault((section, key), []).append(value)
    return found


def exposure(path):
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", path],
        stdout=subprocess.PIPE, check=True, text=True, timeout=30,
    )  # fmt: skip
    return float(re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)[1])


def test_exposure(tmp_path):
    assert exposure(FOLDER / "pollux.service") < EXPOSURE_MAX
    bare = tmp_path / "bare.service"
    bare.write_text("[Service]\nExecStart=/usr/bin/pollux\n")
    assert exposure(bare) > 9, "the check can fail"


def verify(folder):
    units = sorted(folder.glob("pollux*.s*t")) + [folder / "pollux.service"]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30,
    )  # fmt: skip
    return [line for line in done.stdout.splitlines() if "pollux" in line]


def test_systemd_reads_them(tmp_path):
    """With a program that is there: /usr/local/bin/pollux may not be."""
    for name in ("pollux.service", "pollux.socket"):
        text = (FOLDER / name).read_text()
        assert "ExecStart=/usr/local/bin/pollux " in text or name.endswith(".socket")
        (tmp_path / name).write_text(text.replace("/usr/local/bin/pollux ", f"{shutil.which('true')} "))
    assert verify(tmp_path) == []
    with open(tmp_path / "pollux.service", "a") as file:
        file.write("\n[Service]\nNoNewPrivilege=yes\n")
    assert verify(tmp_path), "the check can fail"


def test_the_units_and_README_agree_where_the_program_is():
    """README installs with CMake's default prefix."""
    assert "cmake --install build/release &&" in (ROOT / "README.md").read_text()
    for name in ("pollux.service", "tls.conf", "run.conf"):
        for start in sections(name)["Service", "ExecStart"]:
            assert start == "" or start.split()[0] == "/usr/local/bin/pollux"


def test_tls_by_a_second_socket(tmp_path):
    """systemd reads the unit with its drop-in and both sockets, and they name each other."""
    drop_in, unit = sections("tls.conf"), sections("pollux-tls.socket")
    start = drop_in["Service", "ExecStart"][-1]
    assert drop_in["Service", "ExecStart"][0] == "", "in place of the unit's own"
    (name,) = unit["Socket", "FileDescriptorName"]
    (plain,) = sections("pollux.socket")["Socket", "FileDescriptorName"]
    assert f"--listen https://fd:{name} " in start and f"--https-redirect fd:{plain} " in start
    assert unit["Socket", "Service"] == ["pollux.service"]
    assert drop_in["Service", "Sockets"] == ["pollux.socket pollux-tls.socket"]
    credentials = {value.split(":")[0] for value in drop_in["Service", "LoadCredential"]}
    assert set(re.findall(r"%d/(\S+)", start)) == credentials and len(credentials) == 2
    for flag in re.findall(r"--[a-z-]+", start):
        assert flag in help_of("files"), flag
    (tmp_path / "pollux.service.d").mkdir()
    for source, target in (("pollux.service", ""), ("pollux.socket", ""), ("pollux-tls.socket", ""),
                           ("tls.conf", "pollux.service.d")):  # fmt: skip
        text = (FOLDER / source).read_text().replace("/usr/local/bin/pollux ", f"{shutil.which('true')} ")
        (tmp_path / target / source).write_text(text)
    assert verify(tmp_path) == []
    with open(tmp_path / "pollux.service.d" / "tls.conf", "a") as file:
        file.write("LoadCredentials=a:b\n")
    assert verify(tmp_path), "the check can fail, and reads the drop-in"


def test_a_file_in_place_of_the_command_line(tmp_path):
    """systemd reads the unit with the drop-in, whose commands are all about one file."""
    drop_in = sections("run.conf")
    assert drop_in["Service", "ExecStart"][0] == drop_in["Service", "ExecReload"][0] == ""
    lines = [drop_in["Service", name][-1] for name in ("ExecStartPre", "ExecStart", "ExecReload")]
    assert [line.split()[1] for line in lines] == ["check", "run", "reload"]
    assert all(line.endswith(" -c /etc/pollux/pollux.conf") for line in lines)
    (tmp_path / "pollux.service.d").mkdir()
    for source, target in (("pollux.service", ""), ("pollux.socket", ""), ("run.conf", "pollux.service.d")):
        text = (FOLDER / source).read_text().replace("/usr/local/bin/pollux ", f"{shutil.which('true')} ")
        (tmp_path / target / source).write_text(text)
    assert verify(tmp_path) == []
    # The file names what the units give, and may write where they let it.
    text = (FOLDER.parent / "pollux.conf").read_text()
    (name,) = sections("pollux.socket")["Socket", "FileDescriptorName"]
    assert f"\nlisten fd:{name}\n" in text
    for directory, root in (("RuntimeDirectory", "/run"), ("LogsDirectory", "/var/log")):
        (folder,) = sections("pollux.service")["Service", directory]
        assert f" {root}/{folder}/" in text


@pytest.fixture()
def site():
    """A folder that workers can read, as whomever they run."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def test_what_is_inherited_is_redirected_and_served(tmp_path, site):
    """The command line of the drop-in, with systemd's own socket activation."""
    start = sections("tls.conf")["Service", "ExecStart"][-1].replace("%d", str(tmp_path)).split()
    start = [str(BUILD / "pollux"), *start[1:-1], "--log", "off", "-w", "1", "--sandbox", "off", site]
    key = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
           "-subj", "/CN=a.test", "-addext", "subjectAltName=DNS:a.test,IP:127.0.0.1", "-keyout", tmp_path / "key.pem",
           "-out", tmp_path / "cert.pem"]  # fmt: skip
    subprocess.run(key, check=True, capture_output=True, timeout=30)
    (site / "index.html").write_text("hello")
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    command = ["systemd-socket-activate", "--fdname=http:https", *(f"--listen=127.0.0.1:{port}" for port in ports)]
    process = subprocess.Popen([*command, *start], stderr=subprocess.PIPE)
    try:
        curl = ["curl", "-sS", "--retry-connrefused", "--retry", "20", "--retry-delay", "1", "--cacert",
                tmp_path / "cert.pem", "-L", "-w", "%{num_redirects} %{url_effective}", f"http://127.0.0.1:{ports[0]}/"]
        done = subprocess.run(curl, capture_output=True, text=True, timeout=60)
        assert done.stdout == f"hello1 https://127.0.0.1:{ports[1]}/", done
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_the_log_is_rotated_with_the_unit_as_it_is():
    """Where the unit may write, and by a signal to its main process: it has no pid file."""
    text = (FOLDER / "pollux.logrotate").read_text()
    assert sections("pollux.service")["Service", "LogsDirectory"] == ["pollux"]
    assert re.search(r"^/var/log/pollux/access.log \{$", text, re.M)
    (line,) = [line.strip() for line in text.splitlines() if "USR1" in line]
    assert line == "systemctl kill --kill-whom=main --signal=USR1 pollux.service"
    assert "".join(text.partition("\n/var/log/pollux")[1:]).replace("    ", "") in \
        (ROOT / "docs" / "OPERATIONS.md").read_text().replace("    ", "")


def test_what_the_unit_serves_is_made():
    start = sections("pollux.service")["Service", "ExecStart"][0]
    assert f"d {start.split()[-1]} 0755 " in (FOLDER / "pollux.tmpfiles").read_text()


def test_the_socket_is_the_one_it_asks_for():
    service, unit = sections("pollux.service"), sections("pollux.socket")
    (start,) = service["Service", "ExecStart"]
    (name,) = unit["Socket", "FileDescriptorName"]
    assert f"--listen fd:{name} " in start
    command = start.split()[1]
    for flag in re.findall(r"--[a-z-]+", start):
        assert flag in help_of(command), flag


def expand(names):
    calls = set()
    for name in names:
        if not name.startswith("@"):
            calls.add(name)
            continue
        done = subprocess.run(
            ["systemd-analyze", "syscall-filter", name], stdout=subprocess.PIPE, check=True, text=True
        )
        inside = [line.strip() for line in done.stdout.splitlines()[1:]]
        calls |= expand([line for line in inside if line and not line.startswith("#")])
    return calls


def calls_listed():
    """What the library and the program say they call: the words of the X-macros."""
    found = set()
    for name, macros in (
        ("include/pollux/syscalls.h", r"PX_SYSCALLS_(SERVING|FILES|HELPERS|STARTING)"),
        ("src/process/calls.h", r"CALLS_(OF_PROGRAM|OF_WRITING|THAT_ONLY_TELL)"),
    ):
        text = (ROOT / name).read_text().replace("\\\n", " ")
        for line in text.splitlines():
            if re.match(rf"#define {macros}\(X\)", line):
                found |= set(re.findall(r"\bX\((\w+)\)", line))
    return found


# Asked for, and answered with "no" where systemd has said so: nothing depends on them.
REFUSABLE = {"socket", "bind", "listen"}


def test_the_filter_lets_pollux_work():
    allowed = set()
    for value in sections("pollux.service")["Service", "SystemCallFilter"]:
        names = value.lstrip("~").split()
        allowed = allowed - expand(names) if value.startswith("~") else allowed | expand(names)
    needed = calls_listed()
    assert len(needed) > 60, needed
    assert needed - allowed - REFUSABLE == set()
    # To enter its sandbox, to start workers, and to replace itself.
    for name in ("seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "capset",
                 "prctl", "clone", "wait4", "kill", "execve", "socketpair", "memfd_create", "setsockopt"):  # fmt: skip
        assert name in allowed, name
    for name in ("mount", "ptrace", "bpf", "setuid", "chroot", "init_module", "reboot", "perf_event_open"):
        assert name not in allowed, name
