"""What must agree with the solved circuits: the bring-up checklist, and the list of dangerous faults that stay."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.app.checklist import Kind, Step, parse
from tools.hardware.bench import HIGH, LOW, POSITIONS, Damage, Drive, Position, measure, sense_volts
from tools.hardware.faults import Danger, Row
from tools.hardware.netlist import HARDWARE, Netlist

_BIAS: Final[Mapping[str, Drive]] = {"pull-up": "pulled up", "pull-down": "pulled down"}


@dataclass(frozen=True, slots=True)
class Accepted:
    """Dangerous faults that stay."""

    tiers: tuple[str, ...]
    faults: tuple[str, ...]
    """Beginnings of their names."""
    reason: str

    def covers(self, tier: str, row: Row) -> bool:
        """Whether a fault is one of these."""
        return tier in self.tiers and row.fault.name.startswith(self.faults)


def accepted(source: Path = HARDWARE / "accepted.toml") -> tuple[Accepted, ...]:
    """What hardware/accepted.toml says."""
    told = tomllib.loads(source.read_text())["accepted"]
    return tuple(Accepted(tuple(one["tiers"]), tuple(one["faults"]), one["reason"].strip()) for one in told)


def dangers(netlist: Netlist, rows: Iterable[Row], stay: Sequence[Accepted]) -> list[str]:
    """Dangerous faults without a reason, and reasons without a fault."""
    bad = [row for row in rows if row.danger is Danger.DANGEROUS]
    findings = [
        f"{netlist.tier}: {row.fault.name}: a red lamp is lit while the microphone can be heard, and hardware/accepted.toml "
        "has no reason for it"
        for row in bad
        if not any(one.covers(netlist.tier, row) for one in stay)
    ]
    for one in stay:
        if netlist.tier in one.tiers:
            fits = [name for name in one.faults if not any(row.fault.name.startswith(name) for row in bad)]
            findings += [
                f"{netlist.tier}: hardware/accepted.toml: no dangerous fault begins with {name}" for name in fits
            ]
    return findings


def steps(source: Path = HARDWARE / "checklist.toml") -> tuple[Step, ...]:
    """The bring-up checklist."""
    return parse(source.read_text())


def checklist(netlist: Netlist, every: Iterable[Step]) -> list[str]:
    """Where the checklist of a tier says something else than its circuit."""
    own = [step for step in every if netlist.tier in step.tiers]
    findings: list[str] = []
    position: Position = "muted"
    bridged = False
    for step in own:
        position = _position(step, position)
        if step.kind is Kind.MEASURE:
            findings += _measured(netlist, step, position)
        elif step.kind is Kind.LEVEL and not step.ask and not bridged:
            volts = sense_volts(netlist, measure(netlist, position))
            findings += _level(step, volts, step.expect)
        elif step.kind is Kind.WIRE:
            volts = _biased(netlist, step.line, _BIAS[step.bias])
            findings += _level(step, volts, step.expect)
            cut = frozenset(wire.name for wire in netlist.wires if wire.line == step.line)
            if _is(_biased(netlist, step.line, _BIAS[step.bias], Damage(cut)), step.expect):
                findings.append(f"{step.id}: a broken wire would pass too")
        bridged = "Join" in step.ask or (bridged and "Take" not in step.ask)
    wired, told = set(netlist.wired_lines()), {step.line for step in own}
    wanted = {name for name in wired if not netlist.pinmap.lines[name].bus or netlist.pinmap.lines[name].colour}
    findings += [f"no step looks at line {name}" for name in sorted(wanted - told)]
    return [f"{netlist.tier}: hardware/checklist.toml: {finding}" for finding in findings]


def _position(step: Step, before: Position) -> Position:
    return next((position for position in POSITIONS if position == step.switch), before)


def _measured(netlist: Netlist, step: Step, position: Position) -> Iterator[str]:
    point = netlist.points.get(step.point)
    if point is None:
        yield f"{step.id}: there is no test point {step.point}"
        return
    volts = measure(netlist, position).volts[point.net]
    if not step.volts[0] <= round(volts, 2) <= step.volts[1]:
        yield f"{step.id}: {step.point} has {volts:.2f} V, which {list(step.volts)} leaves out"


def _level(step: Step, volts: float, expect: str) -> Iterator[str]:
    if not _is(volts, expect):
        yield f"{step.id}: the line has {volts:.1f} V, which is not {expect}"


def _is(volts: float, level: str) -> bool:
    return volts >= HIGH if level == "high" else volts <= LOW


def _biased(netlist: Netlist, line: str, bias: Drive, damage: Damage | None = None) -> float:
    reading = measure(netlist, "muted", damage or Damage(), {line: bias})
    return reading.volts[f"pi.{netlist.pinmap.lines[line].pin}"]
