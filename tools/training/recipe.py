"""Every setting of the training, in one place: what makes the weights again."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "training"
RECORD = Path(__file__).with_name("residual.json")
"""What the weights beside the code came from."""
RATE = 16_000
"""Rooms and voices are simulated at 16 kHz: the network sees no more. The canceller runs at its 48 kHz."""
HOP = RATE // 100
WINDOW = 2 * HOP
SECONDS = 24
"""Of a scene: the canceller needs about ten to converge, and the network has to know both."""
FRAMES = SECONDS * 100
VARIANTS = 3
"""Mixtures of each scene with other levels, noises, colours and beams: the canceller is what costs."""
PER_FILE = 20
"""Scenes in a file."""
HELD_OUT = ("ivrvoice", "stamps-el")
"""Voices that validation and evaluation use, and training never."""


class Corpus(NamedTuple):
    """A set of scenes."""

    name: str
    seed: int
    files: int
    held_out: bool


TRAIN = Corpus("train", 1_000_000, 32, held_out=False)
VALID = Corpus("valid", 9_000_000, 2, held_out=True)


class Training(NamedTuple):
    """The optimiser and the loss."""

    width: int = 128
    hidden: int = 160
    batch: int = 32
    frames: int = 400
    steps: int = 2600
    rate: float = 1.5e-3
    warm_up: int = 200
    decay: float = 1e-4
    exponent: float = 0.3
    """Magnitudes are compared at this power: quiet residuals count too."""
    eaten: float = 2.5
    """How much worse it is to take out speech than to leave echo."""
    room: float = 0.7
    """How much of the late reverberation stays, in compressed magnitudes: 0 is none, 1 all."""
    holes: float = 0.0
    """Weight of near speech that is taken out where nothing else is heard (:func:`tools.training.network._holes`)."""
    talks: float = 0.05
    """Weight of the error of "somebody near talks"."""
    seed: int = 5


STAGES = (Training(),)
"""One after the other, each from the weights of the one before."""
