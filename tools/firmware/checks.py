"""What must hold of a device tree after our overlays: nothing is taken away, and the pins are the pin map's."""

from __future__ import annotations

from collections.abc import Iterator

from tools.firmware.claims import Tree, expected
from tools.firmware.fdt import Node
from tools.firmware.overlays import PWM_PERIOD, led
from tools.pinmap import PinMap

CONTROLLERS = ("pwm", "spi", "i2s")
"""Labels of what the overlays switch on, where a tree has them."""
_SWITCHED = ("status", "pinctrl-0", "pinctrl-names")
"""What an overlay may set anew in a controller: a Pi 3B+ has its PWM at the headphones, for one."""
_CONTACTS = ("pinctrl-0", "pinctrl-names")
"""And in the chip of the pins: a Zero 2 W's tree drives GPIO 6 from there."""


def findings(base: Node, merged: Node, pins: PinMap, *, audio: bool) -> list[str]:
    """What does not hold, a sentence each."""
    before, after = Tree(base), Tree(merged)
    return [*_taken_away(before, after), *_pins(after, pins, audio=audio), *_lamps(after, pins)]


def _taken_away(before: Tree, after: Tree) -> Iterator[str]:
    """Nodes and properties that the kernel's tree had, and that are gone or other now."""
    allowed = {(before.labels.get(label, ""), name) for label in CONTROLLERS for name in _SWITCHED}
    allowed |= {(before.labels.get("gpio", ""), name) for name in _CONTACTS}
    for node in before.root.walk():
        now = after.root.at(node.path)
        if now is None:
            yield f"{node.path} is gone"
            continue
        for name, value in node.properties.items():
            if now.properties.get(name) != value and (node.path, name) not in allowed:
                yield f"{node.path}: {name} is not what it was"


def _pins(after: Tree, pins: PinMap, *, audio: bool) -> Iterator[str]:
    """Claims on the panel's pins that the map does not want, and the other way round."""
    wanted = expected(after, pins, audio=audio)
    ours = {line.gpio for line in pins.lines.values()}
    found = {claim for claim in after.claims() if claim.gpio in ours}
    yield from (f"not as the pin map says: {claim}" for claim in sorted(found - wanted))
    yield from (f"missing: {claim}" for claim in sorted(wanted - found))


def _lamps(after: Tree, pins: PinMap) -> Iterator[str]:
    """FAULT is lit before anybody says that all is well, at shutdown and in a panic; SPEAK is at the PWM's first channel."""
    leds = {node.text("label"): node for node in after.enabled() if "label" in node.properties}
    names = led(pins, "fault"), led(pins, "speak")
    fault, speak = (leds.get(name) for name in names)
    if fault is None:
        yield f"there is no lamp {names[0]}"
    elif fault.text("default-state") != "on" or not {"retain-state-shutdown", "panic-indicator"} <= set(
        fault.properties
    ):
        yield f"{names[0]} is not lit from the start to the end"
    if "rp1_gpio" in after.labels:
        return
    pwm = after.root.at(after.labels.get("pwm", "/nothing"))
    number = pwm.cells("phandle") if pwm is not None else ()
    if speak is None or speak.cells("pwms") != (*number, 0, PWM_PERIOD, 0):
        yield f"{names[1]} is not at the first channel of the PWM"
