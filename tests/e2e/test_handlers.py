"""One handler, any version: what the handlers of `gallery/` do is the same over HTTP/1.1 and
HTTP/2, in the clear and over TLS.  No test here knows which it runs on."""

import os

import pytest

from lib.pattern import BYTES_MAX, PATTERN
from lib.transport import TRANSPORTS

pytestmark = pytest.mark.short

@pytest.fixture(params=TRANSPORTS, ids=lambda transport: transport.name)
def client(request, gallery):
    with request.param.client(gallery) as client:
        client.transport = request.param
        yield client


# --- Answers -------------------------------------------------------------------------------------


def test_text(client):
    for _ in range(3):
        answer = client.ask("GET", "/text")
        assert (answer.status, answer.content) == (200, b"Hello, world!")
        assert answer.value("content-type") == "text/plain; charset=utf-8"
        assert answer.value("content-length") == "13"


def test_the_fields_are_the_same_everywhere(client):
    answer = client.ask("GET", "/cookies")
    assert answer.values("set-cookie") == ["a=1; Path=/", "b=2; HttpOnly"]
    assert answer.value("x-mixed-case") == "Value, Kept"
    assert answer.value("cache-control") == "no-store"
    assert answer.value("x-seen") == "by the filter"
    names = [name for name, _ in answer.fields]
    assert sorted(names) == sorted(
        ["server", "date", "set-cookie", "set-cookie", "x-mixed-case", "cache-control", "x-seen", "content-type",
         "content-length"])  # fmt: skip


UNSIZED = ("/producer?n={}", "/pieces?n={}")
SIZES = [0, 1, 13, 4095, 4096, 4097, 16383, 16384, 16385, 65535, 65536, 100000, 1 << 20, BYTES_MAX]


@pytest.mark.parametrize("path", ["/body?n={}", "/file?n={}", "/producer?n={}&known=1", "/producer?n={}", "/pieces?n={}"])
def test_content_of_every_size(client, path):
    for size in SIZES:
        answer = client.ask("GET", path.format(size))
        assert answer.status == 200 and answer.content == PATTERN[:size], size
        known = answer.value("content-length")
        assert known == (None if path in UNSIZED else str(size)) or (size == 0 and known == "0")
        head = client.ask("HEAD", path.format(size))
        assert (head.status, head.content) == (200, b"")
        assert head.value("content-length") in (known, None)


def test_a_range_of_a_file(client):
    for at, size in [(0, 10), (5, 100000), (BYTES_MAX - 7, 7), (100, 0)]:
        assert client.ask("GET", f"/file?at={at}&n={size}").content == PATTERN[at : at + size]


def test_a_producer_that_takes_its_time(client):
    for size in (1, 5000, 200000):
        assert client.ask("GET", f"/producer?n={size}&later=1").content == PATTERN[:size]


def test_trailers(client):
    answer = client.ask("GET", "/pieces?n=70000")
    assert answer.content == PATTERN[:70000]
    assert answer.trailers == [("x-sum", "none"), ("x-end", "yes")]


def test_interim_responses(client):
    answer = client.ask("GET", "/inform")
    assert (answer.status, answer.content) == (200, b"after 103\n")
    assert answer.interim == [(103, [("link", "</a.css>; rel=preload")]), (103, [("link", "</b.css>; rel=preload")])]


def test_late(client):
    assert client.ask("GET", "/late?ms=20").content == b"late\n"


def test_without_content(client):
    for status in (204, 304):
        answer = client.ask("GET", f"/nothing?status={status}")
        assert (answer.status, answer.content) == (status, b"")


def test_redirect(client):
    answer = client.ask("GET", "/away")
    assert (answer.status, answer.value("location")) == (303, "/text?a=b")


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_error(client, status):
    answer = client.ask("GET", f"/error?status={status}")
    assert answer.status == status and answer.content


def test_filter(client):
    for size in (1, 13, 5000, 100000):
        answer = client.ask("GET", f"/upper?n={size}")
        assert answer.content == PATTERN[:size].upper()
        assert answer.value("content-length") is None


def test_middleware_answers(client):
    answer = client.ask("GET", "/text", ("X-Gate", "shut"))
    assert (answer.status, answer.content) == (403, b"shut\n")
    assert client.ask("GET", "/text").status == 200


def test_what_no_route_serves(client):
    assert client.ask("GET", "/nowhere").status == 404
    answer = client.ask("DELETE", "/text")
    assert answer.status == 405 and answer.value("allow") == "GET, HEAD, OPTIONS"
    assert client.ask("GET", "/text/../text").status in (200, 301, 308)
    assert client.ask("GET", "/text").status == 200


def test_many_at_once(client):
    targets = ["/text", "/body?n=50000", "/late?ms=5", "/pieces?n=20000", "/producer?n=30000&later=1", "/nowhere"] * 10
    answers = client.ask_all(targets)
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 200, 404] * 10
    for answer, target in zip(answers, targets):
        if "n=" in target:
            assert answer.content == PATTERN[: int(target.split("n=")[1].split("&")[0])]


@pytest.mark.parametrize("target", [
    "/wrong?how=short", "/wrong?how=long", "/wrong?how=begun", "/wrong?how=now", "/wrong?how=end",
    "/producer?n=50000&fails=1", "/producer?n=50000&fails=1&known=1", "/file?at=4194300&n=100",
])  # fmt: skip
def test_what_breaks_never_looks_complete(client, target):
    assert client.breaks(target), f"{target} looks complete"


@pytest.mark.parametrize("how", ["field", "twice"])
def test_what_breaks_before_it_was_begun_is_a_500(client, how):
    answer = client.ask("GET", f"/wrong?how={how}")
    assert (answer.status, answer.content) == (500, b"500 Internal Server Error\n")


# --- Requests ------------------------------------------------------------------------------------


def lines(answer):
    return [tuple(line.split("=", 1)) for line in answer.content.decode("latin-1").splitlines()]


def test_what_a_handler_can_know(client):
    answer = client.ask("GET", "/fields/a%20b?x=y&z", ("X-One", "1"), ("X-Two", "a, b"), ("x-one", "again"))
    seen = lines(answer)
    for pair in [
        (".method", "GET"), (".path", "/fields/a b"), (".raw", "/fields/a%20b"), (".query", "x=y&z"), (".authority", "a"),
        (".scheme", client.transport.scheme), (".id", "a b"), (".peer", "known"), ("x-two", "a, b"),
    ]:  # fmt: skip
        assert pair in seen, f"{pair} not in {seen}"
    assert [value for name, value in seen if name == "x-one"] == ["1", "again"]
    assert [value for name, value in seen if name == "host"] == ["a"], "Host is there, once, in any version"
    assert not [name for name, _ in seen if name.startswith(":")], "pseudo-fields are no fields"


def test_cookies(client):
    seen = lines(client.ask("GET", "/fields/1", ("Cookie", "a=1; b=2; c=3")))
    assert (".cookie-b", "2") in seen and ("cookie", "a=1; b=2; c=3") in seen


def sum_of(content):
    """As gallery_count does it, with the arithmetic of 32 bits."""
    total = 0
    for byte in content:
        total = (total * 31 + byte) & 0xFFFFFFFF
    return total


CONTENT = os.urandom(300000)


@pytest.mark.parametrize("unsized", [False, True], ids=["sized", "unsized"])
def test_content_is_collected(client, unsized):
    for size in (0, 1, 5000, 70000, 1 << 20):
        content = PATTERN[:size]
        answer = client.ask("POST", "/echo", ("Content-Type", "a/b"), content=content, unsized=unsized)
        assert (answer.status, answer.content, answer.value("content-type")) == (200, content, "a/b")


@pytest.mark.parametrize("slow", [0, 1], ids=["fast", "slow"])
@pytest.mark.parametrize("unsized", [False, True], ids=["sized", "unsized"])
def test_content_in_pieces(client, unsized, slow):
    for content in (b"", b"x", CONTENT):
        answer = client.ask("POST", f"/count?slow={slow}", content=content, unsized=unsized)
        assert lines(answer) == [(".content", f"{len(content)} {sum_of(content)}")]


def test_request_trailers(client):
    answer = client.ask("POST", "/count", content=b"hello", trailers=[("X-Sum", "1"), ("X-End", "2")])
    assert lines(answer) == [(".content", f"5 {sum_of(b'hello')}"), ("trailer x-sum", "1"), ("trailer x-end", "2")]


def test_content_is_sent_back_while_it_comes(client):
    for size in (1, 70000, 200000):
        answer = client.ask("POST", "/stream", content=PATTERN[:size], trailers=[("x-a", "b")])
        assert answer.content == PATTERN[:size] and answer.trailers == [("x-a", "b")]


def test_content_is_dropped(client):
    for path in ("/early", "/drop"):
        for size in (0, 5, 100000):
            assert client.ask("POST", path, content=bytes(size)).content == b"early\n"
    assert client.ask("GET", "/text").status == 200


def test_forms(client):
    answer = client.ask("POST", "/form", ("Content-Type", "application/x-www-form-urlencoded"), content=b"a=1&b=x+y&c=%26")
    assert lines(answer) == [("a", "1"), ("b", "x y"), ("c", "&")]
    part = b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
    content = part % (b"a", b"12345") + part % (b"b", PATTERN[:200000]) + b"--x--\r\n"
    answer = client.ask("POST", "/parts", ("Content-Type", "multipart/form-data; boundary=x"), content=content)
    assert answer.content == b"2 parts, 200005 bytes\n"
    assert client.ask("POST", "/parts", ("Content-Type", "text/plain"), content=b"x").status == 415


def test_expectation_that_cannot_be_met(client):
    assert client.ask("POST", "/echo", ("Expect", "x"), content=b"hello").status == 417


# --- Tunnels -------------------------------------------------------------------------------------


def test_tunnel(client):
    assert client.tunnel("/tunnel", "echo")
    client.tunnel_send(b"hello ")
    client.tunnel_send(PATTERN[:40000])
    client.tunnel_send(b" bye", end=True)
    assert client.tunnel_rest() == b"hello " + PATTERN[:40000] + b" bye"
