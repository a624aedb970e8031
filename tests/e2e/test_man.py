"""pollux(1) and `pollux COMMAND --help` name the same flags, and the same exit codes as the source."""

import re

import pytest

from lib.runner import ROOT, run

PAGE = (ROOT / "docs" / "man" / "pollux.1.scd").read_text()
COMMANDS = ("respond", "files", "proxy", "healthcheck", "run", "check", "config", "fmt", "reload")


def flags_of_the_page():
    """Flag to the texts behind it, one for each command that takes it in a way of its own:
    `*-q, --quiet*` begins a line of its own."""
    parts = re.split(r"^\*(?:-\w, )?--([a-z0-9-]+)\*[^\n]*\n", PAGE, flags=re.M)
    found = {}
    for flag, text in zip(parts[1::2], parts[2::2]):
        found.setdefault(flag, []).append(text)
    return found


def flags_of(command):
    _, out, _ = run(command, "--help")
    return set(re.findall(r"^  (?:-\w, |    )--([a-z0-9-]+)", out, re.M))


def test_every_flag_is_in_the_page():
    found = set(flags_of_the_page())
    known = {flag for command in COMMANDS for flag in flags_of(command)}
    assert len(known) > 30
    assert known - found == set(), "not in docs/man/pollux.1.scd"
    assert found - known == set(), "not in the program"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_flag_of_one_command_says_so(command):
    """`*files*: ...` begins the text of what only that command takes."""
    seen = 0
    for flag, texts in flags_of_the_page().items():
        owners = {match[1] for match in (re.match(r"\t\*(respond|files|proxy|healthcheck)\*: ", text) for text in texts) if match}
        if owners:
            seen += 1
            assert (flag in flags_of(command)) == (command in owners), flag
    assert seen > 8


def test_every_exit_code_is_in_the_page():
    source = (ROOT / "src" / "main" / "exit_code.h").read_text()
    codes = re.findall(r"CODE_\w+ = (\d+)", source)
    table = PAGE[PAGE.index("# EXIT STATUS") : PAGE.index("# EXAMPLES")]
    assert re.findall(r"^[\[|]- (\d+)$", table, re.M) == codes
