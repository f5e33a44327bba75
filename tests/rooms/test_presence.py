"""The presence socket of a member, against a host that says what a test wants."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from appliance.core import protocol
from appliance.core.controls import Door
from appliance.core.protocol import Claims, CloseCode
from appliance.core.roster import new_member
from appliance.rooms import contract
from appliance.rooms.presence import Outbox, Presence, Roomful, site_message
from appliance.rooms.signalling import Lost, Signalling
from tests.rooms.served import served

ANNA = replace(new_member("anna", "Anna", "person", "admin"), muted=False, connecting=False)
SITE = new_member("meeting-room", "Meeting room", "site", "speaker")
CLAIMS = Claims("main", "meeting-room", "Meeting room", "speaker", "site", 2_000_000_000, "k1")
BY = protocol.Who("anna", "Anna")
RECORDED = protocol.RoomRecording(1_000.0, 1_005.0, BY)
REPORT = contract.SiteReport(
    gate_open=False,
    reasons=("button",),
    door=Door.OPEN,
    lamps={"mic": "steady", "room": "steady", "speak": "off", "fault": "off"},
    loudspeaker=-31.6,
)

Script = Callable[[web.WebSocketResponse], Awaitable[None]]


class Member:
    """A member's socket, and what it told."""

    def __init__(self) -> None:
        self.outbox = Outbox()
        self.roomful = Roomful()
        self.events: list[contract.RoomEvent] = []
        self.junk = 0

    def take(self, message: protocol.ServerMessage) -> None:
        self.events.extend(self.roomful.understand(message))

    def count_junk(self) -> None:
        self.junk += 1


@asynccontextmanager
async def host(script: Script) -> AsyncIterator[tuple[aiohttp.ClientSession, Signalling]]:
    async def presence(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(timeout=0.2)
        await socket.prepare(request)
        await script(socket)
        await socket.close()
        return socket

    app = web.Application()
    app.router.add_get("/rooms/main/presence", presence)
    async with served(app) as (http, signalling):
        yield http, signalling


async def present(script: Script, member: Member | None = None, room: str = "main") -> tuple[Member, Lost]:
    member = member or Member()
    async with host(script) as (http, signalling):
        signalling.room = room
        with pytest.raises(Lost) as lost:
            await Presence(member.outbox, member.take, member.count_junk).run(http, signalling, "TOKEN")
    return member, lost.value


def sending(*messages: dict[str, Any]) -> Script:
    async def script(socket: web.WebSocketResponse) -> None:
        assert json.loads(await socket.receive_str()) == {"type": "hello", "v": 1, "token": "TOKEN"}
        for message in (protocol.welcome(CLAIMS, "The room", [ANNA, SITE], ["anna", None, None]), *messages):
            await socket.send_json(message)

    return script


async def test_everything_a_host_tells_becomes_an_event() -> None:
    member, lost = await present(
        sending(
            protocol.member_changed(replace(ANNA, hand=True)),
            protocol.levels_changed({"anna": -20}, ["anna"]),
            protocol.muted_by_admin(BY),
            protocol.admin_mute_lifted(),
            protocol.asked_to_unmute(BY),
            protocol.knocked(BY),
            protocol.door_asked("closed", BY),
            protocol.recording(RECORDED),
            protocol.bundle_asked("w" * 22),
            protocol.error("role", "That is not for you."),
            {"type": "of a newer host", "anything": 1},
            protocol.slots_changed([None, None, None]),
            protocol.members_changed([ANNA], ["meeting-room", "nobody"]),
            protocol.mute_new_changed(True),
            protocol.member_left("anna"),
        )
    )
    assert member.events == [
        contract.MemberChanged(ANNA),
        contract.MemberChanged(SITE),
        contract.MemberChanged(replace(ANNA, hand=True)),
        contract.Levels({"anna": -20}, frozenset({"anna"})),
        contract.MutedByAdmin("Anna"),
        contract.AdminMuteLifted(),
        contract.AskedToUnmute("Anna"),
        contract.Knocked("Anna"),
        contract.DoorAsked(Door.CLOSED),
        contract.Recording(on=True),
        contract.BundleAsked("w" * 22),
        contract.MemberLeft("meeting-room"),
        contract.MemberChanged(ANNA),
        contract.MemberLeft("anna"),
    ]
    assert lost.fault.kind == "network"


async def test_who_left_while_we_were_away_is_told() -> None:
    member, _ = await present(sending())
    member.events.clear()
    roomful = member.roomful
    welcome = protocol.parse_server(protocol.dump(protocol.welcome(CLAIMS, "The room", [SITE], [])))
    assert welcome is not None
    assert list(roomful.understand(welcome)) == [contract.MemberLeft("anna"), contract.MemberChanged(SITE)]
    assert list(roomful.empty()) == [contract.MemberLeft("meeting-room")]
    assert list(roomful.empty()) == []


def test_a_recording_is_learnt_from_the_welcome_and_told_once() -> None:
    def said(body: dict[str, Any]) -> list[contract.RoomEvent]:
        message = protocol.parse_server(protocol.dump(body))
        assert message is not None
        return [event for event in roomful.understand(message) if isinstance(event, contract.Recording)]

    roomful = Roomful()
    recorded = protocol.welcome(CLAIMS, "The room", [], [], terms=protocol.Terms(recording=RECORDED))
    assert said(recorded) == [contract.Recording(on=True)]
    assert said(recorded) == [], "the socket was lost for a moment: no second announcement closes the gate"
    assert said(protocol.recording(protocol.RoomRecording(9.0, 9.0, None))) == [], "another goes on with it"
    assert said(protocol.welcome(CLAIMS, "The room", [], [])) == [contract.Recording(on=False)], "it ended meanwhile"
    assert said(protocol.recording(RECORDED)) == [contract.Recording(on=True)]
    assert list(roomful.empty()) == [contract.Recording(on=False)], "who has left the room is not in the recording"


async def test_a_lost_room_leaves_no_meter_standing() -> None:
    member, _ = await present(sending(protocol.levels_changed({"anna": -20, "meeting-room": -127}, ["anna"])))
    assert list(member.roomful.silence()) == [contract.Levels({"anna": -127, "meeting-room": -127}, frozenset())]
    assert list(member.roomful.silence()) == []


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (CloseCode.BAD_TOKEN, "refused"),
        (CloseCode.FOREIGN_TOKEN, "refused"),
        (CloseCode.UNKNOWN_ROOM, "gone"),
        (CloseCode.REPLACED, "replaced"),
        (CloseCode.REMOVED, "network"),
        (CloseCode.GOING_AWAY, "server"),
        (CloseCode.JUNK, "network"),
        (1000, "network"),
        (1013, "full"),
    ],
)
async def test_each_close_code_has_its_fault(code: int, kind: str) -> None:
    async def script(socket: web.WebSocketResponse) -> None:
        await socket.receive_str()
        await socket.close(code=code)

    _, lost = await present(script)
    assert lost.fault.kind == kind
    assert lost.token_refused is (code == CloseCode.BAD_TOKEN)


@pytest.mark.parametrize("text", ["junk", "{}", '{"type":"levels","levels":{"anna":"loud"},"speaking":[]}', "[" * 9000])
async def test_junk_of_the_host_ends_the_socket_and_is_counted(text: str) -> None:
    async def script(socket: web.WebSocketResponse) -> None:
        await socket.receive_str()
        await socket.send_str(text)
        await socket.receive()

    member, lost = await present(script)
    assert lost.fault.kind == "server"
    assert member.junk == 1


async def test_bytes_are_no_presence() -> None:
    async def script(socket: web.WebSocketResponse) -> None:
        await socket.receive_str()
        await socket.send_bytes(b"{}")
        await socket.receive()

    _, lost = await present(script)
    assert lost.fault.kind == "network"


async def test_a_room_without_presence_is_gone() -> None:
    _, lost = await present(sending(), room="other")
    assert lost.fault.kind == "gone"


async def test_a_host_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.rooms.presence._HELLO_SECONDS", 0.1)

    async def script(socket: web.WebSocketResponse) -> None:
        await socket.receive_str()
        await socket.receive()

    _, lost = await present(script)
    assert lost.fault.kind == "network"


async def test_the_last_value_of_each_thing_is_told_and_anew_after_joining() -> None:
    heard: list[dict[str, Any]] = []
    member = Member()

    async def script(socket: web.WebSocketResponse) -> None:
        await sending()(socket)
        member.outbox.open()
        while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
            heard.append(json.loads(message.data))
            if heard[-1]["type"] == "report":
                for n in range(50):
                    member.outbox.put("hand", protocol.SetHand(n % 2 == 0))
                member.outbox.put("hand", protocol.SetHand(up=True))
                member.outbox.once("knock", protocol.Knock())
            if heard[-1]["type"] == "knock":
                return

    member.outbox.put("muted", protocol.SetMuted(muted=True))
    member.outbox.put("report", site_message(REPORT))
    await present(script, member)
    report = {
        "gate": "closed",
        "reasons": ["button"],
        "door": "open",
        "lamps": dict(REPORT.lamps),
        "loudspeaker": -32,
        "extra": {},
    }
    assert heard == [
        {"type": "muted", "muted": True},
        {"type": "report", "site": report},
        {"type": "hand", "up": True},
        {"type": "knock"},
    ]
    heard.clear()
    member.outbox.open()
    assert [type(message) for message in await member.outbox.next()] == [
        protocol.SetMuted,
        protocol.Report,
        protocol.SetHand,
    ]


async def test_what_has_not_changed_is_not_told_again() -> None:
    outbox = Outbox()
    outbox.open()
    assert await outbox.next() == [protocol.SetMuted(muted=True)]
    outbox.put("hand", protocol.SetHand(up=True))
    assert len(await outbox.next()) == 1
    outbox.put("hand", protocol.SetHand(up=True))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(outbox.next(), 0.05)


async def test_a_meter_waits_for_what_replaces_it_but_nothing_else_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("appliance.rooms.presence._MOMENT", 0.1)
    outbox = Outbox()
    outbox.open()
    await outbox.next()
    loop = asyncio.get_running_loop()
    began = loop.time()
    for loudness in range(20):
        outbox.put("report", site_message(replace(REPORT, loudspeaker=-loudness)), at_once=False)
    (told,) = await outbox.next()
    assert loop.time() - began > 0.09
    assert isinstance(told, protocol.Report)
    assert told.site["loudspeaker"] == -19
    began = loop.time()
    outbox.put("report", site_message(REPORT), at_once=False)
    outbox.put("muted", protocol.SetMuted(muted=False))
    assert len(await outbox.next()) == 2
    assert loop.time() - began < 0.05
    outbox.close()


async def test_out_of_the_room_nothing_is_told_and_no_knock_is_kept() -> None:
    outbox = Outbox()
    outbox.put("hand", protocol.SetHand(up=True))
    outbox.once("knock", protocol.Knock())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(outbox.next(), 0.05)
    outbox.open()
    assert await outbox.next() == [protocol.SetMuted(muted=True), protocol.SetHand(up=True)]
    outbox.put("hand", protocol.SetHand(up=False))
    outbox.close()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(outbox.next(), 0.05)


async def test_a_host_of_before_is_not_told_what_it_would_end_the_socket_for() -> None:
    outbox = Outbox()
    outbox.open(("recording",))
    await outbox.next()
    outbox.put("recording", protocol.SetRecording(on=True))
    outbox.put("hand", protocol.SetHand(up=True))
    assert await outbox.next() == [protocol.SetHand(up=True)]
    outbox.close()
    outbox.open(("recording",))
    assert await outbox.next() == [protocol.SetMuted(muted=True), protocol.SetHand(up=True)]
    outbox.close()
    outbox.open()
    assert protocol.SetRecording(on=True) in await outbox.next(), "it is another host by now"


def test_that_somebody_talks_into_a_closed_microphone_is_not_told() -> None:
    """UX.md, mute rule 9, even when a caller forgets it."""
    message = site_message(replace(REPORT, lamps={**REPORT.lamps, "mic": "slow"}))
    assert message.site["lamps"]["mic"] == "steady"


def test_a_host_that_makes_up_members_without_end_does_not_fill_our_memory() -> None:
    room = Roomful()
    for turn in range(3):
        made_up = [replace(ANNA, id=f"m{turn}-{n}") for n in range(1500)]
        for member in made_up:
            list(room.understand(protocol.MemberChanged(member)))
        list(room.understand(protocol.MembersChanged(tuple(made_up), ())))
        list(room.understand(protocol.LevelsChanged({f"x{turn}-{n}": -20 for n in range(1500)}, frozenset())))
    assert len(room._members) == protocol.MOST_MEMBERS
    assert len(room._levels) <= protocol.MOST_MEMBERS


def test_a_site_tells_when_quiet_hours_end_if_it_knows() -> None:
    assert "quiet_until" not in site_message(REPORT).site
    assert site_message(replace(REPORT, quiet_until=1_811_912_400)).site["quiet_until"] == 1_811_912_400


def test_a_site_tells_a_direction_only_while_its_gate_is_open() -> None:
    assert "direction" not in site_message(REPORT).site
    assert "direction" not in site_message(replace(REPORT, direction=90)).site
    told = site_message(replace(REPORT, gate_open=True, reasons=(), direction=90))
    assert told.site["direction"] == 90
