#!/usr/bin/python3
"""Line coverage of src/ from a build with the `coverage` preset.

    tools/coverage.py BUILD [--min PERCENT]

Asks gcov for each object that was run, adds up a line's count over all objects that hold it, and prints
a table by file.  A source that no test ran counts with all its lines.  There are no exclusion marks.
Ends with 1 when the sum is below the minimum.
"""
import argparse
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def notes(build):
    """Every .gcno below the object folders of src/."""
    for folder, _, names in os.walk(os.path.join(build, "src")):
        for name in sorted(names):
            if name.endswith(".gcno"):
                yield os.path.join(folder, name)


def gcov(path):
    """What gcov says of one object, as its JSON documents."""
    result = subprocess.run(["gcov", "--json-format", "--stdout", path], check=True,
                            capture_output=True, text=True, cwd=os.path.dirname(path))
    for line in result.stdout.splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def count_lines(build):
    """{path: {line: executions}} of the files in src/."""
    lines = {}
    for path in notes(build):
        for document in gcov(path):
            folder = document["current_working_directory"]
            for file in document["files"]:
                name = os.path.relpath(os.path.join(folder, file["file"]), ROOT)
                if not name.startswith("src/"):
                    continue
                counts = lines.setdefault(name, {})
                for line in file["lines"]:
                    number = line["line_number"]
                    counts[number] = counts.get(number, 0) + line["count"]
    return lines


def gaps(counts):
    """The lines that were not run, as "3-5 9"."""
    ranges = []
    previous = None
    for number in sorted(counts):
        if counts[number] == 0:
            if ranges and previous == ranges[-1][1]:
                ranges[-1][1] = number
            else:
                ranges.append([number, number])
        previous = number
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)


def main():
    parser = argparse.ArgumentParser(description="Line coverage of src/.")
    parser.add_argument("build")
    parser.add_argument("--min", type=float, default=0)
    arguments = parser.parse_args()
    lines = count_lines(os.path.abspath(arguments.build))
    every = run = 0
    for name in sorted(lines):
        counts = lines[name]
        hit = sum(1 for count in counts.values() if count)
        every += len(counts)
        run += hit
        print(f"{100 * hit / len(counts):6.1f}%  {name}  {gaps(counts)[:120]}")
    if every == 0:
        print("coverage: nothing was counted: is this a build with the coverage preset?")
        return 1
    percent = 100 * run / every
    print(f"coverage: {percent:.2f}% of {every} lines in {len(lines)} files, "
          f"at least {arguments.min:g}% asked for")
    return 0 if percent >= arguments.min else 1


if __name__ == "__main__":
    sys.exit(main())
