"""What is not for everybody: details of devices, when who spoke last, and the list of rooms."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from appliance.core.events import EventName
from appliance.host.config import Proxy, RoomConfig, Times
from appliance.host.named import identity_of_name
from tests.core.test_site_details import DETAILS
from tests.host.harness import KEY, OTHER_ROOM, ROOM, House, house, token
from tests.host.member import Presence, inside
from tests.host.test_presence import REPORT
from tests.support import until

# ---- details

SHUT = {key: value for key, value in DETAILS.items() if key != "direction_error"}
"""What a device tells while its gate is closed."""

PATIENT = Times(pong=60, site=60, person=60, gone=120)
"""On a busy machine nobody is shown as connecting meanwhile."""


def details(presence: Presence) -> Any:
    member = presence.member("room-7")
    return None if member is None or member["site"] is None else member["site"].get("details")


async def test_details_of_a_device_are_told_to_admins_alone_on_every_way(tmp_path: Path) -> None:
    async with (
        house(tmp_path, times=PATIENT) as home,
        inside(home, "boss", role="admin") as ((_, boss),),
        inside(home, "ada") as ((_, ada),),
        inside(home, "room-7", kind="site") as ((_, sites),),
    ):
        await sites.send(type="report", site={**REPORT, "details": SHUT})
        await until(lambda: details(boss) == SHUT)
        await until(lambda: (ada.member("room-7") or {})["site"] is not None)
        newer = {**SHUT, "link": {"phase": "in_room", "since": 1_764_000_000}}
        before = len(ada.messages), len(boss.of("member")) + len(boss.of("members"))
        await sites.send(type="report", site={**REPORT, "details": newer})
        await until(lambda: details(boss) == newer)
        await asyncio.sleep(0.3)
        told = [message for message in ada.messages[before[0] :] if message["type"] in ("member", "members")]
        assert not told, "nothing that is for everybody has changed"
        assert len(boss.of("member")) + len(boss.of("members")) == before[1] + 1
        for name, role in (("ben", "speaker"), ("leo", "listener"), ("gus", "guest"), ("eve", "admin")):
            async with Presence(house=home, hello=token(name, role=role)) as came:  # type: ignore[arg-type]
                assert details(came) == (newer if role == "admin" else None), role
        async with Presence(house=home, hello=token("room-7", kind="site")) as itself:
            assert details(itself) is None
        await sites.send(type="report", site={**REPORT, "gate": "open", "reasons": [], "details": newer})
        await until(lambda: ada.state("room-7") == "listening" and boss.state("room-7") == "listening")
        for presence in (ada, sites):
            assert "details" not in json.dumps(presence.messages)


# ---- who spoke last


async def test_who_spoke_last_is_told_where_the_settings_say_so(tmp_path: Path) -> None:
    async with house(tmp_path, last_spoke=True, state_dir=tmp_path) as home, inside(home, "anna") as ((anna, annas),):
        assert annas.messages[0]["last_spoke"] == {"room": None, "members": {}}
        begun = int(time.time())
        await anna.talk(0.4)
        await until(lambda: annas.of("levels") and annas.of("levels")[-1]["speaking"] == ["anna"])
        async with Presence(house=home, hello=token("ben")) as ben:
            last = ben.messages[0]["last_spoke"]
            assert begun <= last["room"] <= time.time()
            assert last["members"] == {"anna": last["room"]}
        await anna.leave()
        async with Presence(house=home, hello=token("ben")) as ben:
            assert ben.messages[0]["last_spoke"]["members"] == {}, "of who has left nothing is kept"
            assert ben.messages[0]["last_spoke"]["room"] >= last["room"]
        kept = [path for path in tmp_path.rglob("*") if path.is_file() and b"spoke" in path.read_bytes()]
        assert not kept, "in memory only"


async def test_it_is_off_by_default(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna") as ((anna, annas),):
        await anna.talk(0.4)
        await until(lambda: annas.of("levels") and annas.of("levels")[-1]["speaking"] == ["anna"])
        async with Presence(house=home, hello=token("ben")) as ben:
            assert ben.messages[0]["last_spoke"] is None
        assert not home.host._conferences[ROOM]._loudness._spoke


# ---- the rooms

BEHIND = Proxy(("127.0.0.1",), "X-Forwarded-User")
NAMED = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https", "X-Forwarded-User": "Änne Müller"}


async def rooms(home: House, **headers: str) -> tuple[int, Any]:
    async with home.http.get(home.url("/rooms"), headers=headers) as answer:
        text = await answer.text()
        return answer.status, json.loads(text) if answer.status == 200 else text


async def test_whom_a_proxy_names_is_told_all_rooms_with_a_token_for_each(tmp_path: Path) -> None:
    async with house(tmp_path, proxy=BEHIND) as home:
        home.host._conferences[ROOM].call("Küche <b>")
        status, told = await rooms(home, **NAMED)
        assert status == 200
        assert [(room["id"], room["title"]) for room in told["rooms"]] == [
            (ROOM, "Küche <b>"),
            (OTHER_ROOM, "Workshop"),
        ]
        for room in told["rooms"]:
            async with Presence(house=home, room=room["id"], hello=room["token"]) as me:
                assert (me.messages[0]["you"]["name"], me.messages[0]["you"]["role"]) == ("Änne Müller", "speaker")
        home.host._conferences[ROOM].memory.remove(identity_of_name("Änne Müller"), "Änne", "Boss")
        status, told = await rooms(home, **NAMED)
        assert [room["id"] for room in told["rooms"]] == [OTHER_ROOM], "and of those that they were sent out of nothing"


async def test_nobody_else_is_told_any_room(tmp_path: Path) -> None:
    async with house(tmp_path, proxy=BEHIND) as home:
        nameless = {key: value for key, value in NAMED.items() if key != "X-Forwarded-User"}
        assert (await rooms(home, **nameless))[0] == 401
        assert (await rooms(home, **{**NAMED, "X-Forwarded-User": "a\u202eb"}))[0] == 401
        assert (await rooms(home, **NAMED, **{"Sec-Fetch-Site": "cross-site"}))[0] == 403
        assert (await rooms(home, **NAMED, **{"Sec-Fetch-Site": "none"}))[0] == 403
    async with house(tmp_path, proxy=Proxy(("192.0.2.9",), "X-Forwarded-User")) as home:
        assert (await rooms(home, **NAMED))[0] == 401, "the header is believed from the proxy alone"


async def test_where_nobody_is_named_every_page_asks_and_it_is_no_news(tmp_path: Path) -> None:
    async with house(tmp_path, rooms=(RoomConfig(ROOM, "Studio", {"k1": KEY}),)) as home:
        status, text = await rooms(home, **NAMED)
        assert (status, text) == (401, "Nobody is signed in. Open the link that you were sent.\n")
        assert not home.told(EventName.MEMBER_REFUSED)
        assert home.count("host_refused") == 0
