"""The room contract: one protocol for every engine that can carry a room.

An engine lives on the loop of ``kontor link``. Audio crosses it on link's exchange thread: :meth:`Engine.send` and
:meth:`Engine.receive` are called there, once per 10 ms, and must not block, allocate much or touch the loop but by
``call_soon_threadsafe``. Everything else is called, and every event is reported, on the loop.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from appliance.core.bridges import Told
from appliance.core.controls import Door
from appliance.core.lamps import LinkPhase
from appliance.core.roster import Member
from appliance.core.state import ProofState, WayState
from appliance.core.units import Block, Pcm


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine really gives; page, lamps and docs show it."""

    real_levels: bool
    """How loud each member is, in dBov; else only whether it speaks."""
    audio_per_member: bool
    """Each member's sound comes by itself, so that each has a volume of its own here; else all of them come mixed."""
    hands: bool
    knocks: bool
    admin_mute: bool
    """An admin's mute is told to the site, which obeys."""
    mute_enforced: bool
    """Whom an admin muted is not heard, whatever it sends."""
    asks: bool
    """Somebody far away can ask the site to unmute."""
    doors: bool
    """Somebody far away can close the site's door, or set it to listening."""
    reports: bool
    """What a site reports of itself (gate, lamps, loudspeaker) is seen by the others."""
    recording: bool
    """Whether the room is recorded is told to all who are there and who come."""
    bundles: bool
    """An admin of the room can fetch a support bundle."""
    most_members: int


@dataclass(frozen=True, slots=True)
class PhaseChanged:
    """The link stands differently to the room. ``why`` is one sentence for status and journal, without secrets."""

    phase: LinkPhase
    why: str = ""


@dataclass(frozen=True, slots=True)
class MemberChanged:
    """A member joined or changed."""

    member: Member


@dataclass(frozen=True, slots=True)
class MemberLeft:
    """A member left; it is never heard again."""

    id: str


@dataclass(frozen=True, slots=True)
class Levels:
    """Levels in dBov by member, only of those that changed, and who speaks."""

    levels: Mapping[str, float]
    speaking: frozenset[str]


@dataclass(frozen=True, slots=True)
class MutedByAdmin:
    """Somebody far away muted this site."""

    by: str


@dataclass(frozen=True, slots=True)
class AdminMuteLifted:
    """The admin mute was lifted: the lamp may be told, the gate stays as it is."""


@dataclass(frozen=True, slots=True)
class AskedToUnmute:
    """Somebody far away asks the room to unmute."""

    by: str


@dataclass(frozen=True, slots=True)
class Knocked:
    """A member knocks."""

    by: str


@dataclass(frozen=True, slots=True)
class DoorAsked:
    """Somebody far away closes the door, or sets it to listening."""

    door: Door


@dataclass(frozen=True, slots=True)
class Recording:
    """The room's recording begins or has ended."""

    on: bool


@dataclass(frozen=True, slots=True)
class BundleAsked:
    """An admin asks for a support bundle; :meth:`Engine.hand_in` takes it with this word."""

    word: str


RoomEvent = (
    PhaseChanged
    | MemberChanged
    | MemberLeft
    | Levels
    | MutedByAdmin
    | AdminMuteLifted
    | AskedToUnmute
    | Knocked
    | DoorAsked
    | Recording
    | BundleAsked
)


@dataclass(frozen=True, slots=True)
class SiteReport:
    """What a site says of itself: only what may be known far away (UX.md, rule 9)."""

    gate_open: bool
    reasons: tuple[str, ...]
    door: Door
    lamps: Mapping[str, str]
    loudspeaker: float
    """Level of what the loudspeaker plays, dBov."""
    direction: int | None = None
    """Where who is heard talks, degrees, 0 to 359; None: not known, and always with a closed gate."""
    extra: Mapping[str, object] = field(default_factory=dict)
    quiet_until: int | None = None
    """When quiet hours end, Unix time in seconds; None: they do not hold, or nobody knows."""
    recording: bool = False
    """Somebody at this device records what it hears, or has announced it."""
    details: Mapping[str, object] = field(default_factory=dict)
    """What the admins of the room are told besides (core/site_details.py): only what fits it."""
    bridge: Told | None = None
    """Of a bridge: who is on its other side, and whether this side is heard there."""


class Engine(Protocol):
    """One room, entered by one engine."""

    @property
    def capabilities(self) -> Capabilities:
        """What this engine claims."""

    @property
    def counters(self) -> Mapping[str, int]:
        """Packets, drops, losses, and ``proof_violations`` (UX.md, rule 6): always 0."""

    @property
    def proof(self) -> ProofState:
        """What its proof of mute has seen (docs/proof.md). Any thread.

        After a violation nothing leaves any more, whatever comes in; whoever owns the engine makes another.
        """

    @property
    def violations(self) -> int:
        """How many it has found, as in :attr:`proof`, for whoever asks every 10 ms."""

    @property
    def way(self) -> WayState:
        """How the way to the room and back is."""

    async def run(self, report: Callable[[RoomEvent], None]) -> None:
        """Be in the room until cancelled: join, stay, come back after every loss. Returns only on a fatal refusal.

        :raises RoomRefused: the room does not want this site (wrong key, no such room); trying again at once is no use.
        """

    async def leave(self) -> None:
        """Leave the room in an orderly way, within one second."""

    def send(self, pcm: Pcm | None) -> None:
        """Take one gated block, shape (480,) int16, or None: the gate is closed.

        Exchange thread. With None everything half-filled is dropped and the encoder reset before the next block, so that
        nothing of the time before is sent again.
        """

    def forbid(self, closed: bool) -> None:
        """Say before each block whether a reason to close the gate holds. Exchange thread.

        A block that leaves although one does is a violation too (UX.md, mute rule 6).
        """

    def check(self) -> None:
        """Look that nothing of before is left on the way up, and that the proof would still notice a sound.

        Exchange thread, now and then while the gate is closed, and in less than half a block. What is wrong is a violation.
        """

    def receive(self, out: Block) -> bool:
        """Write the next mixed block, shape (480,), into ``out``; False and zeros when there is nothing. Exchange thread."""

    def set_hand(self, up: bool) -> None:
        """Raise or lower this site's hand."""

    def knock(self) -> None:
        """Knock."""

    def set_volume(self, member: str, gain: float) -> None:
        """Set how loud ``member`` is here: 0 to 2, 1 is as sent."""

    async def hand_in(self, word: str, bundle: bytes, /) -> str:
        """Give the room the support bundle that it asked for with ``word``; why it does not take it, or ""."""

    def report_site(self, report: SiteReport) -> None:
        """Tell the room how this site is. Muted is part of it: the member is muted when the gate is closed."""


class RoomRefused(Exception):
    """The room refuses this site; the text is one sentence without secrets.

    :param ask_again: whether somebody may change their mind, so that asking now and then is of use. Not when a newer session
        of the same identity took over: the two would take turns for ever.
    """

    def __init__(self, why: str, *, ask_again: bool = False) -> None:
        super().__init__(why)
        self.ask_again = ask_again
