"""The image, its next version, and a device that has been updated from one to the other, each write of it noted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.image import parcel
from tests.image.card import Card
from tests.image.kernel import image_kernel
from tests.support.figures import written
from tests.support.need import need
from tests.update import asked, made, shop, versions
from tests.update.judge import Version
from tests.update.life import Life
from tests.update.shop import Shop
from tests.update.versions import Next
from tools import measurements
from tools.image import qemu
from tools.kernel.fetch import ROOT
from tools.system import find

STATES = int(os.environ.get("KONTOR_UPDATE_STATES", "100"))
"""Torn states that are drawn; make test-update draws 1000."""
BOOTS = int(os.environ.get("KONTOR_UPDATE_BOOTS", "2"))
"""Drawn states that are booted; make test-update boots 10."""


@dataclass
class Updated:
    """What the update left: cards of before and after, the log of each start between, and how it went."""

    life: Life
    before: Path
    ready: Path
    """When the other slot was written and nothing had started it."""
    refused: dict[str, object]
    taken: dict[str, object]
    kept: dict[str, object]
    files: dict[str, str] = field(default_factory=dict)
    """Files on the data partition that no update changes, with their SHA-256."""


@pytest.fixture(scope="session")
def image() -> Path:
    """The image of ``make image``."""
    need(not qemu.missing(), qemu.missing())
    found = sorted((ROOT / "dist").glob("kontor-*-arm64.img.zst"), key=lambda path: path.stat().st_mtime)
    need(found, "there is no image to test: make image")
    for program in ("zstd", "mcopy", "dtc", "fdtoverlay", "fsck.fat", "e2fsck", "debugfs", "git"):
        need(find(program), f"{program} is not installed: python3 -m tools.system updates")
    return found[-1]


@pytest.fixture(scope="session")
def following(image: Path) -> Next:
    """The next version: a line of the program is another one."""
    return versions.built(ROOT / "build" / "update-test", image.with_name(image.name.replace(".img.zst", ".toml")))


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Where updates are found."""
    with shop.opened(tmp_path_factory.mktemp("shop")) as opened:
        yield opened


@pytest.fixture(scope="session")
def archive() -> bytes:
    """What a device has besides the image."""
    return parcel.archive(image_kernel())


@pytest.fixture(scope="session")
def images(image: Path, following: Next, tmp_path_factory: pytest.TempPathFactory) -> list[Version]:
    """What a whole slot holds: of the image, and of the next version."""
    folder = tmp_path_factory.mktemp("images")
    return [versions.of_card(Card(image, folder / "card").path, folder), following.version]


@pytest.fixture(scope="session")
def updated(
    image: Path, following: Next, market: Shop, archive: bytes, tmp_path_factory: pytest.TempPathFactory
) -> Updated:
    """A device that was flashed, started once, then updated: every write from then on is noted."""
    folder = tmp_path_factory.mktemp("updated")
    card = Card(image, folder / "card")
    rotated, stranger = market.key.make(), market.key.make()
    card.put("kontor.toml", market.settings(rotated).encode())
    life = Life(card.path, folder, archive)
    with life.started() as device:
        asked.stands(device, {"up_to_date"})
        asked.off(device)
    before = made.copy(card.path, folder / "before")
    life.record = True
    with life.started() as device:
        asked.stands(device, {"up_to_date"})
        files = asked.digests(device)
        market.publish(following.manifest, stranger)
        asked.look(device)
        refused = asked.stands(device, {"refused"})
        market.withdraw()
        market.publish(following.manifest, rotated)
        asked.look(device)
        taken = asked.last(device)
    ready = made.copy(card.path, folder / "ready")
    with life.started() as device:
        kept = asked.stands(device, {"up_to_date"})
        after = asked.digests(device)
        asked.off(device)
    return Updated(life, before, ready, refused, taken, kept, {k: v for k, v in files.items() if after.get(k) == v})


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Iterator[list[measurements.Figure]]:
    """What was counted under QEMU: docs/measurements/update.json, unless a test failed."""
    yield from written(request, "update")


@pytest.fixture(scope="session")
def call_figures(request: pytest.FixtureRequest) -> Iterator[list[measurements.Figure]]:
    """What was counted with the updater's own calls: docs/measurements/update-calls.json, unless a test failed."""
    yield from written(request, "update-calls")
