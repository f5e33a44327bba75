"""Electrical rules: what must hold for every tier before anybody solders. Each finding is one sentence; none is well."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

from appliance.core.wiring import Line
from tools.hardware.bench import (
    GLIMMERS,
    HIGH,
    LIT,
    LOW,
    NOTHING,
    POSITIONS,
    Damage,
    Drive,
    Reading,
    measure,
    pin_amperes,
    sense_volts,
)
from tools.hardware.kinds import SOURCES, Duty
from tools.hardware.netlist import OPEN, Netlist
from tools.hardware.timing import switch_off

DRIVES = 20_000
"""Ohms: an input hears a driver through less."""
PIN_AMPERES, PIN_AMPERES_BROKEN = 0.008, 0.016
"""What a pin of the Pi gives as it is set up by default, and what it survives."""
BACK_VOLTS = 0.5
"""Volts that no line of the Pi may put on microphones whose supply is cut."""
DEAD_SECONDS = 0.005
"""By when they are dead."""
LED_AMPERES = 0.010


def check(netlist: Netlist) -> list[str]:
    """Everything that is wrong with a tier."""
    findings = [*_joined(netlist), *_rails(netlist), *_drivers(netlist), *_header(netlist)]
    if not findings:  # a circuit that hangs together can be solved
        findings = [*_levels(netlist), *_pressed(netlist), *_undriven(netlist), *_currents(netlist), *_mute(netlist)]
    return [f"{netlist.tier}: {finding}" for finding in findings]


def groups(netlist: Netlist, *, through: float = 0.0) -> Mapping[str, str]:
    """Net to a name of everything joined to it: by wires, and by fuses and resistors of less than ``through`` ohms."""
    joined: dict[str, str] = {}

    def root(net: str) -> str:
        while joined.setdefault(net, net) != net:
            net = joined[net]
        return net

    pairs = [(wire.start, wire.end) for wire in netlist.wires]
    for pins in netlist.pinmap.supplies.values():  # joined on the Pi itself
        pairs += [(f"pi.{first}", f"pi.{second}") for first, second in pairwise(pins)]
    pairs.append(("usb.GND", f"pi.{netlist.pinmap.supplies['ground'][0]}"))
    for part in netlist.of_kind("resistor", "fuse"):
        if part.data["ohm"] < through:
            pairs.append((part.nets[0], part.nets[1]))
    for net in netlist.nets:
        root(net)
    for first, second in pairs:
        joined[root(first)] = root(second)
    return {net: root(net) for net in list(joined)}


def _joined(netlist: Netlist) -> Iterator[str]:
    ends = Counter(net for wire in netlist.wires for net in (wire.start, wire.end))
    for net, pins in netlist.nets.items():
        if len(pins) + ends[net] < 2:
            yield f"{net} joins nothing: only {pins[0][0]} {pins[0][1]} is on it"
    for wire in netlist.wires:
        if wire.end not in netlist.nets and ends[wire.end] < 2:
            yield f"{wire.name} ends at {wire.end}, where nothing is"
    for part in netlist.parts.values():
        open_pins = [pin for pin, net in part.pins.items() if net == OPEN]
        if any(part.shape.duties[part.shape.pins.index(pin)] is not Duty.PASSIVE for pin in open_pins):
            yield f"{part.ref}: {', '.join(open_pins)} is open"
        if part.kind not in {"switch-spdt", "switch-dpdt"} and len(set(part.nets)) == 1:
            yield f"{part.ref}: all its pins are on {part.nets[0]}"


def _rails(netlist: Netlist) -> Iterator[str]:
    """Supplies that are shorted, and chips without one."""
    direct = groups(netlist)
    rails = _rail_names(netlist)
    for group in sorted(set(direct.values())):
        names = {name for net, name in rails.items() if direct.get(net) == group}
        if len(names) > 1:
            yield f"{' and '.join(sorted(names))} are joined"
    wide, fed = _fed(netlist, rails)
    ground = {direct[net] for net, name in rails.items() if net in direct and name == "ground"}
    for part in netlist.parts.values():
        for pin, duty in zip(part.shape.pins, part.shape.duties, strict=True):
            if duty is Duty.SUPPLY and wide[part.pins[pin]] not in fed:
                yield f"{part.ref} {pin}: no supply reaches {part.pins[pin]}"
            if duty is Duty.GROUND and direct[part.pins[pin]] not in ground:
                yield f"{part.ref} {pin}: {part.pins[pin]} is no ground"


def _fed(netlist: Netlist, rails: Mapping[str, str]) -> tuple[Mapping[str, str], set[str]]:
    """Net to its group over fuses and small resistors, and the groups that a supply reaches, over contacts too."""
    wide = groups(netlist, through=100.0)
    fed = {wide[net] for net, name in rails.items() if net in wide and name != "ground"}
    for part in netlist.of_kind("switch-spdt", "switch-dpdt"):
        poles = [pin for pin in part.shape.pins if pin.endswith("com")]
        for com in (*poles, *poles):  # twice: poles may be in series
            throw = part.pins[com.replace("com", "live")]
            if wide.get(part.pins[com]) in fed and throw != OPEN:
                fed.add(wide[throw])
    return wide, fed


def _rail_names(netlist: Netlist) -> Mapping[str, str]:
    names = {"supply_5v": "5 V", "supply_3v3": "3.3 V", "ground": "ground"}
    rails = {f"pi.{pin}": names[name] for name, pins in netlist.pinmap.supplies.items() for pin in pins}
    return {**rails, "usb.VBUS": "5 V", "usb.GND": "ground"}


def _drivers(netlist: Netlist) -> Iterator[str]:
    """Outputs against each other, and inputs that nobody drives."""
    direct, wide = groups(netlist, through=200.0), groups(netlist, through=DRIVES)
    outputs = [(f"GPIO{line.gpio}", f"pi.{line.pin}") for line in _lines(netlist) if line.direction == "out"]
    outputs += _pins(netlist, Duty.OUTPUT)
    against: defaultdict[str, list[str]] = defaultdict(list)
    for name, net in outputs:
        against[direct[net]].append(name)
    yield from (f"{' and '.join(names)} drive the same net" for names in against.values() if len(names) > 1)
    drivers = [*(net for _, net in [*outputs, *_pins(netlist, Duty.SHARED)]), *_rail_names(netlist)]
    driven = {wide[net] for net in drivers if net in wide}
    supplied = {net for duty in (Duty.SUPPLY, Duty.GROUND) for _, net in _pins(netlist, duty)}  # tied: a select pin
    for who, net in _pins(netlist, Duty.INPUT):
        if wide[net] not in driven and net not in supplied:
            yield f"{who}: nobody drives {net}"


def _lines(netlist: Netlist) -> list[Line]:
    return [netlist.pinmap.lines[name] for name in netlist.wired_lines()]


def _pins(netlist: Netlist, duty: Duty) -> list[tuple[str, str]]:
    """(what it is called, its net) of every pin with a duty."""
    return [
        (f"{part.ref} {pin}", part.pins[pin])
        for part in netlist.parts.values()
        for pin, own in zip(part.shape.pins, part.shape.duties, strict=True)
        if own is duty and part.pins[pin] != OPEN
    ]


def _header(netlist: Netlist) -> Iterator[str]:
    used = Counter(wire.start for wire in netlist.wires if wire.start.startswith("pi."))
    yield from (f"header pin {pin.removeprefix('pi.')} has {count} wires" for pin, count in used.items() if count > 1)
    wired = set(netlist.wired_lines())
    i2s = {name for name, line in netlist.pinmap.lines.items() if line.bus == "i2s"}
    wanted = {n for n, line in netlist.pinmap.lines.items() if not line.unwired and n not in i2s}
    if wired & i2s:
        wanted |= i2s
    yield from (f"line {name} of the pin map has no wire" for name in sorted(wanted - wired))


def _levels(netlist: Netlist) -> Iterator[str]:
    """What the Pi's pins get: never beyond 3.3 V, and a sure level."""
    mute = netlist.pinmap.lines["mute"]
    for position in POSITIONS:
        reading = measure(netlist, position)
        for name in netlist.wired_lines():
            line = netlist.pinmap.lines[name]
            volts = reading.volts[f"pi.{line.pin}"]
            if not -0.1 <= volts <= 3.4:
                yield f"GPIO{line.gpio} ({line.label}) gets {volts:.1f} V while {position}"
            if line.direction == "in" and LOW < volts < HIGH:
                yield f"GPIO{line.gpio} ({line.label}) has no sure level while {position}: {volts:.1f} V"
        wanted = mute.active if position == "muted" else ("high" if mute.active == "low" else "low")
        if (sense_volts(netlist, reading) >= HIGH) != (wanted == "high"):
            yield f"MUTE does not read {wanted} while {position}"


def _pressed(netlist: Netlist) -> Iterator[str]:
    """Each button brings one line to its level, and a line that is driven against it gives no more than it survives."""
    buttons = {name for name in netlist.wired_lines() if netlist.pinmap.lines[name].pull == "up"}
    without = set(buttons)
    for button in netlist.of_kind("button"):
        touch = Damage(bridges=(((button.ref, "1"), (button.ref, "2")),))
        reading = measure(netlist, "live", touch)
        down = {name for name in buttons if reading.volts[f"pi.{netlist.pinmap.lines[name].pin}"] <= LOW}
        if len(down) != 1:
            yield f"{button.ref} presses {' and '.join(sorted(down)) or 'no line'}"
        for name in down:
            driven = measure(netlist, "live", touch | Damage(lines={name: "high"}))
            if pin_amperes(netlist, driven, name) > PIN_AMPERES_BROKEN:
                yield f"line {name} gives {pin_amperes(netlist, driven, name) * 1e3:.0f} mA when it is driven and pressed"
        without -= down
    yield from (f"no button presses line {name}" for name in sorted(without))


def _undriven(netlist: Netlist) -> Iterator[str]:
    """Lines that nobody drives: contacts rest, MUTE reads muted, lamps are as the pin map says."""
    for wire in netlist.wires:
        line = netlist.pinmap.lines.get(wire.line)
        if line is None or line.direction != "in" or line.bus:
            continue
        volts = measure(netlist, "live", Damage(frozenset({wire.name}))).volts[f"pi.{line.pin}"]
        resting = line.active if wire.line == "mute" else ("high" if line.active == "low" else "low")
        if (volts < LOW) if resting == "high" else (volts > LOW):
            yield f"GPIO{line.gpio} ({line.label}) lacks a pull: with a broken wire it has {volts:.1f} V, not {resting}"
    reading = measure(netlist, "live", Damage(supplies=frozenset({"software"})))
    for name, lamp in lamps(netlist).items():
        lit = reading.lamp(netlist.parts[lamp]) >= LIT
        if lit != (netlist.pinmap.lines[name].undriven == "lit"):
            yield f"{lamp} is {'lit' if lit else 'dark'} while nobody drives GPIO{netlist.pinmap.lines[name].gpio}"


def lamps(netlist: Netlist) -> Mapping[str, str]:
    """Line of a lamp to the LED that it lights: found by driving the line both ways."""
    found: dict[str, str] = {}
    for name in netlist.wired_lines():
        if not netlist.pinmap.lines[name].colour:
            continue
        levels: tuple[Drive, ...] = ("high", "low")
        both = [measure(netlist, "live", lines={name: level}) for level in levels]
        for part in netlist.of_kind("led"):
            high, low = (reading.lamp(part) >= LIT for reading in both)
            if high != low and high == (netlist.pinmap.lines[name].active == "high"):
                found[name] = part.ref
    return found


def _currents(netlist: Netlist) -> Iterator[str]:
    found = lamps(netlist)
    colours = {name: line.colour for name, line in netlist.pinmap.lines.items() if line.colour}
    for name, colour in colours.items():
        if name not in found:
            yield f"line {name} lights nothing, or not at its level"
        elif netlist.parts[found[name]].data["colour"] != colour:
            yield f"line {name} is {colour} in the pin map and lights {found[name]}"
    lit: dict[str, Drive] = {name: netlist.pinmap.lines[name].active for name in colours}
    yield from _within(netlist, measure(netlist, "live", lines=lit), "all lamps are lit")
    for position in POSITIONS:
        yield from _within(netlist, measure(netlist, position), position)
        for name, level in _each_line(netlist):
            reading = measure(netlist, position, Damage(lines={name: level}))
            amperes = pin_amperes(netlist, reading, name)
            if amperes > PIN_AMPERES_BROKEN:
                yield f"line {name} gives {amperes * 1e3:.0f} mA when it is driven {level} while {position}"


def _within(netlist: Netlist, reading: Reading, when: str) -> Iterator[str]:
    for part in netlist.of_kind("led"):
        if reading.lamp(part) > LED_AMPERES:
            yield f"{part.ref} has {reading.lamp(part) * 1e3:.0f} mA while {when}"
    for part in netlist.of_kind("resistor", "fuse"):
        volts = abs(reading.across(part, "1", "2"))
        if part.kind == "resistor" and volts**2 / part.data["ohm"] > part.data.get("watt", 0.1):
            yield f"{part.ref} has {volts**2 / part.data['ohm']:.2f} W while {when}"
        if part.kind == "fuse" and volts / part.data["ohm"] > part.data["hold"]:
            yield f"{part.ref} carries {volts / part.data['ohm']:.2f} A while {when}, holds {part.data['hold']} A"
    for name in netlist.wired_lines():
        if pin_amperes(netlist, reading, name) > PIN_AMPERES:
            yield f"line {name} gives {pin_amperes(netlist, reading, name) * 1e3:.0f} mA while {when}"


def _each_line(netlist: Netlist) -> Iterable[tuple[str, Drive]]:
    levels: tuple[Drive, ...] = ("high", "low")
    return [(name, level) for name in netlist.wired_lines() for level in levels]


def _mute(netlist: Netlist) -> Iterator[str]:
    """Where the switch cuts a supply: it is gone, soon, whatever the Pi's lines do, and the red lamp says so."""
    live = measure(netlist, "live")
    for part in netlist.of_kind(*SOURCES):
        supply, ground = part.shape.pins[:2]
        if live.across(part, supply, ground) < part.data["works"]:
            yield f"{part.ref} has {live.across(part, supply, ground):.2f} V while live"
    lamp = netlist.lamp("hardware")
    if lamp is None:
        return
    muted = measure(netlist, "muted")
    if muted.lamp(lamp) < LIT or live.lamp(lamp) > LIT / 5:
        yield f"{lamp.ref} has {muted.lamp(lamp) * 1e3:.1f} mA while muted, {live.lamp(lamp) * 1e3:.1f} mA while live"
    alive = min(part.data["alive"] for part in netlist.of_kind(*SOURCES))
    if lamp_goes_out(netlist) > alive:
        yield f"{lamp.ref} is lit until the microphones have {lamp_goes_out(netlist):.1f} V: they may be alive from {alive} V"
    worst, who = back_power(netlist)
    if worst > BACK_VOLTS:
        yield f"microphones that are cut get {worst:.2f} V when {who}"
    seconds = switch_off(netlist).dead
    if not seconds <= DEAD_SECONDS:
        yield f"microphones that are cut are dead after {seconds * 1e3:.1f} ms"


def lamp_goes_out(netlist: Netlist) -> float:
    """Volts at the microphones, fed from anywhere, from which on the lamp of the switch is dark while muted; in 0.1 V."""
    part, lamp = netlist.of_kind(*SOURCES)[0], netlist.lamp("hardware")
    for tenths in range(51):
        reading = measure(netlist, "muted")
        reading.circuit.straight.source(reading.nodes[part.ref, part.shape.pins[0]], tenths / 10, 0.01)
        if replace(reading, volts=reading.circuit.solve()).lamp(lamp) < GLIMMERS:
            return tenths / 10
    return math.inf


def back_power(netlist: Netlist) -> tuple[float, str]:
    """The most volts that the Pi's lines put on microphones whose supply is cut, and by which line."""
    worst = (0.0, "nothing is driven")
    everything: dict[str, Drive] = dict.fromkeys(netlist.wired_lines(), "high")
    cases = [(f"{name} is driven {level}", {name: level}) for name, level in _each_line(netlist)]
    for who, lines in [("every line is driven high", everything), *cases]:
        reading = measure(netlist, "muted", NOTHING | Damage(lines=lines))
        for part in netlist.of_kind(*SOURCES):
            supply, ground = part.shape.pins[:2]
            worst = max(worst, (reading.across(part, supply, ground), who))
    return worst
