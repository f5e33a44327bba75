"""How soon forty rooms follow a change, and how soon they are back after a bad one: ``make bench-fleet``.

Forty real ``kontor provision`` services fetch signed settings from one web server, as often as they do by default. Two of them
belong to whole devices in a room of a real host, the others have stand-ins for sound and link (stand_in.py). A change is
published; then one that would put every device out of its room; then a good one again, which all must follow still.
"""

import argparse
import asyncio
import contextlib
import os
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from aiohttp import web

from appliance.core.documents import ALL, Pointer
from appliance.provisioning.publication import document_path, pointer_path
from appliance.provisioning.signing import SecretKey
from appliance.settings.store import atomic_write
from tools.bench.fleet_devices import ROOM, ROOT, Device, Light, Whole, look_at
from tools.bench.processes import cpu_seconds, pss_mib
from tools.measurements import Figure, write

_PUBLIC = 0o644
_WHOLE = 2
_AT_ONCE = 4
"""Devices that are started at a time: Python takes its second of CPU each."""
_BEGIN, _FOLLOW, _BACK = 300.0, 180.0, 300.0
"""Seconds after which the bench gives up: all are there, all follow, all are back."""
_IDLE = 60.0

_GOOD = "[audio]\nbitrate = {}\n"
_BAD = '[audio]\nbitrate = 24000\n[room]\nid = "nowhere"\n'
_HOST = """schema = 1
[device]
state_dir = "{folder}/host"
runtime_dir = "{folder}/host-run"
[host]
listen = "127.0.0.1"
port = {port}
[[host.rooms]]
id = "{room}"
{devices}"""
_MEMBER = '[[host.devices]]\nid = "{name}"\nname = "{name}"\nroom = "{room}"\npublic_key = "{key}"\n'


class Publisher:
    """A web server with signed settings for all."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._version = folder, 0
        self.key = SecretKey.make()
        self.asked = 0
        folder.mkdir()

    def publish(self, text: str) -> tuple[int, float]:
        """Publish settings for all devices; returns their version and the moment (monotonic)."""
        self._version += 1
        content = f"schema = 1\n{text}".encode()
        pointer = Pointer(ALL, self._version, f"all.{self._version}.toml")
        atomic_write(self._folder / document_path(pointer), content, _PUBLIC)
        atomic_write(self._folder / pointer_path(ALL), self.key.publish(pointer, content), _PUBLIC)
        return self._version, time.monotonic()

    @contextlib.asynccontextmanager
    async def shown(self) -> AsyncIterator[str]:
        """Serve the folder; gives its address."""
        app = web.Application()
        app.router.add_static("/", self._folder)
        app.on_response_prepare.append(self._count)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    async def _count(self, _request: web.Request, _response: web.StreamResponse) -> None:
        self.asked += 1


@contextlib.asynccontextmanager
async def hosted(folder: Path, port: int, members: Sequence[Whole]) -> AsyncIterator[None]:
    """A real host with the whole devices as members."""
    devices = "".join(_MEMBER.format(name=each.name, room=ROOM, key=each.public_key) for each in members)
    path = folder / "host.toml"
    path.write_text(_HOST.format(folder=folder, port=port, room=ROOM, devices=devices))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "appliance", "host", "--config", str(path)),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


def follows(device: Device, version: int) -> bool:
    """Whether a device has kept this version, and is in its room."""
    config = device.config
    return bool(config.get("state") == "kept" and config.get("versions", {}).get("all") == version and device.in_room)


def is_back(device: Device) -> bool:
    """Whether a device has taken something back, and is in its room."""
    return device.config.get("state") == "reverted" and device.in_room


async def until_all(devices: Sequence[Device], there: Callable[[Device], bool], since: float, limit: float) -> float:
    """Seconds from ``since`` until every device is there.

    :raises TimeoutError: some are not, within ``limit`` seconds; the text names them.
    """
    told = -1
    while True:
        await look_at(devices)
        missing = [device for device in devices if not there(device)]
        took = time.monotonic() - since
        if not missing:
            return took
        if len(missing) != told:
            told = len(missing)
            print(f"  {took:5.1f} s: {len(devices) - told} of {len(devices)}", flush=True)
        if took > limit:
            raise TimeoutError(
                ", ".join(f"{each.name}: {each.config}, in room: {each.in_room}" for each in missing[:3])
            )
        await asyncio.sleep(0.5)


async def start_all(devices: Sequence[Device]) -> None:
    """Start a few at a time."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def start(device: Device) -> None:
        async with gate:
            await device.start()
            async with asyncio.timeout(_BEGIN):
                while not await device.neighbours.tell("provision", {"do": "status"}):  # noqa: ASYNC110 - of a process
                    await asyncio.sleep(0.2)

    await asyncio.gather(*map(start, devices))


async def measure(folder: Path, count: int) -> list[Figure]:
    """All figures."""
    publisher = Publisher(folder / "www")
    port = _free_port()
    async with publisher.shown() as url, contextlib.AsyncExitStack() as stack:
        places = {"host": f"http://127.0.0.1:{port}", "url": url, "key": str(publisher.key.public)}
        whole = [Whole(folder, number, **places) for number in range(min(_WHOLE, count))]
        devices: list[Device] = [*whole, *(Light(folder, number, **places) for number in range(len(whole), count))]
        await stack.enter_async_context(hosted(folder, port, whole))
        for device in devices:
            stack.push_async_callback(device.stop)
        print(f"{count} devices start", flush=True)
        version, began = publisher.publish(_GOOD.format(32_000))
        await start_all(devices)
        await until_all(devices, lambda device: follows(device, version), began, _BEGIN)
        return await _figures(publisher, devices)


async def _figures(publisher: Publisher, devices: Sequence[Device]) -> list[Figure]:
    light: list[Device] = [device for device in devices if isinstance(device, Light)] or list(devices)
    before, asked = [cpu_seconds(device.pid) for device in light], publisher.asked
    await asyncio.sleep(_IDLE)
    cpu = 100 * sum(cpu_seconds(device.pid) for device in light) - 100 * sum(before)
    requests = (publisher.asked - asked) / _IDLE
    memory = sum(pss_mib(device.pid) for device in light) / len(light)

    for device in devices:
        device.longest_out = 0.0  # what counts begins here
    print("a change is published", flush=True)
    second, began = publisher.publish(_GOOD.format(28_000))
    followed = await until_all(devices, lambda device: follows(device, second), began, _FOLLOW)
    print("a bad change is published", flush=True)
    _bad, began = publisher.publish(_BAD)
    reverted = await until_all(devices, is_back, began, _BACK)
    print("a good one is published again", flush=True)
    last, began = publisher.publish(_GOOD.format(24_000))
    again = await until_all(devices, lambda device: follows(device, last), began, _FOLLOW)
    await look_at(devices, 5.0)
    lost = sum(not follows(device, last) for device in devices)
    note = f"{len(devices)} real services, {_WHOLE} with whole devices; looked for new settings every 25 s, give or take a fifth"
    return [
        Figure("fleet.all_followed_s", round(followed, 1), "s", "<= 60", note=note),
        Figure("fleet.all_reverted_s", round(reverted, 1), "s", "<= 120", note="a room that does not exist"),
        Figure("fleet.all_followed_again_s", round(again, 1), "s", "<= 60", note="after the bad change"),
        Figure("fleet.out_for_good", lost, "devices", "== 0"),
        Figure(
            "fleet.longest_out_s",
            round(max(device.longest_out for device in devices), 1),
            "s",
            note="one device out of its room, in all of it; looked at twice a second",
        ),
        Figure("fleet.requests_per_s", round(requests, 2), "1/s", note="at the web server, of all devices"),
        Figure(
            "fleet.provision_cpu_percent",
            round(cpu / _IDLE / len(light), 2),
            "%",
            note="of one core, each, nothing new",
        ),
        Figure("fleet.provision_pss_mib", round(memory, 1), "MiB", note="each"),
    ]


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def main() -> int:
    """Measure and write docs/measurements/fleet.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=40)
    parser.add_argument("--dry", action="store_true", help="measure, print, and write nothing")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="k") as folder:
        figures = asyncio.run(measure(Path(folder), given.devices))
    if given.dry:
        for figure in figures:
            print(f"{figure.name} {figure.value} {figure.unit} {figure.goal}")
        return 0
    write("fleet", figures)
    return 0 if all(figure.met() is not False for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
