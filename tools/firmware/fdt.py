"""Reads a flattened device tree (Devicetree Specification 0.4, chapter 5), as ``dtc`` and ``fdtoverlay`` write it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

MAGIC = 0xD00DFEED
_BEGIN, _END, _PROPERTY, _NOTHING = 1, 2, 3, 4


class TreeError(ValueError):
    """These bytes are no device tree."""


@dataclass(slots=True)
class Node:
    """A node: its path, its properties as bytes, its children by name."""

    path: str
    properties: dict[str, bytes] = field(default_factory=dict)
    children: dict[str, Node] = field(default_factory=dict)

    def walk(self) -> Iterator[Node]:
        """This node and everything below it."""
        yield self
        for child in self.children.values():
            yield from child.walk()

    def at(self, path: str) -> Node | None:
        """The node at an absolute path, from the root."""
        node: Node | None = self
        for name in path.strip("/").split("/"):
            node = node.children.get(name) if node is not None and name else node
        return node

    def cells(self, name: str) -> tuple[int, ...]:
        """A property as 32-bit numbers; empty when it is not there."""
        value = self.properties.get(name, b"")
        return struct.unpack(f">{len(value) // 4}I", value[: len(value) // 4 * 4])

    def texts(self, name: str) -> tuple[str, ...]:
        """A property as strings; empty when it is not there."""
        value = self.properties.get(name, b"")
        return tuple(part.decode() for part in value.split(b"\0")[:-1])

    def text(self, name: str) -> str:
        """The first string of a property, or none."""
        return next(iter(self.texts(name)), "")


def read(data: bytes) -> Node:
    """The root of a tree.

    :raises TreeError: it is none.
    """
    try:
        magic, _, structure, strings = struct.unpack_from(">4I", data)
        if magic != MAGIC:
            raise TreeError("this file does not begin as a device tree does")
        return _structure(data, structure, strings)
    except (struct.error, ValueError, IndexError) as error:
        raise TreeError(f"a device tree that cannot be read: {error}") from error


def _structure(data: bytes, place: int, strings: int) -> Node:
    """The tokens from ``place`` on, as a tree."""
    open_nodes: list[Node] = []
    while True:
        (token,) = struct.unpack_from(">I", data, place)
        place += 4
        if token == _BEGIN:
            name = _string(data, place)
            place = _aligned(place + len(name) + 1)
            parent = open_nodes[-1] if open_nodes else None
            node = Node("/" if parent is None else f"{parent.path.rstrip('/')}/{name}")
            if parent is not None:
                parent.children[name] = node
            open_nodes.append(node)
        elif token == _PROPERTY:
            length, name_at = struct.unpack_from(">2I", data, place)
            open_nodes[-1].properties[_string(data, strings + name_at)] = data[place + 8 : place + 8 + length]
            place = _aligned(place + 8 + length)
        elif token == _END:
            node = open_nodes.pop()
            if not open_nodes:
                return node
        elif token != _NOTHING:
            raise TreeError(f"token {token} at byte {place - 4}")


def _string(data: bytes, place: int) -> str:
    return data[place : data.index(b"\0", place)].decode()


def _aligned(place: int) -> int:
    """The next multiple of four."""
    return (place + 3) & ~3
