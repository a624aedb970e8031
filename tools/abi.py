#!/usr/bin/python3
"""Whether programs of one tree's headers run with another tree's library: tools/abi.py OLD NEW

By the rules of docs/RELEASING.md: nothing goes or changes, functions and values are added, and a struct that begins with
its size grows at its end. Prints what breaks them, a line each; ends with 1 where that is so and the version, and with it
the soname, is the same.
"""
import re
import sys

import api


def bare(text):
    """A type of a function without the names of its parameters."""
    keywords = "int|char|long|short|void|size_t"
    return re.sub(rf"(\w \*+|\w )(?!(?:{keywords})\b)[a-z_]\w*(?=[,)])", r"\1", text)


def types(entry):
    return [bare(kind) for kind in [entry["result"]] + [param["type"] for param in entry["params"]]]


def changed_function(old, new):
    return None if types(old) == types(new) else f"was {types(old)}, is {types(new)}"


def changed_struct(old, new):
    if old["opaque"] or new["opaque"]:
        return None if old["opaque"] == new["opaque"] else "was opaque, or is"
    before = [(member["name"], bare(member["type"])) for member in old["members"]]
    after = [(member["name"], bare(member["type"])) for member in new["members"]]
    for index, (name, kind) in enumerate(before):
        if index == len(after):
            return f"lacks {name}"
        if after[index][1] != kind or (after[index][0] != name and not name.startswith("reserved")):
            return f"has {after[index][1]} {after[index][0]} in place of {kind} {name}"
    if len(after) > len(before) and not old["sized"]:
        return f"has no size and grows by {after[len(before)][0]}"
    return None


def changed_enum(old, new):
    for name, value in old["values"].items():
        if new["values"].get(name) != value:
            return f"{name} was {value}, is {new['values'].get(name)}"
    return None


def changed_type(old, new):
    plain = [{key: value for key, value in entry.items() if key not in ("doc", "header")} for entry in (old, new)]
    return None if plain[0] == plain[1] else "is another type"


def changed_constant(old, new):
    return None if old["value"] == new["value"] or isinstance(old["value"], str) else f"was {old['value']}, is {new['value']}"


KINDS = {"functions": changed_function, "structs": changed_struct, "callbacks": changed_function,
         "enums": changed_enum, "types": changed_type, "constants": changed_constant}


def breaks(old, new):
    found = []
    for kind, changed in KINDS.items():
        for name, entry in old[kind].items():
            if re.match(r"PX_VERSION(_|$)", name):
                continue
            why = "is gone" if name not in new[kind] else changed(entry, new[kind][name])
            if why:
                found.append(f"{name} {why}")
    return found


def soname(version):
    major, minor, _ = version.split(".")
    return f"libpollux.so.{major}.{minor}" if major == "0" else f"libpollux.so.{major}"


def main():
    old, new = (api.describe(root) for root in sys.argv[1:3])
    found = breaks(old, new)
    before, after = soname(old["version"]), soname(new["version"])
    for line in found:
        print(f"abi: {line}")
    if not found:
        print("abi: nothing has changed but what was added")
    elif before != after:
        print(f"abi: it has changed, and so has the soname: {before}, {after}")
    else:
        print(f"abi: programs of {before} do not run with this library: it needs another soname")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
