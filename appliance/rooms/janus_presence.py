"""An AudioBridge room's presence: what its plugin tells, as events of the contract, and what this member tells of itself."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from appliance.core.reconnect import Fault
from appliance.rooms import janus_messages as says
from appliance.rooms.contract import RoomEvent
from appliance.rooms.janus_gateway import Gateway, Refusal
from appliance.rooms.janus_members import Own, Roomful
from appliance.rooms.janus_messages import News, Participant, Said
from appliance.rooms.janus_names import Shown
from appliance.rooms.janus_twins import Twins
from appliance.rooms.signalling import Lost

_TELL_EVERY = 0.05
"""Seconds between two messages about ourselves: what changes faster is told as it is then."""
_METER_EVERY = 0.1
_PROOF = 5.0
"""Seconds in which a session of this device has proven that it is one."""
_OUTLIVES = 90.0
"""Seconds after which one that was there before us is none of ours that was cut off: Janus ends those after 60."""
_STRANGER = "Somebody else in the room calls themselves like this device: send them out, or change the PIN."
_KNOCK = 1.5
"""Seconds that a knock is shown."""


class Presence:
    """Beyond single sockets and stays. Loop only.

    :param tell: takes the events.
    :param remark: takes what has to be known of the room beside them, one sentence; "" that it holds no more.
    :param twins: who can tell a session of this device from somebody who took its name.
    """

    def __init__(
        self, who: Shown, tell: Callable[[RoomEvent], None], remark: Callable[[str], None], twins: Twins
    ) -> None:
        self._tell_event, self._remark = tell, remark
        self._seen: dict[int, float] = {}
        """Who shows our identity, and since when."""
        self.but = ""
        """What has to be known of the room, as told last."""
        self._turned_at = 0.0
        self._changed = asyncio.Event()
        self.own = Own(who, self._own_changed)
        self.roomful = Roomful(self.own.member, twins)
        self._knocking: asyncio.TimerHandle | None = None

    def _tell(self, events: Iterator[RoomEvent]) -> None:
        for event in events:
            self._tell_event(event)

    def _own_changed(self) -> None:
        self._changed.set()
        self._tell(self.roomful.own_changed(records=self.own.who.records))

    # ---- what happens here

    def report(self, *, gate_open: bool, records: bool) -> None:
        """The gate stands so, and whether we record."""
        self._tell(self.own.report(gate_open=gate_open, records=records))

    def show_hand(self, up: bool) -> None:
        """The hand is up or not: it is shown beside our name."""
        self.own.show(hand=up)

    def knock(self) -> None:
        """Knock: it is shown for a moment."""
        self.own.show(knocks=True)
        if self._knocking is not None:
            self._knocking.cancel()
        self._knocking = asyncio.get_running_loop().call_later(_KNOCK, lambda: self.own.show(knocks=False))

    # ---- what is told of us

    def joining(self, room: int, pin: str, token: str, bitrate: int) -> Mapping[str, Any]:
        """The request that brings us into the room."""
        secrets = {key: value for key, value in (("pin", pin), ("token", token)) if value}
        return {"request": "join", "room": room, "bitrate": bitrate, **self.own.joining(), **secrets}

    async def keep_told(self, gateway: Gateway) -> None:
        """Tell the plugin how we are, whenever that is otherwise. Ends only by raising.

        :raises Lost: it does not listen any more.
        """
        while True:
            self._changed.clear()
            what = self.own.next()
            if what is not None:
                await self._configure(gateway, what)
            await asyncio.sleep(_TELL_EVERY)
            await self._changed.wait()

    async def _configure(self, gateway: Gateway, what: Mapping[str, Any]) -> None:
        try:
            await gateway.message({"request": "configure", **what})
            if what.get("muted"):
                # Its decoder has a past too: nothing of before is in the first that is heard after reopening.
                await gateway.message({"request": "resetdecoder"})
        except Refusal:
            raise Lost(Fault("server"), "Janus does not know this member any more.") from None
        except (Lost, asyncio.CancelledError):
            self.own.unanswered()
            raise

    # ---- what is heard

    async def meter(self, level: Callable[[], float]) -> None:
        """Tell who talks, and how loud the room is.

        :param level: dBov, of the loudest block since it was asked last.
        """
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_METER_EVERY)
            self._take_turns(loop.time())
            self._look_for_strangers(loop.time())
            self._tell(self.roomful.heard(level(), loop.time()))

    def _take_turns(self, now: float) -> None:
        """Each of those who may be a former session of ours is shown a proof, for as long as it takes to read it."""
        if now - self._turned_at >= _PROOF:
            self._turned_at = now
            self.roomful.turn()
            self._prove()

    def _prove(self) -> None:
        if self.roomful.own_id and self.roomful.proofs != self.own.who.proofs:
            self.own.show(proofs=self.roomful.proofs)

    def _look_for_strangers(self, now: float) -> None:
        """Somebody took our name: we stay, and it is told, as others cannot tell who of us is meant."""
        roomful = self.roomful
        self._seen = {who: self._seen.get(who, now) for who in (*roomful.strangers, *roomful.former)}
        known = any(now - at >= (_PROOF if who in roomful.strangers else _OUTLIVES) for who, at in self._seen.items())
        but = _STRANGER if known else ""
        if but != self.but:
            self.but = but
            self._remark(but)

    # ---- what the plugin tells

    def take(self, said: Said) -> None:
        """A message about our handle.

        :raises Lost: we are out of the room by it.
        :raises ProtocolError: it is malformed.
        """
        if said.kind == "hangup":
            raise Lost(Fault("server"), "Janus ended the media connection.")
        news = says.understand(said.data)
        if news is not None:
            self._of_us(news)
            self._tell(self._of_all(news))
            self._prove()
            if self.roomful.replaced:
                raise Lost(Fault("replaced"), "Another session of this device took its place.")

    def _of_us(self, news: News) -> None:
        match news:
            case says.Kicked(who) if who == self.roomful.own_id:
                raise Lost(Fault("refused"), "An admin sent this member out of the room.", for_good=True)
            case says.Destroyed():
                raise Lost(Fault("gone"), "The room was closed.")
            case says.RoomMuted(on):
                self._tell(self.own.room_muted(on=on))
            case says.Listed(participants) if (us := self._us(participants)) is not None:
                self._tell(self.own.listed(muted=us.muted))
            case says.Changed(participants) if (us := self._us(participants)) is not None:
                self._tell(self.own.set_by_admin(muted=us.muted))

    def _us(self, participants: tuple[Participant, ...]) -> Participant | None:
        own = self.roomful.own_id
        return next((one for one in participants if one.id == own), None)

    def _of_all(self, news: News) -> Iterator[RoomEvent]:
        match news:
            case says.Joined(own, others):
                yield from self.roomful.joined(own, others)
            case says.Listed(participants):
                yield from self.roomful.listed(participants)
            case says.Changed(participants):
                yield from self.roomful.changed(participants)
            case says.Left(who) | says.Kicked(who):
                yield from self.roomful.left(who)
            case says.Talks(who, on):
                self.roomful.talks(who, asyncio.get_running_loop().time(), on=on)
