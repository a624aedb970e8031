#!/usr/bin/python3
"""Writes the library as two files, pollux.c and pollux.h: tools/amalgamate.py BUILD OUT

BUILD is a configured build folder: its compile_commands.json says which sources the options have chosen. Each header
comes once, where it is first included. Functions that headers share become static, shared tables get a name of
ours and are hidden, and what two sources call alike is told apart by the source's name.
"""
import collections
import json
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|^[ \t]*#(?:\\\n|/\*.*?\*/|[^\n])*|\w+|\s+|->|.', re.S | re.M)
NAME = re.compile(r"[A-Za-z_]\w*$")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"[^\n]*\n', re.M)
SYSTEM = re.compile(r"^[ \t]*#[ \t]*include[ \t]+<([^>]+)>[^\n]*\n", re.M)
TAGS = ("struct", "union", "enum")
# Macros whose last argument is a member.
MEMBER = re.compile(r"\b(?:TABLE_MEMBER|offsetof|CONTAINER_OF|LIST_ENTRY)\((?:[^()]|\([^()]*\))*,\s*(\w+)\)")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def meaningful(text):
    """Tokens without blanks and comments, each with where it begins."""
    for match in TOKEN.finditer(text):
        token = match.group()
        if not token.isspace() and not token.startswith(("/*", "//")):
            yield match.start(), token


def declarations(text):
    """Top-level declarations: lists of (where, token), what is in braces included."""
    found, depth = [], 0
    for where, token in meaningful(text):
        if token.lstrip().startswith("#"):
            continue
        found.append((where, token))
        depth += (token in "{([") - (token in "})]")
        if depth == 0 and (token == ";" or (token == "}" and is_function(found))):
            yield found
            found = []


def head_of(tokens):
    """The tokens of a declaration outside of braces, without attributes."""
    head, depth, skip = [], 0, 0
    for index, token in enumerate(tokens):
        if skip or token == "__attribute__":
            skip = 1 if token == "__attribute__" else skip
            depth += (token == "(") - (token == ")")
            if depth == 0 and token == ")":
                skip = 0
            continue
        depth += (token == "{") - (token == "}")
        if depth == 0 and token != "}":
            head.append(token)
    return head


def is_function(found):
    head = head_of([token for _, token in found])
    return bool(head) and head[-1] == ")" and "=" not in head and "(" in head


def name_of(head):
    """What an ordinary declaration declares."""
    if "=" in head:
        head = head[:head.index("=")]
    if "(" in head:
        at = head.index("(")
        if head[at + 1] == "*":
            return next(token for token in head[at + 1:] if NAME.match(token) and token != "const")
        return head[at - 1]
    for stop in ("[", ";"):
        if stop in head:
            head = head[:head.index(stop)]
    return head[-1] if head and NAME.match(head[-1]) else None


class Source:
    """What a file defines for itself: `plain` and `tags`; and its macros."""

    def __init__(self, path):
        self.path = path
        self.text = read(path)
        self.stem = re.sub(r"\W", "_", os.path.splitext(os.path.relpath(path, os.path.join(ROOT, "src")))[0])
        self.macros = set(re.findall(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", self.text, re.M))
        self.plain, self.tags, self.tables = set(), set(), set()
        self.shared = []  # functions that are declared: where, and the name
        self.defined = set()  # functions that others may call
        for found in declarations(self.text):
            self.note(found)

    def note(self, found):
        tokens = [token for _, token in found]
        head = head_of(tokens)
        for at, token in enumerate(tokens[:-2]):
            if token in TAGS and NAME.match(tokens[at + 1]) and tokens[at + 2] == "{":
                self.tags.add(tokens[at + 1])
            if token == "enum" and "{" in tokens[at + 1:at + 3]:
                inside = tokens[tokens.index("{", at) + 1:tokens.index("}", at)]
                self.plain |= {name for index, name in enumerate(inside)
                               if NAME.match(name) and (index == 0 or inside[index - 1] == ",")}
        if head and head[0] in TAGS and len(head) <= 3 and "(" not in head:
            return
        name = name_of(head)
        if not name:
            return
        if "extern" in head:
            self.tables.add(name)
        elif "static" in head or "typedef" in head:
            self.plain.add(name)
        elif "(" in head and head[-1] == ";" and not name.startswith(("px_", "_Static")):
            self.shared.append((found[0][0], name))
            self.plain.add(name)
        elif "(" in head and head[-1] == ")":
            self.defined.add(name)


def replaced(text, plain, tags):
    """Other names for ordinary identifiers and for tags."""
    out, before = [], ["", ""]
    members = {found.start(1) for found in MEMBER.finditer(text)}
    for match in TOKEN.finditer(text):
        token = match.group()
        if before[0] in TAGS and token in tags:
            out.append(tags[token])
        elif token in plain and before[0] not in (".", "->", *TAGS) and match.start() not in members:
            out.append(plain[token])
        elif token.lstrip().startswith("#") and not INCLUDE.match(token + "\n"):
            out.append(re.sub(r"(?<![\w.])[A-Za-z_]\w*", lambda found: plain.get(found.group(), found.group()), token))
        else:
            out.append(token)
        if not token.isspace() and not token.startswith(("/*", "//")):
            before = [token, before[0]]
    return "".join(out)


class Writer:
    def __init__(self, sources):
        headers = {os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(ROOT, "src")) for name in names
                   if name.endswith(".h")}
        self.headers = {os.path.relpath(path, os.path.join(ROOT, "src")): Source(path) for path in sorted(headers)}
        self.sources = sources
        self.seen = set()
        self.tables = {name: f"px_table_{name}" for header in self.headers.values() for name in header.tables}
        counts = collections.Counter()
        for source in [*sources.values(), *self.headers.values()]:
            counts.update({("plain", name) for name in source.plain | source.macros} | {("tag", name) for name in source.tags})
        self.twice = {key for key, count in counts.items() if count > 1}
        self.defined = {name for source in sources.values() for name in source.defined}
        self.closures = {}

    def closure(self, source):
        """The file and every header that it sees."""
        if source.path not in self.closures:
            found = self.closures[source.path] = [source]
            for name in INCLUDE.findall(source.text):
                if not name.startswith("pollux/"):
                    found += [header for header in self.closure(self.headers[name]) if header not in found]
        return self.closures[source.path]

    def renamed(self, source):
        """What is called otherwise in a file: ordinary names, and tags."""
        plain, tags = dict(self.tables), {}
        for seen in reversed(self.closure(source)):
            plain.update({name: f"{name}__{seen.stem}" for name in seen.plain if ("plain", name) in self.twice})
            tags.update({name: f"{name}__{seen.stem}" for name in seen.tags if ("tag", name) in self.twice})
        return plain, tags

    def header(self, name):
        if name in self.seen:
            return ""
        self.seen.add(name)
        source = self.headers[name]
        text, at = "", 0
        for where, shared in source.shared:
            text += source.text[at:where] + ("static " if shared in self.defined else "")
            at = where
        text += source.text[at:]
        return self.included(replaced(text, *self.renamed(source)))

    def included(self, text):
        """With its headers in place of their names; the public ones are in pollux.h."""
        return INCLUDE.sub(lambda found: "" if found.group(1).startswith("pollux/") else self.header(found.group(1)), text)

    def source(self, source):
        text = self.included(replaced(source.text, *self.renamed(source)))
        return text + "".join(f"#undef {name}\n" for name in sorted(source.macros))


def public():
    seen, out = set(), []

    def add(name):
        if name in seen:
            return
        seen.add(name)
        text = read(os.path.join(ROOT, "include", name))
        at = 0
        for found in INCLUDE.finditer(text):
            out.append(text[at:found.start()])
            add(found.group(1))
            at = found.end()
        out.append(text[at:])

    add("pollux/pollux.h")
    for name in sorted(os.listdir(os.path.join(ROOT, "include", "pollux"))):
        add(f"pollux/{name}")
    return "".join(out)


def chosen(build):
    """The library's sources, in the order of the build, and what each is compiled with beyond the rest."""
    for entry in json.loads(read(os.path.join(build, "compile_commands.json"))):
        folder = os.path.relpath(entry["file"], os.path.join(ROOT, "src")).split("/")[0]
        if folder not in ("..", "main", "process", "config"):
            words = entry["command"].split()
            yield entry["file"], [word for word in words if word.startswith(("-mavx", "-DPX_BUILT_WITH"))]


BEGIN = """/*
 * pollux {version} in one file, written by script/amalgamate{options}.
 * Compile it as C17 with -pthread; programs include pollux.h alone.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wformat-truncation"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#else
#pragma clang diagnostic ignored "-Wunused-function"
#pragma clang diagnostic ignored "-Wundefined-internal"
#endif
#include "pollux.h"
{system}#pragma GCC visibility push(hidden)
"""


# Around what is compiled for wider instructions, which is called where they are there.
WIDE = """#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("{0}"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("{0}")
#endif
""", """#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
"""


def system(sources):
    """What is included of libc and other libraries, in front of what is hidden."""
    lines = []
    for source in sources:  # what a source tells a library's header
        first = SYSTEM.search(source.text)
        lines += re.findall(r"^#define [^\n]*\n", source.text[:first.start()], re.M) if first and source.path.endswith(".c") else []
    for name in sorted({name for source in sources for name in SYSTEM.findall(source.text)}):
        guard = ("#if defined(__x86_64__)\n", "#endif\n") if name == "immintrin.h" else ("", "")
        lines.append(f"{guard[0]}#include <{name}>\n{guard[1]}")
    return "".join(lines)


def main():
    build, out = sys.argv[1:3]
    flags = dict(chosen(build))
    plain = {path: path.replace("_select_x86.c", "_select_plain.c") for path in flags if path.endswith("_select_x86.c")}
    sources = {path: Source(path) for path in [*flags, *plain.values()]}
    writer = Writer(sources)
    version = re.search(r'PX_VERSION_STRING "(.*?)"', read(os.path.join(ROOT, "include/pollux/version.h"))).group(1)
    text = []
    for path in flags:
        body = writer.source(sources[path])
        if path in plain:
            body = f"#if defined(__x86_64__)\n{body}#else\n{writer.source(sources[plain[path]])}#endif\n"
        for flag in flags[path]:
            if flag.startswith("-m"):
                body = WIDE[0].format(flag[2:]) + body + WIDE[1]
            else:
                body = "#define {} {}\n{}".format(*flag[2:].split("="), body)
        text.append(f"\n/* === {os.path.relpath(path, ROOT)} */\n{SYSTEM.sub('', body)}")
    used = [*sources.values(), *(writer.headers[name] for name in writer.seen)]
    text.insert(0, BEGIN.format(version=version, options="".join(f" {word}" for word in sys.argv[3:]), system=system(used)))
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "pollux.c"), "w", encoding="utf-8") as file:
        file.write("".join(text))
    with open(os.path.join(out, "pollux.h"), "w", encoding="utf-8") as file:
        file.write(public())


if __name__ == "__main__":
    main()
