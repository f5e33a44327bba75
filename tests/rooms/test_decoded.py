"""The way down of engines whose library decodes: what a person hears of it."""

import threading
import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from appliance.core.units import BLOCK, RATE, Pcm
from appliance.rooms.decoded import DecodedDownlink

_MS = RATE // 1000


def wave(hertz: float, seconds: float, level: float = 0.5) -> NDArray[np.int16]:
    samples = np.sin(2 * np.pi * hertz * np.arange(round(seconds * 100) * BLOCK) / RATE) * 32767 * level
    return samples.astype(np.int16).reshape(-1, BLOCK)


def power(sound: NDArray[np.float32], hertz: float) -> float:
    turning = np.exp(-2j * np.pi * hertz * np.arange(sound.size) / RATE)
    window = np.hanning(sound.size)
    return float(20 * np.log10(max(1e-9, 2 * abs(np.dot(sound * window, turning)) / window.sum())))


class Room:
    """Members whose blocks come when a test says, and one who listens every 10 ms."""

    def __init__(self, most: int = 3) -> None:
        self.down = DecodedDownlink(most)
        self.sound: list[NDArray[np.float32]] = []
        self.out = np.zeros(BLOCK, np.float32)

    def listen(self, blocks: int = 1) -> NDArray[np.float32]:
        for _ in range(blocks):
            self.down.mix(self.out)
            self.sound.append(self.out.copy())
        return np.concatenate(self.sound[-blocks:])

    def play(self, **voices: NDArray[np.int16]) -> NDArray[np.float32]:
        """Blocks of several members come punctually."""
        length = max(len(blocks) for blocks in voices.values())
        for at in range(length):
            for who, blocks in voices.items():
                if at < len(blocks):
                    self.down.put(who, blocks[at])
            self.listen()
        return np.concatenate(self.sound[-length:])


def clicks(sound: NDArray[np.float32], hertz: float, level: float = 0.5) -> int:
    """Steps between neighbouring samples that a sine of this pitch and level does not make."""
    steepest = 2 * np.pi * hertz / RATE * level
    return int((np.abs(np.diff(sound)) > 1.6 * steepest).sum())


def test_three_are_heard_each_at_its_own_level_and_a_fourth_has_no_place() -> None:
    room = Room()
    assert [room.down.hear(who) for who in ("a", "b", "c", "d")] == [True, True, True, False]
    tones = {"a": 400, "b": 700, "c": 1100, "d": 1900}
    sound = room.play(**{who: wave(hertz, 1, 0.2) for who, hertz in tones.items()})[BLOCK * 10 :]
    assert [round(power(sound, hertz)) for hertz in (400, 700, 1100)] == [-14, -14, -14]
    assert power(sound, 1900) < -80


def test_who_is_forgotten_is_not_heard_again_not_even_what_waits_and_its_place_is_the_nexts() -> None:
    room = Room(most=1)
    room.down.hear("old")
    room.play(old=wave(440, 0.5))
    for block in wave(440, 0.1):
        room.down.put("old", block)
    room.down.forget("old")
    room.down.put("old", wave(440, 0.01)[0])
    assert not room.listen(5).any()
    assert room.down.hear("new")
    room.down.put("old", wave(440, 0.01)[0])
    sound = room.play(new=wave(880, 0.5))
    assert power(sound[BLOCK * 5 :], 880) > -7
    assert power(sound, 440) < -60


def test_a_members_volume_is_kept_while_it_is_away() -> None:
    room = Room()
    room.down.hear("a")
    room.down.set_volume("a", 0.5)
    assert round(power(room.play(a=wave(440, 0.5))[BLOCK * 10 :], 440)) == -12
    room.down.forget("a")
    room.down.hear("a")
    assert round(power(room.play(a=wave(440, 0.5))[BLOCK * 10 :], 440)) == -12
    room.down.set_volume("a", 0.0)
    room.play(a=wave(440, 0.1))
    assert not room.play(a=wave(440, 0.2)).any()


def test_a_loop_that_is_late_now_and_then_leaves_no_click_and_soon_no_gap() -> None:
    """Blocks come in heaps of up to four, as from a busy loop."""
    room = Room()
    room.down.hear("a")
    blocks = wave(440, 20)
    random = np.random.default_rng(3)
    late: list[Pcm] = []
    for block in blocks:
        late.append(block)
        if random.random() < 0.6 or len(late) == 4:
            for ready in late:
                room.down.put("a", ready)
            late.clear()
        room.listen()
    sound = np.concatenate(room.sound)
    assert clicks(sound, 440) == 0
    tail = sound[-10 * RATE :].reshape(-1, BLOCK)
    gaps = int((np.abs(tail).max(axis=1) < 0.2).sum())
    assert gaps <= 1, gaps
    assert room.down.delay_ms is not None and room.down.delay_ms < 80


@pytest.mark.parametrize("ppm", [-300, 300])
def test_clocks_that_differ_neither_add_delay_nor_leave_gaps(ppm: int) -> None:
    """Ten minutes of a talker whose clock is another: 180 ms more, or less, than was asked for."""
    room = Room()
    room.down.hear("a")
    blocks = wave(440, 1)
    due, sent, delays = 0.0, 0, []
    sound: list[NDArray[np.float32]] = []
    for at in range(60_000):
        due += 1 + ppm * 1e-6
        while due >= 1:
            room.down.put("a", blocks[sent % 100])
            sent, due = sent + 1, due - 1
        room.down.mix(room.out)
        if at > 1000:
            delays.append(room.down.delay_ms or 0.0)
            sound.append(room.out.copy())
    assert max(delays) < 45
    assert room.down.counters().get("frames_dropped", 0) == 0
    gaps = sum(np.abs(block).max() < 0.2 for block in sound)
    assert gaps == 0
    assert clicks(np.concatenate(sound), 440) == 0


def test_a_second_of_sound_in_one_heap_is_cut_down_to_the_newest() -> None:
    room = Room()
    room.down.hear("a")
    for block in wave(440, 1):
        room.down.put("a", block)
    assert room.down.counters()["frames_dropped"] >= 70
    heard = sum(bool(room.listen().any()) for _ in range(100))
    assert heard <= 25


def test_who_stops_and_begins_again_does_so_without_a_click() -> None:
    room = Room()
    room.down.hear("a")
    for _ in range(20):
        room.play(a=wave(300, 0.17))
        room.listen(15)
    assert clicks(np.concatenate(room.sound), 300) == 0


def test_what_is_too_little_to_begin_with_is_not_played_when_more_comes_long_after() -> None:
    room = Room()
    room.down.hear("a")
    room.down.put("a", wave(440, 0.01)[0])
    room.listen(50)
    assert power(room.play(a=wave(880, 0.3)), 440) < -60


def test_levels_are_those_of_the_sound_and_are_told_when_they_change() -> None:
    room = Room()
    room.down.hear("a")
    assert room.down.levels(0.0) is None
    now, told = 0.0, []
    for block in wave(500, 1, 0.25):
        now += 0.01
        room.down.put("a", block)
        if round(now * 100) % 10 == 0:
            told.append(room.down.levels(now))
    assert told[0] is not None
    assert told[0].levels == {"a": -15}
    assert told[0].speaking == {"a"}
    assert told[1:] == [None] * 9
    quiet = [found for at in range(30) if (found := room.down.levels(now + 0.1 * (at + 1))) is not None]
    assert quiet[0].levels == {"a": -127}
    assert quiet[0].speaking == {"a"}, "kept over the pause between two words"
    assert quiet[-1].speaking == frozenset()


def test_a_library_that_makes_silence_means_it() -> None:
    room = Room()
    room.down.hear("a")
    hush = np.zeros(BLOCK, np.int16)
    hush[::97] = 1
    room.down.put("a", hush)
    assert room.down.levels(1.0) is None


def test_who_left_the_room_speaks_no_more() -> None:
    room = Room()
    room.down.hear("a")
    room.down.put("a", wave(440, 0.01)[0])
    levels = room.down.levels(0.1)
    assert levels is not None and levels.speaking == {"a"}
    room.down.left("a")
    assert room.down.levels(0.2) is None
    assert room.down.heard == frozenset()


def test_nothing_grows_and_an_ordinary_block_allocates_nothing() -> None:
    room = Room()
    for who in "abc":
        room.down.hear(who)
    blocks = wave(440, 0.5, 0.1)
    room.play(a=blocks, b=blocks, c=blocks)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for at in range(3000):
        for who in "abc":
            room.down.put(who, blocks[at % 50])
        room.down.mix(room.out)
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 4_000
    assert peak - before < 60_000


def test_blocks_may_come_from_any_thread() -> None:
    room = Room()
    room.down.hear("a")
    room.down.hear("b")
    blocks = wave(440, 5, 0.1)

    def talk(who: str) -> None:
        for block in blocks:
            room.down.put(who, block)

    threads = [threading.Thread(target=talk, args=(who,)) for who in "ab"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        room.listen()
        room.down.levels(0.0)
    for thread in threads:
        thread.join()
    assert room.down.counters()["blocks_received"] == 1000
    assert all(np.isfinite(block).all() and np.abs(block).max() <= 1 for block in room.sound)
