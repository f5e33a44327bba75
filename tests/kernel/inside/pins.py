"""A panel on pins that are real to Linux, and somebody who moves its contacts and looks at its lamps."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from appliance.app.panels import make_panel
from appliance.audio.gate import Gate
from appliance.core.lamps import Lamps, Sign
from appliance.core.pins import BOARDS, LINES
from appliance.panel.port import Hands, Panel, View
from appliance.settings import Settings
from appliance.settings.model_panel import PanelKind, PanelSettings
from tests.kernel.inside.listener import until
from tools.kernel.gpio_sim import Chip

BOARD = "pi4"
LABEL = BOARDS[BOARD].chip_labels[0]
MUTE, ROOM, TALK, UP, KNOCK = (LINES[name].gpio for name in ("mute", "room", "talk", "volume_up", "knock"))
MIC, SPEAK = LINES["mic_lamp"].gpio, LINES["speak_lamp"].gpio
CONTACTS = tuple(line.gpio for line in LINES.values() if line.direction == "in" and not line.bus)
LIVE = View(Lamps(Sign.OFF, Sign.STEADY, Sign.OFF, Sign.OFF, 0.0))
"""The microphone is open."""
SOON = 10.0
"""Seconds within which what is waited for happens, on a processor that is emulated."""


def chip() -> Chip:
    """The chip of :data:`BOARD`."""
    return Chip(LABEL)


def settings(**wishes: object) -> Settings:
    """Those of a device with a panel: all pins as the pin map has them."""
    return replace(Settings(), panel=replace(PanelSettings(kind=PanelKind.GPIO, board=BOARD), **wishes))  # type: ignore[arg-type]


@dataclass
class Room:
    """What the panel acts on: a real gate, and what it told, each with its time."""

    gate: Gate = field(default_factory=Gate)
    told: list[tuple[str, float]] = field(default_factory=list)
    looks: Callable[[], object] = lambda: None
    """What is looked at in the moment in which something is told; see :attr:`seen`."""
    seen: list[tuple[str, object]] = field(default_factory=list)

    @property
    def hands(self) -> Hands:
        """What the panel may do."""
        return Hands(
            self._close,
            lambda event: self._tell(str(event)),
            lambda: self._tell("knock"),
            lambda: self._tell("hand"),
            lambda step: self._tell(f"turn {step:+d}"),
            lambda: self.gate.is_open,
        )

    def open(self) -> None:
        """As the loop does once it has decided."""
        self.gate.decided()
        self.gate.open()

    def words(self, since: int = 0) -> list[str]:
        """What was told, from the ``since``-th on."""
        return [words for words, _at in self.told[since:]]

    def wait(self, words: str, since: int = 0) -> float:
        """When ``words`` were told first; waits for it. Raises TimeoutError with what was told instead."""
        try:
            until(lambda: words in self.words(since), SOON, words)
        except TimeoutError as error:
            raise TimeoutError(f"{error}, but {self.words(since)}") from error
        return next(at for told, at in self.told[since:] if told == words)

    def _close(self) -> bool:
        was_open = self.gate.close_by_hand()
        if was_open:
            self._tell("gate closed")
        return was_open

    def _tell(self, words: str) -> None:
        self.told.append((words, time.monotonic()))
        self.seen.append((words, self.looks()))


@contextlib.contextmanager
def panel(**wishes: object) -> Iterator[tuple[Panel, Room]]:
    """A started panel; stopped afterwards, without a trace."""
    made, room, before = make_panel(settings(**wishes)), Room(), set(threading.enumerate())
    made.start(room.hands)
    try:
        yield made, room
    finally:
        made.stop()
    assert made.ended.result(1) is None
    left = [thread.name for thread in set(threading.enumerate()) - before]
    assert not left, f"threads left: {left}"
    assert not lines_open(), f"lines left open: {lines_open()}"


def lines_open() -> list[str]:
    """Lines of GPIO chips that this process has open."""
    links = []
    for entry in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            links.append(os.readlink(f"/proc/self/fd/{entry}"))
    return [link for link in links if "gpio" in link]


def open_up(pins: Chip, made: Panel, room: Room) -> int:
    """Somebody puts the switch to on: the microphone is open and MIC dark. Returns how much had been told by then."""
    since = len(room.told)
    pins.pull(MUTE, up=True)
    room.wait("switch opened", since)
    room.open()
    made.show(LIVE)
    until(lambda: pins.level(MIC), SOON, "MIC is dark")
    return len(room.told)


def bounce(pins: Chip, line: int, up: bool, flips: int = 13, seconds: float = 0.01) -> None:
    """Move a contact as contacts do: it flips an odd number of times within ``seconds`` and ends ``up``."""
    for flip in range(flips):
        pins.pull(line, up if flip % 2 == 0 else not up)
        time.sleep(seconds / flips)
