"""The journal of a host names devices and no people: somebody follows one person through it, and not to a name."""

import re
from pathlib import Path

from appliance.core.events import EventName, format_line
from appliance.health.journal import datagram
from tests.host.harness import house
from tests.host.member import inside
from tests.support import until

PEOPLE = ("anna.brandt", "ben-okafor")


async def test_people_join_knock_are_muted_and_sent_out_without_a_name(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        async with (
            inside(home, PEOPLE[0], role="admin") as ((_, annas),),
            inside(home, "room-7", kind="site"),
            inside(home, PEOPLE[1]) as ((_, bens),),
        ):
            await bens.send(type="hand", up=True)
            await bens.send(type="knock")
            await annas.send(type="mute", member=PEOPLE[1])
            await annas.send(type="mute", member="room-7")
            await until(lambda: len(home.told(EventName.MUTED_BY_ADMIN)) == 2)
            await annas.send(type="remove", member=PEOPLE[1])
            await until(lambda: home.told(EventName.MEMBER_REMOVED))
        await until(lambda: home.told(EventName.MEMBER_LEFT))
        lines = [format_line(event) for event in home.events]
    assert len(lines) > 8
    whole = "\n".join(lines) + "".join(datagram("host", event).decode() for event in home.events)
    assert not re.search("anna|brandt|ben-|okafor", whole)
    joined = [event.fields["member"] for event in home.told(EventName.MEMBER_JOINED)]
    assert "room-7" in joined, "a device is named: it is no person"
    (ben,) = {event.fields["member"] for event in home.told(EventName.MEMBER_REMOVED)}
    assert re.fullmatch("person-[0-9a-f]{8}", str(ben))
    assert ben in joined, "one run of the host calls one person by one word"
    knocked, muted = home.told(EventName.KNOCKED), home.told(EventName.MUTED_BY_ADMIN)
    assert [event.fields["member"] for event in knocked] == [ben]
    assert {event.fields["member"] for event in muted} == {ben, "room-7"}
    assert {event.fields["by"] for event in muted} <= set(joined) - {ben, "room-7"}


async def test_the_next_start_calls_them_otherwise(tmp_path: Path) -> None:
    called = set()
    for _ in range(2):
        async with house(tmp_path) as home, inside(home, PEOPLE[0]):
            called.add(home.told(EventName.MEMBER_JOINED)[0].fields["member"])
    assert len(called) == 2
