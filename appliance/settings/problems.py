"""What is wrong with the settings, told so that a newcomer can mend it."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from appliance.core.text import one_line, quoted

MASK = "(hidden)"
"""Stands for every value that is, or may be, a secret."""

_LONGEST_SHOWN = 60
_LARGEST_SHOWN = 10**18
_LONGEST_COMPARED = 64


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend."""

    file: str
    """Where it is, as people know the file; empty when it is in none."""
    line: int | None
    key: str
    """The key with its sections, as in ``audio.frame_ms``; empty when it is the file itself."""
    value: str
    """The value as text, hidden if it may be a secret; empty when the value is not what is wrong."""
    allowed: str
    """What is wrong or what would be right, as the end of a sentence: ``must be 10 or 20``."""
    hint: str = ""
    """What the writer may have meant, or what to do next; a whole sentence, or empty."""

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        what = f"{self.key} = {self.value}:" if self.value else self.key
        start = ": ".join(part for part in (where, what) if part)
        return one_line(" ".join(part for part in (f"{start} {self.allowed}.".lstrip(), self.hint) if part))

    def as_dict(self) -> dict[str, str | int | None]:
        """For ``--json``."""
        return asdict(self)


class SettingsError(ValueError):
    """The settings cannot be used. It carries every problem at once, in the order of the files and their lines."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Refused(Exception):
    """A value that its setting does not take. It never leaves this package."""

    def __init__(self, allowed: str, hint: str = "", *, hide: bool = False) -> None:
        super().__init__(allowed)
        self.allowed = allowed
        self.hint = hint
        self.hide = hide


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``Did you mean "frame_ms"?`` for the known word that is most like ``word``; empty if none is."""
    # The comparison costs the product of the lengths, and nobody means a name that long.
    close = difflib.get_close_matches(word[:_LONGEST_COMPARED].lower(), list(known), n=1, cutoff=0.65)
    return f'Did you mean "{close[0]}"?' if close else ""


def shown(value: object) -> str:
    """A value for a message: short, on one line, with nothing in it that a terminal would obey."""
    if isinstance(value, str):
        return quoted(value if len(value) <= _LONGEST_SHOWN else value[:_LONGEST_SHOWN] + "…")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        # Python refuses to print very long numbers.
        return str(value) if abs(value) < _LARGEST_SHOWN else "(a very large number)"
    names = {float: repr(value) if isinstance(value, float) else "", dict: "(a table)", list: "(a list)"}
    return names.get(type(value), "(a date or time)")
