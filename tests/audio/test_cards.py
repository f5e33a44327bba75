"""What every sound card has to do: the same suite over the virtual one and over ALSA on a real sound server."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from appliance.audio.port import SoundCard
from appliance.audio.virtual import Silence, VirtualCard
from appliance.core.counters import HELP
from appliance.core.units import BLOCK, Block
from tests.audio.sound_server import Server, alsa_card
from tests.support.need import need
from tools.bench import graph
from tools.bench.card_user import Calls

Make = Callable[[], SoundCard]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    need("module:alsaaudio", "pyalsaaudio is not installed: pip install -e .[device]")
    need(not graph.missing(), "no sound server: python3 -m tools.system bench")
    with Server(tmp_path_factory.mktemp("s")) as server:
        yield server


@pytest.fixture(params=["virtual", "alsa", "alsa, low delay"])
def make(request: pytest.FixtureRequest) -> Make:
    if request.param == "virtual":
        return lambda: VirtualCard(Silence())
    request.getfixturevalue("server")
    return lambda: alsa_card("mic", "spk", low_delay="low" in request.param)


class User:
    """Whoever has the card: counts, and looks at what it is given."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, ...]] = []
        self.asked: list[float] = []
        self.changes: list[bool] = []
        self.threads: set[str] = set()

    def captured(self, block: Block) -> None:
        self.heard.append((block.shape[0], block.dtype.itemsize, int(np.abs(block).max() <= 1)))
        self.threads.add(threading.current_thread().name)

    def wanted(self, out: Block) -> None:
        assert out.shape == (BLOCK,)
        out.fill(0.0)
        self.asked.append(time.monotonic())

    def until(self, blocks: int, seconds: float = 10.0) -> None:
        end = time.monotonic() + seconds
        while len(self.asked) < blocks or len(self.heard) < blocks:
            assert time.monotonic() < end, f"{len(self.heard)} heard, {len(self.asked)} asked"
            time.sleep(0.01)


def left_of(card: SoundCard, before: set[threading.Thread]) -> set[threading.Thread]:
    return set(threading.enumerate()) - before


def test_blocks_come_and_are_asked_for_at_the_pace_of_the_clock(make: Make) -> None:
    card, user, before = make(), User(), set(threading.enumerate())
    card.start(Calls(user.captured, user.wanted, user.changes.append))
    user.until(20)
    asked, began = len(user.asked), time.monotonic()
    user.until(asked + 100)
    assert 0.7 < time.monotonic() - began < 2.5, "100 blocks are a second"
    assert set(user.heard) == {(BLOCK, 4, 1)}
    assert user.changes == [True]
    assert not card.ended.done()
    card.stop()
    assert card.ended.result(1) is None
    assert not left_of(card, before)
    assert set(card.counts) <= set(HELP)


def test_an_end_takes_no_time_and_nothing_is_called_after_it(make: Make) -> None:
    card, user = make(), User()
    card.start(Calls(user.captured, user.wanted, user.changes.append))
    user.until(5)
    began = time.monotonic()
    card.stop()
    assert time.monotonic() - began < 0.9, "what waits is not played out"
    calls = len(user.heard), len(user.asked)
    time.sleep(0.05)
    assert (len(user.heard), len(user.asked)) == calls


@pytest.mark.parametrize("broken", ["captured", "wanted"])
def test_an_error_in_a_callback_ends_the_card_and_leaves_no_thread(make: Make, broken: str) -> None:
    card, user, before = make(), User(), set(threading.enumerate())

    def fails(block: Block) -> None:
        raise RuntimeError("no exchange")

    failing = Calls(fails, user.wanted) if broken == "captured" else Calls(user.captured, fails)
    card.start(failing)
    assert isinstance(card.ended.exception(5), RuntimeError)
    card.stop()
    assert not left_of(card, before)


def test_a_slow_user_is_counted_and_does_not_end_the_card(make: Make) -> None:
    card, user = make(), User()
    stalls = iter([0.4])

    def wanted(out: Block) -> None:
        user.wanted(out)
        if len(user.asked) > 20:
            time.sleep(next(stalls, 0))

    card.start(Calls(user.captured, wanted, user.changes.append))
    user.until(60)
    assert card.counts["playback_underruns"] >= 1
    assert not card.ended.done()
    card.stop()


def test_what_is_played_is_heard(server: Server) -> None:
    card, tone = alsa_card("mic", "spk"), np.sin(2 * np.pi * 1000 * np.arange(BLOCK) / 48_000).astype(np.float32) / 4
    heard: list[np.ndarray] = []
    card.start(Calls(lambda block: heard.append(block.copy()), lambda out: np.copyto(out, tone)))
    end = time.monotonic() + 10
    while len(heard) < 150 and time.monotonic() < end:
        time.sleep(0.02)
    card.stop()
    sound = np.concatenate(heard[-50:])
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(sound.size)))
    assert np.argmax(spectrum) * 48_000 / sound.size == pytest.approx(1000, abs=5)
    assert np.sqrt(np.mean(sound**2)) == pytest.approx(0.25 / np.sqrt(2), rel=0.2)


def test_a_device_that_is_not_there_is_named(server: Server, tmp_path: Path) -> None:
    card, before = alsa_card("mic", "nowhere"), set(threading.enumerate())
    card.start(Calls())
    error = card.ended.exception(5)
    assert error is not None
    assert '[audio] playback = "nowhere" cannot be opened' in str(error)
    card.stop()
    assert not left_of(card, before)


def test_a_sound_server_that_dies_ends_the_card(tmp_path: Path) -> None:
    need("module:alsaaudio", "pyalsaaudio is not installed: pip install -e .[device]")
    need(not graph.missing(), "no sound server: python3 -m tools.system bench")
    before = set(threading.enumerate())
    with Server(tmp_path) as server:
        card, user = alsa_card("mic", "spk"), User()
        card.start(Calls(user.captured, user.wanted, user.changes.append))
        user.until(20)
        server.kill()
        assert card.ended.exception(10) is not None
        card.stop()
        end = time.monotonic() + 5
        while left_of(card, before) and time.monotonic() < end:
            time.sleep(0.05)
        assert not left_of(card, before)
