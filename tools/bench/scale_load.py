"""Members of several hosts' rooms in one process, for ``make bench-scale``: listeners and talkers that really join.

``python -m tools.bench.scale_load SECONDS URL LISTENERS TALKERS [URL …]`` says ``joined``, waits for a line,
talks and listens for so many seconds, and says what arrived, as tools/bench/room_load.py does. All rooms have one key; it comes
in the environment.
"""

import asyncio
import os
import sys
from collections.abc import Sequence

import aiohttp

from tools.bench.light_member import Member, Way
from tools.bench.room_load import KEY, Load, joined, say, unmute


def rooms_of(words: Sequence[str]) -> list[tuple[str, int, int]]:
    """Address, listeners and talkers of each room.

    :raises ValueError: they do not come in threes, or a number is none.
    """
    if len(words) % 3:
        raise ValueError("Each room is an address, its listeners and its talkers.")
    return [(url, int(count), int(talkers)) for url, count, talkers in zip(*[iter(words)] * 3, strict=True)]


async def main(seconds: float, rooms: Sequence[tuple[str, int, int]]) -> None:
    """Join all, and let them talk once."""
    key = bytes.fromhex(os.environ[KEY])
    listeners: list[Member] = []
    talkers: list[Member] = []
    async with aiohttp.ClientSession() as http:
        sockets = []
        for url, count, talking in rooms:
            way = Way(url, key)
            listeners += await joined(http, way, [f"l{number}" for number in range(count)])
            some = await joined(http, way, [f"t{number}" for number in range(talking)], talk=True)
            sockets += [await unmute(http, way, one) for one in some]
            talkers += some
        say({"joined": len(listeners) + len(talkers)})
        await asyncio.to_thread(sys.stdin.readline)
        load = Load(listeners, talkers)
        reading = [asyncio.create_task(_read(each)) for each in sockets]
        await asyncio.to_thread(load.run, seconds)
        say(load.results())
        for task in reading:
            task.cancel()
        for each in sockets:
            await each.close()


async def _read(socket_: aiohttp.ClientWebSocketResponse) -> None:
    async for _ in socket_:
        pass


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), rooms_of(sys.argv[2:])))
