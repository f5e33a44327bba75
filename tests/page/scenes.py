"""A scene is one state of the page: what the host says and what a person does until the page looks like it.

The same scenes are drawn (:mod:`tests.page.gallery`) and searched for barriers (:mod:`tests.page.axe`).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.host.page.mock_host import MockHost
from tests.host.page.visits import Visit

HEIGHTS = {320: 640, 360: 740, 768: 1024, 1280: 800, 1920: 1080}
"""The widths of the design, and how high their windows are."""
WIDTHS = tuple(HEIGHTS)
NARROW = (320, 360, 768)
"""Where the device comes in a sheet."""

MICROPHONE = """
navigator.mediaDevices.getUserMedia = async () => {
  const context = new AudioContext(), tone = new OscillatorNode(context), gain = new GainNode(context, { gain: 0 });
  const out = new MediaStreamAudioDestinationNode(context);
  tone.connect(gain).connect(out);
  tone.start();
  window.talk = (level) => { gain.gain.value = level; };
  window.unplug = () => out.stream.getTracks().forEach((t) => { t.stop(); t.dispatchEvent(new Event("ended")); });
  return out.stream;
};
"""
"""A microphone that is silent until ``talk(0.1)``, and can be pulled out: the browser's own one beeps when it likes."""


def nothing(_host: MockHost) -> None:
    """The host as it is: five are there, and nobody speaks."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One state.

    ``resizes``: the state stays when the window changes its width, so that one visit draws all widths. ``drawn``: the pictures
    of it are compared in ``make test`` too, not only in ``make test-page``.
    """

    name: str
    play: Callable[[Visit], Awaitable[None]]
    host: Callable[[MockHost], None] = nothing
    script: str = ""
    widths: tuple[int, ...] = WIDTHS
    resizes: bool = True
    drawn: bool = False
    context: dict[str, Any] = field(default_factory=dict)


SCENES: dict[str, Scene] = {}


def scene(name: str, **options: Any) -> Callable[[Callable[[Visit], Awaitable[None]]], Callable[[Visit], Awaitable[None]]]:
    """Make a scene of a coroutine function; the options are those of :class:`Scene`."""

    def keep(play: Callable[[Visit], Awaitable[None]]) -> Callable[[Visit], Awaitable[None]]:
        assert name not in SCENES
        SCENES[name] = Scene(name, play, **options)
        return play

    return keep
