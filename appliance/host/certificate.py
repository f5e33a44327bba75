"""The host's DTLS certificate: made once, kept, and pinned by devices (docs/adr/0050-host-certificate.md)."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from appliance.settings.store import atomic_write

_LIFETIME = dt.timedelta(days=20 * 365)


class CertificateError(Exception):
    """A certificate cannot be used; the text is one sentence with the way out."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its private key."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the certificate, 32 bytes: what SDP announces and devices pin (RFC 8122)."""
        return self.certificate.fingerprint(hashes.SHA256())


def make() -> Certificate:
    """A fresh self-signed P-256 certificate. Its name tells nothing; peers trust its fingerprint alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kontor")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A host without a battery clock may start in the past, and its peers may live there.
        .not_valid_before(now - dt.timedelta(days=365))
        .not_valid_after(now + _LIFETIME)
        .sign(key, hashes.SHA256())
    )
    return Certificate(key, certificate)


def load_or_make(path: Path) -> tuple[Certificate, bool]:
    """The certificate kept at ``path``, and whether it had to be made.

    :raises CertificateError: the file is damaged or unreadable. It is never replaced in silence: devices pin it.
    """
    try:
        stored = path.read_bytes()
    except FileNotFoundError:
        certificate = make()
        _store(path, certificate)
        return certificate, True
    except OSError as error:
        raise CertificateError(f"The host certificate {path} cannot be read: {error.strerror}.") from error
    return _load(path, stored), False


def _load(path: Path, pem: bytes) -> Certificate:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
        certificate = x509.load_pem_x509_certificate(pem)
    except (ValueError, TypeError) as error:
        raise CertificateError(
            f"The host certificate {path} is damaged: restore it, or remove it and let the devices pin a new one."
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise CertificateError(f"The host certificate {path} needs an elliptic-curve key that belongs to it.")
    return Certificate(key, certificate)


def _store(path: Path, certificate: Certificate) -> None:
    pem = certificate.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + certificate.certificate.public_bytes(serialization.Encoding.PEM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, pem)
    except OSError as error:
        raise CertificateError(f"The host certificate {path} cannot be written: {error.strerror}.") from error
