"""``kontor setup`` where systemd runs: it starts the services, and they are in the room once somebody has let the device in."""

import tomllib
from collections.abc import Iterator

import pytest

from tests.support import wait_for
from tests.support.need import need
from tests.systemd.guest import Guest, missing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SERVER = """schema = 1
# the server of the house, which this machine is already
[host]
listen = "127.0.0.1"
port = 8080
[[host.rooms]]
id = "lobby"
"""
SETUP = "kontor setup --room http://127.0.0.1:8080/lobby --name Hall --card"


@pytest.fixture
def server() -> Iterator[Guest]:
    """A machine that holds a room, and on which no device was set up."""
    need(not missing(), missing())
    guest = Guest(SERVER)
    guest.put("usr/lib/systemd/system/guest.target.d/host.conf", "[Unit]\nWants=kontor-host.service\n")
    with guest:
        wait_for(lambda: guest.run("kontor host state", check=False).returncode == 0, 30)
        yield guest


def is_enabled(guest: Guest) -> str:
    return guest.run("systemctl is-enabled kontor.target", check=False).stdout.strip()


def test_three_answers_and_somebody_who_lets_it_in(server: Guest) -> None:
    assert is_enabled(server) == "disabled"
    done = server.run(f"{SETUP} auto", check=False, seconds=120)
    assert done.returncode == 69, done.stdout + done.stderr
    assert "The sound card, and the room that it hears" in done.stdout  # and there is none
    assert is_enabled(server) == "enabled"
    (admit,) = [
        line.strip() for line in done.stdout.splitlines() if line.strip().startswith("kontor host device admit")
    ]
    wait_for(lambda: server.run(admit, check=False).returncode == 0, 60)
    wait_for(lambda: server.status("link").get("phase") == "in_room", 60)

    written = tomllib.loads(server.path("/etc/kontor/kontor.toml").read_text())
    assert (written["host"]["port"], written["device"]["name"]) == (8080, "Hall")
    assert server.path("/etc/kontor/kontor.toml.old").read_text() == SERVER
    # What root had made for it belongs to the services: they could not be started again otherwise.
    owners = server.run("find /var/lib/kontor/sound /var/lib/kontor/link -printf '%u %p\\n'").stdout.splitlines()
    assert "kontor-link /var/lib/kontor/link/device.key" in owners
    assert not [line for line in owners if line.startswith("root ")]

    again = server.run(f"{SETUP} none", seconds=120)
    assert again.stdout.endswith("It is in the room.\n")
    assert "Nothing was started" not in again.stdout
