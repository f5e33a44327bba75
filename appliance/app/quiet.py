"""Quiet hours: the schedule told to the desk, with a clock that may be wrong (docs/adr/0117).

A schedule closes the door, and gives it back at most listening; what the door does is decided in ``core/controls.py`` as ever.
Here is decided when they begin and end:

- With a clock that can be believed: by the schedule. A minute before the door opens again, the room is warned, whatever the
  clock does meanwhile. A hand at the door outranks them until they begin again; what lasts for days begins again every day.
- Without one they can only begin, and only by a clock that is not older than the last time that was believed: such a one tells
  nothing. What held before a power cut holds after it, until a time server or a hand at the door says otherwise.
"""

import asyncio
import contextlib
import threading
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from appliance.app import kept
from appliance.app.clock import Time, TimeKeeper
from appliance.app.desk import Desk
from appliance.core.chimes import Chime
from appliance.core.controls import Controls, Door, Event, Reason
from appliance.core.events import EventName
from appliance.core.state import QuietState
from appliance.health.journal import Journal
from appliance.settings import QuietSettings
from appliance.settings.schedule import DAYS, Moment

WARNING = 60.0
"""Seconds between the warning and the door that opens."""
AGAIN_AFTER = 24 * 3600.0
"""Seconds after which a hand at the door outranks no longer what has not ended since."""
_FUTURE = 3600
"""Seconds by which a hand may seem to have acted in the future: clocks are corrected. Further off its time was none."""
_STORE_AGAIN = 60.0
"""Seconds after which what could not be stored is tried again."""
_SOON = 6 * 24 * 3600
"""Seconds within which a day of the week tells which day is meant."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What quiet hours leave for the next start. Times are whole seconds of Unix time."""

    held: bool = False
    """They held."""
    outranked: int = 0
    """When a hand at the door last outranked them; 0: it did not, as far as is known."""
    seen: int = 0
    """A time that was believed, so that no earlier one is; 0: there was none yet."""


class QuietMemory:
    """The file ``quiet.json`` in the state directory."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "quiet.json"

    def load(self) -> Kept:
        """What was stored; nothing at a first start.

        :raises OSError, ValueError: there is something, and it cannot be read.
        """
        stored = kept.read(self._path)
        if stored is None:
            return Kept()
        if {name: type(value) for name, value in stored.items()} != {"held": bool, "outranked": int, "seen": int}:
            raise ValueError("it holds something else")
        return Kept(**stored)

    def save(self, what: Kept) -> None:
        """Keep it for the next start. Blocks until it is on the disk: call it off the loop.

        :raises OSError: the disk refuses.
        """
        kept.write(self._path, asdict(what))


class Quiet:
    """Loop only. ``clock`` can be replaced in tests."""

    def __init__(
        self,
        settings: QuietSettings,
        desk: Desk,
        memory: QuietMemory,
        journal: Journal,
        clock: TimeKeeper | None = None,
    ) -> None:
        self._schedule = settings.schedule
        self._clock = clock or TimeKeeper(settings.trust_clock)
        self._desk, self._memory, self._journal = desk, memory, journal
        self._kept = self._load()
        self._stored: Kept | None = self._kept
        """What the disk has; None while it is being written, and after that has failed: then nobody knows."""
        self._to_store = asyncio.Event()
        self._saving = threading.Lock()
        self._time: Time | None = None
        self._moment = Moment(None, float("-inf"))
        self._asked_at = float("inf")
        self._pressed_here = False
        """A hand outranked them in this run: a clock that is set takes that time along."""
        self._warned_at: float | None = None
        self.until: int | None = None
        """When they end, Unix time; None: they do not hold, or nobody knows."""
        self.night = False
        """Lamps are to be darker."""

    @property
    def warning(self) -> bool:
        """The door opens within a minute."""
        return self._warned_at is not None

    def start(self) -> None:
        """What held before goes on. To be called before the gate may open."""
        if self._kept.held:
            self._desk.apply(Event.QUIET_BEGAN)
        self.look()

    def look(self) -> None:
        """Let the clock tell what is to be done. Called a few times a second."""
        before, time = self._time, self._clock.look()
        self._time = time
        self._follow_clock(before, time)
        moment = self._at(time.now)
        if self._kept.held and not self._holds:  # only a hand at the door ends them before their time
            self._pressed_here = True
            self._note(time, outranked=int(time.now))
            self._journal.tell(EventName.QUIET_OUTRANKED)
        if self._holds:
            self._may_end(time, moment)
        elif self._begins(time, moment):
            self._desk.apply(Event.QUIET_BEGAN)
        if self._holds is not self._kept.held:
            self._note(time, held=self._holds)
        if not self._holds:
            self._warned_at = None
        stretch = moment.stretch if time.trusted and self._holds else None
        self.until = int(stretch[1]) if stretch else None
        self.night = time.trusted and self._schedule.is_night(time.now)

    def state(self) -> QuietState | None:
        """For status and page; None: there is no schedule, and none holds."""
        if self._time is None or (self._schedule.empty and not self._holds):
            return None
        return QuietState(
            holds=self._holds,
            until=self.until,
            until_words=self._words(self._time.now, self.until) if self.until else "",
            clock_trusted=self._time.trusted,
            opens_soon=self.warning,
        )

    async def keep(self) -> None:
        """Store what has changed. Vital."""
        again: float | None = None
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(again):
                    await self._to_store.wait()
            self._to_store.clear()
            again = None if await self.store() else _STORE_AGAIN

    async def store(self) -> bool:
        """Store now, off the loop. Returns whether it is on the disk."""
        if self._kept == self._stored:
            return True
        try:
            await asyncio.to_thread(self._save)
        except OSError as error:
            self._journal.tell(EventName.QUIET_NOT_KEPT, error=str(error))
            return False
        return True

    @property
    def _holds(self) -> bool:
        return Reason.QUIET in self._desk.controls.held

    def _load(self) -> Kept:
        try:
            return self._memory.load()
        except (OSError, ValueError) as error:
            self._journal.tell(EventName.QUIET_NOT_KEPT, error=str(error))
            return Kept(held=not self._schedule.empty)  # unknown means closed

    def _save(self) -> None:
        """A thread of its own. Who waited here stores what holds now: a slow disk never puts an old state after a new one."""
        with self._saving:
            self._stored = None
            what = self._kept
            self._memory.save(what)
            self._stored = what

    def _at(self, now: float) -> Moment:
        if not self._asked_at <= now < self._moment.changes:
            self._moment, self._asked_at = self._schedule.at(now), now
        return self._moment

    def _begins(self, time: Time, moment: Moment) -> bool:
        if moment.stretch is None:
            return False
        if not time.trusted and not 0 < self._kept.seen <= time.now:
            return False
        outranked = self._kept.outranked
        return moment.stretch[0] > outranked or time.now >= outranked + AGAIN_AFTER

    def _may_end(self, time: Time, moment: Moment) -> None:
        known = time.trusted or self._schedule.empty
        if not known or (moment.stretch is not None and moment.stretch[1] - time.now > WARNING):
            self._warned_at = None
            return
        if not _opens(self._desk.controls):
            self._warned_at = None
        elif self._warned_at is None:
            self._warned_at = time.steady
            self._desk.chime(Chime.WARNING)
        warned = self._warned_at is None or time.steady - self._warned_at >= WARNING
        if moment.stretch is None and warned:
            self._desk.apply(Event.QUIET_ENDED)

    def _follow_clock(self, before: Time | None, time: Time) -> None:
        """A clock that was set takes along what happened in this run; and a time that was believed is remembered."""
        if time.jump:
            self._journal.tell(EventName.CLOCK_SET, seconds=round(time.jump), trusted=time.trusted)
            if self._pressed_here:
                self._note(time, outranked=int(self._kept.outranked + time.jump))
        if self._schedule.empty:
            return
        if before is None or before.trusted is not time.trusted:
            self._journal.tell(EventName.CLOCK_TRUSTED if time.trusted else EventName.CLOCK_NOT_TRUSTED)
        if time.trusted and self._kept.outranked > time.now + _FUTURE:
            self._note(time, outranked=0)
        if time.trusted and abs(time.now - self._kept.seen) > AGAIN_AFTER:
            self._note(time)

    def _note(self, time: Time, **fields: Any) -> None:
        """Keep this for the next start."""
        seen = int(time.now) if time.trusted else self._kept.seen
        self._kept = replace(self._kept, **{"seen": seen, **fields})
        self._to_store.set()

    def _words(self, now: float, until: int) -> str:
        here, there = self._schedule.wall(now), self._schedule.wall(until)
        if here.date() == there.date():
            return f"{there:%H:%M}"
        if until - now < _SOON:
            return f"{DAYS[there.weekday()].capitalize()} {there:%H:%M}"
        return f"{there:%Y-%m-%d %H:%M}"


def _opens(controls: Controls) -> bool:
    """Whether the end of quiet hours opens the door, if only to listen."""
    return controls.door is Door.CLOSED and controls.door_before_quiet is not Door.CLOSED
