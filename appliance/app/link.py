"""Puts ``kontor link`` together: the process that has the network and hears only what the gate let through."""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from appliance.app import figures
from appliance.app.answering import Answering
from appliance.app.bundle_from_afar import BundleFromAfar
from appliance.app.desk import TRIAL_LASTS
from appliance.app.engines import make_engine
from appliance.app.mending import mending
from appliance.app.one_box import room_of
from appliance.app.places import state_of
from appliance.app.present import Present
from appliance.app.process import beat, make_folders, moved, tune, until_stopped
from appliance.app.reload import Reload
from appliance.app.site import Site
from appliance.app.sound import EXCHANGE
from appliance.core.controls import Reason, reasons_of
from appliance.core.counters import Counters
from appliance.core.events import EventName
from appliance.core.lamps import LinkPhase, Sign
from appliance.core.state import Codec, LinkState
from appliance.core.units import SILENCE, SLOTS
from appliance.health.journal import Journal
from appliance.health.machine import own_process
from appliance.health.notify import Notifier
from appliance.health.status import StatusServer
from appliance.media import opus
from appliance.media.exchange import Speaker, Uplink
from appliance.provisioning.files import Files
from appliance.rooms import contract
from appliance.rooms.contract import Engine, RoomRefused
from appliance.rooms.limits import limits
from appliance.settings import Settings

STATUS = "link.status"
_TOLD = 1.0
"""Seconds that sound, which has the violation now, is told of it still: it stores it meanwhile, or is started anew."""
_REMIND_EVERY = 1.0
_COUNTS = 2**32
_ASK_AGAIN = 30.0
"""Seconds between two questions to a room that has refused us."""
_STOPPED = (Sign.STEADY, Sign.OFF, Sign.OFF, Sign.STEADY)
"""The lamps of a device whose sound does not run."""
_PHASE_WORDS = {
    LinkPhase.STARTING: "Not yet on the way to the room",
    LinkPhase.CONNECTING: "On the way to the room",
    LinkPhase.IN_ROOM: "In the room",
    LinkPhase.RECONNECTING: "On the way back to the room",
    LinkPhase.REFUSED: "Not let into the room",
    LinkPhase.LEFT: "Has left the room",
}
"""What ``systemctl status`` shows; the room's id follows, and why."""
_PHASE_EVENTS = {
    LinkPhase.CONNECTING: EventName.LINK_CONNECTING,
    LinkPhase.IN_ROOM: EventName.LINK_UP,
    LinkPhase.RECONNECTING: EventName.LINK_LOST,
    LinkPhase.REFUSED: EventName.LINK_REFUSED,
}

_ONCE: Mapping[type, tuple[str, EventName]] = {
    contract.MutedByAdmin: ("admin_muted", EventName.MUTED_BY_ADMIN),
    contract.AdminMuteLifted: ("admin_lifted", EventName.ADMIN_MUTE_LIFTED),
    contract.AskedToUnmute: ("asked", EventName.ASKED_TO_UNMUTE),
    contract.Knocked: ("knocks", EventName.KNOCKED),
}


class Link:
    """The engine, the exchange thread, and what passes between them on the loop."""

    def __init__(
        self,
        settings: Settings,
        make: Callable[[Settings], Engine],
        journal: Journal,
        files: Files | None = None,
    ) -> None:
        self._settings, self._journal, self._make, self._files = settings, journal, make, files
        self._engine = make(settings)
        self._next: tuple[Settings, Engine] | None = None
        """Settings and engine with which the room is to be joined anew."""
        self._stay: asyncio.Timeout | None = None
        self._trial_until = 0.0
        self._started = time.monotonic()
        self._runtime = Path(settings.device.runtime_dir)
        self.counters = Counters()
        self._answering = Answering(self._runtime / EXCHANGE, self._engine, self.counters, self._told, self._stop_here)
        self._members = Present(settings.device.identity)
        self._levels: dict[str, float] = {}
        self._speaking: frozenset[str] = frozenset()
        self._bundle = BundleFromAfar(self._now, files, lambda: self._engine, self._shown, journal)
        self._site = Site(self._now, files, lambda: self._engine, self._site_changed, lambda: self._bundle.offered)
        self._violated, self._known = asyncio.Event(), asyncio.Event()
        """The proof of mute has found something, and sound has shown that it knows."""
        self._why = ""
        self._refused = False
        self._heard: Uplink | None = None
        """What sound said last, or None: it says nothing."""
        self._last: Uplink | None = None
        """The same, kept while it says nothing."""

    def _now(self) -> Settings:
        return self._settings

    async def run(self, stop: asyncio.Event, notifier: Notifier) -> None:
        """Run until ``stop``; a vital part that ends raises."""
        self._loop = asyncio.get_running_loop()
        handlers: dict[str, Any] = {"status": self._status, "trial": self._on_trial}
        handlers["mend"] = mending(stop.set, self._join_again)
        if self._files is not None:
            handlers["reload"] = Reload("link", self._files, self._journal, stop.set, rejoin=self._rejoin)
        status = StatusServer(self._runtime / STATUS, handlers)
        await status.start()
        self._answering.start()
        try:
            tune()
            notifier.tell("READY=1")
            self._journal.tell(EventName.LINK_STARTED, engine=self._settings.room.engine, opus=opus.version())
            parts: dict[str, Any] = {
                "exchange": lambda: asyncio.wrap_future(self._answering.ended),
                "room": self._room,
                "proof": self._proof,
                "reminder": self._remind,
                "about": self._site.run,
                "bundle": self._bundle.run,
                **figures.of_device(self._settings, self._shown, self._journal),
                "watchdog": lambda: beat(notifier, moved(lambda: self._answering.rounds), self._journal, self._words),
            }
            await until_stopped(stop, parts)
        finally:
            self._answering.stop()
            await self._engine.leave()
            await status.stop()
            self._journal.tell(EventName.LINK_STOPPED)

    def _words(self) -> str:
        words, why = _PHASE_WORDS[self._answering.says.link], f": {self._why}" if self._why else "."
        return f"{words} {room_of(self._settings)}{why}"

    async def _room(self) -> None:
        """Be in the room, and after :meth:`_rejoin` in the one of the new settings."""
        while True:
            while self._next is not None:
                await self._move(*self._next)
            stay = self._stay = asyncio.timeout(None)
            try:
                async with stay:
                    return await self._be_in_room()
            except TimeoutError:
                if not stay.expired():
                    raise
            finally:
                self._stay = None

    async def _move(self, settings: Settings, engine: Engine) -> None:
        """What sound says goes to the new engine before the old one leaves: it hears no block of a room that it has left."""
        before, self._engine = self._engine, engine
        self._answering.change_engine(engine)
        await before.leave()
        self._settings, self._refused = settings, False
        self._members = Present(settings.device.identity)
        if self._next == (settings, engine):  # else there are newer ones already
            self._next = None
        if self._last is not None:
            self._report_site(self._last)

    async def _rejoin(self, settings: Settings) -> None:
        """Leave the room, and join with new settings.

        :raises NotAllowed, SettingsError: there is no engine for them; nothing has changed then.
        """
        self._next = settings, self._make(settings)
        self._site.leaves()
        self._report(contract.PhaseChanged(LinkPhase.CONNECTING))
        if self._stay is not None:
            self._stay.reschedule(self._loop.time())

    async def _join_again(self) -> None:
        """Into the same room, be it one that the device is still on its way to."""
        await self._rejoin(self._next[0] if self._next else self._settings)

    async def _on_trial(self, request: Mapping[str, Any]) -> Mapping[str, object]:
        """Settings are on trial, or not any more; it lapses, since whoever tries them may be killed."""
        on = request.get("on") is True
        self._trial_until = time.monotonic() + TRIAL_LASTS if on else 0.0
        self._change(trial=on)
        return {"trial": on}

    async def _be_in_room(self) -> None:
        """Be in the room. When it refuses us, show that, and ask now and then: an admin may let this device in from afar."""
        while True:
            try:
                await self._engine.run(self._from_engine)
            except RoomRefused as refusal:
                self._report(contract.PhaseChanged(LinkPhase.REFUSED, str(refusal)))
                self._refused = True
                await (asyncio.sleep(_ASK_AGAIN) if refusal.ask_again else asyncio.Event().wait())
            else:
                return  # the engine has ended, and with it the process

    async def _proof(self) -> None:
        """A violation is the one fault after which link must not go on: it leaves the room, and ends to be started anew.

        It ends only when sound shows that it knows, since then the gate stays closed until a hand acts. Until it does, link
        stays out of the room: a sound that is away cannot be heard, and is told when it comes.
        """
        await self._violated.wait()
        if self._heard is None or Reason.VIOLATION not in reasons_of(self._heard.reasons):
            self._known.clear()  # what it may have known before was of another time
        found = self._engine.proof
        self._journal.tell(
            EventName.VIOLATION, engine=self._settings.room.engine, count=found.violations, why=found.why
        )
        await self._engine.leave()
        await self._known.wait()
        await asyncio.sleep(_TOLD)

    def _stop_here(self) -> None:
        """Exchange thread: the proof of mute has found something."""
        self._loop.call_soon_threadsafe(self._violated.set)

    async def _remind(self) -> None:
        """Tell sound again of an admin's mute that it seems not to know of: it was away, or is new, when that came.

        And that a trial is over of which nobody tells any more.
        """
        owed = False
        while True:
            await asyncio.sleep(_REMIND_EVERY)
            if self._answering.says.trial and time.monotonic() >= self._trial_until:
                self._change(trial=False)
            own = self._members.get(self._settings.device.identity)
            known = self._heard is None or Reason.ADMIN in reasons_of(self._heard.reasons)
            was, owed = owed, own is not None and own.admin_muted and not known
            if was and owed:  # twice in a row: a hand's answer to it may be on its way to the server
                self._change(admin_muted=self._answering.says.admin_muted + 1)

    def _from_engine(self, event: contract.RoomEvent) -> None:
        if self._next is None:  # what an engine says that is about to leave tells nothing of the new room
            self._report(event)

    def _report(self, event: contract.RoomEvent) -> None:
        match event:
            case contract.PhaseChanged():
                self._phase_changed(event)
            case contract.MemberChanged(member):
                self._members.take(member)
            case contract.MemberLeft(who):
                self._members.drop(who)
                self._levels.pop(who, None)
            case contract.Levels(levels, speaking):
                self._levels.update(levels)
                self._speaking = speaking
            case contract.DoorAsked(door):
                self._change(door=door, door_commands=self._answering.says.door_commands + 1)
            case contract.Recording(on):
                self._change(recording=on)
            case contract.BundleAsked(word):
                self._bundle.ask(word)
            case _:
                self._tell_sound(event)
        self._change(speakers=self._speakers(), members=self._members.joined, hands=self._members.hands)

    def _tell_sound(self, event: contract.RoomEvent) -> None:
        """Events that happen once: counters, so that a lost answer loses none."""
        field, name = _ONCE[type(event)]
        self._journal.tell(name)  # not who: a person's name is nothing for a journal
        self._change(**{field: getattr(self._answering.says, field) + 1})

    def _phase_changed(self, event: contract.PhaseChanged) -> None:
        if self._refused and event.phase in (LinkPhase.CONNECTING, LinkPhase.RECONNECTING):
            return  # asking again is no news: refused it stays until we are let in
        self._refused = False
        remark = event.phase is LinkPhase.IN_ROOM and event.why not in ("", self._why)
        self._why = event.why
        if event.phase in _PHASE_EVENTS and (remark or event.phase is not self._answering.says.link):
            self._journal.tell(_PHASE_EVENTS[event.phase], why=event.why)
        if event.phase is not LinkPhase.IN_ROOM:
            self._members.clear()
            self._levels.clear()
            self._speaking = frozenset()
        self._change(link=event.phase)
        self._site.change(event.phase)

    def _change(self, **fields: Any) -> None:
        says = self._answering.says._replace(**fields)
        if says != self._answering.says:
            self._answering.says = says

    def _speakers(self) -> tuple[Speaker, ...]:
        own = self._settings.device.identity
        heard = sorted(
            (who for who in self._speaking if who in self._members and who != own),
            key=lambda who: -self._levels.get(who, SILENCE),
        )
        return tuple(
            Speaker(
                self._members[who].sign.hue,
                self._members[who].sign.place,
                round(self._levels.get(who, SILENCE)),
                self._members[who].kind == "site",
            )
            for who in heard[:SLOTS]
        )

    def _told(self, uplink: Uplink | None) -> None:
        """Exchange thread: what sound said has changed, or it says nothing any more (None)."""
        self._loop.call_soon_threadsafe(self._pass_on, uplink)

    def _pass_on(self, uplink: Uplink | None) -> None:
        before, self._heard = self._last, uplink
        self._last = uplink or before
        if uplink is not None:
            if Reason.VIOLATION in reasons_of(uplink.reasons):
                self._known.set()
            self._report_site(uplink)
            # A sound that was started anew counts from the beginning: only a count that grew is a knock.
            if before is not None and 0 < (uplink.knocks - before.knocks) % _COUNTS < _COUNTS // 2:
                self._engine.knock()
        elif before is not None:
            reasons = before.reasons | 1 << Reason.AUDIO
            gone = before._replace(reasons=reasons, lamps=_STOPPED, loudspeaker=round(SILENCE), recording=False)
            self._report_site(gone)

    def _site_changed(self) -> None:
        if self._heard is not None:
            self._report_site(self._heard)

    def _report_site(self, uplink: Uplink) -> None:
        self._engine.report_site(self._site.report(uplink))
        self._engine.set_hand(uplink.hand)

    def state(self) -> LinkState:
        """The snapshot that status reads."""
        audio, counters = self._settings.audio, dict(self._engine.counters)
        return LinkState(
            engine=self._settings.room.engine,
            phase=self._answering.says.link,
            why=self._why,
            room=room_of(self._settings),
            members=self._members.joined,
            speaking=tuple(sorted(self._members[who].name for who in self._speaking if who in self._members)),
            exchange_connected=self._answering.connected,
            proof=self._engine.proof,
            opus=opus.version(),
            codec=Codec(audio.frame_ms, audio.bitrate, audio.complexity, fec=True, dtx=False),
            way=self._engine.way,
            uptime=time.monotonic() - self._started,
            counters={**self.counters.snapshot(), **counters},
        )

    def _shown(self) -> Mapping[str, object]:
        digest = {"settings": self._files.current.digest} if self._files else {}
        return self.state().as_dict() | own_process() | digest

    async def _status(self, _request: Mapping[str, Any]) -> Mapping[str, object]:
        limited = limits(self._engine.capabilities) if self._engine.capabilities.most_members else ()
        return {**self._shown(), "key": self._site.key, "limits": list(limited)}


async def main(settings: Settings, stop: asyncio.Event, journal: Journal, files: Files | None = None) -> None:
    """``kontor link``.

    :raises NotAllowed: the settings name an engine that is not here.
    :raises OpusMissing: there is no codec library.
    """
    make_folders(settings.device.state_dir, state_of(settings, "link"), settings.device.runtime_dir)
    opus.version()
    notifier = Notifier()
    try:
        await Link(settings, make_engine, journal, files).run(stop, notifier)
    finally:
        notifier.close()
