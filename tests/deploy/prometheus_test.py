"""The alert rules and the dashboard: what promtool says, and that they ask for what there is."""

import json
import re
import subprocess

from deployment import ROOT

RULES = ROOT / "deploy" / "prometheus" / "pollux.rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "pollux.json"
METRIC = re.compile(r"\b(?:pollux|http_server|process)_[a-z0-9_]+")
OURS = {"pollux_requests:rate5m", "pollux_errors:ratio5m"}


def existing():
    """Names and their labels, as the manual has them, which a test holds to the program."""
    page = (ROOT / "docs" / "OBSERVABILITY.md").read_text()
    rows = re.findall(r"^\| `([a-z_]+)` \| (counter|gauge|histogram) \| (.*?) \|", page, re.M)
    assert len(rows) > 30
    names = {}
    for name, kind, labels in rows:
        labels = set(re.findall(r"`([a-z_]+)`", labels))
        for suffix in ("_bucket", "_sum", "_count") if kind == "histogram" else ("",):
            names[name + suffix] = labels | ({"le"} if suffix == "_bucket" else set())
    return names


def expressions():
    for line in re.findall(r"expr: (?:\|\n)?((?:.|\n {10})*)", RULES.read_text()):
        yield line
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def test_rules_are_rules():
    done = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and "12 rules found" in done.stdout, done


def test_rules_fire_when_they_should():
    file = "pollux.rules.test.yml"
    done = subprocess.run(["promtool", "test", "rules", file], cwd=RULES.parent, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done


def test_every_metric_exists():
    names, asked = existing(), set()
    for expression in expressions():
        for name in METRIC.findall(re.sub(r"job:[a-z_:0-9]+", "", expression)):
            assert name in names, (name, expression)
            asked.add(name)
        for labels in re.findall(r"by \(([a-z_, ]+)\)", expression) + re.findall(r"\{([^}]*)\}", expression):
            for label in re.findall(r"([a-z_]+)\s*(?:=~|!=|=|,|$)", labels):
                assert label in {"job", "instance"} | set().union(*names.values()), (label, expression)
    assert len(asked) >= 16


def test_dashboard_is_whole():
    dashboard = json.loads(DASHBOARD.read_text())
    panels = dashboard["panels"]
    assert len(panels) == 16 and len({panel["id"] for panel in panels}) == 16
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == 16 and all(x + panel["gridPos"]["w"] <= 24 for (x, _), panel in zip(places, panels))
    assert [variable["name"] for variable in dashboard["templating"]["list"]] == ["datasource", "job", "instance"]
