"""A room of one's own, as docs/start.md tells: keys, ``kontor host``, a device that joins, an invitation that lets in."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.e2e.rig import ROOT, Device, until


async def kontor(*arguments: str, code: int = 0) -> str:
    """Run a command; gives what it printed on both outputs, and checks its exit code."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "appliance", *arguments),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    text, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == code, text.decode()
    return text.decode()


@asynccontextmanager
async def host(config: Path) -> AsyncIterator[None]:
    """``kontor host`` until the end of the block; SIGTERM has to end it with 0."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "appliance", "host", "--config", str(config)),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0


def settings(folder: Path, port: int, more: str = "") -> Path:
    path = folder / "host.toml"
    path.write_text(f"""schema = 1
[device]
state_dir = "{folder}/host"
runtime_dir = "{folder}/run"
[host]
port = {port}
{more}""")
    return path


async def members(config: Path) -> int:
    """How many members the host counts as connected, or -1 while it does not answer."""
    try:
        state = json.loads(await kontor("host", "state", "--json", "--config", str(config)))
    except AssertionError:
        return -1
    return sum(room["connected"] for room in state["rooms"])


async def is_up(config: Path) -> bool:
    return await members(config) >= 0


async def test_a_room_of_ones_own(short_dir: Path, free_port: int) -> None:
    device = Device(short_dir, "amber", free_port, "silence")
    key = (await kontor("key", "--config", str(device.config))).strip()
    config = settings(
        short_dir,
        free_port,
        f"""[[host.rooms]]
id = "studio"
title = "Studio"
[[host.devices]]
id = "amber"
name = "Amber"
room = "studio"
public_key = "{key}"
""",
    )
    await kontor("config", "check", "--config", str(config))
    async with host(config):
        await until(lambda: is_up(config))
        printed = await kontor("host", "link", "studio", "--name", "Ada", "--config", str(config))
        link = next(line for line in printed.splitlines() if line.startswith("http"))
        assert link.startswith(f"http://localhost:{free_port}/studio#")
        await device.start()
        await until(device.in_room)
        assert await members(config) == 1
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(f"http://127.0.0.1:{free_port}/rooms/studio/presence") as presence,
        ):
            await presence.send_json({"type": "hello", "v": 1, "token": link.split("#")[1]})
            welcome = json.loads(await presence.receive_str())
        assert welcome["you"]["name"] == "Ada"
        assert [member["name"] for member in welcome["members"]] == ["Amber"]
        assert await device.stop() == 0

        async def empty() -> bool:
            return await members(config) == 0

        await until(empty, 5)


async def test_a_host_without_a_room_or_with_a_taken_port_is_refused(short_dir: Path, free_port: int) -> None:
    assert "[[host.rooms]]" in await kontor("host", "--config", str(settings(short_dir, free_port)), code=78)
    await kontor("config", "new-key", str(short_dir / "k"))
    config = settings(short_dir, free_port, f'[[host.rooms]]\nid = "a"\nkey_files = {{ k = "{short_dir}/k" }}\n')
    async with host(config):
        await until(lambda: is_up(config))
        assert "[host] listen and port" in await kontor("host", "--config", str(config), code=78)


async def test_rooms_in_several_processes_are_looked_after_alike(short_dir: Path, free_port: int) -> None:
    config = settings(short_dir, free_port, 'processes = 2\n[[host.rooms]]\nid = "a"\n[[host.rooms]]\nid = "b"\n')
    async with host(config):
        await until(lambda: is_up(config))
        state = json.loads(await kontor("host", "state", "--json", "--config", str(config)))
        assert [room["id"] for room in state["rooms"]] == ["a", "b"]
        for room in ("a", "b"):
            made = (await kontor("host", "key", "new", room, "--config", str(config))).split()[0]
            link = await kontor("host", "link", room, "--name", "Ada", "--json", "--config", str(config))
            assert json.loads(link)["key_id"] == made
            assert "Nobody is here." in await kontor("host", "member", "list", room, "--config", str(config))
