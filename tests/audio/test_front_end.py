"""The front end as a whole, with cancellers that a test speaks for: what it gives them, and what happens when they fail."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from appliance.app.speech import synthetic
from appliance.audio.front_end import FrontEnd, Plan
from appliance.audio.ladder import BUDGET, Make
from appliance.audio.limiter import CEILING
from appliance.audio.port import CardFacts, Side
from appliance.core.arrays import MONO, Array, by_name
from appliance.core.counters import HELP
from appliance.core.units import BLOCK, RATE, Block, Blocks

FACTS = CardFacts("mic", "spk", 1, "S16_LE", RATE, 240)


class Canceller:
    """Passes the first microphone, remembers what it is told, and raises when asked to."""

    near_talks = True
    denoises = False
    direction: float | None = None
    counts: Mapping[str, int] = {}

    def __init__(self, name: str = "first") -> None:
        self.name = name
        self.references: list[Block] = []
        self.microphones: list[Blocks] = []
        self.jumps: list[int | None] = []
        self.breaks = False

    def process(self, microphones: Blocks, reference: Block, out: Block) -> None:
        if self.breaks:
            raise FloatingPointError("diverged")
        self.references.append(reference.copy())
        self.microphones.append(microphones.copy())
        np.copyto(out, microphones[0])

    def jumped(self, shift: int | None) -> None:
        self.jumps.append(shift)


class Suppressor:
    def __init__(self) -> None:
        self.breaks = False

    def process(self, block: Block) -> None:
        if self.breaks:
            raise MemoryError("no room")
        np.multiply(block, np.float32(0.5), out=block)


class World:
    """A card whose loudspeaker is heard ``late`` blocks after it was written, and a clock of its own."""

    def __init__(
        self, *cancellers: Canceller, suppressor: Suppressor | None = None, array: Array = MONO, twice: bool = False
    ) -> None:
        self.took = 0.0001
        self._cpu = 0.0
        self.array = array
        self.cancellers = list(cancellers)
        makes: Sequence[Make] = [self._make(canceller) for canceller in cancellers]
        plan = Plan(
            lambda _facts: self.array, lambda _array: makes, lambda _array: suppressor, twice, lambda _array: False
        )
        self.front_end = FrontEnd(plan, self.cpu)
        self.out = np.zeros(BLOCK, np.float32)
        self.position, self.now = 0, 50.0

    @staticmethod
    def _make(canceller: Canceller) -> Make:
        return lambda: canceller

    def cpu(self) -> float:
        """Each block takes ``took`` from its first look at this clock to its second."""
        self._cpu += self.took / 2
        return self._cpu * 2

    def turn(self, heard: np.ndarray, played: np.ndarray | None = None) -> np.ndarray:
        """One block each way; ``heard`` has shape (480,) or (n, 480)."""
        block = np.zeros(BLOCK, np.float32) if played is None else played.astype(np.float32)
        microphones = np.atleast_2d(heard).astype(np.float32)
        self.front_end.process(microphones, self.position, self.now + BLOCK / RATE, self.out)
        self.front_end.playing(block)
        self.front_end.played(self.position, self.now + 3 * BLOCK / RATE)
        self.position += BLOCK
        self.now += BLOCK / RATE
        return self.out.copy()

    def turns(self, heard: np.ndarray, played: np.ndarray | None = None) -> np.ndarray:
        """Many blocks, shape (m, 480) each."""
        sound = np.zeros_like(heard) if played is None else played
        return np.array([self.turn(one, other) for one, other in zip(heard, sound, strict=True)])


def noise(blocks: int, level: float = 0.05, seed: int = 0) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal((blocks, BLOCK))).astype(np.float32)


QUIET = np.zeros((1, BLOCK), np.float32)


def test_the_reference_is_what_was_heard_when_the_block_was_captured() -> None:
    canceller = Canceller()
    world, far = World(canceller), noise(100)
    # Written in turn k, heard from 2 blocks after that turn's captured block on.
    echo = np.concatenate([np.zeros((2, BLOCK), np.float32), far])[:100]
    world.turns(np.roll(echo, 1, axis=0), far)
    played, reference = far.ravel(), np.concatenate(canceller.references)
    lags = [int(np.argmax(np.correlate(played, part, "valid"))) - start for start, part in parts(reference)]
    assert set(lags) == {lags[0]}, "it does not move"
    heard = canceller.microphones
    early = delay(np.concatenate([block[0] for block in heard]), reference)
    assert early / RATE == pytest.approx(0.004, abs=0.0105), "a little before the microphone hears it"
    assert canceller.jumps[1:] == []


def parts(reference: np.ndarray) -> list[tuple[int, np.ndarray]]:
    return [(start, reference[start : start + 2400]) for start in range(20 * BLOCK, 80 * BLOCK, 10 * BLOCK)]


def delay(late: np.ndarray, early: np.ndarray) -> int:
    middle = early[20 * BLOCK : 60 * BLOCK]
    return int(np.argmax(np.correlate(late, middle, "valid"))) - 20 * BLOCK


def test_a_jump_is_told() -> None:
    canceller = Canceller()
    world = World(canceller)
    world.turns(noise(30), noise(30))
    before = len(canceller.jumps)
    world.front_end.jumped(Side.CAPTURE)
    world.position = 0
    world.turns(noise(30), noise(30))
    assert len(canceller.jumps) > before
    assert world.front_end.counts["reference_jumps"] >= 1


def test_only_the_microphones_of_the_array_are_cancelled() -> None:
    canceller = Canceller()
    array = by_name("respeaker_usb_4")
    world = World(canceller, array=array)
    world.front_end.opened(FACTS)
    six = np.arange(6, dtype=np.float32)[:, np.newaxis] * np.full(BLOCK, 0.01, np.float32)
    world.turn(six)
    assert canceller.microphones[-1][:, 0] == pytest.approx([0.01, 0.02, 0.03, 0.04])
    assert world.front_end.state().array == "respeaker_usb_4"
    assert world.front_end.degraded == ""


def test_a_card_with_too_few_channels_is_one_microphone_and_says_so() -> None:
    canceller = Canceller()
    world = World(canceller, array=by_name("respeaker_usb_4"))
    world.turn(np.zeros((2, BLOCK)))
    assert canceller.microphones[-1].shape == (1, BLOCK)
    assert world.front_end.degraded == "one microphone of respeaker_usb_4, as the card gives 2 channels"


def test_one_that_raises_is_replaced_and_says_so() -> None:
    first, second = Canceller("first"), Canceller("second")
    world, heard = World(first, second), noise(4)
    assert np.array_equal(world.turn(heard[0]), heard[0])
    first.breaks = True
    assert not world.turn(heard[1]).any(), "silent for that block"
    faded = world.turn(heard[2])
    assert faded[0] == 0 and np.array_equal(world.turn(heard[3]), heard[3]), "the next fades in"
    assert world.front_end.degraded == "second instead of first (FloatingPointError: diverged)"
    assert world.front_end.counts["front_end_failures"] == 1
    assert world.front_end.state().chain[0] == "second"


def test_when_all_raise_the_room_is_not_deaf() -> None:
    cancellers = [Canceller(name) for name in ("first", "second", "third")]
    for canceller in cancellers:
        canceller.breaks = True
    world, heard = World(*cancellers), noise(6)
    out = world.turns(heard)
    assert np.array_equal(out[5], heard[5])
    assert "the microphone as it is instead of third" in world.front_end.degraded


def test_one_that_cannot_be_made_is_passed_over() -> None:
    def broken() -> Canceller:
        raise FileNotFoundError("residual.npz")

    second = Canceller("second")
    front_end = FrontEnd(
        Plan(lambda _: MONO, lambda _: [broken, lambda: second], lambda _: None, False, lambda _: False)
    )
    front_end.process(QUIET, 0, 0.0, np.zeros(BLOCK, np.float32))
    assert front_end.degraded == "second instead of the canceller (FileNotFoundError: residual.npz)"


def test_a_card_that_is_opened_anew_begins_with_the_best() -> None:
    first, second = Canceller("first"), Canceller("second")
    world = World(first, second)
    first.breaks = True
    world.turns(noise(3))
    first.breaks = False
    world.front_end.opened(FACTS)
    world.turn(QUIET)
    assert world.front_end.degraded == ""
    assert world.front_end.state().chain[0] == "first"
    assert world.front_end.counts["front_end_failures"] == 1, "what was counted stays"


def test_too_slow_for_this_machine() -> None:
    world = World(Canceller("first"), Canceller("second"))
    world.took = BUDGET * 1.5
    world.turns(noise(299))
    assert world.front_end.degraded == "", "once or twice is no reason"
    world.turns(noise(2))
    assert world.front_end.degraded == "second instead of first (9.0 ms for 10 ms of sound is too slow)"
    assert world.front_end.counts["front_end_slow"] == 1
    world.turns(noise(400))
    assert world.front_end.state().chain[0] == "second", "the last that cancels stays: an echo is worse than a gap"
    assert world.front_end.state().us_per_block == 9000


def test_noise_suppression_that_raises_is_left_out() -> None:
    suppressor = Suppressor()
    world, heard = World(Canceller(), suppressor=suppressor), noise(3)
    assert world.turn(heard[0]) == pytest.approx(heard[0] / 2)
    suppressor.breaks = True
    world.turn(heard[1])
    assert np.array_equal(world.turn(heard[2]), heard[2])
    assert world.front_end.degraded == "no noise suppression (MemoryError: no room)"
    assert "noise suppression" not in world.front_end.state().chain


def test_noise_is_taken_out_once_unless_twice_is_asked_for() -> None:
    canceller, heard = Canceller(), noise(2)
    canceller.denoises = True
    once = World(canceller, suppressor=Suppressor())
    assert np.array_equal(once.turn(heard[0]), heard[0])
    assert "noise suppression" not in once.front_end.state().chain
    canceller.denoises = False
    assert once.turn(heard[1]) == pytest.approx(heard[1] / 2)
    assert "noise suppression" in once.front_end.state().chain
    canceller.denoises = True
    twice = World(canceller, suppressor=Suppressor(), twice=True)
    assert twice.turn(heard[0]) == pytest.approx(heard[0] / 2)


def test_as_long_as_nobody_knows_what_was_played_a_loud_room_is_silent() -> None:
    world = World(Canceller())
    loud = np.full(BLOCK, 0.3, np.float32)
    for _ in range(5):
        world.front_end.playing(loud.copy())  # and no word of when it is heard
        world.front_end.process(loud[np.newaxis], world.position, world.now, world.out)
        world.position += BLOCK
        assert not world.out.any()
    assert world.front_end.counts["reference_missing"] == 5
    for _ in range(100):
        world.front_end.playing(np.zeros(BLOCK, np.float32))
        world.front_end.process(loud[np.newaxis], world.position, world.now, world.out)
        world.position += BLOCK
    assert world.out.any(), "the near talker passes when nothing is played"


def test_an_alignment_that_has_lost_its_way_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    canceller = Canceller()
    world = World(canceller)
    world.turns(noise(20), noise(20))
    before = world.front_end.counts["reference_missing"]
    monkeypatch.setattr(world.front_end._aligner, "reference", lambda *_: False)
    out = world.turns(noise(80), noise(80))
    assert not out[40].any()
    assert out[-1].any()
    assert world.front_end.counts["reference_missing"] - before in {50, 51}
    assert None in canceller.jumps, "what was learnt may be wrong now"


def test_without_alignment_the_last_one_works_with_what_is_played(monkeypatch: pytest.MonkeyPatch) -> None:
    first, last = Canceller("first"), Canceller("last")
    world = World(first, last)
    world.turns(noise(5), noise(5))

    def breaks(*_: object) -> bool:
        raise ZeroDivisionError("no slope")

    monkeypatch.setattr(world.front_end._aligner, "reference", breaks)
    played = noise(3, seed=7)
    world.turns(noise(3), played)
    assert "last instead of first (alignment failed, ZeroDivisionError: no slope)" in world.front_end.degraded
    assert np.array_equal(last.references[-1], played[1]), "the block before"
    assert world.front_end.state().delay_ms is None


def test_the_loudspeaker_is_limited_and_the_reference_is_what_is_played() -> None:
    canceller = Canceller()
    world = World(canceller)
    far = noise(60, 0.6)
    block = far[0].copy()
    world.turns(np.zeros_like(far), far)
    assert np.abs(np.concatenate(canceller.references)).max() < CEILING * 1.1, "resampling may add a little"
    world.front_end.playing(block)
    assert np.abs(block).max() <= CEILING * 1.00001
    assert world.front_end.counts["downlink_limited"] > 30


def test_speech_is_speech_of_somebody_near() -> None:
    canceller = Canceller()
    world = World(canceller)
    voice = 0.1 * synthetic(2).reshape(-1, BLOCK)
    world.turns(voice[:100])
    assert world.front_end.speech, "nobody plays anything: it is the room"
    canceller.near_talks = False
    world.turns(voice[:100], voice[:100])
    assert not world.front_end.speech, "it is the loudspeaker's"
    canceller.near_talks = True
    world.turns(voice[:60], voice[:60])
    assert world.front_end.speech
    assert world.front_end.counts["reference_missing"] < 5
    world.turns(noise(100, 1e-3))
    assert not world.front_end.speech


@pytest.mark.parametrize(("told", "direction"), [(None, None), (0.2, 0), (359.8, 0), (-90.0, 270)])
def test_direction_in_whole_degrees(told: float | None, direction: int | None) -> None:
    canceller = Canceller()
    canceller.direction = told
    world = World(canceller)
    world.turn(QUIET)
    assert world.front_end.direction == direction


def test_what_is_no_number_does_not_stay() -> None:
    class Keeps(Suppressor):
        """As WebRTC's: one sample that is no number, and all that follow are none."""

        burst = False

        def process(self, block: Block) -> None:
            self.burst = self.burst or not np.isfinite(block).all()
            if self.burst:
                block.fill(np.nan)

    world, heard = World(Canceller("first"), Canceller("second"), suppressor=Keeps()), noise(3)
    burst = heard[0].copy()
    burst[7] = np.nan
    assert not world.turn(burst).any()
    world.turn(heard[1])
    assert np.array_equal(world.turn(heard[2]), heard[2]), "it does not get as far as the noise suppression"
    assert world.front_end.degraded == "second instead of first (what came out was no sound)"


def test_what_was_counted_stays_whoever_takes_over() -> None:
    first, second = Canceller("first"), Canceller("second")
    world = World(first, second)
    world.turn(QUIET)
    first.counts, second.counts = {"echo_fallback_start": 3}, {"echo_ducked": 2}
    first.breaks = True
    world.turn(QUIET)
    for _ in range(2):
        assert world.front_end.counts["echo_fallback_start"] == 3
        assert world.front_end.counts["echo_ducked"] == 2
        world.turn(QUIET)
    first.breaks, first.counts = False, {}  # a new one
    world.front_end.opened(FACTS)
    world.turn(QUIET)
    first.counts = {"echo_fallback_start": 1}
    assert world.front_end.counts["echo_fallback_start"] == 4
    assert world.front_end.counts["echo_ducked"] == 2


def test_every_counter_has_its_place_in_the_table() -> None:
    assert set(World(Canceller()).front_end.counts) <= set(HELP)


# ---- the gate is closed


def test_the_canceller_rests_behind_a_closed_gate_while_nothing_is_played() -> None:
    canceller, suppressor = Canceller(), Suppressor()
    world = World(canceller, suppressor=suppressor)
    world.turns(noise(5))
    assert len(canceller.microphones) == 5
    world.front_end.closed = True
    heard = noise(10, seed=1)
    np.testing.assert_allclose(world.turns(heard), np.repeat(0.5 * heard[::2], 2, axis=0), rtol=1e-6)
    assert len(canceller.microphones) == 5, "nobody hears what it would do"
    world.front_end.closed = False
    world.turns(noise(3))
    assert len(canceller.microphones) == 8


def test_it_works_behind_a_closed_gate_as_long_as_the_loudspeaker_is_heard() -> None:
    canceller = Canceller()
    world = World(canceller)
    world.front_end.closed = True
    world.turns(noise(20), noise(20, seed=1))
    assert len(canceller.microphones) == 19, "all but the one before the first was played"
    world.turns(noise(100))
    assert 30 < len(canceller.microphones) - 19 < 50, "and for as long as it rings on"


def test_somebody_who_talks_is_noticed_at_rest() -> None:
    world = World(Canceller(), suppressor=None)
    world.front_end.closed = True
    voice = synthetic(3.0)[: 250 * BLOCK].reshape(-1, BLOCK)
    noticed = []
    for block in voice:
        world.turn(block)
        noticed.append(world.front_end.speech)
    assert np.mean(noticed) > 0.3
    world.turns(np.zeros((100, BLOCK), np.float32))
    assert not world.front_end.speech


def test_a_gate_that_opens_has_heard_nobody_so_far() -> None:
    world = World(Canceller(), suppressor=None)
    world.front_end.closed = True
    said = iter(synthetic(3.0)[: 250 * BLOCK].reshape(-1, BLOCK))
    while not world.front_end.speech:
        world.turn(next(said))
    world.front_end.closed = False
    world.turn(next(said))
    assert not world.front_end.speech


@pytest.mark.parametrize("kind", ["full_duplex", "safe", "half_duplex"])
def test_of_what_was_said_before_an_opening_nothing_is_left_when_the_gate_lets_through(kind: str) -> None:
    """Said while the canceller rested, or before it began to rest; the gate lets nothing of DELAYED blocks through."""
    from appliance.app.duplex import DELAYED
    from appliance.app.hearing import make_front_end
    from tests.settings.support import loaded

    front_end = make_front_end(loaded(f'[audio]\necho = "{kind}"\ngain_control = false').audio, lambda: 0.0)
    assert front_end is not None
    out, position = np.zeros(BLOCK, np.float32), 0
    voice = synthetic(3.0)[: 250 * BLOCK].reshape(-1, BLOCK)

    def hear(block: np.ndarray) -> float:
        nonlocal position
        front_end.playing(np.zeros(BLOCK, np.float32))
        front_end.played(position, position / RATE + 0.03)
        front_end.process(block.reshape(1, BLOCK).astype(np.float32), position, position / RATE, out)
        position += BLOCK
        return float(np.abs(out).max())

    usual: list[float] = []
    for rests in (0, 1, 200):
        front_end.closed = False
        for block in voice:
            hear(block)
        front_end.closed = rests > 0
        for block in voice[:rests]:
            hear(block)
        front_end.closed = False
        left = [hear(np.zeros(BLOCK)) for _ in range(30)]
        usual = usual or left
        assert max(left[DELAYED:]) < 1e-4
        assert all(one <= 1.5 * other + 1e-6 for one, other in zip(left[2:], usual[2:], strict=True)), (
            "no more than ever"
        )
