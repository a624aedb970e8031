"""tools/api.py: everything that a public header declares is in the description, as the compiler has it."""

import json
import os
import re
import subprocess
import sys

import cffi
import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOL = os.path.join(ROOT, "tools", "api.py")
FOLDER = os.path.join(ROOT, "include", "pollux")


def tool(*arguments):
    return subprocess.run([sys.executable, TOOL, *arguments], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def api():
    return json.loads(tool())


@pytest.fixture(scope="module")
def text():
    """All headers without comments and without macros."""
    texts = []
    for name in sorted(os.listdir(FOLDER)):
        with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
            bare = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
        texts.append(re.sub(r"^#.*?(?<!\\)$", "", bare, flags=re.S | re.M))
    return "\n".join(texts)


def test_functions(api, text):
    declared = set(re.findall(r"^(?:PX_MUST_CHECK |static inline )?(?:const )?[a-z_0-9]+ \*?(px_\w+)\(", text, re.M))
    assert len(declared) > 300
    assert set(api["functions"]) == declared
    checked = len(re.findall(r"^PX_MUST_CHECK ", text, re.M))
    assert sum(function["must_check"] for function in api["functions"].values()) == checked > 50
    respond = api["functions"]["px_respond"]
    assert respond["result"] == "void" and respond["header"] == "response.h"
    assert respond["params"] == [
        {"name": "exchange", "type": "px_exchange *"}, {"name": "status", "type": "unsigned"},
        {"name": "type", "type": "px_str"}, {"name": "content", "type": "px_str"}]  # fmt: skip


def test_types(api, text):
    opened = set(re.findall(r"^} (px_\w+);", text, re.M))
    opaque = set(re.findall(r"^typedef struct \w+ (px_\w+);", text, re.M)) - opened
    enums = {name for name, entry in api["enums"].items()}
    structs = {name for name, entry in api["structs"].items() if not entry["opaque"]}
    assert structs | enums >= opened and structs <= opened
    assert {name for name, entry in api["structs"].items() if entry["opaque"]} == opaque
    assert set(api["callbacks"]) == set(re.findall(r"^typedef [\w ]+\(\*(px_\w+)\)", text, re.M))
    assert api["enums"]["px_end"]["values"]["PX_END_PEER_GONE"] == 1
    assert api["constants"]["PX_OFF"]["value"] == 2**32 - 1
    assert api["version"] == api["constants"]["PX_VERSION_STRING"]["value"]


def test_everything_is_explained(api):
    for kind in ("functions", "structs", "callbacks", "enums"):
        for name, entry in api[kind].items():
            assert entry["doc"], name
    for name, struct in api["structs"].items():
        for member in struct["members"]:
            assert member["doc"], f"{name}.{member['name']}"


# Without a PX_*_INIT, and why.  What has no struct_size is written in full: PX_ERROR_INIT, PX_STR_INIT, or braces.
NO_INIT = {
    "px_held": "made by px_request_hold",
    "px_part_head": "handed to on_part",
    "px_saved": "handed to on_saved",
    "px_summary": "handed to on_done",
    "px_test_answer": "made by px_test_ask",
}

def test_initialisers(api, tmp_path):
    """Every struct with a size has a value and an initialiser, in C and C++, at file scope too; neither warns."""
    sized = {name for name, struct in api["structs"].items() if struct["sized"]}
    assert len(sized) > 40 and set(NO_INIT) <= sized
    program = '#include "pollux/pollux.h"\n#include "pollux/test.h"\n'
    check = ""
    for name in sorted(sized - set(NO_INIT)):
        program += f"static {name} an_{name} = {name.upper()}_INIT;\n"
        check += (f"    an_{name} = {name.upper()}_DEFAULT;\n"
                  f"    sizes += an_{name}.struct_size == sizeof({name}) ? 0 : 1;\n")
    program += "static px_error an_error = PX_ERROR_INIT;\nstatic const px_field a_field = {PX_STR_INIT(\"A\"), PX_STR_INIT(\"bc\")};\n"
    check += '    sizes += an_error.code == PX_OK && a_field.value.len == 2 && a_field.name.len == 1 ? 0 : 1;\n'
    for name, compiler in (("all.c", ["gcc", "-std=c99"]), ("all.cpp", ["g++", "-std=c++11"])):
        (tmp_path / name).write_text(program + "int main(void)\n{\n    int sizes = 0;\n\n" + check + "    return sizes;\n}\n")
        subprocess.run([*compiler, "-pedantic", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/include", tmp_path / name, "-o", tmp_path / "all"],
                       check=True)
        subprocess.run([tmp_path / "all"], check=True)


def test_layout(api, tmp_path):
    """The plain declarations have the sizes that the compiler gives the headers' own."""
    ffi = cffi.FFI()
    ffi.cdef(tool("--cdef"))
    names = [name for name, struct in api["structs"].items() if not struct["opaque"]]
    program = '#include <stdio.h>\n#include "pollux/pollux.h"\nint main(void)\n{\n'
    for name in names:
        program += f'    printf("{name} %zu\\n", sizeof({name}));\n'
        for member in api["structs"][name]["members"]:
            program += f'    printf("{name}.{member["name"]} %zu\\n", offsetof({name}, {member["name"]}));\n'
    (tmp_path / "layout.c").write_text(program + "    return 0;\n}\n")
    subprocess.run(["gcc", f"-I{ROOT}/include", tmp_path / "layout.c", "-o", tmp_path / "layout"], check=True)
    lines = subprocess.run([tmp_path / "layout"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(lines) > 500
    for line in lines:
        what, size = line.split()
        name, _, member = what.partition(".")
        assert (ffi.offsetof(name, member) if member else ffi.sizeof(name)) == int(size), what


# --- Where each call is told, and what the C++ header wraps -------------------------------------------


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def named(names, text):
    return {name for name in names if re.search(rf"\b{name}\b", text)}


def exported(api):
    """Without px_flat_*, which tests/tools/flat_test.py holds to the calls that they are of."""
    return {name for name, function in api["functions"].items() if not function["inline"] and function["header"] != "flat.h"}


def left_out():
    """Names of tests/tools/api_left_out.txt, each with its reason."""
    found, reason = {}, None
    for line in read("tests", "tools", "api_left_out.txt").splitlines():
        if line.startswith("#") or not line:
            continue
        if not line.startswith(" "):
            reason = line
            continue
        for name in line.split():
            assert reason and name not in found, name
            found[name] = reason
    return found


def test_each_call_is_told(api):
    """A new call is in one of the pages, where it is found by what it is for."""
    folder = os.path.join(ROOT, "docs")
    pages = "".join(read("docs", name) for name in sorted(os.listdir(folder)) if name.endswith(".md"))
    assert len(exported(api)) > 380
    assert exported(api) - named(exported(api), pages) == set()


def test_each_call_is_wrapped_or_left_out(api):
    """pollux.hpp has a call of its own for each, or the list says why not; the list has no more than that."""
    wrapped, out = named(exported(api), read("include", "pollux.hpp")), left_out()
    assert exported(api) - wrapped - set(out) == set()
    assert set(out) - (exported(api) - wrapped) == set()
