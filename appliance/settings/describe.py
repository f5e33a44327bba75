"""The settings told back: what is in force, where it was written, and what differs from the defaults."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.core.text import one_line, quoted
from appliance.settings.loader import Resolved
from appliance.settings.migrations import SCHEMA
from appliance.settings.model import Settings
from appliance.settings.setting import Effect, Items, Section, Setting, members

_COMMENT_COLUMN = 40


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting in force, without any secret in it."""

    table: str
    """The heading it stands under: ``[audio]`` or ``[[host.rooms]]``."""
    key: str
    """``audio.frame_ms``, ``host.rooms[1].id``."""
    setting: Setting
    value: object
    """As TOML has it; None for one that is left out."""
    changed: bool
    """Whether it differs from its default."""

    @property
    def default(self) -> object:
        """As TOML has it; None for one that must be set, or may be left out."""
        return None if self.setting.required else self.setting.kind.plain(self.setting.default)


def entries(settings: Settings) -> list[Entry]:
    """Every setting in force, in the order of the model."""
    return list(_entries(settings, "", ""))


def _entries(section: Any, prefix: str, table: str) -> Iterator[Entry]:
    known = members(type(section))
    # TOML wants the plain keys of a table before the tables inside it.
    for name, member in known.items():
        if isinstance(member, Setting):
            value = getattr(section, name)
            changed = member.required or value != member.default
            yield Entry(table, prefix + name, member, member.kind.plain(value), changed)
    for name, member in known.items():
        inner, key = getattr(section, name), prefix + name
        if isinstance(member, Section):
            yield from _entries(inner, f"{key}.", f"[{key}]")
        elif isinstance(member, Items):
            for number, item in enumerate(inner, 1):
                yield from _entries(item, f"{key}[{number}].", f"[[{key}]]")


def effects(old: Settings, new: Settings) -> dict[str, Effect]:
    """What changes from ``old`` to ``new``, and when each change takes effect."""
    before = {entry.key: (entry.value, entry.setting.effect) for entry in entries(old)}
    after = {entry.key: (entry.value, entry.setting.effect) for entry in entries(new)}
    keys = dict.fromkeys([*after, *before])
    return {key: (after.get(key) or before[key])[1] for key in keys if before.get(key) != after.get(key)}


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting that two settings do not share."""

    key: str
    old: object
    """As TOML has it; None: it was left out, or there was no such item of a list."""
    new: object
    effect: Effect

    def __str__(self) -> str:
        return f"{self.key}: {_plainly(self.old)} -> {_plainly(self.new)} ({self.effect.value})"

    def as_dict(self) -> dict[str, object]:
        """For ``--json``."""
        return {"key": self.key, "old": self.old, "new": self.new, "effect": self.effect.value}


def differences(old: Settings, new: Settings) -> list[Difference]:
    """What changes from ``old`` to ``new``, without any secret in it."""
    before = {entry.key: entry.value for entry in entries(old)}
    after = {entry.key: entry.value for entry in entries(new)}
    changed = effects(old, new).items()
    return [Difference(key, before.get(key), after.get(key), effect) for key, effect in changed]


def _plainly(value: object) -> str:
    return "nothing" if value is None else toml_value(value)


def as_toml(resolved: Resolved, only_changed: bool = False) -> str:
    """The settings in force as a file that would give the same ones, each with its origin beside it."""
    lines, table = [f"schema = {SCHEMA}"], ("", "")
    for entry in entries(resolved.settings):
        if only_changed and not entry.changed:
            continue
        heading = (entry.table, entry.key.rpartition(".")[0])
        if heading != table:
            lines += ["", entry.table]
            table = heading
        lines.append(_line(entry, resolved, only_changed))
    return "\n".join(lines) + "\n"


def _line(entry: Entry, resolved: Resolved, with_default: bool) -> str:
    origin = resolved.origins.get(entry.key)
    comment = str(origin) if origin else "default"
    if with_default and entry.default is not None:
        comment += f", default: {toml_value(entry.default)}"
    name = entry.setting.name
    if entry.value is None:
        return f"# {name} is not set"
    return f"{f'{name} = {toml_value(entry.value)}':<{_COMMENT_COLUMN}}  # {one_line(comment)}"


def as_dict(resolved: Resolved, only_changed: bool = False) -> dict[str, dict[str, object]]:
    """The same for programs, by key."""
    return {
        entry.key: {
            "value": entry.value,
            "default": entry.default,
            "origin": str(resolved.origins.get(entry.key, "default")),
            "effect": entry.setting.effect.value,
        }
        for entry in entries(resolved.settings)
        if entry.changed or not only_changed
    }


def toml_value(value: object) -> str:
    """A value as TOML writes it on one line.

    :raises TypeError: it is none of text, whole number, boolean, list or table.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{quoted(key)} = {toml_value(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    raise TypeError(f"TOML has no {type(value).__name__}")
