"""libwebrtc for node with Medooze's clients: they trickle their candidates as soon as they have them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from appliance.core.events import EventName
from tests.host.harness import ROOM, House, house, token
from tests.outside.ears import anna_in, hears, humming
from tests.outside.packages import MODULES, package
from tests.outside.processes import Client, node
from tests.support import until


@asynccontextmanager
async def medooze(home: House, kind: str, hertz: int) -> AsyncIterator[Client]:
    package("@roamhq/wrtc")
    package("whip-whep")
    url = home.url(f"/rooms/{ROOM}/{kind}")
    async with node("node_client.mjs", MODULES, kind, url, token("node"), hertz) as client:
        yield client


async def test_node_speaks(tmp_path: Path) -> None:
    async with house(tmp_path) as home, anna_in(home) as (anna, seen):
        async with medooze(home, "whip", 550) as client:
            await hears(anna, 550)
            assert client.status_of("POST") == {201}
            await client.tells(lambda message: message.get("method") == "PATCH")
            assert client.status_of("PATCH") == {204}
            await until(lambda: (seen.level("node") or -127) > -60)
        await until(lambda: seen.of("left"), 10)
        assert home.told(EventName.MEMBER_LEFT)[0].fields["why"] in {"left", "closed"}


async def test_node_hears(tmp_path: Path) -> None:
    async with house(tmp_path) as home, anna_in(home) as (anna, seen), humming(anna, 330):
        async with medooze(home, "whep", 330) as client:
            await client.tells(lambda message: message.get("heard", {}).get("share", 0) > 0.9)
            assert any(message["heard"]["rms"] > 1000 for message in client.told if "heard" in message)
            assert client.status_of("PATCH") == {204}
            member = seen.member("node")
            assert member is not None
            assert member["role"] == "listener"
        await until(lambda: seen.of("left"), 10)
