"""ALSA's card with the real alsa-lib, over a sound server that is told what to do."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.audio.port import Side, SoundCard
from appliance.core.units import BLOCK, RATE, Block
from tests.audio.card_user import User, wait
from tests.audio.sound_server import Server, alsa_card
from tests.support.need import need
from tools.bench import graph


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    need("module:alsaaudio", "pyalsaaudio is not installed: pip install -e .[device]")
    need(not graph.missing(), "no sound server: python3 -m tools.system bench")
    with Server(tmp_path_factory.mktemp("s")) as server:
        yield server


class Tone:
    """997 Hz, so that no two blocks are the same."""

    def __init__(self) -> None:
        self._at = 0

    def __call__(self, out: Block) -> None:
        out[:] = 0.25 * np.sin(2 * np.pi * 997 * (self._at + np.arange(BLOCK)) / RATE)
        self._at += BLOCK


def heard_of(tone: User) -> Any:
    """Peak of the tone in each channel, the median of the blocks that were heard last: one that has a gap does not count."""
    blocks = np.stack(tone.blocks[-40:])
    return np.sqrt(2) * np.median(blocks.std(axis=2), axis=0)


@pytest.fixture
def start() -> Iterator[Any]:
    """Starts a card, and stops it when the test ends, however; no thread may be left of it."""
    before, cards = set(threading.enumerate()), list[SoundCard]()

    def start(user: User, capture: str, playback: str, channels: int = 0) -> Any:
        card = alsa_card(capture, playback, channels=channels)
        cards.append(card)
        card.start(user)
        return card

    yield start
    for card in cards:
        began = time.monotonic()
        card.stop()
        assert time.monotonic() - began < 0.9
    wait(lambda: not set(threading.enumerate()) - before)


@pytest.mark.parametrize(
    ("capture", "channels", "form"),
    [("mic", 1, "S32_LE"), ("mic_16", 1, "S16_LE"), ("mic_24", 2, "S24_LE"), ("mic_24_3", 4, "S24_3LE")],
)
def test_what_is_played_is_heard_in_every_format(
    server: Server, start: Any, capture: str, channels: int, form: str
) -> None:
    user = User(Tone())
    card = start(user, capture, "spk_24_3" if channels == 4 else "spk")
    wait(lambda: len(user.blocks) > 60)
    assert (card.facts.format, card.facts.channels) == (form, channels)
    wait(lambda: heard_of(user) == pytest.approx([0.25] * channels, rel=0.05), told=lambda: f"{heard_of(user)}")
    sound = np.median([np.abs(np.fft.rfft(block[0] * np.hanning(BLOCK))) for block in user.blocks[-40:]], axis=0)
    assert np.argmax(sound) * RATE / BLOCK == pytest.approx(997, abs=110)
    print(f"{capture}: {dict(card.counts)}")


def test_each_of_eight_channels_stays_where_it_is(server: Server, start: Any) -> None:
    user = User(Tone())
    start(user, "mic8", "spk", 8)
    wait(lambda: len(user.blocks) > 60)
    halves = 0.25 * 0.5 ** np.arange(8)
    wait(lambda: heard_of(user) == pytest.approx(halves, rel=0.05), told=lambda: f"{heard_of(user)}")


@pytest.mark.parametrize(
    ("capture", "playback", "channels", "words"),
    [
        ("mic_float", "spk", 0, 'capture = "mic_float" has samples of FLOAT_LE only'),
        ("mic_44", "spk", 0, 'capture = "mic_44" runs at 44100 Hz instead of 48000'),
        ("mic_two", "spk", 4, 'channels = 4, but capture = "mic_two" has 2: write channels = 2, or 0'),
        ("mic", "nowhere", 0, 'playback = "nowhere" is no device'),
        ("nowhere", "spk", 0, 'capture = "nowhere" is no device'),
        ("no_clock", "spk", 0, 'capture = "no_clock" has no clock'),
        ("mic", "no_clock", 0, 'playback = "no_clock" has no clock'),
    ],
)
def test_settings_that_cannot_work_end_the_card_with_one_sentence(
    server: Server, start: Any, capture: str, playback: str, channels: int, words: str
) -> None:
    from appliance.audio.alsa import CardMistakeError

    error = start(User(), capture, playback, channels).ended.exception(5)
    assert isinstance(error, CardMistakeError)
    assert str(error).startswith("[audio] ")
    assert words in str(error)


@pytest.mark.parametrize(
    ("capture", "playback", "words"),
    [
        ("no_card", "spk", 'capture = "no_card" is not there: is it plugged in?'),
        ("hw:NoSuchCard", "spk", 'capture = "hw:NoSuchCard": the card NoSuchCard is not there (here:'),
        ("mic", "plughw:CARD=NoSuchCard", "the card NoSuchCard is not there"),
    ],
)
def test_what_may_pass_is_said_and_the_clock_goes_on(
    server: Server, start: Any, capture: str, playback: str, words: str
) -> None:
    user = User()
    card = start(user, capture, playback)
    wait(lambda: words in card.problem, told=lambda: str(card.problem))
    assert user.states[-1:] == [False]
    asked, began = len(user.asked), time.monotonic()
    wait(lambda: len(user.asked) > asked + 50)
    assert 0.3 < time.monotonic() - began < 2.0, "50 blocks are half a second"
    assert not card.ended.done()


def test_a_microphone_that_hears_nothing_at_all_closes_the_gate(server: Server, start: Any) -> None:
    user = User()
    card = start(user, "mic", "spk")
    wait(lambda: user.runs)
    server.hears(False)
    try:
        began = time.monotonic()
        wait(lambda: not user.runs)
        assert time.monotonic() - began < 4
        assert card.counts["capture_dead"] == 1
    finally:
        server.hears(True)
    wait(lambda: user.runs)
    assert user.states == [True, False, True]


def test_a_server_that_is_killed_and_comes_back(start: Any, tmp_path: Path) -> None:
    need("module:alsaaudio", "pyalsaaudio is not installed: pip install -e .[device]")
    need(not graph.missing(), "no sound server: python3 -m tools.system bench")
    with Server(tmp_path / "s") as server:
        user = User()
        card = start(user, "mic", "spk")
        wait(lambda: user.runs)
        user.until(20)
        for _ in range(2):
            killed = time.monotonic()
            server.kill()
            wait(lambda: not user.runs)
            noticed = user.changes[-1][0] - killed
            time.sleep(0.3)
            gap = max(user.gaps(killed))
            server.restart()
            up = time.monotonic()
            wait(lambda: user.runs)
            sounds = user.changes[-1][0] - up
            print(f"noticed {noticed:.2f} s after the kill began, sound {sounds:.2f} s after the server was up;")
            print(f"{gap * 1000:.0f} ms without a turn; {dict(card.counts)}")
            heard = len(user.heard)
            user.until(heard + 20)
        assert {Side.CAPTURE, Side.PLAYBACK} <= set(user.jumps)
        assert not card.ended.done()
        card.stop()
        assert card.ended.result(1) is None
