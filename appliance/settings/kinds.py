"""The plain kinds of values: text, numbers, words to choose from, paths."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Generic, TypeVar

from appliance.core.text import quoted
from appliance.settings.problems import Refused, did_you_mean, shown
from appliance.settings.secrets import SecretFile
from appliance.settings.setting import Kind, Where

T = TypeVar("T")

IDENTIFIER = r"[a-z0-9][a-z0-9._-]{0,63}"
"""Names of rooms, members and keys: they stand in addresses, so there is no white space and no upper case."""

_LONGEST_PATH = 4096
_MOST_TOLD = 5


def listed(words: list[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


@dataclass(frozen=True, slots=True)
class Text:
    """Printable text on one line."""

    longest: int
    shortest: int = 1
    pattern: str = ""
    in_words: str = ""
    """What ``pattern`` means to people."""
    secret: bool = field(default=False, init=False)

    @property
    def allowed(self) -> str:
        size = f"{self.shortest} to {self.longest}" if self.shortest else f"at most {self.longest}"
        return f"must be {self.in_words or f'text of {size} printable characters'}"

    def convert(self, value: object, _where: Where, /) -> str:
        """The text as it is."""
        if not isinstance(value, str) or not value.isprintable() or not self.shortest <= len(value) <= self.longest:
            raise Refused(self.allowed)
        if value and self.pattern and not re.fullmatch(self.pattern, value):
            raise Refused(self.allowed)
        if value != value.strip():
            raise Refused("must not begin or end with white space")
        return value

    def plain(self, value: str) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        schema: dict[str, object] = {"type": "string", "maxLength": self.longest}
        if self.shortest:
            schema["minLength"] = self.shortest
        if self.pattern:
            schema["pattern"] = f"^({self.pattern})$" if self.shortest else f"^({self.pattern})?$"
        return schema


def identifier(optional: bool = False) -> Text:
    """The name of a room, a member or a key."""
    words = "1 to 64 of the characters a-z 0-9 . _ -, the first a letter or a digit"
    return Text(64, 0 if optional else 1, IDENTIFIER, words)


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""

    secret: bool = field(default=False, init=False)
    allowed: str = field(default="must be true or false", init=False)

    def convert(self, value: object, _where: Where, /) -> bool:
        """Only a real boolean counts."""
        if not isinstance(value, bool):
            raise Refused(self.allowed, "Write it without quotes." if value in ("true", "false") else "")
        return value

    def plain(self, value: bool) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number."""

    least: int
    most: int
    secret: bool = field(default=False, init=False)

    @property
    def allowed(self) -> str:
        return f"must be a whole number from {self.least} to {self.most}"

    def convert(self, value: object, _where: Where, /) -> int:
        """The number; true and false are none."""
        if isinstance(value, bool) or not isinstance(value, int) or not self.least <= value <= self.most:
            digits = isinstance(value, str) and value.isascii() and value.isdecimal()
            raise Refused(self.allowed, "Write it without quotes." if digits else "")
        return value

    def plain(self, value: int) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True)  # with slots Python 3.11 cannot make a Choice[int]
class Choice(Generic[T]):
    """One of a few words or numbers."""

    options: Mapping[str | int, T]
    secret: bool = field(default=False, init=False)

    @property
    def allowed(self) -> str:
        return "must be " + listed([self._word(option) for option in self.options])

    def convert(self, value: object, _where: Where, /) -> T:
        """What the word stands for."""
        # By type: true equals 1, and a list cannot be looked up.
        if type(value) in (str, int) and value in self.options:
            return self.options[value]  # type: ignore[index]  # the line above narrows it, mypy does not follow
        if isinstance(value, str):
            words = [option for option in self.options if isinstance(option, str)]
            raise Refused(self.allowed, did_you_mean(value, words))
        raise Refused(self.allowed)

    def plain(self, value: T) -> object:
        return next((option for option, meaning in self.options.items() if meaning == value), None)

    def json_schema(self) -> dict[str, object]:
        return {"enum": list(self.options)}

    @staticmethod
    def _word(option: str | int) -> str:
        return quoted(option) if isinstance(option, str) else str(option)


E = TypeVar("E", bound=StrEnum)


def one_of(enum: type[E]) -> Choice[E]:
    """A choice of the words of ``enum``."""
    return Choice({word.value: word for word in enum})


def resolved(value: object, where: Where, allowed: str) -> Path:
    """The path in ``value``; a relative one starts at the folder of the file that has it.

    :raises Refused: with ``allowed``: it is not a path.
    """
    if not isinstance(value, str) or not value or not value.isprintable() or len(value) > _LONGEST_PATH:
        raise Refused(allowed)
    if value.startswith("~"):
        raise Refused(allowed, "Write the whole path, ~ is not understood here.")
    return where.folder / value


@dataclass(frozen=True, slots=True)
class FilePath:
    """The path of a file or folder that must be named."""

    secret: bool = field(default=False, init=False)
    allowed: str = field(default="must be a path", init=False)

    def convert(self, value: object, where: Where, /) -> Path:
        """The path; a relative one starts at the folder of the file that has it."""
        return resolved(value, where, self.allowed)

    def plain(self, value: Path) -> object:
        return str(value)

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "minLength": 1, "maxLength": _LONGEST_PATH}


@dataclass(frozen=True, slots=True)
class MaybePath:
    """The path of a file, or "" for none."""

    secret: bool = field(default=False, init=False)
    allowed: str = field(default='must be a path, or "" for none', init=False)

    def convert(self, value: object, where: Where, /) -> Path | None:
        """The path; a relative one starts at the folder of the file that has it."""
        return None if value == "" else resolved(value, where, self.allowed)

    def plain(self, value: Path | None) -> object:
        return "" if value is None else str(value)

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "maxLength": _LONGEST_PATH}


@dataclass(frozen=True, slots=True)
class MaybeSecret:
    """The path of a file that holds a secret, or "" for none."""

    least: int = 1
    secret: bool = field(default=True, init=False)
    allowed: str = field(default='must be the path of a file with the secret, or "" for none', init=False)

    def convert(self, value: object, where: Where, /) -> SecretFile | None:
        """The file; it is looked into only when everything else is right."""
        return None if value == "" else SecretFile(resolved(value, where, self.allowed), where.key, self.least)

    def plain(self, value: SecretFile | None) -> object:
        return "" if value is None else str(value)

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "maxLength": _LONGEST_PATH}


def _together(refused: Mapping[str, Refused]) -> Refused:
    """One refusal of a list for all of its values that are none, by how they are shown."""
    told = list(refused)[:_MOST_TOLD]
    hints = [refused[value].hint for value in told if refused[value].hint]
    wrong = f"Wrong: {', '.join(told)}{'' if len(told) == len(refused) else ' and others'}."
    return Refused(next(iter(refused.values())).allowed, " ".join([wrong, *dict.fromkeys(hints)]))


@dataclass(frozen=True)  # with slots Python 3.11 cannot make a Many[str]
class Many(Generic[T]):
    """A list of values of one kind, each once."""

    kind: Kind[T]
    most: int
    secret: bool = field(default=False, init=False)

    @property
    def allowed(self) -> str:
        return f"must be a list of at most {self.most} values, each of which {self.kind.allowed}"

    def convert(self, value: object, where: Where, /) -> tuple[T, ...]:
        """All of them, converted; every one that is refused is told."""
        if not isinstance(value, list) or len(value) > self.most:
            raise Refused(self.allowed)
        found: list[T] = []
        refused: dict[str, Refused] = {}
        for each in value:
            try:
                found.append(self.kind.convert(each, where))
            except Refused as error:
                refused["(hidden)" if error.hide else shown(each)] = error
        if refused:
            raise _together(refused)
        if len(set(found)) != len(found):
            raise Refused("must not have a value twice")
        return tuple(found)

    def plain(self, value: tuple[T, ...]) -> object:
        return [self.kind.plain(each) for each in value]

    def json_schema(self) -> dict[str, object]:
        return {"type": "array", "maxItems": self.most, "uniqueItems": True, "items": self.kind.json_schema()}
