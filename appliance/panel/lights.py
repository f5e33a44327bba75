"""What is lit: lamps and pixels. Only changes are sent, and what fails at run time is tried again."""

import contextlib

from appliance.panel.lines import Lines, Pixels

PERIOD = 0.01
"""Seconds: a lamp that can only be on or off is switched at 100 Hz, above what the eye sees as flicker."""

_LEAST = 0.02
"""The shortest time on, or off, as a share of the period: a shorter one is lost in how late a thread wakes up."""

_LITTLE = 1e-6
"""Seconds: what is due at a time is due when this is the time, whatever floating point makes of it."""

_AGAIN, _AGAIN_AT_MOST = 1.0, 30.0
"""Seconds until what was lost is tried again, twice as many each time."""


class BackOff:
    """When to try again what has failed."""

    def __init__(self) -> None:
        self.at: float | None = None
        """None: it has not failed."""
        self._wait = _AGAIN

    def failed(self, now: float) -> None:
        """It did not work at ``now``."""
        self.at, self._wait = now + self._wait, min(_AGAIN_AT_MOST, 2 * self._wait)

    def worked(self) -> None:
        """It works."""
        self.at, self._wait = None, _AGAIN


class Lights:
    """The lamps on ``lines``; whoever calls takes care that one thread does at a time.

    A lamp that can only be on or off is dimmed by switching it quickly. That costs two wake-ups in a hundredth of a second
    while it is lit partly, and none otherwise. A late wake-up is seen as a flicker, so SPEAK, which shows levels, belongs on a
    line that dims by itself (:attr:`~appliance.panel.lines.Lines.dims`).
    """

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._sent: dict[str, float] = {}
        self._dimmed: dict[str, float] = {}
        """Lamps that are switched quickly, with their share of the time."""

    def light(self, lamp: str, brightness: float) -> None:
        """Light ``lamp`` (0 to 1, share of full light) from now on.

        :raises LinesError: the lines are lost.
        """
        if lamp in self._lines.dims or not 0.0 < brightness < 1.0:
            self._dimmed.pop(lamp, None)
            self._send(lamp, brightness)
        else:
            self._dimmed[lamp] = min(1.0 - _LEAST, max(_LEAST, brightness))

    def turn(self, now: float) -> float | None:
        """Switch what is dimmed; returns when to come back, or None: nothing is dimmed.

        :raises LinesError: the lines are lost.
        """
        if not self._dimmed:
            return None
        phase = (now + _LITTLE) % PERIOD
        due = PERIOD
        for lamp, share in self._dimmed.items():
            left = share * PERIOD - phase
            self._send(lamp, float(left > 0))
            if left > 0:
                due = min(due, left + phase)
        return now + _LITTLE + due - phase

    def _send(self, lamp: str, brightness: float) -> None:
        if self._sent.get(lamp) != brightness:
            self._lines.light(lamp, brightness)
            self._sent[lamp] = brightness


class Ring:
    """The pixels, or None. A ring that cannot be reached makes the panel less than it should be, and no more. One thread."""

    def __init__(self, pixels: Pixels | None) -> None:
        self._pixels = pixels
        self._sent: bytes | None = None
        """What they show; None: that is not known."""
        self._again = BackOff()
        self.problem = ""
        """Why they do not show what they should, one sentence; empty: they do."""
        self.failures = 0

    @property
    def due(self) -> float | None:
        """When to :meth:`find` them again; None: they work, or there are none."""
        return self._again.at

    def find(self, now: float) -> None:
        """Open the way to them; what they have to show has to be sent anew."""
        if self._pixels is None:
            return
        try:
            self._pixels.open()
        except OSError as error:
            self._lose(error, now)
            return
        self._sent, self.problem = None, ""
        self._again.worked()

    def send(self, colours: bytes, now: float) -> None:
        """Show ``colours``, unless they are shown already."""
        if self._pixels is None or self._again.at is not None or colours == self._sent:
            return
        try:
            self._pixels.send(colours)
        except OSError as error:
            self._lose(error, now)
            return
        self._sent = colours

    def close(self, colours: bytes) -> None:
        """Show ``colours`` as the last thing, and let go."""
        if self._pixels is None:
            return
        with contextlib.suppress(OSError):
            self._pixels.send(colours)
        self._pixels.close()

    def _lose(self, error: OSError, now: float) -> None:
        self.failures += 1
        self.problem = f"the ring shows nothing: {error}"
        self._again.failed(now)
