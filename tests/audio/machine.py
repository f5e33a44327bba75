"""Machines with sound cards, as their /proc and /sys look: text files in machines/ that are laid out as folders."""

from dataclasses import dataclass
from pathlib import Path

from appliance.audio.inventory import Card, cards

MACHINES = Path(__file__).parent / "machines"


@dataclass(frozen=True)
class Machine:
    """Where its folders are."""

    root: Path

    @property
    def proc(self) -> Path:
        return self.root / "proc/asound"

    def cards(self) -> list[Card]:
        return cards(self.proc, self.root / "sys/class/sound", self.root / "proc")

    def write(self, path: str, text: str) -> None:
        """Change what a file of it says."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def lay_out(name: str, root: Path) -> Machine:
    """The machine that machines/NAME.txt describes: after a sentence about it, each file under ``==> PATH``."""
    machine = Machine(root)
    _, *files = (MACHINES / f"{name}.txt").read_text().split("==> ")
    for file in files:
        path, _, text = file.partition("\n")
        machine.write(path, text)
    return machine
