"""What a case of HTTP/2 is: what is sent after the connection preface, and what must come back.

`steps` are bytes (one write each), functions of the connection that make bytes, or one of the waits
below; most cases are one write.  `want` is one of the ends below.  After every end that keeps the
connection, it must answer a PING and another request.
"""

from dataclasses import dataclass

from lib.h2frames import CODES, GOAWAY, PROTOCOL_ERROR, Violation, WireError, get

PROBE_STREAM = 0x10001


# --- Waits: between two writes -----------------------------------------------------------------


@dataclass(frozen=True)
class Answered:
    """Until the server has ended this stream in order."""

    stream: int = 1

    def wait(self, h2):
        h2.response(self.stream)


@dataclass(frozen=True)
class Was:
    """Until the server has reset this stream."""

    stream: int = 1

    def wait(self, h2):
        h2.reset_code(self.stream)


@dataclass(frozen=True)
class Settled:
    """A round trip."""

    def wait(self, h2):
        h2.settled()


@dataclass(frozen=True)
class Settings:
    """Until the server's SETTINGS are here (and acknowledged by us)."""

    def wait(self, h2):
        h2.until(lambda: h2.judge.settings is not None, "SETTINGS")


# --- Ends ----------------------------------------------------------------------------------------


def names(codes):
    return " or ".join(CODES[code] for code in codes)


def is_kept(h2):
    # HEAD, because no window holds its answer back, whatever the case has done to them.
    h2.settled()
    h2.probe(PROBE_STREAM, get(method="HEAD"))


class Goaway:
    """A connection error (section 5.4.1): GOAWAY with the code, then an orderly close."""

    def __init__(self, *codes):
        self.codes = codes

    def judge(self, h2):
        code = h2.goaway_code()
        if code is None:
            raise WireError(f"closed without GOAWAY, wanted {names(self.codes)}: {h2.judge.frames!r}")
        if code not in self.codes:
            raise WireError(f"GOAWAY {CODES[code]}, wanted {names(self.codes)}: {h2.judge.frames!r}")

    def __repr__(self):
        return f"GOAWAY {names(self.codes)}"


class NoHttp2:
    """What begins like HTTP/2 and is not: a close with GOAWAY, with an HTTP/1.1 refusal, or in
    silence (section 3.4 leaves GOAWAY out where the peer does not speak HTTP/2)."""

    def judge(self, h2):
        said = h2.wire.rest()
        if said.startswith(b"HTTP/1.1 "):
            if said[9:12] not in (b"400", b"505"):
                raise WireError(f"answers {said[:60]!r}")
        elif said:
            frames = []
            while said:
                end = 9 + int.from_bytes(said[:3], "big")
                frames.append((said[3], said[9:end]))
                said = said[end:]
            kind, payload = frames[-1]
            if kind == GOAWAY and payload[4:8] != bytes([0, 0, 0, PROTOCOL_ERROR]):
                raise WireError(f"frames {frames!r} end in a GOAWAY of another code")

    def __repr__(self):
        return "GOAWAY PROTOCOL_ERROR, 400, 505 or a close"


class Rst:
    """A stream error (section 5.4.2): RST_STREAM, never an answer, and the connection goes on."""

    def __init__(self, stream, *codes):
        self.stream, self.codes = stream, codes

    def judge(self, h2):
        code = h2.reset_code(self.stream)
        if code not in self.codes:
            raise WireError(f"RST_STREAM {CODES[code]}, wanted {names(self.codes)}")
        is_kept(h2)

    def __repr__(self):
        return f"RST_STREAM({self.stream}) {names(self.codes)}"


class Status:
    """An answer of that status (or one of these) on the stream, and the connection goes on."""

    def __init__(self, stream, *statuses):
        self.stream, self.statuses = stream, statuses

    def judge(self, h2):
        response = h2.response(self.stream)
        if response.status not in self.statuses:
            raise WireError(f"status {response.status}, wanted {self.statuses}")
        is_kept(h2)

    def __repr__(self):
        return f"{self.statuses} on {self.stream}"


class Fine:
    """Every stream named is answered 200, and the connection goes on."""

    def __init__(self, *streams):
        self.streams = streams

    def judge(self, h2):
        for stream in self.streams:
            response = h2.response(stream)
            if response.status != 200:
                raise WireError(f"stream {stream} is answered {response.status}")
        is_kept(h2)

    def __repr__(self):
        return "fine"


class Either:
    """Where the RFC, not we, leaves a choice: the first that does not object."""

    def __init__(self, *wants):
        self.wants = wants

    def judge(self, h2):
        goaways = [want for want in self.wants if isinstance(want, Goaway)]
        others = [want for want in self.wants if not isinstance(want, Goaway)]
        try:
            others[0].judge(h2)
        except WireError:
            if not h2.judge.goaways:
                raise
            goaways[0].judge(h2)

    def __repr__(self):
        return " or ".join(map(repr, self.wants))


# --- The table -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    id: str
    section: str
    rule: str
    steps: tuple
    want: object
    preface: bool = True
    pairs: tuple = ((2, 0),)  # of our SETTINGS
    server: str = "plain"  # the fixture it runs against: plain, or big


class Table:
    """Collects the cases of one document; a name stands once."""

    def __init__(self, document):
        self.document = document
        self.cases = []

    def add(self, section, name, rule, steps, want, **more):
        steps = tuple(steps) if isinstance(steps, (list, tuple)) else (steps,)
        case = Case(f"{self.document}-{section}-{name}", section, rule, steps, want, **more)
        assert case.id not in {c.id for c in self.cases}, case.id
        self.cases.append(case)


def run(case, h2):
    """Sends the steps of a case and judges what comes back."""
    try:
        for step in case.steps:
            if hasattr(step, "wait"):
                step.wait(h2)
            else:
                h2.send(step(h2) if callable(step) else step)
    except WireError as error:
        # A connection error may come before we have said all; whether it is one, `want` knows.
        if not h2.judge.goaways or isinstance(error, Violation):
            raise
    case.want.judge(h2)

