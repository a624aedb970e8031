"""TLS as users meet it: the program's flags, stock clients, and what peers may not do."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from lib.activation import inherited
from lib.runner import IS_RELEASE, PROGRAM, SANITIZER, Pollux, Server, run
from lib.tls import Authority, TlsWire, WireTruncated
from lib.wire import Wire, WireReset

GET = b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n"
HELLO = b"Hello, world!"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def pairs(authority):
    """a.test in two key types, b.test, and *.wild.test."""
    return [
        authority.issue("a.test", "localhost", "127.0.0.1"),
        authority.issue("a.test", kind="rsa"),
        authority.issue("b.test"),
        authority.issue("*.wild.test"),
    ]


def flags(*pairs):
    out = []
    for cert, key in pairs:
        out += ["--tls-cert", cert, "--tls-key", key]
    return out


def tls(*args, **more):
    return Pollux("respond", "--log", "off", "-w", "1", "-l", "https://127.0.0.1:0", *args, **more)


@pytest.fixture(scope="module")
def server(pairs):
    with tls(*flags(*pairs), "-l", "127.0.0.1:0") as server:
        yield server


def curl(server, *args, name="a.test", ca=None, path="/"):
    host, port = server.address
    argv = ["curl", "-sS", "--max-time", "10", "--resolve", f"{name}:{port}:{host}"]
    if ca:
        argv += ["--cacert", ca]
    return subprocess.run([*map(str, argv), *map(str, args), f"https://{name}:{port}{path}"],
                          capture_output=True, text=True, timeout=20)  # fmt: skip


def s_client(server, *args, say=b"", seconds=10):
    """openssl s_client; what it said on stdout and stderr."""
    host, port = server.address
    done = subprocess.run(["openssl", "s_client", "-connect", f"{host}:{port}", *map(str, args)],
                          input=say, capture_output=True, timeout=seconds)  # fmt: skip
    return (done.stdout + done.stderr).decode("utf-8", "replace")


def ask(wire, host="a.test"):
    wire.send(GET % host.encode())
    return wire.reply()


# --- Clients -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("http", ["--http1.1", "--http2"])
def test_curl(server, authority, version, http):
    done = curl(server, f"--tlsv{version}", "--tls-max", version, http, "-w", "\n%{http_version}", ca=authority.path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{HELLO.decode()}\n{'2' if http == '--http2' else '1.1'}"


def test_plain_and_secure_listeners_side_by_side(server, authority):
    with Wire(server.addresses[1]) as wire:
        assert ask(wire).content == HELLO
    with TlsWire(server.address, authority.context(), "a.test") as wire:
        assert ask(wire).content == HELLO
        assert ask(wire).content == HELLO


def test_the_announcement_says_which_is_secure(server):
    assert re.match(r"pollux: listening on https://127\.0\.0\.1:\d+, 127\.0\.0\.1:\d+ \(1 workers?\)", server.stderr)


@pytest.mark.short
def test_bytes_one_at_a_time(server, authority):
    """Both ways: a client that trickles, and one that reads through a keyhole."""
    with TlsWire(server.address, authority.context(), "a.test", rcvbuf=2048) as wire:
        for byte in GET % b"a.test":
            wire.send(bytes([byte]))
        assert wire.reply().content == HELLO


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_large_content_both_ways(pairs, authority, version):
    text = "x" * 100_000
    with tls(*flags(pairs[0]), text) as server:
        with TlsWire(server.address, authority.context(version=version), "a.test") as wire:
            content = os.urandom(1 << 20)
            for _ in range(3):
                wire.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % len(content) + content)
                assert wire.reply().content == text.encode()


def test_files(pairs, authority, tmp_path):
    for size in (0, 1, 4095, 16384, 16385, 100_000, 5_000_000):
        (tmp_path / str(size)).write_bytes(os.urandom(size))
    argv = ["files", "--log", "off", "-w", "1", "-l", "https://127.0.0.1:0", *flags(pairs[0]), tmp_path]
    with Pollux(*argv) as server, TlsWire(server.address, authority.context(), "a.test") as wire:
        for path in tmp_path.iterdir():
            wire.send(b"GET /%s HTTP/1.1\r\nHost: a.test\r\n\r\n" % path.name.encode())
            assert wire.reply().content == path.read_bytes(), path.name
        wire.send(b"GET /5000000 HTTP/1.1\r\nHost: a.test\r\nRange: bytes=1000000-1099999\r\n\r\n")
        assert wire.reply().content == (tmp_path / "5000000").read_bytes()[1_000_000:1_100_000]


def test_python_http_client(server, authority):
    import http.client

    connection = http.client.HTTPSConnection(*server.address, context=authority.context(), timeout=10)
    for _ in range(3):
        connection.request("GET", "/")
        assert connection.getresponse().read() == HELLO
    connection.close()


# --- Names and protocols -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name,common,bits",
    [("a.test", "a.test", 256), ("A.TEST", "a.test", 256), ("b.test", "b.test", 256), ("x.wild.test", "*.wild.test", 256),
     ("nobody.test", "a.test", 256)],
)  # fmt: skip
def test_certificates_by_name(server, name, common, bits):
    out = s_client(server, "-servername", name)
    assert re.search(rf"subject=CN ?= ?{re.escape(common)}", out), out
    assert f"Server public key is {bits} bit" in out


def test_key_types_by_what_the_client_can_check(server):
    for sigalgs, bits in (("RSA-PSS+SHA256:RSA+SHA256", 2048), ("ECDSA+SHA256", 256)):
        out = s_client(server, "-servername", "a.test", "-sigalgs", sigalgs)
        assert f"Server public key is {bits} bit" in out, out


def test_alpn(server):
    assert "ALPN protocol: h2" in s_client(server, "-alpn", "http/1.1,h2")
    assert "ALPN protocol: http/1.1" in s_client(server, "-alpn", "foo,http/1.1")
    assert "No ALPN negotiated" in s_client(server)
    assert "ALPN protocol: http/1.0" in s_client(server, "-alpn", "foo,http/1.0")
    assert "tlsv1 alert no application protocol" in s_client(server, "-alpn", "foo,http/0.9")


@pytest.mark.parametrize(
    "name,host,status",
    [("a.test", "a.test", 200), ("a.test", "A.Test:8443", 200), ("a.test", "b.test", 200), ("b.test", "a.test", 200),
     ("a.test", "nobody.test", 200), ("x.wild.test", "y.wild.test", 200), ("nobody.test", "nobody.test", 200),
     (None, "b.test", 200), (None, "127.0.0.1", 200)],
)  # fmt: skip
def test_differing_names_over_http1(server, authority, name, host, status):
    with TlsWire(server.address, authority.context(verify=False), name) as wire:
        assert ask(wire, host).status == status
        assert ask(wire, name or "a.test").status == 200, "the connection persists"


# --- Versions, resumption ------------------------------------------------------------------------


def test_old_versions_are_refused(server):
    for version in ("-tls1", "-tls1_1"):
        out = s_client(server, version, "-cipher", "ALL:@SECLEVEL=0")
        assert "alert protocol version" in out, out


@pytest.mark.parametrize("flag", [["--tls-modern"], ["--tls-profile", "modern"]], ids=" ".join)
def test_modern(pairs, flag):
    with tls(*flags(pairs[0]), *flag) as server:
        assert "alert protocol version" in s_client(server, "-tls1_2")
        assert "TLSv1.3" in s_client(server, "-tls1_3")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_resumption(pairs, authority, tmp_path, version):
    """Over workers, since they share what seals tickets; and not for another host."""
    say = GET.replace(b"Host: %s", b"Host: a.test\r\nConnection: close")
    with tls(*flags(*pairs), "-w", "3") as server:
        kept = tmp_path / "session"
        out = s_client(server, version, "-servername", "a.test", "-sess_out", kept, "-ign_eof", say=say)
        assert "New, TLSv1" in out and HELLO.decode() in out, out
        for _ in range(6):
            out = s_client(server, version, "-servername", "a.test", "-sess_in", kept)
            assert "Reused, TLSv1" in out, out
        out = s_client(server, version, "-servername", "x.wild.test", "-sess_in", kept)
        assert "New, TLSv1" in out, out


def test_ticket_keys_of_a_file(pairs, tmp_path):
    keys, kept = tmp_path / "keys", tmp_path / "session"
    keys.write_bytes(os.urandom(80))
    say = GET.replace(b"Host: %s", b"Host: a.test\r\nConnection: close")
    argv = [*flags(pairs[0]), "--tls-ticket-keys", keys]
    with tls(*argv) as one, tls(*argv) as two:
        s_client(one, "-servername", "a.test", "-sess_out", kept, "-ign_eof", say=say)
        assert "Reused, TLSv1" in s_client(two, "-servername", "a.test", "-sess_in", kept)


# --- Client certificates -------------------------------------------------------------------------


def test_client_certificates(pairs, authority, tmp_path):
    mine = authority.issue("me", client=True)
    stranger = Authority(tmp_path / "stranger").issue("stranger", client=True)
    for rule, results in ((None, "100"), ("required", "100"), ("optional", "101")):
        argv = ["--tls-client", rule] if rule else []
        with tls(*flags(pairs[0]), "--tls-client-ca", authority.path, *argv) as server:
            got = ""
            for pair in (mine, stranger, None):
                args = ["--cert", pair[0], "--key", pair[1]] if pair else []
                got += "1" if curl(server, *args, ca=authority.path).returncode == 0 else "0"
            assert got == results, rule


# --- Closing -------------------------------------------------------------------------------------


@pytest.mark.short
def test_the_server_says_close_notify(server, authority):
    with TlsWire(server.address, authority.context(), "a.test") as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        assert wire.reply().content == HELLO
        assert wire.rest() == b""  # TlsWire raises for an end without close_notify


def test_a_clients_close_notify_is_half_close(server, authority):
    with TlsWire(server.address, authority.context(), "a.test") as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        wire.half_close()
        # Python's ssl cannot read behind an unwrap; the server's end shows that it was answered.
    with TlsWire(server.address, authority.context(), "a.test") as wire:
        assert ask(wire).status == 200


def test_truncated_content_is_no_request(pairs, authority):
    """Content cut short by whoever owns the network is not taken for whole."""
    with Pollux("respond", "--log", "json", "-w", "1", "-l", "https://127.0.0.1:0", *flags(pairs[0])) as server:
        with TlsWire(server.address, authority.context(), "a.test") as wire:
            wire.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\n12345")
            wire.cut()
            with pytest.raises((WireReset, ssl.SSLError, OSError)):
                if not wire.rest():
                    raise WireTruncated("closed without an answer")
        assert b'"status":200' not in server.stdout


# --- What peers may not do -----------------------------------------------------------------------


@pytest.mark.short
def test_plain_http_is_told_so(server):
    for text in (b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"OPTIONS * HTTP/1.1\r\n"):
        with Wire(server.address) as wire:
            wire.send(text)
            reply = wire.reply()
            assert reply.status == 400 and b"https://" in reply.content and reply.says_close
            assert wire.rest() == b""


@pytest.mark.short
def test_garbage_gets_an_alert(server):
    for text in (b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x01\xff\xff" + b"x" * 100, b"\x17\x03\x03\x00\x01x" * 9):
        with Wire(server.address) as wire:
            wire.send(text)
            rest = wire.rest()
            assert rest[:1] == b"\x15", rest
    # What is no record at all is answered with nothing, and an orderly end.
    for text in (b"\x00" * 64, b"\x80\x2e\x01\x00\x02" + b"x" * 44, b"hello\r\n"):
        with Wire(server.address) as wire:
            wire.send(text)
            assert wire.rest()[:1] in (b"", b"\x15")


def test_no_renegotiation(server):
    out = s_client(server, "-tls1_2", "-servername", "a.test", say=b"R\n")
    assert "no renegotiation" in out, out


def test_key_update(server, authority):
    """A few are an ordinary thing; s_client looks at the first letter of each read."""
    host, port = server.address
    argv = ["openssl", "s_client", "-connect", f"{host}:{port}", "-tls1_3", "-servername", "a.test"]
    client = subprocess.Popen([*argv, "-CAfile", authority.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)  # fmt: skip
    out = b""
    try:
        for say, wanted in ((b"", b"New, TLSv1.3"), (b"K\n", b"KEYUPDATE"), (b"k\n", b"KEYUPDATE"), (b"K\n", b"KEYUPDATE"),
                            (b"GET / HTTP/1.0\r\n\r\n", HELLO)):  # fmt: skip
            out = b""
            client.stdin.write(say)
            client.stdin.flush()
            while wanted not in out:
                piece = os.read(client.stdout.fileno(), 65536)
                assert piece, out
                out += piece
    finally:
        client.kill()
        client.communicate()


def test_no_early_data(server, tmp_path):
    kept = tmp_path / "session"
    say = GET.replace(b"Host: %s", b"Host: a.test\r\nConnection: close")
    s_client(server, "-tls1_3", "-servername", "a.test", "-sess_out", kept, "-ign_eof", say=say)
    out = subprocess.run(["openssl", "sess_id", "-in", kept, "-text", "-noout"], capture_output=True, text=True).stdout
    assert "Max Early Data: 0" in out, out


def test_a_handshake_that_stops_has_a_deadline(pairs, authority):
    with tls(*flags(pairs[0]), "--timeout-handshake", "300ms") as server:
        # One that says nothing, and one that stops after half of its hello.
        hello = ssl.MemoryBIO()
        client = authority.context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="a.test")
        with pytest.raises(ssl.SSLWantReadError):
            client.do_handshake()
        flight = hello.read()
        for part in (flight[:1], flight[: len(flight) // 2], flight):
            with Wire(server.address) as wire:
                wire.send(part)
                try:
                    wire.rest()
                except WireReset:
                    pass
        with TlsWire(server.address, authority.context(), "a.test") as wire:
            time.sleep(0.6)  # the deadline is the handshake's, not the connection's
            assert ask(wire).status == 200


def test_a_crowd_that_dawdles_locks_nobody_out(pairs, authority):
    with tls(*flags(pairs[0]), "--max-handshakes", "4") as server:
        crowd = [socket.create_connection(server.address) for _ in range(20)]
        try:
            for sock in crowd:
                sock.sendall(b"\x16\x03\x01")
            for _ in range(5):
                with TlsWire(server.address, authority.context(), "a.test") as wire:
                    assert ask(wire).status == 200
        finally:
            for sock in crowd:
                sock.close()


# --- Starting and reloading ----------------------------------------------------------------------


def test_self_signed(tmp_path):
    with tls("--tls-self-signed") as server:
        fingerprint = server.wait_stderr(r"self-signed certificate for localhost, SHA-256 ([0-9A-F:]{95})$")[0][1]
        pem = ssl.get_server_certificate(server.address)
        out = subprocess.run(["openssl", "x509", "-fingerprint", "-sha256", "-noout", "-ext", "subjectAltName"],
                             input=pem, capture_output=True, text=True).stdout  # fmt: skip
        assert fingerprint in out and "DNS:localhost, IP Address:127.0.0.1" in out
        (tmp_path / "ca.pem").write_text(pem)
        done = curl(server, name="localhost", ca=tmp_path / "ca.pem")
        assert done.stdout == HELLO.decode(), done.stderr
    with tls("--tls-self-signed=dev.test") as server:
        done = curl(server, "-k", "-w", "%{certs}", name="dev.test")
        assert "Subject Alternative Name:DNS:dev.test" in done.stdout, done.stdout


def names_shown(server, name):
    """The names of the certificate that a client is shown who asks for one."""
    pem = s_client(server, "-servername", name)
    out = subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName"], input=pem, capture_output=True, text=True)
    return re.findall(r"DNS:([^,\s]+)", out.stdout)


def fingerprints(server):
    return re.findall(r"self-signed certificate for (\S+), SHA-256 ([0-9A-F:]{95})$", server.stderr, re.M)


def test_each_self_signed_certificate_has_its_own_names():
    with tls("--tls-self-signed=a.test", "--tls-self-signed=b.test,c.test") as server:
        shown = {name: names_shown(server, name) for name in ("a.test", "b.test", "c.test", "none.test")}
        assert shown == {"a.test": ["a.test"], "b.test": ["b.test", "c.test"], "c.test": ["b.test", "c.test"],
                         "none.test": ["a.test"]}  # fmt: skip
        said = fingerprints(server)
        assert [name for name, _ in said] == ["a.test", "b.test"] and said[0][1] != said[1][1]


def test_self_signed_certificates_of_hosts(tmp_path, pairs):
    """One for each statement, in their order among files; a reload keeps those whose names it keeps."""
    file = tmp_path / "pollux.conf"
    one, two = "host one.test { tls self_signed one.test,www.one.test; respond }\n", "host two.test { tls self_signed; respond }\n"
    three = f"host b.test {{ tls {pairs[2][0]} {pairs[2][1]}; respond }}\n"
    top = f"listen 127.0.0.1:0 tls\nworkers 1\nlog off\npid_file {tmp_path}/pid\n"
    file.write_text(top + one + two + three)
    with Server([PROGRAM, "run", "-c", file]) as server:
        shown = {name: names_shown(server, name) for name in ("www.one.test", "two.test", "b.test", "none.test")}
        assert shown == {"www.one.test": ["one.test", "www.one.test"], "two.test": ["two.test"],
                         "b.test": ["b.test"], "none.test": ["one.test", "www.one.test"]}  # fmt: skip
        before = fingerprints(server)
        assert [name for name, _ in before] == ["one.test", "two.test"]
        assert run("reload", "-c", file)[0] == 0
        assert fingerprints(server) == before
        one_pem = s_client(server, "-servername", "one.test")
        file.write_text(top + one + two.replace("two.test {", "two.test 2.test {"))
        assert run("reload", "-c", file)[0] == 0
        after = fingerprints(server)
        assert after[:2] == before and [name for name, _ in after[2:]] == ["two.test"]
        assert names_shown(server, "2.test") == ["two.test", "2.test"]
        pem = re.compile(r"-----BEGIN.*?END CERTIFICATE-----", re.S)
        assert pem.search(one_pem)[0] == pem.search(s_client(server, "-servername", "one.test"))[0]


def test_lines_of_certificates_have_one_level(tmp_path, authority):
    """A certificate that is made is worth knowing, no error; a warning says so once."""
    cert, key = authority.issue("soon.test", days=5)
    log, file = tmp_path / "error.log", tmp_path / "pollux.conf"
    for level, made in (("warning", False), ("notice", True)):
        log.unlink(missing_ok=True)
        file.write_text(f"listen 127.0.0.1:0 tls\nworkers 0\nlog off\nerror_log {level} {log}\n"
                        f"tls {cert} {key}\ntls self_signed x.test\nrespond\n")  # fmt: skip
        child = subprocess.Popen([PROGRAM, "run", "-c", file])
        try:
            end = time.monotonic() + 10
            while not log.exists() or "expires on" not in log.read_text() or ("SHA-256" in log.read_text()) != made:
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.02)
        finally:
            child.terminate()
            child.wait(15)
        lines = log.read_text().splitlines()
        assert any(re.search(r" warning pollux\[\d+\]: the certificate in ", line) for line in lines), lines
        assert made == any(re.search(r" notice pollux\[\d+\]: self-signed certificate for x.test", line) for line in lines)


def failing(code, *args, says):
    result, out, err = run("respond", "-l", "https://127.0.0.1:0", *args)
    assert (result, out) == (code, "") and re.fullmatch(rf"pollux: .*{says}.*\n", err), (result, err)


def test_mistakes_are_one_line(authority, pairs, tmp_path):
    cert, key = pairs[0]
    expired = authority.issue("old.test", days=-1)
    locked = tmp_path / "locked.key"
    locked.write_bytes(key.read_bytes())
    locked.chmod(0)
    failing(64, says="TLS needs --tls-cert and --tls-key")
    failing(66, "--tls-cert", "/none.pem", says="cannot read the certificate /none.pem: No such file")
    failing(66, "--tls-cert", cert, "--tls-key", "/none.key", says="cannot read the key /none.key")
    failing(78, "--tls-cert", cert, "--tls-key", pairs[2][1], says="does not belong to the certificate in")
    failing(78, "--tls-cert", cert, says="there is no private key in")
    failing(78, *flags(expired), "--tls-strict", says="the certificate in .* expired on .*, 1 day ago")
    failing(78, *flags(pairs[0]), "--tls-ticket-keys", cert, says="openssl rand 80")
    failing(78, *flags(pairs[0]), "--tls-client-ca", key, says="there is no certificate in")
    failing(66, *flags(pairs[0]), "--tls-ocsp", "/none.der", says="cannot read the OCSP response")
    if os.geteuid() != 0:
        failing(77, "--tls-cert", cert, "--tls-key", locked, says="Permission denied .*readable")


def fingerprint(server, name="r.test"):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(server.address, timeout=10) as plain:
        with context.wrap_socket(plain, server_hostname=name) as wire:
            return wire.getpeercert(True)


def until(call, wanted, seconds=10):
    end = time.monotonic() + seconds
    while call() != wanted:
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_reload(authority, workers):
    """HUP: new connections see what is new, open ones go on, and what is wrong changes nothing."""
    cert, key = authority.issue("r.test", file="reload")
    # Without a master it is the process itself that reads them anew, and root would be nobody.
    user = ["--user", str(os.geteuid())] if workers == "0" else []
    with tls("--tls-cert", cert, "--tls-key", key, "-w", workers, *user) as server:
        before = fingerprint(server)
        with TlsWire(server.address, authority.context(), "r.test") as wire:
            assert ask(wire, "r.test").status == 200
            key.write_text("junk")
            server.signal(signal.SIGHUP)
            server.wait_stderr(r"not reloaded: .*there is no private key in")
            assert fingerprint(server) == before
            authority.issue("r.test", file="reload")
            server.signal(signal.SIGHUP)
            until(lambda: fingerprint(server) != before, True)
            assert ask(wire, "r.test").status == 200


@pytest.mark.parametrize("workers", ["0", "2"])
def test_expired(authority, workers):
    """It warns and is served, and port 80 beside it; HUP goes on."""
    expired = authority.issue("old.test", days=-1)
    user = ["--user", str(os.geteuid())] if workers == "0" else []
    with tls(*flags(expired), "-w", workers, *user, "-l", "127.0.0.1:0") as server:
        server.wait_stderr(r"^pollux: warning: the certificate in .*old.test.* expired on \S+, 1 day ago$")
        assert fingerprint(server, "old.test")
        with Wire(server.addresses[1]) as wire:
            assert ask(wire, "old.test").content == HELLO
        server.signal(signal.SIGHUP)
        server.wait_stderr(r"^pollux: reloaded")
        assert fingerprint(server, "old.test")
        # Said once, though it was judged twice.
        assert server.stderr.count("expired on") == 1


@pytest.mark.parametrize("days, says", [(-1, "expired on"), (5, "expires on"), (90, None)])
@pytest.mark.parametrize("strict", ["off", "on"])
def test_check_tells_of_dates(authority, tmp_path, days, says, strict):
    """What a start would: a warning, or with strict an error for one that is not valid."""
    cert, key = authority.issue("date.test", days=days, file=f"date{days}{strict}")
    file = tmp_path / "pollux.conf"
    file.write_text(f"listen 127.0.0.1:0 tls\nhost date.test {{\n    tls {cert} {key} {{ strict {strict} }}\n    respond x\n}}\n")
    code, out, err = run("check", "-c", file)
    assert (code, out) == (78 if strict == "on" and days < 0 else 0, "")
    assert err.count("\n") == (1 if says else 0) and (says or "") in err
    assert err.startswith("pollux: warning: ") == (says is not None and code == 0)


def test_expired_is_replaced(authority, tmp_path):
    """USR2: an update is not refused for what was served before."""
    expired = authority.issue("old.test", days=-1)
    pid_file = tmp_path / "pid"
    with tls(*flags(expired), "-w", "2", "--pid-file", pid_file) as server:
        server.signal(signal.SIGUSR2)
        until(lambda: int(pid_file.read_text() or server.pid) != server.pid, True)
        successor = int(pid_file.read_text())
        try:
            server.wait_stderr(r"expired on", count=2)  # a process of its own says it again
            assert fingerprint(server, "old.test")
        finally:
            os.kill(successor, signal.SIGTERM)
            until(pid_file.exists, False)


def alert(server, name):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(server.address, timeout=10) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=name):
                return None
        except ssl.SSLError as error:
            return error.reason


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.parametrize("fault, says", [
    ("key", r"there is no private key in"),
    ("other key", r"does not belong to the certificate in"),
    ("gone", r"cannot read the certificate .*: No such file"),
    ("junk", r"there is no certificate in"),
])  # fmt: skip
def test_one_bad_of_two(authority, tmp_path, workers, fault, says):
    """The other one is served; the bad one's names are refused, until it is mended."""
    stem = f"bad-{fault.replace(' ', '-')}-{workers}"
    good, bad = authority.issue("good.test"), authority.issue("bad.test", file=stem)
    cert, key = bad
    match fault:
        case "key":
            key.write_text("junk")
        case "other key":
            key.write_bytes(good[1].read_bytes())
        case "gone":
            cert.unlink()
        case "junk":
            cert.write_text("junk")
    failing(66 if fault == "gone" else 78, *flags(bad), says=says)
    failing(66 if fault == "gone" else 78, *flags(good, bad), "--tls-strict", says=says)
    user = ["--user", str(os.geteuid())] if workers == "0" else []
    with tls(*flags(bad, good), "-w", workers, *user) as server:
        line = rf"^pollux: warning: .*{says}.*; clients that ask for its names are refused until the file is mended$"
        server.wait_stderr(line)
        shown = fingerprint(server, "good.test")
        assert alert(server, "bad.test") == "TLSV1_UNRECOGNIZED_NAME"
        assert fingerprint(server, None) == shown
        server.signal(signal.SIGHUP)  # the same rule: it is reloaded, and said again
        server.wait_stderr(line, count=2)
        server.wait_stderr(r"^pollux: reloaded")
        assert fingerprint(server, "good.test") == shown
        authority.issue("bad.test", file=stem)
        until(lambda: alert(server, "bad.test"), None, seconds=30)  # without a signal
        assert fingerprint(server, "bad.test") != shown


def test_files_that_change_are_read(authority):
    """Without a signal, as certbot leaves them; in a process alone, and by a master."""
    cert, key = authority.issue("r.test", file="watched")
    user = ["--user", str(os.geteuid())]  # who reads them in a process alone
    with tls("--tls-cert", cert, "--tls-key", key, "-w", "0", *user) as one, \
            tls("--tls-cert", cert, "--tls-key", key, "-w", "2") as two:  # fmt: skip
        before = fingerprint(one)
        assert fingerprint(two) == before
        authority.issue("r.test", file="watched")
        for server in (one, two):
            until(lambda: fingerprint(server) != before, True, seconds=30)
        assert fingerprint(one) == fingerprint(two)


# --- What belongs to https -----------------------------------------------------------------------


def test_hsts(pairs, authority):
    for argv, wanted in ((["--hsts"], "max-age=31536000"), (["--hsts=0"], "max-age=0"), ([], None)):
        with tls(*flags(pairs[0]), "-l", "127.0.0.1:0", *argv) as server:
            with TlsWire(server.address, authority.context(), "a.test") as wire:
                assert ask(wire).value("Strict-Transport-Security") == wanted
            with Wire(server.addresses[1]) as wire:
                assert ask(wire).value("Strict-Transport-Security") is None


def test_redirect(pairs):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv = ["-l", f"https://127.0.0.1:{port}", "--https-redirect", "127.0.0.1:0"]
    with Pollux("respond", "--log", "off", "-w", "1", *flags(pairs[0]), *argv) as server:
        with Wire(server.addresses[1]) as wire:
            for method, host, target, status, location in (
                ("GET", "a.test", "/", 301, f"https://a.test:{port}/"),
                ("HEAD", "a.test:80", "/x?y=z", 301, f"https://a.test:{port}/x?y=z"),
                ("POST", "[::1]:8080", "/%20?", 308, f"https://[::1]:{port}/%20?"),
                ("GET", "a.test", "http://b.test:1/x", 301, f"https://b.test:{port}/x"),
                ("OPTIONS", "a.test", "*", 400, None),
            ):
                wire.send(f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                reply = wire.reply(head_only=method == "HEAD")
                assert (reply.status, reply.value("Location")) == (status, location)
        with Wire(server.addresses[1]) as wire:
            wire.send(b"GET / HTTP/1.0\r\n\r\n")
            assert wire.reply().status == 400


@pytest.mark.parametrize("said", ["", "=443", "=8443"])
def test_redirect_goes_to_the_port_of_the_socket_or_the_one_that_is_said(pairs, said):
    argv = ["-l", "https://127.0.0.1:0", "--https-redirect", "127.0.0.1:0" + said]
    with Pollux("respond", "--log", "off", "-w", "1", *flags(pairs[0]), *argv) as server:
        port = {"": f":{server.address[1]}", "=443": "", "=8443": ":8443"}[said]
        with Wire(server.addresses[1]) as wire:
            wire.send(b"GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n")
            assert wire.reply().value("Location") == f"https://a.test{port}/x"
        assert ("sends clients to https on port" in server.stderr) == (not said), "a mapped port may be meant"


def test_redirect_between_inherited_sockets(pairs):
    """As systemd hands them over: no port is in the text, and the socket has it."""
    argv = ["-l", "https://fd:https", "--https-redirect", "fd:http", *flags(pairs[0])]
    argv, env, keep, names, socks = inherited("http", "https", listen=argv)
    try:
        with Server(argv, env=env, pass_fds=keep):
            with Wire(names[0]) as wire:
                wire.send(b"GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n")
                assert wire.reply().value("Location") == f"https://a.test:{names[1][1]}/x"
    finally:
        for sock in socks:
            sock.close()
        for fd in keep:
            os.close(fd)


def test_redirect_to_no_port(pairs, tmp_path):
    argv = ["-l", f"https://unix:{tmp_path}/s", "--https-redirect", "127.0.0.1:0", *flags(pairs[0])]
    result, _, err = run("respond", *argv)
    assert result == 64 and "write 127.0.0.1:0=443" in err


# --- healthcheck ---------------------------------------------------------------------------------


@pytest.mark.parametrize("options,code,says", [
    (["--ca", "CA"], 0, ""),
    (["--insecure"], 0, ""),
    ([], 1, "not trusted"),
    (["--ca", "OTHER"], 1, "not trusted"),
    (["--ca", "/nonexistent"], 66, "--ca /nonexistent"),
])  # fmt: skip
def test_healthcheck(server, authority, tmp_path, options, code, says):
    names = {"CA": authority.path, "OTHER": Authority(tmp_path).path}
    host, port = server.address
    options = [names.get(word, word) for word in options]
    result, out, err = run("healthcheck", *options, f"https://{host}:{port}/")
    assert (result, out) == (code, "") and says in err and (err == "") == (code == 0), err
    assert run("healthcheck", "-q", *options, f"https://{host}:{port}/")[2] == "" or code == 66


def test_healthcheck_looks_at_the_name(pairs, authority):
    """b.test's certificate, asked as 127.0.0.1."""
    with tls(*flags(pairs[2])) as server:
        host, port = server.address
        result, _, err = run("healthcheck", "--ca", authority.path, f"https://{host}:{port}/")
        assert result == 1 and "mismatch" in err
        assert run("healthcheck", "--insecure", f"https://{host}:{port}/") == (0, "", "")


def test_healthcheck_judges_the_status_over_tls(pairs, authority):
    with tls(*flags(pairs[0]), "--status", "503") as server:
        host, port = server.address
        result, _, err = run("healthcheck", "--ca", authority.path, f"https://{host}:{port}/x?y")
        assert result == 1 and "answered 503" in err


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("wants_client", [False, True])
def test_healthcheck_of_another_server(authority, pairs, version, wants_client):
    """Python's own TLS, a byte at a time; and one that refuses clients without a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(*map(str, pairs[0]))
    if wants_client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(str(authority.path))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            sock, _ = listener.accept()
            try:
                with context.wrap_socket(sock, server_side=True) as wire:
                    wire.recv(65536)
                    for byte in b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n":
                        wire.send(bytes([byte]))
            except OSError:
                pass

        thread = threading.Thread(target=serve)
        thread.start()
        url = "https://127.0.0.1:%d/" % listener.getsockname()[1]
        result, _, err = run("healthcheck", "--ca", authority.path, url)
        thread.join(10)
        assert result == (1 if wants_client else 0), err
        assert ("TLS failed: " in err) == wants_client, err


def test_healthcheck_of_what_speaks_no_tls(server):
    host, port = server.addresses[1]
    result, _, err = run("healthcheck", "--insecure", f"https://{host}:{port}/")
    assert result == 1 and "TLS failed" in err


@pytest.mark.parametrize("flag", [["--ca", "/etc/passwd"], ["--insecure"]])
def test_healthcheck_without_tls_takes_no_flags_of_it(server, flag):
    result, _, err = run("healthcheck", *flag, "http://127.0.0.1:1/")
    assert result == 64 and "https://" in err


def test_flags_that_need_each_other(pairs):
    for argv in (["--https-redirect", ":80"], ["--hsts=x"], ["--tls-client", "required", "-l", "https://127.0.0.1:0", *flags(pairs[0])]):  # fmt: skip
        assert run("respond", *argv)[0] == 64


# --- Memory --------------------------------------------------------------------------------------


def anonymous_kb(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"RssAnon:\s+(\d+)", status.read())[1])


@pytest.mark.skipif(not IS_RELEASE, reason="a sanitizer's memory is not the program's")
def test_an_idle_connection_costs_what_the_page_says(pairs, authority):
    """docs/TLS.md says 15.5 KB with HTTP/1.1, and 29.7 from OpenSSL 3.5 on; most of it is OpenSSL's."""
    most = 34 if ssl.OPENSSL_VERSION_INFO >= (3, 5) else 20
    with tls(*flags(pairs[0]), "-w", "0") as server:
        context, wires = authority.context(), []

        def more(count):
            for _ in range(count):
                wire = TlsWire(server.address, context, "a.test")
                assert ask(wire).status == 200
                wires.append(wire)
            return anonymous_kb(server.pid)

        before = more(100)
        each = (more(300) - before) * 1024 / 300
        for wire in wires:
            wire.close()
        assert 4 * 1024 < each < most * 1024, each


# --- The judge -----------------------------------------------------------------------------------


def test_sslyze_would_not_find_old_suites(server):
    for suite in ("AES128-SHA", "ECDHE-RSA-AES128-SHA", "DHE-RSA-AES128-GCM-SHA256", "AES128-GCM-SHA256", "NULL"):
        out = s_client(server, "-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0")
        assert "Cipher is (NONE)" in out or "no ciphers available" in out, suite


# Findings of testssl.sh that are about a private authority, which nobody is asked to revoke for.
PRIVATE_AUTHORITY = {"cert_revocation", "cert_chain_of_trust", "cert_trust", "OCSP_stapling", "DNS_CAArecord"}


@pytest.mark.timeout(600)
@pytest.mark.skipif(not os.environ.get("POLLUX_FULL"), reason="a minute and a half; script/test full")
def test_testssl(pairs, authority, tmp_path):
    """No finding above "low", but for what a private authority cannot have."""
    out = tmp_path / "findings.json"
    fields = ["-H", "X-Content-Type-Options: nosniff", "-H", "X-Frame-Options: DENY",
              "-H", "Content-Security-Policy: default-src 'none'"]  # fmt: skip
    with tls(*flags(pairs[0], authority.issue("localhost", kind="rsa")), "--hsts", *fields) as server:
        argv = ["testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--add-ca", authority.path,
                "--ip", server.address[0], "--jsonfile", out, f"localhost:{server.address[1]}"]  # fmt: skip
        subprocess.run([*map(str, argv)], stdin=subprocess.DEVNULL, capture_output=True, timeout=600)
    findings = json.loads(out.read_text())
    assert len(findings) > 100
    above = [f for f in findings if f["severity"] in ("MEDIUM", "HIGH", "CRITICAL", "FATAL")]
    assert not [f for f in above if f["id"].split(" ")[0] not in PRIVATE_AUTHORITY], above
