"""The stored mute: what survives a restart, a power cut and an update (UX.md, mute rule 5).

One small file, written whole to a new name, flushed to the disk and renamed. It carries a checksum, since a worn card gives
back what was never written; a file that cannot be believed reads as muted, and only a hand opens the gate again.

It tells for which panel it was written, too. Where the settings say by now that another pin or level means muted, only a hand
opens the gate, whoever changed them and however (mute rule 3).
"""

import hashlib
import json
from dataclasses import dataclass, replace
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


def _parse(data: bytes) -> tuple[Remembered, int]:
    """What is remembered, and for which panel; 0: it does not say."""
    document = json.loads(data)
    content = {key: document[key] for key in ("schema", "reasons", "door")}
    if "panel" in document:
        content["panel"] = document["panel"]
    if not all(type(value) is int for value in content.values()) or document["sum"] != _sum(content):
        raise ValueError("its checksum is wrong")
    if content["schema"] != _SCHEMA:
        raise ValueError(f"its schema is {content['schema']}")
    return Remembered(reasons_of(content["reasons"]) & REMEMBERED, Door(content["door"])), content.get("panel", 0)


class MuteMemory:
    """The file ``mute.json`` in the state directory.

    :param panel: another number when what the mute control means is set otherwise; 0: nobody asks.
    """

    def __init__(self, directory: Path, panel: int = 0) -> None:
        self._path, self._panel = directory / "mute.json", panel
        self.current = not panel
        """Whether the file is there and tells of this panel. Else it has to be stored, though nothing has changed."""

    def load(self) -> Remembered:
        """Read what was stored. A missing file is a first start; a damaged one reads as muted until a hand acts."""
        try:
            with self._path.open("rb") as file:
                data = file.read(_LARGEST)
            remembered, panel = _parse(data)
        except FileNotFoundError:
            return Remembered(stored=False)
        except (OSError, ValueError, KeyError, TypeError) as error:
            return Remembered(frozenset({Reason.HAND}), Door.LISTENING, f"The stored mute cannot be read: {error}")
        self.current = panel == self._panel or not self._panel
        if self.current or not panel:
            return remembered
        return replace(remembered, reasons=remembered.reasons | {Reason.HAND})

    def save(self, reasons: Reasons, door: Door) -> None:
        """Store what must survive. Blocks until it is on the disk: call it off the loop.

        :raises OSError: the disk refuses; the gate is closed all the same.
        """
        content = {"schema": _SCHEMA, "reasons": mask_of(reasons & REMEMBERED), "door": int(door)}
        if self._panel:
            content["panel"] = self._panel
        atomic_write(self._path, json.dumps(content | {"sum": _sum(content)}).encode())
        self.current = True
