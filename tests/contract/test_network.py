"""The contract of a machine's network, over the virtual one and over a NetworkManager of the test's own with one cable."""

import asyncio
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.provisioning.network import Network
from appliance.provisioning.virtual import AccessPoint, VirtualNetwork
from appliance.settings import Settings
from tests.contract.network_suite import CHECKS, Rig
from tests.provisioning.machine import Box, box
from tests.settings.support import loaded

_CABLE = '[network.ethernet]\ninterface = "eth0"\n'


class VirtualRig:
    """The network of tests and demo."""

    def __init__(self, folder: Path) -> None:
        password = folder / "password"
        password.touch(mode=0o600)
        password.write_text("correct horse")
        wrong = folder / "wrong"
        wrong.touch(mode=0o600)
        wrong.write_text("battery staple")
        wifi = '[[network.wifi]]\nssid = "Office"\npassword_file = "{}"\n'
        self.good = loaded(wifi.format(password))
        self.other = loaded(wifi.format(password) + 'address = "192.0.2.8/24"\n')
        self.wrong = loaded(wifi.format(wrong))
        self._network = VirtualNetwork([AccessPoint("Office", password="correct horse")], grace=0.0)

    def process(self) -> Network:
        return self._network

    async def has(self, settings: Settings) -> bool:
        return self._network.in_force == settings.network

    async def power_cut(self) -> None:
        self._network.power_cut()


class ManagerRig:
    """NetworkManager; looked at from outside as Linux has it."""

    def __init__(self, made: Box) -> None:
        self._box = made
        self.good = loaded(_CABLE + 'address = "192.0.2.7/24"\n')
        self.other = loaded(_CABLE + 'address = "192.0.2.8/24"\ngateway = "192.0.2.1"\n')
        self.wrong = loaded(_CABLE)  # nobody answers DHCP here

    def process(self) -> Network:
        return self._box.network()

    async def has(self, settings: Settings) -> bool:
        command = ["nsenter", f"--net=/proc/{self._box.pid}/ns/net", "ip", "-json", "-4", "address", "show", "eth0"]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
        found = [
            f"{each['local']}/{each['prefixlen']}" for link in json.loads(done.stdout) for each in link["addr_info"]
        ]
        return found == [settings.network.ethernet.address]

    async def power_cut(self) -> None:
        await asyncio.to_thread(self._box.power_cut)


@pytest.fixture
def machine() -> Iterator[Box]:
    # A socket's path is short, and pytest's folders are not.
    with tempfile.TemporaryDirectory(prefix="kontor-nm-") as folder, box(Path(folder)) as made:
        yield made


@pytest.mark.virtual_time
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_virtual(check: object, tmp_path: Path) -> None:
    rig: Rig = VirtualRig(tmp_path)
    assert callable(check)
    await check(rig)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_network_manager(check: object, machine: Box) -> None:
    rig: Rig = ManagerRig(machine)
    assert callable(check)
    try:
        await check(rig)
    finally:
        await machine.close()
