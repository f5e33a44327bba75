"""The locked wheels of a package: fetched once for each target, and unpacked with what a device never reads left out."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

from tools import bootstrap
from tools.lock import GLIBC
from tools.package.targets import Target

BUNDLED = ("core", "device", "engines")
"""The lock files whose wheels the package has: any room is one setting away, so the engines' libraries are there (ADR 0233)."""

LEFT_OUT = {
    "av": "103 MB of codecs: libopus is Debian's, and aiortc is imported without it (ADR 0040)",
    "setuptools": "colorzero asks for it and never imports it",
    "types-protobuf": "what mypy reads of protobuf",
}
"""Locked packages that no device needs, and why."""

STRIPPED = ("webrtc_noise_gain", "ntgcalls")
"""Wheels whose libraries come with their debugging symbols: 26 of 28 MB, 80 of 122."""

_FOLDERS = ("tests", "include", "f2py", "distutils", "_pyinstaller", "gpiozerocli")
_ENDINGS = (".pyi", ".pxd", ".pyx", ".pxi", ".a", ".h", ".c", ".cc", ".cpp")
_PLACES = ("purelib", "platlib")


class WheelError(Exception):
    """The wheels cannot be had or are not as expected; one sentence."""


def locked(*locks: str) -> str:
    """The text of lock files as one, less what is left out."""
    return "".join(text for lock in locks for name, text in bootstrap.entries(lock).items() if name not in LEFT_OUT)


def fetch(target: Target, lock: str, cache: Path) -> list[Path]:
    """The wheels of a lock file for a target, from ``cache`` or from the package index, in order of their names.

    :raises WheelError: one cannot be had, or is not the one that was locked.
    """
    fetched = place(target, lock, cache)
    if not fetched.exists():
        unfinished = fetched.with_name(f"{fetched.name}.{os.getpid()}")
        unfinished.mkdir(parents=True)
        try:
            _download(target, lock, unfinished)
            unfinished.rename(fetched)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return sorted(fetched.glob("*.whl"))


def place(target: Target, lock: str, cache: Path) -> Path:
    """The folder in which the wheels of a lock file are kept for a target."""
    return cache / f"{target.python}-{target.machine}-{hashlib.sha256(lock.encode()).hexdigest()[:16]}"


def _download(target: Target, lock: str, folder: Path) -> None:
    wanted = folder / "wanted.lock"
    wanted.write_text(lock)
    platforms = [word for glibc in GLIBC for word in ("--platform", f"{glibc}_{target.machine}")]
    abis = ["--abi", f"cp{target.python.replace('.', '')}", "--abi", "abi3", "--abi", "none"]
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--no-input"),
        *("--only-binary", ":all:", "--implementation", "cp", "--python-version", target.python, *abis, *platforms),
        *("--dest", str(folder), "-r", str(wanted)),
    ]
    done = subprocess.run(command, env=bootstrap.environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise WheelError(bootstrap.explain(done.stdout + done.stderr, "fetching wheels").args[0])


def unpack(wheel: Path) -> dict[str, bytes]:
    """The files of a wheel below site-packages, by path.

    :raises WheelError: it has a path that leads out of there.
    """
    found = {}
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            path = placed(entry.filename)
            if path is None or entry.is_dir():
                continue
            if path.is_absolute() or ".." in path.parts:
                raise WheelError(f"{wheel.name} has the path {entry.filename}, which leads out of its folder")
            found[str(path)] = archive.read(entry)
    return found


def placed(name: str) -> PurePosixPath | None:
    """Where a file of a wheel comes to lie below site-packages; None if a device does not need it."""
    path = PurePosixPath(name)
    first, *rest = path.parts
    if first.endswith(".data"):  # scripts, headers and data are for those who build with it
        if not rest or rest[0] not in _PLACES:
            return None
        path = PurePosixPath(*rest[1:])
    if any(part in _FOLDERS for part in path.parts[:-1]) or path.suffix in _ENDINGS:
        return None
    return path


def strip(library: Path) -> None:
    """Take the debugging symbols out of a library, of whichever processor it is.

    :raises WheelError: elfutils is not installed, or the file is no library.
    """
    program = shutil.which("eu-strip")
    if program is None:
        raise WheelError("eu-strip is missing: sudo apt-get install elfutils")
    done = subprocess.run([program, "--strip-debug", str(library)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise WheelError(f"{library.name} could not be stripped: {done.stderr.strip()}")


def name_of(wheel: Path) -> str:
    """The package that a wheel holds, as its folder is named."""
    return re.split("-", wheel.name, maxsplit=1)[0]
