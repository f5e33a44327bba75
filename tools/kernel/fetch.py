"""Debian's newest kernel with every module, unpacked below .cache/kernel: ``python3 -m tools.kernel.fetch``.

It comes from the mirror that apt is set up with on this machine, from another suite than the machine's own: gpio-sim and the
drivers of a Raspberry Pi 5 are in the kernels of backports alone. apt checks signatures and hashes as always, with lists of
its own; nothing is installed and the machine's settings are not touched. Needs no root.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools import debian
from tools.system import find

ROOT = Path(__file__).resolve().parent.parent.parent
PLACE = ROOT / ".cache" / "kernel"
SUITE = "trixie-backports"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
META = "linux-image-{architecture}"
"""Debian's name for the newest kernel; what it depends on has the version in its name."""
WANTED = r"linux-(?:image|base|binary|modules)-\d[^ ,]*-{architecture}"
STABLE = SUITE.partition("-")[0]
BUSYBOX = "busybox-static"
"""The first programs that run in the guest; of :data:`STABLE`."""
MODULES = Path("usr/lib/modules")


class KernelMissingError(Exception):
    """No kernel can be had; one sentence."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """What lies in the cache: ``root`` is a file system with usr/lib/modules/RELEASE, made as dpkg would."""

    root: Path
    release: str

    @property
    def image(self) -> Path:
        return self.root / MODULES / self.release / "vmlinuz"

    @property
    def busybox(self) -> Path:
        return self.root / "busybox"


def cached(architecture: str = "amd64") -> Kernel | None:
    """The kernel fetched last, if there is one."""
    try:
        told = json.loads((PLACE / _record(architecture)).read_text())
        kernel = Kernel(PLACE / told["folder"], told["release"])
    except (OSError, ValueError, KeyError):
        return None
    return kernel if kernel.image.exists() and kernel.busybox.exists() else None


def kernel(architecture: str = "amd64") -> Kernel:
    """The kernel in the cache, fetched if it is not there; for the guest's processor, or for the boards' (arm64).

    :raises KernelMissingError: it cannot be had on this machine; says why.
    """
    return cached(architecture) or _fetch(architecture)


def _record(architecture: str) -> str:
    """The file that says which kernel was fetched last."""
    return "kernel.json" if architecture == "amd64" else f"kernel-{architecture}.json"


def _fetch(architecture: str) -> Kernel:
    for program in ("apt-get", "dpkg-deb", "depmod"):
        if find(program) is None:
            raise KernelMissingError(f"a kernel for the guest needs Debian's {program}")
    PLACE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=PLACE, prefix="fetching-") as name:
        folder = Path(name)
        print(f"kontor: fetching Debian's kernel of {SUITE} (120 MB).", flush=True)
        options = other_suite(folder / "apt", architecture)
        apt(["apt-get", "update", *options], folder)
        packages = versioned(options, folder, architecture)
        apt(["apt-get", "download", *options, *packages], folder)
        stable = other_suite(folder / "stable", architecture, STABLE)
        apt(["apt-get", "update", *stable], folder)
        apt(["apt-get", "download", *stable, BUSYBOX], folder)
        return _unpack(folder, architecture)


def other_suite(place: Path, architecture: str = "amd64", suite: str = SUITE) -> list[str]:
    """Options that make apt look at another suite of the machine's own mirror, with lists of its own.

    :raises KernelMissingError: this machine's apt has no mirror.
    """
    debian.update()
    form = "$(REPO_URI) $(LABEL)"
    told = apt(["apt-get", "indextargets", "--format", form, "Created-By: Packages"], Path("/"))
    mirrors = [uri for uri, _, label in (line.partition(" ") for line in told.splitlines()) if label == "Debian"]
    if not mirrors:
        raise KernelMissingError("apt on this machine knows no mirror of Debian's")
    for empty in ("lists/partial", "cache/archives/partial"):
        (place / empty).mkdir(parents=True)
    (place / "status").touch()
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    (place / "sources.list").write_text(f"deb {signed}{mirrors[0]} {suite} main\n")
    settings = {
        "Dir::Etc::SourceList": place / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State::Lists": place / "lists",
        "Dir::State::Status": place / "status",
        "Dir::Cache": place / "cache",
        "APT::Sandbox::User": "root",
        "APT::Architecture": architecture,
        "Acquire::Languages": "none",
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def versioned(options: list[str], folder: Path, architecture: str = "amd64") -> list[str]:
    """The packages with a version in their names that the newest kernel consists of.

    :raises KernelMissingError: there are none.
    """
    found: dict[str, None] = {}
    queue = [META.format(architecture=architecture)]
    wanted = re.compile(WANTED.format(architecture=architecture))
    while queue:
        told = apt(["apt-cache", *options, "show", "--no-all-versions", queue.pop()], folder)
        depends = re.search(r"^Depends: (.*)$", told, re.MULTILINE)
        fresh = [name for name in wanted.findall(depends[1] if depends else "") if name not in found]
        found.update(dict.fromkeys(fresh))
        queue += fresh
    if not found:
        raise KernelMissingError(f"linux-image-{architecture} of {SUITE} names no kernel")
    return list(found)


def _unpack(folder: Path, architecture: str) -> Kernel:
    """Unpack what was downloaded, make the index of modules, put it all in its place."""
    root, packages = folder / "root", sorted(folder.glob("*.deb"))
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in packages}
    for path in packages:
        if path.name.startswith(BUSYBOX):
            _run(["dpkg-deb", "-x", str(path), str(folder / "busybox")])
        else:
            _run(["dpkg-deb", "-x", str(path), str(root)])
    busybox = next(path for path in (folder / "busybox").rglob("bin/busybox") if path.is_file())
    shutil.copy(busybox, root / "busybox")
    if not (root / "lib").exists():
        (root / "lib").symlink_to("usr/lib")  # where kmod looks
    release = next(path.parent.name for path in (root / MODULES).glob("*/vmlinuz"))
    _run([find("depmod") or "depmod", "-b", str(root), release])
    name = f"{release}-{hashlib.sha256(json.dumps(hashes).encode()).hexdigest()[:12]}"
    if not (PLACE / name).exists():
        root.rename(PLACE / name)
    told = {"folder": name, "release": release, "sha256": hashes}
    record = _record(architecture)
    (folder / record).write_text(json.dumps(told, indent=1) + "\n")
    os.replace(folder / record, PLACE / record)
    return Kernel(PLACE / name, release)


def apt(command: list[str], folder: Path) -> str:
    """What a command of apt's says.

    :raises KernelMissingError: it failed; its last line.
    """
    return _run(command, cwd=folder)


@functools.cache
def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}


def _run(command: list[str], cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        what = " ".join(word for word in command[:2] if not word.startswith("/"))
        told = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise KernelMissingError(f"{what} failed: {told}")
    return done.stdout


def main() -> int:
    """Fetch, and tell."""
    try:
        there = kernel()
    except KernelMissingError as error:
        print(f"kontor: {error}", flush=True)
        return 75
    print(f"kontor: kernel {there.release} is in {there.root.relative_to(ROOT)}.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
