"""The reference is what the loudspeaker played when the microphones heard it, whatever the clocks and the latency are."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from appliance.audio.alignment import MARGIN, Aligner
from appliance.audio.port import Side
from appliance.core.units import BLOCK, RATE

BLOCKS = 100
"""A second of them."""


def speech(seconds: float, seed: int = 1) -> NDArray[np.float32]:
    """Noise below 5 kHz, loud and quiet like syllables, with pauses."""
    random = np.random.default_rng(seed)
    count = int(seconds * RATE)
    spectrum = np.fft.rfft(random.standard_normal(count))
    frequencies = np.fft.rfftfreq(count, 1 / RATE)
    spectrum[(frequencies > 5000) | (frequencies < 100)] = 0
    sound = np.fft.irfft(spectrum, count)
    syllables = np.repeat(random.random(int(seconds * 8) + 1) ** 2, RATE // 8)[:count]
    made: NDArray[np.float32] = (0.1 * sound / sound.std() * syllables).astype(np.float32)
    return made


def between(sound: NDArray[np.float32], places: NDArray[np.float64]) -> NDArray[np.float32]:
    """The sound at places between its samples, by a windowed sinc; zero outside."""
    padded = np.pad(sound, 40).astype(np.float64)
    whole = np.floor(places).astype(int)
    out = np.zeros(len(places))
    for tap in range(-8, 10):
        at = np.clip(whole + tap + 40, 0, len(padded) - 1)
        away = places - whole - tap
        out += padded[at] * np.sinc(away) * np.cos(np.pi * away / 20) ** 2
    return out.astype(np.float32)


@dataclass
class Simulated:
    """A card with two clocks, a latency that it does not tell, and times that are mostly right."""

    latency: float = 0.0
    """Seconds."""
    ppm: float = 0.0
    """How much faster than time the loudspeaker's clock is; the microphones' is right."""
    jitter: float = 1e-4
    buffered: float = 0.03
    sound: NDArray[np.float32] = field(default_factory=lambda: speech(12.0))
    epoch: float = 1000.0

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(5)
        self.aligner = Aligner()
        self.rate = RATE * (1 + self.ppm * 1e-6)
        self.written = 0  # samples
        self.block = 0
        self.begun = (0, self.epoch + self.buffered)  # sample, and when it is told to be heard
        self.sounding = [self.begun]
        self.position = 0
        self.place = np.nan
        self.known = False
        self.noise = self.random.standard_normal(len(self.sound) + 2 * RATE).astype(np.float32) * 1e-4

    def told(self, time: float) -> float:
        late = self.random.exponential(3e-3) if self.random.random() < 0.02 else 0.0
        return time + late + self.random.normal(0, self.jitter) if self.jitter else time

    def jump(self, gap: float) -> None:
        """The loudspeaker ran dry, and begins again."""
        first, _ = self.begun
        now = self.epoch + self.block * 0.01
        self.begun = (self.written, now + self.buffered + gap)
        self.sounding.append(self.begun)
        self.position = self.written
        assert first <= self.written
        self.aligner.jumped(Side.PLAYBACK)

    def heard_at(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Which sample of what was written the microphone hears; NaN between two stretches."""
        places = np.full(len(times), np.nan)
        for number, (first, begin) in enumerate(self.sounding):
            end = self.sounding[number + 1] if number + 1 < len(self.sounding) else None
            at = first + (times - self.latency - begin) * self.rate
            inside = (at >= first) & ((at < end[0]) if end else True)
            places[inside] = at[inside]
        return places

    def play(self) -> None:
        """As many blocks as the loudspeaker wants by now."""
        now = self.epoch + self.block * 0.01
        while self.written < self.begun[0] + (now + self.buffered - self.begun[1]) * self.rate + BLOCK:
            self.aligner.wrote(self.part(self.written))
            time = self.begun[1] + (self.written - self.begun[0]) / self.rate
            self.aligner.played(self.written - self.position, self.told(time))
            self.written += BLOCK

    def part(self, first: int) -> NDArray[np.float32]:
        return self.sound[first % (len(self.sound) - BLOCK) :][:BLOCK]

    def step(self) -> None:
        """Ten milliseconds."""
        self.play()
        times = self.epoch + (np.arange(BLOCK) + self.block * BLOCK) / RATE
        places = self.heard_at(times)
        echo = np.where(np.isnan(places), 0, between(self.sound[: self.written], np.nan_to_num(places)))
        microphone = (echo * 0.5 + self.noise[self.block * BLOCK :][:BLOCK]).astype(np.float32)
        out = np.zeros(BLOCK, np.float32)
        self.place = self.aligner._place
        self.known = self.aligner.reference(self.block * BLOCK, self.told(times[-1] + 1 / RATE), out)
        if self.known:
            self.aligner.heard(out, microphone)
        self.out, self.block = out, self.block + 1

    def run(self, seconds: float) -> None:
        for _ in range(int(seconds * BLOCKS)):
            self.step()

    def rest(self, seconds: float) -> None:
        """Nothing is played, and so nothing of it heard."""
        self.sound = np.zeros_like(self.sound)
        out = np.zeros(BLOCK, np.float32)
        for _ in range(int(seconds * BLOCKS)):
            self.play()
            self.aligner.reference(self.block * BLOCK, self.told(self.epoch + (self.block + 1) * 0.01), out)
            self.block += 1

    @property
    def off(self) -> float:
        """Samples by which the next reference is too late (negative) or too early."""
        time = np.array([self.epoch + self.block * 0.01])
        return float(self.aligner._place - self.heard_at(time)[0] - MARGIN)


def test_one_clock_and_right_times_need_nothing() -> None:
    card = Simulated(jitter=0.0)
    card.run(3)
    assert card.known
    assert card.aligner.drift_ppm == 0
    assert card.aligner.jumps == 1
    assert card.off == pytest.approx(0, abs=0.5)
    wanted = card.heard_at(card.epoch + (np.arange(BLOCK) + (card.block - 1) * BLOCK) / RATE) + MARGIN
    np.testing.assert_allclose(card.out, between(card.sound, wanted), atol=2e-3)


@pytest.mark.parametrize("latency", [0.0, 0.0062, 0.047, 0.310, 0.490])
def test_an_unknown_latency_is_found_within_two_seconds(latency: float) -> None:
    card = Simulated(latency=latency)
    card.run(2)
    assert abs(card.off) < 24, f"{card.off / 48:.2f} ms"
    delay = card.aligner.delay_ms
    assert delay == pytest.approx(latency * 1e3, abs=0.5)
    assert card.aligner.found
    if latency > 0.01:
        assert card.aligner.shift == pytest.approx(-latency * RATE, abs=24)


@pytest.mark.parametrize("ppm", [-120.0, 7.0, 50.0])
def test_drift_is_found_to_two_ppm_and_followed(ppm: float) -> None:
    card = Simulated(latency=0.02, ppm=ppm)
    card.run(11)
    assert card.aligner.drift_ppm == pytest.approx(ppm, abs=2)
    before, jumps = card.off, card.aligner.jumps
    card.run(0.9)
    assert card.aligner.jumps == jumps
    assert abs(card.off - before) < 2e-6 * RATE * 2
    assert abs(card.off) < 24


def test_a_jump_that_is_told_leaves_the_echo_where_it_was() -> None:
    card = Simulated(latency=0.1)
    card.run(4)
    before, jumps = card.off, card.aligner.jumps
    card.jump(0.035)
    card.run(1)
    assert card.aligner.jumps == jumps + 1
    assert card.aligner.shift == 0
    assert abs(card.off - before) < 10


def test_the_drift_is_known_across_a_jump() -> None:
    card = Simulated(latency=0.01, ppm=50)
    card.run(8)
    card.jump(0.02)
    card.run(1)
    assert card.aligner.drift_ppm == pytest.approx(50, abs=5)


def test_capture_that_begins_anew_is_aligned_anew() -> None:
    card = Simulated(latency=0.03)
    card.run(4)
    before, jumps = card.off, card.aligner.jumps
    card.block += 7  # an overrun: seven blocks are lost
    card.aligner.jumped(Side.CAPTURE)
    card.run(0.5)
    assert card.aligner.jumps == jumps + 1
    assert abs(card.off - before) < 10


def test_a_latency_that_changes_in_silence_is_noticed_by_ear() -> None:
    card = Simulated(latency=0.02)
    card.run(4)
    jumps = card.aligner.jumps
    card.latency = 0.075
    card.run(4)
    assert card.aligner.jumps == jumps + 1
    assert card.aligner.shift == pytest.approx(-0.055 * RATE, abs=12)  # as who has learnt the new place sees it
    assert abs(card.off) < 24


def test_times_that_move_without_a_word_are_followed() -> None:
    card = Simulated(latency=0.02)
    card.run(4)
    _, begin = card.begun
    card.begun = (card.written, begin + card.written / card.rate + 0.02)  # heard 20 ms later from now on, and told so
    card.sounding.append(card.begun)
    card.run(2.5)
    assert abs(card.off) < 24
    assert card.aligner.drift_ppm == 0


def test_silence_and_strangers_say_nothing() -> None:
    card = Simulated(sound=np.zeros(12 * RATE, np.float32))
    card.run(3)
    assert card.known
    assert not card.aligner.found
    assert card.aligner.jumps == 1
    card = Simulated(latency=0.05)
    card.noise = np.resize(speech(10, seed=9), len(card.noise)) * 20  # 20 dB louder than the echo
    card.run(3)
    assert min(abs(card.off), abs(card.off - 0.05 * RATE)) < 24


def test_a_long_silence_does_not_move_the_echo() -> None:
    card = Simulated(latency=0.02)
    card.run(3)
    before, jumps = card.off, card.aligner.jumps
    card.rest(900)
    assert abs(card.off - before) < 4
    assert card.aligner.jumps == jumps
    card.sound = speech(12.0)
    card.noise = np.zeros((card.block + 10 * BLOCKS) * BLOCK, np.float32)
    sent = card.aligner.delay_ms
    card.run(2)
    assert card.aligner.jumps == jumps
    assert abs(card.off - before) < 4
    assert card.aligner.delay_ms == pytest.approx(sent, abs=0.1)


def test_nothing_is_known_before_something_is_played() -> None:
    aligner, out = Aligner(), np.ones(BLOCK, np.float32)
    assert not aligner.reference(0, 1.0, out)
    assert not out.any()
    for block in range(10):
        aligner.wrote(np.full(BLOCK, 0.5, np.float32))
        assert not aligner.reference(block * BLOCK, 1.0 + block * 0.01, out), "written, but no card has played it"


def test_what_was_not_written_yet_is_silence() -> None:
    aligner, out = Aligner(), np.zeros(BLOCK, np.float32)
    aligner.wrote(np.full(BLOCK, 0.5, np.float32))
    aligner.played(0, 1.0)
    assert aligner.reference(0, 1.01, out)  # its first sample was captured at 1.0
    assert out[0] == pytest.approx(0.5, abs=0.01)
    assert out[-1] == 0
    assert not aligner.reference(BLOCK, 3.01, out)
    assert not out.any()


def test_two_threads_may_use_it() -> None:
    aligner, sound = Aligner(), speech(3)

    def playback() -> None:
        for block in range(250):
            aligner.wrote(sound[block * BLOCK : (block + 1) * BLOCK])
            aligner.played(block * BLOCK, 1 + block * 0.01)
            if block % 60 == 59:
                aligner.jumped(Side.PLAYBACK)

    def capture() -> None:
        out = np.zeros(BLOCK, np.float32)
        for block in range(250):
            if aligner.reference(block * BLOCK, 1 + block * 0.01, out):
                aligner.heard(out, sound[block * BLOCK : (block + 1) * BLOCK])
            assert np.isfinite(out).all()

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(playback), threads.submit(capture)]:
            done.result()
