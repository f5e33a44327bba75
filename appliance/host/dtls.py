"""DTLS over memory BIOs: datagrams in, datagrams and SRTP keys out (RFC 5764).

The other end begins; where its offer insists on waiting, we do. One OpenSSL context serves all members. The peer's
certificate is self-signed; it counts because its fingerprint came with the offer, over an authenticated request (RFC 8122).
"""

import ctypes
import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from OpenSSL import SSL
from OpenSSL._util import ffi, lib

from appliance.host.certificate import Certificate
from appliance.host.srtp import PROFILES, Profile

MTU = 1200
"""Bytes of a datagram that pass every sensible path in one piece."""

_RECORD_HEADER = 13
_LENGTH_AT = slice(11, 13)
_LABEL = b"EXTRACTOR-dtls_srtp"  # RFC 5764, section 4.2
_AT_ONCE = 65_536

_MOST_DATAGRAMS = 256
"""Datagrams in which a handshake has to be done. One takes 4 to 12, some of them twice; a stream of fragments takes more."""

# Forward secret, authenticated encryption only. The suites are named for the key of whoever waits: with ours, which is
# ECDSA, the RSA ones serve when we begin and the other end has an RSA key, as GStreamer does. A key of either kind may
# stand in the certificate of whoever begins.
_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:"
    b"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES256-GCM-SHA384"
)


class DtlsError(Exception):
    """The handshake failed; the text says how, in a few words."""


class Endless(DtlsError):
    """Datagrams without end, and still no handshake."""


class ForeignCertificate(DtlsError):
    """The peer's certificate is not the one its offer announced."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What the handshake yields: master key and salt, concatenated, for each direction."""

    profile: Profile
    inbound: bytes
    outbound: bytes


def server_context(certificate: Certificate) -> SSL.Context:
    """The context that all handshakes of a host share, whichever end begins."""
    context = SSL.Context(SSL.DTLS_METHOD)
    _ask_for_any_certificate(context)
    context.use_certificate(certificate.certificate)
    context.use_privatekey(certificate.key)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_cipher_list(_CIPHERS)
    context.set_tlsext_use_srtp(b":".join(PROFILES))
    return context


# Chains mean nothing here: Handshake compares the fingerprint. pyOpenSSL's set_verify would make this callback with cffi, which
# needs memory that is writable and executable: MemoryDenyWriteExecute=yes of our unit refuses that. Those of ctypes do not.
_ANY = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p)(lambda _ok, _store: 1)


def _ask_for_any_certificate(context: SSL.Context) -> None:
    any_will_do = ffi.cast("int (*)(int, X509_STORE_CTX *)", ctypes.cast(_ANY, ctypes.c_void_p).value)
    mode = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
    lib.SSL_CTX_set_verify(context._context, mode, any_will_do)  # noqa: SLF001 - nothing public takes a C function


class Handshake:
    """One member's DTLS. After every call :meth:`outgoing` has what is to be sent.

    :param fingerprint: SHA-256 of the certificate that the other end announced.
    :param begins: we begin, with :meth:`begin`; otherwise the other end does.
    """

    def __init__(self, context: SSL.Context, fingerprint: bytes, *, begins: bool = False) -> None:
        self._fingerprint = fingerprint
        self._begins = begins
        self._done = False
        self._datagrams = 0
        self.closed = False
        """The peer has closed in an orderly way."""
        self._connection = SSL.Connection(context, None)
        if begins:
            self._connection.set_connect_state()
        else:
            self._connection.set_accept_state()
        self._connection.set_ciphertext_mtu(MTU)

    def begin(self) -> Keys | None:
        """Say hello. The keys come later, from :meth:`receive`.

        :raises DtlsError: it cannot go on; a new handshake is needed.
        """
        return self._advance()

    def receive(self, datagram: bytes) -> Keys | None:
        """Take a datagram; gives the keys once, when the handshake completes.

        :raises DtlsError: it cannot go on; a new handshake is needed.
        """
        self._connection.bio_write(datagram)
        if not self._done:
            self._datagrams += 1
            if self._datagrams > _MOST_DATAGRAMS:
                raise Endless("too many datagrams")
            return self._advance()
        self._drain()
        return None

    def elapse(self) -> Keys | None:
        """The time :attr:`timeout` has passed: send the last flight again.

        :raises DtlsError: the peer has not answered for too long.
        """
        try:
            self._connection.DTLSv1_handle_timeout()
        except SSL.Error as error:
            raise DtlsError("no answer") from error
        return None if self._done else self._advance()

    @property
    def timeout(self) -> float | None:
        """Seconds until :meth:`elapse` is due; None when nothing is outstanding."""
        return self._connection.DTLSv1_get_timeout()

    def close(self) -> None:
        """Tell the peer, if it can be told."""
        if self._done and not self.closed:
            try:
                self._connection.shutdown()
            except SSL.Error:
                return

    def outgoing(self) -> list[bytes]:
        """Datagrams to send now, each at most :data:`MTU` bytes, each of whole records."""
        try:
            flight = self._connection.bio_read(_AT_ONCE)
        except SSL.WantReadError:
            return []
        return _datagrams(flight)

    def _advance(self) -> Keys | None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return None
        except SSL.Error as error:
            raise DtlsError(_reason(error)) from error
        self._done = True
        return self._keys()

    def _keys(self) -> Keys:
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        if certificate is None or not hmac.compare_digest(certificate.fingerprint(hashes.SHA256()), self._fingerprint):
            raise ForeignCertificate("the certificate is not the one of the offer")
        profile = PROFILES.get(self._connection.get_selected_srtp_profile())
        if profile is None:
            raise DtlsError("no SRTP profile in common")
        key, salt = profile.key, profile.salt
        secret = self._connection.export_keying_material(_LABEL, 2 * (key + salt))
        client_key, server_key = secret[:key], secret[key : 2 * key]
        client_salt, server_salt = secret[2 * key : 2 * key + salt], secret[2 * key + salt :]
        of_client, of_server = client_key + client_salt, server_key + server_salt
        return Keys(profile, of_server, of_client) if self._begins else Keys(profile, of_client, of_server)

    def _drain(self) -> None:
        """After the handshake: alerts, and retransmissions of the other end's last flight, which OpenSSL answers."""
        try:
            while True:
                self._connection.recv(_AT_ONCE)  # application data is of no use to us
        except SSL.ZeroReturnError:
            self.closed = True
        except SSL.Error:
            return  # nothing more to read, or junk: whatever counts is authenticated


def _datagrams(flight: bytes) -> list[bytes]:
    """Pack records, in order, into as few datagrams as :data:`MTU` allows."""
    datagrams: list[bytes] = []
    begin = at = 0
    while at < len(flight):
        end = at + _RECORD_HEADER + int.from_bytes(flight[at:][_LENGTH_AT], "big")
        if end - begin > MTU and at > begin:
            datagrams.append(flight[begin:at])
            begin = at
        at = end
    datagrams.append(flight[begin:])
    return datagrams


def _reason(error: SSL.Error) -> str:
    try:
        return str(error.args[0][0][2]) or "handshake failed"
    except (IndexError, TypeError):
        return "handshake failed"
