"""The units of deploy/systemd: rated by systemd-analyze, read by it without a complaint, and wide
enough for what pollux does inside of them."""

import re
import shutil
import subprocess

from deployment import ROOT, help_of

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
    units = [folder / "pollux.service", folder / "pollux.socket"]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30,
    )  # fmt: skip
    return [line for line in done.stdout.splitlines() if "pollux" in line]


def test_systemd_reads_them(tmp_path):
    """With a program that is there: /usr/bin/pollux may not be."""
    for name in ("pollux.service", "pollux.socket"):
        text = (FOLDER / name).read_text()
        assert "ExecStart=/usr/bin/pollux " in text or name.endswith(".socket")
        (tmp_path / name).write_text(text.replace("/usr/bin/pollux ", f"{shutil.which('true')} "))
    assert verify(tmp_path) == []
    with open(tmp_path / "pollux.service", "a") as file:
        file.write("\n[Service]\nNoNewPrivilege=yes\n")
    assert verify(tmp_path), "the check can fail"


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
