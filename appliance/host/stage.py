"""The three slots of a room: who is heard, and how their packets reach everybody else.

Who gets a slot, and on which clock it runs, is decided in core/slots.py; here it is done.
"""

from collections.abc import Callable, Sequence

from appliance.core.counters import Counters
from appliance.core.slots import CLAIM_LEVEL, Slots
from appliance.core.units import SLOTS
from appliance.host.fan_out import Address, Stream
from appliance.host.hearing import Hearing
from appliance.host.lane import Lane, Speech
from appliance.host.mix import Mix
from appliance.host.reports import Complaint, Sending
from appliance.host.srtp import Outbound

_ACTIVE = 10.0
"""Seconds after its last packet that a slot is still reported on; listeners get a report every five."""
_FLOWS = 0.5
"""Seconds; packets of speech come every 20 ms."""


class Stage:
    """Slots and the lanes behind them.

    :param descriptor: the media port's socket.
    :param on_change: told who has which slot, whenever that changes.
    """

    def __init__(
        self, descriptor: int, counters: Counters, on_change: Callable[[Sequence[str | None]], None], now: float
    ) -> None:
        self._counters = counters
        self._on_change = on_change
        self._slots = Slots()
        self._hearing = Hearing(counters)
        self.lanes = tuple(Lane(descriptor, counters, now) for _ in range(SLOTS))
        self.mix = Mix(descriptor, counters, self.lanes)
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
        for lane, stream in zip(self.lanes, streams, strict=False):
            lane.fan.add(who, outbound, stream, address)

    def listen_to_mix(self, who: str, outbound: Outbound, stream: Stream, address: Address) -> None:
        """Let ``who``, who takes one stream, hear all slots in it."""
        self.mix.add(who, outbound, stream, address)

    def move(self, who: str, address: Address) -> None:
        """``who`` listens at another address."""
        if who in self.mix:
            self.mix.move(who, address)
        for lane in self.lanes:
            if who in lane.fan:
                lane.fan.move(who, address)

    def unlisten(self, who: str) -> None:
        """``who`` hears nothing any more."""
        self.mix.remove(who)
        for lane in self.lanes:
            lane.remove(who)

    def hears(self, who: str, now: float) -> bool:
        """Whether packets of somebody else go to ``who`` now."""
        return any(
            holder is not None and holder != who and now - lane.spoke < _FLOWS and who in lane.fan
            for lane, holder in zip(self.lanes, self.holders, strict=True)
        )

    def sending(self, who: str, ssrcs: Sequence[int], now: float) -> list[Sending]:
        """The streams to ``who``, in the order of ``ssrcs``, in which something went out lately."""
        if who in self.mix:
            return [self.mix.sending(who, ssrcs[0], now)]
        found = []
        for lane, ssrc in zip(self.lanes, ssrcs, strict=True):
            if who in lane.fan and now - lane.spoke < _ACTIVE:
                packets, octets = lane.fan.sent(who)
                if packets:
                    found.append(Sending(ssrc, lane.timestamp(now), packets, octets))
        return found

    def complain(self, who: str, complaints: Sequence[Complaint], copies: int, now: float) -> None:
        """``who`` told what it loses; from now on it gets ``copies`` earlier frames beside each, if it agreed on any."""
        if who in self.mix:
            self.mix.protect_by(who, copies)
            return
        for complaint in complaints:
            lane = self.lanes[complaint.index]
            lane.losses.note(who, complaint.fraction, lane.fan.copies(who), now)
        for lane in self.lanes:
            lane.fan.protect_by(who, copies)

    def listeners_lose(self, who: str, now: float) -> float:
        """What listeners lose of what we forward of ``who``, 0 to 1."""
        return self.lanes[self._holders.index(who)].losses.typical(now) if who in self._holders else 0.0

    def level(self, who: str, claimed: int | None, payload: memoryview, now: float) -> int:
        """The level (-dBov) that counts for a packet of ``who``; who claimed too much loses its slot."""
        level, belied = self._hearing.level(who, claimed, payload, who in self._holders, now)
        if belied:
            self.release(who, now)
        return level

    def talk(self, who: str, speech: Speech, now: float) -> bool:
        """Forward a packet, if its talker has or gets a slot; whether it had one."""
        slot = self._slots.offer(who, -float(speech.level), now)
        self._settle(who, slot)
        if slot is None:
            return False
        self.lanes[slot].send(speech, who, now)
        return True

    def release(self, who: str, now: float) -> None:
        """``who`` was muted or left: nothing of it is forwarded from now on."""
        if who in self._holders:
            self.lanes[self._holders.index(who)].end(now)
        self._slots.release(who)
        self._settle()

    def expire(self, now: float) -> None:
        """Free the slots of those who fell silent, forget who spoke long ago. Raises what has ended the mix, if something has."""
        self._slots.expire(now)
        self._settle()
        self._hearing.forget(now)
        self.mix.check()

    def _settle(self, talker: str | None = None, slot: int | None = None) -> None:
        """Make lanes and listeners follow the holders."""
        before, after = self._holders, self._slots.holders
        if before == after:
            return
        self._holders = after
        for lane, old, new in zip(self.lanes, before, after, strict=True):
            if old != new:
                lane.switch()
                self._counters.add("host_slot_changes")
        if talker is not None and slot is not None and before[slot] not in {None, talker}:
            self.lanes[slot].end_tail(talker)
        self.mix.follow(after)
        self._on_change(after)
