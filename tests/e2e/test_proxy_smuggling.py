"""The hostile requests through a proxy, in front of servers with other parsers: what goes on is read by them as one
request, and the connection that it went on serves the next as if nothing had been."""

import os
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager

import h11
import pytest

from hostile import CASES
from hostile.case import CLOSED, INTERIM
from lib.runner import is_listening
from lib.wire import Wire, WireError
from test_proxy_upstream import proxy

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
FINISHED = [case for case in CASES if not case.waits]
PROBE_EVERY = 8


@contextmanager
def node(folder):
    log = folder / "node.log"
    script = os.path.join(os.path.dirname(__file__), "lib", "peer_server.js")
    with open(log, "w", encoding="utf-8") as out:
        process = subprocess.Popen(["node", script], stdout=out)
    try:
        end = time.monotonic() + 20
        while not (text := log.read_text()).startswith("port ") or "\n" not in text:
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.02)
        yield int(text.split()[1]), lambda: log.read_text().splitlines()[1:]
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def nginx(folder):
    assert NGINX, "nginx is not installed (script/bootstrap test)"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kinds = "".join(f"{k}_temp_path {folder}/{k};" for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(f"""
        daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log crit;
        {"user root root;" if os.geteuid() == 0 else ""}
        events {{ worker_connections 64; }}
        http {{
            {kinds} log_format seen "$request_method $request_uri $request_length";
            access_log {folder}/access.log seen; client_max_body_size 0; large_client_header_buffers 8 64k;
            server {{ listen 127.0.0.1:{port}; location / {{ return 200 "$request_method $request_uri 0"; }} }}
        }}""")
    process = subprocess.Popen([NGINX, "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"])
    try:
        end = time.monotonic() + 20
        while not is_listening(port):
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.02)
        yield port, lambda: (folder / "access.log").read_text().splitlines()
    finally:
        process.terminate()
        process.wait(10)


def h11_serve(sock, seen):
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=65536)
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(sock.recv(65536))
            elif isinstance(event, h11.Request):
                line, size = event.method.decode() + " " + event.target.decode("latin-1"), 0
            elif isinstance(event, h11.Data):
                size += len(event.data)
            elif isinstance(event, h11.EndOfMessage):
                text = f"{line} {size}"
                seen.append(text)
                fields = [("Content-Length", str(len(text)))]
                sock.sendall(connection.send(h11.Response(status_code=200, headers=fields)))
                if not line.startswith("HEAD "):
                    sock.sendall(connection.send(h11.Data(data=text.encode("latin-1"))))
                connection.send(h11.EndOfMessage())
                if connection.our_state is h11.MUST_CLOSE:
                    return
                connection.start_next_cycle()
            else:
                return
    except h11.RemoteProtocolError as error:
        seen.append(f"REFUSED {error}")
    except OSError:
        pass
    finally:
        sock.close()


@contextmanager
def h11_server(_):
    seen, sock = [], socket.create_server(("127.0.0.1", 0), backlog=64)

    def accept():
        while True:
            try:
                peer, _ = sock.accept()
            except OSError:
                return
            threading.Thread(target=h11_serve, args=(peer, seen), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield sock.getsockname()[1], lambda: list(seen)
    finally:
        sock.shutdown(socket.SHUT_RDWR)
        sock.close()


def play(address, case):
    try:
        with Wire(address) as wire:
            wire.send(case.data)
            if case.end == CLOSED:
                wire.rest()
                return
            for index, want in enumerate(case.want):
                if want != INTERIM:
                    while wire.reply(head_only=index in case.heads).status < 200:
                        pass
    except WireError:
        pass  # what a client gets is for other tests to say


def probed(address, number):
    """The whole answer to a request like any other."""
    with socket.create_connection(address, 10) as sock:
        sock.sendall(b"GET /probe-%d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % number)
        answer = b""
        while piece := sock.recv(65536):
            answer += piece
        return answer


@pytest.mark.parametrize("server", [node, h11_server, nginx], ids=["node", "h11", "nginx"])
def test_one_request_is_one(server, tmp_path):
    assert len(FINISHED) > 240
    with server(tmp_path) as (port, seen), proxy(f"http://127.0.0.1:{port}") as pollux:
        for number, case in enumerate(FINISHED):
            play(pollux.address, case)
            if number % PROBE_EVERY == 0 or number == len(FINISHED) - 1:
                assert probed(pollux.address, number).endswith(b"\r\n\r\nGET /probe-%d 0" % number), case.id
        # A server may write its log behind its answer.
        end = time.monotonic() + 10
        while not any(f" /probe-{len(FINISHED) - 1} " in line for line in seen()):
            assert time.monotonic() < end, seen()[-1]
            time.sleep(0.02)
        lines = seen()
    assert len(lines) > 60, "hardly anything went on"
    assert not [line for line in lines if "smuggled" in line or line.startswith("REFUSED")], lines
    assert len([line for line in lines if " /probe-" in line]) == -(-len(FINISHED) // PROBE_EVERY) + (
        (len(FINISHED) - 1) % PROBE_EVERY != 0
    )
