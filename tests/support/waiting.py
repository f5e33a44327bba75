"""Waiting by looking, for what tells no event."""

import asyncio
import time
from collections.abc import Callable


async def until(met: Callable[[], object], seconds: float = 10.0, what: str = "") -> None:
    """Wait until ``met()`` is true.

    :raises AssertionError: it is not within ``seconds``; ``what`` says what was waited for.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not met():
        assert loop.time() < end, what or f"it did not happen within {seconds} s"
        await asyncio.sleep(0.005)


def wait_for(met: Callable[[], object], seconds: float = 10.0, what: str = "") -> None:
    """The same where there is no loop.

    :raises AssertionError: it is not within ``seconds``; ``what`` says what was waited for.
    """
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, what or f"it did not happen within {seconds} s"
        time.sleep(0.002)
