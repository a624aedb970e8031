"""What the access log tells of requests that are refused: what was received, and why it was.

The same over HTTP/1 and HTTP/2, before a head is whole and after it, with and without a proxy in
front: request line, Host, user agent, duration, and in JSON `reason`; each cut at 2 KiB, escaped.
"""

import json
import re
import ssl
import time

import pytest

from lib.h2frames import H2Wire, continuation, get, headers, literals
from lib.runner import Pollux
from lib.tls import TlsWire
from lib.wire import Wire

pytestmark = pytest.mark.short
CUT = 2048


def row_of(server, count=1):
    out = server.wait_stdout(lambda out: out.count(b"\n") >= count)
    assert out.count(b"\n") == count, out
    return json.loads(out.splitlines()[-1])


def refused(sent, *args, then=None, half_close=False):
    """The row of a request on a connection of its own."""
    with Pollux("respond", "-w1", "--log=json", *args) as server:
        with Wire(server.address) as wire:
            wire.send(sent)
            if half_close:
                wire.half_close()
            reply = wire.reply()
        row = row_of(server)
    assert (row["status"], row["bytes"]) == (reply.status, len(reply.content))
    return row


AGENT = b"User-Agent: scan/1\r\n"
HTTP1 = {
    # name: (what is sent, status, method, target, host, user agent, what the reason says)
    "a blank before the colon": (
        b"GET /a?b HTTP/1.1\r\nHost : a\r\n" + AGENT + b"\r\n", 400, "GET", "/a?b", "a", "scan/1", "field"),
    "smuggling": (
        b"POST /x HTTP/1.1\r\nHost: v\r\n" + AGENT + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        400, "POST", "/x", "v", "scan/1", "."),
    "no host": (b"GET /x HTTP/1.1\r\n" + AGENT + b"\r\n", 400, "GET", "/x", "", "scan/1", "Host"),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "GET", "/", "a", "", "Host"),
    "target": (b"GET /%zz\"\\\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400, "GET", "/%zz\"\\\x7f", "a", "", "target"),
    "version": (b"GET /v HTTP/9.9\r\nHost: a\r\n\r\n", 505, "GET", "/v", "a", "", "version"),
    "coding": (
        b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n", 501, "POST", "/c", "a", "", "coding"),
    "nonsense": (b"\x01\xff nonsense\r\n\r\n", 400, "\x01\xff", "nonsense", "", "", "."),
    "a long target": (
        b"GET /" + b"t" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "GET", "/" + "t" * (CUT - 1), None, None, "."),
    "a long field": (
        b"GET /f HTTP/1.1\r\nHost: a\r\nUser-Agent: " + b"u" * 40000 + b"\r\n\r\n", 431, "GET", "/f", "a", "u" * CUT,
        "."),
    "content too large": (
        b"POST /l HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n" + AGENT + b"\r\n", 413, "POST", "/l", "a",
        "scan/1", "content too large"),
    "chunk": (
        b"POST /k HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "POST", "/k", "a", "", "chunk"),
    "expectation": (
        b"GET /e HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", 417, "GET", "/e", "a", "", "unknown expectation"),
}


# Their head was fine: there was an exchange, and its answer went out whole.
ANSWERED = ("expectation", "content too large")


def check(row, status, method, target, host, agent, why):
    assert row["status"] == status, row
    assert row["method"] == method and row["ended"] == "refused", row
    assert target is None or row["target"] == target, row
    assert host is None or row["host"] == host, row
    assert agent is None or row["user_agent"] == agent, row
    assert re.search(why, row["reason"]), row


@pytest.mark.parametrize("name", [name for name in HTTP1 if name not in ANSWERED])
def test_http1(name):
    sent, *wanted = HTTP1[name]
    row = refused(sent)
    check(row, *wanted)
    assert row["version"] == 1.1 and row["duration_ms"] < 1000


@pytest.mark.parametrize("name", ANSWERED)
def test_http1_answered_with_a_status_of_its_own(name):
    sent, status, method, target, host, agent, why = HTTP1[name]
    row = refused(sent)
    assert (row["status"], row["method"], row["host"], row["user_agent"]) == (status, method, host, agent), row
    assert row["target"].startswith(target) and re.search(why, row["reason"]), row


def test_http1_as_combined():
    with Pollux("respond", "-w1") as server:
        for sent in (b"GET /%zz\"x HTTP/1.0\r\nUser-Agent: a\"b\r\nReferer: r\r\n\r\n", b"nonsense\t\r\n\r\n",
                     b"GET /" + b"t" * 9000 + b" HTTP/1.1\r\n\r\n"):
            with Wire(server.address) as wire:
                wire.send(sent)
                wire.reply()
        lines = server.wait_stdout(lambda out: out.count(b"\n") == 3).splitlines()
    assert lines[0].endswith(b'"GET /%zz\\x22x HTTP/1.0" 400 16 "r" "a\\x22b"')
    assert b'] "nonsense\\x09" 400 ' in lines[1]
    assert b'] "GET /' + b"t" * (CUT - 5) + b'" 414 ' in lines[2]


def test_a_log_line_has_a_bound():
    """What the log takes for a request is bounded, whatever bytes it was made of."""
    with Pollux("respond", "-w1", "--log=json") as server:
        for sent in (b"GET / HTTP/1.1\r\nHost : a\r\nUser-Agent: " + b"\xff" * 30000 + b"\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: " + b"\xff" * 30000 + b"\r\n\r\n"):
            with Wire(server.address) as wire:
                wire.send(sent)
                wire.reply()
        lines = server.wait_stdout(lambda out: out.count(b"\n") == 2).splitlines()
    assert all(len(line) < 6 * CUT + 1024 and json.loads(line)["user_agent"] in ("\xff" * CUT, "") for line in lines)


# --- Before a head is whole ----------------------------------------------------------------------


def insecure():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@pytest.mark.parametrize("pieces", [1, 2])
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_a_head_that_does_not_come(pieces, secure):
    head = b"GET /slow HTTP/1.1\r\nHost: a\r\n" + AGENT + b"X: half"
    args = ["-l", "https://127.0.0.1:0", "--tls-self-signed"] if secure else []
    with Pollux("respond", "-w1", "--log=json", "--timeout-head=700ms", *args) as server:
        with TlsWire(server.address, insecure()) if secure else Wire(server.address) as wire:
            if pieces == 2:
                wire.send(head[:10])
                time.sleep(0.1)
            wire.send(head[10:] if pieces == 2 else head)
            assert wire.reply().status == 408
        row = row_of(server)
    assert (row["method"], row["target"], row["host"], row["user_agent"]) == ("GET", "/slow", "a", "scan/1")
    assert row["reason"] == "the head did not come in time" and row["ended"] == "timeout"
    assert 500 <= row["duration_ms"] < 5000


def test_a_peer_that_ends_within_the_head():
    row = refused(b"GET /gone HTTP/1.1\r\nHost: a\r\n" + AGENT, half_close=True)
    check(row, 400, "GET", "/gone", "a", "scan/1", "the peer ended within the head")


def test_content_that_does_not_come():
    head = b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n" + AGENT + b"\r\n123"
    row = refused(head, "--timeout-total=700ms")
    assert (row["status"], row["target"], row["user_agent"]) == (408, "/up", "scan/1")
    assert row["reason"] == "the content did not come in time" and row["duration_ms"] >= 500


def test_plain_http_on_a_port_for_tls():
    row = refused(b"GET /plain HTTP/1.1\r\nHost: a\r\n" + AGENT + b"\r\n", "-l", "https://127.0.0.1:0", "--tls-self-signed")
    check(row, 400, "GET", "/plain", "a", "scan/1", "plain HTTP on a port for TLS")


def test_a_newcomer_that_is_turned_away():
    with Pollux("respond", "-w1", "--log=json", "--max-connections=1") as server:
        with Wire(server.address) as busy, Wire(server.address) as wire:
            busy.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n1")
            time.sleep(0.1)
            wire.send(b"GET /turned HTTP/1.1\r\nHost: a\r\n" + AGENT + b"\r\n")
            assert wire.reply().status == 503
            row = row_of(server)
    assert (row["method"], row["target"], row["user_agent"]) == ("GET", "/turned", "scan/1")
    assert row["reason"] == "too many connections"


def test_the_client_behind_a_proxy():
    for sent, client in (
        (b"GET / HTTP/1.1\r\nHost : a\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n", "192.0.2.7"),
        (b"GET / HTTP/1.1\r\nHost : a\r\nForwarded: for=192.0.2.8\r\n\r\n", "192.0.2.8"),
        (b"GET / HTTP/1.1\r\nHost : a\r\nForwarded: for=1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\nHost : a\r\n" + b"X-Forwarded-For: 1.1.1.1\r\n" * 17 + b"\r\n", None),
    ):
        row = refused(sent, "--trust-proxy", "127.0.0.0/8")
        assert row.get("client") == client, row


# --- HTTP/2 --------------------------------------------------------------------------------------

AGENT2 = (b"user-agent", b"scan/2")
HTTP2 = {
    "target": (get(AGENT2, path="/%zz\"\\"), 400, "/%zz\"\\", "a", "target"),
    "host differs": (get(AGENT2, (b"host", b"b")), 400, "/", "a", "Host"),
    "scheme": (get(AGENT2, scheme="ftp"), 400, "/", "a", "scheme"),
    "a long target": (get(AGENT2, path="/" + "t" * 9000), 414, "/" + "t" * (CUT - 1), "a", "target too long"),
    "a target as long as a head": (get(path="/" + "t" * 33000), 431, "/" + "t" * (CUT - 1), "a", "head too large"),
    "a long field": (get(AGENT2, (b"x", b"y" * 33000)), 431, "/", "a", "head too large"),
    "many fields": (get(AGENT2, *[(b"x%d" % n, b"y") for n in range(120)]), 431, "/", "a", "too many fields"),
}


@pytest.mark.parametrize("name", HTTP2)
def test_http2(name):
    fields, status, target, host, why = HTTP2[name]
    with Pollux("respond", "-w1", "--log=json") as server:
        with H2Wire(server.address) as h2:
            block = literals(fields)
            frames = [headers(1, block[:16000], done=len(block) <= 16000)]
            frames += [continuation(1, block[at : at + 16000], at + 16000 >= len(block))
                       for at in range(16000, len(block), 16000)]
            h2.send(b"".join(frames))
            assert h2.response(1).status == status
        row = row_of(server)
    assert (row["status"], row["method"], row["target"]) == (status, "GET", target), row
    assert row["version"] == 2.0 and row["ended"] == "refused" and re.search(why, row["reason"]), row
    assert row["host"] == host or "as long as a head" in name
    assert row["user_agent"] == ("" if "as long as a head" in name else "scan/2")


def test_http2_as_combined():
    with Pollux("respond", "-w1") as server:
        with H2Wire(server.address) as h2:
            h2.request(1, get(AGENT2, path="/%zz\""))
            assert h2.response(1).status == 400
        line = server.wait_stdout(lambda out: out.endswith(b"\n"))
    assert line.endswith(b'"GET /%zz\\x22 HTTP/2.0" 400 16 "-" "scan/2"\n')


def test_http2_content():
    with Pollux("respond", "-w1", "--log=json") as server:
        with H2Wire(server.address) as h2:
            h2.request(1, get((b"content-length", b"5000000"), AGENT2, method="POST", path="/l"), end=False)
            assert h2.response(1).status == 413
        row = row_of(server)
    assert (row["target"], row["user_agent"], row["reason"]) == ("/l", "scan/2", "content too large")
