"""Connections made by chance: frames that are often right, sometimes wrong, in any order and any
pieces.  Whatever comes, what the server says is right (the judge of lib/h2frames.py), its end is a
known one, and it serves the next.

A failure names its seed; POLLUX_SEEDS=first:last runs others.
"""

import os
import random

import pytest

from lib.h2frames import *  # noqa: F403
from lib.runner import Pollux
from lib.tls import TlsWire
from lib.wire import Wire, WireReset

FIRST, LAST = map(int, os.environ.get("POLLUX_SEEDS", "0:60").split(":"))
CONNECTIONS = 20  # of a seed

NAMES_ = ["x", "cookie", "te", "content-length", "host", "accept", "priority", "expect", "X", "connection", "", "a:b"]
VALUES = ["", "1", "a", "trailers", "u=1, i", "100-continue", "a\0b", " a", "5", "13", "b" * 300, "c" * 5000]


class Source:
    """Makes frames of a connection that mostly knows what it is doing."""

    def __init__(self, rng, heads, paths):
        self.rng = rng
        self.paths = paths
        self.heads = heads  # streams that the judge must know to be HEAD
        self.next = 1
        self.open = []

    def any_stream(self):
        rng = self.rng
        return rng.choice([0, 1, 2, self.next, self.next + 2, WINDOW_MAX, *self.open, *self.open, *self.open])

    def opened(self):
        return self.rng.choice(self.open) if self.open else self.any_stream()

    def fields(self):
        rng = self.rng
        fields = get(method=rng.choice(["GET", "POST", "HEAD", "OPTIONS", "BREW"]), path=rng.choice(self.paths))
        for _ in range(rng.choice([0, 0, 0, 1, 2, 5])):
            fields.append((rng.choice(NAMES_[:6] if rng.random() < 0.9 else NAMES_), rng.choice(VALUES)))
        if rng.random() < 0.03:
            rng.shuffle(fields)
        if rng.random() < 0.03:
            fields.pop(rng.randrange(len(fields)))
        return fields

    def block(self):
        rng = self.rng
        encode = [literal, indexed] if rng.random() < 0.3 else [literal]
        block = b"".join(rng.choice(encode)(*pair) for pair in self.fields())
        if rng.random() < 0.02:
            at = rng.randrange(len(block))
            block = block[:at] + bytes([rng.randrange(256)]) + block[at + 1 :]
        return block

    def request(self):
        rng = self.rng
        stream, block = self.next, self.block()
        if b"\x04HEAD" in block:
            self.heads.add(stream)
        self.next += 2
        ends = rng.random() < 0.7
        if not ends:
            self.open.append(stream)
        more = {}
        if rng.random() < 0.1:
            more["pad"] = rng.randrange(256)
        if rng.random() < 0.1:
            more["priority"] = depends(rng.choice([0, 1, stream]), rng.randrange(256), rng.randrange(2))
        cuts = sorted(rng.randrange(len(block) + 1) for _ in range(rng.choice([0, 0, 0, 1, 2, 7, 9])))
        parts = [block[a:b] for a, b in zip([0, *cuts], [*cuts, len(block)])]
        out = headers(stream, parts[0], end=ends, done=len(parts) == 1, **more)
        for index, part in enumerate(parts[1:]):
            out += continuation(stream, part, done=index == len(parts) - 2)
        return out

    def content(self):
        rng = self.rng
        stream = self.opened()
        ends = rng.random() < 0.3
        if ends and stream in self.open:
            self.open.remove(stream)
        pad = rng.randrange(256) if rng.random() < 0.2 else None
        return data(stream, bytes(rng.choice([0, 1, 5, 13, 1000, 16000])), end=ends, pad=pad)

    def trailers(self):
        stream = self.opened()
        if stream in self.open:
            self.open.remove(stream)
        return headers(stream, [("x", self.rng.choice(VALUES))])

    def reset(self):
        stream = self.opened()
        if stream in self.open:
            self.open.remove(stream)
        return rst(stream, self.rng.choice([CANCEL, NO_ERROR, 99]))

    def windows(self):
        return window(self.rng.choice([0, self.opened()]), self.rng.choice([0, 1, 100, 65535, WINDOW_MAX]) or 1)

    def changes(self):
        rng = self.rng
        key = rng.choice([HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_CONCURRENT_STREAMS, MAX_HEADER_LIST_SIZE, 99])
        value = rng.choice({MAX_FRAME_SIZE: [16384, 20000, 2**24 - 1]}.get(key, [0, 1, 100, 4096, 65535, 100000]))
        return ("settings", [(key, value)])

    def small(self):
        rng = self.rng
        return rng.choice([ping(), ping(ack=True), settings(ack=True), priority(self.next), priority_update(self.next, b"u=3"),
                           frame(rng.randrange(11, 256), rng.randrange(256), self.any_stream(), bytes(rng.randrange(30)))])  # fmt: skip

    def wrong(self):
        """Any frame with any length, flags and stream."""
        rng = self.rng
        payload = rng.randbytes(rng.choice([0, 1, 4, 5, 6, 8, 9, 40]))
        return frame(rng.randrange(0, 17), rng.randrange(256), self.any_stream(), payload)

    def one(self):
        makes = [self.request, self.content, self.trailers, self.reset, self.windows, self.changes, self.small, self.wrong]
        return self.rng.choices(makes, [40, 25, 4, 5, 10, 3, 8, 1.5])[0]()


def mutated(rng, data_):
    """A capture with a bit, a byte or a stretch that is not what it was."""
    data_ = bytearray(data_)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        at = rng.randrange(len(data_))
        kind = rng.randrange(4)
        if kind == 0:
            data_[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data_[at] = rng.randrange(256)
        elif kind == 2:
            del data_[at : at + rng.randrange(1, 20)]
        else:
            data_[at:at] = data_[max(0, at - rng.randrange(1, 40)) : at]
        if not data_:
            return b"x"
    return bytes(data_)


def converse(rng, make_wire, paths):
    """One connection; ends when the server or the script does."""
    with H2Wire(None, wire=make_wire(), pairs=((ENABLE_PUSH, 0),)) as h2:
        h2.gives_credit = rng.random() < 0.7
        source = Source(rng, h2.judge.heads, paths)
        for _ in range(rng.randrange(1, 60)):
            made = source.one()
            if isinstance(made, tuple):
                h2.settled()
                h2.change_settings(*made[1])
            else:
                h2.send(made, step=rng.choice([0, 0, 0, 1, 7, 100]))
            if rng.random() < 0.1:
                h2.settled()
        kind = rng.randrange(4)
        if kind == 0:
            h2.wire.close_with_reset()
        elif kind == 1:
            h2.half_close()
            h2.goaway_code()
        elif kind == 2:
            h2.settled()


def bend(rng, make_wire, paths):
    """One connection whose bytes were good once."""
    source = Source(rng, set(), paths)
    good = [PREFACE, settings((ENABLE_PUSH, 0))] + [made for made in (source.one() for _ in range(20)) if isinstance(made, bytes)]
    with H2Wire(None, wire=make_wire(), preface=False) as h2:
        h2.wire.send(mutated(rng, b"".join(good)), step=rng.choice([0, 0, 1, 50]))
        h2.wire.half_close()
        h2.wire.rest()


def attack(seed, make_wire, paths):
    rng = random.Random(seed)
    for _ in range(CONNECTIONS):
        try:
            (converse if rng.random() < 0.7 else bend)(rng, make_wire, paths)
        except Violation:
            raise
        except WireError as error:
            # Closed, for a reason that GOAWAY gives; what a reset may end is a request that lost bytes.
            assert isinstance(error, WireReset) or "closed" in str(error) or "ended" in str(error), error
    with H2Wire(None, wire=make_wire()) as h2:
        h2.probe(1, get(path=paths[0]))


@pytest.fixture(scope="module")
def crowd():
    with Pollux("respond", "--log", "off", "-w", "1", "--rate-window=1s", "--timeout-head=1s", "--timeout-drain=3s") as server:
        yield server


@pytest.mark.parametrize("seed", range(FIRST, LAST))
def test_by_chance(crowd, seed):
    attack(seed, lambda: Wire(crowd.address), ["/", "/x?y", "/a%20b"])


# Every kind of handler, so that streams end while something is under way.
PATHS = [
    "/text", "/body?n=50000", "/producer?n=90000&later=1", "/producer?n=9000&fails=1", "/pieces?n=70000", "/file?n=70000",
    "/late?ms=3", "/inform", "/wrong?how=short", "/wrong?how=long", "/wrong?how=begun", "/upper?n=20000", "/fields/1?a=b",
    "/echo", "/stream", "/stream", "/count?slow=1", "/count", "/early", "/form", "/parts", "/nowhere",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(FIRST, LAST))
def test_by_chance_with_handlers(gallery, seed):
    attack(seed + 10**6, lambda: Wire(gallery.addresses[0]), PATHS)


@pytest.mark.parametrize("seed", range(FIRST, (FIRST + LAST) // 2))
def test_by_chance_over_tls(gallery, seed):
    context = gallery.authority.context(alpn=["h2"])
    attack(seed + 10**7, lambda: TlsWire(gallery.addresses[1], context), PATHS)
