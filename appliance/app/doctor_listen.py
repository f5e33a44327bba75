"""The doctor plays chirps through the sound card and listens: what was captured, and when everything was played and heard.

Nothing of it is kept but figures: the sound is thrown away with the :class:`Listening`, and nobody else gets it.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.audio.port import Side
from appliance.core.chirp import Chirp
from appliance.core.echo_path import Channel, Take, channel, drift_ppm
from appliance.core.units import BLOCK, RATE, Block, Blocks

_NEAR = 50
"""Blocks before and after a moment from which its place on a clock is taken: half a second each."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is played when: silence, then chirps with a rest after each. Seconds."""

    settle: float = 0.5
    """A card that was just opened clicks and hums."""
    quiet: float = 1.0
    chirps: int = 3
    rest: float = 1.0
    chirp: Chirp = Chirp()  # noqa: RUF009 - it is frozen

    @property
    def starts(self) -> list[int]:
        """The sample with which each chirp begins."""
        first = _blocks(self.settle + self.quiet)
        return [first + number * (self._chirp + _blocks(self.rest)) for number in range(self.chirps)]

    @property
    def samples(self) -> int:
        """All of it."""
        return self.starts[-1] + self._chirp + _blocks(self.rest)

    @property
    def _chirp(self) -> int:
        return _blocks(self.chirp.samples / RATE)

    def make(self) -> Block:
        """What is played, shape (samples,)."""
        sound, chirp = np.zeros(self.samples, np.float32), self.chirp.make()
        for start in self.starts:
            sound[start : start + len(chirp)] = chirp
        return sound


def _blocks(seconds: float) -> int:
    return round(seconds * RATE / BLOCK) * BLOCK


@dataclass(frozen=True, slots=True)
class Heard:
    """What the doctor measured. Levels are dBov."""

    channels: tuple[Channel, ...]
    round_trip_ms: float | None
    """From asking for what is played to handing on what was heard of it: card, buffers and air; None: nothing was heard."""
    hidden_ms: float | None
    """What of it the card's time stamps do not tell: air, converters, and what drivers keep to themselves."""
    drift_ppm: float | None
    """How much faster the capture clock runs; None: not to be told."""
    jumps: tuple[Side, ...]
    """Interruptions of either side meanwhile."""
    take: Take
    """The sound, and the chirps that no interruption spoilt."""


class Listening:
    """Hears in a booth (:class:`~appliance.app.booth.Hearer`). ``done`` is set when all was played and heard."""

    def __init__(self, plan: Plan, clock: Callable[[], float] = time.monotonic) -> None:
        self._plan, self._clock = plan, clock
        self._sound = plan.make()
        # Nobody hears one bit of sixteen, but loudspeakers that sleep in digital silence stay awake.
        self._faint = np.random.default_rng(1).integers(-1, 2, BLOCK).astype(np.float32) * np.float32(1.5 / 2**15)
        self._begun = threading.Event()
        self.done = threading.Event()
        self._lock = threading.Lock()
        self._asked_at = np.full(plan.samples // BLOCK, np.nan)
        self._heard_at = np.full(plan.samples // BLOCK, np.nan)
        """When the first sample of each played block was asked for, and when it sounded."""
        self._played_blocks = 0
        self._took_at, self._captured_at = np.zeros(0), np.zeros(0)
        """When each captured block was handed on, and when its last sample was captured."""
        self._microphones: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._captured_blocks = 0
        self._jumps: list[tuple[Side, int]] = []

    def begin(self) -> None:
        """From the next block on."""
        self._begun.set()

    @property
    def progress(self) -> int:
        """Blocks captured so far; it stands still when the card does, or the gate is closed."""
        return self._captured_blocks

    def captured(self, microphones: Blocks, position: int, time: float) -> None:  # noqa: ARG002 - blocks are counted here
        """Keep it."""
        if not self._begun.is_set() or self.done.is_set():
            return
        at = self._captured_blocks
        if not at:
            # A second more: what was played last comes back later.
            blocks = self._plan.samples // BLOCK + 100
            self._microphones = np.zeros((len(microphones), blocks * BLOCK), np.float32)
            self._took_at, self._captured_at = np.zeros(blocks), np.zeros(blocks)
        if len(microphones) != len(self._microphones):
            return
        self._microphones[:, at * BLOCK : (at + 1) * BLOCK] = microphones
        self._took_at[at], self._captured_at[at] = self._clock(), time
        self._captured_blocks = at + 1
        if self._captured_blocks == len(self._took_at):
            self.done.set()

    def wanted(self, out: Block) -> None:
        """Play on."""
        at = self._played_blocks
        np.copyto(out, self._faint)
        if not self._begun.is_set() or at >= len(self._asked_at):
            return
        self._asked_at[at] = self._clock()
        np.add(out, self._sound[at * BLOCK : (at + 1) * BLOCK], out=out)
        self._played_blocks = at + 1

    def played(self, position: int, time: float) -> None:  # noqa: ARG002 - as above
        """Keep when it sounds."""
        if 0 < self._played_blocks <= len(self._heard_at):
            at = self._played_blocks - 1
            if np.isnan(self._heard_at[at]):
                self._heard_at[at] = time

    def jumped(self, side: Side) -> None:
        """Keep where."""
        if self._begun.is_set() and not self.done.is_set():
            with self._lock:
                self._jumps.append((side, self._captured_blocks * BLOCK))

    def measured(self, microphones: Sequence[int] = ()) -> Heard | None:
        """What it comes to; None: it ended too early, or nothing was whole. May take a second of computing.

        :param microphones: the channels that are; empty: all. Others may give back what is played.
        """
        take = self._take()
        if take is None:
            return None
        channels = tuple(channel(take, number) for number in range(len(take.sound)))
        best = loudest(channels, microphones or range(len(channels)))
        path = channels[best].path if best is not None else None
        return Heard(
            channels,
            round_trip_ms=self._round_trip(take, path.delay) if path else None,
            hidden_ms=path.delay / RATE * 1000 if path else None,
            drift_ppm=drift_ppm(take, take.sound[best]) if best is not None and not self._jumps else None,
            jumps=tuple(side for side, _ in self._jumps),
            take=take,
        )

    def _take(self) -> Take | None:
        """What was captured, without the beginning, with the chirps that nothing interrupted."""
        rest, settle = int(self._plan.rest * RATE), _blocks(self._plan.settle)
        starts = {played: self._start(played) for played in self._plan.starts}
        whole = {
            played: start
            for played, start in starts.items()
            if start is not None and self._whole(start, self._plan.chirp.samples + rest)
        }
        if not whole:
            return None
        # What was captured before the first chirp sounded, whatever the two clocks call it.
        quiet = min(whole.values()) - (min(whole) - self._plan.starts[0]) - settle - BLOCK
        return Take(
            self._microphones[:, settle : self._captured_blocks * BLOCK],
            max(BLOCK, min(_blocks(self._plan.quiet), quiet)),
            tuple(start - settle for start in whole.values()),
            tuple(whole),
            self._plan.chirp,
            rest,
        )

    def _whole(self, start: int, length: int) -> bool:
        """Whether nothing interrupted what was captured from ``start`` on."""
        inside = any(start - BLOCK <= at <= start + length for _, at in self._jumps)
        return not inside and start >= 0 and start + length <= self._captured_blocks * BLOCK

    def _start(self, played: int) -> int | None:
        """The sample captured in the moment in which sample ``played`` of the script sounded; None: it never did."""
        moment = _near(self._heard_at, played // BLOCK, -np.arange(len(self._heard_at)) * BLOCK / RATE)
        if moment is None:
            return None
        moment += played / RATE
        ends = (np.arange(self._captured_blocks) + 1) * BLOCK / RATE
        times = self._captured_at[: self._captured_blocks]
        around = int(np.searchsorted(times, moment))
        offset = _near(times, around, -ends)
        return None if offset is None else round((moment - offset) * RATE)

    def _round_trip(self, take: Take, delay: float) -> float:
        settle, last = _blocks(self._plan.settle), self._captured_blocks - 1
        trips = [
            self._took_at[min(int(start + settle + delay) // BLOCK, last)] - self._asked_at[played // BLOCK]
            for start, played in zip(take.starts, take.played, strict=True)
        ]
        return float(np.median(trips)) * 1000


def loudest(channels: Sequence[Channel], among: Iterable[int]) -> int | None:
    """The channel in which the chirp stands out most; None: it is heard in none of them."""
    there = {number: channels[number].path for number in among if number < len(channels)}
    heard = {number: path.over_noise_db for number, path in there.items() if path is not None}
    return max(heard, key=lambda number: heard[number], default=None)


def _near(times: NDArray[np.float64], around: int, steps: NDArray[np.float64]) -> float | None:
    """The median of times, each less its place on the block clock, near one block; None: none is known there."""
    part = slice(max(0, around - _NEAR), around + _NEAR)
    known = (times + steps)[part]
    known = known[~np.isnan(known)]
    return float(np.median(known)) if len(known) else None
