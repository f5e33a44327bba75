"""Telling a roomful: changes of one tick are one message, a slow reader costs a bounded amount and is never wrong."""

import asyncio
import json
from collections.abc import Collection
from typing import Any

from appliance.core.counters import Counters
from appliance.core.protocol import Claims, slots_changed
from appliance.core.roster import Roster, new_member
from appliance.host.audience import Audience
from appliance.host.config import Limits
from appliance.host.turns import Turns
from appliance.host.watcher import Levels, Told, Watcher


class Socket:
    """Takes messages while ``open``; what it took is in ``read``."""

    def __init__(self) -> None:
        self.read: list[dict[str, Any]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.closed: tuple[int, bytes] | None = None

    async def send_str(self, text: str) -> None:
        await self.open.wait()
        self.read.append(json.loads(text))

    async def ping(self) -> None:
        await self.open.wait()

    async def close(self, *, code: int, message: bytes) -> None:
        self.closed = (code, message)


class Hall:
    """A roster, its audience, and sockets that listen."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.roster = Roster()
        self.counters = Counters()
        self.audience = Audience(self.roster, 4)
        self._limits = limits or Limits()
        self._turns = Turns()
        self._tasks: list[asyncio.Task[None]] = []
        self.watchers: list[Watcher] = []

    def tell(self, changed: Collection[str]) -> list[str]:
        return self.audience.texts.news(changed, for_admin=False)

    def come(self, who: str) -> None:
        self.roster.join(new_member(who, who.title(), "person", "speaker"))
        self.audience.member_changed(who)

    def go(self, who: str) -> None:
        self.roster.leave(who)
        self.audience.member_changed(who)

    def listen(self, who: str) -> Socket:
        socket = Socket()
        claims = Claims("studio", who, who.title(), "speaker", "person", 2**40, "k1")
        told = Told(self.tell, self.counters, self._limits, self._turns)
        watcher = Watcher(socket, lambda: None, claims, told)  # type: ignore[arg-type]  # what of it is used
        self._tasks.append(asyncio.create_task(watcher.run()))
        self.watchers.append(watcher)
        self.audience.add(watcher)
        return socket

    async def settle(self) -> None:
        self.audience.flush()
        for _ in range(20):
            await asyncio.sleep(0.002)

    async def close(self) -> None:
        for watcher in self.watchers:
            watcher.close(1000)
        await asyncio.wait_for(asyncio.gather(*self._tasks), 5)


async def test_what_changes_in_one_tick_is_one_message() -> None:
    hall = Hall()
    sockets = [hall.listen(f"w{n}") for n in range(5)]
    for n in range(100):
        hall.come(f"m{n}")
    hall.go("m7")
    hall.come("m8")
    await hall.settle()
    for socket in sockets:
        (message,) = socket.read
        assert message["type"] == "members"
        assert len(message["members"]) == 99
        assert message["left"] == ["m7"]
    await hall.close()


async def test_one_change_keeps_its_own_form_and_is_told_before_whatever_else_is_said() -> None:
    hall = Hall()
    socket = hall.listen("ben")
    hall.come("anna")
    hall.audience.broadcast(slots_changed(["anna", None, None]))
    await hall.settle()
    hall.go("anna")
    await hall.settle()
    assert [message["type"] for message in socket.read] == ["member", "slots", "left"]
    await hall.close()


async def test_more_than_a_device_takes_at_a_time_comes_in_parts() -> None:
    hall = Hall()
    socket = hall.listen("ben")
    for n in range(450):
        hall.come(f"m{n}")
    await hall.settle()
    assert [len(message["members"]) for message in socket.read] == [200, 200, 50]
    await hall.close()


async def test_a_slow_reader_is_told_what_members_are_by_the_time_it_reads() -> None:
    hall = Hall()
    slow, quick = hall.listen("slow"), hall.listen("quick")
    slow.open.clear()
    for tick in range(200):
        for n in range(10):
            hall.come(f"m{n}")
            if (tick + n) % 2:
                hall.go(f"m{n}")
        hall.audience.send_levels(Levels({f"m{tick % 10}": -float(tick % 60)}, frozenset()))
        await hall.settle() if tick < 3 else hall.audience.flush()
        await asyncio.sleep(0)
    (watcher,) = hall.audience.of("slow")
    assert len(watcher._waiting) <= 1
    assert len(watcher._owed) == 10
    assert hall.counters.get("host_updates_merged") > 1000
    slow.open.set()
    await hall.settle()
    assert len(slow.read) <= 4, "what was held up, and one message each of members and levels"
    assert sorted(known(slow)) == sorted(known(quick)) == sorted(member.id for member in hall.roster.members)
    assert slow.closed is None
    await hall.close()


def known(socket: Socket) -> set[str]:
    """Who is here, by what the socket was told."""
    here: set[str] = set()
    for message in socket.read:
        match message["type"]:
            case "member":
                here.add(message["member"]["id"])
            case "left":
                here.discard(message["id"])
            case "members":
                here |= {member["id"] for member in message["members"]}
                here -= set(message["left"])
    return here


async def test_other_messages_are_bounded_by_number_and_by_size() -> None:
    for limits, size in ((Limits(queue=8), 10), (Limits(queue_characters=1000), 300)):
        hall = Hall(limits)
        socket = hall.listen("slow")
        socket.open.clear()
        (watcher,) = hall.watchers
        watcher.send('{"type":"x"}')
        await asyncio.sleep(0.01)
        for _ in range(9):
            watcher.send(json.dumps("x" * size))
        assert watcher.closing
        assert not watcher._waiting
        assert hall.counters.get("host_messages_dropped") >= 3
        socket.open.set()
        await hall.close()
        assert socket.closed == (1013, b"")


async def test_a_message_that_is_larger_than_the_bound_is_sent_when_nothing_waits() -> None:
    hall = Hall(Limits(queue_characters=100))
    socket = hall.listen("ben")
    for n in range(5):
        hall.come(f"m{n}")
    await hall.settle()
    assert len(socket.read) == 1
    await hall.close()
