"""What runs in a device under test, with its own Python."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

DATA = Path("/data")


def update() -> dict[str, Any]:
    """How the device stands to updates; empty while nobody answers."""
    return _json("kontor", "update", "status", "--json")


def applied() -> dict[str, Any]:
    """Have it look for an update and take it; how it stands then."""
    return _json("kontor", "update", "apply", "--json")


def digests() -> dict[str, str]:
    """The files on the data partition that are somebody's (settings, keys), by their path there, with their SHA-256."""
    found = {}
    for path in sorted(DATA.rglob("*")):
        if path.is_file() and not path.is_symlink() and "log" not in path.relative_to(DATA).parts:
            found[f"/{path.relative_to(DATA)}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def health() -> dict[str, Any]:
    """What is up: the services, and where the data lies."""
    states = {part: _said("systemctl", "is-active", f"kontor-{part}") for part in ("sound", "link", "provision")}
    return {
        **states,
        "data": _said("findmnt", "-no", "LABEL", str(DATA)),
        "failed": _said("systemctl", "--failed", "--plain", "--no-legend"),
    }


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _json(*command: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(_said(*command))
    except ValueError:
        return {}
    return found
