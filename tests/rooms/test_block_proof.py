"""The proof of mute at the block that is handed to a library: silent about what is right, and it counts what leaks."""

import threading
from collections import deque
from collections.abc import Callable

import numpy as np
import pytest

from appliance.core.levels import dbov
from appliance.core.units import BLOCK, RATE, Pcm
from appliance.rooms import block_proof
from appliance.rooms.block_proof import BlockProof

SILENCE = np.zeros(BLOCK, np.int16)


def tone(hertz: float, blocks: int, level: float = 0.5) -> list[Pcm]:
    samples = np.sin(2 * np.pi * hertz * np.arange(blocks * BLOCK) / RATE) * 32767 * level
    return list(samples.astype(np.int16).reshape(blocks, BLOCK))


class Way:
    """A way up as an engine would build it: a queue, and a hand-over. With the mistakes that a test asks for."""

    def __init__(self, *, empties: bool = True, repeats: bool = False, grace: int = 0) -> None:
        self.levels: list[float] = []
        self.proof = BlockProof(self.levels.append, grace)
        self.queue: deque[Pcm] = deque()
        self.left: list[Pcm] = []
        self.empties, self.repeats = empties, repeats

    def take(self, pcm: Pcm | None) -> None:
        self.proof.entered(pcm)
        if pcm is not None:
            self.queue.append(pcm)
        elif self.empties:
            self.queue.clear()

    def hand_over(self) -> None:
        block = self.queue.popleft() if self.queue else SILENCE
        for _ in range(2 if self.repeats else 1):
            if self.proof.leaving(block):
                self.left.append(block)


def run(way: Way, blocks: list[Pcm] | list[None], behind: int = 2) -> None:
    """Blocks come in, and leave when ``behind`` of them wait."""
    for block in blocks:
        way.take(block)
        if len(way.queue) > behind or block is None:
            way.hand_over()


def test_a_gate_that_opens_and_closes_at_any_block_leaves_no_trace() -> None:
    way = Way()
    random = np.random.default_rng(5)
    for _ in range(60):
        run(way, tone(440, int(random.integers(1, 30)), 0.9))
        run(way, [None] * int(random.integers(1, 5)))
    assert way.proof.violations == 0
    assert any(block.any() for block in way.left)


def test_digital_silence_may_leave_a_closed_gate_and_is_told() -> None:
    way = Way()
    run(way, tone(440, 20))
    run(way, [None] * 10)
    assert way.proof.violations == 0
    assert way.proof.state.left_closed == 10


def test_a_block_that_still_waited_when_the_gate_closed_is_counted_and_does_not_leave() -> None:
    way = Way(empties=False)
    run(way, tone(440, 20))
    left = len(way.left)
    run(way, [None] * 5)
    assert way.proof.violations >= 1
    assert way.levels[0] == pytest.approx(dbov(tone(440, 1)[0]), abs=0.5)
    assert len(way.left) == left, "and nothing after it"
    assert "closed" in way.proof.state.why


def test_after_a_violation_nothing_leaves_whatever_comes_in() -> None:
    way = Way(empties=False)
    run(way, tone(440, 20))
    run(way, [None])
    left = len(way.left)
    run(way, tone(440, 20))
    assert len(way.left) == left


def test_a_block_of_before_is_counted_when_the_gate_has_opened_again() -> None:
    way = Way()
    run(way, tone(440, 20))
    stale = way.queue[0]
    run(way, [None] * 3)
    way.queue.append(stale)
    run(way, tone(880, 5))
    assert way.proof.violations >= 1
    assert "before" in way.proof.state.why


def test_a_block_that_leaves_twice_is_counted() -> None:
    way = Way(repeats=True)
    run(way, tone(441.7, 20))
    assert way.proof.violations >= 1


def test_blocks_may_be_dropped_on_their_way() -> None:
    way = Way()
    for number, block in enumerate(tone(441.7, 60)):
        way.take(block)
        if number % 3:
            way.queue.clear()
        elif way.queue:
            way.hand_over()
    assert way.proof.violations == 0


def test_quiet_noise_that_did_not_come_in_counts_down_to_minus_eighty() -> None:
    for amplitude, counted in ((8.0, True), (1.0, False)):
        way = Way()
        run(way, tone(440, 5))
        noise = np.random.default_rng(1).normal(0, amplitude, BLOCK).astype(np.int16)
        way.proof.leaving(noise)
        assert bool(way.proof.violations) is counted, amplitude


def test_what_leaves_although_a_reason_to_close_holds_is_counted_from_the_second_block_on() -> None:
    proof = BlockProof()
    first, second, third = tone(440, 3)
    proof.entered(first)
    proof.forbid(True)
    assert proof.leaving(first)
    proof.entered(second)
    proof.forbid(True)
    assert not proof.leaving(second)
    assert proof.violations == 1
    proof.forbid(False)
    proof.entered(third)
    assert not proof.leaving(third)


def test_another_process_has_one_block_of_grace() -> None:
    proof = BlockProof(grace=1)
    blocks = tone(440, 3)
    proof.entered(blocks[0])
    proof.entered(None)
    assert proof.leaving(blocks[0])
    assert not proof.leaving(blocks[1])
    assert proof.violations == 1


def test_a_check_tells_when_it_was_made_and_finds_what_was_kept() -> None:
    now = 100.0
    proof = BlockProof(clock=lambda: now)
    proof.check(kept=False)
    now = 103.0
    state = proof.state
    assert (state.violations, state.checks, state.checked_ago) == (0, 1, 3.0)
    proof.check(kept=True)
    assert proof.violations == 1
    assert not proof.leaving(SILENCE)


@pytest.mark.parametrize("deaf", [lambda _: False, lambda _: True])
def test_a_check_finds_a_proof_that_does_not_hear(deaf: Callable[[Pcm], bool], monkeypatch: pytest.MonkeyPatch) -> None:
    proof = BlockProof()
    monkeypatch.setattr(block_proof, "_audible", deaf)
    proof.check(kept=False)
    assert proof.violations == 1
    assert "hear" in proof.state.why


def test_a_gate_that_closes_waits_for_a_block_that_is_being_handed_over() -> None:
    proof = BlockProof()
    (block,) = tone(440, 1)
    proof.entered(block)
    handed: list[bool] = []
    with proof.lock:
        closing = threading.Thread(target=lambda: proof.entered(None))
        closing.start()
        handed.append(proof.leaving(block))
        assert not proof.closed
    closing.join()
    assert handed == [True]
    assert proof.closed
    assert not proof.leaving(block)
