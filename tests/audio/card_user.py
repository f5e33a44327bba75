"""Whoever has a card, in tests: writes down what it is told, and makes a faint noise, as a real room does."""

import threading
import time
from collections.abc import Callable

import numpy as np

from appliance.audio.port import Side
from appliance.core.units import BLOCK, Block, Blocks


class User:
    """A :class:`~appliance.audio.port.CardUser`."""

    def __init__(self, sound: Callable[[Block], None] | None = None) -> None:
        """:param sound: fills what is played."""
        self.heard: list[tuple[float, int, float, tuple[int, ...]]] = []
        """When, position, time of capture, shape."""
        self.asked: list[float] = []
        self.heard_back: list[tuple[float, int, float]] = []
        """Of what was played: when it was told, position, when it will be heard."""
        self.jumps: list[Side] = []
        self.changes: list[tuple[float, bool]] = []
        self.blocks: list[Blocks] = []
        self.threads: set[str] = set()
        self._sound = sound
        self._random = np.random.default_rng(5)

    def captured(self, microphones: Blocks, position: int, at: float) -> None:
        assert microphones.dtype == np.float32
        assert float(np.abs(microphones).max()) <= 1
        self.heard.append((time.monotonic(), position, at, microphones.shape))
        self.blocks = [*self.blocks[-99:], microphones.copy()]
        self.threads.add(threading.current_thread().name)

    def wanted(self, out: Block) -> None:
        assert out.shape == (BLOCK,)
        if self._sound:
            self._sound(out)
        else:
            out[:] = self._random.uniform(-0.01, 0.01, BLOCK)
        self.asked.append(time.monotonic())

    def played(self, position: int, at: float) -> None:
        self.heard_back.append((time.monotonic(), position, at))

    def jumped(self, side: Side) -> None:
        self.jumps.append(side)

    def changed(self, running: bool) -> None:
        self.changes.append((time.monotonic(), running))

    @property
    def states(self) -> list[bool]:
        """What :meth:`changed` was told, one after the other."""
        return [running for _, running in self.changes]

    @property
    def runs(self) -> bool:
        """Whether the card runs."""
        return self.states[-1:] == [True]

    def until(self, blocks: int, seconds: float = 10.0) -> None:
        """Wait until that many blocks were captured and asked for."""
        wait(lambda: len(self.asked) >= blocks <= len(self.heard), seconds, lambda: f"{len(self.heard)} heard")

    def gaps(self, since: float) -> list[float]:
        """Seconds between blocks asked for, from the last one before ``since``."""
        first = next((at for at, asked in enumerate(self.asked) if asked >= since), len(self.asked)) - 1
        return np.diff(self.asked[max(first, 0) :]).tolist()


def wait(what: Callable[[], object], seconds: float = 10.0, told: Callable[[], str] = lambda: "it never came") -> None:
    """Wait until ``what`` is true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, told()
        time.sleep(0.005)
