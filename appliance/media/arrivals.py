"""The packets of one stream that wait for their turn, in order, each once; and what became of the others."""

from enum import Enum, auto
from typing import NamedTuple

from appliance.core.serial import sequence_distance, timestamp_distance
from appliance.core.units import RATE
from appliance.media.rtp import Rtp

MOST_HELD = 120
"""Packets that wait at most."""
_JUMP = 3000
"""Packets; a larger step of the sequence number is another stream (RFC 3550, A.1)."""
_BACK = RATE
"""Samples; a timestamp that goes back further is another timeline."""
_HISTORY = 64


class Held(NamedTuple):
    """A packet that waits. Numbers are extended: they do not wrap."""

    number: int
    timestamp: int
    samples: int
    marker: bool
    payload: bytes
    arrived: float
    """When it came, by the owner's clock."""
    restored: bool = False
    """It came as a copy in a later packet (RFC 2198), not by itself."""


class Verdict(Enum):
    """What becomes of a packet."""

    HELD = auto()
    COPIED = auto()
    """The packet itself, whose copy was there before: nothing was missing."""
    LATE = auto()
    DUPLICATE = auto()


class Arrivals:
    """Orders one stream. Memory: at most MOST_HELD packets, if the owner drops when :attr:`full`."""

    def __init__(self) -> None:
        self.reordered = self.duplicate = self.late = self.lost = self.redundant = 0
        """How many, over all streams."""
        self._ssrc: int | None = None
        self.clear(None)

    def clear(self, ssrc: int | None) -> None:
        """Begin a stream with nothing in it."""
        self._ssrc = ssrc
        self._held: dict[int, Held] = {}
        self._newest: tuple[int, int] | None = None
        self._last: int | None = None
        self.ended: int | None = None
        """The extended timestamp at which the packet that was taken out last ended."""
        self._missing: dict[int, None] = {}
        self._refused: set[int] = set()
        self._by_copy: set[int] = set()  # those played last whose copy was played

    @property
    def ssrc(self) -> int | None:
        """The stream's source; None before the first packet."""
        return self._ssrc

    @property
    def full(self) -> bool:
        """Whether no more can be taken."""
        return len(self._held) > MOST_HELD

    @property
    def waiting(self) -> int:
        """Packets that wait."""
        return len(self._held)

    @property
    def newest(self) -> int:
        """The timestamp of the latest packet in the talker's order; call it after :meth:`take`."""
        return self._newest[1] if self._newest else 0

    def follows(self, held: Held) -> bool:
        """Whether ``held`` comes right after the packet that was taken out last: nothing is missing between."""
        return self._last is None or held.number == self._last + 1

    def continues(self, packet: Rtp) -> bool:
        """Whether ``packet`` belongs to this stream."""
        if self._newest is None or packet.ssrc != self._ssrc:
            return False
        number, timestamp = self._newest
        step = sequence_distance(packet.sequence, number & 0xFFFF)
        forward = timestamp_distance(packet.timestamp, timestamp & 0xFFFF_FFFF)
        return abs(step) <= _JUMP and (step <= 0 or forward >= -_BACK)

    def take(self, packet: Rtp, samples: int, played_to: int | None, now: float) -> tuple[Verdict, int]:
        """Judge a packet of this stream, and let it wait if it may; with its extended timestamp.

        :param played_to: the extended timestamp that was reached; None: nothing is played.
        """
        number, timestamp = self._extended(packet)
        held = self._held.get(number)
        copied = number in self._by_copy or (held is not None and held.restored)
        if held is not None and not copied:
            self.duplicate += 1
            return Verdict.DUPLICATE, timestamp
        self._by_copy.discard(number)
        if self._newest is not None:
            passed = self._last is not None and number <= self._last
            overtaken = number < self._newest[0] and played_to is not None and timestamp < played_to
            if (passed or overtaken) and not copied:
                return self._refuse(number), timestamp
            self.reordered += number < self._newest[0]
            if passed:
                return Verdict.COPIED, timestamp
        self._held[number] = Held(number, timestamp, samples, packet.marker, packet.payload, now)
        if self._newest is None or number > self._newest[0]:
            self._newest = (number, timestamp)
        return Verdict.COPIED if copied else Verdict.HELD, timestamp

    def restore(self, packet: Rtp, samples: int, played_to: int | None, now: float) -> int | None:
        """Let a copy of an earlier packet take its place, if that is empty and not yet played; its extended timestamp if so."""
        number, timestamp = self._extended(packet)
        known = number in self._held or (self._last is not None and number <= self._last)
        played = played_to is not None and timestamp < played_to
        if known or (played and self._newest is not None and number < self._newest[0]):
            return None
        self._held[number] = Held(number, timestamp, samples, packet.marker, packet.payload, now, restored=True)
        self.redundant += 1
        if self._newest is None or number > self._newest[0]:
            self._newest = (number, timestamp)
        return timestamp

    def _extended(self, packet: Rtp) -> tuple[int, int]:
        if self._newest is None:
            # One turn ahead, so that an earlier packet that comes later does not fall below zero.
            return packet.sequence + 0x1_0000, packet.timestamp + 0x1_0000_0000
        number, timestamp = self._newest
        return (
            number + sequence_distance(packet.sequence, number & 0xFFFF),
            timestamp + timestamp_distance(packet.timestamp, timestamp & 0xFFFF_FFFF),
        )

    def _refuse(self, number: int) -> Verdict:
        if number in self._missing:
            del self._missing[number]
        elif (self._last is None or number > self._last) and number not in self._refused:
            self._refused.add(number)
        else:
            self.duplicate += 1
            return Verdict.DUPLICATE
        self.late += 1
        return Verdict.LATE

    def first(self) -> Held | None:
        """The packet whose turn is next."""
        return self._held[min(self._held)] if self._held else None

    def pop(self, held: Held) -> None:
        """It is this one's turn. What is missing before it and does not come while 64 more are taken is lost."""
        del self._held[held.number]
        old = held.number - _HISTORY
        begin = held.number if self._last is None else self._last + 1
        self.lost += max(0, old - begin)
        for absent in range(max(begin, old), held.number):
            if absent in self._refused:
                self._refused.discard(absent)
            else:
                self._missing[absent] = None
        self._last = held.number
        self.ended = held.timestamp + held.samples
        if held.restored:
            self._by_copy.add(held.number)
        if len(self._refused) > _HISTORY:
            self._refused = {number for number in self._refused if number > old}
        if len(self._by_copy) > _HISTORY:
            self._by_copy = {number for number in self._by_copy if number > old}
        while self._missing and (oldest := next(iter(self._missing))) < old:
            del self._missing[oldest]
            self.lost += 1
