"""Proxy-Status (RFC 9209): errors of the proxy say their kind, where they are to, and nothing else does."""

import socket

import pytest

from lib.runner import Pollux
from lib.upstream import OK, Upstream, answers, closed_port
from lib.wire import Wire, ask
from test_proxy_health import Slow
from test_proxy_upstream import GET, HANDSHAKE, proxy, switches, through, until
from test_run import folder, serve  # noqa: F401

pytestmark = pytest.mark.short


def sends(answer):
    def script(peer):
        peer.request()
        peer.send(answer)

    return script


def silent(peer):
    peer.request()
    peer.wait_end()


OF_SERVERS = [
    # (what the server does, what it is asked, the status, the kind)
    (silent, GET, 504, "http_response_timeout"),
    (sends(b""), GET, 502, "connection_terminated"),
    (sends(b"HTTP/1.1 20"), GET, 502, "http_response_incomplete"),
    (sends(b"hello\r\n\r\n"), GET, 502, "http_protocol_error"),
    (sends(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), GET, 502, "http_protocol_error"),
    (sends(b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"), GET, 502, "http_protocol_error"),
    (sends(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20000 + b"\r\n\r\n"), GET, 502, "http_response_header_section_size"),
    (switches(accept=b"x" * 28), HANDSHAKE, 502, "http_upgrade_failed"),
]

HERE = [
    (GET[:-2] + b"Via: 1.1 pollux\r\n\r\n", 508, "proxy_loop_detected"),
    (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 405, "http_request_error"),
    (GET[:-2] + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n", 400, "http_request_error"),
    (GET[:-2] + b"Connection: " + b",".join(b"x%d" % i for i in range(17)) + b"\r\n\r\n", 400, "http_request_error"),
]


def said(reply):
    return reply.status, reply.value("Proxy-Status")


def test_what_went_wrong_with_a_server():
    assert len(OF_SERVERS) == 8
    for script, request, status, kind in OF_SERVERS:
        with through(script, "--proxy-status", "--timeout-first-byte", "150ms") as (server, _):
            assert said(ask(server.address, request)) == (status, f"pollux; error={kind}")
        if kind != "http_response_timeout":
            with through(script) as (server, _):
                assert said(ask(server.address, request)) == (status, None)


def test_what_went_wrong_without_a_connection(authority):
    with proxy(closed_port(), flags=("--proxy-status",)) as server:
        assert said(ask(server.address, GET)) == (502, "pollux; error=connection_refused")

    def no_tls(peer):
        peer.more()
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with Upstream(no_tls) as plain, proxy(plain.url.replace("http:", "https:"), flags=("--proxy-status",)) as server:
        assert said(ask(server.address, GET)) == (502, "pollux; error=tls_protocol_error")
    cert, key = authority.issue("127.0.0.1", file="status")
    argv = ["respond", "--log", "off", "-w", "1", "--tls-cert", cert, "--tls-key", key, "-l", "https://127.0.0.1:0"]
    with Pollux(*argv) as secure, proxy("https://127.0.0.1:%d" % secure.address[1], flags=("--proxy-status",)) as server:
        assert said(ask(server.address, GET)) == (502, "pollux; error=tls_certificate_error")
    # A listener whose queue is full takes no more: the kernel drops what asks.
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        held = []
        for _ in range(3):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
            held.append(sock)
        flags = ("--proxy-status", "--timeout-connect", "100ms")
        with proxy(f"http://127.0.0.1:{port}", flags=flags) as server:
            assert said(ask(server.address, GET)) == (504, "pollux; error=connection_timeout")
        for sock in held:
            sock.close()


def test_a_name_that_is_not_known(folder):  # noqa: F811
    from test_resolver import names

    with names({}) as server_of_names:
        text = f"resolver {server_of_names.address}\nproxy http://none.pollux.test:80 {{\n    proxy_status on\n}}\n"
        with serve(folder, text) as server:
            assert said(ask(server.address, GET)) == (502, "pollux; error=dns_error")


def test_what_is_answered_here():
    assert len(HERE) == 4
    with through(answers(), "--proxy-status") as (server, _):
        for request, status, kind in HERE:
            assert said(ask(server.address, request)) == (status, f"pollux; error={kind}")
        reply = ask(server.address, b"OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n")
        assert said(reply) == (204, None)


def test_a_server_at_its_limit():
    slow = Slow()
    flags = ("--proxy-status", "--max-upstream", "1", "--queue", "off")
    with through(slow, *flags) as (server, _), Wire(server.address) as first:
        first.send(GET)
        until(lambda: slow.paths)
        reply = ask(server.address, GET)
        assert said(reply) == (503, "pollux; error=connection_limit_reached") and reply.value("Retry-After") == "1"
        slow.go.release()
        assert said(first.reply()) == (200, None)


def test_a_name_that_is_no_token_is_a_string():
    """RFC 8941 section 3.3.4: a token begins with a letter or an asterisk."""
    for name, text in ("9edge", '"9edge"'), ("*edge", "*edge"), ("edge-1", "edge-1"):
        with proxy(closed_port(), flags=("--proxy-status", "--via", name)) as server:
            assert said(ask(server.address, GET)) == (502, f"{text}; error=connection_refused")


def test_what_a_server_says_of_itself_goes_on():
    own = OK.replace(b"Content", b"Proxy-Status: origin; error=dns_error\r\nContent", 1)
    with through(answers(own), "--proxy-status") as (server, _):
        assert said(ask(server.address, GET)) == (200, "origin; error=dns_error")


def test_underscores_that_are_refused(folder):  # noqa: F811
    with Upstream() as upstream:
        text = f"proxy {upstream.url} {{\n    underscores reject\n    proxy_status on\n}}\n"
        with serve(folder, text) as server:
            for name in (b"X_Forwarded_For", b"Remote_User", b"_"):
                reply = ask(server.address, GET[:-2] + name + b": 1\r\n\r\n")
                assert said(reply) == (400, "pollux; error=http_request_error"), name
            assert ask(server.address, GET[:-2] + b"X-A: a_b\r\n\r\n").content == b"ok"
        assert len(upstream.heads) == 1
