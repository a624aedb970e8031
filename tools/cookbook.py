#!/usr/bin/python3
"""Writes docs/COOKBOOK.md from the programs of examples/cookbook, which it shows as they are."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = os.path.join(ROOT, "docs", "COOKBOOK.md")
FOLDER = os.path.join(ROOT, "examples", "cookbook")
BEGIN = """# Cookbook: thirty-three tasks

Each a whole program of less than thirty lines (braces, blank lines, comments and includes apart), in `examples/cookbook/`. The tests
build and run them, and hold this page to their text; `tools/cookbook.py` writes it. Build one with

    cc 01_hello.c $(pkg-config --cflags --libs pollux) -o hello && ./hello 127.0.0.1:8080

The argument is the address to listen on, 127.0.0.1:8080 without one. 27 takes the URL to ask for instead, and 28 the URL of the other
server behind the address (http://127.0.0.1:8081 without one).

A whole program with a text interface, on libuv, is `examples/adapters/terminal.c`. What `pollux check` says of a configuration that is
wrong, and `check --explain` of one that does something else than was meant, is in [CONFIGURATION.md](CONFIGURATION.md).

What the calls promise stands in their headers, and [EMBEDDING.md](EMBEDDING.md) is the guide to them.

"""


def programs():
    for name in sorted(os.listdir(FOLDER)):
        if re.match(r"\d\d_\w+\.c$", name):
            with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
                yield name, file.read()


def page():
    found = [(name, re.match(r"/\* (.*?) \*/\n", text).group(1), text) for name, text in programs()]
    out = BEGIN
    for name, task, _ in found:
        number, _, stem = name[:-2].partition("_")
        out += f"{int(number)}. [{task}](#{name[:-2].replace('_', '-')})\n"
    for name, task, text in found:
        out += f"\n## {name[:-2].replace('_', ' ')}\n\n{task} [`{name}`](../examples/cookbook/{name})\n\n```c\n"
        out += text.partition("\n")[2] + "```\n"
    return out


if __name__ == "__main__":
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(page())
    sys.exit(0)
