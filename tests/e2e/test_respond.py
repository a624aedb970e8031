"""`pollux respond`: which method gets what, and what becomes of a request's content."""

import pytest

from lib.runner import Pollux, run
from lib.wire import Wire, ask

pytestmark = pytest.mark.short

TEXT = b"Hello, world!"
PROBE = b"GET /probe HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def request(method, target=b"/", *fields, content=b""):
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: a", *fields, b"", b""]
    return b"\r\n".join(lines) + content


def kept_after(wire):
    wire.send(PROBE)
    assert wire.reply().status == 200
    wire.ends()


# --- The answer ----------------------------------------------------------------------------------


def test_the_whole_answer_byte_by_byte(plain):
    with Wire(plain.address) as wire:
        wire.send(request(b"GET"))
        reply = wire.reply()
    assert (reply.status, reply.reason, reply.content) == (200, "OK", TEXT)
    assert {name for name, _ in reply.fields} == {"Server", "Date", "Content-Type", "Content-Length"}
    assert reply.value("Content-Length") == "13"
    assert reply.value("Content-Type").split(";")[0] == "text/plain"


def test_text_of_ones_own():
    with Pollux("respond", "--log", "off", "-w1", "grüß dich\n") as server:
        reply = ask(server.address, request(b"GET"))
        assert reply.content == "grüß dich\n".encode()
        assert reply.value("Content-Length") == str(len("grüß dich\n".encode()))


def test_empty_text():
    with Pollux("respond", "--log", "off", "-w1", "") as server:
        reply = ask(server.address, request(b"GET"))
        assert (reply.status, reply.content, reply.value("Content-Length")) == (200, b"", "0")


def test_long_text():
    text = "0123456789abcdef" * 6000
    with Pollux("respond", "--log", "off", "-w1", text) as server:
        with Wire(server.address) as wire:
            wire.send(request(b"GET") * 20)
            for _ in range(20):
                assert wire.reply().content == text.encode()


def test_type_and_fields():
    flags = ["--type", "application/json", "-H", "X-A: b c", "-H", "x-a:d", "--header=Empty:"]
    with Pollux("respond", "--log", "off", "-w1", *flags, "{}") as server:
        reply = ask(server.address, request(b"GET"))
        assert reply.value("Content-Type") == "application/json"
        assert reply.values("X-A") == ["b c", "d"]
        assert reply.value("Empty") == ""
        assert reply.content == b"{}"
        reply = ask(server.address, request(b"HEAD"), head_only=True)
        assert reply.value("Content-Type") == "application/json"
        assert reply.values("X-A") == ["b c", "d"]


@pytest.mark.parametrize("status", [200, 201, 203, 299, 301, 400, 404, 418, 499, 500, 503, 599])
def test_status(status):
    with Pollux("respond", "--log", "off", "-w1", "--status", str(status)) as server:
        with Wire(server.address) as wire:
            wire.send(request(b"GET"))
            reply = wire.reply()
            assert (reply.status, reply.content) == (status, TEXT)
            assert not reply.says_close
            wire.send(request(b"HEAD"))
            assert wire.reply(head_only=True).status == status


@pytest.mark.parametrize("status", [204, 304])
def test_status_without_content(status):
    with Pollux("respond", "--log", "off", "-w1", "--status", str(status)) as server:
        with Wire(server.address) as wire:
            for method in (b"GET", b"POST", b"HEAD"):
                wire.send(request(method))
                reply = wire.reply(head_only=method == b"HEAD")
                assert (reply.status, reply.content) == (status, b"")
                assert reply.value("Transfer-Encoding") is None
            assert wire.silent(0.05), "content behind an answer that has none"


def test_status_205():
    """RFC 9110 section 15.3.6: 205 has no content, and a length that says so."""
    with Pollux("respond", "--log", "off", "-w1", "--status=205") as server:
        with Wire(server.address) as wire:
            wire.send(request(b"GET"))
            reply = wire.reply()
            assert (reply.status, reply.content) == (205, b"")
            assert wire.silent(0.05)


@pytest.mark.parametrize(
    "name",
    ["Content-Length", "Transfer-Encoding", "Connection", "content-length", "TRANSFER-ENCODING"],
)
def test_framing_fields_are_refused(name):
    code, out, err = run("respond", "-l", "127.0.0.1:0", "-H", f"{name}: 5")
    assert (code, out) == (64, "")
    assert err.startswith("pollux: ") and err.count("\n") == 1 and name in err


# --- Methods -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS"])
@pytest.mark.parametrize("target", [b"/", b"/any/path?with=query", b"http://a/x"])
def test_methods_that_get_text(plain, method, target):
    with Wire(plain.address) as wire:
        wire.send(request(method, target))
        reply = wire.reply()
        assert (reply.status, reply.content) == (200, TEXT)
        kept_after(wire)


def test_head(plain):
    with Wire(plain.address) as wire:
        wire.send(request(b"GET"))
        get = wire.reply()
        wire.send(request(b"HEAD"))
        head = wire.reply(head_only=True)
        assert head.status == 200
        names = lambda reply: [name for name, _ in reply.fields]  # noqa: E731
        assert names(head) == names(get)
        assert head.value("Content-Length") == "13"
        kept_after(wire)


def test_options_asterisk(plain):
    with Wire(plain.address) as wire:
        wire.send(request(b"OPTIONS", b"*"))
        reply = wire.reply()
        assert (reply.status, reply.value("Content-Length"), reply.content) == (200, "0", b"")
        kept_after(wire)


@pytest.mark.parametrize(
    "data", [request(b"TRACE"), b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"], ids=["trace", "connect"]
)
def test_405(plain, data):
    with Wire(plain.address) as wire:
        wire.send(data)
        reply = wire.reply()
        assert reply.status == 405
        allowed = {method.strip() for method in reply.value("Allow").split(",")}
        assert {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} <= allowed
        assert not {"TRACE", "CONNECT"} & allowed
        kept_after(wire)


@pytest.mark.parametrize("target", [b"/", b"a", b"*", b"http://a/"])
def test_connect_without_authority(plain, target):
    with Wire(plain.address) as wire:
        wire.send(request(b"CONNECT", target))
        reply = wire.reply()
        assert reply.status == 400 and reply.says_close
        wire.ends()


@pytest.mark.parametrize("method", [b"get", b"Get", b"BREW", b"PROPFIND", b"M" * 32, b"!"])
def test_501(plain, method):
    with Wire(plain.address) as wire:
        wire.send(request(method) + request(b"GET"))
        assert wire.reply().status == 501
        assert wire.reply().status == 200
        kept_after(wire)


# --- Content -------------------------------------------------------------------------------------


def chunks(content, size):
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("count", [0, 1, 13, 4096, 65536, 1048576])
def test_content_by_length_is_read_to_its_end(plain, count):
    with Wire(plain.address) as wire:
        wire.send(request(b"POST", b"/", b"Content-Length: %d" % count, content=b"x" * count))
        assert wire.reply().content == TEXT
        kept_after(wire)


@pytest.mark.parametrize("count", [0, 1, 13, 4096, 65536, 1048576])
def test_content_by_chunks_is_read_to_its_end(plain, count):
    content = chunks(b"x" * count, 8000)
    with Wire(plain.address) as wire:
        wire.send(request(b"POST", b"/", b"Transfer-Encoding: chunked", content=content))
        assert wire.reply().content == TEXT
        kept_after(wire)


def test_the_answer_waits_for_the_end_of_content(plain):
    with Wire(plain.address) as wire:
        wire.send(request(b"POST", b"/", b"Content-Length: 5", content=b"hell"))
        assert wire.silent(0.2)
        wire.send(b"o")
        assert wire.reply().content == TEXT
        kept_after(wire)


@pytest.mark.parametrize("count", [1048577, 5000000, 2**62])
def test_413_by_length(plain, count):
    with Wire(plain.address) as wire:
        wire.send(request(b"POST", b"/", b"Content-Length: %d" % count))
        reply = wire.reply()
        assert reply.status == 413 and reply.says_close
        wire.ends()


def test_413_by_chunks(plain):
    content = chunks(b"x" * 1048577, 8000)
    with Wire(plain.address) as wire:
        wire.send(request(b"POST", b"/", b"Transfer-Encoding: chunked", content=content))
        reply = wire.reply()
        assert reply.status == 413 and reply.says_close
        wire.ends()


def test_an_early_413_can_be_read(plain):
    """The answer comes while the peer still sends, and no reset takes it away."""
    with Wire(plain.address) as wire:
        head = request(b"POST", b"/", b"Content-Length: 1500000")
        sent = wire.send(head + b"x" * 900000, read=False)
        assert sent == len(head) + 900000, "the content was not read past"
        reply = wire.reply()
        assert reply.status == 413 and reply.says_close
        wire.ends()


@pytest.mark.parametrize("count", [1, 5, 8000])
def test_a_bad_chunk_gets_its_400_alone(plain, count):
    content = b"%x\r\n%b\r\nzz\r\n" % (count, b"x" * count)
    with Wire(plain.address) as wire:
        wire.send(request(b"POST", b"/", b"Transfer-Encoding: chunked"))
        assert wire.silent(0.05)
        wire.send(content)
        reply = wire.reply()
        assert reply.status == 400 and reply.says_close
        wire.ends()


def test_cut_short_by_half_close(plain):
    with Wire(plain.address) as wire:
        wire.send(request(b"POST", b"/", b"Content-Length: 10", content=b"hello"))
        wire.half_close()
        reply = wire.reply()
        assert reply is None or reply.status == 400
        if reply:
            wire.ends()


def test_half_close_behind_a_whole_request(plain):
    """RFC 9112 section 9.6: no departure, the answer is awaited."""
    with Wire(plain.address) as wire:
        wire.send(request(b"GET") * 3)
        wire.half_close()
        for _ in range(3):
            assert wire.reply().content == TEXT
        wire.ends()


# --- Expect --------------------------------------------------------------------------------------


def test_expect_continue(plain):
    with Wire(plain.address) as wire:
        wire.send(request(b"POST", b"/", b"Expect: 100-continue", b"Content-Length: 5"))
        reply = wire.reply()
        assert (reply.status, reply.fields) == (100, [])
        assert wire.silent(0.1), "an answer before the content"
        wire.send(b"hello")
        assert wire.reply().content == TEXT
        kept_after(wire)


def test_expect_continue_chunked(plain):
    with Wire(plain.address) as wire:
        wire.send(request(b"PUT", b"/", b"Expect: 100-Continue", b"Transfer-Encoding: chunked"))
        assert wire.reply().status == 100
        wire.send(chunks(b"hello", 2))
        assert wire.reply().content == TEXT
        kept_after(wire)


def test_expect_continue_twice(plain):
    with Wire(plain.address) as wire:
        for _ in range(2):
            wire.send(request(b"POST", b"/", b"Expect: 100-continue", b"Content-Length: 5"))
            assert wire.reply().status == 100
            wire.send(b"hello")
            assert wire.reply().content == TEXT


def test_expect_behind_another_request(plain):
    with Wire(plain.address) as wire:
        wire.send(request(b"GET") + request(b"POST", b"/", b"Expect: 100-continue", b"Content-Length: 5"))
        assert wire.reply().content == TEXT
        assert wire.reply().status == 100
        wire.send(b"hello")
        assert wire.reply().content == TEXT


def test_expect_on_1_0_gets_no_100(plain):
    with Wire(plain.address) as wire:
        wire.send(b"POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert wire.silent(0.1)
        wire.send(b"hello")
        assert wire.reply().status == 200
        wire.ends()


def test_expect_unknown(plain):
    with Wire(plain.address) as wire:
        wire.send(request(b"POST", b"/", b"Expect: x", b"Content-Length: 5", content=b"hello"))
        reply = wire.reply()
        assert reply.status == 417 and not reply.says_close
        kept_after(wire)


# --- HTTP/1.0 ------------------------------------------------------------------------------------


def test_1_0_keep_alive_is_confirmed(plain):
    with Wire(plain.address) as wire:
        wire.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        reply = wire.reply()
        assert reply.status == 200
        assert (reply.value("Connection") or "").lower() == "keep-alive"
        kept_after(wire)


def test_1_0_closes(plain):
    with Wire(plain.address) as wire:
        wire.send(b"GET / HTTP/1.0\r\n\r\n")
        reply = wire.reply()
        assert (reply.status, reply.content) == (200, TEXT) and reply.says_close
        wire.ends()
