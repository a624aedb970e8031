"""Two other parsers, asked the same question: how many requests are in these bytes, and is there
anything that is refused?  A request that is not complete when the bytes end counts as refused."""

import json
import subprocess
from pathlib import Path

import h11

from hostile.case import KEPT

HEAD_BYTES_MAX = 32 * 1024


def verdict(messages, refused):
    return f"reject after {messages}" if refused else f"accept {messages}"


def pollux(case):
    """What the table promises of us.  The last answer is a refusal when it is an error and closes;
    one that asked for the close itself is none."""
    statuses = [want for want in case.want if isinstance(want, int) and want != 100]
    refused = case.end != KEPT and statuses[-1] in (400, 408, 413, 414, 431, 501, 505)
    if b"connection: close" in case.data.lower() and statuses[-1] == 501:
        refused = False
    return verdict(len(statuses) - refused, refused)


def llhttp(cases):
    """{id: verdict} by the parser inside Node, at the version that llhttp.js names."""
    lines = "".join(json.dumps({"id": c.id, "data": c.data.hex()}) + "\n" for c in cases)
    done = subprocess.run(
        ["node", str(Path(__file__).with_name("llhttp.js"))],
        input=lines.encode(),
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {r["id"]: verdict(r["messages"], r["error"] is not None) for r in rows}


def of_h11(case):
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
    connection.receive_data(case.data)
    connection.receive_data(b"")
    messages = 0
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            return verdict(messages, True)
        if isinstance(event, h11.EndOfMessage):
            messages += 1
            # Not 200, which would turn a CONNECT into a tunnel.
            connection.send(h11.Response(status_code=405, headers=[("Content-Length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is h11.MUST_CLOSE or connection.their_state is not h11.DONE:
                return verdict(messages, False)
            connection.start_next_cycle()
        elif isinstance(event, h11.ConnectionClosed):
            return verdict(messages, messages == 0)
        elif event is h11.PAUSED:
            return verdict(messages, False)
