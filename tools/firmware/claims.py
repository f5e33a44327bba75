"""Who has which pin of the header, as a finished device tree says it; and who ought to have it, as the pin map says it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from appliance.core.wiring import Line
from tools.firmware.fdt import Node
from tools.firmware.overlays import FUNCTIONS, led
from tools.pinmap import PinMap

HEADER_CHIPS = ("rp1_gpio", "gpio")
"""Labels of the chip that has the header, where a tree has them."""


@dataclass(frozen=True, slots=True, order=True)
class Claim:
    """One pin, who has it (a path) and as what."""

    gpio: int
    owner: str
    use: str

    def __str__(self) -> str:
        return f"GPIO {self.gpio} for {self.owner} as {self.use}"


class Tree:
    """A device tree with its labels and phandles looked up."""

    def __init__(self, root: Node) -> None:
        self.root = root
        symbols = root.at("/__symbols__") or Node("/__symbols__")
        self.labels = {label: symbols.text(label) for label in symbols.properties}
        self._by_phandle = {node.cells("phandle")[0]: node for node in root.walk() if "phandle" in node.properties}
        self.chip = next((self.labels[label] for label in HEADER_CHIPS if label in self.labels), "")

    def phandle(self, number: int) -> Node | None:
        """The node that a phandle names."""
        return self._by_phandle.get(number)

    def enabled(self) -> Iterator[Node]:
        """Every node that the kernel makes a device of: neither it nor one above it is switched off."""
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            if node.text("status") in {"", "ok", "okay"}:
                yield node
                waiting += node.children.values()

    def claims(self) -> set[Claim]:
        """All claims on pins of the chip that has the header."""
        return {claim for node in self.enabled() for claim in (*self._groups(node), *self._lines(node))}

    def _groups(self, node: Node) -> Iterator[Claim]:
        """What a node takes when it is switched on, through pinctrl-0."""
        for number in node.cells("pinctrl-0"):
            group = self.phandle(number)
            if group is None or not group.path.startswith(f"{self.chip}/"):
                continue
            for part in (group, *group.children.values()):
                yield from (Claim(gpio, node.path, _use(part)) for gpio in _pins(part))

    def _lines(self, node: Node) -> Iterator[Claim]:
        """What a node takes as lines: gpios, cs-gpios and their like."""
        for name in node.properties:
            if name == "gpios" or name.endswith("-gpios"):
                for chip, gpio, flags in self._specified(node.cells(name)):
                    if chip.path == self.chip:
                        yield Claim(gpio, node.path, line_use(low=bool(flags & 1)))

    def _specified(self, cells: tuple[int, ...]) -> Iterator[tuple[Node, int, int]]:
        """Chip, pin and flags of each entry in a list of lines."""
        place = 0
        while place < len(cells):
            chip = self.phandle(cells[place])
            count = next(iter(chip.cells("#gpio-cells")), 0) if chip is not None else 0
            if chip is not None and count >= 2:
                yield chip, cells[place + 1], cells[place + 2]
            place += 1 + count


def _pins(part: Node) -> Iterable[int]:
    """The pins of a group, in today's form or in the old one."""
    named = [int(found[1]) for name in part.texts("pins") if (found := re.fullmatch(r"gpio(\d+)", name))]
    return (*named, *part.cells("brcm,pins"))


def _use(part: Node) -> str:
    """Function of a group, with the pull where it has one."""
    function = part.text("function") or f"function {'/'.join(map(str, part.cells('brcm,function')))}"
    pulls = [name.removeprefix("bias-") for name in ("bias-pull-up", "bias-pull-down") if name in part.properties]
    return " ".join((function, *pulls))


def line_use(*, low: bool) -> str:
    """How a plain line is claimed."""
    return f"a line, active {'low' if low else 'high'}"


def expected(tree: Tree, pins: PinMap, *, audio: bool) -> set[Claim]:
    """What the pin map wants of a finished tree: contacts, buses and FAULT; other lines are claimed by programs alone."""
    name = led(pins, "fault")
    lamp = next((node.path for node in tree.root.walk() if node.text("label") == name), "nobody")
    wanted = {_line(pins.lines["fault_lamp"], lamp)}
    if "rp1_gpio" in tree.labels:
        ring = {name: pins.lines[name].gpio for name in ("pixels_clock", "pixels_data", "spi_select")}
        return wanted | {Claim(gpio, "/spi", line_use(low=name == "spi_select")) for name, gpio in ring.items()}
    owners = {"pwm0": "pwm", "spi0": "spi"} | ({"i2s": "i2s"} if audio else {})
    for line in pins.lines.values():
        if line.bus in owners:
            wanted.add(Claim(line.gpio, tree.labels.get(owners[line.bus], "nobody"), FUNCTIONS[line.bus, line.gpio]))
        elif line.direction == "in" and not line.bus:
            wanted.add(Claim(line.gpio, tree.chip, f"gpio_in pull-{line.pull}"))
    wanted.add(Claim(pins.lines["spi_select"].gpio, tree.labels.get("spi", "nobody"), line_use(low=True)))
    return wanted


def _line(line: Line, owner: str) -> Claim:
    return Claim(line.gpio, owner, line_use(low=line.active == "low"))
