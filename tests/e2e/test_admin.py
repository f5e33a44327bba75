"""A day of an admin's, with the real commands and processes: a card, a room that follows, mistakes, and a way back.

Nothing stands in for anything but web server, sound card and panel; the device lives below a folder of its own (KONTOR_ROOT).
"""

import asyncio
import json
import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from appliance.app.panels import VIRTUAL_PANEL
from appliance.health.status import ask
from tests.e2e.rig import ROOT, until
from tests.support import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HOST = """schema = 1
[device]
state_dir = "{folder}/host-state"
runtime_dir = "{folder}/h"
[host]
port = {port}
[[host.rooms]]
id = "lobby"
[[host.rooms]]
id = "attic"
"""
MACHINE = """schema = 1
[device]
state_dir = "{root}/var/lib/kontor"
runtime_dir = "{folder}/d"
[audio]
microphone = "tone:440"
[panel]
kind = "virtual"
[quiet]
time_zone = "Europe/Berlin"
night = "22:00-06:00"
"""


class Office:
    """The admin's folder, the host, the web server, and the device."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "root"
        self.port, self.web_port = free_port(), free_port()
        self.source, self.published, self.config = folder / "fleet", folder / "www", folder / "host.toml"
        self.boot = self.root / "boot" / "firmware" / "kontor.toml"
        for made in (self.source, self.published, self.boot.parent, self.root / "etc" / "kontor"):
            made.mkdir(parents=True)
        self.config.write_text(HOST.format(folder=folder, port=self.port))
        (self.root / "etc" / "kontor" / "kontor.toml").write_text(MACHINE.format(root=self.root, folder=folder))
        self.environment = {**os.environ, VIRTUAL_PANEL: "1", "PYTHONPATH": str(ROOT), "KONTOR_ROOT": str(self.root)}

    async def kontor(self, *arguments: str, code: int = 0) -> str:
        """Run a command where the admin sits; what it printed, after a look at what it ended with."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "appliance", *arguments),
            env=self.environment,
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        text, _ = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == code, text.decode()
        return text.decode()

    @asynccontextmanager
    async def runs(self, *arguments: str) -> AsyncIterator[None]:
        """A process that runs until it is told to end."""
        command = (sys.executable, "-m", "appliance", *arguments)
        process = await asyncio.create_subprocess_exec(*command, env=self.environment, cwd=self.folder)
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 20) == 0

    @asynccontextmanager
    async def serves(self) -> AsyncIterator[None]:
        """Any web server that shows a folder."""
        app = web.Application()
        app.router.add_static("/", self.published)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.web_port).start()
        try:
            yield
        finally:
            await runner.cleanup()

    async def says(self, part: str) -> Mapping[str, Any]:
        """What a part of the device says of itself."""
        try:
            return await asyncio.to_thread(ask, self.folder / "d" / f"{part}.status", {"do": "status"}, 1.0)
        except OSError:
            return {}

    async def is_in_room(self, room: str = "lobby") -> bool:
        link = await self.says("link")
        return (link.get("phase"), link.get("room")) == ("in_room", room)

    async def follows(self, **versions: int) -> bool:
        config = (await self.says("provision")).get("config", {})
        return bool(config.get("state") == "kept" and config.get("versions") == versions)

    async def publish(self, text: str, code: int = 0) -> str:
        (self.source / "all.toml").write_text(f"schema = 1\n{text}")
        return await self.kontor("fleet", "publish", "www", "--from", "fleet", code=code)

    async def pull(self, code: int = 0) -> str:
        return await self.kontor("config", "pull", "--runtime", str(self.folder / "d"), code=code)

    async def device(self) -> Mapping[str, Any]:
        """As the host knows it."""
        said = json.loads(await self.kontor("host", "device", "list", "--json", "--config", "host.toml"))
        (device,) = said["devices"]
        return dict(device)


async def test_a_day_of_an_admin(short_dir: Path) -> None:
    office = Office(short_dir)
    async with office.serves(), office.runs("host", "--config", "host.toml"):
        await until(lambda: asyncio.to_thread((short_dir / "h").exists))
        await a_card_is_made(office)
        async with office.runs("run"):
            await until(office.is_in_room, 40)
            await the_card_holds_no_secret_any_more(office)
            await a_change_is_followed(office)
            await a_mistake_is_refused_with_its_line(office)
            await what_only_the_device_can_know_is_refused_there(office)
            await a_room_that_is_none_is_taken_back(office)
            await the_next_right_one_is_followed(office)
        await its_settings_outlive_the_network(office)


async def a_card_is_made(office: Office) -> None:
    """Keys, a table of rooms, a file on a card."""
    await office.kontor("keys", "new", "--open")
    (office.folder / "rooms.csv").write_text("name,room\nHamburg,lobby\n")
    here = ["--url", f"http://127.0.0.1:{office.port}", "--config", "host.toml"]
    follow = ["--follow", f"http://127.0.0.1:{office.web_port}", "--trust", "kontor.key.pub"]
    assert "hamburg for lobby" in await office.kontor("fleet", "enrol", "rooms.csv", *follow, *here)
    office.boot.write_bytes((office.folder / "cards" / "hamburg" / "kontor.toml").read_bytes())


async def the_card_holds_no_secret_any_more(office: Office) -> None:
    card = (office.folder / "cards" / "hamburg" / "kontor.toml").read_text()
    (token,) = [line.partition('"')[2].rstrip('"') for line in card.splitlines() if line.startswith("enrolment")]
    assert len(token) >= 43

    async def is_blanked() -> bool:
        return token not in office.boot.read_text()

    await until(is_blanked)
    assert 'enrolment = "(moved)"' in office.boot.read_text()
    device = await office.device()
    assert (device["id"], device["room"], device["here"], device["revoked"]) == ("hamburg", "lobby", True, False)


async def a_change_is_followed(office: Office) -> None:
    said = await office.publish('[audio]\nchimes = "soft"\n')
    assert "all" in said and "version 1" in said
    assert "(all 1)" in await office.pull()
    assert await office.follows(all=1)
    await until(office.is_in_room, 30)
    shown = json.loads(await office.kontor("config", "show", "--json"))
    assert shown["audio.chimes"]["value"] == "soft"
    assert shown["audio.chimes"]["origin"].startswith("all")
    await until(lambda: reported(office, "all", 1))
    assert "hamburg" in await office.kontor("fleet", "status", "www", "--config", "host.toml")


async def reported(office: Office, scope: str, version: int) -> bool:
    return bool(((await office.device()).get("report") or {}).get(scope) == version)


async def a_mistake_is_refused_with_its_line(office: Office) -> None:
    """Where it is published: no device sees it."""
    said = await office.publish('[audio]\nchime = "soft"\n', code=78)
    assert 'all.toml:3: audio.chime is no setting of Kontor. Did you mean "chimes"?' in said
    assert "Nothing was published." in said
    await office.pull()
    assert await office.follows(all=1)


async def what_only_the_device_can_know_is_refused_there(office: Office) -> None:
    """Its own settings and the published ones do not go together."""
    await office.publish('[audio]\nchimes = "soft"\n[quiet]\ntime_zone = ""\n')
    said = await office.pull(code=1)
    assert "New settings are wrong, and were not tried:" in said
    assert (
        f'{office.root}/etc/kontor/kontor.toml:11: quiet.night = "22:00-06:00": needs quiet.time_zone beside it.'
        in said
    )
    config = (await office.says("provision"))["config"]
    assert (config["state"], config["versions"]["all"]) == ("refused", 1)
    assert await office.is_in_room()


async def a_room_that_is_none_is_taken_back(office: Office) -> None:
    await office.publish('[audio]\nchimes = "soft"\n[room]\nid = "attic"\n')  # in which this device is nobody
    said = await office.pull(code=1)
    assert "New settings were tried and taken back:" in said
    await until(office.is_in_room, 30)
    assert (await office.device())["here"]


async def the_next_right_one_is_followed(office: Office) -> None:
    await office.publish('[audio]\nchimes = "loud"\n')
    await office.pull()
    assert await office.follows(all=4)
    await until(office.is_in_room, 30)


async def its_settings_outlive_the_network(office: Office) -> None:
    """Started anew while nobody publishes anything."""
    for path in office.published.iterdir():
        path.unlink()
    async with office.runs("run"):
        await until(office.is_in_room, 40)
        shown = json.loads(await office.kontor("config", "show", "--json"))
        assert shown["audio.chimes"]["value"] == "loud"


async def test_setup_by_hand_and_somebody_who_lets_it_in(short_dir: Path) -> None:
    """What setup prints for whoever looks after the room is a command that works."""
    office = Office(short_dir)
    async with office.runs("host", "--config", "host.toml"):
        await until(lambda: asyncio.to_thread((short_dir / "h").exists))
        address = f"http://127.0.0.1:{office.port}"
        said = await office.kontor("setup", "--room", f"{address}/loby", "--name", "Hall", "--card", "none", code=69)
        assert 'The server has no room "loby".' in said
        said = await office.kontor("setup", "--room", f"{address}/lobby", "--name", "Hall", "--card", "none")
        (admit,) = [line.strip() for line in said.splitlines() if line.strip().startswith("kontor host device admit")]
        async with office.runs("run"):
            words = shlex.split(admit.removeprefix("kontor "))

            async def is_asking() -> bool:
                return "asks to be let in" in await office.kontor("host", "device", "list", "--config", "host.toml")

            await until(is_asking, 60, every=0.5)
            await office.kontor(*words, "--config", "host.toml")
            await until(office.is_in_room, 60)
            assert (await office.device())["id"] == "hall"
            assert "lobby" in await office.kontor("status", "--runtime", str(short_dir / "d"))
