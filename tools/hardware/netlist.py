"""Reads the circuits of hardware/ into one netlist for a tier: parts, nets, wires, test points.

A net belongs to one board; boards meet only through wires. The Pi's header is the nets "pi.1" to "pi.40", its USB port
"usb.VBUS", "usb.GND", "usb.D-" and "usb.D+".
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.hardware.kinds import KINDS, Kind
from tools.pinmap import PinMap
from tools.pinmap import load as load_pinmap

ROOT = Path(__file__).resolve().parent.parent.parent
HARDWARE = ROOT / "hardware"
USB = ("VBUS", "D-", "D+", "GND")
OPEN = "-"
"""Stands for a pin that is left open on purpose."""


class NetlistError(ValueError):
    """A circuit cannot be read; each finding on a line of its own."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part on a board."""

    ref: str
    part: str
    """Its name in hardware/parts.toml."""
    kind: str
    board: str
    nets: tuple[str, ...]
    """In the order of its kind's pins."""
    data: Mapping[str, Any]
    """What the catalogue and the circuit say of it: ohm, farad, forward, buy, does, …"""

    @property
    def shape(self) -> Kind:
        """Its pins."""
        return KINDS[self.kind]

    @property
    def pins(self) -> Mapping[str, str]:
        """Pin to net."""
        return dict(zip(self.shape.pins, self.nets, strict=True))

    @property
    def value(self) -> str:
        """What a drawing writes beside it: 4.7k, 100n, or its part."""
        if self.kind == "resistor":
            return engineering(self.data["ohm"])
        if self.kind == "capacitor":
            return engineering(self.data["farad"])
        return str(self.data.get("value", self.data.get("colour", self.part)))


@dataclass(frozen=True, slots=True)
class Wire:
    """One wire of a cable. ``line`` is its name in the pin map, "" for others."""

    name: str
    cable: str
    colour: str
    start: str
    end: str
    line: str = ""


@dataclass(frozen=True, slots=True)
class Cable:
    """Wires that are plugged and unplugged together."""

    name: str
    start: str
    """Board, "PI" or "USB"."""
    end: str
    length: int
    """mm."""
    wires: tuple[Wire, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """Where a person puts a meter."""

    name: str
    net: str
    does: str


@dataclass(frozen=True, slots=True)
class Netlist:
    """A tier, whole."""

    tier: str
    title: str
    says: tuple[str, ...]
    """Paragraphs on what it is and what it is not."""
    buy: tuple[tuple[str, int], ...]
    build: tuple[str, ...]
    """How it is put together, step by step."""
    parts: Mapping[str, Part]
    cables: Mapping[str, Cable]
    points: Mapping[str, Point]
    pinmap: PinMap
    boards: Mapping[str, str]
    """The boards that are built here, with their titles."""
    nets: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """Net to the (part, pin) on it."""

    @property
    def wires(self) -> tuple[Wire, ...]:
        """All wires, in the order of their cables."""
        return tuple(wire for cable in self.cables.values() for wire in cable.wires)

    def of_kind(self, *kinds: str) -> tuple[Part, ...]:
        """The parts of some kinds."""
        return tuple(part for part in self.parts.values() if part.kind in kinds)

    def lamp(self, which: str) -> Part | None:
        """The red lamp that ``which`` ("software", "hardware") drives."""
        return next((part for part in self.parts.values() if part.data.get("lamp") == which), None)

    def wired_lines(self) -> tuple[str, ...]:
        """The lines of the pin map that have a wire, in its order."""
        wired = {wire.line for wire in self.wires if wire.line}
        return tuple(line for line in self.pinmap.lines if line in wired)


def engineering(value: float) -> str:
    """4700 as 4.7k, 1e-7 as 100n."""
    for scale, letter in ((1e6, "M"), (1e3, "k"), (1, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"), (1e-12, "p")):
        if value >= scale * 0.9995:
            return f"{value / scale:.3g}{letter}"
    return f"{value:g}"


def tiers(root: Path = HARDWARE) -> tuple[str, ...]:
    """The names in tiers.toml, in its order."""
    return tuple(_toml(root / "tiers.toml")["tiers"])


def load(tier: str, root: Path = HARDWARE, pinmap: PinMap | None = None) -> Netlist:
    """The netlist of a tier.

    :raises NetlistError: a circuit names what is not there, or puts a net on two boards.
    """
    told = _toml(root / "tiers.toml")["tiers"][tier]
    sheets = [_toml(root / "circuits" / f"{name}.toml") for name in told["circuits"]]
    read = _Reader(_toml(root / "parts.toml"), pinmap or load_pinmap(root / "pinmap.toml"))
    for sheet in sheets:
        read.sheet(sheet)
    boards: dict[str, str] = {}
    for sheet in sheets:
        boards[sheet["board"]] = " + ".join(filter(None, (boards.get(sheet["board"]), sheet["title"])))
    return read.done(tier, told, boards)


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())


class _Reader:
    """Collects the sheets of a tier and everything that is wrong with them."""

    def __init__(self, catalogue: Mapping[str, Any], pinmap: PinMap) -> None:
        self.catalogue, self.pinmap = catalogue, pinmap
        self.parts: dict[str, Part] = {}
        self.cables: dict[str, Cable] = {}
        self.points: dict[str, Point] = {}
        self.wrong: list[str] = []

    def sheet(self, sheet: Mapping[str, Any]) -> None:
        for name, cable in sheet.get("cables", {}).items():
            self._unique(name, self.cables)
            self.cables[name] = self._cable(name, cable)
        for ref, told in sheet.get("parts", {}).items():
            self._unique(ref, self.parts)
            part = self._part(ref, told, sheet["board"])
            if part is not None:
                self.parts[ref] = part
        for name, told in sheet.get("points", {}).items():
            self._unique(name, self.points)
            self.points[name] = Point(name, told["net"], told["does"])

    def done(self, tier: str, told: Mapping[str, Any], boards: Mapping[str, str]) -> Netlist:
        nets: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for part in self.parts.values():
            for pin, net in part.pins.items():
                if net != OPEN:
                    nets[net].append((part.ref, pin))
        self._check_boards(nets)
        self.wrong += [f"{p.name}: there is no net {p.net}" for p in self.points.values() if p.net not in nets]
        if self.wrong:
            raise NetlistError("\n".join(f"{tier}: {finding}" for finding in self.wrong))
        return Netlist(
            tier=tier,
            title=told["title"],
            says=tuple(told["says"]),
            build=tuple(told["build"]),
            buy=tuple((what, count) for what, count in told["buy"]),
            parts=self.parts,
            cables=self.cables,
            points=self.points,
            pinmap=self.pinmap,
            boards=boards,
            nets={net: tuple(pins) for net, pins in nets.items()},
        )

    def _unique(self, name: str, names: Iterable[str]) -> None:
        if name in names:
            self.wrong.append(f"{name} is there twice")

    def _part(self, ref: str, told: Mapping[str, Any], board: str) -> Part | None:
        known = self.catalogue.get(told["part"])
        if known is None:
            self.wrong.append(f"{ref}: hardware/parts.toml has no {told['part']}")
            return None
        data = {**known, **told}
        shape = KINDS.get(data["kind"])
        if shape is None or len(told["nets"]) != len(shape.pins) or not ref.startswith(shape.prefix):
            wanted = f"{shape.prefix}… with the pins {', '.join(shape.pins)}" if shape else "a known kind"
            self.wrong.append(f"{ref}: a {data['kind']} is {wanted}; {len(told['nets'])} nets are given")
            return None
        return Part(ref, told["part"], data["kind"], told.get("board", board), tuple(told["nets"]), data)

    def _cable(self, name: str, told: Mapping[str, Any]) -> Cable:
        wires = tuple(self._wires(name, told["wires"]))
        return Cable(name, told["from"], told["to"], told["length_mm"], wires)

    def _wires(self, cable: str, told: Iterable[tuple[str, str, str]]) -> Iterator[Wire]:
        for number, (start, colour, end) in enumerate(told, 1):
            what, _, which = start.partition(" ")
            net, line = start, ""
            if what == "line":
                net, line = f"pi.{self._header_pin(cable, which)}", which
            elif what == "pin":
                net = f"pi.{which}"
                if not any(int(which) in pins for pins in self.pinmap.supplies.values()):
                    self.wrong.append(f"{cable}: pin {which} of the header is no supply and no ground; name its line")
            elif what == "usb":
                net = f"usb.{which}"
                if which not in USB:
                    self.wrong.append(f"{cable}: a USB port has no {which}")
            yield Wire(f"{cable}.{number}", cable, colour, net, end, line)

    def _header_pin(self, cable: str, line: str) -> int:
        known = self.pinmap.lines.get(line)
        if known is None or known.unwired:
            self.wrong.append(f"{cable}: hardware/pinmap.toml has no line {line} for a wire")
            return 0
        return known.pin

    def _check_boards(self, nets: Mapping[str, list[tuple[str, str]]]) -> None:
        home: dict[str, str] = {}
        for net, pins in nets.items():
            boards = {self.parts[ref].board for ref, _ in pins}
            home[net] = min(boards)
            if len(boards) > 1:
                self.wrong.append(f"{net} is on {' and '.join(sorted(boards))} without a wire")
        for cable in self.cables.values():
            for wire in cable.wires:
                for net, board in ((wire.start, cable.start), (wire.end, cable.end)):
                    if not net.startswith(("pi.", "usb.")) and home.setdefault(net, board) != board:
                        self.wrong.append(f"{wire.name}: {net} is not on {board}")
