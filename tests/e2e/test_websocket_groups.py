"""`examples/websocket_echo` seen from outside, in the groups of the suite that WebSocket libraries are held to:
framing, pings, reserved bits, opcodes, fragmentation, UTF-8, closing, limits; over HTTP/1.1 and HTTP/2."""

import os
import struct
from collections import Counter

import pytest

from lib.echo import CLIENTS, open_echo
from lib.websocket import BINARY, CLOSE, PING, PONG, TEXT, close_frame, frame

pytestmark = pytest.mark.short

# (group, name, what is sent, what comes back, bytes a write; 0: all in one)
CASES = []


def case(group, name, sends, *expects, chop=0):
    """`expects`: (opcode, payload) frames, then maybe a number: a Close with that code, or None without one."""
    CASES.append((group, name, sends, expects, chop))


def text(payload, **more):
    return frame(TEXT, payload, **more)


def fragments(opcode, pieces):
    last = len(pieces) - 1
    return b"".join(frame(0 if i else opcode, piece, fin=i == last) for i, piece in enumerate(pieces))


def octets(payload):
    return [payload[i : i + 1] for i in range(len(payload))]


# --- 1: framing ------------------------------------------------------------------------------------

for opcode, filler in ((TEXT, b"*"), (BINARY, b"\xfe")):
    for count in (0, 125, 126, 127, 128, 65535, 65536):
        case("1", f"{opcode}-{count}", frame(opcode, filler * count), (opcode, filler * count))
    case("1", f"{opcode}-65536-in-writes-of-997", frame(opcode, filler * 65536), (opcode, filler * 65536), chop=997)

# --- 2: pings --------------------------------------------------------------------------------------

case("2", "empty", frame(PING), (PONG, b""))
case("2", "text", frame(PING, b"Hello, world!"), (PONG, b"Hello, world!"))
case("2", "binary", frame(PING, b"\0\xff\xfe\xfd\xfc\xfb\0\xff"), (PONG, b"\0\xff\xfe\xfd\xfc\xfb\0\xff"))
case("2", "125-bytes", frame(PING, b"\xfe" * 125), (PONG, b"\xfe" * 125))
case("2", "126-bytes", frame(PING, b"\xfe" * 126), 1002)
case("2", "125-bytes-by-octets", frame(PING, b"\xfe" * 125), (PONG, b"\xfe" * 125), chop=1)
case("2", "pong-not-asked", frame(PONG) + text(b"a"), (TEXT, b"a"))
case("2", "pong-not-asked-with-payload", frame(PONG, b"unsolicited") + text(b"a"), (TEXT, b"a"))
case("2", "pong-then-ping", frame(PONG, b"unsolicited") + frame(PING, b"ping"), (PONG, b"ping"))
for chop in (0, 1):
    case("2", f"ten-{chop}", b"".join(frame(PING, b"payload-%d" % i) for i in range(10)),
         *((PONG, b"payload-%d" % i) for i in range(10)), chop=chop)  # fmt: skip

# --- 3: reserved bits ------------------------------------------------------------------------------

case("3", "1-first", text(b"*", rsv=1), 1002)
for rsv, chop in ((2, 0), (3, 3), (4, 1)):
    case("3", f"{rsv}-behind-a-message", text(b"small") + text(b"small", rsv=rsv) + frame(PING), (TEXT, b"small"), 1002,
         chop=chop)  # fmt: skip
case("3", "5-binary", frame(BINARY, b"\xff" * 8, rsv=5), 1002)
case("3", "6-ping", frame(PING, b"small", rsv=6), 1002)
case("3", "7-close", close_frame(1000, rsv=7), 1002)
for rsv in range(1, 8):
    case("3", f"{rsv}-continuation", text(b"a", fin=False) + frame(0, b"b", rsv=rsv), 1002)
    case("3", f"{rsv}-pong", frame(PONG, rsv=rsv), 1002)

# --- 4: opcodes ------------------------------------------------------------------------------------

for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
    case("4", f"{opcode}-empty", frame(opcode), 1002)
    case("4", f"{opcode}-with-payload", frame(opcode, b"reserved"), 1002)
    case("4", f"{opcode}-behind-a-message", text(b"a") + frame(opcode, b"b") + frame(PING), (TEXT, b"a"), 1002)
    case("4", f"{opcode}-by-octets", text(b"a") + frame(opcode, b"b") + frame(PING), (TEXT, b"a"), 1002, chop=1)
    case("4", f"{opcode}-between-fragments", text(b"a", fin=False) + frame(opcode) + frame(0, b"c"), 1002)

# --- 5: fragmentation ------------------------------------------------------------------------------

case("5", "ping-in-fragments", frame(PING, b"a", fin=False) + frame(0, b"b"), 1002)
case("5", "pong-in-fragments", frame(PONG, b"a", fin=False) + frame(0, b"b"), 1002)
case("5", "close-in-fragments", frame(CLOSE, b"\x03", fin=False) + frame(0, b"\xe8"), 1002)
for chop in (0, 7, 1):
    case("5", f"two-{chop}", fragments(TEXT, [b"fragment1", b"fragment2"]), (TEXT, b"fragment1fragment2"), chop=chop)
    case("5", f"ping-between-{chop}", text(b"one", fin=False) + frame(PING, b"ping") + frame(0, b"two"),
         (PONG, b"ping"), (TEXT, b"onetwo"), chop=chop)  # fmt: skip
    for fin in (True, False):
        case("5", f"continuation-of-nothing-{fin:d}-{chop}", frame(0, b"no", fin=fin) + text(b"a"), 1002, chop=chop)
        case("5", f"continuation-behind-{fin:d}-{chop}", fragments(TEXT, [b"a", b"b"]) + frame(0, b"c", fin=fin),
             (TEXT, b"ab"), 1002, chop=chop)  # fmt: skip
    case("5", f"new-message-inside-{chop}", text(b"a", fin=False) + text(b"b"), 1002, chop=chop)
    case("5", f"five-and-two-pings-{chop}",
         text(b"1", fin=False) + frame(0, b"2", fin=False) + frame(PING, b"p") + frame(0, b"3", fin=False)
         + frame(0, b"4", fin=False) + frame(PING, b"q") + frame(0, b"5"),
         (PONG, b"p"), (PONG, b"q"), (TEXT, b"12345"), chop=chop)  # fmt: skip
    case("5", f"all-empty-{chop}", fragments(BINARY, [b"", b"", b""]), (BINARY, b""), chop=chop)
    case("5", f"middle-alone-{chop}", fragments(TEXT, [b"", b"a", b""]), (TEXT, b"a"), chop=chop)
case("5", "ping-behind-each-of-100", b"".join(
    frame(BINARY if i == 0 else 0, b"%02d" % i, fin=i == 99) + frame(PING, b"%d" % i) for i in range(100)),
    *((PONG, b"%d" % i) for i in range(99)), (BINARY, b"".join(b"%02d" % i for i in range(100))),
    (PONG, b"99"))  # fmt: skip

# --- 6: UTF-8 --------------------------------------------------------------------------------------

KOSME = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
VALID = [
    b"", b"Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!", KOSME, b"\0", b"\x7f",
    *(chr(code).encode() for code in (
        0x80, 0x7ff, 0x800, 0xffff, 0x10000, 0x10ffff, 0xd7ff, 0xe000, 0xfffd, 0xfffe, 0xfeff, 0xfdd0, 0xfdef)),
    *(chr(plane << 16 | low).encode() for plane in range(1, 17) for low in (0xfffe, 0xffff)),
    "𝄞€é".encode() * 500,
]  # fmt: skip
# The first byte of each that no valid text has there is at `bad`.
INVALID = [
    (b"\xf4\x90\x80\x80", 1), (b"\xf8\x88\x80\x80\x80", 0), (b"\xfc\x84\x80\x80\x80\x80", 0),
    (b"\xf7\xbf\xbf\xbf", 0), (b"\xfb\xbf\xbf\xbf\xbf", 0), (b"\xfd\xbf\xbf\xbf\xbf\xbf", 0),
    (b"\x80", 0), (b"\xbf", 0), (b"\x80\xbf\x80", 0), (b"\xfe", 0), (b"\xff", 0), (b"\xfe\xfe\xff\xff", 0),
    (b"\xc0\xaf", 0), (b"\xe0\x80\xaf", 1), (b"\xf0\x80\x80\xaf", 1), (b"\xf8\x80\x80\x80\xaf", 0),
    (b"\xc1\xbf", 0), (b"\xe0\x9f\xbf", 1), (b"\xf0\x8f\xbf\xbf", 1), (b"\xfc\x83\xbf\xbf\xbf\xbf", 0),
    (b"\xc0\x80", 0), (b"\xe0\x80\x80", 1), (b"\xf0\x80\x80\x80", 1),
    *((struct.pack("!BBB", 0xed, byte, 0x80), 1) for byte in (0xa0, 0xad, 0xae, 0xaf, 0xb0, 0xbe, 0xbf)),
    (b"\xed\xa0\x80\xed\xb0\x80", 1), (b"\xed\xaf\xbf\xed\xbf\xbf", 1), (b"\xc3\x20", 1), (b"\xe1\xbd\x20", 2),
    (b"\xf0\x9d\x84\x20", 3), (b"\xc3\xc3", 1), (b"\xf5\x80\x80\x80", 0),
    (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited", 12),
]  # fmt: skip
UNFINISHED = [KOSME[:1], KOSME[:3], KOSME[:4], b"\xf0", b"\xf0\x9d", b"\xf0\x9d\x84", b"\xe2", b"\xe2\x82", b"a\xc3"]

for number, whole in enumerate(VALID):
    for chop in (0, 1) if len(whole) < 100 else (0, 97):
        case("6", f"valid-{number}-{chop}", text(whole), (TEXT, whole), chop=chop)
    if len(whole) < 100:
        case("6", f"valid-{number}-fragment-an-octet", fragments(TEXT, octets(whole) or [b""]), (TEXT, whole))
for number, (bad, at) in enumerate(INVALID):
    case("6", f"invalid-{number}", text(KOSME + bad + b"edited"), 1007)
    case("6", f"invalid-{number}-by-octets", text(KOSME + bad + b"edited"), 1007, chop=1)
    case("6", f"invalid-{number}-fragment-an-octet", fragments(TEXT, octets(KOSME + bad + b"edited")), 1007)
    # The byte that shows it is the last that comes: of the frame, and of the message.
    begun = KOSME + bad[: at + 1]
    case("6", f"invalid-{number}-fails-in-the-frame", text(begun, length=len(begun) + 1000), 1007)
    case("6", f"invalid-{number}-fails-in-the-second", text(KOSME + bad[:at], fin=False)
         + frame(0, bad[at : at + 1], length=5, fin=False), 1007)  # fmt: skip
for number, bad in enumerate(UNFINISHED):
    case("6", f"unfinished-{number}", text(bad), 1007)
    case("6", f"unfinished-{number}-fragments", fragments(TEXT, [*octets(bad), b""]), 1007)
    case("6", f"unfinished-{number}-then-another", text(bad) + text(b"\xb5"), 1007)

# --- 7: closing ------------------------------------------------------------------------------------

case("7", "message-then-close", text(b"Hello World!") + close_frame(1000), (TEXT, b"Hello World!"), 1000)
case("7", "two-closes", close_frame(1000) + close_frame(1000), 1000)
case("7", "ping-behind", close_frame(1000) + frame(PING), 1000)
case("7", "text-behind", close_frame(1000) + text(b"a"), 1000)
case("7", "between-fragments", text(b"a", fin=False) + close_frame(1000) + frame(0, b"b"), 1000)
case("7", "behind-256-KiB", text(b"B" * 262144) + close_frame(1000) + frame(PING), (TEXT, b"B" * 262144), 1000)
case("7", "no-code", close_frame(), None)
case("7", "one-byte", frame(CLOSE, b"a"), 1002)
case("7", "code", close_frame(1000), 1000)
case("7", "reason", close_frame(1000, b"Hello World!"), 1000)
case("7", "reason-of-123", close_frame(1000, b"*" * 123), 1000)
case("7", "reason-of-124", close_frame(1000, b"*" * 124), 1002)
case("7", "reason-not-utf8", close_frame(1000, KOSME + b"\xed\xa0\x80edited"), 1007)
case("7", "reason-unfinished", close_frame(1000, KOSME[:-1]), 1007)
case("7", "by-octets", close_frame(1000, b"good bye"), 1000, chop=1)
for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999):
    case("7", f"valid-{code}", close_frame(code, b"a"), code)
for code in (0, 1, 255, 256, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 10000, 65535):
    case("7", f"invalid-{code}", close_frame(code), 1002)
    case("7", f"invalid-{code}-with-reason", close_frame(code, b"a"), 1002)

COUNTS = {"1": 16, "2": 11, "3": 21, "4": 50, "5": 34, "6": 369, "7": 63}


def test_the_cases_are_counted():
    assert Counter(group for group, *_ in CASES) == COUNTS
    assert len({(group, name) for group, name, *_ in CASES}) == len(CASES)


def run(socket, sends, expects, chop):
    socket.send(sends, step=chop)
    for expected in expects:
        if isinstance(expected, tuple):
            got = socket.message() if expected[0] in (TEXT, BINARY) else socket.frame()[:2]
            wanted = (TEXT, expected[1].decode()) if expected[0] == TEXT else expected
            assert got == wanted, f"{str(got)[:200]}, and not {str(wanted)[:200]}"
        else:
            socket.closes(expected)
            socket.ends()
            return
    socket.close()


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
@pytest.mark.parametrize("group", sorted(COUNTS))
def test_group(echo, client, group):
    failed = []
    for _, name, sends, expects, chop in (entry for entry in CASES if entry[0] == group):
        try:
            with open_echo(client, echo) as socket:
                run(socket, sends, expects, chop)
        except AssertionError as error:
            failed.append(f"{group} {name}: {error}"[:500])
    assert not failed, "\n".join([f"{len(failed)} cases", *failed[:20]])


# --- 9: limits, 10: fragments that a peer chooses --------------------------------------------------

MESSAGE_BYTES = 16 << 20
FRAGMENTED = [64, 256, 1024, 4096, 16384, 65536]  # number of fragments of 16 MiB


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_large_messages(echo, client, opcode):
    """Whole, and at the most that a message may be; one byte more is too many."""
    for bytes_ in (64 << 10, 1 << 20, 8 << 20, MESSAGE_BYTES):
        payload = b"*" * bytes_ if opcode == TEXT else os.urandom(bytes_)
        with open_echo(client, echo, deadline_s=60) as socket:
            socket.send(frame(opcode, payload))
            assert socket.frame(60) == (opcode, payload, 1, 0)
            socket.close()
    with open_echo(client, echo) as socket:
        socket.send(frame(opcode, b"a", length=MESSAGE_BYTES + 1))
        socket.closes(1009)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
@pytest.mark.parametrize("count", FRAGMENTED)
def test_large_messages_in_fragments(echo, client, count):
    assert len(FRAGMENTED) == 6
    piece = os.urandom(MESSAGE_BYTES // count)
    with open_echo(client, echo, deadline_s=60) as socket:
        first, middle, last = frame(BINARY, piece, fin=False), frame(0, piece, fin=False), frame(0, piece)
        socket.send(first + middle * (count - 2) + last)
        opcode, payload, fin, _ = socket.frame(60)
        assert (opcode, fin, payload == piece * count) == (BINARY, 1, True)
        socket.send(frame(TEXT, b"", fin=False))
        socket.send(frame(0, b"", fin=False) * 65535 + frame(0, b""))
        socket.closes(1009)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_the_limit_counts_all_fragments(echo, client):
    with open_echo(client, echo, deadline_s=60) as socket:
        piece = b"\0" * (1 << 20)
        socket.send(frame(BINARY, piece, fin=False) + frame(0, piece, fin=False) * 15)
        socket.send(frame(0, b"a"))
        socket.closes(1009)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
@pytest.mark.parametrize("chop", [64, 128, 256, 512, 1024, 2048])
def test_a_message_in_small_writes(echo, client, chop):
    payload = b"BAsd7&jh23" * 6554
    with open_echo(client, echo) as socket:
        socket.send(frame(TEXT, payload), step=chop)
        assert socket.message() == (TEXT, payload.decode())
        socket.close()


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_round_trips_of_many_sizes(echo, client, opcode):
    with open_echo(client, echo) as socket:
        for bytes_ in (0, 16, 64, 256, 1024, 4096):
            for _ in range(100):
                socket.send(frame(opcode, b"x" * bytes_))
                assert socket.frame() == (opcode, b"x" * bytes_, 1, 0)
        socket.close()


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
@pytest.mark.parametrize("size", [256, 1024, 1300, 65536])
def test_messages_that_a_peer_fragments(echo, client, size):
    payload = os.urandom(65536)
    with open_echo(client, echo) as socket:
        pieces = [payload[at : at + size] for at in range(0, len(payload), size)]
        for _ in range(10):
            socket.send(fragments(BINARY, pieces))
            assert socket.message() == (BINARY, payload)
        socket.close()


# --- Peers that are odd ----------------------------------------------------------------------------


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_peer_that_ends_its_side_gets_what_it_asked_for(echo, client):
    with open_echo(client, echo) as socket:
        socket.send(b"".join(frame(BINARY, b"%d" % i) for i in range(1000)))
        socket.end()
        for i in range(1000):
            assert socket.message() == (BINARY, b"%d" % i)
        socket.ends()


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
@pytest.mark.parametrize("sent", [b"", text(b"a")[:1], text(b"abc")[:-1], text(b"a", fin=False)])
def test_a_peer_that_ends_inside_of_a_message_gets_nothing(echo, client, sent):
    with open_echo(client, echo) as socket:
        socket.send(sent)
        socket.end()
        socket.ends()


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_tiny_frames_in_one_write(echo, client):
    with open_echo(client, echo) as socket:
        count = 20000
        socket.send(frame(BINARY) * count + frame(PING, b"end"))
        for _ in range(count):
            assert socket.frame() == (BINARY, b"", 1, 0)
        socket.expect(PONG, b"end")
        socket.close()
