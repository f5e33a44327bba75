"""The image's update service in its sandbox: provision has it started, it writes the slot that does not run, and no other.

Partitions are files here, and the boot loader's word is a file that lies over the kernel's; all else is as on the image.
"""

import time
from collections.abc import Callable, Iterator

import pytest

from appliance.core.boot_slots import decode, encode, factory
from appliance.core.updating import BLOCK
from tests.systemd.conftest import SETTINGS, box
from tests.systemd.guest import ROOT, Guest
from tests.updating.machine import BOARD, KEY, image, published

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_IMAGE = ROOT / "image/root"
_SYSTEM = "usr/lib/systemd/system"
_TAKEN = (
    f"{_SYSTEM}/kontor-update@.service",
    f"{_SYSTEM}/kontor-update@confirm.service.d/50-here.conf",
    f"{_SYSTEM}/kontor-update@rollback.service.d/50-here.conf",
    "usr/lib/sysusers.d/kontor-update.conf",
    "usr/lib/tmpfiles.d/kontor-update.conf",
    "usr/share/polkit-1/rules.d/52-kontor-update.rules",
)
_SLOTS = """[Unit]
Before=kontor-provision.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'mkdir /dev/kontor && cp /opt/slots/* /dev/kontor/ && chown root:kontor-update /dev/kontor/* && \
chmod 0640 /dev/kontor/*-a && chmod 0660 /dev/kontor/*-b /dev/kontor/record-*'
"""
OLD = image(100)
NEW = image(200, like=OLD, changed=3)


def lay_out(guest: Guest) -> None:
    """A card with two slots, of which a runs."""
    for place in _TAKEN:
        guest.put(place, (_IMAGE / place).read_text())
    slots = guest.files / "opt/slots"
    slots.mkdir(parents=True)
    for name, content in (("boot-a", OLD.boot), ("root-a", OLD.root), ("boot-b", b""), ("root-b", b"")):
        (slots / name).write_bytes(content.ljust(96 * BLOCK, b"\0"))
    for number in range(2):
        (slots / f"record-{number}").write_bytes(encode(factory()))
    guest.put("fake/proc/cmdline", "quiet kontor.slot=a\n")
    guest.put("fake/proc/device-tree/compatible", f"{BOARD}\0")
    guest.put("fake/etc/os-release", f"IMAGE_VERSION={OLD.version}\nKONTOR_BUILT={OLD.built}\n")
    settings = f'{SETTINGS}[update]\nkeys = ["{KEY.public}"]\n'
    for place in ("etc/kontor/kontor.toml", "fake/etc/kontor/kontor.toml"):
        guest.put(place, settings)
    (guest.files / "fake/dev").symlink_to("/dev")
    guest.put(f"{_SYSTEM}/slots.service", _SLOTS)
    provision = "[Unit]\nWants=slots.service\n[Service]\nBindReadOnlyPaths=/fake/proc/cmdline:/proc/cmdline\n"
    guest.put(f"{_SYSTEM}/kontor-provision.service.d/slots.conf", provision)
    service = "[Unit]\nConditionKernelCommandLine=\n[Service]\nEnvironment=KONTOR_ROOT=/fake\n"
    guest.put(f"{_SYSTEM}/kontor-update@.service.d/slots.conf", service)
    guest.put(f"{_SYSTEM}/guest.target.d/polkit.conf", "[Unit]\nWants=dbus.socket polkit.service\n")
    published(guest.files / "opt/www", NEW)


@pytest.fixture(scope="module")
def guest() -> Iterator[Guest]:
    """Such a machine, running."""
    guest = box()
    lay_out(guest)
    with guest:
        yield guest


def until(met: Callable[[], bool], guest: Guest, seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, f"{guest.status('provision').get('update')}\n{log(guest)}"
        time.sleep(0.2)


def log(guest: Guest) -> str:
    units = "-u 'kontor-update@*' -u kontor-provision"
    return guest.run(f"journalctl --no-pager -o cat {units} | tail -40").stdout


def left_and_good(guest: Guest) -> list[tuple[int, bool]]:
    copies = [decode(guest.path(f"dev/kontor/record-{number}").read_bytes()) for number in range(2)]
    assert copies[0] == copies[1]
    return [(slot.left, slot.good) for slot in copies[0].slots.values()]


def state(guest: Guest) -> str:
    return str(guest.status("provision").get("update", {}).get("state"))


def test_a_start_is_confirmed_by_provision_through_systemd(guest: Guest) -> None:
    until(lambda: state(guest) == "up_to_date", guest)
    assert left_and_good(guest) == [(3, True), (0, False)]


def test_an_update_is_written_from_within_the_sandbox(guest: Guest) -> None:
    until(lambda: state(guest) == "up_to_date", guest)
    running = {name: guest.path(f"dev/kontor/{name}").read_bytes() for name in ("boot-a", "root-a")}
    # What provision wanted of the last act it takes back; from then on a person may want something.
    until(lambda: not guest.path("run/kontor/asked/update.json").exists(), guest)
    manifest = f"/opt/www/images/kontor-{NEW.version}-arm64.toml"
    asked = f'{{"full":false,"reason":"","by_hand":false,"again":false,"source":"{manifest}"}}'
    guest.run(
        f"cd /run/kontor/asked && echo '{asked}' >update.json && chgrp kontor update.json && chmod 0640 update.json && "
        "systemctl start kontor-update@apply.service && rm update.json"
    )
    until(lambda: state(guest) == "ready", guest, 20)
    assert left_and_good(guest) == [(3, True), (3, False)]
    assert guest.path("dev/kontor/root-b").read_bytes().startswith(NEW.root)
    assert {name: guest.path(f"dev/kontor/{name}").read_bytes() for name in running} == running


def test_whoever_may_not_start_it_does_not(guest: Guest) -> None:
    for user in ("kontor-link", "kontor-sound", "nobody"):
        sandbox = f"-p User={user} -p NoNewPrivileges=yes"
        done = guest.run(
            f"systemd-run -q --wait --pipe {sandbox} systemctl --no-ask-password start kontor-update@rollback.service",
            check=False,
        )
        assert done.returncode, user
    assert left_and_good(guest)[0] == (3, True)


@pytest.mark.parametrize(("verb", "most"), [("apply", 1.4), ("confirm", 0.9)])
def test_its_score(guest: Guest, verb: str, most: float) -> None:
    told = guest.run(f"systemd-analyze security --no-pager kontor-update@{verb}.service | tail -1").stdout
    score = float(told.partition(":")[2].split()[0])
    assert score <= most, told
