"""What the image does for the machine as the settings say: asked once, told once, and gone when it is taken away."""

import base64
import io
import stat
from pathlib import Path

import pytest

from appliance.app.surroundings import KEYS, SSH, Surroundings, hostname_of
from appliance.health.journal import Journal
from appliance.provisioning.power import Foreground, NotDone
from appliance.settings import Settings
from tests.settings.support import loaded


def key(number: int) -> str:
    """A public key as ssh-keygen writes it (RFC 8709)."""
    kind = b"ssh-ed25519"
    data = len(kind).to_bytes(4, "big") + kind + (32).to_bytes(4, "big") + bytes([number]) * 32
    return f"{kind.decode()} {base64.b64encode(data).decode()} somebody@laptop"


NOTHING = {"data": "", "ssh": False, "failed": {}}
ADA, BOB = key(1), key(2)


class Machine(Foreground):
    """What is asked of a machine's services, in order; ``refuses`` is why it does none of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.refuses, self.ssh = "", "inactive"

    async def state_of(self, _unit: str) -> str:
        return self.ssh

    async def start(self, unit: str) -> None:
        self._ask(f"start {unit}")

    async def restart(self, unit: str) -> None:
        self._ask(f"restart {unit}")

    async def stop(self, unit: str) -> None:
        self._ask(f"stop {unit}")

    async def name(self, hostname: str) -> None:
        self._ask(f"name {hostname}")

    def _ask(self, what: str) -> None:
        if self.refuses:
            raise NotDone(self.refuses)
        self.asked.append(what)
        if what.endswith(SSH):
            self.ssh = "inactive" if what.startswith("stop") else "active"


class Around:
    """The part with a machine, and settings that can be changed under it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.machine, self.out = folder, Machine(), io.StringIO()
        self.settings, self.data = Settings(), folder / "data"
        self.part = self.begun()

    def begun(self) -> Surroundings:
        """As after a new start of provision."""
        return Surroundings(lambda: self.settings, Journal("provision", self.out), self.machine, self.folder, self.data)

    def told(self) -> list[str]:
        """The events until now."""
        return [line.removeprefix("provision: event=") for line in self.out.getvalue().splitlines()]

    async def with_settings(self, text: str) -> list[str]:
        """What is asked of the machine when these come into force."""
        self.settings, self.machine.asked = loaded(text), []
        for _ in range(3):
            await self.part.look()
        return self.machine.asked


@pytest.fixture
def around(tmp_path: Path) -> Around:
    return Around(tmp_path)


def ssh(*keys: str) -> str:
    return f"[device]\nssh_keys = {list(keys)}\n"


async def test_ssh_is_on_while_somebody_may_come_in(around: Around) -> None:
    assert await around.with_settings("") == [], "it is off"
    assert not around.told()

    assert await around.with_settings(ssh(ADA)) == [f"restart {SSH}"]
    file = around.folder / KEYS
    assert file.read_text() == f"{ADA}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    assert await around.with_settings(ssh(BOB)) == [f"restart {SSH}"], "whoever is in may be out now"
    assert await around.with_settings("") == [f"stop {SSH}"]
    assert not file.exists()
    assert around.told() == [f"machine_set what=ssh value={value}" for value in ("keys", "keys", "off")]


async def test_a_new_start_of_provision_throws_nobody_out(around: Around) -> None:
    await around.with_settings(ssh(ADA))
    around.part = around.begun()
    assert await around.with_settings(ssh(ADA)) == [f"start {SSH}"]


async def test_a_key_that_was_taken_away_while_provision_did_not_run_lets_nobody_in(around: Around) -> None:
    await around.with_settings(ssh(ADA))
    around.part = around.begun()
    assert await around.with_settings("") == [f"stop {SSH}"]
    assert not (around.folder / KEYS).exists()


async def test_name_and_country_are_given_once_and_again_when_they_change(around: Around) -> None:
    await around.with_settings("")
    asked = await around.with_settings('[device]\nname = "Büro 2"\n[network]\ncountry = "DE"\n')
    assert asked == ["name buro-2", "start kontor-country@DE.service"]
    assert await around.with_settings('[device]\nname = "Büro 2"\n[network]\ncountry = "FR"\n') == [
        "start kontor-country@FR.service"
    ]
    assert around.part.as_dict() == {"hostname": "buro-2", "country": "FR", **NOTHING}


async def test_what_is_refused_is_told_once_and_tried_again_now_and_then(around: Around) -> None:
    around.machine.refuses = "Permission denied"
    await around.with_settings(ssh(ADA))
    for _ in range(30):
        await around.part.look()
    assert around.told() == ['machine_not_set error="Permission denied" what=ssh value=keys']
    assert around.part.as_dict() == NOTHING | {"failed": {"ssh": "Permission denied"}}

    around.machine.refuses = ""
    for _ in range(12):
        await around.part.look()
    assert around.machine.asked == [f"start {SSH}"], "its keys stood there already"
    assert around.part.as_dict() == NOTHING | {"ssh": True}


def test_what_became_of_the_data_partition_is_told_and_only_what_is_bad_lights_fault(around: Around) -> None:
    for word, bad in (("kept", False), ("anew", False), ("memory", True)):
        around.data.write_text(f"{word}\n")
        part = around.begun()
        assert (part.as_dict()["data"], bool(part.trouble())) == (word, bad)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", ""),
        ('[device]\nname = "Büro 2, München"\n', "buro-2-munchen"),
        ('[device]\nid = "a_b.c-"\n', "a-b-c"),
        (f'[device]\nid = "{"x" * 64}"\n', "x" * 63),
    ],
)
def test_the_name_of_the_machine_is_one_that_every_network_takes(text: str, name: str) -> None:
    assert hostname_of(loaded(text)) == name


def test_keys_are_taken_of_all_common_types() -> None:
    assert loaded(ssh(f" {ADA} ", BOB)).device.ssh_keys == (ADA, BOB)
