"""What a hostile case is: bytes, the statuses that must come back, and how the connection ends.

`want` lists the responses in order.  `INTERIM` in it is a 100 that may come or not (RFC 9110
section 10.1.1 leaves it to the server when content is there already).
`end` says what follows: KEPT (another request is answered), CLOSED (an orderly end).
"""

from dataclasses import dataclass, field

KEPT = "kept"
CLOSED = "closed"
INTERIM = "100?"

LETTERS = {
    "F": "framing",
    "C": "chunks",
    "L": "lines and fields",
    "R": "request line",
    "H": "host",
    "P": "persistence",
}


@dataclass(frozen=True)
class Case:
    id: str
    letter: str
    data: bytes
    want: tuple
    end: str
    note: str = ""
    # Indexes of answers that have no content because they answer a HEAD.
    heads: frozenset = field(default_factory=frozenset)
    # The message is not finished: what follows it would be taken for its rest.
    waits: bool = False


class Table:
    """Collects the cases of one letter; a name stands once."""

    def __init__(self, letter):
        self.letter = letter
        self.cases = []

    def add(self, name, data, want, end, note="", **more):
        want = tuple(want) if isinstance(want, (list, tuple)) else (want,)
        more["heads"] = frozenset(more.get("heads", ()))
        case = Case(f"{self.letter}-{name}", self.letter, data, want, end, note, **more)
        assert case.id not in {c.id for c in self.cases}, case.id
        self.cases.append(case)

    def bad(self, name, data, note="", status=400, **more):
        """Doubt: 400 and close."""
        self.add(name, data, status, CLOSED, note, **more)

    def fine(self, name, data, note="", status=200, **more):
        self.add(name, data, status, KEPT, note, **more)


def request(line=b"GET / HTTP/1.1", *fields, host=b"a", content=b""):
    """A request whose only oddities are those it is given."""
    lines = [line]
    if host is not None:
        lines.append(b"Host: " + host)
    return b"\r\n".join([*lines, *fields, b"", b""]) + content


def post(*fields, content=b"", **more):
    return request(b"POST / HTTP/1.1", *fields, content=content, **more)


# A request that must never be seen as one of its own when it is part of another's content.
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
