"""What the commands that ask a running host share: one request over its control socket, one sentence when it is refused."""

import http.client
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from appliance.commands.part import load_settings
from appliance.core.exits import Exit
from appliance.settings import Settings

Answer: TypeAlias = Mapping[str, Any]

_PATIENCE = 10.0
"""Seconds: a key is written to the disk before the answer."""


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

    def ask_room(self, method: str, room: str, *parts: str) -> Answer:
        """Ask for ``/rooms/ROOM/PARTS…`` whichever process holds the room.

        :raises HostSays: it refuses.
        :raises OSError: it does not run, or does not answer.
        """
        return _ask(self._paths[self._shard_of(self._settings, room)], method, "rooms", room, *parts)

    def ask_device(self, device: str, action: str) -> Answer:
        """Ask for ``/devices/DEVICE/ACTION`` the process that holds its room; raises as :meth:`ask_room`."""
        room = next((known.room for known in self._settings.host.devices if known.id == device), "")
        return _ask(self._paths[self._shard_of(self._settings, room)], "POST", "devices", device, action)

    def ask_all(self, what: str) -> list[Answer]:
        """Ask every process for ``/WHAT``; raises as :meth:`ask_room`."""
        return [_ask(path, "GET", what) for path in self._paths]


def _ask(path: Path, method: str, *parts: str) -> Answer:
    connection = _OverUnix(path)
    try:
        connection.request(method, "/" + "/".join(quote(part, safe="") for part in parts))
        response = connection.getresponse()
        body = response.read().decode()
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        connection.close()
    if response.status != 200:
        raise HostSays(body.strip())
    answer: Answer = json.loads(body)
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
