"""The documents that are made from the code: ``make docs`` writes them, ``make docs-check`` tells which are old.

Each is made by a module of its own with ``main(arguments)``: without arguments it writes, with ``--check`` it returns 1
when what lies there is not what it would write.
"""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

MODULES = (
    "tools.pinmap",
    "tools.firmware.sources",
    "tools.checklist",
    "tools.configuration_doc",
    "tools.controls_diagram",
    "tools.dependencies",
    "tools.engines_doc",
    "tools.hardware_doc",
    "tools.measurements",
)


def write_or_check(target: Path, page: str, arguments: Sequence[str]) -> int:
    """What each of them does with its page: write it, or with ``--check`` return 1 when it is not current."""
    if "--check" in arguments:
        current = target.exists() and target.read_text() == page
        name = f"{target.parent.name}/{target.name}"
        print(f"{name} is current." if current else f"{name} is old: make it anew.")
        return 0 if current else 1
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page)
    return 0


def main(arguments: list[str]) -> int:
    """Run every maker of documents; 1 when one of them says no."""
    old = [name for name in MODULES if importlib.import_module(name).main(arguments)]
    if old:
        print(f"kontor: not current, `make docs` mends it: what {', '.join(old)} makes")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
