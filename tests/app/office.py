"""A device with quiet hours, for their tests."""

from datetime import datetime
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

from appliance.app.clock import TimeKeeper
from appliance.app.desk import Desk
from appliance.app.quiet import Quiet, QuietMemory
from appliance.audio.gate import Gate
from appliance.core.chimes import Chime
from appliance.core.controls import Door, Event, MuteControl, Reason, initial
from appliance.core.counters import Counters
from appliance.panel.memory import MuteMemory
from appliance.panel.port import Panel
from appliance.settings import QuietSettings
from appliance.settings.schedule import parse_dates, parse_hours
from tests.app.parts import LampRow, journal

BERLIN = "Europe/Berlin"
NIGHTS = ("19:00-07:00",)
WEEK = ("mon-fri 19:00-24:00", "mon-fri 00:00-07:00", "sat,sun 00:00-24:00")


def unix(text: str, zone: str = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


class Office:
    """A device with quiet hours, through power cuts; its clock is set by hand or by a server."""

    def __init__(self, folder: Path, *hours: str, zone: str = BERLIN, free: tuple[str, ...] = ()) -> None:
        self.folder, self.marker, self.zone = folder, folder / "synchronized", zone
        self.settings = QuietSettings(
            time_zone=zone,
            hours=tuple(map(parse_hours, hours)),
            holidays=tuple(map(parse_dates, free)),
            night=parse_hours("22:00-06:00"),
        )
        self.now, self.steady, self.synchronised = unix("2027-06-01T12:00", zone), 0.0, True
        self.chimes: list[Chime] = []
        self.power()

    def power(self) -> None:
        """Power comes back: what is on the disk is all that is known."""
        told, self.lines = journal()
        memory = MuteMemory(self.folder)
        found = memory.load()
        controls = initial(
            MuteControl.MOMENTARY, remembered=found.reasons, door=found.door if found.stored else Door.OPEN
        )
        self.gate = Gate()
        panel = cast("Panel", LampRow([]))
        self.desk = Desk(
            self.gate, panel, memory, controls, journal=told, counters=Counters(), clock=lambda: self.steady
        )
        keeper = TimeKeeper(
            wall=lambda: self.now,
            steady=lambda: self.steady,
            synchronised=lambda: self.synchronised,
            marker=self.marker,
        )
        self.quiet = Quiet(self.settings, self.desk, QuietMemory(self.folder), told, keeper)
        self.quiet.start()
        self.desk.chime = self.chimes.append
        for event in (Event.PANEL_FOUND, Event.AUDIO_FOUND, Event.STARTED):
            self.desk.apply(event)

    async def cut(self, *, clock: str | None = None, synchronised: bool = False) -> None:
        """The power fails. Without a battery the clock goes on where it was, or where it is told to."""
        await self.store()
        self.now = unix(clock, self.zone) if clock else self.now
        self.steady, self.synchronised = 0.0, synchronised
        self.power()

    async def store(self) -> None:
        await self.desk.store()
        assert await self.quiet.store()

    def wait(self, seconds: float, every: float = 30.0) -> None:
        """Time passes, and the clock is looked at now and then."""
        while seconds > 0:
            step_ = min(every, seconds)
            self.now += step_
            self.steady += step_
            self.quiet.look()
            seconds -= step_

    def wait_until(self, text: str) -> None:
        self.wait(unix(text, self.zone) - self.now)

    def set(self, text: str, *, synchronised: bool) -> None:
        """Somebody sets the clock; as a server does it, or not."""
        self.now, self.synchronised = unix(text, self.zone), synchronised
        self.quiet.look()

    def press(self, times: int = 1) -> None:
        """A hand at the door."""
        for _ in range(times):
            self.desk.apply(Event.DOOR_PRESSED)
            self.quiet.look()

    @property
    def door(self) -> Door:
        return self.desk.controls.door

    @property
    def held(self) -> bool:
        return Reason.QUIET in self.desk.controls.held
