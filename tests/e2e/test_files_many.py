"""A folder of very many files with hostile names: each is served byte for byte, cold and hot, over very
many connections at once.

    POLLUX_MANY=100000 POLLUX_MANY_GIB=10 pytest tests/e2e/test_files_many.py     (script/test full)

Without these it is a few thousand files over a hundred connections.  The large ones are mostly holes.
"""

import asyncio
import hashlib
import os
import random
import resource

import pytest

from files import tree
from lib.runner import Pollux

FILES = int(os.environ.get("POLLUX_MANY", "3000"))
GIB = float(os.environ.get("POLLUX_MANY_GIB", "0.25"))
CONNECTIONS = 1000 if FILES >= 50_000 else 100
LARGE = 1 << 27  # bytes of a large one
SECONDS = 1500 if FILES >= 50_000 else 100


def name_of(pick):
    """Any bytes that a name may have, but for a dot in front."""
    raw = bytes(pick.choice(range(1, 256)) for _ in range(pick.randrange(1, 60))).replace(b"/", b"_")
    return raw.lstrip(b".") or b"dots"


def digest(pieces):
    sum_ = hashlib.blake2b(digest_size=16)
    for piece in pieces:
        sum_.update(piece)
    return sum_.digest()


def write_small(path, pick):
    content = pick.randbytes(int(2 ** pick.uniform(0, 15)))
    with open(path, "wb") as file:
        file.write(content)
    return digest([content])


def write_large(path, pick):
    """A file of holes, and in each of its parts a few bytes that are its own."""
    zeros, sum_ = bytes(1 << 20), hashlib.blake2b(digest_size=16)
    with open(path, "wb") as file:
        os.truncate(file.fileno(), LARGE)
        for at in range(0, LARGE, 1 << 20):
            mark = pick.randbytes(32)
            file.seek(at)
            file.write(mark)
            sum_.update(mark + zeros[32:])
    return sum_.digest()


def build(root):
    pick, wanted = random.Random(5), {}
    large = int(GIB * (1 << 30) / LARGE)
    for number in range(FILES):
        folder = b"d%d/%d" % (number % 97, number % 13)
        os.makedirs(root + b"/" + folder, exist_ok=True)
        name = folder + b"/" + name_of(pick) + b"~%d" % number if number % 2 else folder + b"/%d" % number
        write = write_large if number < large else write_small
        wanted[name[:4000]] = write(root + b"/" + name, pick)
    return wanted


def make_cold(root, names):
    os.sync()
    for name in names:
        fd = os.open(root + b"/" + name, os.O_RDONLY)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


async def fetch(reader, writer, name):
    """Status and digest of one answer."""
    writer.write(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % tree.quote(name))
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line.split(b": ")[1] for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")]
    left, sum_ = int(lengths[0]), hashlib.blake2b(digest_size=16)
    while left:
        piece = await reader.read(min(left, 1 << 20))
        assert piece, f"{name}: {left} bytes are missing"
        left -= len(piece)
        sum_.update(piece)
    return int(head[9:12]), sum_.digest()


async def connection(address, names, wanted, wrong):
    reader, writer = await asyncio.open_connection(*address)
    for name in names:
        status, got = await fetch(reader, writer, name)
        if status != 200 or got != wanted[name]:
            wrong.append((name, status))
    writer.close()


async def everything(address, names, wanted):
    wrong = []
    shares = [names[index::CONNECTIONS] for index in range(CONNECTIONS)]
    await asyncio.gather(*(connection(address, share, wanted, wrong) for share in shares))
    return wrong


@pytest.mark.timeout(SECONDS)
def test_every_file_cold_and_hot(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    root = os.fsencode(tmp_path / "www")
    os.mkdir(root)
    wanted = build(root)
    names = sorted(wanted)
    assert len(names) == FILES
    with Pollux("files", os.fsdecode(root), "-w", "2", "--log", "off", "--no-compress") as server:
        for how in ("cold", "hot"):
            if how == "cold":
                make_cold(root, names)
            wrong = asyncio.run(everything(server.address, names, wanted))
            assert not wrong, (how, len(wrong), wrong[:3])
