"""What it costs to draw lamps and ring: the figures ``panel.frame_us_*`` and ``panel.cpu_*`` of ``make bench-panel``.

The real deck on virtual lines; its frames go to a file that takes everything, as whole messages for the LEDs. What the bus
itself takes is waiting (0.3 ms for 12 LEDs), and no work of the processor. Three people talk as people do: syllables, words
and pauses, their levels told ten times a second.
"""

import math
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from appliance.core.controls import MuteControl
from appliance.core.lamps import Lamps, Sign
from appliance.core.roster import Sign as MemberSign
from appliance.core.units import SILENCE
from appliance.media.exchange_messages import Speaker
from appliance.panel.layout import HUES, Layout, light_of
from appliance.panel.pixels import Message
from appliance.panel.port import Hands, View
from appliance.panel.renderer import CHANGES, RingState, render
from appliance.panel.virtual import VirtualPanel
from tools.measurements import Figure

SIGNS = (MemberSign(5, 1), MemberSign(1, 11), MemberSign(7, 6))
LAMPS = Lamps(Sign.OFF, Sign.STEADY, Sign.STEADY, Sign.OFF, 0.5)
FRAMES = 3000
SECONDS = 20.0
TOLD = 0.1
"""Seconds between two views of people who talk, as sound tells them."""


def level(talker: int, at: float) -> int:
    """The level of a talker at a time, dBov: syllables, four a second, in words with pauses between them."""
    if (at + 1.3 * talker) % 3.1 > 2.4:
        return round(SILENCE)
    return round(-14.0 - 6.0 * talker - 20.0 * (1.0 - abs(math.sin(math.pi * (3.7 + 0.3 * talker) * at))))


def talking(at: float) -> View:
    """All three of them."""
    speakers = (Speaker(sign.hue, sign.place, level(n, at), False) for n, sign in enumerate(SIGNS))
    return View(LAMPS, tuple(speakers))


class Nowhere:
    """LEDs that are not there: whole messages, written where they are taken and forgotten."""

    def __init__(self, pixels: int) -> None:
        self._message, self._file = Message(pixels), -1
        self.sent = 0

    def open(self) -> None:
        """Open it."""
        self._file = os.open("/dev/null", os.O_WRONLY)

    def send(self, colours: bytes) -> None:
        """Show these."""
        os.write(self._file, self._message.filled(colours))
        self.sent += 1

    def close(self) -> None:
        """Close it."""
        os.close(self._file)


def ours(pixels: int) -> Iterator[Callable[[], None]]:
    """Frames of ours, each to be timed."""
    layout, out, ring = Layout(pixels=pixels), Nowhere(pixels), RingState()
    out.open()

    def frame(view: View, now: float) -> None:
        nonlocal ring
        ring, drawn = render(ring, view, now, layout)
        out.send(drawn.pixels)

    for number in range(FRAMES):
        now = number * CHANGES * 1.01  # the levels of every frame move
        view = talking(now)
        yield lambda view=view, now=now: frame(view, now)  # type: ignore[misc]
    out.close()


def straight(pixels: int) -> Iterator[Callable[[], None]]:
    """The same, as one would write it first: with numpy, every LED computed anew; without hold, marks, or levels that fall."""
    layout, out = Layout(pixels=pixels), Nowhere(pixels)
    out.open()
    hues = np.array(HUES, np.float64)

    def frame(view: View) -> None:
        colours = np.zeros((pixels, 3))
        for speaker in view.speakers:
            leds = list(layout.at(speaker.place + at for at in range(4)))
            colours[leds] = hues[speaker.hue] * light_of(0.3 + 0.7 * max(0.0, 1.0 + speaker.level / 60.0))
        wire = np.full((pixels, 4), 0xE0 | layout.current, np.uint8)
        wire[:, 1:] = np.rint(colours[:, ::-1]).astype(np.uint8)
        out.send(wire.tobytes())

    for number in range(FRAMES):
        view = talking(number * CHANGES * 1.01)
        yield lambda view=view: frame(view)  # type: ignore[misc]
    out.close()


def median_us(frames: Iterator[Callable[[], None]]) -> float:
    """Microseconds of processor time of a frame, the median."""
    times = []
    for frame in frames:
        started = time.perf_counter_ns()
        frame()
        times.append(time.perf_counter_ns() - started)
    return round(statistics.median(times) / 1000, 1)


class Run:
    """The deck in real time; what its threads cost."""

    def __init__(self, dims: bool = True) -> None:
        self.out = Nowhere(12)
        self.sent = 0
        """Frames that were sent while it was measured."""
        self.panel = VirtualPanel(MuteControl.MOMENTARY, pixels=self.out, layout=Layout(pixels=12))
        if not dims:
            self.panel.lines.dims = frozenset()

    def percent(self, views: Callable[[float], View], told: float | None) -> float:
        """Percent of a core that the panel's threads take in SECONDS, with a new view every ``told`` seconds."""
        self.panel.start(Hands(lambda: False, lambda _event: None, lambda: None))
        self.panel.show(views(0.0))
        time.sleep(1.0)
        threads = [thread for thread in threading.enumerate() if thread.name.startswith("panel")]
        before, started, sent = _spent(threads), time.monotonic(), self.out.sent
        while (passed := time.monotonic() - started) < SECONDS:
            if told is not None:
                self.panel.show(views(passed))
            time.sleep(told or 0.5)
        percent = 100.0 * (_spent(threads) - before) / (time.monotonic() - started)
        self.sent = self.out.sent - sent
        self.panel.stop()
        return round(percent, 3)


def _spent(threads: list[threading.Thread]) -> float:
    """Processor time of threads, seconds."""
    return sum(time.clock_gettime(time.pthread_getcpuclockid(thread.ident)) for thread in threads if thread.ident)


def woken(times: int) -> float:
    """Percent of a core of a thread that is woken and sends the same message so often in SECONDS, and does nothing else."""
    out, spent, wake = Nowhere(12), [], threading.Event()
    colours = bytes(48)

    def run() -> None:
        out.open()
        started = time.thread_time()
        for _ in range(times):
            wake.wait(SECONDS / times)
            out.send(colours)
        spent.append(time.thread_time() - started)
        out.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return round(100.0 * spent[0] / SECONDS, 3)


def figures() -> list[Figure]:
    """All of them; takes two minutes."""
    first, long = (median_us(ours(12)), median_us(straight(12))), (median_us(ours(60)), median_us(straight(60)))
    talk, plain, quiet = Run(), Run(dims=False), Run()
    busy, switched = talk.percent(talking, TOLD), plain.percent(talking, TOLD)
    still = quiet.percent(lambda _: View(replace(LAMPS, speak=Sign.OFF, brightness=0.0)), None)
    numpy_way = "the same LEDs by numpy, each computed anew"
    return [
        Figure("panel.frame_us_12", first[0], "us", "", numpy_way, first[1], "renderer and message for 12 LEDs"),
        Figure("panel.frame_us_60", long[0], "us", "", numpy_way, long[1], "renderer and message for 60 LEDs"),
        Figure(
            "panel.cpu_percent",
            busy,
            "%",
            "<= 1",
            "a thread that only sends as often",
            woken(talk.sent),
            f"of a core; three people talk for {SECONDS:.0f} s, {talk.sent / SECONDS:.1f} frames a second are sent",
        ),
        Figure(
            "panel.cpu_switched_percent",
            switched,
            "%",
            note="the same where SPEAK is on a line that is only on or off, as on a Pi 5: switched at 100 Hz",
        ),
        Figure(
            "panel.cpu_quiet_percent",
            still,
            "%",
            "<= 0.1",
            "a thread that only wakes up four times a second",
            woken(round(4 * SECONDS)),
            f"of a core; nobody speaks, {quiet.sent} frames are sent",
        ),
    ]
