"""How a LiveKit room is come back to: after what the library notices, after what it does not, and when it fails itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from livekit import rtc
from livekit.rtc._ffi_client import FfiClient
from livekit.rtc._proto.room_pb2 import SimulateScenarioKind

from appliance.core.lamps import LinkPhase
from appliance.rooms import livekit_microphone, livekit_stay
from appliance.rooms.contract import PhaseChanged
from tests.contract.harness import together
from tests.contract.livekit_harness import LiveKitRoom, stay_of
from tests.contract.rig import Rig, member_of, power, tone

pytestmark = [pytest.mark.engines, pytest.mark.timeout(120)]


async def back_again(rig: Rig, seconds: float = 10) -> None:
    """Wait for a loss that is told, and for the return."""
    before = len(rig.told(PhaseChanged))
    await rig.until(
        lambda: [event.phase for event in rig.told(PhaseChanged)[before:]].count(LinkPhase.RECONNECTING), seconds
    )
    await rig.in_room(seconds)


# ---- the library comes back by itself


@pytest.mark.parametrize(
    "how", [SimulateScenarioKind.SIMULATE_SIGNAL_RECONNECT, SimulateScenarioKind.SIMULATE_FULL_RECONNECT]
)
async def test_whoever_was_heard_is_heard_right_after_the_library_is_back(
    room: LiveKitRoom, how: SimulateScenarioKind.ValueType
) -> None:
    """Of what it has still after a short loss it tells nothing: that is not asked for again, and not waited for."""
    site, friend, quiet = room.site(), room.person("friend"), room.person("quiet")
    async with together(site, friend, quiet):
        site.open(tone(440))
        friend.open(tone(700))
        await site.hear(700)
        await friend.hear(440)
        for _ in range(3):
            seen = len(site.told(PhaseChanged))
            await stay_of(site)._room.simulate_scenario(how)
            await site.until(lambda seen=seen: len(site.told(PhaseChanged)) >= seen + 2, 10)  # type: ignore[misc]
            assert site.phase is LinkPhase.IN_ROOM
            await asyncio.gather(site.hear(700, 3), friend.hear(440, 3))
            await asyncio.sleep(1.0)  # it stays
            for ears, hertz in ((site, 700), (friend, 440)):
                assert power(await ears.listen(0.3), hertz) > -20
        await site.until(lambda: member_of(site, "quiet"))
        quiet.open(tone(1000))
        await site.hear(1000, 5)
    assert site.engine.counters["joins"] == 1


async def test_who_leaves_and_comes_while_the_library_is_away_is_not_heard_in_anothers_place(room: LiveKitRoom) -> None:
    site, friend, other = room.site(), room.person("friend"), room.person("other")
    async with together(site, other):
        await friend.start()
        friend.open(tone(700))
        await site.hear(700)
        await stay_of(site)._room.simulate_scenario(SimulateScenarioKind.SIMULATE_SIGNAL_RECONNECT)
        await friend.stop()
        await site.in_room()
        await site.until(lambda: member_of(site, "friend") is None, 10)
        other.open(tone(500))
        await site.hear(500, 5)
        await asyncio.sleep(1.0)
        assert power(await site.listen(0.5), 700) < -60


async def test_a_library_that_says_it_is_back_though_nothing_passes_is_not_believed(
    room: LiveKitRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        friend.open(tone(700))
        await site.hear(700)
        connection = stay_of(site)._connection
        frozen = await stay_of(site)._room.get_rtc_stats()

        async def nothing_new(_room: rtc.Room) -> Any:
            return frozen

        await asyncio.sleep(1.2)
        monkeypatch.setattr(rtc.Room, "get_rtc_stats", nothing_new)
        connection.lost()
        await asyncio.sleep(0.6)
        began = asyncio.get_running_loop().time()
        connection.returned()
        await site.until(lambda: site.engine.counters["joins"] == 2, 8)
        took = asyncio.get_running_loop().time() - began
        monkeypatch.undo()
        await site.in_room()
        await site.hear(700, 5)
        assert 1.4 < took < 6, took


# ---- the library fails


def never(*_: Any, **__: Any) -> Awaitable[Any]:
    """Says nothing for ever."""
    return asyncio.get_running_loop().create_future()


async def raises(*_: Any, **__: Any) -> Any:
    """As the library does: a plain one."""
    raise Exception("SECRET: an RtcError that nobody has seen")  # noqa: TRY002


FAILURES = [
    (rtc.AudioSource, "capture_frame", raises),
    (rtc.AudioSource, "capture_frame", never),
    (livekit_stay, "set_attributes", raises),
    (livekit_stay, "set_attributes", never),
    (rtc.LocalParticipant, "publish_track", raises),
    (rtc.LocalParticipant, "publish_track", never),
]


@pytest.mark.parametrize(("what", "call", "fails"), FAILURES, ids=lambda part: getattr(part, "__name__", part))
async def test_a_library_that_fails_costs_a_rejoin_and_not_the_process(
    room: LiveKitRoom, monkeypatch: pytest.MonkeyPatch, what: object, call: str, fails: Callable[..., Any]
) -> None:
    for limits, name in ((livekit_microphone, "_TAKES"), (livekit_microphone, "_PUBLISHES"), (livekit_stay, "_TELLS")):
        monkeypatch.setattr(limits, name, 1.0)
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        site.open(tone(440))
        await friend.hear(440)
        if call == "publish_track":
            await room.mute(site)  # once it is given back it is published anew
            await asyncio.sleep(0.3)
        with monkeypatch.context() as broken:

            async def failing(*given: Any, **more: Any) -> Any:
                return await fails(*given, **more)

            broken.setattr(what, call, failing)
            returning = asyncio.create_task(back_again(site))
            await asyncio.sleep(0)
            if call == "publish_track":
                await room.lift(site)
            site.report(gate_open=True, loudspeaker=-10.0)  # something to tell
            await site.until(lambda: site.phase is LinkPhase.RECONNECTING, 10)
        await returning
        site.close()
        site.open(tone(440))
        await friend.hear(440, 15)
        assert site.engine.counters["link_losses"] >= 1
        assert site.refusal is None
        assert "SECRET" not in site.told_text()
        assert site.engine.counters["proof_violations"] == 0


async def test_blocks_are_handed_over_while_the_gate_cannot_close(
    room: LiveKitRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the proof lets leave is with the library before a gate that closes can be overtaken by it."""
    site, friend = room.site(), room.person("friend")
    held: list[bool] = []
    real = FfiClient.request

    def request(client: FfiClient, asked: Any) -> Any:
        if asked.HasField("capture_audio_frame"):
            lock = stay_of(site)._parts.uplink._proof.lock
            held.append(lock._is_owned())  # type: ignore[attr-defined]
        return real(client, asked)

    async with together(site, friend):
        monkeypatch.setattr(FfiClient, "request", request)
        site.open(tone(440))
        await friend.hear(440)
        site.close()
        monkeypatch.undo()
    assert len(held) > 5
    assert all(held)
