"""A scene is one state of the page: what the host says and what a person does until the page looks like it.

The same scenes are drawn (:mod:`tests.page.gallery`) and searched for barriers (:mod:`tests.page.axe`).
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.host.page.mock_host import MockHost
from tests.host.page.visits import Visit

if TYPE_CHECKING:
    from playwright.async_api import Page

HEIGHTS = {320: 640, 360: 740, 768: 1024, 1280: 800, 1920: 1080}
"""The widths of the design, and how high their windows are."""
WIDGET = {240: 120, 320: 180}
"""The same of the floating window."""
NARROW = (320, 360, 768)
"""Where the device comes in a sheet."""

Play = Callable[[Visit], Awaitable["Page | None"]]
"""Brings the page into the state; gives the window to look at, where that is another one."""

MICROPHONE = """
navigator.mediaDevices.getUserMedia = async () => {
  if (window.unplugged) throw new DOMException("", "NotFoundError");
  const context = new AudioContext(), tone = new OscillatorNode(context), gain = new GainNode(context, { gain: 0 });
  const out = new MediaStreamAudioDestinationNode(context);
  tone.connect(gain).connect(out);
  tone.start();
  window.talk = (level) => { gain.gain.value = level; };
  window.unplug = () => {
    window.unplugged = true;
    out.stream.getTracks().forEach((track) => { track.stop(); track.dispatchEvent(new Event("ended")); });
  };
  return out.stream;
};
"""
"""A microphone that is silent until ``talk(0.1)``, and can be pulled out: the browser's own one beeps when it likes."""


def nothing(_host: MockHost) -> None:
    """The host as it is: five are there, and nobody speaks."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One state.

    ``resizes``: the state stays when the window changes its width, so that one visit draws all widths. ``drawn``: a picture
    of it is compared in ``make test`` too, not only in ``make test-page``. ``floats``: it is the widget's, which has its own
    sizes. ``moves``: what changes its place by the design, with the reason beside it.
    """

    name: str
    play: Play
    host: Callable[[MockHost], None] = nothing
    script: str = ""
    widths: tuple[int, ...] = tuple(HEIGHTS)
    resizes: bool = True
    drawn: bool = False
    floats: bool = False
    moves: str = "$^"
    """A pattern of the node's HTML."""
    context: dict[str, Any] = field(default_factory=dict)

    @property
    def heights(self) -> dict[int, int]:
        """Of the windows, by their widths."""
        return WIDGET if self.floats else {width: HEIGHTS[width] for width in self.widths}


SCENES: dict[str, Scene] = {}


def scene(name: str, **options: Any) -> Callable[[Play], Play]:
    """Make a scene of a coroutine function; the options are those of :class:`Scene`."""

    def keep(play: Play) -> Play:
        assert name not in SCENES
        SCENES[name] = Scene(name, play, **options)
        return play

    return keep


async def press(visit: Visit, identity: str) -> None:
    """Press a key of the page, wherever it stands at this width: some are in a menu on narrow screens."""
    await visit.page.evaluate("id => document.getElementById(id).click()", identity)


async def open_sheet(visit: Visit, identity: str) -> None:
    """Press a key, and wait for the sheet that it opens."""
    await press(visit, identity)
    await visit.page.locator("dialog[open]").wait_for()


_MAY_MOVE = 'class="tile"'
"""PAGE.md has the tiles in the order of names: whoever comes or goes in the middle moves those that follow."""
OWN_KEY_GROWS = '<button class="key own"'
"""In a narrow dock, where somebody else or a fault ends the right to speak: picture 6 has the key grow over the place of the
hand, which has no meaning there. Whatever of it was under a finger stays so (test_layout.py)."""


def moved_by_itself(shifts: list[Any], moves: str = "$^") -> list[Any]:
    """Those layout shifts (WATCH of visits.py) that the design does not know, nor the pattern ``moves``."""
    known = re.compile(f"{_MAY_MOVE}|{moves}")
    return [shift for shift in shifts if not all(known.search(str(part)) for part in shift[1:])]
