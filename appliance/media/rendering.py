"""Packets turned into sound that waits to be played: decoded, restored, invented, or the noise of a pause.

Which packet when is not decided here (playout.py), only how one sound follows another without a click.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.core.levels import dbov
from appliance.core.units import BLOCK, RATE, Block, Pcm
from appliance.media import splice, stretch
from appliance.media.comfort import LOUDEST, Comfort
from appliance.media.opus import MOST_SAMPLES, Decoder, OpusError
from appliance.media.pcm_queue import PAST, PcmQueue
from appliance.media.resample import NEEDED, Resampler

_PER_MS = RATE // 1000
_CONCEAL_STEP = 120  # libopus conceals in multiples of 2.5 ms
_FADE_FROM = 40 * _PER_MS
FADE_TO = 60 * _PER_MS
"""Samples of concealment in a row after which there is silence."""
_LONGEST_REST = 100
"""Blocks of comfort noise with nothing else: senders with DTX say something every 400 ms."""
_REST_FADE = 20
"""Blocks over which it then dies away."""


class Rendering:
    """Makes the sound of one stream. Its owner asks for more while :attr:`short`, then for a block."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self.queue = PcmQueue(4 * MOST_SAMPLES)
        self.scratch = np.zeros(MOST_SAMPLES, np.int16)
        self.invented = 0
        """Samples of concealment in a row."""
        self.refused = 0  # packets
        self.concealed = self.recovered = self.dropped = 0  # samples
        self._resampler = Resampler()
        self._comfort = Comfort()
        self._noise = np.zeros(BLOCK, np.int16)
        self._rest = 0  # blocks of comfort noise left
        self._real = 0  # samples of the talker in a row, at the end of the queue

    def begin(self) -> None:
        """What was before is silence."""
        self.invented = FADE_TO

    def reset(self) -> None:
        """Forget all sound."""
        self.queue.clear()
        self.decoder.reset()
        self._resampler.reset()
        self._comfort.forget()
        self._rest = 0

    def forget(self) -> None:
        """Another stream begins; what still waits is played."""
        self.decoder.reset()
        self._comfort.forget()
        self._rest = 0

    # Sound goes in

    def play(self, payload: bytes, samples: int, *, restored: bool, another: bool) -> None:
        """Decode one packet of ``samples``.

        :param restored: it is a redundant copy.
        :param another: another talker, or the same one after a pause: it owes nothing to what was before.
        """
        tail = self._cut() if another else None
        try:
            size = self.decoder.decode(payload, self.scratch)
        except OpusError:
            self.refused += 1
            self.conceal(samples)
            return
        if tail is not None:
            splice.add_falling(tail, self.scratch[:size])
        if restored:
            self.recovered += size
        self._sound(self.scratch[:size])

    def _cut(self) -> Pcm | None:
        tail = None
        if self.invented < FADE_TO:
            tail = np.zeros(splice.OVERLAP, np.int16)
            self.decoder.conceal(tail, splice.OVERLAP)
        self.decoder.reset()
        self._comfort.forget()
        return tail

    def recover(self, payload: bytes, samples: int, gap: int) -> None:
        """Fill ``gap`` samples from the FEC of the packet after them, which has ``samples``."""
        try:
            size = self.decoder.decode_fec(payload, self.scratch, samples)
        except OpusError:
            self.conceal(gap)
            return
        self._sound(self.scratch[size - gap : size])
        self.recovered += gap

    def conceal(self, samples: int) -> None:
        """Invent ``samples`` samples, which fade away between 40 and 60 ms of them in a row."""
        left = FADE_TO - self.invented
        made = self.scratch[:samples]
        if left <= 0:
            made.fill(0)
        else:
            self.decoder.conceal(self.scratch, -(-samples // _CONCEAL_STEP) * _CONCEAL_STEP)
            if self.invented + samples > _FADE_FROM:
                fade: NDArray[np.float32] = np.arange(left, left - samples, -1, dtype=np.float32)
                made[:] = made * np.clip(fade / (FADE_TO - _FADE_FROM), 0, 1)
        self.queue.append(made)
        self._real = 0
        self.invented += samples
        self.concealed += samples

    def _sound(self, pcm: Pcm) -> None:
        """Real sound is there again."""
        if self.invented >= FADE_TO:
            splice.fade_in(pcm)
            if self._rest:
                self._comfort.make(self._noise)
                splice.add_falling(self._noise, pcm)
        self._rest = self.invented = 0
        self._real = min(PAST, self._real + pcm.size)
        self.queue.append(pcm)

    def let_go(self, playing: bool) -> None:
        """What waits to be played is dropped; its beginning dies away."""
        if playing and len(self.queue) < splice.OVERLAP:
            self.conceal(splice.OVERLAP)
        tail = self.queue.view[: splice.OVERLAP].copy()
        self.dropped += len(self.queue) - tail.size
        splice.fade_out(tail)
        self.queue.clear()
        self.queue.append(tail)
        self.invented = FADE_TO

    # Pauses

    @property
    def quiet(self) -> bool:
        """Whether what was played last, and what waits, is no louder than a background."""
        waiting = len(self.queue)
        return bool(
            dbov(self.queue.around(2 * BLOCK, 0)) < LOUDEST and (not waiting or dbov(self.queue.view) < LOUDEST)
        )

    def rest(self) -> None:
        """The talker pauses and the sender says nothing: the background goes on as noise, for a second at most."""
        if self.invented < FADE_TO:
            waiting = len(self.queue)
            self._comfort.learn(self.queue.around(PAST, waiting)[PAST + waiting - self._real :])
            self._soften()
        self.invented = FADE_TO
        if self._comfort.known:
            self._rest = _LONGEST_REST

    def _soften(self) -> None:
        """Let what was decoded last turn into the noise."""
        if not self._comfort.known:
            self.conceal(_FADE_FROM)
            self.conceal(FADE_TO - _FADE_FROM)
            return
        self.decoder.conceal(self.scratch, splice.OVERLAP)
        self._comfort.stop()
        self._comfort.make(self._noise)
        splice.cross_fade(self.scratch[: splice.OVERLAP], self._noise[: splice.OVERLAP], self.scratch[: splice.OVERLAP])
        self.queue.append(self.scratch[: splice.OVERLAP])
        self.queue.append(self._noise[splice.OVERLAP :])
        self._real = 0

    # Sound comes out

    def short(self, ppm: float) -> bool:
        """Whether more sound has to be made before the next block."""
        waiting = len(self.queue)
        return waiting < BLOCK or (waiting < NEEDED and not (ppm == 0.0 and self._resampler.idle))

    def block(self, out: Block | Pcm, ppm: float) -> tuple[bool, int]:
        """Write the next block into ``out``, played ``ppm`` faster.

        Whether anything is to be heard, and how many samples more (or less: negative) than a block were used for it.
        """
        if len(self.queue) >= NEEDED and not (ppm == 0.0 and self._resampler.idle):
            return True, self._resampler.take(self.queue, out, ppm) - BLOCK
        size = self.queue.take(out)
        if size < BLOCK and self._rest:
            self._fill(out, size)
            return True, 0
        return size > 0, 0

    def _fill(self, out: Block | Pcm, done: int) -> None:
        self._comfort.make(self._noise)
        gain = min(1.0, self._rest / _REST_FADE)
        noise = self._noise[done:] * np.float32(gain)
        out[done:] = noise if out.dtype == np.int16 else noise * np.float32(1 / 32768)
        self._rest -= 1

    # The delay

    def shorten(self, lag: int) -> None:
        """Take ``lag`` samples out at the front."""
        stretch.shorten(self.queue.view, lag)
        self.queue.skip(lag)
        self.dropped += lag

    def lengthen(self, lag: int) -> None:
        """Put ``lag`` samples in at the front."""
        stretch.lengthen(self.queue.view, lag, self.scratch)
        self.queue.prepend(self.scratch[:lag])
