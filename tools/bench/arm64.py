"""An arm64 Python with numpy and WebRTC's libraries, run by qemu-user, whose instructions are counted.

Debian's packages for arm64 and PyPI's wheels are unpacked into .cache/arm64, nothing is installed; QEMU's counting plugin is
compiled. Everything is what a Raspberry Pi 4 with this Debian has.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".cache" / "arm64"
CORE = "cortex-a72"
"""Of a Raspberry Pi 4: what numpy and OpenBLAS choose their code by."""
_LIBRARIES = (
    "libc6 libgcc-s1 libstdc++6 zlib1g libexpat1 libssl3 libffi8 libbz2-1.0 liblzma5 libuuid1 libsqlite3-0 libtinfo6"
)
_WHEELS = ("numpy", "pywebrtc-audio", "webrtc-noise-gain")
_PLATFORMS = ("manylinux2014_aarch64", "manylinux_2_27_aarch64", "manylinux_2_28_aarch64")
_APT = """APT::Architecture "arm64";
APT::Architectures {{ "arm64"; }};
Dir::State "{0}/apt";
Dir::State::status "{0}/apt/status";
Dir::Cache "{0}/apt/cache";
Debug::NoLocking "1";
"""


class Missing(Exception):
    """Something that it takes is not here; one sentence."""


def command() -> list[str]:
    """What to put before ``-m module arguments``; prints "Collected : N" to stderr at the end.

    :raises Missing: there is no qemu-user, no compiler, no apt, or no network.
    """
    for program, package in (("qemu-aarch64", "qemu-user"), ("cc", "gcc"), ("apt-get", "apt")):
        if not shutil.which(program):
            raise Missing(f"{program} is missing: sudo apt-get install {package}")
    python = _python()
    guest = CACHE / "root" / "usr" / "bin" / python
    if not guest.exists():
        _unpack(python)
    if not (CACHE / "site" / "numpy").is_dir():
        _wheels(python.removeprefix("python"))
    plugin = CACHE / "instructions.so"
    _run("cc", "-O2", "-shared", "-fPIC", "-o", str(plugin), str(HERE / "instructions.c"))
    environment = {
        "LD_LIBRARY_PATH": "/lib/aarch64-linux-gnu:/usr/lib/aarch64-linux-gnu",
        "PYTHONHOME": str(CACHE / "root" / "usr"),
        "PYTHONPATH": f"{CACHE / 'site'}:{ROOT}",
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    told = [word for name, value in environment.items() for word in ("-E", f"{name}={value}")]
    return ["qemu-aarch64", "-cpu", CORE, "-L", str(CACHE / "root"), *told, "-plugin", str(plugin), str(guest)]


def _python() -> str:
    """Debian's own Python: python3.11 in bookworm."""
    done = subprocess.run(
        ["apt-cache", "depends", "python3-minimal"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    found = [word for word in done.stdout.split() if word.startswith("python3.") and word.endswith("-minimal")]
    if not found:
        raise Missing("apt does not know Debian's Python: sudo apt-get update")
    return found[0].removesuffix("-minimal")


def _unpack(python: str) -> None:
    packages = CACHE / "packages"
    for folder in (packages, CACHE / "apt" / "lists" / "partial", CACHE / "apt" / "cache" / "archives" / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    (CACHE / "apt" / "status").touch()
    settings = CACHE / "apt.conf"
    settings.write_text(_APT.format(CACHE))
    _run("apt-get", "-q", "-c", str(settings), "update")
    wanted = [f"{python}-minimal", f"lib{python}-minimal", f"lib{python}-stdlib", *_LIBRARIES.split()]
    _run("apt-get", "-q", "-c", str(settings), "download", *wanted, folder=packages)
    for package in packages.glob("*.deb"):
        _run("dpkg-deb", "-x", str(package), str(CACHE / "root"))


def _wheels(python: str) -> None:
    platforms = [word for platform in _PLATFORMS for word in ("--platform", platform)]
    wanted = [f"{name}=={version(name)}" for name in _WHEELS]
    options = [
        "--no-deps",
        "--only-binary",
        ":all:",
        "--python-version",
        python,
        *platforms,
        "-d",
        str(CACHE / "wheels"),
    ]
    _run(sys.executable, "-m", "pip", "-q", "download", *options, *wanted)
    for wheel in (CACHE / "wheels").glob("*.whl"):
        shutil.unpack_archive(wheel, CACHE / "site", "zip")


def _run(*words: str, folder: Path = ROOT) -> None:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise Missing(f"{' '.join(words[:4])} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
