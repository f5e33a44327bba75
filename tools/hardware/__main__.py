"""``python -m tools.hardware``: check the circuits and make drawings, cables, netlists, bills and pages. ``--check`` makes none.

With ``--check`` it needs no other program and takes seconds: rules, faults, checklist, and whether what lies in hardware/ is
what would be made (but for pictures and pairs of faults, which take longer and more). Ends with 1 when anything is wrong.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from appliance.app.checklist import Step
from tools.hardware import checks, exports, pages, rules
from tools.hardware.faults import Row, pairs, table
from tools.hardware.netlist import HARDWARE, Netlist, NetlistError, load, tiers

PAIRS = "pairs.json"


def main(arguments: Sequence[str], root: Path = HARDWARE) -> int:
    """Check; without ``--check`` write too."""
    try:
        netlists = {tier: load(tier, root) for tier in tiers(root)}
    except NetlistError as error:
        print(error)
        return 1
    findings = [finding for netlist in netlists.values() for finding in rules.check(netlist)]
    steps, stay = checks.steps(root / "checklist.toml"), checks.accepted(root / "accepted.toml")
    tables: dict[str, tuple[Netlist, Sequence[Row]]] = {}
    if not findings:
        for tier, netlist in netlists.items():
            rows = table(netlist)
            tables[tier] = netlist, rows
            findings += [*checks.dangers(netlist, rows, stay), *checks.checklist(netlist, steps)]
    print("\n".join(findings) if findings else f"{len(netlists)} circuits: every rule holds.")
    if findings:
        return 1
    if "--check" in arguments:
        told = json.loads((root / PAIRS).read_text())
        return compare(root, texts(tables, told, steps, stay))
    return write(root, tables, steps, stay)


def texts(
    tables: Mapping[str, tuple[Netlist, Sequence[Row]]],
    told: Mapping[str, Any],
    steps: Sequence[Step],
    stay: Sequence[checks.Accepted],
) -> Mapping[str, str]:
    """Path below hardware/ to content of everything that is text."""
    made = {"faults.md": pages.fault_page(tables, told, stay)}
    for tier, (netlist, _) in tables.items():
        made[f"tier-{tier}.md"] = pages.tier_page(netlist, steps)
        made.update(exports.files(netlist))
    return made


def compare(root: Path, made: Mapping[str, str]) -> int:
    """1 when a file is not as it would be made."""
    old = [name for name, text in made.items() if not (root / name).exists() or (root / name).read_text() != text]
    print(f"hardware/ is old, `make hardware` mends it: {', '.join(old)}" if old else "hardware/ is current.")
    return 1 if old else 0


def write(
    root: Path,
    tables: Mapping[str, tuple[Netlist, Sequence[Row]]],
    steps: Sequence[Step],
    stay: Sequence[checks.Accepted],
) -> int:
    """Make everything anew."""
    from tools.hardware.drawings import draw  # noqa: PLC0415  # needs schemdraw, which only this installs

    told = {tier: _pairs(netlist, rows) for tier, (netlist, rows) in tables.items()}
    made = {PAIRS: json.dumps(told, indent=1, sort_keys=True) + "\n", **texts(tables, told, steps, stay)}
    wrong: list[str] = []
    for tier, (netlist, _) in tables.items():
        for name, sheet in draw(netlist).items():
            wrong += [f"{tier}, drawing {name}: {finding}" for finding in sheet.compare()]
            made[f"drawings/{name}.svg"] = sheet.svg()
        made[f"harness/{tier}.svg"] = exports.harness_svg(made[f"harness/{tier}.yml"])
    if wrong:
        print("\n".join(wrong))
        return 1
    for name, text in made.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    print(f"hardware/: {len(made)} files.")
    return 0


def _pairs(netlist: Netlist, rows: Sequence[Row]) -> Mapping[str, Any]:
    if netlist.lamp("hardware") is None:
        return {}
    print(f"{netlist.tier}: pairs of faults …", flush=True)
    found = pairs(netlist, rows)
    heard = [
        row for row in found.dangerous if row.findings["muted"].heard[1] and row.findings["muted"].hardware_lamp[1]
    ]
    return {
        "tried": found.tried,
        "dangerous": [row.fault.name for row in found.dangerous],
        "heard_while_muted": len(heard),
        "swinging": list(found.swinging),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
