"""One immutable snapshot per process: status, page, lamps and metrics read the same values.

``as_dict`` is what leaves the process; it is ready for JSON and holds UX.md, mute rule 9: while the gate is closed,
level, direction and "talking" of the room stay on the device.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType

from appliance.core.controls import Controls
from appliance.core.lamps import Lamps, LinkPhase
from appliance.core.units import SILENCE

Counts = Mapping[str, int]


def _frozen(counts: Counts) -> Counts:
    return MappingProxyType(dict(counts))


@dataclass(frozen=True, slots=True)
class Codec:
    """How the uplink is encoded."""

    frame_ms: int
    bitrate: int
    """bit/s."""
    complexity: int
    fec: bool
    """Whether the encoder adds FEC where frames are not sent again (RFC 2198)."""
    dtx: bool
    """Whether silence is not sent."""


@dataclass(frozen=True, slots=True)
class Backends:
    """What stands behind microphone, loudspeaker and panel."""

    capture: str
    playback: str
    panel: str


@dataclass(frozen=True, slots=True)
class FrontEndState:
    """How the audio front end works. Nothing of it tells of the room."""

    array: str
    chain: tuple[str, ...]
    """What works, in its order."""
    delay_ms: float | None = None
    """How much later than the card says the loudspeaker is heard; None: not measured yet."""
    drift_ppm: float | None = None
    """How much faster the loudspeaker's clock is than the microphones'."""
    us_per_block: int = 0
    """Time of the capture thread for ten milliseconds of sound."""
    degraded: str = ""
    """What does not work as it was asked for, and why; empty: all of it works."""

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "array": self.array,
            "chain": list(self.chain),
            "delay_ms": None if self.delay_ms is None else round(self.delay_ms, 1),
            "drift_ppm": None if self.drift_ppm is None else round(self.drift_ppm, 1),
            "us_per_block": self.us_per_block,
            "degraded": self.degraded,
        }


@dataclass(frozen=True, slots=True)
class ProofState:
    """What a proof of mute has seen since its start (docs/proof.md): an engine's in link, or sound's own."""

    violations: int = 0
    """Blocks that were about to leave and must not, and checks that failed; always 0."""
    why: str = ""
    """What was wrong last, in words; empty: nothing was."""
    looked: int = 0
    """Frames that were decoded, or compared with what came in; in sound, blocks that were let pass."""
    left_closed: int = 0
    """Frames that left, silent or not, while the gate was closed."""
    checks: int = 0
    """Self-checks while the gate was closed."""
    checked_ago: float | None = None
    """Seconds since the last one; None: there was none yet."""


@dataclass(frozen=True, slots=True)
class WayState:
    """The way to the room and back; None where it is not known, or there is none."""

    rtt_ms: float | None = None
    loss: float | None = None
    """Of what this device sent, as the other end reports it, smoothed, 0 to 1."""
    jitter_ms: float | None = None
    """Of what it receives (RFC 3550, 6.4.1)."""
    delay_ms: float | None = None
    """What the playout adds."""
    relayed: bool = False
    """Whether a relay stands between."""

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return {name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class QuietState:
    """Quiet hours of a device that has a schedule."""

    holds: bool
    until: int | None
    """When they end, Unix time; None: they do not hold, or nobody knows."""
    until_words: str
    """The same as a clock on the wall of the office shows it, with the day if it is another one."""
    clock_trusted: bool
    """Whether the time is known; as long as it is not, they can only begin."""
    opens_soon: bool
    """The door opens within a minute."""


@dataclass(frozen=True, slots=True)
class SoundState:
    """What ``kontor sound`` knows.

    The microphone's level and direction may be given at any time and are kept only while the gate is open.
    """

    controls: Controls
    lamps: Lamps
    """As the panel shows them; :meth:`as_dict` gives them as they may be seen from afar."""
    backends: Backends
    muted_since: float | None = None
    """Unix time at which the gate closed, or None while it is open."""
    microphone: float | None = None
    """Level behind the gate, dBov; None while it is closed."""
    direction: int | None = None
    """Degrees, 0 … 359; None while the gate is closed or no array tells it."""
    loudspeaker: float = SILENCE
    """Level of what the loudspeaker plays of the room, dBov."""
    volume: int = 0
    """How far it is turned up, dB."""
    exchange_connected: bool = False
    under_runs: int = 0
    """Blocks that the loudspeaker missed."""
    hand: bool = False
    """The room wants to speak."""
    recording: bool = False
    """Somebody records the room, and has announced it."""
    presses: int = 0
    """How often somebody here asked to join a room, while the device was in none."""
    reset_held: bool = False
    """A hand has just asked for all data to be wiped (docs/adr/0182): provision does it."""
    quiet: QuietState | None = None
    """None: there are no quiet hours."""
    proof: ProofState = field(default_factory=ProofState)
    """What sound's own check of the closed gate has seen."""
    held: Mapping[str, Sequence[int | None]] = field(default_factory=dict)
    """When each reason for a closed gate last held since the start: from and to, Unix time; to None: it holds."""
    panel_problem: str = ""
    """Why the panel is lost, or works less well than it should; empty: all of it works."""
    front_end: FrontEndState | None = None
    """None: what the microphone hears goes to the gate as it is."""
    uptime: float = 0.0
    """Seconds."""
    counters: Counts = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.controls.open:
            object.__setattr__(self, "muted_since", None)
        else:
            object.__setattr__(self, "microphone", None)
            object.__setattr__(self, "direction", None)
        object.__setattr__(self, "counters", _frozen(self.counters))

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON, and fit to be seen from afar."""
        return {
            "gate": "open" if self.controls.open else "closed",
            "reasons": [reason.word for reason in sorted(self.controls.reasons)],
            "muted_since": self.muted_since,
            "held": {reason: list(span) for reason, span in self.held.items()},
            "door": self.controls.door.name.lower(),
            "mute_control": self.controls.kind.value,
            "push_to_talk": self.controls.push_to_talk,
            "lamps": self.lamps.from_afar().words(),
            "microphone": None if self.microphone is None else round(self.microphone, 1),
            "direction": self.direction,
            "loudspeaker": round(self.loudspeaker, 1),
            "volume": self.volume,
            "hand": self.hand,
            "recording": self.recording,
            "presses": self.presses,
            "reset_held": self.reset_held,
            "quiet": None if self.quiet is None else asdict(self.quiet),
            "exchange_connected": self.exchange_connected,
            "under_runs": self.under_runs,
            "backends": asdict(self.backends),
            "panel_problem": self.panel_problem,
            "front_end": None if self.front_end is None else self.front_end.as_dict(),
            "proof": {"engine": "exchange", **asdict(self.proof)},
            "uptime": round(self.uptime, 1),
            "counters": dict(self.counters),
        }


@dataclass(frozen=True, slots=True)
class LinkState:
    """What ``kontor link`` knows. It never has more of the microphone than what the gate let through."""

    engine: str
    phase: LinkPhase = LinkPhase.STARTING
    why: str = ""
    """One sentence on the last change, without secrets."""
    room: str = ""
    members: int = 0
    speaking: tuple[str, ...] = ()
    """Names of the members who speak now."""
    exchange_connected: bool = False
    proof: ProofState = field(default_factory=ProofState)
    """What the proof of mute of this engine has seen (UX.md, mute rule 6)."""
    opus: str = ""
    """Version of the codec library."""
    codec: Codec | None = None
    way: WayState = field(default_factory=WayState)
    uptime: float = 0.0
    """Seconds."""
    counters: Counts = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "counters", _frozen(self.counters))

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "engine": self.engine,
            "phase": self.phase.name.lower(),
            "why": self.why,
            "room": self.room,
            "members": self.members,
            "speaking": list(self.speaking),
            "exchange_connected": self.exchange_connected,
            "proof": {"engine": self.engine, **asdict(self.proof)},
            "opus": self.opus,
            "codec": None if self.codec is None else asdict(self.codec),
            "way": self.way.as_dict(),
            "uptime": round(self.uptime, 1),
            "counters": dict(self.counters),
        }


@dataclass(frozen=True, slots=True)
class RoomState:
    """One room of a host: counts, no names, since health is read by whoever reaches the port."""

    id: str
    members: int = 0
    connected: int = 0
    """Members whose media is up."""
    speaking: int = 0


@dataclass(frozen=True, slots=True)
class HostState:
    """What ``kontor host`` knows."""

    rooms: tuple[RoomState, ...] = ()
    http_port: int = 0
    udp_port: int = 0
    uptime: float = 0.0
    """Seconds."""
    counters: Counts = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "counters", _frozen(self.counters))

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "rooms": [asdict(room) for room in self.rooms],
            "members": sum(room.members for room in self.rooms),
            "http_port": self.http_port,
            "udp_port": self.udp_port,
            "uptime": round(self.uptime, 1),
            "counters": dict(self.counters),
        }
