"""What must agree with the solved circuits: the bring-up checklist, and the list of dangerous faults that stay."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.app.checklist import Kind, Step, parse
from tools.hardware.bench import (
    HIGH,
    LIT,
    LOW,
    NOTHING,
    POSITIONS,
    Damage,
    Drive,
    Position,
    Reading,
    measure,
    sense_volts,
)
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
    joined = NOTHING
    for step in own:
        position = next((known for known in POSITIONS if known == step.switch), position)
        joined = _joined(netlist, step.ask) or (NOTHING if step.ask else joined)
        if step.kind is Kind.MEASURE:
            findings += _measured(netlist, step, position)
        elif step.kind is Kind.LEVEL:
            damage = _unplugged(netlist) if step.ask.startswith("Pull") else joined
            findings += _level(step, sense_volts(netlist, measure(netlist, position, damage)))
        elif step.kind is Kind.WIRE:
            findings += _wire(netlist, step)
        elif step.kind is Kind.QUESTION:
            findings += _lamp(netlist, step, measure(netlist, position, joined))
    wired, told = set(netlist.wired_lines()), {step.line for step in own}
    wanted = {name for name in wired if not netlist.pinmap.lines[name].bus or netlist.pinmap.lines[name].colour}
    findings += [f"no step looks at line {name}" for name in sorted(wanted - told)]
    return [f"{netlist.tier}: hardware/checklist.toml: {finding}" for finding in findings]


_JOIN = re.compile(r"Join (TP\d+) and (TP\d+)")


def _joined(netlist: Netlist, ask: str) -> Damage | None:
    """What a person does who joins two test points."""
    found = _JOIN.search(ask)
    if found is None:
        return None
    first, second = (netlist.nets[netlist.points[name].net][0] for name in found.groups())
    return Damage(bridges=((first, second),))


def _unplugged(netlist: Netlist) -> Damage:
    """The cable of the mute line is off."""
    cable = next(wire.cable for wire in netlist.wires if wire.line == "mute")
    return Damage(frozenset(wire.name for wire in netlist.cables[cable].wires))


def _measured(netlist: Netlist, step: Step, position: Position) -> Iterator[str]:
    point = netlist.points.get(step.point)
    if point is None:
        yield f"{step.id}: there is no test point {step.point}"
        return
    volts = measure(netlist, position).volts[point.net]
    if not step.volts[0] <= round(volts, 2) <= step.volts[1]:
        yield f"{step.id}: {step.point} has {volts:.2f} V, which {list(step.volts)} leaves out"


def _level(step: Step, volts: float) -> Iterator[str]:
    if not _is(volts, step.expect):
        yield f"{step.id}: the line has {volts:.1f} V, which is not {step.expect}"


def _wire(netlist: Netlist, step: Step) -> Iterator[str]:
    """The panel's own resistor must win over the Pi's, and nothing else may."""
    cut = frozenset(wire.name for wire in netlist.wires if wire.line == step.line)
    node = f"pi.{netlist.pinmap.lines[step.line].pin}"
    lines = {step.line: _BIAS[step.bias]}
    yield from _level(step, measure(netlist, "muted", NOTHING, lines).volts[node])
    if _is(measure(netlist, "muted", Damage(cut), lines).volts[node], step.expect):
        yield f"{step.id}: a broken wire would pass too"


def _lamp(netlist: Netlist, step: Step, reading: Reading) -> Iterator[str]:
    """A question about the lamp beside the switch: whoever asks whether it is lit gets a lit one."""
    wanted_lit = step.question.endswith("lit?")
    if (reading.lamp(netlist.lamp("hardware")) >= LIT) != wanted_lit:
        yield f"{step.id}: the lamp beside the switch is {'dark' if wanted_lit else 'lit'} then"


def _is(volts: float, level: str) -> bool:
    return volts >= HIGH if level == "high" else volts <= LOW
