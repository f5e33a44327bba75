"""The ring or row of LEDs as it is built in: which LED a sign lights, and with which light.

Everything that can be known before the first frame is a table here, so that a frame costs a few copies.

Brightness is what the eye sees (CIE 1976 lightness, 0 to 1) until the last moment; an LED's light is linear in what it is
sent. One step of lightness then looks like one step, and a colour keeps its hue however dim it is.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from appliance.core.roster import FIGURES, PLACES
from appliance.settings.model_panel import MOST_PIXELS

LEVEL_ONLY = len(FIGURES[-1])
"""A ring of fewer LEDs than the longest figure shows the level only."""

STEPS = 20
"""Steps of a level, as the page's meter has segments. Step 0 is a talker's pause."""

HUES = (
    (20, 60, 255),
    (0, 150, 255),
    (40, 255, 110),
    (150, 255, 0),
    (255, 170, 0),
    (255, 80, 0),
    (255, 0, 80),
    (255, 90, 255),
)
"""Red, green, blue of each hue of :data:`appliance.core.roster.HUES` at full light: start values, to be judged on the
diffuser that is built in."""

WHITE = (255, 210, 160)
"""The white of hand and knock. Three equal channels look blue on these LEDs."""

GREEN = (0, 255, 60)
"""ROOM's green: the door opens soon."""

PAUSE = 0.3
"""Lightness of a talker between two words, or as quiet as the meter's lowest segment."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What the ring says of the room itself, with places as a sign has them."""

    places: Iterable[int]
    rgb: tuple[int, int, int]
    pulses: bool


MARKS = (
    Mark((0, 4, 8), WHITE, pulses=False),  # the room is recorded
    Mark((0,), WHITE, pulses=True),  # the hand of this room is up
    Mark((0, 3, 6, 9), WHITE, pulses=True),  # somebody wants to speak
    Mark((1, 3, 5, 7, 9, 11), GREEN, pulses=True),  # the door opens soon
    Mark(range(2 * PLACES), WHITE, pulses=True),  # somebody knocks: every LED
)
"""Each covers those before it."""

DARK = bytes((0xE0, 0, 0, 0))
"""An LED that is not lit, as an APA102 or SK9822 takes it: three ones and its current, blue, green, red."""

CURRENTS = 31
"""Steps of the current that each LED can be given beside its colours."""

_WIDE_GAP = 3
"""From so many LEDs a place on, the last one stays dark, so that the segments of a figure can be counted."""


def light_of(lightness: float) -> float:
    """The share of full light that the eye sees as ``lightness`` (both 0 to 1; CIE 1976, L* to Y)."""
    star = 100.0 * min(1.0, max(0.0, lightness))
    return star / 903.3 if star <= 8.0 else ((star + 16.0) / 116.0) ** 3


def lightness_of_step(step: int) -> float:
    """How bright a talker is at a step of the level, 0 to :data:`STEPS`."""
    return PAUSE + (1.0 - PAUSE) * step / STEPS


class Palette:
    """Colours whose brightest has the share ``peak`` of an LED's full light. Each is four bytes: see :data:`DARK`.

    The current is set once, as low as it can be: the eight bits of each colour are then left for the levels. It does not
    follow them, since its steps are coarse and shift the hue of some LEDs.
    """

    def __init__(self, peak: float) -> None:
        self._current = math.ceil(peak * CURRENTS)
        self._scale = peak * CURRENTS / self._current
        self.talkers = [
            [self.colour(rgb, lightness_of_step(step)) for step in range(STEPS + 1)] for rgb in (*HUES, WHITE)
        ]
        """By hue and step; behind the hues WHITE, for whoever has no sign."""

    def colour(self, rgb: tuple[int, int, int], lightness: float) -> bytes:
        """``rgb`` (0 to 255 at full light) as bright as ``lightness`` (over 0); no channel that is lit at all goes out."""
        factor = light_of(lightness) * self._scale
        red, green, blue = (max(1, round(part * factor)) if part else 0 for part in rgb)
        return bytes((DARK[0] | self._current, blue, green, red))


@dataclass(frozen=True, slots=True)
class Layout:
    """How many LEDs there are, where they are and how bright they may be.

    :raises ValueError: a number is out of its range.
    """

    pixels: int = 12
    """0: there is no ring."""
    row: bool = False
    """A row, read from the left, instead of a ring, read clockwise from 12 o'clock."""
    first: int = 0
    """Which LED, in the order of the wire, is at 12 o'clock or at the left end."""
    backwards: bool = False
    """The wire runs anticlockwise, or from right to left."""
    current: int = 8
    """Current of an LED at its brightest, in 31sts of what it can take (some 60 mA for all three colours)."""
    night: float = 0.25
    """Lightness at night, of the LEDs and of SPEAK, as a share of that by day; over 0 to 1."""
    still: bool = False
    """Nothing pulses, and levels have five steps."""

    def __post_init__(self) -> None:
        if not 0 <= self.pixels <= MOST_PIXELS:
            raise ValueError(f"a ring has 0 to {MOST_PIXELS} LEDs, not {self.pixels}")
        if not 0 <= self.first < max(1, self.pixels):
            raise ValueError(f"LED {self.first} is none of {self.pixels}")
        if not 1 <= self.current <= CURRENTS:
            raise ValueError(f"a current is 1 to {CURRENTS} 31sts, not {self.current}")
        if not 0.0 < self.night <= 1.0:
            raise ValueError(f"the night's share is over 0 and at most 1, not {self.night}")

    def at(self, places: Iterable[int]) -> tuple[int, ...]:
        """The LEDs, by their place on the wire, at clock positions (any whole numbers; counted round), each once."""
        return tuple(dict.fromkeys(self.on_wire(led) for place in places for led in self._leds(place)))

    def _leds(self, place: int) -> Iterable[int]:
        """The LEDs of one place, as people read them.

        Below 24 LEDs a place is one LED and counts on modulo their number (PAGE.md). From 24 on it is all LEDs of a twelfth:
        else a ring of 60 would squeeze every sign into its first quarter, and no place would be its hour any more.
        """
        wide = self.pixels // PLACES
        if wide < 2:
            return (place,)
        start = round(place % PLACES * self.pixels / PLACES) - (0 if self.row else (wide - 1) // 2)
        return range(start, start + wide - (wide >= _WIDE_GAP))

    def on_wire(self, led: int) -> int:
        """The LED, by its place on the wire, that people count as ``led``: clockwise from 12 o'clock, or from the left."""
        if self.backwards:
            led = -led - 1 if self.row else -led
        return (self.first + led) % self.pixels


class Tables:
    """What follows from a layout. Signs are counted hue * 12 + place."""

    def __init__(self, layout: Layout) -> None:
        self.by_day = Palette(layout.current / CURRENTS)
        self.by_night = Palette(layout.current / CURRENTS * light_of(layout.night))
        known = layout.pixels >= LEVEL_ONLY
        signs = [(figure, place) for figure in FIGURES for place in range(PLACES) if known]
        self.lit = [layout.at(place + at for at, bit in enumerate(figure) if bit) for figure, place in signs]
        """The LEDs of each sign; empty where only a level is shown."""
        self.clear = [_mask(layout.at(range(place - 1, place + len(figure) + 1))) for figure, place in signs]
        """The LEDs, as a bit mask, in which no mark is drawn beside a sign: its span, and one place at either end."""
        self.marks = [layout.at(mark.places) if known else range(layout.pixels) for mark in MARKS]
        """The LEDs of each mark; all of them where only a level is shown."""

    def palette(self, night: bool) -> Palette:
        """The colours by day or at night."""
        return self.by_night if night else self.by_day


@lru_cache(maxsize=4)
def tables(layout: Layout) -> Tables:
    """The tables of ``layout``, made once."""
    return Tables(layout)


def _mask(leds: Iterable[int]) -> int:
    return sum(1 << led for led in leds)
