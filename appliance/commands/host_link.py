"""``kontor host link``: a link that lets one person into a room, into several, or into all of them."""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from appliance.commands import Subparsers
from appliance.commands.host_control import only_here
from appliance.commands.part import add_config, load_settings
from appliance.core.exits import Exit
from appliance.core.roster import Kind, Role
from appliance.core.tokens import Claims, issue
from appliance.settings import HostedRoom, HostSettings, Settings, identity_of, page_url
from appliance.settings.problems import did_you_mean

_DAY = 86_400
_MOST_DAYS = 3_650


def register_link(actions: Subparsers) -> None:
    """Add the action."""
    parser = actions.add_parser("link", help="print a link that lets one person into a room, or into several")
    parser.add_argument("rooms", metavar="ROOM", nargs="*", help="the id of a room")
    parser.add_argument("--all", action="store_true", help="into every room that the settings name")
    parser.add_argument("--name", required=True, help="the person's name, as the others read it")
    parser.add_argument("--role", choices=get_args(Role), default="speaker", help="default: speaker")
    parser.add_argument("--bridge", action="store_true", help="for kontor bridge, not for a person")
    parser.add_argument("--days", type=_days, default=30, help="how long the link is good; default: 30")
    parser.add_argument("--id", help="what tells this person from others; default: made from the name")
    parser.add_argument("--key", metavar="KEY_ID", help="the key that signs; default: the newest of the room")
    parser.add_argument("--url", metavar="ADDRESS", help="the address of the page; default: [host] url")
    parser.add_argument("--json", action="store_true", help="for programs")
    add_config(parser, inherited=True)
    parser.set_defaults(run=run)


class _NoLink(Exception):
    """One sentence."""

    exit = Exit.USAGE


class _NoKeyYet(_NoLink):
    """The host has to run once first."""

    exit = Exit.TRY_AGAIN


def run(given: argparse.Namespace) -> int:
    """Print the link; 64 for a wrong command line, 75 before the host's first start, 78 for settings that cannot be used."""
    settings = load_settings(given.config, {"host"})
    if settings is None:
        return Exit.CONFIGURATION
    try:
        made = _link(given, settings, time.time())
    except _NoLink as error:
        print(f"kontor host link: {error}", file=sys.stderr)
        return error.exit
    if given.json:
        print(json.dumps(made, indent=2, ensure_ascii=False))
        return 0
    print(made["link"])
    print(_advice(given, made), file=sys.stderr)
    return 0


def _link(given: argparse.Namespace, settings: Settings, now: float) -> Mapping[str, Any]:
    host = settings.host
    rooms = _rooms(given, host)
    if given.bridge and (len(rooms) > 1 or given.role not in ("speaker", "admin")):
        raise _NoLink("a bridge is in one room on each side, and speaks there: name one room, and no other --role.")
    identity = given.id or identity_of(given.name)
    expires = int(now) + given.days * _DAY
    found = [_into(room, given, settings, identity, now) for room in rooms]
    path = rooms[0].id if len(rooms) == 1 else ""  # with several the page begins with all of them side by side
    about = {"identity": identity, "name": given.name, "role": given.role, "expires": expires}
    told = [{key: each[key] for key in ("room", "title", "key_id")} for each in found]
    return {
        "link": f"{_page(given.url, host)}/{path}#{'&'.join(each['token'] for each in found)}",
        **(told[0] if len(told) == 1 else {"rooms": told}),
        **about,
    }


def _into(
    room: HostedRoom, given: argparse.Namespace, settings: Settings, identity: str, now: float
) -> Mapping[str, str]:
    """A token for one room, and what to tell of it."""
    from appliance.app.places import state_of
    from appliance.host.room_store import folder_of, title_of

    state = state_of(settings, "host")
    if identity in _devices(settings, room.id):
        raise _NoLink(f'"{identity}" is a device of this server, name another --id.')
    keys = _keys(room, state, now)
    key_id = given.key or next(iter(keys))
    if key_id not in keys:
        raise _NoLink(f'the room "{room.id}" has no key "{key_id}", it has: {", ".join(keys)}.')
    kind: Kind = "bridge" if given.bridge else "person"
    claims = Claims(room.id, identity, given.name, given.role, kind, int(now) + given.days * _DAY, key_id)
    try:
        token = issue(claims, keys[key_id])
    except ValueError as error:
        raise _NoLink(str(error)) from error
    return {
        "room": room.id,
        "title": title_of(folder_of(state, room.id), room.label),
        "key_id": key_id,
        "token": token,
    }


def _rooms(given: argparse.Namespace, host: HostSettings) -> list[HostedRoom]:
    """Those that are asked for, each once."""
    if bool(given.rooms) is given.all:
        raise _NoLink("name a room or several, or all of them with --all.")
    wanted = [room.id for room in host.rooms] if given.all else dict.fromkeys(given.rooms)
    return [_room(each, host) for each in wanted] or [_room("", host)]


def _devices(settings: Settings, room: str) -> set[str]:
    """Those that may come in: whoever came by a link with the same identity would take their place."""
    from appliance.app.one_box import is_member
    from appliance.app.places import state_of
    from appliance.host.registry import RegistryError, stored_devices
    from appliance.host.room_store import folder_of

    own = {settings.device.identity} if is_member(settings) else set()
    try:
        own |= stored_devices(folder_of(state_of(settings, "host"), room))
    except RegistryError as error:
        raise _NoLink(str(error)) from error
    return own | {device.id for device in settings.host.devices}


def _keys(room: HostedRoom, state_dir: Path, now: float) -> Mapping[str, bytes]:
    """The keys of the room by id, the one that signs first: of the settings, or those that the host keeps."""
    from appliance.host.room_store import StoreError, folder_of, new_key, read_keys, write_keys

    if room.key_files:
        return {name: file.read() for name, file in room.key_files.items()}
    folder = folder_of(state_dir, room.id)
    try:
        keys = read_keys(folder)
        # A first key is made only where the host could read it: by whoever owns its folder.
        home = state_dir if state_dir.is_dir() else state_dir.parent
        if not keys and home.is_dir() and home.stat().st_uid == os.geteuid():
            keys = (new_key(now),)
            write_keys(folder, keys)
    except (OSError, StoreError) as error:
        raise _NoLink(f"the keys of the room cannot be had: {error}") from error
    if not keys:
        raise _NoKeyYet("the room has no key yet: start the server once, with kontor host.")
    return {key.id: key.secret for key in keys}


def _room(wanted: str, host: HostSettings) -> HostedRoom:
    for room in host.rooms:
        if room.id == wanted:
            return room
    known = [room.id for room in host.rooms]
    if not known:
        raise _NoLink("this server has no rooms yet, write one into the settings: [[host.rooms]]")
    hint = did_you_mean(wanted, known) or f"There are: {', '.join(known)}."
    raise _NoLink(f"there is no such room. {hint}")


def _page(url: str | None, host: HostSettings) -> str:
    try:
        page = page_url(url) if url else host.page
    except ValueError as error:
        raise _NoLink(f"--url {error}.") from error
    if not page:
        raise _NoLink("the port of the page is not known beforehand, so give its address with --url.")
    return page


def _advice(given: argparse.Namespace, made: Mapping[str, Any]) -> str:
    until = datetime.fromtimestamp(int(made["expires"]), UTC).date().isoformat()
    titles = [each["title"] for each in made.get("rooms", [made])]
    lines = [
        f"For {given.name} as {given.role} in {', '.join(titles)}, good until {until}.",
        "Whoever has this link is let in under that name: send it to nobody else.",
    ]
    if given.bridge:
        lines[1] = "Put it into a file that only its reader may read, and start: kontor bridge FILE OTHER-FILE"
    return "\n".join(filter(None, [*lines, only_here(str(made["link"]))]))


def _days(text: str) -> int:
    days = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0
    if not 1 <= days <= _MOST_DAYS:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {_MOST_DAYS}")
    return days
