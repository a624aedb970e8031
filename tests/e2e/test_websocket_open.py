"""The opening handshake of `examples/websocket_echo` from outside: RFC 6455 section 4 over HTTP/1.1 in every spelling,
RFC 8441 over HTTP/2 frame by frame."""

import time

import pytest

from lib.echo import CLIENTS, open_echo
from lib.h2frames import (
    CANCEL, CODES, ENABLE_CONNECT_PROTOCOL, ENABLE_PUSH, INITIAL_WINDOW_SIZE, NO_ERROR, STREAM_CLOSED, H2Wire,
    continuation, data, headers, literals, rst, settings, window,
)  # fmt: skip
from lib.websocket import BINARY, PING, TEXT, close_frame, frame, handshake_fields
from lib.wire import DEADLINE_S, Wire, WireTimeout

pytestmark = pytest.mark.short

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def head(*fields, line="GET / HTTP/1.1", host="a"):
    lines = [line, *([f"Host: {host}"] if host is not None else [])]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in fields), "", ""]).encode("latin-1")


def plus(*fields):
    return head(*handshake_fields(), *fields)


def but(**changed):
    return head(*handshake_fields(**changed))


def lines(*pairs):
    """Every field as it is given, none of its own."""
    return head(*pairs)


UPGRADE, CONNECTION = ("Upgrade", "websocket"), ("Connection", "Upgrade")
VERSION, OUR_KEY = ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", KEY)

# --- HTTP/1.1: (name, request, status) -------------------------------------------------------------

HANDSHAKES = [
    ("plain", plus(), 101),
    ("upgrade-in-capitals", but(Upgrade="WEBSOCKET"), 101),
    ("upgrade-among-others", but(Upgrade="h2c, websocket"), 101),
    ("upgrade-before-others", but(Upgrade="websocket, foo/2"), 101),
    ("upgrade-on-two-lines", lines(("Upgrade", "h2c"), UPGRADE, CONNECTION, VERSION, OUR_KEY), 101),
    ("upgrade-with-empty-elements", but(Upgrade=", ,websocket,"), 101),
    ("upgrade-with-a-version", but(Upgrade="websocket/13"), 426),
    ("upgrade-prefix", but(Upgrade="websockets"), 426),
    ("upgrade-to-another", but(Upgrade="h2c"), 426),
    ("upgrade-empty", but(Upgrade=""), 426),
    ("upgrade-missing", but(Upgrade=None), 426),
    ("connection-in-capitals", but(Connection="UPGRADE"), 101),
    ("connection-list", but(Connection="keep-alive, Upgrade"), 101),
    ("connection-list-without-blanks", but(Connection="keep-alive,upgrade,x"), 101),
    ("connection-on-two-lines", lines(("Connection", "keep-alive"), CONNECTION, UPGRADE, VERSION, OUR_KEY), 101),
    ("connection-with-close", but(Connection="Upgrade, close"), (101, 400)),
    ("connection-without-upgrade", but(Connection="keep-alive"), 400),
    ("connection-missing", but(Connection=None), 400),
    ("connection-prefix", but(Connection="Upgraded"), 400),
    ("names-in-capitals", lines(("UPGRADE", "websocket"), ("CONNECTION", "upgrade"), ("SEC-WEBSOCKET-VERSION", "13"),
                                ("SEC-WEBSOCKET-KEY", KEY)), 101),
    ("names-in-lower-case", lines(("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-version", "13"),
                                  ("sec-websocket-key", KEY)), 101),
    *((f"version-{version}", but(Sec_WebSocket_Version=version), 426)
      for version in ("8", "7", "0", "12", "14", "25", "256", "013", "13.0", "+13", "x", "", "13, 8", "8, 13")),
    ("version-missing", but(Sec_WebSocket_Version=None), 400),
    ("version-twice", plus(VERSION), 400),
    ("version-twice-differing", plus(("Sec-WebSocket-Version", "8")), 400),
    ("version-with-blanks", but(Sec_WebSocket_Version=" 13 \t"), 101),
    ("key-missing", but(key=None), 400),
    ("key-empty", but(key=""), 400),
    ("key-twice", plus(OUR_KEY), 400),
    ("key-of-15-bytes", but(key="dGhlIHNhbXBsZSBub25j"), 400),
    ("key-of-17-bytes", but(key="dGhlIHNhbXBsZSBub25jZTE="), 400),
    ("key-of-18-bytes", but(key="dGhlIHNhbXBsZSBub25jZTEy"), 400),
    ("key-without-padding", but(key="dGhlIHNhbXBsZSBub25jZQ"), 400),
    ("key-in-the-url-alphabet", but(key="dGhlIHNhbXBsZSBub2-_ZQ=="), 400),
    ("key-with-a-blank", but(key="dGhlIHNhbXBsZSBub2 jZQ=="), 400),
    ("key-that-is-long", but(key="A" * 2000), 400),
    ("key-with-blanks-around", but(key=f"  {KEY} "), 101),
    ("protocol-offered-and-none-known", plus(("Sec-WebSocket-Protocol", "chat, superchat")), 101),
    ("protocol-no-token", plus(("Sec-WebSocket-Protocol", "a/b")), 400),
    ("protocol-empty", plus(("Sec-WebSocket-Protocol", "")), 101),
    ("protocol-twice-the-same", plus(("Sec-WebSocket-Protocol", "a"), ("Sec-WebSocket-Protocol", "a")), 400),
    ("origin-of-another", plus(("Origin", "http://other.example")), 101),
    ("host-missing", head(*handshake_fields(), host=None), 400),
    ("host-empty", head(*handshake_fields(), host=""), (101, 400)),
    ("host-twice", plus(("Host", "a")), 400),
    ("http-1.0", head(*handshake_fields(), line="GET / HTTP/1.0"), 400),
    ("http-1.0-of-another-version", head(*handshake_fields(Sec_WebSocket_Version="8"), line="GET / HTTP/1.0"), 400),
    ("http-1.0-without-upgrade", head(line="GET / HTTP/1.0"), 400),
    ("http-1.2", head(*handshake_fields(), line="GET / HTTP/1.2"), 101),
    ("post", head(*handshake_fields(), ("Content-Length", "0"), line="POST / HTTP/1.1"), 405),
    ("head", head(*handshake_fields(), line="HEAD / HTTP/1.1"), (400, 405)),
    ("lower-case", head(*handshake_fields(), line="get / HTTP/1.1"), (405, 501)),
    ("absolute-form", head(*handshake_fields(), line="GET http://a/ HTTP/1.1"), 101),
    ("of-no-route", head(*handshake_fields(), line="GET /other HTTP/1.1"), 404),
    ("with-a-query", head(*handshake_fields(), line="GET /?a=b HTTP/1.1"), 101),
    ("with-content", plus(("Content-Length", "3")) + b"abc", 400),
    ("with-content-of-nothing", plus(("Content-Length", "0")), 101),
    ("with-chunks", plus(("Transfer-Encoding", "chunked")) + b"3\r\nabc\r\n0\r\n\r\n", 400),
    ("with-expect", plus(("Expect", "100-continue")), 101),
    ("with-a-thousand-extensions", plus(("Sec-WebSocket-Extensions", ", ".join(f"x{at}" for at in range(1000)))), 101),
    ("with-a-thousand-extensions-and-junk", plus(("Sec-WebSocket-Extensions", "x, " * 1000 + "a b")), 400),
    ("with-h2c-settings", plus(("HTTP2-Settings", "AAMAAABkAAQAAP__")), 101),
    ("hixie-76", lines(("Upgrade", "WebSocket"), CONNECTION, ("Sec-WebSocket-Key1", "4 @1  46546xW%0l 1 5"),
                       ("Sec-WebSocket-Key2", "12998 5 Y3 1  .P00")), 400),
]  # fmt: skip


def take(wire, count):
    while len(wire.received) < count:
        assert wire._more(time.monotonic() + DEADLINE_S), "ended"
    return wire.received[:count]


def test_the_handshakes_are_counted():
    assert len(HANDSHAKES) == 76
    assert len({name for name, *_ in HANDSHAKES}) == len(HANDSHAKES)


@pytest.mark.parametrize("name, sends, status", HANDSHAKES, ids=[entry[0] for entry in HANDSHAKES])
def test_handshake(echo, name, sends, status):
    for step in (0, 1):
        with Wire(echo) as wire:
            wire.send(sends, step=step)
            reply = wire.reply(head_only=name == "head")
            assert reply.status in (status if isinstance(status, tuple) else (status,)), reply
            if reply.status == 101:
                assert reply.value("Sec-WebSocket-Accept") == ACCEPT and reply.value("Content-Length") is None
                assert reply.value("Upgrade") == "websocket" and reply.value("Connection") == "Upgrade"
                assert reply.value("Sec-WebSocket-Protocol") is None
                wire.send(frame(PING, b"there"))
                assert take(wire, 7) == b"\x8a\x05there"
                continue
            assert (reply.status == 426) == (reply.value("Upgrade") is not None)
            assert reply.value("Sec-WebSocket-Version") == ("13" if reply.status == 426 else None)
            assert not any(reply.value(f"Sec-WebSocket-{what}") for what in ("Accept", "Protocol", "Extensions"))



def test_a_refused_handshake_keeps_the_connection(echo):
    """Where framing is known, as any refusal."""
    with Wire(echo) as wire:
        for sends, status in ((but(Sec_WebSocket_Version="8"), 426), (but(key="short"), 400), (plus(), 101)):
            wire.send(sends)
            assert wire.reply().status == status
        wire.send(frame(TEXT, b"Hello") + close_frame(1000))
        assert wire.rest() == b"\x81\x05Hello\x88\x02\x03\xe8"


def test_a_handshake_behind_another_request(echo):
    with Wire(echo) as wire:
        wire.send(head(line="GET /nothing HTTP/1.1") + plus() + frame(TEXT, b"Hello"))
        assert wire.reply().status == 404
        assert wire.reply().status == 101
        assert take(wire, 7) == b"\x81\x05Hello"


def test_frames_in_the_write_of_the_handshake(echo):
    """Cut at every byte near to the end of the head."""
    whole = plus() + frame(TEXT, b"Hello") + close_frame(1000)
    at = len(plus())
    for cut in range(at - 5, at + 12):
        with Wire(echo) as wire:
            wire.send(whole[:cut])
            wire.send(whole[cut:])
            assert wire.reply().status == 101
            assert wire.rest() == b"\x81\x05Hello\x88\x02\x03\xe8"


# --- HTTP/2 ----------------------------------------------------------------------------------------


def connect(*more, **changed):
    """The fields of an extended CONNECT; None leaves one out."""
    pseudo = {"method": "CONNECT", "protocol": "websocket", "scheme": "http", "path": "/", "authority": "a", **changed}
    fields = [(f":{name}", value) for name, value in pseudo.items() if value is not None]
    return [*fields, ("sec-websocket-version", "13"), *more]


# (name, fields, whether the stream ends with them, a status, or the code of a reset)
CONNECTS = [
    ("plain", connect(), False, 200),
    ("protocol-in-capitals", connect(protocol="WebSocket"), False, 200),
    ("https", connect(scheme="https"), False, (200, 400, "PROTOCOL_ERROR")),
    ("with-a-key", connect(("sec-websocket-key", KEY)), False, 200),
    ("with-content-length", connect(("content-length", "10")), False, 400),
    ("with-content-length-0", connect(("content-length", "0")), False, 400),
    ("without-version", [*connect()[:-1]], False, 400),
    ("version-8", [*connect()[:-1], ("sec-websocket-version", "8")], False, 426),
    ("version-twice", connect(("sec-websocket-version", "13")), False, 400),
    ("other-protocol", connect(protocol="foo"), False, (400, 404, 426, 501)),
    ("connect-udp", connect(protocol="connect-udp"), False, (400, 404, 426, 501)),
    ("protocol-empty", connect(protocol=""), False, (400, 426, 501, "PROTOCOL_ERROR")),
    ("protocol-no-token", connect(protocol="web socket"), False, (400, 426, 501, "PROTOCOL_ERROR")),
    ("protocol-a-list", connect(protocol="foo, websocket"), False, (400, 426, 501, "PROTOCOL_ERROR")),
    ("protocol-with-a-slash", connect(protocol="websocket/13"), False, (400, 426, 501, "PROTOCOL_ERROR")),
    ("no-scheme", connect(scheme=None), False, "PROTOCOL_ERROR"),
    ("no-path", connect(path=None), False, "PROTOCOL_ERROR"),
    ("path-empty", connect(path=""), False, (400, "PROTOCOL_ERROR")),
    ("no-authority", connect(authority=None), False, (400, "PROTOCOL_ERROR")),
    ("host-for-authority", connect(("host", "a"), authority=None), False, (200, 400, "PROTOCOL_ERROR")),
    ("host-differs", connect(("host", "b")), False, (400, "PROTOCOL_ERROR")),
    ("protocol-twice", [(":protocol", "websocket"), *connect()], False, "PROTOCOL_ERROR"),
    ("protocol-behind-fields", [*connect(protocol=None), (":protocol", "websocket")], False, "PROTOCOL_ERROR"),
    ("protocol-on-get", connect(method="GET"), False, "PROTOCOL_ERROR"),
    ("protocol-on-post", connect(method="POST"), False, "PROTOCOL_ERROR"),
    ("connect-without-protocol", connect(protocol=None, scheme=None, path=None, authority="a:80"), False, (400, 405, 501)),
    ("connect-with-path-and-no-protocol", connect(protocol=None), False, "PROTOCOL_ERROR"),
    ("upgrade-field", connect(("upgrade", "websocket")), False, "PROTOCOL_ERROR"),
    ("connection-field", connect(("connection", "upgrade")), False, "PROTOCOL_ERROR"),
    ("ends-with-the-request", connect(), True, (200, 400)),
    ("of-no-route", connect(path="/other"), False, 404),
    ("get-with-upgrade-fields-of-http-1", connect(method="GET", protocol=None), True, 426),
    ("subprotocol-no-token", connect(("sec-websocket-protocol", "a b")), False, 400),
    ("extension-malformed", connect(("sec-websocket-extensions", "permessage-deflate;")), False, 400),
]  # fmt: skip


def test_the_connects_are_counted():
    assert len(CONNECTS) == 34


def alive(h2, stream):
    """Another WebSocket on the same connection works."""
    h2.send(headers(stream, connect(), end=False))
    state = h2.judge.stream(stream)
    h2.judge.opened.add(stream)
    h2.until(lambda: state.fields is not None or state.over, "an answer")
    assert state.status == 200
    h2.send(data(stream, frame(TEXT, b"alive")))
    h2.until(lambda: bytes(state.content) == b"\x81\x05alive", "an echo")
    return state


@pytest.mark.parametrize("name, fields, ends, wanted", CONNECTS, ids=[entry[0] for entry in CONNECTS])
def test_connect(echo, name, fields, ends, wanted):
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    with H2Wire(echo) as h2:
        h2.until(lambda: h2.judge.settings is not None, "SETTINGS")
        assert h2.judge.settings[ENABLE_CONNECT_PROTOCOL] == 1
        h2.request(1, fields, end=ends)
        state = h2.judge.stream(1)
        h2.until(lambda: state.fields is not None or state.over, "an answer")
        got = state.status if state.fields is not None else CODES[state.code]
        assert got in wanted
        if got == 200 and ends:
            h2.until(lambda: state.over, "the end of a peer that has nothing to say")
        elif got == 200:
            h2.send(data(1, frame(PING, b"there")))
            h2.until(lambda: bytes(state.content) == b"\x8a\x05there", "a pong")
        alive(h2, 3)


def opened(echo, *pairs, stream=1):
    h2 = H2Wire(echo, pairs=((ENABLE_PUSH, 0), *pairs))
    h2.until(lambda: h2.judge.settings is not None, "SETTINGS")
    h2.request(stream, connect(), end=False)
    state = h2.judge.stream(stream)
    h2.until(lambda: state.fields is not None or state.over, "an answer")
    assert state.status == 200
    return h2, state


def test_connect_before_the_settings_were_read(echo):
    """RFC 8441 section 3 has a client wait; what is sent early is served all the same."""
    with H2Wire(echo) as h2:
        alive(h2, 1)


def test_padded_data(echo):
    h2, state = opened(echo)
    with h2:
        whole = frame(TEXT, b"padded") + frame(PING, b"p")
        for at, byte in enumerate(whole):
            h2.send(data(1, bytes([byte]), pad=at * 5 % 256))
        h2.send(data(1, b"", pad=255))
        h2.until(lambda: bytes(state.content) == b"\x81\x06padded\x8a\x01p", "what was padded")


def test_one_byte_windows(echo):
    """An answer is read a byte at a time, and comes whole."""
    h2, state = opened(echo, (INITIAL_WINDOW_SIZE, 0))
    with h2:
        h2.send(data(1, frame(BINARY, b"0123456789" * 10)))
        h2.settled()
        assert not state.content
        for count in range(102):
            state.window += 1
            h2.send(window(1, 1))
            h2.until(lambda count=count: len(state.content) == count + 1, "a byte")
        assert bytes(state.content) == b"\x82\x64" + b"0123456789" * 10
        assert not state.over


def test_a_window_that_shrinks_below_zero(echo):
    h2, state = opened(echo, (INITIAL_WINDOW_SIZE, 100))
    with h2:
        h2.send(data(1, frame(BINARY, b"a" * 90)))
        h2.until(lambda: len(state.content) == 92, "an echo")
        h2.send(settings((INITIAL_WINDOW_SIZE, 10)))
        h2.note_settings(((INITIAL_WINDOW_SIZE, 10),))
        h2.send(data(1, frame(BINARY, b"b" * 20)))
        h2.settled()
        assert len(state.content) == 92
        state.window += 200
        h2.send(window(1, 200))
        h2.until(lambda: len(state.content) == 114, "the second echo")


def test_a_reset_while_it_opens(echo):
    with H2Wire(echo) as h2:
        h2.until(lambda: h2.judge.settings is not None, "SETTINGS")
        for stream in range(1, 101, 2):
            h2.judge.opened.add(stream)
            h2.send(headers(stream, connect(), end=False) + rst(stream, CANCEL))
        for stream in range(101, 121, 2):
            h2.judge.opened.add(stream)
            h2.send(headers(stream, connect(), end=False) + data(stream, frame(TEXT, b"a" * 1000)) + rst(stream, NO_ERROR))
        alive(h2, 121)


def test_the_request_in_continuations(echo):
    with H2Wire(echo) as h2:
        h2.until(lambda: h2.judge.settings is not None, "SETTINGS")
        block = literals(connect())
        h2.judge.opened.add(1)
        third = len(block) // 3
        h2.send(headers(1, block[:third], end=False, done=False) + continuation(1, block[third : 2 * third], done=False)
                + continuation(1, block[2 * third :]) + data(1, frame(TEXT, b"a")))  # fmt: skip
        h2.until(lambda: bytes(h2.judge.stream(1).content) == b"\x81\x01a", "an echo")


def test_the_end_of_a_stream_is_the_end_of_a_tcp_connection(echo):
    """RFC 8441 section 5: END_STREAM for FIN, RST_STREAM for RST; and behind a closing handshake it comes too."""
    h2, state = opened(echo)
    with h2:
        h2.send(data(1, frame(TEXT, b"a") + close_frame(1000)))
        h2.until(lambda: state.over, "END_STREAM")
        assert state.ended and bytes(state.content) == b"\x81\x01a\x88\x02\x03\xe8"
        if state.code is None:
            h2.send(data(1, b"", end=True))
        alive(h2, 3)
    h2, state = opened(echo)
    with h2:
        h2.send(data(1, frame(TEXT, b"a"), end=True))
        h2.until(lambda: state.over, "END_STREAM")
        assert state.ended and bytes(state.content) == b"\x81\x01a"
        alive(h2, 3)


def test_data_behind_the_end_is_an_error(echo):
    h2, state = opened(echo)
    with h2:
        h2.send(data(1, b"", end=True))
        h2.until(lambda: state.over, "END_STREAM")
        h2.send(data(1, frame(TEXT, b"late")))
        h2.until(lambda: h2.judge.goaways or state.code is not None, "an error")
        assert state.code in (None, STREAM_CLOSED)


def test_trailers_end_it(echo):
    """RFC 9113 section 8.5 allows only DATA and the frames of stream management on a tunnel."""
    h2, state = opened(echo)
    with h2:
        h2.send(headers(1, [("a", "b")], end=True))
        h2.until(lambda: state.over, "the end")
        alive(h2, 3)


def test_many_streams_and_one_that_does_not_read(echo):
    """A stream whose window is shut holds no other up, and is not read from without end."""
    with H2Wire(echo, pairs=((ENABLE_PUSH, 0), (INITIAL_WINDOW_SIZE, 1000))) as h2:
        h2.until(lambda: h2.judge.settings is not None, "SETTINGS")
        slow = alive(h2, 1)
        h2.send(b"".join(data(1, frame(BINARY, b"x" * 1000)) for _ in range(30)))
        for stream in range(3, 63, 2):
            alive(h2, stream)
        assert len(slow.content) <= 1000


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_peer_that_never_reads_holds_no_other_up(echo, client):
    with client.connect(echo, rcvbuf=4096) as deaf, open_echo(client, echo) as socket:
        sends = frame(BINARY, b"x" * 100000) * 20
        if client.is_h2:
            stream = deaf.next
            deaf.h2.wire.send(headers(stream, connect(), end=False) + data(stream, sends[:16000]) * 4, read=False)
        else:
            deaf.wire.deadline_s = 1
            with pytest.raises(WireTimeout):
                deaf.wire.send((plus() + sends * 20), read=False)
        socket.send_text("still served")
        assert socket.message() == (TEXT, "still served")
        socket.close()
