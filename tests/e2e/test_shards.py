"""``kontor host`` with two processes: one is killed and comes back alone, and none outlives the front."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from appliance.core.protocol import Claims, issue
from tests.e2e.rig import ROOT, until

KEY = b"s" * 32
ROOMS = ("one", "two")


@contextlib.asynccontextmanager
async def front(folder: Path, port: int, more: str = "") -> AsyncIterator[asyncio.subprocess.Process]:
    """``kontor host`` with a room in each of two shards; killed at the end."""
    key = folder / "room.key"
    key.touch(mode=0o600)
    key.write_bytes(KEY)
    rooms = "".join(f'[[host.rooms]]\nid = "{room}"\nkey_files = {{ k1 = "{key}" }}\n' for room in ROOMS)
    config = folder / "host.toml"
    config.write_text(f"""schema = 1
[device]
state_dir = "{folder}/state"
runtime_dir = "{folder}"
[host]
port = {port}
processes = 2
{rooms}{more}""")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "appliance", "host", "--config", str(config)),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def shards(parent: int) -> dict[str, int]:
    """The pids of a front's shards, by their number."""
    found = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if int(stat[1]) == parent and b"--shard" in words:
                found[words[words.index(b"--shard") + 1].decode()] = int(entry.name)
    return found


async def watches(http: aiohttp.ClientSession, port: int, room: str) -> aiohttp.ClientWebSocketResponse | None:
    """A presence socket that was welcomed; None when there is no room to be had."""
    token = issue(Claims(room, "ada", "Ada", "speaker", "person", 2**40, "k1"), KEY)
    try:
        socket = await http.ws_connect(f"http://127.0.0.1:{port}/rooms/{room}/presence")
        await socket.send_json({"type": "hello", "v": 1, "token": token})
        message = await socket.receive(5)
    except (aiohttp.ClientError, TimeoutError):
        return None
    return socket if message.type is aiohttp.WSMsgType.TEXT else None


async def test_a_shard_that_is_killed_comes_back_alone(short_dir: Path, free_port: int) -> None:
    async with front(short_dir, free_port) as host, aiohttp.ClientSession() as http:
        sockets: dict[str, aiohttp.ClientWebSocketResponse | None] = {}

        async def both() -> bool:
            for room in ROOMS:
                sockets[room] = sockets.get(room) or await watches(http, free_port, room)
            return all(sockets.values())

        await until(both)
        before = shards(host.pid)
        assert set(before) == {"0", "1"}
        os.kill(before["0"], signal.SIGKILL)
        lost, kept = sockets["one"], sockets["two"]
        assert lost is not None
        assert kept is not None
        while (await lost.receive(10)).type is aiohttp.WSMsgType.TEXT:
            pass
        assert lost.close_code == 1012
        sockets["one"] = None
        await until(both)
        after = shards(host.pid)
        assert after["0"] != before["0"]
        assert after["1"] == before["1"]
        await kept.send_json({"type": "knock"})
        assert (await kept.receive_json(timeout=5))["type"] == "knock"


async def test_none_outlives_the_front(short_dir: Path, free_port: int) -> None:
    async with front(short_dir, free_port) as host:

        async def there() -> bool:
            return len(shards(host.pid)) == 2

        await until(there)
        pids = shards(host.pid).values()
        host.kill()
        await host.wait()

        async def gone() -> bool:
            return not any(Path(f"/proc/{pid}").exists() for pid in pids)

        await until(gone)
