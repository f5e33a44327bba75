"""The doctor where UDP is blocked, where only a relay helps, beside a running device, and on the server itself."""

import asyncio
import json
import os
import sys
from pathlib import Path

from tests.e2e.afar import Afar, afar
from tests.e2e.rig import ROOT, Rig
from tests.host.harness import ROOM, token


async def doctor(command: list[str], *arguments: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """Exit code, and state and sentence of the last finding of each check."""
    process = await asyncio.create_subprocess_exec(
        *command,
        *(sys.executable, "-m", "appliance", "doctor", "--network", "--json", *arguments),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    text, _ = await asyncio.wait_for(process.communicate(), 40)
    assert process.returncode is not None
    found = json.loads(text)["findings"]
    return process.returncode, {entry["check"]: (entry["state"], entry["says"]) for entry in found}


async def by_link(rig: Afar) -> tuple[int, dict[str, tuple[str, str]]]:
    """From the member's network, by a link."""
    link = f"https://203.0.113.1:8443/{ROOM}#{token('ada')}"
    return await doctor(rig.nets.command("member"), "--link", link, "--ca-file", str(rig.ca_file))


async def test_udp_that_is_blocked_and_the_relay_that_helps(tmp_path: Path) -> None:
    where = "203.0.113.1, UDP port 8443"
    async with afar(tmp_path) as rig:
        rig.nets.let_out("all")
        code, found = await by_link(rig)
        assert (code, found["udp"], found["relay"][0]) == (0, ("good", f"Sound gets through to {where}."), "good")
        rig.nets.let_out("relay")
        code, found = await by_link(rig)
        says = f"UDP to {where} does not get through; sound goes through the relay."
        assert (code, found["udp"], found["relay"][0]) == (0, ("warning", says), "good")
        rig.nets.let_out("nothing")
        code, found = await by_link(rig)
        assert (code, found["udp"][0], found["http"][0]) == (69, "bad", "good")
        assert found["relay"] == ("bad", "No relay lets us through (203.0.113.10:3478 (UDP)).")


async def test_a_server_asks_its_own_relay(tmp_path: Path) -> None:
    async with afar(tmp_path) as rig:
        config = tmp_path / "host.toml"
        code, found = await doctor(rig.nets.command("inet"), "--config", str(config))
        assert (code, found["udp"][0]) == (0, "skipped")
        assert found["relay"] == ("good", "203.0.113.10:3478 (UDP) gives an address.")
        secret = tmp_path / "turn.secret"
        secret.write_bytes(b"another secret than the relay has")
        code, found = await doctor(rig.nets.command("inet"), "--config", str(config))
        assert (code, found["relay"]) == (69, ("bad", "203.0.113.10:3478 (UDP) gives no address."))


async def test_a_running_device_is_not_put_out_of_its_room(short_dir: Path, free_port: int) -> None:
    async with Rig(short_dir, free_port, {"amber": "silence"}) as rig:
        amber = rig.devices["amber"]
        config = str(amber.config)
        joins = (await amber.status("link"))["counters"]["joins"]
        code, found = await doctor([], "--config", config)
        assert (code, found["udp"]) == (0, ("good", "The device is in the room, and sound comes."))
        assert await amber.in_room()
        assert (await amber.status("link"))["counters"]["joins"] == joins
        await amber.stop()
        code, found = await doctor([], "--config", config)
        assert (code, found["udp"][1]) == (0, f"Sound gets through to 127.0.0.1, UDP port {free_port}.")
