"""WebSocket with the clients that people have: Python's websockets and wsproto, ws of npm, a browser."""

import asyncio
import json
import os
import shutil
import socket as sockets
import ssl
import subprocess

import pytest
import websockets
import wsproto
import wsproto.events
from wsproto.extensions import PerMessageDeflate

from lib.browser import Browser
from lib.runner import ROOT
from lib.wire import DEADLINE_S

pytestmark = pytest.mark.short

MESSAGES = [b"", b"a", b"x" * 125, b"x" * 126, b"x" * 65536, os.urandom(300_000), "", "é" * 70000, "κόσμε"]


def address(gallery, secure, target):
    host, port = gallery.addresses[1 if secure else 0]
    return f"ws{'s' if secure else ''}://{host}:{port}{target}"


def anything_goes():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_websockets(gallery, secure, compression):
    """python3-websockets: messages, one in fragments, a ping, and a close."""

    async def talk():
        more = {"ssl": anything_goes()} if secure else {}
        url = address(gallery, secure, "/socket?deflate=1&min=1")
        async with websockets.connect(url, compression=compression, subprotocols=["superchat"], **more) as socket:
            assert socket.subprotocol == "superchat"
            assert bool(socket.extensions) == bool(compression)
            for message in MESSAGES:
                await socket.send(message)
                assert await socket.recv() == message

            async def pieces():
                for number in range(100):
                    yield f"{number} "

            await socket.send(pieces())
            assert await socket.recv() == "".join(f"{number} " for number in range(100))
            await asyncio.wait_for(await socket.ping(b"there"), DEADLINE_S)
            await socket.close(4000, "bye")
            assert socket.close_code == 4000

    asyncio.run(asyncio.wait_for(talk(), 60))


@pytest.mark.parametrize("takeover", [True, False])
def test_wsproto(gallery, takeover):
    """python3-wsproto: its own look at the handshake, frames, compression and close."""
    extension = PerMessageDeflate(client_no_context_takeover=not takeover, server_no_context_takeover=not takeover)
    peer = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
    host, port = gallery.addresses[0]
    with sockets.create_connection((host, port), timeout=DEADLINE_S) as wire:
        events = []

        def until(kind):
            while not (events and isinstance(events[0], kind)):
                if events:
                    raise AssertionError(events)
                data = wire.recv(65536)
                peer.receive_data(data or None)
                events.extend(peer.events())
            return events.pop(0)

        request = wsproto.events.Request(host=f"{host}:{port}", target="/socket?deflate=1&min=1",
                                         subprotocols=["chat"], extensions=[extension])
        wire.sendall(peer.send(request))
        accepted = until(wsproto.events.AcceptConnection)
        assert accepted.subprotocol == "chat" and accepted.extensions == [extension]
        for message in MESSAGES:
            kind = wsproto.events.TextMessage if isinstance(message, str) else wsproto.events.BytesMessage
            wire.sendall(peer.send(kind(data=message)))
            got = message[:0]
            while True:
                event = until(kind)
                got += event.data
                if event.message_finished:
                    break
            assert got == message
        wire.sendall(peer.send(wsproto.events.Ping(payload=b"there")))
        assert bytes(until(wsproto.events.Pong).payload) == b"there"
        wire.sendall(peer.send(wsproto.events.CloseConnection(code=4001, reason="bye")))
        assert until(wsproto.events.CloseConnection).code == 4001
        assert wire.recv(1) == b""


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("compressed", ["no", "yes"])
def test_npm_ws(gallery, secure, compressed):
    script = ROOT / "tests/e2e/lib/websocket_peer.js"
    url = address(gallery, secure, "/socket?deflate=1&min=1")
    argv = [shutil.which("node"), script, ROOT / "build/npm", url, compressed]
    done = subprocess.run(argv, capture_output=True, timeout=60, check=True)
    said = json.loads(done.stdout)
    agreed = said.pop("extensions")
    assert said == {"same": 14, "pongs": 1, "code": 4001, "protocol": "chat", "sent": 14}
    assert agreed == ("permessage-deflate" if compressed == "yes" else "")


SCRIPT = """new Promise((done, fail) => {
    const socket = new WebSocket(%s, ["superchat", "chat"]);
    const sent = ["", "hello", "κόσμε".repeat(30000), new Uint8Array(70000).fill(7)];
    const got = [];
    socket.binaryType = "arraybuffer";
    socket.onopen = () => sent.forEach(message => socket.send(message));
    socket.onmessage = event => {
        const wanted = sent[got.length];
        got.push(typeof wanted === "string" ? event.data === wanted
            : new Uint8Array(event.data).every(byte => byte === 7) && event.data.byteLength === wanted.length);
        if (got.length === sent.length)
            socket.close(4002, "done");
    };
    socket.onclose = event => done({got, code: event.code, clean: event.wasClean,
                                    protocol: socket.protocol, extensions: socket.extensions});
    setTimeout(() => fail("too late"), 20000);
})"""


def test_chromium(gallery):
    host, port = gallery.addresses[0]
    with Browser() as browser:
        page = browser.open(f"http://{host}:{port}/text")
        for target, extensions in (("/socket", ""), ("/socket?deflate=1", "permessage-deflate")):
            said = page.evaluate(SCRIPT % json.dumps(address(gallery, False, target)))
            assert said == {"got": [True] * 4, "code": 4002, "clean": True, "protocol": "chat", "extensions": extensions}
        # A page of another site is not let in, and is told so by the browser alone.
        page.go("data:text/html,elsewhere")
        said = page.evaluate(f"""new Promise(done => {{
            const socket = new WebSocket({json.dumps(address(gallery, False, "/socket"))});
            socket.onopen = () => done("open");
            socket.onclose = event => done(event.code);
        }})""")
        assert said == 1006


def test_a_browser_reads_events(gallery):
    host, port = gallery.addresses[0]
    with Browser() as browser:
        page = browser.open(f"http://{host}:{port}/text")
        said = page.evaluate("""new Promise(done => {
            const stream = new EventSource("/events?beat=100");
            stream.addEventListener("hello", event => {
                stream.close();
                done(event.data);
            });
        })""")
        assert said == "one\ntwo\nthree\n"
