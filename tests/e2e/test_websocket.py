"""WebSocket by the sections of RFC 6455, RFC 7692 and RFC 8441: each case over HTTP/1.1 and HTTP/2, in the
clear and over TLS."""

import os
import struct
import time
import zlib
from collections import Counter

import pytest

from lib.transport import TRANSPORTS
from lib.websocket import (
    BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Refused, Socket, close_frame, frame, handshake_fields,
)  # fmt: skip
from lib.wire import WireError, WireReset, ask

pytestmark = pytest.mark.short


# Whether the exchange ends with the handshake, which it does over HTTP/1.1 alone.
WAYS = [*((transport, False) for transport in TRANSPORTS), *((transport, True) for transport in TRANSPORTS[:2])]


@pytest.fixture(params=WAYS, ids=lambda way: way[0].name + "-detached" * way[1])
def way(request):
    return request.param


@pytest.fixture
def transport(way):
    return way[0]


@pytest.fixture
def opened(way, gallery):
    transport, detached = way

    def open_socket(target="/socket", *fields, **more):
        if detached:
            target += ("&" if "?" in target else "?") + "detach=1"
        return Socket.open(transport, gallery, target, *fields, **more)

    return open_socket


# --- Cases: what is sent, and what comes back ------------------------------------------------------

CASES = []


def case(section, name, sends, *expects, target="/socket?max=100000"):
    """`expects`: (opcode, payload) frames, or a number: a Close with that code, and the end."""
    CASES.append((section, name, sends, expects, target))


def text(payload, **more):
    return frame(TEXT, payload, **more)


E_ACUTE = "é".encode()

case("5.1", "mask-missing", frame(TEXT, b"a", masked=False), 1002)
case("5.1", "mask-missing-ping", frame(PING, b"a", masked=False), 1002)
case("5.1", "mask-missing-behind-a-message", text(b"a") + frame(TEXT, b"b", masked=False), (TEXT, b"a"), 1002)
case("5.3", "key-of-zeros", text(b"Hello", key=b"\0\0\0\0"), (TEXT, b"Hello"))
case("5.3", "keys-differ", text(b"a", key=b"abcd") + text(b"b", key=b"\xff\0\xff\0"), (TEXT, b"a"), (TEXT, b"b"))
for rsv in range(1, 8):
    case("5.2", f"rsv-{rsv}", text(b"a", rsv=rsv), 1002)
    case("5.2", f"rsv-{rsv}-ping", frame(PING, b"a", rsv=rsv), 1002)
for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
    case("5.2", f"opcode-{opcode}", frame(opcode, b"a"), 1002)
    case("5.2", f"opcode-{opcode}-behind-a-message", text(b"a") + frame(opcode), (TEXT, b"a"), 1002)
for count in (0, 1, 125, 126, 127, 128, 65535, 65536, 65537):
    case("5.2", f"text-{count}", text(b"*" * count), (TEXT, b"*" * count))
    case("5.2", f"binary-{count}", frame(BINARY, b"\xfe" * count), (BINARY, b"\xfe" * count))
for count, size in ((0, 16), (125, 16), (0, 64), (125, 64), (126, 64), (65535, 64)):
    case("5.2", f"length-{count}-in-{size}-bits", frame(BINARY, b"a" * count, size=size), 1002)
case("5.2", "length-of-64-bits", frame(BINARY, b"", size=64, length=1 << 63), 1002)
case("5.4", "two-fragments", text(b"Hel", fin=False) + frame(CONTINUATION, b"lo"), (TEXT, b"Hello"))
case("5.4", "many-fragments", b"".join(frame(BINARY if i == 0 else 0, b"%d" % i, fin=i == 9) for i in range(10)),
     (BINARY, b"0123456789"))  # fmt: skip
case("5.4", "empty-fragments", text(b"", fin=False) + frame(0, b"", fin=False) + frame(0, b""), (TEXT, b""))
case("5.4", "empty-last", text(b"ab", fin=False) + frame(0, b""), (TEXT, b"ab"))
case("5.4", "ping-in-between", text(b"a", fin=False) + frame(PING, b"p") + frame(0, b"b"), (PONG, b"p"), (TEXT, b"ab"))
case("5.4", "pong-in-between", text(b"a", fin=False) + frame(PONG, b"p") + frame(0, b"b"), (TEXT, b"ab"))
case("5.4", "close-in-between", text(b"a", fin=False) + close_frame(1000), 1000)
case("5.4", "continuation-of-nothing", frame(CONTINUATION, b"a"), 1002)
case("5.4", "continuation-of-nothing-unfinished", frame(CONTINUATION, b"a", fin=False), 1002)
case("5.4", "continuation-behind-a-message", text(b"a") + frame(CONTINUATION, b"b"), (TEXT, b"a"), 1002)
case("5.4", "message-in-a-message", text(b"a", fin=False) + text(b"b"), 1002)
case("5.4", "binary-in-a-text", text(b"a", fin=False) + frame(BINARY, b"b", fin=False), 1002)
for opcode, name in ((PING, "ping"), (PONG, "pong"), (CLOSE, "close")):
    case("5.5", f"{name}-fragmented", frame(opcode, b"\x03\xe8", fin=False), 1002)
    case("5.5", f"{name}-of-126", frame(opcode, b"\x03\xe8" + b"a" * 124), 1002)
    case("5.5", f"{name}-of-65536", frame(opcode, b"a" * 65536), 1002)
case("5.5.1", "close-empty", close_frame(), None)
case("5.5.1", "close-of-one-byte", frame(CLOSE, b"\x03"), 1002)
case("5.5.1", "close-with-reason", close_frame(1000, b"good bye"), 1000)
case("5.5.1", "close-with-reason-of-123", close_frame(1000, b"*" * 123), 1000)
case("5.5.1", "close-reason-not-utf8", close_frame(1000, b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80"), 1007)
case("5.5.1", "close-reason-cut", close_frame(1000, E_ACUTE[:1]), 1007)
case("5.5.1", "data-behind-close", close_frame(1000) + text(b"a"), 1000)
case("5.5.1", "ping-behind-close", close_frame(1000) + frame(PING, b"a"), 1000)
case("5.5.1", "close-twice", close_frame(1000) + close_frame(1001), 1000)
case("5.5.2", "ping-empty", frame(PING), (PONG, b""))
case("5.5.2", "ping-of-125", frame(PING, b"\xff" * 125), (PONG, b"\xff" * 125))
case("5.5.2", "ten-pings", b"".join(frame(PING, b"%d" % i) for i in range(10)), *((PONG, b"%d" % i) for i in range(10)))
case("5.5.3", "pong-not-asked", frame(PONG, b"a") + frame(PING, b"b"), (PONG, b"b"))
for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999):
    case("7.4", f"code-{code}", close_frame(code), code)
for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
    case("7.4", f"code-{code}-invalid", close_frame(code), 1002)
for name, whole in (
    ("kosme", "κόσμε"), ("two-bytes", "\u0080߿"), ("three-bytes", "ࠀ￿퟿"), ("four-bytes", "\U00010000\U0010ffff"),
    ("noncharacters", "\ufffe\uffff\U0001fffe"),
):  # fmt: skip
    case("8.1", f"{name}", text(whole.encode()), (TEXT, whole.encode()))
    pieces = [whole.encode()[i : i + 1] for i in range(len(whole.encode()))]
    case("8.1", f"{name}-in-fragments", b"".join(
        frame(TEXT if i == 0 else 0, piece, fin=i == len(pieces) - 1) for i, piece in enumerate(pieces)),
        (TEXT, whole.encode()))  # fmt: skip
for name, bad in (
    ("surrogate", b"\xed\xa0\x80"), ("overlong-2", b"\xc0\xaf"), ("overlong-3", b"\xe0\x80\xaf"),
    ("overlong-4", b"\xf0\x80\x80\xaf"), ("above-10ffff", b"\xf4\x90\x80\x80"), ("five-bytes", b"\xf8\x88\x80\x80\x80"),
    ("lone-continuation", b"\x80"), ("ff", b"\xff"), ("cut", E_ACUTE[:1]), ("cut-3", "ࠀ".encode()[:2]),
):  # fmt: skip
    case("8.1", f"{name}", text(b"abc" + bad), 1007)
    case("8.1", f"{name}-in-the-second-fragment", text(b"abc", fin=False) + frame(0, bad), 1007)
    case("8.1", f"{name}-is-fine-in-binary", frame(BINARY, bad), (BINARY, bad))
case("10.4", "message-at-the-limit", frame(BINARY, b"a" * 1000), (BINARY, b"a" * 1000), target="/socket?max=1000")
case("10.4", "message-above-the-limit", frame(BINARY, b"a" * 1001), 1009, target="/socket?max=1000")
case("10.4", "head-above-the-limit", frame(BINARY, b"", length=1 << 40, size=64), 1009)
case("10.4", "fragments-above-the-limit", frame(BINARY, b"a" * 600, fin=False) + frame(0, b"a" * 600), 1009,
     target="/socket?max=1000")  # fmt: skip
case("10.4", "fragments-at-their-number", text(b"a", fin=False) + frame(0, b"b", fin=False) + frame(0, b"c"),
     (TEXT, b"abc"), target="/socket?fragments=3")  # fmt: skip
case("10.4", "fragments-above-their-number", text(b"a", fin=False) + frame(0, b"b", fin=False) * 3, 1009,
     target="/socket?fragments=3")  # fmt: skip


def test_the_cases_are_counted():
    assert len(CASES) == 173
    assert len({(section, name) for section, name, *_ in CASES}) == len(CASES)
    assert Counter(section for section, *_ in CASES)["8.1"] == 40


@pytest.mark.parametrize("section, name, sends, expects, target", CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES])
def test_case(opened, section, name, sends, expects, target):
    # In one write; and byte by byte, where that is not all that the case is about.
    for step in (0, 1) if len(sends) < 600 else (0,):
        with opened(target) as socket:
            socket.send(sends, step=step)
            for expected in expects:
                if not isinstance(expected, tuple):
                    socket.closes(expected)
                    socket.ends()
                    break
                assert socket.message() == (expected[0], expected[1].decode() if expected[0] == TEXT else expected[1]) \
                    if expected[0] in (TEXT, BINARY) else socket.expect(*expected) is None  # fmt: skip
            else:
                socket.close()


# --- The opening handshake -------------------------------------------------------------------------


def test_what_is_no_handshake_is_refused(gallery):
    """RFC 6455 section 4.2.1, RFC 9110 section 15.5.22."""
    cases = [
        (handshake_fields(Upgrade=None, Connection=None), 426),
        (handshake_fields(Connection=None), 400),
        (handshake_fields(Upgrade="h2c"), 426),
        (handshake_fields(Sec_WebSocket_Version="8"), 426),
        (handshake_fields(Sec_WebSocket_Version="14"), 426),
        (handshake_fields(Sec_WebSocket_Version="13, 8"), 426),
        (handshake_fields(Sec_WebSocket_Version=None), 400),
        (handshake_fields(key=None), 400),
        (handshake_fields(key=""), 400),
        (handshake_fields(key="dGhlIHNhbXBsZSBub25jZQ="), 400),
        (handshake_fields(key="dGhlIHNhbXBsZSBub25jZQAA"), 400),
        (handshake_fields() + [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")], 400),
        (handshake_fields() + [("Sec-WebSocket-Version", "13")], 400),
        (handshake_fields() + [("Sec-WebSocket-Extensions", "permessage-deflate;")], 400),
        (handshake_fields() + [("Sec-WebSocket-Protocol", "chat, chat")], 400),
        (handshake_fields() + [("Sec-WebSocket-Protocol", "a b")], 400),
        (handshake_fields() + [("Origin", "http://evil.example")], 403),
        (handshake_fields() + [("Origin", "http://a"), ("Origin", "http://a")], 400),
        (handshake_fields() + [("Origin", "null")], 403),
        (handshake_fields() + [("Content-Length", "5")], 400),
    ]
    assert len(cases) == 20
    for fields, status in cases:
        lines = [f"{name}: {value}" for name, value in fields]
        content = b"12345" if ("Content-Length", "5") in fields else b""
        head = "\r\n".join(["GET /socket HTTP/1.1", "Host: a", *lines, "", ""]).encode()
        reply = ask(gallery.addresses[0], head + content)
        assert reply.status == status, (fields, reply)
        if status == 426:
            assert reply.value("Sec-WebSocket-Version") == "13" and reply.value("Upgrade") == "websocket"
            assert "upgrade" in reply.value("Connection").lower()


def test_an_upgrade_is_offered_where_the_connection_ends_too(gallery):
    reply = ask(gallery.addresses[0], b"GET /socket HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert reply.status == 426 and reply.value("Upgrade") == "websocket"
    assert reply.value("Connection") == "close, Upgrade"


def test_what_is_written_differently_is_a_handshake(gallery):
    """RFC 6455 section 4.2.1: names and tokens without regard to case, in lists, among others."""
    for fields in (
        [("UPGRADE", "WebSocket"), ("connection", "keep-alive, upgrade"), ("SEC-WEBSOCKET-VERSION", "13"),
         ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")],
        handshake_fields(Upgrade="h2c, websocket"),
        handshake_fields() + [("Origin", "http://A:80")],
        handshake_fields() + [("Sec-WebSocket-Extensions", "x-unknown; a=b, foo")],
    ):  # fmt: skip
        head = "\r\n".join(["GET /socket HTTP/1.1", "Host: a", *(f"{n}: {v}" for n, v in fields), "", ""]).encode()
        reply = ask(gallery.addresses[0], head)
        assert reply.status == 101 and reply.value("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert reply.value("Sec-WebSocket-Extensions") is None


def test_http10_is_told_to_upgrade(gallery):
    lines = [f"{name}: {value}" for name, value in handshake_fields()]
    reply = ask(gallery.addresses[0], "\r\n".join(["GET /socket HTTP/1.0", "Host: a", *lines, "", ""]).encode())
    assert reply.status == 400


@pytest.mark.parametrize("transport", TRANSPORTS[:2], ids=lambda transport: transport.name)
def test_frames_right_behind_the_handshake_are_read(gallery, transport):
    """RFC 6455 section 4.1 lets a client send with the first byte of the answer; some do not wait for it."""
    with transport.client(gallery) as client:
        lines = client._head("GET", "/socket", handshake_fields())
        client.wire.send(lines + frame(TEXT, b"early") + frame(PING, b"bird"))
        assert client.wire.reply().status == 101
        socket = Socket(client, {})
        assert socket.message() == (TEXT, "early")
        socket.expect(PONG, b"bird")
        socket.close()


def test_subprotocols(opened):
    """RFC 6455 section 1.9: the server's order."""
    for offered, chosen in (("superchat", "superchat"), ("x, superchat, chat", "chat"), ("x", None), (None, None)):
        fields = [("Sec-WebSocket-Protocol", offered)] if offered else []
        with opened("/socket", *fields) as socket:
            assert socket.fields.get("sec-websocket-protocol") == chosen
            socket.close()


def test_origins(opened, transport):
    """RFC 6455 section 10.2: the origin of the request, a list, or any."""
    same = f"{transport.scheme}://a"
    for target, origin, status in (
        ("/socket", same, None), ("/socket", "http://evil.example", 403), ("/socket", "null", 403),
        ("/socket?origins=1", "https://friend.example", None), ("/socket?origins=1", "https://FRIEND.example:443", None),
        ("/socket?origins=1", same, 403), ("/socket?origins=1", "null", None), ("/socket?any=1", "http://x", None),
    ):  # fmt: skip
        try:
            with opened(target, ("Origin", origin)) as socket:
                assert status is None, (target, origin)
                socket.close()
        except Refused as refused:
            assert refused.answer.status == status, (target, origin)


def test_extended_connect_without_a_version_is_refused(gallery):
    """RFC 8441 section 5, RFC 6455 section 4.2.1; and HTTP/2 has no Upgrade."""
    with TRANSPORTS[2].client(gallery) as client:
        h2 = client.h2
        h2.until(lambda: h2.judge.settings is not None, "SETTINGS")
        for stream, fields, status in ((1, [], 400), (3, [("sec-websocket-version", "8")], 426)):
            head = [(":method", "CONNECT"), (":protocol", "websocket"), *client._head("", "/socket", ())[1:], *fields]
            h2.request(stream, head, end=False)
            state = h2.response(stream)
            assert state.status == status
        assert client.h2.judge.stream(3).values("sec-websocket-version") == ["13"]
        client.next = 5
        assert client.ask("GET", "/socket").status == 426


def test_many_streams_on_one_connection(gallery):
    """RFC 8441: each stream is a WebSocket of its own."""
    with TRANSPORTS[3].client(gallery) as client:
        sockets = [Socket.open(TRANSPORTS[3], gallery, "/socket", client=client) for _ in range(20)]
        streams = [socket.client.tunnel_stream for socket in sockets]
        streams = list(range(1, 41, 2))
        for stream in streams:
            client.h2.upload(stream, frame(TEXT, b"stream %d" % stream), end=False)
        for stream in streams:
            state = client.h2.judge.stream(stream)
            client.h2.until(lambda state=state, stream=stream: len(state.content) >= 9 + len(str(stream)), "an echo")
            assert bytes(state.content) == b"\x81" + bytes([7 + len(str(stream))]) + b"stream %d" % stream


# --- Sending --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["echo", "body", "pieces", "from"])
def test_messages_come_back_whole(opened, way, mode):
    if mode == "from" and way[1]:
        with opened("/socket?mode=from") as socket:
            socket.send(frame(BINARY, b"a") + frame(PING, b"p"))
            socket.expect(PONG, b"p")  # a reference to what has no exchange names nothing
            socket.close()
        return
    with opened(f"/socket?mode={mode}&max=4000000") as socket:
        for bytes_ in (0, 1, 125, 126, 4096, 4097, 65536, 1_000_000):
            payload = os.urandom(bytes_)
            socket.send_binary(payload)
            assert socket.message() == (BINARY, payload)
        socket.send(frame(TEXT, b"a" * 1000, fin=False) + frame(0, b"b" * 1000))
        assert socket.message() == (TEXT, "a" * 1000 + "b" * 1000)
        socket.close()


def test_tiny_frames(opened):
    """A read full of them, in order."""
    with opened() as socket:
        count = 5000
        socket.send(b"".join(frame(BINARY, struct.pack("!H", i)) for i in range(count)))
        for i in range(count):
            assert socket.message() == (BINARY, struct.pack("!H", i))
        socket.close()


def test_what_waits_is_bounded_and_nothing_is_lost(opened):
    """A peer that sends and does not read is not read from, and gets all of it when it does."""
    with opened("/socket?backlog=100000&policy=0") as socket:
        message = frame(BINARY, b"x" * 10000)
        sent = 0
        if socket.is_h1:
            socket.client.wire.deadline_s = 3
            try:
                while sent < 3000:
                    sent += socket.client.wire.send(message, read=False) == len(message)
            except WireError:
                pass  # it stopped reading
            assert sent < 3000, "30 MB were taken of a peer that reads nothing"
            for _ in range(sent):
                assert socket.message() == (BINARY, b"x" * 10000)
        else:
            for _ in range(300):
                socket.send(message)
            for _ in range(300):
                assert socket.message() == (BINARY, b"x" * 10000)
            socket.close()


@pytest.mark.parametrize("policy", ["pause", "drop"])
def test_a_full_backlog_takes_no_more(opened, policy):
    with opened(f"/socket?mode=flood&backlog=20000&policy={['pause', 'drop'].index(policy)}") as socket:
        socket.send_text("100")
        count = 0
        while True:
            opcode, payload = socket.message()
            if opcode == TEXT:
                break
            count += 1
        assert payload == f"full {100 - count}" and 15 <= count <= 25
        socket.send_text("1")
        assert socket.message()[0] == BINARY
        socket.close()


def test_a_full_backlog_may_close(opened):
    with opened("/socket?mode=flood&backlog=20000&policy=2") as socket:
        socket.send_text("100")
        socket.closes(1013)
        socket.send(close_frame(1013))
        socket.ends()


# --- Time -----------------------------------------------------------------------------------------


def test_pings_keep_it_open_and_tell_the_round_trip(opened):
    with opened("/socket?ping=100&idle=1000") as socket:
        for _ in range(3):
            opcode, payload, _, _ = socket.frame()
            assert opcode == PING and payload
            socket.send(frame(PONG, payload))
            assert socket.message() == (TEXT, "a pong")


def test_silence_ends_it(opened, gallery):
    with opened("/socket?ping=100&idle=400&name=silent") as socket:
        begun = time.monotonic()
        with pytest.raises(WireError):
            while socket.frame() is not None:
                pass
            raise WireError("an end in order is fine as well")
        assert 0.3 < time.monotonic() - begun < 3


def test_a_lifetime_ends_with_1001(opened):
    with opened("/socket?life=300") as socket:
        socket.closes(1001)
        socket.send(close_frame(1001))
        socket.ends()


def test_our_close_waits_for_the_peers_and_not_for_ever(opened):
    with opened("/socket?bye=4321") as socket:
        assert socket.closes(4321) == "the gallery closes"
        socket.send_text("on its way")  # is not told any more
        socket.send(close_frame(4321))
        socket.ends()
    with opened("/socket?bye=4321&close=300") as socket:
        socket.closes(4321)
        begun = time.monotonic()
        with pytest.raises(WireError):
            while socket.frame() is not None:
                pass
            raise WireError("an end in order is fine as well")
        assert time.monotonic() - begun < 3


def closed_lines(gallery, name, deadline_s=5):
    end = time.monotonic() + deadline_s
    found = []
    while not found and time.monotonic() < end:
        reply = ask(gallery.addresses[0], b"GET /socket/closed HTTP/1.1\r\nHost: a\r\n\r\n")
        found = [line for line in reply.content.decode().splitlines() if line.startswith(name + " ")]
        time.sleep(0.02)
    return found


@pytest.mark.xdist_group("closed")
def test_the_end_is_told_once(opened, gallery, transport):
    name = transport.name.replace("+", "")
    with opened(f"/socket?name={name}1") as socket:
        socket.close(4000, b"because")
    assert closed_lines(gallery, f"{name}1") == [f"{name}1 4000 clean because"]
    with opened(f"/socket?name={name}2") as socket:
        socket.send(frame(3))
        socket.closes(1002)
    assert closed_lines(gallery, f"{name}2") == [f"{name}2 1002 cut "]
    with opened(f"/socket?name={name}3") as socket:
        socket.send_text("a")
        socket.message()
        socket.end()
        assert socket.frame() is None
    assert closed_lines(gallery, f"{name}3") == [f"{name}3 1006 cut "]
    with opened(f"/socket?name={name}4") as socket:
        (socket.client.wire if socket.is_h1 else socket.client.h2.wire).close_with_reset()
    assert closed_lines(gallery, f"{name}4") == [f"{name}4 1006 cut "]


# --- permessage-deflate ---------------------------------------------------------------------------


class Deflate:
    def __init__(self, bits=15, takeover=True):
        self.bits, self.takeover = bits, takeover
        self.deflater, self.inflater = self._deflater(), zlib.decompressobj(-bits)

    def _deflater(self):
        return zlib.compressobj(9, zlib.DEFLATED, -max(self.bits, 9))

    def deflate(self, data):
        if not self.takeover:
            self.deflater = self._deflater()
        return (self.deflater.compress(data) + self.deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]

    def inflate(self, data):
        if not self.takeover:
            self.inflater = zlib.decompressobj(-self.bits)
        return self.inflater.decompress(data + b"\0\0\xff\xff")


OFFERS = [
    ("permessage-deflate", "permessage-deflate", 15, True),
    ("permessage-deflate; client_max_window_bits", "permessage-deflate", 15, True),
    ("permessage-deflate; server_no_context_takeover; client_no_context_takeover",
     "permessage-deflate; server_no_context_takeover; client_no_context_takeover", 15, False),
    *((f"permessage-deflate; server_max_window_bits={bits}; client_max_window_bits={bits}",
       f"permessage-deflate; server_max_window_bits={bits}; client_max_window_bits={bits}", bits, True)
      for bits in range(9, 15)),
    ("permessage-deflate; server_max_window_bits=8", "permessage-deflate; server_max_window_bits=8", 8, True),
    ("permessage-deflate; server_max_window_bits=7, permessage-deflate; server_max_window_bits=10",
     "permessage-deflate; server_max_window_bits=10", 10, True),
]  # fmt: skip


@pytest.mark.parametrize("offer, answer, bits, takeover", OFFERS, ids=[str(i) for i in range(len(OFFERS))])
def test_deflate(opened, offer, answer, bits, takeover):
    """RFC 7692 section 7: every form of it, messages of many lengths, in one frame and in several."""
    assert len(OFFERS) == 11
    client_bits = bits if "client_max_window_bits=" in offer else 15
    with opened("/socket?deflate=1&min=1&max=1000000", ("Sec-WebSocket-Extensions", offer)) as socket:
        assert socket.fields["sec-websocket-extensions"] == answer
        ours, theirs = Deflate(client_bits, takeover), Deflate(bits, takeover)
        seen = set()
        for turn, count in enumerate((1, 10, 100, 1000, 10000, 100000, 0, 1000)):
            message = (b"%d the quick brown fox " % turn * (count // 10 + 1))[:count]
            out = ours.deflate(message)
            if turn % 2:
                socket.send(frame(BINARY, out[:3], rsv=4, fin=False) + frame(PING) + frame(0, out[3:]))
                socket.expect(PONG, b"")
            else:
                socket.send(frame(BINARY, out, rsv=4))
            opcode, payload, fin, rsv = socket.frame()
            while not fin:  # what is large is deflated in slices
                more, piece, fin, again = socket.frame()
                assert (count, more, again) == (100000, 0, 0)
                payload += piece
            assert opcode == BINARY
            seen.add(rsv)
            assert (theirs.inflate(payload) if rsv else payload) == message, count
        assert seen >= {4}
        # RFC 7692 section 6: a message may be sent as it is.
        socket.send_text("as it is")
        opcode, payload, fin, rsv = socket.frame()
        assert (theirs.inflate(payload) if rsv else payload) == b"as it is"
        socket.close()


def test_deflate_only_where_it_is_allowed(opened):
    with opened("/socket", ("Sec-WebSocket-Extensions", "permessage-deflate")) as socket:
        assert "sec-websocket-extensions" not in socket.fields
        socket.send(frame(TEXT, Deflate().deflate(b"a"), rsv=4))
        socket.closes(1002)


def in_fragments(packed):
    """A message of many frames: what the deflate gave, a hundred bytes in each, and no end."""
    pieces = [packed[at : at + 100] for at in range(0, len(packed), 100)]
    return b"".join(
        frame(0 if i else BINARY, piece, rsv=0 if i else 4, fin=False) for i, piece in enumerate(pieces)
    )


DEFLATED_FAULTS = [
    ("rsv1-on-a-continuation", lambda d: frame(TEXT, d(b"abc"), rsv=4, fin=False) + frame(0, b"", rsv=4), 1002),
    ("rsv1-on-a-ping", lambda d: frame(PING, b"", rsv=4), 1002),
    ("no-deflate", lambda d: frame(BINARY, b"\xff\xff\xff\xff", rsv=4), 1007),
    ("not-utf8", lambda d: frame(TEXT, d(b"abc\xff"), rsv=4), 1007),
    ("bomb", lambda d: frame(BINARY, d(bytes(1_000_000)), rsv=4), 1009),
    ("bomb-in-fragments", lambda d: in_fragments(d(bytes(10_000_000))), 1009),
]  # fmt: skip


@pytest.mark.parametrize("name, sends, code", DEFLATED_FAULTS, ids=[fault[0] for fault in DEFLATED_FAULTS])
def test_deflated_faults(opened, name, sends, code):
    assert len(DEFLATED_FAULTS) == 6
    with opened("/socket?deflate=1&max=100000", ("Sec-WebSocket-Extensions", "permessage-deflate")) as socket:
        socket.send(sends(Deflate().deflate))
        socket.closes(code)


def test_a_ratio_can_be_asked_for(opened):
    target = "/socket?deflate=1&max=10000000&ratio=50"
    with opened(target, ("Sec-WebSocket-Extensions", "permessage-deflate")) as socket:
        socket.send(frame(BINARY, Deflate().deflate(bytes(60000)), rsv=4))
        assert socket.frame()[0] == BINARY
    with opened(target, ("Sec-WebSocket-Extensions", "permessage-deflate")) as socket:
        socket.send(frame(BINARY, Deflate().deflate(bytes(2_000_000)), rsv=4))
        socket.closes(1009)


# --- Topics and events ----------------------------------------------------------------------------


@pytest.mark.xdist_group("topic")
def test_a_topic_reaches_all(opened, gallery, transport):
    extension = ("Sec-WebSocket-Extensions", "permessage-deflate")
    target = "/socket?mode=topic"
    with opened(target) as first, opened(target) as second, opened(target + "&deflate=1", extension) as third:
        for payload in (b"short", b"long " * 1000):
            first.send_binary(payload)
            assert first.message() == (BINARY, payload)
            assert second.message() == (BINARY, payload)
            opcode, got, _, rsv = third.frame()
            assert (Deflate().inflate(got) if rsv else got) == payload
            assert bool(rsv) == (len(payload) > 1024)
        first.close()
        second.send_text("after")
        assert second.message() == (TEXT, "after")
        assert third.message() == (TEXT, "after")
    with opened(target + "&last=2") as late:
        assert [late.message() for _ in range(2)] == [(BINARY, b"long " * 1000), (TEXT, "after")]


def events_of(text):
    return [block.split("\n") for block in text.split("\n\n") if block]


@pytest.mark.xdist_group("topic")
def test_events(gallery, transport):
    """WHATWG HTML section 9.2.5: lines, names, ids; the head says that no cache may hold them."""
    published = b"first line\nsecond"

    def stream(client, *fields):
        answer = client.ask("GET", "/events?retry=1234&life=700&beat=200", *fields)
        assert answer.status == 200 and answer.value("content-type") == "text/event-stream"
        assert answer.value("cache-control") == "no-cache" and answer.value("x-accel-buffering") == "no"
        return events_of(answer.content.decode())

    with transport.client(gallery) as other:
        assert other.ask("POST", "/publish", content=published).status == 200
    with transport.client(gallery) as client:
        events = stream(client)
        assert events[0] == ["retry: 1234"]
        assert events[1] == ["event: hello", "data: one", "data: two", "data: three", "data: "]
        assert events[2:].count([":"]) >= 2
    with transport.client(gallery) as other:
        other.ask("POST", "/publish", content=b"seen")
        other.ask("POST", "/publish", content=published)
    with transport.client(gallery) as client:
        replayed = [event for event in stream(client, ("Last-Event-ID", "0")) if "event: news" in event]
        last = replayed[-1]
        assert last[1:] == ["event: news", "data: first line", "data: second"]
        number = int(last[0][4:])
        assert [int(event[0][4:]) for event in replayed[-2:]] == [number - 1, number]
    with transport.client(gallery) as client:
        again = [event for event in stream(client, ("Last-Event-ID", str(number - 1))) if "event: news" in event]
        assert last in again and [event for event in again if int(event[0][4:]) < number] == []


@pytest.mark.xdist_group("closed")
def test_a_departure_of_a_reader_of_events_is_told_at_once(gallery, transport):
    """Whichever way it leaves, and not with the next event or heartbeat, which never comes here."""
    name = "e" + transport.name.replace("+", "")
    for way in ("close", "reset"):
        client = transport.client(gallery)
        client.send("GET", f"/events?beat=1000000&name={name}{way}")
        wire = client.h2.wire if transport.is_h2 else client.wire
        if transport.is_h2:
            client.h2.until(lambda client=client: client.h2.judge.stream(1).content, "the first event")
        else:
            while b"data: three" not in wire.received:
                assert wire._more(time.monotonic() + 10)
        if way == "close":
            wire.close()
        else:
            wire.close_with_reset()
        assert closed_lines(gallery, f"{name}{way}", 2) == [f"{name}{way} gone"]
