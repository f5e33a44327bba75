"""Link's end of the process that holds ntgcalls: it is started here, fed, listened to, and missed when it is gone.

The exchange thread hands blocks over and takes what is heard, both without waiting; the loop starts, joins and ends. A lock
lies between, so that no socket is closed while it is used; it is held for as long as a message is copied.
"""

import asyncio
import base64
import contextlib
import os
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from appliance.core.counters import Counters
from appliance.core.reconnect import Fault
from appliance.core.units import Pcm
from appliance.rooms import telegram_pipe as pipe
from appliance.rooms.signalling import Lost

CHILD = "appliance.rooms.telegram_child"
"""The module that is the process."""
_STARTS = 10.0
"""Seconds until the process says that it is ready: on a board that takes its time it loads 12 MB first."""
_ANSWERS = 5.0
_CONNECTS_SOON, _CONNECTS = 2.0, 11.5
"""Seconds that are enough on any network, and after which ntgcalls has told that it gave up (10 s) if it has.

Version 3.0.5 does not tell that it is connected when it was so before it looked, which happens on a busy machine; it does not
give up then either. So what comes to its sockets counts (docs/adr/0228).
"""
SILENT = 10.0
"""Seconds without a packet from the server after which the connection is lost: both ends check every few seconds."""
_ENDS = 1.0
_MOST_AT_ONCE = 32
"""Messages that are taken down in one turn: what a stall of 300 ms has left."""
_ANYTHING = "anything"
_MOST_PIECES = 16
"""Pieces that it waits for; it asks again for what it does not get."""
_FINAL = frozenset({"TIMEOUT", "FAILED", "CLOSED"})

_HANGS = 5.0
"""Seconds without a word of the process, which says one a second."""

_GONE = "The part of Kontor that carries Telegram's sound ended, and is started again."
_NO_MEDIA = "Telegram's server for sound is not reached: the network has to let UDP through."


class Media:
    """One process, and at most one call in it. ``proof`` is told of violations that it found (why, how many).

    :param proof_found: told on the loop.
    """

    def __init__(self, counters: Counters, proof_found: Callable[[str, int], None]) -> None:
        self._counters, self._proof_found = counters, proof_found
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._up: socket.socket | None = None
        self._down: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._waiting: dict[str, asyncio.Future[Mapping[str, Any]]] = {}
        self._in = bytearray(pipe.MOST_DOWN)
        self._view = memoryview(self._in)
        self._known: dict[str, int] = {}
        self._alive_at = 0.0
        self._heard: float | None = None
        """When the server was last heard of, as the process tells: it knows from the first packet after its first look on."""
        self._connected_at: float | None = None
        self._state = ""
        """Of the connection, as ntgcalls told last."""
        self.pieces: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue(_MOST_PIECES)
        """What the library asks for to play a voice chat that comes in pieces: "time" and "limit" say which."""
        self.ended = asyncio.Event()
        """The process is gone, or its call is."""
        self.ended.set()
        self.why = _GONE
        self.source: int | None = None
        """Under which the call sends, as TL has it: signed; None without a call."""

    # ---- the exchange thread

    def tell(self, kind: bytes) -> bool:
        """A word without sound; whether it was taken."""
        with self._lock:
            return self._up is not None and pipe.send(self._up, kind)

    def send(self, pcm: Pcm) -> bool:
        """A gated block; whether it was taken."""
        with self._lock:
            return self._up is not None and pipe.send(self._up, pipe.block(pcm))

    def receive(self, put: Callable[[int, Pcm], None]) -> None:
        """Give ``put`` all that came down: a source, unsigned, and 480 samples that are good until it returns."""
        for _ in range(_MOST_AT_ONCE):
            with self._lock:
                if self._down is None:
                    return
                try:
                    size = self._down.recv_into(self._in, 0, socket.MSG_DONTWAIT)
                except OSError:
                    return
            if not size:
                return
            for source, pcm in pipe.each_heard(self._view[:size]):
                put(source, pcm)

    # ---- the loop

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start the process, unless it runs.

        :raises Lost: it does not start.
        """
        if self._process is not None and self._process.returncode is None and self._control is not None:
            return
        await self.close()
        ours, theirs = zip(*pipe.pairs(), strict=True)
        numbers = [end.fileno() for end in theirs]
        command = [sys.executable, "-P", "-m", CHILD, *map(str, (os.getpid(), *numbers))]
        quiet = asyncio.subprocess.DEVNULL  # what a library writes there may hold keys of a call
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command, pass_fds=numbers, stdin=quiet, stdout=quiet, stderr=quiet
            )
        finally:
            for end in theirs:
                end.close()
            if self._process is None:
                for end in ours:
                    end.close()
        with self._lock:
            self._control, self._up, self._down = ours
        self._known = {}
        self._counters.add("library_starts")
        self.ended.clear()
        self.why = _GONE
        asyncio.get_running_loop().add_reader(ours[0], self._controlled)
        await self._answer("ready", _STARTS)

    async def create(self) -> str:
        """Begin a call: the ``params`` of ``phone.joinGroupCall``. What was before is over.

        :raises Lost: the process does not answer.
        """
        self.source = None
        self.ended.clear()
        self.why = _GONE
        while not self.pieces.empty():
            self.pieces.get_nowait()
        self._ask("create")
        return str((await self._answer("created", _ANSWERS))["params"])

    async def connect(self, params: str, source: int) -> None:
        """Take what the server answered, and wait for the connection.

        :param source: under which we send, once it is connected, as TL has it.
        :raises Lost: there is no way to the server, or the process is gone.
        """
        self._state, self._heard, self._connected_at = "", None, None
        self._ask("connect", params=params)
        loop = asyncio.get_running_loop()
        began = loop.time()
        while self._state != "CONNECTED" and not (loop.time() - began > _CONNECTS_SOON and self.silence < 1.0):
            if self._state in _FINAL or loop.time() - began > _CONNECTS:
                raise Lost(Fault("network"), _NO_MEDIA)
            await self._answer(_ANYTHING, _HANGS)
        self.source, self._connected_at = source, loop.time()

    def unconnected(self, source: int, params: str) -> None:
        """There is nothing to wait for: the server sends pieces of a mix."""
        self._heard = self._connected_at = None
        self._ask("connect", params=params)
        self.source = source

    def give(self, wanted: Mapping[str, Any], piece: bytes | None) -> None:
        """Answer one of :attr:`pieces`; None: it is not there yet."""
        data = None if piece is None else base64.b64encode(piece[: pipe.MOST_PIECE]).decode()
        if self._control is not None:
            pipe.tell(self._control, "piece", segment=wanted["segment"], part=wanted["part"], data=data)

    @property
    def silence(self) -> float:
        """Seconds since the server was last heard of, or the connection came up; infinite when neither ever was."""
        last = max(self._heard or 0.0, self._connected_at or 0.0)
        return asyncio.get_running_loop().time() - last if last else float("inf")

    async def gone(self) -> None:
        """Wait until the process or its call has ended, or hangs. Ends only by raising.

        :raises Lost: it has.
        """
        loop = asyncio.get_running_loop()
        self._alive_at = loop.time()
        while not self.ended.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self.ended.wait()
            if loop.time() - self._alive_at > _HANGS and self._process is not None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
            elif self._heard is not None and self.silence > SILENT:
                raise Lost(Fault("network"), _NO_MEDIA)
        raise Lost(Fault("server"), self.why)

    def _ask(self, what: str, **fields: object) -> None:
        if self._control is None or not pipe.tell(self._control, what, **fields):
            raise Lost(Fault("server"), _GONE)

    async def _answer(self, what: str, seconds: float) -> Mapping[str, Any]:
        """The next message of this kind.

        :raises Lost: it does not come, or another tells that something failed.
        """
        waiting = self._waiting[what] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                answer: Mapping[str, Any] = await waiting
                return answer
        except TimeoutError:
            self._over(_GONE)  # it hangs: the next start ends it
            raise Lost(Fault("server"), _GONE) from None
        finally:
            self._waiting.pop(what, None)

    def _controlled(self) -> None:
        while self._control is not None:
            message = pipe.receive(self._control, pipe.MOST_CONTROL)
            if message is None:
                return
            self._alive_at = asyncio.get_running_loop().time()
            if not message:
                self._over(_GONE)
                return
            try:
                self._told(pipe.told(message))
            except (pipe.PipeJunk, KeyError, TypeError, ValueError):
                self._counters.add("library_junk")

    def _told(self, message: Mapping[str, Any]) -> None:
        anything = self._waiting.get(_ANYTHING)
        if anything is not None and not anything.done():
            asyncio.get_running_loop().call_soon(_wake, anything)
        match message["is"]:
            case "proof":
                self._seen(message)
            case "alive":
                if (ago := message["heard"]) is not None:
                    self._heard = asyncio.get_running_loop().time() - float(ago)
            case "piece":
                with contextlib.suppress(asyncio.QueueFull):
                    self.pieces.put_nowait(message)
            case "failed":
                self._fail(
                    Lost(Fault("server"), f"Telegram's library refused to {message['task']} ({message['why']}).")
                )
            case "state":
                self._state = str(message["state"])
                if self._state in _FINAL and self.source is not None:
                    self.why = _NO_MEDIA
                    self.ended.set()
                self._give(message)
            case _:
                self._give(message)

    def _give(self, message: Mapping[str, Any]) -> None:
        waiting = self._waiting.get(str(message["is"]))
        if waiting is not None and not waiting.done():
            waiting.set_result(message)

    def _seen(self, message: Mapping[str, Any]) -> None:
        for name, counter in (
            ("dropped", "blocks_late"),
            ("unsent", "frames_dropped"),
            ("failures", "encode_failures"),
        ):
            count = int(message[name])
            if more := count - self._known.get(name, 0):
                self._counters.add(counter, more)
            self._known[name] = count
        if more := int(message["violations"]) - self._known.get("violations", 0):
            self._proof_found(str(message["why"]), more)
        self._known["violations"] = int(message["violations"])

    def _fail(self, lost: Lost) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(lost)

    def _over(self, why: str) -> None:
        self._let_go()
        self.why = why
        self.source = None
        self.ended.set()
        self._fail(Lost(Fault("server"), why))

    def _let_go(self) -> None:
        with self._lock:
            sockets = self._control, self._up, self._down
            self._control = self._up = self._down = None
        if sockets[0] is not None:
            asyncio.get_running_loop().remove_reader(sockets[0])
        for sock in sockets:
            if sock is not None:
                sock.close()

    async def close(self) -> None:
        """End the process: it does so when its sockets are closed, else it is killed."""
        self._over(_GONE)
        process, self._process = self._process, None
        if process is None:
            return
        try:
            async with asyncio.timeout(_ENDS):
                await process.wait()
        except (TimeoutError, asyncio.CancelledError) as error:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            if isinstance(error, asyncio.CancelledError):
                raise


def _wake(waiting: asyncio.Future[Mapping[str, Any]]) -> None:
    if not waiting.done():
        waiting.set_result({})
