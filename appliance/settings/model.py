"""Every setting of Kontor: its key, type, unit, default, limits, help, and when a change takes effect."""

# ruff: noqa: RUF009  # setting(), section() and items() make dataclass fields, they are no mutable defaults

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Literal

from appliance.core.arrays import ARRAYS, MOST_MICROPHONES
from appliance.core.controls import Door
from appliance.core.volume import HIGHEST, LOWEST
from appliance.settings.kinds import (
    Choice,
    FilePath,
    Flag,
    Many,
    MaybePath,
    MaybeSecret,
    Text,
    Whole,
    identifier,
    one_of,
)
from appliance.settings.model_engines import JanusSettings, LiveKitSettings
from appliance.settings.model_host import HostSettings
from appliance.settings.model_metrics import MetricsSettings
from appliance.settings.model_network import NetworkSettings
from appliance.settings.model_panel import PanelSettings
from appliance.settings.model_provisioning import ProvisioningSettings
from appliance.settings.model_quiet import QuietSettings
from appliance.settings.model_telegram import TelegramSettings
from appliance.settings.model_update import UpdateSettings
from appliance.settings.secrets import SecretFile
from appliance.settings.setting import Effect, section, setting
from appliance.settings.special import Fingerprint, Geometry, MicrophoneName, Url
from appliance.settings.ssh import SshKey


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


class Echo(StrEnum):
    """How the loudspeaker is kept out of what is sent."""

    AUTO = "auto"
    FULL_DUPLEX = "full_duplex"
    SAFE = "safe"
    HALF_DUPLEX = "half_duplex"
    HARDWARE = "hardware"
    OFF = "off"


class Noise(StrEnum):
    """How much of the noise of the room is taken away."""

    OFF = "off"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class ChimeLevel(StrEnum):
    """How loud chimes are."""

    OFF = "off"
    SOFT = "soft"
    NORMAL = "normal"
    LOUD = "loud"


class Relay(StrEnum):
    """When a device sends through the relay that its server names."""

    WHEN_NEEDED = "when_needed"
    ALWAYS = "always"
    NEVER = "never"


class LogLevel(StrEnum):
    """How much is written to the journal."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


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
    ssh_keys: tuple[str, ...] = setting(
        Many(SshKey(), 8),
        (),
        about="Who may log in as admin by ssh, on the SD image: their public keys. Left empty, nobody can, and ssh is off.",
        effect=Effect.LIVE,
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
        one_of(EngineName),
        EngineName.HOSTED,
        about="What carries the room. hosted is Kontor's own server; the others have sections of their own.",
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
    enrolment_file: SecretFile | None = setting(
        MaybeSecret(),
        None,
        about="A file with the one-use token that makes the device's own key known. Left empty, it asks to be let in.",
        effect=Effect.REJOIN,
    )
    certificate_sha256: bytes | None = setting(
        Fingerprint(),
        None,
        about="The fingerprint of the server's media certificate. When it is set, no other server is talked to.",
        effect=Effect.REJOIN,
    )
    ca_file: Path | None = setting(
        MaybePath(),
        None,
        about="The certificate of an own authority (PEM), for a server whose https is signed by it, beside the known ones.",
        effect=Effect.REJOIN,
    )
    relay: Relay = setting(
        one_of(Relay),
        Relay.WHEN_NEEDED,
        about="Whether sound goes through the server's relay (TURN): when no direct way is found, always, or never.",
        effect=Effect.REJOIN,
    )
    support_bundle: bool = setting(
        Flag(),
        False,
        about="Whether an admin of the room may fetch a support bundle over the server: no secrets, no sound, no names.",
        effect=Effect.LIVE,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSettings:
    """Microphone, loudspeaker and what is sent."""

    backend: AudioBackend = setting(
        one_of(AudioBackend),
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
    capture: str = setting(
        Text(200),
        "default",
        about="The ALSA device that the microphone is read from, for backend alsa. auto is recommended: the best array here.",
        effect=Effect.RESTART,
    )
    playback: str = setting(
        Text(200),
        "default",
        about="The ALSA device that the loudspeaker is written to, for backend alsa. auto: that of the same card, if it has one.",
        effect=Effect.RESTART,
    )
    channels: int = setting(
        Whole(0, MOST_MICROPHONES),
        0,
        about="How many channels of the card are captured, for backend alsa. 0 takes as many as the array has.",
        effect=Effect.RESTART,
    )
    array: str = setting(
        Choice({name: name for name in ("auto", *(array.name for array in ARRAYS))}),
        "auto",
        about="Which microphone array it is. auto knows it by its USB id; what it does not know counts as one microphone.",
        effect=Effect.RESTART,
    )
    geometry_mm: str = setting(
        Geometry(),
        "",
        about='Where the microphones of an array of your own stand, channel by channel: "32,0; 0,32; -32,0; 0,-32".',
        effect=Effect.RESTART,
    )
    echo: Echo = setting(
        one_of(Echo),
        Echo.AUTO,
        about="How the loudspeaker is kept out of what is sent. auto is full_duplex, or hardware where the array does it.",
        effect=Effect.RESTART,
    )
    noise: Noise = setting(
        one_of(Noise),
        Noise.MEDIUM,
        about="How much of the noise of the room (fans, keyboards) is taken away. high takes 7 ms more.",
        effect=Effect.RESTART,
    )
    gain_control: bool = setting(
        Flag(),
        True,
        about="Whether quiet and distant talkers are brought to the same loudness as close ones.",
        effect=Effect.RESTART,
    )
    direction: bool = setting(
        Flag(),
        False,
        about="Whether the room is told from where in this room somebody talks, for the ring on its page. It needs an array.",
        effect=Effect.RESTART,
    )
    volume_db: int = setting(
        Whole(LOWEST, HIGHEST),
        0,
        unit="dB",
        about="How loud the loudspeaker is; 0 plays the room as it comes. The volume buttons move it, until this is changed.",
        effect=Effect.RESTART,
    )
    chimes: ChimeLevel = setting(
        one_of(ChimeLevel),
        ChimeLevel.NORMAL,
        about="How loud the chimes are, for door, knock, recording and mute. normal is a little quieter than a voice.",
        effect=Effect.RESTART,
    )
    frame_ms: Literal[10, 20] = setting(
        Choice[Literal[10, 20]]({10: 10, 20: 20}),
        20,
        unit="ms",
        about="Sound in one packet. 10 is the low-delay profile: twice as many packets, and as little waiting as they allow.",
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
        8,
        about="How hard the encoder tries. Against 8 it takes a quarter of the time with 0, and half with 5.",
        effect=Effect.REJOIN,
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
    livekit: LiveKitSettings = section(LiveKitSettings, "A room on LiveKit, where room.engine says so.")
    janus: JanusSettings = section(JanusSettings, "A room of a Janus server, where room.engine says so.")
    telegram: TelegramSettings = section(
        TelegramSettings, "The voice chat of a Telegram group, where room.engine says so (docs/telegram.md)."
    )
    audio: AudioSettings = section(AudioSettings, "Microphone, loudspeaker and what is sent.")
    panel: PanelSettings = section(
        PanelSettings,
        "Buttons and lamps. A change that touches mute closes the microphone until a hand acts on the panel.",
    )
    door: DoorSettings = section(
        DoorSettings, "The door of the room: open, listening (nobody hears the room), closed (no sound either way)."
    )
    quiet: QuietSettings = section(
        QuietSettings, "Quiet hours close the door on a schedule. It is never opened by one beyond listening."
    )
    network: NetworkSettings = section(
        NetworkSettings, "Cable, Wi-Fi, time and proxy. What is left out stays as the machine has it."
    )
    provisioning: ProvisioningSettings = section(
        ProvisioningSettings, "Settings from afar: where they are published, and who may sign them."
    )
    update: UpdateSettings = section(
        UpdateSettings, "Updates of an image with two slots (docs/update.md). Elsewhere nothing of it counts."
    )
    host: HostSettings = section(HostSettings, "The server that holds rooms: kontor host.")
    metrics: MetricsSettings = section(
        MetricsSettings, "Figures for Prometheus: how a room is, and nobody's name or voice (docs/metrics.md)."
    )
    log: LogSettings = section(LogSettings, "What is written to the journal.")
