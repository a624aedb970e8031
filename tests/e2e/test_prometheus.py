"""A real Prometheus scrapes the program and evaluates the rules of deploy/."""

import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import pytest

from lib.runner import ROOT, Pollux, parse_address
from lib.wire import ask

GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Prometheus:
    def __init__(self, folder, target):
        shutil.copy(ROOT / "deploy" / "prometheus" / "pollux.rules.yml", folder)
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            "rule_files: [pollux.rules.yml]\n"
            f"scrape_configs: [{{job_name: pollux, static_configs: [{{targets: ['{target}']}}]}}]\n"
        )
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = open(folder / "log", "wb")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address={self.url.removeprefix('http://')}"],
            stdout=self.log, stderr=self.log,
        )

    def ask(self, path, **query):
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)["data"]

    def wait(self, wanted, seconds=30):
        end = time.monotonic() + seconds
        while True:
            try:
                found = wanted()
            except OSError:
                found = None
            if found:
                return found
            assert time.monotonic() < end and self.process.poll() is None
            time.sleep(0.2)

    def value(self, expression):
        result = self.ask("query", query=expression)["result"]
        return float(result[0]["value"][1]) if result else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(10)
        self.log.close()


@pytest.mark.timeout(120)
def test_it_is_scraped(tmp_path):
    with Pollux("respond", "-w2", "--log", "off", "--metrics", "127.0.0.1:0") as server:
        host, port = parse_address(server.wait_stderr(r"metrics on (\S+)")[0][1])
        for _ in range(25):
            assert ask(server.address, GET).status == 200
        with Prometheus(tmp_path, f"{host}:{port}") as prometheus:
            prometheus.wait(lambda: prometheus.value("pollux_requests_total") == 25)
            assert prometheus.value('up{job="pollux"}') == 1
            assert prometheus.value("sum(http_server_request_duration_seconds_count)") == 25
            assert prometheus.value("histogram_quantile(0.99, http_server_request_duration_seconds_bucket)") < 5
            (target,) = prometheus.ask("targets")["activeTargets"]
            assert target["health"] == "up" and target["lastError"] == ""
            # Its metadata came with the samples.
            about = prometheus.ask("metadata", metric="http_server_request_duration_seconds")
            assert about["http_server_request_duration_seconds"][0]["type"] == "histogram"
            rules = prometheus.wait(lambda: [
                rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]
                if rule["health"] == "ok"] or None)
            prometheus.wait(lambda: all(
                rule["health"] == "ok" for group in prometheus.ask("rules")["groups"] for rule in group["rules"]))
            assert len(rules) <= 12
            alerts = {alert["labels"]["alertname"] for alert in prometheus.ask("alerts")["alerts"]}
            assert not alerts, alerts
