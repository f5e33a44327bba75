"""The desk of sound: it holds the controls, and everything that follows from them happens here, on the loop.

Order on every change (UX.md, mute rule 2): gate first, lamps second, memory and room last. The panel's thread has closed the
gate and lit MIC already when its event arrives here; the desk then decides what holds.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import replace

from appliance.audio.gate import Gate
from appliance.core.chimes import Chime, chime_of
from appliance.core.controls import Controls, Door, Event, Reason, Reasons, step
from appliance.core.counters import Counters
from appliance.core.events import EventName
from appliance.core.lamps import Health, Lamps, LinkPhase, Room, Sign, lamps
from appliance.core.units import SILENCE
from appliance.health.journal import Journal
from appliance.media.exchange import Downlink
from appliance.panel.memory import MuteMemory
from appliance.panel.port import Hands, Panel, View

_KNOCK_SHOWN = 5.0
"""Seconds that SPEAK pulses after a knock."""
ANNOUNCEMENT = 5.0
"""Seconds that a recording is announced (SPEAK pulses, the gate is closed) before the room is heard in it."""
RESET_SHOWN = 30.0
"""Seconds that the lamps show that a factory reset was asked for, and that status says so: the machine is off before, or has
refused it."""
TRIAL_LASTS = 10.0
"""Seconds for which settings are on trial unless it is said again: whoever tries them may be killed, or link start anew."""
_STORE_AGAIN = 5.0
"""Seconds after which a mute that could not be stored is tried again."""


_CLOSED_BY_PANEL = frozenset({Event.SWITCH_CLOSED, Event.TALK_RELEASED, Event.PANEL_LOST})
"""What the panel tells after it has closed the gate, whether that was open or not."""

_DOOR_EVENTS = {
    Door.OPEN: Event.DOOR_ASKED_OPEN,
    Door.LISTENING: Event.DOOR_ASKED_LISTENING,
    Door.CLOSED: Event.DOOR_ASKED_CLOSED,
}


class Desk:
    """Loop only, but for what :meth:`hands` gives to the panel's thread."""

    def __init__(
        self,
        gate: Gate,
        panel: Panel,
        memory: MuteMemory,
        controls: Controls,
        *,
        journal: Journal,
        counters: Counters,
        clock: Callable[[], float],
    ) -> None:
        self._gate, self._panel, self._memory, self._journal, self._counters = gate, panel, memory, journal, counters
        self._clock = clock
        self._controls = controls
        self._told: tuple[Downlink, int] | None = None
        """What link told last, and on which connection; the first answer of each is the base."""
        self._knocked_at = -_KNOCK_SHOWN
        self._recording = self._recording_here = False
        self._announced_at: float | None = None
        """When the announcement of a recording is over; nothing from afar ends it earlier."""
        self._trial_until = 0.0
        """When settings are believed not to be on trial any more by a link that never said that they were."""
        self._shown: View | None = None
        self._lit_by_panel = False
        """The panel's thread has lit MIC meanwhile: what was shown last from here tells nothing."""
        self._stored: tuple[Reasons, Door] | None = self._wish() if memory.current else None
        """What the disk has; None while it is being written, and after that has failed: then nobody knows."""
        self._saving = threading.Lock()
        self._to_store = asyncio.Event()
        self._remember()
        self._store_fails = False
        self.changed: Callable[[], None] = lambda: None
        """Called whenever the controls have changed, or a knock has to be told."""
        self.opening: Callable[[], None] = lambda: None
        """Called before the gate may open: from now on no reason may be told any more."""
        self.chime: Callable[[Chime], None] = lambda _chime: None
        """Called when something has happened that is told by a sound."""
        self.turn: Callable[[int], None] = lambda _steps: None
        """Called when the volume buttons were pressed: +1 louder, -1 quieter."""
        self.knocks = 0
        """How often the knock button was pressed."""
        self.hand = False
        """The room wants to speak: TALK was tapped."""
        self.presses = 0
        """How often ROOM was held, or KNOCK pressed, while this device was in no room: whoever does asks to join one."""
        self._reset_until = 0.0
        self._nowhere = False
        """No room is set: what was last told by link."""

    @property
    def controls(self) -> Controls:
        """The controls as they are now."""
        return self._controls

    @property
    def recording(self) -> bool:
        """Whether the room is recorded, by somebody in it or from here, or that is being announced."""
        return self._announced_at is not None or self._recording or self._recording_here

    @property
    def records(self) -> bool:
        """Whether somebody at this device records, or has announced it: the room is told, as its voices may be in it too."""
        return self._recording_here

    @property
    def reset_held(self) -> bool:
        """Whether a hand has just asked for all data to be wiped. It is provision that does it."""
        return self._clock() < self._reset_until

    @property
    def shown(self) -> Lamps:
        """The lamps as they were last lit from here."""
        return self._shown.lamps if self._shown else lamps(self._controls, Room())

    def hands(self, loop: asyncio.AbstractEventLoop) -> Hands:
        """What the panel's thread may do: close the gate at once, and tell this desk."""

        def later(call: Callable[..., None], *args: object) -> None:
            try:
                loop.call_soon_threadsafe(call, *args)
            except RuntimeError:  # the loop has ended: the gate is closed, and there is nothing left to decide
                self._gate.close()

        owed = False

        def close() -> bool:
            nonlocal owed
            was_open = self._gate.close_by_hand()
            owed = owed or was_open
            return was_open

        def post(event: Event) -> None:
            nonlocal owed
            answers, owed = owed, False
            if not answers and event in _CLOSED_BY_PANEL:
                self._gate.stay_closed()  # until this is taken in: an opening of before may still be on its way
                answers = True
            later(self._from_panel, event, answers)

        return Hands(
            close=close,
            post=post,
            knock=lambda: later(self._knock),
            hand=lambda: later(self._raise_hand),
            turn=lambda steps: later(self.turn, steps),
            is_open=lambda: self._gate.is_open,
        )

    def apply(self, event: Event) -> None:
        """Take one event into the controls, and do what follows."""
        before, self._controls = self._controls, step(self._controls, event)
        self._follow()
        # Who is heard, was let speak or has left the room no longer asks to speak.
        opened, shut = self._controls.open and not before.open, self._controls.door is Door.CLOSED
        if self.hand and (opened or shut or event is Event.ADMIN_LIFTED):
            self._raise_hand()
        if self._controls != before:
            self._tell(before, event)
            self._remember()
            self.changed()
        chime = chime_of(before, self._controls, event)
        if chime is not None:
            self.chime(chime)

    def answered(self, answer: Downlink, connection: int) -> None:
        """Take what link told: counters that have grown since its last answer on this connection are events.

        A link that was only silent for a while goes on counting, and nothing that it was told meanwhile is lost.
        """
        told, self._told = self._told, (answer, connection)
        before = told[0] if told and told[1] == connection else None
        self._flags(before, answer)
        if before is None:
            return
        if answer.admin_muted != before.admin_muted:
            self.apply(Event.ADMIN_MUTED)
        if answer.admin_lifted != before.admin_lifted:
            self.apply(Event.ADMIN_LIFTED)
            self._journal.tell(EventName.ADMIN_MUTE_LIFTED)
        if answer.asked != before.asked:
            self.apply(Event.ASKED_TO_UNMUTE)
            self._journal.tell(EventName.ASKED_TO_UNMUTE)
            self._knocked_at = self._clock()
        if answer.door_commands != before.door_commands:
            self.apply(_DOOR_EVENTS[answer.door])
        if answer.knocks != before.knocks:
            self._knocked_at = self._clock()
            self.apply(Event.KNOCKED)

    def announce(self) -> None:
        """Somebody at this device is about to record it: SPEAK pulses, and the gate is closed until that was seen."""
        self._announced_at = self._clock() + ANNOUNCEMENT
        self._recording_here = True
        self._journal.tell(EventName.RECORDING, on=True)
        self.apply(Event.RECORDING_BEGAN)

    def recorded(self) -> None:
        """What :meth:`announce` announced is over, or was given up."""
        self._recording_here = False
        self._journal.tell(EventName.RECORDING, on=False)

    def refresh(
        self,
        answer: Downlink | None,
        talking: bool,
        *,
        degraded: bool = False,
        warning: bool = False,
        night: bool = False,
    ) -> Lamps:
        """Show on the panel what follows from the controls and from what link told last (None: link does not answer).

        :param talking: somebody talks into the microphone, whether he is heard or not.
        :param degraded: something works less well than it should: the array is lost, the front end has fallen back.
        :param warning: quiet hours end soon.
        :param night: lamps are to be darker.
        """
        now = self._clock()
        if self._announced_at is not None and now >= self._announced_at:
            self._announced_at = None
            self.apply(Event.RECORDING_ANNOUNCED)
        self._nowhere = answer is not None and answer.link is LinkPhase.LEFT
        speakers = answer.speakers if answer and self._controls.door is not Door.CLOSED else ()
        hands = answer.hands if answer else 0
        knock, announced = now - self._knocked_at < _KNOCK_SHOWN, self._announced_at is not None
        room = Room(
            phase=answer.link if answer else LinkPhase.RECONNECTING,
            health=Health.DEGRADED if degraded or self._store_fails or self._nowhere else Health.HEALTHY,
            talking_while_closed=talking and not self._controls.open,
            level=max((float(speaker.level) for speaker in speakers), default=SILENCE),
            wanted=hands > 0 or knock or announced,
            opens_soon=warning,
            resetting=self.reset_held,
        )
        wanted = lamps(self._controls, room)
        if wanted.mic is Sign.OFF and not self._gate.is_open:  # the lamp shows the gate, never the wish
            wanted = replace(wanted, mic=Sign.STEADY)
        view = View(wanted, speakers, hands, knock, self.hand, warning, self.recording, night)
        if view != self._shown or self._lit_by_panel:
            self._shown, self._lit_by_panel = view, False
            self._panel.show(view)
        return wanted

    async def keep_memory(self) -> None:
        """Store what must survive whenever it has changed. Vital."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STORE_AGAIN if self._store_fails else None):
                    await self._to_store.wait()
            self._to_store.clear()
            await self.store()

    async def store(self) -> bool:
        """Store now, off the loop. Returns whether it is on the disk."""
        if self._wish() == self._stored:
            return True
        try:
            await asyncio.to_thread(self._save)
        except OSError as error:
            self._store_fails = True
            self._counters.add("mute_store_failures")
            self._journal.tell(EventName.MUTE_STORE_DAMAGED, error=str(error))
            return False
        self._store_fails = False
        return True

    def _wish(self) -> tuple[Reasons, Door]:
        controls = self._controls
        return controls.remembered, controls.remembered_door

    def _save(self) -> None:
        """A thread of its own. Who waited here stores what holds now: a slow disk never puts an old wish after a new one.

        What is wished for meanwhile is stored after it, even if it is what the disk had before.
        """
        with self._saving:
            self._stored = None
            wish = self._wish()
            self._memory.save(*wish)
            self._stored = wish

    def _from_panel(self, event: Event, answers: bool) -> None:
        """:param answers: the panel has closed the gate for this, and it opens again only when that was taken in."""
        self._counters.add("panel_events")
        if self._nowhere and event is Event.DOOR_PRESSED:  # a door needs a room
            self._ask_to_join()
        else:
            self.apply(event)
        if event is Event.RESET_HELD:
            self._reset_until = self._clock() + RESET_SHOWN
            self._journal.tell(EventName.RESET_HELD)
            self.changed()
        if answers:
            self._lit_by_panel = True
            self._gate.decided()
            self._follow()  # only now may the gate open again

    def _follow(self) -> None:
        if self._controls.open:
            self.opening()
            self._gate.open()
        else:
            self._gate.close()

    def _ask_to_join(self) -> None:
        self.presses += 1
        self._journal.tell(EventName.JOIN_PRESSED)

    def _knock(self) -> None:
        if self._nowhere:
            self._ask_to_join()
        self.knocks += 1
        self.changed()
        self._journal.tell(EventName.KNOCKED, by="this room")

    def _raise_hand(self) -> None:
        """Up, or down again. A closed door is not in the room, so that nobody would see it."""
        up = not self.hand and self._controls.door is not Door.CLOSED
        if up is not self.hand:
            self.hand = up
            self.changed()
            self._journal.tell(EventName.HAND_CHANGED, up=up, by="this room")

    def _flags(self, before: Downlink | None, told: Downlink) -> None:
        on_trial = Reason.TRIAL in self._controls.held
        if on_trial and before is None:  # a link that is new, perhaps by these very settings, was not told of it yet
            self._trial_until = self._clock() + TRIAL_LASTS
        over = (before is not None and before.trial) or self._clock() >= self._trial_until
        if told.trial and not on_trial:
            self.apply(Event.TRIAL_BEGAN)
        elif on_trial and not told.trial and over:
            self.apply(Event.TRIAL_ENDED)
        if told.recording != self._recording:
            self._recording = told.recording
            self._journal.tell(EventName.RECORDING, on=told.recording)
            if (
                told.recording and not self._recording_here
            ):  # else it is our own that comes back, and was announced here
                self._announced_at = self._clock() + ANNOUNCEMENT
                self.apply(Event.RECORDING_BEGAN)
        if told.violation and not (before is not None and before.violation):
            self._journal.tell(EventName.VIOLATION)
            self.apply(Event.VIOLATED)

    def _tell(self, before: Controls, event: Event) -> None:
        names = ",".join(reason.word for reason in sorted(self._controls.reasons))
        if before.open and not self._controls.open:
            self._counters.add("gate_closings")
            self._journal.tell(EventName.GATE_CLOSED, reasons=names, cause=event)
        elif self._controls.open and not before.open:
            self._counters.add("gate_openings")
            self._journal.tell(EventName.GATE_OPENED, cause=event)
        elif self._controls.reasons != before.reasons:
            self._journal.tell(EventName.REASONS_CHANGED, reasons=names, cause=event)
        if self._controls.door is not before.door:
            self._journal.tell(EventName.DOOR_CHANGED, door=self._controls.door.name.lower(), cause=event)

    def _remember(self) -> None:
        if self._wish() != self._stored:
            self._to_store.set()
