"""Two LiveKit nodes over a real Redis: a member of each hears the other, and what becomes of them when something dies.

The library's threads stay in the network in which the library was woken, so the members are in a process of their own.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.engines.nodes import Nodes

pytestmark = [pytest.mark.engines, pytest.mark.slow, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]


class Two:
    """Two members in one process (tests/engines/two_members.py), which tells when they hear each other."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.said: list[str] = []

    async def tells(self, line: str, seconds: float) -> float:
        """Wait until it says this; how long that took."""
        began = time.monotonic()
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(seconds):
                while raw := await self._process.stdout.readline():
                    self.said.append(raw.decode().rstrip())
                    if self.said[-1].startswith(line):
                        return time.monotonic() - began
        except TimeoutError:
            pass
        raise AssertionError(f"not {line!r} within {seconds} s:\n" + "\n".join(self.said[-40:]))


@asynccontextmanager
async def two(nodes: Nodes, folder: Path, *urls: str) -> AsyncIterator[Two]:
    """Ann and Bob, with the addresses that each has in its list, "first,second" and "second,first"."""
    with nodes.inside("members"), (folder / "members.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.engines.two_members", *urls),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
        )
    try:
        yield Two(process)
    finally:
        process.kill()
        await process.wait()


def addresses(nodes: Nodes) -> tuple[str, str]:
    one, two_ = nodes.url("one"), nodes.url("two")
    return f"{one},{two_}", f"{two_},{one}"


async def test_a_member_on_each_node_hears_the_other_and_comes_back_when_the_rooms_node_dies(tmp_path: Path) -> None:
    with Nodes(tmp_path) as nodes:
        async with two(nodes, tmp_path, *addresses(nodes)) as members:
            await members.tells("both hear", 60)
            holder = nodes.holder()
            await asyncio.sleep(2)
            nodes.kill(holder)
            await members.tells("not both", 40)
            took = await members.tells("both hear", 60)
            print(f"the room's node killed: both heard each other {took:.1f} s after they had not")
            nodes.start(holder)
            await asyncio.sleep(1)


async def test_a_redis_that_dies_and_comes_back_takes_the_room_away_and_gives_it_back(tmp_path: Path) -> None:
    with Nodes(tmp_path) as nodes:
        async with two(nodes, tmp_path, *addresses(nodes)) as members:
            await members.tells("both hear", 60)
            await asyncio.sleep(2)
            nodes.kill("redis")
            await members.tells("not both", 60)
            await asyncio.sleep(5)
            nodes.start("redis")
            took = await members.tells("both hear", 90)
            print(f"Redis back: both heard each other {took:.1f} s later")


@pytest.mark.parametrize("longer", [2.0, 4.0, 8.0, 9.0, 10.0])
async def test_a_cable_that_was_out_is_mended_within_five_seconds_whenever_it_is_plugged_in(
    tmp_path: Path, longer: float
) -> None:
    """Also just as the library tries to come back by itself: then it has its tracks still, and tells nothing of them."""
    with Nodes(tmp_path) as nodes:
        async with two(nodes, tmp_path, *addresses(nodes)) as members:
            await members.tells("both hear", 60)
            await asyncio.sleep(2)
            nodes.pull_cable("members")
            await members.tells("ann reconnecting", 14)
            await asyncio.sleep(longer)
            nodes.plug_in("members")
            took = await members.tells("both hear", 60)
            print(f"a cable out for about {longer + 6:.0f} s: both heard each other {took:.1f} s after it was in again")
            assert took < 5
