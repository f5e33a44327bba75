"""The life of every process of ours: one TaskGroup, vital tasks, an orderly end.

A vital task that ends, even normally, ends the process with 70, so that whoever watches it starts it anew (DESIGN.md,
rule 1). SIGTERM and SIGINT end it with 0 within two seconds. A child ends with its parent.
"""

import asyncio
import contextlib
import ctypes
import gc
import os
import resource
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from appliance.core.events import EventName, Severity
from appliance.core.exits import Exit
from appliance.health.journal import Journal
from appliance.health.notify import Notifier
from appliance.settings.store import give

T = TypeVar("T")

PARENT = "KONTOR_PARENT"
"""Environment variable with the pid that a child must not outlive."""
_PR_SET_PDEATHSIG = 1
_GRACE = 1.8
"""Seconds that an orderly end may take before the process ends all the same."""
_BEAT = 0.5
_LONG_COLLECTION = 0.02
"""Seconds; two blocks of audio."""
PRIORITY = 10
"""Of the threads of a real card where real time is allowed: below whatever drives the card."""
_LOCK_AS_USED = 7  # MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT: what is used stays, nothing is fetched beforehand


class NotAllowed(Exception):
    """The settings ask for something that this process must not do or cannot have; one sentence with the way out."""


class VitalEnded(Exception):
    """A part that must not end has ended. If its cause has a ``code``, the process ends with that instead of 70."""


async def vital(name: str, work: Awaitable[object]) -> None:
    """Run ``work`` as a part without which the process makes no sense.

    :raises VitalEnded: always; also when ``work`` ends without an error.
    """
    try:
        await work
    except asyncio.CancelledError:
        raise
    except Exception as error:
        raise VitalEnded(f"{name} failed: {type(error).__name__}: {error}") from error
    raise VitalEnded(f"{name} ended")


class Collections:
    """Counts garbage collections that took long: they hold every thread up, the audio threads too."""

    def __init__(self) -> None:
        self.long = 0
        self.longest = 0.0
        """Seconds."""
        self._began = 0.0

    def __enter__(self) -> Self:
        gc.callbacks.append(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        gc.callbacks.remove(self._called)

    def _called(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.monotonic()
            return
        took = time.monotonic() - self._began
        self.longest = max(self.longest, took)
        self.long += took > _LONG_COLLECTION


def moved(*counts: Callable[[], int | None]) -> Callable[[], bool]:
    """Whether each of ``counts`` is another one than when it was asked for last: a thread that counts its rounds is alive.

    One that gives None has no thread, and is never missed.
    """
    seen: list[int | None] = [-1] * len(counts)

    def alive() -> bool:
        nonlocal seen
        before, seen = seen, [count() for count in counts]
        return all(now is None or now != then for now, then in zip(seen, before, strict=True))

    return alive


async def beat(
    notifier: Notifier, alive: Callable[[], bool], journal: Journal, words: Callable[[], str] = lambda: ""
) -> None:
    """Tell the watchdog that loop and threads are alive; a stalled loop and long collections are told afterwards.

    :param words: how this process is, in one sentence for people; told whenever it is another one.
    """
    with Collections() as collections:
        await _beat(notifier, alive, journal, words, collections)


async def _beat(
    notifier: Notifier, alive: Callable[[], bool], journal: Journal, words: Callable[[], str], collections: Collections
) -> None:
    due, told, said = time.monotonic(), 0, ""
    while True:
        if collections.long != told:
            told = collections.long
            journal.tell(EventName.LONG_COLLECTION, count=told, longest=round(collections.longest, 3))
        late = time.monotonic() - due
        if late > _BEAT:
            journal.tell(EventName.LOOP_STALLED, seconds=round(late, 2))
        if alive():
            notifier.tell("WATCHDOG=1")
        if (now_said := " ".join(words().split())) != said:
            said = now_said
            notifier.tell(f"STATUS={said}")
        due = time.monotonic() + _BEAT
        await asyncio.sleep(_BEAT)


def end_with_parent() -> None:
    """If a parent of ours started us, be killed when it dies, whatever it died of (prctl(2))."""
    parent = os.environ.pop(PARENT, "")
    if not parent:
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it died before the call
        os._exit(Exit.INTERNAL)


def tune() -> None:
    """Settings of the interpreter for a process with a 10 ms clock (FACTS: switch interval, garbage collection)."""
    sys.setswitchinterval(0.0005)
    gc.collect()
    gc.freeze()


def real_time(priority: int) -> bool:
    """Run this thread, and those that it starts from now on, before all ordinary ones, where we may (sched(7)).

    Returns whether it is so. The service manager may have done it already, and have forbidden us to.
    """
    if os.sched_getscheduler(0) == os.SCHED_FIFO:
        return True
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except PermissionError:
        return False
    return True


def lock_memory() -> bool:
    """Keep our pages in memory where we may (mlock(2)), so that audio never waits for a disk. Returns whether it is so."""
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] != resource.RLIM_INFINITY:
        return False  # beyond a limit every later allocation would fail
    return bool(ctypes.CDLL(None).mlockall(_LOCK_AS_USED) == 0)


def run(
    part: str,
    main: Callable[[asyncio.Event, Journal], Coroutine[Any, Any, None]],
    least: Severity = Severity.INFO,
) -> int:
    """Run ``main(stop, journal)`` until it ends, ``stop`` is set by a signal, or a vital part fails. Returns the exit code.

    :param least: the least grave event that is written to the journal.
    """
    end_with_parent()
    journal = Journal(part, least=least)
    return asyncio.run(_supervise(main, journal))


async def _supervise(main: Callable[[asyncio.Event, Journal], Coroutine[Any, Any, None]], journal: Journal) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, stop, loop)
    try:
        await main(stop, journal)
    except BaseExceptionGroup as group:
        failures = _leaves(group)
        if not all(isinstance(error, VitalEnded) for error in failures):
            raise
        for error in failures:
            journal.tell(EventName.TASK_FAILED, error=str(error))
        return max(int(getattr(error.__cause__, "code", Exit.INTERNAL)) for error in failures)
    return Exit.OK


def _stop(stop: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
    if not stop.is_set():
        stop.set()
        loop.call_later(_GRACE, os._exit, Exit.INTERNAL)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def make_folders(*folders: Path) -> None:
    """Make folders that are not there yet, for this user and its group.

    :raises NotAllowed: one cannot be made; the text says which.
    """
    for folder in folders:
        try:
            if not folder.is_dir():
                folder.mkdir(parents=True, exist_ok=True, mode=0o750)
                give(folder, folder.parent)
        except OSError as error:
            raise NotAllowed(
                f"{folder} cannot be made: {error.strerror}; see [device] state_dir and runtime_dir"
            ) from error


async def until_stopped(stop: asyncio.Event, parts: Mapping[str, Callable[[], Awaitable[object]]]) -> None:
    """Run all ``parts`` as vital tasks until ``stop`` is set, then cancel them and wait for their ends."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_begin(name, part), name=name) for name, part in parts.items()]
        await stop.wait()
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(asyncio.gather(task, return_exceptions=True))


async def unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What ``work`` gives; None when ``stop`` was set before: it is cancelled then, and has ended."""
    task, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((task, stopping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in (stopping, task):
            each.cancel()
        await asyncio.wait((stopping, task))
    return None if task.cancelled() else task.result()


async def _begin(name: str, part: Callable[[], Awaitable[object]]) -> None:
    """Make the part only when its task runs: one that is stopped before leaves nothing behind that nobody awaited."""
    await vital(name, part())
