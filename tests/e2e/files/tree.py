"""The folder that the tests serve: every kind of file, and names that somebody will get wrong."""

import os
import random
import socket
from pathlib import Path

# Old enough that no second is in doubt.
MODIFIED = 1_600_000_000

SMALL_MAX = 64 * 1024  # FILE_SMALL_BYTES_MAX


def noise(count, seed):
    return random.Random(seed).randbytes(count)


CONTENTS = {
    b"index.html": b"<!doctype html><title>top</title>\n",
    b"letters.txt": b"abcdefghijklmnopqrstuvwxyz",
    b"empty": b"",
    b"one": b"1",
    b"ten.bin": noise(10 * 1024, 1),
    b"small.bin": noise(SMALL_MAX, 2),
    b"large.bin": noise(SMALL_MAX + 1, 3),
    b"windows.bin": noise(1_300_000, 4),
    b"sub/index.html": b"sub",
    b"sub/page.html": b"page",
    b"sub/deep/leaf.txt": b"leaf",
    b"noindex/a": b"a",
    b"indexdir/index.html/x": b"the index is a folder",
    b".hidden": b"hidden",
    b".git/config": b"secret",
    b"sub/.htaccess": b"secret",
    b"..name": b"dots",
    b".well-known/x": b"known",
    b".well-known/.hidden": b"hidden",
    b"sub/.well-known/x": b"not at the top",
    b"name.": b"dot behind",
    b"with space": b"space",
    b" ": b"only a blank",
    b"plus+plus": b"plus",
    b"percent%20": b"percent",
    b"%2e%2e": b"percent dots",
    b"question?": b"question",
    b"hash#": b"hash",
    b"semi;colon": b"semi",
    b"back\\slash": b"back",
    b"quote\"'<&>": b"quote",
    b"tab\tline\n": b"control",
    b"\x7f": b"delete",
    "ünïcödé.txt".encode(): b"utf-8",
    b"latin\xfc\xff\xfe": b"not utf-8",
    b"c:": b"drive",
    b"con": b"device of another system",
    b"~": b"home",
    b"n" * 255: b"name at its limit",
}

LINKS = {
    b"link-in": b"letters.txt",
    b"sub/link-up": b"../letters.txt",
    b"link-folder": b"sub",
    b"link-out": b"../outside/secret",
    b"link-out-folder": b"../outside",
    b"link-absolute": None,  # the secret's whole path
    b"link-loop": b"link-loop",
    b"link-dangling": b"nowhere",
}

SECRET = b"nobody may read this over the network"


def build(base):
    """Makes it beneath `base` (a path); returns the folder to serve."""
    root = os.fsencode(Path(base) / "www")
    outside = os.fsencode(Path(base) / "outside")
    for folder in (root, outside, root + b"/empty-folder"):
        os.makedirs(folder)
    with open(outside + b"/secret", "wb") as file:
        file.write(SECRET)
    for name, content in CONTENTS.items():
        path = root + b"/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        # Not a whole second, which a tool would have set: such a date joins no ranges.
        os.utime(path, ns=(MODIFIED * 10**9 + 5, MODIFIED * 10**9 + 5))
    for name, target in LINKS.items():
        os.symlink(target or outside + b"/secret", root + b"/" + name)
    os.mkfifo(root + b"/fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        here = os.getcwd()
        os.chdir(root)  # its name has few bytes
        try:
            sock.bind("socket")
        finally:
            os.chdir(here)
    return os.fsdecode(root)


def quote(name):
    """A name as a path of a request."""
    good = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/"
    return b"/" + b"".join(bytes([b]) if b in good else b"%%%02X" % b for b in name)
