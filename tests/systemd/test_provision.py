"""A file on the boot partition, taken in by provisioning with the rights that its unit gives it, and followed by all services."""

import pytest

from tests.support import wait_for
from tests.systemd.guest import Guest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

BOOT = """schema = 1
[audio]
volume_db = -6
[host.turn]
urls = ["turn:192.0.2.1"]
secret = "0123456789abcdef0123"
"""


@pytest.fixture
def card(guest: Guest) -> Guest:
    """A boot partition that belongs to whom docs/service.md says; FAT would say the same of each file in it."""
    guest.run(
        "mkdir -p /boot/firmware && mount -t tmpfs -o mode=700,uid=$(id -u kontor-provision) tmpfs /boot/firmware && "
        "systemctl restart kontor-provision.service"
    )
    return guest


def put(guest: Guest, content: str) -> None:
    """Somebody has written the boot file on another computer."""
    guest.path("/run/boot.toml").write_text(content)
    guest.run("install -o kontor-provision -m 0700 /run/boot.toml /boot/firmware/kontor.toml")


def state(guest: Guest) -> str:
    config = guest.status("provision").get("config", {})
    return str(config.get("state", ""))


def test_the_boot_file_is_taken_in_its_secret_moved_and_all_follow(card: Guest) -> None:
    try:
        put(card, BOOT)
        wait_for(lambda: state(card) == "kept", 60, "the settings were not kept")
        card.until_in_call()
        digest = card.status("provision")["config"]["digest"]
        assert {card.status(part)["settings"] for part in ("sound", "link", "host")} == {digest}
        assert card.status("sound")["volume"] == -6
        assert '"(moved)"' in card.path("/boot/firmware/kontor.toml").read_text()
        found = card.run("cd /var/lib/kontor && stat -c '%U %G %a' secrets/host/* settings settings/sets/*/*").stdout
        assert found.splitlines() == [
            "kontor-provision kontor-host 640",
            "kontor-provision kontor 750",
            *["kontor-provision kontor 640"] * 2,
        ]
        assert "0123456789abcdef0123" not in card.run("journalctl --no-pager -o json").stdout
    finally:
        card.path("/boot/firmware/kontor.toml").write_text(
            "schema = 1\n"
        )  # a file that is gone ends nothing: a card may fail
        wait_for(lambda: card.status("sound").get("volume") == 0, 60, "the file says nothing any more")
        card.until_in_call()
        card.run("umount -l /boot/firmware")


def test_a_boot_file_that_is_wrong_changes_nothing_and_is_told_with_its_line(card: Guest) -> None:
    try:
        put(card, "schema = 1\n[audio]\nvolume_db = 99\n")
        wait_for(lambda: state(card) == "refused", 60, "the settings were not refused")
        assert card.in_call()
        why = card.status("provision")["config"]["why"]
        assert "kontor.toml" in why
        assert "volume_db" in why
    finally:
        card.run(
            "rm -f /boot/firmware/kontor.toml; umount -l /boot/firmware; systemctl restart kontor-provision.service"
        )


def test_a_trial_that_the_power_cut_off_is_read_by_nobody(guest: Guest) -> None:
    """All of them start at once; what takes it back is there before each of them."""
    settings = "/var/lib/kontor/settings"
    guest.run(
        f"systemctl stop kontor.target kontor-settled.service && cd {settings} && mkdir -p sets/0000 && "
        "chown -R kontor-provision:kontor sets && rm -f active && ln -s sets/0000 active && systemctl start kontor.target"
    )
    guest.until_in_call(60)
    links = guest.run(f"cd {settings} && readlink good; readlink active || true").stdout.split()
    assert len(set(links)) <= 1
    assert all(guest.status(part)["settings"] != "0000" for part in ("sound", "link"))
    told = guest.run("journalctl --no-pager -o cat -u kontor-settled.service").stdout
    assert 'event=settings_reverted digest=0000 why="the trial was cut off"' in told
