"""The settings of provisioning: from where signed settings are fetched, and who may sign them."""

import base64
import binascii
import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from appliance.settings.kinds import Many, Whole, identifier
from appliance.settings.problems import Refused
from appliance.settings.setting import Effect, Where, setting

MOST_KEYS = 4
"""Keys that documents may be signed with at a time: one in use, one to come, and some air."""

_PUBLIC = 42
"""Bytes of a minisign public key: two for the kind, eight for its id, 32 for the key."""


@dataclass(frozen=True, slots=True)
class FolderUrl:
    """The https address of a folder, or "" for none."""

    secret: bool = field(default=False, init=False)
    allowed: str = field(default='must be like https://config.example.org/rooms, or ""', init=False)

    def convert(self, value: object, _where: Where, /) -> str:
        """The address without a slash at its end."""
        if value == "":
            return ""
        if not isinstance(value, str) or not value.isascii() or not value.isprintable() or len(value) > 500:
            raise Refused(self.allowed)
        hide = bool(re.search("[@?#]", value))  # a password before "@", a token behind "?" or "#"
        try:
            parts = urlsplit(value)
            clean, port = self._clean(parts), parts.port
        except ValueError:
            raise Refused(self.allowed, hide=hide) from None
        if not clean or port == 0:
            raise Refused(self.allowed, self._hint(parts), hide=hide)
        return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower()).geturl().rstrip("/")

    def plain(self, value: str) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "maxLength": 500, "pattern": "^([hH][tT][tT][pP][sS]?://[^?#@]+)?$"}

    @staticmethod
    def _clean(parts: SplitResult) -> bool:
        host = parts.hostname or ""
        secure = parts.scheme == "https" or (parts.scheme == "http" and _here(host))
        named = bool(re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", host)) or ":" in host
        path = re.fullmatch(r"(/[A-Za-z0-9._~-]+)*/?", parts.path) is not None and "/../" not in f"{parts.path}/"
        return secure and named and path and not parts.query and not parts.fragment and "@" not in parts.netloc

    @staticmethod
    def _hint(parts: SplitResult) -> str:
        if parts.scheme == "http":
            return "Settings are fetched over https alone; http is for addresses of this machine."
        return "" if parts.scheme == "https" else "Begin it with https://."


def folder_url(text: str) -> str:
    """The address of a folder that stands in no setting, by the rule of those that do.

    :raises ValueError: it is none; says what is allowed.
    """
    try:
        return FolderUrl().convert(text, Where("", Path()))
    except Refused as error:
        raise ValueError(error.allowed) from None


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The public half of a key that documents are signed with, as minisign prints it."""

    secret: bool = field(default=False, init=False)
    allowed: str = field(default="must be a public key of minisign: 56 characters that begin with RW", init=False)

    def convert(self, value: object, _where: Where, /) -> str:
        """The key as it is."""
        try:
            raw = base64.b64decode(value if isinstance(value, str) else "", validate=True)
        except (binascii.Error, ValueError):
            raise Refused(self.allowed, hide=True) from None
        if len(raw) != _PUBLIC or raw[:2] != b"Ed":
            # Somebody may have put the secret half here.
            hint = "This looks like the secret key: it belongs on no device." if len(raw) > _PUBLIC else ""
            raise Refused(self.allowed, hint, hide=True)
        return base64.b64encode(raw).decode()

    def plain(self, value: str) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "pattern": "^RW[A-Za-z0-9+/]{54}$"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisioningSettings:
    """Settings from afar."""

    url: str = setting(
        FolderUrl(),
        "",
        about="The folder on a web server where signed settings are published. While it is empty none are fetched.",
        effect=Effect.LIVE,
    )
    group: str = setting(
        identifier(optional=True),
        "",
        about="The group that the device belongs to: it follows groups/NAME beside all and its own.",
        effect=Effect.LIVE,
    )
    keys: tuple[str, ...] = setting(
        Many(SigningKey(), MOST_KEYS),
        (),
        about="Who may sign: public keys of minisign, made by kontor keys new. To change a key, first name both.",
        effect=Effect.LIVE,
    )
    poll_s: int = setting(
        Whole(20, 3600),
        25,
        unit="s",
        about="How often the folder is looked at, give or take a fifth. kontor config pull looks at once.",
        effect=Effect.LIVE,
    )
    confirm_s: int = setting(
        Whole(10, 600),
        60,
        unit="s",
        about="How long new settings may take until the device is in its room with them; then they are taken back.",
        effect=Effect.LIVE,
    )
