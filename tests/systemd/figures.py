"""What the tests measured, written to docs/measurements/systemd.json when the whole suite has run."""

import os
from pathlib import Path

from tools import measurements


class Figures:
    """Collected while the tests run."""

    def __init__(self) -> None:
        self._found: dict[str, measurements.Figure] = {}

    def add(
        self,
        name: str,
        value: float,
        unit: str,
        goal: str = "",
        peer: tuple[str, float | None] = ("", None),
        note: str = "",
    ) -> None:
        """One figure, and what it is compared with; the last of a name counts."""
        self._found[name] = measurements.Figure(name, round(value, 2), unit, goal, *peer, note=note)

    def write(self) -> None:
        """Write them where KONTOR_MEASUREMENTS says, as ``make test-systemd`` does for a whole run."""
        folder = os.environ.get("KONTOR_MEASUREMENTS")
        if folder and self._found:
            measurements.write("systemd", sorted(self._found.values(), key=lambda figure: figure.name), Path(folder))


FIGURES = Figures()
