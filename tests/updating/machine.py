"""A machine whose card is a folder of files, images that differ a little, and bundles of them."""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance.core.boot_slots import Name, Record, encode, factory, newest, next_start
from appliance.core.documents import Floor
from appliance.core.updating import BLOCK
from appliance.health.journal import Journal
from appliance.provisioning.fetch import Place
from appliance.provisioning.signing import SecretKey
from appliance.update.publish import publish
from appliance.update.source import Folder, Offer, named
from appliance.update.work import Find, Updater, read_status
from tests.app.parts import Lines, journal
from tools.image.bundle import make_bundle

KEY = SecretKey(bytes(range(8)), bytes(range(32)))
NEW_KEY = SecretKey(bytes(range(1, 9)), bytes(range(1, 33)))
BOARD = "raspberrypi,4-model-b"
BOOT_BLOCKS, ROOT_BLOCKS = 16, 96
NOW = 1_800_000_000.0


@dataclass(frozen=True)
class Image:
    """What a slot holds: whole blocks."""

    built: int
    boot: bytes
    root: bytes

    @property
    def version(self) -> str:
        return f"0.{self.built}"


def image(built: int, blocks: int = 64, *, like: Image | None = None, changed: int = 0) -> Image:
    """An image, or one that has ``changed`` other blocks than ``like``, and all behind the first of them shifted by one."""
    chance = random.Random(built)
    if like is None:
        root = chance.randbytes(blocks * BLOCK)
    else:
        new = chance.randbytes(changed * BLOCK)
        root = like.root[: 8 * BLOCK] + new + like.root[(7 + changed) * BLOCK :]
    boot = f"version {built}".encode().ljust(BLOCK, b"\0") + bytes(3 * BLOCK) + random.Random(0).randbytes(4 * BLOCK)
    return Image(built, boot, root)


class Machine:
    """Slot a runs ``first``, and b is empty, unless the card says otherwise."""

    def __init__(self, root: Path, first: Image, room: tuple[int, int] = (BOOT_BLOCKS, ROOT_BLOCKS)) -> None:
        """Partitions of ``room`` blocks: boot, root."""
        self.root, self._room = root, room
        self.devices, self.state, self.runtime = root / "dev/kontor", root / "state/update", root / "run/update"
        for folder in (self.devices, self.state, self.runtime, root / "proc/device-tree", root / "etc/kontor"):
            folder.mkdir(parents=True, exist_ok=True)
        (root / "proc/device-tree/compatible").write_bytes(f"{BOARD}\0brcm,bcm2711\0".encode())
        for slot in ("a", "b"):
            self.fill(slot, Image(0, b"", b""))
        self.fill("a", first)
        for number in range(2):
            (self.devices / f"record-{number}").write_bytes(encode(factory()))
        self.images = {first.built: first}
        self.journal: Journal
        self.lines: Lines
        self.journal, self.lines = journal()
        self.booted: Name = "a"
        self.start()

    def fill(self, slot: str, content: Image) -> None:
        """Put an image into a slot, by hand."""
        (self.devices / f"boot-{slot}").write_bytes(content.boot.ljust(self._room[0] * BLOCK, b"\0"))
        (self.devices / f"root-{slot}").write_bytes(content.root.ljust(self._room[1] * BLOCK, b"\0"))

    def copies(self) -> list[bytes]:
        return [(self.devices / f"record-{number}").read_bytes()[:4096] for number in range(2)]

    @property
    def record(self) -> Record:
        found, _ = newest(self.copies())
        assert found is not None
        return found

    def start(self) -> Name:
        """What the boot loader does; returns the slot that runs now."""
        record, order = newest(self.copies())
        assert record is not None
        self.booted, after = next_start(record)
        (self.devices / f"record-{order[0]}").write_bytes(encode(after))
        (self.root / "proc/cmdline").write_text(f"console=ttyS1 kontor.slot={self.booted} quiet\n")
        shutil.rmtree(self.runtime.parent)
        self.runtime.mkdir(parents=True)
        found = self.runs(self.booted)
        version = f"IMAGE_VERSION={found.version}\nKONTOR_BUILT={found.built}\n" if found else ""
        (self.root / "etc/os-release").write_text(f'NAME="Kontor"\n{version}')
        return self.booted

    def runs(self, slot: Name) -> Image | None:
        """Which image a slot holds, whole; None: none that is known."""
        boot, root = ((self.devices / f"{part}-{slot}").read_bytes() for part in ("boot", "root"))
        for each in self.images.values():
            if boot[: len(each.boot)] == each.boot and root[: len(each.root)] == each.root:
                return each
        return None

    def updater(self) -> Updater:
        """What one start of the service has."""
        return Updater(
            self.root, self.booted, state=self.state, runtime=self.runtime, journal=self.journal, now=lambda: NOW
        )

    @property
    def status(self) -> dict[str, object]:
        return read_status(self.runtime)

    async def apply(self, find: Find, again: bool = False) -> dict[str, object]:
        await self.updater().apply(find, again=again)
        return self.status


def bundle(folder: Path, content: Image, boards: tuple[str, ...] = (BOARD,)) -> Path:
    """The three files of a bundle; returns the manifest's path."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, data in (("boot", content.boot), ("root", content.root)):
        (folder / part).write_bytes(data)
    return make_bundle(folder / "boot", folder / "root", content.version, folder, content.built, boards)


def published(folder: Path, content: Image, key: SecretKey = KEY, **facts: object) -> Path:
    """A folder as a web server would show it; returns the manifest's path in it."""
    made = bundle(folder.parent / f"made-{content.built}", content)
    publish(made, folder, "stable", key, **facts)  # type: ignore[arg-type]
    shutil.rmtree(made.parent)
    return folder / "images" / made.name


def at(manifest: Path, *keys: SecretKey, files: Folder | None = None) -> Find:
    """Finds the bundle whose manifest lies there."""

    async def find(_floors: Mapping[str, Floor]) -> Offer | None:
        place = Place("", tuple(key.public for key in keys or (KEY,)))
        return await named(files or Folder(manifest.parent), place, manifest.name, NOW)

    return find
