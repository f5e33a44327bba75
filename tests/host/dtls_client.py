"""The other end of the host's DTLS over memory BIOs, with a certificate of either kind; it begins, or waits for the host."""

import datetime as dt
import functools
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from appliance.host.srtp import PROFILES, Profile

ALL_PROFILES = b":".join(PROFILES)


@dataclass(frozen=True)
class Identity:
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def fingerprint(self) -> bytes:
        return self.certificate.fingerprint(hashes.SHA256())


@functools.cache
def identity(kind: str = "ecdsa", name: str = "member") -> Identity:
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = (
        ec.generate_private_key(ec.SECP256R1()) if kind == "ecdsa" else rsa.generate_private_key(65537, 2048)
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    return Identity(key, certificate)


@functools.cache
def context(who: Identity, profiles: bytes = ALL_PROFILES, ciphers: bytes = b"DEFAULT") -> SSL.Context:
    made = SSL.Context(SSL.DTLS_METHOD)
    made.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    made.use_certificate(who.certificate)
    made.use_privatekey(who.key)
    made.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU)
    made.set_cipher_list(ciphers)
    made.set_tlsext_use_srtp(profiles)
    return made


@dataclass(frozen=True)
class ClientKeys:
    profile: Profile
    inbound: bytes
    outbound: bytes


class Client:
    """``exchange(datagram)`` gives what to send; ``keys`` is set once the handshake is done."""

    def __init__(self, ssl_context: SSL.Context, *, waits: bool = False) -> None:
        self._waits = waits
        self.connection = SSL.Connection(ssl_context, None)
        if waits:
            self.connection.set_accept_state()
        else:
            self.connection.set_connect_state()
        self.connection.set_ciphertext_mtu(1200)
        self.keys: ClientKeys | None = None
        self.closed = False

    @property
    def server_fingerprint(self) -> bytes:
        certificate = self.connection.get_peer_certificate(as_cryptography=True)
        assert certificate is not None
        return certificate.fingerprint(hashes.SHA256())

    def exchange(self, datagram: bytes = b"") -> list[bytes]:
        if datagram:
            self.connection.bio_write(datagram)
        try:
            if self.keys is None:
                self.connection.do_handshake()
                self.keys = self._keys()
            else:
                self.connection.recv(4096)
        except SSL.ZeroReturnError:
            self.closed = True
        except SSL.WantReadError:
            pass
        return self.outgoing()

    def elapse(self) -> list[bytes]:
        self.connection.DTLSv1_handle_timeout()
        return self.outgoing()

    def outgoing(self) -> list[bytes]:
        found: list[bytes] = []
        while True:
            try:
                found.append(self.connection.bio_read(4096))
            except SSL.WantReadError:
                return found

    def close(self) -> list[bytes]:
        self.connection.shutdown()
        return self.outgoing()

    def _keys(self) -> ClientKeys:
        profile = PROFILES[self.connection.get_selected_srtp_profile()]
        key, salt = profile.key, profile.salt
        secret = self.connection.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))
        ours = secret[:key] + secret[2 * key : 2 * key + salt]
        theirs = secret[key : 2 * key] + secret[2 * key + salt :]
        return ClientKeys(profile, ours, theirs) if self._waits else ClientKeys(profile, theirs, ours)
