"""What an admin does where systemd runs: setup, which starts the services; backup and restore as docs/operate.md says."""

import json
import re
import tomllib
from collections.abc import Iterator

import pytest

from tests.support import wait_for
from tests.support.need import need
from tests.systemd.guest import ROOT, Guest, missing

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


GUIDE = (ROOT / "docs" / "operate.md").read_text()
BACKUP, RESTORE = re.findall(r"^```sh\n(.*?)^```", GUIDE[GUIDE.index("## Backup") :], re.MULTILINE | re.DOTALL)[:2]
FETCH = """
import sys, urllib.request
asked = urllib.request.Request("http://127.0.0.1:8080/rooms/lobby/media", b"", {"Authorization": f"Bearer {sys.argv[1]}"})
try:
    urllib.request.urlopen(asked)
except urllib.error.HTTPError as error:
    print(error.code)
"""


def test_a_server_is_the_old_one_after_backup_and_restore(server: Guest) -> None:
    as_root = 'sudo() { "$@"; }\ncd /root\n'
    link = server.run("kontor host link lobby --name Ada --url http://127.0.0.1:8080").stdout.strip()
    server.run(f"kontor host member add lobby hall --name Hall --key {'A' * 43}=")
    known = json.loads(server.run("kontor host device list --json").stdout)["devices"]
    server.path("/tmp/fetch.py").write_text(FETCH)
    token = link.partition("#")[2]

    def answer() -> str:
        return server.run(f"guest-python /tmp/fetch.py {token}", check=False).stdout.strip()

    assert answer() == "415"  # it is let in, and has no offer
    server.run(as_root + BACKUP)
    server.run("systemctl stop kontor-host && rm -r /etc/kontor /var/lib/kontor/host && systemd-tmpfiles --create")
    server.run("mkdir -p /etc/kontor && cp /root/kontor-backup.tar.gz /tmp")  # the package makes the folder
    server.path("/etc/kontor/kontor.toml").write_text(SERVER)
    server.run("systemctl start kontor-host")
    wait_for(lambda: answer() == "401", 30)  # another server, by the same name
    server.run(as_root + RESTORE)
    wait_for(lambda: answer() == "415", 30)
    assert json.loads(server.run("kontor host device list --json").stdout)["devices"] == known
    assert "root" not in server.run("find /var/lib/kontor/host -printf '%u\\n'").stdout.split()
