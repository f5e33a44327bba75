"""A box without a room: it shows the one that is announced, joins after a press alone, and waits until it is let in.

Real commands and processes, and real multicast on this machine; as in test_admin.py nothing stands in for anything but sound
card and panel.
"""

import asyncio
import contextlib
import os
import shlex
from pathlib import Path

import pytest

from appliance.health.status import ask
from tests.e2e.rig import until
from tests.e2e.test_admin import Office
from tests.support import need

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def test_a_box_without_a_room_joins_after_a_press(short_dir: Path) -> None:
    need("module:zeroconf", "zeroconf is not installed")
    office = Office(short_dir)
    text = office.config.read_text()
    office.config.write_text(text.replace("[host]\n", '[host]\nannounce = "lobby"\n'))
    async with office.runs("host", "--config", "host.toml"), office.runs("run"):
        await until(lambda: sees_the_room(office), 60, every=0.5)
        status = await office.kontor("status", "--runtime", str(short_dir / "d"))
        assert "a room" in status and "hold ROOM for a second" in status
        lamps = (await office.says("sound"))["lamps"]
        assert (lamps["room"], lamps["fault"]) == ("off", "slow")
        await asyncio.sleep(5)
        assert (await office.says("link"))["phase"] == "left", "nothing joins by itself"
        assert not await asyncio.to_thread(listening, [(await office.says(part))["pid"] for part in ("sound", "link")])
        await asyncio.to_thread(ask, short_dir / "d" / "sound.status", {"do": "panel", "press": "knock"})
        device, key = await who_asks(office)
        assert (await office.says("link"))["key"] == key
        assert not await office.is_in_room()
        await office.kontor(*shlex.split(f"host device admit {device} --key '{key}' --config host.toml"))
        await until(office.is_in_room, 60)
        assert (await office.device())["id"] == device
        assert (await office.says("provision"))["config"]["state"] == "kept"
    async with office.runs("host", "--config", "host.toml"), office.runs("run"):
        await until(office.is_in_room, 60)


async def sees_the_room(office: Office) -> bool:
    said = await office.says("provision")
    return said.get("needs") == "a room" and [each["room"] for each in said.get("found", ())] == ["lobby"]


def listening(pids: list[int]) -> list[str]:
    """The TCP ports at which these processes and their siblings listen, and a UDP port of mDNS that one has open."""
    parents = {(Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1] for pid in pids}
    sockets = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if stat.read_text().rpartition(")")[2].split()[1] in parents:
                sockets |= {os.readlink(fd) for fd in (stat.parent / "fd").iterdir()}
    found = []
    for table, port in (("tcp", ""), ("tcp6", ""), ("udp", ":14E9"), ("udp6", ":14E9")):
        for line in (Path("/proc/net") / table).read_text().splitlines()[1:]:
            fields = line.split()
            mine = f"socket:[{fields[9]}]" in sockets
            if mine and (fields[1].endswith(port) if port else fields[3] == "0A"):
                found.append(f"{table} {fields[1]}")
    return found


async def who_asks(office: Office) -> tuple[str, str]:
    """Id and fingerprint of the one device that asks to be let in, as the keeper reads them."""
    shown = ""

    async def is_asking() -> bool:
        nonlocal shown
        shown = await office.kontor("host", "device", "list", "--config", "host.toml")
        return "asks to be let in" in shown

    await until(is_asking, 60, every=0.5)
    return shown.split(maxsplit=1)[0], shown.partition(", key ")[2].strip()
