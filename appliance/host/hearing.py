"""How loud members really are, where what they claim cannot stand alone.

Decoding costs some 55 µs a packet, so it is done only for those who are forwarded, ten packets in each second or so, and all the
time for those who were found out or who do not say how loud they are. Of these only so many are listened to in one room.
"""

from collections import OrderedDict

import numpy as np

from appliance.core.claims import ClaimCheck
from appliance.core.counters import Counters
from appliance.core.levels import dbov
from appliance.core.units import SLOTS
from appliance.media.opus import MOST_SAMPLES, Decoder, OpusError

SILENT = 127
"""-dBov of silence (RFC 6464)."""

MOST_MEASURED = 8
"""Members of a room whose every packet is decoded at a time."""

COMFORT = 10
"""Bytes; Opus packets up to this length are silence or comfort noise."""

_IDLE = 2.0
"""Seconds after which somebody else may have the decoder of a member that is silent."""

_MOST_KNOWN = 256
"""Members whose record is kept, also when they come in anew."""

_KEPT = 50.0
_SWEEP = 10.0
"""Seconds after which whoever is not known for false claims is forgotten, and between looks for them: of who spoke, nothing is
kept for longer than a minute."""


class _Ears:
    """Decoders, each lent to one member while that one sends."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lent: OrderedDict[str, tuple[Decoder, float]] = OrderedDict()

    def take(self, who: str, now: float) -> Decoder | None:
        """The decoder of ``who``; None when all are lent."""
        lent = self._lent.pop(who, None)
        decoder = lent[0] if lent is not None else self._free(now)
        if decoder is not None:
            self._lent[who] = (decoder, now)
        return decoder

    def forget(self, before: float) -> None:
        """Take back what was not used since ``before``, with the sound that is in it."""
        for who in [who for who, (_, used) in self._lent.items() if used < before]:
            del self._lent[who]

    def _free(self, now: float) -> Decoder | None:
        if len(self._lent) < self._most:
            return Decoder()
        idlest, (decoder, used) = next(iter(self._lent.items()))
        if now - used < _IDLE:
            return None
        del self._lent[idlest]
        decoder.reset()
        return decoder


class Hearing:
    """The ears of one room."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._checks: OrderedDict[str, tuple[ClaimCheck, float]] = OrderedDict()
        self._swept_at = 0.0
        self._looking = _Ears(SLOTS)
        self._measuring = _Ears(MOST_MEASURED)
        self._pcm = np.zeros(MOST_SAMPLES, np.int16)

    def level(
        self, who: str, claimed: int | None, payload: memoryview, forwarded: bool, now: float
    ) -> tuple[int, bool]:
        """The level (-dBov) that counts for a packet, and whether it has just been found that ``who`` is not to be believed.

        :param claimed: what the packet says of itself (-dBov); None when it says nothing.
        :param forwarded: ``who`` has a slot.
        """
        check = self._check(who, now)
        if claimed is None or check.doubts(now):
            return self._measured(who, payload, now), False
        if not forwarded or not check.looks(now):
            return claimed, False
        decoder = self._looking.take(who, now)
        if decoder is None:
            return claimed, False
        if check.begins:
            decoder.reset()
        level = self._decode(decoder, payload)
        if check.note(-float(claimed), -float(level), now):
            self._counters.add("host_claims_belied")
            return level, True
        return claimed, False

    def forget(self, now: float) -> None:
        """Forget who was heard before the last minute; called now and then, also when nobody speaks."""
        if now - self._swept_at < _SWEEP:
            return
        self._swept_at = now
        old = [who for who, (check, heard) in self._checks.items() if now - heard > _KEPT and check.is_blank]
        for who in old:
            del self._checks[who]
        self._looking.forget(now - _KEPT)
        self._measuring.forget(now - _KEPT)

    def _check(self, who: str, now: float) -> ClaimCheck:
        known = self._checks.get(who)
        check = known[0] if known is not None else ClaimCheck()
        self._checks[who] = (check, now)
        self._checks.move_to_end(who)
        if len(self._checks) > _MOST_KNOWN:
            self._checks.popitem(last=False)
        return check

    def _measured(self, who: str, payload: memoryview, now: float) -> int:
        if len(payload) <= COMFORT:
            return SILENT
        decoder = self._measuring.take(who, now)
        if decoder is None:
            self._counters.add("host_levels_unmeasured")
            return SILENT
        self._counters.add("host_levels_measured")
        return self._decode(decoder, payload)

    def _decode(self, decoder: Decoder, payload: memoryview) -> int:
        try:
            size = decoder.decode(payload, self._pcm)
        except OpusError:  # no Opus at all: nobody will hear it
            return SILENT
        return -round(dbov(self._pcm[:size]))
