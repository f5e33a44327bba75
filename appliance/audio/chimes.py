"""The chimes: made once at the start, and mixed into what the loudspeaker plays.

Each is a few notes of a few partials; what it means is told by its shape and not by its pitch: a door that opens rises, one
that closes falls, one that only listens stays; a knock sounds of wood, a recording is three even pips, a mute two short low
notes, the warning a chord that swells. They lie between 300 Hz and 3 kHz, where a small loudspeaker is at its best and nobody
needs it loud.

A chime never disturbs a voice: it takes only what the voice leaves below the limiter's knee, sample by sample, so that the
limiter does exactly what it would do without it. A newer chime replaces the older, as it tells what is true now; a tick of the
volume waits for nobody and replaces nothing else.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from appliance.audio.limiter import CEILING
from appliance.audio.volume import Volume, gain_of
from appliance.core.chimes import Chime
from appliance.core.levels import dbov
from appliance.core.units import BLOCK, RATE, Block

ROOM = 0.85 * CEILING
"""Of full scale: a chime does not lift a sample beyond. It is below the limiter's knee."""
LONGEST = 0.6
"""Seconds."""
_WINDOW = RATE // 20
"""Samples over which a chime's level is measured: about as long as an ear takes."""
_FADE = RATE // 50
"""Samples in which the end of every chime goes down to nothing."""

Partials = tuple[tuple[float, float], ...]
_CLEAR: Partials = ((1, 1.0), (2, 0.2), (3, 0.06))
"""Multiples of the frequency, each with its amplitude."""
_WOOD: Partials = ((1, 1.0), (2.76, 0.5), (5.4, 0.2))
"""As a bar rings that lies on two points (Fletcher and Rossing, The Physics of Musical Instruments, 2.15)."""
_LOW, _MIDDLE, _HIGH = 523.25, 659.26, 783.99
"""Hz: c'', e'', g''."""


@dataclass(frozen=True, slots=True)
class Note:
    """One struck note.

    :param at: seconds after the chime's beginning.
    :param frequency: Hz.
    :param decay: seconds in which it falls to 1/e.
    :param attack: seconds in which it rises.
    """

    at: float
    frequency: float
    decay: float = 0.12
    attack: float = 0.008
    partials: Partials = _CLEAR


@dataclass(frozen=True, slots=True)
class Score:
    """A chime as it is written down; ``seconds`` is how long it takes."""

    seconds: float
    notes: tuple[Note, ...]


SCORES: Mapping[Chime, Score] = MappingProxyType(
    {
        Chime.OPEN: Score(0.55, (Note(0, _LOW), Note(0.15, _HIGH))),
        Chime.LISTENING: Score(0.55, (Note(0, _MIDDLE), Note(0.15, _MIDDLE))),
        Chime.CLOSED: Score(0.55, (Note(0, _HIGH), Note(0.15, _LOW))),
        Chime.KNOCK: Score(0.4, (Note(0, 370, 0.03, 0.002, _WOOD), Note(0.18, 370, 0.03, 0.002, _WOOD))),
        Chime.RECORDING: Score(0.6, tuple(Note(at, 880, 0.05) for at in (0, 0.18, 0.36))),
        Chime.MUTED: Score(0.35, (Note(0, 440, 0.04), Note(0.12, 349.23, 0.05))),
        Chime.WARNING: Score(0.6, tuple(Note(0, pitch, 0.15, 0.25) for pitch in (_LOW, _MIDDLE, _HIGH))),
        Chime.VOLUME: Score(0.08, (Note(0, _MIDDLE, 0.02, 0.004),)),
    }
)
"""How each of them sounds."""


def _note(note: Note, time: NDArray[np.float64]) -> NDArray[np.float64]:
    since = np.maximum(0.0, time - note.at)
    wave = sum(
        (part * np.sin(2 * np.pi * note.frequency * ratio * since) for ratio, part in note.partials),
        start=np.zeros_like(since),
    )
    rise = 0.5 - 0.5 * np.cos(np.pi * np.minimum(1.0, since / note.attack))
    return wave * rise * np.exp(-np.maximum(0.0, since - note.attack) / note.decay)


def loudness(sound: Block) -> float:
    """The level of the loudest 50 ms of ``sound``, shape (n,), dBov."""
    power = np.concatenate([[0.0], np.cumsum(sound.astype(np.float64) ** 2)])
    width = min(_WINDOW, len(sound))
    loudest = int(np.argmax(power[width:] - power[:-width]))
    return dbov(sound[loudest : loudest + width])


def make(chime: Chime, level: float) -> Block:
    """The sound of ``chime``, shape (n,), whole blocks; it begins and ends with nothing.

    :param level: that of its loudest 50 ms, dBov.
    """
    score = SCORES[chime]
    samples = round(score.seconds * RATE / BLOCK) * BLOCK
    time = np.arange(samples) / RATE
    sound = sum((_note(note, time) for note in score.notes), start=np.zeros(samples))
    sound[-_FADE:] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(1, _FADE + 1) / _FADE)
    made = (0.1 * sound).astype(np.float32)
    return made * np.float32(gain_of(level - loudness(made)))


class Chimes:
    """Mixes them in. ``mix`` belongs to the playback thread, the rest may be called from any thread.

    :param level: of the loudest 50 ms of each, dBov, before the volume; None: none is ever heard.
    :param volume: of the loudspeaker that they are heard from.
    """

    def __init__(self, level: float | None = None, volume: Volume | None = None) -> None:
        self.volume = volume or Volume()
        self._sounds: dict[Chime, tuple[Block, ...]] = {}
        if level is not None:
            self._sounds = {chime: tuple(make(chime, level).reshape(-1, BLOCK)) for chime in Chime}
        self._asked: deque[Chime] = deque(maxlen=1)
        self._hushed = False
        self._chime: Chime | None = None
        """What rings now; ``_at`` is its next block."""
        self._at = 0
        self._sum = np.zeros(BLOCK, np.float32)
        self._room = np.zeros(BLOCK, np.float32)
        self._fade_out = np.linspace(1, 0, BLOCK, dtype=np.float32)

    def ring(self, chime: Chime) -> None:
        """Let it be heard with the next block."""
        waits = bool(self._asked)
        if chime in self._sounds and not (waits and chime is Chime.VOLUME):
            self._asked.append(chime)

    def hush(self, hushed: bool) -> None:
        """Whether nothing may ring: what does is faded out within a block, and what is asked for meanwhile is dropped."""
        self._hushed = hushed

    def mix(self, out: Block) -> None:
        """Add what rings to ``out``, shape (480,), in place; ``out`` is scaled by the volume already."""
        asked = self._asked.popleft() if self._asked else None
        if self._hushed or (asked is Chime.VOLUME and self._chime not in (None, Chime.VOLUME)):
            asked = None
        if self._chime is None and asked is None:
            return
        self._sum.fill(0)
        if self._chime is not None:
            self._add(self._chime, fades=self._hushed or asked is not None)
        if asked is not None:
            self._chime, self._at = asked, 0
            self._add(asked, fades=False)
        self.volume.scale(self._sum)
        self._fit(out)
        np.add(out, self._sum, out=out)

    def _add(self, chime: Chime, *, fades: bool) -> None:
        """The next block of what rings; with ``fades`` it is its last."""
        blocks = self._sounds[chime]
        if fades:
            np.multiply(blocks[self._at], self._fade_out, out=self._sum)
        else:
            np.add(self._sum, blocks[self._at], out=self._sum)
        self._at += 1
        if fades or self._at == len(blocks):
            self._chime = None

    def _fit(self, out: Block) -> None:
        """Keep of the chime what ``out`` leaves room for."""
        np.absolute(out, out=self._room)
        np.subtract(np.float32(ROOM), self._room, out=self._room)
        np.maximum(self._room, 0, out=self._room)
        np.minimum(self._sum, self._room, out=self._sum)
        np.negative(self._room, out=self._room)
        np.maximum(self._sum, self._room, out=self._sum)
