"""The first file system: its programs with their libraries, its modules in the order of their needs."""

import lzma
from pathlib import Path

import pytest

from tests.support.need import need
from tools.image import initrd
from tools.image.errors import ImageError

RELEASE = "1.2-arm64"


def _root(folder: Path) -> Path:
    """A root with one program of this machine's in the place of each, and modules of which some need others."""
    program = Path(need(Path("/bin/true"), "a program with shared libraries"))
    modules = folder / "usr/lib/modules" / RELEASE
    (folder / "usr/bin").mkdir(parents=True)
    (folder / "usr/sbin").mkdir()
    modules.mkdir(parents=True)
    (folder / "usr/bin/busybox").write_bytes(b"busybox")
    (folder / "usr/sbin/dmsetup").write_bytes(program.read_bytes())
    lines = []
    for name in initrd.MODULES[1:]:
        needs = " kernel/dm-mod.ko.xz kernel/last-one.ko.xz" if name == "dm-verity" else ""
        lines.append(f"kernel/{name}.ko.xz:{needs}\n")
        (modules / "kernel").mkdir(exist_ok=True)
        (modules / f"kernel/{name}.ko.xz").write_bytes(lzma.compress(name.encode()))
    for name in ("dm-mod", "last-one"):
        (modules / f"kernel/{name}.ko.xz").write_bytes(lzma.compress(name.encode()))
    (modules / "modules.dep").write_text("".join(lines))
    (modules / "modules.builtin").write_text(f"kernel/{initrd.MODULES[0]}.ko\n")
    return folder


def _names(archive: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    at = 0
    while True:
        size, length = int(archive[at + 54 : at + 62], 16), int(archive[at + 94 : at + 102], 16)
        name = archive[at + 110 : at + 109 + length].decode()
        data = at + (110 + length + 3) // 4 * 4
        if name == "TRAILER!!!":
            return found
        found[name] = archive[data : data + size]
        at = data + (size + 3) // 4 * 4


def test_what_it_is_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = _root(tmp_path)
    libraries = initrd.needed((root / "usr/sbin/dmsetup").read_bytes())
    assert "libc.so.6" in libraries
    for name in libraries:
        (root / "usr/lib" / name).write_bytes((root / "usr/sbin/dmsetup").read_bytes())
    found = _names(initrd.make_initrd(root, RELEASE))
    assert found["init"] == initrd.INIT.read_bytes()
    assert {f"lib/{name}" for name in libraries} <= set(found)
    order = found["modules/order"].decode().split()
    assert order[-5:] == ["last-one.ko", "dm-mod.ko", "dm-verity.ko", "erofs.ko", "overlay.ko"]
    assert [found[f"modules/{name}"].decode() for name in order] == [name.removesuffix(".ko") for name in order]
    assert all(found[f"bin/{name}"] == b"busybox" for name in initrd.APPLETS)


def test_a_root_without_what_it_needs_is_refused(tmp_path: Path) -> None:
    root = _root(tmp_path)
    with pytest.raises(ImageError, match=r"The root has no \S+, which the first programs need"):
        initrd.make_initrd(root, RELEASE)
    modules = root / "usr/lib/modules" / RELEASE
    (modules / "modules.dep").write_text("")
    with pytest.raises(ImageError, match="has no module virtio_mmio"):
        list(initrd.modules(modules))
