"""Short-time spectra give back what went in, one block later."""

import numpy as np

from appliance.audio.spectra import BINS, Analysis, Synthesis
from appliance.core.units import BLOCK


def test_what_is_not_changed_comes_out_as_it_went_in() -> None:
    sound = np.random.default_rng(1).uniform(-1, 1, (2, 20 * BLOCK)).astype(np.float32)
    analysis, syntheses = Analysis(2), (Synthesis(), Synthesis())
    spectra, block = np.zeros((2, BINS), np.complex64), np.zeros(BLOCK, np.float32)
    given = np.zeros_like(sound)
    for at in range(0, sound.shape[1], BLOCK):
        analysis.analyse(sound[:, at : at + BLOCK], spectra)
        for channel, synthesis in enumerate(syntheses):
            synthesis.synthesise(spectra[channel], block)
            given[channel, at : at + BLOCK] = block
    np.testing.assert_allclose(given[:, BLOCK:], sound[:, :-BLOCK], atol=1e-6)


def test_a_reset_forgets_the_block_before() -> None:
    analysis, synthesis = Analysis(1), Synthesis()
    spectra, block = np.zeros((1, BINS), np.complex64), np.zeros(BLOCK, np.float32)
    analysis.analyse(np.ones((1, BLOCK), np.float32), spectra)
    synthesis.synthesise(spectra[0], block)
    analysis.reset()
    synthesis.reset()
    analysis.analyse(np.zeros((1, BLOCK), np.float32), spectra)
    synthesis.synthesise(spectra[0], block)
    assert not block.any()
