"""`pollux proxy` in front of the HTTP/2 server of Node."""

import threading
import time
from contextlib import contextmanager

import pytest

from lib import h2frames as h2
from lib.wire import Wire, WireError, ask
from test_proxy import free_port
from test_proxy_peers import started
from test_proxy_upstream import proxy

pytestmark = pytest.mark.short

PIECES = 5
SERVER = """
const http2 = require("http2");
const server = http2.createServer();
let count = 0;
server.on("error", () => {});
server.on("sessionError", () => {});
server.on("stream", (stream, headers) => {
  stream.on("error", () => {});
  const path = headers[":path"];
  if (path === "/echo") {
    stream.respond({":status": 200, "x-method": headers[":method"]}, {waitForTrailers: true});
    let bytes = 0;
    stream.on("data", (piece) => { bytes += piece.length; stream.write(piece); });
    stream.on("end", () => stream.end());
    stream.on("wantTrailers", () => stream.sendTrailers({"x-bytes": String(bytes)}));
  } else if (path === "/pieces") {
    stream.respond({":status": 200});
    let left = %d;
    const next = () => left-- > 0 ? (stream.write("piece"), setTimeout(next, 100)) : stream.end();
    next();
  } else if (path === "/reset") {
    stream.respond({":status": 200});
    stream.write("half");
    setTimeout(() => stream.destroy(new Error("reset")), 50);
  } else if (path === "/refused") {
    stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
  } else if (path === "/push") {
    try { stream.pushStream({":path": "/pushed"}, () => {}); } catch (error) {}
    stream.respond({":status": 200, "x-push": String(stream.pushAllowed)});
    stream.end("ok");
  } else {
    stream.respond({":status": 200});
    setTimeout(() => stream.end("ok"), 5);
    if (path === "/load" && ++count %% 20 === 0) stream.session.goaway();
  }
});
server.listen(Number(process.argv[2]), "127.0.0.1");
""" % PIECES


@contextmanager
def in_front_of_node(tmp_path, *flags):
    path, port = tmp_path / "server.js", free_port()
    path.write_text(SERVER)
    with started(["node", str(path), str(port)], port), proxy(f"h2c://127.0.0.1:{port}", flags=flags) as server:
        yield server


def get(path, *fields):
    return b"GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n" % (path, b"".join(field + b"\r\n" for field in fields))


def test_content_goes_both_ways_and_trailers_come(tmp_path):
    with in_front_of_node(tmp_path) as server, h2.H2Wire(server.address) as wire:
        wire.gives_credit = True
        for stream, count in ((1, 0), (3, 5), (5, 60000)):
            fields = [(":method", "POST"), (":scheme", "http"), (":path", "/echo"), (":authority", "a"), ("te", "trailers")]
            wire.request(stream, fields, end=False)
            wire.upload(stream, b"x" * count)
            answer = wire.response(stream)
            assert (answer.status, answer.value("x-method"), len(answer.content)) == (200, "POST", count)
            assert answer.trailers == [("x-bytes", str(count))]
        with Wire(server.address) as plain:
            plain.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + b"y" * 300000)
            assert plain.reply().content == b"y" * 300000


def test_pieces_come_as_they_are_written(tmp_path):
    with in_front_of_node(tmp_path) as server, h2.H2Wire(server.address) as wire:
        wire.request(1, [(":method", "GET"), (":scheme", "http"), (":path", "/pieces"), (":authority", "a")])
        assert wire.response(1).content == b"piece" * PIECES
        assert sum(frame.kind == h2.DATA and len(frame.payload) > 0 for frame in wire.judge.frames) > 1


def test_resets(tmp_path):
    with in_front_of_node(tmp_path) as server:
        with Wire(server.address) as wire:
            wire.send(get(b"/reset"))
            with pytest.raises(WireError):
                wire.reply()
        with h2.H2Wire(server.address) as wire:
            wire.request(1, [(":method", "GET"), (":scheme", "http"), (":path", "/reset"), (":authority", "a")])
            assert wire.reset_code(1) == h2.INTERNAL_ERROR
            wire.request(3, [(":method", "GET"), (":scheme", "http"), (":path", "/refused"), (":authority", "a")])
            assert wire.response(3).status == 502
            assert wire.probe(5).content == b"ok"


def test_a_push_is_not_allowed(tmp_path):
    with in_front_of_node(tmp_path) as server:
        reply = ask(server.address, get(b"/push"))
        assert (reply.status, reply.value("X-Push"), reply.content) == (200, "false", b"ok")


def test_goaways_under_load_lose_nothing(tmp_path):
    """Every twentieth request has its connection say GOAWAY: all of them are answered."""
    statuses = []

    def client(address):
        with Wire(address) as wire:
            for _ in range(50):
                wire.send(get(b"/load"))
                statuses.append(wire.reply().status)
                time.sleep(0.001)

    with in_front_of_node(tmp_path) as server:
        threads = [threading.Thread(target=client, args=(server.address,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert statuses == [200] * 400
