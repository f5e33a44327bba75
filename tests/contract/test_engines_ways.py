"""The room contract, over every engine: coming, going, and whatever comes between."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.core.lamps import LinkPhase
from appliance.core.units import BLOCK
from appliance.rooms.contract import PhaseChanged
from tests.contract.harness import Pace, Room, Server, together
from tests.contract.rig import Rig, loudness, member_of, power, steady, tone

short = pytest.mark.short
"""A test that runs over every engine in ``make test``; the others do so in ``make test-engines``."""


async def test_leaving_is_quick_and_orderly(room: Room, pace: Pace) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(friend):
        await site.start()
        await friend.until(lambda: member_of(friend, site.identity))
        loop = asyncio.get_running_loop()
        began = loop.time()
        await site.engine.leave()
        assert loop.time() - began < 1.0
        await friend.until(lambda: member_of(friend, site.identity) is None, pace.leaves)
        await site.until(lambda: site.phase is LinkPhase.LEFT)
        await site.stop()


async def test_a_newer_session_of_the_same_identity_replaces_the_older(room: Room) -> None:
    older, newer, friend = room.site(), room.site(), room.person("friend")
    async with together(older, friend):
        await newer.start()
        try:
            await older.until(lambda: older.refusal)
            assert older.phase is LinkPhase.REFUSED
            newer.open(tone(440))
            await friend.hear(440)
            await asyncio.sleep(1.5)
            assert newer.phase is LinkPhase.IN_ROOM
            assert len(newer.told(PhaseChanged)) == 2, newer.told_text()
            assert steady(await friend.listen(0.5), 440) > -10
        finally:
            await newer.stop()


@short
async def test_strangers_are_refused_for_good_and_no_secret_is_told(room: Room) -> None:
    for what, engine in room.strangers().items():
        rig = Rig(engine, "stranger")
        await rig.start(wait=False)
        try:
            await rig.refused()
        finally:
            await rig.stop()
        assert rig.phase is LinkPhase.REFUSED, what
        sentence = str(rig.refusal)
        assert "SECRET" not in sentence
        assert sentence.endswith("."), sentence


async def test_a_server_that_is_killed_and_started_again_is_found_again(mortal: Server, pace: Pace) -> None:
    room = mortal.room()
    site, friend = room.site(), room.person("friend")
    loop = asyncio.get_running_loop()
    async with together(site, friend):
        site.open(tone(440))
        await friend.hear(440)
        await asyncio.to_thread(mortal.kill)
        await site.until(lambda: site.phase is LinkPhase.RECONNECTING, pace.hangs)
        await asyncio.sleep(0.5)
        assert loudness(await friend.listen(0.3)) < -80
        await asyncio.to_thread(mortal.start)
        started = loop.time()
        await asyncio.gather(site.in_room(pace.back + 5), friend.in_room(pace.back + 5))
        await friend.hear(440)
        assert loop.time() - started < pace.back
    assert site.engine.counters["link_losses"] >= 1
    assert site.engine.counters["proof_violations"] == 0


async def test_a_server_that_hangs_is_noticed(mortal: Server, pace: Pace) -> None:
    site = mortal.room().site()
    async with together(site):
        with frozen(mortal):
            await site.until(lambda: site.phase is LinkPhase.RECONNECTING, pace.hangs)
        await site.in_room(pace.back + 4)


@contextlib.contextmanager
def frozen(server: Server) -> Iterator[None]:
    """The server exists and does nothing, as behind a cable that was pulled."""
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_three_minutes_without_a_gap_a_leak_or_growth(room: Room, pace: Pace) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        site.open(tone(440))
        friend.open(tone(880))
        await site.hear(880)
        await friend.hear(440)
        await asyncio.sleep(20)  # whatever is made once is made by now
        tasks, threads, memory = len(asyncio.all_tasks()), threading.active_count(), resident()
        heard = (await site.listen(160)).reshape(-1, 5 * BLOCK)
        quiet = [at for at, part in enumerate(heard) if power(part, 880) < -12]
        assert len(quiet) <= pace.slips, f"{len(quiet)} of {len(heard)} parts of 50 ms are gaps"
        assert (len(asyncio.all_tasks()), threading.active_count()) == (tasks, threads)
        # The ears of both keep what they hear, and of one it is there once more: 3 x 192 kB a second.
        assert resident() - memory < 3 * 160 * 0.2 + 8, "MiB"
    assert site.engine.counters["proof_violations"] == 0


def resident() -> float:
    """Memory of this process, MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
