"""Forty devices for ``make bench-fleet``: each with a real ``kontor provision``, most with stand-ins for sound and link."""

import asyncio
import base64
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from appliance.app.neighbours import Neighbours
from appliance.rooms.device_key import DeviceKey
from appliance.settings import Settings
from tools.bench.stand_in import StandIn

ROOM = "lobby"
ROOT = Path(__file__).resolve().parents[2]
_GROUPS = ("east", "west")
_ENDS = 20.0
_LOOK = 0.5

_MACHINE = """schema = 1
[device]
name = "Room {number}"
state_dir = "{root}/var/lib/kontor"
runtime_dir = "{runtime}"
[room]
url = "{host}"
id = "{room}"
[provisioning]
url = "{url}"
group = "{group}"
keys = ["{key}"]
"""


class Device:
    """One device, below a folder of its own."""

    def __init__(self, folder: Path, number: int, **places: str) -> None:
        self.name = f"room-{number}"
        self.root, self.runtime = folder / f"{number}", folder / f"r{number}"
        self.neighbours = Neighbours(self.runtime)
        self._process: asyncio.subprocess.Process | None = None
        self.config: Mapping[str, Any] = {}
        """What its provision says of its settings."""
        self.in_room = False
        self.out = self.longest_out = 0.0
        """Seconds that it is out of its room, now and at the worst, since :meth:`look` was first asked."""
        self._left: float | None = None
        path = self.root / "etc/kontor/kontor.toml"
        path.parent.mkdir(parents=True)
        self.runtime.mkdir()
        text = _MACHINE.format(
            number=number,
            root=self.root,
            runtime=self.runtime,
            room=ROOM,
            group=_GROUPS[number % len(_GROUPS)],
            **places,
        )
        path.write_text(text)

    @property
    def pid(self) -> int:
        """Of its provision; 0: it does not run."""
        return self._process.pid if self._process and self._process.returncode is None else 0

    async def start(self) -> None:
        """Begin."""
        await self._run("provision")

    async def stop(self) -> None:
        """End in order."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(_ENDS):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    async def look(self) -> None:
        """Ask it how it is."""
        said = await self.neighbours.tell("provision", {"do": "status"})
        self.config = said.get("config", {})
        self.in_room = await self._is_in_room()
        now = time.monotonic()
        self._left = None if self.in_room else now if self._left is None else self._left
        self.out = 0.0 if self._left is None else now - self._left
        self.longest_out = max(self.longest_out, self.out)

    async def _is_in_room(self) -> bool:
        raise NotImplementedError

    async def _run(self, *arguments: str) -> None:
        log = (self.root / "log").open("wb")
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "appliance", *arguments),
            env={**os.environ, "PYTHONPATH": str(ROOT), "KONTOR_ROOT": str(self.root)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        log.close()


class Light(Device):
    """With stand-ins for sound and link."""

    standing: StandIn

    async def start(self) -> None:
        """Stand-ins first: provision looks for them."""
        self.standing = StandIn(self.root, _wrong_room)
        await self.standing.start()
        await super().start()

    async def stop(self) -> None:
        """Both."""
        await super().stop()
        await self.standing.stop()

    async def _is_in_room(self) -> bool:
        return self.standing.in_room


class Whole(Device):
    """With everything: sound, link and provision, as ``kontor run`` starts them."""

    async def start(self) -> None:
        """One command."""
        await self._run("run")

    @property
    def public_key(self) -> str:
        """As the host wants it."""
        folder = self.root / "var/lib/kontor/link"
        folder.mkdir(parents=True, exist_ok=True)
        return base64.b64encode(DeviceKey.load_or_make(folder).public).decode()

    async def _is_in_room(self) -> bool:
        return (await self.neighbours.tell("link", {"do": "status"})).get("phase") == "in_room"


def _wrong_room(settings: Settings) -> str:
    return "" if settings.room.id == ROOM else f"The server has no room {settings.room.id}."


async def look_at(devices: Sequence[Device], seconds: float = 0.0) -> None:
    """Look at all devices, again and again for ``seconds``."""
    end = time.monotonic() + seconds
    while True:
        await asyncio.gather(*(device.look() for device in devices))
        if time.monotonic() >= end:
            return
        await asyncio.sleep(_LOOK)
