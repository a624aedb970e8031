"""Sockets that are handed over at start, as systemd does it."""

import os
import socket

from lib.runner import PROGRAM


def inherited(*names, listen=None, pid=True, **environment):
    """A wrapper that hands over listening sockets as systemd does: from 3 on, named."""
    socks = []
    for _ in names:
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        socks.append(sock)
    # The shell moves them into place and becomes the program, so that LISTEN_PID is right.  Not sh:
    # dash takes descriptors of one digit only.
    moves = " ".join(f"{3 + n}<&{sock.fileno() + 20}" for n, sock in enumerate(socks))
    keep = [os.dup2(sock.fileno(), sock.fileno() + 20) for sock in socks]
    script = f'exec "$@" {moves}'
    if pid:
        script = "LISTEN_PID=$$; export LISTEN_PID; " + script
    env = {"LISTEN_FDS": str(len(names)), "LISTEN_FDNAMES": ":".join(names), **environment}
    argv = ["bash", "-c", script, "bash", PROGRAM, "respond", "--log=off", "-w1"]
    argv += listen or [part for name in names for part in ("-l", f"fd:{name}")]
    return argv, env, keep, [sock.getsockname() for sock in socks], socks
