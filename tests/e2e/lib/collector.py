"""A collector of OTLP over HTTP that takes JSON, and judges it by the rules of the protocol's schema.

What it is held to: opentelemetry-proto's trace.proto in the JSON form that OTLP prescribes (names in lowerCamelCase, ids
in hexadecimal, numbers of 64 bits as decimal strings, enums as integers), and no member that the schema does not have.
"""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

UINT64 = re.compile(r"0|[1-9]\d{0,19}")


def _members(thing, allowed, needed=()):
    assert isinstance(thing, dict), thing
    assert set(thing) <= set(allowed), f"not in the schema: {set(thing) - set(allowed)}"
    assert set(needed) <= set(thing), f"missing: {set(needed) - set(thing)}"


def _attributes(rows):
    """As a dict; keys are unique (OpenTelemetry's common data model)."""
    found = {}
    for row in rows:
        _members(row, ("key", "value"), ("key", "value"))
        assert row["key"] and row["key"] not in found, row
        kinds = ("stringValue", "boolValue", "intValue", "doubleValue", "arrayValue", "kvlistValue", "bytesValue")
        _members(row["value"], kinds)
        ((kind, value),) = row["value"].items()
        if kind == "intValue":
            assert isinstance(value, str) and UINT64.fullmatch(value), row
            value = int(value)
        else:
            assert kind == "stringValue" and isinstance(value, str), row
        found[row["key"]] = value
    return found


def _span(span):
    allowed = (
        "traceId", "spanId", "traceState", "parentSpanId", "flags", "name", "kind", "startTimeUnixNano",
        "endTimeUnixNano", "attributes", "droppedAttributesCount", "events", "droppedEventsCount", "links",
        "droppedLinksCount", "status",
    )  # fmt: skip
    _members(span, allowed, ("traceId", "spanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano"))
    assert re.fullmatch("[0-9a-f]{32}", span["traceId"]) and span["traceId"] != "0" * 32
    for name in ("spanId", "parentSpanId"):
        if name in span:
            assert re.fullmatch("[0-9a-f]{16}", span[name]) and span[name] != "0" * 16, span
    assert span["kind"] == 2, "SPAN_KIND_SERVER"
    for name in ("startTimeUnixNano", "endTimeUnixNano"):
        assert isinstance(span[name], str) and UINT64.fullmatch(span[name]), span
    assert int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])
    if "status" in span:
        _members(span["status"], ("message", "code"))
        assert span["status"].get("code") in (0, 1, 2)
    assert isinstance(span["name"], str) and span["name"]
    return {**span, "attributes": _attributes(span.get("attributes", []))}


def spans_of(content):
    """The spans of an ExportTraceServiceRequest, each with the attributes of its resource."""
    message = json.loads(content)
    spans = []
    _members(message, ("resourceSpans",))
    for resource in message["resourceSpans"]:
        _members(resource, ("resource", "scopeSpans", "schemaUrl"), ("resource", "scopeSpans"))
        _members(resource["resource"], ("attributes", "droppedAttributesCount"))
        of = _attributes(resource["resource"]["attributes"])
        assert of["service.name"] == "pollux"
        for scope in resource["scopeSpans"]:
            _members(scope, ("scope", "spans", "schemaUrl"), ("scope", "spans"))
            _members(scope["scope"], ("name", "version", "attributes", "droppedAttributesCount"), ("name",))
            spans += [{**_span(span), "resource": of} for span in scope["spans"]]
    assert spans, "a message without a span"
    return spans


class Collector:
    """`answer(number)` is the status of each message, from 1; a wait is its own."""

    def __init__(self, answer=lambda number: 200):
        self.spans, self.faults, self.statuses, self.paths, self.heads = [], [], [], [], []
        self.news = threading.Condition()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                content = self.rfile.read(int(self.headers["Content-Length"]))
                with collector.news:
                    collector.paths.append(self.path)
                    collector.heads.append(self.headers)
                    number = len(collector.paths)
                status = answer(number)
                with collector.news:
                    collector.statuses.append(status)
                    try:
                        assert self.headers["Content-Type"] == "application/json"
                        if status == 200:
                            collector.spans += spans_of(content)
                    except (AssertionError, ValueError, KeyError, TypeError) as fault:
                        collector.faults.append(f"{fault!r} in {content[:2000]!r}")
                    collector.news.notify_all()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()
        assert error[0] or not self.faults, self.faults

    def wait(self, count, seconds=15):
        """So many spans, at least."""
        with self.news:
            assert self.news.wait_for(lambda: len(self.spans) >= count or self.faults, seconds), self.spans
            assert not self.faults, self.faults
            return list(self.spans)
