"""An authority, its login server, a device's certificate, and another authority that nobody knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_PLAIN = serialization.NoEncryption()
Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def write(folder: Path, server: str, device: str) -> None:
    """ca.pem, server.pem and .key, device.pem and .key, stranger.pem."""
    authority = _made("Kontor test authority", None)
    for name, pair in {
        "ca": authority,
        "server": _made(server, authority, ExtendedKeyUsageOID.SERVER_AUTH),
        "device": _made(device, authority, ExtendedKeyUsageOID.CLIENT_AUTH),
        "stranger": _made("Another authority", None),
    }.items():
        certificate, key = pair
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, _PLAIN)
        (folder / f"{name}.key").write_bytes(private)


def _made(name: str, by: Pair | None, usage: x509.ObjectIdentifier | None = None) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signer = (by[0].subject, by[1]) if by else (subject, key)
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
    )
    if usage:
        made = made.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return made.sign(signer, hashes.SHA256()), key
