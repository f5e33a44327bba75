"""The device and the office of all tests of the image."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.image import parcel
from tests.image.card import Card
from tests.image.device import Device
from tests.image.kernel import image_kernel
from tests.image.office import MAC, TAP, Office
from tests.support.figures import written
from tests.support.need import need
from tools.image import qemu
from tools.image.qemu import Boot, Drive, Hardware, Machine, Net
from tools.kernel.agent import JOBS
from tools.kernel.fetch import ROOT
from tools.measurements import Figure


def settings(office: Office, identity: str) -> str:
    """What stands on a card that lets a device into the room; its sound card is named, for ``auto`` takes no cable for one."""
    text = office.card(identity.title(), identity)
    for side in ("capture", "playback"):
        text = text.replace(f'{side} = "auto"', f'{side} = "hw:CARD=Loopback,DEV=1"')
    return text


@pytest.fixture(scope="session")
def image() -> Path:
    """The image of ``make image``."""
    need(not qemu.missing(), qemu.missing())
    found = sorted((ROOT / "dist").glob("kontor-*-arm64.img.zst"), key=lambda path: path.stat().st_mtime)
    need(found, "there is no image to test: make image")
    for program in ("zstd", "mcopy", "dtc", "fdtoverlay", "curl", "ip"):
        need(program, f"the image is tested with {program}: python3 -m tools.system images")
    return found[-1]


@pytest.fixture(scope="session")
def archive() -> bytes:
    """What a device under test has besides the image."""
    return parcel.archive(image_kernel())


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The network around the devices."""
    with Office(tmp_path_factory.mktemp("office")) as office:
        yield office


def virt(card: Card, folder: Path, archive: bytes, **more: str) -> Boot:
    """How QEMU's virt starts the card's slot A, with a panel in its device tree."""
    base = folder / "virt.dtb"
    machine = Hardware(Boot(), counted=True).processor()
    subprocess.run([qemu.QEMU, *machine, "-machine", f"dumpdtb={base}"], check=True, capture_output=True)
    return card.boot(folder, "ttyAMA0", archive, tree=parcel.tree(base, folder / "board.dtb"), **more)


@contextmanager
def running(card: Card, boot: Boot, office: Office | None) -> Iterator[Device]:
    """A device on QEMU's virt that has started so far that it does what is asked.

    Its time is its instructions: whatever this machine does, its processor is as fast as a board's, and sound is in time. Only
    its seconds are some of ours.
    """
    net = Net(tap=TAP, mac=MAC) if office else None
    inside = office.command() if office else ()
    hardware = Hardware(boot, drives=[Drive(card.path)], net=net, ports=[JOBS], counted=True, inside=inside)
    with Machine(hardware) as machine:
        device = Device(machine)
        device.greeted()
        yield device


@pytest.fixture(scope="module")
def device(image: Path, archive: bytes, office: Office, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """A device with its card, in the office, from its first start on."""
    folder = tmp_path_factory.mktemp("device")
    card = Card(image, folder / "card.img")
    card.put("kontor.toml", settings(office, "amber").encode())
    with running(card, virt(card, folder, archive), office) as device:
        yield device


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Iterator[list[Figure]]:
    """What the tests measured: docs/measurements/image-boot.json, for ``make test-image``, unless a test failed."""
    yield from written(request, "image-boot")
