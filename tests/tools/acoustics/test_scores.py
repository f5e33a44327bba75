"""Scores and chains: what they must say of scenes whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from appliance.app.speech import synthetic
from appliance.audio.port import Side
from appliance.core.units import RATE, Block, Blocks
from tests.support import need

for module in ("scipy", "pyroomacoustics"):
    need(f"module:{module}", "simulated rooms are for who benches and trains: make judges")

from tools.acoustics.chains import make  # noqa: E402
from tools.acoustics.judges import mels  # noqa: E402
from tools.acoustics.rooms import Room  # noqa: E402
from tools.acoustics.run import process  # noqa: E402
from tools.acoustics.scenes import SCENARIOS, Scenario, Scene, build  # noqa: E402
from tools.acoustics.scores import delay, doa_deg, erle_db, erle_over_time, judge, spans  # noqa: E402
from tools.acoustics.speech import Voice  # noqa: E402


@pytest.fixture(scope="module")
def scene(bare: Room, pair: tuple[Voice, Voice]) -> Scene:
    return build(Scenario("short", ser=0, snr=40, far=(0.0, 6.0), near=(3.0, 9.0), seconds=9.0), bare, pair, 1)


def test_mel_spectra_are_those_that_the_models_were_trained_on() -> None:
    at = np.arange(16000) / 16000
    chirp = (0.3 * np.sin(2 * np.pi * (200 * at + 1500 * at * at))).astype(np.float32)
    found = mels(chirp, 513, 256, 160)  # the numbers are librosa's
    assert found.shape == (63, 160)
    assert [found[0, 0], found[10, 30], found[31, 60]] == pytest.approx([0.43524, 0.26768, -1.0], abs=1e-4)
    found = mels(chirp, 321, 160, 120)
    assert found.shape == (100, 120)
    assert [found[0, 0], found[31, 60], found.mean()] == pytest.approx([-0.19579, -0.94414, -0.84113], abs=1e-4)


def test_erle_is_by_how_much_the_microphone_is_quieter(scene: Scene) -> None:
    microphone = scene.microphones[0]
    assert erle_db(scene.echo[0], microphone, microphone * np.float32(0.1), (1, 3)) == pytest.approx(20, abs=0.01)
    over_time = erle_over_time(scene, microphone * np.float32(0.01))
    assert over_time.shape == (18,)
    assert np.nanmax(np.abs(over_time - 40)) < 0.1
    assert np.isnan(over_time[14:]).all()


def test_where_what_is_judged() -> None:
    assert {name: list(spans_of(name)) for name in ("far", "dt_0", "noise20")} == {
        "far": ["far"],
        "dt_0": ["far", "dt", "near"],
        "noise20": ["far", "near"],
    }
    assert spans_of("dt_0")["dt"] == (10.0, 20.0)


def spans_of(name: str) -> dict[str, tuple[float, float]]:
    one = np.zeros(0, np.float32)
    many = one[None]
    return spans(Scene(SCENARIOS[name], "", 0, ("", ""), one, many, many, many, many, one, one, ()))


def test_the_delay_of_what_is_sent_is_found() -> None:
    said = np.random.default_rng(1).normal(0, 0.1, 2 * RATE).astype(np.float32)
    assert delay(said, np.roll(said, 730)) == 730
    assert delay(said, np.roll(said, -20)) == -20


def test_directions_are_compared_around_the_circle(scene: Scene) -> None:
    true = float(scene.azimuths[0])
    count = scene.azimuths.size
    assert doa_deg(scene, [(true + 355) % 360] * count, (3, 6)) == pytest.approx(5)
    assert doa_deg(scene, [None] * count, (3, 6)) == 90
    assert np.isnan(doa_deg(scene, [], (3, 6)))


class Card:
    """Notes what it is told."""

    direction = 12.0

    def __init__(self) -> None:
        self.told: list[str] = []

    def wrote(self, block: Block) -> None:
        self.told.append("wrote")

    def played(self, position: int, time: float) -> None:
        self.told.append("played")

    def jumped(self, side: Side) -> None:
        self.told.append(side)

    def captured(self, microphones: Blocks, position: int, time: float, out: Block) -> None:
        assert microphones.shape == (4, 480)
        self.told.append("captured")
        out[:] = microphones[1]


def test_a_chain_with_a_card_is_told_everything_in_time(bare: Room, pair: tuple[Voice, Voice]) -> None:
    made = build(replace(SCENARIOS["jumps"], seconds=6.0, near=None), bare, pair, 1)
    card = Card()
    done = process(made, card)
    np.testing.assert_array_equal(done.out, made.microphones[1])
    assert card.told[:5] == ["wrote", "played", "wrote", "played", "captured"]
    assert [card.told.count(what) for what in ("wrote", "played", "captured", Side.PLAYBACK)] == [600, 600, 600, 1]
    assert done.directions == [12.0] * 600


def test_nothing_does_nothing_and_speex_takes_echo_away(scene: Scene) -> None:
    np.testing.assert_array_equal(process(scene, make("none")).out, scene.microphones[0])
    with pytest.raises(ModuleNotFoundError):
        make("no.such.module:Chain")
    try:
        chain = make("speex")
    except OSError:
        need(None, "libspeexdsp1 is not installed")
        raise
    out = process(scene, chain).out
    assert erle_db(scene.echo[0], scene.microphones[0], out, (2, 3)) > 10


def test_the_judges_hear_echo_and_noise(bare: Room) -> None:
    for module in ("speechmos", "onnxruntime", "pesq", "pystoi"):
        need(f"module:{module}", "judges are for benchmarks: make judges")
    said = synthetic(6.0)
    pcm = (said / np.abs(said).max() * 20000).astype(np.int16)
    scenario = Scenario("short", ser=-5, snr=40, far=(0.0, 6.0), near=(3.0, 9.0), seconds=9.0)
    made = build(scenario, bare, (Voice("x", "x", np.roll(pcm, 2 * RATE)), Voice("y", "y", pcm)), 1)
    microphone, clean = judge(made, made.microphones[0]), judge(made, made.near[0])
    assert clean.echo > microphone.echo
    assert clean.pesq > microphone.pesq + 1
    assert clean.stoi > 0.9 > microphone.stoi
    assert clean.erle_db > 60
    assert abs(clean.delay_ms) < 1
    noisy = made.near[0] + np.random.default_rng(1).normal(0, 0.01, made.near[0].size).astype(np.float32)
    assert judge(made, noisy).ovrl < clean.ovrl
    assert np.isnan(judge(made, made.near[0], full=False).pesq)
