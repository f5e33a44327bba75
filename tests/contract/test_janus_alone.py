"""What only a Janus room has to show, over Debian's Janus."""

import asyncio
import logging
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.core.lamps import LinkPhase
from appliance.rooms import trust
from appliance.rooms.contract import (
    AdminMuteLifted,
    Levels,
    MemberChanged,
    MemberLeft,
    MutedByAdmin,
    PhaseChanged,
    Recording,
)
from appliance.rooms.janus import JanusEngine
from appliance.rooms.uplink import CodecSettings
from tests.contract.harness import together
from tests.contract.janus_harness import PIN, JanusRoom, JanusServer
from tests.contract.rig import Rig, level_of, loudness, member_of, power, tone

pytestmark = [pytest.mark.engines, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def janus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JanusServer]:
    server = JanusServer(tmp_path_factory.mktemp("janus"))
    server.start()
    yield server
    server.end()


@pytest.fixture
def room(janus: JanusServer) -> JanusRoom:
    return janus.room()


async def test_who_comes_by_another_client_is_a_member_as_well(room: JanusRoom) -> None:
    site = room.site()
    async with together(site), room.client() as client:
        joined = await client.plugin({"request": "join", "pin": PIN, "display": "Bob\u202e", "muted": False})
        bob = f"janus-{joined['id']}"
        await site.until(lambda: member_of(site, bob))
        seen = member_of(site, bob)
        assert seen is not None
        assert (seen.name, seen.kind, seen.muted, seen.connecting) == ("Bob\\u202e", "person", False, True)
        await client.plugin({"request": "leave"})
        await site.until(lambda: member_of(site, bob) is None)


async def test_a_session_that_was_cut_off_is_no_second_member(room: JanusRoom) -> None:
    """As after a power cut: Janus lists the old one for a minute."""
    site, friend = room.site(), room.person("friend")
    async with room.client() as ghost, together(friend):
        display = f"Old [kontor site {site.identity}]"
        await ghost.plugin({"request": "join", "pin": PIN, "display": display, "muted": True})
        await friend.until(lambda: (member := member_of(friend, site.identity)) and member.name == "Old")
        async with together(site):
            await friend.until(lambda: (member := member_of(friend, site.identity)) and member.name != "Old")
            site.open(tone(440))
            await friend.hear(440)
            await ghost.plugin({"request": "leave"})
            await asyncio.sleep(0.3)
            assert member_of(friend, site.identity) is not None
            assert site.phase is LinkPhase.IN_ROOM


async def test_who_takes_a_devices_name_does_not_put_it_out_and_that_is_told(room: JanusRoom) -> None:
    """Whoever has the PIN can call themselves so; a session of the device itself can prove that it is one."""
    site, friend = room.site(), room.person("friend")
    async with together(site, friend), room.client() as stranger:
        site.open(tone(440))
        await friend.hear(440)
        display = f"Meeting room [kontor site {site.identity} 0123456789abcdef]"
        await stranger.plugin({"request": "join", "pin": PIN, "display": display, "muted": True})
        await site.until(lambda: "calls themselves like this device" in site.told(PhaseChanged)[-1].why, 10)
        assert site.phase is LinkPhase.IN_ROOM and site.refusal is None
        await friend.hear(440)
        await stranger.plugin({"request": "leave"})
        await site.until(lambda: site.told(PhaseChanged)[-1] == PhaseChanged(LinkPhase.IN_ROOM, ""))
        await friend.hear(440)


async def test_the_room_is_as_loud_as_its_mix(room: JanusRoom) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        friend.open(tone(500, 0.25))
        await site.until(lambda: abs(level_of(site, "friend") - -15) <= 2)
        friend.close()
        await site.until(lambda: not site.told(Levels)[-1].speaking)
        assert level_of(site, "friend") <= -127


async def test_everybody_can_be_muted(room: JanusRoom) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        site.open(tone(440))
        await friend.hear(440)
        await room.as_admin("mute_room")
        await site.until(lambda: site.told(MutedByAdmin))
        site.close()
        site.open(tone(440))
        await site.until(lambda: len(site.told(MutedByAdmin)) == 2)
        await asyncio.sleep(0.6)
        assert loudness(await friend.listen(0.5)) < -80
        site.close()
        await room.as_admin("unmute_room")
        await site.until(lambda: site.told(AdminMuteLifted))
        site.open(tone(440))
        await friend.hear(440)


async def test_a_device_that_records_says_so_to_all_of_ours_who_are_there_and_who_come(room: JanusRoom) -> None:
    """That Janus itself records it tells nobody, so the engine does not claim it."""
    site, friend, late = room.site(), room.person("friend"), room.person("late")
    async with together(site, friend):
        site.report(gate_open=False, recording=True)
        await friend.until(lambda: friend.told(Recording))
        await site.until(lambda: site.told(Recording))
        async with together(late):
            await late.until(lambda: late.told(Recording))
        site.report(gate_open=False, recording=False)
        await friend.until(lambda: len(friend.told(Recording)) == 2)
        assert friend.told(Recording) == site.told(Recording) == [Recording(True), Recording(False)]


async def test_a_room_that_is_closed_refuses_and_one_that_is_there_again_takes_us(room: JanusRoom) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site):
        await room.as_admin("destroy")
        await site.refused()
        assert (site.phase, str(site.refusal)) == (LinkPhase.REFUSED, "The room was closed.")
        assert site.refusal is not None
        assert site.refusal.ask_again
    refused = room.site()
    await refused.start(wait=False)
    await refused.refused()
    await refused.stop()
    assert str(refused.refusal) == "The Janus server has no such room."
    await room.as_admin("create", pin=PIN, sampling_rate=48000, audiolevel_event=True)
    async with together(friend):
        assert friend.phase is LinkPhase.IN_ROOM


async def test_nothing_of_before_is_in_what_is_hardly_a_sound(room: JanusRoom) -> None:
    """Janus' decoder has a past as well, and mixes what is not silence."""
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        for _ in range(5):
            site.open(tone(440, 0.9))
            await friend.hear(440)
            site.close()
            await friend.until(lambda: (member := member_of(friend, site.identity)) and member.muted)
            await asyncio.sleep(0.6)
            listening = asyncio.create_task(friend.listen(0.6))
            site.open(tone(660, 0.0005))
            assert loudness(await listening) < -60
            site.close()
            await asyncio.sleep(0.1)
    assert site.engine.counters["proof_violations"] == 0


async def test_frames_are_of_the_length_that_the_mixer_takes(room: JanusRoom) -> None:
    settings = replace(room.site_settings(), codec=CodecSettings(frame_ms=10))
    site, friend = Rig(JanusEngine(settings), settings.identity), room.person("friend")
    async with together(site, friend):
        site.open(tone(440))
        await friend.hear(440)
        await asyncio.sleep(0.5)
        sound = (await friend.listen(1.0)).reshape(-1, 2400)
        assert sum(power(part, 440) > -10 for part in sound) >= 15


async def test_a_certificate_is_checked(janus: JanusServer, room: JanusRoom) -> None:
    settings = replace(room.site_settings(), url=janus.safe_url)
    trusting = replace(settings, tls=trust.context(janus.certificate))
    site = Rig(JanusEngine(trusting), settings.identity)
    async with together(site):
        assert site.phase is LinkPhase.IN_ROOM
    careful = Rig(JanusEngine(settings), settings.identity)
    await careful.start(wait=False)
    try:
        await careful.until(lambda: careful.phase is LinkPhase.RECONNECTING)
        assert careful.told(PhaseChanged)[-1].why == (
            "The server's certificate is signed by itself: name it in [room] ca_file to trust it."
        )
    finally:
        await careful.stop()


@contextmanager
def _cut() -> Iterator[None]:
    """Nothing passes in the network of this process."""
    subprocess.run(["ip", "link", "set", "lo", "down"], check=True, timeout=10)
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=10)


def since_it_was_lost(site: Rig) -> list[object]:
    """What a device was told since it was told that the room was lost; all, if it was not."""
    lost = [
        at
        for at, event in enumerate(site.events)
        if isinstance(event, PhaseChanged) and event.phase is LinkPhase.RECONNECTING
    ]
    return list(site.events[max(lost, default=0) :])


@pytest.mark.parametrize("seconds", [1, 6, 15])
async def test_after_a_cut_of_the_network_sound_goes_on_and_nobody_has_left(room: JanusRoom, seconds: int) -> None:
    """The session is claimed and the media connection held: nobody joins anew, and nobody is there twice."""
    site, friend = room.site(), room.person("friend")
    loop = asyncio.get_running_loop()
    async with together(site, friend):
        site.open(tone(440))
        friend.open(tone(880))
        await asyncio.gather(site.hear(880), friend.hear(440))
        with _cut():
            await asyncio.sleep(seconds)
            gone = loudness(await site.listen(0.1)) < -80
        again = loop.time()
        assert gone
        await asyncio.gather(site.hear(880, 10), friend.hear(440, 10))
        assert loop.time() - again < 5
        await asyncio.gather(site.in_room(), friend.in_room())
        anew = {event.member.id for event in since_it_was_lost(site) if isinstance(event, MemberChanged)}
        assert anew == {site.identity, "friend"}, "who was told that the room is lost has forgotten who is in it"
        told = [event.phase for event in site.told(PhaseChanged)]
        assert (LinkPhase.RECONNECTING in told) is (seconds > 3)
        site.close()
        await friend.until(lambda: (member := member_of(friend, site.identity)) and member.muted)
        async with room.client() as client:
            assert len(await client.participants()) == 2
        assert not site.told(MemberLeft)
        assert not friend.told(MemberLeft)
    assert site.engine.counters["joins"] == 1
    assert site.engine.counters["proof_violations"] == 0


async def test_no_secret_is_in_anything_that_is_said(room: JanusRoom, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        site.open(tone(440))
        await friend.hear(440)
        await room.mute(site)
        await site.until(lambda: site.told(MutedByAdmin))
        await room.remove(friend)
        await friend.refused()
    settings = room.site_settings()
    said = repr((site.events, friend.events, friend.refusal, site.engine.counters, settings, site.engine)) + caplog.text
    signature = settings.token.rpartition(":")[2]
    for secret in ("SECRET", settings.token, signature):
        assert secret not in said


async def test_the_files_of_the_manual_make_a_room_and_its_audience(tmp_path: Path) -> None:
    """docs/operate-janus.md: a device is in the room by them, and the mix arrives at the Streaming plugin."""
    text = (Path(__file__).parents[2] / "docs/operate-janus.md").read_text()
    files = dict(re.findall(r"^`(janus[a-z.]*)`[^\n]*:\n\n```\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    assert set(files) == {"janus.plugin.audiobridge.jcfg", "janus.jcfg", "janus.plugin.streaming.jcfg"}
    pin = re.search(r'pin = "(.*?)"', files["janus.plugin.audiobridge.jcfg"])
    assert pin is not None
    server = JanusServer(tmp_path, files)
    server.start()
    try:
        room = JanusRoom(server, 1234)
        site = Rig(JanusEngine(replace(room.site_settings(), pin=pin[1])), "site")
        async with together(site):
            site.open(tone(440))
            await site.until(lambda: site.told(Levels))
            async with room.client("janus.plugin.streaming") as client:
                info = (await client.plugin({"request": "info", "id": 1}))["info"]
                assert info["media"][0]["age_ms"] < 500
    finally:
        server.end()
