"""A schematic that is proven against the netlist: what the drawing joins is what the netlist joins, and nothing is missing.

A layout puts every part at coordinates and draws lines between them. From the same coordinates :meth:`Sheet.compare` works
out which pins the picture joins (line ends, pins that lie on a line, net names) and compares that with the netlist.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, Final, TypeAlias

import schemdraw
from schemdraw import elements as elm

from tools.hardware.netlist import OPEN, Netlist, Part
from tools.hardware.rules import groups

Point: TypeAlias = tuple[float, float]

_COLOURS: Final[Mapping[str, str]] = {"red": "#C4281C", "amber": "#B26B00", "green": "#2E7D32", "white": "#555555"}
_TWO: Final[Mapping[str, Any]] = {
    "resistor": elm.ResistorIEC,
    "fuse": elm.FuseIEC,
    "capacitor": elm.Capacitor,
    "led": elm.LED,
    "tvs": elm.DiodeTVS,
    "button": elm.Button,
}
_THREE: Final[Mapping[str, tuple[Any, Mapping[str, str]]]] = {
    "npn": (elm.BjtNpn, {"B": "base", "C": "collector", "E": "emitter"}),
    "nmos": (elm.NFet, {"G": "gate", "S": "source", "D": "drain"}),
    "pmos": (elm.PFet, {"G": "gate", "S": "source", "D": "drain"}),
}


class Sheet:
    """A drawing of some boards of a tier."""

    def __init__(self, netlist: Netlist, boards: Iterable[str], only: Iterable[str] = ()) -> None:
        self.netlist = netlist
        wanted, homes = set(only) or set(netlist.parts), set(boards)
        self.parts = {ref: part for ref, part in netlist.parts.items() if part.board in homes and ref in wanted}
        self._drawing = schemdraw.Drawing(canvas="svg", show=False)
        self._drawing.config(fontsize=11, lw=1.4, font="sans-serif", margin=0.8, bgcolor="white")
        self._pins: dict[tuple[str, str], Point] = {}
        self._lines: list[tuple[Point, Point]] = []
        self._names: list[tuple[Point, str]] = []

    def two(self, ref: str, start: Point, end: Point, side: str = "top") -> None:
        """A part with two pins, from its first at ``start`` to its second at ``end``; its text on ``side``."""
        part = self.parts[ref]
        element = _TWO[part.kind]().endpoints(start, end).label(self._caption(part), side, fontsize=10)
        self._add(element, part)
        for pin, point in zip(part.shape.pins, (start, end), strict=True):
            self._pins[ref, pin] = _rounded(point)

    def three(self, ref: str, anchor: str, at: Point, side: str = "right", **how: Any) -> Mapping[str, Point]:
        """A transistor whose pin ``anchor`` is at ``at``; where its pins are."""
        part = self.parts[ref]
        shape, names = _THREE[part.kind]
        element = shape().theta(how.get("theta", 0)).anchor(names[anchor]).at(at)
        for word in ("flip", "reverse"):
            if how.get(word):
                getattr(element, word)()
        self._add(element.label(self._caption(part), side, fontsize=10), part)
        return self._anchors(element, part, names)

    def pole(self, ref: str, pole: str, at: Point, *, text: str, mirrored: bool = False) -> Mapping[str, Point]:
        """One pole of a switch, its common contact at ``at``, drawn live; where its contacts are."""
        part = self.parts[ref]
        x, y = at
        way = -1 if mirrored else 1
        throw = x + 1.5 * way
        names = {f"{pole}.com": at, f"{pole}.live": (throw, y + 0.5), f"{pole}.muted": (throw, y - 0.5)}
        for point in names.values():
            self._drawing.add(elm.Dot(open=True).at(point))
        self._drawing.add(elm.Line().endpoints((x + 0.08 * way, y + 0.03), (throw - 0.08 * way, y + 0.47)))
        self._text((x + 0.75 * way, y + 1.2), text, 10)
        for word, dy in (("live", 0.7), ("muted", -1.0)):
            self._text((throw, y + dy), word, 9)
        places = {pin: _rounded(point) for pin, point in names.items()}
        self._pins.update({(part.ref, pin): point for pin, point in places.items()})
        return places

    def block(
        self, ref: str, at: Point, left: Iterable[str], right: Iterable[str], *, spacing: float = 0.75
    ) -> Mapping[str, Point]:
        """A chip or module as a box whose upper left corner is at ``at``; where its pins are, ``spacing`` apart."""
        width = 3.0
        part = self.parts[ref]
        x, y = at
        sides = tuple(left), tuple(right)
        height = spacing * (max(len(side) for side in sides) - 1) + 1
        self._drawing.add(elm.Rect(corner1=(0, 0), corner2=(width, -height)).theta(0).at(at))
        self._text((x + width / 2, y + 0.3), f"{ref} {part.part}", 10)
        places: dict[str, Point] = {}
        edges = ((sides[0], x, x - 0.5, x + 0.55), (sides[1], x + width, x + width + 0.5, x + width - 0.55))
        for side, start, end, text in edges:
            for number, pin in enumerate(side):
                level = y - 0.5 - spacing * number
                self._drawing.add(elm.Line().endpoints((start, level), (end, level)))
                self._text((text, level - 0.12), pin, 9)
                places[pin] = _rounded((end, level))
        self._pins.update({(ref, pin): point for pin, point in places.items()})
        return places

    def line(self, *points: Point) -> None:
        """A line through these points."""
        for start, end in pairwise(points):
            self._drawing.add(elm.Line().endpoints(start, end))
            self._lines.append((_rounded(start), _rounded(end)))

    def dot(self, at: Point) -> None:
        """A junction; only for the eye, as a pin or line that ends on a line is joined to it anyway."""
        self._drawing.add(elm.Dot().at(at))

    def ground(self, at: Point) -> None:
        """The ground."""
        self._drawing.add(elm.Ground().theta(0).at(at))
        self._names.append((_rounded(at), "ground"))

    def name(self, at: Point, net: str, side: str = "right", text: str = "") -> None:
        """A net's name at a point: points with the same name are joined."""
        element = elm.Dot(open=True).at(at).label(text or net, side, fontsize=9)
        self._drawing.add(element)
        self._names.append((_rounded(at), net))

    def header(self, at: Point, line: str, side: str = "left") -> None:
        """Where a line of the pin map comes in."""
        told = self.netlist.pinmap.lines[line]
        text = f"{told.label}: GPIO{told.gpio}, pin {told.pin}"
        self.name(at, f"pi.{told.pin}", side, text)

    def title(self, at: Point, text: str) -> None:
        """A heading in the drawing."""
        self._text(at, text, 13, "left")

    def svg(self) -> str:
        """The picture."""
        image: bytes = self._drawing.get_imagedata("svg")
        return image.decode().rstrip() + "\n"

    def compare(self) -> list[str]:
        """What drawing and netlist do not agree on."""
        wanted = {(ref, pin): net for ref, part in self.parts.items() for pin, net in part.pins.items() if net != OPEN}
        findings = [f"{ref} {pin} is not drawn" for ref, pin in sorted(wanted.keys() - self._pins.keys())]
        drawn, direct = self._drawn(), groups(self.netlist)
        by_group: defaultdict[str, set[str]] = defaultdict(set)
        by_net: defaultdict[str, set[str]] = defaultdict(set)
        for key, net in wanted.items():
            if key in self._pins:
                by_group[drawn[self._pins[key]]].add(direct[net])
                by_net[direct[net]].add(drawn[self._pins[key]])
        for group, nets in by_group.items():
            if len(nets) > 1:
                findings.append(f"the drawing joins {' and '.join(sorted(nets))} (near {group})")
        findings += [f"the drawing does not join all of {net}" for net, found in by_net.items() if len(found) > 1]
        return findings

    def _drawn(self) -> Mapping[Point, str]:
        """Point to a name of everything that the picture joins to it."""
        joined: dict[Any, Any] = {}

        def root(item: Any) -> Any:
            while joined.setdefault(item, item) != item:
                item = joined[item]
            return item

        points = {*self._pins.values(), *(point for line in self._lines for point in line)}
        points |= {point for point, _ in self._names}
        for start, end in self._lines:
            for point in points:
                if _on(point, start, end):
                    joined[root(point)] = root(start)
        for point, name in self._names:
            joined[root(point)] = root(("net", name))
        return {point: str(root(point)) for point in points}

    def _add(self, element: Any, part: Part) -> None:
        colour = _COLOURS.get(str(part.data.get("colour", "")))
        self._drawing.add(element.color(colour) if colour else element)

    def _anchors(self, element: Any, part: Part, names: Mapping[str, str]) -> Mapping[str, Point]:
        places = {pin: _rounded(tuple(element.absanchors[name])) for pin, name in names.items()}
        self._pins.update({(part.ref, pin): point for pin, point in places.items()})
        return places

    def _text(self, at: Point, text: str, size: int, align: str = "center") -> None:
        label = elm.Label().theta(0).at(at)
        self._drawing.add(label.label(text, "center", fontsize=size, halign=align, valign="bottom"))

    @staticmethod
    def _caption(part: Part) -> str:
        return f"{part.ref} {part.value}".strip()


def _rounded(point: Iterable[float]) -> Point:
    x, y = point
    return round(x, 2), round(y, 2)


def _on(point: Point, start: Point, end: Point) -> bool:
    """Whether a point lies on a line between two."""
    (x, y), (x0, y0), (x1, y1) = point, start, end
    across = (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)
    along = min(x0, x1) - 0.01 <= x <= max(x0, x1) + 0.01 and min(y0, y1) - 0.01 <= y <= max(y0, y1) + 0.01
    return along and abs(across) < 0.03
