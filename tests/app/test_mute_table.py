"""The whole table of the mute, from every set of reasons to what can be seen and heard of it.

Core proves what holds (tests/core/test_controls_space.py); here the parts that make it so stand one behind the other as
``kontor sound`` and ``kontor link`` put them together: desk, gate, lamps, duplex, the exchange's bytes, and what link reports,
which the host gives to every page. Each state is asked twice, with somebody who talks into the microphone and without: what
differs is what the mute would give away.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from appliance.app.link import Link
from appliance.app.sound import Sound
from appliance.audio.virtual import Tone, VirtualCard
from appliance.core.controls import Controls, Door, MuteControl, Reason, Reasons
from appliance.core.lamps import Lamps, LampSigns, Sign
from appliance.core.units import BLOCK
from appliance.media.exchange import CLOSED_BYTES, Client, Downlink, Speaker, decode_uplink
from appliance.panel.layout import Layout
from appliance.panel.port import Panel, View
from appliance.panel.renderer import Frame, RingState, render
from appliance.rooms.contract import SiteReport
from appliance.rooms.nowhere import Nowhere
from appliance.rooms.presence import site_message
from tests.app.parts import journal, settings
from tests.core.controls_space import subsets

LOUD = np.full((1, BLOCK), 0.5, np.float32)
HELD = subsets(set(Reason) - {Reason.DOOR})
"""Every set of reasons there can be, and more than can be reached."""
BROKEN = {Reason.AUDIO, Reason.PANEL, Reason.VIOLATION}
SECRET = (b"direction", b"level", b"microphone", b"talking")


class Ears(Nowhere):
    """An engine that keeps what the room would be told."""

    def __init__(self) -> None:
        super().__init__("")
        self.site = SiteReport(False, (), Door.CLOSED, {}, 0)

    def report_site(self, report: SiteReport) -> None:
        self.site = report


class Eyes:
    """A panel that keeps what it is shown."""

    name, problem = "eyes", ""

    def __init__(self) -> None:
        self.view = View(Lamps(Sign.STEADY, Sign.OFF, Sign.OFF, Sign.STEADY, 0.0))

    def show(self, view: View) -> None:
        self.view = view


class World:
    """Sound and link as they are put together, without their threads: each step is asked for."""

    def __init__(self, folder: Path) -> None:
        self.eyes, self.ears = Eyes(), Ears()
        self.sound = Sound(settings(folder), VirtualCard(Tone(440)), cast("Panel", self.eyes), journal()[0])
        self.link = Link(settings(folder), lambda _: self.ears, journal()[0])
        self.exchange = Client(folder / "exchange", timeout=1.0)
        self.sound._listener.poll()
        self.out = np.zeros(BLOCK, np.float32)
        self.seq = 0

    def put(self, held: Reasons, door: Door, *, talking: bool) -> bytes:
        """Bring sound into a state; what it sends link then, but for its number."""
        sound = self.sound
        sound.desk._controls = Controls(MuteControl.MOMENTARY, held=held, door=door)
        sound.desk._follow()
        sound.duplex.captured(LOUD, 0, 0.0)
        sound.duplex.talking = talking
        sound._show()
        sound.duplex.wanted(self.out)
        data = self.exchange._socket.recv(2048)
        self.exchange.send(Downlink(seq=decode_uplink(data).seq))
        return data

    def close(self) -> None:
        self.exchange.close()
        self.sound._listener.close()


@pytest.fixture
def world(short_dir: Path) -> Iterator[World]:
    world = World(short_dir)
    yield world
    world.close()


def mic_of(held: Reasons, *, is_open: bool, talking: bool) -> Sign:
    """UX.md, "Lamps", said once more."""
    if is_open:
        return Sign.OFF
    if held & BROKEN and Reason.STARTING not in held:
        return Sign.FAST
    return Sign.SLOW if talking else Sign.STEADY


def test_gate_lamps_and_what_the_room_is_told_in_every_state(world: World) -> None:
    """Some 25,000 states: all sets of reasons, all doors, with a voice at the microphone and without."""
    for number, (held, door) in enumerate(product(HELD, Door)):
        is_open = not held and door is Door.OPEN
        reasons = held if door is Door.OPEN else held | {Reason.DOOR}
        quiet, loud = (world.put(held, door, talking=talking) for talking in (False, True))

        assert world.sound.gate.is_open is is_open
        assert (len(quiet) == CLOSED_BYTES) is not is_open, "a block leaves exactly when the gate is open"
        assert len(loud) == len(quiet)
        told = decode_uplink(loud)
        assert told.reasons == sum(1 << reason for reason in reasons)
        assert told.door is door

        lamps = world.eyes.view.lamps
        assert lamps.mic is mic_of(held, is_open=is_open, talking=True)
        assert told.lamps == (Sign.STEADY if lamps.mic is Sign.SLOW else lamps.mic, *lamps.signs[1:])
        if not is_open:
            assert quiet[8:] == loud[8:], "who is not heard is not told of, in any byte but the number"
        if number % 16 == 0 or is_open:
            check_report(world, loud, reasons, is_open=is_open)
    assert world.sound._self_check.state.violations == 0
    assert world.sound._listener.counts.withheld == 0


def check_report(world: World, uplink: bytes, reasons: Reasons, *, is_open: bool) -> None:
    """What link makes of it for the room, in the form in which it reaches every page."""
    world.link._pass_on(decode_uplink(uplink))
    site = site_message(world.ears.site).site
    assert site["gate"] == ("open" if is_open else "closed")
    assert site["reasons"] == [reason.word for reason in sorted(reasons)]
    assert site["lamps"]["mic"] == {Sign.OFF: "off", Sign.FAST: "fast"}.get(world.eyes.view.lamps.mic, "steady")
    assert is_open or not set(site) & {word.decode() for word in SECRET}


# ---- lamps and pixels: what is lit for what the desk shows

DARKEST = 0.05
"""Share of full light under which a lamp counts as dark."""
RINGS = {
    "none": Layout(pixels=0),
    "ring": Layout(),
    "large": Layout(pixels=60),
    "row": Layout(pixels=8, row=True),
    "still": Layout(still=True),
    "short": Layout(pixels=3),
}


def frames(view: View, layout: Layout, seconds: float = 4.0) -> list[Frame]:
    """Every frame that is drawn of it in two slow pulses."""
    now, state = 100.0, RingState()
    end = now + seconds
    drawn: list[Frame] = []
    while now < end:
        state, frame = render(state, view, now, layout)
        drawn.append(frame)
        now = frame.next if frame.next is not None else end
    return drawn


def views() -> Iterator[View]:
    """Everything a panel can be told but for MIC and how loud somebody is."""
    voice = (Speaker(3, 5, -20, False), Speaker(0, 11, -40, True))
    signs = product(
        (Sign.OFF, Sign.STEADY, Sign.SLOW, Sign.FAST), (Sign.OFF, Sign.STEADY, Sign.SLOW), (Sign.OFF, Sign.FAST)
    )
    for (room, speak, fault), flags, speakers in product(signs, product((False, True), repeat=6), ((), voice)):
        hands, knock, own_hand, warning, recording, night = flags
        lamps = Lamps(Sign.OFF, room, speak, fault, 0.7 if speakers else 0.0)
        yield View(lamps, speakers, int(hands), knock, own_hand, warning, recording, night)


@pytest.mark.parametrize("layout", RINGS.values(), ids=RINGS)
def test_mic_is_lit_by_its_own_sign_alone_and_no_pixel_tells_of_it(layout: Layout) -> None:
    """At the moment of drawing, over all that a panel can show besides."""
    alone = {mic: render(RingState(), View(lamps(mic)), 0.0, layout)[1].mic for mic in Sign}
    assert alone[Sign.OFF] == 0.0
    assert all(light > DARKEST for mic, light in alone.items() if mic is not Sign.OFF)
    for view in views():
        pixels = set()
        for mic in Sign:
            shown = replace(view, lamps=replace(view.lamps, mic=mic))
            _, frame = render(RingState(), shown, 0.0, layout)
            assert frame.mic == alone[mic]
            pixels.add(frame.pixels)
        assert len(pixels) == 1, "the ring is the same whatever the microphone does"


def lamps(mic: Sign) -> Lamps:
    signs: LampSigns = (mic, Sign.STEADY, Sign.OFF, Sign.OFF)
    return Lamps(*signs, 0.0)


@pytest.mark.parametrize("layout", RINGS.values(), ids=RINGS)
def test_over_time_a_closed_microphone_is_never_dark_but_for_the_blink_of_a_fault(layout: Layout) -> None:
    for night in (False, True):
        lit = {mic: [frame.mic for frame in frames(View(lamps(mic), night=night), layout)] for mic in Sign}
        assert set(lit[Sign.OFF]) == {0.0}
        assert set(lit[Sign.STEADY]) == {1.0}, "night dims what shines, and never MIC"
        assert min(lit[Sign.SLOW]) > DARKEST
        assert max(lit[Sign.FAST]) > DARKEST
        if layout.still:
            assert all(len(set(shown)) == 1 for shown in lit.values()), "nothing pulses"
            assert len({shown[0] for shown in lit.values()}) == 4, "and each is known by its brightness"
        else:
            assert max(lit[Sign.SLOW]) == 1.0
            assert set(lit[Sign.FAST]) == {0.0, 1.0}
            assert len(lit[Sign.FAST]) == 16, "two blinks a second"


@pytest.mark.parametrize("layout", [ring for ring in RINGS.values() if ring.pixels], ids=list(RINGS)[1:])
def test_behind_a_closed_door_the_ring_shows_nobody(layout: Layout) -> None:
    for view in views():
        if view.lamps.room is Sign.OFF:
            nobody = replace(view, speakers=())
            assert (
                render(RingState(), view, 0.0, layout)[1].pixels == render(RingState(), nobody, 0.0, layout)[1].pixels
            )
