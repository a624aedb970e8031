"""What a scrape says: of all workers, over their deaths, reloads and replacements."""

import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from lib.runner import PROGRAM, ROOT, Pollux, Server, parse_address, run
from lib.upstream import Upstream, closed_port
from lib.wire import Wire, ask

OPEN = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
SAMPLE = re.compile(r"\A([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? (\S+)\Z")


def request(path, **fields):
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{lines}\r\n".encode()


class Observed(Pollux):
    """A server with an operator's address."""

    def __init__(self, *args, **child):
        super().__init__(*args, "--metrics", "127.0.0.1:0", **child)
        self.find()

    def find(self):
        self.metrics = parse_address(self.wait_stderr(r"metrics on (\S+)")[0][1])

    def scrape(self, **fields):
        answer = ask(self.metrics, request("/metrics", **fields))
        assert answer and answer.status == 200
        return answer.content.decode()

    def samples(self):
        found = {}
        for line in self.scrape().splitlines():
            if line and not line.startswith("#"):
                name, labels, value = SAMPLE.match(line).groups()
                assert (name, labels) not in found, line
                found[name, labels or ""] = float(value)
        return found

    def total(self, name):
        return sum(value for (other, _), value in self.samples().items() if other == name)


class ObservedFile(Observed):
    """The same of a configuration, which names both addresses."""

    def __init__(self, path):
        Server.__init__(self, [PROGRAM, "run", "-c", path])
        self.find()


def check(text):
    """promtool has nothing to say."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), capture_output=True, timeout=30)
    assert done.returncode == 0 and not done.stdout and not done.stderr, done


def get(server, path="/", count=1):
    for _ in range(count):
        assert ask(server.address, request(path)).status == 200


def test_formats():
    with Observed("respond", "-w2") as server:
        get(server, count=3)
        ask(server.address, b"BREW / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        plain = ask(server.metrics, request("/metrics"))
        assert plain.value("content-type") == "text/plain; version=0.0.4; charset=utf-8"
        check(plain.content.decode())
        opened = ask(server.metrics, request("/metrics", Accept=OPEN))
        assert opened.value("content-type") == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert opened.content.endswith(b"\n# EOF\n")
        for accept in ("*/*", "text/plain", "application/openmetrics-text;q=0, text/plain", "application/*"):
            assert ask(server.metrics, request("/metrics", Accept=accept)).value("content-type").startswith("text/")


def test_exemplars_name_sampled_traces():
    """A request whose trace others keep is named beside the bucket that it was counted in, of any worker."""
    traces = [f"{index:032x}" for index in (1, 2)]
    with Observed("respond", "-w2", "--log", "json", "--log-file", "/dev/null") as server:
        for trace, sampled in zip(traces, (0, 1)):
            ask(server.address, request("/", traceparent=f"00-{trace}-00f067aa0ba902b7-0{sampled}"))
        opened = server.scrape(Accept=OPEN)
        named = [line for line in opened.splitlines() if " # {" in line]
        assert len(named) == 1, named
        number = r"[0-9]+(\.[0-9]+)?"
        pattern = rf'http_server_request_duration_seconds_bucket\{{.*\}} 2 # \{{trace_id="{traces[1]}"\}} {number} [0-9]+'
        assert re.fullmatch(pattern, named[0]), named
        assert abs(int(named[0].split()[-1]) - time.time()) < 60
        assert " # {" not in server.scrape()


def test_closed_lists_are_there_from_the_start():
    with Observed("respond", "-w1") as server:
        samples = server.samples()
        for name, count in {
            "pollux_responses_total": 5,
            "pollux_refused_total": 9,
            "pollux_timeouts_total": 6,
            "pollux_tls_handshakes_total": 5,
            "pollux_worker_restarts_total": 4,
        }.items():
            values = [value for (other, _), value in samples.items() if other == name]
            assert values == [0] * count, name
        assert samples["pollux_build_info", '{version="0.1.0"}'] == 1
        assert samples["pollux_workers", ""] == 1
        assert time.time() - 60 < samples["process_start_time_seconds", ""] <= time.time()


def test_any_worker_answers_for_all():
    with Observed("respond", "-w3") as server:
        get(server, count=30)
        for _ in range(10):
            assert server.total("pollux_requests_total") == 30
            assert server.total("http_server_request_duration_seconds_count") == 30
            assert server.total("http_server_response_body_size_bytes_sum") == 30 * len("Hello, world!")
        assert server.total("pollux_accepts_total") == 30  # what an operator asks is not counted


def test_labels(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"a")
    with Observed("files", tmp_path, "-w1") as server:
        get(server, "/a.txt")
        assert ask(server.address, request("/none")).status == 404
        ask(server.address, b"PURGE / HTTP/1.0\r\n\r\n")
        series = [labels for name, labels in server.samples() if name == "http_server_request_duration_seconds_count"]
        assert any('http_request_method="GET",http_response_status_code="200"' in labels for labels in series)
        assert any('http_request_method="GET",http_response_status_code="404"' in labels for labels in series)
        assert any('http_request_method="_OTHER"' in labels and '_version="1.0"' in labels for labels in series)
        assert all('server_address="_other"' in labels and 'url_scheme="http"' in labels for labels in series)


def test_what_is_refused_has_a_reason():
    with Observed("respond", "-w1") as server:
        ask(server.address, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        ask(server.address, b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        ask(server.address, b"GET / HTTP/2.5\r\nHost: a\r\n\r\n")
        samples = server.samples()
        for reason in ("syntax", "target", "version"):
            assert samples["pollux_refused_total", f'{{reason="{reason}"}}'] == 1
        assert server.total("pollux_refused_total") == 3


STATUSES, METHODS = range(200, 600), ("GET", "PUT", "DELETE", "PATCH", "BREW")


def test_peers_cannot_fill_the_table():
    """A server behind us that answers with the status that it is asked for: 2,000 sets of labels."""

    def script(peer):
        while True:
            head, _ = peer.request()
            status = int(head.split(b" ")[1][1:])
            peer.send(b"HTTP/1.1 %d X\r\n%s\r\n" % (status, b"" if status in (204, 304) else b"Content-Length: 0\r\n"))

    with Upstream(script) as upstream, Observed("proxy", "-w1", "--log", "off", "--fails", "off", upstream.url) as server:
        with Wire(server.address) as wire:
            for method in METHODS:
                for status in STATUSES:
                    wire.send(f"{method} /{status} HTTP/1.1\r\nHost: h{status}.example\r\n\r\n".encode())
                    assert wire.reply().status == status
        samples = server.samples()
        count = {labels: value for (name, labels), value in samples.items()
                 if name == "http_server_request_duration_seconds_count"}
        assert sum(count.values()) == len(STATUSES) * len(METHODS)
        assert 64 <= len(count) <= 64 + 5


def test_a_scrape_does_not_count_itself():
    with Observed("respond", "-w1") as server:
        seen, end = [], time.monotonic() + 3

        def scrape():
            while time.monotonic() < end:
                seen.append(server.total("pollux_helper_queue"))

        threads = [threading.Thread(target=scrape) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(seen) > 50 and not any(seen)


def test_the_process():
    with Observed("respond", "-w2") as server:
        for _ in range(4):
            server.scrape()  # helper threads start
        time.sleep(1.5)  # each process looks at itself once a second
        samples = {name: value for (name, labels), value in server.samples().items() if not labels}
        pids = [server.pid, *server.children()]
        opened = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)
        assert abs(samples["process_open_fds"] - opened) <= len(pids)  # with what is open for this very question
        assert samples["process_open_fds"] < samples["process_max_fds"]
        virtual = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[0]) for pid in pids) * os.sysconf("SC_PAGESIZE")
        assert 0.7 < samples["process_virtual_memory_bytes"] / virtual < 1.3
        assert samples["process_resident_memory_bytes"] < samples["process_virtual_memory_bytes"]
        assert samples["process_virtual_memory_bytes"] < samples["process_virtual_memory_max_bytes"]
        assert samples["pollux_start_time_seconds"] == samples["process_start_time_seconds"]


def test_health_and_ready():
    with Observed("respond", "-w2", "--drain-delay", "2s") as server:
        assert ask(server.metrics, request("/health")).content == b"ok\n"
        assert ask(server.metrics, request("/ready")).status == 200
        server.signal(signal.SIGTERM)
        end = time.monotonic() + 1.5
        while ask(server.metrics, request("/ready")).status != 503:
            assert time.monotonic() < end
        assert ask(server.metrics, request("/health")).status == 200


def test_unix_socket(tmp_path):
    path = tmp_path / "metrics"
    with Pollux("respond", "-w1", "--metrics", f"unix:{path}") as server:
        server.wait_stderr(r"metrics on unix:")
        assert ask(str(path), request("/metrics")).status == 200


@pytest.mark.parametrize("address", ["https://127.0.0.1:0", "nowhere"])
def test_addresses_that_are_none(address):
    code, _, said = run("-l", "127.0.0.1:0", "--metrics", address)
    assert code != 0 and said.count("\n") == 1 and address in said


class Load:
    """Clients that count what they were answered, and what was cut."""

    def __init__(self, server, clients=4):
        self.server = server
        self.answered = self.cut = 0
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(clients)]

    def run(self):
        while not self.over.is_set():
            try:
                good = ask(self.server.address, request("/")).status == 200
            except (OSError, AssertionError, AttributeError, ValueError):
                good = False  # cut: without an answer, or within it
            with self.lock:
                self.answered += good
                self.cut += not good

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(20)


COUNTERS = ("_total", "_bucket", "_sum", "_count")


class Watch:
    """A scraper that looks all the time whether anything that only grows went back."""

    def __init__(self, server):
        self.server = server
        self.looks = 0
        self.back = []
        self.last = {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.over.is_set():
            try:
                now = self.server.samples()
            except (OSError, AssertionError, AttributeError, ValueError):
                continue  # the worker that was asked was killed
            for key, value in self.last.items():
                if key[0].endswith(COUNTERS) and now.get(key, 0) < value:
                    self.back.append((key, value, now.get(key)))
            self.last = now
            self.looks += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(20)


def reload(server, round_):
    server.signal(signal.SIGHUP)
    server.wait_stderr("reloaded", count=round_)


def kill_a_worker(server):
    try:
        os.kill(server.children()[0], signal.SIGKILL)
    except (ProcessLookupError, IndexError):
        pass


def replace(server, old, round_):
    os.kill(old, signal.SIGUSR2)
    return int(server.wait_stderr(r"replaced: process (\d+) serves", count=round_)[-1][1])


def has_ended(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def test_sums_are_what_clients_counted():
    """Kills and reloads: to the request, but for those that a killed worker may have taken with it."""
    with Observed("respond", "-w3", "--log", "off") as server:
        with Watch(server) as watch, Load(server) as load:
            for round_ in range(3):
                time.sleep(0.3)
                reload(server, round_ + 1)
                time.sleep(0.3)
            for _ in range(4):
                time.sleep(0.2)
                kill_a_worker(server)
        assert not watch.back and watch.looks > 10 and load.answered > 100
        total = server.total("http_server_request_duration_seconds_count")
        assert load.answered <= total <= load.answered + load.cut
        assert server.total("pollux_worker_restarts_total") >= 1
        assert server.total("pollux_generation") == 4
        assert server.total("pollux_reload_success") == 1


def test_reloads_and_replacements_lose_nothing():
    """To the request, whoever counted it: no worker is killed, so no request is cut."""
    with Observed("respond", "-w2", "--log", "off") as server:
        old, pids = server.pid, []
        with Watch(server) as watch, Load(server, clients=2) as load:
            for round_ in range(2):
                time.sleep(0.3)
                os.kill(old, signal.SIGHUP)
                server.wait_stderr("reloaded", count=round_ + 1)
                time.sleep(0.3)
                pids.append(old)
                old = replace(server, old, round_ + 1)
                time.sleep(0.3)
        end = time.monotonic() + 10
        while not all(map(has_ended, pids)):
            assert time.monotonic() < end
            time.sleep(0.05)
        samples = server.samples()
        count = lambda name: sum(value for (other, _), value in samples.items() if other == name)
        os.kill(old, signal.SIGTERM)
    assert not watch.back and watch.looks > 10
    assert load.answered > 100 and load.cut == 0
    assert count("pollux_requests_total") == load.answered
    assert count("http_server_request_duration_seconds_count") == load.answered
    assert count("pollux_accepts_total") == load.answered
    assert samples["pollux_responses_total", '{class="2xx"}'] == load.answered
    assert count("http_server_response_body_size_bytes_sum") == load.answered * len("Hello, world!")


def test_reloads_cut_no_scrape():
    """Each that was asked is answered, whichever worker was asked, and however late."""
    with Observed("respond", "-w2", "--log", "off") as server:
        over, failed, done = threading.Event(), [], []

        def scrape():
            while not over.is_set():
                try:
                    done.append(server.total("pollux_workers"))
                except (OSError, AssertionError, AttributeError) as error:
                    failed.append(error)

        threads = [threading.Thread(target=scrape) for _ in range(3)]
        for thread in threads:
            thread.start()
        for round_ in range(6):
            reload(server, round_ + 1)
            time.sleep(0.2)
        over.set()
        for thread in threads:
            thread.join(20)
        assert not failed and len(done) > 50


# --- The manual --------------------------------------------------------------------------------


def page_of(text):
    """The table of docs/OBSERVABILITY.md, from a scrape."""
    helps = dict(re.findall(r"^# HELP (\S+) (.*)$", text, re.M))
    types = dict(re.findall(r"^# TYPE (\S+) (.*)$", text, re.M))
    lines = ["| metric | type | labels | |", "|---|---|---|---|"]
    for name, about in helps.items():
        labels = []
        for line in text.splitlines():
            if re.match(rf"{name}(_bucket|_sum|_count)?[{{ ]", line):
                labels += re.findall(r'[{,]([a-z_]+)="', line)
        shown = ", ".join(f"`{label}`" for label in dict.fromkeys(labels) if label != "le")
        lines.append(f"| `{name}` | {types[name]} | {shown} | {about} |")
    return "\n".join(lines)


def test_the_manual_has_every_metric():
    with Observed("proxy", "-w1", "-l", "https://127.0.0.1:0", "-l", "127.0.0.1:0", "--tls-self-signed", closed_port()) as server:
        ask(server.addresses[1], request("/"))
        wanted = page_of(server.scrape())
    page = (ROOT / "docs" / "OBSERVABILITY.md").read_text()
    begin = page.index("\n", page.index("<!-- metrics: begin.")) + 1
    assert page[begin : page.index("<!-- metrics: end")].strip() == wanted
