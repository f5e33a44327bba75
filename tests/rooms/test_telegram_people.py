"""The Telegram engine against the stand-ins, beyond what every engine has to show: people, mute, secrets."""

import asyncio
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from aiortc.rtp import RtpPacket

from appliance.core.lamps import LinkPhase
from appliance.core.levels import dbov
from appliance.media.opus import MOST_SAMPLES, Decoder
from appliance.rooms import contract
from appliance.rooms.telegram import TelegramEngine
from appliance.rooms.telegram_account import Login
from appliance.rooms.telegram_seen import LISTENS, MIXED
from tests.contract.apart import apart
from tests.contract.harness import PACES
from tests.contract.rig import level_of, loudness, member_of, power, speaks, steady, tone
from tests.telegram.office import API_HASH, asked, inside, rig_of, settings, the_call, until, world
from tests.telegram.people import Person, Seat
from tests.telegram.pieces import piece
from tests.telegram.wire import now, session_string

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def host() -> Iterator[str]:
    with apart() as address:
        yield address


# ---- people


async def test_who_may_not_speak_joins_muted_and_raises_a_hand(host: str) -> None:
    async with world(host) as centre:
        group, call = the_call(centre)
        call.join_muted = True
        site = rig_of(settings(centre))
        async with inside(site):
            await site.until(lambda: site.told(contract.MutedByAdmin))
            site.open(tone(440))
            site.engine.set_hand(True)
            await site.until(lambda: (member := member_of(site, "kontor")) and member.hand)
            assert call.seats[3].muted, "nobody unmutes whom an admin muted"
            seat = call.seats[3]
            seat.can_self_unmute, seat.hand = True, 0
            centre.tell(group, call, seat)
            await site.until(lambda: site.told(contract.AdminMuteLifted))
            await site.until(lambda: not call.seats[3].muted)


async def test_an_account_that_is_an_admin_is_muted_by_another_one_until_a_hand_here_undoes_it(host: str) -> None:
    async with world(host) as centre:
        group, call = the_call(centre)
        site, friend = rig_of(settings(centre, who=1)), rig_of(settings(centre, who=2))
        async with inside(site, friend):
            site.open(tone(440))
            await friend.hear(440)
            await until(lambda: not call.seats[1].muted)
            call.seats[1].muted = True
            centre.tell(group, call, call.seats[1])
            await site.until(lambda: site.told(contract.MutedByAdmin))
            await asyncio.sleep(0.5)
            assert call.seats[1].muted, "the gate has not closed yet: that is no hand's answer"
            site.close()
            site.open(tone(440))
            await until(lambda: not call.seats[1].muted)
            assert len(site.told(contract.MutedByAdmin)) == 1


async def test_a_recording_that_ends_during_an_absence_is_not_shown_for_ever(host: str) -> None:
    async with world(host) as centre:
        _, call = the_call(centre)
        call.recorded = now()
        site = rig_of(settings(centre))
        async with inside(site):
            await site.until(lambda: site.told(contract.Recording))
            call.recorded = None
            for wire in [wire for wire in centre.wires if wire.user == 3]:
                wire.close()
            await site.until(lambda: site.told(contract.Recording)[-1] == contract.Recording(on=False), 20)


async def test_a_flood_of_updates_costs_a_few_events_and_the_last_one_counts(host: str) -> None:
    async with world(host) as centre:
        group, call = the_call(centre)
        site = rig_of(settings(centre))
        async with inside(site):
            seats = [Seat(centre.people[2], 77), Seat(centre.people[4], 78)]
            call.seats |= {seat.person.id: seat for seat in seats}
            before = len(site.events)
            stalled = asyncio.create_task(longest_stall())
            for turn in range(2500):
                for seat in seats:
                    seat.muted = turn % 2 == 0
                    centre.tell(group, call, seat)
                if turn % 100 == 0:
                    await asyncio.sleep(0)
            seats[0].muted, seats[1].hand = False, 1
            centre.tell(group, call, *seats)
            await site.until(lambda: (m := member_of(site, "other")) and m.hand, 30)
            await site.until(lambda: (m := member_of(site, "friend")) and not m.muted, 30)
            stalled.cancel()
            assert len(site.events) - before < 400
            assert site.phase is LinkPhase.IN_ROOM


async def longest_stall() -> None:
    while True:
        await asyncio.sleep(0.01)


async def test_a_thousand_members_are_listed_page_by_page(host: str) -> None:
    async with world(host) as centre:
        _, call = the_call(centre)
        for number in range(100, 1300):
            centre.people[number] = Person(number, f"member{number}", f"Member {number}")
            call.seats[number] = Seat(centre.people[number], number)
        site = rig_of(settings(centre))
        async with inside(site):
            await site.until(lambda: len({e.member.id for e in site.told(contract.MemberChanged)}) == 1201, 20)


async def test_eleven_of_fourteen_talkers_are_heard_each_by_name(host: str) -> None:
    async with world(host) as centre:
        _, call = the_call(centre)
        sources = {100 + n: 2**32 - 1 - n for n in range(14)}  # above 2^31 they are negative in TL
        for number, source in sources.items():
            centre.people[number] = Person(number, f"talker{number}", f"Talker {number}")
            call.seats[number] = Seat(centre.people[number], source, muted=False)
        site = rig_of(settings(centre))
        async with inside(site):
            talking = [
                asyncio.create_task(call.sfu.speak(source, 300 + 100 * n, 20.0, 0.05))
                for n, source in enumerate(sources.values())
            ]
            await site.until(lambda: sum(speaks(site, f"talker{number}") for number in sources) >= 8, 10)
            counts: list[int] = []
            while not counts or (max(counts) < 8 and len(counts) < 12):
                sound = await site.listen(1.0)
                counts.append(sum(power(sound, 300 + 100 * n) > -45 for n in range(14)))
            assert 8 <= max(counts) <= 11
            named = [number for number in sources if speaks(site, f"talker{number}")]
            assert any(abs(level_of(site, f"talker{number}") + 29) < 3 for number in named)
            for task in talking:
                task.cancel()
            await asyncio.gather(*talking, return_exceptions=True)
            await site.until(lambda: not site.told(contract.Levels)[-1].speaking, 10)


async def test_whoever_is_heard_and_in_no_list_is_asked_for(host: str) -> None:
    async with world(host) as centre:
        _, call = the_call(centre)
        site = rig_of(settings(centre))
        async with inside(site):
            call.seats[2] = Seat(centre.people[2], 4242, muted=False)  # nobody tells
            talking = asyncio.create_task(call.sfu.speak(4242, 700, 6.0))
            await site.until(lambda: speaks(site, "friend"), 10)
            await site.hear(700)
            talking.cancel()
            await asyncio.gather(talking, return_exceptions=True)


async def test_a_voice_chat_too_large_for_levels_is_told_in_words_until_one_speaks(host: str) -> None:
    async with world(host) as centre:
        centre.stream = True
        site = rig_of(settings(centre))
        async with inside(site):
            assert site.told(contract.PhaseChanged)[-1].why == MIXED
            site.open(tone(440))
            await site.until(
                lambda: site.phase is LinkPhase.IN_ROOM and not site.told(contract.PhaseChanged)[-1].why, 30
            )
            assert not the_call(centre)[1].seats[3].muted


async def test_a_voice_chat_that_comes_in_pieces_is_heard_each_member_by_itself(host: str) -> None:
    async with world(host) as centre:
        centre.stream = True
        _, call = the_call(centre)
        call.seats |= {2: Seat(centre.people[2], 2**32 - 5, muted=False), 4: Seat(centre.people[4], 78, muted=False)}
        call.pieces = lambda begins: piece({2**32 - 5: 440, 78: 700}, begins)
        site = rig_of(settings(centre))
        async with inside(site):
            assert site.told(contract.PhaseChanged)[-1].why == MIXED
            await asyncio.gather(site.hear(440, 20), site.hear(700, 20))
            await site.until(lambda: speaks(site, "friend") and speaks(site, "other"))
            assert abs(level_of(site, "friend") + 15) < 3
            sound = await site.listen(3.0)
            assert steady(sound, 440) > -16
            site.engine.set_volume("other", 0.0)
            await asyncio.sleep(0.5)
            sound = await site.listen(1.0)
            assert power(sound, 700) < -50
            assert steady(sound, 440) > -16
            call.pieces = lambda _: b"no piece of anything"
            await site.until(lambda: not site.told(contract.Levels)[-1].speaking, 20)
            assert loudness(await site.listen(0.5)) < -80
            call.pieces = lambda begins: piece({78: 700}, begins)
            centre.faults["GetFileRequest"] = [(420, "FLOOD_WAIT_1"), (400, "TIME_TOO_SMALL")]
            await site.until(lambda: speaks(site, "other"), 20)
            assert site.engine.counters["library_starts"] == 1
            assert site.engine.counters["joins"] == 1


async def test_where_telegram_lets_it_only_listen_it_says_so_and_joins_no_more(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.rooms.telegram_seen._JOIN_AGAIN", 1.0)
    async with world(host) as centre:
        centre.stream = centre.stream_for_all = True
        site = rig_of(settings(centre))
        async with inside(site):
            for opening in (1, 2):
                site.open(tone(440))
                await until(lambda joins=1 + 2 * opening: asked(centre, "JoinGroupCall") == joins, 20)  # type: ignore[misc]
                await site.until(lambda: site.told(contract.PhaseChanged)[-1].why == LISTENS, 20)
                await asyncio.sleep(2.5)
                assert asked(centre, "JoinGroupCall") == 1 + 2 * opening
                assert site.told(contract.PhaseChanged)[-1] == contract.PhaseChanged(LinkPhase.IN_ROOM, LISTENS)
                site.close()
                await site.until(lambda: site.told(contract.PhaseChanged)[-1].why == MIXED)
        assert asked(centre, "EditGroupCallParticipant") <= 2, "it is not shown as somebody who speaks"


async def test_what_telegram_refuses_to_show_is_asked_for_less_and_less_and_told_once(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.rooms.telegram_seen._EDIT_AGAIN", 0.2)
    async with world(host) as centre:
        site = rig_of(settings(centre))
        async with inside(site):
            centre.faults["EditGroupCallParticipantRequest"] = [(400, "SOMETHING_NEW")] * 4
            site.open(tone(440))
            await site.until(
                lambda: "does not change how this device is shown" in site.told(contract.PhaseChanged)[-1].why
            )
            await until(lambda: not the_call(centre)[1].seats[3].muted)
            await site.until(lambda: not site.told(contract.PhaseChanged)[-1].why)
            assert asked(centre, "EditGroupCallParticipant") == 5
            assert site.engine.counters["edits_refused"] == 4
            assert len(site.told(contract.PhaseChanged)) == 4


# ---- mute


async def test_nothing_of_before_leaves_even_if_the_gate_opens_again_at_once(host: str) -> None:
    """The library's encoder holds 60 ms: what is in it when the gate closes must not come with what follows."""
    async with world(host) as centre:
        site, friend = rig_of(settings(centre)), rig_of(settings(centre, who=2))
        async with inside(site, friend):
            for pause in (0.0, 0.02, 0.05, 0.3):
                site.open(tone(440, 0.9))
                await friend.hear(440)
                site.close()
                await site.listen(0.02 + pause)
                site.open(lambda _: np.zeros(480, np.int16))
                await asyncio.sleep(2.0)
                assert loudness(await friend.listen(0.5)) < PACES["telegram"].hiss
            assert site.engine.counters["proof_violations"] == 0


async def test_a_press_silences_what_reaches_the_server_and_an_opening_is_heard_soon(host: str) -> None:
    """However long the pause: RTP's time goes on meanwhile, so that no listener takes what comes for late (docs/adr/0238).

    Packets are counted: when one arrives that was on its way at the press is a matter of the machine.
    """
    after_press, gone, heard, late = [], [], [], []
    async with world(host) as centre:
        site, friend = rig_of(settings(centre)), rig_of(settings(centre, who=2))
        async with inside(site, friend):
            site.open(tone(500))
            await friend.hear(500)
            sfu, source = the_call(centre)[1].sfu, the_call(centre)[1].seats[3].source
            for pause in (0.3, 0.7, 1.0, 1.5, 0.5, 1.2, 0.4):
                await asyncio.sleep(1.5)
                sfu.kept, before = [], len(friend._heard)
                site.close()
                await asyncio.sleep(pause)
                after, sound = len(friend._heard), friend._heard[before:]
                after_press.append([loud_by_itself(packet) for _, packet in sfu.kept if packet.ssrc == source])
                gone.append(sum(1 for block in sound if power(block, 500) > -50) / 100)
                site.open(tone(1500))
                await friend.hear(1500)
                heard.append((len(friend._heard) - after) / 100)
                late.append(abs(behind(sfu.kept, source)))
                site.open(tone(500))
        assert site.engine.counters["proof_violations"] == 0
    for loud in after_press:
        assert loud == sorted(loud, reverse=True), "once silent, silent until the opening"
    assert sum(not all(loud) for loud in after_press) > len(after_press) / 2, "silence is sent, in packets"
    assert np.median([sum(loud) for loud in after_press]) <= 2, "what was on its way, of 60 ms each"
    assert np.median(late) < 0.25, late
    assert np.median(gone) < 0.45, gone
    assert np.median(heard) < 0.45, heard


def behind(packets: list[tuple[float, RtpPacket]], source: int) -> float:
    """By how many seconds more than RTP's time the clock went on from the first to the last packet."""
    times = [(at, packet.timestamp) for at, packet in packets if packet.ssrc == source]
    (first, began), (last, now) = times[0], times[-1]
    return last - first - ((now - began) % 2**32) / 48_000


def loud_by_itself(packet: RtpPacket) -> bool:
    """Whether there is sound over -80 dBFS in a packet, whatever came before it."""
    with Decoder() as decoder:
        out = np.zeros(MOST_SAMPLES, np.int16)
        return dbov(out[: decoder.decode(packet.payload, out)]) > -80


async def test_a_violation_that_the_other_process_finds_stops_everything(host: str) -> None:
    async with world(host) as centre:
        site, friend = rig_of(settings(centre)), rig_of(settings(centre, who=2))
        async with inside(site, friend):
            assert isinstance(site.engine, TelegramEngine)
            site.open(tone(440))
            await friend.hear(440)
            site.engine._sound.media.tell(
                b"\2"
            )  # the other process is told of a reason to close, and blocks come all the same
            await site.until(lambda: site.engine.violations or None, 5) if site.engine.violations else None
            await until(lambda: site.engine.violations > 0)
            assert "closed" in site.engine.proof.why
            await asyncio.sleep(1.0)
            assert loudness(await friend.listen(0.3)) < -80


# ---- secrets


async def test_no_secret_is_in_anything_that_is_told_or_logged(
    host: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(0)
    asyncio.get_running_loop().set_debug(True)
    async with world(host) as centre:
        given = settings(centre)
        site = rig_of(given)
        async with inside(site):
            assert isinstance(site.engine, TelegramEngine)
            other = Path(f"/proc/{site.engine._sound.media.pid}")
            seen = [(other / name).read_bytes().decode("utf-8", "replace") for name in ("cmdline", "environ")]
            centre.faults["EditGroupCallParticipantRequest"] = [(420, "FLOOD_WAIT_1")]
            site.open(tone(440))
            await asyncio.sleep(0.5)
            centre.people[3].fault = (401, "SESSION_REVOKED")
            for wire in list(centre.wires):
                wire.close()
            await site.refused(30)
        bad = [
            rig_of(replace(given, login=Login(1, API_HASH, given.login.session[:-7]))),
            rig_of(replace(settings(centre, who=4), group="https://t.me/+SECRETinvite")),
            rig_of(
                replace(settings(centre, who=2), login=Login(1, API_HASH, session_string(host, centre.port, FOREIGN)))
            ),
        ]
        for rig in bad:
            async with inside(rig, wait=False):
                await rig.refused(20)
    refusals = [rig.refusal for rig in (site, *bad)]
    seen += ["".join(traceback.format_exception(refusal)) for refusal in refusals]
    seen += [repr([rig.events, vars(rig.engine), rig.refusal]) for rig in (site, *bad)]
    seen += [repr(given), str(dict(site.engine.counters)), caplog.text, *capfd.readouterr()]
    told = "".join(seen)
    assert "kontor telegram login" in told
    session = given.login.session
    for secret in (API_HASH, session, session[20:60], FOREIGN.hex(), repr(FOREIGN)[2:40], "SECRETinvite"):
        assert secret not in told


FOREIGN = bytes(range(256))
"""A key that Telegram does not know."""
