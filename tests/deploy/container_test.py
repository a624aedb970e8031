"""The Containerfile, as far as it can be judged without a container: what it copies is there and is
sent, what it installs is what the build needs, and its commands build the program."""

import json
import re
import shutil
import subprocess

from deployment import BUILD, ROOT, help_of

LINES = (ROOT / "deploy" / "Containerfile").read_text().replace("\\\n", " ").splitlines()
STEPS = [line.split(None, 1) for line in LINES if line and not line.startswith("#")]


def steps(name):
    return [rest for what, rest in STEPS if what == name]


def last_stage():
    return STEPS[max(at for at, (what, _) in enumerate(STEPS) if what == "FROM") :]


def test_what_it_copies_is_there_and_is_sent():
    ignored = [line for line in (ROOT / ".containerignore").read_text().splitlines() if line and line[0] != "#"]
    assert ignored[0] == "*"
    sent = {line[1:] for line in ignored[1:]}
    copied = {name for rest in steps("COPY") if "--from" not in rest for name in rest.split()[:-1]}
    for name in copied:
        assert (ROOT / name).exists(), name
    assert copied == sent


def installed(text):
    words = re.search(r"apt-get install -y --no-install-recommends ([^&]*)", text)[1]
    return set(words.split())


def test_what_it_installs_is_what_the_build_needs():
    """script/bootstrap and the Containerfile name the same packages, but for the man page."""
    bootstrap = (ROOT / "script" / "bootstrap").read_text()
    wanted = re.search(r'^build="([^"]*)"', bootstrap, re.M)[1]
    assert installed(steps("RUN")[0]) == {entry.split("=")[0] for entry in wanted.split()} - {"scdoc"}


def test_what_it_runs_with_is_what_the_program_is_linked_to():
    needed = subprocess.run(["readelf", "-d", BUILD / "pollux"], stdout=subprocess.PIPE, check=True, text=True)
    libraries = set(re.findall(r"\(NEEDED\).*\[(lib\S+)\]", needed.stdout)) - {"libc.so.6", "libm.so.6"}
    packages = installed([rest for what, rest in last_stage() if what == "RUN"][0])
    for library in libraries:
        paths = subprocess.run(["dpkg", "-S", f"*/{library}"], stdout=subprocess.PIPE, check=True, text=True)
        # The image is Debian 12; a later one has t64 behind some names.
        owners = {line.split(":")[0].removesuffix("t64") for line in paths.stdout.splitlines()}
        assert owners & packages, f"{library} comes with {owners}"


def test_shell():
    for rest in steps("RUN"):
        subprocess.run(["sh", "-n", "-c", rest], check=True)


def test_who_it_is_and_how_it_ends():
    final = dict(last_stage())
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", final["USER"]), "a number, so that runAsNonRoot can check it"
    assert final["STOPSIGNAL"] == "SIGTERM"
    assert json.loads(final["ENTRYPOINT"]) == ["/usr/bin/pollux"], "process 1, without a shell"
    command = json.loads(final["CMD"])
    for flag in (word for word in command if word.startswith("--")):
        assert flag in help_of(command[0])
    check = json.loads(re.search(r"\[.*\]", final["HEALTHCHECK"])[0])
    assert check[:2] == ["/usr/bin/pollux", "healthcheck"]


def test_its_build_needs_nothing_that_is_not_sent(tmp_path):
    """The commands of the build, with no more than what is copied: configured, not compiled."""
    for rest in steps("COPY"):
        if "--from" in rest:
            continue
        *names, target = rest.split()
        for name in names:
            where = tmp_path / target / (name if target == "./" else "")
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, where)
            else:
                shutil.copy(ROOT / name, where)
    configure = re.search(r"cmake -S \. -B build[^&]*", " ".join(steps("RUN")))[0]
    done = subprocess.run(
        configure, shell=True, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "build" / "build.ninja").exists()
