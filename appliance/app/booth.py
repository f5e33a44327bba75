"""A sound card, a panel and the gate, without a room: where ``kontor record`` and the doctor listen.

They listen by the same rules as ``kontor sound``: the stored mute is read first, quiet hours hold, the panel's switch and buttons
count, closing the gate ends it at once, lamps show the gate. What :class:`Booth` hands on was captured while the gate was open.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Future
from types import MappingProxyType
from typing import Protocol

from appliance.app.process import PRIORITY, NotAllowed, real_time
from appliance.app.rules import take_up
from appliance.audio.gate import Gate
from appliance.audio.port import Side, SoundCard
from appliance.core.controls import Event, Reason, Reasons
from appliance.core.counters import Counters
from appliance.core.units import Block, Blocks
from appliance.health.journal import Journal
from appliance.panel.none import NoPanel
from appliance.panel.port import Hands, Panel, View
from appliance.settings import AudioBackend, Settings

_CARD = 6.0
"""Seconds that a card may take until its first sound."""
_PANEL = 2.0
"""Seconds that a panel may take to be read."""
_TURN = 0.05
_NO_HAND = frozenset({Reason.STARTING, Reason.AUDIO, Reason.PANEL, Reason.TRIAL, Reason.RECORDING})
"""Reasons that end without a hand."""
_BY_NOBODY = 'there is no panel ([panel] kind = "none"), so nobody can unmute: the device only listens'
_WAYS_OUT = {
    Reason.SWITCH: "open the mute switch",
    Reason.BUTTON: "press the mute button",
    Reason.DOOR: "open the door at the panel",
    Reason.QUIET: "open the door at the panel",
    Reason.TALK: "hold the talk button meanwhile",
}


class Muted(Exception):
    """The room is muted, so nothing of it is listened to. One sentence, with the way out."""


class Hearer(Protocol):
    """Whoever hears and speaks in the booth; called on the card's threads, as :class:`~appliance.audio.port.CardUser`."""

    def captured(self, microphones: Blocks, position: int, time: float) -> None:
        """One block of every channel, captured while the gate is open."""

    def wanted(self, out: Block) -> None:
        """Fill what is played next, shape (480,). The gate may be closed."""

    def played(self, position: int, time: float) -> None:
        """When the block of the last ``wanted`` is heard."""

    def jumped(self, side: Side) -> None:
        """Positions of this side begin anew."""


class Unpressed:
    """In place of a panel that is not there, for measurements of which nothing is kept: nothing of it is ever pressed."""

    name = "none"
    problem = ""
    turns: int | None = None
    counts: Mapping[str, int] = MappingProxyType({})

    def __init__(self) -> None:
        self.ended: Future[None] = Future()

    def start(self, hands: Hands) -> None:
        """Nothing is there to read."""
        self.ended.set_running_or_notify_cancel()
        hands.post(Event.PANEL_FOUND)
        hands.post(Event.SWITCH_FOUND_OPEN)

    def show(self, view: View) -> None:
        """There are no lamps."""

    def stop(self) -> None:
        """There is no thread."""


class Booth:
    """The card's user. ``hearer`` hears through it while the gate is open."""

    def __init__(self, settings: Settings, card: SoundCard, panel: Panel, journal: Journal, hearer: Hearer) -> None:
        self.card, self._panel, self._hearer = card, panel, hearer
        self._real = settings.audio.backend is AudioBackend.ALSA
        self.gate = Gate()
        _, self.desk, self._quiet = take_up(settings, self.gate, panel, journal, Counters())
        self._quiet.start()
        self._later: Callable[[Event], None] = lambda _event: None

    def captured(self, microphones: Blocks, position: int, time: float) -> None:
        """Hand it on, if the gate is open."""
        if self.gate.is_open:
            self._hearer.captured(microphones, position, time)

    def wanted(self, out: Block) -> None:
        """Let the hearer fill it."""
        self._hearer.wanted(out)

    def played(self, position: int, time: float) -> None:
        """Hand it on."""
        self._hearer.played(position, time)

    def jumped(self, side: Side) -> None:
        """Hand it on."""
        self._hearer.jumped(side)

    def changed(self, running: bool) -> None:
        """The card runs, or is lost: then the gate closes at once."""
        if not running:
            self.gate.close()
        self._later(Event.AUDIO_FOUND if running else Event.AUDIO_LOST)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Read mute and panel, then the card; within it the gate follows the controls.

        :raises Muted: something that a hand has to end closes the gate; the card was not even opened then.
        :raises NotAllowed: the card does not work; one sentence that names the setting.
        """
        loop = asyncio.get_running_loop()

        def later(event: Event) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(self.desk.apply, event)

        self._later = later
        turns = asyncio.create_task(self._turns())
        try:
            await self._read_panel()
            with _promptly(real=self._real):
                self.card.start(self)
            self.desk.apply(Event.STARTED)
            await self._wait_for_card()
            yield
        finally:
            self.gate.close()
            turns.cancel()
            await asyncio.gather(turns, return_exceptions=True)
            self.card.stop()
            self._panel.stop()
            await self.desk.store()
            await self._quiet.store()

    def check(self) -> None:
        """Look whether the card goes on.

        :raises NotAllowed: it has ended; one sentence.
        """
        if self.card.ended.done():
            error = self.card.ended.exception()
            raise NotAllowed(str(error) if error else f"the sound card {self.card.name} has ended")

    def refusal(self) -> str:
        """Why the gate is closed, with the way out; empty: it is open, or only the card or an announcement is waited for."""
        reasons = self.desk.controls.reasons - {Reason.STARTING, Reason.AUDIO, Reason.RECORDING}
        return refusal(reasons, by_nobody=isinstance(self._panel, NoPanel)) if reasons else ""

    async def _read_panel(self) -> None:
        if isinstance(self._panel, NoPanel):
            raise Muted(f"Nothing is recorded: {_BY_NOBODY}.")
        self._panel.start(self.desk.hands(asyncio.get_running_loop()))
        moved = asyncio.Event()
        self.desk.changed = moved.set
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PANEL):
                while Reason.PANEL in self.desk.controls.held:
                    moved.clear()
                    await moved.wait()
        await asyncio.sleep(_TURN)  # where the switch stands is told right after the panel
        refused = self.refusal()
        if refused:
            raise Muted(refused)

    async def _wait_for_card(self) -> None:
        end = time.monotonic() + _CARD
        while Reason.AUDIO in self.desk.controls.held:
            self.check()
            if time.monotonic() > end:
                raise NotAllowed(self.card.problem or f"the sound card {self.card.name} gives no sound")
            await asyncio.sleep(_TURN)

    async def _turns(self) -> None:
        while True:
            self._quiet.look()
            self.desk.refresh(None, talking=False)
            await asyncio.sleep(_TURN)


@contextlib.contextmanager
def _promptly(*, real: bool) -> Iterator[None]:
    """Threads that are started within come before all ordinary ones, as those of sound do, where that is allowed."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    if not (real and real_time(PRIORITY)):
        yield
        return
    try:
        yield
    finally:
        os.sched_setscheduler(0, *before)


def refusal(reasons: Reasons, *, by_nobody: bool = False) -> str:
    """That the room is muted by these reasons, and what to do; one sentence."""
    words = ", ".join(reason.word for reason in sorted(reasons))
    if by_nobody:
        return f"The room is muted ({words}): {_BY_NOBODY}."
    by_hand = sorted(reasons - _NO_HAND)
    if not by_hand:
        return f"The microphone is closed ({words}): kontor status tells how the device is."
    ways = dict.fromkeys(_WAYS_OUT.get(reason, "unmute at the panel") for reason in by_hand)
    return f"The room is muted ({words}), and only a hand on the panel unmutes it: {' and '.join(ways)}."
