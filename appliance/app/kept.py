"""Small files in which sound keeps something for its next start: JSON, with a schema, whole or not at all.

The mute has a memory of its own (:mod:`appliance.panel.memory`): a damaged one has to read as muted.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from appliance.settings.store import atomic_write

_SCHEMA = 1
_LARGEST = 256


def read(path: Path) -> dict[str, Any] | None:
    """What was kept; None: nothing yet.

    :raises OSError, ValueError: there is something, and it cannot be read.
    """
    try:
        with path.open("rb") as file:
            stored = json.loads(file.read(_LARGEST))
    except FileNotFoundError:
        return None
    if not isinstance(stored, dict) or stored.pop("schema", None) != _SCHEMA:
        raise ValueError("it is of another schema")
    return stored


def write(path: Path, content: Mapping[str, object]) -> None:
    """Keep it for the next start. Blocks until it is on the disk: call it off the loop.

    :raises OSError: the disk refuses.
    """
    atomic_write(path, json.dumps({"schema": _SCHEMA, **content}).encode())
