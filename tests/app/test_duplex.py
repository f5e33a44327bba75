"""The two 10 ms paths of sound, over a real exchange."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from appliance.app.duplex import FOUND_AFTER, LOST_AFTER, STRADDLES, Duplex, Facts
from appliance.audio.gate import Gate
from appliance.audio.port import Side
from appliance.core.controls import Door
from appliance.core.counters import Counters
from appliance.core.lamps import LinkPhase
from appliance.core.levels import dbov
from appliance.core.units import BLOCK, SILENCE
from appliance.media.exchange import Client, Downlink, Listener, Uplink

TALK = np.full(BLOCK, 0.25, np.float32)
MUSIC = np.full(BLOCK, 8192, "<i2").tobytes()


class Front:
    """A front end that halves what it hears, and hears and finds whatever a test says."""

    def __init__(self) -> None:
        self.closed = False
        self.speech = True
        self.direction: int | None = 70
        self.told: list[object] = []
        self.played_blocks: list[np.ndarray] = []

    def process(self, microphones: np.ndarray, position: int, time: float, out: np.ndarray) -> None:
        self.told.append((microphones.shape, position, time))
        np.multiply(microphones[-1], np.float32(0.5), out=out)

    def playing(self, block: np.ndarray) -> None:
        np.multiply(block, np.float32(0.5), out=block)
        self.played_blocks.append(block.copy())

    def played(self, position: int, time: float) -> None:
        self.told.append((position, time))

    def jumped(self, side: Side) -> None:
        self.told.append(side)


class World:
    """Sound's paths on one side, a link that a test speaks for on the other."""

    def __init__(self, folder: Path, patience: float = 0.0, front_end: Front | None = None) -> None:
        self.now = 100.0
        self.gate, self.counters = Gate(), Counters()
        self.listener = Listener(folder / "exchange")
        self.duplex = Duplex(self.gate, self.listener, self.counters, lambda: self.now, patience, front_end)
        self.link = Client(folder / "exchange", timeout=0.5)
        self.out = np.zeros(BLOCK, np.float32)

    def close(self) -> None:
        self.link.close()
        self.listener.close()

    def turn(self, heard: np.ndarray = TALK) -> np.ndarray:
        self.duplex.captured(heard[np.newaxis], 0, self.now)
        self.duplex.wanted(self.out)
        self.now += 0.01
        return self.out.copy()

    def uplink(self) -> Uplink:
        message = self.link.receive()
        assert message is not None
        return message

    def exchange(self, block: bytes | None = None) -> tuple[Uplink, np.ndarray]:
        played = self.turn()
        message = self.uplink()
        self.link.send(Downlink(seq=message.seq, block=block, link=LinkPhase.IN_ROOM))
        return message, played


@pytest.fixture
def world(short_dir: Path) -> Iterator[World]:
    world = World(short_dir)
    yield world
    world.close()


def test_closed_gate_tells_nothing_of_the_room(world: World) -> None:
    world.duplex.facts = Facts(reasons=1)
    for _ in range(6):
        message, _ = world.exchange()
        assert message.block is None
        assert (message.level, message.direction, message.reasons) == (-127, None, 1)
    assert world.duplex.microphone == pytest.approx(-12.04, abs=0.1), "the device itself may know"
    assert world.duplex.talking


def test_open_gate_sends_what_is_heard(world: World) -> None:
    world.gate.open()
    messages = [world.exchange()[0] for _ in range(8)]
    block = np.frombuffer(messages[7].block or b"", "<i2")
    assert set(block) == {8191}
    assert messages[7].level == -12
    assert [message.seq for message in messages] == list(range(1, 9))


def test_a_block_missing_from_the_microphone_is_silence_and_no_close(world: World) -> None:
    world.gate.open()
    world.duplex.wanted(world.out)
    message = world.uplink()
    assert message.block is not None and not any(message.block)


def test_closing_raises_the_epoch_and_stops_what_waits(world: World) -> None:
    world.gate.open()
    world.exchange()
    world.duplex.captured(TALK[np.newaxis], 0, world.now)
    world.gate.close()
    world.duplex.wanted(world.out)
    message = world.uplink()
    assert (message.block, message.epoch) == (None, 1)


def test_closing_between_fetching_and_sending_is_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.gate.open()
    world.exchange()
    take = world.gate.take

    def interrupted(out: np.ndarray) -> bool:
        took = take(out)
        world.gate.close()
        return took

    monkeypatch.setattr(world.gate, "take", interrupted)
    world.turn()
    message = world.uplink()
    assert (message.block, message.epoch) == (None, 1)


def test_the_answer_is_played_and_measured(world: World) -> None:
    for _ in range(5):
        world.exchange(MUSIC)
    _, played = world.exchange(MUSIC)
    assert set(played) == {0.25}
    assert world.duplex.loudspeaker == pytest.approx(-12.04, abs=0.1)
    assert world.duplex.answer is not None and world.duplex.answer.link is LinkPhase.IN_ROOM


def test_a_missing_answer_fades_once_and_is_counted(world: World) -> None:
    world.exchange(MUSIC)
    world.exchange(MUSIC)
    world.turn()
    faded, silent = world.turn(), world.turn()
    assert faded[0] == 0.25 and faded[-1] == 0 and np.all(np.diff(faded) <= 0)
    assert not silent.any()
    assert world.counters.get("downlink_missing") == 2
    assert dbov(silent) == SILENCE


def test_link_that_does_not_answer_is_lost_after_half_a_second(world: World) -> None:
    world.exchange(MUSIC)
    world.exchange(MUSIC)
    for _ in range(LOST_AFTER):
        world.turn()
        assert world.duplex.answer is not None
    for _ in range(5):
        world.turn()
    assert world.duplex.answer is None
    assert world.listener.connected


def test_closed_door_plays_nothing(world: World) -> None:
    world.duplex.facts = Facts(door=Door.CLOSED)
    world.exchange(MUSIC)
    _, played = world.exchange(MUSIC)
    assert not played.any()


def test_without_link_the_clock_goes_on(world: World) -> None:
    world.link.close()
    for _ in range(20):
        assert not world.turn().any()
    assert world.duplex.turns == 20


def answering(world: World, late: float = 0.0) -> threading.Thread:
    """A link that answers one message, each with its own number as sound."""

    def answer() -> None:
        message = world.uplink()
        time.sleep(late)
        world.link.send(Downlink(seq=message.seq, block=np.full(BLOCK, message.seq * 10, "<i2").tobytes()))

    thread = threading.Thread(target=answer)
    thread.start()
    return thread


def played(world: World, late: float = 0.0) -> float:
    thread = answering(world, late)
    block = world.turn()
    thread.join()
    return float(block[0] * 32768)


def test_with_patience_a_message_is_answered_in_its_own_turn(short_dir: Path) -> None:
    world = World(short_dir, patience=0.5)
    assert [played(world) for _ in range(4)] == [10, 20, 30, 40]
    world.close()


def test_after_a_hole_a_block_is_in_hand_and_later_no_more(short_dir: Path) -> None:
    world = World(short_dir, patience=0.05)
    assert played(world) == 10
    assert played(world, late=0.2) == 10, "the last block fades"
    assert world.counters.get("downlink_missing") == 1
    played(world)
    assert world.out[-1] * 32768 == pytest.approx(20, abs=1), "fades in"
    before = 0.0
    while world.duplex.turns < 501:
        before = played(world)
    assert before == 5000, "one is in hand"
    assert world.counters.get("downlink_missing") == 1
    played(world)
    assert world.out[-1] * 32768 == pytest.approx(5020, abs=1), "fades from one to the next"
    assert played(world) == 5030, "none is in hand"
    world.close()


def test_what_comes_late_is_played_and_the_next_delay_leaves_no_hole(world: World) -> None:
    late = [world.exchange(MUSIC)[0] for _ in range(3)]
    world.turn()
    late.append(world.uplink())
    world.turn()
    late.append(world.uplink())
    assert world.counters.get("downlink_missing") == 1
    for message in late[3:]:
        world.link.send(Downlink(seq=message.seq, block=MUSIC, link=LinkPhase.IN_ROOM))
    world.turn()
    assert world.listener.waiting == 1
    world.uplink()
    world.turn()
    assert world.counters.get("downlink_missing") == 1, "one was in hand"


def test_an_answer_that_always_waits_is_faded_into_the_one_before(world: World) -> None:
    world.exchange(MUSIC)
    world.turn()
    message = world.uplink()
    world.turn()
    for seq in (message.seq, world.uplink().seq):
        world.link.send(Downlink(seq=seq, block=MUSIC, link=LinkPhase.IN_ROOM))
    heard = [world.exchange(MUSIC)[1] for _ in range(500)]
    assert world.listener.waiting == 0
    assert world.listener.counts.skipped == 1
    assert np.abs(np.concatenate(heard[5:]) - 0.25).max() < 1e-3, "nobody hears it"


def test_a_link_that_does_not_answer_is_waited_for_a_few_times_only(short_dir: Path) -> None:
    world = World(short_dir, patience=0.05)
    began = time.monotonic()
    for _ in range(40):
        world.turn()
    assert time.monotonic() - began < 1.0
    world.close()


def test_a_block_that_always_waits_behind_the_gate_is_faded_into_the_next(world: World) -> None:
    world.gate.open()
    for _ in range(STRADDLES + 1):
        world.duplex.captured(TALK[np.newaxis], 0, world.now)
    for _ in range(120):
        world.exchange()
    assert world.gate.waiting == 0
    assert world.gate.dropped == 1


@pytest.fixture
def front() -> Front:
    return Front()


@pytest.fixture
def fronted(short_dir: Path, front: Front) -> Iterator[World]:
    world = World(short_dir, front_end=front)
    yield world
    world.close()


def test_both_ways_lead_through_the_front_end(fronted: World, front: Front) -> None:
    fronted.gate.open()
    fronted.exchange(MUSIC)
    message, played = [fronted.exchange(MUSIC) for _ in range(6)][-1]
    assert set(np.frombuffer(message.block or b"", "<i2")) == {4095}, "half of what the microphone hears"
    assert set(played) == {0.125}
    assert np.array_equal(front.played_blocks[-1], played), "what is played is what the front end has seen last"


def test_the_card_tells_the_front_end_what_it_tells(fronted: World, front: Front) -> None:
    fronted.duplex.captured(np.zeros((4, BLOCK), np.float32), 960, 7.5)
    fronted.duplex.played(480, 7.6)
    fronted.duplex.jumped(Side.PLAYBACK)
    assert front.told == [((4, BLOCK), 960, 7.5), (480, 7.6), Side.PLAYBACK]


def test_the_front_end_is_told_whether_anybody_hears_it(fronted: World, front: Front) -> None:
    fronted.exchange()
    assert front.closed
    fronted.gate.open()
    fronted.exchange()
    assert not front.closed


def test_talking_is_speech_and_no_noise(fronted: World, front: Front) -> None:
    front.speech = False
    for _ in range(20):
        fronted.exchange()
    assert fronted.duplex.microphone == pytest.approx(-18.06, abs=0.1)
    assert not fronted.duplex.talking, "a fan is as loud"
    front.speech = True
    for _ in range(6):
        fronted.exchange()
    assert fronted.duplex.talking


def test_a_direction_is_told_while_the_gate_is_open_and_somebody_talks(fronted: World, front: Front) -> None:
    fronted.gate.open()
    directions = [fronted.exchange()[0].direction for _ in range(250)]
    opened = int(FOUND_AFTER * 100)
    assert set(directions[: opened - 5]) == {None}, "what was found while it was closed is not told afterwards"
    assert set(directions[opened + 12 :]) == {70}
    front.direction = None
    assert [fronted.exchange()[0].direction for _ in range(12)][-1] is None
    front.direction, front.speech = 80, False
    assert [fronted.exchange()[0].direction for _ in range(200)][-1] is None, "nobody talks"


def test_a_direction_that_the_settings_keep_here_is_known_and_not_told(fronted: World) -> None:
    fronted.duplex.tells_direction = False
    fronted.gate.open()
    assert {fronted.exchange()[0].direction for _ in range(250)} == {None}
    assert fronted.duplex.direction == 70


def test_a_card_that_finds_directions_by_itself_tells_them_as_a_front_end_would(world: World) -> None:
    world.duplex.talker = lambda: 130
    assert [world.exchange()[0].direction for _ in range(250)][-1] is None, "the gate is closed"
    world.gate.open()
    directions = [world.exchange()[0].direction for _ in range(250)]
    assert set(directions[:150]) == {None}, "what was said before it opened is not told"
    assert directions[-1] == 130
    world.gate.close()
    assert [world.exchange()[0].direction for _ in range(12)] == [None] * 12


def test_a_closed_gate_tells_no_direction_and_forgets_when_it_opened(fronted: World) -> None:
    fronted.gate.open()
    for _ in range(250):
        fronted.exchange()
    assert fronted.duplex.direction == 70
    fronted.gate.close()
    assert [fronted.exchange()[0].direction for _ in range(12)] == [None] * 12
    assert fronted.duplex.direction is None
    fronted.gate.open()
    assert [fronted.exchange()[0].direction for _ in range(100)] == [None] * 100


def test_silence_after_an_opening_does_not_make_an_old_direction_new(fronted: World, front: Front) -> None:
    for _ in range(20):
        fronted.exchange()
    fronted.gate.open()
    front.speech = False
    for _ in range(300):
        fronted.exchange()
    front.speech = True
    directions = [fronted.exchange()[0].direction for _ in range(250)]
    assert set(directions[: int(FOUND_AFTER * 100) - 5]) == {None}, "70 was found while it was closed"
    assert directions[-1] == 70


@pytest.mark.parametrize("delay", [0, 1, 2])
def test_nothing_captured_before_an_opening_leaves_after_it(short_dir: Path, delay: int) -> None:
    class Late(Front):
        def __init__(self) -> None:
            super().__init__()
            self.holds = [np.zeros(BLOCK, np.float32)] * delay

        def process(self, microphones: np.ndarray, position: int, time: float, out: np.ndarray) -> None:
            self.holds.append(microphones[0].copy())
            np.copyto(out, self.holds.pop(0))

    world = World(short_dir, front_end=Late() if delay else None)
    before, after = np.full(BLOCK, 0.5, np.float32), np.full(BLOCK, 0.1, np.float32)
    sent = []
    # Of the sixth block some was captured before the gate opened.
    for turn, heard in enumerate([before] * 6 + [after] * 8):
        if turn == 5:
            world.gate.open()
        world.turn(heard)
        message = world.uplink()
        sent.append(np.frombuffer(message.block or b"", "<i2"))
        world.link.send(Downlink(seq=message.seq, block=MUSIC, link=LinkPhase.IN_ROOM))
    assert max(block.max() for block in sent if block.size) == 3276, "only what came afterwards, and that whole"
    world.close()


def test_the_level_of_an_open_gate_has_nothing_of_before(world: World) -> None:
    for _ in range(50):
        world.exchange()
    assert world.duplex.microphone == pytest.approx(-12.04, abs=0.1)
    world.gate.open()
    levels = []
    for heard in [TALK] * STRADDLES + [np.full(BLOCK, 0.001, np.float32)] * 20:
        world.turn(heard)
        levels.append(world.duplex.microphone)
        world.link.send(Downlink(seq=world.uplink().seq, link=LinkPhase.IN_ROOM))
    assert max(levels[5:]) == pytest.approx(-60, abs=0.1)


def test_a_block_that_comes_as_the_card_is_lost_leaves_no_level(fronted: World, front: Front) -> None:
    process = front.process

    def lost(microphones: np.ndarray, position: int, time: float, out: np.ndarray) -> None:
        process(microphones, position, time, out)
        fronted.duplex.changed(False)  # by the other thread, while this block is worked on

    front.process = lost  # type: ignore[method-assign]
    fronted.turn()
    assert (fronted.duplex.microphone, fronted.duplex.talking) == (SILENCE, False)
    front.process = process  # type: ignore[method-assign]
    fronted.duplex.changed(True)
    for _ in range(5):
        fronted.exchange()
    assert fronted.duplex.talking


def test_a_lost_card_closes_the_gate_at_once(world: World) -> None:
    changes: list[bool] = []
    world.duplex.card_changed = changes.append
    world.duplex.changed(True)
    world.gate.open()
    world.exchange()
    world.duplex.changed(False)
    assert not world.gate.is_open, "before the loop has heard of it"
    assert world.duplex.microphone == SILENCE
    assert changes == [True, False]
