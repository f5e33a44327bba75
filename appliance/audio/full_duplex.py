"""Full duplex: who talks near is understood while the far end talks.

A Kalman filter takes the echo out of each microphone, time-aligned and without distortion; a beam listens to where somebody
talks (after cancelling: a beam in front of the filters would be a room that moves); a gain takes out what is left. The beam is
linear, so the same beam over the estimated echoes tells the gain how much echo there was to begin with.

Until the filter knows the room there is AEC3: at the start, after a jump that nobody can tell the size of, after divergence. It
runs only then. Both are faded into each other, and each time is counted.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from appliance.audio.aec3 import Aec3
from appliance.audio.high_band import HighBand
from appliance.audio.kalman import KalmanCanceller
from appliance.audio.rule_gain import RuleGain
from appliance.audio.spectra import BINS, LOUDEST, Analysis, Gains, Spectra, Spectrum, Synthesis
from appliance.core.units import BLOCK, Block, Blocks

_AUDIBLE = 1e-6 * BLOCK
"""Energy of a block of the reference from which it can be heard: -60 dBFS."""
_RINGS = 30
"""Blocks that the room rings on after it."""
_KNOWS, _KNOWS_NOT = 10.0, 5.0
"""Decibels of echo taken away from which the filter is trusted, and below which it is not any more."""
_TAKES = 8.0
"""Decibels by which its errors have to be quieter than the microphones as well, at first: what it says of itself comes early."""
_YOUNG, _TAKES_NOT = 100, 4.0
"""Blocks of far-end sound since it has been trusted in which this few decibels show that it was too early: at the start the
alignment still moves. Later somebody near may be the reason."""
_SURE, _SURE_AT_LAST = 40, 250
"""Blocks of far-end sound that it has to be trusted for, with that and, where somebody near never stops, without."""
_ALONE = 300
"""Blocks with nothing but zeros for an echo after which nothing that a gain remembers of it is of any weight: 3 s."""
_UNSURE = 30
"""Blocks after a jump in which what is heard tells of nobody."""
_SILENCE = np.zeros(BLOCK, np.float32)
_NEAR = 0.5
_FADE = np.linspace(0.0, 1.0, BLOCK, dtype=np.float32)


class Beam(Protocol):
    """Many microphones to one, by direction."""

    def steer(self, azimuth: float | None, /) -> None:
        """Go on turning there, degrees; once a block, before it is applied."""

    def learn(self, echo: Spectra, /) -> None:
        """The echo as it is estimated, (n, 481): take out more of what comes from where this comes from."""

    def apply(self, spectra: Spectra, out: Spectrum, /) -> None:
        """Spectra (n, 481) to one of (481,)."""


class Finder(Protocol):
    """Where somebody talks."""

    def update(self, spectra: Spectra, weight: float, echo: Spectra, /) -> None:
        """Take spectra (n, 481) that say so much about somebody near: 0 to 1; and the echo that was taken out of them."""

    @property
    def direction(self) -> float | None:
        """Degrees, or not known."""


class Gain(Protocol):
    """What of the error is the near talker."""

    def gain(self, error: Spectrum, echo: Spectrum, reference: Spectrum, out: Gains, /) -> float:
        """Fill gains (481,); gives the probability that somebody near talks."""

    def gain_alone(self, error: Spectrum, out: Gains, /) -> float:
        """The same where echo and reference are zeros, and have been for seconds: nothing is played."""


class FullDuplex:
    """An array of n microphones. It delays by one block."""

    def __init__(
        self,
        microphones: int,
        *,
        beam: Beam | None = None,
        finder: Finder | None = None,
        gain: Gain | None = None,
        safe: Callable[[], Aec3] = Aec3,
    ) -> None:
        """:param beam: none: the first microphone.

        :param finder: none: the beam stays where it is.
        :param gain: none: by rule.
        :param safe: makes what helps out.
        """
        self._kalman = KalmanCanceller(microphones)
        self._beam, self._finder = beam, finder
        self._gain: Gain = gain or RuleGain()
        self.denoises = gain is not None
        """A learned gain takes noise for noise; the one by rule looks at the echo alone."""
        self._safe = safe()
        self._high = HighBand()
        self._blocks = np.zeros((2 * microphones + 1, BLOCK), np.float32)
        self._errors, self._echoes = self._blocks[:microphones], self._blocks[microphones:-1]
        self._analysis = Analysis(2 * microphones + 1)
        self._spectra = np.zeros((2 * microphones + 1, BINS), np.complex64)
        self._error_spectra, self._echo_spectra = self._spectra[:microphones], self._spectra[microphones:-1]
        self._reference = self._spectra[-1]
        self._error = np.zeros(BINS, np.complex64)
        self._echo = np.zeros(BINS, np.complex64)
        self._gains = np.ones(BINS, np.float32)
        self._synthesis = Synthesis()
        self._safe_out = np.zeros(BLOCK, np.float32)
        self._counts = dict.fromkeys(("start", "jump", "divergence"), 0)
        self._why = "start"
        """Why the filter is not trusted; empty: it is."""
        self._helping = self._warm = False
        self._sure, self._sure_at_last = 0, 0
        self._unsure, self._age = 0, 0
        self._far = 0
        self._silent_for = 0
        self._near = 1.0

    @property
    def name(self) -> str:
        return "full duplex, helped by AEC3" if self._helping else "full duplex"

    @property
    def near_talks(self) -> bool:
        return self._safe.near_talks if self._helping else self._near > _NEAR

    @property
    def direction(self) -> float | None:
        return self._finder.direction if self._finder else None

    @property
    def counts(self) -> Mapping[str, int]:
        return {f"echo_fallback_{why}": count for why, count in self._counts.items()}

    @property
    def _knows(self) -> bool:
        return not self._why and not self._unsure

    def jumped(self, shift: int | None) -> None:
        if shift is None:
            self._kalman.doubt()
            self._distrust("jump")
        else:
            self._kalman.shift(shift)
        self._unsure = _UNSURE  # whoever talks stays where he is: the finder tells the loudspeaker's direction from his

    def process(self, microphones: Blocks, reference: Block, out: Block) -> None:
        energy = float(np.dot(reference, reference))
        if not energy < LOUDEST:
            reference, energy = _SILENCE, 0.0
        divergences = self._kalman.divergences
        self._kalman.process(microphones, reference, self._errors, self._echoes)
        if self._kalman.divergences != divergences:
            self._distrust("divergence")
        self._unsure = max(0, self._unsure - 1)
        self._far = _RINGS if energy > _AUDIBLE else max(0, self._far - 1)
        self._trust(loud=energy > _AUDIBLE)
        self._silent_for = self._silent_for + 1 if self._kalman.silent else 0
        if self._silent_for > _ALONE:
            self._analysis.analyse(self._errors, self._error_spectra)  # all other spectra are zeros
            self._listen()
            self._near = self._gain.gain_alone(self._error, self._gains)
        else:
            np.copyto(self._blocks[-1], reference)
            self._analysis.analyse(self._blocks, self._spectra)
            self._listen()
            self._listen_to_echo()
            self._near = self._gain.gain(self._error, self._echo, self._reference, self._gains)
            self._high.lower(self._error, self._reference, self._near, self._gains)
        self._look()
        self._error *= self._gains
        self._synthesis.synthesise(self._error, out)
        self._help(microphones, reference, out)

    def _listen(self) -> None:
        """Errors through the beam."""
        if self._beam:
            if self._knows and self._far:
                self._beam.learn(self._echo_spectra)
            self._beam.steer(self.direction)
            self._beam.apply(self._error_spectra, self._error)
        else:
            np.copyto(self._error, self._error_spectra[0])

    def _listen_to_echo(self) -> None:
        """Echoes through the same beam."""
        if self._beam:
            self._beam.apply(self._echo_spectra, self._echo)
        else:
            np.copyto(self._echo, self._echo_spectra[0])

    def _look(self) -> None:
        """Where somebody near talks: when it is somebody near, and when what is heard is not mostly echo."""
        if self._finder:
            known = self._knows or not self._far
            self._finder.update(self._error_spectra, self._near if known else 0.0, self._echo_spectra)

    def _trust(self, *, loud: bool) -> None:
        """Whether the filter knows the room."""
        if not self._why:
            self._age += loud
            early = self._age < _YOUNG and self._kalman.taken < _TAKES_NOT
            if loud and (early or self._kalman.converged < _KNOWS_NOT):
                self._distrust("divergence")
        elif loud:
            knows = self._kalman.converged > _KNOWS
            self._sure_at_last = self._sure_at_last + 1 if knows else 0
            self._sure = self._sure + 1 if knows and self._kalman.taken > _TAKES else 0
            if self._sure > _SURE or self._sure_at_last > _SURE_AT_LAST:
                self._why, self._age = "", 0

    def _distrust(self, why: str) -> None:
        self._sure = self._sure_at_last = 0
        if not self._helping:
            self._why = why
        else:
            self._counts[why] += 1

    def _help(self, microphones: Blocks, reference: Block, out: Block) -> None:
        """AEC3 instead, where there is echo that the filter does not know; from one to the other within a block."""
        help_now = bool(self._why and self._far)
        if not help_now and not self._helping:
            self._warm = False
            return
        self._safe.process(microphones, reference, self._safe_out)
        # What it gives first is what it holds of when it helped last: the gate may have been closed then.
        if not self._warm:
            self._warm = True
            return
        if help_now and self._helping:
            np.copyto(out, self._safe_out)
            return
        self._safe_out -= out
        if help_now:
            self._counts[self._why] += 1
            self._safe_out *= _FADE
        else:
            self._safe_out *= _FADE[::-1]
        out += self._safe_out
        self._helping = help_now
