"""What provisioning takes in from afar: only what could be remembered as seen."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from appliance.app.intake import Intake
from appliance.core.documents import Floor
from appliance.provisioning.signing import SecretKey
from appliance.settings import Settings, Source, load
from tests.app.parts import journal
from tests.provisioning.published import publish, shown

KEY = SecretKey(bytes(8), bytes(32))


def follows(url: str) -> Settings:
    text = f'schema = 1\n[device]\nid = "lobby"\n[provisioning]\nurl = "{url}"\nkeys = ["{KEY.public}"]\n'
    return load([Source("kontor.toml", text.encode())])


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
        assert await intake.fetch(follows(server.url), {})
        assert intake.documents["all"].version == stored[0]["all"].version == 42
        assert await intake.fetch(follows(server.url), stored[0])
    assert len(stored) == 1


async def test_a_version_counts_as_seen_though_its_document_is_no_text(tmp_path: Path) -> None:
    stored: list[Mapping[str, Floor]] = []
    publish(tmp_path, KEY, "all", 42, b"\xff")
    async with shown(tmp_path) as server:
        intake = Intake(tmp_path, journal()[0], stored.append)
        await intake.fetch(follows(server.url), {})
    assert (stored[0]["all"].version, dict(intake.documents)) == (42, {})
    assert intake.faults == ["all: all.42.toml is not UTF-8 text, though it was signed."]
