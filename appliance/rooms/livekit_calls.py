"""Calls of LiveKit's library: each has a limit of ours, and whatever it raises ends the stay, not the process.

The library answers a call from a thread of its own. Where that never happens, or where it raises something that it does not
document (a plain Exception, mostly), another stay begins: core/reconnect.py decides when.
"""

import asyncio
import contextlib
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

from livekit import rtc

from appliance.core.reconnect import Fault
from appliance.rooms.signalling import Lost

T = TypeVar("T")

_CLOSES = 20.0
"""Seconds after which a room that was given up is forgotten, whether the library has closed it or not."""
_LAST_SECONDS = 2.0
_UNANSWERED = "The LiveKit server does not answer."
_UNDONE = "LiveKit's library did not do what it was asked for."


async def answered(call: Awaitable[T], seconds: float, refused: str) -> T:
    """What the library answers.

    :param refused: what it means when it raises instead, one sentence.
    :raises Lost: it does that (``server``), or says nothing for so many ``seconds`` (``network``).
    """
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await call
    except Lost:
        raise
    except Exception:  # noqa: BLE001  # its texts may hold tokens (docs/adr/0220)
        if limit.expired():
            raise Lost(Fault("network"), _UNANSWERED) from None
        raise Lost(Fault("server"), refused) from None


def done(call: Callable[..., T], *given: Any) -> T:
    """What the library does at once.

    :raises Lost: it raises instead (``server``).
    """
    try:
        return call(*given)
    except Exception:  # noqa: BLE001  # as above
        raise Lost(Fault("server"), _UNDONE) from None


def begun(call: Coroutine[Any, Any, T]) -> Awaitable[T]:
    """Let a call of the library run to where it waits for its answer, now; what is given back is the rest of it.

    For what must be asked before anything else happens. Await the rest, which raises what it raised, in the same task.
    """
    try:
        waits_for = call.send(None)
    except StopIteration as done:
        return _known(done.value)
    except Exception as error:  # noqa: BLE001  # told where it is awaited
        return _failed(error)
    return _rest(call, waits_for)


async def _known(value: T) -> T:
    return value


async def _failed(error: Exception) -> Any:
    raise error


@types.coroutine
def _rest(call: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """As ``yield from`` (PEP 380) goes on, but from the first wait."""
    try:
        while True:
            try:
                got = yield waits_for
            except BaseException as error:  # noqa: BLE001  # a task that is cancelled, above all
                waits_for = call.throw(error)
            else:
                waits_for = call.send(got)
    except StopIteration as done:
        value: T = done.value
        return value
    finally:
        call.close()


# ---- what was given up is closed behind our back


class Background:
    """What still ends of an engine. Another engine of the process has its own, and ends when it likes. Loop only."""

    def __init__(self) -> None:
        self._ending: set[asyncio.Task[None]] = set()

    def let(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Let something end of which nobody waits for the end."""
        task = asyncio.create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task

    async def closed(self) -> None:
        """Wait until all that was given up is closed, for a while: a server that is away may keep the library waiting."""
        left = set(self._ending)
        if left:
            _, late = await asyncio.wait(left, timeout=_LAST_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


async def close(room: rtc.Room, settles: float = 0.0) -> None:
    """Out of a room, after so many seconds."""
    await asyncio.sleep(max(0.0, settles))
    with contextlib.suppress(Exception):  # the room is given up, whatever the library thinks of that
        async with asyncio.timeout(_CLOSES):
            await room.disconnect()


async def joined(joining: Coroutine[Any, Any, None], seconds: float, give_up: Callable[[], object]) -> None:
    """Let the library join. It is not interrupted: a session of which nobody knows would throw the next one out.

    :param give_up: called when it has joined although nobody waits for that any more.
    :raises Lost: it has not within so many ``seconds``.
    """
    task = asyncio.ensure_future(joining)
    try:
        async with asyncio.timeout(seconds):
            await asyncio.shield(task)
    except TimeoutError:
        raise Lost(Fault("network"), _UNANSWERED) from None
    finally:
        if not task.done():
            task.add_done_callback(lambda done: None if done.cancelled() or done.exception() else give_up())
