"""tools/abi.py finds what breaks programs that were built with older headers, and lets pass what does not."""
import copy
import os
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))

import abi  # noqa: E402
import api  # noqa: E402


@pytest.fixture(scope="module")
def today():
    return api.describe(ROOT)


def members(of, name):
    return of["structs"][name]["members"]


def member(name, kind):
    return {"name": name, "type": kind, "doc": ""}


def rename_parameter(new):
    found = next(entry for entry in members(new, "px_exchange_callbacks") if entry["name"] == "on_end")
    assert "px_end end" in found["type"]
    found["type"] = found["type"].replace("px_end end", "px_end how")


def retype_parameter(new):
    found = next(entry for entry in members(new, "px_exchange_callbacks") if entry["name"] == "on_end")
    found["type"] = found["type"].replace("px_end end", "int end")


CHANGES = {
    "nothing": (lambda new: None, 0),
    "a function more": (lambda new: new["functions"].update(px_more=new["functions"]["px_version"]), 0),
    "a function less": (lambda new: new["functions"].pop("px_version"), 1),
    "another result": (lambda new: new["functions"]["px_version"].update(result="uint64_t"), 1),
    "another parameter": (lambda new: new["functions"]["px_respond"]["params"][1].update(type="int"), 1),
    "a parameter less": (lambda new: new["functions"]["px_respond"]["params"].pop(), 1),
    "a parameter's name": (lambda new: new["functions"]["px_respond"]["params"][1].update(name="code"), 0),
    "a name in a callback": (rename_parameter, 0),
    "a type in a callback": (retype_parameter, 1),
    "a member at the end": (lambda new: members(new, "px_cookie").append(member("partitioned", "int")), 0),
    "a member in the middle": (lambda new: members(new, "px_cookie").insert(2, member("partitioned", "int")), 1),
    "a member less": (lambda new: members(new, "px_cookie").pop(), 1),
    "what was reserved": (lambda new: members(new, "px_loop_options")[-1].update(name="now_known"), 0),
    "a struct without size grows": (lambda new: members(new, "px_field").append(member("flags", "int")), 1),
    "a number more": (lambda new: new["enums"]["px_end"]["values"].update(PX_END_MORE=99), 0),
    "another number": (lambda new: new["enums"]["px_end"]["values"].update(PX_END_TIMEOUT=99), 1),
    "another constant": (lambda new: new["constants"]["PX_ERROR_TEXT_BYTES"].update(value=1), 1),
    "another callback": (lambda new: new["callbacks"]["px_handler"].update(result="int"), 1),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_breaks_is_found(today, name):
    new = copy.deepcopy(today)
    change, count = CHANGES[name]
    change(new)
    assert len(abi.breaks(today, new)) == count, abi.breaks(today, new)


def test_the_table():
    assert len(CHANGES) == 18 and sum(count for _, count in CHANGES.values()) == 11


def test_sonames():
    assert [abi.soname(version) for version in ("0.1.0", "0.2.7", "1.4.0")] == \
        ["libpollux.so.0.1", "libpollux.so.0.2", "libpollux.so.1"]  # fmt: skip


def test_as_a_program():
    done = subprocess.run([sys.executable, os.path.join(ROOT, "tools", "abi.py"), ROOT, ROOT], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "abi: nothing has changed but what was added\n")
