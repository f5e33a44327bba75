"""One box for a small team: ``kontor run`` with ``[host] enabled`` is device and server."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import aiohttp
import pytest

from appliance.app.engines import make_engine
from appliance.app.host import allow_descriptors, host_config
from appliance.app.one_box import Place, place_of
from appliance.app.process import NotAllowed
from appliance.provisioning.files import sources
from appliance.rooms.nowhere import Nowhere
from appliance.settings import Settings, load
from tests.e2e.rig import Device, until
from tests.host.harness import KEY, ROOM, House, token
from tests.host.member import Member, Presence
from tests.host.sound import decoded, share_of


class Box(Device):
    """A device whose settings name no server, but say that it is one."""

    def __init__(self, folder: Path, port: int, more: str = "") -> None:
        super().__init__(folder, "amber", port, "tone:440")
        self.port = port
        key = folder / "room.key"
        key.write_bytes(KEY)
        key.chmod(0o600)
        text = self.config.read_text().replace(f'url = "http://127.0.0.1:{port}"\nid = "{ROOM}"\n', "")
        self.config.write_text(f"""{text}
[host]
enabled = true
port = {port}
{more}
[[host.rooms]]
id = "{ROOM}"
key_files = {{ k1 = "{key}" }}
""")

    def settings(self) -> Settings:
        return load(sources(self.config), {"host"})

    async def is_served(self) -> bool:
        """Whether its server answers."""
        with contextlib.suppress(aiohttp.ClientError):
            async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{self.port}/health") as answer:
                return answer.status == 200
        return False


class Near(House):
    """The box's server, as somebody on the same machine reaches it."""

    def __init__(self, http: aiohttp.ClientSession, port: int) -> None:
        self.http = http
        self.base = f"http://127.0.0.1:{port}"


async def hears_the_box(box: Box, name: str) -> None:
    async with aiohttp.ClientSession() as http:
        home = Near(http, box.port)
        async with Member(home, name) as member, Presence(house=home, hello=token(name)):
            await member.connect()

            async def tone() -> bool:
                return len(member.heard) > 50 and share_of(decoded(member.heard)[-24_000:], 440) > 0.9

            await until(tone)


async def test_the_device_joins_the_server_beside_it_and_both_come_back(short_dir: Path, free_port: int) -> None:
    box = Box(short_dir, free_port)
    await box.start()
    try:
        await until(box.in_room)
        await hears_the_box(box, "ada")
        assert box.process is not None
        children = Path(f"/proc/{box.process.pid}/task/{box.process.pid}/children").read_text().split()
        commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in children}
        (host,) = [int(pid) for pid, command in commands.items() if b"host" in command]
        os.kill(host, signal.SIGKILL)

        await until(box.is_served)
        await hears_the_box(box, "bo")  # by a server that is another one
        assert not Path(f"/proc/{host}").exists()
    finally:
        assert await box.stop() == 0


def test_what_the_settings_come_to(short_dir: Path, free_port: int) -> None:
    box = Box(short_dir, free_port)
    assert place_of(box.settings()) == Place(f"http://127.0.0.1:{free_port}", ROOM), "the device's room is not held"
    (device,) = host_config(box.settings()).devices
    assert (device.id, device.name, device.room, device.public_key) == ("amber", "Amber", ROOM, box.public_key)
    assert not isinstance(make_engine(box.settings()), Nowhere)


@pytest.mark.parametrize(
    ("listen", "inside"),
    [("0.0.0.0", "127.0.0.1"), ("192.0.2.7", "192.0.2.7")],
)
def test_where_the_server_is_from_within(short_dir: Path, free_port: int, listen: str, inside: str) -> None:
    box = Box(short_dir, free_port, f'listen = "{listen}"')
    assert place_of(box.settings()).url == f"http://{inside}:{free_port}"


def test_a_device_that_is_named_or_a_member_elsewhere_is_left_as_it_is(short_dir: Path, free_port: int) -> None:
    key = "A" * 43 + "="
    box = Box(short_dir, free_port)
    text = box.config.read_text()
    box.config.write_text(f'{text}[[host.devices]]\nid = "amber"\nname = "A"\nroom = "{ROOM}"\npublic_key = "{key}"\n')
    (named,) = host_config(box.settings()).devices
    assert named.public_key == bytes(32)
    box.config.write_text(text.replace("[room]", '[room]\nurl = "https://elsewhere.example.org"', 1))
    assert host_config(box.settings()).devices == ()
    assert place_of(box.settings()).url == "https://elsewhere.example.org"


async def test_what_cannot_work_is_said_before_anything_starts(short_dir: Path, free_port: int) -> None:
    box = Box(short_dir, free_port)
    text = box.config.read_text()
    for wrong, sentence in (
        (text.replace(f"port = {free_port}", "port = 0"), "port has to be a number"),
        (text[: text.index("[[host.rooms]]")], "no room to hold"),
    ):
        box.config.write_text(wrong)
        with pytest.raises(NotAllowed, match=sentence):
            place_of(box.settings())
        await box.start()
        assert box.process is not None
        assert await asyncio.wait_for(box.process.wait(), 20) == 78


def test_a_large_room_gets_its_descriptors() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        allow_descriptors()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(16_384, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
