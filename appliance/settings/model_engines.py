"""The settings of rooms that are not on a server of ours: a section for each engine."""

# ruff: noqa: RUF009  # setting() makes dataclass fields, they are no mutable defaults

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from appliance.settings.kinds import Many, MaybeSecret, Text, Whole
from appliance.settings.problems import Refused
from appliance.settings.secrets import SecretFile
from appliance.settings.setting import Effect, Where, setting

_OWN = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),
        *("fc00::/7", "fe80::/10", "::1/128"),
    )
)
"""Addresses that nobody reaches from outside."""

MOST_URLS = 8
"""Addresses of one room's servers."""


@dataclass(frozen=True, slots=True)
class SocketUrl:
    """The address of a server that talks over a WebSocket: wss, or ws in a network of one's own; or "" for none."""

    optional: bool = False
    secret: bool = field(default=False, init=False)

    @property
    def allowed(self) -> str:
        return "must be like wss://rooms.example.org or ws://192.168.1.7:7880" + (', or ""' if self.optional else "")

    def convert(self, value: object, _where: Where, /) -> str:
        """The address in lower case, its path as it is, without a slash at its end."""
        if self.optional and value == "":
            return ""
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise Refused(self.allowed)
        hide = bool(re.search("[@?#]", value))  # a password before "@" and a token behind "?" are secrets
        try:
            parts, port = urlsplit(value), urlsplit(value).port
        except ValueError:
            raise Refused(self.allowed, hide=hide) from None
        if not self._clean(parts, port):
            raise Refused(self.allowed, self._hint(parts), hide=hide)
        if parts.scheme == "ws" and not _near(parts.hostname or ""):
            raise Refused(self.allowed, "Beyond a network of one's own it has to be wss://.")
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{host}" + (f":{port}" if port else "") + parts.path.rstrip("/")

    def plain(self, value: str) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        pattern = "[wW][sS]{1,2}://[^/?#@]+(/[^?#@]*)?"
        return {"type": "string", "pattern": f"^({pattern})?$" if self.optional else f"^{pattern}$"}

    @staticmethod
    def _clean(parts: SplitResult, port: int | None) -> bool:
        host = parts.hostname or ""
        named = bool(re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", host)) or (
            ":" in host and _address(host) is not None
        )
        bare = not parts.query and not parts.fragment and "@" not in parts.netloc
        return parts.scheme in ("ws", "wss") and named and bare and port != 0

    @staticmethod
    def _hint(parts: SplitResult) -> str:
        if parts.scheme in ("http", "https"):
            return f"Begin it with {parts.scheme.replace('http', 'ws')}://."
        return "" if parts.scheme in ("ws", "wss") else "Begin it with wss://."


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _near(host: str) -> bool:
    """Whether a host is on this machine or in a network that is nobody else's; a name without a dot is one of one's own."""
    address = _address(host)
    if address is None:
        return "." not in host or host.endswith((".local", ".internal", ".home.arpa"))
    return any(address in network for network in _OWN if network.version == address.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveKitSettings:
    """A room on LiveKit, for ``[room] engine = "livekit"``."""

    urls: tuple[str, ...] = setting(
        Many(SocketUrl(), MOST_URLS),
        (),
        about="Where LiveKit's servers are, the one to try first at the front. ws is taken only in a network of one's own.",
        effect=Effect.REJOIN,
    )
    room: str = setting(
        Text(128, 0),
        "",
        about="Which room. Left empty, it is called as [room] id says.",
        effect=Effect.REJOIN,
    )
    api_key: str = setting(
        Text(128, 0),
        "",
        about="The name of the key with which the device makes its own tokens, as the server's settings have it.",
        effect=Effect.REJOIN,
    )
    api_secret_file: SecretFile | None = setting(
        MaybeSecret(16),
        None,
        about="A file with that key's secret. Whoever has it may do everything on that server.",
        effect=Effect.REJOIN,
    )
    token_file: SecretFile | None = setting(
        MaybeSecret(),
        None,
        about="A file with a token that somebody else made, instead of key and secret. It ends when it says so.",
        effect=Effect.REJOIN,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class JanusSettings:
    """A room of a Janus server's AudioBridge, for ``[room] engine = "janus"``."""

    url: str = setting(
        SocketUrl(optional=True),
        "",
        about="Where Janus' WebSocket is, with its path if it has one. ws is taken only in a network of one's own.",
        effect=Effect.REJOIN,
    )
    room: int = setting(
        Whole(0, 2**53 - 1),
        0,
        about="The number of the room, as the AudioBridge's settings have it. It has to be a permanent one.",
        effect=Effect.REJOIN,
    )
    pin_file: SecretFile | None = setting(
        MaybeSecret(),
        None,
        about="A file with the room's PIN. Left empty, the room asks for none.",
        effect=Effect.REJOIN,
    )
    token_file: SecretFile | None = setting(
        MaybeSecret(),
        None,
        about="A file with a token, where Janus or the room asks for one (token_auth). Left empty, there is none.",
        effect=Effect.REJOIN,
    )
