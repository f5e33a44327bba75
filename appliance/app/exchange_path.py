"""Where sound listens for link: a path that outlives sound under systemd, and is made anew when somebody has removed it."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from appliance.media.exchange import Listener

_FIRST_LISTEN_FD = 3
_LOOK_EVERY = 1.0


def listen(path: Path) -> Listener:
    """Listen at ``path``.

    systemd keeps the path when we restart, and hands its socket over (sd_listen_fds(3)). A path that somebody removed it does
    not make anew: then we do.

    :raises appliance.media.exchange.ExchangeBusy, OSError: see :class:`~appliance.media.exchange.Listener`.
    """
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and _inode(path):
        return Listener(fd=_FIRST_LISTEN_FD)
    return Listener(path)


async def watch(path: Path, connected: Callable[[], bool]) -> None:
    """End when what listens is not at ``path`` any more, and nobody is connected who came by it while it was."""
    began = _inode(path)
    while connected() or _inode(path) == began:  # noqa: ASYNC110 - a removed file tells nobody
        await asyncio.sleep(_LOOK_EVERY)


def _inode(path: Path) -> int:
    """By which a file is told from a later one of the same name; 0: there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0
