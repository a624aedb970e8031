#!/usr/bin/python3
"""Makes src/handlers/files/files_listing_style.c from the style sheet and the icons beside it.

    tools/listing_style.py > src/handlers/files/files_listing_style.c

The page that lists a folder carries both inside of it; Content-Security-Policy allows the style by
the digest that is computed here.  tests/tools/listing_style_test.py makes the file anew and compares.
"""
import base64
import hashlib
import os
import sys

HANDLERS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "src", "handlers",
                        "files")


def read(name):
    with open(os.path.join(HANDLERS, name), encoding="ascii") as file:
        return file.read()


def literal(text):
    """A C string, a line for a line, cut where it would be too long."""
    pieces = []
    for line in text.splitlines(keepends=True):
        while line:
            piece, line = line[:80], line[80:]
            piece = piece.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            pieces.append(f'    "{piece}"')
    return "\n".join(pieces)


def digest(style):
    return base64.b64encode(hashlib.sha256(style.encode("ascii")).digest()).decode("ascii")


def render():
    style = read("files_listing.css")
    return f"""/*
 * How the page of a folder looks.  Made by tools/listing_style.py from files_listing.css and
 * files_listing.svg; do not edit.
 */
#include "handlers/files/files_listing.h"

/* clang-format off */
const char listing_policy[] =
    "default-src 'none'; style-src 'sha256-{digest(style)}'; "
    "img-src data:; base-uri 'none'; form-action 'none'";

const char listing_style[] =
{literal(style)};

const char listing_icons[] =
{literal(read("files_listing.svg"))};
/* clang-format on */
"""


if __name__ == "__main__":
    sys.stdout.write(render())
