"""One slot towards its listeners: one talker after another as one stream, each frame sent again beside the next one.

Whoever agreed on redundant audio (RFC 2198) gets it, also of talkers that send none: it is made here. What was lost on the way
up and came as a copy in a later packet goes out in its own place, to those without redundancy too. Nothing is kept over a change
of the talker, and nothing of one that was muted: its slot is taken from it.
"""

import secrets
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from appliance.core.counters import Counters
from appliance.core.losses import ListenerLosses
from appliance.core.serial import timestamp_distance
from appliance.core.slots import Place, SlotClock
from appliance.host.config import Rate
from appliance.host.fan_out import MOST_REDUNDANCY, FanOut, Packet
from appliance.host.limits import Bucket
from appliance.media.red import MOST_LENGTH, MOST_OFFSET

SILENCE_FRAME = b"\xf8\xff\xfe"
"""A 20 ms Opus frame of silence (RFC 6716, 3.1)."""

_TAIL = 3
"""Frames of it that end a stream whose listeners would otherwise invent how it goes on."""

_FRAME = 960

_RECOVERED = Rate(per_second=100.0, burst=100.0)
"""Frames brought back in one slot: as many as there are where each lasts 10 ms. Packets are counted as they come in; without
this, one that brings seven frames would go out eightfold to everybody."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A frame that came again beside a later one: its own sequence and timestamp as its talker counts."""

    seq: int
    timestamp: int
    payload: memoryview


@dataclass(frozen=True, slots=True)
class Speech:
    """One packet of a talker, deciphered."""

    seq: int
    timestamp: int
    level: int
    """-dBov, 0 … 127."""
    payload: memoryview
    began: bool
    """It is the first of another source (SSRC) of the same talker."""
    copies: Sequence[Copy] = ()
    """Oldest first."""


class History:
    """The last frames of a stream, to be sent once more."""

    def __init__(self) -> None:
        self._frames: deque[tuple[int, int, bytes]] = deque(maxlen=MOST_REDUNDANCY + 1)

    def clear(self) -> None:
        """Nothing of before is sent again."""
        self._frames.clear()

    def before(self, seq: int, timestamp: int) -> list[tuple[int, bytes]]:
        """The frames right before this one, oldest first, each with its distance in samples; as far as they are known."""
        found: list[tuple[int, bytes]] = []
        for back in range(1, MOST_REDUNDANCY + 1):
            wanted = (seq - back) & 0xFFFF
            frame = next((frame for frame in self._frames if frame[0] == wanted), None)
            if frame is None:
                break
            distance = timestamp_distance(timestamp, frame[1])
            if not 0 < distance <= MOST_OFFSET or len(frame[2]) > MOST_LENGTH:
                break
            found.insert(0, (distance, frame[2]))
        return found

    def keep(self, seq: int, timestamp: int, payload: bytes) -> None:
        """Remember a frame that was sent."""
        self._frames.append((seq, timestamp, payload))


class Lane:
    """A slot's clock, fan-out and redundancy.

    :param tap: told every packet that goes out; the mix listens here.
    """

    def __init__(self, descriptor: int, counters: Counters, now: float) -> None:
        # Numbers begin anywhere (RFC 3550, 5.1), and low enough not to wrap at once.
        self._clock = SlotClock(secrets.randbits(15), secrets.randbits(32), now)
        self._counters = counters
        self._history = History()
        self.fan = FanOut(descriptor, counters)
        self.losses = ListenerLosses()
        self.tap: Callable[[Packet, float], None] | None = None
        self._allowance = Bucket(_RECOVERED, now)
        self.spoke = now
        """When the last packet went out."""

    def switch(self) -> None:
        """The next packet is of another talker, or of the same one after it had lost the slot."""
        self._clock.switch()
        self._history.clear()
        self.losses.clear()

    def timestamp(self, now: float) -> int:
        """The timestamp that stands for ``now`` in this slot."""
        return self._clock.at(now)

    def send(self, speech: Speech, talker: str, now: float) -> None:
        """Forward a packet of the slot's holder to everybody else, and before it what it brings back of earlier ones."""
        if speech.began:
            self.switch()
        for copy in speech.copies:
            if self._clock.misses(copy.seq, copy.timestamp):
                self._recover(copy, speech.level, talker, now)
        place = self._clock.map(speech.seq, speech.timestamp, now)
        if place is None or place.marker:
            self._count(place)
        if place is not None:
            self._send(place, speech.level, bytes(speech.payload), talker, now)

    def _recover(self, copy: Copy, level: int, talker: str, now: float) -> None:
        if not self._allowance.take(now):
            self._counters.add("host_packets_flood")
            return
        place = self._clock.map(copy.seq, copy.timestamp, now)
        if place is not None:
            self._counters.add("host_frames_recovered")
            self._send(place, level, bytes(copy.payload), talker, now)

    def _count(self, place: Place | None) -> None:
        """A packet did not follow the one before it."""
        jump = self._clock.take_jump()
        if jump is not None:
            self._counters.add(f"host_{jump}_jumps")
        elif place is None:
            self._counters.add("host_packets_late")

    def _send(self, place: Place, level: int, payload: bytes, talker: str, now: float) -> None:
        if place.marker:
            self._history.clear()
        earlier = self._history.before(place.seq, place.timestamp)
        self._history.keep(place.seq, place.timestamp, payload)
        self._emit(Packet(place.seq, place.timestamp, place.marker, level, payload, earlier), talker, now)

    def _emit(self, packet: Packet, talker: str | None, now: float) -> None:
        self.fan.send(packet, talker)
        self.spoke = now
        if self.tap is not None:
            self.tap(packet, now)

    def end(self, now: float) -> None:
        """The talker stopped for good: end its sound in silence, or decoders go on by themselves for a third of a second."""
        self._history.clear()
        for _ in range(_TAIL):
            place = self._clock.append()
            self._emit(Packet(place.seq, place.timestamp, False, 127, SILENCE_FRAME), None, now)

    def remove(self, listener: str) -> None:
        """``listener`` hears the slot no more."""
        self.fan.remove(listener)
        self.losses.forget(listener)

    def end_tail(self, listener: str) -> None:
        """Whoever takes the slot it is hearing hears it break off: end that in silence, or its decoder goes on by itself."""
        for frame in range(_TAIL):
            self.fan.send_extra(listener, (self._clock.following + frame * _FRAME) & 0xFFFFFFFF, SILENCE_FRAME)
