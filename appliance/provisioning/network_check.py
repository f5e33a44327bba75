"""What in ``[network]`` only a look into files and certificates tells: before anything is tried."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from appliance.settings import Problem, SecretFile, Settings, SettingsError
from appliance.settings.addresses import Certificates
from appliance.settings.model_network import EthernetSettings, Security, WifiSettings

_PERSONAL_LEAST, _PERSONAL_MOST = 8, 63


def check(settings: Settings) -> list[Problem]:
    """Every certificate, key and password of ``settings.network``. Never raises."""
    network = settings.network
    found = list(_authority("network.ca", network.ca))
    found += _login("network.ethernet", network.ethernet)
    for number, wifi in enumerate(network.wifi, 1):
        key = f"network.wifi[{number}]"
        found += _login(key, wifi)
        found += _personal(key, wifi)
    return found


def password_of(link: EthernetSettings | WifiSettings) -> str:
    """The password, or "" where there is none.

    :raises SettingsError: its file cannot be read, or holds none.
    """
    if link.password_file is None:
        return ""
    try:
        return link.password_file.read().decode()
    except UnicodeDecodeError:
        raise _secret_problem(link.password_file, "holds no text") from None


def _secret_problem(file: SecretFile, why: str) -> SettingsError:
    return SettingsError([Problem("", None, file.key, str(file), why)])


def _personal(key: str, wifi: WifiSettings) -> Iterator[Problem]:
    if wifi.security not in (Security.PERSONAL, Security.WPA3):
        return
    try:
        password = password_of(wifi)
    except SettingsError as error:
        yield from error.problems
        return
    ready = wifi.security is Security.PERSONAL and re.fullmatch("[0-9a-fA-F]{64}", password)
    printable = password.isascii() and password.isprintable()
    if not ready and not (printable and _PERSONAL_LEAST <= len(password) <= _PERSONAL_MOST):
        words = f"must hold a Wi-Fi password: {_PERSONAL_LEAST} to {_PERSONAL_MOST} printable ASCII characters"
        yield Problem("", None, f"{key}.password_file", str(wifi.password_file), words)


def _login(key: str, link: EthernetSettings | WifiSettings) -> Iterator[Problem]:
    if not link.security.enterprise:
        return
    yield from _authority(f"{key}.ca", link.ca)
    if link.security is Security.PEAP:
        try:
            password_of(link)
        except SettingsError as error:
            yield from error.problems
    elif link.certificate is not None and link.key_file is not None:
        yield from _own(key, link.certificate, link.key_file)


def _authority(key: str, given: Certificates | None) -> Iterator[Problem]:
    if given is not None:
        read = _certificates(key, given)
        if isinstance(read, Problem):
            yield read
        else:
            # One of them is enough: the others may be on their way out.
            faults = [_validity(certificate) for certificate in read]
            if all(faults):
                yield Problem("", None, key, str(given), faults[0])


def _own(key: str, given: Certificates, key_file: SecretFile) -> Iterator[Problem]:
    read = _certificates(f"{key}.certificate", given)
    if isinstance(read, Problem):
        yield read
        return
    if fault := _validity(read[0]):
        yield Problem("", None, f"{key}.certificate", str(given), fault)
    try:
        public = _public(key_file)
        same = _bytes(public) == _bytes(read[0].public_key())
    except SettingsError as error:
        yield from error.problems
    except (ValueError, UnsupportedAlgorithm):
        yield Problem("", None, f"{key}.certificate", str(given), "has a key of a kind that is not known")
    else:
        if not same:
            yield Problem("", None, f"{key}.key_file", str(key_file), "is not the key of the certificate beside it")


def _certificates(key: str, given: Certificates) -> list[x509.Certificate] | Problem:
    try:
        read = x509.load_pem_x509_certificates(given.pem().encode())
    except OSError:
        return Problem("", None, key, str(given), "cannot be read")
    except ValueError:
        return Problem("", None, key, str(given), "holds no certificate that can be read (PEM)")
    return read


def _validity(certificate: x509.Certificate, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> str:
    """What is wrong with its time, as the end of a sentence; "" if nothing is.

    That it is not valid yet is no fault: a device without a battery for its clock is behind until a network tells it the time.
    """
    end = certificate.not_valid_after_utc
    return f"has expired on {end.date().isoformat()}" if end < now() else ""


def _public(file: SecretFile) -> PublicKeyTypes:
    try:
        key = serialization.load_pem_private_key(file.read(), None)
    except TypeError:
        raise _secret_problem(file, "has a password of its own; store it without one") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _secret_problem(file, "holds no private key that can be read (PEM)") from None
    return key.public_key()


def _bytes(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
