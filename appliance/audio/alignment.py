"""The reference of the echo canceller: what the loudspeaker played when a block was captured.

Three measurements, each a straight line over the last minute: when samples are heard and when they are captured, as the card
says (:mod:`clocks`), and where in what was played the echo really is (:mod:`echo_delay`). The first two are there at once and
know how long a jump was; the third knows the latency that nobody tells (a sound server's, a converter's) and what the card's
times do not show. From them come a place in what was played and a rate. The place moves by the rate alone, smoothly: a
canceller that takes 40 dB follows no delay that trembles by a tenth of a sample. Only what it cannot follow is a jump, by
whole samples, and counted.

The reference is ``MARGIN`` early: the canceller's filter then sees the direct path at 4 ms and is causal whatever is a little
wrong.
"""

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

from appliance.audio.clocks import Clock, Line, Points, fit_clock, fitted
from appliance.audio.echo_delay import EchoDelay, Heard
from appliance.audio.fractional import FractionalReader, Played
from appliance.audio.port import Side
from appliance.core.units import BLOCK, RATE, Block

MARGIN = 192
"""Samples that the reference is early: 4 ms."""
_REFINED = (4, 40)
"""Blocks after a jump at which the times tell it better, and the place is set anew; unless the echo was heard before."""
_REFIT = 50
"""Blocks from one fit of the lines to the next; four times as many when a jump is long ago."""
_SETTLED = 1000
_STRAY = 96.0
"""Samples from the margin up to which an echo is where it should be: 2 ms."""
_AT_FIRST = 12.0
"""The same when the echo is found for the first time: nobody has learnt anything yet."""
_AGREE = 24.0
"""Samples that two looks in a row may differ to be believed."""
_LOOK = 0.3
"""Samples that a look may be off, though it is a tenth mostly: neighbours hear the same, and err alike."""
_CLEAR, _PLAIN = 9.0, 6.0
"""Quality of a peak that is believed at once, and of one that is believed if the next agrees."""
_HEARD = 60
"""Looks that are kept: a minute of far-end speech."""
_STALE = 30 * RATE
"""Samples after the last look from which the card's times alone tell where the echo is: they stay right for hours."""
_SIGNIFICANT = 3.0
"""Standard deviations below which two clocks are the same one: mostly they are."""
_USUAL = 60e-6
"""Standard deviation of what two crystals differ."""
_CONFLICT = 5.0
"""Standard deviations above which another clock has come."""
_FASTEST = 400e-6
"""What clocks may differ; a crystal does by 50e-6."""
_PULL = 2e-6
"""How fast a place that is off is moved without a jump: nothing that a canceller notices."""
_PULL_TIME = 10.0 * RATE
_KNOWN_ONCE = 1e-6
"""Error of a rate that was known before a jump."""


class _Stretch:
    """What is played from one jump of the playback stream to the next."""

    def __init__(self, first: int, ahead: int) -> None:
        self.first = first
        """Number of its first sample among all that was ever written."""
        self.ahead = ahead
        """That number, less the one that the stream gives it."""
        self.clock = Clock(RATE)
        self.line = Line()


@dataclass(frozen=True, slots=True)
class _Rate:
    """How much faster the loudspeaker's clock is than the microphones', as a fraction."""

    value: float = 0.0
    error: float = 1.0


def _together(*rates: _Rate) -> _Rate:
    """The mean, each weighted by how sure it is."""
    weights = [1 / rate.error**2 for rate in rates]
    value = sum(weight * rate.value for weight, rate in zip(weights, rates, strict=True)) / sum(weights)
    return _Rate(value, sum(weights) ** -0.5)


class Aligner:
    """One per front end.

    ``wrote`` and ``played`` belong to the playback thread, ``reference`` and ``heard`` to the capture thread, ``jumped`` to
    either; what both touch is held for microseconds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _played, _stretches, _playback_anew, _capture_anew
        self._played = Played()
        self._stretches: list[_Stretch] = []
        self._playback_anew = True
        self._capture_anew = True

        self._reader = FractionalReader()
        self._echo = EchoDelay()
        self._capture = Clock(RATE)
        self._capture_line = Line()
        self._captured = 0  # samples since ever
        self._expected = 0  # the position that the capture stream should have
        self._stretch: _Stretch | None = None
        self._place = 0.0  # in what was played, of the first sample of the next block
        self._since = 0  # blocks since the last jump
        self._latency = 0.0  # samples by which the echo is later than the card's times say
        self._found = False  # whether the echo was ever heard
        self._maybe: float | None = None
        self._restore: float | None = None  # samples that the echo was off before a jump, to which it has to go back
        self._looks: deque[tuple[float, float]] = deque(maxlen=_HEARD)
        self._heard_line = Line()
        self._rate = _Rate()
        self._once = _Rate()
        self._steady = 0.0  # the rate that is used
        self.jumps = 0
        """How often the echo path has changed at once: a filter that was learnt before is wrong now."""
        self.shift: int | None = None
        """By how many samples the echo came later against the reference at the last jump (negative: earlier); None: nobody
        knows. A filter is right again when its taps are moved by so many."""
        self.delay_ms: float | None = None
        """How much later than the card's times say the loudspeaker is heard; None until that was measured."""

    @property
    def drift_ppm(self) -> float:
        """How much faster the loudspeaker's clock is than the microphones'; 0 while they may be the same."""
        return self._steady * 1e6

    @property
    def found(self) -> bool:
        """Whether the echo was heard, so that the reference is right to a fraction of a millisecond."""
        return self._found

    # Playback thread

    def wrote(self, block: Block) -> None:
        """A block, shape (480,), is what is played next, or would be if there were a card."""
        with self._lock:
            self._played.write(block)

    def played(self, position: int, time: float) -> None:
        """The block of the last :meth:`wrote` is in the card; as in :class:`CardUser`."""
        with self._lock:
            first = self._played.written - BLOCK
            if self._playback_anew or not self._stretches or self._stretches[-1].ahead != first - position:
                stretch = _Stretch(first, first - position)
                if self._stretches:
                    stretch.line = Line(slope=self._stretches[-1].line.slope)
                self._stretches = [*self._stretches[-1:], stretch]
                self._playback_anew = False
            self._stretches[-1].clock.note(first, time)

    def jumped(self, side: Side) -> None:
        """The positions and delays of one side begin anew; as in :class:`CardUser`."""
        with self._lock:
            if side is Side.PLAYBACK:
                self._playback_anew = True
            else:
                self._capture_anew = True

    # Capture thread

    def reference(self, position: int, time: float, out: Block) -> bool:
        """Write what was played when this block was captured, MARGIN early, into ``out``, shape (480,).

        :returns: False while that is unknown: ``out`` is zeros then.
        """
        jumped = self._note(position, time)
        known = self._follow(jumped)
        if known:
            known = self._read(out)
            self._place += BLOCK * (1 + self._pulled())
        else:
            out[:] = 0
        self._captured += BLOCK
        self._since += 1
        return known

    def heard(self, reference: Block, microphone: Block) -> None:
        """Compare the last reference with one microphone's block, both shape (480,), to find the echo.

        To be called after each :meth:`reference` that was known.
        """
        found = self._echo.push(reference, microphone, MARGIN if self._found else None)
        if found is None:
            return
        if found.quality < _PLAIN:
            self._maybe = None
            return
        off = found.delay - MARGIN
        if abs(off) <= (_STRAY if self._found else _AT_FIRST):
            self._maybe = None
            self._found = True
            self._remember(found, self._restored(found, off))
        elif (self._maybe is not None and abs(self._maybe - off) < _AGREE) or (
            not self._looks and found.quality >= _CLEAR
        ):
            self._moved(round(off))
        else:
            self._maybe = off
            self._echo.hurry()

    def _restored(self, found: Heard, off: float) -> float:
        """The first look after a jump: to a tenth of a sample where the echo was before, so that the filter fits again."""
        restore, self._restore = self._restore, None
        if restore is None or self._looks or found.quality < _CLEAR or abs(off - restore) > _AGREE:
            return off
        self._place -= off - restore
        self._latency += off - restore
        self._echo.restart()
        return restore

    def _note(self, position: int, time: float) -> bool:
        """Take in when a block was captured; whether the capture stream began anew, or left something out."""
        with self._lock:
            anew, self._capture_anew = self._capture_anew, False
        jumped = anew or position != self._expected
        if jumped:
            self._learn_latency()
            self._capture.restart()
            self._capture_line = Line(slope=self._capture_line.slope)
        self._expected = position + BLOCK
        self._capture.note(self._captured + BLOCK, time)
        return jumped

    def _follow(self, jumped: bool) -> bool:
        """Find the stretch that is heard now, and set the place anew where it must be; whether there is one."""
        with self._lock:
            newest = self._stretches[-1] if self._stretches else None
        if newest is None:
            return False
        if newest is not self._stretch and (self._stretch is None or self._heard_already(newest)):
            if not jumped:
                self._learn_latency()
            self._stretch = newest
            jumped = True
        refit = self._since % (_REFIT if self._since < _SETTLED else 4 * _REFIT) == 0
        if not jumped and refit:
            jumped = self._stepped()
        if jumped:
            self._begin_anew()
        elif self._since in _REFINED and not self._looks:
            self._fit()
            self._place = self._expected_place()
            if self._found:
                self._echo.restart()
        elif refit:
            self._fit()
            self._rest_on_times()
        return True

    def _stepped(self) -> bool:
        """Whether the card's times have moved at once, though it said nothing of a jump."""
        assert self._stretch is not None  # noqa: S101
        with self._lock:
            playback = self._stretch.clock.stepped(self._stretch.line)
        capture = self._capture.stepped(self._capture_line)
        if playback or capture:
            self._learn_latency()
        return playback or capture

    def _heard_already(self, stretch: _Stretch) -> bool:
        """Whether a stretch that has begun to be written begins within the next block."""
        current, self._stretch = self._stretch, stretch
        self._fit_clocks()
        place = self._expected_place()
        self._stretch = current
        return place + BLOCK >= stretch.first

    def _begin_anew(self) -> None:
        """The clocks have begun anew: the place follows from their first times, the rate is the one that was known."""
        self._once = _Rate(self._rate.value, max(self._rate.error, _KNOWN_ONCE))
        self._looks.clear()
        self._heard_line = Line()
        self._maybe = None
        self._echo.restart()
        self._fit()
        self._place = self._expected_place()
        self._since = 0
        self._jump(0)

    def _moved(self, by: int) -> None:
        """The echo is elsewhere than the times say: go there at once."""
        with self._lock:
            written = self._played.written
        if self._place - by >= written:  # before it was written nothing can be heard: that was no echo
            self._maybe = None
            return
        self._place -= by
        self._latency += by
        self._looks.clear()
        self._heard_line = Line()
        self._found = True
        self._maybe = self._restore = None
        self._echo.restart()
        self._since = max(self._since, _REFINED[-1])
        self._jump(-by)  # against a reference that is later the echo is earlier

    def _jump(self, shift: int | None) -> None:
        self.shift = shift
        self.jumps += 1

    def _remember(self, found: Heard, off: float) -> None:
        """A look has found the echo where it was looked for: one more point of the line that tells the true rate."""
        ago = found.age + found.blocks * BLOCK
        x = self._captured - ago
        y = self._place - ago * (1 + self._steady) - off - x
        self._looks.append((x, y))
        at = np.array(self._looks)
        self._heard_line = fitted(at[:, 0], at[:, 1], self._steady, _LOOK)
        self.delay_ms = (self._told(x) - (y + x - MARGIN)) / RATE * 1e3

    # The lines

    def _fit(self) -> None:
        self._fit_clocks()
        assert self._stretch is not None  # noqa: S101
        capture, playback = self._capture_line, self._stretch.line
        told = _Rate((1 + capture.slope) / (1 + playback.slope) - 1, float(np.hypot(capture.error, playback.error)))
        seen = _Rate(self._heard_line.slope, self._heard_line.error)
        self._rate = _together(told, seen, _Rate(0.0, _USUAL))
        if self._once.error < 1:
            if abs(self._rate.value - self._once.value) > _CONFLICT * np.hypot(self._rate.error, self._once.error):
                self._once = _Rate()  # another clock has come
            else:
                self._rate = _together(self._rate, self._once)
        sure = abs(self._rate.value) > _SIGNIFICANT * self._rate.error
        self._steady = max(-_FASTEST, min(_FASTEST, self._rate.value)) if sure else 0.0

    def _fit_clocks(self) -> None:
        assert self._stretch is not None  # noqa: S101
        with self._lock:
            points: tuple[Points, Points] = self._stretch.clock.points()
        self._stretch.line = fit_clock(points, self._stretch.line)
        self._capture_line = fit_clock(self._capture.points(), self._capture_line)

    def _told(self, sample: float) -> float:
        """What is heard when this sample is captured, as the card's times say."""
        assert self._stretch is not None  # noqa: S101
        line = self._stretch.line
        time = sample + self._capture_line.at(sample)
        return (time - line.value + line.slope * line.middle) / (1 + line.slope)

    def _expected_place(self) -> float:
        return self._told(self._captured) - self._latency + MARGIN

    def _learn_latency(self) -> None:
        """Before the clocks begin anew: what they say now, against where the echo is, holds afterwards too."""
        if self._stretch is not None and self._found and self._since > _REFINED[-1]:
            self._latency = self._told(self._captured) + MARGIN - self._place
            if self._heard_line.points > 3:
                self._restore = self._place - self._captured - self._heard_line.at(self._captured)

    def _rest_on_times(self) -> None:
        """Nothing was heard for long: looks of a few seconds tell a rate too badly to go by it for an hour."""
        if self._looks and self._captured - self._looks[-1][0] > _STALE:
            self._latency = self._told(self._captured) + MARGIN - self._place
            self._once = _Rate(self._rate.value, max(self._rate.error, _KNOWN_ONCE))
            self._looks.clear()
            self._heard_line = Line()

    def _pulled(self) -> float:
        """The rate at which the place moves on: the true one, and a little towards where it should be."""
        if self._since <= _REFINED[-1]:
            return self._steady
        seen = self._heard_line
        should = self._captured + seen.at(self._captured) if seen.points > 3 else self._expected_place()
        return self._steady + max(-_PULL, min(_PULL, (should - self._place) / _PULL_TIME))

    def _read(self, out: Block) -> bool:
        first = self._reader.first_of(self._place)
        with self._lock:
            known = self._played.read(first, self._reader.sound)
            silent = self._played.silent_from(first)
        if known and not silent:  # silence is silence at any place and rate
            self._reader.make(self._place, self._pulled() * 1e6, out)
        else:
            out[:] = 0
        return known
