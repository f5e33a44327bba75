"""What provisioning has to remember: the newest version of each document ever seen, and what did not work.

It lies outside the settings, so that no settings, old or new, can lower a version's floor.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from appliance.core.documents import Floor
from appliance.core.rollout import State
from appliance.settings.store import atomic_write

_SCHEMA = 1
_LARGEST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is remembered."""

    floors: Mapping[str, Floor] = field(default_factory=dict)
    """By scope."""
    state: State = State.DEFAULTS
    why: str = ""
    """Why the last settings are not the ones that hold; empty: they are."""
    since: int = 0
    """Unix time at which ``state`` began; 0: not known."""
    refused: str = ""
    """The digest of settings that are not tried again."""
    trying: str = ""
    """The digest of settings whose trial has begun, and how often it has."""
    attempts: int = 0


class Ledger:
    """The file ``state.json`` in provisioning's own folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "state.json"
        self.remembered = Remembered()
        self._stored: Remembered | None = None

    def load(self) -> str:
        """Read what is remembered; returns why it cannot be read, or ""."""
        try:
            with self._path.open("rb") as file:
                self.remembered = self._stored = _parse(json.loads(file.read(_LARGEST)))
        except FileNotFoundError:
            return ""
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            return f"{self._path} cannot be read: {error}"
        return ""

    def change(self, **fields: Any) -> None:
        """Remember something else, and store it. Blocks until it is on the disk: call it off the loop.

        :raises OSError: the disk refuses; it is remembered all the same, and :meth:`store` tries again.
        """
        self.remembered = replace(self.remembered, **fields)
        self.store()

    def store(self) -> None:
        """Store what is remembered, unless the disk has it.

        :raises OSError: the disk refuses.
        """
        if self.remembered != self._stored:
            content = {"schema": _SCHEMA, **asdict(self.remembered)}
            atomic_write(self._path, json.dumps(content, indent=1, sort_keys=True).encode())
            self._stored = self.remembered

    def forget_refused(self) -> None:
        """Nothing is refused any more, as long as this process runs and does not refuse it again."""
        self.remembered = replace(self.remembered, refused="", trying="", attempts=0)


def _parse(stored: dict[str, Any]) -> Remembered:
    if stored.pop("schema") != _SCHEMA:
        raise ValueError("it is of another schema")
    floors = {scope: Floor(**floor) for scope, floor in stored.pop("floors").items()}
    return Remembered(floors=floors, state=State(stored.pop("state")), **stored)
