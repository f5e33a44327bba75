"""Changes single settings in the text of a file: comments, order and everything else stay as somebody wrote them."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from appliance.settings.describe import toml_value
from appliance.settings.lines import line_numbers


class NotHere(Exception):
    """A setting stands where it cannot be changed line by line; one sentence."""


def with_values(text: str, values: Mapping[str, object]) -> str:
    """``text``, which is right TOML, with ``values`` set, by key as in ``room.url``.

    A comment behind a changed value goes with it. What came out is read again and compared: anything but exactly this
    change is refused.

    :raises NotHere: the file writes one of them in another way than on a line of its own below its ``[section]``.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        lines = _set(lines, tuple(section.split(".")), name, f"{name} = {toml_value(value)}")
        changed = _read(lines)
        if changed is None or changed != _merged(_read(text.split("\n")), values, until=key):
            raise NotHere(f"{key} is written there in a way that only its writer should change: set it by hand")
    return "\n".join(lines)


def _set(lines: list[str], section: tuple[str, ...], name: str, line: str) -> list[str]:
    numbers = line_numbers("\n".join(lines))
    place = numbers.get((*section, name))
    if place is not None:
        return [*lines[: place - 1], line, *lines[place:]]
    heading = ".".join(section)
    for at, written in enumerate(lines, 1):
        if re.fullmatch(rf"\s*\[\s*{re.escape(heading)}\s*\]\s*(#.*)?", written):
            return [*lines[:at], line, *lines[at:]]
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return [*lines, "", f"[{heading}]", line, ""]


def _read(lines: list[str]) -> dict[str, Any] | None:
    try:
        return tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError:
        return None


def _merged(table: dict[str, Any] | None, values: Mapping[str, object], until: str) -> dict[str, Any] | None:
    """The table with the first of ``values``, up to the one called ``until``."""
    for key, value in values.items() if table is not None else ():
        inner: Any = table
        *sections, name = key.split(".")
        for section in sections:
            inner = inner.setdefault(section, {}) if isinstance(inner, dict) else {}
        if isinstance(inner, dict):
            inner[name] = value
        if key == until:
            break
    return table
