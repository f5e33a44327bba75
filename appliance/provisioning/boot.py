"""The settings on the boot partition: read, and their secrets moved to where one service alone can read them.

On the boot partition, and only there, a secret may stand in plain text under its key without ``_file``: somebody writes the
card on another computer. Each is first put into a file of its own, then the boot file is written anew with ``"(moved)"`` in
its place. Secrets are numbered and never written over: settings that hold until new ones are confirmed go on to have theirs.
"""

import contextlib
import hashlib
import os
import re
import stat
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from appliance.core.text import quoted
from appliance.provisioning.files import source
from appliance.provisioning.sets import BOOT_LAYER, Layer, make_folder
from appliance.settings import Problem, Settings
from appliance.settings.lines import KeyPath
from appliance.settings.problems import MASK
from appliance.settings.setting import Items, Section, Setting, members
from appliance.settings.sources import read
from appliance.settings.store import atomic_write, write_all

MOVED = "(moved)"
_FILE = "_file"
_FOLDER_MODE, _SECRET_MODE = 0o2750, 0o640
"""The group is that of the one service, and the folder hands it on."""
_PART_OF: Mapping[str, str] = {"host": "host", **dict.fromkeys(("room", "livekit", "janus", "telegram"), "link")}
"""Which service reads the secrets of a section; those of all others provisioning reads itself."""
_QUOTE = r"""["']?"""
_VALUE = r"""(?:"(?:\\.|[^"\\])*"|'[^']*')"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What the boot file says, without any secret in it."""

    layer: Layer
    problems: tuple[Problem, ...] = ()
    """What is wrong with how secrets are written; all else is told by whoever loads the layer."""
    moved: tuple[str, ...] = ()
    """The settings whose secrets were moved just now."""
    not_blanked: str = ""
    """Why secrets still stand on the boot partition; empty: none does."""


class _Plain(NamedTuple):
    """A secret that stands in the boot file."""

    path: KeyPath
    part: str
    stem: str
    """The name of its own file, without the number."""
    value: object
    twice: bool
    """The name of a file is given, too."""


class _Wrong(Exception):
    """``args`` are what is wrong, as the end of a sentence, and what to do."""


def take(path: Path, secrets: Path) -> Taken:
    """Read the boot file; move the secrets in it into ``secrets``. Blocks until all of it is on the disk.

    :raises OSError: a secret could not be stored. The boot file is as it was then.
    """
    found = source(path)
    plain = Layer(BOOT_LAYER, found.name, found.content, found.folder)
    document = read(found)
    if isinstance(document, Problem) and found.unreadable:
        return Taken(Layer(BOOT_LAYER, found.name, b"schema = 1\n", found.folder), (document,))
    if isinstance(document, Problem):
        return Taken(plain)
    blanked = for_set = found.content.decode("utf-8-sig")
    problems: list[Problem] = []
    moved: list[str] = []
    for secret in _plain_secrets(Settings, document.table, (), ""):
        line = document.line(secret.path) or 1
        name = str(secret.path[-1])
        try:
            _refuse_odd(secret)
            blanked = _with(blanked, line, secret, name, MOVED)
            file = _stored(secret, secrets)
            for_set = _with(for_set, line, secret, name + _FILE, str(file))
        except _Wrong as wrong:
            problems.append(Problem(found.name, line, _key(secret.path), MASK, *wrong.args))
            continue
        moved += [secret.stem] if secret.value != MOVED else []
    if problems:
        return Taken(plain, tuple(problems))
    why = _blank(path, found.content, blanked.encode()) if moved else ""
    return Taken(Layer(BOOT_LAYER, found.name, for_set.encode(), found.folder), (), tuple(moved), why)


def forget(secrets: Path, contents: Collection[bytes]) -> None:
    """Remove secrets that have a newer one and that none of ``contents``, the settings that may still hold, names.

    :raises OSError: the folder cannot be read.
    """
    for folder in (folder for folder in secrets.glob("*") if folder.is_dir()):
        newest: dict[str, int] = {}
        for stem, number in map(_numbered, folder.iterdir()):
            newest[stem] = max(number, newest.get(stem, 0))
        for path in list(folder.iterdir()):
            stem, number = _numbered(path)
            if number < newest[stem] and not any(str(path).encode() in content for content in contents):
                path.unlink()


def _plain_secrets(cls: type[Any], table: Mapping[str, object], path: KeyPath, stem: str) -> Iterator[_Plain]:
    known = members(cls)
    for name, value in table.items():
        member, here = known.get(name), (*path, name)
        file = known.get(name + _FILE)
        if member is None and isinstance(file, Setting) and file.kind.secret:
            yield _Plain(here, _PART_OF.get(str(here[0]), "provision"), stem + name, value, name + _FILE in table)
        elif isinstance(member, Section) and isinstance(value, dict):
            yield from _plain_secrets(member.cls, value, here, f"{stem}{name}.")
        elif isinstance(member, Items) and isinstance(value, list):
            for number, item in enumerate(value):
                if isinstance(item, dict):
                    inner = f"{stem}{name}.{_unlike_others(item.get(member.unique))}."
                    yield from _plain_secrets(member.cls, item, (*here, number), inner)


def _unlike_others(value: object) -> str:
    """A name for files of what tells the items of a list apart; items may change their places."""
    readable = re.sub("[^a-z0-9]+", "-", str(value).lower())[:32].strip("-")
    return f"{readable}-{hashlib.sha256(str(value).encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def _key(path: KeyPath) -> str:
    """As the settings' own messages write it: ``network.wifi[2].password``."""
    return "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in path)[1:]


def _refuse_odd(secret: _Plain) -> None:
    """:raises _Wrong: it is no text, or its file is named, too."""
    if secret.twice:
        raise _Wrong(f"is written beside {secret.path[-1]}{_FILE}", "Leave one of them out.")
    if not isinstance(secret.value, str) or not secret.value.strip():
        raise _Wrong("must be a text", f'Write it in quotes: {secret.path[-1]} = "…"')


def _stored(secret: _Plain, secrets: Path) -> Path:
    """The file that has the secret, made when it is a new one.

    :raises _Wrong: it was moved from here to another device.
    """
    folder = secrets / secret.part
    make_folder(folder, _FOLDER_MODE)
    newest = max((number for stem, number in map(_numbered, folder.iterdir()) if stem == secret.stem), default=0)
    path = folder / f"{secret.stem}.{newest}"
    if secret.value == MOVED:
        if not newest:
            raise _Wrong("was moved into another device", "Write the secret here again for this one.")
        return path
    content = str(secret.value).encode()
    if newest and path.read_bytes() == content:
        return path
    path = folder / f"{secret.stem}.{newest + 1}"
    atomic_write(path, content, _SECRET_MODE)
    return path


def _numbered(path: Path) -> tuple[str, int]:
    """Stem and number of a secret's file; 0 for what is none."""
    stem, _, number = path.name.rpartition(".")
    return (stem, int(number)) if number.isdecimal() else (path.name, 0)


def _with(text: str, line: int, secret: _Plain, name: str, value: str) -> str:
    """``text`` with the secret on ``line`` replaced by another key and value; nothing else in it changes.

    :raises _Wrong: it is not written on a line of its own.
    """
    old, lines = str(secret.path[-1]), text.split("\n")
    written = re.compile(
        rf"(?P<before>.*?){_QUOTE}\b{re.escape(old)}\b{_QUOTE}(?P<equals>\s*=\s*){_VALUE}(?P<rest>\s*(?:\#.*)?)"
    )
    found = written.fullmatch(lines[line - 1])
    if found:
        lines[line - 1] = f"{found['before']}{name}{found['equals']}{quoted(value)}{found['rest']}"
        changed = "\n".join(lines)
        with contextlib.suppress(tomllib.TOMLDecodeError):
            if tomllib.loads(changed) == _replaced(tomllib.loads(text), secret.path, name, value):
                return changed
    raise _Wrong("must stand on a line of its own", f'Write it as: {old} = "…"')


def _replaced(table: dict[str, Any], path: KeyPath, name: str, value: str) -> dict[str, Any]:
    inner: Any = table
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    inner[name] = value
    return table


def _blank(path: Path, old: bytes, new: bytes) -> str:
    """Replace the boot file in one step, and write over what stood there; returns why it could not be, or ""."""
    try:
        before = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        return error.strerror or str(error)
    try:
        if os.read(before, len(old) + 1) != old:
            return "it was changed meanwhile"
        atomic_write(path, new, stat.S_IMODE(os.fstat(before).st_mode), strict=False)
        # The name surely leads to the new file; the blocks of the old one, open here still, must not keep the secret.
        os.lseek(before, 0, os.SEEK_SET)
        write_all(before, bytes(len(old)))
        os.fsync(before)
    except OSError as error:
        return error.strerror or str(error)
    finally:
        os.close(before)
    return ""
