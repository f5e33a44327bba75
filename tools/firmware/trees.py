"""Debian's device trees for 64-bit boards, below .cache/firmware: those of its newest kernel, with headers and bindings.

Three small packages of the kernel that :mod:`tools.kernel.fetch` boots, for the boards' processor: its trees, the headers with
the constants of device trees, and the documents, whose bindings say what a tree may hold. Nothing is installed.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools.kernel import fetch
from tools.kernel.fetch import KernelMissingError
from tools.pinmap import ROOT

PLACE = ROOT / ".cache" / "firmware"
ARCHITECTURE = "arm64"
KEPT = (
    "lib/modules/*/dtb/broadcom",
    "lib/modules/*/config",
    "src/*/include/dt-bindings",
    "share/doc/*/Documentation/devicetree/bindings",
)
"""What is kept of the packages, below usr."""


@dataclass(frozen=True, slots=True)
class Trees:
    """What lies in the cache."""

    folder: Path
    release: str

    @property
    def trees(self) -> Path:
        """*.dtb of Broadcom's boards."""
        return self.folder / "broadcom"

    @property
    def headers(self) -> Path:
        """dt-bindings, as C headers."""
        return self.folder / "dt-bindings"

    @property
    def bindings(self) -> Path:
        """What trees may hold, as YAML."""
        return self.folder / "bindings"

    @property
    def config(self) -> Path:
        """Which drivers the kernel has."""
        return self.folder / "config"

    @property
    def schema(self) -> Path:
        """The bindings as dt-validate reads them soonest; made by :mod:`tools.firmware.validate`."""
        return self.folder / "schema.json"


def cached() -> Trees | None:
    """What was fetched last, if it is there."""
    try:
        told = json.loads((PLACE / "trees.json").read_text())
        found = Trees(PLACE / told["folder"], told["release"])
    except (OSError, ValueError, KeyError):
        return None
    parts = (found.trees, found.headers, found.bindings, found.config)
    return found if all(path.exists() for path in parts) else None


def trees() -> Trees:
    """The trees in the cache, fetched if they are not there.

    :raises KernelMissingError: they cannot be had on this machine; says why.
    """
    return cached() or _fetch()


def _fetch() -> Trees:
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise KernelMissingError(f"device trees of the boards need Debian's {program}")
    PLACE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=PLACE, prefix="fetching-") as name:
        folder = Path(name)
        print(f"kontor: fetching Debian's device trees and bindings of {fetch.SUITE} (60 MB).", flush=True)
        options = fetch.other_suite(folder / "apt", ARCHITECTURE)
        fetch.apt(["apt-get", "update", *options], folder)
        base = next(
            (name for name in fetch.versioned(options, folder, ARCHITECTURE) if name.startswith("linux-base-")), None
        )
        if base is None:
            raise KernelMissingError(f"Debian's kernel of {fetch.SUITE} has no package of device trees")
        release = base.removeprefix("linux-base-")
        common = release.removesuffix(f"-{ARCHITECTURE}") + "-common"
        series = ".".join(release.split(".")[:2])
        packages = [base, f"linux-headers-{common}", f"linux-doc-{series}"]
        fetch.apt(["apt-get", "download", *options, *packages], folder)
        return _unpack(folder, release)


def _unpack(folder: Path, release: str) -> Trees:
    """Keep :data:`KEPT` of what was downloaded, in a place named after it."""
    packages = sorted(folder.glob("*.deb"))
    for package in packages:
        done = subprocess.run(["dpkg-deb", "-x", str(package), str(folder / "root")], capture_output=True, check=False)
        if done.returncode:
            raise KernelMissingError(f"{package.name} cannot be unpacked")
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in packages}
    told = f"{release}-{hashlib.sha256(json.dumps(hashes).encode()).hexdigest()[:12]}"
    kept = folder / told
    kept.mkdir()
    for pattern in KEPT:
        found = next((folder / "root" / "usr").glob(pattern), None)
        if found is None:
            raise KernelMissingError(f"Debian's packages of kernel {release} have no usr/{pattern}")
        found.rename(kept / found.name)
    for packed in (kept / "bindings").rglob("*.gz"):
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()
    shutil.rmtree(PLACE / told, ignore_errors=True)
    kept.rename(PLACE / told)
    (folder / "trees.json").write_text(
        json.dumps({"folder": told, "release": release, "sha256": hashes}, indent=1) + "\n"
    )
    os.replace(folder / "trees.json", PLACE / "trees.json")
    return Trees(PLACE / told, release)
