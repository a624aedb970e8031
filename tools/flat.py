#!/usr/bin/python3
"""Writes include/pollux/flat.h and src/flat/flat.c, of the other public headers: tools/flat.py [OUT]

Each call that takes a px_str or returns a px_str or px_ref by value has one beside it that takes and returns numbers and
pointers alone, for languages that call nothing else. tests/tools/flat_test.py holds both files to the headers.
"""
import os
import subprocess
import sys

import api

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

HEADER = """/*
 * Calls without a struct by value, for languages whose foreign calls know numbers and pointers alone.
 * Written by tools/flat.py, of the other headers.
 *
 * px_flat_NAME is px_NAME, with the same thread, ownership, errors and result.  In place of a slice it
 * takes where the bytes are (NULL: absent) and how many there are.  Where px_NAME returns a slice, it
 * returns where the bytes are (NULL: absent), and writes to `out_count`, which may be NULL, how many
 * there are.  Where px_NAME returns a px_ref, it writes to `out_ref`.
 *
 * Callbacks need no such thing: on x86-64 and arm64 a slice is passed as those two words are, so a
 * callback that is given a px_str may be declared with a pointer and a size_t in its place.  None
 * has more words than fit in registers.
 */
#ifndef PX_FLAT_H
#define PX_FLAT_H

%s
#ifdef __cplusplus
extern "C" {
#endif
%s
#ifdef __cplusplus
}
#endif

#endif
"""
SOURCE = """/*
 * Calls without a struct by value.  Written by tools/flat.py, of the public headers.
 */
#include "pollux/flat.h"

#include "base/check.h"
%s"""


def counted(name):
    """What the number of bytes of a slice is called."""
    return "count" if name == "bytes" else f"{name}_count"


def is_flat(function):
    return all(param["type"] != "px_str" for param in function["params"]) and function["result"] not in ("px_str", "px_ref")


def signature(name, function):
    params = []
    for param in function["params"]:
        if param["type"] == "px_str":
            params += [f"const char *{param['name']}", f"size_t {counted(param['name'])}"]
        else:
            params.append(f"{param['type']}{'' if param['type'].endswith('*') else ' '}{param['name']}")
    result = function["result"]
    if result == "px_str":
        params.append("size_t *out_count")
        result = "const char *"
    elif result == "px_ref":
        params.append("px_ref *out_ref")
        result = "void"
    return f"{result}{'' if result.endswith('*') else ' '}px_flat_{name[3:]}({', '.join(params)})"


def body(name, function):
    given = [f"px_str_make({param['name']}, {counted(param['name'])})" if param["type"] == "px_str" else param["name"]
             for param in function["params"]]
    call = f"{name}({', '.join(given)})"
    if function["result"] == "px_str":
        return (f"    px_str found = {call};\n\n    ASSERT(found.ptr || found.len == 0);\n    if (out_count)\n"
                "        *out_count = found.len;\n    return found.ptr;\n")
    if function["result"] == "px_ref":
        return f"    ASSERT(out_ref);\n    *out_ref = {call};\n"
    return f"    {'' if function['result'] == 'void' else 'return '}{call};\n"


def first_sentence(doc):
    return doc.split(" @")[0].split(".  ")[0].split(". ")[0].rstrip(".") + "."


def formatted(text, name):
    return subprocess.run(["clang-format", f"--assume-filename={os.path.join(ROOT, name)}"], input=text, capture_output=True, text=True,
                          check=True).stdout


def written():
    """Both files: path and text."""
    functions = {name: function for name, function in api.describe(ROOT)["functions"].items()
                 if not function["inline"] and function["header"] != "flat.h" and not is_flat(function)}
    headers = "".join(f'#include "pollux/{name}"\n' for name in sorted({entry["header"] for entry in functions.values()}))
    declared = "".join(f"\n/** {name}: {first_sentence(entry['doc'])} */\n{'PX_MUST_CHECK ' if entry['must_check'] else ''}{signature(name, entry)};\n"
                       for name, entry in functions.items())
    defined = "".join(f"\n{signature(name, entry)}\n{{\n{body(name, entry)}}}\n" for name, entry in functions.items())
    return {path: formatted(text, path) for path, text in (
        ("include/pollux/flat.h", HEADER % (headers, declared)), ("src/flat/flat.c", SOURCE % defined))}


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else ROOT
    for path, text in written().items():
        os.makedirs(os.path.dirname(os.path.join(out, path)), exist_ok=True)
        with open(os.path.join(out, path), "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()
