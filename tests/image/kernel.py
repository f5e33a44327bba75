"""The image's own kernel with every module of its package: the image has those that it wants, a test wants a few more."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from tools.image.fetch import fetch, read_lock
from tools.kernel.fetch import ROOT, Kernel
from tools.system import find

_PACKAGES = ("linux-modules-", "linux-base-", "linux-binary-")
_CACHE = ROOT / ".cache"


def image_kernel() -> Kernel:
    """The kernel of image/root.lock, unpacked once.

    :raises ImageError: one of its packages cannot be had.
    """
    packages = [one for one in read_lock(ROOT / "image" / "root.lock") if one.name.startswith(_PACKAGES)]
    release = next(one.name for one in packages if one.name.startswith(_PACKAGES[0])).removeprefix(_PACKAGES[0])
    place = _CACHE / "image-tests" / f"{release}-{packages[0].sha256[:12]}"
    if not place.exists():
        files = fetch(packages, _CACHE / "image")
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent) as name:
            folder = Path(name) / "root"
            for package in packages:
                subprocess.run(["dpkg-deb", "-x", files[package.sha256], folder], check=True)
            (folder / "lib").symlink_to("usr/lib")  # where kmod looks
            subprocess.run([find("depmod") or "depmod", "-b", folder, release], check=True)
            folder.rename(place)
    return Kernel(place, release)
