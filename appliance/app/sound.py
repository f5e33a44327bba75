"""Puts ``kontor sound`` together: the process that has the microphone, the panel and no network.

Start: the stored mute is read before anything is opened, then the exchange listens, the panel's switch is read, the card runs,
and only then STARTED lets the gate follow the controls. Stop: the gate closes first.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from appliance.app import exchange_path
from appliance.app.clock import Moments
from appliance.app.duplex import PATIENCE, Duplex, Facts
from appliance.app.hearing import channels_of, make_front_end
from appliance.app.loudness import Loudness
from appliance.app.mending import mending
from appliance.app.panels import make_panel
from appliance.app.places import state_of
from appliance.app.process import (
    PRIORITY,
    NotAllowed,
    beat,
    lock_memory,
    make_folders,
    moved,
    real_time,
    tune,
    until_stopped,
)
from appliance.app.reasons_held import ReasonsHeld
from appliance.app.recording import Recordings
from appliance.app.reload import Advice, Reload
from appliance.app.rules import take_up
from appliance.app.self_check import EVERY, SelfCheck
from appliance.audio.gate import Gate
from appliance.audio.port import SoundCard
from appliance.audio.virtual import Recorder, VirtualCard, microphone
from appliance.core.controls import Door, Event, Reason
from appliance.core.counters import Counters
from appliance.core.events import EventName
from appliance.core.state import Backends, SoundState
from appliance.health.journal import Journal
from appliance.health.machine import own_process
from appliance.health.notify import Notifier
from appliance.health.status import StatusServer
from appliance.panel.port import Panel
from appliance.panel.virtual import VirtualPanel
from appliance.provisioning.files import Files
from appliance.settings import AudioSettings, Settings

EXCHANGE = "exchange"
STATUS = "sound.status"
"""Names of the sockets in the runtime directory."""

_TURN = 0.1
"""Seconds between two changes of SPEAK's brightness while somebody speaks."""
_IDLE_TURN = 0.25
"""Seconds between two looks at what changes without news: pulses that end, somebody who talks into the closed gate."""


def make_card(settings: Settings) -> SoundCard:
    """The sound card of the settings.

    :raises NotAllowed: a file of the virtual card cannot be used, or the back end is not here yet.
    """
    audio = settings.audio
    if audio.backend == "alsa":
        return _alsa_card(audio)
    try:
        source = microphone(audio.microphone)
    except ValueError as error:
        raise NotAllowed(f"[audio] microphone: {error}") from error
    try:
        return VirtualCard(source, Recorder(Path(audio.record)) if audio.record else None)
    except OSError as error:
        raise NotAllowed(f"[audio] record: {error}") from error


def _alsa_card(audio: AudioSettings) -> SoundCard:
    try:
        from appliance.audio.alsa import AlsaCard  # noqa: PLC0415 - its library is there on a device only
    except ImportError as error:  # it is not there, or ALSA's own library is not
        raise NotAllowed(
            f'[audio] backend = "alsa" needs {error.name}: install python3-alsaaudio, or kontor[device] with pip ({error})'
        ) from error
    return AlsaCard(audio.capture, audio.playback, channels=channels_of(audio), low_delay=audio.frame_ms == 10)


class Sound:
    """The parts of sound and how they are joined. ``card`` and ``panel`` are given, so that tests bring their own."""

    def __init__(
        self, settings: Settings, card: SoundCard, panel: Panel, journal: Journal, files: Files | None = None
    ) -> None:
        self._settings, self._card, self._panel, self._journal = settings, card, panel, journal
        self._started = time.monotonic()
        self._runtime = Path(settings.device.runtime_dir)
        self.counters = Counters()
        self.gate = Gate()
        remembered, self.desk, self.quiet = take_up(settings, self.gate, panel, journal, self.counters)
        if remembered.damaged:
            journal.tell(EventName.MUTE_STORE_DAMAGED, error=remembered.damaged)
            self.counters.add("mute_store_failures")
        if remembered.reasons:
            journal.tell(EventName.MUTE_RESTORED, reasons=",".join(r.word for r in sorted(remembered.reasons)))
        self.quiet.start()
        self._listener = exchange_path.listen(self._runtime / EXCHANGE)
        self._self_check = SelfCheck(self.gate)
        self._listener.may_pass = self._self_check.may_pass
        patience = PATIENCE if settings.audio.frame_ms == 10 else 0.0
        self._front_end = make_front_end(settings.audio)
        self._degraded = self._panel_problem = ""
        self.loudness = loudness = Loudness(settings.audio, state_of(settings, "sound"), journal)
        self.desk.chime, self.desk.turn = loudness.ring, loudness.turn
        self.duplex = Duplex(
            self.gate,
            self._listener,
            self.counters,
            patience=patience,
            front_end=self._front_end,
            chimes=loudness.chimes,
        )
        self.duplex.tells_direction = settings.audio.direction
        if isinstance(card, VirtualCard):
            self.duplex.talker = lambda: card.talker
        self._recordings = Recordings(self.desk, self.gate, card, self._runtime, self.duplex.tapped)
        self._moments = moments = Moments()
        self._muted_since: float | None = moments.steady()
        self._held = ReasonsHeld(moments)
        self._held.look(self.desk.controls.mask)
        self._files, self._advice = files, Advice(time.monotonic)
        self._news = asyncio.Event()
        self._linked = False
        self._junk = 0

    async def run(self, stop: asyncio.Event, notifier: Notifier) -> None:
        """Run until ``stop``; a vital part that ends raises."""
        loop = asyncio.get_running_loop()
        status = StatusServer(self._runtime / STATUS, self._handlers(stop), ours={"record", "recording"})
        await status.start()

        self.duplex.news = partial(self._later, loop, self._news.set)
        self.duplex.card_changed = partial(self._from_card, loop)
        self.desk.changed = self._news.set
        self.desk.opening = self._opening

        # With a real card only: a virtual one has no buffer that runs dry, and must not hold up what runs beside it.
        real = self._settings.audio.backend == "alsa" and real_time(PRIORITY)
        try:
            self._panel.start(self.desk.hands(loop))
            self._card.start(self.duplex)
            loop.call_soon(self._begin, notifier)
            tune()
            locked = lock_memory()
            self._journal.tell(
                EventName.SOUND_STARTED, card=self._card.name, panel=self._panel.name, locked=locked, real_time=real
            )
            await until_stopped(stop, self._parts(notifier))
        finally:
            await self._end(status)

    def _begin(self, notifier: Notifier) -> None:
        """All that is stored was read, and what the panel found stands before this in the loop: the gate's state is known."""
        self.desk.apply(Event.STARTED)
        notifier.tell("READY=1")

    def _from_card(self, loop: asyncio.AbstractEventLoop, running: bool) -> None:
        """A thread of the card, before its first block."""
        if running and self._front_end is not None:
            self._front_end.opened(self._card.facts)
        self._later(loop, self._card_changed, running)

    @staticmethod
    def _later(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *arguments: object) -> None:
        """From an audio thread to the loop; nothing when it has ended meanwhile."""
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(call, *arguments)

    def _parts(self, notifier: Notifier) -> dict[str, Any]:
        return {
            "audio": lambda: asyncio.wrap_future(self._card.ended),
            "panel": lambda: asyncio.wrap_future(self._panel.ended),
            "turns": self._turns,
            "exchange": lambda: exchange_path.watch(self._runtime / EXCHANGE, lambda: self._linked),
            "memory": self.desk.keep_memory,
            "quiet": self.quiet.keep,
            "proof": self._prove,
            "volume": self.loudness.keep,
            "watchdog": lambda: beat(notifier, self._alive(), self._journal, self._words),
        }

    def _alive(self) -> Callable[[], bool]:
        """Blocks really advance, and the panel is looked at; that the loop turns is seen by who asks."""
        return moved(lambda: self.duplex.turns, lambda: self._panel.turns)

    def _words(self) -> str:
        closed = ", ".join(reason.word for reason in sorted(self.desk.controls.reasons))
        return f"The microphone is closed: {closed}." if closed else "The microphone is open."

    async def _prove(self) -> None:
        """What sound finds of itself closes as what link finds does; sound ends, to begin anew, once that is stored."""
        why = await self._self_check.watch()
        self._journal.tell(EventName.VIOLATION, engine="exchange", why=why)
        self.desk.apply(Event.VIOLATED)
        while not await self.desk.store():  # noqa: ASYNC110 - a disk that refuses tells nobody when it takes again
            await asyncio.sleep(EVERY)

    async def _end(self, status: StatusServer) -> None:
        self.gate.close()
        await self._recordings.stop()
        self._panel.stop()
        self._card.stop()
        self._listener.close()
        await status.stop()
        await self.desk.store()
        await self.loudness.store()
        await self.quiet.store()
        self._journal.tell(EventName.SOUND_STOPPED)

    async def _turns(self) -> None:
        while True:
            self._news.clear()
            latest = self.duplex.latest
            if latest:
                self.desk.answered(*latest)
            if self._linked and not latest:
                self.desk.apply(Event.LINK_LOST)
                self._journal.tell(EventName.EXCHANGE_LOST)
            elif latest and not self._linked:
                self.desk.apply(Event.LINK_FOUND)
                self._journal.tell(EventName.EXCHANGE_CONNECTED)
            self._linked = latest is not None
            self._tell_junk()
            self._tell_front_end()
            self._tell_panel()
            self.quiet.look()
            self._show()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TURN if latest and latest[0].speakers else _IDLE_TURN):
                    await self._news.wait()

    def _tell_junk(self) -> None:
        counts = self._listener.counts
        junk = counts.junk + counts.floods
        if junk != self._junk:
            self._journal.tell(EventName.EXCHANGE_JUNK, connections=junk - self._junk)
            self.counters.add("exchange_junk", junk - self._junk)
            self._junk = junk

    def _tell_front_end(self) -> None:
        degraded = self._front_end.degraded if self._front_end else ""
        if degraded and degraded != self._degraded:
            self._journal.tell(EventName.FRONT_END_DEGRADED, why=degraded)
        self._degraded = degraded

    def _tell_panel(self) -> None:
        problem = self._panel.problem
        if problem != self._panel_problem:
            lost = EventName.PANEL_LOST if Reason.PANEL in self.desk.controls.held else EventName.PANEL_DEGRADED
            self._journal.tell(lost if problem else EventName.PANEL_FOUND, panel=self._panel.name, why=problem)
        self._panel_problem = problem

    def _show(self) -> None:
        controls = self.desk.controls
        lost = Reason.AUDIO in controls.held and Reason.STARTING not in controls.held
        lamps = self.desk.refresh(
            self.duplex.answer,
            self.duplex.talking,
            degraded=bool(self._degraded or self._panel.problem or self._advice.why) or lost,
            warning=self.quiet.warning,
            night=self.quiet.night,
        )
        controls = self.desk.controls
        self._held.look(controls.mask)
        if controls.open:
            self._muted_since = None
        elif self._muted_since is None:
            self._muted_since = self._moments.steady()
        signs, until = lamps.from_afar().signs, self.quiet.until or 0
        desk = self.desk
        facts = Facts(controls.mask, controls.door, desk.hand, desk.knocks, signs, until, desk.records)
        if facts != self.duplex.facts:
            self.duplex.facts = facts

    def _opening(self) -> None:
        """The gate opens before the next turn: nobody may be told of an open gate behind a closed door."""
        self.duplex.facts = replace(self.duplex.facts, reasons=0, door=Door.OPEN, quiet_until=0)

    def _card_changed(self, running: bool) -> None:
        self.desk.apply(Event.AUDIO_FOUND if running else Event.AUDIO_LOST)
        if running:
            facts = self._card.facts
            opened = {"channels": facts.channels, "format": facts.format} if facts else {}
            self._journal.tell(EventName.AUDIO_FOUND, card=self._card.name, **opened)
        else:
            self._journal.tell(EventName.AUDIO_LOST, card=self._card.name, why=self._card.problem)

    def state(self) -> SoundState:
        """The snapshot that status and page read."""
        return SoundState(
            controls=self.desk.controls,
            lamps=self.desk.shown,
            backends=Backends(self._card.name, self._card.name, self._panel.name),
            muted_since=None if self._muted_since is None else self._moments.unix(self._muted_since),
            held=self._held.spans(),
            microphone=self.duplex.microphone,
            direction=self.duplex.direction,
            loudspeaker=self.duplex.loudspeaker,
            volume=self.loudness.volume,
            hand=self.desk.hand,
            recording=self.desk.recording,
            presses=self.desk.presses,
            reset_held=self.desk.reset_held,
            quiet=self.quiet.state(),
            panel_problem=self._panel.problem,
            front_end=self._front_end.state() if self._front_end else None,
            exchange_connected=self._linked,
            under_runs=self.counters.get("downlink_missing"),
            proof=self._self_check.state,
            uptime=time.monotonic() - self._started,
            counters={
                **self.counters.snapshot(),
                **self._card.counts,
                **self._panel.counts,
                **(self._front_end.counts if self._front_end else {}),
                "blocks_played": self.duplex.turns,
                "blocks_dropped": self.gate.dropped,
            },
        )

    async def _await_hand(self) -> bool:
        """A setting was changed from afar that a hand has to agree to (UX.md, mute rule 3)."""
        self.desk.apply(Event.PANEL_SETTING_CHANGED)
        return await self.desk.store()

    def _handlers(self, stop: asyncio.Event) -> dict[str, Any]:
        hand, stored = self._await_hand, self.desk.store
        reload = self._files and Reload("sound", self._files, self._journal, stop.set, hand=hand, stored=stored)

        async def status(_request: Mapping[str, Any]) -> Mapping[str, object]:
            turnaround = self._listener.turnaround
            extra = {"exchange_ms": {"p50": turnaround.percentile_ms(50), "p99": turnaround.percentile_ms(99)}}
            more = {"exchange": self._listener.counts.as_dict()} | own_process()
            return self.state().as_dict() | extra | more | ({"settings": reload.digest} if reload else {})

        recordings = self._recordings
        handlers: dict[str, Any] = {"status": status, "record": recordings.begin, "recording": recordings.look}
        handlers |= {"fault": self._advice.take, "mend": mending(stop.set, stored=stored)}
        handlers |= {"reload": reload} if reload else {}
        if isinstance(self._panel, VirtualPanel):
            panel = self._panel

            async def move(request: Mapping[str, Any]) -> Mapping[str, object]:
                if "switch" in request:
                    panel.move("mute", request["switch"] == "closed")
                elif "press" in request:
                    panel.press(str(request["press"]))
                for name, down in (("hold", True), ("release", False)):
                    if name in request:
                        panel.move(str(request[name]), down)
                return self._panel_state(panel)

            handlers["panel"] = move
        return handlers

    def _panel_state(self, panel: VirtualPanel) -> Mapping[str, object]:
        """What somebody who stands before the panel sees: here the "you are muted" pulse is allowed."""
        controls = self.desk.controls
        return {
            "gate": "open" if self.gate.is_open else "closed",
            "reasons": [reason.word for reason in sorted(controls.reasons)],
            "door": controls.door.name.lower(),
            "quiet_until": self.quiet.until,
            "lamps": panel.shown.words(),
            "switch": "closed" if panel.switched_to_mute else "open",
            "loudspeaker": round(self.duplex.loudspeaker / 3) * 3,
            "direction": self.duplex.direction,
            "talking_while_closed": self.duplex.talking and not self.gate.is_open,
        }


async def main(settings: Settings, stop: asyncio.Event, journal: Journal, files: Files | None = None) -> None:
    """``kontor sound``.

    :raises NotAllowed: the settings ask for a part that must not or cannot be had.
    """
    make_folders(settings.device.state_dir, state_of(settings, "sound"), settings.device.runtime_dir)
    notifier = Notifier()
    try:
        sound = Sound(settings, make_card(settings), make_panel(settings), journal, files)
        await sound.run(stop, notifier)
    finally:
        notifier.close()
