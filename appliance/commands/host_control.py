"""What the commands that ask a running host share: one request over its control socket, one sentence when it is refused."""

import argparse
import http.client
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from appliance.commands import Subparsers
from appliance.commands.part import add_config, load_settings
from appliance.core.exits import Exit
from appliance.settings import Settings

Answer: TypeAlias = Mapping[str, Any]
_OF = {"id": "member or device"}
_HERE = ("http://localhost", "https://localhost", "http://127.", "https://127.", "http://[::1]", "https://[::1]")

_PATIENCE = 10.0
"""Seconds: a key is written to the disk before the answer."""


def only_here(address: str) -> str:
    """What is said beside an address that leads whoever uses it back to their own machine; "" for others."""
    return (
        "It works on this machine only. For others, set [host] url or give --url." if address.startswith(_HERE) else ""
    )


class HostSays(Exception):
    """The host refused: its sentence."""


class _OverUnix(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("host", timeout=_PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._path))


class Hosts:
    """The running host of these settings: one process, or one for each shard of its rooms."""

    def __init__(self, settings: Settings) -> None:
        from appliance.app.host_shards import control_path, count, shard_of

        self._settings = settings
        self._paths = [control_path(settings, number) for number in range(count(settings))]
        self._shard_of = shard_of

    @property
    def rooms(self) -> tuple[str, ...]:
        """The rooms that it holds, by the settings."""
        return tuple(room.id for room in self._settings.host.rooms)

    @property
    def page(self) -> str:
        """The address of the page; empty when it cannot be known."""
        return self._settings.host.page

    def ask_room(self, method: str, room: str, *parts: str, body: Answer | None = None) -> Answer:
        """Ask for ``/rooms/ROOM/PARTS…`` whichever process holds the room.

        :raises HostSays: it refuses.
        :raises OSError: it does not run, or does not answer.
        """
        return _ask(self._paths[self._shard_of(self._settings, room)], method, "rooms", room, *parts, body=body)

    def ask_device(self, device: str, action: str) -> Answer:
        """Ask for ``/devices/DEVICE/ACTION`` the process that holds its room; raises as :meth:`ask_room`."""
        room = self.room_of("devices", device)
        return _ask(self._paths[self._shard_of(self._settings, room)], "POST", "devices", device, action)

    def room_of(self, what: str, device: str) -> str:
        """The room of a device that is among the "devices", the "invited" or the "asking"; "" when it is not."""
        found = [each for answer in self.ask_all("devices") for each in answer[what] if each["id"] == device]
        return str(found[0]["room"]) if found else ""

    def ask_all(self, what: str) -> list[Answer]:
        """Ask every process for ``/WHAT``; raises as :meth:`ask_room`."""
        return [_ask(path, "GET", what) for path in self._paths]


def _ask(path: Path, method: str, *parts: str, body: Answer | None = None) -> Answer:
    connection = _OverUnix(path)
    try:
        address = "/" + "/".join(quote(part, safe="") for part in parts)
        if body is None:
            connection.request(method, address)
        else:
            connection.request(method, address, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read().decode()
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        connection.close()
    if response.status != 200:
        raise HostSays(text.strip())
    answer: Answer = json.loads(text)
    return answer


def with_host(config: Path | None, name: str, do: Callable[[Hosts], None]) -> int:
    """Let ``do`` ask the host of these settings; 64 when it refuses, 75 when it does not run, 78 for wrong settings.

    :param name: of the command, for what is said when it fails.
    """
    settings = load_settings(config, ())
    if settings is None:
        return Exit.CONFIGURATION
    try:
        do(Hosts(settings))
    except HostSays as says:
        print(f"{name}: {says}", file=sys.stderr)
        return Exit.USAGE
    except PermissionError as error:
        print(f"{name}: only the user that kontor host runs as, and root, may open {error.filename}.", file=sys.stderr)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        text = f"no host is running here: nobody listens at {error.filename}. Start it with: kontor host"
        print(f"{name}: {text}", file=sys.stderr)
    except (OSError, http.client.HTTPException) as error:
        print(f"{name}: the host does not answer: {str(error) or type(error).__name__}", file=sys.stderr)
    else:
        return Exit.OK
    return Exit.TRY_AGAIN


def show(answer: Answer, lines: list[str], *, as_json: bool) -> None:
    """Print it for programs or for people."""
    print(json.dumps(answer, indent=2, ensure_ascii=False) if as_json else "\n".join(lines))


Do: TypeAlias = Callable[[Hosts, argparse.Namespace], None]


def group(actions: Subparsers, name: str, about: str) -> Subparsers:
    """``kontor host NAME``, below which there are several things to do."""
    parser = actions.add_parser(name, help=about)
    doing: Subparsers = parser.add_subparsers(dest="doing", metavar="WHAT", required=True)
    return doing


def action(doing: Subparsers, name: str, about: str, do: Do, *arguments: str) -> argparse.ArgumentParser:
    """One of them, with the arguments that it needs."""
    parser = doing.add_parser(name, help=about)
    for argument in arguments:
        parser.add_argument(argument, metavar=argument.upper(), help=f"the id of the {_OF.get(argument, argument)}")
    finish(parser, do)
    return parser


def finish(parser: argparse.ArgumentParser, do: Do) -> None:
    """Let the parser's command ask the host."""
    parser.add_argument("--json", action="store_true", help="for programs")
    add_config(parser, inherited=True)

    def run(given: argparse.Namespace) -> int:
        words = " ".join(word for word in (given.action, getattr(given, "doing", "")) if word)
        return with_host(given.config, f"kontor host {words}", lambda hosts: do(hosts, given))

    parser.set_defaults(run=run)
