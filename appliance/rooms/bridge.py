"""A bridge: one member in each of two rooms, and each room's sound in the other.

What a room has is what its engine gives: all members of it but the bridge's own. So nothing comes back to where it was said
(mix-minus), and who is heard in both rooms is no matter of the bridge. It has no microphone, and so no gate of its own: whoever
speaks opened theirs in their own room. What can be closed are its two ways (docs/bridges.md), each for reasons that add up:

- *admin*: somebody muted the bridge in the room that is spoken to. Lifting that opens the way again: no microphone opens by it.
- *away*: the bridge is not in both rooms.
- *recording*: the room that is spoken to is recorded, and those who are listened to have not been told, or for less than the
  five seconds that everybody is given.
- *ring*: what is said here would come back over another bridge (core/bridges.py).
- *starting*: others have not been listened to for long enough to know of a ring.
- *fault*: the proof of mute has found something.
"""

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from appliance.core.bridges import Hop, Told, announced, short, ways
from appliance.core.counters import total
from appliance.core.units import SILENCE
from appliance.rooms.bridge_clock import Clock, Lane
from appliance.rooms.bridge_end import End, EndSettings
from appliance.rooms.bridge_rings import BridgeEnded, Rings
from appliance.rooms.contract import RoomEvent, RoomRefused
from appliance.rooms.limits import limits

ANNOUNCED = 5.0
"""Seconds that people have between the announcement of a recording and being in it."""
_EVERY = 0.1
_METER = 5
"""Rounds of the loop between two looks at how loud it is."""
_STEP = 3
"""dB in which that is told."""
_TURN_MS, _LOOK_AHEAD_MS = 5.0, 6.5
"""What a clock of 10 ms adds on average, and what an encoder looks ahead."""


class Violated(Exception):
    """The proof of mute has found something: whoever starts the bridge anew makes other engines."""


class Bridge:
    """Loop only, but for its clock.

    :param changed: called when status has something else to say.
    :param chance: gives numbers in [0, 1).
    :param stands_aside: when it closes a ring it waits beside it, instead of ending.
    """

    def __init__(
        self,
        a: EndSettings,
        b: EndSettings,
        changed: Callable[[], None] = lambda: None,
        chance: Callable[[], float] = random.random,
        unix: Callable[[], float] = time.time,
        *,
        stands_aside: bool = False,
    ) -> None:
        self.ends = End("a", a), End("b", b)
        self._changed = changed
        self._own = Hop(secrets.token_hex(4), int(unix()), "")
        self.into = self._lane(1, 0), self._lane(0, 1)
        """The way into each room."""
        self.rings = Rings(self.ends, self.into, self._own, chance, stands_aside=stands_aside)
        self.clock = Clock(self.into, self.rings.probe.ears if self.rings.probe is not None else ())
        self._levels = [SILENCE, SILENCE]
        self._playouts: list[float | None] = [None, None]
        """What the receive buffers added when somebody was heard last, ms."""
        self._told: list[object] = [None, None]

    def _lane(self, source: int, target: int) -> Lane:
        return Lane(self.ends[source].engine, self.ends[target].engine, offset=5 * target)

    # ---- life

    def parts(self) -> dict[str, Callable[[], Awaitable[object]]]:
        """What has to run, each until the end. The clock has to be started before.

        They raise :class:`BridgeEnded` and :class:`Violated`.
        """
        return {
            "a": lambda: self._be_in_room(self.ends[0]),
            "b": lambda: self._be_in_room(self.ends[1]),
            "bridge": self._go_on,
            "clock": lambda: asyncio.wrap_future(self.clock.ended),
        }

    async def leave(self) -> None:
        """Leave both rooms in an orderly way."""
        await asyncio.gather(*(end.engine.leave() for end in self.ends))

    async def _be_in_room(self, end: End) -> None:
        try:
            await end.engine.run(lambda event: self._heard(end, event))
        except RoomRefused as refusal:
            raise BridgeEnded(f"{end.settings.room} ({end.side.upper()}): {refusal}") from refusal

    def _heard(self, end: End, event: RoomEvent) -> None:
        if end.take(event, self._now()):
            self._open_or_close()
            self._changed()

    async def _go_on(self) -> None:
        turn = 0
        while True:
            now = self._now()
            self._announce(now)
            self.rings.look(now)
            self._open_or_close()
            if any(lane.violated for lane in self.into):
                raise Violated(next(end.engine.proof.why for end in self.ends if end.engine.violations))
            self._playouts = [
                end.engine.way.delay_ms or was for end, was in zip(self.ends, self._playouts, strict=True)
            ]
            if turn % _METER == 0:
                self._levels = [min(0.0, _STEP * round(self.into[1 - at].level() / _STEP)) for at in range(2)]
            for at in range(2):
                self._tell(at)
            turn += 1
            await asyncio.sleep(_EVERY)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    # ---- recording

    def _announce(self, now: float) -> None:
        """Whoever is heard in a room that is recorded has to know."""
        for end, other in zip(self.ends, reversed(self.ends), strict=True):
            end.announce(other.recorded_by_others(now), now)

    # ---- the two ways

    def closed(self, at: int) -> tuple[str, ...]:
        """Why nothing is said in the room ``at`` (0 or 1) of what is heard in the other; empty: it is."""
        target, source = self.ends[at], self.ends[1 - at]
        found = {
            "admin": target.muted,
            "away": not (target.here and source.here),
            "recording": self._unannounced(target, source),
            "ring": self.rings.closed,
            "starting": self.rings.starting(at, self._now()),
            "fault": self.into[at].violated,
        }
        return tuple(reason for reason, holds in found.items() if holds)

    def _unannounced(self, target: End, source: End) -> bool:
        """Where only we said so, because the other room is recorded, nobody records."""
        if target.recorded_since is None or target.announces:
            return False
        return source.recorded_since is None or self._now() - source.recorded_since < ANNOUNCED

    def _open_or_close(self) -> None:
        now = self._now()
        if any(not lane.open and not self.closed(at) for at, lane in enumerate(self.into)):
            self.rings.read()
        for at in range(2):
            self.into[at].open = self.rings.may_open(at, now, closed=any(why != "starting" for why in self.closed(at)))

    # ---- what the rooms are told

    def _tell(self, at: int) -> None:
        reasons, told = self.closed(at), None if self.rings.aside else self._say(at)
        if self.rings.says_mark(at):
            reasons = tuple(reason for reason in reasons if reason != "starting")  # or nobody would pass the mark on
        limited = self._limited(at)
        says = (reasons, told, self._levels[at], limited, self.ends[at].announces)
        if says != self._told[at]:
            self._told[at] = says
            self.ends[at].report(reasons, self._levels[at], told, limited)
            self._changed()

    def _say(self, at: int) -> Told:
        here, there = self.ends[at], self.ends[1 - at]
        names, more, speaking = there.shown
        why = self.closed(1 - at)
        beyond = ways((hops for _, hops in there.bridges), self._own.id)
        own = Hop(self._own.id, self._own.born, there.settings.digest)
        return Told(
            side=here.side,
            to=short(there.settings.room, 64),
            names=names,
            more=more,
            speaking=() if self.closed(at) else speaking,
            heard=not why,
            why=why[0] if why else "",
            hops=announced(own, beyond),
        )

    def _limited(self, at: int) -> str:
        """What a recording of this room cannot be announced with."""
        here, there = self.ends[at], self.ends[1 - at]
        if here.recorded_since is not None and not there.engine.capabilities.recording:
            return f"{short(there.settings.room, 24)} cannot be told of it"
        return ""

    # ---- status

    def added_ms(self, at: int) -> float | None:
        """What the bridge adds on the way into the room ``at``; None until somebody has been heard."""
        playout = self._playouts[1 - at]
        return None if playout is None else round(playout + self.floor_ms(at), 1)

    def floor_ms(self, at: int) -> float:
        """The same without what the playout adds, which follows the network."""
        return self.ends[at].settings.frame_ms + _TURN_MS + _LOOK_AHEAD_MS

    def as_dict(self) -> dict[str, Any]:
        """How it is, ready for JSON."""
        counters = total(*(end.engine.counters for end in self.ends), self.clock.counters.snapshot())
        return {
            "a": self._end_as_dict(0),
            "b": self._end_as_dict(1),
            "ring": sorted(self.rings.others),
            "aside": self.rings.aside,
            "counters": dict(counters),
        }

    def _end_as_dict(self, at: int) -> dict[str, Any]:
        end = self.ends[at]
        names, more, speaking = end.shown
        return {
            "engine": end.settings.kind,
            "room": end.settings.room,
            "phase": end.phase.name.lower(),
            "why": end.why,
            "names": list(names),
            "more": more,
            "speaking": [] if self.closed(1 - at) else list(speaking),
            "closed": list(self.closed(at)),
            "recorded": end.recorded_since is not None,
            "added_ms": self.added_ms(at),
            "limits": list(limits(end.engine.capabilities)),
            "proof": asdict(end.engine.proof),
            "way": end.engine.way.as_dict(),
        }
