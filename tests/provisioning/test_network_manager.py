"""What the contract does not say of a NetworkManager: what belongs to the machine, what is refused, what is on the disk."""

import asyncio
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from appliance.provisioning.bus import Bus, BusError
from appliance.provisioning.network import NetworkError
from appliance.provisioning.network_manager import NetworkManager
from appliance.provisioning.timesync import time_servers
from appliance.settings import Settings
from tests.provisioning.machine import Box, box
from tests.provisioning.test_network_check import enterprise, private, wifi
from tests.settings.support import loaded
from tests.support.waiting import until

CABLE = '[network.ethernet]\ninterface = "eth0"\naddress = "192.0.2.7/24"\n'
OWN = """[connection]
id=machine
uuid=0e2e6d6c-9d2f-4f6f-8d52-9d1f0c4f0001
type=ethernet
interface-name=eth0
[ipv4]
method=manual
address1=192.0.2.99/24
[ipv6]
method=disabled
"""


@pytest.fixture
def machine() -> Iterator[Box]:
    """One whose cable has a profile of its own."""
    with tempfile.TemporaryDirectory(prefix="kontor-nm-") as name:
        profile = Path(name) / "etc/system-connections/machine.nmconnection"
        profile.parent.mkdir(parents=True)
        profile.touch(mode=0o600)
        profile.write_text(OWN)
        with box(Path(name)) as made:
            yield made


@asynccontextmanager
async def provision(machine: Box) -> AsyncIterator[NetworkManager]:
    """The network of one process; its state is kept up to date."""
    network = machine.network(seconds=20.0)
    looking = asyncio.create_task(network.run())
    try:
        yield network
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await machine.close()


def standing(network: NetworkManager) -> list[str]:
    """Names of what is up."""
    connections = network.state()["connections"]
    assert isinstance(connections, list)
    return [each["name"] for each in connections if each["state"] == "up"]


async def test_what_belongs_to_the_machine_stays_and_has_its_cable_back_when_kontor_says_nothing_more(
    machine: Box,
) -> None:
    async with provision(machine) as network:
        await until(lambda: standing(network) == ["machine"], 20)
        await network.apply(Settings())  # nothing to say, nothing to do
        assert network.state()["trial"] is False
        await network.apply(loaded(CABLE))
        await network.keep()
        await until(lambda: standing(network) == ["ethernet"], 20)
        assert machine.stored()["machine"] == OWN
        await network.apply(Settings())
        await until(lambda: standing(network) == ["machine"], 20)
        assert "kontor-ethernet" in machine.stored()  # it is on trial
        await network.revert()
        await until(lambda: standing(network) == ["ethernet"], 20)
        await network.apply(Settings())
        await network.keep()
        assert list(machine.stored()) == ["machine"]
        await until(lambda: standing(network) == ["machine"], 20)


async def test_a_wifi_that_is_not_in_range_is_only_remembered(machine: Box, tmp_path: Path) -> None:
    async with provision(machine) as network:
        await until(lambda: standing(network) == ["machine"], 20)
        await network.apply(loaded(wifi(tmp_path, b"correct horse")))
        await network.keep()
        assert "psk=correct horse" in machine.stored()["kontor-wifi-A"]
        assert standing(network) == ["machine"]


async def test_certificates_lie_beside_and_leave_with_their_profile(machine: Box, tmp_path: Path) -> None:
    state = machine.folder / "state"
    async with provision(machine) as network:
        await until(lambda: standing(network) == ["machine"], 20)
        await network.apply(loaded(enterprise(tmp_path, private())))
        await network.keep()
        files = list((state / "network").glob("*.pem"))
        assert len(files) == 3  # authority, certificate, key
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        assert stat.S_IMODE((state / "network.json").stat().st_mode) == 0o600
        stored = machine.stored()["kontor-wifi-A"]
        assert all(str(path) in stored for path in files)
        await network.apply(Settings())
        await network.keep()
        assert list((state / "network").glob("*.pem")) == []


async def test_what_cannot_be_stored_is_taken_back(machine: Box) -> None:
    async with provision(machine) as network:
        await until(lambda: standing(network) == ["machine"], 20)
        await network.apply(loaded(CABLE))
        shutil.rmtree(machine.folder / "state")
        with pytest.raises(NetworkError, match="cannot be stored: No such file or directory"):
            await network.keep()
        await until(lambda: standing(network) == ["machine"], 20)
        await until(lambda: list(machine.stored()) == ["machine"], 20)


async def test_an_outsider_who_changed_our_profile_is_overruled_at_the_next_start(machine: Box) -> None:
    async with provision(machine) as network:
        await network.apply(loaded(CABLE))
        await network.keep()
    (machine.folder / "state/network.json").unlink()  # as after a restore of an older backup
    async with provision(machine) as network:
        await network.apply(loaded(CABLE))
        assert network.state()["trial"] is True
        await network.keep()
        await until(lambda: standing(network) == ["ethernet"], 20)


async def test_time_servers_where_nobody_keeps_the_time(machine: Box) -> None:
    async with provision(machine) as network:
        with pytest.raises(NetworkError, match="only be set where systemd-timesyncd keeps the time"):
            await network.apply(loaded('[network]\nntp = ["time.example.org"]\n'))


async def test_time_servers_are_named_and_taken_back(machine: Box) -> None:
    machine.keep_time()
    bus = Bus(machine.address)

    async def now() -> tuple[str, ...]:
        async with asyncio.timeout(20):
            while True:
                with suppress(BusError):  # it is not there yet
                    return await time_servers(bus)
                await asyncio.sleep(0.05)

    async with provision(machine) as network:
        assert await now() == ()
        await network.apply(loaded('[network]\nntp = ["time.example.org"]\n'))
        assert await now() == ("time.example.org",)
        await network.revert()
        assert await now() == ()
        await network.apply(loaded('[network]\nntp = ["192.0.2.9", "time.example.org"]\n'))
        await network.keep()
        assert await now() == ("192.0.2.9", "time.example.org")
        await network.apply(Settings())
        await network.keep()
        assert await now() == ()
    await bus.close()


async def test_where_there_is_no_network_manager(tmp_path: Path) -> None:
    network = NetworkManager(tmp_path, Bus(f"unix:path={tmp_path}/bus"))
    await network.apply(Settings())
    await network.keep()
    await network.revert()
    with pytest.raises(NetworkError, match="NetworkManager does not run on this machine"):
        await network.apply(loaded(CABLE))
    looking = asyncio.create_task(network.run())
    await until(lambda: network.state()["why"] == "NetworkManager does not run on this machine.", 5)
    assert network.state()["manager"] == ""
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)


async def test_a_secret_that_has_gone_meanwhile(tmp_path: Path) -> None:
    network = NetworkManager(tmp_path, Bus(f"unix:path={tmp_path}/bus"))
    with pytest.raises(NetworkError, match="names a file that does not exist"):
        await network.apply(loaded('[[network.wifi]]\nssid = "A"\npassword_file = "/nowhere/at/all"\n'))


async def test_a_bus_that_was_started_anew_is_asked_again(machine: Box) -> None:
    async with provision(machine) as network:
        await network.apply(loaded(CABLE))
        await asyncio.to_thread(machine.power_cut)
        with pytest.raises(NetworkError, match="in time"):  # the checkpoint went with it
            await network.keep()
        await until(lambda: list(machine.stored()) == ["machine"], 20)
        await network.apply(loaded(CABLE))
        await network.keep()
        assert "kontor-ethernet" in machine.stored()
