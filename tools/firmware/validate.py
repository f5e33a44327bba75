"""The kernel's own rules for device trees (dt-schema), over trees with our overlays.

A finding is ours when the tree has it with our overlays and has it not when merely the same controllers are switched on: what
the kernel's trees say of their own nodes is counted, and not our business.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tools.firmware.trees import Trees

ACCEPTED = {
    ("i2s", "#sound-dai-cells"): "simple-audio-card cannot name the controller without it; the binding forgot it",
}
"""End of the node's path before its address, part of the message: why our node may do what its binding does not know."""

SCHEMA_TIME = "a minute or two, once"


class ToolError(Exception):
    """dtschema cannot be run; one sentence."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What dt-validate says of a node."""

    node: str
    message: str

    @property
    def accepted(self) -> bool:
        """Whether it is one of :data:`ACCEPTED`."""
        name = self.node.rpartition("/")[2].partition("@")[0]
        return any(name == known and part in self.message for known, part in ACCEPTED)

    def __str__(self) -> str:
        return f"{self.node}: {self.message}"


def program(name: str) -> Path:
    """One of dtschema's programs, beside the running Python.

    :raises ToolError: it is not there.
    """
    path = Path(sys.executable).parent / name
    if not path.exists():
        raise ToolError("dtschema is not installed: python3 -m tools.bootstrap hardware")
    return path


def schema(trees: Trees) -> Path:
    """The kernel's bindings in one file, made if it is not there.

    :raises ToolError: it cannot be made.
    """
    maker = program("dt-mk-schema")
    if not trees.schema.exists():
        print(f"kontor: reading the kernel's bindings ({SCHEMA_TIME}).", flush=True)
        fresh = trees.schema.with_suffix(".new")
        _run([str(maker), "-j", "-o", str(fresh), str(trees.bindings)])
        fresh.rename(trees.schema)
    return trees.schema


def findings(trees: Trees, files: Iterable[Path], scratch: Path) -> dict[Path, set[Finding]]:
    """What dt-validate says of each tree, also of names that no binding knows.

    :raises ToolError: it cannot be run.
    """
    told = scratch / "findings.json"
    found: dict[Path, set[Finding]] = {path: set() for path in files}
    command = [str(program("dt-validate")), "-m", "-s", str(schema(trees)), "--json-output", str(told)]
    _run([*command, *map(str, found)])
    for finding in json.loads(told.read_text()):
        inside = ":".join(map(str, finding.get("property_path", ())))
        message = f"{inside}: {finding['message']}" if inside else finding["message"]
        found[Path(finding["file"])].add(Finding(finding.get("node", "/"), message))
    return found


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise ToolError(f"{Path(command[0]).name} failed: {last}")
