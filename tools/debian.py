"""Debian's packages, where we may ask for them: as root, or with a sudo that asks nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

LISTS = Path("/var/lib/apt/lists")


def elevation() -> list[str] | None:
    """The words to put before a command that needs root: none, ``sudo -n``, or None when neither will do."""
    if os.geteuid() == 0:
        return []
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        return ["sudo", "-n"]
    return None


def available() -> bool:
    """Whether this system has apt at all."""
    return shutil.which("apt-get") is not None and shutil.which("dpkg-deb") is not None


def has_lists() -> bool:
    """Whether apt knows any package: a fresh container image does not, until ``apt-get update``."""
    return LISTS.is_dir() and any("Packages" in entry.name for entry in LISTS.iterdir())


def update() -> bool:
    """Fetch the package lists if there are none and we may."""
    if has_lists():
        return True
    root = elevation()
    return root is not None and _apt(root, "update")


def install(*packages: str) -> bool:
    """Install packages, with one attempt at fresher lists; whether they are there now."""
    root = elevation() if available() else None
    if root is None:
        return False
    wanted = ("install", "-y", "--no-install-recommends", *packages)
    return (update() and _apt(root, *wanted)) or (_apt(root, "update") and _apt(root, *wanted))


def _apt(root: list[str], *arguments: str) -> bool:
    command = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", *arguments]
    return subprocess.run(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=False).returncode == 0
