"""The Telegram engine against the stand-ins, beyond what every engine has to show (tests/contract)."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from appliance.core.lamps import LinkPhase
from appliance.rooms import contract
from appliance.rooms.telegram import TelegramEngine
from appliance.rooms.telegram_account import Login
from appliance.rooms.telegram_stay import MIXED, TelegramSettings
from tests.contract.apart import apart
from tests.contract.rig import Rig, level_of, loudness, member_of, power, speaks, tone
from tests.telegram.data_centre import Call, DataCentre, Group, Person, Seat

pytestmark = pytest.mark.timeout(120)

GROUP = 1000
API_HASH = "SECRET0123456789abcdef"


@pytest.fixture
def host() -> Iterator[str]:
    with apart() as address:
        yield address


@contextlib.asynccontextmanager
async def world(host: str, *, call: bool = True) -> AsyncIterator[DataCentre]:
    """One group with four members, of whom the first is its admin."""
    people = [Person(n, name, name.capitalize()) for n, name in enumerate(("ada", "friend", "kontor", "other"), 1)]
    group = Group(GROUP, "office", "Office", {person.id for person in people}, {1})
    centre = DataCentre(host, people, [group])
    await centre.start()
    if call:
        centre.start_call(group)
    try:
        yield centre
    finally:
        await centre.stop()


def settings(centre: DataCentre, who: int = 3, number: int = 0, **changed: Any) -> TelegramSettings:
    login = Login(1, API_HASH, centre.session(who, number))
    given = TelegramSettings(login, "@office", centre.people[who].username, centre.people[who].name)
    return replace(given, **changed)


def rig_of(given: TelegramSettings) -> Rig:
    return Rig(TelegramEngine(given, rng=lambda: 0.5), given.identity)


@contextlib.asynccontextmanager
async def inside(*rigs: Rig, wait: bool = True) -> AsyncIterator[None]:
    try:
        await asyncio.gather(*(rig.start(wait=False) for rig in rigs))
        if wait:
            await asyncio.gather(*(rig.in_room(30) for rig in rigs))
        yield
    finally:
        await asyncio.gather(*(rig.stop() for rig in rigs))


def the_call(centre: DataCentre) -> tuple[Group, Call]:
    group = centre.groups[GROUP]
    assert group.call is not None
    return group, group.call


def asked(centre: DataCentre, name: str) -> int:
    return sum(type(request).__name__ == f"{name}Request" for request in centre.seen)


# ---- coming and staying


@pytest.mark.parametrize("name", ["@office", "office", "https://t.me/office", "t.me/+invite1000", "-1000000001000"])
async def test_a_group_is_found_however_it_is_named(host: str, name: str) -> None:
    async with world(host) as centre:
        site = rig_of(settings(centre, group=name))
        async with inside(site):
            assert the_call(centre)[1].seats.keys() == {3}
        assert the_call(centre)[1].seats == {}, "it has left in order"


async def test_without_a_voice_chat_it_waits_and_says_for_what(host: str) -> None:
    async with world(host, call=False) as centre:
        site = rig_of(settings(centre))
        async with inside(site, wait=False):
            await site.until(lambda: "somebody has to start one" in site.events[-1].why, 20)  # type: ignore[union-attr]
            assert site.phase is LinkPhase.RECONNECTING
            assert asked(centre, "CreateGroupCall") == 0
            centre.start_call(centre.groups[GROUP])
            await site.in_room(20)


async def test_it_starts_a_voice_chat_where_it_may_and_the_next_one_when_that_is_ended(host: str) -> None:
    async with world(host, call=False) as centre:
        site = rig_of(settings(centre, who=1, create=True))
        async with inside(site):
            first = the_call(centre)[1]
            await centre.end_call(centre.groups[GROUP])
            await site.until(lambda: centre.groups[GROUP].call is not None, 20)
            await site.until(lambda: site.phase is LinkPhase.IN_ROOM and asked(centre, "CreateGroupCall") == 2, 20)
            assert the_call(centre)[1] is not first
        assert [e.phase for e in site.told(contract.PhaseChanged)][:4] == [
            LinkPhase.CONNECTING,
            LinkPhase.IN_ROOM,
            LinkPhase.RECONNECTING,
            LinkPhase.IN_ROOM,
        ]


async def test_where_it_may_not_start_one_an_admin_has_to(host: str) -> None:
    async with world(host, call=False) as centre:
        site = rig_of(settings(centre, create=True))
        async with inside(site, wait=False):
            await site.until(lambda: "an admin has to" in site.events[-1].why, 20)  # type: ignore[union-attr]
            assert site.refusal is None
            centre.start_call(centre.groups[GROUP])
            await site.in_room(20)


async def test_when_telegram_forgets_it_it_joins_anew(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.rooms.telegram_stay._ASK_EVERY", 0.3)
    async with world(host) as centre:
        site, friend = rig_of(settings(centre)), rig_of(settings(centre, who=2))
        async with inside(site, friend):
            site.open(tone(440))
            await friend.hear(440)
            centre.forgotten.add(the_call(centre)[1].seats[3].source)
            await site.until(lambda: site.phase is LinkPhase.RECONNECTING, 20)
            await site.in_room(20)
            await friend.hear(440)
        assert site.engine.counters["joins"] == 2


async def test_a_cut_connection_to_telegram_is_nobodys_concern_while_the_sound_goes_on(host: str) -> None:
    async with world(host) as centre:
        site, friend = rig_of(settings(centre)), rig_of(settings(centre, who=2))
        async with inside(site, friend):
            site.open(tone(440))
            await friend.hear(440)
            for wire in [wire for wire in centre.wires if wire.user == 3]:
                wire.close()
            heard = await friend.listen(2.0)
            assert min(power(part, 440) for part in np.split(heard, 8)) > -20, "without a gap"
            await site.until(lambda: asked(centre, "CheckGroupCall"), 10)
            await asyncio.sleep(0.5)
        assert [event.phase for event in site.told(contract.PhaseChanged)] == [LinkPhase.CONNECTING, LinkPhase.IN_ROOM]
        assert site.engine.counters["joins"] == 1


async def test_the_process_that_holds_the_library_may_crash_and_ends_with_its_parent(host: str) -> None:
    async with world(host) as centre:
        site, friend = rig_of(settings(centre)), rig_of(settings(centre, who=2))
        async with inside(site, friend):
            site.open(tone(440))
            await friend.hear(440)
            assert isinstance(site.engine, TelegramEngine)
            pid = site.engine._sound.media.pid
            assert pid is not None
            os.kill(pid, signal.SIGSEGV)
            await site.until(lambda: site.phase is LinkPhase.RECONNECTING, 10)
            await site.in_room(20)
            await friend.hear(440, 10)
            assert site.engine.counters["library_starts"] == 2
            assert site.longest_turn < 0.5
            last = site.engine._sound.media.pid
            assert last is not None
        with pytest.raises(ProcessLookupError):
            os.kill(last, 0)


# ---- what Telegram refuses


async def test_flood_wait_is_waited_for_and_no_reason_to_give_up(host: str) -> None:
    async with world(host) as centre:
        centre.faults["JoinGroupCallRequest"] = [(420, "FLOOD_WAIT_2")]
        site = rig_of(settings(centre))
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with inside(site):
            assert loop.time() - began > 2.0
        told = [event.why for event in site.told(contract.PhaseChanged)]
        assert "Telegram asks this account to wait for 2 seconds." in told


async def test_a_session_that_is_ended_from_another_device_is_refused_at_its_next_word(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.rooms.telegram_stay._ASK_EVERY", 0.3)
    async with world(host) as centre:
        site = rig_of(settings(centre))
        async with inside(site):
            centre.people[3].fault = (401, "AUTH_KEY_UNREGISTERED")
            await site.refused(20)
            assert "kontor telegram login" in str(site.refusal)
            assert site.refusal is not None
            assert site.refusal.ask_again


async def test_the_account_on_another_device_takes_this_ones_place_and_they_take_no_turns(host: str) -> None:
    async with world(host) as centre:
        site, phone = rig_of(settings(centre)), rig_of(settings(centre, number=1))
        async with inside(site), inside(phone):
            await site.refused(20)
            assert "another device" in str(site.refusal)
            assert site.refusal is not None
            assert not site.refusal.ask_again
            assert phone.phase is LinkPhase.IN_ROOM


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
            assert site.engine.counters["updates_coalesced"] > 4000
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
                asyncio.create_task(call.sfu.speak(source, 300 + 100 * n, 6.0, 0.05))
                for n, source in enumerate(sources.values())
            ]
            await site.until(lambda: sum(speaks(site, f"talker{number}") for number in sources) >= 8, 10)
            sound = await site.listen(1.0)
            heard = [n for n in range(14) if power(sound, 300 + 100 * n) > -45]
            assert 8 <= len(heard) <= 11
            named = [number for number in sources if speaks(site, f"talker{number}")]
            assert all(abs(level_of(site, f"talker{number}") + 29) < 3 for number in named)
            await asyncio.gather(*talking)
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
                await asyncio.sleep(1.0)
                assert loudness(await friend.listen(0.5)) < -75
            assert site.engine.counters["proof_violations"] == 0


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


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


# ---- secrets


async def test_no_secret_is_in_anything_that_is_told_or_logged(
    host: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(0)
    async with world(host) as centre:
        given = settings(centre)
        site = rig_of(given)
        async with inside(site):
            centre.faults["EditGroupCallParticipantRequest"] = [(420, "FLOOD_WAIT_1")]
            site.open(tone(440))
            await asyncio.sleep(0.5)
            centre.people[3].fault = (401, "SESSION_REVOKED")
            for wire in list(centre.wires):
                wire.close()
            await site.refused(30)
        bad = rig_of(replace(given, login=Login(1, API_HASH, given.login.session[:-7])))
        async with inside(bad, wait=False):
            await bad.refused()
    told = "".join(
        [
            repr(site.events + bad.events),
            repr(given),
            repr([site.refusal, bad.refusal]),
            repr(vars(site.engine)),
            str(dict(site.engine.counters)),
            caplog.text,
            *capfd.readouterr(),
        ]
    )
    for secret in (API_HASH, given.login.session, given.login.session[20:60]):
        assert secret not in told
