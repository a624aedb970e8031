"""Time, rate and capacity: every wait has an end, and nobody can take more than his share."""

import os
import resource
import select
import socket
import time

import pytest

from lib.runner import Pollux
from lib.wire import Wire, WireReset, ask

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD_OF = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"


def pollux(*args, **options):
    return Pollux("respond", "--log=off", "-w1", *args, **options)


def seconds_until_end(wire, deadline_s=10):
    begin = time.monotonic()
    data = wire.rest(deadline_s)
    return data, time.monotonic() - begin


# --- Deadlines -----------------------------------------------------------------------------------


def test_a_trickled_head_ends_at_its_deadline():
    """Absolute: a byte now and then does not move it."""
    with pollux("--timeout-head=1s", "--timeout-idle=30s") as server:
        with Wire(server.address) as wire:
            begin = time.monotonic()
            for byte in b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 200:
                wire.send(bytes([byte]))
                if wire.received or wire.eof:
                    break
                time.sleep(0.05)
            reply = wire.reply()
            took = time.monotonic() - begin
            assert reply.status == 408 and reply.says_close
            assert 0.9 <= took < 2.5, took
            wire.ends()


def test_the_deadline_of_a_second_head():
    with pollux("--timeout-head=1s") as server:
        with Wire(server.address) as wire:
            wire.send(GET + b"GET / HT")
            assert wire.reply().status == 200
            begin = time.monotonic()
            assert wire.reply().status == 408
            assert 0.8 <= time.monotonic() - begin < 2.5
            wire.ends()


def test_an_idle_connection_is_closed_in_silence():
    with pollux("--timeout-idle=1s") as server:
        with Wire(server.address) as wire:
            wire.send(GET)
            assert wire.reply().status == 200
            data, took = seconds_until_end(wire)
            assert data == b"" and 0.8 <= took < 3, took


def test_a_connection_that_never_speaks_is_closed_in_silence():
    with pollux("--timeout-idle=1s", "--timeout-head=1s") as server:
        with Wire(server.address) as wire:
            data, took = seconds_until_end(wire)
            assert data == b"" and took < 5, took


@pytest.mark.parametrize("first", [b"", GET], ids=["fresh", "kept"])
def test_empty_lines_are_no_request(first):
    """They are skipped in silence: a client that sends one too many (RFC 9112 section 2.2 knows such)
    must not be told 408 for it, which it would take for the answer to its next request."""
    with pollux("--timeout-idle=2s", "--timeout-head=500ms") as server:
        with Wire(server.address) as wire:
            if first:
                wire.send(first)
                assert wire.reply().status == 200
            wire.send(b"\r\n")
            assert wire.silent(1.2), f"{wire.received!r}"
            wire.send(GET)
            assert wire.reply().status == 200
            wire.send(b"\r\n")
            data, took = seconds_until_end(wire)
            assert data == b"" and took < 4


def test_requests_move_the_idle_deadline():
    with pollux("--timeout-idle=1s") as server:
        with Wire(server.address) as wire:
            for _ in range(8):
                wire.send(GET)
                assert wire.reply().status == 200
                time.sleep(0.3)


def test_slow_content_is_refused():
    with pollux("--rate-window=1s", "--rate-content=1000") as server:
        with Wire(server.address) as wire:
            begin = time.monotonic()
            wire.send(HEAD_OF % 100000)
            for _ in range(200):
                wire.send(b"x")
                if wire.received or wire.eof:
                    break
                time.sleep(0.02)
            assert wire.reply().status == 408
            assert time.monotonic() - begin < 4
            wire.ends()


def test_content_that_is_fast_enough_is_not():
    with pollux("--rate-window=1s", "--rate-content=1000") as server:
        with Wire(server.address) as wire:
            wire.send(HEAD_OF % 12000)
            for _ in range(30):
                wire.send(b"x" * 400)
                time.sleep(0.1)
            assert wire.reply().status == 200


def test_a_slow_reader_is_dropped():
    """It takes a few bytes a second of a large answer: it ends in a reset, never in a clean end."""
    with pollux("--rate-window=1s", "--rate-send=20000", "x" * 100000) as server:
        with Wire(server.address, rcvbuf=4096) as wire:
            wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, 4096)
            wire.send(GET * 60, read=False)
            got, begin = 0, time.monotonic()
            wire.sock.setblocking(True)
            wire.sock.settimeout(5)
            try:
                while time.monotonic() - begin < 15:
                    got += len(wire.sock.recv(64))
                    time.sleep(0.02)
                raise AssertionError(f"still there after 15 s and {got} bytes")
            except ConnectionResetError:
                pass
        assert ask(server.address, GET).status == 200


def test_a_reader_that_stops_is_dropped():
    with pollux("--rate-window=1s", "x" * 100000) as server:
        with Wire(server.address, rcvbuf=4096) as wire:
            wire.send(GET * 100, read=False)
            end = time.monotonic() + 10
            # A reset shows as an event, without a byte being read.
            poll = select.poll()
            poll.register(wire.sock, select.POLLERR)
            while not [event for _, event in poll.poll(100) if event & (select.POLLERR | select.POLLHUP)]:
                assert time.monotonic() < end, "still waited for"
            with pytest.raises((WireReset, ConnectionResetError)):
                wire.rest()
        assert ask(server.address, GET).status == 200


def test_the_fast_do_not_wait_for_the_slow():
    with pollux("x" * 50000) as server:
        slow = [Wire(server.address, rcvbuf=4096) for _ in range(40)]
        try:
            for n, wire in enumerate(slow):
                wire.send(GET * 20 if n % 2 else HEAD_OF % 1000 + b"x", read=False)
            begin = time.monotonic()
            for _ in range(100):
                assert ask(server.address, GET).status == 200
            assert time.monotonic() - begin < 5
        finally:
            for wire in slow:
                wire.close()


def test_a_total_deadline():
    with pollux("--timeout-total=1s", "--rate-content=off") as server:
        with Wire(server.address) as wire:
            begin = time.monotonic()
            wire.send(HEAD_OF % 100000)
            reply = wire.reply()
            assert 0.8 < time.monotonic() - begin < 3
            assert reply is None or (reply.status == 408 and reply.says_close)


def test_lingering_has_an_end():
    """A peer that never closes after a refusal is closed all the same."""
    with pollux("--timeout-linger=1s") as server:
        with Wire(server.address) as wire:
            wire.send(b"nonsense\r\n\r\n")
            assert wire.reply().status == 400
            wire.ends()
            begin = time.monotonic()
            while time.monotonic() - begin < 6:
                try:
                    wire.sock.send(b"x")
                except (BrokenPipeError, ConnectionResetError):
                    break
                time.sleep(0.05)
            took = time.monotonic() - begin
            assert 0.5 < took < 4, took


# --- Capacity ------------------------------------------------------------------------------------


@pytest.mark.short
def test_a_hundred_thousand_pipelined():
    count, batch = 100_000, 1000
    with pollux() as server:
        before = rss(server)
        with Wire(server.address, deadline_s=60) as wire:
            answers = 0
            for _ in range(count // batch):
                wire.send(GET * batch)
                answers += wire.received.count(b"\r\n\r\nHello, world!")
                wire.received = wire.received[wire.received.rfind(b"\r\n\r\nHello, world!") + 17 :]
            end = time.monotonic() + 60
            while answers < count:
                assert time.monotonic() < end, f"{answers} answers"
                assert wire._more(end)
                answers += wire.received.count(b"\r\n\r\nHello, world!")
                wire.received = wire.received[wire.received.rfind(b"\r\n\r\nHello, world!") + 17 :]
            assert answers == count
            assert not wire.received
            wire.send(GET)
            assert wire.reply().status == 200
        assert rss(server) - before < 8 * 1024 or "dev" in str(server.argv[0])


def test_pipelined_and_never_read_is_bounded():
    """A peer that only asks fills its own buffers, not our memory."""
    with pollux("x" * 1000) as server:
        before = rss(server)
        with Wire(server.address, rcvbuf=4096) as wire:
            wire.sock.setblocking(False)
            end, sent = time.monotonic() + 2, 0
            while time.monotonic() < end:
                try:
                    sent += wire.sock.send(GET * 500)
                except BlockingIOError:
                    time.sleep(0.02)
            assert rss(server) - before < 12 * 1024 or "dev" in str(server.argv[0])
            assert sent < 50_000_000
            assert ask(server.address, GET).status == 200


def rss(server):
    """KiB of anonymous memory of the program and its workers."""
    total = 0
    for pid in [server.pid, *server.children()]:
        with open(f"/proc/{pid}/status") as status:
            total += sum(int(line.split()[1]) for line in status if line.startswith("RssAnon"))
    return total


@pytest.mark.short
def test_at_the_limit_the_longest_idle_goes_first():
    with pollux("--max-connections=8") as server:
        wires = []
        for _ in range(8):
            wire = Wire(server.address)
            wire.send(GET)
            assert wire.reply().status == 200
            wires.append(wire)
            time.sleep(0.03)
        # The first one speaks again, so the second is now the longest idle.
        wires[0].send(GET)
        assert wires[0].reply().status == 200
        newcomer = Wire(server.address)
        newcomer.send(GET)
        assert newcomer.reply().status == 200
        wires[1].ends()
        for wire in [wires[0], *wires[2:], newcomer]:
            wire.send(GET)
            assert wire.reply().status == 200
        for wire in [*wires, newcomer]:
            wire.close()


@pytest.mark.short
def test_at_the_limit_nobody_busy_is_shed():
    """All are in the middle of a request: a newcomer waits or is turned away, they go on."""
    with pollux("--max-connections=4") as server:
        busy = [Wire(server.address) for _ in range(4)]
        for wire in busy:
            wire.send(HEAD_OF % 10 + b"hello")
        time.sleep(0.2)
        newcomers = [Wire(server.address) for _ in range(4)]
        for wire in newcomers:
            wire.send(GET)
        time.sleep(0.3)
        for wire in busy:
            wire.send(b"world")
            assert wire.reply().status == 200
        for wire in [*busy, *newcomers]:
            wire.close()
        assert ask(server.address, GET).status == 200


@pytest.mark.short
def test_the_limit_is_one():
    """However many come, and whatever they do, no more than so many are let in."""
    with pollux("--max-connections=4") as server:
        assert ask(server.address, GET).status == 200
        time.sleep(0.1)
        before = descriptors(server)
        wires = []
        try:
            for _ in range(12):
                wires.append(Wire(server.address))
                wires[-1].send(HEAD_OF % 10 + b"hello")
                time.sleep(0.03)
            time.sleep(0.3)
            assert descriptors(server) - before <= 4
        finally:
            for wire in wires:
                wire.close()


@pytest.mark.short
def test_at_the_limit_newcomers_are_told_when_to_come_again():
    """All are busy when they come: each has its 503.  Then those who were busy are answered and stay,
    idle: newcomers take their places."""
    with pollux("--max-connections=4") as server:
        busy = []
        try:
            for _ in range(4):
                busy.append(Wire(server.address, deadline_s=3))
                busy[-1].send(HEAD_OF % 10 + b"hello")
                time.sleep(0.03)
            time.sleep(0.1)
            for request in (GET, HEAD_OF % 10 + b"hello", HEAD_OF % 100000 + b"x" * 90000):
                with Wire(server.address, deadline_s=3) as newcomer:
                    newcomer.send(request)
                    reply = newcomer.reply()
                    assert reply.status == 503 and reply.value("Retry-After") == "5"
                    newcomer.ends()
            for wire in busy:
                wire.send(b"world")
                assert wire.reply().status == 200
            for _ in range(4):
                busy.append(Wire(server.address, deadline_s=3))
                busy[-1].send(GET)
                assert busy[-1].reply().status == 200
        finally:
            for wire in busy:
                wire.close()


@pytest.mark.short
def test_a_burst_above_the_limit_loses_no_request():
    """They come at once, each with a whole request: whoever is let in is answered, whoever is not
    waits.  None is let in, read by nobody and closed."""
    with pollux("--max-connections=4") as server:
        wires = [Wire(server.address, deadline_s=5) for _ in range(40)]
        try:
            for wire in wires:
                wire.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            for wire in wires:
                reply = wire.reply()
                assert reply is not None and reply.status == 200
        finally:
            for wire in wires:
                wire.close()


@pytest.mark.short
def test_those_who_linger_take_no_place():
    """They were refused, their answer is out: they have a budget of their own."""
    with pollux("--max-connections=8", "--timeout-linger=30s") as server:
        refused = [Wire(server.address) for _ in range(8)]
        for wire in refused:
            wire.send(b"nonsense\r\n\r\n")
            assert wire.reply().status == 400
            wire.ends()
        for _ in range(8):
            assert ask(server.address, GET, deadline_s=3).status == 200
        for wire in refused:
            wire.close()


def test_no_descriptor_is_lost():
    """After peers of every kind have gone, as many are open as before the first."""
    with pollux() as server:
        assert ask(server.address, GET).status == 200
        before = descriptors(server)
        for n in range(300):
            wire = Wire(server.address)
            wire.send((GET, b"nonsense\r\n\r\n", GET[:9], HEAD_OF % 10, b"")[n % 5])
            if n % 5 < 2:
                assert wire.reply() is not None
            if n % 2:
                wire.close_with_reset()
            else:
                wire.close()
        end = time.monotonic() + 5
        while descriptors(server) > before:
            assert time.monotonic() < end, f"{descriptors(server)} instead of {before}"
            time.sleep(0.05)


def descriptors(server):
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in [server.pid, *server.children()])


def test_an_idle_crowd():
    with pollux("--max-connections=100") as server:
        wires = []
        for _ in range(400):
            wire = Wire(server.address)
            wire.send(GET)
            assert wire.reply().status == 200
            wires.append(wire)
        # The longest idle go first, by a clock of milliseconds: who fell idle in the same one, twenty
        # or so on a fast machine, may go in any order.
        alive = 0
        for wire in wires[-60:]:
            wire.send(GET)
            alive += wire.reply() is not None
        assert alive == 60
        for wire in wires:
            wire.close()


@pytest.mark.short
def test_descriptors_run_out_without_spinning():
    """With hardly a descriptor left the newcomers wait in the queue, the processor sleeps, and when
    there is room they are served."""
    limit = 64

    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    with pollux("--max-connections=10000", preexec_fn=few) as server:
        wires = []
        try:
            for _ in range(limit * 2):
                wire = Wire(server.address)
                wire.send(HEAD_OF % 10 + b"hello")
                wires.append(wire)
            time.sleep(0.5)
            before = server.cpu_seconds()
            time.sleep(2)
            used = server.cpu_seconds() - before
            assert used < 0.3, f"{used:.2f} s of processor time in 2 s of nothing"
            assert server.running
            for wire in wires[: limit // 2]:
                wire.send(b"world")
                reply = wire.reply()
                assert reply is None or reply.status == 200
        finally:
            for wire in wires:
                wire.close()
        assert ask(server.address, GET).status == 200


def test_descriptors_taken_away_while_it_runs():
    """EMFILE in the middle of its life.  The limits of another user are not ours to set."""
    with pollux("--user", str(os.geteuid())) as server:
        pids = [server.pid, *server.children()]
        for pid in pids:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (24, 24))
        wires = []
        try:
            for _ in range(60):
                wire = Wire(server.address)
                wire.send(HEAD_OF % 10 + b"hello")
                wires.append(wire)
            time.sleep(0.3)
            before = server.cpu_seconds()
            time.sleep(2)
            used = server.cpu_seconds() - before
            assert used < 0.3, f"{used:.2f} s of processor time in 2 s of nothing"
        finally:
            for wire in wires:
                wire.close()
        assert ask(server.address, GET).status == 200


def test_the_soft_limit_is_raised():
    def soft():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    with pollux(preexec_fn=soft) as server:
        wires = []
        for _ in range(200):
            wire = Wire(server.address)
            wire.send(GET)
            assert wire.reply().status == 200
            wires.append(wire)
        for wire in wires:
            wire.close()


@pytest.mark.short
def test_idle_uses_no_processor():
    with pollux() as server:
        wires = []
        for _ in range(50):
            wire = Wire(server.address)
            wire.send(GET)
            assert wire.reply().status == 200
            wires.append(wire)
        before = server.cpu_seconds()
        time.sleep(1.5)
        assert server.cpu_seconds() - before < 0.1
        for wire in wires:
            wire.close()


@pytest.mark.short
def test_resets_in_every_state():
    with pollux("x" * 20000) as server:
        for data in (b"", b"GE", GET, GET[:-2], GET * 100, HEAD_OF % 10 + b"x", b"nonsense\r\n\r\n"):
            for pause in (0, 0.002):
                for _ in range(10):
                    wire = Wire(server.address, rcvbuf=4096)
                    wire.send(data, read=False)
                    time.sleep(pause)
                    wire.close_with_reset()
        assert ask(server.address, GET).status == 200
        before = server.cpu_seconds()
        time.sleep(0.5)
        assert server.cpu_seconds() - before < 0.1
