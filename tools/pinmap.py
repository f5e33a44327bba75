"""Reads hardware/pinmap.toml and writes appliance/core/pins.py. ``--check`` only tells whether that is current.

The map is checked as it is read: what is wrong in it is told all at once, and nothing is made from it.
"""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from appliance.core.wiring import Board, Line
from tools.documents import write_or_check

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "hardware" / "pinmap.toml"
TARGET = ROOT / "appliance" / "core" / "pins.py"

WIDTH = 120
PINS = 40
_OPPOSITE = {"low": "up", "high": "down"}
"""The pull that holds a contact at the other level than its active one."""
_SAME = {"low": "down", "high": "up"}

_HEAD = '''"""The pins of the panel, and the boards it fits on. Made from hardware/pinmap.toml by `make docs`: do not edit."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from appliance.core.wiring import Board, Line

'''


class PinMapError(ValueError):
    """The map contradicts itself; each finding on a line of its own."""


@dataclass(frozen=True, slots=True)
class Tree:
    """What a board's device tree is called."""

    file: str
    """In the kernel's dtb/broadcom, without .dtb."""
    firmware_name: str
    """What Raspberry Pi's firmware looks for, without .dtb."""


@dataclass(frozen=True, slots=True)
class PinMap:
    """hardware/pinmap.toml as it was read: names to what they name, in its order."""

    lines: Mapping[str, Line]
    boards: Mapping[str, Board]
    socs: Mapping[str, str]
    """Board to the system on a chip whose device-tree labels it has."""
    trees: Mapping[str, tuple[Tree, ...]]
    """Board to its device trees: a later stepping of the chip may have one of its own."""
    header: Mapping[int, int]
    """Header pin to GPIO."""
    supplies: Mapping[str, tuple[int, ...]]
    """supply_5v, supply_3v3, ground: the header pins that have it."""
    reserved: Mapping[int, str]
    """GPIO to why a panel may not use it."""


def load(source: Path = SOURCE) -> PinMap:
    """The pin map.

    :raises PinMapError: it contradicts itself.
    """
    told = tomllib.loads(source.read_text())
    header = {int(pin): gpio for pin, gpio in told["header"]["gpio"].items()}
    reserved = {int(gpio): reason for gpio, reason in told["header"]["reserved"].items()}
    usable = frozenset(header.values()) - set(reserved)
    boards = told["boards"]
    read = PinMap(
        lines={name: Line(**line) for name, line in told["lines"].items()},
        boards={
            name: Board(board["name"], tuple(board["models"]), tuple(board["chip_labels"]), usable)
            for name, board in boards.items()
        },
        socs={name: board["soc"] for name, board in boards.items()},
        trees={name: tuple(Tree(*names) for names in board["trees"].items()) for name, board in boards.items()},
        header=header,
        supplies={name: tuple(told["header"][name]) for name in ("supply_5v", "supply_3v3", "ground")},
        reserved=reserved,
    )
    findings = list(_findings(read))
    if findings:
        raise PinMapError("\n".join(findings))
    return read


def _findings(read: PinMap) -> Iterator[str]:
    """What is wrong in the map, a sentence each."""
    everywhere = [*read.header, *(pin for pins in read.supplies.values() for pin in pins)]
    if sorted(everywhere) != list(range(1, PINS + 1)):
        yield f"the header must have each of its {PINS} pins once"
    for gpio, times in Counter(line.gpio for line in read.lines.values()).items():
        if times > 1:
            both = " and ".join(name for name, line in read.lines.items() if line.gpio == gpio)
            yield f"GPIO {gpio} is used twice: by {both}"
    for name, line in read.lines.items():
        if read.header.get(line.pin) != line.gpio:
            yield f"{name}: header pin {line.pin} is not GPIO {line.gpio}"
        if line.gpio in read.reserved:
            yield f"{name}: GPIO {line.gpio} is reserved: {read.reserved[line.gpio]}"
        yield from _of_line(name, line)
    models = [model for board in read.boards.values() for model in board.models]
    if len(models) != len(set(models)):
        yield "two boards have the same model"


def _of_line(name: str, line: Line) -> Iterator[str]:
    """What a single line may not say: above all, a broken wire must read as muted and as not pressed."""
    if line.direction == "in" and not line.bus:
        wanted = _SAME if name == "mute" else _OPPOSITE
        if line.pull != wanted[line.active]:
            meaning = "muted" if name == "mute" else "not pressed"
            yield f"{name}: a broken wire must read as {meaning}: pull {wanted[line.active]}, not {line.pull}"
    if line.direction == "out" and not line.unwired and line.bus in {"", "pwm0"} and not line.undriven:
        yield f"{name}: say what the lamp shows while its pin is undriven"
    if name == "mic_lamp" and line.undriven != "lit":
        yield "mic_lamp: must be lit while its pin is undriven"


def page(read: PinMap) -> str:
    """The text of appliance/core/pins.py."""
    lines = _mapping("LINES", "Line", {name: _made(line, name) for name, line in read.lines.items()})
    boards = _mapping("BOARDS", "Board", {name: _made(board, name) for name, board in read.boards.items()})
    header = _mapping("HEADER", "int", {gpio: str(pin) for pin, gpio in sorted(read.header.items())}, "int")
    reserved = _mapping("RESERVED", "str", {gpio: _literal(why) for gpio, why in read.reserved.items()}, "int")
    return (
        f'{_HEAD}{lines}"""Every wire between panel and board, by name."""\n\n'
        f'{boards}"""The boards, by the name they have in the settings."""\n\n'
        f'{header}"""GPIO to the pin on the header."""\n\n'
        f'{reserved}"""GPIO to why a panel may not use it."""\n'
    )


def _mapping(name: str, kind: str, items: Mapping[Any, str], keys: str = "str") -> str:
    """A constant mapping that nobody can change, as ruff formats it."""
    body = "".join(f"        {_literal(key)}: {value},\n" for key, value in items.items())
    return f"{name}: Final[Mapping[{keys}, {kind}]] = MappingProxyType(\n    {{\n{body}    }}\n)\n"


def _made(of: Line | Board, key: str) -> str:
    """The call that makes it, without what it has by default; broken into lines where it is too long for one after its key."""
    values = [(field, getattr(of, field.name)) for field in fields(of)]
    told = [
        _argument(field.name, value) for field, value in values if field.default is MISSING or value != field.default
    ]
    flat = f"{type(of).__name__}({', '.join(told)})"
    if len(f'        "{key}": {flat},') <= WIDTH:
        return flat
    broken = "".join(f"            {part},\n" for part in told)
    return f"{type(of).__name__}(\n{broken}        )"


def _argument(name: str, value: object) -> str:
    """A value by its name, a tuple an item a line where it is too long for one."""
    flat = f"{name}={_literal(value)}"
    if not isinstance(value, tuple) or len(f"            {flat},") <= WIDTH:
        return flat
    items = "".join(f"                {_literal(item)},\n" for item in value)
    return f"{name}=(\n{items}            )"


def _literal(value: object) -> str:
    """Python's text for a value, with double quotes."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, frozenset):
        return f"frozenset({{{', '.join(map(str, sorted(value)))}}})"
    if isinstance(value, tuple):
        return f"({', '.join(map(_literal, value))}{',' if len(value) == 1 else ''})"
    return str(value)


def main(arguments: Sequence[str] = ()) -> int:
    """Write the module, or check it."""
    try:
        text = page(load())
    except PinMapError as error:
        print(f"kontor: hardware/pinmap.toml: {'; '.join(str(error).splitlines())}")
        return 1
    return write_or_check(TARGET, text, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
