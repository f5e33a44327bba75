"""Turns what was written for an earlier set of keys into what is written today."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

SCHEMA = 1
"""The number of today's set of keys; a file says with ``schema = 1`` which one it was written for."""

Table: TypeAlias = Mapping[str, object]
Migration: TypeAlias = Callable[[Table], Table]
"""From one number to the next. It leaves its argument as it is, and what it does not understand too: the loader tells
what is wrong with that."""

MIGRATIONS: Mapping[int, Migration] = MappingProxyType({})
"""By the number they start from; there is one for every number below :data:`SCHEMA`."""


def migrate(table: Table, written_for: int, latest: int = SCHEMA, steps: Mapping[int, Migration] = MIGRATIONS) -> Table:
    """``table``, written for schema ``written_for``, as it is written for ``latest``."""
    for number in range(written_for, latest):
        table = steps[number](table)
    return table
