"""Chimes and volume on their way: into the loudspeaker and the canceller's reference, and never into what leaves."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from appliance.app.duplex import Duplex, Facts
from appliance.audio.chimes import ROOM, Chimes, make
from appliance.audio.gate import Gate
from appliance.audio.port import Side
from appliance.audio.tap import Tap
from appliance.audio.virtual import Recording, VirtualCard
from appliance.audio.volume import Volume
from appliance.core.chimes import Chime
from appliance.core.controls import Door
from appliance.core.counters import Counters
from appliance.core.lamps import LinkPhase
from appliance.core.levels import dbov
from appliance.core.units import BLOCK, BLOCK_SECONDS, RATE, SILENCE, Block, Blocks
from appliance.media.exchange import Client, Downlink, Listener, Uplink

LEVEL = -30.0


class Reference:
    """A front end that keeps what it is told will be played, and lets what is heard through."""

    speech = True
    direction = None
    closed = False

    def __init__(self) -> None:
        self.told: list[Block] = []

    def process(self, microphones: Blocks, position: int, time: float, out: Block) -> None:
        np.copyto(out, microphones[0])

    def playing(self, block: Block) -> None:
        self.told.append(block.copy())

    def played(self, position: int, time: float) -> None:
        pass

    def jumped(self, side: Side) -> None:
        pass


class Device:
    """A virtual card without an echo path, both ways of sound and a link, a block at a time.

    It is the card's user itself, to see what is played and to speak for link.
    """

    def __init__(self, folder: Path, *, front_end: Reference | None = None, volume: float = 0.0) -> None:
        folder.mkdir()
        self.gate, self.counters = Gate(), Counters()
        self.volume = Volume(volume)
        self.chimes = Chimes(LEVEL, self.volume)
        self.now, self.listener = 0.0, Listener(folder / "exchange")
        self.duplex = Duplex(
            self.gate,
            self.listener,
            self.counters,
            lambda: self.now,
            front_end=front_end,
            chimes=self.chimes,
        )
        self.link = Client(folder / "exchange", timeout=0.5)
        voice = np.random.default_rng(3).standard_normal(RATE).astype(np.float32) * np.float32(0.1)
        self.card = VirtualCard(Recording(voice), clock=lambda: self.now, sleep=self.sleep)
        self.said: bytes | None = None
        self.played_blocks: list[Block] = []
        self.uplinks: list[Uplink] = []
        self.left = 0
        self.captured, self.played = self.duplex.captured, self.duplex.played
        self.jumped, self.changed = self.duplex.jumped, self.duplex.changed

    def close(self) -> None:
        self.link.close()
        self.listener.close()

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def wanted(self, out: Block) -> None:
        self.duplex.wanted(out)
        self.played_blocks.append(out.copy())
        message = self.link.receive()
        assert message is not None
        self.uplinks.append(message)
        self.link.send(Downlink(seq=message.seq, block=self.said, link=LinkPhase.IN_ROOM))
        self.left -= 1
        if not self.left:
            self.card.stop()

    def run(self, blocks: int) -> Block:
        """What the loudspeaker plays in so many blocks."""
        self.left = blocks
        self.card._ending.clear()
        self.card._turns(self)
        return np.concatenate(self.played_blocks[-blocks:])


@pytest.fixture
def device(short_dir: Path) -> Iterator[Device]:
    device = Device(short_dir / "a")
    yield device
    device.close()


def test_what_leaves_is_the_same_to_the_bit_with_and_without_chimes(short_dir: Path) -> None:
    quiet, ringing = Device(short_dir / "a"), Device(short_dir / "b")
    for device in (quiet, ringing):
        device.gate.open()
        device.said = np.full(BLOCK, 3000, "<i2").tobytes()
    for chime in Chime:
        before = quiet.run(70)
        ringing.chimes.ring(chime)
        assert np.abs(ringing.run(70) - before).max() > 0.01, "it is heard"
    assert len(quiet.uplinks) == 70 * len(Chime)
    assert any(set(bytes(uplink.block or b"")) != {0} for uplink in quiet.uplinks)
    assert quiet.uplinks == ringing.uplinks
    for device in (quiet, ringing):
        device.close()


def test_the_reference_of_the_canceller_holds_it(short_dir: Path) -> None:
    front_end = Reference()
    device = Device(short_dir / "a", front_end=front_end, volume=-6)
    device.chimes.ring(Chime.OPEN)
    played = device.run(70)
    assert np.array_equal(np.concatenate(front_end.told), played)
    sound = make(Chime.OPEN, LEVEL)
    assert played[: len(sound)] == pytest.approx(sound * 10 ** (-6 / 20), abs=1e-6)
    device.close()


def test_it_is_heard_at_a_closed_door_and_without_link(device: Device) -> None:
    device.duplex.facts = Facts(door=Door.CLOSED)
    device.said = np.full(BLOCK, 3000, "<i2").tobytes()
    device.run(2)
    device.chimes.ring(Chime.KNOCK)
    sound = make(Chime.KNOCK, LEVEL)
    assert np.array_equal(device.run(50)[: len(sound)], sound)


def test_nothing_rings_into_a_recording(device: Device) -> None:
    device.chimes.ring(Chime.RECORDING)
    device.run(10)
    device.duplex.tapped(Tap(device.gate, 1))
    assert device.run(1).any(), "it fades"
    device.chimes.ring(Chime.KNOCK)
    assert not device.run(30).any()
    device.duplex.tapped(None)
    device.chimes.ring(Chime.KNOCK)
    assert device.run(30).any()


def test_chimes_are_not_in_the_level_that_is_told(device: Device) -> None:
    device.chimes.ring(Chime.WARNING)
    assert device.run(40).any()
    assert device.duplex.loudspeaker == SILENCE
    assert {uplink.loudspeaker for uplink in device.uplinks} == {-127}


def test_the_volume_turns_what_the_room_says(device: Device) -> None:
    device.said = np.full(BLOCK, 8192, "<i2").tobytes()
    assert set(device.run(20)[5 * BLOCK :]) == {0.25}
    device.volume.set(-6)
    turned = device.run(100)
    assert np.abs(np.diff(turned)).max() < 0.001, "no click"
    assert turned[-1] == pytest.approx(0.1253, abs=1e-4)
    assert device.duplex.loudspeaker == pytest.approx(dbov(turned[-BLOCK:]), abs=0.1)


def test_turned_up_it_does_not_clip_without_a_front_end_either(device: Device) -> None:
    device.said = (np.sin(np.arange(BLOCK) * 2 * np.pi / 48) * 30000).astype("<i2").tobytes()
    device.volume.set(6)
    device.chimes.ring(Chime.OPEN)
    played = device.run(40)
    assert ROOM < np.abs(played).max() <= 0.8 + 1e-6
    assert device.now == pytest.approx(40 * BLOCK_SECONDS)
