"""permessage-deflate (RFC 7692) of `examples/websocket_echo`: every form of an offer, every form of deflated data, and
messages of many lengths under each agreement; over HTTP/1.1 and HTTP/2."""

import os
import zlib

import pytest

from lib.echo import CLIENTS, open_echo
from lib.websocket import BINARY, CLOSE, PING, PONG, TEXT, Refused, close_frame, frame

pytestmark = pytest.mark.short

PMD = "permessage-deflate"
FIELD = "Sec-WebSocket-Extensions"


@pytest.fixture(params=CLIENTS, ids=lambda client: client.name)
def client(request):
    return request.param


def joined(socket):
    """A message as (opcode, bytes, rsv): a large one is deflated in slices, each of them a fragment."""
    opcode, payload, fin, rsv = socket.frame()
    while not fin:
        more, piece, fin, again = socket.frame()
        assert (more, again) == (0, 0)
        payload += piece
    return opcode, payload, rsv


class Coder:
    """The peer's end of an agreement."""

    def __init__(self, agreed):
        parts = [part.strip().partition("=") for part in agreed.split(";")]
        self.terms = {name: value for name, _, value in parts}
        self.out_bits = int(self.terms.get("client_max_window_bits") or 15)
        self.in_bits = int(self.terms.get("server_max_window_bits") or 15)
        self.reset()

    def reset(self, which=("out", "in")):
        if "out" in which:
            self.out = zlib.compressobj(9, zlib.DEFLATED, -max(self.out_bits, 9))
        if "in" in which:
            self.inflater = zlib.decompressobj(-self.in_bits)

    def deflate(self, message):
        if "client_no_context_takeover" in self.terms:
            self.reset(["out"])
        data = self.out.compress(message) + self.out.flush(zlib.Z_SYNC_FLUSH)
        assert data.endswith(b"\0\0\xff\xff")
        return data[:-4]

    def inflate(self, payload):
        if "server_no_context_takeover" in self.terms:
            self.reset(["in"])
        return self.inflater.decompress(payload + b"\0\0\xff\xff")

    def receive(self, socket):
        opcode, payload, rsv = joined(socket)
        assert opcode in (TEXT, BINARY) and rsv in (0, 4), (opcode, payload[:100])
        return opcode, self.inflate(payload) if rsv else payload, rsv


# --- Offers: what is agreed on, None: nothing, 400: refused ----------------------------------------

SNCT, CNCT = "server_no_context_takeover", "client_no_context_takeover"
SMWB, CMWB = "server_max_window_bits", "client_max_window_bits"

OFFERS = [
    (PMD, PMD),
    ("Permessage-Deflate", PMD),
    (f"{PMD}; {SNCT}", f"{PMD}; {SNCT}"),
    (f"{PMD}; {CNCT}", f"{PMD}; {CNCT}"),
    (f"{PMD}; {CNCT}; {SNCT}", f"{PMD}; {SNCT}; {CNCT}"),
    (f"{PMD};{SNCT};{CNCT}", f"{PMD}; {SNCT}; {CNCT}"),
    (f"{PMD} ;\t{SNCT}", f"{PMD}; {SNCT}"),
    (f"{PMD}; {CMWB}", PMD),
    *((f"{PMD}; {SMWB}={bits}", f"{PMD}; {SMWB}={bits}") for bits in range(8, 15)),
    (f"{PMD}; {SMWB}=15", PMD),
    *((f"{PMD}; {CMWB}={bits}", f"{PMD}; {CMWB}={bits}") for bits in range(8, 15)),
    (f"{PMD}; {CMWB}=15", PMD),
    (f'{PMD}; {SMWB}="10"', f"{PMD}; {SMWB}=10"),
    (f'{PMD}; {SMWB}="1\\0"', f"{PMD}; {SMWB}=10"),
    (f'{PMD}; {CMWB}="\\9"', f"{PMD}; {CMWB}=9"),
    (f"{PMD}; {SMWB} = 10", f"{PMD}; {SMWB}=10"),
    (f"{PMD}; {SMWB}=9; {CMWB}=10; {SNCT}; {CNCT}", f"{PMD}; {SNCT}; {CNCT}; {SMWB}=9; {CMWB}=10"),
    # What makes an offer one that is declined: the handshake goes on without it.
    (f"{PMD}; {SMWB}", None),
    *((f"{PMD}; {SMWB}={bits}", None) for bits in ("0", "7", "16", "08", "010", "1", "255", "-8", "a", "8a")),
    *((f"{PMD}; {CMWB}={bits}", None) for bits in ("0", "7", "16", "08", "015", "x")),
    (f"{PMD}; {SNCT}=1", None),
    (f"{PMD}; {CNCT}=true", None),
    (f'{PMD}; {SNCT}="1"', None),
    (f"{PMD}; {SNCT}; {SNCT}", None),
    (f"{PMD}; {CNCT}; {CNCT}", None),
    (f"{PMD}; {SMWB}=10; {SMWB}=10", None),
    (f"{PMD}; {CMWB}; {CMWB}=10", None),
    (f"{PMD}; unknown", None),
    (f"{PMD}; unknown=1; {SNCT}", None),
    (f"{PMD}; {SNCT}x", None),
    ("x-webkit-deflate-frame", None),
    ("permessage-bzip2", None),
    ("permessage-deflat", None),
    ("foo; a; b=c; d=\"e\", bar", None),
    # Of several the first that can be agreed on.
    (f"{PMD}; {SMWB}=7, {PMD}", PMD),
    (f"{PMD}; unknown, {PMD}; {SMWB}=16, {PMD}; {CNCT}", f"{PMD}; {CNCT}"),
    (f"{PMD}; {SMWB}=10, {PMD}; {SMWB}=11", f"{PMD}; {SMWB}=10"),
    (f"foo, {PMD}; {SMWB}=9", f"{PMD}; {SMWB}=9"),
    (f",, {PMD},", PMD),
    (f"{PMD}; {SNCT}; {SNCT}, {PMD}; {CMWB}=20, {PMD}; {SNCT}", f"{PMD}; {SNCT}"),
    # No list of extensions at all (RFC 6455 section 9.1).
    (f"{PMD};", 400),
    (f"{PMD}; =10", 400),
    (f"{PMD}; {SMWB}=", 400),
    (f"{PMD}; {SMWB}=1 0", 400),
    (f'{PMD}; {SMWB}="10', 400),
    (f'{PMD}; {SMWB}=10"', 400),
    (f'{PMD}; {SMWB}=""', 400),
    (f'{PMD}; {SMWB}="1\\"', 400),
    (f'{PMD}; x="a b"', 400),
    (f'{PMD}; x="a,b"', 400),
    (f'{PMD}; x="a;b"', 400),
    (f"{PMD} {SNCT}", 400),
    (f"{PMD}/1", 400),
    ("(comment)", 400),
]  # fmt: skip


def test_the_offers_are_counted():
    assert len(OFFERS) == 80


def test_offers(echo, client):
    failed = []
    for offer, wanted in OFFERS:
        try:
            with open_echo(client, echo, (FIELD, offer)) as socket:
                got = socket.fields.get("sec-websocket-extensions")
                if wanted != got:
                    failed.append(f"{offer!r}: {got!r}, and not {wanted!r}")
                    continue
                coder = Coder(got) if got else None
                for message in (b"Hello" * 10, b"Hello" * 10, b"", b"Hello" * 1000):
                    socket.send(frame(BINARY, coder.deflate(message), rsv=4) if coder else frame(BINARY, message))
                    assert (coder.receive(socket)[1] if coder else socket.message()[1]) == message
                socket.close()
        except Refused as refused:
            if refused.answer.status != wanted:
                failed.append(f"{offer!r}: {refused.answer.status}, and not {wanted!r}")
        except AssertionError as error:
            failed.append(f"{offer!r}: {error}"[:400])
    assert not failed, "\n".join(failed)


def test_offers_on_several_lines(echo, client):
    fields = [(FIELD, f"{PMD}; {SMWB}=7"), (FIELD, "foo"), (FIELD, f"{PMD}; {SMWB}=12")]
    with open_echo(client, echo, *fields) as socket:
        assert socket.fields["sec-websocket-extensions"] == f"{PMD}; {SMWB}=12"
        socket.close()


# --- Deflated data ---------------------------------------------------------------------------------

HELLO = bytes.fromhex("f248cdc9c90700")  # RFC 7692 section 7.2.3.1
AGAIN = bytes.fromhex("f200110000")  # 7.2.3.2: "Hello" once more, out of the window
STORED = bytes.fromhex("000500faff48656c6c6f00")  # 7.2.3.3
FINAL = bytes.fromhex("f348cdc9c9070000")  # 7.2.3.4: a block with BFINAL
TWO_BLOCKS = bytes.fromhex("f24805000000ffffcac9c90700")  # 7.2.3.5
LONG = b"The quick brown fox jumps over the lazy dog. " * 200


def whole(payload, opcode=TEXT, **more):
    return frame(opcode, payload, rsv=4, **more)


def deflated(message, level=9):
    coder = zlib.compressobj(level, zlib.DEFLATED, -15)
    return (coder.compress(message) + coder.flush(zlib.Z_SYNC_FLUSH))[:-4]


def finished(message):
    """Ends with BFINAL, and nothing behind it."""
    coder = zlib.compressobj(9, zlib.DEFLATED, -15)
    return coder.compress(message) + coder.flush(zlib.Z_FINISH)


def octet_frames(payload, opcode=TEXT):
    last = len(payload) - 1
    return b"".join(frame(0 if i else opcode, payload[i : i + 1], fin=i == last, rsv=0 if i else 4)
                    for i in range(len(payload)))  # fmt: skip


# (name, what is sent, messages that come back, the code it is closed with or None)
DATA = [
    ("hello", whole(HELLO), [b"Hello"], None),
    ("out-of-the-window", whole(HELLO) + whole(AGAIN), [b"Hello", b"Hello"], None),
    ("stored", whole(STORED), [b"Hello"], None),
    ("final", whole(FINAL), [b"Hello"], None),
    ("final-and-on", whole(FINAL) + whole(HELLO), [b"Hello", b"Hello"], None),
    ("final-keeps-the-window", whole(FINAL) + whole(AGAIN), [b"Hello", b"Hello"], None),
    ("final-with-nothing-behind", whole(finished(b"Hello")), [b"Hello"], None),
    ("final-with-nothing-behind-and-on", whole(finished(b"Hello")) + whole(HELLO) + whole(AGAIN), [b"Hello"] * 3, None),
    ("final-in-the-middle", whole(finished(b"Hel") + deflated(b"lo")), [b"Hello"], None),
    ("final-many", whole(finished(b"") * 1000 + deflated(b"Hello")), [b"Hello"], None),
    ("two-blocks", whole(TWO_BLOCKS), [b"Hello"], None),
    ("stored-of-70000", whole(deflated(b"a" * 70000, 0)), [b"a" * 70000], None),
    ("empty", whole(b"\0"), [b""], None),
    ("empty-of-fixed", whole(b"\2\0"), [b""], None),
    ("empty-twice", whole(b"\0") + whole(b"\0") + whole(HELLO), [b"", b"", b"Hello"], None),
    ("nothing-at-all", whole(b"") + whole(HELLO), [b"", b"Hello"], None),
    ("nothing-at-all-behind", whole(HELLO) + whole(b"") + whole(AGAIN), [b"Hello", b"", b"Hello"], None),
    ("nothing-in-fragments", whole(b"", fin=False) + frame(0, b"", fin=False) + frame(0), [b""], None),
    ("in-fragments", whole(HELLO[:3], fin=False) + frame(0, HELLO[3:]), [b"Hello"], None),
    ("in-octets", octet_frames(HELLO), [b"Hello"], None),
    ("long-in-octets", octet_frames(deflated(LONG)), [LONG], None),
    ("empty-first-fragment", whole(b"", fin=False) + frame(0, HELLO), [b"Hello"], None),
    ("empty-final-fragment", whole(HELLO, fin=False) + frame(0, b""), [b"Hello"], None),
    ("the-tail-in-a-final-fragment", whole(HELLO, fin=False) + frame(0, b"\0\0\xff\xff\0"), [b"Hello"], None),
    ("the-tail-is-sent-as-well", whole(HELLO + b"\0\0\xff\xff") + whole(AGAIN), [b"Hello"] * 2, None),
    ("ping-between", whole(HELLO[:3], fin=False) + frame(PING, b"p") + frame(0, HELLO[3:]), [b"Hello"], None),
    ("not-deflated-between", whole(HELLO) + frame(TEXT, b"plain") + whole(AGAIN), [b"Hello", b"plain", b"Hello"], None),
    ("rsv1-on-a-continuation", whole(HELLO[:3], fin=False) + frame(0, HELLO[3:], rsv=4), [], 1002),
    ("rsv1-on-a-continuation-of-plain", frame(TEXT, b"a", fin=False) + frame(0, HELLO, rsv=4), [], 1002),
    ("rsv1-on-a-ping", frame(PING, HELLO, rsv=4), [], 1002),
    ("rsv1-on-a-pong", frame(PONG, HELLO, rsv=4), [], 1002),
    ("rsv1-on-a-close", frame(CLOSE, b"\x03\xe8", rsv=4), [], 1002),
    ("rsv2", frame(TEXT, HELLO, rsv=2), [], 1002),
    ("rsv1-and-3", frame(TEXT, HELLO, rsv=5), [], 1002),
    ("reserved-block", whole(b"\x06\0"), [], 1007),
    ("stored-length-wrong", whole(bytes.fromhex("000500fafe48656c6c6f00")), [], 1007),
    ("distance-before-the-beginning", whole(AGAIN), [], 1007),
    ("all-ones", whole(b"\xff" * 8), [], 1007),
    # What is cut short never looks whole.
    ("stored-cut", whole(STORED[:7]), [], 1007),
    ("cut-in-a-code", whole(deflated(LONG)[:-3]), [], 1007),
    ("cut-in-half", whole(deflated(os.urandom(300))[:150], BINARY), [], 1007),
    ("cut-in-fragments", whole(deflated(LONG)[:20], fin=False) + frame(0), [], 1007),
    ("not-utf8", whole(deflated(b"abc\xff")), [], 1007),
    ("not-utf8-shown-inside", whole(deflated(b"abc\xff") + b"\0\0\xff\xff", fin=False), [], 1007),
    ("utf8-cut", whole(deflated("é".encode()[:1])), [], 1007),
    ("utf8-over-fragments", octet_frames(deflated("κόσμε".encode())), ["κόσμε".encode()], None),
    ("16-MiB", whole(deflated(bytes(16 << 20)), BINARY), [bytes(16 << 20)], None),
    ("16-MiB-and-one", whole(deflated(bytes((16 << 20) + 1)), BINARY), [], 1009),
    ("bomb", whole(deflated(bytes(1 << 30)), BINARY), [], 1009),
]  # fmt: skip


def test_the_data_is_counted():
    assert len(DATA) == 49
    assert len({name for name, *_ in DATA}) == len(DATA)


@pytest.mark.parametrize("name, sends, messages, code", DATA, ids=[entry[0] for entry in DATA])
def test_data(echo, client, name, sends, messages, code):
    for chop in (0, 1) if len(sends) < 2000 else (0,):
        with open_echo(client, echo, (FIELD, PMD), deadline_s=30) as socket:
            coder = Coder(socket.fields["sec-websocket-extensions"])
            socket.send(sends, step=chop)
            for message in messages or []:
                if name == "ping-between":
                    socket.expect(PONG, b"p")
                assert coder.receive(socket)[1] == message
            if code is None:
                socket.close()
            else:
                socket.closes(code)


def test_without_an_agreement_no_bit_is_known(echo, client):
    with open_echo(client, echo) as socket:
        socket.send(whole(HELLO))
        socket.closes(1002)


# --- Messages of many lengths under each agreement -------------------------------------------------

AGREEMENTS = [
    f"{PMD}",
    f"{PMD}; {SNCT}; {CNCT}",
    f"{PMD}; {SMWB}=9; {CMWB}=9",
    f"{PMD}; {SMWB}=8; {CMWB}=9",
    f"{PMD}; {SNCT}; {CNCT}; {SMWB}=9; {CMWB}=9",
    f"{PMD}; {SMWB}=12; {CMWB}=15",
    f"{PMD}; {SNCT}; {CNCT}; {SMWB}=15; {CMWB}=11",
]
LENGTHS = [16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072]


def texts(length, turns):
    words = b'{"name": "value", "list": [1, 2, 3], "text": "the quick brown fox"} '
    for turn in range(turns):
        yield (b"%d " % turn + words * (length // len(words) + 1))[:length]


@pytest.mark.parametrize("offer", AGREEMENTS)
def test_lengths(echo, client, offer):
    """As one frame, and in fragments of 256 bytes; both ends keep their windows over all of them."""
    assert len(AGREEMENTS) == 7 and len(LENGTHS) == 10
    with open_echo(client, echo, (FIELD, offer), deadline_s=30) as socket:
        coder = Coder(socket.fields["sec-websocket-extensions"])
        smaller = 0
        for length in LENGTHS:
            for turn, message in enumerate(texts(length, 10)):
                out = coder.deflate(message)
                if turn % 2:
                    pieces = [out[at : at + 256] for at in range(0, len(out), 256)]
                    last = len(pieces) - 1
                    socket.send(b"".join(frame(0 if i else TEXT, piece, fin=i == last, rsv=0 if i else 4)
                                         for i, piece in enumerate(pieces)))  # fmt: skip
                else:
                    socket.send(whole(out))
                opcode, got, rsv = coder.receive(socket)
                assert (opcode, got == message) == (TEXT, True), length
                smaller += rsv == 4
        assert smaller == 100
        random = os.urandom(100000)
        socket.send(whole(coder.deflate(random), BINARY))
        assert coder.receive(socket)[:2] == (BINARY, random)
        socket.send(close_frame(1000))
        socket.closes(1000)


@pytest.mark.parametrize("bits", range(9, 16))
def test_a_window_is_kept_to(echo, client, bits):
    """What is sent refers to no byte that is farther back than was agreed."""
    with open_echo(client, echo, (FIELD, f"{PMD}; {SMWB}={bits}")) as socket:
        strict = zlib.decompressobj(-bits)
        block = os.urandom(1 << bits)
        for message in (block, block[: 1 << bits - 1] + block, os.urandom(3) + block * 2):
            socket.send(frame(BINARY, message))
            _, payload, rsv = joined(socket)
            assert (strict.decompress(payload + b"\0\0\xff\xff") if rsv else payload) == message
        socket.close()
