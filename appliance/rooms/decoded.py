"""The way down of an engine whose library decodes: blocks by member come in, one mixed block goes out for each asked.

The library has a jitter buffer of its own, so the queue of a member is short: a block or two, as much as the threads and
the loop in between are late, and what two clocks that differ make of it. What is too much is taken out a few ms at a time, where
it is quiet or the wave repeats itself (media/stretch.py). What is not there in time is made of what was played last, for one
block; then the member dies away over 5 ms, and begins again when there is enough.
"""

import threading
from collections.abc import Mapping

import numpy as np

from appliance.core.counters import Counters, total
from appliance.core.levels import Speaking, dbov
from appliance.core.mixer import Mixer
from appliance.core.units import BLOCK, RATE, SILENCE, Block, Pcm
from appliance.media import splice, stretch
from appliance.media.pcm_queue import PcmQueue
from appliance.rooms import contract

_PER_MS = RATE // 1000
_CAP = 200 * _PER_MS
"""Samples that wait at most."""
_LEAST_SPARE, _MOST_SPARE = 5 * _PER_MS, 60 * _PER_MS
"""Samples that should still wait when the fewest do."""
_MORE_SPARE, _LESS_SPARE = 10 * _PER_MS, _PER_MS
"""By how much more that is after running dry, and less after a window without."""
_TOLERATED = 10 * _PER_MS
"""Samples more than that are no delay worth a splice."""
_WINDOW = 200
"""Blocks over which the fewest samples that waited are looked for: 2 s."""
_PATIENCE = 100
"""Blocks after which a splice need no longer be a perfect one."""
_STALE = 20
"""Blocks after which what is too little to begin with is no beginning of anything."""
_QUIET = -50.0
"""dBov, below which a few ms more or less are not heard."""
_NOTHING = -100.0
"""dBov, below which a library that makes silence means it."""
_RISE = ((np.arange(stretch.SHORTEST) + 0.5) / stretch.SHORTEST).astype(np.float32)
_LEVEL_KEPT = 0.3
"""Seconds that a level is kept when no blocks come."""


class _Voice:
    """One place for a member that is heard."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.block = np.zeros(BLOCK, np.float32)
        self.counters = Counters()
        self._queue = PcmQueue(_CAP + 2 * stretch.LONGEST)
        self._again = np.zeros(2 * stretch.LONGEST, np.int16)
        self._tail = np.zeros(splice.OVERLAP, np.int16)
        self.give(None)

    def give(self, member: str | None) -> None:
        """The place is ``member``'s, or nobody's: nothing of whoever had it is left."""
        self.member: str | None = member
        self._queue.clear()
        self._playing = self._invented = False
        self._spare = _LEAST_SPARE
        self._unchanged = 0
        self._look_anew()
        self.loudest: float | None = None
        """The loudest block since it was last read, dBov."""

    def _look_anew(self) -> None:
        self._fewest = _CAP
        self._looked = 0
        self._excess = 0
        self._sought = 0

    @property
    def delay_ms(self) -> float | None:
        """What waits now, ms; None while nothing plays."""
        return len(self._queue) / _PER_MS if self._playing else None

    # Blocks come, with the lock held

    def put(self, pcm: Pcm, level: float) -> None:
        """Take a block."""
        self.counters.add("blocks_received")
        self.loudest = level if self.loudest is None else max(self.loudest, level)
        self._unchanged = 0
        if len(self._queue) + pcm.size > _CAP:
            self._drop()
        begins = not self._playing and not len(self._queue)
        self._queue.append(pcm)
        if begins:
            splice.fade_in(self._queue.view)

    def _drop(self) -> None:
        """Nobody asked for so long that what waits is of no use: only the newest is kept."""
        lag = len(self._queue) - self._begin_at
        stretch.shorten(self._queue.view, lag)
        self._queue.skip(lag)
        self.counters.add("frames_dropped", lag // BLOCK)
        self._look_anew()

    # Blocks are asked for, with the lock held

    @property
    def _begin_at(self) -> int:
        """Samples that have to wait for it to begin."""
        return 2 * BLOCK + self._spare - _LEAST_SPARE

    def pull(self) -> bool:
        """Put the next 10 ms into :attr:`block`; False: nothing is to be heard."""
        waiting = len(self._queue)
        if not self._playing:
            if waiting < self._begin_at:
                self._forget_stale(waiting)
                return False
            self._playing = True
            self._look_anew()
        if waiting >= BLOCK:
            self._invented = False
            if self._excess:
                self._shorten()
        elif self._invented:
            self._run_dry(waiting)
            return True
        else:
            self._repeat(BLOCK - waiting)
        self._queue.take(self.block)
        self._watch(len(self._queue))
        return True

    def _forget_stale(self, waiting: int) -> None:
        self._unchanged += 1
        if waiting and self._unchanged > _STALE:
            self._queue.clear()

    def _repeat(self, missing: int) -> None:
        """Put so much of the past in once more that a block is there, where the wave repeats itself; once in a row."""
        self._invented = True
        self._spare = min(_MOST_SPARE, self._spare + _MORE_SPARE)
        self.counters.add("frames_concealed")
        lag = stretch.match(self._queue.around(stretch.NEEDED, 0)[::-1]).lag
        while lag < missing:
            lag *= 2
        again = self._again[:lag]
        again[:] = self._queue.around(lag, 0)
        follows = self._queue.view[: _RISE.size]
        begin = again[: follows.size]
        begin[:] = np.rint(begin * _RISE[: follows.size] + follows * (1 - _RISE[: follows.size]))
        self._queue.prepend(again)

    def _run_dry(self, left: int) -> None:
        """Play what is left, and let it die away: the wave goes on backwards for 5 ms."""
        self._queue.take(self.block)
        size = min(splice.OVERLAP, BLOCK - left)
        self._tail[:] = self._queue.around(splice.OVERLAP, 0)[::-1]
        splice.fade_out(self._tail)
        np.multiply(self._tail[:size], np.float32(1 / 32768), out=self.block[left : left + size])
        self._playing = False
        self._unchanged = 0

    def _watch(self, waiting: int) -> None:
        """See after each block how much still waits; after a window decide whether that is too much."""
        self._fewest = min(self._fewest, waiting)
        self._looked += 1
        if self._looked < _WINDOW:
            return
        fewest, spare = self._fewest, self._spare
        self._look_anew()
        if fewest > spare + _TOLERATED:
            self._excess = fewest - spare
        self._spare = max(_LEAST_SPARE, spare - _LESS_SPARE)

    def _shorten(self) -> None:
        """Take a piece out, as soon as there is a place where that is not heard."""
        pcm = self._queue.view
        if pcm.size < stretch.NEEDED:
            return
        if dbov(pcm[: stretch.NEEDED]) <= _QUIET:
            lag = min(stretch.LONGEST, max(stretch.SHORTEST, self._excess))
        else:
            self._sought += 1
            if self._sought % 4 != 1:
                return  # looking costs something
            found = stretch.match(pcm)
            if found.likeness < 0.95 - self._sought / _PATIENCE:
                return
            lag = found.lag
        stretch.shorten(pcm, lag)
        self._queue.skip(lag)
        self._look_anew()


class _Meter:
    """How loud one member is and whether it speaks, as told last."""

    def __init__(self) -> None:
        self.speaking = Speaking()
        self.speaks = False
        self.told = SILENCE
        self.level = SILENCE
        self.at = 0.0


class DecodedDownlink:
    """:meth:`mix` belongs to the exchange thread, :meth:`put` to any, the rest to the loop.

    :param most: members that are heard at a time.
    """

    def __init__(self, most: int) -> None:
        self._voices = tuple(_Voice() for _ in range(most))
        self._by_member: Mapping[str, _Voice] = {}
        self._volumes: dict[str, float] = {}
        self._gains: tuple[float, ...] = (1.0,) * most
        self._mixer = Mixer(most)
        self._alone = -1
        """The one voice that was heard last, as sent; -1 when the mixer had more to do."""
        self._blocks: list[Block | None] = [None] * most
        self._meters: dict[str, _Meter] = {}
        self._told_speaking: frozenset[str] = frozenset()
        self._counters = Counters()

    @property
    def heard(self) -> frozenset[str]:
        """The members that have a place."""
        return frozenset(self._by_member)

    @property
    def speaking(self) -> frozenset[str]:
        """Who of them speaks, as :meth:`levels` told last."""
        return self._told_speaking

    def hear(self, member: str) -> bool:
        """Give ``member`` a place, from which on its blocks are taken; False when there is none."""
        if member in self._by_member:
            return True
        voice = next((voice for voice in self._voices if voice.member is None), None)
        if voice is None:
            return False
        with voice.lock:
            voice.give(member)
        self._by_member = {**self._by_member, member: voice}
        self._meters.setdefault(member, _Meter())
        self._counters.add("talker_switches")
        self._apply()
        return True

    def forget(self, member: str) -> None:
        """Nothing of ``member`` is heard any more, not even what waits; its place is free."""
        voice = self._by_member.get(member)
        if voice is None:
            return
        self._by_member = {who: other for who, other in self._by_member.items() if who != member}
        with voice.lock:
            voice.give(None)
        self._apply()

    def put(self, member: str, pcm: Pcm) -> None:
        """Take a block of ``member``, shape (480,) int16. Without a place it is not heard. Any thread."""
        voice = self._by_member.get(member)
        if voice is None:
            return
        level = dbov(pcm)
        with voice.lock:
            if voice.member == member:  # it may have been given away meanwhile
                voice.put(pcm, level)

    def set_volume(self, member: str, gain: float) -> None:
        """How loud a member is here, 0 to 2; kept while the process runs, also when the member is away."""
        self._volumes[member] = gain
        self._apply()

    def _apply(self) -> None:
        self._gains = tuple(1.0 if v.member is None else self._volumes.get(v.member, 1.0) for v in self._voices)

    def mix(self, out: Block) -> bool:
        """Write the next block, shape (480,), into ``out``; False and zeros when nobody has anything."""
        heard, only = 0, -1
        for index, voice in enumerate(self._voices):
            self._blocks[index] = None
            if voice.member is not None:
                with voice.lock:
                    if voice.pull():  # nothing, when it was given away meanwhile
                        self._blocks[index] = voice.block
                        heard, only = heard + 1, index
        gains = self._gains
        if heard == 0:
            out.fill(0.0)
            self._alone = -1
        elif heard == 1 and gains[only] == 1.0 and self._alone == only:
            np.copyto(out, self._voices[only].block)  # what the mixer would do with one block as sent, for a tenth
        else:
            self._mixer.mix(self._blocks, gains, out)
            self._alone = only if heard == 1 and gains[only] == 1.0 else -1
        return heard > 0

    def levels(self, now: float) -> contract.Levels | None:
        """The levels that changed since the last call, and who speaks; None: all is as it was. About ten times a second.

        :param now: seconds, any clock that only goes forward.
        """
        changed: dict[str, float] = {}
        for member, meter in list(self._meters.items()):
            level = self._read(member, meter, now)
            meter.speaks = meter.speaking.update(level, now)
            if level != meter.told:
                meter.told = changed[member] = level
            elif member not in self._by_member and not meter.speaks and level <= SILENCE:
                del self._meters[member]
        speaking = frozenset(member for member, meter in self._meters.items() if meter.speaks)
        if not changed and speaking == self._told_speaking:
            return None
        self._told_speaking = speaking
        return contract.Levels(changed, speaking)

    def _read(self, member: str, meter: _Meter, now: float) -> float:
        voice = self._by_member.get(member)
        loudest = None
        if voice is not None:
            with voice.lock:
                loudest, voice.loudest = voice.loudest, None
        if loudest is not None:
            meter.level, meter.at = (float(round(loudest)) if loudest > _NOTHING else SILENCE), now
        elif voice is None or now - meter.at > _LEVEL_KEPT:
            meter.level = SILENCE
        return meter.level

    def left(self, member: str) -> None:
        """``member`` left the room: it is not heard, and nothing more is told of its level."""
        self.forget(member)
        self._meters.pop(member, None)
        self._told_speaking -= {member}

    @property
    def delay_ms(self) -> float | None:
        """The longest delay that is added here just now; None while nothing plays."""
        return max((delay for voice in self._voices if (delay := voice.delay_ms) is not None), default=None)

    def counters(self) -> dict[str, int]:
        """See core/counters.py."""
        return total(self._counters.snapshot(), *(voice.counters.snapshot() for voice in self._voices))
