"""The learned residual gain: what it lets through, what it takes out, and which weights it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from appliance.app.speech import synthetic
from appliance.audio import residual
from appliance.audio.kalman import KalmanCanceller
from appliance.audio.residual import BANDS, INPUTS, ResidualGain, ResidualWeightsError, Weights
from appliance.audio.spectra import BINS, LOW, Analysis
from appliance.core.units import BLOCK, RATE

SECONDS = 8


def room(seed: int) -> NDArray[np.float32]:
    """A response of 150 ms that fades, direct sound first."""
    random = np.random.default_rng(seed)
    taps = random.standard_normal(RATE * 3 // 20) * np.exp(-np.arange(RATE * 3 // 20) / (0.02 * RATE)) * 0.05
    taps[0] = 1
    response: NDArray[np.float32] = taps.astype(np.float32)
    return response


def through(samples: NDArray[np.float32], seed: int, level: float) -> NDArray[np.float32]:
    size = samples.size + RATE
    heard = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(room(seed), size), size)[: samples.size]
    levelled: NDArray[np.float32] = (heard * level / np.sqrt(np.mean(heard**2))).astype(np.float32)
    return levelled


def run(microphone: NDArray[np.float32], reference: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Canceller and gain over a scene: powers of the error before and after, per block, and who talks."""
    canceller, analysis, gain = KalmanCanceller(1), Analysis(3), ResidualGain()
    blocks, spectra = np.zeros((3, BLOCK), np.float32), np.zeros((3, BINS), np.complex64)
    gains = np.zeros(BINS, np.float32)
    found: dict[str, list[float]] = {"before": [], "after": [], "talks": []}
    for start in range(0, microphone.size, BLOCK):
        blocks[2] = reference[start : start + BLOCK]
        canceller.process(microphone[None, start : start + BLOCK], blocks[2], blocks[:1], blocks[1:2])
        analysis.analyse(blocks, spectra)
        talks = gain.gain(spectra[0], spectra[1], spectra[2], gains)
        assert gains.min() >= 0 and gains.max() <= 1 and 0 <= talks <= 1
        found["before"].append(float(np.sum(np.abs(spectra[0]) ** 2)))
        found["after"].append(float(np.sum(np.abs(gains * spectra[0]) ** 2)))
        found["talks"].append(talks)
    return {name: np.array(values, np.float32) for name, values in found.items()}


@pytest.fixture(scope="module")
def noise() -> NDArray[np.float32]:
    return (np.random.default_rng(3).standard_normal(SECONDS * RATE) * 3e-4).astype(np.float32)


def test_the_echo_that_the_canceller_leaves_goes(noise: NDArray[np.float32]) -> None:
    far = synthetic(SECONDS) * np.float32(0.1)
    echo = through(np.tanh(4 * far), 1, 0.1)
    found = run(echo + noise, far)
    later = slice(300, None)
    assert found["after"][later].sum() < 0.03 * found["before"][later].sum()
    assert np.mean(found["talks"][later] > 0.5) < 0.1


def test_the_near_talker_passes_and_is_told(noise: NDArray[np.float32]) -> None:
    near = through(synthetic(SECONDS), 2, 0.03)
    found = run(near + noise, np.zeros_like(near))
    loud = found["before"] > 0.1 * found["before"].max()
    assert found["after"][loud].sum() > 0.5 * found["before"][loud].sum()
    assert np.mean(found["talks"][loud] > 0.5) > 0.8


def test_noise_alone_goes() -> None:
    hiss = (np.random.default_rng(4).standard_normal(3 * RATE) * 3e-3).astype(np.float32)
    found = run(hiss, np.zeros_like(hiss))
    assert found["after"][150:].sum() < 0.05 * found["before"][150:].sum()


def spectra(count: int, seed: int = 0) -> NDArray[np.complex64]:
    random = np.random.default_rng(seed)
    made = random.standard_normal((count, 3, BINS)) + 1j * random.standard_normal((count, 3, BINS))
    return (made * 10 ** random.uniform(-5, 3, (count, 3, 1))).astype(np.complex64)


def gains(gain: ResidualGain, blocks: NDArray[np.complex64]) -> NDArray[np.float32]:
    out = np.full((len(blocks), BINS), np.nan, np.float32)
    for block, row in zip(blocks, out, strict=True):
        gain.gain(block[0], block[1], block[2], row)
    return out


def test_after_a_reset_it_is_as_new() -> None:
    gain, blocks = ResidualGain(), spectra(20)
    first = gains(gain, blocks)
    assert not np.array_equal(gains(gain, blocks), first)
    gain.reset()
    np.testing.assert_array_equal(gains(gain, blocks), first)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_what_is_no_sound_is_silenced_and_forgotten(bad: float, which: int) -> None:
    gain, blocks = ResidualGain(), spectra(20)
    expected = gains(gain, blocks)
    broken = spectra(1)
    broken[0, which, 7] = bad
    assert not gains(gain, broken).any()
    np.testing.assert_array_equal(gains(gain, blocks), expected)


def test_silence_and_full_scale_stay_in_bounds() -> None:
    for level in (0.0, 1e-20, 1e4):
        made = gains(ResidualGain(), np.full((30, 3, BINS), level, np.complex64))
        assert np.isfinite(made).all() and made.min() >= 0 and made.max() <= 1


def sigmoid(values: NDArray[np.floating]) -> NDArray[np.floating]:
    found: NDArray[np.floating] = 1 / (1 + np.exp(-values))
    return found


def test_the_network_is_what_its_equations_say() -> None:
    """Cho et al.'s unit, written out; the bands' gains spread over the bins; the Wiener gain beside it."""
    w = Weights.load()
    gain, features, fine = ResidualGain(w), residual.Features(), residual._Fine()
    state = np.zeros(len(w.back_bias) // 3)
    for block in spectra(12, 5):
        out = np.zeros(BINS, np.float32)
        talks = gain.gain(block[0], block[1], block[2], out)
        features.update(block[0], block[1], block[2])
        first = np.maximum(0, w.into @ features.values[:INPUTS] + w.into_bias)
        ahead = np.split(w.gates @ first + w.gates_bias, 3)
        back = np.split(w.back @ state + w.back_bias, 3)
        reset, update = sigmoid(ahead[0] + back[0]), sigmoid(ahead[1] + back[1])
        state = (1 - update) * np.tanh(ahead[2] + reset * back[2]) + update * state
        last = sigmoid(w.out @ np.concatenate([state, first]) + w.out_bias)
        expected = (last[:-1] @ residual.SPREADING) * fine.gain(features.powers)
        np.testing.assert_allclose(out[:LOW], expected, atol=4e-3)
        assert talks == pytest.approx(last[-1], abs=1e-3)


def test_bands_share_the_bins() -> None:
    np.testing.assert_allclose(residual.SPREADING.sum(axis=0), 1, atol=1e-6)
    np.testing.assert_allclose(residual.NARROW.sum(axis=1), 1, atol=1e-6)


def test_the_weights_are_small_and_of_this_network() -> None:
    assert residual.WEIGHTS.stat().st_size <= 1_000_000
    w = Weights.load()
    assert w.into.shape[1] == INPUTS and w.out.shape[0] == BANDS + 1
    assert all(array.dtype == np.float32 for array in w)


def stored() -> dict[str, Any]:
    return dict(Weights.load()._asdict())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"into": np.zeros((3, 5), np.float32)}, r"do not fit: into is \(3, 5\)"),
        ({"out_bias": np.full(BANDS + 1, np.nan, np.float32)}, "out_bias is not finite"),
    ],
)
def test_weights_that_do_not_fit_are_refused(change: dict[str, Any], told: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **(stored() | change))
    with pytest.raises(ResidualWeightsError, match=told):
        Weights.load(tmp_path / "w.npz")


def test_weights_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ResidualWeightsError, match=r"cannot be read from none\.npz"):
        Weights.load(tmp_path / "none.npz")
    for content in (b"", b"PK\x03\x04 and no more", residual.WEIGHTS.read_bytes()[:5000]):
        (tmp_path / "junk.npz").write_bytes(content)
        with pytest.raises(ResidualWeightsError, match=r"cannot be read from junk\.npz"):
            Weights.load(tmp_path / "junk.npz")
    one = stored()
    del one["back"]
    np.savez(tmp_path / "less.npz", **one)
    with pytest.raises(ResidualWeightsError, match="back"):
        Weights.load(tmp_path / "less.npz")
