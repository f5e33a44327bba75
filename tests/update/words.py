"""U-Boot's commands on words, numbers, memory and blocks of variables; the card and the start of a kernel are in uboot.py.

They follow U-Boot's source: cmd/test.c, itest.c, setexpr.c, mem.c, nvedit.c, lib/hashtable.c.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable

from tests.update.hush import HushError

PAGE = 1 << 20


class Memory:
    """The board's memory; what nobody wrote is zeros."""

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}

    def write(self, at: int, data: bytes) -> None:
        """Put bytes at an address."""
        done = 0
        while done < len(data):
            page, offset = divmod(at + done, PAGE)
            piece = data[done : done + PAGE - offset]
            self._pages.setdefault(page, bytearray(PAGE))[offset : offset + len(piece)] = piece
            done += len(piece)

    def read(self, at: int, size: int) -> bytes:
        """Bytes from an address on."""
        pieces = []
        while size > 0:
            page, offset = divmod(at, PAGE)
            piece = bytes(self._pages.get(page, bytes(PAGE))[offset : offset + size])
            pieces.append(piece)
            at, size = at + len(piece), size - len(piece)
        return b"".join(pieces)


def number(text: str, base: int) -> int:
    """As U-Boot's simple_strtol: what stands in front and is a number; base 0 asks the text."""
    sign, text = (-1, text[1:]) if text.startswith("-") else (1, text)
    if text[:2].lower() == "0x" and base in (0, 16):
        base, text = 16, text[2:]
    elif base == 0:
        base = 8 if text.startswith("0") else 10
    digits = "0123456789abcdef"[:base]
    found = re.match(f"[{digits}]*", text.lower())
    return sign * int(found.group() or "0", base) if found else 0


def seal(variables: dict[str, str], size: int = 0x1000) -> bytes:
    """``env export -c -s SIZE`` of some variables."""
    lines = (f"{name}={value}".replace("\\", "\\\\") for name, value in sorted(variables.items()))
    data = b"".join(line.encode() + b"\0" for line in lines) + b"\0"
    if len(data) > size - 4:
        raise ValueError("too much for this size")
    data = data.ljust(size - 4, b"\0")
    return struct.pack("<I", zlib.crc32(data)) + data


def unseal(block: bytes) -> dict[str, str] | None:
    """What ``env import -c`` makes of a block; None when its sum is wrong."""
    if struct.unpack_from("<I", block)[0] != zlib.crc32(block[4:]):
        return None
    return _pairs(block[4:], b"\0")


def _pairs(data: bytes, separator: bytes) -> dict[str, str]:
    found = {}
    for line in data.partition(b"\0" * (1 + (separator == b"\0")))[0].split(separator):
        name, equals, value = line.decode("latin-1").lstrip(" \t").partition("=")
        if name and not name.startswith("#") and equals:
            found[name] = re.sub(r"\\(.)", r"\1", value)
    return found


class Words:
    """The commands of this file over an environment and a memory."""

    def __init__(self, variables: dict[str, str]) -> None:
        self.environment = variables
        self.memory = Memory()
        self.said: list[str] = []

    def _size(self, kind: str, place: str, name: str) -> int | None:
        """Bytes of a file on the card; None if there is none."""
        raise NotImplementedError

    # ---- words and numbers

    def _do_echo(self, argv: list[str]) -> int:
        self.said.append(" ".join(argv[1:]))
        return 0

    def _do_true(self, _: list[str]) -> int:
        return 0

    def _do_false(self, _: list[str]) -> int:
        return 1

    _do_sleep = _do_true

    def _do_setenv(self, argv: list[str]) -> int:
        argv = [word for word in argv if word != "-f"]
        if argv[2:]:
            self.environment[argv[1]] = " ".join(argv[2:])
        else:
            self.environment.pop(argv[1], None)
        return 0

    def _do_test(self, argv: list[str]) -> int:
        """cmd/test.c: unary and binary expressions from left to right, without precedence."""
        if len(argv) < 3:
            return 1
        words = argv[1:-1] if argv[0] == "[" else argv[1:]
        expression, last, binary, inverted = False, False, "", False
        while words:
            value, used = self._expression(words)
            if value is None:
                match used:
                    case 0:
                        return 1
                    case _ if words[0] == "!":
                        inverted = not inverted
                    case _:
                        last, binary = expression, words[0]
            else:
                value, inverted = value != inverted, False
                expression = {"-o": last or value, "-a": last and value}.get(binary, value)
                binary = ""
            words = words[used:]
        return int(not expression)

    def _expression(self, words: list[str]) -> tuple[bool | None, int]:
        """The value of the first expression and its number of words; None for an operator, and 0 for what is none."""
        if len(words) >= 3 and words[1] in _COMPARE:
            return _COMPARE[words[1]](words[0], words[2]), 3
        match words[0]:
            case "!" | "-a" | "-o":
                return None, 1
            case "-z" | "-n" if len(words) >= 2:
                return (words[1] == "") == (words[0] == "-z"), 2
            case "-e" if len(words) >= 4:
                return self._size(words[1], words[2], words[3]) is not None, 4
        return None, 0

    def _do_itest(self, argv: list[str]) -> int:
        left, operator, right = argv[1:]
        width = self._width(argv[0])
        first, second = (self._operand(word, width) for word in (left, right))
        compared = (first > second) - (first < second)
        match operator:
            case "-eq" | "==":
                return int(compared != 0)
            case "-ne" | "!=" | "<>":
                return int(compared == 0)
            case "-lt" | "<":
                return int(compared >= 0)
            case "-le" | "<=":
                return int(compared > 0)
            case "-gt" | ">":
                return int(compared <= 0)
            case "-ge" | ">=":
                return int(compared < 0)
        raise HushError(f"itest {operator} is not known here")

    def _do_setexpr(self, argv: list[str]) -> int:
        width = self._width(argv[0])
        if len(argv) == 3:
            self.environment[argv[1]] = f"{self._operand(argv[2], width):x}"
            return 0
        _, name, left, operator, right = argv
        if left in ("sub", "gsub", "fmt"):
            raise HushError(f"setexpr {left} is not known here")
        first, second = self._operand(left, width), self._operand(right, width)
        values: dict[str, Callable[[], int]] = {
            "+": lambda: first + second,
            "-": lambda: first - second,
            "*": lambda: first * second,
            "/": lambda: first // second,
            "%": lambda: first % second,
            "&": lambda: first & second,
            "|": lambda: first | second,
            "^": lambda: first ^ second,
        }
        self.environment[name] = f"{values[operator]() & 0xFFFFFFFFFFFFFFFF:x}"
        return 0

    @staticmethod
    def _width(command: str) -> int:
        return {"": 4, "b": 1, "w": 2, "l": 4, "q": 8}[command.partition(".")[2]]

    def _operand(self, word: str, width: int) -> int:
        if word.startswith("*"):
            return int.from_bytes(self.memory.read(number(word[1:], 16), width), "little")
        return number(word, 16)

    # ---- memory

    def _do_mw(self, argv: list[str]) -> int:
        width = self._width(argv[0])
        count = number(argv[3], 16) if argv[3:] else 1
        value = number(argv[2], 16) & ((1 << 8 * width) - 1)
        self.memory.write(number(argv[1], 16), value.to_bytes(width, "little") * count)
        return 0

    def _do_cp(self, argv: list[str]) -> int:
        size = self._width(argv[0]) * number(argv[3], 16)
        self.memory.write(number(argv[2], 16), self.memory.read(number(argv[1], 16), size))
        return 0

    def _do_cmp(self, argv: list[str]) -> int:
        size = self._width(argv[0]) * number(argv[3], 16)
        return int(self.memory.read(number(argv[1], 16), size) != self.memory.read(number(argv[2], 16), size))

    # ---- the environment as a block

    def _do_env(self, argv: list[str]) -> int:
        match argv[1]:
            case "exists":
                return int(argv[2] not in self.environment)
            case "set":
                return self._do_setenv(argv[1:])
            case "delete":
                for name in argv[2:]:
                    self.environment.pop(name, None)
                return 0
            case "import":
                return self._import(argv[2:])
            case "export":
                return self._export(argv[2:])
        raise HushError(f"env {argv[1]} is not known here")

    def _import(self, words: list[str]) -> int:
        options = [word for word in words if word.startswith("-") and word != "-"]
        if options not in (["-c"], ["-t"], ["-b"]):
            raise HushError(f"env import {' '.join(options)} is not known here")
        at, size, *names = (word for word in words if word not in options)
        block = self.memory.read(number(at, 16), number(size, 16) if size != "-" else PAGE)
        if options == ["-t"]:
            found: dict[str, str] | None = _pairs(block, b"\n")
        else:
            found = unseal(block) if options == ["-c"] else _pairs(block, b"\0")
        if found is None:
            return 1
        for name, value in found.items():
            if not names or name in names:
                self._do_setenv(["setenv", name, *([value] if value else [])])  # an empty one is none
        return 0

    def _export(self, words: list[str]) -> int:
        if words[:2] != ["-c", "-s"]:
            raise HushError(f"env export {' '.join(words)} is not known here")
        size, at, *names = words[2:]
        chosen = {name: self.environment[name] for name in names if name in self.environment}
        try:
            block = seal(chosen, number(size, 16))
        except ValueError:
            return 1
        self.memory.write(number(at, 16), block)
        self.environment["filesize"] = f"{number(size, 16):x}"
        return 0


_COMPARE: dict[str, Callable[[str, str], bool]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "-eq": lambda left, right: number(left, 0) == number(right, 0),
    "-ne": lambda left, right: number(left, 0) != number(right, 0),
    "-lt": lambda left, right: number(left, 0) < number(right, 0),
    "-le": lambda left, right: number(left, 0) <= number(right, 0),
    "-gt": lambda left, right: number(left, 0) > number(right, 0),
    "-ge": lambda left, right: number(left, 0) >= number(right, 0),
}
