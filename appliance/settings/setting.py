"""What is known of a setting besides its value: unit, limits, help, and when a change takes effect.

A section is a frozen dataclass; each of its fields is made by one of the three functions here. Loader, documentation
and schema walk these fields, so a setting is described in one place and nowhere else.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, cast

T = TypeVar("T")
_META = "kontor"
_REQUIRED: Any = MISSING


class Effect(StrEnum):
    """When a changed setting takes effect."""

    LIVE = "live"
    """At once; nobody notices but for the change itself."""
    REJOIN = "rejoin"
    """The device leaves its room and joins anew: a second without sound."""
    RESTART = "restart"
    """The process starts anew."""
    HAND = "hand"
    """The gate closes and stays closed until a hand acts on the panel."""


@dataclass(frozen=True, slots=True)
class Where:
    """What a value needs to know of its place."""

    key: str
    folder: Path
    """Relative paths start here: it is the folder of the file that has the value."""


class Kind(Protocol[T]):
    """A kind of value: what TOML may hold for it, and what the house gets."""

    @property
    def allowed(self) -> str:
        """What is allowed, as the end of a sentence: ``must be true or false``."""

    @property
    def secret(self) -> bool:
        """Whether it names a secret."""

    def convert(self, value: object, where: Where, /) -> T:
        """The value for the house.

        :raises Refused: it is not allowed.
        """

    def plain(self, value: T) -> object:
        """Back to what TOML holds; None when the setting is left out."""

    def json_schema(self) -> dict[str, object]:
        """JSON Schema (2020-12) of the TOML value."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One key."""

    name: str
    kind: Kind[Any]
    about: str
    unit: str
    effect: Effect
    default: Any
    """MISSING when it must be set."""

    @property
    def required(self) -> bool:
        """Whether it must be set."""
        return self.default is MISSING


@dataclass(frozen=True, slots=True)
class Section:
    """A table of settings."""

    name: str
    cls: type[Any]
    about: str


@dataclass(frozen=True, slots=True)
class Items:
    """A list of tables, ``[[host.rooms]]``. The lists of several files add up."""

    name: str
    cls: type[Any]
    about: str
    unique: str
    """The key that tells them apart."""


@dataclass(frozen=True, slots=True)
class _Meta(Generic[T]):
    kind: Kind[T]
    about: str
    unit: str
    effect: Effect


def setting(kind: Kind[T], default: T = _REQUIRED, *, about: str, effect: Effect, unit: str = "") -> T:
    """A field of a section. Without ``default`` it must be set."""
    metadata = {_META: _Meta(kind, about, unit, effect)}
    if isinstance(default, Mapping):  # before Python 3.12 dataclasses take even a read-only one for mutable
        return dataclasses.field(default_factory=lambda: default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def section(cls: type[T], about: str) -> T:
    """A field that is a section of its own."""
    return dataclasses.field(default_factory=cls, metadata={_META: Section("", cls, about)})


def items(cls: type[T], about: str, unique: str) -> tuple[T, ...]:
    """A field that is a list of sections."""
    return cast("tuple[T, ...]", dataclasses.field(default=(), metadata={_META: Items("", cls, about, unique)}))


def members(cls: type[Any]) -> Mapping[str, Setting | Section | Items]:
    """What a section holds, in the order of its fields."""
    found: dict[str, Setting | Section | Items] = {}
    for field in dataclasses.fields(cls):
        meta = field.metadata[_META]
        if isinstance(meta, _Meta):
            default = field.default if field.default_factory is MISSING else field.default_factory()
            found[field.name] = Setting(field.name, meta.kind, meta.about, meta.unit, meta.effect, default)
        else:
            found[field.name] = dataclasses.replace(meta, name=field.name)
    return found
