"""What sound and link do when the caretaker tells them to mend themselves: ``{"do": "mend", "how": …}``."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

NOT_STORED = "the disk does not take how the microphone is muted: after a restart it could be open"
_SOON = 0.05
"""Seconds until a restart begins, so that the answer is out before."""
Handler = Callable[[Mapping[str, object]], Awaitable[Mapping[str, object]]]


def end_soon(end: Callable[[], object]) -> None:
    """End the process in order, once whoever asked for it has its answer; whoever watches it starts it anew."""
    asyncio.get_running_loop().call_later(_SOON, end)


def mending(
    end: Callable[[], object],
    rejoin: Callable[[], Awaitable[None]] | None = None,
    stored: Callable[[], Awaitable[bool]] | None = None,
) -> Handler:
    """Answers ``how``: "restart", or "rejoin".

    :param end: ends the process in order; whoever watches it starts it anew.
    :param rejoin: leaves the room and joins again; None: the process is in none.
    :param stored: stores what the next start has to know, and returns whether it is on the disk: else nothing is restarted.
    """

    async def mend(request: Mapping[str, object]) -> Mapping[str, object]:
        how = request.get("how")
        if how == "rejoin" and rejoin is not None:
            await rejoin()
        elif how == "restart":
            if stored is not None and not await stored():
                raise ValueError(NOT_STORED)
            end_soon(end)
        else:
            raise ValueError("how has to be restart" + (" or rejoin" if rejoin is not None else ""))
        return {"mends": how}

    return mend
