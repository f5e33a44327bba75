"""Finds the line of a key in a TOML text that is known to be right, since tomllib tells none."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]
"""Keys from the outside in; a number counts the tables of a list from 0."""

_DEEPEST = 8
"""Levels that are looked at; no setting lies deeper."""

_TOKEN = re.compile(
    r"""
      (?P<comment> \#[^\n]* )
    | (?P<string> "{3} (?:\\.|[^\\])*? "{3,5} | '{3} .*? '{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*' )
    | (?P<open> [\[{] ) | (?P<close> [\]}] ) | (?P<equals> = ) | (?P<end> \n ) | (?P<rest> [^\#"'\[{\]}=\n]+ )
    """,
    re.VERBOSE | re.DOTALL,
)


def line_numbers(text: str) -> dict[KeyPath, int]:
    """The line (from 1) on which each key and each table begins, but for those inside ``{…}`` and ``[…]``.

    ``text`` must be right TOML.
    """
    found: dict[KeyPath, int] = {}
    last_of: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for number, head in _heads(text):
        if head.startswith("["):
            path = table = _table(head, last_of)
        else:
            path = (*table, *_keys(f"{head} = 0"))
        for depth in range(1, len(path) + 1):
            found.setdefault(path[:depth], number)
    return found


def line_of(path: KeyPath, numbers: Mapping[KeyPath, int]) -> int | None:
    """The line of ``path``, or of the nearest thing around it."""
    while path and path not in numbers:
        path = path[:-1]
    return numbers.get(path)


def _heads(text: str) -> Iterator[tuple[int, str]]:
    """Line and text of every ``[table]``, and of every key before its ``=``."""
    line, begun, depth, head, in_value = 1, 1, 0, "", False
    for match in _TOKEN.finditer(text + "\n"):
        kind, token = match.lastgroup, match.group()
        if kind == "end" and depth == 0:
            if head:
                yield begun, head
            head, in_value = "", False
        elif kind == "equals":
            in_value = True
        elif kind != "comment":
            if not in_value and not head:
                begun, token = line, token.lstrip()
            head += "" if in_value else token
            depth += (kind == "open") - (kind == "close")
        line += match.group().count("\n")


def _table(head: str, last_of: dict[KeyPath, int]) -> KeyPath:
    """The path of ``[a.b]`` or ``[[a.b]]``; a name on the way that is a list means its last table."""
    names = _keys(head)
    path: KeyPath = ()
    for place, name in enumerate(names, 1):
        path = (*path, name)
        if place == len(names) and head.startswith("[["):
            last_of[path] = last_of.get(path, -1) + 1
        if path in last_of:
            path = (*path, last_of[path])
    return path


def _keys(statement: str) -> list[str]:
    """The keys that one statement names, from the outside in."""
    node: Any = tomllib.loads(statement)
    names: list[str] = []
    while node and len(names) < _DEEPEST:
        if isinstance(node, list):
            node = node[0]
        else:
            name, node = next(iter(node.items()))
            names.append(name)
    return names
