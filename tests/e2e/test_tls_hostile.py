"""Peers that speak TLS badly, slowly or too much, and what must hold for those that speak it well.

What a handler sees over TLS is in test_handlers.py; what HTTP must refuse, over TLS as well, in
test_hostile.py and test_http2.py.
"""

import os
import re
import select
import socket
import ssl
import subprocess
import time

import pytest

from lib.h2frames import PREFACE, PROTOCOL_ERROR, H2Wire, get, headers, settings
from lib.runner import Pollux
from lib.tls import Authority, TlsWire, WireTruncated
from lib.wire import Wire, WireError, WireReset, connect

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def tls_address(server):
    return server.addresses[1]


def tls_server(authority, *flags, pairs=None, listen="https://127.0.0.1:0"):
    """A `respond` with both kinds of listener; addresses[1] speaks TLS."""
    for cert, key in pairs or [authority.issue("a")]:
        flags = (*flags, "--tls-cert", cert, "--tls-key", key)
    argv = ["respond", "--log", "off", "-w", "1", *flags, "-l", "127.0.0.1:0", "-l", listen]
    server = Pollux(*argv)
    server.authority = authority
    return server


@pytest.fixture
def victim(authority):
    with tls_server(authority) as server:
        yield server
        with TlsWire(tls_address(server), authority.context()) as wire:  # whatever was done to it
            wire.send(CLOSE)
            assert wire.reply().status == 200
            wire.ends()


# --- Versions, suites, protocols -----------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions(secure, version):
    with TlsWire(tls_address(secure), secure.authority.context(version=version)) as wire:
        assert wire.tls.version() == {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[version]
        assert wire.tls.compression() is None, "RFC 9113 section 9.2.1"
        wire.send(CLOSE)
        assert wire.reply().content == b"Hello, world!"
        wire.ends()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_versions_of_the_past(secure, version):
    """RFC 9113 section 9.2: TLS 1.2 at least."""
    context = secure.authority.context(version=version, ciphers="ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        TlsWire(tls_address(secure), context)


# A sample of the prohibited suites of RFC 9113 appendix A, one of each kind that OpenSSL has.
PROHIBITED = [
    "AES128-SHA", "AES256-SHA256", "AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-CCM", "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-RSA-AES128-SHA", "CAMELLIA128-SHA",
    "DHE-RSA-AES128-SHA", "ECDHE-ECDSA-CAMELLIA128-SHA256", "AECDH-AES128-SHA", "NULL-SHA256", "PSK-AES128-CBC-SHA",
]  # fmt: skip


@pytest.mark.parametrize("alpn", [["h2"], ["http/1.1"]], ids=["h2", "http1"])
@pytest.mark.parametrize("suite", PROHIBITED)
def test_prohibited_suites(secure, suite, alpn):
    context = secure.authority.context(alpn=alpn, version=ssl.TLSVersion.TLSv1_2, ciphers=f"{suite}:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="(?i)handshake.failure|no.cipher|insufficient.security"):
        TlsWire(tls_address(secure), context)


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"])
def test_suites_of_1_2(secure, suite):
    context = secure.authority.context(alpn=["h2"], version=ssl.TLSVersion.TLSv1_2, ciphers=suite)
    with H2Wire(None, wire=TlsWire(tls_address(secure), context)) as h2:
        assert h2.wire.tls.cipher()[0] == suite
        h2.probe(1, get(scheme="https"))


@pytest.mark.parametrize("offered, chosen", [
    (["h2", "http/1.1"], "h2"), (["http/1.1", "h2"], "h2"), (["h2"], "h2"), (["http/1.1"], "http/1.1"),
    (["spdy/3.1", "http/1.1"], "http/1.1"), (["h2c", "http/1.1"], "http/1.1"), (["h3", "h2"], "h2"), (None, None),
])  # fmt: skip
def test_protocols(secure, offered, chosen):
    """RFC 7301; RFC 9113 section 3.1: `h2c` MUST NOT be selected."""
    with TlsWire(tls_address(secure), secure.authority.context(alpn=offered)) as wire:
        assert wire.protocol == chosen
        if chosen == "h2":
            with H2Wire(None, wire=wire) as h2:
                h2.probe(1, get(scheme="https"))
        else:
            wire.send(CLOSE)
            assert wire.reply().status == 200
            wire.ends()


@pytest.mark.parametrize("offered", [["h2c"], ["spdy/3.1", "h3"], ["x" * 255]], ids=["h2c", "others", "long"])
def test_no_protocol_in_common(secure, offered):
    """RFC 7301 section 3.2: the alert no_application_protocol."""
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        TlsWire(tls_address(secure), secure.authority.context(alpn=offered))


@pytest.mark.parametrize("alpn", [None, ["http/1.1"]], ids=["none", "http1"])
def test_a_preface_without_h2_is_no_http2(secure, alpn):
    """RFC 9113 section 3.2: over TLS, HTTP/2 is what ALPN chose and nothing else."""
    with TlsWire(tls_address(secure), secure.authority.context(alpn=alpn)) as wire:
        wire.send(PREFACE + settings())
        reply = wire.reply()
        assert reply.status in (400, 505) and reply.says_close
        wire.ends()


def test_http_1_where_h2_was_chosen(secure):
    with H2Wire(None, preface=False, wire=TlsWire(tls_address(secure), secure.authority.context(alpn=["h2"]))) as h2:
        h2.send(GET)
        assert h2.goaway_code() in (PROTOCOL_ERROR, None)


# --- Names ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def virtual(authority):
    pairs = [authority.issue("a.test", "both.test"), authority.issue("b.test"), authority.issue("*.wild.test")]
    with tls_server(authority, pairs=pairs) as server:
        yield server


@pytest.mark.parametrize("name", ["a.test", "both.test", "b.test", "x.wild.test", "A.TEST"])
def test_certificate_by_name(virtual, name):
    with TlsWire(tls_address(virtual), virtual.authority.context(), name=name) as wire:
        wire.send(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        assert wire.reply().status == 200


HOSTS = [
    ("a.test", "a.test", 200), ("a.test", "A.Test:8443", 200), ("a.test", "a.test.", 200), ("a.test", "b.test", 421),
    ("b.test", "a.test", 421), ("a.test", "x.wild.test", 421), ("x.wild.test", "y.wild.test", 200),
    ("x.wild.test", "wild.test", 421), ("x.wild.test", "y.x.wild.test", 421), ("a.test", "both.test", 200),
    # A name of no certificate is shown the first one, and whether that will do the client has decided.
    ("none.test", "none.test", 200), ("none.test", "other.test", 421), ("none.test", "a.test", 200),
    ("none.test", "b.test", 421),
]  # fmt: skip


@pytest.mark.parametrize("sni, host, status", HOSTS)
@pytest.mark.parametrize("alpn", ["http/1.1", "h2"])
def test_421(virtual, sni, host, status, alpn):
    """RFC 9110 section 15.5.20; a certificate that is good for both names may serve both."""
    context = virtual.authority.context(alpn=[alpn])
    context.check_hostname = sni != "none.test"
    with TlsWire(tls_address(virtual), context, name=sni) as wire:
        if alpn == "h2":
            h2 = H2Wire(None, wire=wire)
            h2.send(headers(1, get(scheme="https", authority=host)))
            assert h2.response(1).status == status
            h2.probe(3, get(scheme="https", authority=sni))
            return
        wire.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert wire.reply().status == 200, "HTTP/1 with another Host than SNI is what proxies send"
        wire.send(f"GET / HTTP/1.1\r\nHost: {sni}\r\n\r\n".encode())
        assert wire.reply().status == 200


# --- Resumption ----------------------------------------------------------------------------------


def session_of(server, context, name, host=None):
    """A session that can be resumed: with TLS 1.3 its ticket comes after the handshake."""
    with TlsWire(tls_address(server), context, name=name) as wire:
        wire.send(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        assert wire.reply().status == 200
        wire.ends()
        return wire.tls.session


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_resumption_within_a_virtual_host(virtual, version):
    context = virtual.authority.context(version=version)
    context.check_hostname = False
    session = session_of(virtual, context, "a.test")
    with TlsWire(tls_address(virtual), context, name="a.test", session=session) as wire:
        assert wire.tls.session_reused
        wire.send(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert wire.reply().status == 200
    session = session_of(virtual, context, "a.test")
    # A session of one host is worth nothing at another.
    try:
        with TlsWire(tls_address(virtual), context, name="b.test", session=session) as wire:
            assert not wire.tls.session_reused
            wire.send(b"GET / HTTP/1.1\r\nHost: b.test\r\n\r\n")
            assert wire.reply().status == 200
    except ssl.SSLError:
        pass


# --- openssl s_client ----------------------------------------------------------------------------


class SClient:
    """openssl s_client, whose letters K and R ask for what no library's API would."""

    def __init__(self, server, *args):
        host, port = tls_address(server)
        argv = ["openssl", "s_client", "-connect", f"{host}:{port}", "-servername", "a", "-CAfile", server.authority.path,
                *args]  # fmt: skip
        self.process = subprocess.Popen(
            list(map(str, argv)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.said = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # what it would not take any more
        self.process.stdout.close()

    def read(self, wanted=None, seconds=10):
        """Reads until `wanted` matches, or to its end; whether it matched."""
        end = time.monotonic() + seconds
        while not (wanted and re.search(wanted, self.said)):
            left = end - time.monotonic()
            assert left > 0, f"no {wanted!r} in {self.said[-600:]!r}"
            if not select.select([self.process.stdout], [], [], left)[0]:
                continue
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk:
                return False
            self.said += chunk
        return True

    def type(self, text):
        try:
            self.process.stdin.write(text)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass


def test_s_client(secure):
    for version in ("-tls1_2", "-tls1_3"):
        with SClient(secure, version, "-ign_eof") as client:
            client.type(CLOSE)
            client.read()
            said = client.said
            assert b"Hello, world!" in said and b"Verify return code: 0 (ok)" in said, said[-900:]
            assert b"Compression: NONE" in said or b"Compression" not in said
            if version == "-tls1_2":
                assert b"Secure Renegotiation IS supported" in said


def test_renegotiation(victim):
    """RFC 9113 section 9.2.1; HTTP/1.1 is not better off."""
    with SClient(victim, "-tls1_2") as client:
        client.read(rb"Verify return code")
        client.type(b"R\n")
        client.read(rb"RENEGOTIATING")
        client.type(b"R\n" * 5)
        assert not client.read(rb"(?s)RENEGOTIATING.*Verify return code: 0 \(ok\)\n.*Verify return code"), "it renegotiated"
        assert re.search(rb"no renegotiation|alert|closed|error|errno|EOF", client.said), client.said[-600:]


def test_a_key_update_is_fine(victim):
    with SClient(victim, "-tls1_3") as client:
        client.read(rb"Verify return code")
        for letter in (b"K\n", b"k\n", b"K\n"):
            client.type(letter)
            client.read(rb"KEYUPDATE\n" if letter == b"k\n" else rb"KEYUPDATE")
            time.sleep(0.05)  # a letter is read as one only at the start of what is typed
        client.type(CLOSE)
        client.read(rb"Hello, world!")


def test_key_updates_have_a_budget(victim):
    with SClient(victim, "-tls1_3") as client:
        client.read(rb"Verify return code")
        for _ in range(4000):
            client.type(b"K\n")
            if client.process.poll() is not None:
                break
            while select.select([client.process.stdout], [], [], 0.001)[0]:
                chunk = os.read(client.process.stdout.fileno(), 65536)
                if not chunk:
                    return
                client.said += chunk
        assert client.process.poll() is not None, f"{client.said.count(b'KEYUPDATE')} were taken"


def test_no_early_data(victim, tmp_path):
    """RFC 8446 section 8: nobody here would know a replay."""
    session, early = tmp_path / "session", tmp_path / "early"
    early.write_bytes(CLOSE)
    with SClient(victim, "-tls1_3", "-sess_out", session, "-ign_eof") as client:
        client.type(CLOSE)
        client.read()
        assert b"Max Early Data: 0" in client.said
    with SClient(victim, "-tls1_3", "-sess_in", session, "-early_data", early, "-ign_eof") as client:
        client.type(CLOSE)
        client.read()
        assert b"Reused, TLSv1.3" in client.said
        assert b"Early data was not sent" in client.said or b"Early data was rejected" in client.said
        assert client.said.count(b"HTTP/1.1 200 OK") == 1


# --- Bytes in pieces -----------------------------------------------------------------------------


class Drip:
    """TLS in memory, so that a test decides how its bytes reach the socket."""

    def __init__(self, server, context, name="a", step=0):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        self.sock = connect(tls_address(server))
        self.step = step

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def flush(self):
        data = self.outgoing.read()
        step = self.step or max(1, len(data))
        for at in range(0, len(data), step):
            self.sock.sendall(data[at : at + step])

    def fill(self):
        chunk = self.sock.recv(self.step or 65536)
        if chunk:
            self.incoming.write(chunk)
        else:
            self.incoming.write_eof()

    def run(self, call, *args):
        while True:
            try:
                result = call(*args)
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                self.fill()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("step", [1, 2, 3, 7, 100])
def test_handshake_in_pieces(secure, version, step):
    with Drip(secure, secure.authority.context(version=version), step=step) as drip:
        drip.run(drip.tls.do_handshake)
        drip.run(drip.tls.write, CLOSE)
        said = b""
        while b"Hello, world!" not in said:
            said += drip.run(drip.tls.read, 1000)
        # b"" is what close_notify reads as; an end without one raises SSLEOFError.
        while drip.run(drip.tls.read, 1000):
            pass


def test_finished_and_request_in_one_segment(secure):
    """The request stands behind the last flight of the handshake."""
    for _ in range(5):
        with Drip(secure, secure.authority.context(version=ssl.TLSVersion.TLSv1_3)) as drip:
            with pytest.raises(ssl.SSLWantReadError):
                drip.tls.do_handshake()
            drip.flush()
            while True:
                drip.fill()
                try:
                    drip.tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    continue
            drip.tls.write(GET * 3)
            drip.flush()
            said = b""
            while said.count(b"Hello, world!") < 3:
                said += drip.run(drip.tls.read, 4000)


def test_a_byte_a_record(secure):
    with TlsWire(tls_address(secure), secure.authority.context()) as wire:
        wire.send(GET * 3, step=1)
        for _ in range(3):
            assert wire.reply().status == 200


def test_a_handshake_that_stops_anywhere(victim):
    """Cut after each number of bytes of the client's first flight, in order or by a reset."""
    context = victim.authority.context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="a")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    hello = outgoing.read()
    for at in range(0, len(hello) + 1, 3):
        with Wire(tls_address(victim)) as wire:
            wire.send(hello[:at])
            if at % 2:
                wire.close_with_reset()
            else:
                wire.half_close()


# --- Ends ----------------------------------------------------------------------------------------


def test_half_close_behind_a_whole_request(secure):
    """close_notify behind a request is no departure: the answers are awaited."""
    with TlsWire(tls_address(secure), secure.authority.context()) as wire:
        wire.send(GET * 3)
        wire.half_close()
        for _ in range(3):
            assert wire.reply().status == 200
        wire.ends()


def test_truncated_content_is_not_the_end(secure):
    """The bytes below end without a close_notify in the middle of a request's content."""
    with TlsWire(tls_address(secure), secure.authority.context()) as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
        wire.cut()
        try:
            reply = wire.reply()
            assert reply is None or reply.status == 400
        except WireReset:
            pass


def test_an_idle_end_is_in_order(authority):
    with tls_server(authority, "--timeout-idle=1s") as server:
        with TlsWire(tls_address(server), authority.context()) as wire:
            wire.send(GET)
            assert wire.reply().status == 200
            wire.ends()  # with close_notify, or this raises


# --- What is no TLS ------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [GET, b"GET / HTTP/1.0\r\n\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
                                  b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", PREFACE + settings()],
                         ids=["get", "1.0", "post", "options", "preface"])  # fmt: skip
@pytest.mark.parametrize("step", [0, 1])
def test_a_plain_request_gets_a_readable_400(secure, data, step):
    with Wire(tls_address(secure)) as wire:
        wire.send(data, step=step)
        reply = wire.reply()
        assert reply.status == 400 and reply.says_close
        assert b"TLS" in reply.content or b"https" in reply.content.lower(), reply.content
        wire.ends()


GARBAGE = {
    "zeros": bytes(100), "ff": b"\xff" * 100, "text": b"hello\r\n" * 20, "ssl2": b"\x80\x2e\x01\x00\x02" + bytes(44),
    "record-too-long": b"\x16\x03\x01\xff\xff" + bytes(1000), "record-empty": b"\x16\x03\x01\0\0" * 100,
    "hello-too-long": b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(16000), "data-first": b"\x17\x03\x03\0\x05hello",
    "alert-first": b"\x15\x03\x01\0\x02\x01\0", "alerts": b"\x15\x03\x01\0\x02\x01\x5a" * 1000, "alert-fatal": b"\x15\x03\x01\0\x02\x02\x28",
    "ccs-first": b"\x14\x03\x01\0\x01\x01", "ccs-flood": b"\x14\x03\x03\0\x01\x01" * 1000, "version-0": b"\x16\0\0\0\x05hello",
    "version-9": b"\x16\x09\x09\0\x05hello", "heartbeat": b"\x18\x03\x02\0\x03\x01\x40\0", "one-byte": b"\x16",
}  # fmt: skip


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage(victim, name):
    for _ in range(3):
        with Wire(tls_address(victim)) as wire:
            wire.send(GARBAGE[name])
            wire.half_close()
            try:
                wire.rest()  # whatever it says, it ends
            except WireReset:
                pass


def test_garbage_within_a_connection(victim):
    """What is no record, after a good handshake: an alert and an end."""
    for noise in (bytes(50), b"GET / HTTP/1.1\r\n\r\n", b"\x17\x03\x03\x00\x20" + bytes(32), b"\x15\x03\x03\0\x02\x02\x28", b"\x17\x03\x03\0\0" * 500):
        with TlsWire(tls_address(victim), victim.authority.context()) as wire:
            wire.send(GET)
            assert wire.reply().status == 200
            raw = socket.socket(fileno=os.dup(wire.sock.fileno()))
            raw.setblocking(True)
            raw.settimeout(5)
            raw.sendall(noise)
            raw.shutdown(socket.SHUT_WR)
            try:
                while raw.recv(65536):
                    pass
            except ConnectionResetError:
                pass
            raw.close()


# --- Deadline and limit of handshakes ------------------------------------------------------------


@pytest.mark.parametrize("first", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01"], ids=["nothing", "a-byte", "half-a-hello"])
def test_a_handshake_has_a_deadline(authority, first):
    with tls_server(authority, "--timeout-handshake=1s") as server:
        with Wire(tls_address(server)) as wire:
            wire.send(first)
            for _ in range(100):  # a byte now and then is no excuse
                if wire.eof or wire.reset:
                    break
                wire.send(b"\x01" if first else b"", read=True)
                wire.silent(0.1)
            assert wire.eof or wire.reset, "still waiting"


def test_handshakes_in_flight_are_limited(authority):
    """A crowd that stalls in the handshake keeps nobody out."""
    with tls_server(authority) as server:
        crowd = []
        try:
            for _ in range(1100):
                wire = Wire(tls_address(server))
                crowd.append(wire)
                wire.send(b"\x16\x03\x01\x02\x00\x01\x00", read=False)
            with TlsWire(tls_address(server), authority.context()) as wire:
                wire.send(GET)
                assert wire.reply().status == 200
            time.sleep(0.1)
            for wire in crowd:
                wire._collect()
            gone = sum(wire.eof or wire.reset for wire in crowd)
            assert gone >= 1100 - 1024, f"{gone} of 1100 were sent away"
            assert not (crowd[-1].eof or crowd[-1].reset), "the newest was sent away, not the oldest"
        finally:
            for wire in crowd:
                wire.close()
