"""The keeper's commands against a running host: keys, members, devices, and what they say when there is none."""

import asyncio
import base64
import json
import socket
import stat
import time
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.__main__ import main
from appliance.app.host import host_config
from appliance.commands.host_control import Hosts
from appliance.core.enrolment import enrolment_text, fingerprint
from appliance.core.events import Event, EventName
from appliance.core.protocol import challenge_text, verify
from appliance.host.control import CONTROL, ControlError
from appliance.host.server import Host
from appliance.settings import Source, load
from tests.host.harness import ROOM, House
from tests.host.member import Member, Presence
from tests.support import until

Output = pytest.CaptureFixture[str]
KEY = Ed25519PrivateKey.from_private_bytes(b"d" * 32)
PUBLIC = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "kontor.toml"
    path.write_text(f"""schema = 1
[device]
state_dir = "{tmp_path}/state"
runtime_dir = "{tmp_path}"
[host]
port = 0
url = "http://localhost"
[[host.rooms]]
id = "studio"
[[host.rooms]]
id = "attic"
key_files = {{ k1 = "attic.key" }}
[[host.devices]]
id = "room-7"
name = "Room 7"
room = "studio"
public_key = "{PUBLIC}"
""")
    (tmp_path / "attic.key").write_bytes(base64.b64encode(b"a" * 32))
    (tmp_path / "attic.key").chmod(0o600)
    (tmp_path / "state").mkdir()
    return path


@dataclass
class Keeper:
    """Runs commands as the keeper of a host does."""

    config: Path
    output: Output
    home: House | None = None

    async def __call__(self, *words: str, code: int = 0) -> str:
        """What ``kontor host WORDS`` prints on both outputs; its exit code is ``code``."""
        return await self.kontor("host", "--config", str(self.config), *words, code=code)

    async def kontor(self, *words: str, code: int = 0) -> str:
        """The same for any command."""
        self.output.readouterr()
        given = await asyncio.to_thread(main, list(words))
        told = self.output.readouterr()
        assert given == code, told.out + told.err
        return told.out + told.err

    async def link(self, name: str, role: str = "speaker") -> str:
        """The token of a new link."""
        text = await self("link", "studio", "--name", name, "--role", role)
        return text.splitlines()[0].split("#")[1]

    async def listed(self, *words: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(await self(*words, "--json"))
        return found


@asynccontextmanager
async def running(config: Path, output: Output) -> AsyncIterator[tuple[Keeper, House]]:
    """A host of these settings, and its keeper."""
    events: list[Event] = []
    settings = load([Source("kontor.toml", config.read_bytes(), config.parent)], {"host"})
    host = Host(host_config(settings), events.append)
    await host.start()
    try:
        async with aiohttp.ClientSession() as http:
            yield Keeper(config, output), House(host, http, events)
    finally:
        await host.stop()
        await asyncio.sleep(0)


async def test_a_link_is_made_before_during_and_after_and_the_newest_key_signs(config: Path, capsys: Output) -> None:
    keeper = Keeper(config, capsys)
    before = await keeper.link("Ada")
    async with running(config, capsys) as (_, home), Presence(house=home, hello=before) as ada:
        assert ada.messages[0]["you"]["name"] == "Ada"
        made = (await keeper("key", "new", "studio")).split()[0]
        newer = await keeper.link("Ben", "guest")
        async with Presence(house=home, hello=newer) as ben:
            assert ben.messages[0]["guest"] is True
        keys = await keeper("key", "list", "studio")
        assert f"{made} " in keys.splitlines()[0]
        assert keys.splitlines()[0].endswith("signs new links")
        assert len(keys.splitlines()) == 2
        assert "from the settings" in await keeper("key", "list", "attic")
        store = home.host._conferences["studio"].store
        assert verify(newer, store.secrets, 0, ROOM).key_id == made
    assert json.loads(await keeper("link", "studio", "--name", "Cleo", "--json"))["key_id"] == made


async def test_a_link_for_a_bridge_lets_in_a_bridge_into_one_room(config: Path, capsys: Output) -> None:
    keeper = Keeper(config, capsys)
    token = (await keeper("link", "studio", "--name", "Bridge to Berlin", "--bridge")).split("#")[1].split()[0]
    async with running(config, capsys) as (_, home), Presence(house=home, hello=token) as bridge:
        assert bridge.messages[0]["you"]["kind"] == "bridge"
    await keeper("link", "studio", "attic", "--name", "B", "--bridge", code=64)
    assert "name one room" in await keeper("link", "studio", "--name", "B", "--bridge", "--role", "listener", code=64)


async def test_a_revoked_key_ends_every_stay_by_it_at_once(config: Path, capsys: Output) -> None:
    async with running(config, capsys) as (keeper, home):
        old = await keeper.link("Ada")
        device = await token_of_device(home)
        await keeper("key", "new", "studio")
        new = await keeper.link("Ben")
        async with (
            Member(home, "ada") as ada,
            Member(home, "ben") as ben,
            Member(home, "room-7", kind="site") as site,
        ):
            ada.token, ben.token, site.token = old, new, device
            async with ada.presence() as adas, ben.presence() as bens, site.presence() as sites:
                for member in (ada, ben, site):
                    await member.connect()
                (key,) = [key for key in keys_of(await keeper.listed("key", "list", "studio")) if not key["signs"]]
                assert "2 sent out" in await keeper("key", "revoke", "studio", str(key["id"]))
                await until(lambda: (adas.code, sites.code) == (4401, 4401))
                assert adas.why == "revoked"
                await until(lambda: ada.dtls.closed and site.dtls.closed)
                await until(lambda: bens.member("ada") is None)
                assert bens.code is None
            assert (await ada.post()).status == 401
            assert home.count("host_tokens_revoked") == 1
            assert home.told(EventName.ROOM_KEY_REVOKED)[0].fields["members"] == 2
            site.token = await token_of_device(home)
            await site.connect_again()
        assert "no such key" in await keeper("key", "revoke", "studio", "k9", code=64)
        assert "key_files" in await keeper("key", "revoke", "attic", "k1", code=64)
        assert "key_files" in await keeper("key", "new", "attic", code=64)
    async with running(config, capsys) as (keeper, home), Presence(house=home, hello=old) as again:
        assert again.code == 4401


def keys_of(answer: dict[str, object]) -> list[dict[str, object]]:
    keys = answer["keys"]
    assert isinstance(keys, list)
    return keys


async def test_the_last_key_may_be_revoked_and_another_takes_its_place(config: Path, capsys: Output) -> None:
    async with running(config, capsys) as (keeper, home):
        (key,) = keys_of(await keeper.listed("key", "list", "studio"))
        await keeper("key", "revoke", "studio", str(key["id"]))
        (other,) = keys_of(await keeper.listed("key", "list", "studio"))
        assert other["id"] != key["id"]
        async with Presence(house=home, hello=await keeper.link("Ada")) as ada:
            assert ada.code is None


async def token_of_device(home: House) -> str:
    async with home.http.post(home.url("/devices/challenge"), json={"device": "room-7"}) as response:
        nonce = str((await response.json())["nonce"])
    signature = base64.b64encode(KEY.sign(challenge_text("studio", nonce))).decode()
    body = {"device": "room-7", "nonce": nonce, "signature": signature, "room": "studio"}
    async with home.http.post(home.url("/devices/token"), json=body) as response:
        assert response.status == 200, await response.text()
        return str((await response.json())["token"])


async def test_members_are_listed_muted_admitted_and_sent_out(config: Path, capsys: Output) -> None:
    async with running(config, capsys) as (keeper, home):
        assert await keeper("member", "list", "studio") == "Nobody is here.\n"
        async with Member(home, "gus") as gus:
            gus.token = await keeper.link("Gus", "guest")
            async with gus.presence() as guests:
                await gus.connect()
                await until(lambda: guests.state("gus") == "muted")
                line = await keeper("member", "list", "studio")
                assert line.split() == ["gus", "Gus", "guest,", "muted"]
                assert await keeper("member", "admit", "studio", "gus") == "gus: may speak.\n"
                await until(lambda: (member := guests.member("gus")) and member["role"] == "speaker")
                await keeper("member", "mute", "studio", "gus")
                await until(lambda: guests.state("gus") == "admin_muted")
                assert guests.of("muted_by_admin")[0]["by"]["id"] == "host"
                await keeper("member", "unmute", "studio", "gus")
                await until(lambda: guests.of("admin_mute_lifted"))
                await keeper("member", "remove", "studio", "gus")
                await until(lambda: guests.code == 4410)
            assert (await keeper("member", "list", "studio")).endswith("sent out by The host\n")
            assert (await gus.post()).status == 403
            await keeper("member", "allow", "studio", "gus")
            assert (await gus.post()).status == 201
        assert "not in the room" in await keeper("member", "mute", "studio", "eve", code=64)
        assert "was sent out" in await keeper("member", "allow", "studio", "eve", code=64)
        assert "no such room" in await keeper("member", "list", "cellar", code=64)
        assert "is muted" in await keeper("member", "mute-new", "studio", "on")
        assert "Whoever comes in anew is muted." in await keeper("member", "list", "studio")
        assert "may speak" in await keeper("member", "mute-new", "studio", "off")
        assert "studio" in await keeper("state")
        assert (await keeper.listed("state"))["rooms"] == [
            {"id": "studio", "members": 1, "connected": 0, "speaking": 0},
            {"id": "attic", "members": 0, "connected": 0, "speaking": 0},
        ]


async def test_a_member_that_is_made_to_listen_is_not_heard_until_it_is_admitted(config: Path, capsys: Output) -> None:
    async with running(config, capsys) as (keeper, home), Member(home, "ben") as ben:
        ben.token = await keeper.link("Ben")
        async with ben.presence() as bens:
            await ben.connect()
            await bens.send(type="muted", muted=False)
            assert await keeper("member", "listen", "studio", "ben") == "ben: only listens.\n"
            await until(
                lambda: (member := bens.member("ben")) and (member["role"], member["muted"]) == ("listener", True)
            )
            await keeper("member", "admit", "studio", "ben")
            await until(lambda: (member := bens.member("ben")) and member["role"] == "speaker")


async def test_a_room_is_called_otherwise_for_everybody_at_once_and_after_a_restart(
    config: Path, capsys: Output
) -> None:
    async with running(config, capsys) as (keeper, home), Presence(house=home, hello=await keeper.link("Ada")) as ada:
        assert ada.messages[0]["room"]["title"] == "studio"
        assert await keeper("title", "studio", " Küche & <b>Bad</b> ") == 'studio is called "Küche & <b>Bad</b>".\n'
        await until(lambda: ada.of("title"))
        assert ada.of("title") == [{"type": "title", "title": "Küche & <b>Bad</b>"}]
        for wrong in ("", "  ", "x" * 65, "two\nlines", "\x1b[2J", "over\u202eride"):
            assert "1 to 64 printable characters" in await keeper("title", "studio", wrong, code=64)
        path = str(home.host.config.control_path)
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=path)) as control:
            for fields in ({}, {"title": None}, {"title": 5}):
                async with control.put("http://host/rooms/studio/title", json=fields) as answer:
                    assert answer.status == 400, "no title is not one"
        assert len(ada.of("title")) == 1
        assert "no such room" in await keeper("title", "cellar", "New", code=64)
    assert "in Küche & <b>Bad</b>, good until" in await Keeper(config, capsys)("link", "studio", "--name", "Ben")
    async with running(config, capsys) as (keeper, home), Presence(house=home, hello=await keeper.link("Ada")) as ada:
        assert ada.messages[0]["room"]["title"] == "Küche & <b>Bad</b>"
    config.write_text(config.read_text().replace('id = "studio"\n[[', 'id = "studio"\ntitle = "Atelier"\n[['))
    async with running(config, capsys) as (keeper, home), Presence(house=home, hello=await keeper.link("Ada")) as ada:
        assert ada.messages[0]["room"]["title"] == "Atelier", "the settings were changed since, and hold"


async def test_the_keeper_announces_for_a_program_and_is_answered_when_it_may_begin(
    config: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.host.recording.ANNOUNCED", 0.5)
    async with running(config, capsys) as (keeper, home), Presence(house=home, hello=await keeper.link("Ada")) as ada:
        assert await keeper("recording", "studio", "on", "--name", "OBS") == "Everybody knows: record now.\n"
        (told,) = ada.of("recording")
        assert time.time() >= told["starts"], "it waits, so that a recorder can be started behind it"
        assert (told["on"], told["by"]) == (True, {"id": "host", "name": "OBS"})
        assert "printable" in await keeper("recording", "studio", "on", "--name", "\n", code=64)
        await asyncio.sleep(1.5)
        assert len(ada.of("recording")) == 1, "who has no presence is not missed: only the keeper ends it"
        assert "Nobody records any more" in await keeper("recording", "studio", "off")
        await until(lambda: ada.of("recording")[-1] == {"type": "recording", "on": False})
        assert json.loads(await keeper("recording", "attic", "off", "--json")) == {"recording": None, "begins_in": 0.0}


async def test_a_revoked_device_is_out_until_it_is_allowed(config: Path, capsys: Output) -> None:
    async with running(config, capsys) as (keeper, home):
        async with Member(home, "room-7", kind="site") as site:
            site.token = await token_of_device(home)
            await site.connect()
            assert "in the room" in await keeper("device", "list")
            assert await keeper("device", "revoke", "room-7") == "room-7: revoked.\n"
            await until(lambda: site.dtls.closed)
            assert (await site.post()).status == 403
        with pytest.raises(AssertionError, match="revoked"):
            await token_of_device(home)
        assert "no such device" in await keeper("device", "revoke", "room-8", code=64)
        await keeper("device", "allow", "room-7")
        assert "is not revoked" in await keeper("device", "allow", "room-7", code=64)
        assert await token_of_device(home)


async def test_without_a_host_it_says_so_and_how_to_start_one(config: Path, capsys: Output) -> None:
    keeper = Keeper(config, capsys)
    for words in (("key", "list", "studio"), ("member", "list", "studio"), ("device", "list"), ("state",)):
        assert "Start it with: kontor host" in await keeper(*words, code=75)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:  # of a host that was killed
        left.bind(str(config.parent / CONTROL))
    assert "Start it with: kontor host" in await keeper("state", code=75)
    async with running(config, capsys):
        assert stat.S_IMODE((config.parent / CONTROL).stat().st_mode) == 0o600
        with pytest.raises(ControlError, match="another host is running"):
            async with running(config, capsys):
                raise AssertionError
        await keeper("state")
    assert not (config.parent / CONTROL).exists()


async def test_a_link_of_a_room_that_never_ran_waits_for_the_host(config: Path, capsys: Output) -> None:
    (config.parent / "state").rmdir()
    told = await Keeper(config, capsys)("link", "studio", "--name", "Ada", code=75)
    assert "start the server once" in told


async def test_a_key_that_cannot_be_written_changes_nothing(
    config: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async with running(config, capsys) as (keeper, home):
        before = home.host._conferences["studio"].store.keys
        monkeypatch.setattr("appliance.host.room_store.atomic_write", full)
        assert "No space left" in await keeper("key", "new", "studio", code=64)
        assert home.host._conferences["studio"].store.keys == before
        home.host._conferences["studio"].memory.set_mute_new(True, [])
        await until(lambda: home.count("host_store_failures") == 1)
        assert home.told(EventName.ROOM_STORE_FAILED)


def test_each_room_is_asked_for_where_it_is_held(config: Path) -> None:
    config.write_text(config.read_text().replace("[host]\n", "[host]\nprocesses = 2\n"))
    settings = load([Source("kontor.toml", config.read_bytes(), config.parent)], ())
    assert [path.name for path in Hosts(settings)._paths] == ["host-0.sock", "host-1.sock"]


async def test_the_keeper_makes_devices_members_and_forgets_them(config: Path, capsys: Output, tmp_path: Path) -> None:
    async with running(config, capsys) as (keeper, home):
        told = await keeper("member", "add", "studio", "room-8", "--name", "Room 8", "--key", PUBLIC)
        assert fingerprint(base64.b64decode(PUBLIC)) in told
        assert "in the settings already" in await keeper(
            "member", "add", "studio", "room-7", "--name", "Room 7", "--key", PUBLIC, code=64
        )
        assert "public key" in await keeper("member", "add", "attic", "a", "--name", "A", "--key", "x", code=64)
        card = tmp_path / "card.toml"
        told = await keeper("member", "invite", "attic", "--name", "Room 9", "--out", str(card))
        assert str(card) in told and stat.S_IMODE(card.stat().st_mode) == 0o600
        written = tomllib.loads(card.read_text())
        assert written["device"]["id"] == "room-9" and written["room"]["id"] == "attic"
        assert written["room"]["url"] == "http://localhost" and len(written["room"]["enrolment"]) == 43
        assert written["room"]["enrolment"] not in told
        assert "It works on this machine only." in told, "[host] url is localhost"
        told = await keeper("member", "invite", "attic", "--name", "Room 9", "--url", "http://box:8080")
        assert "[room]" in told and "on this machine only" not in told
        nowhere = str(tmp_path / "no" / "folder")
        assert "cannot be written" in await keeper(
            "member", "invite", "attic", "--name", "A", "--out", nowhere, code=64
        )

        body = {"device": "room-10", "name": "Room 10", "room": "attic", "key": PUBLIC}
        signature = base64.b64encode(KEY.sign(enrolment_text("attic", "room-10", ""))).decode()
        async with home.http.post(home.url("/devices/enrol"), json=body | {"signature": signature}) as response:
            assert response.status == 202
        lines = (await keeper("device", "list")).splitlines()
        assert any(line.startswith("room-9 ") and "awaited until" in line for line in lines)
        assert any(line.startswith("room-10 ") and "asks to be let in" in line for line in lines)
        assert "The key of this device is" in await keeper("device", "admit", "room-10", "--key", "0000", code=64)
        await keeper("device", "admit", "room-10", "--key", fingerprint(base64.b64decode(PUBLIC)))
        assert "does not ask" in await keeper("device", "admit", "room-10", "--key", "0000", code=64)
        home.host._conferences["attic"].store.registry.reported("room-10", {"config": "kept", "all": 42}, 7.0)
        assert "settings kept (all 42)" in await keeper("device", "list")
        listed = await keeper.listed("device", "list")
        reports = {device["id"]: device["report"] for device in listed["devices"]}  # type: ignore[attr-defined]
        assert reports["room-10"] == {"at": 7, "config": "kept", "all": 42}
        for device in ("room-8", "room-9", "room-10", "a"):
            await keeper("device", "forget", device)
        assert "There is no such device." in await keeper("device", "forget", "room-8", code=64)
        assert "in the settings" in await keeper("device", "forget", "room-7", code=64)
        assert len((await keeper("device", "list")).splitlines()) == 1
