"""What other programs read: KiCad's netlist for each board, WireViz's harness, the bill of materials as a table."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tools.hardware.netlist import OPEN, Cable, Netlist, Part

GAUGE = "0.14 mm2"
"""Of all wires; the ring's and the amplifier's supply take 0.75 A at most."""


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the bill of materials."""

    count: int
    what: str
    value: str
    refs: tuple[str, ...]
    footprint: str


def sort_key(ref: str) -> tuple[str, int]:
    """R9 before R10."""
    letters = ref.rstrip("0123456789")
    return letters, int(ref[len(letters) :] or 0)


def bill(netlist: Netlist) -> tuple[Item, ...]:
    """Everything that is bought to be soldered, like parts on one line."""
    alike: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for part in netlist.parts.values():
        if part.data["buy"]:
            electrical = part.value if part.kind in {"resistor", "capacitor"} else ""
            what = part.data["buy"]
            if part.data.get("watt"):
                what = what.replace("0.1 W", f"{part.data['watt']} W")
            alike[what, electrical, part.data["footprint"]].append(part.ref)
    items = [
        Item(len(refs), what, value, tuple(sorted(refs, key=sort_key)), footprint)
        for (what, value, footprint), refs in alike.items()
    ]
    return tuple(sorted(items, key=lambda item: sort_key(item.refs[0])))


def bill_csv(netlist: Netlist) -> str:
    """The bill of materials for a spreadsheet."""
    rows = [
        f'{item.count},{item.value},"{item.what}","{" ".join(item.refs)}",{item.footprint}' for item in bill(netlist)
    ]
    return "\n".join(["count,value,part,references,footprint", *rows]) + "\n"


def kicad(netlist: Netlist, board: str) -> str:
    """A board as KiCad's pcbnew imports it: its parts, a pin header for each cable, its nets."""
    parts = sorted(
        (part for part in netlist.parts.values() if part.board == board), key=lambda part: sort_key(part.ref)
    )
    plugs = list(_plugs(netlist, board))
    nodes: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for part in parts:
        for pin, net in part.pins.items():
            if net != OPEN:
                nodes[net].append((part.ref, part.shape.number(pin)))
    for ref, nets in plugs:
        for number, net in enumerate(nets, 1):
            nodes[net].append((ref, str(number)))
    lines = [
        '(export (version "E")',
        f'  (design (source "hardware/circuits: {netlist.tier}, {board}"))',
        "  (components",
    ]
    lines += [f'    (comp (ref "{p.ref}") (value "{p.value or p.kind}") (footprint "{_footprint(p)}"))' for p in parts]
    for ref, nets in plugs:
        footprint = f"Connector_PinHeader_2.54mm:PinHeader_1x{len(nets):02d}_P2.54mm_Vertical"
        lines.append(f'    (comp (ref "{ref}") (value "cable W{ref[1:]}") (footprint "{footprint}"))')
    lines += ["  )", "  (nets"]
    for code, net in enumerate(sorted(nodes), 1):
        lines.append(f'    (net (code "{code}") (name "{net}")')
        lines += [f'      (node (ref "{ref}") (pin "{pin}"))' for ref, pin in sorted(nodes[net])]
        lines.append("    )")
    return "\n".join([*lines, "  )", ")"]) + "\n"


def _footprint(part: Part) -> str:
    return str(part.data["footprint"])


def _plugs(netlist: Netlist, board: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The board's end of each cable: reference, net of each pin."""
    for cable in netlist.cables.values():
        ref = f"J{cable.name.removeprefix('W')}"
        if cable.end == board:
            yield ref, tuple(wire.end for wire in cable.wires)
        elif cable.start == board:
            yield ref, tuple(wire.start for wire in cable.wires)


def harness(netlist: Netlist) -> str:
    """The cables for WireViz, as YAML. The Pi's pins are named by the pin map."""
    lines = [
        "# Made by `make hardware`; do not edit.",
        "metadata:",
        f"  title: 'Kontor, {netlist.title}'",
        "options:",
        "  color_mode: full",
        "  mini_bom_mode: true",
        "connectors:",
        *_connectors(netlist),
        "cables:",
    ]
    for cable in netlist.cables.values():
        colours = ", ".join(wire.colour for wire in cable.wires)
        lines += [
            f"  {cable.name}:",
            f"    gauge: {GAUGE}",
            f"    length: {cable.length / 1000:g}",
            f"    colors: [{colours}]",
        ]
    lines.append("connections:")
    for cable in netlist.cables.values():
        count = len(cable.wires)
        start = f"[{', '.join(str(_pin(wire.start, n)) for n, wire in enumerate(cable.wires, 1))}]"
        lines += [
            "  -",
            f"    - {_end(cable, cable.start)}: {start}",
            f"    - {cable.name}: [1-{count}]",
            f"    - {_end(cable, cable.end)}: [1-{count}]",
        ]
    return "\n".join(lines) + "\n"


def label(netlist: Netlist, net: str, line: str = "") -> str:
    """What a wire's start is called."""
    if line:
        told = netlist.pinmap.lines[line]
        return f"{told.label} (GPIO{told.gpio})"
    if net.startswith("pi."):
        names = {"supply_5v": "5 V", "supply_3v3": "3.3 V", "ground": "GND"}
        return next(names[name] for name, pins in netlist.pinmap.supplies.items() if int(net[3:]) in pins)
    return net.removeprefix("usb.")


def _pin(net: str, number: int) -> int:
    return int(net[3:]) if net.startswith("pi.") else number


def _end(cable: Cable, board: str) -> str:
    """The connector of a cable's end. The Pi's header is one, whatever is plugged onto it."""
    return board if board == "PI" else f"{board}_J{cable.name.removeprefix('W')}"


def _connectors(netlist: Netlist) -> Iterator[str]:
    header = {int(wire.start[3:]): wire for wire in netlist.wires if wire.start.startswith("pi.")}
    labels = [label(netlist, header[pin].start, header[pin].line) for pin in sorted(header)]
    yield from _connector("PI", "Raspberry Pi", "40-pin header", sorted(header), labels)
    for cable in netlist.cables.values():
        for board, nets in ((cable.start, [w.start for w in cable.wires]), (cable.end, [w.end for w in cable.wires])):
            if board != "PI":
                kind = netlist.boards.get(board, "USB port" if board == "USB" else "module")
                pins = list(range(1, len(nets) + 1))
                yield from _connector(_end(cable, board), board, kind, pins, [net.removeprefix("usb.") for net in nets])


def _connector(name: str, kind: str, subtype: str, pins: Iterable[int], labels: Iterable[str]) -> Iterator[str]:
    yield f"  {name}:"
    yield f"    type: {_quoted(kind)}"
    yield f"    subtype: {_quoted(subtype)}"
    yield f"    pins: [{', '.join(map(str, pins))}]"
    yield f"    pinlabels: [{', '.join(map(_quoted, labels))}]"


def _quoted(text: str) -> str:
    return f"'{text}'"


def harness_svg(yaml: str) -> str:
    """WireViz's picture of a harness. Needs its package and Graphviz' dot."""
    from wireviz import wireviz  # noqa: PLC0415  # only for make hardware

    picture: str = wireviz.parse(yaml, return_types=("svg",))
    picture = re.sub(r"<!--.*?-->\n?", "", picture, flags=re.DOTALL)  # they name versions and this machine's paths
    return "\n".join(line.rstrip() for line in picture.splitlines()) + "\n"


def files(netlist: Netlist) -> Mapping[str, str]:
    """Path below hardware/ to content: everything that is made without other programs."""
    made = {f"harness/{netlist.tier}.yml": harness(netlist), f"bom/{netlist.tier}.csv": bill_csv(netlist)}
    made.update({f"kicad/{netlist.tier}-{board.lower()}.net": kicad(netlist, board) for board in netlist.boards})
    return made
