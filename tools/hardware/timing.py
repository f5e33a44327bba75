"""How fast the supply of the microphones ends after the switch has opened, and what the Pi reads meanwhile."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tools.hardware.bench import LOW, NOTHING, Damage, measure, passing
from tools.hardware.kinds import SOURCES
from tools.hardware.netlist import Netlist
from tools.hardware.solver import Volts


@dataclass(frozen=True, slots=True)
class Ending:
    """Seconds after the contact opened; infinite where it takes longer than was looked at."""

    off: float
    """No longer within the data sheet of any microphone."""
    dead: float
    """Below what any of them may be alive at."""
    told: float
    """The Pi reads muted for sure."""


def switch_off(netlist: Netlist, damage: Damage = NOTHING, *, seconds: float = 0.05, steps: int = 1000) -> Ending:
    """Open the switch at rest in live. At worst: nothing but the resistors empties the capacitors."""
    start = measure(netlist, "live", damage).volts
    after = measure(netlist, "between", damage, quiet_chips=True)
    ears = netlist.of_kind(*SOURCES)
    sense = f"pi.{netlist.pinmap.lines['mute'].pin}"
    times = {"off": math.inf, "dead": math.inf, "told": math.inf}

    def look(now: float, volts: Volts) -> bool:
        supply = max(
            volts[after.nodes[part.ref, part.shape.pins[0]]] - volts[after.nodes[part.ref, part.shape.pins[1]]]
            for part in ears
        )
        held = {
            "off": supply < min(part.data["works"] for part in ears),
            "dead": supply < min(part.data["alive"] for part in ears),
            "told": volts[sense] <= LOW,
        }
        for name, holds in held.items():
            if holds:
                times[name] = min(times[name], now)
        return all(held.values())

    passing(after.circuit, start, seconds, steps, look)
    return Ending(**times)
