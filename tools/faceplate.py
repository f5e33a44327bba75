"""The front of the device, drawn from what really goes to its lamps and over the wire to its LEDs.

Looks as on the page (PAGE.md; appliance/host/page/faceplate.js), but for the light: each LED has the colour and brightness
that :mod:`tools.apa102` reads from the bytes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from appliance.core.lamps import LAMPS
from appliance.panel.layout import CURRENTS, Layout
from appliance.panel.renderer import Frame
from tools.apa102 import Light

RGB = tuple[int, int, int]
Linear = tuple[float, float, float]

FINE = 3
"""Pixels drawn for each one kept, in both directions: what is left has smooth edges."""

PAPER, INK, INK2, EDGE = "#111110", "#f1efea", "#aba79d", "#7d7a72"
_LAMPS = {"mic": "#ff5a4a", "room": "#4cc46e", "speak": "#ffffff", "fault": "#f0a92b"}
_HOLES = ((0.0, 1), (12.5, 6), (25.0, 12), (37.5, 18))
_INNER, _OUTER = 78, 94
_WIDTH, _HEIGHT = 288, 366


@dataclass(frozen=True, slots=True)
class Daylight:
    """The colours of what gives no light itself."""

    face: str
    edge: str
    unlit: str


DAY, NIGHT = Daylight("#252523", "#3a3a37", "#383632"), Daylight("#0b0b0b", "#1c1c1a", "#131312")


@dataclass(frozen=True, slots=True)
class Moment:
    """What is to be seen at one time."""

    at: float
    """Seconds."""
    frame: Frame
    leds: Sequence[Light]
    """Read back from the wire, in its order."""


def from_hex(colour: str) -> RGB:
    """#rrggbb as three numbers."""
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def to_linear(colour: str) -> Linear:
    """The light of a colour of a screen (IEC 61966-2-1)."""
    red, green, blue = (
        (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4) for v in map(_share, from_hex(colour))
    )
    return red, green, blue


def _share(value: int) -> float:
    return value / 255


def to_screen(light: Linear) -> RGB:
    """The colour of a screen for some light; what is brighter than the screen is as bright as that can be."""
    bounded = (min(1.0, max(0.0, part)) for part in light)
    red, green, blue = (round(255 * (v * 12.92 if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055)) for v in bounded)
    return red, green, blue


def glow(ground: str, light: Linear) -> RGB:
    """A surface that is seen by day, with light behind it."""
    red, green, blue = (a + b for a, b in zip(to_linear(ground), light, strict=True))
    return to_screen((red, green, blue))


def lamp_colour(lamp: str, share: float, ground: str) -> RGB:
    """A lamp's lens with a share of its full light."""
    red, green, blue = (share * part for part in to_linear(_LAMPS[lamp]))
    return glow(ground, (red, green, blue))


def led_colour(led: Light, layout: Layout, ground: str) -> RGB:
    """An LED behind its diffuser; the brightest that the layout allows is as bright as the picture."""
    red, green, blue = (part * CURRENTS / layout.current for part in led.linear)
    return glow(ground, (red, green, blue))


class Canvas:
    """A picture in the page's own units, drawn fine and kept coarse."""

    def __init__(self, width: int, height: int) -> None:
        self._image = Image.new("RGB", (width * FINE, height * FINE), PAPER)
        self._draw = ImageDraw.Draw(self._image)

    def box(
        self, at: tuple[float, float, float, float], fill: str | RGB | None, edge: str | None = None, r: float = 0
    ) -> None:
        """A box with round corners: left, top, right, bottom."""
        scaled = tuple(FINE * value for value in at)
        self._draw.rounded_rectangle(scaled, FINE * r, fill, edge, FINE)

    def disc(self, x: float, y: float, r: float, fill: str | RGB | None, edge: str | None = None) -> None:
        """A disc."""
        self._draw.ellipse([FINE * v for v in (x - r, y - r, x + r, y + r)], fill, edge, FINE)

    def sector(self, centre: tuple[float, float], turn: float, wide: float, fill: RGB) -> None:
        """One segment of a ring: its middle is ``turn`` degrees clockwise from 12 o'clock."""
        steps = [turn - wide / 2 + wide * n / 12 for n in range(13)]
        points = [_point(centre, angle, _OUTER) for angle in steps]
        points += [_point(centre, angle, _INNER) for angle in reversed(steps)]
        self._draw.polygon(points, fill)

    def words(
        self, at: tuple[float, float], text: str, size: int, fill: str, *, anchor: str = "la", bold: bool = False
    ) -> None:
        """A line of text, or several."""
        font = ImageFont.load_default(size * FINE)
        stroke = FINE // 3 if bold else 0
        self._draw.multiline_text((at[0] * FINE, at[1] * FINE), text, fill, font, anchor, 3 * FINE, stroke_width=stroke)

    def finished(self) -> Image.Image:
        """The picture."""
        width, height = self._image.size
        return self._image.resize((width // FINE, height // FINE), Image.Resampling.LANCZOS)


def _point(centre: tuple[float, float], angle: float, radius: float) -> tuple[float, float]:
    turn = math.radians(angle)
    return FINE * (centre[0] + radius * math.sin(turn)), FINE * (centre[1] - radius * math.cos(turn))


def draw_face(
    canvas: Canvas, left: float, top: float, moment: Moment, layout: Layout, *, muted: bool, light: Daylight
) -> None:
    """The faceplate at one moment; 288 wide and 366 high."""
    canvas.box((left, top, left + _WIDTH, top + _HEIGHT), light.face, light.edge, 20)
    centre = (left + _WIDTH / 2, top + 121)
    if layout.row:
        _row(canvas, centre, moment.leds, layout, light.unlit)
    else:
        _ring(canvas, centre, moment.leds, layout, light.unlit)
    for radius, count in _HOLES:
        for n in range(count):
            x, y = _point(centre, n * 360 / count, radius)
            canvas.disc(x / FINE, y / FINE, 2.7, PAPER)
    for column, lamp in enumerate(LAMPS):
        x = left + 51 + 62 * column
        share = getattr(moment.frame, lamp)
        canvas.disc(x, top + 241, 7, lamp_colour(lamp, share, light.face), None if share > 0 else EDGE)
        canvas.words((x, top + 260), lamp.upper(), 12, INK if share > 0 else INK2, anchor="ma")
    canvas.box((left + 21, top + 296, left + _WIDTH - 21, top + 297), light.edge)
    _switch(canvas, left, top + 316, muted)


def _ring(canvas: Canvas, centre: tuple[float, float], leds: Sequence[Light], layout: Layout, unlit: str) -> None:
    wide = 360 / len(leds)
    gap = min(4.0, wide / 4)
    for wire, led in enumerate(leds):
        hour = (wire - layout.first) * (-1 if layout.backwards else 1)
        canvas.sector(centre, hour * wide, wide - gap, led_colour(led, layout, unlit))


def _row(canvas: Canvas, centre: tuple[float, float], leds: Sequence[Light], layout: Layout, unlit: str) -> None:
    wide = 228 / len(leds)
    for wire, led in enumerate(leds):
        at = (wire - layout.first) % len(leds)
        left = centre[0] - 114 + wide * (len(leds) - 1 - at if layout.backwards else at)
        canvas.box(
            (left, centre[1] - 92, left + wide - min(3.0, wide / 4), centre[1] - 76), led_colour(led, layout, unlit)
        )


def _switch(canvas: Canvas, left: float, top: float, muted: bool) -> None:
    canvas.words((left + 92, top + 15), "OPEN", 12, INK2 if muted else INK, anchor="rm")
    canvas.words((left + 193, top + 15), "MUTE", 12, INK if muted else INK2, anchor="lm")
    canvas.box((left + 105, top, left + 181, top + 30), PAPER, EDGE, 8)
    lever = left + (142 if muted else 108)
    canvas.box((lever, top + 3, lever + 36, top + 27), "#d8d5cc", None, 5)
    for line in (15, 20):
        canvas.box((lever + line, top + 9, lever + line + 1, top + 21), "#5a574f")


def draw_course(canvas: Canvas, left: float, top: float, moments: Sequence[Moment], layout: Layout, at: float) -> None:
    """All of it over time, 288 wide and 120 high: a row for each LED in the order of the clock, and one for each lamp."""
    start, end = left + 48, left + _WIDTH
    step = (end - start) / len(moments)
    rows = 60 / max(1, layout.pixels)
    for column, moment in enumerate(moments):
        x = start + column * step
        for hour in range(layout.pixels):
            led = moment.leds[(layout.first + (-hour if layout.backwards else hour)) % layout.pixels]
            canvas.box(
                (x, top + hour * rows, x + step, top + (hour + 1) * rows - rows / 6), led_colour(led, layout, PAPER)
            )
        for number, lamp in enumerate(LAMPS):
            y = top + 68 + 13 * number
            canvas.box((x, y, x + step, y + 9), lamp_colour(lamp, getattr(moment.frame, lamp), "#1c1c1a"))
    shown = next(column for column, moment in enumerate(moments) if moment.at >= at) * step + start
    canvas.box((shown, top - 4, shown + 1, top + 118), INK)
    canvas.words((left + 40, top), "row" if layout.row else "ring", 9, INK2, anchor="ra")
    canvas.words((end, top + 122), f"{moments[-1].at:.0f} s", 9, INK2, anchor="ra")
    for number, lamp in enumerate(LAMPS):
        canvas.words((left + 40, top + 68 + 13 * number), lamp.upper(), 9, INK2, anchor="ra")
