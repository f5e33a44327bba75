"""The local status socket: what ``kontor status`` asks, and how the demo's page reaches the virtual panel.

One JSON object a line each way over a Unix stream socket that only this user (and its group) may open. A request is
``{"do": NAME, ...}``; the answer is one object, or for "watch" one object whenever the state has changed.
"""

import asyncio
import contextlib
import json
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any, cast

LONGEST = 16_384
"""Bytes of a line."""
_MOST_CLIENTS = 16
_CREDENTIALS = struct.Struct("3i")
_WATCH = 0.05
"""Seconds between two looks at what is watched."""

Answer = Mapping[str, object]
Handler = Callable[[Mapping[str, Any]], Awaitable[Answer]]


class StatusServer:
    """``handlers`` maps the names of requests to what answers them; "watch" asks "panel" again and again.

    :param ours: requests that only root and the user of this very process may make.
    """

    def __init__(self, path: Path, handlers: Mapping[str, Handler], ours: Collection[str] = ()) -> None:
        self._path, self._handlers, self._ours = path, handlers, ours
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self.refused = 0

    async def start(self) -> None:
        """Listen; a stale socket of an earlier run is replaced."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        self._server = await asyncio.start_unix_server(self._accept, self._path, limit=LONGEST)
        self._path.chmod(0o660)

    async def stop(self) -> None:
        """End all conversations and remove the socket."""
        if self._server:
            self._server.close()
        for task in list(self._clients):
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        if self._server:
            await self._server.wait_closed()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())  # start_unix_server runs each client in one
        self._clients.add(task)
        try:
            # the client leaves, or we stop: both are ordinary ends of a conversation
            with contextlib.suppress(OSError, asyncio.CancelledError):
                if len(self._clients) > _MOST_CLIENTS:
                    self.refused += 1
                else:
                    await self._talk(reader, writer)
        finally:
            self._clients.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                line = await reader.readline()
            except ValueError:  # longer than the limit
                await _say(writer, {"error": f"a line may have {LONGEST} bytes"})
                return
            if not line:
                return
            request = parse(line)
            if request.get("do") == "watch":
                await self._watch(reader, writer)
                return
            if request.get("do") in self._ours and _peer(writer) not in (0, os.geteuid()):
                await _say(writer, {"error": "only root may ask this"})
            else:
                await _say(writer, await self._answer(request))

    async def _answer(self, request: Mapping[str, Any]) -> Answer:
        handler = self._handlers.get(str(request.get("do")))
        if handler is None:
            return {"error": f"unknown request, allowed are: {', '.join(sorted(self._handlers))}, watch"}
        try:
            return await handler(request)
        except ValueError as error:
            return {"error": str(error)}

    async def _watch(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        last: Answer | None = None
        gone = asyncio.ensure_future(reader.read(1))
        try:
            while not gone.done():
                answer = await self._answer({"do": "panel"})
                if answer != last:
                    await _say(writer, answer)
                    last = answer
                await asyncio.sleep(_WATCH)
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)


def parse(line: bytes | str) -> Mapping[str, Any]:
    """The JSON object in ``line``; an empty one when it is none. Never raises."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return request if isinstance(request, dict) else {}


def _peer(writer: asyncio.StreamWriter) -> int:
    """The user at the other end (unix(7), SO_PEERCRED). In a user namespace all but root and ourselves are nobody."""
    found = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _pid, user, _group = _CREDENTIALS.unpack(found)
    return int(user)


async def _say(writer: asyncio.StreamWriter, answer: Answer) -> None:
    writer.write(json.dumps(answer).encode() + b"\n")
    await writer.drain()


def ask(path: Path, request: Answer, timeout: float = 2.0) -> Mapping[str, Any]:
    """One question, one answer; for commands, which have no loop.

    :raises OSError: nobody listens at ``path``, or it does not answer within ``timeout`` seconds.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        connection.connect(os.fspath(path))
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile("rb") as file:
            return parse(file.readline(1 << 20))
