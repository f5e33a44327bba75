"""A support bundle for somebody far away: only where the settings allow it, without what a closed room must not tell."""

import asyncio
import contextlib
import gzip
import io
import json
import tarfile
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from appliance.app import bundle, bundle_from_afar
from appliance.app.bundle_from_afar import BundleFromAfar
from appliance.health.status import StatusServer
from appliance.provisioning.files import Files, Loaded
from appliance.rooms.nowhere import Nowhere
from tests.app.parts import Lines, journal, settings
from tests.support import until as met_within

SECRET, NAME = "s3cr3t-9f2c", "Lena Brandt"
SOUND: dict[str, Any] = {
    "gate": "closed",
    "reasons": ["switch"],
    "microphone": None,
    "front_end": {
        "array": "respeaker_usb_4",
        "chain": ["kalman"],
        "degraded": "",
        "us_per_block": 4321,
        "delay_ms": 12.5,
    },
    "counters": {"echo_fallback_start": 77},
    "exchange_ms": {"p50": 1.5},
    "proof": {"violations": 0},
    "cpu_s": 98.76,
    "uptime": 60.0,
}


async def until(met: Callable[[], object]) -> None:
    """Packing is work: a machine that is busy with other tests takes its time."""
    await met_within(met, 40)


@pytest.fixture(autouse=True)
def no_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal of the machine that the tests run on is no matter here."""
    monkeypatch.setattr(bundle, "output_of", lambda _command: "")


class Room(Nowhere):
    """Takes bundles, or says why not."""

    def __init__(self) -> None:
        super().__init__("")
        self.taken: list[tuple[str, bytes]] = []
        self.refuses = ""

    async def hand_in(self, word: str, bundle: bytes, /) -> str:
        self.taken.append((word, bundle))
        return self.refuses


class World:
    def __init__(self, folder: Path, more: str) -> None:
        told, self.lines = journal()
        self.room = Room()
        config = settings(folder, more)
        status: Mapping[str, Any] = {"phase": "in_room", "speaking": [NAME], "members": 4, "cpu_s": 12.34}
        self.bundle = BundleFromAfar(lambda: config, None, lambda: self.room, lambda: status, told)


@contextlib.asynccontextmanager
async def world(folder: Path, more: str = "[room]\nsupport_bundle = true") -> AsyncIterator[World]:
    here = World(folder, more)
    running = asyncio.create_task(here.bundle.run())
    try:
        yield here
    finally:
        running.cancel()
        await asyncio.wait([running])


def unpacked(content: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(content))) as archive:
        return {
            member.name.partition("/")[2]: file.read().decode()
            for member in archive
            if (file := archive.extractfile(member)) is not None
        }


def told(lines: Lines) -> list[str]:
    return [*lines.lines("bundle_refused"), *lines.lines("bundle_handed_in")]


async def test_it_is_off_unless_the_settings_say_otherwise(short_dir: Path) -> None:
    async with world(short_dir, "") as here:
        assert not here.bundle.offered
        here.bundle.ask("w" * 22)
        await asyncio.sleep(1)
        assert here.room.taken == []
        assert "support_bundle is off" in here.lines.lines("bundle_refused")[0], "whoever looks after it learns that"


async def test_settings_that_allow_it_are_taken_up_at_once(short_dir: Path) -> None:
    config = short_dir / "kontor.toml"
    config.write_text("schema = 1\n")
    files = Files(config)
    files.current = files.load()
    here = BundleFromAfar(lambda: files.current.settings, files, Room, dict, journal()[0])
    assert not here.offered
    config.write_text("schema = 1\n[room]\nsupport_bundle = true\n")
    files.current = files.load()
    assert here.offered


async def test_it_is_made_and_handed_in_without_secrets_names_and_what_follows_sound(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = short_dir / "kontor.toml"
    (short_dir / "token").write_text(SECRET)
    (short_dir / "token").chmod(0o600)
    config.write_text(
        f'schema = 1\n[device]\nname = "Büro {NAME}"\n[room]\ntoken_file = "token"\nsupport_bundle = true\n'
    )

    async def answer(_request: object) -> dict[str, Any]:
        return SOUND

    server = StatusServer(short_dir / "sound.status", {"status": answer})
    await server.start()
    try:
        async with world(short_dir) as here:
            here.bundle._files = Files(config)
            here.bundle._files.current = here.bundle._files.load()
            here.bundle.ask("w" * 22)
            await until(lambda: here.lines.lines("bundle_handed_in"))
    finally:
        await server.stop()
    [(word, content)] = here.room.taken
    assert word == "w" * 22
    files = unpacked(content)
    whole = "\n".join(files.values())
    assert SECRET not in whole
    assert NAME not in whole
    assert 'name = "(left out)"' in files["settings.toml"]
    status = json.loads(files["status.json"])
    assert status["sound"] == {
        "gate": "closed",
        "reasons": ["switch"],
        "front_end": {"array": "respeaker_usb_4", "chain": ["kalman"], "degraded": ""},
        "proof": {"violations": 0},
        "uptime": 60.0,
    }
    assert status["link"] == {"phase": "in_room"}
    machine = json.loads(files["machine.json"])
    assert files["journal.txt"].startswith("Nothing. A bundle that somebody far away asked for is made by link")
    assert "sudo kontor doctor --bundle" in files["units.txt"], "why it is empty, and the way to more"
    assert "uptime" in machine
    assert not {"load", "memory_free", "temperature"} & set(machine)


async def test_wrong_settings_are_in_it_with_what_is_wrong(short_dir: Path) -> None:
    config = short_dir / "kontor.toml"
    config.write_text("schema = 1\n[audio]\nfrane_ms = 10\n")
    async with world(short_dir) as here:
        here.bundle._files = Files(config)
        here.bundle._files.current = Loaded(settings(short_dir, "[room]\nsupport_bundle = true"))
        here.bundle.ask("w" * 22)
        await until(lambda: here.room.taken)
    assert 'Did you mean "frame_ms"?' in unpacked(here.room.taken[0][1])["settings.toml"]


async def test_a_host_that_does_not_take_it_is_told_of(short_dir: Path) -> None:
    async with world(short_dir) as here:
        here.room.refuses = "The server has no such room."
        here.bundle.ask("w" * 22)
        await until(lambda: here.lines.lines("bundle_refused"))
        assert "The server has no such room." in here.lines.lines("bundle_refused")[0]


async def test_a_disk_that_fails_ends_nothing(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> dict[str, bytes]:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(bundle_from_afar, "_PAUSE", 0.02)
    async with world(short_dir) as here:
        with monkeypatch.context() as patched:
            patched.setattr(bundle, "collect", broken)
            here.bundle.ask("v" * 22)
            await until(lambda: here.lines.lines("bundle_refused"))
        here.bundle.ask("w" * 22)
        await until(lambda: here.room.taken)
        assert here.room.taken[0][0] == "w" * 22


async def test_whoever_asks_again_and_again_gets_the_last_one_later(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_from_afar, "_PAUSE", 0.4)
    async with world(short_dir) as here:
        now = asyncio.get_running_loop().time
        here.bundle.ask("a" * 22)
        await until(lambda: here.room.taken)
        began = now()
        for letter in "bcd":
            here.bundle.ask(letter * 22)
        await until(lambda: len(here.room.taken) == 2)
        assert now() - began > 0.3
        await asyncio.sleep(1)
        assert [word[0] for word, _ in here.room.taken] == ["a", "d"]
        assert len(told(here.lines)) == 2
