"""The status page: JSON and HTML of the same numbers, and what a browser makes of five hundred routes."""

import json
import subprocess
import time

import pytest

from lib.browser import Browser
from lib.runner import PROGRAM, Server, parse_address
from lib.wire import Wire, ask

ROUTES = 500
UPSTREAMS, SERVERS = 20, 10  # two hundred servers


def request(path, **fields):
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{lines}\r\n".encode()


def status_of(server, path="/status.json", **fields):
    answer = ask(server.metrics, request(path, **fields))
    assert answer.status == 200 and answer.value("content-type") == "application/json"
    return json.loads(answer.content)


class Served(Server):
    """`pollux run` of a file that has an operator's address."""

    def __init__(self, file):
        super().__init__([PROGRAM, "run", "-c", file])
        self.metrics = parse_address(self.wait_stderr(r"metrics on (\S+)")[0][1])


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Five hundred routes, each asked once, by two workers, and two hundred servers behind."""
    file = tmp_path_factory.mktemp("status") / "pollux.conf"
    routes = "".join(f"route /area{i}/{{name}} {{ respond 200 x }}\n" for i in range(ROUTES))
    servers = "".join(
        f"upstream app{i} {{\n" + "".join(f"server 127.0.{i}.{k + 1}:9\n" for k in range(SERVERS)) + "}\n"
        f"route /proxied{i} {{ proxy app{i} }}\n"
        for i in range(UPSTREAMS)
    )
    file.write_text(f"listen 127.0.0.1:0\nworkers 2\nlog off\nmetrics 127.0.0.1:0\n{routes}{servers}")
    with Served(file) as server:
        with Wire(server.address) as wire:
            for i in range(ROUTES):
                wire.send(f"GET /area{i}/x HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                assert wire.reply().status == 200
        ask(server.address, request("/none"))
        yield server


def test_json(many):
    status = status_of(many)
    assert status["total"]["requests"] == ROUTES + 1
    assert {route["route"] for route in status["routes"]} >= {f"/area{i}/{{name}}" for i in range(ROUTES)}
    assert all(route["requests"] == 1 for route in status["routes"])
    assert len(status["workers"]) == 2
    assert sum(worker["requests"] for worker in status["workers"]) == ROUTES + 1
    assert status["metrics"]["pollux_responses"] == {'class="2xx"': ROUTES, 'class="4xx"': 1}
    assert abs(status["time"] - time.time()) < 5


def test_json_says_what_a_scrape_says(many):
    """In the unit of the name, and a state as what it is: up is 1, and not the cell that holds it."""
    numbers = status_of(many)["metrics"]
    text = ask(many.metrics, request("/metrics")).content.decode()
    scraped = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            scraped[name] = float(value)
    compared = 0
    for name, series in numbers.items():
        if name.startswith("process_") or "tick" in name or "connections" in name or "accepts" in name:
            continue  # they change between the two
        for labels, value in series.items():
            sample = f"{name}{{{labels}}}" if labels else name
            total = sample.replace("{", "_total{", 1) if labels else name + "_total"
            assert scraped.get(sample, scraped.get(total)) == value, sample
            compared += 1
    assert compared > UPSTREAMS * SERVERS
    assert set(numbers["pollux_upstream_up"].values()) == {1}
    assert 0 < numbers["process_cpu_seconds"][""] < 60


def test_json_where_it_is_asked_for(many):
    assert status_of(many, "/status", Accept="application/json")["total"]["requests"] == ROUTES + 1
    for accept in ("text/html,application/xhtml+xml,*/*;q=0.8", "*/*", "text/html, application/json"):
        assert ask(many.metrics, request("/status", Accept=accept)).value("content-type").startswith("text/html")


def test_all_servers_are_there(many):
    """Whether asked or not; what failed says so."""
    for i in range(3):
        ask(many.address, request(f"/proxied{i}"))
    wanted = {(f"app{i}", f"http://127.0.{i}.{k + 1}:9") for i in range(UPSTREAMS) for k in range(SERVERS)}
    end = time.monotonic() + 10
    while True:
        began = time.monotonic()
        page = ask(many.metrics, request("/status")).content.decode()
        assert time.monotonic() - began < 1
        servers = status_of(many)["servers"]
        if {(one["upstream"], one["server"]) for one in servers} == wanted and sum(one["failures"] for one in servers) >= 3:
            break
        assert time.monotonic() < end, servers
        time.sleep(0.2)
    for upstream, server in wanted:
        assert f"<td>{server}</td><td class=\"t wide\">{upstream}</td>" in page
    assert all(one["up"] in (True, False) and one["active"] == 0 for one in servers)


def test_html_is_whole_and_alone(many):
    began = time.monotonic()
    page = ask(many.metrics, request("/status"))
    assert time.monotonic() - began < 1
    done = subprocess.run(["tidy", "-q", "-e"], input=page.content, capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr
    text = page.content.decode()
    for outside in ('href="http', "url(", "@import", "src="):
        assert outside not in text
    assert text.count("<td>/area") == ROUTES
    assert "default-src 'none'" in page.value("content-security-policy")


def test_names_of_files_are_text(tmp_path):
    """What comes from outside of the page is no markup in it."""
    file = tmp_path / "pollux.conf"
    file.write_text("listen 127.0.0.1:0\nworkers 1\nlog off\nmetrics 127.0.0.1:0\nroute /a&b/ { respond 200 x }\n")
    with Served(file) as server:
        assert ask(server.address, request("/a&b/")).status == 200
        assert "<td>/a&amp;b/" in ask(server.metrics, request("/status")).content.decode()
        assert [route["route"] for route in status_of(server)["routes"]] == ["/a&b/"]


def test_in_a_browser(many):
    host, port = many.metrics
    with Browser() as browser:
        for width, dark in ((1200, False), (1200, True), (390, False), (390, True)):
            page = browser.open(f"http://{host}:{port}/status", width=width, dark=dark)
            page.screenshot(f"status-{width}-{'dark' if dark else 'light'}.png")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate("document.querySelectorAll('tbody tr').length") > ROUTES
            took = page.evaluate("performance.timing.loadEventEnd - performance.timing.navigationStart")
            assert 0 < took < 1000
            ink = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (ink == "rgb(20, 23, 27)") == dark
        # It goes on by itself.
        before = page.evaluate("document.querySelector('.cards').textContent")
        ask(many.address, request("/none"))
        end = time.monotonic() + 10
        while page.evaluate("document.querySelector('.cards').textContent") == before:
            assert time.monotonic() < end
            time.sleep(0.2)
