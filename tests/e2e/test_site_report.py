"""What the demo's device tells of itself: all to an admin, nothing of its inside to others, and of a closed room to nobody."""

import asyncio
import contextlib
import gzip
import io
import json
import os
import re
import signal
import sys
import tarfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from appliance.app import speech
from appliance.app.demo import DEVICE, ROOM
from appliance.health.status import ask
from tests.e2e.rig import ROOT

_ADDRESS = re.compile(r"http://localhost:\d+/\w+#([^\s&]+)")


@contextlib.asynccontextmanager
async def demo(port: int, folder: Path) -> AsyncIterator[list[str]]:
    """``kontor demo``; gives the tokens of the links that it prints: a guest's, an admin's."""
    command = [sys.executable, "-m", "appliance", "demo", "--port", str(port)]
    # A voice that is made up is there sooner than one that has to be decoded.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": str(folder), speech.FOLDER: str(folder)}
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environment)
    assert process.stdout is not None
    try:
        text = ""
        while "Ctrl-C" not in text:
            line = await asyncio.wait_for(process.stdout.readline(), 120)
            assert line, f"the demo ended: {text}"
            text += line.decode()
        yield _ADDRESS.findall(text)
    finally:
        process.send_signal(signal.SIGINT)
        _, code = await asyncio.gather(process.stdout.read(), asyncio.wait_for(process.wait(), 30))
    assert code == 0


class Onlooker:
    """Somebody with the page open, and what they were told of the device."""

    def __init__(self) -> None:
        self.sites: list[Mapping[str, Any]] = []

    async def watch(self, http: aiohttp.ClientSession, port: int, token: str) -> None:
        async with http.ws_connect(f"http://127.0.0.1:{port}/rooms/{ROOM}/presence") as socket:
            await socket.send_json({"type": "hello", "v": 1, "token": token})
            async for frame in socket:
                message = json.loads(frame.data)
                for member in [*message.get("members", ()), message.get("member", {})]:
                    if member.get("id") == DEVICE and member["site"]:
                        self.sites.append(member["site"])

    @property
    def site(self) -> Mapping[str, Any]:
        return self.sites[-1] if self.sites else {}

    @property
    def details(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.site.get("details", {})
        return found


async def until(met: Callable[[], object], what: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.05)


@pytest.mark.timeout(240)
async def test_the_demo_s_device_reports_to_admins_alone_and_hands_in_its_bundle(
    short_dir: Path, free_port: int
) -> None:
    admin, guest = Onlooker(), Onlooker()
    async with demo(free_port, short_dir) as tokens, aiohttp.ClientSession() as http:
        by_guest, by_admin = tokens
        watching = [
            asyncio.create_task(admin.watch(http, free_port, by_admin)),
            asyncio.create_task(guest.watch(http, free_port, by_guest)),
        ]
        try:
            await until(lambda: admin.site.get("direction") is not None, "the demo shows where somebody talks")
            assert len(admin.details["array"]["mics"]) == 4
            await until(lambda: "round_trip_ms" in admin.details.get("health", {}), "health is told")
            await until(lambda: "processor_percent" in admin.details["health"], "of an open gate")
            details = admin.details
            assert details["proof"]["violations"] == 0
            assert details["proof"]["engine"] == "hosted"
            assert details["proof"]["checked"] > 0
            assert details["link"]["phase"] == "in_room"
            assert abs(details["link"]["since"] - time.time()) < 120
            assert details["held"]["starting"][1] >= details["held"]["starting"][0]
            assert 0 <= details["health"]["round_trip_ms"] < 1000
            assert details["direction_error"] == 8
            assert details["bundle"] is True

            panel = short_dir / "kontor-demo" / str(free_port) / "sound.status"
            await asyncio.to_thread(ask, panel, {"do": "panel", "switch": "closed"})
            await until(lambda: admin.site.get("gate") == "closed", "the gate closes")
            began, ended = admin.details["held"]["switch"]
            assert (ended, abs(began - time.time()) < 10) == (None, True)
            closed = len(admin.sites)
            await asyncio.sleep(11)  # the recording talks on, and the device looks at its figures
            told = admin.sites[closed - 1 :]
            assert all("direction" not in site and "direction_error" not in site["details"] for site in told)
            processor = {site["details"]["health"]["processor_percent"] for site in told}
            assert len(processor) == 1, "it is held still"
            assert len(told) <= 4, "nothing is told when somebody talks into the closed microphone"

            status = short_dir / "kontor-demo" / str(free_port)
            content = await bundle(http, free_port, by_admin, by_guest)
            files = unpacked(content)
            assert set(files) >= {"README.txt", "status.json", "settings.toml", "versions.json"}
            said = json.loads(files["status.json"])
            assert (said["sound"]["gate"], said["link"]["phase"]) == ("closed", "in_room")
            assert "counters" not in said["sound"]
            assert 'name = "(left out)"' in files["settings.toml"]
            assert (await asyncio.to_thread(ask, status / "link.status", {"do": "status"}))["phase"] == "in_room"
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
    assert guest.sites, "everybody sees that there is a device, and its gate"
    assert all("details" not in site for site in guest.sites)


async def bundle(http: aiohttp.ClientSession, port: int, by_admin: str, by_guest: str) -> bytes:
    """The support bundle, as the devices page gets it."""
    rooms = f"http://127.0.0.1:{port}/rooms/{ROOM}"
    async with http.post(f"{rooms}/devices/{DEVICE}/bundle", headers=bearer(by_guest)) as refused:
        assert refused.status == 403
    async with http.post(f"{rooms}/devices/{DEVICE}/bundle", headers=bearer(by_admin)) as asked:
        assert asked.status == 202
        word = (await asked.json())["bundle"]
    end = time.monotonic() + 60
    while time.monotonic() < end:
        async with http.get(f"{rooms}/bundles/{word}", headers=bearer(by_admin)) as answer:
            if answer.status == 200:
                return await answer.read()
            assert answer.status == 202, await answer.text()
        await asyncio.sleep(0.2)
    raise AssertionError("the device has not handed it in")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def unpacked(content: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(content))) as archive:
        return {
            member.name.partition("/")[2]: file.read().decode()
            for member in archive
            if (file := archive.extractfile(member)) is not None
        }
