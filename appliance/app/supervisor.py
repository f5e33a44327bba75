"""``kontor run`` and the demo: start the processes, watch them, start them anew; end them in order.

It speaks the service manager's side of sd_notify(3): a child that does not say WATCHDOG=1 for :data:`WATCHDOG` seconds is
killed and started again, as systemd would do on the image. A child that refuses its settings ends everything.
"""

import asyncio
import contextlib
import os
import signal
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from appliance.app.process import PARENT
from appliance.core.events import EventName
from appliance.core.exits import Exit
from appliance.health.journal import Journal

WATCHDOG = 4.0
"""Seconds without a sign of life after which a child is killed."""
_START = 20.0
"""Seconds that a start may take; a Zero 2 W is slow."""
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 5.0
_STEADY = 10.0
"""Seconds of life after which the waits start from the beginning."""
_LOOK = 0.25
_ORDERLY_END = 1.0
"""Seconds in which all children end by themselves, and what the last ones have at least: with the rest of an end it has to be
less than what process.py gives our own, which would be no orderly one after that."""
_AT_LEAST = 0.3
_MOST_EARLY = 16
_FINAL = frozenset({Exit.CONFIGURATION, Exit.USAGE})


@dataclass(slots=True)
class Child:
    """One process to keep alive."""

    name: str
    command: Sequence[str]
    restarted: EventName
    environment: Mapping[str, str] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    ready: bool = False
    seen: float = 0.0

    @property
    def pid(self) -> int:
        """0 while it is not running."""
        return self.process.pid if self.process and self.process.returncode is None else 0


class ChildRefused(Exception):
    """A child ended with an exit code that starting it again cannot mend."""

    def __init__(self, name: str, code: int) -> None:
        super().__init__(f"{name} ended with {code}")
        self.code = code


class Supervisor:
    """Use as an async context manager around :meth:`watch`.

    :param mended: somebody mends settings from afar, so that a child that refuses them is started again.
    """

    def __init__(self, children: Sequence[Child], journal: Journal, *, mended: bool = False) -> None:
        self.children, self._journal = children, journal
        self._final = frozenset[int]() if mended else _FINAL
        self._tasks: list[asyncio.Task[None]] = []
        self._early: dict[int, bool] = {}
        """Whether a process said READY=1 before we learned its pid."""

    async def __aenter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="kontor-")
        self._path = str(Path(self._folder.name) / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(self._path)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._told)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        until = time.monotonic() + _ORDERLY_END
        for child in reversed(self.children):
            await self._end(child, max(_AT_LEAST, until - time.monotonic()))
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()
        self._folder.cleanup()

    async def watch(self) -> None:
        """Keep all children alive until cancelled.

        :raises ChildRefused: a child refuses its settings or its command line.
        """
        self._tasks = [asyncio.ensure_future(self._keep(child)) for child in self.children]
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    async def _keep(self, child: Child) -> None:
        wait = _FIRST_WAIT
        while True:
            began = time.monotonic()
            code = await self._live(child)
            self._journal.tell(EventName.CHILD_ENDED, name=child.name, code=code)
            if code in self._final:
                raise ChildRefused(child.name, code)
            wait = _FIRST_WAIT if time.monotonic() - began > _STEADY else min(2 * wait, _LONGEST_WAIT)
            await asyncio.sleep(wait)
            self._journal.tell(child.restarted, starts=child.starts)

    async def _live(self, child: Child) -> int:
        """One life of a child, from its start to its end; returns its exit code."""
        environment = {**os.environ, **child.environment, "NOTIFY_SOCKET": self._path, PARENT: str(os.getpid())}
        process = await asyncio.create_subprocess_exec(
            *child.command, env=environment, stdin=asyncio.subprocess.DEVNULL, start_new_session=True
        )
        child.process, child.starts = process, child.starts + 1
        child.ready = self._early.pop(process.pid, False)
        child.seen = time.monotonic() + _START - WATCHDOG
        ended = asyncio.ensure_future(process.wait())
        try:
            while not ended.done():
                await asyncio.wait([ended], timeout=_LOOK)
                if time.monotonic() - child.seen > WATCHDOG and not ended.done():
                    self._journal.tell(EventName.CHILD_ENDED, name=child.name, why="no sign of life")
                    process.kill()
                    await ended
            return ended.result()
        finally:
            ended.cancel()
            child.ready = False

    def _told(self) -> None:
        """Messages of children; who sent one is told by the kernel (SO_PASSCRED), not by the message."""
        size = struct.calcsize("3i")
        for _ in range(16):
            try:
                data, ancillary, _, _ = self._socket.recvmsg(4096, socket.CMSG_SPACE(size))
            except OSError:
                return
            pids = [
                struct.unpack("3i", value[:size])[0]
                for level, kind, value in ancillary
                if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS
            ]
            for pid in pids:
                self._heard(pid, b"READY=1" in data)

    def _heard(self, pid: int, ready: bool) -> None:
        for child in self.children:
            if child.pid == pid:
                child.seen = time.monotonic()
                child.ready = child.ready or ready
                return
        self._early[pid] = self._early.get(pid, False) or ready
        while len(self._early) > _MOST_EARLY:
            del self._early[next(iter(self._early))]

    async def _end(self, child: Child, patience: float) -> None:
        process = child.process
        if process is None or process.returncode is not None:
            return
        # A stopped process takes no SIGTERM until it is continued.
        for number in (signal.SIGTERM, signal.SIGCONT):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
        try:
            async with asyncio.timeout(patience):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def kontor(*arguments: str) -> list[str]:
    """The command line of a process of ours."""
    # -P: a folder in which somebody happens to stand is not where our code comes from.
    return [sys.executable, "-P", "-m", "appliance", *arguments]


def device_children(config: Sequence[str], environment: Mapping[str, str] | None = None) -> list[Child]:
    """The two processes of a device. ``config`` are the options that name its settings."""
    extra = dict(environment or {})
    return [
        Child("sound", kontor("sound", *config), EventName.SOUND_RESTARTED, extra),
        Child("link", kontor("link", *config), EventName.LINK_RESTARTED, extra),
    ]
