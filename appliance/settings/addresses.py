"""The kinds of values that a network has: an address of the device's own, a server's name, certificates."""

import ipaddress
import re
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from appliance.settings.kinds import resolved
from appliance.settings.problems import Refused
from appliance.settings.setting import Where

HOST = r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
"""A name or an IPv4 address of a server."""

_LARGEST_PEM = 64 * 1024
_BEGIN = "-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class OwnAddress:
    """An IPv4 address of the device's own with the length of its network's prefix, or "" for one by DHCP."""

    secret: bool = field(default=False, init=False)
    allowed: str = field(
        default='must be an IPv4 address with its network, like 192.0.2.7/24, or "" for DHCP', init=False
    )

    def convert(self, value: object, _where: Where, /) -> str:
        """The address as it is."""
        if value == "":
            return ""
        if not isinstance(value, str) or "/" not in value:
            raise Refused(self.allowed, "The length of the network's prefix is missing." if _is_address(value) else "")
        try:
            given = ipaddress.IPv4Interface(value)
        except ValueError:
            raise Refused(self.allowed) from None
        if given.network.prefixlen < 31 and given.ip in (
            given.network.network_address,
            given.network.broadcast_address,
        ):
            raise Refused(self.allowed, "This one is the network's own, no device can have it.")
        if given.is_multicast or given.is_loopback or given.is_unspecified:
            raise Refused(self.allowed, "No device can have this one.")
        return str(given)

    def plain(self, value: str) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "pattern": "^([0-9.]{7,15}/[0-9]{1,2})?$"}


def _is_address(value: object) -> bool:
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Certificates:
    """One or more certificates: their text, or the file they are in."""

    text: str = ""
    path: Path | None = None

    def __str__(self) -> str:
        # What names them in a list: nobody reads the text itself.
        return str(self.path) if self.path else f"certificate {sha256(self.text.encode()).hexdigest()[:16]}"

    def pem(self) -> str:
        """The text, PEM (RFC 7468).

        :raises OSError: the file cannot be read, or is no text.
        """
        if self.path is None:
            return self.text
        with self.path.open("rb") as file:
            data = file.read(_LARGEST_PEM)
        try:
            return data.decode("ascii")
        except UnicodeDecodeError:
            raise OSError("it is no PEM file") from None


@dataclass(frozen=True, slots=True)
class Pem:
    """Certificates: written down as they are (PEM), so that one file holds everything; or the path of their file."""

    secret: bool = field(default=False, init=False)
    allowed: str = field(
        default='must be a certificate (PEM) between """ and """, the path of its file, or ""', init=False
    )

    def convert(self, value: object, where: Where, /) -> Certificates | None:
        """The text or the place; whether a certificate is in it, the network's own check tells."""
        if value == "":
            return None
        if isinstance(value, str) and "-----BEGIN" in value:
            if "PRIVATE KEY" in value:
                raise Refused(self.allowed, "A private key is a secret and has a setting of its own.", hide=True)
            if _BEGIN not in value or len(value) > _LARGEST_PEM or not value.isascii():
                raise Refused(self.allowed, hide=True)
            return Certificates(text=value.strip() + "\n")
        return Certificates(path=resolved(value, where, self.allowed))

    def plain(self, value: Certificates | None) -> object:
        return "" if value is None else value.text or str(value.path)

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "maxLength": _LARGEST_PEM}


@dataclass(frozen=True, slots=True)
class HostName:
    """The name or the IPv4 address of a server."""

    secret: bool = field(default=False, init=False)
    allowed: str = field(default="must be the name or the address of a server, like time.example.org", init=False)

    def convert(self, value: object, _where: Where, /) -> str:
        """The name in lower case."""
        if not isinstance(value, str) or not re.fullmatch(HOST, value):
            url = isinstance(value, str) and "://" in value
            raise Refused(self.allowed, "Only the name, without what stands before and behind it." if url else "")
        return value.lower()

    def plain(self, value: str) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "pattern": f"^{HOST}$"}
