"""Thousands of made requests against the real program, and what the model says of each."""

import random
from email.utils import formatdate

import pytest

from files import model, tree
from lib.runner import IS_RELEASE, Pollux
from lib.wire import Wire

NAMES = [b"empty", b"one", b"letters.txt", b"small.bin", b"large.bin"]
CASES = 6000 if IS_RELEASE else 1500
pytestmark = pytest.mark.short


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    root = tree.build(tmp_path_factory.mktemp("files"))
    with Pollux("files", root, "-w", "1", "--log", "off", "--no-compress") as server:
        yield server


def ask(wire, method, path, fields=()):
    head = b"%s %s HTTP/1.1\r\nHost: a\r\n" % (method.encode(), path)
    for name, value in fields:
        head += f"{name}: {value}\r\n".encode("latin-1")
    wire.send(head + b"\r\n")
    return wire.reply(head_only=method == "HEAD")


def learn(wire, name):
    """The file as the server presents it: the tag is its own business, the rest is ours."""
    reply = ask(wire, "HEAD", tree.quote(name))
    assert reply.status == 200
    modified = model.date(reply.value("Last-Modified"))
    assert modified == tree.MODIFIED
    return model.File(tree.CONTENTS[name], reply.value("ETag"), modified)


class Maker:
    """Makes fields that are mostly nearly right."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def number(self, size):
        pick = self.random
        return pick.choice(
            [
                lambda: pick.randrange(0, size + 2),
                lambda: pick.choice([0, 1, size - 1 if size else 0, size, size + 1]),
                lambda: pick.choice([2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**64 + 5, 10**40]),
            ]
        )()

    def spec(self, size):
        pick = self.random
        kind = pick.randrange(10)
        if kind < 4:
            return f"{self.number(size)}-{self.number(size)}"
        if kind < 6:
            return f"{self.number(size)}-"
        if kind < 8:
            return f"-{self.number(size)}"
        if kind == 8 and size:
            first = pick.randrange(size)
            return f"{first}-{min(first + pick.randrange(4), size)}"
        return pick.choice(["", "-", "x", "1", "--1", "1--2", "0 -1", "0- 1", "+1-2", "1-2-3", "0x1-2", '"0-1"'])

    def range(self, size):
        pick = self.random
        unit = "bytes" if pick.random() < 0.95 else pick.choice(["Bytes", "octets", "", "bytes "])
        count = pick.choice([1, 1, 1, 1, 2, 2, 3, 5, 16, 17, 30])
        if count > 3 and size > 100:  # small ones, so that many may go together
            specs = [f"{n}-{n}" for n in (pick.randrange(size) for _ in range(count))]
        else:
            specs = [self.spec(size) for _ in range(count)]
        return unit + "=" + pick.choice([",", ", ", " ,", ",,", "\t, "]).join(specs)

    def tag(self, ours):
        return self.random.choice(
            [ours, "W/" + ours, '"other"', 'W/"other"', '""', '"a,b"', '"\\"', ours.strip('"'), "*", ours + "x", ours[:-1]]
        )

    def tags(self, ours):
        count = self.random.choice([1, 1, 2, 3])
        text = self.random.choice([",", ", ", " , ", ",,"]).join(self.tag(ours) for _ in range(count))
        return text if text.strip() else ours

    def date(self, modified):
        delta = self.random.choice([0, 0, 0, -1, 1, -86400, 86400, 10**8, -(10**9)])
        good = formatdate(modified + delta, usegmt=True)
        return self.random.choice([good] * 8 + ["nonsense", str(modified), good[:-4], good.lower(), good + ", " + good])

    def fields(self, file):
        pick, out = self.random, []
        odds = {"If-Match": 0.15, "If-None-Match": 0.2, "If-Modified-Since": 0.2, "If-Unmodified-Since": 0.15, "If-Range": 0.25}
        for name, chance in odds.items():
            while pick.random() < chance:
                if name.endswith("Since") or (name == "If-Range" and pick.random() < 0.4):
                    value = self.date(file.modified)
                elif name == "If-Range":
                    value = self.tag(file.etag)
                else:
                    value = self.tags(file.etag)
                out.append((name, value))
                chance /= 6
        if pick.random() < 0.8:
            out.append(("Range", self.range(len(file.content))))
            if pick.random() < 0.03:
                out.append(("Range", "bytes=0-0"))
        pick.shuffle(out)
        return [(pick.choice([n, n.lower(), n.upper()]), v.strip(" \t")) for n, v in out]


def parts_of(reply):
    """The parts of multipart/byteranges, taken apart as RFC 2046 says."""
    kind, _, boundary = reply.value("Content-Type").partition("; boundary=")
    assert kind == "multipart/byteranges" and 0 < len(boundary) <= 70, reply.head
    pieces = (b"\r\n" + reply.content).split(b"\r\n--" + boundary.encode())
    assert pieces[0] == b"" and pieces[-1] == b"--\r\n", reply.content[:300]
    for piece in pieces[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        assert head.startswith(b"\r\n")
        fields = dict(line.split(b": ", 1) for line in head[2:].split(b"\r\n"))
        assert set(fields) == {b"Content-Type", b"Content-Range"}
        yield fields[b"Content-Range"].decode(), content


def judge(reply, wanted, file, method):
    size = len(file.content)
    assert reply.status == wanted.status
    if wanted.status in (200, 206, 304):
        assert reply.value("ETag") == file.etag
        assert model.date(reply.value("Last-Modified")) == file.modified
    if wanted.status in (200, 206):
        assert reply.value("Accept-Ranges") == "bytes"
    if wanted.parts:
        found = list(parts_of(reply))
        assert [place for place, _ in found] == [f"bytes {a}-{b}/{size}" for a, b in wanted.parts]
        assert [content for _, content in found] == [file.content[a : b + 1] for a, b in wanted.parts]
        assert reply.value("Content-Range") is None
        return
    assert reply.value("Content-Range") == wanted.content_range
    if wanted.status in (200, 206):
        assert reply.value("Content-Length") == str(len(wanted.content))
        if method == "GET":
            assert reply.content == wanted.content


def test_made_requests_are_answered_as_the_model_says(served):
    maker, seen = Maker(9110), {}
    with Wire(served.address) as wire:
        files = [learn(wire, name) for name in NAMES]
        for number in range(CASES):
            index = maker.random.randrange(len(files))
            file, fields = files[index], maker.fields(files[index])
            method = "HEAD" if maker.random.random() < 0.1 else "GET"
            wanted = model.answer(file, method, fields)
            reply = ask(wire, method, tree.quote(NAMES[index]), fields)
            try:
                judge(reply, wanted, file, method)
            except AssertionError as error:
                raise AssertionError(f"case {number}: {method} {NAMES[index]} {fields}: {error}") from error
            kind = "parts" if wanted.parts else wanted.status
            seen[kind] = seen.get(kind, 0) + 1
    # Each kind of answer was there, and often.
    assert set(seen) == {200, 206, "parts", 304, 412, 416}, seen
    assert min(seen.values()) >= CASES // 100, seen


# --- Paths ---------------------------------------------------------------------------------------

SEGMENTS = [
    b"", b".", b"..", b"%2e", b"%2E%2e", b"%2e.", b"sub", b"deep", b"leaf.txt", b"index.html", b"letters.txt",
    b"noindex", b"a", b".git", b"config", b".hidden", b".well-known", b"x", b"%2ewell-known", b"empty-folder",
    b"link-in", b"link-folder", b"link-out", b"link-out-folder", b"secret", b"link-absolute", b"fifo", b"socket",
    b"nothing", b"%252e%252e", b"%25", b"..%2f", b"a%2fb", b"%00", b"letters.txt%00", b"%5c..", b"..%5c", b"..;",
    b"..;x", b"%c0%ae%c0%ae", b"%c0%af", b"...", b"....", b"..name", b"sub%20", b"with%20space", b"percent%2520",
]  # fmt: skip


def on_disk(segments, slash):
    """What the tree has there: an outcome in words."""
    name = b"/".join(segments)
    folders = {b""}
    for known in [*tree.CONTENTS, b"empty-folder/x"]:
        parts = known.split(b"/")
        folders |= {b"/".join(parts[:count]) for count in range(1, len(parts))}
    if name.startswith(b"link-folder"):
        if name == b"link-folder" and not slash:
            return "folder"
        rest = name[len(b"link-folder") :]
        if rest and not rest.startswith(b"/"):
            return "nothing"
        return on_disk([b"sub", *segments[1:]], slash)
    files = dict(tree.CONTENTS)
    files[b"link-in"] = files[b"letters.txt"]
    files[b"sub/link-up"] = files[b"letters.txt"]
    if name in folders:
        if not slash:
            return "folder"
        index = (name + b"/" if name else b"") + b"index.html"
        return files.get(index, "forbidden")
    if name in files and not slash:
        return files[name]
    return "nothing"


def test_made_paths_are_answered_as_the_model_says(served):
    pick, seen = random.Random(3986), {}
    with Wire(served.address) as wire:
        for number in range(CASES):
            target = b"/" + b"/".join(pick.choices(SEGMENTS, k=pick.choice([1, 1, 2, 2, 3, 4, 6])))
            if pick.random() < 0.1:
                target += b"?" + pick.choice(SEGMENTS)
            found = model.path(target)
            place = found if isinstance(found, int) else on_disk(*found)
            reply = ask(wire, "GET", target)
            if isinstance(place, bytes):
                wanted = 200
            else:
                wanted = {400: 400, 404: 404, "nothing": 404, "forbidden": 403, "folder": 301}[place]
            assert reply.status == wanted, f"case {number}: {target}: {reply.status}, wanted {wanted} ({place})"
            if wanted == 200:
                assert reply.content == place, target
            if wanted == 301:
                location = reply.value("Location").encode()
                assert not location.startswith((b"/", b"\\")) and b":" not in location.partition(b"?")[0], location
                path = target.partition(b"?")[0].rpartition(b"/")[0] + b"/" + location.partition(b"?")[0]
                assert path.endswith(b"/") and model.path(path) == (found[0], True), (target, location)
                assert location.partition(b"?")[2] == target.partition(b"?")[2]
            assert tree.SECRET not in reply.content
            seen[wanted] = seen.get(wanted, 0) + 1
    assert set(seen) == {200, 301, 400, 403, 404}, seen
    assert min(seen.values()) >= CASES // 1000, seen
