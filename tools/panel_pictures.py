"""Pictures of the panel: ``make panel-pictures`` writes docs/pictures/panel-*.png.

Each shows how the device looks in one state of the room, and under it 4 s of all lamps and LEDs. Nothing is drawn by hand: the
lamp table, the renderer and the bytes for the LEDs are the real ones, read back as a chain of LEDs would.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from appliance.core.controls import Controls, Door, Reason
from appliance.core.lamps import Health, LinkPhase, Room, lamps
from appliance.core.units import SILENCE
from appliance.media.exchange_messages import Speaker
from appliance.panel.layout import Layout
from appliance.panel.pixels import Message
from appliance.panel.port import View
from appliance.panel.renderer import RingState, render
from tools.apa102 import decode
from tools.faceplate import DAY, INK, INK2, NIGHT, Canvas, Moment, draw_course, draw_face

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"

SECONDS = 4.0
FRAMES = 30
"""A second."""
_LEVELS = 20
"""Levels are told so often a second."""
_WIDE, _HIGH, _MARGIN = 288, 566, 24

BEN, HAMBURG, YUKI, LENA = (5, 1), (1, 11), (7, 6), (3, 2)
"""Hue and place. Ben and Hamburg are those of the page's picture; Lena's figure meets none of them but Ben's."""
_VOICE = {BEN: (-14.0, 0.0), HAMBURG: (-24.0, 0.6), YUKI: (-34.0, 1.1), LENA: (-20.0, 0.3)}
"""Level at the loudest, dBov, and how far their syllables are apart, seconds."""

OPEN = Controls(held=frozenset())
MUTED = Controls(held=frozenset({Reason.SWITCH}))
IN_ROOM = Room(phase=LinkPhase.IN_ROOM)
WANTED = replace(IN_ROOM, wanted=True)
TWELVE = Layout()


@dataclass(frozen=True, slots=True)
class Scene:
    """A state of the room, and what is written above it."""

    title: str
    words: str
    controls: Controls = OPEN
    room: Room = IN_ROOM
    speakers: Callable[[float], Sequence[tuple[int, int]]] = lambda _: ()
    """Who is named as a speaker at a time."""
    view: Callable[[View], View] = lambda view: view
    layout: Layout = TWELVE
    at: float = 2.0
    """The moment at which the front is drawn."""


def level(who: tuple[int, int], at: float) -> int:
    """Their level: syllables, four a second, and a pause now and then."""
    loudest, shift = _VOICE[who]
    time = at + shift
    if time % 2.4 > 1.9:
        return round(SILENCE)
    return round(loudest - 16.0 * (1.0 - abs(math.sin(math.pi * 3.7 * time))))


def view_of(scene: Scene, at: float) -> View:
    """What a desk would tell the panel."""
    speakers = tuple(Speaker(*who, level(who, at), who == HAMBURG) for who in scene.speakers(at))
    loudest = max((float(speaker.level) for speaker in speakers), default=SILENCE)
    return scene.view(View(lamps(scene.controls, replace(scene.room, level=loudest)), speakers))


def play(scene: Scene) -> list[Moment]:
    """Everything that is to be seen, a frame after the other."""
    ring, message, moments = RingState(), Message(scene.layout.pixels), []
    for number in range(round(SECONDS * FRAMES) + 1):
        at = number / FRAMES
        ring, frame = render(ring, view_of(scene, math.floor(at * _LEVELS) / _LEVELS), at, scene.layout)
        leds = decode(bytes(message.filled(frame.pixels)), scene.layout.pixels)
        moments.append(Moment(at, frame, leds))
    return moments


def draw(scenes: Sequence[Scene], path: Path) -> None:
    """One picture of some scenes side by side."""
    canvas = Canvas(_MARGIN + len(scenes) * (_WIDE + _MARGIN), _HIGH + 2 * _MARGIN)
    for column, scene in enumerate(scenes):
        left = _MARGIN + column * (_WIDE + _MARGIN)
        moments = play(scene)
        shown = next(moment for moment in moments if moment.at >= scene.at)
        canvas.words((left, _MARGIN), scene.title, 16, INK, bold=True)
        canvas.words((left, _MARGIN + 24), scene.words, 12, INK2)
        muted = Reason.SWITCH in scene.controls.held
        light = NIGHT if view_of(scene, scene.at).night else DAY
        draw_face(canvas, left, _MARGIN + 66, shown, scene.layout, muted=muted, light=light)
        draw_course(canvas, left, _MARGIN + 66 + 382, moments, scene.layout, scene.at)
    canvas.finished().save(path, optimize=True)


PEOPLE = (
    Scene("Nobody speaks", "In the room, the microphone is open."),
    Scene("One speaks", "Ben: rust, from 1 o'clock on.\nLouder is brighter.", speakers=lambda _: (BEN,), at=1.0),
    Scene("Two speak", "Ben, and Hamburg at 11 o'clock,\nas on the page.", speakers=lambda _: (BEN, HAMBURG), at=1.0),
    Scene("Three speak", "And Yuki from 6 o'clock on, softly.", speakers=lambda _: (BEN, HAMBURG, YUKI), at=1.0),
    Scene(
        "Two figures meet",
        "Lena joins Ben at 2 o'clock, Ben ends at 1.5 s:\nhis LED is hers when his hold ends.",
        speakers=lambda at: (BEN,) if at < 0.7 else (BEN, LENA) if at < 1.5 else (LENA,),
        at=1.2,
    ),
)
MARKS = (
    Scene("A hand is up", "White quarters fade with SPEAK.", room=WANTED, view=lambda view: replace(view, hands=1)),
    Scene("A knock", "The whole ring fades with SPEAK.", room=WANTED, view=lambda view: replace(view, knock=True)),
    Scene(
        "A knock while Ben speaks",
        "His figure stays his: nothing white\nin it or beside it.",
        room=WANTED,
        speakers=lambda _: (BEN,),
        view=lambda view: replace(view, knock=True),
    ),
    Scene("Recorded", "Three white LEDs, as long as it runs.", view=lambda view: replace(view, recording=True)),
    Scene(
        "The door opens soon",
        "Every second LED fades in ROOM's green.",
        MUTED,
        view=lambda view: replace(view, warning=True),
    ),
)
MUTE = (
    Scene("Muted", "The gate is closed, by the switch.", MUTED),
    Scene(
        "Talking while muted", "MIC fades; nobody far away sees it.", MUTED, replace(IN_ROOM, talking_while_closed=True)
    ),
    Scene("Reconnecting", "ROOM fades. Muted stays muted.", MUTED, Room(phase=LinkPhase.RECONNECTING)),
    Scene(
        "Fault",
        "Closed by a fault: MIC blinks. FAULT\nblinks: somebody has to come.",
        Controls(held=frozenset({Reason.VIOLATION})),
        Room(phase=LinkPhase.IN_ROOM, health=Health.NEEDS_PERSON),
        at=2.1,
    ),
    Scene(
        "Door closed",
        "No sound either way, nobody is seen.",
        Controls(held=frozenset(), door=Door.CLOSED),
        speakers=lambda _: (BEN,),
    ),
)
_TALK = Scene("", "", speakers=lambda _: (BEN, HAMBURG, YUKI), at=1.0)
RINGS = (
    replace(
        _TALK,
        title="Night",
        words="A quarter as bright to the eye,\nin a room that is dark.",
        view=lambda view: replace(view, night=True),
    ),
    replace(
        _TALK, title="Still", words="Five steps, two changes a second;\nnothing pulses.", layout=Layout(still=True)
    ),
    replace(_TALK, title="60 LEDs", words="A place is four of them and a gap.", layout=Layout(pixels=60)),
    replace(_TALK, title="16 LEDs", words="A place is one LED, counted on.", layout=Layout(pixels=16)),
    replace(_TALK, title="A row of 24", words="Read from the left.", layout=Layout(pixels=24, row=True)),
)


SHEETS = {"people": PEOPLE, "marks": MARKS, "mute": MUTE, "rings": RINGS}


def main() -> None:
    """Draw all of them."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, scenes in SHEETS.items():
        draw(scenes, PICTURES / f"panel-{name}.png")
        print(f"docs/pictures/panel-{name}.png")


if __name__ == "__main__":
    main()
