"""The clock of a bridge: every ten milliseconds it carries a block from each room into the other.

It waits for nobody. What a room has is taken, what it has not is silence; a clock that was held up for long leaves out what
it missed and counts it.
"""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future

import numpy as np

from appliance.core.counters import Counters
from appliance.core.levels import dbov
from appliance.core.marks import Ear
from appliance.core.units import BLOCK, BLOCK_SECONDS, SILENCE, Block
from appliance.rooms.contract import Engine

_LOUDEST = np.float32(32767)
_LATE = 0.2
"""Seconds by which the clock may be late and still catch up, block by block."""
_FIRST_CHECK, _CHECK_EVERY = 50, 1000
"""Turns after which a closed lane is looked behind for the first time, and between two looks."""


class Lane:
    """One way over the bridge. The thread carries; the loop opens and closes, and reads.

    :param source: the engine of the room that is listened to.
    :param target: the one of the room that is spoken to.
    :param offset: turns by which the looks behind the closed lane come later than those of the other one.
    """

    def __init__(self, source: Engine, target: Engine, offset: int = 0) -> None:
        self.source, self.target = source, target
        self.open = False
        """Nothing passes until the bridge knows that it may."""
        self.heard: Block = np.zeros(BLOCK, np.float32)
        """The newest block of the source."""
        self.violated = False
        self._offset = offset
        self._closed_turns = 0
        self._scaled = np.zeros(BLOCK, np.float32)
        self._pcm = np.zeros(BLOCK, np.int16)
        self._loudest = SILENCE
        self._mark: Sequence[Block] = ()
        self._marked = 0

    def listen(self) -> None:
        """Take what the source has now."""
        self.source.receive(self.heard)

    def speak(self) -> None:
        """Say it to the target, or that nothing is said."""
        block = None if self.violated else self._said()
        self.target.forbid(block is None)
        if block is not None:
            np.multiply(block, _LOUDEST, out=self._scaled)
            np.copyto(self._pcm, self._scaled, casting="unsafe")
            self.target.send(self._pcm)
            self._loudest = max(self._loudest, dbov(block))
            self._closed_turns = 0
        else:
            self.target.send(None)
            self._look_behind()
        if not self.violated and self.target.violations:
            self.violated = True
            self.target.send(None)

    def say_mark(self, mark: Sequence[Block]) -> None:
        """Say this, block by block, also while the lane is closed for all else. From the loop; () says nothing more of it."""
        self._mark, self._marked = mark, 0

    def _said(self) -> Block | None:
        mark, at = self._mark, self._marked
        if at >= len(mark):
            return self.heard if self.open else None
        self._marked = at + 1
        if not self.open:
            return mark[at]
        both: Block = np.clip(self.heard + mark[at], -1.0, 1.0)
        return both

    def _look_behind(self) -> None:
        self._closed_turns += 1
        turns = self._closed_turns - self._offset
        if turns == _FIRST_CHECK or (turns > 0 and turns % _CHECK_EVERY == 0):
            self.target.check()

    def level(self) -> float:
        """The loudest block that has passed since this was asked last, dBov."""
        loudest, self._loudest = self._loudest, SILENCE
        return loudest


class Clock:
    """The thread. ``ended`` tells how it ended.

    :param lanes: both ways.
    :param ears: what else listens to the source of which lane.
    """

    def __init__(self, lanes: Sequence[Lane], ears: Sequence[tuple[Ear, Lane]] = ()) -> None:
        self._lanes, self._ears = tuple(lanes), tuple(ears)
        self.rounds = 0
        """Times that it went round: it stands still when the thread does."""
        self.counters = Counters()
        self.ended: Future[None] = Future()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bridge", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End it within one second; nothing is said after that."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(1)

    def _run(self) -> None:
        self.ended.set_running_or_notify_cancel()
        try:
            due = time.monotonic()
            while not self._ending.is_set():
                due = self._wait(due + BLOCK_SECONDS)
                self._turn()
            self.ended.set_result(None)
        except BaseException as error:  # noqa: BLE001 - a bug: the bridge ends with it, and is started anew
            self.ended.set_exception(error)
        finally:
            for lane in self._lanes:
                lane.target.send(None)

    def _wait(self, due: float) -> float:
        late = time.monotonic() - due
        if late < 0:
            time.sleep(-late)
        elif late > _LATE:
            missed = int(late / BLOCK_SECONDS)
            self.counters.add("bridge_blocks_missed", missed)
            due += missed * BLOCK_SECONDS
        return due

    def _turn(self) -> None:
        self.rounds += 1
        for lane in self._lanes:
            lane.listen()
        for lane in self._lanes:
            lane.speak()
        for ear, lane in self._ears:
            ear.hear(lane.heard)
