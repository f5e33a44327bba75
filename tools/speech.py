"""The demo's recorded speech: Debian's asterisk-core-sounds-en-g722, unpacked into .cache/speech, never committed.

``make speech`` runs this; ``make demo`` does too, once. Needs no root: the package is downloaded and unpacked only.
Recorded by Allison Smith, CC BY-SA 3.0; the package's copyright file is kept beside the recordings.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools import debian

ROOT = Path(__file__).resolve().parent.parent
SPEECH = ROOT / ".cache" / "speech"
PACKAGE = "asterisk-core-sounds-en-g722"
RECORDING = "demo-instruct.g722"
WITHOUT = "the device speaks with a made-up, voice-like signal instead (make speech tries again)"


def find(directory: Path = SPEECH) -> Path | None:
    """The recording, if it has been fetched."""
    return next(directory.rglob(RECORDING), None)


def tried(directory: Path = SPEECH) -> bool:
    """Whether it is there, or could not be had the last time: a demo without a network starts at once."""
    return directory.is_dir()


def size() -> int:
    """Bytes to fetch: what apt says, 0 when it does not know the package."""
    if not shutil.which("apt-cache"):
        return 0
    shown = subprocess.run(["apt-cache", "show", PACKAGE], capture_output=True, text=True, check=False).stdout
    sizes = [int(line.split()[1]) for line in shown.splitlines() if line.startswith("Size:")]
    return sizes[0] if sizes else 0


def fetch(directory: Path = SPEECH) -> str:
    """Fetch and unpack; give one sentence about what came of it."""
    directory.mkdir(parents=True, exist_ok=True)
    if not debian.available():
        return f"recorded speech comes from a Debian package and this system has no apt: {WITHOUT}"
    debian.update()
    with tempfile.TemporaryDirectory(dir=directory.parent) as temporary:
        got = _run(["apt-get", "-q", "download", PACKAGE], temporary)
        packages = list(Path(temporary).glob("*.deb"))
        if not got or not packages:
            return f"Debian's package {PACKAGE} could not be fetched: {WITHOUT}"
        unpacked = Path(temporary) / "unpacked"
        if not _run(["dpkg-deb", "-x", str(packages[0]), str(unpacked)], temporary) or find(unpacked) is None:
            return f"Debian's package {PACKAGE} holds no {RECORDING}: {WITHOUT}"
        shutil.copytree(unpacked, directory, dirs_exist_ok=True)
    return (
        f"speech recorded by Allison Smith, CC BY-SA 3.0, from Debian's {PACKAGE} (its copyright file lies beside it)"
    )


def _run(command: list[str], directory: str) -> bool:
    done = subprocess.run(command, cwd=directory, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    return done.returncode == 0


def main() -> int:
    """Fetch anew."""
    print(f"kontor: {fetch()}")
    return 0 if find() else 75


if __name__ == "__main__":
    sys.exit(main())
