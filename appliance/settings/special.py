"""The kinds of values that only one setting has: addresses, keys, fingerprints, the virtual microphone."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import SplitResult, urlsplit

from appliance.core.arrays import GeometryError, parse_geometry
from appliance.core.tokens import LEAST_KEY
from appliance.settings.kinds import IDENTIFIER, resolved
from appliance.settings.problems import Refused
from appliance.settings.secrets import SecretFile
from appliance.settings.setting import Where

PUBLIC_KEY_BYTES = 32
"""An Ed25519 public key (RFC 8032)."""
FINGERPRINT_BYTES = 32
"""A SHA-256 fingerprint (RFC 8122)."""
MOST_KEYS = 8
"""Keys that a room may have at a time: one in use, one on its way out, and some air."""

_TURN = r"turns?:[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?(:(?P<port>[0-9]{1,5}))?(\?transport=(udp|tcp))?"


@dataclass(frozen=True, slots=True)
class Address:
    """An IPv4 address: one to listen on, or with ``optional`` one that others send to, or "" for none."""

    optional: bool = False
    secret: bool = field(default=False, init=False)

    @property
    def allowed(self) -> str:
        return "must be an IPv4 address like 192.0.2.7" + (', or ""' if self.optional else "")

    def convert(self, value: object, _where: Where, /) -> str:
        """The address as it is."""
        if self.optional and value == "":
            return ""
        if not isinstance(value, str):
            raise Refused(self.allowed)
        try:
            address = ipaddress.IPv4Address(value)
        except ValueError:
            raise Refused(self.allowed, self._hint(value)) from None
        if address.is_multicast or (self.optional and address.is_unspecified):
            raise Refused(self.allowed, "Nobody can send to this one." if self.optional else "")
        return value

    def plain(self, value: str) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        address: dict[str, object] = {"type": "string", "format": "ipv4"}
        return {"anyOf": [{"const": ""}, address]} if self.optional else address

    @staticmethod
    def _hint(value: str) -> str:
        if _is_ip(value):
            return "IPv6 comes with a later version of Kontor."
        return "A name is not enough here." if re.search("[A-Za-z]", value) else ""


@dataclass(frozen=True, slots=True)
class Url:
    """The address of a server: http(s), host and port, nothing behind; or "" for none."""

    secret: bool = field(default=False, init=False)
    allowed: str = field(default='must be like https://rooms.example.org or http://192.0.2.7:8080, or ""', init=False)

    def convert(self, value: object, _where: Where, /) -> str:
        """The address in lower case without a slash at its end."""
        if value == "":
            return ""
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise Refused(self.allowed)
        # A password before "@" and a token behind "#" are secrets.
        hide = bool(re.search("[@?#]", value))
        try:
            parts = urlsplit(value)
            if not self._clean(parts):
                raise Refused(self.allowed, self._hint(parts), hide=hide)
            port = parts.port
        except ValueError:
            raise Refused(self.allowed, hide=hide) from None
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{host}" + (f":{port}" if port else "")

    def plain(self, value: str) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "pattern": "^([hH][tT][tT][pP][sS]?://[^/?#@]+/?)?$"}

    @staticmethod
    def _clean(parts: SplitResult) -> bool:
        host = parts.hostname or ""
        named = bool(re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", host)) or (":" in host and _is_ip(host))
        bare = parts.path in ("", "/") and not parts.query and not parts.fragment and "@" not in parts.netloc
        return parts.scheme in ("http", "https") and named and bare and parts.port != 0

    @staticmethod
    def _hint(parts: SplitResult) -> str:
        if parts.scheme not in ("http", "https"):
            return "Begin it with https:// or http://."
        if parts.path not in ("", "/"):
            return "Leave out what follows the host: the room has a setting of its own."
        return ""


def page_url(text: str) -> str:
    """The address of a server as the settings would take it.

    :raises ValueError: it is none; the text is the end of a sentence.
    """
    try:
        return Url().convert(text, Where("", Path()))
    except Refused as refused:
        raise ValueError(refused.allowed) from None


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The SHA-256 fingerprint of a certificate, or "" for none."""

    secret: bool = field(default=False, init=False)
    allowed: str = field(default='must be a SHA-256 fingerprint, 64 hexadecimal digits like AB:CD:…, or ""', init=False)

    def convert(self, value: object, _where: Where, /) -> bytes | None:
        """The 32 bytes."""
        if value == "":
            return None
        digits = value.replace(":", "") if isinstance(value, str) else ""
        if not re.fullmatch(f"[0-9a-fA-F]{{{2 * FINGERPRINT_BYTES}}}", digits):
            raise Refused(self.allowed)
        return bytes.fromhex(digits)

    def plain(self, value: bytes | None) -> object:
        return "" if value is None else value.hex(":").upper()

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "pattern": "^([0-9a-fA-F]{2}(:?[0-9a-fA-F]{2}){31})?$"}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An Ed25519 public key in base64."""

    secret: bool = field(default=False, init=False)
    allowed: str = field(default="must be an Ed25519 public key: 44 characters of base64, for 32 bytes", init=False)

    def convert(self, value: object, _where: Where, /) -> bytes:
        """The 32 bytes."""
        if not isinstance(value, str) or not value.isascii():
            raise Refused(self.allowed)
        try:
            key = base64.b64decode(value, validate=True)
        except binascii.Error:
            raise Refused(self.allowed) from None
        if len(key) != PUBLIC_KEY_BYTES:
            raise Refused(self.allowed)
        return key

    def plain(self, value: bytes) -> object:
        return base64.b64encode(value).decode()

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "pattern": "^[A-Za-z0-9+/]{43}=$"}


@dataclass(frozen=True, slots=True)
class MicrophoneName:
    """What the virtual microphone plays."""

    secret: bool = field(default=False, init=False)
    allowed: str = field(
        default='must be "silence", "speech", "tone:440" (1 to 23999 Hz) or the path of a WAV file', init=False
    )

    def convert(self, value: object, where: Where, /) -> str:
        """The name, or the whole path of the file."""
        if not isinstance(value, str) or value in ("silence", "speech"):
            return str(value) if isinstance(value, str) else self._refuse()
        if value.startswith("tone:"):
            return value if re.fullmatch("tone:0*[1-9][0-9]{0,4}", value) and int(value[5:]) < 24000 else self._refuse()
        return str(resolved(value, where, self.allowed)) if value.lower().endswith(".wav") else self._refuse()

    def plain(self, value: str) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "pattern": "^(silence|speech|tone:[0-9]{1,5}|.*\\.[wW][aA][vV])$"}

    def _refuse(self) -> str:
        raise Refused(self.allowed)


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where the microphones of an array stand, or "" when that is known otherwise."""

    secret: bool = field(default=False, init=False)
    allowed: str = field(default='must be the places of 1 to 8 microphones like "32,0; 0,32; -32,0", or ""', init=False)

    def convert(self, value: object, _where: Where, /) -> str:
        """The text as it is; :func:`~appliance.core.arrays.parse_geometry` reads it."""
        if not isinstance(value, str):
            raise Refused(self.allowed)
        if value:
            try:
                parse_geometry(value)
            except GeometryError as error:
                raise Refused(self.allowed, f"Here {error}.") from None
        return value

    def plain(self, value: str) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        place = r"[-+0-9.]+ *, *[-+0-9.]+( *, *[-+0-9.]+)?"
        return {"type": "string", "pattern": f"^( *{place} *(; *{place} *){{0,7}};? *)?$"}


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """The keys of a room: a table from key id to the file that holds the key."""

    secret: bool = field(default=True, init=False)
    allowed: str = field(
        default=f'must be a table of at most {MOST_KEYS} key ids and files, like {{ k1 = "lobby.key" }}', init=False
    )

    def convert(self, value: object, where: Where, /) -> Mapping[str, SecretFile]:
        """The files by key id; they are looked into only when everything else is right."""
        if not isinstance(value, dict) or len(value) > MOST_KEYS:
            raise Refused(self.allowed)
        if not all(isinstance(name, str) and re.fullmatch(IDENTIFIER, name) for name in value):
            raise Refused("has a key id that is not made of a-z 0-9 . _ -")
        return MappingProxyType({name: self._file(name, path, where) for name, path in value.items()})

    def _file(self, name: str, path: object, where: Where) -> SecretFile:
        remedy = "Make a key with: kontor config new-key FILE"
        return SecretFile(resolved(path, where, self.allowed), f"{where.key}.{name}", LEAST_KEY, remedy)

    def plain(self, value: Mapping[str, SecretFile]) -> object:
        return {name: str(file) for name, file in value.items()}

    def json_schema(self) -> dict[str, object]:
        return {
            "type": "object",
            "maxProperties": MOST_KEYS,
            "propertyNames": {"pattern": f"^{IDENTIFIER}$"},
            "additionalProperties": {"type": "string", "minLength": 1},
        }


@dataclass(frozen=True, slots=True)
class TurnUrl:
    """Where a relay is (RFC 7065)."""

    secret: bool = field(default=False, init=False)
    allowed: str = field(
        default='must be like "turn:relay.example.org:3478?transport=udp" or "turns:relay.example.org:5349"', init=False
    )

    def convert(self, value: object, _where: Where, /) -> str:
        """The address as it is."""
        found = re.fullmatch(_TURN, value) if isinstance(value, str) else None
        if found is None or not 0 < int(found["port"] or 3478) < 65536:
            raise Refused(self.allowed, hide="@" in str(value))  # somebody may have put a password before it
        return found[0]

    def plain(self, value: str) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "pattern": "^turns?:"}


@dataclass(frozen=True, slots=True)
class Network:
    """An address or a network (CIDR), of IPv4 or IPv6."""

    secret: bool = field(default=False, init=False)
    allowed: str = field(default="must be an address or a network like 127.0.0.1 or 10.0.0.0/8", init=False)

    def convert(self, value: object, _where: Where, /) -> str:
        """The network in its short form."""
        try:
            return str(ipaddress.ip_network(value if isinstance(value, str) else ""))
        except ValueError:
            raise Refused(self.allowed) from None

    def plain(self, value: str) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "pattern": "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$"}
