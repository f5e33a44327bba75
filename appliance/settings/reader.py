"""Reads documents against the sections of the model; what is wrong is noted, and the default stands in for it."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from appliance.core.text import quoted
from appliance.settings.clash import Clash
from appliance.settings.lines import KeyPath
from appliance.settings.model import Settings
from appliance.settings.problems import MASK, Problem, Refused, SettingsError, did_you_mean, shown
from appliance.settings.secrets import SecretFile
from appliance.settings.setting import Items, Section, Setting, Where, members
from appliance.settings.sources import Document

_LONGEST_KEY = 64
_MOST_HINTS = 100
"""A file with more wrong keys than that is none of ours, and looking for what was meant takes its time."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written."""

    file: str
    line: int | None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Layer:
    """One table of one document."""

    document: Document
    path: KeyPath
    table: Mapping[str, object]

    def origin(self, *more: str | int) -> Origin:
        """The place of a key in the table, or of the table itself."""
        return Origin(self.document.name, self.document.line((*self.path, *more)))


@dataclass(slots=True)
class Reader:
    """Collects values, their origins, and problems."""

    problems: list[Problem] = field(default_factory=list)
    origins: dict[str, Origin] = field(default_factory=dict)
    _shown: dict[str, str] = field(default_factory=dict)
    _wrong: set[str] = field(default_factory=set)
    _numbers: dict[str, list[int]] = field(default_factory=dict)
    """By list: the numbers, from 1, of the items that are right in themselves."""
    _secrets: dict[str, tuple[Layer, str, list[SecretFile]]] = field(default_factory=dict)

    def values(self, cls: type[Any], prefix: str, layers: Sequence[Layer]) -> dict[str, Any]:
        """What the layers say for the fields of ``cls``; fields of which nothing (right) is said are left out."""
        known = members(cls)
        for layer in layers:
            self._refuse_unknown(known, prefix, layer)
        found: dict[str, Any] = {}
        for name, member in known.items():
            key, given = prefix + name, [layer for layer in layers if name in layer.table]
            if isinstance(member, Setting):
                found |= self._setting(member, key, given)
                if member.required and not given:
                    self._note(layers[-1].origin(), key, "", "is missing", member.about)
            elif isinstance(member, Section):
                found[name] = member.cls(**self.values(member.cls, f"{key}.", self._tables(key, name, given)))
            else:
                found[name] = tuple(self._items(member, key, given))
        return found

    def clash(self, clash: Clash) -> None:
        """Note a setting that does not fit, unless what it was compared with is wrong itself."""
        section, in_list, rest = clash.key.partition("[]")
        number = f"[{self._numbers[section][clash.item]}]" if in_list else ""
        key, beside = section + number + rest, tuple(name.replace("[]", number) for name in clash.beside)
        if not any(wrong.startswith(beside) for wrong in self._wrong):
            origin = self.origins.get(key, Origin("", None))
            self._note(origin, key, self._shown.get(key, ""), clash.allowed, clash.hint)

    def look_into_secrets(self, sections: Collection[str] | None) -> None:
        """Try the secret files of ``sections``, or of all."""
        for key, (layer, name, files) in self._secrets.items():
            for file in files if sections is None or key.split(".")[0] in sections else ():
                try:
                    file.read()
                except SettingsError as error:
                    origin = layer.origin(name, file.key.rpartition(".")[2])
                    self.problems += [replace(p, file=origin.file, line=origin.line) for p in error.problems]

    def _setting(self, member: Setting, key: str, layers: Sequence[Layer]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for layer in layers:
            value, origin = layer.table[member.name], layer.origin(member.name)
            try:
                found[member.name] = member.kind.convert(value, Where(key, layer.document.folder))
            except Refused as refused:
                text = MASK if member.kind.secret or refused.hide else shown(value)
                self._note(
                    origin, key, text, refused.allowed + (f" ({member.unit})" if member.unit else ""), refused.hint
                )
            else:
                self.origins[key] = origin
                self._shown[key] = MASK if member.kind.secret else shown(value)
                if member.kind.secret:
                    self._secrets[key] = (layer, member.name, list(_secret_files(found[member.name])))
        return found

    def _tables(self, key: str, name: str, layers: Sequence[Layer]) -> list[Layer]:
        tables: list[Layer] = []
        for layer in layers:
            value = layer.table[name]
            if isinstance(value, dict):
                tables.append(Layer(layer.document, (*layer.path, name), value))
            else:
                self._note(layer.origin(name), key, shown(value), f"must be one section: [{key}]")
        return tables

    def _items(self, member: Items, key: str, layers: Sequence[Layer]) -> Iterator[Any]:
        number = 0
        first: dict[object, Origin] = {}
        required = {name for name, m in members(member.cls).items() if isinstance(m, Setting) and m.required}
        for layer in layers:
            value = layer.table[member.name]
            if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
                self._note(layer.origin(member.name), key, shown(value), f"must be a list of sections: [[{key}]]")
                continue
            for index, item in enumerate(value):
                number += 1
                inner = Layer(layer.document, (*layer.path, member.name, index), item)
                found = self.values(member.cls, f"{key}[{number}].", [inner])
                self._refuse_twice(member, f"{key}[{number}]", found, first)
                if required <= found.keys():
                    self._numbers.setdefault(key, []).append(number)
                    yield member.cls(**found)

    def _refuse_twice(self, member: Items, key: str, found: Mapping[str, Any], first: dict[object, Origin]) -> None:
        unique = found.get(member.unique)
        if unique is None:
            return
        name = f"{key}.{member.unique}"
        origin = first.setdefault(unique, self.origins[name])
        if origin is not self.origins[name]:
            self._note(self.origins[name], name, shown(unique), f"is there already, at {origin}")

    def _refuse_unknown(self, known: Mapping[str, object], prefix: str, layer: Layer) -> None:
        for name, value in layer.table.items():
            if name not in known:
                is_table = isinstance(value, dict)
                alike = [each for each, member in known.items() if is_table is not isinstance(member, Setting)]
                # The value may be a secret written in the wrong place, so it is never shown.
                what = f"is no {'section' if is_table else 'setting'} of Kontor"
                hint = _meant(name, alike) if len(self.problems) < _MOST_HINTS else ""
                self._note(layer.origin(name), prefix + _bare(name), "", what, hint)

    def _note(self, origin: Origin, key: str, value: str, allowed: str, hint: str = "") -> None:
        self._wrong.add(key)
        self.problems.append(Problem(origin.file, origin.line, key, value, allowed, hint))


def _secret_files(value: object) -> Iterator[SecretFile]:
    if isinstance(value, SecretFile):
        yield value
    elif isinstance(value, Mapping):
        yield from value.values()


def _bare(name: str) -> str:
    return name if re.fullmatch(f"[A-Za-z0-9_-]{{1,{_LONGEST_KEY}}}", name) else quoted(name[:_LONGEST_KEY])


def _meant(name: str, alike: Sequence[str]) -> str:
    elsewhere = [key for key in _all_keys(Settings, "") if key.rpartition(".")[2] == name]
    return did_you_mean(name, alike) or (f"Did you mean {elsewhere[0]}?" if elsewhere else "")


def _all_keys(cls: type[Any], prefix: str) -> tuple[str, ...]:
    keys: list[str] = []
    for name, member in members(cls).items():
        keys += _all_keys(member.cls, f"{prefix}{name}.") if isinstance(member, Section) else [prefix + name]
    return tuple(keys)
