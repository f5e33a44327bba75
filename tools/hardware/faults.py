"""The fault table: everything that can break alone, what the lamps say then, whether the microphones hear, what the Pi reads.

For each fault the circuit is solved with the switch live and muted. A person sees two red lamps at most: the hardware's,
which the switch feeds, and MIC, which software lights. The classes:

- **safe**: nobody notices a difference, and nothing is worse than it looks
- **told**: something does not work or is not cut, and a lamp says so at once (dark where it should be lit, lit where it
  should be dark)
- **silent**: a function is lost and no lamp says so; nobody is heard unawares
- **dangerous**: a red lamp is lit while its microphone can be heard, or the hardware's lamp while it has a supply
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from itertools import combinations, pairwise, product
from typing import Final

from tools.hardware.bench import (
    GLIMMERS,
    HIGH,
    LIT,
    NOTHING,
    POSITIONS,
    Damage,
    Drive,
    Position,
    Reading,
    gate_may_open,
    measure,
    sense_volts,
)
from tools.hardware.kinds import SOURCES
from tools.hardware.netlist import OPEN, Netlist, Part
from tools.hardware.paths import connected
from tools.hardware.solver import UnsolvedError


class Danger(IntEnum):
    """The classes, the worst last."""

    SAFE = 0
    TOLD = 1
    SILENT = 2
    DANGEROUS = 3

    @property
    def word(self) -> str:
        """As a table writes it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that broke."""

    group: str
    """wire, cable, joint, short, contact, supply, line."""
    name: str
    damage: Damage


@dataclass(frozen=True, slots=True)
class Finding:
    """What is so in one position of the switch. A pair tells (surely, maybe): they differ where a level is doubtful."""

    hardware_lamp: tuple[bool, bool]
    software_lamp: tuple[bool, bool]
    powered: tuple[bool, bool]
    connected: bool
    """The data line reaches the Pi."""
    sense: tuple[bool, bool]
    """Reads live."""
    supply: float
    """Volts at the microphones, the most of them."""

    @property
    def heard(self) -> tuple[bool, bool]:
        """Whether a word would leave the device: powered, connected, and software opens the gate."""
        return tuple(p and self.connected and s for p, s in zip(self.powered, self.sense, strict=True))  # type: ignore[return-value]

    @property
    def looks(self) -> tuple[bool, bool, bool, tuple[bool, bool]]:
        """What a person notices, and whether the microphones have a supply."""
        return self.hardware_lamp[0], self.software_lamp[0], self.powered[1], self.heard


@dataclass(frozen=True, slots=True)
class Row:
    """A fault, and what comes of it."""

    fault: Fault
    findings: Mapping[Position, Finding]
    danger: Danger
    where: Mapping[Position, Danger]


def find(netlist: Netlist, position: Position, damage: Damage = NOTHING) -> Finding:
    """Solve the tier and say what a person, the Pi and the microphones notice."""
    reading = measure(netlist, position, damage)
    hardware, software = (reading.lamp(netlist.lamp(which)) for which in ("hardware", "software"))
    sense = sense_volts(netlist, reading)
    ears = netlist.of_kind(*SOURCES)
    supplies = {part.ref: _supply(part, reading) for part in ears}
    alive = [part for part in ears if supplies[part.ref] >= part.data["alive"]]
    opens = damage.running and gate_may_open(netlist, reading)
    return Finding(
        (hardware >= LIT, hardware >= GLIMMERS),
        (software >= LIT, software >= GLIMMERS),
        (bool(ears) and all(supplies[part.ref] >= part.data["works"] for part in ears), bool(alive)),
        any(connected(netlist, part, reading.edges, reading.nodes) for part in (alive or ears)),
        (opens and sense >= HIGH, opens),
        max(supplies.values(), default=0.0),
    )


def judge(position: Position, finding: Finding, whole: Finding, *, hardware: bool) -> Danger:
    """The class of what was found, beside what is so when nothing is broken.

    :param hardware: whether the tier has a lamp that the switch feeds.
    """
    heard, lamps = finding.heard, (finding.hardware_lamp, finding.software_lamp)
    any_lit = any(lamp[0] for lamp in lamps)
    if (finding.hardware_lamp[1] and finding.powered[1]) or (any(lamp[1] for lamp in lamps) and heard[1]):
        return Danger.DANGEROUS
    if finding.looks == whole.looks:
        return Danger.SAFE
    if position == "live":  # not heard: either a lamp says so, or it is found out by asking
        return Danger.TOLD if any_lit or heard[0] else Danger.SILENT
    expected = finding.hardware_lamp[0] if hardware else finding.software_lamp[0]
    if heard[1] or (finding.powered[1] and not whole.powered[1]):  # not cut: the lamp that promises it has to be dark
        return Danger.TOLD if not expected else Danger.DANGEROUS
    return Danger.TOLD if any_lit else Danger.SILENT


def table(netlist: Netlist, faults: Iterable[Fault] | None = None) -> tuple[Row, ...]:
    """One row a fault.

    :raises UnsolvedError: a circuit comes to no rest with one of them; the text names it.
    """
    whole = {position: find(netlist, position) for position in POSITIONS}
    rows = []
    for fault in faults if faults is not None else single(netlist):
        try:
            rows.append(row(netlist, fault, whole))
        except UnsolvedError as error:
            raise UnsolvedError(f"{netlist.tier}: {fault.name}: {error}") from error
    return tuple(rows)


def row(netlist: Netlist, fault: Fault, whole: Mapping[Position, Finding]) -> Row:
    """Judge one fault in both positions."""
    hardware = netlist.lamp("hardware") is not None
    findings = {position: find(netlist, position, fault.damage) for position in POSITIONS}
    where = {p: judge(p, findings[p], whole[p], hardware=hardware) for p in POSITIONS}
    return Row(fault, findings, max(where.values()), where)


@dataclass(frozen=True, slots=True)
class Pairs:
    """What became of two faults at once."""

    tried: int
    dangerous: tuple[Row, ...]
    swinging: tuple[str, ...]
    """Circuits that come to no rest."""


def pairs(netlist: Netlist, rows: Iterable[Row]) -> Pairs:
    """Two faults at once near the microphones, where the first was not noticed and so not mended."""
    whole = {position: find(netlist, position) for position in POSITIONS}
    near = [row for row in rows if row.danger is not Danger.DANGEROUS and _near(netlist, row.fault)]
    hidden = [row.fault for row in near if row.danger in {Danger.SAFE, Danger.SILENT}]
    noticed = [row.fault for row in near if row.danger is Danger.TOLD]
    dangerous, swinging = [], []
    tried = [*combinations(hidden, 2), *product(hidden, noticed)]
    for first, second in tried:
        both = Fault("pair", f"{first.name}; {second.name}", first.damage | second.damage)
        try:
            found = row(netlist, both, whole)
        except UnsolvedError:
            swinging.append(both.name)
            continue
        if found.danger is Danger.DANGEROUS:
            dangerous.append(found)
    return Pairs(len(tried), tuple(dangerous), tuple(swinging))


def _near(netlist: Netlist, fault: Fault) -> bool:
    """Whether it lies on the boards of the switch and the microphones, or on a wire or line of theirs."""
    boards = {part.board for part in netlist.of_kind("switch-spdt", "switch-dpdt", *SOURCES)}
    wires = {w.name: w for cable in netlist.cables.values() if cable.end in boards for w in cable.wires}
    damage = fault.damage
    touched = {ref for ref, _ in damage.pins | set(damage.contacts)} | {
        ref for pair in damage.bridges for ref, _ in pair
    }
    return (
        bool(damage.supplies)
        or bool(damage.wires & wires.keys())
        or bool(damage.lines.keys() & {wire.line for wire in wires.values()})
        or any(netlist.parts[ref].board in boards for ref in touched)
    )


def _supply(part: Part, reading: Reading) -> float:
    supply, ground = part.shape.pins[:2]
    return reading.across(part, supply, ground)


def single(netlist: Netlist) -> Iterator[Fault]:
    """Everything that can break alone."""
    yield from _wires(netlist)
    yield from _contacts(netlist)
    yield from _supplies()
    yield from _lines(netlist)
    yield from _parts(netlist)


def _wires(netlist: Netlist) -> Iterator[Fault]:
    for wire in netlist.wires:
        what = _what(netlist, wire.line, wire.start, wire.end)
        yield Fault("wire", f"{wire.name} broken ({what})", Damage(frozenset({wire.name})))
    for cable in netlist.cables.values():
        names = frozenset(wire.name for wire in cable.wires)
        yield Fault("cable", f"{cable.name} unplugged ({cable.start} to {cable.end})", Damage(names))


def _what(netlist: Netlist, line: str, start: str, end: str) -> str:
    if line:
        return f"{netlist.pinmap.lines[line].label}, GPIO{netlist.pinmap.lines[line].gpio}"
    return end if start.startswith(("pi.", "usb.")) else f"{start} to {end}"


_BROKEN_CONTACTS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "live contact never makes": ((), ("muted",)),
    "muted contact never makes": (("live",), ()),
    "live contact welded, the other still moves": (("live",), ("live", "muted")),
    "muted contact welded, the other still moves": (("live", "muted"), ("muted",)),
    "both contacts touch always": (("live", "muted"), ("live", "muted")),
    "stays live": (("live",), ("live",)),
    "stays muted": (("muted",), ("muted",)),
    "touches nothing": ((), ()),
}


def _contacts(netlist: Netlist) -> Iterator[Fault]:
    for part in netlist.of_kind("switch-spdt", "switch-dpdt"):
        poles = sorted({pin.partition(".")[0] for pin in part.shape.pins})
        for what, touched in _BROKEN_CONTACTS.items():
            for pole in poles:
                yield Fault("contact", f"{part.ref} pole {pole}: {what}", Damage(contacts={(part.ref, pole): touched}))
        if len(poles) > 1:
            for what in ("stays live", "stays muted", "touches nothing"):
                both = {(part.ref, pole): _BROKEN_CONTACTS[what] for pole in poles}
                yield Fault("contact", f"{part.ref} as a whole: {what}", Damage(contacts=both))


def _supplies() -> Iterator[Fault]:
    yield Fault("supply", "the Pi has no 3.3 V", Damage(supplies=frozenset({"3V3"})))
    yield Fault("supply", "the Pi has no 5 V (and so nothing)", Damage(supplies=frozenset({"5V"})))


def _lines(netlist: Netlist) -> Iterator[Fault]:
    levels: tuple[Drive, ...] = ("high", "low")
    for name in netlist.wired_lines():
        line = netlist.pinmap.lines[name]
        for level in levels:
            yield Fault("line", f"GPIO{line.gpio} ({line.label}) driven {level}", Damage(lines={name: level}))
        if line.direction == "out":
            yield Fault("line", f"GPIO{line.gpio} ({line.label}) let go", Damage(lines={name: "input"}))
        elif line.pull != "none":
            wrong: Drive = "pulled down" if line.pull == "up" else "pulled up"
            yield Fault("line", f"GPIO{line.gpio} ({line.label}) {wrong}", Damage(lines={name: wrong}))
    for level in levels:
        every: dict[str, Drive] = dict.fromkeys(netlist.wired_lines(), level)
        yield Fault("line", f"every line driven {level}", Damage(lines=every))
    yield Fault("line", "every line let go (the Pi boots, or software died)", Damage(supplies=frozenset({"software"})))


def _parts(netlist: Netlist) -> Iterator[Fault]:
    for part in netlist.parts.values():
        pins = [pin for pin, net in part.pins.items() if net != OPEN]
        two = len(pins) == 2
        for pin in pins[:1] if two else pins:
            name = f"{part.ref} open" if two else f"{part.ref} {pin} open"
            yield Fault("joint", f"{name} ({part.data['does']})", Damage(pins=frozenset({(part.ref, pin)})))
        if part.kind.startswith("switch"):
            continue  # its contacts are a table of their own
        neighbours = list(combinations(pins, 2)) if len(pins) <= 3 else list(pairwise(pins))
        if part.kind == "buffer":
            neighbours += [("1A", "VCC"), ("2A", "VCC")]  # its input protection is gone
        for first, second in neighbours:
            if part.pins[first] != part.pins[second]:
                name = f"{part.ref} shorted" if two else f"{part.ref} {first} to {second} shorted"
                bridge = ((part.ref, first), (part.ref, second))
                yield Fault("short", f"{name} ({part.data['does']})", Damage(bridges=(bridge,)))
