"""One of a bridge's two members: what its engine has told of the room that it is in. Loop only."""

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from appliance.core.bridges import Rank, Side, Told, Way, rank, short_list, told_by
from appliance.core.controls import Door
from appliance.core.lamps import LinkPhase
from appliance.core.roster import Member
from appliance.rooms import contract
from appliance.rooms.contract import Engine, RoomEvent

ECHO = 2.0
"""Seconds after a recording that this bridge announced for which the room may still say that it is recorded."""


@dataclass(frozen=True, slots=True)
class EndSettings:
    """One side of a bridge."""

    engine: Engine
    room: str
    """As people call it."""
    identity: str
    """By which the room knows the bridge's member."""
    digest: str
    """Of the room's address, for core/bridges.py."""
    kind: str = "hosted"
    """The engine's name."""
    frame_ms: int = 20
    """Of what is sent there."""


class End:
    """What is known of one side."""

    def __init__(self, side: Side, settings: EndSettings) -> None:
        self.side: Side = side
        self.settings = settings
        self.engine = settings.engine
        self.phase = LinkPhase.STARTING
        self.why = ""
        self.members: dict[str, Member] = {}
        self._ranks: dict[str, Rank] = {}
        self._ranked: list[Rank] = []
        """Who is in the room but for the bridge, as they are shown: kept so, as a room may have thousands."""
        self._bridges: dict[str, tuple[Side, Way]] = {}
        self.came_at = self.left_at = float("-inf")
        """When somebody came into the room last, and left it, loop time."""
        self.speaking: frozenset[str] = frozenset()
        self.recorded_since: float | None = None
        """When the room said that it is recorded, loop time; None: it is not."""
        self.announces = False
        """This side says in its room that it is recorded, because the other room is."""
        self._told_until = -ECHO
        self._admin = False

    def take(self, event: RoomEvent, now: float) -> bool:
        """Note an event; False for one that stays in its room."""
        match event:
            case contract.PhaseChanged(phase, why):
                if phase is LinkPhase.IN_ROOM and not self.here:
                    self._come_back()
                self.phase, self.why = phase, why
                if phase is not LinkPhase.IN_ROOM:
                    self._empty()
            case contract.MemberChanged(member):
                self._changed(member, now)
            case contract.MemberLeft(who):
                self._left(who, now)
            case contract.Levels(_, speaking):
                self.speaking = speaking
            case contract.MutedByAdmin():
                self._admin = True
            case contract.AdminMuteLifted():
                self._admin = False
            case contract.Recording(on):
                self._recording(on, now)
            case _:  # knocks, hands and doors stay in their room (docs/bridges.md)
                return False
        return True

    def _changed(self, member: Member, now: float) -> None:
        self.members[member.id] = member
        if member.id == self.settings.identity:
            return
        told = told_by(member)
        if told is not None:
            self._bridges[member.id] = told
        else:
            self._bridges.pop(member.id, None)
        before, place = self._ranks.get(member.id), rank(member) if member.joined else None
        if place == before:
            return
        self._unrank(member.id)
        if place is not None:
            self._ranks[member.id] = place
            insort(self._ranked, place)
        if self.here and before is None:
            self.came_at = now

    def _left(self, who: str, now: float) -> None:
        self.members.pop(who, None)
        self._bridges.pop(who, None)
        self._unrank(who)
        self.left_at = now

    def _unrank(self, who: str) -> None:
        place = self._ranks.pop(who, None)
        if place is not None:
            del self._ranked[bisect_left(self._ranked, place)]

    def _empty(self) -> None:
        self.members.clear()
        self._bridges.clear()
        self._ranks.clear()
        self._ranked.clear()
        self.speaking = frozenset()

    def _come_back(self) -> None:
        """Whoever was away was told of no mute, and of none that was lifted: what the room says of its members holds."""
        own = self.members.get(self.settings.identity)
        if own is not None:
            self._admin = own.admin_muted

    def _recording(self, on: bool, now: float) -> None:
        if not on:
            self.recorded_since = None
            self._told_until = -ECHO
        elif self.recorded_since is None:
            self.recorded_since = now

    @property
    def here(self) -> bool:
        """Whether it is in its room."""
        return self.phase is LinkPhase.IN_ROOM

    @property
    def muted(self) -> bool:
        """Whether an admin of this room has muted the bridge here: nothing of the other room may be said in it."""
        own = self.members.get(self.settings.identity)
        return self._admin or (own is not None and own.admin_muted)

    @property
    def shown(self) -> tuple[tuple[str, ...], int, tuple[str, ...]]:
        """Names of those who are in the room but for the bridge, how many more, and who of them speaks."""
        return short_list(self._ranked, (place for who in self.speaking if (place := self._ranks.get(who))))

    @property
    def bridges(self) -> Collection[tuple[Side, Way]]:
        """What other bridges tell in this room."""
        return self._bridges.values()

    def recorded_by_others(self, now: float) -> bool:
        """Whether somebody in this room records it, as far as can be told: not only because this side said so."""
        is_echo = self.announces or now - self._told_until < ECHO
        return self.recorded_since is not None and not is_echo

    def announce(self, on: bool, now: float) -> None:
        """Say, or say no more, that the room is recorded."""
        if self.announces and not on:
            self._told_until = now
        self.announces = on

    def report(self, reasons: Iterable[str], level: float, told: Told | None, limited: str) -> None:
        """Tell the room how the bridge is.

        :param reasons: why nothing of the other room is said here.
        :param level: of what is said there of this room, dBov.
        :param told: what others may know of it; None while it stands aside.
        :param limited: what the bridge cannot do, or "".
        """
        closed = tuple(reasons)
        lamps = {
            "mic": "steady" if closed else "off",
            "room": "slow" if "away" in closed else "steady",
            "speak": "off",
            "fault": "slow" if limited else "off",
        }
        self.engine.report_site(
            contract.SiteReport(
                gate_open=not closed,
                reasons=closed,
                door=Door.OPEN,
                lamps=lamps,
                loudspeaker=level,
                recording=self.announces,
                extra={"limited": limited, "limited_by": "untold"} if limited else {},
                bridge=told,
            )
        )
