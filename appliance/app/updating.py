"""Updates, in provision: when one is looked for, when the machine starts anew for it, and whether it has proved itself.

The work is done by ``kontor-update@.service``, whose user alone may write the other slot; systemd is asked to start it, and to
stop it as soon as somebody talks: what was written by then is found again. A machine without slots has none of this.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from appliance.app import kept
from appliance.app.clock import TimeKeeper
from appliance.app.neighbours import Neighbours, Said
from appliance.app.places import state_of
from appliance.app.update_service import Verb, Wanted, ask_for, ask_no_more, runtime_of
from appliance.core.events import EventName
from appliance.core.rollout import Seen, Trial, Verdict
from appliance.core.updating import Silence, State
from appliance.health.journal import Journal
from appliance.provisioning.fetch import pause
from appliance.provisioning.power import NotDone, Power
from appliance.settings import Settings
from appliance.update.slots import running_slot
from appliance.update.work import read_status

LOOK = 2.0
"""Seconds between two looks."""
EVERY = 3600.0
"""Seconds between two searches for an update, give or take a fifth."""
AGAIN = 300.0
"""Seconds until what could not be done is tried again."""
HUSH = 60.0
"""Seconds of silence before the card is worked on: it is one disk, and sound is on it, too."""
LONG_HUSH = 300.0
"""Seconds of silence before the machine starts anew by itself: the room is away for a minute."""
_RETRY = 30.0
"""Seconds until what the boot loader has to know is tried again."""
PARTS = ("sound", "link", "host")
_UNIT = "kontor-update@{}.service"
_OVER = frozenset({"inactive", "failed"})
_FILE = "update.json"


@dataclass(frozen=True, slots=True)
class Was:
    """How the device was before it started anew: it has to be so after it."""

    parts: frozenset[str] = frozenset({"sound"})
    in_room: bool = False


class Updating:
    """A part of provision.

    :param trying: whether settings are on trial: then nothing else is begun.
    :param clock: seconds that only grow.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        journal: Journal,
        power: Power,
        *,
        trying: Callable[[], bool],
        root: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._journal, self._power, self._trying, self._clock = settings, journal, power, trying, clock
        self._neighbours = Neighbours(settings().device.runtime_dir, clock)
        self._file = state_of(settings(), "provision") / _FILE
        self._keeper = TimeKeeper(settings().quiet.trust_clock)
        self._slot = running_slot(root)
        self._silence = Silence(clock())
        self._due = clock() + AGAIN * random.random()  # noqa: S311 - jitter
        self._restart_due = 0.0
        self._asked: Wanted | None = None
        """Somebody wants an update now."""
        self._working = self._paused = False

    def as_dict(self) -> Mapping[str, object]:
        """For the status of provision."""
        if self._slot is None:
            return {"state": State.NO_IMAGE.value}
        told = read_status(runtime_of(self._settings()))
        if not told:
            told = {"state": State.STARTING.value, "slot": self._slot}
        if told.get("state") == State.WORKING and not self._working:
            told |= {"state": (State.PAUSED if self._paused else State.FAILED).value}
        return {**told, "asked": self._asked is not None, "looks": bool(self._settings().update.url)}

    async def ask(self, request: Mapping[str, Any]) -> Mapping[str, object]:
        """Answer ``{"do": "update"}``: look for an update now, with ``source`` for that one; it is done when nobody talks.

        :raises ValueError: this machine has no slots.
        """
        if self._slot is None:
            raise ValueError("This machine was not started from an image: its packages are updated as it has them.")
        self._asked = Wanted(source=str(request.get("source") or ""), again=True)
        return self.as_dict()

    async def run(self) -> NoReturn:
        """Prove that this start was a good one, then look for updates until cancelled."""
        if self._slot is None:
            await asyncio.Event().wait()
        await self.prove()
        while True:
            await self.look()
            await asyncio.sleep(LOOK)

    async def prove(self) -> None:
        """Tell the boot loader that this slot works, once sound runs; one on trial has to show more."""
        began, patience = self._clock(), float(self._settings().update.confirm_s)
        alone = Trial("", frozenset({"sound"}), False, False, began, patience)
        await self._decided(alone)
        # Also where sound does not run at all: a slot that was good before is no worse for it, and one on trial falls below.
        await self._surely("confirm", Wanted(), State.STARTING)
        if self.as_dict().get("state") != State.ON_TRIAL:
            return
        was = await asyncio.to_thread(self._was)
        trial = Trial("", was.parts, was.in_room, False, began, patience)
        if await self._decided(trial) is Verdict.KEEP:
            await self._surely("confirm", Wanted(full=True), State.ON_TRIAL)
        else:
            await self._surely("rollback", Wanted(reason=f"on trial: {trial.why}"), State.ON_TRIAL)

    async def _surely(self, verb: Verb, wanted: Wanted, before: State) -> None:
        """As often as it takes until the state is another than ``before``: systemd may have no time while a machine starts."""
        while True:
            await self._do(verb, wanted)
            if self.as_dict().get("state") != before:
                return
            await asyncio.sleep(_RETRY)

    async def _decided(self, trial: Trial) -> Verdict:
        while True:
            verdict = trial.look(await self._see(), self._clock())
            if verdict is not Verdict.WAIT:
                return verdict
            await asyncio.sleep(LOOK)

    async def look(self) -> None:
        """One look, and what follows from it."""
        now = self._clock()
        said = {part: await self._neighbours.ask(part) for part in ("sound", "link")}
        hush = self._silence.look(_talks(said), now)
        if self._trying():
            return
        told = self.as_dict()
        if told.get("state") == State.LEFT and told.get("next") != self._slot:
            if now >= self._restart_due:  # a trial was lost, or somebody went back (kontor update rollback)
                await self._restart(str(told.get("why")))
        elif told.get("state") == State.READY:
            await self._restart_when_it_suits(hush, now)
        elif self._wants_to_look(now) and hush >= HUSH:
            await self._apply()

    def _wants_to_look(self, now: float) -> bool:
        due = bool(self._settings().update.url) and now >= self._due and self._window_is_open()
        return self._asked is not None or due

    def _window_is_open(self) -> bool:
        settings, time_now = self._settings(), self._keeper.look()
        return settings.update.window.is_open(time_now.now, time_now.trusted, settings.quiet.schedule)

    async def _apply(self) -> None:
        wanted = self._asked or Wanted()
        if not await self._do("apply", wanted):
            self._due = self._clock() + AGAIN
            return
        if self._paused:
            return  # it goes on after the next silence
        state = self.as_dict().get("state")
        if state == State.READY:
            await self._remember(Was())
        else:
            self._asked = None
        wait = AGAIN if state == State.FAILED else EVERY
        self._due = self._clock() + pause(wait, random.random())  # noqa: S311 - jitter

    async def _restart_when_it_suits(self, hush: float, now: float) -> None:
        await self._remember(await asyncio.to_thread(self._was))
        suits = hush >= HUSH if self._asked else hush >= LONG_HUSH and self._window_is_open()
        if suits and now >= self._restart_due:
            await self._restart("an update is to be tried")

    async def _restart(self, why: str) -> None:
        self._restart_due = self._clock() + AGAIN
        self._journal.tell(EventName.UPDATE_REBOOTS, why=why)
        try:
            await self._power.reboot()
        except NotDone as error:
            self._journal.tell(EventName.REBOOT_REFUSED, error=str(error))

    async def _do(self, verb: Verb, wanted: Wanted) -> bool:
        """Have it done. Returns whether it was begun; :attr:`_paused` tells whether it was cut off, since somebody talks."""
        unit = _UNIT.format(verb)
        self._working, self._paused = True, False
        try:
            await asyncio.to_thread(ask_for, self._settings(), wanted)
            await self._power.start(unit)
            while await self._power.state_of(unit) not in _OVER:
                await asyncio.sleep(LOOK)
                if verb == "apply" and not self._paused and await self._somebody_talks():
                    self._paused = True
                    await self._power.stop(unit)
        except (NotDone, OSError) as error:
            self._journal.tell(EventName.UPDATE_FAILED, kind=verb, why=str(error))
            return False
        finally:
            self._working = False
            ask_no_more(self._settings())
        return True

    async def _somebody_talks(self) -> bool:
        said = {part: await self._neighbours.ask(part) for part in ("sound", "link")}
        return self._silence.look(_talks(said), self._clock()) == 0

    async def _see(self) -> Seen:
        said = await self._ask_all()
        link, sound = said.get("link", {}), said.get("sound", {})
        blocks = (sound["pid"], sound["counters"]["blocks_played"]) if "counters" in sound else None
        return Seen(dict.fromkeys(said, ""), str(link.get("phase", "")), str(link.get("why", "")), blocks)

    async def _ask_all(self) -> Mapping[str, Said]:
        answers = [await self._neighbours.ask(part) for part in PARTS]
        return {part: said for part, said in zip(PARTS, answers, strict=True) if said}

    async def _remember(self, before: Was) -> None:
        """Keep how the device is, for the start that comes: if it was in its room ``before`` or is now, it has to be then."""
        said = await self._ask_all()
        now = Was(frozenset({"sound", *said}), said.get("link", {}).get("phase") == "in_room" or before.in_room)
        if now != before or not self._file.exists():
            with suppress(OSError):  # without it the trial is an easier one
                content = {"parts": ",".join(sorted(now.parts)), "in_room": now.in_room}
                await asyncio.to_thread(kept.write, self._file, content)

    def _was(self) -> Was:
        with suppress(OSError, ValueError, KeyError, AttributeError):
            stored = kept.read(self._file)
            if stored is not None:
                return Was(frozenset(stored["parts"].split(",")), stored["in_room"] is True)
        return Was()


def _talks(said: Mapping[str, Said]) -> bool:
    """Whether somebody is heard in the room, here or elsewhere, or it is being recorded."""
    return bool(said["link"].get("speaking")) or bool(said["sound"].get("recording"))
