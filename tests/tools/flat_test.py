"""tools/flat.py: flat.h has every call that a language without structs by value cannot make, and is as the headers say."""

import json
import os
import re
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORDS_MAX = 6  # words of arguments that x86-64 passes in registers; arm64 has eight


@pytest.fixture(scope="module")
def api():
    described = subprocess.run([sys.executable, os.path.join(ROOT, "tools", "api.py")], capture_output=True, text=True, check=True)
    return json.loads(described.stdout)


def test_it_is_as_the_headers_say(tmp_path):
    subprocess.run([sys.executable, os.path.join(ROOT, "tools", "flat.py"), tmp_path], check=True)
    for name in ("include/pollux/flat.h", "src/flat/flat.c"):
        with open(os.path.join(ROOT, name), encoding="utf-8") as file:
            assert (tmp_path / name).read_text() == file.read(), f"{name}: run tools/flat.py"


def test_no_struct_goes_by_value(api):
    """Of each call there is a form whose arguments and result are numbers and pointers."""
    structs = set(api["structs"])
    plain = {name for name, function in api["functions"].items()
             if function["result"] not in structs and all(param["type"] not in structs for param in function["params"])}
    exported = {name for name, function in api["functions"].items() if not function["inline"]}
    lacking = exported - plain - {name.replace("px_flat_", "px_") for name in plain}
    assert lacking == set()
    flat = {name for name in exported if name.startswith("px_flat_")}
    assert len(flat) > 80 and flat <= plain
    for name in flat:
        assert api["functions"][name]["must_check"] == api["functions"]["px_" + name[8:]]["must_check"], name


def words(params):
    return sum(2 if param == "px_str" else 1 for param in params)


def test_callbacks_fit_the_registers(api):
    """So that a px_str among their arguments is two words, whoever declares them."""
    seen = 0
    for name, callback in api["callbacks"].items():
        assert words(param["type"] for param in callback["params"]) <= WORDS_MAX, name
        assert callback["result"] not in api["structs"], name
    for name, struct in api["structs"].items():
        for member in struct["members"]:
            found = re.fullmatch(r"(.*?) ?\(\*\)\((.*)\)", member["type"])
            if not found:
                continue
            seen += 1
            params = [re.sub(r"\s+\w+$", "", param) for param in found[2].split(", ")]
            assert words(params) <= WORDS_MAX and found[1] not in api["structs"], (name, member["name"])
    assert seen > 40
