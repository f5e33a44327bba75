"""Calls of LiveKit's library: a limit on each, and nothing that it raises reaches further than the stay."""

import asyncio
from typing import Any

import pytest

pytest.importorskip("livekit")

from appliance.rooms.livekit_calls import Background, answered, begun, done, joined
from appliance.rooms.signalling import Lost


async def test_an_answer_is_given_back() -> None:
    async def call() -> int:
        await asyncio.sleep(0)
        return 7

    assert await answered(call(), 5, "It refused.") == 7


async def test_what_the_library_raises_is_lost_with_our_words_and_tried_again() -> None:
    async def call() -> None:
        await asyncio.sleep(0)
        raise Exception("SECRET")  # noqa: TRY002  # as the library does

    with pytest.raises(Lost, match=r"^It refused\.$") as lost:
        await answered(call(), 5, "It refused.")
    assert lost.value.fault.kind == "server"
    assert lost.value.__cause__ is None


async def test_no_answer_is_a_server_that_does_not_answer() -> None:
    with pytest.raises(Lost, match="does not answer") as lost:
        await answered(asyncio.get_running_loop().create_future(), 0.05, "It refused.")
    assert lost.value.fault.kind == "network"


async def test_a_call_has_begun_before_its_answer_is_waited_for() -> None:
    done: list[str] = []
    answers = asyncio.Event()

    async def call() -> str:
        done.append("asked")
        await answers.wait()
        await asyncio.sleep(0.01)
        done.append("answered")
        return "so"

    rest = begun(call())
    assert done == ["asked"]
    asyncio.get_running_loop().call_later(0.01, answers.set)
    assert await rest == "so"
    assert done == ["asked", "answered"]


async def test_a_call_that_waits_for_nothing_or_fails_at_once_tells_it_where_it_is_awaited() -> None:
    async def at_once() -> int:
        return 3

    async def fails() -> int:
        raise ValueError("at once")

    assert await begun(at_once()) == 3
    failed = begun(fails())
    with pytest.raises(ValueError, match="at once"):
        await failed


async def test_a_call_that_is_cancelled_cleans_up_after_itself() -> None:
    seen: list[str] = []

    async def call() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("cleaned")

    async def both() -> None:
        await begun(call())

    task = asyncio.create_task(both())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cleaned"]


async def test_a_joining_of_which_nobody_knows_any_more_is_closed_when_it_ends() -> None:
    given_up: list[str] = []
    late: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def joining() -> None:
        await late

    with pytest.raises(Lost, match="does not answer"):
        await joined(joining(), 0.05, lambda: given_up.append("closed"))
    assert given_up == []
    late.set_result(None)
    await asyncio.sleep(0.01)
    assert given_up == ["closed"]


async def test_a_joining_that_fails_says_why_and_is_not_closed() -> None:
    async def joining() -> None:
        raise ValueError("no such room")

    with pytest.raises(ValueError, match="no such room"):
        await joined(joining(), 5, lambda: pytest.fail("there is nothing to close"))


def test_what_the_library_raises_at_once_is_lost_too() -> None:
    def call(_number: int) -> int:
        raise AssertionError("SECRET")

    assert done(abs, -7) == 7
    with pytest.raises(Lost) as lost:
        done(call, 1)
    assert lost.value.fault.kind == "server"
    assert "SECRET" not in str(lost.value)
    assert lost.value.__cause__ is None


@pytest.mark.virtual_time
async def test_an_engine_that_ends_leaves_alone_what_another_is_closing() -> None:
    """A bridge has two."""
    ended: list[str] = []

    async def close(whose: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        ended.append(whose)

    one, other = Background(), Background()
    soon, late, mine = one.let(close("one", 1)), one.let(close("late", 10)), other.let(close("other", 5))
    await one.closed()
    assert ended == ["one"]
    assert soon.done()
    assert late.cancelled()
    await mine
    assert ended == ["one", "other"]
