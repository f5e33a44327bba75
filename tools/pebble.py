"""Pebble, Let's Encrypt's small ACME server for tests, built from source: ``python3 -m tools.pebble``.

Needs Go 1.22 or newer and the Go module proxy that it is set up with; says so otherwise, and ends with 75.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tools.livekit import go_version

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".cache" / "pebble"
SERVER, NAMES = PLACE / "pebble", PLACE / "pebble-challtestsrv"
VERSION = "v2.8.0"
MODULES = [f"github.com/letsencrypt/pebble/v2/cmd/{name}@{VERSION}" for name in ("pebble", "pebble-challtestsrv")]
OLDEST = (1, 22)


def build() -> str:
    """Build what is missing; "" when all is there, else one sentence with the way out."""
    if SERVER.exists() and NAMES.exists():
        return ""
    version = go_version()
    if version is None or version < OLDEST:
        have = ".".join(map(str, version)) if version else "none"
        return f"pebble needs Go {OLDEST[0]}.{OLDEST[1]} or newer to be built, here is {have}: see go.dev/dl."
    PLACE.mkdir(parents=True, exist_ok=True)
    print(f"kontor: building pebble {VERSION} (a minute).", flush=True)
    done = subprocess.run(["go", "install", *MODULES], env={**os.environ, "GOBIN": str(PLACE)}, check=False)
    return (
        "pebble could not be built: see what Go says above, and run the same command again." if done.returncode else ""
    )


def main() -> int:
    """Build, and tell."""
    wrong = build()
    print(f"kontor: {wrong or f'{SERVER.relative_to(ROOT)} is there.'}", flush=True)
    return 75 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
