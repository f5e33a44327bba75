"""``kontor host device``, and how devices become members: ``kontor host member add`` and ``invite``."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from appliance.commands import Subparsers
from appliance.commands.host_control import Answer, Hosts, HostSays, action, group, only_here, show
from appliance.core.documents import KINDS
from appliance.settings import identity_of
from appliance.settings.store import atomic_write


def register_device(actions: Subparsers) -> None:
    """Add ``kontor host device``."""
    doing = group(actions, "device", "see and look after devices")
    action(doing, "list", "list the devices, those that are awaited, and those that ask to be let in", _list)
    parser = action(doing, "admit", "let in a device that asks", _admit, "id")
    parser.add_argument("--key", metavar="FINGERPRINT", required=True, help="of its key, as the device itself shows it")
    action(doing, "revoke", "send a device out and let it in no more", _act, "id")
    action(doing, "allow", "let a revoked device in again", _act, "id")
    action(doing, "forget", "know a device no more that was added, or is awaited", _forget, "id")


def register_new_devices(doing: Subparsers) -> None:
    """Add what makes a device a member to ``kontor host member``."""
    parser = action(doing, "add", "make a device a member by its public key", _add, "room", "id")
    parser.add_argument("--key", metavar="KEY", required=True, help="its public key, as kontor key prints it there")
    parser.add_argument("--name", required=True, help="what people read")
    about = "make the kontor.toml for the card of a new device: its one-use token is good for a day"
    parser = action(doing, "invite", about, _invite, "room")
    parser.add_argument("--name", required=True, help="what people read")
    parser.add_argument("--id", help="what tells it from others; default: made from the name")
    parser.add_argument("--url", metavar="ADDRESS", help="where the device finds this server; default: [host] url")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write it there instead of printing it")


def _list(hosts: Hosts, given: argparse.Namespace) -> None:
    answers = hosts.ask_all("devices")
    found = {what: [each for answer in answers for each in answer[what]] for what in ("devices", "invited", "asking")}
    lines = [_line(device, f"{device['room']}, {_how(device)}") for device in found["devices"]]
    lines += [_line(each, f"{each['room']}, awaited until {_time(each['expires'])}") for each in found["invited"]]
    lines += [_line(each, f"{each['room']}, {_asks(each)}, key {each['key']}") for each in found["asking"]]
    show(found, lines or ["There is no device."], as_json=given.json)


def _line(device: Answer, what: str) -> str:
    return f"{device['id']:24} {device['name']:24} {what}"


def _asks(asking: Answer) -> str:
    return "asks to be let in" + (" in the place of the one that is known" if asking["replaces"] else "")


def _how(device: Answer) -> str:
    if device["revoked"]:
        return "revoked"
    report = device["report"] or {}
    versions = [f"{scope} {report[scope]}" for scope in KINDS if scope in report]
    settings = f", settings {report['config']}" if "config" in report else ""
    words = f"{settings} ({', '.join(versions)})" if versions else settings
    return ("in the room" if device["here"] else "not in the room") + words


def _act(hosts: Hosts, given: argparse.Namespace) -> None:
    answer = hosts.ask_device(given.id, given.doing)
    show(answer, [f"{given.id}: {_how(answer)}."], as_json=given.json)


def _admit(hosts: Hosts, given: argparse.Namespace) -> None:
    room = hosts.room_of("asking", given.id)
    if not room:
        raise HostSays("This device does not ask to be let in; it asks every half minute.")
    answer = hosts.ask_room("POST", room, "devices", given.id, "admit", body={"key": given.key})
    show(answer, [f"{given.id} is let in: it comes within half a minute."], as_json=given.json)


def _forget(hosts: Hosts, given: argparse.Namespace) -> None:
    room = hosts.room_of("devices", given.id) or hosts.room_of("invited", given.id)
    if not room:
        raise HostSays("There is no such device.")
    answer = hosts.ask_room("DELETE", room, "devices", given.id)
    show(answer, [f"{given.id} is known no more."], as_json=given.json)


def _add(hosts: Hosts, given: argparse.Namespace) -> None:
    body = {"id": given.id, "name": given.name, "key": given.key}
    answer = hosts.ask_room("POST", given.room, "devices", "add", body=body)
    show(answer, [f"{given.id} may come in. The fingerprint of its key: {answer['key']}"], as_json=given.json)


def _invite(hosts: Hosts, given: argparse.Namespace) -> None:
    answer = invitation(hosts, given.room, given.id or identity_of(given.name), given.name, given.url)
    until = f"Good for one device, until {_time(answer['expires'])}."
    if advice := only_here(given.url or hosts.page):
        print(advice, file=sys.stderr)
    if given.out is None:
        show(answer, [answer["toml"].rstrip()], as_json=given.json)
        print(f"{until} Put it onto the boot partition of the card, as kontor.toml.", file=sys.stderr)
        return
    try:
        atomic_write(given.out, answer["toml"].encode())
    except OSError as error:
        raise HostSays(f"{given.out} cannot be written: {error.strerror}.") from error
    told = {key: value for key, value in answer.items() if key != "toml"} | {"file": str(given.out)}
    show(
        told, [f"{given.out}: put it onto the boot partition of the card, as kontor.toml. {until}"], as_json=given.json
    )


def invitation(hosts: Hosts, room: str, device: str, name: str, url: str | None) -> dict[str, Any]:
    """Ask the host to expect a device; what it says, with the whole file under "toml".

    :raises HostSays: it refuses, or nobody knows where the device would find it.
    """
    address = url or hosts.page
    if not address:
        raise HostSays("The port of this server is not known beforehand, so give its address with --url.")
    return dict(hosts.ask_room("POST", room, "devices", "invite", body={"id": device, "name": name, "url": address}))


def _time(unix: int) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d %H:%M UTC")
