"""Whether what a microphone says reaches the Pi: over wires, closed contacts, solder bridges and small resistors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from tools.hardware.netlist import Netlist, Part

PASSES = 20_000
"""Ohms: a data line through more than this carries nothing."""


def connected(
    netlist: Netlist, part: Part, edges: Iterable[tuple[str, str]], nodes: Mapping[tuple[str, str], str]
) -> bool:
    """Whether the data of a microphone or array reaches the Pi.

    :param edges: nodes that touch: wires, contacts, bridges (resistors are added here).
    :param nodes: (part, pin) to its node.
    """
    all_edges = [*edges, *_resistors(netlist, nodes)]
    if part.kind == "array":
        return all(_reaches(all_edges, nodes[part.ref, pin], f"usb.{pin}") for pin in ("D-", "D+"))
    data = netlist.pinmap.lines["i2s_microphones"].pin
    return _reaches(all_edges, nodes[part.ref, "SD"], f"pi.{data}")


def _resistors(netlist: Netlist, nodes: Mapping[tuple[str, str], str]) -> Iterator[tuple[str, str]]:
    for part in netlist.of_kind("resistor"):
        if part.data["ohm"] < PASSES:
            yield nodes[part.ref, "1"], nodes[part.ref, "2"]


def _reaches(edges: Iterable[tuple[str, str]], start: str, end: str) -> bool:
    """Whether there is a way that does not lead through another pin of the Pi: supplies and ground carry no data."""
    near: defaultdict[str, set[str]] = defaultdict(set)
    for first, second in edges:
        near[first].add(second)
        near[second].add(first)
    reached, fresh = {start}, [start]
    while fresh:
        for node in near[fresh.pop()] - reached:
            if node == end or not node.startswith(("pi.", "usb.")):
                reached.add(node)
                fresh.append(node)
    return end in reached
