"""Turns of those who write: a few at a time, in their order, and the loop's sockets in between."""

import asyncio

from appliance.host.turns import AT_ONCE, Turns


async def test_all_are_woken_in_their_order_a_few_in_each_turn_of_the_loop() -> None:
    turns, wakes = Turns(), [asyncio.Event() for _ in range(3 * AT_ONCE + 1)]
    for wake in wakes:
        turns.ask(wake)
        turns.ask(wake)
    counts = []
    for _ in range(5):
        await asyncio.sleep(0)
        counts.append(sum(wake.is_set() for wake in wakes))
        assert [wake.is_set() for wake in wakes] == sorted((wake.is_set() for wake in wakes), reverse=True)
    assert counts == [AT_ONCE, 2 * AT_ONCE, 3 * AT_ONCE, 3 * AT_ONCE + 1, 3 * AT_ONCE + 1]


async def test_who_asks_again_after_its_turn_gets_another() -> None:
    turns, wake, other = Turns(), asyncio.Event(), asyncio.Event()
    turns.ask(wake)
    await asyncio.sleep(0)
    assert wake.is_set()
    wake.clear()
    turns.ask(other)
    turns.ask(wake)
    await asyncio.sleep(0)
    assert wake.is_set()
    assert other.is_set()
