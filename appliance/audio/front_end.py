"""The audio front end: what the microphones hear becomes what may leave, and what is played is kept from being too loud.

On the capture thread, block by block: alignment (what did the loudspeaker play when this was captured?), canceller, noise
suppression, voice detector, gain control, limiter; then comes the gate. On the playback thread: the limiter, and what leaves
it is the canceller's reference. docs/front-end.md tells why in this order.

It never fails as a whole: a canceller that raises or is too slow is replaced by the next simpler one (:mod:`ladder`), any other
part that raises is left out. :attr:`FrontEnd.degraded` then says what and why. A card that is opened anew begins with the best
chain again.
"""

import time as clocks
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from appliance.audio.alignment import Aligner
from appliance.audio.finish import Finish
from appliance.audio.ladder import Ladder, Make, together
from appliance.audio.limiter import Limiter
from appliance.audio.noise import Suppressor
from appliance.audio.port import CardFacts, Side
from appliance.core.arrays import MONO, Array
from appliance.core.state import FrontEndState
from appliance.core.units import BLOCK, Block, Blocks

_LOUD = 1e-3
"""Peak of what is played from which it can be heard as an echo."""
_UNKNOWN_FOR = 50
"""Blocks with sound for the room, of which none was known, after which the alignment begins anew."""
_LASTS = 40
"""Blocks that what was played may still be heard in the room."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a front end is made of."""

    array: Callable[[CardFacts | None], Array]
    """Which array a card is."""
    cancellers: Callable[[Array], Sequence[Make]]
    """For an array, the best first; none: nothing is cancelled."""
    suppressor: Callable[[Array], Suppressor | None]
    suppress_twice: bool
    """Whether noise is suppressed even where the canceller has done that already."""
    gain_control: Callable[[Array], bool]


class FrontEnd:
    """One for a device.

    ``process`` belongs to the capture thread, ``playing`` and ``played`` to the playback thread, ``jumped`` to that of its side;
    the rest may be called from any thread.
    """

    def __init__(self, plan: Plan, clock: Callable[[], float] = clocks.thread_time) -> None:
        self._plan, self._clock = plan, clock
        self._aligner = Aligner()
        self._lost = ""
        """Why there is no alignment any more; written by either thread."""
        self._downlink = Limiter()
        self._written = np.zeros(BLOCK, np.float32)
        self._loud_for = 0
        self._reference = np.zeros(BLOCK, np.float32)
        self._facts: CardFacts | None = None
        self._anew = True
        self._misfit = ""
        self._jumps, self._jumps_before, self._missing, self._unknown = 0, 0, 0, 0
        self._failures, self._slow = 0, 0
        self._counted: Mapping[str, int] = {}
        """By the ladders of cards that were open before."""
        self._rested = 0
        self._finished = np.zeros(BLOCK, np.float32)
        self.closed = False
        """Nobody hears what comes out: the gate is closed. Then, while nothing is played, the canceller rests."""
        self.speech = False
        """Whether somebody near talks: not noise, and not the loudspeaker. It stays here while the gate is closed."""
        self._fit(MONO, 1)

    # Any thread

    def opened(self, facts: CardFacts | None) -> None:
        """A card runs: it may be another array, and what has failed is tried again."""
        self._facts = facts
        self._anew = True

    @property
    def direction(self) -> int | None:
        """Where somebody talks, degrees, 0 to 359; None: not known. It stays here while the gate is closed."""
        direction = self._ladder.direction
        return None if direction is None else round(direction) % 360

    @property
    def degraded(self) -> str:
        """What does not work as it was asked for, and why; empty: all of it works."""
        return "; ".join(filter(None, [self._misfit, self._ladder.why, self._finish.why]))

    @property
    def counts(self) -> Mapping[str, int]:
        """What went wrong so far, by the names of core/counters.py. Nothing in it tells of the room."""
        return {
            **together(self._counted, self._ladder.counts),
            "front_end_failures": self._failures + self._ladder.failures + self._finish.failures,
            "front_end_slow": self._slow + self._ladder.slow,
            "reference_jumps": self._jumps_before + self._aligner.jumps,
            "reference_missing": self._missing,
            "downlink_limited": self._downlink.limited,
        }

    def state(self) -> FrontEndState:
        """The snapshot for status."""
        aligner = None if self._lost else self._aligner
        return FrontEndState(
            array=self._array.name,
            chain=(self._ladder.name, *self._finish.parts),
            delay_ms=aligner.delay_ms if aligner else None,
            drift_ppm=aligner.drift_ppm if aligner else None,
            us_per_block=round(1e6 * self._ladder.mean),
            degraded=self.degraded,
        )

    # Playback thread

    def playing(self, block: Block) -> None:
        """Limit what is played next, shape (480,), in place, and remember it."""
        self._downlink.limit(block)
        # No sample is louder than all of them together: mostly that is enough to know.
        if float(np.dot(block, block)) > _LOUD**2 and (float(block.max()) > _LOUD or float(block.min()) < -_LOUD):
            self._loud_for = _LASTS
        np.copyto(self._written, block)
        if not self._lost:
            try:
                self._aligner.wrote(block)
            except Exception as error:  # noqa: BLE001 - whatever it is, the room goes on
                self._lose(error)

    def played(self, position: int, time: float) -> None:
        """When the block of the last :meth:`playing` is heard; as in :class:`~appliance.audio.port.CardUser`."""
        if not self._lost:
            try:
                self._aligner.played(position, time)
            except Exception as error:  # noqa: BLE001 - as above
                self._lose(error)

    def jumped(self, side: Side) -> None:
        """The positions of ``side`` begin anew; as in :class:`~appliance.audio.port.CardUser`."""
        if not self._lost:
            try:
                self._aligner.jumped(side)
            except Exception as error:  # noqa: BLE001 - as above
                self._lose(error)

    # Capture thread

    def process(self, microphones: Blocks, position: int, time: float, out: Block) -> None:
        """Make of one block of every channel what may go to the gate.

        :param microphones: shape (channels of the card, 480), with position and time as in
            :class:`~appliance.audio.port.CardUser`.
        :param out: shape (480,), filled.
        """
        began = self._clock()
        if self._anew or microphones.shape[0] != self._channels:
            self._begin(microphones.shape[0])
        known = self._align(position, time) if self._ladder.cancels else True
        far = self._loud_for > 0
        self._loud_for = max(0, self._loud_for - 1)
        if self.closed and not far:
            self._rest(microphones, out)
            self._ladder.took(self._clock() - began)
            return
        if self._rested:
            self._rested = 0
            self._finish.forget()
        np.take(microphones, self._rows, axis=0, out=self._picked, mode="clip")
        self._ladder.process(self._picked, self._reference, out)
        if known:
            self._unknown = 0
            self._compare()
        elif far:
            out.fill(0)  # what is not known cannot be cancelled: silent for a moment rather than an echo
            self._missing += 1
            self._search()
        near = not far or self._ladder.near_talks
        self.speech = self._finish.process(out, near=near, clean=self._ladder.denoises)
        self._ladder.took(self._clock() - began)

    def _rest(self, microphones: Blocks, out: Block) -> None:
        """Listen only for somebody who talks: there is no echo to take out, and nobody to hear what is left.

        Every second block tells that as well as all of them; ``out`` is filled with the last that was listened to.
        What the canceller still holds is of before, and comes out within its delay when it works again: of the blocks that the
        gate does not let through after it opens (``DELAYED`` in appliance/app/duplex.py).
        """
        self._unknown = 0
        if self._rested % 2 == 0:
            np.copyto(self._finished, microphones[self._rows[0]])
            self.speech = self._finish.process(self._finished, near=True, clean=False)
        self._rested += 1
        np.copyto(out, self._finished)

    def _begin(self, channels: int) -> None:
        """The chain for the card that runs now."""
        self._anew = False
        self._failures += self._ladder.failures + self._finish.failures
        self._slow += self._ladder.slow
        self._counted = together(self._counted, self._ladder.counts)
        if self._lost:
            self._lost = ""
            self._align_anew()
        self._fit(self._plan.array(self._facts), channels)
        self._jumps = self._aligner.jumps

    def _fit(self, array: Array, channels: int) -> None:
        self._misfit = ""
        if max(array.microphones) >= channels:
            self._misfit = f"one microphone of {array.name}, as the card gives {channels} channels"
            array = MONO
        self._array, self._channels = array, channels
        self._rows = np.array(array.microphones)
        self._picked = np.zeros((len(array.microphones), BLOCK), np.float32)
        makes = self._plan.cancellers(array)
        self._ladder = Ladder(makes)
        self._finish = Finish(
            self._plan.suppressor(array), twice=self._plan.suppress_twice, gain_control=self._plan.gain_control(array)
        )

    def _align(self, position: int, time: float) -> bool:
        """Fill the reference; whether it is known."""
        if not self._lost:
            try:
                known = self._aligner.reference(position, time, self._reference)
                if self._aligner.jumps != self._jumps:
                    self._jumps = self._aligner.jumps
                    self._ladder.jumped(self._aligner.shift)
            except Exception as error:  # noqa: BLE001 - whatever it is, the room goes on
                self._lose(error)
            else:
                return known
        self._ladder.blind(self._lost)
        np.copyto(self._reference, self._written)
        return True

    def _search(self) -> None:
        """For long nobody has known what was played: begin from nothing, a room must not stay silent."""
        self._unknown += 1
        if self._unknown % _UNKNOWN_FOR == 0:
            self._align_anew()
            self._ladder.jumped(None)

    def _align_anew(self) -> None:
        self._jumps_before += self._aligner.jumps
        self._jumps = 0
        self._aligner = Aligner()

    def _compare(self) -> None:
        """Let the alignment look for the echo."""
        if not self._lost and self._ladder.cancels:  # not any more, if it has just failed
            try:
                self._aligner.heard(self._reference, self._picked[0])
            except Exception as error:  # noqa: BLE001 - as above
                self._lose(error)

    def _lose(self, error: Exception) -> None:
        """There is no alignment any more; the capture thread does what follows."""
        self._failures += 1
        self._lost = f"alignment failed, {type(error).__name__}: {error}"
