"""What peers of `examples/websocket_echo` have it hold gives way: messages that stop in the middle, and answers that
are not read, shut out none of those that go on."""

import struct
import threading
import time
import zlib

import pytest

from lib.echo import CLIENTS, open_echo, running_echo
from lib.websocket import BINARY, CLOSE, TEXT, frame
from lib.wire import WireError

pytestmark = pytest.mark.short

MIB = 1024 * 1024
DEFLATE = ("Sec-WebSocket-Extensions", "permessage-deflate; server_no_context_takeover; client_no_context_takeover")


@pytest.fixture
def own(tmp_path):
    """An echo of its own: its share is 64 MiB for messages and answers, 64 MiB for compression."""
    with running_echo(tmp_path) as child:
        yield child.path


def echoes(path, size, count=1, client=CLIENTS[0], fields=()):
    with open_echo(client, path, *fields) as socket:
        for number in range(count):
            content = bytes([65 + number % 26]) * size
            socket.send_binary(content)
            assert socket.message() == (BINARY, content)
        socket.close()


def told(socket):
    """The code of the Close that has come, or None."""
    try:
        opcode, payload, _, _ = socket.frame()
    except WireError:
        return 1006
    assert opcode == CLOSE
    return struct.unpack("!H", payload[:2])[0]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_messages_that_stop_in_the_middle(own, client):
    """Each holds 16 MiB of 64, in fragments or in one frame; small messages go on, and a large one does."""
    halves = [open_echo(CLIENTS[0], own) for _ in range(5)]
    try:
        for number, half in enumerate(halves):
            try:
                if number % 2:
                    half.send(frame(BINARY, bytes(15 * MIB), length=16 * MIB))
                else:
                    half.send(frame(BINARY, bytes(8 * MIB), fin=False) + frame(0, bytes(7 * MIB), fin=False))
            except WireError:
                pass  # one of those that have given way
        for size in (10, 3000, 3000, 60_000):
            echoes(own, size, count=5, client=client)
        time.sleep(1.1)  # what was held for a second gives way to large ones, too
        echoes(own, 4 * MIB, client=client)
    finally:
        for half in halves:
            half.__exit__()


def test_deflated_messages_that_stop_in_the_middle(own):
    """1,550 inflaters of 44 KiB are more than their share; later ones get one all the same."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = (deflater.compress(b"hello" * 100) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]
    begun = frame(BINARY, content[:3], rsv=4, length=1000)
    halves = []
    try:
        for _ in range(1550):
            halves.append(open_echo(CLIENTS[0], own, DEFLATE))
            halves[-1].send(begun)
        time.sleep(1.1)
        for _ in range(5):
            with open_echo(CLIENTS[0], own, DEFLATE) as socket:
                socket.send(frame(BINARY, content, rsv=4))
                assert socket.message()[1] == b"hello" * 100  # as it is: there is no room for a deflater
        assert told(halves[0]) == 1013
    finally:
        for half in halves:
            half.__exit__()


def test_answers_that_are_not_read(own):
    """Each lets 15 MiB wait; others are answered."""
    slow = [open_echo(CLIENTS[0], own) for _ in range(6)]
    try:
        for socket in slow:
            try:
                socket.client.wire.send(frame(BINARY, bytes(15 * MIB)), read=False)
            except WireError:
                pass
        time.sleep(1.1)
        for size in (10, 3000, 60_000, MIB):
            echoes(own, size, count=3)
    finally:
        for socket in slow:
            socket.__exit__()


def test_large_ones_wait_for_each_other(own):
    """Eight of 6 MiB at once are more than there is room for: none of them fails."""
    sockets = [open_echo(CLIENTS[0], own) for _ in range(8)]
    try:
        content = b"a" * (6 * MIB)
        for socket in sockets:
            socket.client.wire.deadline_s = 30
        failed = []

        def talk(socket):
            try:
                socket.send_binary(content)
                assert socket.message() == (BINARY, content)
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=talk, args=(socket,)) for socket in sockets]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not failed, failed
    finally:
        for socket in sockets:
            socket.__exit__()


def test_text_of_other_than_utf8_is_not_echoed_as_text(own):
    with open_echo(CLIENTS[0], own) as socket:
        socket.send(frame(TEXT, b"\xff\xfe"))
        assert told(socket) == 1007
