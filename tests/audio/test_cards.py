"""What every sound card has to do: the same suite over the virtual one and over ALSA on a real sound server."""

import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from appliance.audio.port import Side, SoundCard
from appliance.audio.virtual import Tone, VirtualCard
from appliance.core.counters import HELP
from appliance.core.units import BLOCK, RATE, Block
from tests.audio.card_user import User, wait
from tests.audio.sound_server import Server, alsa_card
from tests.support.need import need
from tools.bench import graph

Make = Callable[[], SoundCard]
Start = Callable[[User], SoundCard]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    need("module:alsaaudio", "pyalsaaudio is not installed: pip install -e .[device]")
    need(not graph.missing(), "no sound server: python3 -m tools.system bench")
    with Server(tmp_path_factory.mktemp("s")) as server:
        yield server


@pytest.fixture(params=["virtual", "alsa", "alsa, low delay"])
def make(request: pytest.FixtureRequest) -> Make:
    if request.param == "virtual":
        return lambda: VirtualCard(Tone(440))
    request.getfixturevalue("server")
    return lambda: alsa_card("mic", "spk", low_delay="low" in request.param)


@pytest.fixture
def start(make: Make) -> Iterator[Start]:
    """Starts a card, and stops it when the test ends, however; no thread may be left of it."""
    before, cards = set(threading.enumerate()), list[SoundCard]()

    def start(user: User) -> SoundCard:
        card = make()
        cards.append(card)
        card.start(user)
        return card

    yield start
    for card in cards:
        card.stop()
    assert not set(threading.enumerate()) - before


def test_blocks_come_and_are_asked_for_at_the_pace_of_the_clock(start: Start) -> None:
    user = User()
    card = start(user)
    user.until(20)
    asked, began = len(user.asked), time.monotonic()
    user.until(asked + 100)
    assert 0.7 < time.monotonic() - began < 2.5, "100 blocks are a second"
    assert {shape for *_, shape in user.heard} == {(1, BLOCK)}
    assert user.states == [True]
    assert len(user.threads) == 1
    assert not card.ended.done()
    card.stop()
    assert card.ended.result(1) is None
    assert set(card.counts) <= set(HELP)
    print(f"{card.name}: {dict(card.counts)}")


def test_positions_go_on_and_times_are_now(start: Start) -> None:
    user = User()
    card = start(user)
    user.until(60)
    card.stop()
    captured = [position for _, position, *_ in user.heard]
    played = [position for _, position, _ in user.heard_back]
    for side, positions in ((Side.CAPTURE, captured), (Side.PLAYBACK, played)):
        breaks = sum(after != before + BLOCK for before, after in pairwise(positions))
        assert breaks <= user.jumps.count(side), "positions begin anew only where that was told"
    assert all(-0.05 < now - at < 0.5 for now, _, at, _ in user.heard), "what was captured is over, and not for long"
    # The virtual card makes up for up to 0.2 s that a busy machine has lost, and keeps to its clock meanwhile.
    assert all(-0.25 < at - now < 0.5 for now, _, at in user.heard_back), "what is played is still to come"


def test_it_tells_what_was_opened(start: Start) -> None:
    user = User()
    card = start(user)
    user.until(2)
    card.stop()
    assert card.facts is not None
    assert (card.facts.channels, card.facts.rate) == (1, RATE)


def test_an_end_takes_no_time_and_nothing_is_called_after_it(start: Start) -> None:
    user = User()
    card = start(user)
    user.until(5)
    began = time.monotonic()
    card.stop()
    assert time.monotonic() - began < 0.9, "what waits is not played out"
    calls = len(user.heard), len(user.asked)
    time.sleep(0.05)
    assert (len(user.heard), len(user.asked)) == calls


@pytest.mark.parametrize("broken", ["captured", "wanted", "played"])
def test_an_error_in_a_callback_ends_the_card_and_leaves_no_thread(
    start: Start, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = User()

    def fails(*_: object) -> None:
        raise RuntimeError("no exchange")

    monkeypatch.setattr(user, broken, fails)
    card = start(user)
    assert isinstance(card.ended.exception(5), RuntimeError)
    card.stop()


def test_a_slow_user_is_counted_and_does_not_end_the_card(start: Start) -> None:
    stalls = iter([0.4])

    def sound(out: Block) -> None:
        out.fill(0.01)
        out[::7] = -0.01
        if len(user.asked) > 20:
            time.sleep(next(stalls, 0))

    user = User(sound)
    card = start(user)
    user.until(60)
    wait(lambda: card.counts["playback_underruns"])
    assert not card.ended.done()
    assert Side.PLAYBACK in user.jumps
    card.stop()
