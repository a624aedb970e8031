#!/usr/bin/python3
"""Describes the public API as JSON, made from the headers: for whoever writes a binding.

    tools/api.py [--root FOLDER]           prints the description
    tools/api.py --cdef [--root FOLDER]    prints plain C declarations, as cffi takes them

The description has `version` and, each sorted by name with its `header` and its `doc`: `functions`
(result, params with name and type, must_check), `structs` (members, or none: opaque; whether it is sized),
`callbacks` (types of functions), `types` (other names of types), `enums` (values) and `constants` (numbers and
texts). Function-like macros are left out; everything else that a header declares is there, which
tests/tools/api_test.py holds it to. The headers are read by pycparser, behind the preprocessor.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

from pycparser import c_ast, c_generator, c_parser

# What the public headers need of libc, without libc's own language.
LIBC = {
    "stddef.h": "typedef unsigned long size_t;\n",
    "stdint.h": "".join(f"typedef {kind} {name}_t;\n" for kind, name in (
        ("signed char", "int8"), ("unsigned char", "uint8"), ("short", "int16"), ("unsigned short", "uint16"),
        ("int", "int32"), ("unsigned", "uint32"), ("long", "int64"), ("unsigned long", "uint64"),
        ("unsigned long", "uintptr"))) + "#define UINT32_MAX 4294967295U\n#define UINT64_MAX 18446744073709551615UL\n",
    "string.h": "#include <stddef.h>\nvoid *memset(void *, int, size_t);\nsize_t strlen(const char *);\n"
                "int memcmp(const void *, const void *, size_t);\n",
}
GENERATOR = c_generator.CGenerator()


def headers(root):
    folder = os.path.join(root, "include", "pollux")
    return sorted(name for name in os.listdir(folder) if name.endswith(".h"))


def preprocess(root, source, *flags):
    with tempfile.TemporaryDirectory() as libc:
        for name, text in LIBC.items():
            with open(os.path.join(libc, name), "w", encoding="utf-8") as file:
                file.write(f"#ifndef API_{name[:-2]}\n#define API_{name[:-2]}\n{text}#endif\n")
        return subprocess.run(
            ["gcc", "-E", "-nostdinc", *flags, "-D__attribute__(x)=", f"-I{libc}", f"-I{root}/include", "-x", "c", "-"],
            input=source, capture_output=True, text=True, check=True).stdout


# syscalls.h is a list in macros, of names that only linux/*.h knows.
def everything(root):
    return "".join(f'#include "pollux/{name}"\n' for name in headers(root) if name != "syscalls.h")


def declarations(root):
    """Every declaration of the public headers, and the header that has it."""
    tree = c_parser.CParser().parse(preprocess(root, everything(root)), "api")
    for node in tree.ext:
        if "/include/pollux/" in node.coord.file:
            yield os.path.basename(node.coord.file), node


def doc_of(text, line):
    """The comment that ends in front of a line, without its marks."""
    before = text.split("\n")[: line - 1]
    if not before or not before[-1].rstrip().endswith("*/") or "/**<" in before[-1]:
        return ""
    at = len(before) - 1
    while at >= 0 and "/**" not in before[at]:
        at -= 1
    return clean("\n".join(before[at:])) if at >= 0 else ""


def clean(comment):
    body = re.sub(r"^\s*/\*\*<?|\*/\s*$", "", comment.strip())
    return " ".join(re.sub(r"^\s*\*", "", line).strip() for line in body.split("\n")).strip()


def member_doc(text, line):
    """The comment behind a member, or in front of it."""
    lines = text.split("\n")
    at = line - 1
    found = re.search(r"/\*\*<(.*)", lines[at])
    if not found:
        return doc_of(text, line)
    body = found.group(0)
    while "*/" not in body:
        at += 1
        body += "\n" + lines[at]
    return clean(body[: body.index("*/") + 2])


def type_text(node):
    if isinstance(node, c_ast.EllipsisParam):
        return "..."
    return GENERATOR.visit(c_ast.Typename(None, node.quals if hasattr(node, "quals") else [], None, unnamed(node.type)))


def unnamed(node):
    """A copy of a type without the name that it declares."""
    if isinstance(node, c_ast.TypeDecl):
        return c_ast.TypeDecl(None, node.quals, None, node.type)
    if isinstance(node, c_ast.PtrDecl):
        return c_ast.PtrDecl(node.quals, unnamed(node.type))
    if isinstance(node, c_ast.ArrayDecl):
        return c_ast.ArrayDecl(unnamed(node.type), node.dim, node.dim_quals)
    if isinstance(node, c_ast.FuncDecl):
        return c_ast.FuncDecl(node.args, unnamed(node.type))
    return node


def params_of(function):
    params = function.args.params if function.args else []
    return [{"name": getattr(param, "name", None) or "", "type": type_text(param)} for param in params
            if isinstance(param, c_ast.EllipsisParam) or type_text(param) != "void"]


def is_must_check(text, line):
    return "PX_MUST_CHECK" in text.split("\n")[line - 1]


def constants(root):
    names = []
    for header in headers(root):
        if header == "syscalls.h":
            continue
        with open(os.path.join(root, "include", "pollux", header), encoding="utf-8") as file:
            for name, value in re.findall(r"^#define (PX_[A-Z0-9_]+) (.+?)(?: +/\*\*<.*)?$", file.read(), re.M):
                if not name.endswith(("_H", "_INIT", "_DEFAULT", "_MUST_CHECK")) and "\\" not in value:
                    names.append((name, header))
    text = preprocess(root, everything(root) + "".join(f"\n@ {name}" for name, _ in names), "-P")
    found = [line[2:].strip() for line in text.split("\n") if line.startswith("@ ")]
    return {name: (header, value) for (name, header), value in zip(names, found, strict=True)}


def evaluate(text):
    text = re.sub(r"(?<=[0-9a-fA-F])[uUlL]+", "", text)
    if text.startswith('"'):
        return json.loads(text)
    if re.fullmatch(r"[0-9a-fxA-F()+*/ <|~-]+", text):
        return eval(text, {"__builtins__": {}})  # pylint: disable=eval-used
    return text


def enum_values(enum):
    values, last = {}, -1
    for value in enum.values.enumerators:
        last = evaluate(GENERATOR.visit(value.value)) if value.value else last + 1
        values[value.name] = last
    return values


def describe(root):
    texts = {}
    for header in headers(root):
        with open(os.path.join(root, "include", "pollux", header), encoding="utf-8") as file:
            texts[header] = file.read()
    found = {kind: {} for kind in ("functions", "structs", "callbacks", "types", "enums", "constants")}
    for header, node in declarations(root):
        text, line = texts[header], node.coord.line
        about = {"header": header, "doc": doc_of(text, line)}
        if isinstance(node, c_ast.FuncDef):
            decl = node.decl
            found["functions"][decl.name] = {**about, "result": type_text(decl.type), "params": params_of(decl.type),
                                             "must_check": False, "inline": True}
        elif isinstance(node, c_ast.Typedef) and isinstance(node.type.type, c_ast.Struct):
            struct = node.type.type
            members = [{"name": member.name, "type": type_text(member), "doc": member_doc(text, member.coord.line)}
                       for member in struct.decls or []]
            about["doc"] = doc_of(text, struct.coord.line) if struct.decls else member_doc(text, line)
            if struct.decls is None and node.name in found["structs"]:
                continue
            found["structs"][node.name] = {**about, "opaque": struct.decls is None, "members": members,
                                           "sized": bool(members) and members[0]["name"] == "struct_size"}
        elif isinstance(node, c_ast.Typedef) and isinstance(node.type.type, c_ast.Enum):
            about["doc"] = doc_of(text, node.type.type.coord.line)
            found["enums"][node.name] = {**about, "values": enum_values(node.type.type)}
        elif isinstance(node, c_ast.Typedef):
            kind = node.type.type if isinstance(node.type, c_ast.PtrDecl) else None
            if isinstance(kind, c_ast.FuncDecl):
                about["doc"] = doc_of(text, line) or member_doc(text, line)
                found["callbacks"][node.name] = {**about, "result": type_text(kind), "params": params_of(kind)}
            else:
                found["types"][node.name] = {**about, "type": type_text(node)}
        elif isinstance(node, c_ast.Decl) and isinstance(node.type, c_ast.FuncDecl):
            found["functions"][node.name] = {**about, "result": type_text(node.type), "params": params_of(node.type),
                                             "must_check": is_must_check(text, line), "inline": False}
        elif isinstance(node, c_ast.Decl) and isinstance(node.type, c_ast.Enum):
            if node.type.name:
                found["enums"][node.type.name] = {**about, "values": enum_values(node.type)}
            else:
                for name, value in enum_values(node.type).items():
                    found["constants"][name] = {"header": header, "value": value}
    for name, (header, value) in constants(root).items():
        found["constants"][name] = {"header": header, "value": evaluate(value)}
    version = found["constants"]["PX_VERSION_STRING"]["value"]
    return {"version": version, **{kind: dict(sorted(entries.items())) for kind, entries in found.items()}}


def cdef(root):
    """Declarations for cffi: no inline functions, no libc."""
    lines = []
    for _, node in declarations(root):
        if isinstance(node, c_ast.FuncDef):
            continue
        lines.append(GENERATOR.visit(node) + ";")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description="describes the public API as JSON")
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    parser.add_argument("--cdef", action="store_true", help="plain C declarations instead")
    arguments = parser.parse_args()
    if arguments.cdef:
        sys.stdout.write(cdef(arguments.root))
    else:
        json.dump(describe(arguments.root), sys.stdout, indent=1)
        sys.stdout.write("\n")


if __name__ == "__main__":
    main()
