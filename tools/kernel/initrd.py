"""The first root file system of the guest: busybox, the modules that reach the host's files, and eight lines of shell."""

from __future__ import annotations

import lzma
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tools.kernel.fetch import ROOT, Kernel
from tools.system import find

TAG = "host"
"""What QEMU calls the host's root file system."""
NEEDED = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")
SHARE = f"trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 {TAG}"

_INIT = """#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc; $b mount -t sysfs sysfs /sys; $b mount -t devtmpfs dev /dev
for module in /modules/*; do $b insmod $module || echo "kontor: no $module"; done
$b mount -t 9p -o {share} /lower && $b mount -t tmpfs tmpfs /changes && $b mkdir /changes/upper /changes/work
$b mount -t overlay -o lowerdir=/lower,upperdir=/changes/upper,workdir=/changes/work overlay /root
for place in proc sys dev run; do $b mkdir -p /root/$place; done
$b mount --move /proc /root/proc; $b mount --move /sys /root/sys; $b mount --move /dev /root/dev
$b mount -t tmpfs tmpfs /root/run; $b mkdir -p /root/dev/pts /root/dev/shm
$b mount -t devpts devpts /root/dev/pts; $b mount -t tmpfs tmpfs /root/dev/shm
exec $b switch_root /root {agent}
"""
"""What is written stays in the guest's memory; the host's files lie beneath, read only."""


def build(kernel: Kernel, python: str = sys.executable) -> bytes:
    """The initrd as the kernel takes it: a cpio archive, not compressed."""
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    assignments = [f"{name}={value}" for name, value in environment.items()]
    agent = shlex.join(["/usr/bin/env", "-i", *assignments, python, "-m", "tools.kernel.agent", str(kernel.root)])
    files = {
        "init": _INIT.format(share=SHARE, agent=agent).encode(),
        "bin/busybox": kernel.busybox.read_bytes(),
    }
    places = ["bin", "modules", "proc", "sys", "dev", "lower", "changes", "root"]
    return archive(places, files | modules(kernel, NEEDED))


def modules(kernel: Kernel, names: Iterable[str]) -> dict[str, bytes]:
    """Modules and what they depend on, as files below modules/ whose names sort as they load."""
    found: dict[Path, None] = {}
    for name in names:
        command = [find("modprobe") or "modprobe", "-d", str(kernel.root), "-S", kernel.release, "--show-depends", name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found.update(dict.fromkeys(Path(line.split()[1]) for line in done.stdout.splitlines() if "insmod" in line))
    paths = enumerate(found)
    return {f"modules/{number:02}-{path.name.removesuffix('.xz')}": unpacked(path) for number, path in paths}


def archive(folders: list[str], files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """A first file system of these folders, programs, and symbolic links to what they are for."""
    return b"".join(_cpio(folders, files, links or {}))


def unpacked(path: Path) -> bytes:
    """A module as the kernel takes it."""
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def _cpio(folders: list[str], files: dict[str, bytes], links: dict[str, str]) -> Iterator[bytes]:
    """An archive in the "newc" format of the kernel's Documentation/driver-api/early-userspace/buffer-format.rst."""
    entries = [(name, stat.S_IFDIR, b"") for name in folders] + [
        (name, stat.S_IFREG, data) for name, data in files.items()
    ]
    entries += [(name, stat.S_IFLNK, target.encode()) for name, target in links.items()]
    for number, (name, kind, data) in enumerate([*entries, ("TRAILER!!!", 0, b"")]):
        fields = (number, kind | 0o755 if kind else 0, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        yield header + bytes(-len(header) % 4)
        yield data + bytes(-len(data) % 4)
