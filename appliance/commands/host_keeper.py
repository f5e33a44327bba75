"""``kontor host key``, ``member``, ``device`` and ``state``: looking after a host that runs."""

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

from appliance.commands import Subparsers
from appliance.commands.host_control import Answer, Hosts, show, with_host
from appliance.commands.part import add_config
from appliance.core.counters import total

Do: TypeAlias = Callable[[Hosts, argparse.Namespace], None]

_OF = {"id": "member or device"}

_ON_MEMBERS = {
    "mute": "mute a member until it is let speak",
    "unmute": "let a member speak again that was muted",
    "admit": "let a guest or a listener speak",
    "remove": "send a member out, for good until it is allowed again",
    "allow": "let somebody in again who was sent out",
}


def register_key(actions: Subparsers) -> None:
    """Add ``kontor host key``."""
    doing = _doing(actions, "key", "look after the keys that sign the links of a room")
    _action(doing, "list", "list the keys of a room", _key_list, "room")
    _action(doing, "new", "make a new key: it signs from now on, the older ones go on being good", _key_new, "room")
    _action(
        doing, "revoke", "revoke a key: its links are void, who came in by it is sent out", _key_revoke, "room", "key"
    )


def register_member(actions: Subparsers) -> None:
    """Add ``kontor host member``."""
    doing = _doing(actions, "member", "see and look after who is in a room")
    _action(doing, "list", "list who is in a room, and who was sent out", _member_list, "room")
    for name, about in _ON_MEMBERS.items():
        _action(doing, name, about, _member_act, "room", "id")
    parser = _action(doing, "mute-new", "mute whoever comes in from now on, or no longer", _mute_new, "room")
    parser.add_argument("switch", choices=("on", "off"))


def register_device(actions: Subparsers) -> None:
    """Add ``kontor host device``."""
    doing = _doing(actions, "device", "see and revoke the devices of the settings")
    _action(doing, "list", "list the devices", _device_list)
    _action(doing, "revoke", "send a device out and let it in no more", _device_act, "id")
    _action(doing, "allow", "let a revoked device in again", _device_act, "id")


def register_state(actions: Subparsers) -> None:
    """Add ``kontor host state``."""
    parser = actions.add_parser("state", help="tell how many are in which room, and what was counted")
    _finish(parser, _state)


def _doing(actions: Subparsers, name: str, about: str) -> Subparsers:
    parser = actions.add_parser(name, help=about)
    doing: Subparsers = parser.add_subparsers(dest="doing", metavar="WHAT", required=True)
    return doing


def _action(doing: Subparsers, name: str, about: str, do: Do, *arguments: str) -> argparse.ArgumentParser:
    parser = doing.add_parser(name, help=about)
    for argument in arguments:
        parser.add_argument(argument, metavar=argument.upper(), help=f"the id of the {_OF.get(argument, argument)}")
    _finish(parser, do)
    return parser


def _finish(parser: argparse.ArgumentParser, do: Do) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")
    add_config(parser, inherited=True)

    def run(given: argparse.Namespace) -> int:
        words = " ".join(word for word in (given.action, getattr(given, "doing", "")) if word)
        return with_host(given.config, f"kontor host {words}", lambda hosts: do(hosts, given))

    parser.set_defaults(run=run)


# ---- keys


def _key_list(hosts: Hosts, given: argparse.Namespace) -> None:
    answer = hosts.ask_room("GET", given.room, "keys")
    lines = [
        f"{key['id']:24} {_made(key['made'])}{', signs new links' if key['signs'] else ''}" for key in answer["keys"]
    ]
    show(answer, lines, as_json=given.json)


def _made(unix: int) -> str:
    return f"made {datetime.fromtimestamp(unix, UTC).date().isoformat()}" if unix else "from the settings"


def _key_new(hosts: Hosts, given: argparse.Namespace) -> None:
    answer = hosts.ask_room("POST", given.room, "keys")
    lines = [f"{answer['key']} signs new links from now on. Links of older keys are good until those are revoked."]
    show(answer, lines, as_json=given.json)


def _key_revoke(hosts: Hosts, given: argparse.Namespace) -> None:
    answer = hosts.ask_room("DELETE", given.room, "keys", given.key)
    lines = [f"{given.key} is revoked, {answer['members']} sent out. {answer['signs']} signs new links."]
    show(answer, lines, as_json=given.json)


# ---- members


def _member_list(hosts: Hosts, given: argparse.Namespace) -> None:
    answer = hosts.ask_room("GET", given.room, "members")
    lines = [_line(member, f"{member['role']}, {member['state'].replace('_', ' ')}") for member in answer["members"]]
    lines += [_line(entry, f"sent out by {entry['by']}") for entry in answer["removed"]]
    lines += ["Whoever comes in anew is muted."] if answer["mute_new"] else []
    show(answer, lines or ["Nobody is here."], as_json=given.json)


def _line(entry: Answer, what: str) -> str:
    return f"{entry['id']:24} {entry['name']:24} {what}"


def _member_act(hosts: Hosts, given: argparse.Namespace) -> None:
    answer = hosts.ask_room("POST", given.room, "members", given.id, given.doing)
    done = {
        "mute": "muted",
        "unmute": "may speak again",
        "admit": "may speak",
        "remove": "sent out",
        "allow": "allowed",
    }
    show(answer, [f"{given.id}: {done[given.doing]}."], as_json=given.json)


def _mute_new(hosts: Hosts, given: argparse.Namespace) -> None:
    answer = hosts.ask_room("POST", given.room, "mute-new", given.switch)
    words = "Whoever comes in anew is muted." if answer["mute_new"] else "Whoever comes in may speak."
    show(answer, [words], as_json=given.json)


# ---- devices


def _device_list(hosts: Hosts, given: argparse.Namespace) -> None:
    devices = [device for answer in hosts.ask_all("devices") for device in answer["devices"]]
    lines = [_line(device, f"{device['room']}, {_device(device)}") for device in devices]
    show({"devices": devices}, lines or ["The settings name no device."], as_json=given.json)


def _device(device: Answer) -> str:
    if device["revoked"]:
        return "revoked"
    return "in the room" if device["here"] else "not in the room"


def _device_act(hosts: Hosts, given: argparse.Namespace) -> None:
    answer = hosts.ask_device(given.id, given.doing)
    show(answer, [f"{given.id}: {_device(answer)}."], as_json=given.json)


# ---- the whole


def _state(hosts: Hosts, given: argparse.Namespace) -> None:
    answers = hosts.ask_all("state")
    rooms = [room for answer in answers for room in answer["rooms"]]
    lines = [f"{room['id']:24} {room['members']} here, {room['connected']} connected" for room in rooms]
    counters = total(*(answer["counters"] for answer in answers))
    show({"rooms": rooms, "counters": counters}, lines, as_json=given.json)
