"""Telling a roomful: changes of one tick are one message, a slow reader costs a bounded amount and is never wrong."""

import asyncio
import json
from collections.abc import Collection
from typing import Any

from appliance.core.counters import Counters
from appliance.core.protocol import Claims, slots_changed
from appliance.core.roster import Role, Roster, new_member
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

    def tell_admin(self, changed: Collection[str]) -> list[str]:
        return self.audience.texts.news(changed, for_admin=True)

    def come(self, who: str) -> None:
        self.roster.join(new_member(who, who.title(), "person", "speaker"))
        self.audience.member_changed(who)

    def go(self, who: str) -> None:
        self.roster.leave(who)
        self.audience.member_changed(who)

    def listen(self, who: str, role: Role = "speaker") -> Socket:
        socket = Socket()
        claims = Claims("studio", who, who.title(), role, "person", 2**40, "k1")
        tell = self.tell_admin if role == "admin" else self.tell
        told = Told(tell, self.counters, self._limits, self._turns)
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


async def test_the_welcome_comes_first_whoever_changes_before_it_is_written() -> None:
    hall = Hall()
    hall.come("anna")
    socket = hall.listen("ben")
    (watcher,) = hall.watchers
    watcher.send('{"type":"welcome"}')
    hall.audience.flush()
    await hall.settle()
    assert [message["type"] for message in socket.read] == ["welcome", "member"]
    await hall.close()


async def test_what_is_for_admins_is_told_to_them_alone_also_when_they_read_slowly() -> None:
    def report(name: str, details: int) -> None:
        hall.roster.change(name, site={"gate": "open", "details": details})
        hall.audience.inside_changed(name)

    hall = Hall()
    for name in ("attic", "cellar"):
        hall.come(name)
        hall.roster.change(name, kind="site", site={"gate": "open", "details": 0})
    person, admin, slow = hall.listen("person"), hall.listen("admin", "admin"), hall.listen("slow", "admin")
    await hall.settle()
    slow.open.clear()
    for turn in range(5):
        report("attic", turn)
        report("cellar", turn)
        await hall.settle()
    assert len(person.read) == 1, "nothing that is for everybody has changed since they came"
    assert [member["site"] for member in person.read[0]["members"]] == [{"gate": "open"}] * 2
    slow.open.set()
    report("attic", 7)
    hall.come("ben")
    await hall.settle()
    for socket in (admin, slow):
        told = {member["id"]: member["site"] for message in socket.read for member in message["members"]}
        assert told == {"attic": {"gate": "open", "details": 7}, "cellar": {"gate": "open", "details": 4}, "ben": None}
    assert len(slow.read) < len(admin.read)
    assert [message["member"]["id"] for message in person.read[1:]] == ["ben"]
    hall.go("ben")
    await hall.settle()
    assert [socket.read[-1] for socket in (person, admin, slow)] == [{"type": "left", "id": "ben"}] * 3
    await hall.close()


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
