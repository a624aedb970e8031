"""TLS for the tests: certificates made on the spot, contexts, and a Wire with TLS on it.

Happy path: `authority = Authority(folder)`, `cert, key = authority.issue("a")`, and then
`TlsWire(address, authority.context())`.  An end of the connection without close_notify is a
truncation and raises, as a reset does.
"""

import datetime
import ipaddress
import select
import socket
import ssl
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lib.wire import DEADLINE_S, Wire, WireReset


class WireTruncated(WireReset):
    """The bytes ended and no close_notify said so."""


def _name(common):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _alternative(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Authority:
    """A private certificate authority in a folder."""

    def __init__(self, folder, name="tests' own authority"):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name(name)
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        builder = self._builder(self.name, self.key.public_key(), 3650)
        builder = builder.add_extension(x509.BasicConstraints(True, 0), True).add_extension(usage, True)
        builder = self._identified(builder, self.key.public_key())
        self.certificate = builder.sign(self.key, hashes.SHA256())
        self.path = self.folder / "authority.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject, public_key, days):
        now = datetime.datetime.now(datetime.timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=2))
            .not_valid_after(now + datetime.timedelta(days=days))
        )

    def _identified(self, builder, public_key):
        """RFC 5280 section 4.2.1.1 and 4.2.1.2, which strict clients insist on."""
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        subject = x509.SubjectKeyIdentifier.from_public_key(public_key)
        return builder.add_extension(own, False).add_extension(subject, False)

    def issue(self, *names, kind="ecdsa", file=None, days=365, client=False):
        """A certificate with its chain, and its key; both are paths."""
        if kind == "rsa":
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        else:
            key = ec.generate_private_key(ec.SECP256R1())
        use = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = self._builder(_name(names[0]), key.public_key(), days)
        builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(n) for n in names]), False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), False)
        builder = builder.add_extension(x509.BasicConstraints(False, None), True)
        usage = x509.KeyUsage(True, False, kind == "rsa", False, False, False, False, False, False)
        builder = self._identified(builder.add_extension(usage, True), key.public_key())
        certificate = builder.sign(self.key, hashes.SHA256())
        # A file of its own each: a server reads its certificate again when the file changes.
        self.issued = getattr(self, "issued", 0) + 1
        stem = file or f"{names[0].replace('*', 'any')}-{kind}-{self.issued}"
        cert_path, key_path = self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
        pem = serialization.Encoding.PEM
        cert_path.write_bytes(certificate.public_bytes(pem) + self.certificate.public_bytes(pem))
        key_path.write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        key_path.chmod(0o600)
        return cert_path, key_path

    def context(self, alpn=None, version=None, ciphers=None, client=None, verify=True):
        """What a careful client uses: as strict as Python 3.13 is by itself."""
        context = ssl.create_default_context(cafile=str(self.path))
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols(alpn)
        if version:
            context.minimum_version = context.maximum_version = version
        if ciphers:
            context.set_ciphers(ciphers)
        if client:
            context.load_cert_chain(*map(str, client))
        return context


class TlsWire(Wire):
    """A Wire whose bytes go through TLS.  The handshake is done, or has failed, when it is made.

    TLS stands over memory and not over the socket: an SSLSocket can say close_notify only together with
    reading, where an answer that is there already is an error that ends the connection."""

    RECORD_BYTES = 16384

    def __init__(self, address, context, name: str | None = "a", deadline_s=DEADLINE_S, rcvbuf=None, session=None):
        super().__init__(address, deadline_s, rcvbuf)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.pending, self.pending_plain = b"", 0
        try:
            self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name, session=session)
            self._handshake(time.monotonic() + deadline_s)
        except BaseException:
            self.sock.close()
            raise

    def _handshake(self, end):
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush_until(end)
                self._wait(select.POLLIN, self._left(end))
                self._fill()
                continue
            finally:
                self._flush_until(end)
            return

    @staticmethod
    def _left(end):
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the handshake took too long")
        return left

    def _fill(self):
        """What the socket holds, into TLS; False where nothing came."""
        try:
            chunk = self.sock.recv(262144)
        except BlockingIOError:
            return False
        if chunk:
            self.incoming.write(chunk)
        else:
            self.incoming.write_eof()
        return True

    def _flush(self):
        """Sends what TLS wrote, as far as the kernel takes it; raises BlockingIOError for a rest."""
        self.pending += self.outgoing.read()
        while self.pending:
            self.pending = self.pending[self.sock.send(self.pending) :]

    def _flush_until(self, end):
        while True:
            try:
                return self._flush()
            except BlockingIOError:
                self._wait(select.POLLOUT, self._left(end))
            except (BrokenPipeError, ConnectionResetError):
                return None  # what the peer said before is still to be read

    @property
    def protocol(self):
        return self.tls.selected_alpn_protocol()

    def _read(self):
        while True:
            try:
                return self.tls.read(262144)
            except ssl.SSLWantReadError:
                if not self._fill():
                    raise BlockingIOError from None
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLEOFError as error:
                raise WireTruncated(f"no close_notify, after {self.received!r}") from error

    def _write(self, piece):
        if not self.pending_plain:
            self.pending_plain = self.tls.write(piece[: self.RECORD_BYTES])
        self._flush()
        sent, self.pending_plain = self.pending_plain, 0
        return sent

    def half_close(self):
        """close_notify, and then the end of the stream below."""
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass  # the peer's own close_notify is not here yet
        self._flush_until(time.monotonic() + self.deadline_s)
        self.sock.shutdown(socket.SHUT_WR)

    def cut(self):
        """The end of the stream below, without a close_notify."""
        self.sock.shutdown(socket.SHUT_WR)
