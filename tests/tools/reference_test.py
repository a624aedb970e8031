"""The front page of the reference leads to every public header, and to none that is not there."""
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def test_front_page():
    with open(os.path.join(ROOT, "docs", "reference", "front.md"), encoding="utf-8") as file:
        named = re.findall(r"\b(\w+\.h)\b", file.read().partition("## Where is what")[2].partition("\n## ")[0])
    there = os.listdir(os.path.join(ROOT, "include", "pollux"))
    assert sorted(set(named)) == sorted(there) and len(there) > 40
