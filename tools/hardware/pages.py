"""The pages of hardware/: a page for each tier, and the fault tables of all."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from appliance.app.checklist import Kind, Step
from tools.hardware import exports
from tools.hardware.bench import NOTHING, POSITIONS, Damage, Position, measure
from tools.hardware.checks import Accepted
from tools.hardware.faults import Danger, Finding, Row
from tools.hardware.netlist import Netlist
from tools.hardware.rules import back_power, lamp_goes_out
from tools.hardware.timing import Ending, switch_off

NOTE = "Made by `make hardware` from the files beside this page; do not edit.\n"
_DRAWINGS = {"a": "mute-line", "a-cut": "mute-usb", "b": "mute-microphones"}


def tier_page(netlist: Netlist, steps: Iterable[Step]) -> str:
    """How a tier is built and proven."""
    parts = [
        [f"# {netlist.title}", NOTE, *(f"{paragraph}\n" for paragraph in netlist.says)],
        ["## Drawings\n", *_drawings(netlist)],
        ["## What to buy\n", *_bill(netlist)],
        ["## Wires\n", *_wires(netlist)],
        ["## Putting it together\n", *_build(netlist)],
        ["## Test points\n", *_points(netlist)],
        *([["## How fast the supply ends\n", *_ending(netlist)]] if netlist.lamp("hardware") else []),
        ["## Bring-up\n", *_steps(netlist, steps)],
    ]
    return "\n".join(line for part in parts for line in part)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    yield from ("| " + " | ".join(map(str, row)) + " |" for row in rows)
    yield ""


def _drawings(netlist: Netlist) -> Iterator[str]:
    mute = _DRAWINGS[netlist.tier]
    yield f"![The mute circuit](drawings/{mute}.svg)\n"
    yield "![Lamps, buttons and ring](drawings/panel.svg)\n"
    boards = ", ".join(f"[{board}](kicad/{netlist.tier}-{board.lower()}.net)" for board in netlist.boards)
    yield f"For a board of your own, KiCad's pcbnew imports these netlists: {boards}.\n"


def _bill(netlist: Netlist) -> Iterator[str]:
    yield from _table(("count", "ready-made"), ((count, what) for what, count in netlist.buy))
    rows = ((i.count, i.value, i.what, " ".join(i.refs)) for i in exports.bill(netlist))
    yield from _table(("count", "value", "part", "for"), rows)
    cables = [cable for cable in netlist.cables.values() if not cable.start.startswith("USB")]
    metres = sum(cable.length * len(cable.wires) for cable in cables) / 1000
    yield f"{math.ceil(metres)} m of wire ({exports.GAUGE}). As a table: [bom/{netlist.tier}.csv](bom/{netlist.tier}.csv).\n"


def _wires(netlist: Netlist) -> Iterator[str]:
    yield f"![The cables](harness/{netlist.tier}.svg)\n"
    rows = []
    for wire in netlist.wires:
        start = f"pin {wire.start[3:]}" if wire.start.startswith("pi.") else wire.start.replace("usb.", "USB ")
        what = exports.label(netlist, wire.start, wire.line) if wire.start.startswith("pi.") else ""
        rows.append((wire.name, wire.colour, start, what, wire.end))
    yield from _table(("wire", "colour", "from", "which is", "to"), rows)


def _volts(volts: float) -> str:
    return f"{abs(volts) if abs(volts) < 0.05 else volts:.1f} V"


def _at(netlist: Netlist) -> Mapping[tuple[str, str], float]:
    readings = {position: measure(netlist, position) for position in POSITIONS}
    return {(n, p): readings[p].volts[point.net] for p in POSITIONS for n, point in netlist.points.items()}


def _build(netlist: Netlist) -> Iterator[str]:
    """The steps, with the computed voltages in their places.

    :raises KeyError: a step names a test point that the tier does not have.
    """
    volts = _at(netlist)
    for number, step in enumerate(netlist.build, 1):
        text = re.sub(r"\{(\w+) (\w+)\}", lambda found: _volts(volts[found[1], found[2]]), step)
        yield f"{number}. {text}"
    yield ""


def _points(netlist: Netlist) -> Iterator[str]:
    yield "Against ground, computed for nominal parts; a meter within 0.2 V of it is well. Muted: the gate closed, MIC lit.\n"
    volts = _at(netlist)
    rows = (
        (p.name, p.does, _volts(volts[p.name, "live"]), _volts(volts[p.name, "muted"])) for p in netlist.points.values()
    )
    yield from _table(("point", "what it is", "live", "muted"), rows)


def _milliseconds(seconds: float) -> str:
    return "never" if math.isinf(seconds) else f"{seconds * 1e3:.1f} ms"


def _ending(netlist: Netlist) -> Iterator[str]:
    yield "After the contact has opened; nothing but the resistors empties the capacitors.\n"
    bleeders = [part.ref for part in netlist.of_kind("resistor") if "empties" in part.data["does"]]
    cases: dict[str, Damage] = {"all well": NOTHING}
    for ref in bleeders:
        cases[f"{ref} broken"] = Damage(pins=frozenset({(ref, "1")}))
    rows: list[tuple[str, ...]] = []
    for name, damage in cases.items():
        ending: Ending = switch_off(netlist, damage)
        rows.append((name, _milliseconds(ending.off), _milliseconds(ending.dead), _milliseconds(ending.told)))
    ears = netlist.of_kind("microphone", "array")[0].data
    head = ("", f"below {ears['works']} V (may not work)", f"below {ears['alive']} V (dead)", "the Pi reads muted")
    yield from _table(head, rows)
    worst, who = back_power(netlist)
    yield f"Muted, the most that the Pi's lines put on the microphones is {worst:.2f} V ({who}).\n"
    yield f"The lamp beside the switch is dark from {lamp_goes_out(netlist):.1f} V at the microphones on.\n"


def _steps(netlist: Netlist, steps: Iterable[Step]) -> Iterator[str]:
    yield f"`kontor doctor --panel --tier {netlist.tier}` walks through these.\n"
    rows = [(step.switch, _do(netlist, step), step.help) for step in steps if netlist.tier in step.tiers]
    yield from _table(("switch", "what is done", "when it does not pass"), rows)


def _do(netlist: Netlist, step: Step) -> str:
    name = netlist.pinmap.lines[step.line].label if step.line else ""
    match step.kind:
        case Kind.LEVEL:
            what = f"{name} reads {step.expect}."
        case Kind.WIRE:
            what = f"The line of {name}, read with a {step.bias}, is {step.expect}."
        case Kind.PRESS:
            what = f"Press {name} and let go."
        case Kind.HOLD:
            what = f"Hold {name} for {step.seconds:g} s."
        case Kind.MEASURE:
            what = f"{step.point} has {step.volts[0]:g} to {step.volts[1]:g} V."
        case _:
            what = step.question
    return f"{step.ask} {what}".strip()


def fault_page(
    tables: Mapping[str, tuple[Netlist, Sequence[Row]]], pairs: Mapping[str, Any], stay: Sequence[Accepted]
) -> str:
    """What everything that breaks does, for all tiers."""
    lines = [_FAULTS_HEAD]
    lines += _table(
        ("tier", "faults", *(danger.word for danger in Danger)),
        (
            (
                f"[{tier}](tier-{tier}.md)",
                len(rows),
                *(Counter(row.danger for row in rows)[danger] for danger in Danger),
            )
            for tier, (_, rows) in tables.items()
        ),
    )
    for tier, (netlist, rows) in tables.items():
        lines += [f"## {netlist.title}\n", *_pair_text(netlist, pairs[tier])]
        for danger in (Danger.DANGEROUS, Danger.SILENT, Danger.TOLD):
            lines += _fault_rows(netlist, danger, [row for row in rows if row.danger is danger], stay)
        lines += _safe(rows)
    return "\n".join(lines)


_FAULTS_HEAD = f"""# What breaks, and what the lamps say then

{NOTE}
Every wire, plug, solder joint, part, contact and supply is broken alone, every line of the Pi driven either way; the circuit
is solved with the switch live and muted (`tools/hardware/faults.py`). Software is taken as healthy: it reads its sense line
and sets gate and MIC by it.

- **safe**: nobody notices, and nothing is worse than it looks
- **told**: something is lost or not cut, and a lamp says so at once: dark where it should be lit, or lit where it should be dark
- **silent**: a function is lost and no lamp says so; nobody is heard unawares
- **dangerous**: a red lamp is lit while its microphone can be heard, or the lamp beside the switch while it has a supply
"""


def _pair_text(netlist: Netlist, pairs: Mapping[str, Any]) -> Iterator[str]:
    if netlist.lamp("hardware") is None:
        yield "The microphones are never cut, so pairs of faults were not looked at.\n"
        return
    names = [name.replace("; ", " **and** ") for name in pairs["dangerous"]]
    yield (
        f"**Two at once** near the microphones, the first unnoticed: {pairs['tried']} pairs, {len(names)} of them dangerous "
        f"(most: a lamp that no longer goes out, and a contact that welds), and {pairs['heard_while_muted']} in which a word "
        f"leaves the device with the switch on mute and its lamp lit."
        + (f" {len(pairs['swinging'])} come to no rest and were not judged." if pairs["swinging"] else "")
        + "\n"
    )
    if names:
        yield "<details><summary>the dangerous pairs</summary>\n"
        yield from (f"- {name}" for name in names)
        yield "\n</details>\n"


def _fault_rows(netlist: Netlist, danger: Danger, rows: Sequence[Row], stay: Sequence[Accepted]) -> Iterator[str]:
    if not rows:
        return
    yield f"### {danger.word.capitalize()}: {len(rows)}\n"
    head = ["what broke", "live: lamps", "microphones", "heard", "muted: lamps", "microphones", "heard"]
    yield from _table(head, ((row.fault.name, *(_cells(row, p) for p in POSITIONS)) for row in rows))
    for one in stay:
        mine = [row for row in rows if one.covers(netlist.tier, row)]
        if mine and danger is Danger.DANGEROUS:
            yield f"Why {', '.join(one.faults)} stay: {one.reason}\n"


def _cells(row: Row, position: Position) -> str:
    finding: Finding = row.findings[position]
    lamps = [name for name, lit in (("switch", finding.hardware_lamp[0]), ("MIC", finding.software_lamp[0])) if lit]
    shown = " + ".join(lamps) or "dark"
    powered = "powered" if finding.powered[0] else "maybe" if finding.powered[1] else "dead"
    heard = "yes" if finding.heard[0] else "maybe" if finding.heard[1] else "no"
    return f"{shown} | {powered} | {heard}"


def _safe(rows: Sequence[Row]) -> Iterator[str]:
    groups = Counter(row.fault.group for row in rows if row.danger is Danger.SAFE)
    listed = ", ".join(f"{count} {name}" for name, count in sorted(groups.items()))
    yield f"Safe: {sum(groups.values())} ({listed}).\n"
