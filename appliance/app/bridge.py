"""Puts ``kontor bridge`` together: two engines, the clock between them, status and watchdog."""

import asyncio
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from appliance.app.bridge_sides import check_apart, sides_as_dict
from appliance.app.places import private_folder
from appliance.app.process import NotAllowed, VitalEnded, beat, moved, tune, until_stopped
from appliance.core.events import EventName
from appliance.core.lamps import LinkPhase
from appliance.health.journal import Journal
from appliance.health.machine import own_process
from appliance.health.notify import Notifier
from appliance.health.status import StatusServer
from appliance.media import opus
from appliance.rooms.bridge import Bridge, Violated
from appliance.rooms.bridge_end import EndSettings
from appliance.rooms.bridge_rings import BridgeEnded
from appliance.settings import identity_of

SYSTEM = Path("/run/kontor-bridge")
"""Where systemd makes a folder for each bridge."""
STATUS = "bridge.status"
_BY_SYSTEMD = "RUNTIME_DIRECTORY"


def own_base() -> Path:
    """The folder of this user's bridges."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_dir():
        return Path(runtime) / "kontor-bridge"
    return Path(tempfile.gettempdir()) / f"kontor-bridge-{os.getuid()}"


def bridge_folders() -> list[Path]:
    """Runtime folders in which a bridge may be running."""
    return [folder for base in (SYSTEM, own_base()) if base.is_dir() for folder in sorted(base.iterdir())]


def _runtime(a: EndSettings, b: EndSettings) -> Path:
    """:raises NotAllowed: there is no place for the status socket."""
    given = os.environ.get(_BY_SYSTEMD, "").split(":")[0]
    try:
        if given:
            return Path(given)
        name = f"{identity_of(f'{a.room} {b.room}')[:40]}-{a.digest[:4]}{b.digest[:4]}"  # rooms may have one name
        return private_folder(private_folder(own_base()) / name)
    except OSError as error:
        raise NotAllowed(f"no place for the status: {error}") from error


class _Running:
    """A bridge while it runs, and what is told of it."""

    def __init__(self, a: EndSettings, b: EndSettings, journal: Journal, *, stands_aside: bool) -> None:
        self._journal = journal
        self.bridge = Bridge(a, b, self._changed, stands_aside=stands_aside)
        self._aside = ""
        self._phases = [LinkPhase.STARTING, LinkPhase.STARTING]
        self._closed: list[tuple[str, ...]] = [(), ()]
        self._delay_told = [False, False]

    def _changed(self) -> None:
        if (aside := self.bridge.rings.aside) != self._aside:
            self._aside = aside
            if aside:
                self._journal.tell(EventName.BRIDGE_ASIDE, why=aside)
            else:
                self._journal.tell(EventName.BRIDGE_ASIDE_OVER)
        for at, end in enumerate(self.bridge.ends):
            if end.phase is not self._phases[at]:
                self._phases[at] = end.phase
                fields = {"side": end.side, "room": end.settings.room, "phase": end.phase.name.lower()}
                self._journal.tell(EventName.BRIDGE_PHASE, **fields, why=end.why)
            closed = self.bridge.closed(at)
            if closed != self._closed[at]:
                self._closed[at] = closed
                self._journal.tell(EventName.BRIDGE_CHANGED, into=end.settings.room, closed=", ".join(closed) or "no")
            delay = self.bridge.added_ms(at)
            if delay is not None and not self._delay_told[at]:
                self._delay_told[at] = True
                self._journal.tell(EventName.BRIDGE_DELAY, into=end.settings.room, ms=delay)

    def words(self) -> str:
        """For ``systemctl status``."""
        a, b = (end.settings.room for end in self.bridge.ends)
        return " ".join([f"Between {a} and {b}.", *self._troubles()])

    def _troubles(self) -> Iterator[str]:
        if self._aside:
            yield f"Stands aside: {self._aside}"
            return
        for at, end in enumerate(self.bridge.ends):
            if end.why:
                yield f"{end.settings.room}: {end.why}"
            if closed := self.bridge.closed(at):
                yield f"Nothing is said in {end.settings.room}: {', '.join(closed)}."

    def shown(self) -> dict[str, object]:
        """For ``kontor status``."""
        return {"part": "bridge", **self.bridge.as_dict(), **own_process()}


async def main(
    a: EndSettings, b: EndSettings, stop: asyncio.Event, journal: Journal, *, stands_aside: bool = False
) -> None:
    """``kontor bridge``.

    :param stands_aside: beside another bridge between the rooms it waits, instead of ending.
    :raises NotAllowed: the sides are one room, a room refuses the bridge, or it closes a ring.
    :raises OpusMissing: there is no codec library.
    """
    check_apart(a, b)
    opus.version()
    running = _Running(a, b, journal, stands_aside=stands_aside)
    notifier = Notifier()
    bridge = running.bridge

    async def status(_request: Mapping[str, Any]) -> Mapping[str, object]:
        return running.shown()

    server = StatusServer(_runtime(a, b) / STATUS, {"status": status})
    await server.start()
    bridge.clock.start()
    try:
        tune()
        notifier.tell("READY=1")
        floor = {"adds_at_least_ms": max(bridge.floor_ms(at) for at in range(2))}
        journal.tell(EventName.BRIDGE_STARTED, **sides_as_dict(a, b), **floor)
        alive = moved(lambda: bridge.clock.rounds)
        await until_stopped(stop, {**bridge.parts(), "watchdog": lambda: beat(notifier, alive, journal, running.words)})
    except BaseExceptionGroup as group:
        _say_why(group, journal)
        raise
    finally:
        bridge.clock.stop()
        await bridge.leave()
        await server.stop()
        notifier.close()
        journal.tell(EventName.BRIDGE_STOPPED)


def _say_why(group: BaseExceptionGroup[BaseException], journal: Journal) -> None:
    """:raises NotAllowed: the bridge has ended by itself, with one sentence."""
    for error in _leaves(group):
        match error.__cause__:
            case BridgeEnded() as ended:
                raise NotAllowed(str(ended)) from ended
            case Violated() as found:
                journal.tell(EventName.VIOLATION, engine="bridge", why=str(found))


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        elif isinstance(error, VitalEnded):
            yield error
