"""The package on a system that runs: services are started by ``kontor setup`` and not before, and follow each upgrade."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deb import life
from tests.deb.booted import Booted
from tests.deb.roots import dependencies, root
from tools.package.targets import TARGETS, Target

pytestmark = pytest.mark.slow

HOST = """schema = 1
[host]
listen = "127.0.0.1"
port = 8440
[[host.rooms]]
id = "lobby"
"""
DEVICE = {"sound", "link", "provision"}


@pytest.mark.timeout(900)
def test_services_follow_the_package(package: Callable[[Target], Path], tmp_path: Path) -> None:
    """Installed: nothing runs. Set up: in the room. Upgraded: started anew. Removed: ended. Back: in the room again."""
    target = next(target for target in TARGETS if target.name == "trixie-amd64")
    made = package(target)
    with root(target, [*dependencies(made), "dbus", "systemd-sysv"]) as clean:
        place, later = clean.put(made), clean.put(life.later_version(made, tmp_path, "99.0"))
        with Booted(clean, tmp_path / "console") as guest:
            guest.run(f"dpkg -i {place}")
            assert guest.pids() == {}
            (clean.folder / "etc/kontor/conf.d/10-host.toml").write_text(HOST)
            guest.run("systemctl enable --now kontor-host.service")
            link = (
                guest.run("kontor host link lobby --name 'Small room' --url http://127.0.0.1:8440")
                .strip()
                .splitlines()[-1]
            )
            said = guest.run(f"kontor setup --room '{link}' --name 'Small room' --card none")
            assert "It is in the room." in said, said
            before = guest.pids()
            assert set(before) == DEVICE | {"host"}

            guest.run(f"dpkg -i {later}")
            until_in_the_room(guest)
            after = guest.pids()
            assert set(after) == set(before)
            assert all(after[part] != before[part] for part in before), "each runs what was installed"

            guest.run("dpkg --remove kontor")
            assert guest.pids() == {}
            assert guest.run("pgrep -u kontor-sound,kontor-link,kontor-provision,kontor-host || true") == ""
            guest.run(f"dpkg -i {place}")
            until_in_the_room(guest)

            guest.run("dpkg --purge kontor")
            assert guest.run("systemctl list-units --all --no-legend 'kontor*'") == ""
            left = guest.run(
                "find / -xdev -name '*kontor*' -not -path '/proc/*' -not -path '/var/tmp/*' -not -path '/var/lib/apt/*'"
            )
            assert left == ""
            assert guest.run("getent passwd; getent group").count("kontor") == 0


def until_in_the_room(guest: Booted) -> None:
    """Wait for the device."""
    end = time.monotonic() + 60
    while True:
        told = guest.run("kontor status --json", check=False)
        if told and json.loads(told).get("link", {}).get("phase") == "in_room":
            return
        assert time.monotonic() < end, f"{told}\n{guest.run('journalctl --no-pager -n 60')}"
        time.sleep(0.5)
