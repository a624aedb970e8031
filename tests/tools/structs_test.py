"""Every public struct that its caller begins with a size is tried without one (tests/unit/server/structs_test.c)."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_struct_is_tried():
    headers = sorted((ROOT / "include/pollux").glob("*.h"))
    given = set()
    for header in headers:
        for name, body in re.findall(r"typedef struct (px_\w+) \{\n(.*?)\n\} px_\w+;", header.read_text(), re.S):
            if re.match(r"\s*size_t struct_size;", body) and "Of the library's" not in body.splitlines()[0]:
                given.add(name)
    tried = set(re.findall(r'\{"(px_\w+)", ', (ROOT / "tests/unit/server/structs_test.c").read_text()))
    assert len(given) > 40
    assert given == tried
