"""Shell completion: what bash, zsh and fish offer is what `pollux COMMAND --help` has."""

import os
import pty
import re
import select
import subprocess
import time

import pytest

from lib.runner import PROGRAM, ROOT, run

pytestmark = pytest.mark.short

SCRIPTS = ROOT / "deploy" / "completion"

# A line, and what may stand where it ends.
LINES = [
    ("pollux fi", {"files"}),
    ("pollux re", {"respond", "reload"}),
    ("pollux files --lis", {"--listen", "--listing"}),
    ("pollux respond --stat", {"--status"}),
    ("pollux check --ex", {"--explain"}),
    ("pollux healthcheck --time", {"--timeout"}),
    ("pollux proxy --balan", {"--balance"}),
    ("pollux files --spa ind", {"index.html"}),
    ("pollux run -c ind", {"index.html"}),
    ("pollux run --config ind", {"index.html"}),
    ("pollux files --workers i", set()),
    ("pollux files fo", {"folder"}),
    ("pollux respond ind", set()),
]

ZSHRC = r"""
PROMPT= RPROMPT=
autoload -Uz compinit; compinit -u -D
source "$SCRIPT" 2>/dev/null
compdef _pollux pollux
bindkey '^I' complete-word
zstyle ':completion:*' insert-tab false
compadd() {
    local -a hits
    if [[ " ${@[1,(i)(-|--)]}" != *\ -(O|A|D)* ]]; then
        builtin compadd -O hits "$@"
        (( ! $#hits )) || print -rl -- $hits >> $FOUND
    fi
    builtin compadd "$@"
}
done_now() { print -r -- : >> $FOUND }
comppostfuncs=(done_now)
print READY
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "index.html").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pollux").symlink_to(PROGRAM)
    return tmp_path


def environment(folder, **more):
    return {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}", "HOME": str(folder), "TERM": "dumb", **more}


def bash(folder, line):
    words = line.split(" ")
    script = 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pollux; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", script, SCRIPTS / "pollux.bash", *words],
                          cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=30)  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


def fish(folder, line):
    script = f'source "{SCRIPTS}/pollux.fish"; complete -C "{line}"'
    done = subprocess.run(["fish", "--no-config", "-c", script],
                          cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=30)  # fmt: skip
    assert done.stderr == ""
    return [hit.split("\t")[0].removesuffix("/") for hit in done.stdout.splitlines()]


def zsh(folder, line):
    """What zsh itself offers, at a terminal."""
    found = folder / "found"
    found.write_text("")
    (folder / ".zshrc").write_text(ZSHRC)
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execvpe("zsh", ["zsh", "-i"], environment(
            folder, ZDOTDIR=str(folder), SCRIPT=str(SCRIPTS / "pollux.zsh"), FOUND=str(found)))  # fmt: skip
    try:
        seen, end, is_asked = b"", time.monotonic() + 20, False
        while ":" not in found.read_text().split():
            assert time.monotonic() < end, seen
            if select.select([terminal], [], [], 0.05)[0]:
                seen += os.read(terminal, 65536)
            if b"READY" in seen and not is_asked:
                is_asked = True
                time.sleep(0.1)
                os.write(terminal, line.encode() + b"\t")
    finally:
        os.close(terminal)
        os.kill(child, 9)
        os.waitpid(child, 0)
    return [hit.rstrip("=/") for hit in found.read_text().split() if hit != ":"]


@pytest.mark.parametrize("shell", [bash, zsh, fish], ids=["bash", "zsh", "fish"])
def test_what_is_offered(folder, shell):
    for line, wanted in LINES:
        assert set(shell(folder, line)) == wanted, line


@pytest.mark.parametrize("shell", [bash, zsh, fish], ids=["bash", "zsh", "fish"])
@pytest.mark.parametrize("command", ["respond", "files", "proxy", "run", "check", "fmt", "reload", "healthcheck"])
def test_every_flag_of_the_help_is_offered(folder, shell, command):
    flags = set(re.findall(r"^  (?:-., |    )(--[a-z0-9-]+)", run(command, "--help")[1], re.M))
    assert len(flags) >= 2
    assert {hit for hit in shell(folder, f"pollux {command} --") if hit.startswith("--")} == flags
