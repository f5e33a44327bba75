"""The card itself on QEMU's Raspberry Pi 3: U-Boot, the slot's kernel with its own device tree, and into the room over USB."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image import parcel
from tests.image.card import Card, behind
from tests.image.conftest import settings
from tests.image.device import Device
from tests.image.inside import look, panel
from tests.image.listener import person
from tests.image.office import MAC, TAP, Office
from tests.image.test_virt import SPOKEN, ask, lamp, unmuted
from tools.image.layout import BOOT_A
from tools.image.qemu import Boot, Drive, Hardware, Machine, Net
from tools.kernel.agent import JOBS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

TREE = "bcm2837-rpi-3-b-plus.dtb"


@pytest.fixture(scope="module")
def device(image: Path, archive: bytes, office: Office, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """A Pi with its card in its slot; what the test needs stands behind the first file system on the card."""
    folder = tmp_path_factory.mktemp("raspi")
    card = Card(image, folder / "card.img")
    card.put("kontor.toml", settings(office, "birch").encode())
    card.put("initrd.zst", behind(card.get("initrd.zst", BOOT_A), archive), BOOT_A)
    (folder / "u-boot.bin").write_bytes(card.get("u-boot.bin"))
    (folder / "pi.dtb").write_bytes(card.get(TREE))
    words = " ".join(word for word in card.get("cmdline.txt").decode().split() if not word.startswith("console="))
    # QEMU has no timer: arming it is a reset at once; and no VideoCore: its driver's threads outlive a probe that fails
    words += " modprobe.blacklist=bcm2835_wdt,vchiq"
    tree = parcel.tree(folder / "pi.dtb", folder / "board.dtb")
    boot = Boot(kernel=folder / "u-boot.bin", tree=tree, words=f"{words} console=ttyS1,115200")
    net = Net(tap=TAP, mac=MAC)
    hardware = Hardware(
        boot, "raspi3b", drives=[Drive(card.path, "sd")], net=net, ports=[JOBS], counted=True, inside=office.command()
    )
    with Machine(hardware) as machine:
        machine.expect("U-Boot")
        device = Device(machine)
        device.greeted()
        yield device


async def test_the_card_comes_into_the_room_and_is_heard(device: Device, office: Office) -> None:
    async with person(office, "anna") as anna:
        await anna.state("birch", "muted", "listening", "speaking")
        device.starts("tests.image.inside.sound", str(SPOKEN))
        await unmuted(device, anna, "birch")
        heard = await anna.hears(SPOKEN, 2.0)
        print(heard)
        await ask(device, panel.switch, True)
        await lamp(device, "mic", True)
        await anna.state("birch", "muted")
        assert await anna.silence() == 0
        assert (await ask(device, look.status, "link"))["proof"]["violations"] == 0


def test_its_data_has_the_whole_card(device: Device) -> None:
    assert device.call(look.disk)["mib"] > 1100
