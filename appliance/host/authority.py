"""A certificate authority of one's own, for https without a public name (docs/adr/0077-own-authority.md).

Its certificate is installed once on each computer that joins. It can sign for little: the names it was made for and names and
addresses that no public network has (name constraints, RFC 5280, 4.2.1.10), so that whoever steals its key cannot pretend to
be a bank.
"""

import datetime as dt
import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.host.certificate import CertificateError
from appliance.settings.store import atomic_write

_YEARS = dt.timedelta(days=3653)
LIFETIME = dt.timedelta(days=397)
"""Of a server certificate. Apple's systems refuse more than 825 days even below an own authority."""
_DUE = dt.timedelta(days=60)
_BEFORE = dt.timedelta(days=1)
"""Clocks of computers may be a little wrong."""

_LOCAL_NAMES = ("localhost", "local", "lan", "internal", "home.arpa")
_LOCAL_NETWORKS = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8"),
    *("fc00::/7", "fe80::/10", "::1/128"),
)
_HOSTNAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")

_ADDRESSES = (ipaddress.IPv4Address, ipaddress.IPv6Address)
_NETWORKS = (ipaddress.IPv4Network, ipaddress.IPv6Network)

_OWN, PUBLIC = "authority.pem", "authority.crt"
CHAIN, KEY = "server.crt", "server.key"
_READABLE = 0o644


def general_names(names: Iterable[str]) -> list[x509.GeneralName]:
    """Names and addresses as certificates have them, each once.

    :raises CertificateError: one is neither.
    """
    found: dict[x509.GeneralName, None] = {}
    for name in names:
        try:
            found[x509.IPAddress(ipaddress.ip_address(name))] = None
            continue
        except ValueError:
            pass
        try:
            ascii_name = name.lower().rstrip(".").encode("idna").decode()
        except UnicodeError:
            ascii_name = ""
        if not _HOSTNAME.fullmatch(ascii_name):
            raise CertificateError(f"{name!r} is neither a name nor an address of a server.")
        found[x509.DNSName(ascii_name)] = None
    return list(found)


@dataclass(frozen=True, slots=True)
class Authority:
    """The authority: its private key, and the certificate that computers trust."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its certificate, as systems show it: 32 pairs of hexadecimal digits with colons."""
        return self.certificate.fingerprint(hashes.SHA256()).hex(":").upper()

    @property
    def pem(self) -> bytes:
        """Its certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        """Its certificate, as phones want it."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def uncovered(self, names: Sequence[x509.GeneralName]) -> list[str]:
        """Those of ``names`` that it cannot sign for."""
        constraints = self.certificate.extensions.get_extension_for_class(x509.NameConstraints).value
        permitted = constraints.permitted_subtrees or []
        return [str(name.value) for name in names if not any(_permits(tree, name) for tree in permitted)]

    def sign(self, names: Sequence[x509.GeneralName], now: dt.datetime) -> tuple[bytes, bytes]:
        """A fresh certificate for ``names`` and its private key, both PEM.

        :raises CertificateError: a name is not among those that this authority may sign for.
        """
        if wrong := self.uncovered(names):
            raise CertificateError(
                f"The authority was not made for {', '.join(wrong)}: make a new one with --new-authority, "
                "which every computer then has to install."
            )
        key = ec.generate_private_key(ec.SECP256R1())
        # With spaces: OpenSSL takes a common name that looks like a host's for one, and the constraints may not permit it.
        builder = _builder(_name(f"Kontor server {names[0].value}"), self.certificate.subject, key, now, now + LIFETIME)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        certificate = builder.add_extension(issuer, critical=False).sign(self.key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM), _private(key)


def make(names: Sequence[x509.GeneralName], now: dt.datetime) -> Authority:
    """A new authority that may sign for ``names``, and for whatever no public network has."""
    key = ec.generate_private_key(ec.SECP256R1())
    own = _name(f"Kontor at {names[0].value}"[:64])
    trees: list[x509.GeneralName] = [x509.DNSName(name) for name in _LOCAL_NAMES]
    trees += [x509.IPAddress(ipaddress.ip_network(network)) for network in _LOCAL_NETWORKS]
    for name in names:
        if not any(_permits(tree, name) for tree in trees):
            trees.append(x509.IPAddress(ipaddress.ip_network(name.value)) if isinstance(name, x509.IPAddress) else name)
    builder = _builder(own, own, key, now, now + _YEARS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    builder = builder.add_extension(x509.NameConstraints(trees, None), critical=True)
    return Authority(key, builder.sign(key, hashes.SHA256()))


def load(folder: Path) -> Authority | None:
    """The authority kept in ``folder``; None when there is none.

    :raises CertificateError: it cannot be read. It is never replaced in silence: computers trust it.
    """
    path = folder / _OWN
    try:
        pem = path.read_bytes()
        key = serialization.load_pem_private_key(pem, password=None)
        certificate = x509.load_pem_x509_certificate(pem)
        certificate.extensions.get_extension_for_class(x509.NameConstraints)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CertificateError(f"The authority {path} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError, x509.ExtensionNotFound) as error:
        raise CertificateError(f"The authority {path} is damaged: restore it, or make a new one.") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise CertificateError(f"The authority {path} is damaged: its key does not belong to it.")
    return Authority(key, certificate)


def store(folder: Path, authority: Authority) -> None:
    """Keep the authority.

    :raises OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    atomic_write(folder / _OWN, _private(authority.key) + authority.pem)
    atomic_write(folder / PUBLIC, authority.pem, _READABLE)


def issue(folder: Path, authority: Authority, names: Sequence[x509.GeneralName], now: dt.datetime) -> x509.Certificate:
    """Sign a certificate for ``names`` and keep it with its key where ``[host.tls]`` finds them.

    :raises CertificateError: see :meth:`Authority.sign`.
    :raises OSError: it cannot be written.
    """
    chain, key = authority.sign(names, now)
    atomic_write(folder / KEY, key)
    atomic_write(folder / CHAIN, chain, _READABLE)
    return x509.load_pem_x509_certificate(chain)


def names_of(folder: Path) -> list[str]:
    """What the certificate in ``folder`` was signed for; empty when there is none."""
    try:
        certificate = x509.load_pem_x509_certificate((folder / CHAIN).read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return []
    return [str(name.value) for name in names]


def renew(folder: Path, now: dt.datetime) -> dt.datetime | None:
    """Sign the certificate in ``folder`` anew, for the same names, when it ends within 60 days. Returns its new end.

    :raises CertificateError: authority or certificate cannot be read.
    :raises OSError: the new one cannot be written.
    """
    authority = load(folder)
    if authority is None:
        return None
    try:
        old = x509.load_pem_x509_certificate((folder / CHAIN).read_bytes())
        if old.not_valid_after_utc - now > _DUE:
            return None
        names = old.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound) as error:
        raise CertificateError(f"{folder / CHAIN} cannot be used: make it with kontor host certificate.") from error
    return issue(folder, authority, list(names), now).not_valid_after_utc


def mend(folder: Path, now: dt.datetime) -> bool:
    """Sign the certificate in ``folder`` anew when its key is another's: the power went between the two files.

    :returns: whether that was so.
    :raises CertificateError: authority or certificate cannot be used.
    """
    authority = load(folder)
    try:
        chain = x509.load_pem_x509_certificate((folder / CHAIN).read_bytes())
        key = serialization.load_pem_private_key((folder / KEY).read_bytes(), password=None)
        if authority is None or key.public_key() == chain.public_key():
            return False
        chain.verify_directly_issued_by(authority.certificate)
        names = chain.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        issue(folder, authority, list(names), now)
    except (OSError, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return True


def _permits(tree: x509.GeneralName, name: x509.GeneralName) -> bool:
    if isinstance(tree, x509.DNSName) and isinstance(name, x509.DNSName):
        return f".{name.value}".endswith(f".{tree.value}")
    if isinstance(tree, x509.IPAddress) and isinstance(name, x509.IPAddress):
        network, address = tree.value, name.value
        if isinstance(network, _NETWORKS) and isinstance(address, _ADDRESSES):
            return address in network
    return False


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: dt.datetime, end: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
