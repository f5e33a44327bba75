"""The way up to a library that takes blocks on the loop: what leaves, and what does not."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import numpy as np

from appliance.core.counters import Counters
from appliance.core.units import BLOCK, Pcm
from appliance.rooms.block_proof import BlockProof
from appliance.rooms.livekit_uplink import BlockUplink


def block(number: int) -> Pcm:
    return np.full(BLOCK, 1000 + number, np.int16)


class Library:
    """Takes blocks, as slowly as it is told."""

    def __init__(self) -> None:
        self.took: list[int] = []
        self.emptied = 0
        self.ready = asyncio.Event()
        self.ready.set()

    def take(self, pcm: Pcm) -> Awaitable[object]:
        self.took += [int(block[0]) - 1000 for block in pcm.reshape(-1, BLOCK)]
        return self.ready.wait()

    def empty(self) -> None:
        self.emptied += 1


class Desk:
    def __init__(self) -> None:
        self.counters, self.proof, self.library = Counters(), BlockProof(), Library()
        self.uplink = BlockUplink(self.proof, self.counters)

    @asynccontextmanager
    async def attached(self) -> AsyncIterator[None]:
        running = asyncio.create_task(self.uplink.run(self.library))
        await asyncio.sleep(0)
        try:
            yield
        finally:
            running.cancel()
            await asyncio.wait([running])

    async def takes(self, *blocks: Pcm | None) -> None:
        for each in blocks:
            await asyncio.to_thread(self.uplink.take, each)
        await settled()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_blocks_leave_in_their_order_and_none_is_kept() -> None:
    desk = Desk()
    async with desk.attached():
        await desk.takes(*(block(n) for n in range(5)))
        assert desk.library.took == [0, 1, 2, 3, 4]
        assert desk.counters.get("blocks_sent") == 5
    assert desk.proof.violations == 0


async def test_what_waits_when_the_gate_closes_does_not_leave_and_the_librarys_queue_is_emptied() -> None:
    desk = Desk()
    async with desk.attached():
        desk.library.ready.clear()
        await desk.takes(block(0), block(1), block(2))
        assert desk.library.took == [0]
        await desk.takes(None)
        desk.library.ready.set()
        await settled()
        assert desk.library.took == [0]
        assert desk.library.emptied == 1
        await desk.takes(None, None)
        assert desk.library.emptied == 1, "once is enough"
        desk.uplink.check()
        await desk.takes(block(7))
        assert desk.library.took == [0, 7]
    assert desk.proof.state.left_closed == 0
    assert desk.proof.violations == 0


async def test_a_loop_that_is_late_loses_the_oldest_blocks_and_gathers_no_delay() -> None:
    desk = Desk()
    async with desk.attached():
        desk.library.ready.clear()
        await desk.takes(*(block(n) for n in range(20)))
        desk.library.ready.set()
        await settled()
        assert desk.library.took == [0, 14, 15, 16, 17, 18, 19]
        assert desk.counters.get("blocks_late") == 13
    assert desk.proof.violations == 0


async def test_without_a_room_nothing_is_kept_for_later() -> None:
    desk = Desk()
    await desk.takes(block(1), block(2))
    async with desk.attached():
        await settled()
        assert desk.library.took == []
        await desk.takes(block(3))
    await desk.takes(block(4))
    async with desk.attached():
        await settled()
    assert desk.library.took == [3]


async def test_after_a_violation_nothing_leaves() -> None:
    desk = Desk()
    async with desk.attached():
        desk.proof.forbid(True)
        await desk.takes(block(0), block(1), block(2))
        assert desk.library.took == [0], "the first may be of a moment before"
        assert desk.proof.violations >= 1
        desk.proof.forbid(False)
        await desk.takes(block(3))
        assert desk.library.took == [0]
        assert desk.counters.get("blocks_withheld") >= 2


async def test_the_block_that_leaves_is_the_one_that_came_whatever_becomes_of_the_callers_array() -> None:
    desk = Desk()
    async with desk.attached():
        array = block(5)
        await asyncio.to_thread(desk.uplink.take, array)
        array.fill(0)
        await settled()
        assert desk.library.took == [5]


async def test_a_gate_that_closes_during_a_hand_over_waits_for_it_and_empties_the_librarys_queue_after_it() -> None:
    """Else what was let out a moment before could reach the library after its queue was emptied."""
    desk = Desk()
    order: list[str] = []

    def close() -> None:
        desk.uplink.take(None)
        order.append("closed")

    closing = threading.Thread(target=close)
    taken, emptied = desk.library.take, desk.library.empty

    def take(pcm: Pcm) -> Awaitable[object]:
        closing.start()
        closing.join(0.2)
        order.append("handed over")
        return taken(pcm)

    def empty() -> None:
        order.append("emptied")
        emptied()

    desk.library.take, desk.library.empty = take, empty  # type: ignore[method-assign]
    async with desk.attached():
        await desk.takes(block(0))
        await asyncio.to_thread(closing.join)
        await settled()
    assert order[0] == "handed over"
    assert sorted(order[1:]) == ["closed", "emptied"]
    assert desk.proof.violations == 0
