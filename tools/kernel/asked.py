"""One job of a guest (:mod:`tools.kernel.agent`), as whoever asked for it hears of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

SLOW, LATE = 20, 60.0
"""A second of a guest's may take so many of the host's; and so many seconds more may an answer take."""


class JobError(Exception):
    """No answer came: the guest is gone, or the job's time is up; with what it had said."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A job that has run: its exit code, all it said, the result that a function left, and what it raised."""

    code: int
    output: str
    result: str | None = None
    raised: str = ""


def ask(
    send: Callable[[dict[str, Any]], object],
    receive: Callable[[float], Mapping[str, Any] | None],
    order: dict[str, Any],
    seconds: float,
    echo: Callable[[str], object] | None = None,
) -> Finished:
    """Have a job done, and hear it to its end.

    :param receive: gives the next message, or None when there is none until that time of the host's monotonic clock.
    :param seconds: of the guest's.
    :param echo: called with what it says, as it comes.
    :raises JobError: there is no answer.
    """
    said: list[str] = []
    end = time.monotonic() + SLOW * seconds + LATE
    try:
        send(order)
        while (message := receive(end)) is not None:
            if "output" in message:
                said.append(message["output"])
                if echo:
                    echo(message["output"])
            elif message["in_time"]:
                return Finished(message["ended"], "".join(said), message["result"], message.get("raised", ""))
            else:
                break
    except (EOFError, OSError) as error:
        raise JobError(f"is gone; it said:\n{''.join(said)}") from error
    raise JobError(f"took longer than {seconds:g} s and said:\n{''.join(said)}")
