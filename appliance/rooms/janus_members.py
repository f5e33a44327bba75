"""Who is in an AudioBridge room and who talks, by what the plugin tells; and what this member tells of itself."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from appliance.core.levels import Smoother
from appliance.core.loss import USUAL
from appliance.core.protocol import MOST_MEMBERS
from appliance.core.roster import Member
from appliance.core.units import SILENCE
from appliance.rooms import contract
from appliance.rooms.contract import RoomEvent
from appliance.rooms.janus_messages import Participant
from appliance.rooms.janus_names import Shown, shown
from appliance.rooms.janus_twins import MOST_PROOFS, Twins

_HOLD = 1.5
"""Seconds that speaking goes on after the last sound (UX.md, "The bar")."""
_ATTACK, _RELEASE = 0.05, 0.25

_DEEP, _SHALLOW = 3, 2
"""Packets that the plugin holds back of a member that talks, and that is muted: growing, it fills its buffer anew."""


class Roomful:
    """The participants of one stay, or of several; makes events of what changes. Loop only.

    Members go by their identity. Where two participants have the same, the later one counts: the other is a session that
    was cut off, or is about to leave.

    :param own: how this member is shown now.
    :param twins: who can tell a session of this device from somebody who took its name.
    """

    def __init__(self, own: Callable[[], Member], twins: Twins) -> None:
        self._own = own
        self._twins = twins
        self._id = 0
        self._there: dict[int, tuple[Participant, Shown]] = {}
        self._sessions: dict[str, list[int]] = {}
        """The participants of an identity, in the order in which they came: one, but for a moment."""
        self._members: dict[str, Member] = {}
        self.former: list[int] = []
        """Participants with our identity that were there before us; the first of them are shown that we are this device."""
        self.strangers: set[int] = set()
        """Those who came after us and show our identity without a proof that they are this device."""
        self._talk: dict[int, float] = {}
        """Who talks, and until when those do who have stopped."""
        self._levels: dict[str, float] = {}
        self._speaking: frozenset[str] = frozenset()
        self._recorders: set[int] = set()
        """Who says that it records; 0 is we."""
        self._recorded = False
        self._smoother = Smoother(_ATTACK, _RELEASE)
        self.replaced = False
        """A session of this device came after us."""

    @property
    def own_id(self) -> int:
        """Which participant we are; 0: none."""
        return self._id

    @property
    def proofs(self) -> tuple[str, ...]:
        """What we show to those of our identity that were there before us, and still are."""
        return self._twins.proofs(self._id, self.former)

    def turn(self) -> None:
        """When there are more than can be shown it at once, the next ones are."""
        if len(self.former) > MOST_PROOFS:
            self.former = self.former[MOST_PROOFS:] + self.former[:MOST_PROOFS]

    # ---- who is there

    def joined(self, own_id: int, others: Iterable[Participant]) -> Iterator[RoomEvent]:
        """We came in as ``own_id``."""
        self._id, self.replaced = own_id, False
        there = {one.id: (one, shown(one)) for one in others if one.id != own_id}
        self.former = [ident for ident, (_, who) in there.items() if who.identity == self._own().id]
        self.strangers.intersection_update(self.former)
        yield from self._now(there)

    def listed(self, participants: Iterable[Participant]) -> Iterator[RoomEvent]:
        """These are there now, after a time in which nobody told: whoever hears of it may know of nobody any more."""
        there = {one.id: (one, shown(one)) for one in participants}
        if there.pop(self._id, None) is None:
            self._id = 0
        own = self._own().id
        self.former = [ident for ident in self.former if ident in there and there[ident][1].identity == own]
        self.strangers &= set(there)
        self._look_for_another(there)
        yield from self._now(there, told=False)

    def changed(self, participants: Iterable[Participant]) -> Iterator[RoomEvent]:
        """These came, or are otherwise now. Of ourselves nothing is read here: see :class:`Own`."""
        for one in participants:
            if one.id == self._id or (one.id not in self._there and len(self._there) >= MOST_MEMBERS):
                continue
            before, who = self._there.get(one.id), shown(one)
            if before is not None and before[1].identity != who.identity:
                yield from self.left(one.id)
                before = None
            if before is None:
                self._sessions.setdefault(who.identity, []).append(one.id)
            self._there[one.id] = one, who
            self._look_for_another({one.id: (one, who)})
            self._hears(one)
            yield from self._tell(who.identity)
            yield from self._records(one.id, on=who.records)
            if who.knocks and before is not None and not before[1].knocks:
                yield contract.Knocked(who.name)

    def left(self, ident: int) -> Iterator[RoomEvent]:
        """One is gone."""
        gone = self._there.pop(ident, None)
        self.former = [one for one in self.former if one != ident]
        self.strangers.discard(ident)
        self._talk.pop(ident, None)
        if gone is not None:
            identity = gone[1].identity
            self._sessions[identity].remove(ident)
            if not self._sessions[identity]:
                del self._sessions[identity]
            yield from self._tell(identity)
            yield from self._records(ident, on=False)

    def own_changed(self, *, records: bool) -> Iterator[RoomEvent]:
        """We are shown otherwise."""
        if self._id:
            yield from self._tell(self._own().id)
        yield from self._records(0, on=records)

    def empty(self) -> Iterator[RoomEvent]:
        """We are out of the room: nobody is in it as far as we know."""
        self._id = 0
        self._there.clear()
        self._sessions.clear()
        self.former.clear()
        self.strangers.clear()
        yield from self.silence()
        for who in list(self._members):
            yield from self._tell(who)
        self._recorders &= {0}
        yield from self._recording()

    def _now(self, there: Mapping[int, tuple[Participant, Shown]], *, told: bool = True) -> Iterator[RoomEvent]:
        """:param told: what is as it was told before need not be told."""
        self._there, self._sessions = dict(there), {}
        for ident, (_, who) in there.items():
            self._sessions.setdefault(who.identity, []).append(ident)
        self._talk = {ident: until for ident, until in self._talk.items() if ident in there}
        for one, _ in there.values():
            self._hears(one)
        for identity in dict.fromkeys([*self._members, self._own().id, *self._sessions]):
            yield from self._tell(identity, told=told)
        self._recorders = (self._recorders & {0}) | {ident for ident, (_, who) in there.items() if who.records}
        yield from self._recording()

    def _look_for_another(self, there: Mapping[int, tuple[Participant, Shown]]) -> None:
        own = self._own().id
        for ident, (_, who) in there.items():
            if who.identity != own:
                self.strangers.discard(ident)
            elif self._twins.proves(self._id, ident, who.proofs):
                self.replaced = True
            elif ident not in self.former:
                self.strangers.add(ident)

    def _tell(self, identity: str, *, told: bool = True) -> Iterator[RoomEvent]:
        """What is to be told of a member now, if anything is."""
        before, now = self._members.get(identity), self._member(identity)
        if now == before and (told or now is None):
            return
        if now is not None:
            self._members[identity] = now
            yield contract.MemberChanged(now)
        else:
            self._members.pop(identity)
            self._levels.pop(identity, None)
            yield contract.MemberLeft(identity)

    def _member(self, identity: str) -> Member | None:
        own = self._own()
        if identity == own.id:
            return own if self._id else None
        sessions = self._sessions.get(identity)
        if not sessions:
            return None
        one, who = self._there[sessions[-1]]
        return who.member(muted=one.muted, connecting=not one.setup)

    def _records(self, ident: int, *, on: bool) -> Iterator[RoomEvent]:
        (self._recorders.add if on else self._recorders.discard)(ident)
        yield from self._recording()

    def _recording(self) -> Iterator[RoomEvent]:
        """Outside of the room nobody is recorded by it, we by ourselves neither."""
        recorded = bool(self._id and self._recorders)
        if recorded is not self._recorded:
            self._recorded = recorded
            yield contract.Recording(recorded)

    # ---- who talks

    def talks(self, ident: int, now: float, *, on: bool) -> None:
        """The plugin tells who begins and who has stopped, by the levels that each sends."""
        if ident == self._id or ident in self._there:
            self._talk[ident] = float("inf") if on else now + _HOLD

    def _hears(self, one: Participant) -> None:
        """Of who is muted while talking nobody tells that it has stopped."""
        if one.muted:
            self._talk.pop(one.id, None)
        elif one.talking:
            self._talk.setdefault(one.id, float("inf"))

    def heard(self, level: float, now: float) -> Iterator[RoomEvent]:
        """Some ten times a second: what is heard of the whole room, dBov. It is the level of those who speak.

        Only a whole decibel is a change.
        """
        own = self._own()
        self._talk = {ident: until for ident, until in self._talk.items() if until > now}
        smooth = float(round(self._smoother.update(level, now)))
        speaking = {who.identity for ident in self._talk if (both := self._there.get(ident)) for who in [both[1]]}
        levels = {who: smooth if who in speaking else SILENCE for who in {*speaking, *self._levels}}
        if self._id in self._talk and not own.muted:
            speaking.add(own.id)  # how loud it is where we are, the mix does not tell
        news = {who: one for who, one in levels.items() if self._levels.get(who) != one}
        if news or speaking != self._speaking:
            self._speaking = frozenset(speaking)
            self._levels = {who: one for who, one in levels.items() if one > SILENCE}
            yield contract.Levels(news, self._speaking)

    def silence(self) -> Iterator[RoomEvent]:
        """The room is not heard any more: nobody's meter may stand still at a level."""
        self._talk.clear()
        if self._levels or self._speaking:
            yield contract.Levels(dict.fromkeys(self._levels, SILENCE), frozenset())
        self._levels, self._speaking = {}, frozenset()


@dataclass(frozen=True, slots=True)
class _Told:
    """What the plugin knows of us."""

    muted: bool
    display: str


class Own:
    """How this member is, and what of it the plugin has still to be told. Loop only.

    An admin's mute is obeyed: the plugin would let any member undo it, and ours does so only when its gate was closed
    meanwhile and a hand has opened it.

    :param changed: called when there may be something to tell.
    """

    def __init__(self, who: Shown, changed: Callable[[], None]) -> None:
        self.who = who
        self._changed = changed
        self._open = False
        self._admin = False
        self._obeyed = False
        """The gate was seen closed since an admin muted us."""
        self._room_muted = False
        self._told: _Told | None = None
        self._unsure = False
        """What was told last may not have arrived."""

    @property
    def muted(self) -> bool:
        """Whether the room is to know us muted."""
        return self._admin or not self._open

    def member(self) -> Member:
        """As the roster shows us."""
        return self._shown().member(muted=self.muted, connecting=False)

    def _shown(self) -> Shown:
        return replace(self.who, by_admin=self._admin)

    # ---- what happens here

    def report(self, *, gate_open: bool, records: bool = False) -> Iterator[RoomEvent]:
        """The gate stands so, and whether we record.

        Who opens it while everybody is muted is told so again: nobody would hear them.
        """
        opens, self._open = gate_open and not self._open, gate_open
        self.who = replace(self.who, records=records)
        self._obeyed = self._obeyed or not gate_open
        if gate_open and self._admin and self._obeyed:
            self._admin = False
        if opens and self._room_muted:
            yield from self._muted_by_admin()
        self._changed()

    def show(
        self, *, hand: bool | None = None, knocks: bool | None = None, proofs: tuple[str, ...] | None = None
    ) -> None:
        """The hand is up or not, we knock or have knocked, or we prove who we are."""
        self.who = replace(
            self.who,
            hand=self.who.hand if hand is None else hand,
            knocks=self.who.knocks if knocks is None else knocks,
            proofs=self.who.proofs if proofs is None else proofs,
        )
        self._changed()

    # ---- what an admin does

    def set_by_admin(self, *, muted: bool) -> Iterator[RoomEvent]:
        """Somebody else changed whether the plugin lets us be heard: of our own changes it does not tell us."""
        if self._told is not None:
            self._told = replace(self._told, muted=muted)
        yield from self._muted_by_admin() if muted else self._lifted()
        self._changed()

    def listed(self, *, muted: bool) -> Iterator[RoomEvent]:
        """We were away, and this is what the plugin knows of us now."""
        if self._told is None or muted == self._told.muted:
            return
        if self._unsure:
            self._told, self._unsure = replace(self._told, muted=muted), False
            self._changed()
        else:
            yield from self.set_by_admin(muted=muted)

    def room_muted(self, *, on: bool) -> Iterator[RoomEvent]:
        """Everybody was muted, or that is over."""
        self._room_muted = on
        yield from self._muted_by_admin() if on else self._lifted()
        self._changed()

    def _muted_by_admin(self) -> Iterator[RoomEvent]:
        self._admin, self._obeyed = True, not self._open
        yield contract.MutedByAdmin("")

    def _lifted(self) -> Iterator[RoomEvent]:
        if self._admin and not self._room_muted:
            self._admin = False
            yield contract.AdminMuteLifted()

    # ---- what the plugin is told

    def joining(self) -> dict[str, Any]:
        """How we join: muted, whatever the gate is; :meth:`next` tells the rest once we are heard."""
        self._room_muted = self._unsure = False
        self.who = replace(self.who, proofs=())
        self._told = _Told(muted=True, display=self._shown().display())
        # By itself the plugin waits two seconds until it says that somebody talks, and starts with a longer buffer.
        return {
            "muted": True,
            "display": self._told.display,
            "prebuffer": _SHALLOW,
            "audio_active_packets": 10,
            "audio_level_average": 40,
            "expected_loss": USUAL.expected_loss,
        }

    def next(self) -> dict[str, Any] | None:
        """What is to be told now, which counts as told then; None: nothing."""
        now, before = _Told(self.muted, self._shown().display()), self._told
        if before is None or now == before:
            return None
        self._told = now
        what: dict[str, Any] = {"display": now.display} if now.display != before.display else {}
        if now.muted != before.muted:
            what |= {"muted": now.muted, "prebuffer": _SHALLOW if now.muted else _DEEP}
        return what

    def unanswered(self) -> None:
        """Of what was told last nobody knows whether it arrived."""
        self._unsure = True
