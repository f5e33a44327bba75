"""Who is forwarded, and how their packets become one continuous stream.

A room forwards its loudest talkers in a few fixed slots. Towards every listener a slot is one RTP stream that never breaks:
:class:`Slots` chooses who is in it, :class:`SlotClock` gives their packets the slot's own sequence and timestamps.

All times are seconds of one monotonic clock, timestamps count samples at 48 kHz, levels are dBov.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from appliance.core.serial import sequence_distance, timestamp_distance
from appliance.core.units import RATE, SLOTS

CLAIM_LEVEL = -57.0
"""A talker has to be this loud to get a slot,"""

KEEP_LEVEL = -67.0
"""and this loud to count as talking once it has one."""

PREEMPT_DB = 6.0
"""So much louder than the quietest holder a talker has to be to take its slot."""

HANGOVER = 1.0
"""Seconds that a holder who falls silent keeps its slot: the pauses between sentences."""

FLOOR_LEVEL = -70.0
"""Levels count as at least this, so that a talker out of digital silence is as quick as one out of a quiet room."""

ATTACK = 0.03
RELEASE = 0.5
"""Seconds in which a talker's level follows a rise and a fall: a first syllable counts, a pause does not."""

_USUAL, _UNHEARD = 0.02, 0.12
"""Seconds of a usual and of the longest packet of Opus; more than that between two packets is a pause."""

_FORGET = 5.0

_KEPT = 60.0
"""Seconds that a slot remembers its last holder: of who spoke, nothing is kept for longer than a minute."""


@dataclass(slots=True)
class _Talker:
    heard: float
    level: float = FLOOR_LEVEL
    spoke: float = -math.inf
    slot: int | None = None

    def follow(self, level: float, now: float) -> None:
        level = min(0.0, max(FLOOR_LEVEL, level))
        # What was not heard, or not worth looking at, was silence; and one loud packet after it is no more than that.
        passed = now - self.heard
        if passed > _UNHEARD:
            self.level = FLOOR_LEVEL + (self.level - FLOOR_LEVEL) * math.exp(-passed / RELEASE)
            passed = _USUAL
        self.level += (level - self.level) * (1 - math.exp(-passed / (ATTACK if level > self.level else RELEASE)))
        self.heard = now
        if self.level >= KEEP_LEVEL:
            self.spoke = now

    def silent(self, now: float) -> bool:
        return now - self.spoke > HANGOVER


class Slots:
    """The talkers of one room that are forwarded. Offer every packet's level; the answer is the slot it may go out in."""

    def __init__(self, size: int = SLOTS) -> None:
        self._holders: list[str | None] = [None] * size
        self._last: list[str | None] = [None] * size
        self._freed = [-math.inf] * size
        self._talkers: dict[str, _Talker] = {}

    @property
    def holders(self) -> tuple[str | None, ...]:
        """Who has each slot."""
        return tuple(self._holders)

    def offer(self, talker: str, level: float, now: float) -> int | None:
        """The slot in which a packet of ``level`` dBov that came ``now`` is forwarded; None: it is not.

        It may take a free slot or that of a much quieter talker; who has one keeps it through short pauses.
        """
        state = self._talkers.get(talker)
        if state is None:
            state = self._talkers[talker] = _Talker(heard=-math.inf)
        state.follow(level, now)
        if state.slot is not None:
            if not state.silent(now):
                return state.slot
            self._free(state.slot, now)
        if state.level < CLAIM_LEVEL:
            return None
        self.expire(now)
        slot = self._choose(talker, state.level)
        if slot is not None:
            self._free(slot, now)
            self._holders[slot] = self._last[slot] = talker
            state.slot = slot
        return slot

    def release(self, talker: str) -> None:
        """The talker left or was muted. Its slot, if it had one, stays the one it gets again when it is still free."""
        state = self._talkers.pop(talker, None)
        if state is not None and state.slot is not None:
            self._free(state.slot, state.heard)

    def expire(self, now: float) -> list[int]:
        """Free the slots of all who fell silent or whose packets stopped; returns those slots."""
        freed = [i for i, who in enumerate(self._holders) if who is not None and self._talkers[who].silent(now)]
        for slot in freed:
            self._free(slot, now)
        for slot, who in enumerate(self._holders):
            if who is None and now - self._freed[slot] > _KEPT:
                self._last[slot] = None
        gone = [who for who, state in self._talkers.items() if now - state.heard > _FORGET]
        for who in gone:
            del self._talkers[who]
        return freed

    def _free(self, slot: int, now: float) -> None:
        who = self._holders[slot]
        if who is not None:
            self._holders[slot] = None
            self._freed[slot] = now
            if who in self._talkers:
                self._talkers[who].slot = None

    def _choose(self, talker: str, level: float) -> int | None:
        free = [i for i, who in enumerate(self._holders) if who is None]
        if free:
            # Its old slot, where listeners still know its sound and delay; else the one that has been quiet longest.
            return min(free, key=lambda i: (self._last[i] != talker, self._freed[i]))
        levels = [self._talkers[who].level for who in self._holders if who is not None]
        quietest = levels.index(min(levels))
        return quietest if level >= levels[quietest] + PREEMPT_DB else None


MOST_DRIFT = 1.0
"""Seconds that a talker's timestamps may be off from the time its packets come before it is fitted in anew."""

FOLLOW = 0.001
"""Share of that difference by which each packet moves the slot's clock: in 20 s it follows a talker whose clock is fast or
slow. Faster, and every packet that the network delayed would leave its mark."""

MOST_PAUSE = 2**30
"""Samples (six hours) that a slot's timestamp moves at most over a pause; half of its range would look like the past."""

MOST_LATE = 512
"""Packets that one may come late and still be forwarded."""

_LONG_AGO = -1024
"""Numbers that far back are no late packet, as SRTP would not let it pass: they jumped over more than half of the range."""

MOST_LOST = 512
"""Packets that may be missing before one. A larger jump is fitted in anew: listeners who lose a packet near a jump of half the
range would lose count of the wraps (SRTP's roll-over counter), and hear nothing of the slot any more."""

Jump: TypeAlias = Literal["sequence", "timestamp"]

_SEEN = (1 << MOST_LATE + 1) - 1

_FRAME = 960
_LONGEST = 5760
"""Samples of a usual and of the longest packet of Opus: 20 and 120 ms."""


class Place(NamedTuple):
    """Where a packet stands in its slot's stream; ``marker``: it begins a new talk spurt (RFC 3551, 4.1)."""

    seq: int
    timestamp: int
    marker: bool


class SlotClock:
    """Maps the packets of one talker after another onto the continuous sequence and timestamps of a slot.

    A new talker's first packet is put where the slot's clock stands. Where that would overlap the packet before, it is not
    forwarded: to let it take the next frame anyway would make the slot run ahead of real time a little at every change.

    Rows (one listener each) that do not get a packet, as a talker's own, must not see a gap: they subtract :attr:`step` from
    an offset that is added to the sequence of all that they do get.
    """

    def __init__(self, seq: int = 0, timestamp: int = 0, now: float = 0.0) -> None:
        self._seq = seq & 0xFFFF
        self._timestamp = timestamp & 0xFFFFFFFF
        # When the newest packet would have come, had it come evenly; before the first as if one had come a frame ago.
        self._at = now - _FRAME / RATE
        self._length = _FRAME
        self._fresh = True
        self._source_seq = self._source_timestamp = 0
        self._spurt = 0
        self._seen = 0  # bit k: the packet k before the newest was mapped
        self._step = 0
        self._jump: Jump | None = None

    @property
    def newest(self) -> tuple[int, int]:
        """Sequence and timestamp of the newest packet."""
        return self._seq, self._timestamp

    @property
    def following(self) -> int:
        """The timestamp right after the newest packet."""
        return (self._timestamp + self._length) & 0xFFFFFFFF

    def at(self, now: float) -> int:
        """The timestamp that stands for ``now``: what a sender report says of the slot (RFC 3550, 6.4.1)."""
        return (self._timestamp + round((now - self._at) * RATE)) & 0xFFFFFFFF

    @property
    def step(self) -> int:
        """How far the last mapped packet moved the newest sequence on: 0 for one that came late."""
        return self._step

    def switch(self) -> None:
        """The next packet is of another talker, or of the same one after it had lost the slot."""
        self._fresh = True

    def append(self) -> Place:
        """The place of one more frame of 20 ms, of our own, right after the newest packet. A talker begins after it."""
        length, self._length, self._fresh = self._length, _FRAME, True
        self._at += length / RATE
        return self._advance(1, length, self._source_seq, self._source_timestamp, False)

    def misses(self, seq: int, timestamp: int) -> bool:
        """Whether a copy of the holder's frame with these numbers fills a hole; never one before its spurt began."""
        if self._fresh:
            return False
        ahead = sequence_distance(seq, self._source_seq)
        if ahead > 0:
            return ahead <= MOST_LOST and 0 < timestamp_distance(timestamp, self._source_timestamp) < MOST_DRIFT * RATE
        return -ahead <= min(self._spurt, MOST_LATE) and not self._seen >> -ahead & 1

    def map(self, seq: int, timestamp: int, now: float) -> Place | None:
        """The place of the holder's packet with this sequence and timestamp; None: it is not forwarded.

        That is so for what would overlap the talker before, and for what was mapped already.
        """
        if self._fresh:
            return self._begin(seq, timestamp, now)
        ahead = sequence_distance(seq, self._source_seq)
        moved = timestamp_distance(timestamp, self._source_timestamp)
        if _LONG_AGO < ahead <= 0:
            return self._late(-ahead, moved)
        at = self._at + moved / RATE
        jumps = ahead > MOST_LOST or ahead <= _LONG_AGO
        if jumps or abs(at - now) > MOST_DRIFT:
            self._jump = "sequence" if jumps else "timestamp"
            place = self._begin(seq, timestamp, now)
            if place is None:
                self._skip(seq, timestamp)
            return place
        if ahead == 1 and 0 < moved <= _LONGEST:
            self._length = moved
        self._at = at + (now - at) * FOLLOW
        self._spurt += ahead
        return self._advance(ahead, moved, seq, timestamp, False)

    def take_jump(self) -> Jump | None:
        """Which of the holder's numbers jumped with the last packet, if one did; asked once. It was fitted in anew."""
        jump, self._jump = self._jump, None
        return jump

    def _begin(self, seq: int, timestamp: int, now: float) -> Place | None:
        unit = min(self._length, _FRAME)
        moved = round((now - self._at) * RATE / unit) * unit
        if moved < self._length:
            return None
        self._at += moved / RATE
        self._fresh = False
        self._spurt = 0
        self._length = _FRAME
        return self._advance(1, min(moved, MOST_PAUSE), seq, timestamp, True)

    def _skip(self, seq: int, timestamp: int) -> None:
        """Leave a packet out of a burst that is already a second ahead; what comes next in time follows without a gap."""
        self._source_seq, self._source_timestamp = seq, timestamp
        self._spurt, self._seen = 0, 1

    def _late(self, behind: int, moved: int) -> Place | None:
        # Before the spurt's first packet there is no room left: the numbers there were those of the talker before.
        if behind > min(self._spurt, MOST_LATE) or abs(moved) > MOST_DRIFT * RATE or self._seen >> behind & 1:
            return None
        self._seen |= 1 << behind
        self._step = 0
        return Place((self._seq - behind) & 0xFFFF, (self._timestamp + moved) & 0xFFFFFFFF, False)

    def _advance(self, steps: int, samples: int, seq: int, timestamp: int, marker: bool) -> Place:
        self._source_seq, self._source_timestamp = seq, timestamp
        self._seq = (self._seq + steps) & 0xFFFF
        self._timestamp = (self._timestamp + samples) & 0xFFFFFFFF
        self._seen = 1 if marker else (self._seen << steps | 1) & _SEEN
        self._step = steps
        return Place(self._seq, self._timestamp, marker)
