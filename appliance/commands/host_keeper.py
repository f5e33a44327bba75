"""``kontor host key``, ``member`` and ``state``: looking after a host that runs. Devices: host_devices.py."""

import argparse
import time
from datetime import UTC, datetime

from appliance.commands import Subparsers
from appliance.commands.host_control import Answer, Hosts, action, finish, group, show
from appliance.commands.host_devices import register_new_devices
from appliance.core.counters import total

_ON_MEMBERS = {
    "mute": "mute a member until it is let speak",
    "unmute": "let a member speak again that was muted",
    "admit": "let a guest or a listener speak",
    "listen": "let a member listen only, for as long as the host runs",
    "remove": "send a member out, for good until it is allowed again",
    "allow": "let somebody in again who was sent out",
}


def register_key(actions: Subparsers) -> None:
    """Add ``kontor host key``."""
    doing = group(actions, "key", "look after the keys that sign the links of a room")
    action(doing, "list", "list the keys of a room", _key_list, "room")
    action(doing, "new", "make a new key: it signs from now on, the older ones go on being good", _key_new, "room")
    action(
        doing, "revoke", "revoke a key: its links are void, who came in by it is sent out", _key_revoke, "room", "key"
    )


def register_member(actions: Subparsers) -> None:
    """Add ``kontor host member``."""
    doing = group(actions, "member", "see and look after who is in a room")
    action(doing, "list", "list who is in a room, and who was sent out", _member_list, "room")
    for name, about in _ON_MEMBERS.items():
        action(doing, name, about, _member_act, "room", "id")
    parser = action(doing, "mute-new", "mute whoever comes in from now on, or no longer", _mute_new, "room")
    parser.add_argument("switch", choices=("on", "off"))
    register_new_devices(doing)


def register_title(actions: Subparsers) -> None:
    """Add ``kontor host title``."""
    parser = actions.add_parser("title", help="call a room otherwise, for everybody in it at once")
    parser.add_argument("room", metavar="ROOM", help="the id of the room, which stays")
    parser.add_argument("title", metavar="TITLE", help="what people read, 1 to 64 characters")
    finish(parser, _title)


def register_recording(actions: Subparsers) -> None:
    """Add ``kontor host recording``."""
    parser = actions.add_parser("recording", help="announce that a room is recorded, and wait until it may begin")
    parser.add_argument("room", metavar="ROOM", help="the id of the room")
    parser.add_argument("switch", choices=("on", "off"))
    parser.add_argument("--name", help="who records, as everybody in the room reads it")
    finish(parser, _recording)


def register_state(actions: Subparsers) -> None:
    """Add ``kontor host state``."""
    parser = actions.add_parser("state", help="tell how many are in which room, and what was counted")
    finish(parser, _state)


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
        "listen": "only listens",
        "remove": "sent out",
        "allow": "allowed",
    }
    show(answer, [f"{given.id}: {done[given.doing]}."], as_json=given.json)


def _mute_new(hosts: Hosts, given: argparse.Namespace) -> None:
    answer = hosts.ask_room("POST", given.room, "mute-new", given.switch)
    words = "Whoever comes in anew is muted." if answer["mute_new"] else "Whoever comes in may speak."
    show(answer, [words], as_json=given.json)


# ---- the room


def _title(hosts: Hosts, given: argparse.Namespace) -> None:
    answer = hosts.ask_room("PUT", given.room, "title", body={"title": given.title})
    show(answer, [f'{given.room} is called "{answer["title"]}".'], as_json=given.json)


def _recording(hosts: Hosts, given: argparse.Namespace) -> None:
    body = {"name": given.name} if given.name is not None else {}
    answer = hosts.ask_room("POST", given.room, "recording", given.switch, body=body)
    time.sleep(answer["begins_in"] if given.switch == "on" else 0.0)  # whoever starts the recorder next does so in time
    others = "Somebody else still records." if answer["recording"] else "Nobody records any more: everybody is told."
    show(answer, ["Everybody knows: record now." if given.switch == "on" else others], as_json=given.json)


# ---- the whole


def _state(hosts: Hosts, given: argparse.Namespace) -> None:
    answers = hosts.ask_all("state")
    rooms = [room for answer in answers for room in answer["rooms"]]
    lines = [f"{room['id']:24} {room['members']} here, {room['connected']} connected" for room in rooms]
    counters = total(*(answer["counters"] for answer in answers))
    show({"rooms": rooms, "counters": counters}, lines, as_json=given.json)
