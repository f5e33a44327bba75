"""The Telegram engine against the stand-ins, beyond what every engine has to show: coming, staying, what is refused."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.core.counters import Counters
from appliance.core.lamps import LinkPhase
from appliance.rooms import contract
from appliance.rooms.signalling import Lost
from appliance.rooms.telegram import TelegramEngine
from appliance.rooms.telegram_media import Media
from tests.contract.apart import apart
from tests.contract.rig import loudness, member_of, power, tone
from tests.telegram.office import GROUP, asked, inside, rig_of, settings, the_call, until, world
from tests.telegram.people import Group, Seat

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def host() -> Iterator[str]:
    with apart() as address:
        yield address


# ---- coming and staying


@pytest.mark.parametrize("name", ["@office", "office", "https://t.me/office", "t.me/+invite1000", "-1000000001000"])
async def test_a_group_is_found_however_it_is_named(host: str, name: str) -> None:
    async with world(host) as centre:
        site = rig_of(settings(centre, group=name))
        async with inside(site):
            assert the_call(centre)[1].seats.keys() == {3}
        assert the_call(centre)[1].seats == {}, "it has left in order"


async def test_a_small_group_is_followed_when_it_becomes_a_supergroup(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.rooms.telegram_stay._NO_CALL_EVERY", 0.5)
    async with world(host) as centre:
        small = Group(77_777, "", "Small", {1, 2, 3, 4}, {1}, small=True)
        centre.groups[small.id] = small
        centre.start_call(small)
        site = rig_of(settings(centre, group="-77777"))
        async with inside(site):
            assert small.call is not None
            assert small.call.seats.keys() == {3}
            large = await centre.migrate(small, 2000)
            await site.until(lambda: site.phase is LinkPhase.RECONNECTING, 10)
            call = centre.start_call(large)
            await site.in_room(20)
            assert call.seats.keys() == {3}
        late = rig_of(settings(centre, group="-77777"))
        async with inside(late):
            assert call.seats.keys() == {3}, "asked for by the number that it had"


async def test_a_small_group_that_waits_for_a_voice_chat_is_followed_too(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.rooms.telegram_stay._NO_CALL_EVERY", 0.5)
    async with world(host) as centre:
        small = centre.groups[77_777] = Group(77_777, "", "Small", {1, 2, 3, 4}, {1}, small=True)
        site = rig_of(settings(centre, group="-77777"))
        async with inside(site, wait=False):
            await site.until(lambda: site.phase is LinkPhase.RECONNECTING, 20)
            call = centre.start_call(await centre.migrate(small, 2000))
            await site.in_room(20)
            assert call.seats.keys() == {3}


async def test_what_happens_in_other_groups_wakes_nobody(host: str) -> None:
    async with world(host, call=False) as centre:
        other = centre.groups[3000] = Group(3000, "others", "Others", {1, 2, 3, 4}, {1})
        site = rig_of(settings(centre))
        async with inside(site, wait=False):
            await site.until(lambda: site.phase is LinkPhase.RECONNECTING, 20)
            before = asked(centre, "GetFullChannel")
            for _ in range(20):
                call = centre.start_call(other)
                centre.tell(other, call, Seat(centre.people[2], 77))
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.5)
            assert asked(centre, "GetFullChannel") <= before + 1, "but what it asks by itself"
            centre.start_call(centre.groups[GROUP])
            await site.in_room(5)


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
            heard = await friend.listen(4.0)
            gaps = [power(part, 440) < -20 for part in np.split(heard, 20)]
            assert sum(gaps) <= 10, "no more than a busy machine makes by itself"
            await site.until(lambda: asked(centre, "CheckGroupCall"), 10)
            await asyncio.sleep(0.5)
        assert [event.phase for event in site.told(contract.PhaseChanged)] == [LinkPhase.CONNECTING, LinkPhase.IN_ROOM]
        assert site.engine.counters["joins"] == 1


async def test_with_another_address_of_the_device_the_voice_chat_is_joined_anew(host: str) -> None:
    async with world(host) as centre:
        site, friend = rig_of(settings(centre)), rig_of(settings(centre, who=2))
        async with inside(site, friend):
            site.open(tone(440))
            await friend.hear(440)
            assert isinstance(site.engine, TelegramEngine)
            site.engine.route_changed()
            await site.until(lambda: site.engine.counters["joins"] == 2, 20)
            await site.in_room(20)
            await friend.hear(440, 10)


async def test_media_that_is_cut_is_noticed_though_telegram_still_lists_it(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("telegram_media", "telegram_stay"):
        monkeypatch.setattr(f"appliance.rooms.{module}.SILENT", 4.0)
    monkeypatch.setattr("appliance.rooms.telegram._CHECKED", 4.0)
    async with world(host) as centre:
        site, friend = rig_of(settings(centre)), rig_of(settings(centre, who=2))
        async with inside(site, friend):
            site.open(tone(440))
            await friend.hear(440)
            call = the_call(centre)[1]
            await asyncio.sleep(5.0)
            assert site.phase is LinkPhase.IN_ROOM, "checks come though nobody speaks to it"
            call.sfu.cut(call.seats[3].source, off=True)
            await site.until(lambda: site.phase is LinkPhase.RECONNECTING, 30)
            await site.in_room(40)
            await friend.hear(440, 20)
        assert site.engine.counters["joins"] == 2


async def test_after_an_absence_everybody_is_told_anew(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.rooms.staying._ABSENT", 0.0)
    async with world(host) as centre:
        site, friend = rig_of(settings(centre)), rig_of(settings(centre, who=2))
        async with inside(site, friend):
            await site.until(lambda: member_of(site, "friend"))
            before = len(site.events)
            centre.faults["CheckGroupCallRequest"] = [(500, "NO_WORKERS_RUNNING")] * 9
            for wire in [wire for wire in centre.wires if wire.user == 3]:
                wire.close()
            await site.until(lambda: site.told(contract.PhaseChanged)[-1].phase is LinkPhase.RECONNECTING, 20)
            centre.faults.clear()
            await site.in_room(20)
            await site.until(
                lambda: (
                    {e.member.id for e in site.events[before:] if isinstance(e, contract.MemberChanged)}
                    == {"friend", "kontor"}
                )
            )


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


async def test_a_process_that_hangs_is_ended_and_what_waited_for_it_is_not_said_afterwards(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.rooms.telegram_media._HANGS", 2.0)
    async with world(host) as centre:
        site, friend = rig_of(settings(centre)), rig_of(settings(centre, who=2))
        async with inside(site, friend):
            site.open(tone(440))
            await friend.hear(440)
            assert isinstance(site.engine, TelegramEngine)
            pid = site.engine._sound.media.pid
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(0.3)
            site.close()
            await asyncio.sleep(0.7)
            os.kill(pid, signal.SIGCONT)
            assert loudness((await friend.listen(1.0))[24_000:]) < -80
            assert site.engine.counters["blocks_late"] > 0
            os.kill(pid, signal.SIGSTOP)
            await site.until(lambda: site.engine.counters["library_starts"] == 2, 20)
            await site.in_room(20)
            site.open(tone(440))
            await friend.hear(440, 10)
            assert site.engine.counters["proof_violations"] == 0


async def test_a_process_that_never_says_that_it_is_ready_is_started_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "hangs.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("appliance.rooms.telegram_media._STARTS", 0.5)
    monkeypatch.setattr("appliance.rooms.telegram_media._ENDS", 0.1)
    monkeypatch.setattr("appliance.rooms.telegram_media.CHILD", "hangs")
    media = Media(Counters(), lambda _why, _count: None)
    pids = []
    for _ in range(2):
        with pytest.raises(Lost):
            await media.start()
        pids.append(media.pid)
    await media.close()
    assert pids[0] != pids[1]
    for pid in pids:
        assert pid is not None
        assert not alive(pid)


async def test_the_process_ends_when_its_parent_is_killed(host: str) -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    os.kill(child, 0)
    parent.kill()
    await parent.wait()
    await until(lambda: not alive(child))


PARENT = """
import asyncio
from appliance.core.counters import Counters
from appliance.rooms.telegram_media import Media

async def main():
    media = Media(Counters(), lambda why, count: None)
    await media.start()
    print(media.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


# ---- what Telegram refuses


async def test_an_answer_of_a_later_telegram_is_told_as_such_and_asked_for_again(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(host) as centre:
        whole = centre.on_get_full_channel
        answers = iter([b"\x01\x02\x03\x04" * 8])

        async def later(request: Any, wire: Any) -> Any:
            return next(answers, None) or await whole(request, wire)

        monkeypatch.setattr(centre, "on_get_full_channel", later)
        site = rig_of(settings(centre))
        async with inside(site):
            told = [event.why for event in site.told(contract.PhaseChanged)]
            assert [why for why in told if "an update is needed" in why]


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
