"""The three slots of a room: who is heard, and how their packets reach everybody else.

Who gets a slot, and on which clock it runs, is decided in core/slots.py; here it is done.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from appliance.core.counters import Counters
from appliance.core.slots import CLAIM_LEVEL, SlotClock, Slots
from appliance.core.units import SLOTS
from appliance.host.fan_out import Address, FanOut, Packet, Stream
from appliance.host.srtp import Outbound

_SILENCE = b"\xf8\xff\xfe"
"""A 20 ms Opus frame of silence (RFC 6716, 3.1)."""

_TAIL = 3
"""Frames of it that end a stream whose listener would otherwise invent how it goes on."""

_FRAME = 960


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


class Stage:
    """Slots, their clocks and their fan-outs.

    :param descriptor: the media port's socket.
    :param on_change: told who has which slot, whenever that changes.
    """

    def __init__(
        self, descriptor: int, counters: Counters, on_change: Callable[[Sequence[str | None]], None], now: float
    ) -> None:
        self._counters = counters
        self._on_change = on_change
        self._slots = Slots()
        # Numbers begin anywhere (RFC 3550, 5.1), and low enough not to wrap at once.
        self._clocks = [SlotClock(secrets.randbits(15), secrets.randbits(32), now) for _ in range(SLOTS)]
        self._fans = [FanOut(descriptor, counters) for _ in range(SLOTS)]
        self._holders = self._slots.holders

    @property
    def holders(self) -> tuple[str | None, ...]:
        """Who has each slot."""
        return self._holders

    def wants(self, who: str, level: int) -> bool:
        """Whether a packet of this level (-dBov) can matter: quieter ones of those without a slot need no deciphering."""
        return -level >= CLAIM_LEVEL or who in self._holders

    def listen(self, who: str, outbound: Outbound, streams: Sequence[Stream], address: Address) -> None:
        """Let ``who`` hear the slots, one for each stream it agreed on."""
        for fan, stream in zip(self._fans, streams, strict=False):
            fan.add(who, outbound, stream, address)

    def move(self, who: str, address: Address) -> None:
        """``who`` listens at another address."""
        for fan in self._fans:
            if who in fan:
                fan.move(who, address)

    def unlisten(self, who: str) -> None:
        """``who`` hears nothing any more."""
        for fan in self._fans:
            fan.remove(who)

    def talk(self, who: str, speech: Speech, now: float) -> bool:
        """Forward a packet, if its talker has or gets a slot; whether it had one."""
        slot = self._slots.offer(who, -float(speech.level), now)
        self._settle(who, slot)
        if slot is None:
            return False
        clock = self._clocks[slot]
        if speech.began:
            clock.switch()
        place = clock.map(speech.seq, speech.timestamp, now)
        if place is not None:
            packet = Packet(place.seq, place.timestamp, place.marker, speech.level, speech.payload)
            self._fans[slot].send(packet, who)
        return True

    def release(self, who: str) -> None:
        """``who`` was muted or left: nothing of it is forwarded from now on."""
        self._slots.release(who)
        self._settle()

    def expire(self, now: float) -> None:
        """Free the slots of those who fell silent."""
        self._slots.expire(now)
        self._settle()

    def _settle(self, talker: str | None = None, slot: int | None = None) -> None:
        """Make clocks and listeners follow the holders."""
        before, after = self._holders, self._slots.holders
        if before == after:
            return
        self._holders = after
        for clock, old, new in zip(self._clocks, before, after, strict=True):
            if old != new:
                clock.switch()
                self._counters.add("host_slot_changes")
        if talker is not None and slot is not None and before[slot] not in {None, talker}:
            self._end_tail(talker, slot)
        self._on_change(after)

    def _end_tail(self, talker: str, slot: int) -> None:
        """Whoever takes the slot it is hearing hears it break off: end that in silence, or its decoder goes on by itself."""
        _, newest = self._clocks[slot].newest
        for frame in range(1, _TAIL + 1):
            self._fans[slot].send_extra(talker, (newest + frame * _FRAME) & 0xFFFFFFFF, _SILENCE)
