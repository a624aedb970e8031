"""Every case of `http2/` against the real program: in the clear, a byte a write, and over TLS.

Whatever a case is about, all frames that come back are held against the rules for a sender
(`lib/h2frames.py`, Judge), and an end must be in order: a reset would lose the GOAWAY.
"""

from collections import Counter

import pytest

from http2 import CASES
from http2.case import run
from lib.h2frames import H2Wire
from lib.runner import Pollux
from lib.tls import TlsWire

# What the tables hold, by section, so that no case is lost by accident.  A new case changes its line.
COUNTS = {
    "7541-2.3.2": 1, "7541-2.3.3": 3, "7541-4.2": 2, "7541-4.3": 2, "7541-4.4": 2, "7541-5.1": 4, "7541-5.2": 9,
    "7541-6.1": 2, "7541-6.2.3": 1, "7541-6.3": 2, "9113-3.4": 14, "9113-4.1": 24, "9113-4.2": 11,
    "9113-4.3": 17, "9113-4.3.1": 8, "9113-5.1": 30, "9113-5.1.1": 13, "9113-5.1.2": 4, "9113-5.2.1": 3,
    "9113-5.2.2": 1, "9113-5.3.2": 3, "9113-5.4.1": 2, "9113-5.4.2": 2, "9113-5.5": 2, "9113-6.1": 8,
    "9113-6.2": 9, "9113-6.3": 5, "9113-6.4": 6, "9113-6.5": 8, "9113-6.5.2": 21, "9113-6.5.3": 2, "9113-6.6": 3,
    "9113-6.7": 7, "9113-6.8": 3, "9113-6.9": 7, "9113-6.9.1": 5, "9113-6.9.2": 4, "9113-6.10": 6,
    "9113-8.1": 16, "9113-8.1.1": 24, "9113-8.2": 4, "9113-8.2.1": 49, "9113-8.2.2": 15, "9113-8.2.3": 2,
    "9113-8.3": 19, "9113-8.3.1": 68, "9113-8.5": 5, "ext-8441-3": 3, "ext-8441-4": 6, "ext-9218-2.1": 3,
    "ext-9218-5": 5, "ext-9218-7.1": 13,
}  # fmt: skip


@pytest.fixture(scope="session")
def big():
    """Has more to say than a window of the default size takes."""
    with Pollux("respond", "--log", "off", "-w", "1", "0123456789abcdef" * 6000) as server:
        yield server


@pytest.mark.short
def test_the_tables_are_whole():
    assert Counter(document(case) for case in CASES) == COUNTS
    assert len({case.id for case in CASES}) == len(CASES) == sum(COUNTS.values())


def document(case):
    """RFC and section."""
    return case.id[: case.id.index(case.section)] + case.section


@pytest.mark.short
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_in_one_write(plain, big, case):
    server = {"plain": plain, "big": big}[case.server]
    with H2Wire(server.address, preface=case.preface, pairs=case.pairs) as h2:
        run(case, h2)


@pytest.fixture(scope="session")
def big_secure(authority):
    """`big`, over TLS."""
    cert, key = authority.issue("a", file="big")
    argv = ["respond", "--log", "off", "-w", "1", "--tls-cert", cert, "--tls-key", key, "-l", "https://127.0.0.1:0"]
    with Pollux(*argv, "0123456789abcdef" * 6000) as server:
        yield server


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_over_tls(secure, big_secure, case):
    """The same bytes in TLS records, and the same end: close_notify included.  Without a server
    name, since cases have authorities of their own."""
    address = {"plain": secure.addresses[1], "big": big_secure.address}[case.server]
    wire = TlsWire(address, secure.authority.context(alpn=["h2"], verify=False), name=None)
    with H2Wire(None, wire=wire, preface=case.preface, pairs=case.pairs) as h2:
        run(case, h2)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_byte_a_write(plain, big, case):
    server = {"plain": plain, "big": big}[case.server]
    length = sum(len(step) for step in case.steps if isinstance(step, bytes))
    with H2Wire(server.address, preface=case.preface, pairs=case.pairs, step=1 if length < 5000 else 61) as h2:
        run(case, h2)
