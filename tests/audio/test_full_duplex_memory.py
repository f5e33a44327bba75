"""What full duplex remembers of sound: nothing of before comes out when AEC3 helps again."""

import numpy as np

from appliance.audio.full_duplex import FullDuplex
from appliance.core.units import BLOCK
from tests.support.need import need


def test_help_that_comes_back_gives_nothing_of_when_it_helped_last() -> None:
    need("module:pywebrtc_audio", "pywebrtc-audio is not installed: pip install -e .[device]")
    rng, out, quiet = np.random.default_rng(0), np.zeros(BLOCK, np.float32), np.zeros((1, BLOCK), np.float32)
    near, far = rng.standard_normal((2, 60, BLOCK)).astype(np.float32) * np.float32(0.15)
    canceller = FullDuplex(1)
    for heard, played in zip(near, far, strict=True):
        canceller.process(heard[np.newaxis], played, out)
    for number in range(100):  # the far end is silent, and AEC3 no longer helps
        canceller.process(near[number % 60][np.newaxis], quiet[0], out)
    assert canceller.name == "full duplex"
    for _ in range(300):
        canceller.process(quiet, quiet[0], out)
    for played in far[:3]:
        canceller.process(quiet, played, out)
        assert np.abs(out).max() < 0.02, "that would be sound of seconds ago, of a closed gate maybe"
    assert canceller.name == "full duplex, helped by AEC3"
