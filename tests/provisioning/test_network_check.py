"""Certificates, keys and passwords of the network: looked into before anything is tried."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from appliance.provisioning.network_check import check
from tests.settings.support import loaded

_KEY = ec.generate_private_key(ec.SECP256R1())
_OTHER = ec.generate_private_key(ec.SECP256R1())


def certificate(days: int = 30, key: ec.EllipticCurvePrivateKey = _KEY) -> str:
    """One that is signed by itself and ends in so many days."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(7).not_valid_before(now - timedelta(days=60)).not_valid_after(now + timedelta(days=days))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def private(key: ec.EllipticCurvePrivateKey = _KEY, password: bytes = b"") -> bytes:
    """A key as its file has it."""
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


def secret(folder: Path, content: bytes) -> Path:
    """A file that only we may read."""
    path = folder / "secret"
    path.touch(mode=0o600)
    path.write_bytes(content)
    return path


def told(text: str) -> list[str]:
    """The sentences."""
    return [str(problem) for problem in check(loaded(text))]


def wifi(folder: Path, password: bytes, security: str = "personal") -> str:
    """A Wi-Fi network with a password."""
    return f'[[network.wifi]]\nssid = "A"\nsecurity = "{security}"\npassword_file = "{secret(folder, password)}"\n'


def enterprise(folder: Path, key: bytes, own: str = "", ca: str = "") -> str:
    """The same with a certificate of the device's own."""
    return f'''[[network.wifi]]
ssid = "A"
security = "eap_tls"
identity = "lobby"
key_file = "{secret(folder, key)}"
ca = """
{ca or certificate()}"""
certificate = """
{own or certificate()}"""
'''


@pytest.mark.parametrize("password", [b"8 bytes.", b"x" * 63, b"A1" * 32])
def test_a_good_password(tmp_path: Path, password: bytes) -> None:
    assert told(wifi(tmp_path, password)) == []


@pytest.mark.parametrize("password", [b"7 bytes", b"x" * 64, b"A1" * 31 + b"gg", "passwört".encode(), b"tab\tinside"])
def test_a_password_that_no_wifi_has(tmp_path: Path, password: bytes) -> None:
    (found,) = told(wifi(tmp_path, password))
    assert found == (
        f"network.wifi[1].password_file = {tmp_path}/secret: must hold a Wi-Fi password: 8 to 63 printable ASCII characters."
    )
    assert password.decode() not in found


def test_wpa3_has_no_ready_made_key(tmp_path: Path) -> None:
    assert len(told(wifi(tmp_path, b"A1" * 32, "wpa3"))) == 1


def test_a_password_that_is_no_text_or_no_file(tmp_path: Path) -> None:
    assert "holds no text" in told(wifi(tmp_path, b"\xff" * 10))[0]
    (found,) = told('[[network.wifi]]\nssid = "A"\npassword_file = "/nowhere/at/all"\n')
    assert "names a file that does not exist" in found


def test_a_good_login(tmp_path: Path) -> None:
    assert told(enterprise(tmp_path, private())) == []


def test_the_key_of_another_certificate(tmp_path: Path) -> None:
    (found,) = told(enterprise(tmp_path, private(_OTHER)))
    assert found.endswith("is not the key of the certificate beside it.")
    assert found.startswith("network.wifi[1].key_file = ")


def test_a_key_with_a_password_of_its_own(tmp_path: Path) -> None:
    assert told(enterprise(tmp_path, private(password=b"x")))[0].endswith(
        "has a password of its own; store it without one."
    )


def test_no_key_at_all(tmp_path: Path) -> None:
    assert told(enterprise(tmp_path, b"junk"))[0].endswith("holds no private key that can be read (PEM).")


def test_what_has_expired(tmp_path: Path) -> None:
    (found,) = told(enterprise(tmp_path, private(), own=certificate(-1)))
    assert found.startswith("network.wifi[1].certificate = certificate ")
    assert "has expired on 20" in found
    (found,) = told(enterprise(tmp_path, private(), ca=certificate(-1)))
    assert found.startswith("network.wifi[1].ca = ")
    assert (
        told(enterprise(tmp_path, private(), ca=certificate(-1) + certificate())) == []
    )  # the next one is there already


def test_certificates_that_are_none(tmp_path: Path) -> None:
    junk = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n"
    assert told(f'[network]\nca = """\n{junk}"""\n') == [
        f"network.ca = {_name(junk)}: holds no certificate that can be read (PEM)."
    ]
    assert told(f'[network]\nca = "{tmp_path}/none.pem"\n') == [f"network.ca = {tmp_path}/none.pem: cannot be read."]
    found = told(enterprise(tmp_path, private(), own=junk))
    assert found[0].endswith("holds no certificate that can be read (PEM).")


def _name(text: str) -> str:
    found = loaded(f'[network]\nca = """\n{text}"""\n').network.ca
    return str(found)


def test_nothing_to_look_into() -> None:
    assert told("") == []
    assert told('[[network.wifi]]\nssid = "A"\nsecurity = "open"\n') == []
