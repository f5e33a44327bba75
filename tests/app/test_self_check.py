"""Sound's own look at the mute: silent about what is right, and every mutant of gate and duplex is caught by it."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from appliance.app.duplex import Duplex
from appliance.app.self_check import HELD, LEFT, LEFT_LATE, TAKEN, SelfCheck
from appliance.audio.gate import Gate
from appliance.core.counters import Counters
from appliance.core.state import ProofState
from appliance.core.units import BLOCK, Block, Pcm
from appliance.media.exchange import Client, Downlink, Listener, Uplink

LOUD = np.full((1, BLOCK), 0.5, np.float32)


class KeepsWhatWaits(Gate):
    """Closing does not empty it."""

    def _close(self) -> bool:
        kept = self._ring.copy(), self._count
        was_open = super()._close()
        self._ring[:], self._count = kept
        return was_open


class KeepsSound(Gate):
    """Closing forgets what waits, and leaves its sound in memory."""

    def _close(self) -> bool:
        ring = self._ring.copy()
        was_open = super()._close()
        self._ring[:] = ring
        return was_open


class GivesOnce(Gate):
    """After closing it gives one more block."""

    _given = -1

    def take(self, out: Pcm) -> bool:
        if not self._open and self._epoch != self._given and self._epoch:
            self._given = self._epoch
            self._taken += 1
            out.fill(16_000)
            return True
        return super().take(out)


class ListensOn(Gate):
    """Closed, it takes what is captured all the same."""

    @property
    def is_open(self) -> bool:
        return True

    def put(self, block: Block) -> None:
        was, self._open = self._open, True
        super().put(block)
        self._open = was


class SendsTheLastBlock(Duplex):
    """When the gate gives nothing it sends again what it has."""

    def _send(self) -> bool:
        sent = super()._send()
        if not self._gate._open:
            self._seq += 1
            block = np.full(BLOCK, 16_000, np.int16).data.cast("B")
            self._listener.send(Uplink(seq=self._seq, block=block, epoch=self._gate.epoch))
        return sent


class SendsWithAnOldEpoch(Duplex):
    """The same, as if it were of the time before the gate closed."""

    def _send(self) -> bool:
        sent = super()._send()
        if self._gate.epoch:
            self._seq += 1
            block = np.full(BLOCK, 16_000, np.int16).data.cast("B")
            self._listener.send(Uplink(seq=self._seq, block=block, epoch=self._gate.epoch - 1))
        return sent


class World:
    """Gate, duplex, check and exchange as sound puts them together, and link's end. Time stands still."""

    def __init__(self, folder: Path, gate: type[Gate], duplex: type[Duplex]) -> None:
        self.gate = gate(clock=lambda: 0.0)
        self.listener = Listener(folder / "exchange")
        self.check = SelfCheck(self.gate, clock=lambda: 7.0)
        self.listener.may_pass = self.check.may_pass
        self.duplex = duplex(self.gate, self.listener, Counters(), clock=lambda: 0.0)
        self.link = Client(folder / "exchange", timeout=0.05)
        self.listener.poll()
        self.out = np.zeros(BLOCK, np.float32)

    def turns(self, count: int) -> list[bool]:
        """So many blocks are captured and asked for; which of the messages that reach link have a block."""
        heard = []
        for _ in range(count):
            self.duplex.captured(LOUD, 0, 0.0)
            self.duplex.wanted(self.out)
            while self.link._waiting.at(self.link._socket):
                uplink = self.link._read(0)
                assert uplink is not None
                heard.append(uplink.block is not None)
                self.link.send(Downlink(seq=uplink.seq))
        return heard

    def close(self) -> None:
        self.listener.close()
        self.link.close()


@pytest.fixture
def make(short_dir: Path) -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def make(gate: type[Gate] = Gate, duplex: type[Duplex] = Duplex) -> World:
        made.append(World(short_dir, gate, duplex))
        return made[0]

    yield make
    made[0].close()


def test_what_is_right_is_let_pass_and_nothing_is_found(make: Callable[..., World]) -> None:
    world = make()
    assert world.turns(5) == [False] * 5
    for blocks in (1, 2, 7, 0, 30):
        world.gate.open()
        world.check.look()
        assert world.turns(blocks) == [True] * blocks
        world.gate.close()
        world.check.look()
        assert world.turns(3) == [False] * 3
    state = world.check.state
    assert (state.violations, state.why, state.looked, state.checks, state.checked_ago) == (0, "", 40, 10, 0.0)
    assert world.listener.counts.withheld == 0


@pytest.mark.parametrize(
    ("gate", "duplex", "why"),
    [
        (KeepsWhatWaits, Duplex, {LEFT, HELD}),
        (KeepsSound, Duplex, {HELD}),
        (GivesOnce, Duplex, {LEFT, TAKEN}),
        (ListensOn, Duplex, {LEFT, HELD}),
        (Gate, SendsTheLastBlock, {LEFT}),
        (Gate, SendsWithAnOldEpoch, {LEFT_LATE}),
    ],
)
def test_a_mutant_is_caught_and_link_hears_nothing_of_it(
    make: Callable[..., World], gate: type[Gate], duplex: type[Duplex], why: set[str]
) -> None:
    world = make(gate, duplex)
    world.gate.open()
    assert any(world.turns(4))
    assert world.check.state.violations == 0
    world.duplex.captured(LOUD, 0, 0.0)  # it waits behind the gate when that closes
    world.gate.close()
    assert not any(world.turns(6))
    world.check.look()
    assert world.check.state.violations > 0
    assert world.check.state.why in why
    assert world.listener.counts.withheld == world.check.state.violations - (world.check._found)


def test_only_what_the_gate_and_the_order_of_epochs_allow_may_pass() -> None:
    """In every order of messages of two epochs, with a gate that is open or closed when they leave."""
    for newest, epoch, is_open in [(told, said, is_open) for told in (0, 1) for said in (0, 1) for is_open in (0, 1)]:
        gate = Gate(clock=lambda: 0.0)
        gate.open()
        check = SelfCheck(gate)
        gate.close()
        assert check.may_pass(newest, False)
        if is_open:
            gate.open()
        in_order = epoch >= newest
        of_a_closed_gate = epoch == gate.epoch and not is_open
        assert check.may_pass(epoch, True) is (in_order and not of_a_closed_gate), (newest, epoch, is_open)
        assert check.state.violations == (not in_order or of_a_closed_gate)
        assert check.may_pass(1, False), "that the gate is closed may always be told"


def test_a_gate_that_was_never_open_lets_nothing_pass() -> None:
    check = SelfCheck(Gate())
    assert not check.may_pass(0, True)
    assert check.state.why == LEFT
    assert check.state.checked_ago is None


def test_looking_knows_an_open_gate_from_a_closed_one() -> None:
    """What waits and is taken while it is open is in order, and nothing of it counts when it has closed."""
    gate, out = Gate(), np.zeros(BLOCK, np.int16)
    now = [3.0]
    check = SelfCheck(gate, clock=lambda: now[0])
    for _ in range(2):
        gate.open()
        gate.put(LOUD[0])
        gate.put(LOUD[0])
        assert gate.take(out)
        check.look()
        gate.close()
        check.look()
    now[0] += 0.26
    assert check.state == ProofState(looked=0, checks=4, checked_ago=0.3)


def test_each_thing_that_is_found_in_the_gate_counts_once() -> None:
    gate, out = GivesOnce(), np.zeros(BLOCK, np.int16)
    check = SelfCheck(gate)
    gate.open()
    gate.close()
    assert gate.take(out)
    check.look()
    assert (check.state.violations, check.state.why) == (1, TAKEN)
    gate.open()
    gate.close()
    gate._count = 1
    check.look()
    assert (check.state.violations, check.state.why) == (2, HELD), "digital silence that waits waits too"
    assert check.state.left_closed == 0


@pytest.mark.virtual_time
async def test_watching_looks_four_times_a_second_and_ends_with_what_was_found() -> None:
    gate = KeepsSound()
    check = SelfCheck(gate)
    watching = asyncio.create_task(check.watch())
    await asyncio.sleep(1.1)
    assert check.state.checks == 4
    assert not watching.done()
    gate.open()
    gate.put(LOUD[0])
    gate.close()
    assert await watching == HELD
    assert check.state.checks == 5


def test_what_is_taken_from_a_closed_gate_is_known_by_the_gate_itself() -> None:
    gate, out = KeepsWhatWaits(), np.zeros(BLOCK, np.int16)
    gate.open()
    gate.put(LOUD[0])
    gate.close()
    assert gate.left_behind() == (True, False)
    assert gate.take(out)
    assert gate.left_behind() == (True, True)


def test_a_block_tells_of_its_epoch_too() -> None:
    gate = Gate()
    gate.open()
    check = SelfCheck(gate)
    assert check.may_pass(1, True)
    assert not check.may_pass(0, True)
    assert check.state.why == LEFT_LATE
