"""A panel on the bench: its lines, looked at and lit one by one, without a gate and without sound behind them."""

import time
from collections.abc import Callable, Mapping

from appliance.app.panels import layout_of
from appliance.core.pins import LINES
from appliance.panel.layout import DARK
from appliance.panel.lines import LIT_UNDRIVEN, Lines, LinesError, Pixels
from appliance.settings import PanelSettings
from appliance.settings.model_panel import PINS

Wire = Callable[[str, str], bool]
"""Reads an output line of the pin map as an input with a bias of the chip ("pull-up", "pull-down"); whether it is high.

:raises LinesError: it cannot be read so; one sentence."""

_LOOK = 0.005
_BLINK = 0.7
_ROUND = 3.0
"""Seconds that the running light takes at most."""
_BOUNCE = 0.02
"""Seconds without an edge after which a contact has come to rest: those of switches chatter for a tenth of it."""
_STILL = 0.2
"""Seconds without an edge after which a hand is no longer moving it."""
_WHITE = b"\xff\xff\xff"


class Bench:
    """The lines, in the words of the pin map: lines by their names, levels "high" and "low".

    :param wire: None: these lines cannot be read with a bias of their own.
    """

    def __init__(
        self,
        panel: PanelSettings,
        lines: Lines,
        pixels: Pixels | None = None,
        *,
        wire: Wire | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.panel = panel
        self._lines, self._pixels, self._wire, self._clock, self.sleep = lines, pixels, wire, clock, sleep
        self._edges: list[tuple[float, str]] = []
        self._lost: Exception | None = None

    @property
    def name(self) -> str:
        """What the lines are."""
        return self._lines.name

    def open(self) -> None:
        """Claim the lines.

        :raises LinesError: somebody else has them, or they are not there.
        """
        self._lines.open(self._moved, self._failed)

    def close(self) -> None:
        """Let them go; MIC and FAULT are lit."""
        self._lines.close()

    def missing(self, line: str) -> str:
        """The setting that says that there is no such line ("" for the pixels), as ``mute_pin = 0``; empty: it is there."""
        key = PINS[line] if line else "pixels"
        return "" if getattr(self.panel, key) else f"{key} = 0"

    def levels(self) -> Mapping[str, str]:
        """What all contacts read."""
        return {contact: self.level(contact) for contact in self._lines.contacts}

    def level(self, contact: str) -> str:
        """What it reads."""
        return word(self._lines.level(contact) is (self.active(contact) == "high"))

    def active(self, contact: str) -> str:
        """The level that means pressed, or muted."""
        return str(self.panel.mute_level if contact == "mute" else self.panel.button_level)

    def biased(self, line: str, bias: str) -> str:
        """What a line reads that the chip pulls up or down; before :meth:`open`.

        :raises LinesError: it cannot be read so.
        """
        if self._wire is None:
            raise LinesError("these lines cannot be read with a bias of their own")
        return word(self._wire(line, bias))

    def wait(self, there: Callable[[], bool], seconds: float) -> bool:
        """Look until it is so, or the time is over.

        :raises LinesError: the lines are lost.
        """
        end = self._clock() + seconds
        while not there():
            if self._lost is not None:
                raise LinesError(str(self._lost))
            if self._clock() >= end:
                return False
            self.sleep(_LOOK)
        return True

    def forget_edges(self) -> None:
        """Edges count from now on."""
        self._edges.clear()

    def edges(self, contact: str) -> list[float]:
        """When it has moved since."""
        return [at for at, name in list(self._edges) if name == contact]

    def rests(self, contact: str, level: str) -> bool:
        """Whether it reads that, and has not moved for a while."""
        edges = self.edges(contact)
        still = not edges or self._clock() - edges[-1] >= _STILL
        return still and self.level(contact) == level

    def chatter_ms(self, contact: str) -> float:
        """For how long it moved at most before it was still."""
        longest, began, before = 0.0, 0.0, float("-inf")
        for at in self.edges(contact):
            if at - before > _BOUNCE:
                began = at
            longest, before = max(longest, at - began), at
        return 1000 * longest

    def blink(self, lamp: str) -> None:
        """Light a lamp twice, and leave it as it was."""
        for brightness in (1.0, 0.0, 1.0, 0.0, 1.0 if lamp in LIT_UNDRIVEN else 0.0):
            self._lines.light(lamp, brightness)
            self.sleep(_BLINK)

    def run_light(self) -> None:
        """Let a light run once over the pixels, clockwise from 12 o'clock or from left to right, if the settings are right.

        :raises OSError: they take nothing.
        """
        if self._pixels is None:
            raise OSError("there are none")
        count, layout = self.panel.pixels, layout_of(self.panel)
        lit = bytes([DARK[0] | self.panel.pixel_brightness]) + _WHITE
        self._pixels.open()
        try:
            for at in map(layout.on_wire, range(count)):
                self._pixels.send(DARK * at + lit + DARK * (count - at - 1))
                self.sleep(min(0.2, _ROUND / count))
            self._pixels.send(DARK * count)
        finally:
            self._pixels.close()

    def _moved(self, contact: str, _down: bool) -> None:
        self._edges.append((self._clock(), contact))

    def _failed(self, error: Exception) -> None:
        self._lost = error


def label(line: str) -> str:
    """What people call a line."""
    return LINES[line].label


def word(high: bool) -> str:
    """A level."""
    return "high" if high else "low"
