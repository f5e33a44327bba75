"""The settings of the server that holds rooms: ``[host]``."""

# ruff: noqa: RUF009  # setting(), section() and items() make dataclass fields, they are no mutable defaults

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from pathlib import Path
from types import MappingProxyType

from appliance.core.roster import PLACES, Sign, sign_of
from appliance.settings.kinds import Choice, Flag, Many, MaybePath, MaybeSecret, Text, Whole, identifier, one_of
from appliance.settings.secrets import SecretFile
from appliance.settings.setting import Effect, items, section, setting
from appliance.settings.special import Address, KeyFiles, Network, PublicKey, TurnUrl, Url

_NO_KEYS: Mapping[str, SecretFile] = MappingProxyType({})


class Hue(IntEnum):
    """The hues of a sign; the number is the one on the wire (``core.roster.HUES``)."""

    BLUE = 0
    PETROL = 1
    JADE = 2
    MOSS = 3
    OCHRE = 4
    RUST = 5
    WINE = 6
    ORCHID = 7


class Strangers(StrEnum):
    """What becomes of a device that is not known and has no one-use token."""

    REFUSE = "refuse"
    ASK = "ask"
    LET_IN = "let_in"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """Encryption of the page."""

    certificate: Path | None = setting(
        MaybePath(), None, about="The certificate with its chain, a PEM file.", effect=Effect.RESTART
    )
    key: SecretFile | None = setting(
        MaybeSecret(),
        None,
        about="The file of its private key, PEM, readable by the server alone.",
        effect=Effect.RESTART,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnSettings:
    """The relay for members behind firewalls."""

    urls: tuple[str, ...] = setting(
        Many(TurnUrl(), 4),
        (),
        about="Where the relay (TURN, as coturn) is. Empty: there is none.",
        effect=Effect.RESTART,
    )
    secret_file: SecretFile | None = setting(
        MaybeSecret(16),
        None,
        about="The file with the secret that the relay shares with the server (coturn's static-auth-secret).",
        effect=Effect.RESTART,
    )
    lifetime_s: int = setting(
        Whole(300, 86_400),
        3_600,
        unit="s",
        about="How long the credentials are good that a member gets. A session that stands outlives them.",
        effect=Effect.RESTART,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """A reverse proxy in front of the server."""

    trusted: tuple[str, ...] = setting(
        Many(Network(), 16),
        (),
        about="The addresses of reverse proxies, whose X-Forwarded-For and X-Forwarded-Proto are believed.",
        effect=Effect.RESTART,
    )
    name_header: str = setting(
        Text(64, 0, "[A-Za-z0-9-]+", "the name of a header, as X-Forwarded-User"),
        "",
        about="The header by which a proxy names people that it has signed in: they need no link to speak in any room.",
        effect=Effect.RESTART,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedRoom:
    """One room of the server."""

    id: str = setting(identifier(), about="The last part of the page's address.", effect=Effect.RESTART)
    title: str = setting(
        Text(64, shortest=0), "", about="What people read. Left empty it is the id.", effect=Effect.RESTART
    )
    key_files: Mapping[str, SecretFile] = setting(
        KeyFiles(),
        _NO_KEYS,
        about="The keys of its links, an id and a file each; the first one signs. Left out, the server makes and keeps its own.",
        effect=Effect.RESTART,
    )
    mute_new: bool = setting(
        Flag(),
        False,
        about="Whether whoever comes in anew is muted until an admin lets them speak. Admins can change it while it runs.",
        effect=Effect.RESTART,
    )

    @property
    def label(self) -> str:
        """What people read."""
        return self.title or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedDevice:
    """One device that may enter by its own key."""

    id: str = setting(identifier(), about="The id of the device.", effect=Effect.RESTART)
    name: str = setting(Text(64), about="What people read.", effect=Effect.RESTART)
    room: str = setting(identifier(), about="The id of the room that it may enter.", effect=Effect.RESTART)
    public_key: bytes = setting(
        PublicKey(), about="Its public key, as the device itself tells it.", effect=Effect.RESTART
    )
    hue: Hue | None = setting(
        Choice[Hue | None]({hue.name.lower(): hue for hue in Hue}),
        None,
        about="Its colour on pages and rings, which also decides its figure. Left out it follows from the id.",
        effect=Effect.RESTART,
    )
    place: int | None = setting(
        Choice[int | None]({hour: hour for hour in range(PLACES)}),
        None,
        unit="hour",
        about="Where on the ring its figure begins, as on a clock; 0 is 12 o'clock. Left out it follows from the id.",
        effect=Effect.RESTART,
    )

    @property
    def sign(self) -> Sign | None:
        """Its sign, or None when nothing is said and it follows from the id."""
        if self.hue is None and self.place is None:
            return None
        own = sign_of(self.id)
        return Sign(own.hue if self.hue is None else self.hue, own.place if self.place is None else self.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """The server that holds rooms: kontor host."""

    enabled: bool = setting(
        Flag(),
        False,
        about="Whether kontor run holds rooms too: one box is device and server for a small team.",
        effect=Effect.RESTART,
    )
    processes: int = setting(
        Whole(1, 16),
        1,
        about="Processes that share the rooms. Each has a UDP port of its own: udp_port and the ones after it.",
        effect=Effect.RESTART,
    )
    listen: str = setting(
        Address(),
        "127.0.0.1",
        about="The address it listens on. 127.0.0.1 is this machine only, 0.0.0.0 is every network.",
        effect=Effect.RESTART,
    )
    port: int = setting(
        Whole(0, 65_535), 8_080, about="The TCP port of page and signalling; 0 is any free one.", effect=Effect.RESTART
    )
    udp_port: int = setting(
        Whole(0, 65_535), 0, about="The one UDP port of all sound; 0 is the same number as port.", effect=Effect.RESTART
    )
    public_address: str = setting(
        Address(optional=True),
        "",
        about="The address that members send sound to, when it is not the one listened on: behind address translation.",
        effect=Effect.RESTART,
    )
    url: str = setting(
        Url(),
        "",
        about="The address of the page, for the links that are made. Left empty it follows from listen and port.",
        effect=Effect.LIVE,
    )
    max_members: int = setting(
        Whole(2, 2_000),
        200,
        unit="members",
        about="The most members in one room; the next one is told to wait.",
        effect=Effect.RESTART,
    )
    strangers: Strangers = setting(
        one_of(Strangers),
        Strangers.ASK,
        about="What becomes of a device that is not known: ask waits until an admin lets it in, let_in takes whoever comes.",
        effect=Effect.RESTART,
    )
    last_spoke: bool = setting(
        Flag(),
        False,
        about="Whether the page tells when who spoke last, beyond the last minute. It is kept in memory, of those who are here.",
        effect=Effect.RESTART,
    )
    announce: str = setting(
        identifier(optional=True),
        "",
        about="The id of the room that is told to the local network (mDNS): devices without a room find it.",
        effect=Effect.RESTART,
    )
    tls: TlsSettings = section(
        TlsSettings, "Encryption of the page. Browsers give a microphone only to https, or to localhost."
    )
    turn: TurnSettings = section(TurnSettings, "A relay (TURN) for members behind firewalls that let no UDP through.")
    proxy: ProxySettings = section(ProxySettings, "A reverse proxy in front of the server.")
    rooms: tuple[HostedRoom, ...] = items(HostedRoom, "The rooms that this server holds.", unique="id")
    devices: tuple[HostedDevice, ...] = items(HostedDevice, "The devices that may enter by their own key.", unique="id")

    @property
    def page(self) -> str:
        """The address of the page, without a slash at its end; empty when it cannot be known (port 0)."""
        if self.url or not self.port:
            return self.url
        listen = ipaddress.ip_address(self.listen)
        name = self.public_address or ("localhost" if listen.is_loopback or listen.is_unspecified else self.listen)
        return f"{'https' if self.tls.certificate else 'http'}://{name}:{self.port}"
