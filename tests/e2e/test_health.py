"""Real processes answer Prometheus, name nobody, and mend themselves when they are told to."""

import asyncio
import contextlib
import re
from pathlib import Path
from typing import Any

import aiohttp

from appliance.health.status import ask
from tests.e2e.rig import until
from tests.e2e.test_one_box import Box, Near
from tests.e2e.test_shards import front
from tests.host.harness import token
from tests.host.member import Member, Presence
from tests.support import ports

PERSON = "lena-brandt"


async def page(port: int) -> str:
    """The figures; empty while nobody answers."""
    with contextlib.suppress(aiohttp.ClientError):
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/metrics") as answer:
            return await answer.text()
    return ""


def value(figures: str, name: str) -> float | None:
    found = re.search(f"^{re.escape(name)} (.+)$", figures, re.MULTILINE)
    return float(found[1]) if found else None


async def test_a_box_tells_how_it_is_and_not_who_is_there(short_dir: Path, free_port: int) -> None:
    device, host = ports.free_port(), ports.free_port()
    box = Box(short_dir, free_port)
    with box.config.open("a") as config:
        config.write(f'[metrics]\nlisten = "127.0.0.1:{device}"\nhost_listen = "127.0.0.1:{host}"\n')
    await box.start()
    try:
        await until(box.in_room)
        async with aiohttp.ClientSession() as http:
            home = Near(http, free_port)
            async with Member(home, PERSON) as member, Presence(house=home, hello=token(PERSON)):
                await member.connect()

                async def counted() -> bool:
                    told = await page(host)
                    return value(told, "kontor_host_members") == 2 and value(told, "kontor_host_connected") == 2

                await until(counted)
                await box.panel(switch="closed")

                async def closed() -> bool:
                    return value(await page(device), 'kontor_gate_reason{reason="switch"}') == 1

                await until(closed)
                figures = await page(device)
                told = figures + await page(host)
        assert value(figures, 'kontor_link_phase{phase="in_room"}') == 1
        assert value(figures, 'kontor_up{part="sound"}') == 1
        assert value(figures, "kontor_gate_open") == 0
        assert (value(figures, 'kontor_packets_sent_total{part="link"}') or 0) > 0
        assert value(figures, 'kontor_mute_violations_total{engine="hosted"}') == 0
        assert (value(figures, "kontor_round_trip_seconds") or 0) > 0
        assert not re.search("lena|brandt|amber|studio", told)
    finally:
        await box.stop()


async def test_parts_start_anew_when_they_are_told_to(short_dir: Path, free_port: int) -> None:
    box = Box(short_dir, free_port)
    await box.start()
    try:
        await until(box.in_room)

        async def tell(part: str, how: str) -> Any:
            return await asyncio.to_thread(ask, box.folder / f"{part}.status", {"do": "mend", "how": how})

        pid = await box.pid("link")
        assert await tell("link", "rejoin") == {"mends": "rejoin"}
        await until(box.in_room)
        assert await box.pid("link") == pid, "it joined anew, and did not start anew"
        assert "error" in await tell("sound", "rejoin")
        for part in ("link", "sound"):
            before = await box.pid(part)
            assert await tell(part, "restart") == {"mends": "restart"}

            async def another(part: str = part, before: int = before) -> bool:
                return await box.pid(part) not in (0, before)

            await until(another)
        await until(box.in_room)

        async def is_open() -> bool:
            return await box.gate() == "open"

        await until(is_open)
    finally:
        assert await box.stop() == 0


async def test_a_host_in_several_processes_tells_of_all_of_them(short_dir: Path, free_port: int) -> None:
    port = ports.free_port()
    async with front(short_dir, free_port, f'[metrics]\nhost_listen = "127.0.0.1:{port}"'):

        async def both() -> bool:
            return value(await page(port), "kontor_host_rooms") == 2

        await until(both)
        assert value(await page(port), "kontor_host_members") == 0
