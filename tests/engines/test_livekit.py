"""A room on a real LiveKit server: what is its own, beside the contract that all engines keep (tests/contract)."""

import asyncio
import contextlib
import logging
import time
from pathlib import Path
from typing import Self

import aiohttp
import pytest
from aiohttp import web
from livekit import rtc

from appliance.core.lamps import LinkPhase
from appliance.core.units import BLOCK, RATE
from appliance.rooms.contract import MutedByAdmin, PhaseChanged, Recording
from appliance.rooms.livekit import LiveKitEngine, LiveKitSettings
from appliance.rooms.livekit_requests import set_attributes
from appliance.rooms.livekit_tokens import Tokens, issue, own_tokens
from tests.contract.apart import ADDRESS, apart
from tests.contract.harness import together
from tests.contract.livekit_harness import KEY, SECRET, LiveKitRoom, LiveKitServer, stay_of
from tests.contract.rig import Rig, level_of, member_of, power, silence, steady, tone
from tests.support import free_port

pytestmark = [pytest.mark.engines, pytest.mark.timeout(120)]


def stranger(*urls: str, tokens: Tokens | None = None) -> Rig:
    given = tokens or own_tokens(KEY, SECRET, "nowhere", "stranger", "Stranger")
    return Rig(LiveKitEngine(LiveKitSettings(urls, "stranger", given)), "stranger")


def why(rig: Rig) -> str:
    """Why it is not in the room, as told last."""
    return next((event.why for event in reversed(rig.told(PhaseChanged)) if event.why), "")


# ---- who is listened to


class Talker:
    """A member by LiveKit's library alone, which listens to nobody."""

    def __init__(self, room: LiveKitRoom, name: str, hertz: float) -> None:
        self._tokens, self._url, self._hertz = room.tokens(name), room.url, hertz
        self._room = rtc.Room()
        self.talks = False

    async def __aenter__(self) -> Self:
        await self._room.connect(self._url, self._tokens(), rtc.RoomOptions(auto_subscribe=False))
        self._source = rtc.AudioSource(RATE, 1, 60)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", self._source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await self._room.local_participant.publish_track(track, options)
        self._feeding = asyncio.create_task(self._feed())
        return self

    async def _feed(self) -> None:
        sound, turn = tone(self._hertz, 0.2), 0
        while True:
            block = (sound if self.talks else silence)(turn)
            await self._source.capture_frame(rtc.AudioFrame(block.tobytes(), RATE, 1, BLOCK))
            turn += 1
            await asyncio.sleep(0.01)

    async def __aexit__(self, *_: object) -> None:
        self._feeding.cancel()
        await asyncio.wait([self._feeding])
        await self._room.disconnect()
        await self._source.aclose()


async def test_of_six_open_microphones_three_are_heard_and_whoever_speaks_next_is_one_of_them(
    room: LiveKitRoom,
) -> None:
    site = room.site()
    hertz = {f"p{n}": 400.0 + 170 * n for n in range(6)}
    async with together(site), contextlib.AsyncExitStack() as stack:
        people = {who: await stack.enter_async_context(Talker(room, who, of)) for who, of in hertz.items()}
        await site.until(lambda: all(member_of(site, who) for who in people), 20)
        for name in ("p1", "p4", "p0", "p5"):
            people[name].talks = True
            await site.hear(hertz[name], 20)
            await asyncio.sleep(0.5)
            assert len(stay_of(site)._hearing._streams) == 3
            assert site.engine.counters["talker_switches"] <= 7
            people[name].talks = False


async def test_a_stream_is_closed_with_its_track_and_the_next_member_is_not_heard_twice(room: LiveKitRoom) -> None:
    """Left open it would hear the next member: then that one would be heard twice as loud, or by the wrong name."""
    site = room.site()
    async with together(site):
        for turn in range(4):
            friend = room.person(f"friend{turn}")
            async with together(friend):
                friend.open(tone(500 + 100 * turn, 0.2))
                await site.hear(500 + 100 * turn)
                await asyncio.sleep(1)  # its receive buffer fades in after another's sound
                assert -20 < steady(await site.listen(0.5), 500 + 100 * turn) < -12
                assert level_of(site, f"friend{turn}") > -25
            await site.until(lambda who=f"friend{turn}": member_of(site, who) is None)  # type: ignore[misc]
            await asyncio.sleep(0.3)
            assert not stay_of(site)._hearing._streams
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith(("hears", "closes"))]


# ---- what the server tells


async def test_a_recording_of_the_servers_is_told(room: LiveKitRoom) -> None:
    """Its recorder is a participant with the grant ``recorder``; the server then says so to everybody."""
    site = room.site()
    async with together(site):
        recorder = rtc.Room()
        await recorder.connect(room.url, room.tokens("egress", recorder=True, hidden=True)())
        try:
            await site.until(lambda: site.told(Recording), 10)
            assert site.told(Recording) == [Recording(True)]
            late = room.person("late")
            async with together(late):
                await late.until(lambda: late.told(Recording))
        finally:
            await recorder.disconnect()
        await site.until(lambda: len(site.told(Recording)) == 2, 10)
        assert member_of(site, "egress") is None


# ---- how a stay ends, and how it does not begin


async def test_a_room_that_is_deleted_is_gone_and_may_be_asked_for_again(room: LiveKitRoom) -> None:
    site = room.site()
    async with together(site):
        await room.ask_server("DeleteRoom", room=room.room)
        await site.refused()
        assert site.refusal is not None
        assert site.refusal.ask_again
        assert "deleted" in str(site.refusal)


async def test_who_was_sent_out_does_not_ask_again(room: LiveKitRoom) -> None:
    site = room.site()
    async with together(site):
        await room.remove(site)
        await site.refused()
        assert site.refusal is not None
        assert not site.refusal.ask_again


async def test_a_full_room_is_asked_again_and_entered_when_there_is_a_place(tmp_path: Path) -> None:
    server = LiveKitServer(tmp_path, max_participants=1)
    server.start()
    try:
        room = server.room()
        first, second = room.person("first"), room.person("second")
        await first.start()
        await second.start(wait=False)
        try:
            await second.until(lambda: "full" in why(second), 10)
            assert second.refusal is None
            await first.stop()
            await second.in_room(10)
        finally:
            await second.stop()
    finally:
        server.end()


async def test_a_room_that_must_be_made_by_an_admin_is_told(tmp_path: Path) -> None:
    server = LiveKitServer(tmp_path, auto_create=False)
    server.start()
    try:
        rig = server.room().person("friend")
        await rig.start(wait=False)
        await rig.refused(15)
        await rig.stop()
        assert "no such room" in str(rig.refusal)
        assert rig.refusal is not None
        assert rig.refusal.ask_again
    finally:
        server.end()


async def test_wss_to_a_port_without_tls_is_told_as_that(room: LiveKitRoom) -> None:
    rig = stranger(room.url.replace("ws://", "wss://"))
    await rig.start(wait=False)
    try:
        await rig.until(lambda: "TLS" in why(rig), 20)
        assert rig.refusal is None, "somebody may mend it"
    finally:
        await rig.stop()


async def test_a_server_that_is_no_livekit_is_told_as_that(livekit: LiveKitServer) -> None:
    """A web server, and one that takes the WebSocket and then talks rubbish."""

    async def rubbish(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_bytes(b"\xff" * 100)
        await socket.close()
        return socket

    for path, handler in (("/nothing", rubbish), ("/{tail:.*}", rubbish)):
        application = web.Application()
        application.router.add_get(path, handler)
        runner = web.AppRunner(application)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, ADDRESS, port).start()
        rig = stranger(f"ws://{ADDRESS}:{port}")
        await rig.start(wait=False)
        try:
            await rig.until(lambda rig=rig: why(rig), 40)  # type: ignore[misc]
            assert why(rig).startswith(("There is no LiveKit", "The LiveKit server", "Nothing listens")), why(rig)
            assert rig.phase is LinkPhase.RECONNECTING
        finally:
            await rig.stop()
            await runner.cleanup()


async def test_the_next_server_of_the_list_is_gone_to_when_the_first_is_not_there(room: LiveKitRoom) -> None:
    rig = stranger(f"ws://{ADDRESS}:9", room.url, tokens=own_tokens(KEY, SECRET, room.room, "stranger", "Stranger"))
    began = time.monotonic()
    async with together(rig):
        assert time.monotonic() - began < 8


async def test_a_listeners_token_is_let_in_and_told_that_nobody_hears_it(room: LiveKitRoom) -> None:
    listener, friend = room.person("listener", "listener"), room.person("friend")
    async with together(listener, friend):
        assert "may only listen" in why(listener)
        friend.open(tone(660))
        await listener.hear(660)
        listener.open(tone(440))
        await asyncio.sleep(1)
        assert power(await friend.listen(0.5), 440) < -60
        assert not listener.told(MutedByAdmin)


async def test_a_token_that_may_show_nothing_is_refused_that_and_is_heard(room: LiveKitRoom) -> None:
    tokens = room.tokens("quiet", canUpdateOwnMetadata=False)
    quiet = Rig(LiveKitEngine(LiveKitSettings((room.url,), "quiet", tokens, kind="person")), "quiet")
    friend = room.person("friend")
    async with together(quiet, friend):
        quiet.engine.set_hand(True)
        assert not await set_attributes(stay_of(quiet)._room.local_participant, {}), "the server says so"
        assert await set_attributes(stay_of(friend)._room.local_participant, {})
        await asyncio.sleep(3)
        quiet.open(tone(440))
        await friend.hear(440)
        member = member_of(friend, "quiet")
        assert member is not None
        assert not member.hand
        assert quiet.engine.counters["joins"] == 1


async def test_a_server_that_is_shut_down_in_order_is_come_back_to(tmp_path: Path) -> None:
    server = LiveKitServer(tmp_path)
    server.start()
    try:
        room = server.room()
        site, friend = room.site(), room.person("friend")
        async with together(site, friend):
            site.open(tone(440))
            await friend.hear(440)
            assert server._process is not None
            for _ in range(2):  # asked once it waits for its last member
                server._process.terminate()
                await asyncio.sleep(0.3)
            await asyncio.to_thread(server._process.wait, 10)
            await site.until(lambda: site.phase is LinkPhase.RECONNECTING, 10)
            await asyncio.to_thread(server.start)
            await asyncio.gather(site.in_room(10), friend.in_room(10))
            await friend.hear(440, 10)
    finally:
        server.end()


# ---- secrets


async def test_nothing_that_is_said_holds_a_token_or_the_key(
    room: LiveKitRoom, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """With the library's log wide open: errors of joining, a stay, and all events of it."""
    hour_ago = round(time.time()) - 4000
    made: list[str] = []

    def kept(tokens: Tokens) -> Tokens:
        def give() -> str:
            made.append(tokens())
            return made[-1]

        return give

    grants = {"roomJoin": True, "room": room.room}
    rigs = [
        stranger(room.url, tokens=kept(tokens))
        for tokens in (
            lambda: issue(KEY, SECRET, grants, hour_ago, identity="me"),
            own_tokens(KEY, b"x" * 32, room.room, "me", "Me"),
            room.tokens("stranger"),
        )
    ]
    with caplog.at_level(logging.DEBUG, logger="livekit"):
        for rig in rigs:
            await rig.start(wait=False)
            await rig.until(lambda rig=rig: rig.refusal or rig.phase is LinkPhase.IN_ROOM, 10)  # type: ignore[misc]
            await rig.stop()
    said = caplog.text + "".join(capfd.readouterr())
    for rig in rigs:
        said += f"{rig.engine!r} {vars(rig.engine)!r} {rig.refusal!r} {rig.told_text()} {rig.engine.counters!r}"
    assert len(made) >= 3
    assert "401" in said, "the library's log was heard"
    secrets = [part for token in made for part in token.split(".")[1:]] + [SECRET.decode()]
    assert not [secret for secret in secrets if secret in said]


def test_what_the_harness_asks_of_the_server_is_refused_without_its_key(livekit: LiveKitServer) -> None:
    """The admin's acts of these tests are real: the server takes them from nobody else."""

    async def ask() -> int:
        url = f"{livekit.url.replace('ws', 'http', 1)}/twirp/livekit.RoomService/ListRooms"
        token = issue(KEY, b"x" * 32, {"roomList": True}, round(time.time()))
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession() as http, http.post(url, json={}, headers=headers) as answer:
            return answer.status

    with apart():
        assert asyncio.run(ask()) == 401
