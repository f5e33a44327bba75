"""A sound card in a room: what its loudspeaker plays comes back to its microphones, on clocks of its own.

It obeys the port and runs as fast as the machine can, on a clock that the test shares (:attr:`RoomCard.clock`).
"""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future

import numpy as np
from numpy.typing import NDArray

from appliance.audio.port import CardFacts, CardUser, Side
from appliance.core.units import BLOCK, BLOCK_SECONDS, RATE, Block

Paths = NDArray[np.float32]
"""Impulse responses from the loudspeaker, shape (microphones, taps)."""


def paths(
    *delays: float, gain: float = 0.3, ringing: float = 0.2, reverberation: float = 0.25, taps: int = 9_600
) -> Paths:
    """Direct sound after ``delays`` (samples, fractions too) and ringing that differs from microphone to microphone."""
    rng, frequencies = np.random.default_rng(5), np.fft.rfftfreq(taps)
    decay = 10 ** (-3 * np.arange(taps) / RATE / reverberation)
    made = []
    for delay in delays:
        direct = np.fft.irfft(
            np.exp(-2j * np.pi * frequencies * delay) * np.hanning(2 * len(frequencies))[-len(frequencies) :]
        )
        tail = rng.standard_normal(taps) * decay
        tail[: int(delay) + 96] = 0
        made.append(gain * (2 * direct + ringing * tail / np.sqrt(np.sum(tail**2))))
    return np.array(made, np.float32)


class RoomCard:
    """``bend`` changes what was captured, shape (microphones, 480), before anybody gets it."""

    def __init__(
        self,
        room: Paths,
        *,
        noise: float = 1e-4,
        latency: int = 4,
        usb_id: str = "",
        bend: Callable[[NDArray[np.float32]], NDArray[np.float32]] = lambda blocks: blocks,
        jumps: Mapping[int, Side] | None = None,
        problem: str = "",
        pace: float = 0.0,
    ) -> None:
        """A card.

        :param latency: blocks from playing to sounding, of which the time stamps tell.
        :param jumps: at which blocks which side jumps; captured ones are lost there.
        :param problem: why it never runs.
        :param pace: seconds of real time a block takes at least.
        """
        self._room, self._noise, self._bend, self._latency = room, noise, bend, latency
        self.jumps, self.problem, self._pace = dict(jumps or {}), problem, pace
        self._usb_id = usb_id
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._now = 1000.0
        self.blocks = 0
        self.played: list[Block] = []
        self.ended: Future[None] = Future()
        self.lost = threading.Event()

    def clock(self) -> float:
        """The card's time."""
        return self._now

    @property
    def name(self) -> str:
        return "room"

    @property
    def counts(self) -> Mapping[str, int]:
        return {}

    @property
    def facts(self) -> CardFacts | None:
        return CardFacts("room", "room", len(self._room), "S32_LE", RATE, BLOCK, self._usb_id, "A room")

    def start(self, user: CardUser) -> None:
        self.ended.set_running_or_notify_cancel()
        self._thread = threading.Thread(target=self._run, args=(user,), name="room")
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        if self._thread:
            self._thread.join(5)

    def _run(self, user: CardUser) -> None:
        try:
            if self.problem:
                self._ending.wait()
            else:
                user.changed(True)
                self._turns(user)
            self.ended.set_result(None)
        except BaseException as error:  # noqa: BLE001 - as the real one: whatever it is, it is told
            self.ended.set_exception(error)

    def _turns(self, user: CardUser) -> None:
        taps, rng, position = self._room.shape[1], np.random.default_rng(3), 0
        size = 1 << int(np.ceil(np.log2(taps + BLOCK)))
        spectra = np.fft.rfft(self._room, size)
        history, out = np.zeros(taps + BLOCK), np.zeros(BLOCK, np.float32)
        waiting = [np.zeros(BLOCK, np.float32)] * self._latency
        while not self._ending.is_set():
            if self.lost.is_set():
                user.changed(False)
                self._ending.wait()
                break
            self._now += BLOCK_SECONDS
            user.wanted(out)
            self.played.append(out.copy())
            user.played(position, self._now + self._latency * BLOCK_SECONDS)
            waiting.append(out.copy())
            history = np.concatenate([history[BLOCK:], waiting.pop(0)])
            heard = np.fft.irfft(np.fft.rfft(history[-size:], size) * spectra, size)[:, len(history[-size:]) - BLOCK :][
                :, :BLOCK
            ]
            blocks = heard + self._noise * rng.standard_normal(heard.shape)
            side = self.jumps.get(self.blocks)
            if side is not None:
                user.jumped(side)
            if side is not Side.CAPTURE:
                user.captured(self._bend(blocks.astype(np.float32)), position, self._now + BLOCK_SECONDS)
            position += BLOCK
            self.blocks += 1
            with contextlib.suppress(ZeroDivisionError):
                time.sleep(self._pace)
