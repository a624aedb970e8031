"""Every row of the table of hostile requests for files, each in four ways."""

import pytest

from files import tree
from hostile.files import CASES
from lib.runner import Pollux
from lib.wire import Wire

pytestmark = pytest.mark.short

# What the table holds, so that no case is lost by accident.
COUNT = 218

FIRST = b"GET /letters.txt HTTP/1.1\r\nHost: a\r\n\r\n"
# Longer requests go a byte a write only in their last bytes.
BYTES_ALONE = 300


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    root = tree.build(tmp_path_factory.mktemp("files"))
    # Splits take many turns of a second's patience.
    with Pollux("files", root, "-w", "1", "--log", "off", "--no-compress") as server:
        yield server


def judge(wire, case):
    reply = wire.reply(head_only=case.data.startswith(b"HEAD "))
    assert reply.status == case.status, reply.head
    assert not reply.says_close
    if case.content is not None:
        assert reply.content == case.content
    if reply.status == 405 or case.data.startswith(b"OPTIONS "):
        assert reply.value("Allow") == "GET, HEAD, OPTIONS"
    if reply.status == 416:
        assert reply.value("Content-Range").startswith("bytes */")
    if reply.status >= 400 and reply.status != 412:
        assert reply.value("ETag") is None and reply.value("Last-Modified") is None
    assert reply.value("Location") == case.location
    assert tree.SECRET not in reply.content and b"secret" not in reply.content
    assert reply.value("Set-Cookie") is None


def is_kept(wire):
    wire.send(FIRST)
    assert wire.reply().content == tree.CONTENTS[b"letters.txt"]


def closes(case):
    """What the head parser refuses never reaches the handler, and ends the connection."""
    return case.id in ("bytes-bad-percent", "bytes-half-percent", "bytes-lone-percent")


ROWS = [case for case in CASES if not closes(case)]


def test_the_table_is_whole():
    assert len(CASES) == COUNT
    assert len({case.data for case in CASES}) > 0.95 * COUNT


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_in_one_write(served, case):
    with Wire(served.address) as wire:
        wire.send(case.data)
        if closes(case):
            assert wire.reply().status == case.status
            return
        judge(wire, case)
        is_kept(wire)


def test_behind_another(served):
    with Wire(served.address) as wire:
        for case in ROWS:
            wire.send(FIRST + case.data)
            assert wire.reply().status == 200
            try:
                judge(wire, case)
            except AssertionError as error:
                raise AssertionError(f"{case.id}: {error}") from error


def test_a_byte_a_write(served):
    with Wire(served.address) as wire:
        for case in ROWS:
            early = max(len(case.data) - BYTES_ALONE, 0)
            wire.send(case.data[:early])
            wire.send(case.data[early:], step=1)
            try:
                judge(wire, case)
            except AssertionError as error:
                raise AssertionError(f"{case.id}: {error}") from error


def test_all_at_once(served):
    """Pipelined: the answers come in order, each its own."""
    with Wire(served.address, deadline_s=60) as wire:
        wire.send(b"".join(case.data for case in ROWS))
        for case in ROWS:
            try:
                judge(wire, case)
            except AssertionError as error:
                raise AssertionError(f"{case.id}: {error}") from error
