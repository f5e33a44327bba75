"""LiveKit's server and our load client for it, built from source: ``make tools-livekit``.

For benchmarks, and for the tests of that engine. Needs Go 1.26 or newer and the Go module proxy that it is set up with;
says so otherwise, and ends with 75.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".cache" / "livekit"
SERVER = PLACE / "livekit-server"
LOAD = PLACE / "livekit-load"
VERSION = "v1.13.5"
MODULE = f"github.com/livekit/livekit-server/cmd/server@{VERSION}"
SOURCE = ROOT / "tools" / "bench" / "livekit_load"
OLDEST = (1, 26)


def go_version() -> tuple[int, ...] | None:
    """The version of Go; None when there is none."""
    go = shutil.which("go")
    if go is None:
        return None
    said = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"go(\d+)\.(\d+)", said)
    return tuple(map(int, found.groups())) if found else None


def build(*, load: bool = True) -> str:
    """Build what is missing; "" when all is there, else one sentence with the way out.

    :param load: the load client too, which only benchmarks need.
    """
    version = go_version()
    if version is None or version < OLDEST:
        have = ".".join(map(str, version)) if version else "none"
        return f"LiveKit's server needs Go {OLDEST[0]}.{OLDEST[1]} or newer to be built, here is {have}: see go.dev/dl."
    PLACE.mkdir(parents=True, exist_ok=True)
    if not SERVER.exists():
        print(f"kontor: building livekit-server {VERSION} (some minutes).", flush=True)
        done = subprocess.run(["go", "install", MODULE], env={**os.environ, "GOBIN": str(PLACE)}, check=False)
        if done.returncode:
            return "livekit-server could not be built: see what Go says above, and run the same command again."
        (PLACE / "server").rename(SERVER)
    if not load:
        return ""
    if not LOAD.exists() or LOAD.stat().st_mtime < (SOURCE / "main.go").stat().st_mtime:
        done = subprocess.run(["go", "build", "-o", str(LOAD), "."], cwd=SOURCE, check=False)
        if done.returncode:
            return "the load client could not be built: see what Go says above, and run the same command again."
    return ""


def main() -> int:
    """Build, and tell."""
    load = "server" not in sys.argv[1:]
    wrong = build(load=load)
    there = " and ".join(str(path.relative_to(ROOT)) for path in (SERVER, LOAD)[: 1 + load])
    print(f"kontor: {wrong or f'{there}: built.'}", flush=True)
    return 75 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
