"""What a scrape says of upstreams: requests, retries, reuse, times, and which servers are up."""

import signal
import time

import pytest

from lib.upstream import OK, Upstream, answers, closed_port
from lib.wire import Wire, ask
from test_proxy_upstream import HANDSHAKE, switches
from test_metrics import Observed, ObservedFile, check, request


def labelled(samples, name):
    """By the last label's value, which is the server or the reason."""
    return {labels.split('"')[-2]: value for (other, labels), value in samples.items() if other == name}


def until(condition, seconds=8.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def proxied(*servers, flags=()):
    return Observed("proxy", "-w1", "--log", "off", "--balance", "roundrobin", *flags,
                    *(server if isinstance(server, str) else server.url for server in servers))


def test_all_is_there_from_the_start():
    one, two = closed_port(), closed_port()
    with proxied(one, two) as server:
        samples = server.samples()
        for name in ("requests_total", "failures_total", "active"):
            assert labelled(samples, f"pollux_upstream_{name}") == {one: 0, two: 0}, name
        assert labelled(samples, "pollux_upstream_up") == {one: 1, two: 1}
        assert labelled(samples, "pollux_upstream_retries_total") == {
            reason: 0 for reason in ("unsent", "unprocessed", "reused", "disconnect")}
        for name in ("queue", "panic", "reuses_total", "connect_seconds_count", "first_byte_seconds_count"):
            assert labelled(samples, f"pollux_upstream_{name}") == {one: 0}, name
        check(server.scrape())


def test_requests_connections_and_times():
    def script(peer):
        while True:
            peer.request()
            time.sleep(0.12)
            peer.send(OK)

    with Upstream(script) as upstream, proxied(upstream) as server:
        with Wire(server.address) as wire:
            for _ in range(3):
                wire.send(request("/").replace(b"Connection: close\r\n", b""))
                assert wire.reply().status == 200
        samples = server.samples()
        assert labelled(samples, "pollux_upstream_requests_total") == {upstream.url: 3}
        assert labelled(samples, "pollux_upstream_reuses_total") == {upstream.url: 2}
        assert labelled(samples, "pollux_upstream_connect_seconds_count") == {upstream.url: 1}
        assert labelled(samples, "pollux_upstream_first_byte_seconds_count") == {upstream.url: 3}
        assert 0.33 <= labelled(samples, "pollux_upstream_first_byte_seconds_sum")[upstream.url] < 2
        assert labelled(samples, "pollux_upstream_failures_total") == {upstream.url: 0}


def hangs(peer):
    peer.request()
    peer.wait_end()


def test_what_is_active_and_what_waits():
    with Upstream(hangs) as upstream, proxied(upstream, flags=("--max-upstream", "2")) as server:
        wires = [Wire(server.address) for _ in range(5)]
        for wire in wires:
            wire.send(request("/"))
        until(lambda: labelled(server.samples(), "pollux_upstream_active") == {upstream.url: 2})
        assert labelled(server.samples(), "pollux_upstream_queue") == {upstream.url: 3}
        for wire in wires:
            wire.sock.close()
        until(lambda: labelled(server.samples(), "pollux_upstream_active") == {upstream.url: 0})
        assert labelled(server.samples(), "pollux_upstream_queue") == {upstream.url: 0}


def test_what_is_active_is_known_at_once():
    """And not once a second."""
    with Upstream(hangs) as upstream, proxied(upstream) as server:
        assert labelled(server.samples(), "pollux_upstream_active") == {upstream.url: 0}
        for number in range(3):
            with Wire(server.address) as wire:
                wire.send(request("/"))
                until(lambda: len(upstream.heads) > number)
                assert labelled(server.samples(), "pollux_upstream_active") == {upstream.url: 1}
            until(lambda: labelled(server.samples(), "pollux_upstream_active") == {upstream.url: 0})


OBSERVED = "listen 127.0.0.1:0\nmetrics 127.0.0.1:0\nworkers 1\nlog off\n"


def test_proxies_that_ask_the_same_server_are_told_apart(tmp_path):
    with Upstream() as upstream:
        route = f"route /%s {{\n proxy {upstream.url}\n}}\n"
        text = "".join(route % name for name in ("one", "two", "three"))
        file = tmp_path / "pollux.conf"
        file.write_text(OBSERVED + text)
        with ObservedFile(file) as server:
            for path, count in (("/one", 1), ("/two", 2), ("/three", 3)):
                for _ in range(count):
                    assert ask(server.address, request(path)).status == 200
            found = {labels.split('"')[-4]: value for (name, labels), value in server.samples().items()
                     if name == "pollux_upstream_requests_total"}
            assert found == {upstream.url: 1, upstream.url + " (2)": 2, upstream.url + " (3)": 3}


def dies_when_reused(peer):
    peer.request()
    peer.send(OK)
    peer.request()
    peer.reset()


def dies(peer):
    peer.request()
    peer.reset()


def test_retries_have_a_reason():
    dead = closed_port()
    with Upstream(answers()) as upstream, proxied(dead, upstream) as server:
        for _ in range(2):
            assert ask(server.address, request("/")).status == 200
        samples = server.samples()
        assert labelled(samples, "pollux_upstream_retries_total")["unsent"] == 1
        assert labelled(samples, "pollux_upstream_requests_total") == {dead: 1, upstream.url: 2}
        assert labelled(samples, "pollux_upstream_failures_total") == {dead: 1, upstream.url: 0}
    with Upstream(dies_when_reused) as upstream, proxied(upstream) as server:
        for _ in range(2):
            assert ask(server.address, request("/")).status == 200
        assert labelled(server.samples(), "pollux_upstream_retries_total")["reused"] == 1


def test_which_servers_are_up_and_panic():
    servers = [closed_port() for _ in range(2)]
    with Upstream(answers()) as upstream, proxied(*servers, upstream, flags=("--fails", "1", "--tries", "3")) as server:
        for _ in range(3):
            assert ask(server.address, request("/")).status == 200
        samples = server.samples()  # at once, and not by the next look
        up = labelled(samples, "pollux_upstream_up")
        assert up[upstream.url] == 1 and sum(up.values()) == 1
        assert list(labelled(samples, "pollux_upstream_panic").values()) == [1]


def test_websockets_that_are_passed_on():
    kinds = lambda: labelled(server.samples(), "pollux_websocket_open")
    with Upstream(switches()) as upstream, proxied(upstream) as server:
        assert kinds() == {"served": 0, "proxied": 0}
        assert len(labelled(server.samples(), "pollux_websocket_closes_total")) == 7
        for count in (1, 2):
            with Wire(server.address) as wire:
                wire.send(HANDSHAKE)
                until(lambda: wire._collect() or b"first" in wire.received)
                until(lambda: kinds() == {"served": 0, "proxied": 1})
                wire.send(b"bye")
                assert wire.rest().endswith(b"end")
            until(lambda: kinds() == {"served": 0, "proxied": 0})
            assert labelled(server.samples(), "pollux_websocket_opened_total")["proxied"] == count


def test_not_ready_while_no_server_is_up():
    dead = closed_port()
    with proxied(dead, flags=("--fails", "1", "--tries", "1")) as server:
        assert ask(server.metrics, request("/ready")).status == 200
        assert ask(server.address, request("/")).status == 502
        reply = ask(server.metrics, request("/ready"))
        assert (reply.status, reply.content) == (503, b"no server of an upstream is up\n")
        assert ask(server.metrics, request("/health")).status == 200
        assert list(labelled(server.samples(), "pollux_upstream_available").values()) == [0]
        until(lambda: ask(server.metrics, request("/ready")).status == 200)  # it is asked again after a second


def test_ready_while_one_server_is_up_and_by_checks():
    alive = []

    def script(peer):
        while True:
            peer.request()
            peer.send(OK if alive else OK.replace(b"200 OK", b"503 No"))

    with Upstream(script) as upstream, proxied(upstream, flags=("--check", "/")) as server:
        until(lambda: ask(server.metrics, request("/ready")).status == 503, 15)
        alive.append(True)
        until(lambda: ask(server.metrics, request("/ready")).status == 200, 15)


UNUSED = """
listen 127.0.0.1:0
metrics 127.0.0.1:0
workers 1
log off
upstream unused {
    server %s
    check / every=100ms fall=1
}
respond
"""


def test_an_upstream_that_is_not_used_does_not_matter(tmp_path):
    path = tmp_path / "pollux.conf"
    path.write_text(UNUSED % closed_port())
    with ObservedFile(path) as server:
        until(lambda: list(labelled(server.samples(), "pollux_upstream_up").values()) == [0])
        assert ask(server.metrics, request("/ready")).status == 200


CONFIG = """
listen 127.0.0.1:0
metrics 127.0.0.1:0
workers 1
log off
upstream %s {
    server %s
}
proxy %s
"""


def test_an_upstream_that_a_reload_takes_out_is_not_down(tmp_path):
    with Upstream(answers()) as one, Upstream(answers()) as two:
        path = tmp_path / "pollux.conf"
        path.write_text(CONFIG % ("first", one.url, "first"))
        with ObservedFile(path) as server:
            assert ask(server.address, request("/")).status == 200
            assert labelled(server.samples(), "pollux_upstream_up") == {one.url: 1}
            path.write_text(CONFIG % ("second", two.url, "second"))
            server.signal(signal.SIGHUP)
            server.wait_stderr("reloaded")
            until(lambda: labelled(server.samples(), "pollux_upstream_up") == {two.url: 1})
            samples = server.samples()
            assert ("pollux_upstream_up", f'{{upstream="second",server="{two.url}"}}') in samples
            # What was counted stays.
            assert labelled(samples, "pollux_upstream_requests_total") == {one.url: 1, two.url: 0}
