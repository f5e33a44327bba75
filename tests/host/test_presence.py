"""The presence socket: what is told, who may ask for what, and every close code."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from appliance.core.events import EventName
from appliance.core.protocol import parse_server
from appliance.host.config import Limits, Rate, Times
from tests.host.frames import loud
from tests.host.harness import OTHER_ROOM, house, token
from tests.host.member import Member, Presence, inside
from tests.support import until

REPORT: dict[str, Any] = {
    "gate": "closed",
    "reasons": ["switch"],
    "door": "open",
    "lamps": {"mic": "steady", "room": "steady", "speak": "off", "fault": "off"},
    "loudspeaker": -40,
}


async def test_a_watcher_sees_the_room_and_is_not_in_it(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna") as ((anna, _),),
        Presence(house=home, hello=token("ben")) as ben,
    ):
        welcome = ben.messages[0]
        assert welcome["type"] == "welcome"
        assert welcome["you"] == {
            "id": "ben",
            "name": "Ben",
            "role": "speaker",
            "kind": "person",
            "initials": "BE",
            "sign": {"hue": 1, "place": 2},
        }
        assert welcome["room"] == {"id": "studio", "title": "Studio"}
        assert [(m["id"], m["state"], m["joined"]) for m in welcome["members"]] == [("anna", "listening", True)]
        assert welcome["slots"] == [None, None, None]
        assert welcome["capabilities"] == {"levels": "real", "hands": True, "admin_mute": True, "volumes": True}
        await anna.talk(0.4, level=25)
        await until(lambda: ben.level("anna") == -25)
        assert home.host.state()["members"] == 1


async def test_every_message_is_one_that_a_device_understands(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", role="admin") as ((anna, annas),):
        async with inside(home, "room-7", kind="site") as ((site, sites),):
            await sites.send(type="report", site=REPORT)
            await annas.send(type="knock")
            for kind in ("mute", "unmute", "ask_unmute"):
                await annas.send(type=kind, member="room-7")
            await annas.send(type="door", member="room-7", door="closed")
            await annas.send(type="mute", member="nobody")
            await anna.talk(0.3)
            await until(lambda: sites.of("door"))
            await site.leave()
            await until(lambda: annas.of("left"))
        kinds = {message["type"] for message in annas.messages + sites.messages}
        assert kinds >= {"welcome", "member", "left", "slots", "levels", "muted_by_admin", "admin_mute_lifted"}
        assert kinds >= {"asked_to_unmute", "knock", "door", "error"}
        for message in annas.messages + sites.messages:
            assert parse_server(json.dumps(message)) is not None


async def test_levels_are_real_come_at_most_15_times_a_second_and_end_in_silence(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, _), (_, bens)):
        begin = asyncio.get_running_loop().time()
        for i in range(60):
            anna.say(loud(20), 20 + i % 30)
            await asyncio.sleep(0.02)
        took = asyncio.get_running_loop().time() - begin
        told = [message["levels"]["anna"] for message in bens.of("levels") if "anna" in message["levels"]]
        assert 8 < len(told) <= 15 * took + 2
        assert all(-49 <= level <= -20 for level in told)
        assert bens.of("levels")[-1]["speaking"] == ["anna"]
        await until(lambda: bens.level("anna") == -127, 1.5)
        assert bens.of("levels")[-1]["speaking"] == ["anna"], "speaking is kept 1.5 s"
        await until(lambda: bens.of("levels")[-1]["speaking"] == [], 2.5)


async def test_a_newcomer_is_told_the_levels_of_now(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, _), (_, bens)):
        talking = asyncio.create_task(anna.talk(1.0, level=25))
        await until(lambda: bens.level("anna") == -25)
        async with Presence(house=home, hello=token("cleo")) as cleo:
            await until(lambda: cleo.of("levels"), 0.5)
            assert cleo.of("levels")[0] == {"type": "levels", "levels": {"anna": -25}, "speaking": ["anna"]}
        await talking


async def test_a_hand_goes_up_and_down_and_falls_when_one_speaks(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((_, annas), (_, bens)):
        await annas.send(type="hand", up=True)
        await until(lambda: bens.state("anna") == "hand")
        await annas.send(type="hand", up=False)
        await until(lambda: bens.state("anna") == "listening")
        await annas.send(type="muted", muted=True)
        await annas.send(type="hand", up=True)
        await until(lambda: bens.state("anna") == "hand")
        await annas.send(type="muted", muted=False)
        await until(lambda: bens.state("anna") == "listening")
        assert len(home.told(EventName.HAND_CHANGED)) == 3


async def test_a_knock_is_heard_by_all_once_in_ten_seconds(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna") as ((_, annas),),
        Presence(house=home, hello=token("ben")) as ben,
    ):
        await ben.send(type="knock")
        await ben.send(type="knock")
        await annas.send(type="knock")
        await until(lambda: len(annas.of("knock")) == 2)
        assert [knock["by"]["id"] for knock in annas.of("knock")] == ["ben", "anna"]


async def test_who_may_do_what(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna", "ben") as ((_, annas), (_, bens)),
        inside(home, "room-7", kind="site") as ((_, sites),),
        inside(home, "boss", role="admin") as ((_, boss),),
    ):
        forbidden: list[tuple[dict[str, Any], str]] = [
            ({"type": "mute", "member": "anna"}, "forbidden"),
            ({"type": "unmute", "member": "anna"}, "forbidden"),
            ({"type": "unmute", "member": "room-7"}, "forbidden"),
            ({"type": "ask_unmute", "member": "anna"}, "forbidden"),
            ({"type": "door", "member": "room-7", "door": "closed"}, "forbidden"),
            ({"type": "report", "site": REPORT}, "not_a_site"),
            ({"type": "mute", "member": "nobody"}, "unknown_member"),
        ]
        for message, code in forbidden:
            before = len(bens.of("error"))
            await bens.send(**message)
            await until(lambda before=before: len(bens.of("error")) > before)  # type: ignore[misc]
            assert bens.of("error")[-1]["code"] == code, message
        assert not annas.of("muted_by_admin")
        await boss.send(type="door", member="anna", door="closed")
        await until(lambda: boss.of("error"))
        assert boss.of("error")[-1]["code"] == "no_door"
        # Anybody may mute a device, and ask it to unmute.
        await bens.send(type="mute", member="room-7")
        await bens.send(type="ask_unmute", member="room-7")
        await until(lambda: sites.of("asked_to_unmute"))
        assert sites.of("muted_by_admin")[0]["by"]["id"] == "ben"
        assert bens.state("room-7") == "admin_muted"
        for _ in range(4):
            await bens.send(type="ask_unmute", member="room-7")
        await until(lambda: bens.of("error")[-1]["code"] == "too_often")


async def test_a_watcher_has_nothing_of_its_own_to_change(tmp_path: Path) -> None:
    async with house(tmp_path) as home, Presence(house=home, hello=token("ben")) as ben:
        for message in ({"type": "muted", "muted": False}, {"type": "hand", "up": True}):
            await ben.send(**message)
        await until(lambda: len(ben.of("error")) == 2)
        assert {error["code"] for error in ben.of("error")} == {"not_joined"}


async def test_a_site_is_as_it_reports_and_only_it_ends_its_admin_mute(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "boss", role="admin") as ((boss, office),),
        inside(home, "room-7", kind="site") as ((site, sites),),
    ):
        await sites.send(type="report", site={**REPORT, "door": "closed"})
        await until(lambda: office.state("room-7") == "on_hold")
        member = office.member("room-7")
        assert member is not None
        assert (member["site"]["reasons"], member["site"]["gate"], member["muted"]) == (["switch"], "closed", True)
        await sites.send(type="report", site={**REPORT, "gate": "open", "reasons": []})
        await until(lambda: office.state("room-7") == "listening")
        await office.send(type="mute", member="room-7")
        await until(lambda: office.state("room-7") == "admin_muted")
        await site.talk(0.2)
        assert not boss.heard
        await office.send(type="unmute", member="room-7")
        await until(lambda: sites.of("admin_mute_lifted"))
        await office.send(type="mute", member="room-7")
        await until(lambda: len(sites.of("muted_by_admin")) == 2)
        await sites.send(type="report", site={**REPORT, "reasons": ["admin"]})
        await sites.send(type="report", site={**REPORT, "gate": "open", "reasons": []})  # a hand in the room
        await until(lambda: office.state("room-7") == "listening")
        await site.talk(0.2)
        await until(lambda: boss.heard_of("room-7"))


async def test_a_mute_that_a_site_missed_is_told_when_it_is_back(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna") as ((_, annas),),
        Member(home, "room-7", kind="site") as site,
    ):
        await site.connect()
        await annas.send(type="mute", member="room-7")
        await until(lambda: annas.state("room-7") == "admin_muted")
        async with site.presence() as back:
            await until(lambda: back.of("muted_by_admin"))
            assert back.of("muted_by_admin")[0]["by"]["id"] == "anna"


async def test_an_open_gate_is_no_answer_to_a_mute_that_the_site_does_not_know_of(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "boss", role="admin") as ((boss, office),),
        inside(home, "room-7", kind="site") as ((_, sites),),
    ):
        await sites.send(type="report", site=REPORT)
        await until(lambda: office.state("room-7") == "muted")
        await office.send(type="mute", member="room-7")
        await until(lambda: sites.of("muted_by_admin"))
        # Its switch opens in the same moment, or it comes back with an open gate after the network was gone.
        await sites.send(type="muted", muted=False)
        await sites.send(type="report", site={**REPORT, "gate": "open", "reasons": []})
        async with Member(home, "room-7", kind="site") as again:
            await again.connect()
            async with again.presence() as back:
                await back.send(type="muted", muted=False)
                await back.send(type="report", site={**REPORT, "gate": "open", "reasons": []})
                await until(lambda: (member := office.member("room-7")) and member["site"] and not member["muted"])
                assert office.state("room-7") == "admin_muted"
                await again.talk(0.2)
                assert not boss.heard
                await back.send(type="report", site={**REPORT, "reasons": ["admin", "push-to-talk"]})
                await back.send(type="report", site={**REPORT, "reasons": ["push-to-talk"]})  # a hand in the room
                await until(lambda: office.state("room-7") == "muted")
                await back.send(type="report", site={**REPORT, "gate": "open", "reasons": []})
                await until(lambda: office.state("room-7") == "listening")


# ---- closing


@pytest.mark.parametrize(
    ("code", "hello"),
    [
        (4401, "junk"),
        (4401, token("anna", key=b"x" * 32)),
        (4401, token("anna", expires=1)),
        (4403, token("anna", room=OTHER_ROOM)),
    ],
)
async def test_a_token_that_opens_nothing(tmp_path: Path, code: int, hello: str) -> None:
    async with house(tmp_path) as home, Presence(house=home, hello=hello) as presence:
        await until(lambda: presence.code is not None)
        assert presence.code == code
        assert not presence.messages


async def test_an_unknown_room_is_4404_and_no_hello_4408(tmp_path: Path) -> None:
    async with house(tmp_path, times=Times(hello=0.2)) as home:
        async with Presence(house=home, room="nowhere") as presence:
            await until(lambda: presence.code == 4404)
        async with Presence(house=home) as presence:
            await asyncio.sleep(0.1)
            assert presence.code is None
            await until(lambda: presence.code == 4408)


@pytest.mark.parametrize(
    ("code", "frame"),
    [
        (4400, "junk"),
        (4400, "[]"),
        (4400, "{}"),
        (4400, '{"type":"something"}'),
        (4400, '{"type":"muted"}'),
        (4400, '{"type":"muted","muted":1}'),
        (4400, '{"type":"report","site":{}}'),
        (4400, '{"type":"hello","v":1,"token":"again"}'),
        (4400, "[" * 4000),
        (4400, b"binary"),
        (4413, '{"type":"muted","muted":true,"more":"' + "x" * 4096 + '"}'),
        (1009, "x" * 70_000),
    ],
)
async def test_junk_closes_the_socket_and_the_member_stays(tmp_path: Path, code: int, frame: str | bytes) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, annas), (ben, bens)):
        if isinstance(frame, bytes):
            await annas.socket.send_bytes(frame)
        else:
            await annas.socket.send_str(frame)
        await until(lambda: annas.code is not None)
        assert annas.code == code
        await until(lambda: bens.state("anna") == "connecting")
        anna.say(b"still heard")
        await until(lambda: ben.heard_of("still heard"))
        if code != 1009:
            assert home.count("host_presence_junk") == 1
        async with anna.presence() as again:
            await until(lambda: bens.state("anna") == "listening")
            assert again.code is None


async def test_junk_instead_of_a_hello(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        for frame in ("junk", '{"type":"knock"}', '{"type":"hello","v":2,"token":"x"}', '{"type":"hello","v":1}'):
            async with Presence(house=home) as presence:
                await presence.socket.send_str(frame)
                await until(lambda presence=presence: presence.code == 4400)  # type: ignore[misc]


async def test_too_many_messages_close_the_socket(tmp_path: Path) -> None:
    async with (
        house(tmp_path, limits=Limits(messages=Rate(1.0, 10.0))) as home,
        Presence(house=home, hello=token("ben")) as ben,
    ):
        for _ in range(12):
            await ben.send(type="knock")
        await until(lambda: ben.code == 4400)


async def test_an_identity_has_a_few_sockets_and_the_oldest_goes(tmp_path: Path) -> None:
    async with (
        house(tmp_path, limits=Limits(sockets_per_identity=2)) as home,
        Presence(house=home, hello=token("ben")) as first,
        Presence(house=home, hello=token("ben")) as second,
        Presence(house=home, hello=token("ben")) as third,
    ):
        await until(lambda: first.code == 4409)
        assert second.code is None
        assert third.code is None


async def test_a_crowd_of_watchers_is_bounded(tmp_path: Path) -> None:
    async with house(tmp_path, max_members=1, limits=Limits(sockets_per_identity=100)) as home:
        sockets = [Presence(house=home, hello=token(f"w{i}")) for i in range(19)]
        for socket in sockets:
            await socket.__aenter__()
        assert [socket.code for socket in sockets] == [None] * 18 + [1013]
        for socket in sockets:
            await socket.__aexit__()


async def test_a_slow_reader_loses_its_socket_and_nobody_waits_for_it(tmp_path: Path) -> None:
    async with (
        house(tmp_path, limits=Limits(queue=8, messages=Rate(1e6, 1e6))) as home,
        inside(home, "anna") as ((_, annas),),
    ):
        reader, writer = await asyncio.open_connection(*home.host.address, limit=1024)
        writer.write(
            b"GET /rooms/studio/presence HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert b"101" in await reader.readline()
        hello = json.dumps({"type": "hello", "v": 1, "token": token("ben")}).encode()
        writer.write(bytes([0x81, 0xFE]) + len(hello).to_bytes(2, "big") + bytes(4) + hello)
        audience = home.host._conferences["studio"].audience
        await until(lambda: audience.of("ben"))
        (slow,) = audience.of("ben")
        up = False
        while not slow.closing:  # ben reads nothing from here on
            up = not up
            await annas.send(type="hand", up=up)
            await until(lambda: annas.state("anna") == ("hand" if up else "listening"))  # noqa: B023  # at once
            slow.send("x" * 100_000)
        assert home.count("host_messages_dropped") >= 8
        await until(lambda: not audience.of("ben"), 4)
        assert annas.code is None
        writer.close()


async def test_the_end_of_the_host_is_told(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna") as ((anna, annas),):
        await home.host.stop()
        await until(lambda: annas.code is not None)
        assert annas.code == 1001
        await until(lambda: anna.dtls.closed)


async def test_an_error_of_ours_closes_one_socket_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((_, annas), (_, bens)):
        with monkeypatch.context() as patch:
            patch.setattr("appliance.host.requests.Requests.handle", broken)
            await annas.send(type="knock")
            await until(lambda: annas.code == 1011)
        assert bens.code is None
        assert home.told(EventName.BAD_REQUEST)[0].fields["error"] == "ZeroDivisionError"


async def test_a_member_that_mutes_itself_on_and_off_does_not_flood_everybody(tmp_path: Path) -> None:
    limits = Limits(messages=Rate(1000.0, 1000.0))
    async with house(tmp_path, limits=limits) as home, inside(home, "anna", "ben") as ((anna, annas), (_, bens)):

        async def toggle() -> None:
            for at in range(200):
                await annas.send(type="muted", muted=at % 2 == 0)
                await asyncio.sleep(0.005)

        before = home.count("host_slot_changes")
        begin = asyncio.get_running_loop().time()
        await asyncio.gather(anna.talk(1.5, level=5), toggle())
        taken = asyncio.get_running_loop().time() - begin
        assert home.count("host_slot_changes") - before > 40
        assert len(bens.of("slots")) <= 10 * taken + 2
        await anna.talk(0.4, level=5)
        await until(lambda: bens.of("slots")[-1]["slots"].count("anna") == 1, what="the last change is told too")
