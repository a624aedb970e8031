"""The hostile bytes in the eyes of two other parsers: llhttp 9 as Node has it, and h11.

A difference is no fault of anybody, but each is known, listed and explained.  One that is new, or
gone, is to be looked at: it may be a hole in one of the three.
"""

import pytest

from differential import parsers
from differential.differences import H11, LLHTTP
from hostile import CASES

pytestmark = pytest.mark.short


def expected(rows):
    listed = {}
    for why, verdicts in rows:
        assert why and "\n" not in why
        for verdict, names in verdicts.items():
            for name in names.split():
                assert name not in listed, f"{name} is listed twice"
                listed[name] = verdict
    return listed


def compare(found, rows):
    listed = expected(rows)
    unknown = set(listed) - {case.id for case in CASES}
    assert not unknown, f"no such cases: {sorted(unknown)}"
    wrong = []
    for case in CASES:
        ours = parsers.pollux(case)
        theirs = found[case.id]
        if theirs != listed.get(case.id, ours):
            wrong.append(f"{case.id}: ours {ours}, theirs {theirs}, listed {listed.get(case.id)}")
        elif case.id in listed and theirs == ours:
            wrong.append(f"{case.id}: listed as a difference, and is none")
    assert not wrong, "\n".join(wrong)


def test_llhttp():
    found = parsers.llhttp(CASES)
    assert len(found) == len(CASES)
    compare(found, LLHTTP)


def test_h11():
    compare({case.id: parsers.of_h11(case) for case in CASES}, H11)


def test_the_others_do_refuse_most():
    """So that a parser that was fed nothing cannot agree with everything."""
    found = parsers.llhttp(CASES)
    refused = [case for case in CASES if parsers.pollux(case).startswith("reject")]
    both = [case for case in refused if found[case.id].startswith("reject")]
    assert len(both) > len(refused) * 0.6
    both = [case for case in refused if parsers.of_h11(case).startswith("reject")]
    assert len(both) > len(refused) * 0.5
