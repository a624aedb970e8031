"""Directives of a configuration, each by what a client sees of it."""

import json
import os
import pwd
import socket
import subprocess
import time

import pytest

from lib.activation import inherited
from lib.h2frames import PREFACE, H2Wire, get as h2_get, headers
from lib.runner import PROGRAM, ROOT, Server, run
from lib.tls import Authority, TlsWire
from lib.upstream import Upstream
from lib.wire import Wire, WireError, ask

pytestmark = pytest.mark.short

TOP = "listen 127.0.0.1:0\nworkers 1\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "www" / "sub").mkdir(parents=True)
    (tmp_path / "www" / "index.html").write_text("<p>index\n")
    (tmp_path / "www" / "sub" / "a.txt").write_text("a\n")
    (tmp_path / "www" / "b.wasm").write_text("b\n")
    (tmp_path / "outside.txt").write_text("outside\n")
    (tmp_path / "www" / "inside").symlink_to("sub/a.txt")
    (tmp_path / "www" / "out").symlink_to("../outside.txt")
    tmp_path.chmod(0o777)
    return tmp_path


def serve(folder, text, top=TOP + "log off\n", **options):
    path = folder / "pollux.conf"
    path.write_text(top + text)
    return Server([PROGRAM, "run", "-c", path], cwd=folder, **options)


def get(server, path="/", host="a.test", method="GET", fields="", address=None):
    request = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{fields}Connection: close\r\n\r\n"
    reply = ask(address or server.address, request.encode(), head_only=method == "HEAD")
    return reply.status, {name.lower(): value for name, value in reply.fields}, reply.content


# --- Hosts and TLS -------------------------------------------------------------------------------

# SNI of the connection, Host of the request: what the file's hosts answer over HTTP/2.
COALESCED = [
    ("a.test", "a.test", 200, b"a"), ("a.test", "both.test", 200, b"both"), ("both.test", "a.test", 200, b"a"),
    ("a.test", "b.test", 421, None), ("b.test", "a.test", 421, None), ("b.test", "b.test", 200, b"b"),
    ("x.wild.test", "y.wild.test", 200, b"wild"), ("x.wild.test", "a.test", 421, None),
    ("a.test", "none.test", 421, None),
]  # fmt: skip


def test_coalesced_connections_and_421(folder):
    """RFC 9113 section 9.1.1: a client may use a connection for all names of its certificate; what
    the certificate does not cover is misdirected."""
    (folder / "tls").mkdir()
    authority = Authority(folder / "tls")
    lines = []
    for names in (("a.test", "both.test"), ("b.test",), ("*.wild.test",)):
        cert, key = authority.issue(*names)
        for name in names:
            text = name.split(".")[0].replace("*", "wild")
            lines.append(f"host {name} {{\n tls {cert} {key}\n respond {text}\n}}\n")
    with serve(folder, "".join(lines), top="workers 1\nlog off\nlisten 127.0.0.1:0 tls\n") as server:
        for sni, host, status, content in COALESCED:
            with TlsWire(server.address, authority.context(alpn=["h2"]), name=sni) as wire:
                h2 = H2Wire(None, wire=wire)
                h2.send(headers(1, h2_get(scheme="https", authority=host)))
                answer = h2.response(1)
                assert answer.status == status, (sni, host)
                if content:
                    assert bytes(answer.content) == content
                # The connection goes on for what it is for.
                h2.probe(3, h2_get(scheme="https", authority=sni))
            with TlsWire(server.address, authority.context(alpn=["http/1.1"]), name=sni) as wire:
                wire.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                assert wire.reply().status == (404 if host == "none.test" else 200), (sni, host)


def test_http2_without_tls(folder):
    for rule, is_spoken in (("on", True), ("tls", False), ("off", False)):
        with serve(folder, f"http2 {rule}\nrespond\n") as server:
            with Wire(server.address) as wire:
                wire.send(PREFACE + b"\0\0\0\4\0\0\0\0\0", read=False)
                first = wire._take(9, time.monotonic() + 5)
            assert (first[3] == 4 and first[:5] != b"HTTP/") == is_spoken, first


# A line of the file, the flags that say the same, and what curl and openssl negotiate.
HTTP2_RULES = [("on", [], "2"), ("tls", ["--h2c=off"], "2"), ("tls", ["--http2=tls"], "2"), ("off", ["--http2=off"], "1.1")]


@pytest.mark.parametrize("rule, flags, version", HTTP2_RULES)
def test_http2_over_tls(folder, rule, flags, version):
    """RFC 7301: what is not spoken is not chosen."""
    (folder / "tls").mkdir()
    authority = Authority(folder / "tls")
    cert, key = authority.issue("a.test")
    text = f"http2 {rule}\nhost a.test {{\n tls {cert} {key}\n respond in\n}}\n"
    line = ["respond", "-w", "1", "--log", "off", "-l", "https://127.0.0.1:0", "--tls-cert", cert, "--tls-key", key]
    for server in (
        serve(folder, text, top="workers 1\nlog off\nlisten 127.0.0.1:0 tls\n"),
        Server([PROGRAM, *line, *flags]),
    ):
        with server:
            port = server.address[1]
            said = subprocess.run(
                ["curl", "-q", "-sS", "--noproxy", "*", "-k", "--resolve", f"a.test:{port}:127.0.0.1", "-o", "/dev/null",
                 "-w", "%{http_version}", f"https://a.test:{port}/"],
                capture_output=True, text=True, timeout=20, check=True,
            ).stdout  # fmt: skip
            assert said == version
            both, alone = (
                subprocess.run(
                    ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-alpn", offered],
                    input="", capture_output=True, text=True, errors="replace", timeout=20,
                )
                for offered in ("h2,http/1.1", "h2")
            )  # fmt: skip
            assert f"ALPN protocol: {'h2' if version == '2' else 'http/1.1'}" in both.stdout
            assert ("alert no application protocol" in alone.stderr) == (version != "2")


# --- Files ---------------------------------------------------------------------------------------


def test_listing_symlinks_charset_and_type(folder):
    text = """
host plain.test { files www }
host other.test {
    files www
    listing on
    symlinks on
    charset iso-8859-1
    type wasm text/x-wasm
}
host none.test {
    files www
    charset off
}
"""
    with serve(folder, text) as server:
        assert get(server, "/sub/", "plain.test")[0] == 403
        assert get(server, "/inside", "plain.test")[2] == b"a\n"
        assert get(server, "/out", "plain.test")[0] == 404
        assert get(server, "/sub/a.txt", "plain.test")[1]["content-type"] == "text/plain; charset=utf-8"
        assert get(server, "/b.wasm", "plain.test")[1]["content-type"] == "application/wasm"
        status, _, content = get(server, "/sub/", "other.test")
        assert status == 200 and b"a.txt" in content
        assert get(server, "/out", "other.test")[2] == b"outside\n"
        assert get(server, "/", "other.test")[1]["content-type"] == "text/html; charset=iso-8859-1"
        assert get(server, "/b.wasm", "other.test")[1]["content-type"] == "text/x-wasm"
        assert get(server, "/", "none.test")[1]["content-type"] == "text/html"


def test_strip_prefix(folder):
    text = """
route /static/{rest...} {
    strip_prefix /static
    files www
}
route /deep/{rest...} {
    strip_prefix /deep
    respond "{path}"
}
respond 404
"""
    with serve(folder, text) as server:
        assert get(server, "/static/sub/a.txt")[::2] == (200, b"a\n")
        assert get(server, "/static/")[2] == b"<p>index\n"
        status, fields, _ = get(server, "/static/../pollux.conf")
        assert (status, fields["location"]) == (301, "/pollux.conf")
        assert get(server, "/deep/x/y")[2] == b"/x/y"
        assert get(server, "/deep/")[2] == b"/"


def test_browsers_see_a_page_where_there_are_files(folder):
    with serve(folder, "host f.test { files www }\nhost r.test { respond 404 }\n") as server:
        html = "Accept: text/html\r\n"
        assert b"<html" in get(server, "/none", "f.test", fields=html)[2]
        assert get(server, "/none", "f.test")[2] == b"404 Not Found\n"
        assert get(server, "/none", "r.test", fields=html)[2] == b"404 Not Found\n"


# --- Access --------------------------------------------------------------------------------------


def test_connection_limit(folder):
    """So many requests of one client in flight; another key has its own."""

    def slow(peer):
        peer.request()
        time.sleep(1)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    with Upstream(slow) as upstream:
        text = f"connection_limit {{header.X-Key}} 2\nproxy {upstream.url}\n"
        with serve(folder, text) as server:
            wires = [Wire(server.address) for _ in range(3)]
            for wire in wires:
                wire.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Key: k\r\n\r\n", read=False)
                time.sleep(0.1)
            assert wires[2].reply().status == 429
            assert get(server, fields="X-Key: other\r\n")[0] == 200
            assert [wire.reply().status for wire in wires[:2]] == [200, 200]
            assert get(server, fields="X-Key: k\r\n")[0] == 200
            for wire in wires:
                wire.close()


def test_trusted_proxies_are_believed(folder):
    text = "host a.test { respond \"{client}\" }\nhost b.test { allow 192.0.2.0/24; deny all; respond in }\n"
    field = "X-Forwarded-For: 203.0.113.9, 192.0.2.7\r\n"
    with serve(folder, "trusted_proxies 127.0.0.0/8 field=x-forwarded-for\n" + text) as server:
        assert get(server, fields=field)[2] == b"192.0.2.7"
        assert get(server)[2] == b"127.0.0.1"
        assert get(server, host="b.test", fields=field)[0] == 200
        assert get(server, host="b.test")[0] == 403
    with serve(folder, "trusted_proxies 10.0.0.0/8 field=x-forwarded-for\n" + text) as server:
        assert get(server, fields=field)[2] == b"127.0.0.1"
        assert get(server, host="b.test", fields=field)[0] == 403


def test_minimum_rate_ends_what_dawdles(folder):
    text = "minimum_rate {\n window 1s\n content 1000\n}\nhost slow.test {\n minimum_rate {\n content off\n }\n respond ok\n}\nhost * { respond ok }\n"
    with serve(folder, text) as server:
        for host, ends in ((b"any.test", True), (b"slow.test", False)):
            with Wire(server.address) as wire:
                wire.send(b"POST / HTTP/1.1\r\nHost: " + host + b"\r\nContent-Length: 100\r\n\r\n", read=False)
                end = time.monotonic() + 3
                try:
                    while time.monotonic() < end:
                        wire.send(b"x")
                        time.sleep(0.2)
                        if ends and not wire.silent(0.01):
                            break
                    is_over = not wire.silent(0.01)
                except WireError:
                    is_over = True
                assert is_over == ends, host


# --- Logs ----------------------------------------------------------------------------------------


def logged(folder):
    lines = (folder / "a.log").read_text().splitlines()
    return [json.loads(line)["target"] for line in lines]


def test_one_hosts_log_and_all_logs(folder):
    text = "log json a.log\nhealth /up\nhost a.test { respond }\nhost b.test {\n access_log off\n respond\n route /seen { access_log on; respond } }\n"
    with serve(folder, text, top=TOP) as server:
        for host, path in (("a.test", "/one"), ("b.test", "/two"), ("b.test", "/seen"), ("a.test", "/up"),
                           ("none.test", "/three"), ("a.test", "/last")):
            get(server, path, host)
        server.stop()
    assert logged(folder) == ["/one", "/seen", "/three", "/last"]
    with serve(folder, "log off\nhost a.test { access_log on; respond }\n", top=TOP) as server:
        get(server)
        server.stop()
        assert server.stdout == b""


# --- The process ---------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
@pytest.mark.parametrize("name, uid", [("nobody", None), ("54321:77", 54321)])
def test_user(folder, name, uid):
    uid = uid if uid is not None else pwd.getpwnam(name).pw_uid
    with serve(folder, f"user {name}\nfiles www\n") as server:
        assert get(server, "/sub/a.txt")[0] == 200
        for worker in server.children():
            with open(f"/proc/{worker}/status") as status:
                uids = [line.split()[1:] for line in status if line.startswith("Uid:")][0]
            assert uids == [str(uid)] * 4


def test_the_file_of_the_unit_is_served(folder):
    """deploy/pollux.conf, with folders of the test's and a socket as systemd hands it over."""
    text = (ROOT / "deploy" / "pollux.conf").read_text()
    for place in ("/run/pollux", "/var/log/pollux", "/srv/www"):
        assert place in text
        text = text.replace(place, str(folder / "www") if place == "/srv/www" else str(folder))
    (folder / "unit.conf").write_text("workers 1\n" + text)
    argv, env, keep, addresses, socks = inherited("http")
    argv = [*argv[: argv.index(PROGRAM) + 1], "run", "-c", folder / "unit.conf"]
    with Server(argv, env=env, cwd="/", pass_fds=keep) as server:
        server.address = addresses[0]
        assert get(server, "/sub/a.txt")[2] == b"a\n"
        assert get(server, "/healthz")[2] == b"ok\n"
        assert run("reload", "-c", folder / "unit.conf")[0] == 0
        assert get(server, "/sub/a.txt")[2] == b"a\n"
        server.stop()
    for fd in keep:
        os.close(fd)
    for sock in socks:
        sock.close()
    assert (folder / "access.log").read_text().count("GET /sub/a.txt") == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_what_root_becomes_is_said_in_the_words_of_the_file(folder):
    with serve(folder, "respond\n") as server:
        server.wait_stderr(r"started as root, so workers are nobody \(see user\)")


def test_a_host_is_bound_to_its_listeners(folder):
    ports = []
    for _ in range(2):
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            ports.append(one.getsockname()[1])
    text = (
        f"listen 127.0.0.1:{ports[0]}\n"
        f"host a.test {{ listen 127.0.0.1:{ports[1]}; respond own }}\n"
        f"host b.test {{ listen 127.0.0.1:{ports[0]}; listen 127.0.0.1:{ports[1]}; respond both }}\n"
        "host * { respond other }\n"
    )
    with serve(folder, text, top="workers 1\nlog off\n") as server:
        seen = [[get(server, host=f"{host}.test", address=("127.0.0.1", port))[2] for port in ports] for host in "abc"]
        assert seen == [[b"other", b"own"], [b"both", b"both"], [b"other", b"404 Not Found\n"]]
