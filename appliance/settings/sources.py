"""Where settings are written: one TOML document each, read as far as its ``schema``."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from appliance.core.text import one_line
from appliance.settings.lines import KeyPath, line_numbers, line_of
from appliance.settings.migrations import SCHEMA, migrate
from appliance.settings.problems import Problem, shown

LARGEST = 256 * 1024
"""Bytes of one document."""
_LONGEST_LINE = 4096
_MOST_DOTS = 200
"""In a line: tomllib's time for a key grows with the square of the dots in it."""
_LONGEST_MESSAGE = 120
_BOM = "\ufeff"
_AT_END = " (at end of document)"
_TABLE = re.compile(r"\(('[^']*'(?:, '[^']*')*),?\)")
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)$")


@dataclass(frozen=True, slots=True)
class Source:
    """One document, or why it could not be had."""

    name: str
    """As people know it, usually its path."""
    content: bytes = field(default=b"", repr=False)
    folder: Path = Path("/")
    """Relative paths in it start here."""
    unreadable: str = ""
    """Why there is no content, as the end of a sentence: ``does not exist``."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a source says, for today's schema."""

    name: str
    folder: Path
    table: Mapping[str, object]
    lines: Mapping[KeyPath, int]

    def line(self, path: KeyPath) -> int | None:
        """The line of a key, or of the nearest thing around it."""
        return line_of(path, self.lines)


def read(source: Source) -> Document | Problem:
    """Read one document; a problem here is one that leaves nothing of it to look at."""
    if source.unreadable:
        return Problem(source.name, None, "", "", source.unreadable)
    text = _text(source)
    if isinstance(text, Problem):
        return text
    try:
        table = tomllib.loads(text)
    except RecursionError:
        return Problem(source.name, None, "", "", "is nested too deeply")
    except ValueError as error:
        return _syntax(source.name, str(error))
    lines = line_numbers(text)
    schema = table.pop("schema", None)
    if not isinstance(schema, int) or isinstance(schema, bool) or not 1 <= schema <= SCHEMA:
        return _wrong_schema(source.name, schema, line_of(("schema",), lines))
    return Document(source.name, source.folder, migrate(table, schema), lines)


def _text(source: Source) -> str | Problem:
    if len(source.content) > LARGEST:
        return Problem(source.name, None, "", "", f"is longer than {LARGEST // 1024} KiB, so it is no settings file")
    if source.content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Problem(source.name, None, "", "", "is written in UTF-16", "Save it as UTF-8.")
    try:
        # Some editors put a byte order mark at the start, which TOML does not know.
        text = source.content.decode().removeprefix(_BOM)
    except UnicodeDecodeError as error:
        line = source.content.count(b"\n", 0, error.start) + 1
        return Problem(source.name, line, "", "", "is not UTF-8 text", "Save it as UTF-8.")
    for number, line_text in enumerate(text.split("\n"), 1):
        if len(line_text) > _LONGEST_LINE:
            return Problem(source.name, number, "", "", f"has a line of more than {_LONGEST_LINE} characters")
        if line_text.count(".") > _MOST_DOTS:
            return Problem(source.name, number, "", "", f"has more than {_MOST_DOTS} dots in a line")
    return text.replace("\r\n", "\n")


def _syntax(name: str, message: str) -> Problem:
    place = _AT_LINE.search(message)
    if place:
        return Problem(name, int(place[1]), "", "", f"is not TOML: {_told(message[: place.start()])}")
    if message.endswith(_AT_END):
        return Problem(
            name, None, "", "", f"is not TOML: {_told(message.removesuffix(_AT_END))} at the end of the file"
        )
    # Only a number with more digits than Python reads comes without a place, and with advice that is not for us.
    return Problem(name, None, "", "", "is not TOML that can be read: a number in it is too long")


def _told(message: str) -> str:
    """A message of tomllib inside a sentence of ours; it can quote what stands in the file."""
    # It writes [host.tls] as ('host', 'tls').
    message = _TABLE.sub(lambda found: "[" + ".".join(found[1].replace("'", "").split(", ")) + "]", message)
    return one_line(message[:1].lower() + message[1:])[:_LONGEST_MESSAGE]


def _wrong_schema(name: str, schema: object, line: int | None) -> Problem:
    if schema is None:
        return Problem(name, None, "schema", "", "is missing", f"Begin the file with the line: schema = {SCHEMA}")
    allowed = f"must be {SCHEMA}" if SCHEMA == 1 else f"must be a number from 1 to {SCHEMA}"
    later = isinstance(schema, int) and schema > SCHEMA
    hint = "It was written for a later version of Kontor: update this one." if later else ""
    return Problem(name, line, "schema", shown(schema), allowed, hint)
