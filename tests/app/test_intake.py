"""What provisioning takes in from afar: only what could be remembered as seen."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from appliance.app.intake import Intake
from appliance.core.documents import Floor
from appliance.provisioning import fleet
from appliance.provisioning.signing import SecretKey
from appliance.settings import Settings, SettingsError, Source, load
from tests.app.parts import journal
from tests.provisioning.published import publish, shown

KEY = SecretKey(bytes(8), bytes(32))


def _card(url: str) -> bytes:
    text = f'schema = 1\n[device]\nid = "lobby"\n[provisioning]\nurl = "{url}"\nkeys = ["{KEY.public}"]\n'
    return text.encode()


def follows(url: str) -> Settings:
    return load([Source("kontor.toml", _card(url))])


async def test_a_disk_that_refuses_holds_a_document_up_until_it_takes_its_version(tmp_path: Path) -> None:
    stored: list[Mapping[str, Floor]] = []
    full = True

    def store(floors: Mapping[str, Floor]) -> None:
        if full:
            raise OSError(28, "No space left on device")
        stored.append(dict(floors))

    publish(tmp_path, KEY, "all", 42, b"schema = 1\n")
    async with shown(tmp_path) as server:
        intake = Intake(tmp_path, journal()[0], store)
        for _ in range(3):
            with pytest.raises(OSError, match="No space left"):
                await intake.fetch(follows(server.url), {})
            assert not intake.documents
        full = False
        await intake.fetch(follows(server.url), {})
        assert intake.reached
        assert intake.documents["all"].version == stored[0]["all"].version == 42
        await intake.fetch(follows(server.url), stored[0])
        assert intake.reached
    assert len(stored) == 1


async def test_a_device_goes_through_the_change_of_a_key(tmp_path: Path) -> None:
    """As docs/fleet.md has it: both are named, the new one signs everything, the old one is left out."""
    old, new, source, folder = KEY, SecretKey(bytes([1]) * 8, bytes([1]) * 32), tmp_path / "fleet", tmp_path / "www"
    source.mkdir()
    (source / "devices").mkdir()
    (source / "devices/lobby.toml").write_text("schema = 1\n[audio]\nframe_ms = 10\n")

    def published(key: SecretKey, *keys: SecretKey) -> None:
        listed = ", ".join(f'"{each.public}"' for each in keys)
        (source / "all.toml").write_text(f"schema = 1\n[provisioning]\nkeys = [{listed}]\n")
        files = fleet.read_fleet(source)
        fleet.check(files, key.public)
        trusted = (old.public, new.public)
        fleet.write(fleet.plan(files, folder, trusted, key.public), folder, key)

    async with shown(folder) as server:
        card = Source("kontor.toml", _card(server.url))
        intake = Intake(tmp_path, journal()[0], lambda _floors: None)
        settings = load([card])
        for signer, named in ((old, (old,)), (old, (old, new)), (new, (old, new)), (new, (new,)), (new, (new,))):
            published(signer, *named)
            await intake.fetch(settings, {})
            assert intake.reached
            layers = [Source(each.name, each.content) for each in intake.documents.values()]
            settings = load([card, *layers])
            assert not intake.faults
        assert settings.provisioning.keys == (str(new.public),)
        assert {each.key for each in intake.documents.values()} == {new.public.name}
        with pytest.raises(SettingsError, match="would leave out the key"):
            published(old, new)
        publish(folder, old, "all", 99, b"schema = 1\n")
        await intake.fetch(settings, {})
        assert intake.reached, "of the others something genuine comes"
        assert intake.faults == [f"all: It was signed with the key {old.public.name}, which is not trusted here."]


async def test_a_version_counts_as_seen_though_its_document_is_no_text(tmp_path: Path) -> None:
    stored: list[Mapping[str, Floor]] = []
    publish(tmp_path, KEY, "all", 42, b"\xff")
    async with shown(tmp_path) as server:
        intake = Intake(tmp_path, journal()[0], stored.append)
        await intake.fetch(follows(server.url), {})
    assert (stored[0]["all"].version, dict(intake.documents)) == (42, {})
    assert intake.faults == ["all: all.42.toml is not UTF-8 text, though it was signed."]
