"""The stored mute: what survives a restart, a power cut and an update (UX.md, mute rule 5).

One small file, written whole to a new name, flushed to the disk and renamed. It carries a checksum, since a worn card gives
back what was never written; a file that cannot be believed reads as muted, and only a hand opens the gate again.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from appliance.core.controls import REMEMBERED, Door, Reason, Reasons, mask_of, reasons_of
from appliance.settings.store import atomic_write

_SCHEMA = 1
_LARGEST = 4096


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the file said. ``damaged`` is one sentence, or empty; ``stored`` is False at a first start."""

    reasons: Reasons = frozenset()
    door: Door = Door.OPEN
    damaged: str = ""
    stored: bool = True


def _sum(content: dict[str, int]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _parse(data: bytes) -> Remembered:
    document = json.loads(data)
    content = {key: document[key] for key in ("schema", "reasons", "door")}
    if not all(type(value) is int for value in content.values()) or document["sum"] != _sum(content):
        raise ValueError("its checksum is wrong")
    if content["schema"] != _SCHEMA:
        raise ValueError(f"its schema is {content['schema']}")
    return Remembered(reasons_of(content["reasons"]) & REMEMBERED, Door(content["door"]))


class MuteMemory:
    """The file ``mute.json`` in the state directory."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "mute.json"

    def load(self) -> Remembered:
        """Read what was stored. A missing file is a first start; a damaged one reads as muted until a hand acts."""
        try:
            with self._path.open("rb") as file:
                data = file.read(_LARGEST)
            return _parse(data)
        except FileNotFoundError:
            return Remembered(stored=False)
        except (OSError, ValueError, KeyError, TypeError) as error:
            return Remembered(frozenset({Reason.HAND}), Door.LISTENING, f"The stored mute cannot be read: {error}")

    def save(self, reasons: Reasons, door: Door) -> None:
        """Store what must survive. Blocks until it is on the disk: call it off the loop.

        :raises OSError: the disk refuses; the gate is closed all the same.
        """
        content = {"schema": _SCHEMA, "reasons": mask_of(reasons & REMEMBERED), "door": int(door)}
        atomic_write(self._path, json.dumps(content | {"sum": _sum(content)}).encode())
