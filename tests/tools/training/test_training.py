"""The corpus of the residual gain: what the network learns from is what it meets, and of the tuning voices only."""

import hashlib
import json

import numpy as np
import pytest
from numpy.typing import NDArray

from appliance.audio import residual
from appliance.audio.spectra import BINS, LOW, Analysis
from appliance.core.units import BLOCK, RATE
from tests.support import need

need("module:scipy", "simulated rooms are for who benches and trains: python3 -m tools.bootstrap bench")
need("module:pyroomacoustics", "simulated rooms are for who benches and trains: python3 -m tools.bootstrap bench")

from tools.acoustics import speech  # noqa: E402
from tools.training import corpus, recipe, rooms, scene  # noqa: E402
from tools.training.voices import Phrases  # noqa: E402


def voice(name: str, pitch: float) -> Phrases:
    """Four phrases of a second: a buzz that comes and goes."""
    time = np.arange(4 * recipe.RATE) / recipe.RATE
    buzz = np.sign(np.sin(2 * np.pi * pitch * time)) * (np.sin(2 * np.pi * 3 * time) > 0)
    starts = np.arange(4) * recipe.RATE
    return Phrases(name, (3000 * buzz).astype(np.int16), starts, starts + recipe.RATE, np.ones(4, np.bool_))


@pytest.fixture(scope="module")
def voices() -> list[Phrases]:
    many = [voice("one", 110.0), voice("other", 190.0)]
    return [
        one._replace(clean=np.ones(40, np.bool_), starts=np.tile(one.starts, 10), stops=np.tile(one.stops, 10))
        for one in many
    ]


@pytest.fixture(scope="module")
def drawn(voices: list[Phrases]) -> scene.Scene:
    return scene.scene(np.random.default_rng(11), voices)


def test_the_same_seed_draws_the_same_scene(voices: list[Phrases], drawn: scene.Scene) -> None:
    again = scene.scene(np.random.default_rng(11), voices)
    for name in ("reference", "echo", "near", "noise", "talks"):
        np.testing.assert_array_equal(getattr(again, name), getattr(drawn, name))


def test_a_scene_is_what_a_card_could_capture(voices: list[Phrases]) -> None:
    kinds = set()
    for seed in range(6):
        made = scene.scene(np.random.default_rng(seed), voices)
        heard = made.echo + made.near + made.noise
        assert heard.shape == (4, recipe.SECONDS * recipe.RATE) and np.isfinite(heard).all() and np.abs(heard).max() < 1
        assert made.talks.shape == (recipe.FRAMES,)
        assert made.talks.any() == made.near.any()
        kinds.add((made.echo.any(), made.near.any()))
    assert len(kinds) > 1


def test_what_is_wanted_has_less_of_the_room() -> None:
    """Direct sound unchanged, late reverberation 60 dB down within 0.3 s."""
    response = np.ones((4, recipe.RATE // 2), np.float32) * 0.1
    response[:, 100] = 1
    kept = rooms.early(response)
    np.testing.assert_array_equal(kept[:, : 100 + recipe.RATE // 25], response[:, : 100 + recipe.RATE // 25])
    assert np.abs(kept[:, 100 + int(0.28 * recipe.RATE) :]).max() < 1e-3 * 0.1


def test_spectra_at_16_khz_are_those_of_the_device() -> None:
    time = np.arange(RATE // 2) / RATE
    tones = np.zeros(time.size, np.float32)
    for hertz in (310.0, 1234.0, 5000.0):
        tones += np.sin(2 * np.pi * hertz * time + hertz).astype(np.float32)
    low = corpus.spectra(tones[None, ::3])[0]
    analysis, out = Analysis(1), np.zeros((1, BINS), np.complex64)
    for block in range(len(low)):
        analysis.analyse(tones[None, block * BLOCK : (block + 1) * BLOCK], out)
        np.testing.assert_allclose(low[block, 3:130], out[0, 3:130], atol=2.0)


def test_inputs_of_a_stream_are_those_of_its_blocks() -> None:
    random = np.random.default_rng(1)
    blocks = (random.standard_normal((3, 30, BINS)) + 1j * random.standard_normal((3, 30, BINS))).astype(np.complex64)
    blocks[1] += 0.7 * blocks[0]
    features = residual.Features()
    whole = corpus.inputs(*blocks[:, :, :LOW])
    for error, echo, reference, row in zip(*blocks, whole, strict=True):
        features.update(error, echo, reference)
        np.testing.assert_allclose(features.values[: residual.INPUTS], row, atol=1e-4)


def test_a_mixture_tells_what_shall_pass(drawn: scene.Scene) -> None:
    for one in corpus.mixtures(np.random.default_rng(2), drawn):
        assert one.inputs.shape == (recipe.FRAMES, residual.INPUTS) and one.inputs.dtype == np.float16
        assert one.early.shape == one.near.shape == (recipe.FRAMES, residual.BANDS)
        assert one.early.astype(float).mean() <= one.near.astype(float).mean()
        assert np.isfinite(one.inputs.astype(np.float32)).all()


def test_a_beam_lets_its_direction_pass_and_less_of_the_loudspeaker(drawn: scene.Scene) -> None:
    hertz = 50.0 * np.arange(LOW)
    place = drawn.room

    def from_there(position: NDArray[np.float64]) -> NDArray[np.complex128]:
        away = np.linalg.norm(position - place.microphones, axis=1)
        middle = np.linalg.norm(position)
        return np.asarray(np.exp(-2j * np.pi * hertz[None] * (away[:, None] - middle) / 343.0) / away[:, None] * middle)

    azimuth = np.degrees(np.arctan2(place.loudspeaker[1], place.loudspeaker[0])) + 150
    weights = corpus.beam(place, azimuth, 0.01, 10)
    towards = np.array(
        [
            np.cos(np.deg2rad(azimuth)) * np.cos(np.deg2rad(15)),
            np.sin(np.deg2rad(azimuth)) * np.cos(np.deg2rad(15)),
            np.sin(np.deg2rad(15)),
        ]
    )
    passed = np.abs(np.sum(weights * from_there(100 * towards), axis=0))
    np.testing.assert_allclose(passed[2:], 1, atol=0.05)
    assert np.abs(np.sum(weights * from_there(place.loudspeaker), axis=0))[20:].mean() < 0.3


def test_no_reported_voice_trains_and_none_that_is_held_out() -> None:
    names = {source.name for source in speech.SOURCES if not source.reported}
    assert set(recipe.HELD_OUT) < names
    assert not {source.name for source in speech.SOURCES if source.reported} & names


def test_the_weights_are_those_that_were_recorded() -> None:
    record = json.loads((recipe.RECORD).read_text())
    assert record["sha256"] == hashlib.sha256(residual.WEIGHTS.read_bytes()).hexdigest(), (
        "train anew: make train-residual"
    )
    assert record["stages"] == [settings._asdict() for settings in recipe.STAGES]
