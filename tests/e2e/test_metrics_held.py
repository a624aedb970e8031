"""What peers make a server keep that ask for its metrics and do not read them."""

from lib import h2frames as h2
from lib.h2frames import H2Wire, get
from test_run import folder, serve  # noqa: F401


def rss_anon(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            total += sum(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))
    return total


def test_scrapes_that_are_not_read_keep_their_text_alone(folder):  # noqa: F811
    """Each sum is larger than a MiB, and is let go of as soon as it is written out."""
    with serve(folder, "route /metrics { metrics }\nroute / { respond ok }\n") as server:
        with H2Wire(server.address, pairs=((h2.ENABLE_PUSH, 0), (h2.INITIAL_WINDOW_SIZE, 0))) as wire:
            wire.request(1, get(path="/metrics"))
            wire.until(lambda: wire.judge.stream(1).fields is not None, "the first head")
            before = rss_anon(server.children() or [server.pid])
            for stream in range(3, 201, 2):
                wire.request(stream, get(path="/metrics"))
            wire.until(lambda: all(wire.judge.stream(s).fields is not None for s in range(3, 201, 2)), "heads")
            grown = rss_anon(server.children() or [server.pid]) - before
            assert grown < 48 * 1024 * 1024, grown
