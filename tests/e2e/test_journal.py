"""Priorities for the journal: only where stderr is the stream that JOURNAL_STREAM names."""

import os
import signal
import subprocess

from lib.runner import PROGRAM, clean_environment

ARGV = [PROGRAM, "respond", "--log=off", "-w1", "-l"]


def start(address, stream, write_end):
    status = os.fstat(write_end)
    if stream is None:
        stream = f"{status.st_dev}:{status.st_ino}"
    return subprocess.Popen(
        [*ARGV, address],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=write_end,
        env=clean_environment({"JOURNAL_STREAM": stream}),
    )


def first_line(address, stream=None):
    """The first line on stderr of a program whose stderr is a pipe; then it is stopped."""
    read_end, write_end = os.pipe()
    process = start(address, stream, write_end)
    os.close(write_end)
    try:
        with os.fdopen(read_end) as file:
            line = file.readline()
            process.send_signal(signal.SIGTERM)
            file.read()
        process.wait(15)
    finally:
        process.kill()
        process.wait(15)
    return line


def test_what_is_well_is_info():
    assert first_line("127.0.0.1:0").startswith("<6>pollux: listening on 127.0.0.1:")


def test_what_fails_is_an_error():
    assert first_line("192.0.2.1:1").startswith("<3>pollux: cannot listen on 192.0.2.1:1: ")


def test_another_stream_is_not_ours():
    """It is inherited by programs whose stderr is something else by now."""
    for stream in ("1:2", "", "8:", "nonsense"):
        assert first_line("127.0.0.1:0", stream).startswith("pollux: listening on "), stream
