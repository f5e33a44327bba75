"""``kontor fleet enrol``: a list of rooms becomes one ``kontor.toml`` a room, to be dropped on a card each."""

import argparse
import csv
import io
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance.commands import Subparsers
from appliance.commands.host_control import Hosts, HostSays, only_here, show, with_host
from appliance.commands.host_devices import invitation
from appliance.commands.part import add_config
from appliance.core.wire import is_name
from appliance.settings import SCHEMA, SettingsError, Source, identity_of, load
from appliance.settings.card import follow_toml, wifi_toml
from appliance.settings.kinds import IDENTIFIER
from appliance.settings.problems import did_you_mean
from appliance.settings.store import atomic_write

COLUMNS = ("name", "id", "room", "ssid", "password", "group")
MOST_ROWS = 1000
_IDENTIFIER = re.compile(IDENTIFIER)
_LETTERS = 'small letters, digits, ".", "_" and "-", the first a letter or a digit'
_LARGEST = 1024 * 1024
_MOST_SSID = 32
"""Bytes (IEEE 802.11)."""
_PASSWORD = range(8, 64)
"""Bytes of a WPA passphrase."""


class BadList(Exception):
    """The list cannot be used: one line for each thing that is wrong with it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One device."""

    id: str
    name: str
    room: str
    """Of the host; "": it has only one."""
    ssid: str = ""
    password: str = field(default="", repr=False)
    group: str = ""


def register_enrol(actions: Subparsers) -> None:
    """Add the action."""
    parser = actions.add_parser("enrol", help="make the kontor.toml of many new devices from a list of rooms (CSV)")
    about = f"a table whose first line names its columns: {', '.join(COLUMNS)}; only name is needed"
    parser.add_argument("list", type=Path, metavar="ROOMS.CSV", help=about)
    parser.add_argument("--out", type=Path, default=Path("cards"), metavar="DIR", help="default: cards")
    parser.add_argument("--url", metavar="ADDRESS", help="where the devices find this server; default: [host] url")
    parser.add_argument("--follow", metavar="ADDRESS", help="the https address of the folder that the devices follow")
    about = "a public key that signs what is published there, or its file; may stand more than once"
    parser.add_argument("--trust", action="append", default=[], metavar="KEY", help=about)
    parser.add_argument("--json", action="store_true", help="for programs")
    add_config(parser)
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Make them; 64 when the list or the host refuses, 75 when no host runs here, 78 for wrong settings."""
    return with_host(given.config, "kontor fleet enrol", lambda hosts: _enrol(hosts, given))


def _enrol(hosts: Hosts, given: argparse.Namespace) -> None:
    rows = read_list(given.list, hosts.rooms)
    keys = _keys(given.follow, given.trust, any(row.group for row in rows))
    made: list[dict[str, Any]] = []
    for row in rows:
        answer = invitation(hosts, row.room, row.id, row.name, given.url)
        text = answer["toml"] + (wifi_toml(row.ssid, row.password) if row.ssid else "")
        text += follow_toml(given.follow, keys, row.group) if given.follow else ""
        path = given.out / row.id / "kontor.toml"
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            atomic_write(path, text.encode())
        except OSError as error:
            raise HostSays(f"{path} cannot be written: {error.strerror}.") from error
        made.append({"id": row.id, "room": row.room, "file": str(path), "expires": answer["expires"]})
    lines = [f"{each['file']}: {each['id']} for {each['room']}" for each in made]
    lines += ["Each lets one device in, once, within a day. Put it onto the boot partition of that device's card."]
    show({"devices": made}, lines, as_json=given.json)
    if advice := only_here(given.url or hosts.page):
        print(advice, file=sys.stderr)


def _keys(follow: str | None, trust: list[str], groups: bool) -> list[str]:
    """The public keys that the devices trust, looked at before anything is asked of the host.

    :raises HostSays: they are none, or what is to be followed is none.
    """
    from appliance.commands.keys import public_key
    from appliance.provisioning.signing import KeyRefused

    if not follow and (trust or groups):
        raise HostSays("Groups and --trust are for devices that follow: name the folder with --follow.")
    try:
        keys = [str(public_key(text)) for text in trust]
        if follow:
            load([Source("--follow", f"schema = {SCHEMA}\n{follow_toml(follow, keys)}".encode())], ())
    except (KeyRefused, SettingsError) as error:
        raise HostSays(str(error)) from None
    return keys


def read_list(path: Path, rooms: tuple[str, ...]) -> list[Row]:
    """The rows of the list; nothing is asked of the host before all of them are right.

    :param rooms: those that the host holds.
    :raises HostSays: what is wrong with it, each on a line of its own.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        return rows_of(content.decode("utf-8-sig"), rooms)
    except OSError as error:
        raise HostSays(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise HostSays(f"{path} is not UTF-8: save it as CSV UTF-8.") from None
    except BadList as bad:
        raise HostSays("\n".join(f"{path}: {line}" for line in str(bad).splitlines())) from None


def rows_of(text: str, rooms: tuple[str, ...]) -> list[Row]:
    """The rows in the text of a CSV file (RFC 4180), whose columns are parted by "," or, as some Excel writes it, ";".

    :raises BadList: it names every line that is wrong.
    """
    if len(text) > _LARGEST:
        raise BadList(f"It is larger than {_LARGEST} bytes.")
    first = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if ";" in first and "," not in first else ",", strict=True)
    try:
        columns = [str(name).strip().lower() for name in reader.fieldnames or ()]
        _check_columns(columns)
        reader.fieldnames = columns
        lines = [(reader.line_num, line) for line in reader]
    except csv.Error as error:
        raise BadList(f"It is no CSV: {error}.") from None
    if not 1 <= len(lines) <= MOST_ROWS:
        raise BadList(f"It has {len(lines)} rooms; from 1 to {MOST_ROWS} can be made at a time.")
    rows = [(number, _row(line, rooms)) for number, line in lines]
    problems = [f"line {number}: {problem}" for number, row in rows for problem in _problems(row, rooms)]
    problems += [f"line {number}: has more values than columns." for number, line in lines if None in line]
    problems += _twice(rows)
    if problems:
        raise BadList("\n".join(problems))
    return [row for _, row in rows]


def _check_columns(columns: list[str]) -> None:
    for name in columns:
        if name not in COLUMNS:
            hint = did_you_mean(name, COLUMNS) or f"There are: {', '.join(COLUMNS)}."
            raise BadList(f'line 1: there is no column "{name}". {hint}')
    if "name" not in columns or len(set(columns)) < len(columns):
        raise BadList("line 1: names the columns, each once, and name among them.")


def _row(line: Mapping[str | None, Any], rooms: tuple[str, ...]) -> Row:
    # A password may begin or end with a space; everything else is as people type it.
    name, device, room, ssid = (str(line.get(key) or "").strip() for key in COLUMNS[:4])
    password, group = str(line.get("password") or ""), str(line.get("group") or "").strip()
    only = rooms[0] if len(rooms) == 1 else ""
    return Row(device or identity_of(name), name, room or only, ssid, password, group)


def _problems(row: Row, rooms: tuple[str, ...]) -> Iterator[str]:
    if not is_name(row.name):
        yield "name has to be 1 to 64 printable characters."
    if not _IDENTIFIER.fullmatch(row.id):
        yield f'"{row.id}" is no id: {_LETTERS}.'
    if row.group and not _IDENTIFIER.fullmatch(row.group):
        yield f'"{row.group}" is no group: {_LETTERS}.'
    if row.room not in rooms:
        hint = did_you_mean(row.room, rooms) or f"There are: {', '.join(rooms) or 'none'}."
        yield f'there is no room "{row.room}". {hint}' if row.room else f"room is missing. {hint}"
    if len(row.ssid.encode()) > _MOST_SSID:
        yield f"ssid has more than {_MOST_SSID} bytes."
    if row.password and not row.ssid:
        yield "has a password and no ssid."
    if row.password and len(row.password.encode()) not in _PASSWORD:
        yield f"password has to have {_PASSWORD[0]} to {_PASSWORD[-1]} characters."


def _twice(rows: list[tuple[int, Row]]) -> list[str]:
    seen: dict[str, int] = {}
    return [
        f'line {number}: the id "{row.id}" is that of line {seen[row.id]}.'
        for number, row in rows
        if seen.setdefault(row.id, number) != number
    ]
