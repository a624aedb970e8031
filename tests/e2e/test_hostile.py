"""Every row of the hostile table against the real program, each in five ways.

A row says which statuses come back and how the connection ends.  The reader of responses is strict,
an end must be in order (a reset would lose the answer), and after an answer that is kept another
request must be answered as if nothing had been.
"""

from collections import Counter

import pytest

from hostile import CASES, TABLES
from hostile.case import CLOSED, INTERIM, KEPT
from lib.runner import Pollux
from lib.tls import TlsWire
from lib.wire import Wire, WireReset

# What the table holds, so that no case is lost by accident.  A new case changes its line.
COUNTS = {"F": 137, "C": 122, "L": 105, "R": 214, "H": 79, "P": 87}

FIRST = b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n"
PROBE = b"GET /probe HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
WAITING = [case for case in CASES if case.waits]
FINISHED = [case for case in CASES if not case.waits]
# Above this, bytes go one a write but without a pause between them.
PAUSED_BYTES = 1024


@pytest.fixture(scope="session")
def hasty():
    """A server whose patience is one second."""
    args = ["--timeout-head=1s", "--rate-window=1s"]
    with Pollux("respond", "--log", "off", "-w", "1", *args) as server:
        yield server


@pytest.mark.short
def test_the_table_is_whole():
    assert Counter(case.letter for case in CASES) == COUNTS
    assert len(CASES) >= 240
    assert len({case.id for case in CASES}) == len(CASES)
    assert len({case.data for case in CASES}) > 0.97 * len(CASES), "cases repeat each other"
    assert [table.letter for table in TABLES] == list(COUNTS)


def read_wanted(wire, case):
    for index, want in enumerate(case.want):
        if want == INTERIM:
            continue
        reply = wire.reply(head_only=index in case.heads)
        if reply is not None and reply.status == 100 and INTERIM in case.want[:index]:
            reply = wire.reply(head_only=index in case.heads)
        assert reply is not None, f"closed without answer {index + 1} of {case.want}"
        assert reply.status == want, f"{reply.head!r} {reply.content!r}, wanted {want}"
        last = index == len(case.want) - 1
        if last and case.end == CLOSED:
            assert reply.says_close, f"closes without a word: {reply.head!r}"
        else:
            assert not reply.says_close, f"says close: {reply.head!r}"


def read_end(wire, case, probe_is_sent):
    if case.end == KEPT:
        if not probe_is_sent:
            wire.send(PROBE)
        reply = wire.reply()
        assert reply is not None, "closed, although it should be kept"
        assert reply.status == 200 and reply.content == b"Hello, world!", reply.head
    wire.ends()


@pytest.mark.short
@pytest.mark.parametrize("case", FINISHED, ids=lambda case: case.id)
def test_in_one_write(plain, case):
    with Wire(plain.address) as wire:
        wire.send(case.data)
        read_wanted(wire, case)
        read_end(wire, case, False)


@pytest.mark.parametrize("case", FINISHED, ids=lambda case: case.id)
def test_a_byte_a_write(plain, case):
    step = 1 if len(case.data) < 300000 else 61
    pause_s = 0.00005 if len(case.data) <= PAUSED_BYTES else 0
    with Wire(plain.address) as wire:
        wire.send(case.data, step=step, pause_s=pause_s)
        read_wanted(wire, case)
        try:
            read_end(wire, case, False)
        except WireReset:
            # A request that was consumed whole is closed at once (no refusal, nothing unread): bytes
            # that its sender wrote behind `close` arrive at a socket that is gone.  The whole answer
            # was read before.
            assert case.end == CLOSED and case.want[-1] == 200


@pytest.mark.short
@pytest.mark.parametrize("case", FINISHED, ids=lambda case: case.id)
def test_behind_a_valid_request(plain, case):
    with Wire(plain.address) as wire:
        wire.send(FIRST + case.data)
        first = wire.reply()
        assert first.status == 200 and first.content == b"Hello, world!"
        read_wanted(wire, case)
        read_end(wire, case, False)


@pytest.mark.parametrize("case", FINISHED, ids=lambda case: case.id)
def test_with_a_request_in_its_wake(plain, case):
    """What follows a refusal that closes is never read as a request."""
    with Wire(plain.address) as wire:
        wire.send(case.data + PROBE)
        read_wanted(wire, case)
        read_end(wire, case, True)


@pytest.mark.parametrize("case", FINISHED, ids=lambda case: case.id)
def test_over_tls(secure, case):
    """Whatever TLS makes of it: the same refusals, and an end with close_notify.  Without a server
    name, since cases have hosts of their own."""
    context = secure.authority.context(alpn=["http/1.1"], verify=False)
    with TlsWire(secure.addresses[1], context, name=None) as wire:
        wire.send(case.data)
        read_wanted(wire, case)
        read_end(wire, case, False)


@pytest.mark.parametrize("case", WAITING, ids=lambda case: case.id)
def test_unfinished(hasty, case):
    with Wire(hasty.address) as wire:
        wire.send(case.data)
        read_wanted(wire, case)
        read_end(wire, case, False)


@pytest.mark.parametrize("case", WAITING, ids=lambda case: case.id)
def test_unfinished_a_byte_a_write(hasty, case):
    with Wire(hasty.address) as wire:
        wire.send(case.data, step=1)
        read_wanted(wire, case)
        read_end(wire, case, False)
