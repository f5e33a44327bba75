"""The virtual sound card: its clock, its sources, its recording."""

import threading
import time
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from appliance.audio.virtual import Recorder, Recording, Silence, Tone, VirtualCard, microphone, read_wav
from appliance.core.levels import dbov
from appliance.core.units import BLOCK, RATE, Block
from tools.bench.card_user import Calls


def write_wav(path: Path, samples: np.ndarray, rate: int = RATE, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples.astype({1: "u1", 2: "<i2"}[width]).tobytes())
    return path


def read(name: str, blocks: int) -> np.ndarray:
    source, out = microphone(name), np.zeros((blocks, BLOCK), np.float32)
    for block in out:
        source.read(block)
    return out.ravel()


def test_tone_has_one_frequency_and_no_seam() -> None:
    sound = read("tone:440", 300)
    spectrum = np.abs(np.fft.rfft(sound[: 2 * RATE] * np.hanning(2 * RATE)))
    peak = int(np.argmax(spectrum))
    assert peak == 880
    assert 20 * np.log10(np.delete(spectrum, range(peak - 3, peak + 4)).max() / spectrum[peak]) < -90
    assert dbov(sound.astype(np.float32)) == pytest.approx(-15.05, abs=0.1)


def test_silence_is_silent() -> None:
    assert not read("silence", 3).any()


def test_recording_repeats_after_a_pause(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "speech.wav", np.full(RATE // 2, 8192))
    sound = read(str(path), 300)
    assert set(sound[: RATE // 2]) == {0.25}
    assert not sound[RATE // 2 : 2 * RATE].any()
    assert set(sound[2 * RATE : 2 * RATE + RATE // 2]) == {0.25}


def test_in_a_recording_three_talk_in_turn_and_a_tone_is_nobody() -> None:
    recording = Recording(np.full(30 * RATE, 0.1, np.float32))
    card, block, talkers = VirtualCard(recording), np.zeros(BLOCK, np.float32), []
    for _ in range(30 * RATE // BLOCK):
        talkers.append(card.talker)
        recording.read(block)
    turns = [talker for talker, before in zip(talkers, [None, *talkers], strict=False) if talker != before]
    assert len(set(turns)) == 3
    assert turns == [*turns[:3], *turns[:2]], "each has the word for six seconds"
    assert all(talker is not None and 0 <= talker < 360 for talker in turns)
    assert VirtualCard(Tone(440)).talker is None
    assert VirtualCard(Silence()).talker is None


def test_first_channel_of_a_stereo_file(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "two.wav", np.array([[100, -100]] * 50), channels=2)
    assert set(read_wav(path) * 32768) == {100}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tone:loud", 'write "tone:440"'),
        ("tone:0", "1 to 23999 Hz"),
        ("tone:24000", "1 to 23999 Hz"),
        ("speech", "name a WAV file"),
        ("missing.wav", "cannot be read as a WAV file"),
    ],
)
def test_what_is_no_microphone_is_refused_with_the_way_out(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        microphone(name)


def test_wrong_files_are_refused(tmp_path: Path) -> None:
    for path, words in (
        (write_wav(tmp_path / "16k.wav", np.zeros(100), rate=16000), "must hold sound at 48000 Hz, not 16000"),
        (write_wav(tmp_path / "8bit.wav", np.zeros(100), width=1), "samples of 8 bits"),
        (write_wav(tmp_path / "empty.wav", np.zeros(0)), "no sound in it"),
    ):
        with pytest.raises(ValueError, match=f"{words}.*; convert it with: sox"):
            read_wav(path)
    (tmp_path / "text.wav").write_text("hello")
    with pytest.raises(ValueError, match="cannot be read"):
        read_wav(tmp_path / "text.wav")


def test_recorder_is_readable_at_any_moment(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    recorder = Recorder(path)
    block = np.full(BLOCK, 0.5, np.float32)
    for _ in range(155):
        recorder.write(block)
    assert len(read_wav(path)) == 150 * BLOCK
    recorder.close()
    sound = read_wav(path)
    assert len(sound) == 155 * BLOCK
    assert set(sound * 32768) == {16383}


class Clock:
    """A clock that stands still unless somebody sleeps; ``late`` adds seconds to one sleep."""

    def __init__(self, turns: int) -> None:
        self.now, self.left, self.done = 100.0, turns, threading.Event()
        self.late: dict[int, float] = {}

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        if not self.left:
            self.done.set()
            time.sleep(0.01)
            return
        self.left -= 1
        self.now += seconds + self.late.get(self.left, 0.0)


def run_card(clock: Clock, wanted: Callable[[Block], None], recorder: Recorder | None = None) -> VirtualCard:
    card = VirtualCard(Silence(), recorder, clock, clock.sleep)
    card.start(Calls(wanted=wanted))
    assert clock.done.wait(5)
    card.stop()
    assert card.ended.result(1) is None
    return card


def test_clock_gives_one_block_in_ten_milliseconds() -> None:
    clock, times = Clock(100), []
    run_card(clock, lambda out: times.append(clock.now))
    assert np.diff(times[:99]) == pytest.approx(np.full(98, 0.01))


def test_a_little_late_is_made_up_for_and_very_late_is_given_up() -> None:
    clock, times = Clock(200), []
    clock.late = {150: 0.055, 80: 1.0}
    card = run_card(clock, lambda out: times.append(clock.now))
    assert card.skipped == pytest.approx(100, abs=2)
    assert len([t for t in times if t < 101.0]) > 40
    late = [t for t in times if t > clock.now - 0.3]
    assert np.diff(late).max() < 0.02


def test_unplugged_card_keeps_the_clock_and_hears_nothing() -> None:
    heard: list[float] = []
    played: list[int] = []
    changes: list[bool] = []
    card = VirtualCard(Tone(440))
    card.start(Calls(lambda block: heard.append(dbov(block)), lambda out: played.append(1), changes.append))
    while not heard:
        time.sleep(0.002)
    card.unplug()
    time.sleep(0.03)
    heard.clear()
    before = len(played)
    time.sleep(0.1)
    assert heard == []
    assert len(played) > before + 3
    card.plug()
    time.sleep(0.1)
    assert heard
    card.stop()
    assert changes == [True, False, True]


def test_a_thread_that_breaks_is_seen() -> None:
    def broken(out: Block) -> None:
        raise RuntimeError("no exchange")

    card = VirtualCard(Silence())
    card.start(Calls(wanted=broken))
    assert isinstance(card.ended.exception(2), RuntimeError)
    card.stop()
