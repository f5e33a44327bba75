"""libwebrtc for node with Medooze's clients: they trickle their candidates as soon as they have them."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from appliance.core.events import EventName
from tests.host.harness import ROOM, House, house, token
from tests.outside.ears import anna_in, hears, humming
from tests.outside.packages import MODULES, package
from tests.support import until
from tests.support.need import need

SCRIPT = Path(__file__).with_name("node_client.mjs")


class Client:
    """A client in a process of its own, and what it told."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.told: list[dict[str, Any]] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.told.append(json.loads(line))

    async def tells(self, what: Callable[[dict[str, Any]], bool]) -> None:
        await until(lambda: any(what(message) for message in self.told), 20)

    async def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), 5)
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        await self._reading

    def status_of(self, method: str) -> set[int]:
        return {message["status"] for message in self.told if message.get("method") == method}


@asynccontextmanager
async def client(home: House, kind: str, hertz: int) -> AsyncIterator[Client]:
    node = need("node", "node runs this client")
    package("@roamhq/wrtc")
    package("whip-whep")
    arguments = [str(MODULES), kind, home.url(f"/rooms/{ROOM}/{kind}"), token("node"), str(hertz)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(node, str(SCRIPT), *arguments, stdin=pipe, stdout=pipe)
    found = Client(process)
    try:
        yield found
    finally:
        await found.stop()


async def test_node_speaks(tmp_path: Path) -> None:
    async with house(tmp_path) as home, anna_in(home) as (anna, seen):
        async with client(home, "whip", 550) as node:
            await hears(anna, 550)
            assert node.status_of("POST") == {201}
            await node.tells(lambda message: message.get("method") == "PATCH")
            assert node.status_of("PATCH") == {204}
            await until(lambda: (seen.level("node") or -127) > -60)
        await until(lambda: seen.of("left"), 10)
        assert home.told(EventName.MEMBER_LEFT)[0].fields["why"] in {"left", "closed"}


async def test_node_hears(tmp_path: Path) -> None:
    async with house(tmp_path) as home, anna_in(home) as (anna, seen), humming(anna, 330):
        async with client(home, "whep", 330) as node:
            await node.tells(lambda message: message.get("heard", {}).get("share", 0) > 0.9)
            assert any(message["heard"]["rms"] > 1000 for message in node.told if "heard" in message)
            assert node.status_of("PATCH") == {204}
            member = seen.member("node")
            assert member is not None
            assert member["role"] == "listener"
        await until(lambda: seen.of("left"), 10)
