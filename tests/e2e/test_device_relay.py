"""A device behind a firewall: directly where UDP passes, through the relay where it does not, over TCP where no UDP does."""

import asyncio
import base64
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from appliance.app.panels import VIRTUAL_PANEL
from appliance.health.status import ask
from appliance.rooms.device_key import DeviceKey
from tests.e2e.afar import PORT, Afar, afar
from tests.e2e.nets import PUBLIC, running
from tests.e2e.rig import ROOT
from tests.e2e.test_from_afar import hears, stock
from tests.host.harness import ROOM
from tests.support import until

DEVICE = "amber"


def listed(folder: Path) -> str:
    """The device in the host's settings."""
    state = folder / DEVICE / "state" / "link"
    state.mkdir(parents=True)
    key = base64.b64encode(DeviceKey.load_or_make(state).public).decode()
    return f'[[host.devices]]\nid = "{DEVICE}"\nname = "Amber"\nroom = "{ROOM}"\npublic_key = "{key}"\n'


@asynccontextmanager
async def device(rig: Afar, folder: Path, use: str) -> AsyncIterator[None]:
    """``kontor run`` in the member's network."""
    config = folder / DEVICE / "kontor.toml"
    config.write_text(f"""schema = 1
[device]
name = "Amber"
id = "{DEVICE}"
state_dir = "{folder}/{DEVICE}/state"
runtime_dir = "{folder}/{DEVICE}"
[room]
url = "https://{PUBLIC}:{PORT}"
id = "{ROOM}"
ca_file = "{rig.ca_file}"
relay = "{use}"
[audio]
microphone = "tone:440"
[panel]
kind = "virtual"
""")
    given = ("env", f"{VIRTUAL_PANEL}=1", f"PYTHONPATH={ROOT}")
    command = rig.nets.command("member", *given, sys.executable, "-m", "appliance", "run", "--config", str(config))
    async with running(*command, log=folder / f"{DEVICE}.log"):
        yield


async def status(folder: Path, part: str) -> dict[str, Any]:
    try:
        return dict(await asyncio.to_thread(ask, folder / DEVICE / f"{part}.status", {"do": "status"}, 1.0))
    except OSError:
        return {}


async def hears_on(folder: Path) -> None:
    """Wait until the device's loudspeaker plays something, in a connection that has not just ended."""
    async with asyncio.timeout(20):
        while not ((await status(folder, "sound")).get("loudspeaker", -127) > -45):
            await asyncio.sleep(0.05)


def allocations(rig: Afar) -> int:
    """How often the relay let the device in."""
    lines = rig.relay_log.read_text(errors="replace").splitlines()
    return sum(f":{DEVICE}>" in line and "ALLOCATE processed, success" in line for line in lines)


async def more_allocations(rig: Afar, before: int) -> None:
    await until(lambda: allocations(rig) > before, 20, "the relay is not asked")


async def test_a_device_finds_its_way_by_itself(short_dir: Path) -> None:
    async with afar(short_dir, ("udp", "tcp"), listed(short_dir)) as rig, stock(rig, "inet", "near", 880) as (near, _):
        rig.nets.let_out("all")
        async with device(rig, short_dir, "when_needed"):
            await asyncio.gather(hears(near, 440), hears_on(short_dir))
            assert allocations(rig) == 0, "nothing is asked of the relay where UDP passes"
            for lets in ("relay", "nothing"):
                before = allocations(rig)
                rig.nets.let_out(lets)
                await more_allocations(rig, before)
                for heard in near.sound:
                    heard.clear()
                await asyncio.gather(hears(near, 440), hears_on(short_dir))
            link = await status(short_dir, "link")
            assert link["phase"] == "in_room"
            assert link["proof"]["violations"] == 0
        log = rig.relay_log.read_text(errors="replace").splitlines()
        given_back = [line for line in log if f":{DEVICE}>" in line and "REFRESH processed, success" in line]
        assert given_back, "what the relay gave is given back"


async def test_a_relay_always_or_never(short_dir: Path) -> None:
    async with afar(short_dir, ("udp",), listed(short_dir)) as rig, stock(rig, "inet", "near", 880) as (near, _):
        rig.nets.let_out("all")
        async with device(rig, short_dir, "always"):
            await asyncio.gather(hears(near, 440), hears_on(short_dir))
            assert allocations(rig) == 1
        rig.nets.let_out("relay")
        async with device(rig, short_dir, "never"):
            why = ""
            async with asyncio.timeout(20):
                while "firewall" not in why:
                    why = (await status(short_dir, "link")).get("why", "")
                    await asyncio.sleep(0.1)
            assert allocations(rig) == 1
