"""Plays views to the renderer as the deck does, on a clock of its own, and reads what it sends as the LEDs would."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from appliance.core.lamps import Lamps, Sign
from appliance.media.exchange_messages import Speaker
from appliance.panel.layout import Layout
from appliance.panel.pixels import Message
from appliance.panel.port import View
from appliance.panel.renderer import Frame, RingState, render
from tools.apa102 import Light, decode

IN_ROOM = Lamps(Sign.OFF, Sign.STEADY, Sign.OFF, Sign.OFF, 0.0)
EMPTY = View(IN_ROOM)


def talking(*speakers: tuple[int, int, int], **fields: Any) -> View:
    """A view in which somebody with each (hue, place, level in dBov) speaks."""
    view = View(IN_ROOM, tuple(Speaker(hue, place, level, False) for hue, place, level in speakers))
    return replace(view, **fields)


class Player:
    """A panel whose time is :attr:`now`."""

    def __init__(self, layout: Layout | None = None) -> None:
        self.layout = layout or Layout()
        self.now = 1000.0
        self.ring = RingState()
        self.view = EMPTY
        self.frame = self._render()

    def _render(self) -> Frame:
        self.ring, frame = render(self.ring, self.view, self.now, self.layout)
        return frame

    def show(self, view: View) -> Frame:
        """Show it now."""
        self.view = view
        self.frame = self._render()
        return self.frame

    def run(self, seconds: float) -> Iterator[tuple[float, Frame]]:
        """Let time pass; gives every frame that was due by itself, with its time."""
        end = self.now + seconds
        while self.frame.next is not None and self.frame.next <= end:
            assert self.frame.next > self.now, "a frame is due that was drawn already"
            self.now = self.frame.next
            self.frame = self._render()
            yield self.now, self.frame
        self.now = end

    def wait(self, seconds: float) -> Frame:
        """Let time pass and give the last frame."""
        for _ in self.run(seconds):
            pass
        return self.frame

    @property
    def leds(self) -> list[Light]:
        """What the LEDs show, decoded from what would go over the wire."""
        pixels = self.layout.pixels
        return decode(bytes(Message(pixels).filled(self.frame.pixels)), pixels) if pixels else []

    @property
    def lit(self) -> set[int]:
        """Which LEDs are lit."""
        return {place for place, led in enumerate(self.leds) if led.lit}
