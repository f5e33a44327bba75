"""Every setting of Kontor: its key, type, unit, default, limits, help, and when a change takes effect."""

# ruff: noqa: RUF009  # setting(), section() and items() make dataclass fields, they are no mutable defaults

import ipaddress
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Literal

from appliance.core.controls import Door, MuteControl
from appliance.core.roster import PLACES, Sign, sign_of
from appliance.settings.kinds import Choice, FilePath, Flag, MaybePath, MaybeSecret, Text, Whole, identifier, one_of
from appliance.settings.secrets import SecretFile
from appliance.settings.setting import Effect, items, section, setting
from appliance.settings.special import Address, Fingerprint, KeyFiles, MicrophoneName, PublicKey, Url


class EngineName(StrEnum):
    """What carries the room."""

    HOSTED = "hosted"
    LIVEKIT = "livekit"
    JANUS = "janus"
    TELEGRAM = "telegram"


class AudioBackend(StrEnum):
    """Where sound comes from and goes to."""

    VIRTUAL = "virtual"
    ALSA = "alsa"


class PanelKind(StrEnum):
    """What buttons and lamps there are."""

    NONE = "none"
    VIRTUAL = "virtual"
    GPIO = "gpio"


class LogLevel(StrEnum):
    """How much is written to the journal."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


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


def identity_of(name: str) -> str:
    """An identity made from a name: ``Büro 2, München`` is ``buro-2-munchen``. Same name, same identity."""
    # NFKD parts a letter from its accents, which the pattern then drops.
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.findall("[a-z0-9]+", letters)
    # A name without one Latin letter still needs an identity of its own.
    return "-".join(words)[:64].strip("-") or "member-" + sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSettings:
    """This device."""

    name: str = setting(
        Text(64),
        "Meeting room",
        about="What the others in the room read, for example the name of the meeting room it stands in.",
        effect=Effect.REJOIN,
    )
    id: str = setting(
        identifier(optional=True),
        "",
        about="By what the server knows the device. Left empty it is made from the name: Meeting room is meeting-room.",
        effect=Effect.REJOIN,
    )
    state_dir: Path = setting(
        FilePath(),
        Path("/var/lib/kontor"),
        about="The folder for what must survive a restart: the stored mute, the key of the device.",
        effect=Effect.RESTART,
    )
    runtime_dir: Path = setting(
        FilePath(),
        Path("/run/kontor"),
        about="The folder for the sockets between the processes. Its path may have 80 bytes at most.",
        effect=Effect.RESTART,
    )

    @property
    def identity(self) -> str:
        """The id, or the one that follows from the name."""
        return self.id or identity_of(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomSettings:
    """The room that the device is in."""

    engine: EngineName = setting(
        one_of(EngineName, later=(EngineName.LIVEKIT, EngineName.JANUS, EngineName.TELEGRAM)),
        EngineName.HOSTED,
        about="What carries the room. hosted is Kontor's own server.",
        effect=Effect.REJOIN,
    )
    url: str = setting(
        Url(),
        "",
        about="Where the server is. While it is empty the device is in no room, and its ROOM lamp says so.",
        effect=Effect.REJOIN,
    )
    id: str = setting(
        identifier(),
        "main",
        about="Which room of that server. It is the last part of the page's address.",
        effect=Effect.REJOIN,
    )
    token_file: SecretFile | None = setting(
        MaybeSecret(),
        None,
        about="A file with a token that lets the device in. Left empty, the device proves who it is with its own key.",
        effect=Effect.REJOIN,
    )
    certificate_sha256: bytes | None = setting(
        Fingerprint(),
        None,
        about="The fingerprint of the server's media certificate. When it is set, no other server is talked to.",
        effect=Effect.REJOIN,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSettings:
    """Microphone, loudspeaker and what is sent."""

    backend: AudioBackend = setting(
        one_of(AudioBackend, later=(AudioBackend.ALSA,)),
        AudioBackend.VIRTUAL,
        about="Where sound comes from and goes to. virtual needs no sound card.",
        effect=Effect.RESTART,
    )
    microphone: str = setting(
        MicrophoneName(),
        "silence",
        about="What the virtual microphone plays, over and over: silence, speech, a tone, or a 48 kHz WAV file.",
        effect=Effect.RESTART,
    )
    record: Path | None = setting(
        MaybePath(),
        None,
        about="A WAV file that everything the virtual loudspeaker plays is written to. It grows by about 6 MB a minute.",
        effect=Effect.RESTART,
    )
    frame_ms: Literal[10, 20] = setting(
        Choice[Literal[10, 20]]({10: 10, 20: 20}),
        20,
        unit="ms",
        about="Sound in one packet. 10 is 10 ms faster and sends twice as many packets.",
        effect=Effect.REJOIN,
    )
    bitrate: int = setting(
        Whole(8_000, 128_000),
        32_000,
        unit="bit/s",
        about="What the voice takes of the network, without the packets around it. 32000 hides losses better than 24000.",
        effect=Effect.REJOIN,
    )
    complexity: int = setting(
        Whole(0, 10),
        5,
        about="How hard the encoder tries. Against 5 it takes half the time with 0 and 40 % more with 10.",
        effect=Effect.REJOIN,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelSettings:
    """Buttons and lamps."""

    kind: PanelKind = setting(
        one_of(PanelKind, later=(PanelKind.GPIO,)),
        PanelKind.NONE,
        about="What panel there is. With none nobody can unmute, so the device only listens. virtual is for the demo.",
        effect=Effect.HAND,
    )
    mute: MuteControl = setting(
        one_of(MuteControl),
        MuteControl.LATCHING,
        about="What mutes: a latching switch that stays where it is put, or a momentary button that springs back.",
        effect=Effect.HAND,
    )
    push_to_talk: bool = setting(
        Flag(),
        False,
        about="Whether the microphone is open only while TALK is held.",
        effect=Effect.HAND,
    )
    debounce_ms: int = setting(
        Whole(1, 200),
        30,
        unit="ms",
        about="How long a contact must be quiet before the microphone opens. Closing never waits.",
        effect=Effect.HAND,
    )
    long_press_ms: int = setting(
        Whole(300, 5_000),
        1_000,
        unit="ms",
        about="How long a button is held for its second meaning, as ROOM to change the door.",
        effect=Effect.HAND,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorSettings:
    """The door of the room."""

    first: Door = setting(
        Choice({"open": Door.OPEN, "listening": Door.LISTENING, "closed": Door.CLOSED}),
        Door.OPEN,
        about="How the door stands when the device starts for the first time. Later it is as it was left.",
        effect=Effect.HAND,
    )


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
class HostedRoom:
    """One room of the server."""

    id: str = setting(identifier(), about="The last part of the page's address.", effect=Effect.RESTART)
    title: str = setting(
        Text(64, shortest=0), "", about="What people read. Left empty it is the id.", effect=Effect.RESTART
    )
    key_files: Mapping[str, SecretFile] = setting(
        KeyFiles(),
        about="The keys of its links, a name and a file each. The first one signs new links; a link lives as long as its key.",
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
    tls: TlsSettings = section(
        TlsSettings, "Encryption of the page. Browsers give a microphone only to https, or to localhost."
    )
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What is written to the journal."""

    level: LogLevel = setting(
        one_of(LogLevel), LogLevel.INFO, about="The least important thing that is still written.", effect=Effect.LIVE
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of it."""

    device: DeviceSettings = section(DeviceSettings, "This device: its name, and where it keeps its files.")
    room: RoomSettings = section(RoomSettings, "The room that the device is in.")
    audio: AudioSettings = section(AudioSettings, "Microphone, loudspeaker and what is sent.")
    panel: PanelSettings = section(
        PanelSettings, "Buttons and lamps. A change here closes the microphone until a hand acts on the panel."
    )
    door: DoorSettings = section(
        DoorSettings, "The door of the room: open, listening (nobody hears the room), closed (no sound either way)."
    )
    host: HostSettings = section(HostSettings, "The server that holds rooms: kontor host.")
    log: LogSettings = section(LogSettings, "What is written to the journal.")
