"""The way down: slots by source, member volumes, and silence when the connection or a member is gone."""

import threading

import numpy as np
import pytest

from appliance.core import sdp
from appliance.core.units import BLOCK, RATE, Block
from appliance.media import rtp
from appliance.media.opus import Encoder
from appliance.rooms.downlink import Downlink

OFFER = sdp.build_offer(sdp.LocalTransport("ufrag", "p" * 22, ":".join(["AB"] * 32)), (), ssrc=42)
ANSWER = sdp.parse_answer(
    sdp.build_answer(
        sdp.parse_offer(OFFER),
        sdp.HostTransport("host", "h" * 22, ":".join(["CD"] * 32), "192.0.2.1", 4000, 1),
        [101, 102, 103],
    )
)


class Talker:
    """Sends a tone in one slot."""

    def __init__(self, ssrc: int, hertz: float, level: float = 0.25) -> None:
        self.ssrc = ssrc
        turn = 2 * np.pi * hertz * np.arange(RATE) / RATE
        self.frames = (np.sin(turn) * 32767 * level).astype(np.int16).reshape(-1, 960)
        self.encoder = Encoder(20)
        self.sent = 0
        self.buffer = bytearray(1500)

    def packet(self, payload_type: int = sdp.DEVICE_OPUS) -> memoryview:
        length = rtp.build_into(
            self.buffer,
            payload_type=payload_type,
            marker=self.sent == 0,
            sequence=1000 + self.sent,
            timestamp=self.sent * 960,
            ssrc=self.ssrc,
            payload=self.encoder.encode(self.frames[self.sent % 50]),
        )
        self.sent += 1
        return memoryview(self.buffer)[:length]


class Bench:
    def __init__(self, *talkers: Talker) -> None:
        self.downlink = Downlink()
        self.downlink.attach(ANSWER)
        self.talkers = list(talkers)
        self.now = 0.0

    def play(self, seconds: float) -> tuple[Block, int]:
        """So much time passes: what is heard, and how many blocks had something."""
        heard, there, out = [], 0, np.zeros(BLOCK, np.float32)
        for _ in range(round(seconds * 50)):
            for talker in self.talkers:
                self.downlink.push(talker.packet(), self.now)
            for _ in range(2):
                there += self.downlink.mix(out)
                heard.append(out.copy())
            self.now += 0.02
        return np.concatenate(heard), there


def amplitude(sound: Block, hertz: float) -> float:
    window = np.hanning(sound.size)
    turning = np.exp(-2j * np.pi * hertz * np.arange(sound.size) / RATE)
    return float(2 * abs(np.dot(sound * window, turning)) / window.sum())


def test_three_talkers_are_mixed_each_by_its_members_volume() -> None:
    bench = Bench(Talker(101, 300, 0.1), Talker(102, 500, 0.1), Talker(103, 700, 0.1))
    bench.downlink.hold(("anna", "ben", "cleo"))
    bench.downlink.set_volume("ben", 2.0)
    bench.downlink.set_volume("cleo", 0.0)
    bench.play(0.5)
    sound, there = bench.play(1.0)
    assert there == 100
    assert amplitude(sound, 300) == pytest.approx(0.1, rel=0.15)
    assert amplitude(sound, 500) == pytest.approx(0.2, rel=0.15)
    assert amplitude(sound, 700) < 1e-3


def test_a_volume_goes_with_its_member_from_slot_to_slot() -> None:
    bench = Bench(Talker(102, 500, 0.1))
    bench.downlink.set_volume("ben", 0.5)
    bench.downlink.hold((None, "anna", None))
    bench.play(0.5)
    assert amplitude(bench.play(0.5)[0], 500) == pytest.approx(0.1, rel=0.15)
    bench.downlink.hold((None, "ben", None))
    bench.play(0.1)
    assert amplitude(bench.play(0.5)[0], 500) == pytest.approx(0.05, rel=0.15)


def test_a_volume_changes_without_a_click_also_for_one_who_talks_alone() -> None:
    bench = Bench(Talker(101, 500, 0.5))
    bench.downlink.hold(("anna", None, None))
    bench.play(0.6)
    for gain in (0.0, 1.0, 0.5, 1.0):
        bench.downlink.set_volume("anna", gain)
        sound, _ = bench.play(0.2)
        # A sine of 500 Hz and 0.5 moves 0.033 from sample to sample; a step of its gain would move up to 0.5.
        assert np.abs(np.diff(sound)).max() < 0.05, gain


def test_nobody_talks_is_silence_and_says_so() -> None:
    bench = Bench()
    out = np.ones(BLOCK, np.float32)
    assert bench.downlink.mix(out) is False
    assert not out.any()


def test_a_connection_that_is_gone_is_not_heard_any_more() -> None:
    bench = Bench(Talker(101, 500))
    bench.play(0.5)
    bench.downlink.detach()
    sound, there = bench.play(0.5)  # packets of the old connection still come
    assert there == 0
    assert not sound.any()
    assert bench.downlink.counters()["packets_junk"] == 25
    assert bench.downlink.reception(bench.now) == []


def test_a_member_who_left_is_not_heard_any_more() -> None:
    bench = Bench(Talker(101, 500))
    bench.downlink.hold(("anna", None, None))
    bench.play(0.5)
    bench.talkers.clear()
    bench.downlink.forget("ben")
    assert bench.downlink.mix(np.zeros(BLOCK, np.float32))
    bench.downlink.forget("anna")
    assert not bench.downlink.mix(np.zeros(BLOCK, np.float32))


@pytest.mark.parametrize("junk", [b"", b"\x80", bytes(40), b"\x80\x6f" + bytes(10), bytes(range(200))])
def test_junk_is_counted_and_disturbs_nobody(junk: bytes) -> None:
    bench = Bench(Talker(101, 500))
    bench.play(0.5)
    for _ in range(50):
        bench.downlink.push(memoryview(junk), bench.now)
    bench.downlink.push(Talker(101, 500).packet(payload_type=96), bench.now)
    bench.downlink.push(Talker(999, 500).packet(), bench.now)
    sound, there = bench.play(0.5)
    assert there == 50
    assert amplitude(sound, 500) == pytest.approx(0.25, rel=0.15)
    assert bench.downlink.counters()["packets_junk"] == 52


def test_reports_tell_of_losses() -> None:
    talker = Talker(102, 500)
    bench = Bench(talker)
    bench.play(0.2)
    for _ in range(5):
        talker.packet()  # lost
    bench.play(0.2)
    blocks = {block.ssrc: block for block in bench.downlink.reception(bench.now)}
    assert set(blocks) == {101, 102, 103}
    assert blocks[102].lost == 5
    assert blocks[102].fraction_lost > 0
    assert blocks[101].lost == 0


def test_the_loop_and_the_exchange_thread_do_not_disturb_each_other() -> None:
    bench = Bench(Talker(101, 500), Talker(102, 700))
    ending = threading.Event()
    failures: list[BaseException] = []

    def ask() -> None:
        out = np.zeros(BLOCK, np.float32)
        try:
            while not ending.is_set():
                bench.downlink.mix(out)
        except BaseException as error:  # noqa: BLE001  # told below
            failures.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    for turn in range(300):
        for talker in bench.talkers:
            bench.downlink.push(talker.packet(), turn * 0.02)
        bench.downlink.hold(("anna", "ben", None) if turn % 2 else (None, None, None))
        bench.downlink.set_volume("ben", turn % 3)
        if turn % 50 == 49:
            bench.downlink.detach()
            bench.downlink.attach(ANSWER)
    ending.set()
    thread.join()
    assert failures == []
