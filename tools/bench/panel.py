"""How fast a press is answered while the loop is blocked: ``make bench-panel``.

The real gate, desk and virtual panel, an audio thread with its 10 ms clock, and a loop that is blocked for 800 ms at random
times: half of them asleep, half busy in Python, which holds the interpreter's lock. A press is timed from the moment
at which the contact moves to the closing of the gate and to the MIC lamp. The baseline is a thread that does nothing but wake
up: what is above it is ours, what is below it is the machine's. What lamps and ring cost is measured after that
(:mod:`tools.bench.panel_light`).
"""

import asyncio
import io
import queue
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from appliance.app.desk import Desk
from appliance.app.process import tune
from appliance.audio.gate import Gate
from appliance.audio.virtual import Tone, VirtualCard
from appliance.core.controls import Event, MuteControl, initial
from appliance.core.counters import Counters
from appliance.core.units import Block
from appliance.health.journal import Journal
from appliance.panel.memory import MuteMemory
from appliance.panel.port import Hands
from appliance.panel.virtual import VirtualPanel
from tools.bench import panel_light
from tools.bench.card_user import Calls
from tools.measurements import Figure, write

PRESSES = 1000
BLOCKED = 0.8
BLOCK_CHANCE = 0.25
"""Share of the presses that fall into a block."""


class Baseline:
    """A thread that takes a time from a queue and notes how late it is."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[float] = queue.SimpleQueue()
        self.late: list[float] = []
        threading.Thread(target=self._run, name="baseline", daemon=True).start()

    def wake(self) -> None:
        """Wake it now."""
        self._queue.put(time.monotonic())

    def _run(self) -> None:
        while True:
            sent = self._queue.get()
            self.late.append(time.monotonic() - sent)


class Bench:
    """The parts of sound that a press goes through, with clocks on them."""

    def __init__(self, folder: Path) -> None:
        self.gate = Gate()
        self.panel = VirtualPanel(MuteControl.MOMENTARY, debounce=0.005)
        self.panel.lines.lit = self._lit
        journal = Journal("bench", io.StringIO())
        controls = initial(MuteControl.MOMENTARY)
        self.desk = Desk(
            self.gate,
            self.panel,
            MuteMemory(folder),
            controls,
            journal=journal,
            counters=Counters(),
            clock=time.monotonic,
        )
        self.card = VirtualCard(Tone(440))
        self.baseline = Baseline()
        self.pressed = 0.0
        self.waiting_for_lamp = False
        self.to_gate: list[float] = []
        self.to_lamp: list[float] = []
        self.block, self.blocked = threading.Event(), threading.Event()

    def hands(self, loop: asyncio.AbstractEventLoop) -> Hands:
        real = self.desk.hands(loop)

        def close() -> bool:
            was_open = real.close()
            if was_open:
                self.to_gate.append(time.monotonic() - self.pressed)
            return was_open

        return replace(real, close=close)

    def _lit(self, lamp: str, brightness: float) -> None:
        if lamp == "mic" and brightness == 1.0 and self.waiting_for_lamp:
            self.waiting_for_lamp = False
            self.to_lamp.append(time.monotonic() - self.pressed)

    def live(self) -> bool:
        """Whether the gate is open and the lamp shows it."""
        return self.gate.is_open and self.panel.lines.lamps["mic"] == 0.0

    def answered(self) -> bool:
        """Whether the last press has closed the gate and lit the lamp."""
        return not self.waiting_for_lamp and not self.gate.is_open

    def released(self) -> bool:
        """Whether the button has come to rest."""
        return self.panel.at_rest

    def press(self) -> None:
        """Move the contact and wake the baseline; another thread does, as a hand would."""
        self.waiting_for_lamp = True
        self.pressed = time.monotonic()
        self.panel.move("mute", True)
        self.baseline.wake()


async def blocker(bench: Bench, rng: random.Random) -> None:
    """Block the loop when it is asked for: asleep or busy."""
    while True:
        await asyncio.sleep(0.005)
        if bench.block.is_set():
            bench.block.clear()
            bench.blocked.set()
            end = time.monotonic() + BLOCKED
            if rng.random() < 0.5:
                time.sleep(BLOCKED)  # noqa: ASYNC251 - blocking the loop is what is measured
            while time.monotonic() < end:
                sum(range(500))
            bench.blocked.clear()


async def showing(bench: Bench) -> None:
    """The loop's own turn, as in sound."""
    while True:
        bench.desk.refresh(None, False)
        await asyncio.sleep(0.05)


def hand(bench: Bench, rng: random.Random, open_again: Callable[[], object], done: threading.Event) -> None:
    """A thousand presses from a thread of their own, each on an open gate."""
    for _ in range(PRESSES):
        while not bench.live():
            time.sleep(0.001)
        if rng.random() < BLOCK_CHANCE:
            bench.block.set()
            bench.blocked.wait()
            time.sleep(rng.uniform(0.0, 0.9 * BLOCKED))
        else:
            time.sleep(rng.uniform(0.005, 0.06))
        bench.press()
        while not bench.answered():
            time.sleep(0.001)
        bench.panel.move("mute", False)
        while not bench.released():
            time.sleep(0.001)
        open_again()
    done.set()


async def measure(folder: Path) -> Bench:
    """Run the bench."""
    rng = random.Random(7)  # noqa: S311 - the same run each time
    bench = Bench(folder)
    heard = np.zeros(480, np.int16)

    def wanted(out: Block) -> None:
        bench.gate.take(heard)
        out.fill(0)

    bench.card.start(Calls(bench.gate.put, wanted))
    bench.panel.start(bench.hands(asyncio.get_running_loop()))
    await asyncio.sleep(0)
    for event in (Event.AUDIO_FOUND, Event.STARTED):
        bench.desk.apply(event)
    tune()
    done = threading.Event()
    loop = asyncio.get_running_loop()

    def open_again() -> None:
        loop.call_soon_threadsafe(bench.desk.apply, Event.PRESS_WHILE_CLOSED)

    threading.Thread(target=hand, args=(bench, rng, open_again, done), name="hand", daemon=True).start()
    tasks = [asyncio.ensure_future(work) for work in (blocker(bench, rng), showing(bench))]
    while not done.is_set():  # noqa: ASYNC110 - set by a thread
        await asyncio.sleep(0.2)
    for task in tasks:
        task.cancel()
    bench.panel.stop()
    bench.card.stop()
    return bench


def p99(seconds: list[float]) -> float:
    """The 99th percentile, ms."""
    return round(float(np.percentile(seconds, 99)) * 1000, 2)


def main() -> int:
    """Measure and write."""
    with tempfile.TemporaryDirectory() as folder:
        bench = asyncio.run(measure(Path(folder)))
    gate, lamp, baseline = p99(bench.to_gate), p99(bench.to_lamp), p99(bench.baseline.late)
    if min(len(bench.to_gate), len(bench.to_lamp)) < PRESSES:
        print(f"only {len(bench.to_gate)} of {PRESSES} presses closed the gate", file=sys.stderr)
        return 70
    peer = "a thread that only wakes up"
    note = f"{PRESSES} presses, a quarter of them in blocks of the loop of {BLOCKED * 1000:.0f} ms at random;"
    note += f" worst {max(bench.to_gate) * 1000:.1f} ms"
    write(
        "panel",
        [
            Figure("panel.press_to_gate_p99_ms", gate, "ms", "", peer, baseline, note),
            Figure("panel.press_to_lamp_p99_ms", lamp, "ms", "<= 50", note=f"worst {max(bench.to_lamp) * 1000:.1f} ms"),
            Figure("panel.press_to_gate_over_baseline_ms", round(gate - baseline, 2), "ms", "<= 10", peer, baseline),
            *panel_light.figures(),
        ],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
