"""A tier on the bench: its netlist with the switch in a position, the Pi's lines as software sets them, and what is broken.

The Pi is 3.3 V and 5 V supplies, lines behind 30 ohm, pulls of 50 kilohm, and software that believes its sense line: it
reads live, so the gate is open and MIC dark. Voltages are conservative where it matters: a microphone may be alive from
1 V, a line may read high from 0.8 V.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from tools.hardware.kinds import SOURCES
from tools.hardware.netlist import OPEN, Netlist, Part
from tools.hardware.paths import connected
from tools.hardware.solver import GROUND, Bent, Circuit, Diode, Fet, Gate, Npn, Straight, Volts

Position = Literal["live", "muted", "between"]
POSITIONS: Final[tuple[Position, Position]] = ("live", "muted")
Drive = Literal["high", "low", "input", "pulled up", "pulled down"]
"""Of a line. An input has the pull that the pin map gives it."""

LOW, HIGH = 0.8, 2.0
"""Volts: at most for a sure low, at least for a sure high, of BCM2711 and RP1 at 3.3 V."""
GLIMMERS, LIT = 0.0001, 0.0005
"""Amperes of a lamp: might be seen; is seen."""
_RAIL = 3.3
_SUPPLY_OHM, _PIN_OHM, _PULL_OHM, _CONTACT_OHM = 0.05, 30.0, 50_000.0, 0.05
_CONTACTS: Final[Mapping[str, tuple[str, ...]]] = {"live": ("live",), "muted": ("muted",), "between": ()}
_CLAMP, _CLAMP_OHM = 0.5, 10.0


@dataclass(frozen=True, slots=True)
class Damage:
    """What is broken."""

    wires: frozenset[str] = frozenset()
    """Open."""
    pins: frozenset[tuple[str, str]] = frozenset()
    """(part, pin) whose joint is open."""
    bridges: tuple[tuple[tuple[str, str], tuple[str, str]], ...] = ()
    """Pairs of (part, pin) that touch."""
    contacts: Mapping[tuple[str, str], tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)
    """(switch, pole) to the throws that it touches while (live, muted)."""
    supplies: frozenset[str] = frozenset()
    """"3V3", "5V": gone from the Pi. "software": it does not run; without 3.3 V it does not either."""
    lines: Mapping[str, Drive] = field(default_factory=dict)
    """Lines that do not do what software wants."""

    def __or__(self, other: Damage) -> Damage:
        """Both at once."""
        return Damage(
            self.wires | other.wires,
            self.pins | other.pins,
            self.bridges + other.bridges,
            {**self.contacts, **other.contacts},
            self.supplies | other.supplies,
            {**self.lines, **other.lines},
        )

    @property
    def running(self) -> bool:
        """Whether there is software."""
        return not self.supplies


NOTHING: Final = Damage()


@dataclass(frozen=True, slots=True)
class Reading:
    """A solved tier."""

    volts: Volts
    nodes: Mapping[tuple[str, str], str]
    """(part, pin) to its node."""
    circuit: Circuit
    lines: Mapping[str, Drive]
    """How each wired line was driven."""
    edges: Sequence[tuple[str, str]]
    """Nodes that touch: wires, closed contacts, solder bridges."""

    def across(self, part: Part, first: str, second: str) -> float:
        """Volts between two pins."""
        return self.volts[self.nodes[part.ref, first]] - self.volts[self.nodes[part.ref, second]]

    def lamp(self, part: Part | None) -> float:
        """Amperes of a lamp; 0 for one that is not there."""
        if part is None:
            return 0.0
        forward, series = float(part.data["forward"]), float(part.data["series"])
        return max(0.0, (self.across(part, "A", "K") - forward) / series)


def measure(
    netlist: Netlist,
    position: Position,
    damage: Damage = NOTHING,
    lines: Mapping[str, Drive] | None = None,
    *,
    quiet_chips: bool = False,
) -> Reading:
    """Solve a tier with the switch in ``position``.

    :param lines: what software drives, by line; what is not named is as :func:`software` sets it by the sense line.
    :param quiet_chips: chips and microphones take no current (how long a supply lasts at worst).
    """
    wanted: dict[str, Drive] = {**software(netlist, "muted"), **(lines or {})}
    reading = _solve(netlist, position, damage, wanted, quiet_chips=quiet_chips)
    if lines is None and position != "between" and gate_may_open(netlist, reading):
        wanted = software(netlist, "live")
        reading = _solve(netlist, position, damage, wanted, quiet_chips=quiet_chips)
    return reading


def software(netlist: Netlist, sense: Literal["live", "muted"]) -> dict[str, Drive]:
    """What healthy software does with the wired lines. Clocks stand high: that feeds most through a diode."""
    lines: dict[str, Drive] = {}
    for name in netlist.wired_lines():
        line = netlist.pinmap.lines[name]
        if line.direction == "in":
            lines[name] = "input"
        elif line.bus == "i2s":
            lines[name] = "high"
        else:
            lit = name == "mic_lamp" and sense == "muted"
            lines[name] = "high" if lit == (line.active == "high") else "low"
    return lines


def sense_volts(netlist: Netlist, reading: Reading) -> float:
    """What the mute line has at the Pi's pin."""
    return reading.volts[f"pi.{netlist.pinmap.lines['mute'].pin}"]


def gate_may_open(netlist: Netlist, reading: Reading) -> bool:
    """Whether software may take its line for live. A USB array that is gone closes the gate too: its card is gone."""
    cards = netlist.of_kind("array")
    there = all(
        reading.across(card, "VBUS", "GND") >= card.data["alive"]
        and connected(netlist, card, reading.edges, reading.nodes)
        for card in cards
    )
    return there and sense_volts(netlist, reading) >= LOW


def pin_amperes(netlist: Netlist, reading: Reading, name: str) -> float:
    """What a line of the Pi gives or takes, if it is driven."""
    drive = reading.lines[name]
    if drive not in {"high", "low"}:
        return 0.0
    volts = reading.volts[f"pi.{netlist.pinmap.lines[name].pin}"]
    return abs((_RAIL if drive == "high" else 0.0) - volts) / _PIN_OHM


def passing(circuit: Circuit, start: Volts, seconds: float, steps: int, done: Callable[[float, Volts], bool]) -> Volts:
    """Let time pass from ``start``; ``done`` is told each moment and ends it with True."""
    volts = start
    for number in range(1, steps + 1):
        volts = circuit.step(volts, seconds / steps)
        if done(number * seconds / steps, volts):
            break
    return volts


def _solve(
    netlist: Netlist, position: Position, damage: Damage, lines: Mapping[str, Drive], *, quiet_chips: bool
) -> Reading:
    build = _Build(netlist, damage, lines, quiet_chips=quiet_chips)
    for part in netlist.parts.values():
        build.part(part, position)
    circuit = build.circuit
    return Reading(circuit.solve(), build.nodes, circuit, build.lines, build.edges)


class _Build:
    """Makes a circuit of a netlist."""

    def __init__(
        self, netlist: Netlist, damage: Damage, lines: Mapping[str, Drive], *, quiet_chips: bool = False
    ) -> None:
        self.netlist, self.damage, self.quiet = netlist, damage, quiet_chips
        self.nodes = {
            (ref, pin): f"{ref}.{pin}" if (ref, pin) in damage.pins or net == OPEN else net
            for ref, part in netlist.parts.items()
            for pin, net in part.pins.items()
        }
        self.lines: dict[str, Drive] = {
            name: damage.lines.get(name, drive) if damage.running else "input" for name, drive in lines.items()
        }
        wires = [wire for wire in netlist.wires if wire.name not in damage.wires]
        touched = {net for wire in netlist.wires for net in (wire.start, wire.end)}
        self.straight = Straight([*self.nodes.values(), *touched, *self._pi_nodes()])
        self.circuit = Circuit(self.straight)
        self.edges: list[tuple[str, str]] = []
        for wire in wires:
            self._touch(wire.start, wire.end)
        for first, second in damage.bridges:
            self._touch(self.nodes[first], self.nodes[second])
        self._pi()

    def _pi_nodes(self) -> Iterable[str]:
        yield from (f"usb.{name}" for name in ("VBUS", "GND", "D-", "D+"))
        for pins in self.netlist.pinmap.supplies.values():
            yield from (f"pi.{pin}" for pin in pins)

    def _pi(self) -> None:
        gone, supplies = self.damage.supplies, self.netlist.pinmap.supplies
        five = 0.0 if "5V" in gone else 5.0
        three = 0.0 if gone & {"5V", "3V3"} else _RAIL
        for name, volts in (("supply_5v", five), ("supply_3v3", three), ("ground", 0.0)):
            for pin in supplies[name]:
                self.straight.source(f"pi.{pin}", volts, _SUPPLY_OHM)
        self.straight.source("usb.VBUS", five, 0.1)
        self.straight.source("usb.GND", 0.0, _SUPPLY_OHM)
        for data in ("usb.D-", "usb.D+"):
            self.straight.resistor(data, GROUND, 15_000)
        for name, drive in self.lines.items():
            line = self.netlist.pinmap.lines[name]
            node = f"pi.{line.pin}"
            up = drive in {"high", "pulled up"} or (drive == "input" and line.pull == "up")
            self.straight.source(node, three if up else 0.0, _PIN_OHM if drive in {"high", "low"} else _PULL_OHM)

    def part(self, part: Part, position: Position) -> None:
        node = {pin: self.nodes[part.ref, pin] for pin in part.shape.pins}
        match part.kind:
            case "resistor" | "fuse":
                self.straight.resistor(node["1"], node["2"], part.data["ohm"])
            case "capacitor":
                self.circuit.capacitors.append((node["1"], node["2"], part.data["farad"]))
            case "switch-spdt" | "switch-dpdt":
                self._switch(part, node, position)
            case "tvs" | "button":
                pass  # below its voltage, and not pressed
            case _:
                self._chip(part, node)
                self._bent(part, node)

    def _switch(self, part: Part, node: Mapping[str, str], position: Position) -> None:
        for pole in sorted({pin.partition(".")[0] for pin in part.shape.pins}):
            touched = _CONTACTS[position]
            if (part.ref, pole) in self.damage.contacts and position != "between":
                touched = self.damage.contacts[part.ref, pole][POSITIONS.index(position)]
            for throw in touched:
                self._touch(node[f"{pole}.com"], node[f"{pole}.{throw}"])

    def _touch(self, first: str, second: str) -> None:
        self.straight.resistor(first, second, _CONTACT_OHM)
        self.edges.append((first, second))

    def _bent(self, part: Part, node: Mapping[str, str]) -> None:
        data = part.data
        bent: list[Bent] = []
        match part.kind:
            case "led":
                bent = [Diode(node["A"], node["K"], data["forward"], data["series"])]
            case "npn":
                bent = [Npn(node["B"], node["C"], node["E"], data["forward"], data["gain"])]
            case "pmos" | "nmos":
                polarity = 1 if part.kind == "nmos" else -1
                bent = [Fet(node["G"], node["S"], node["D"], data["threshold"], polarity)]
            case "buffer":
                rails = node["VCC"], node["GND"]
                bent = [Gate(*rails, node[f"{n}A"], node[f"{n}Y"], data["least"]) for n in (1, 2)]
                if data["clamped"]:
                    bent += [Diode(node[f"{n}A"], node["VCC"], _CLAMP, _CLAMP_OHM) for n in (1, 2)]
            case _ if part.kind in SOURCES:
                supply, ground, *signals = part.shape.pins
                bent = [Diode(node[pin], node[supply], _CLAMP, _CLAMP_OHM) for pin in signals]
                bent += [Diode(node[ground], node[pin], _CLAMP, _CLAMP_OHM) for pin in signals]
        self.circuit.bent += [diode for diode in bent if len(set(diode.nodes)) > 1]

    def _chip(self, part: Part, node: Mapping[str, str]) -> None:
        current = part.data.get("current")
        if current and not self.quiet:
            supply = next(pin for pin in ("VCC", "VDD", "VBUS", "VIN", "5V") if pin in node)
            self.straight.resistor(node[supply], node["GND"], part.data["nominal"] / current)
