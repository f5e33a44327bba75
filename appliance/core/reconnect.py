"""When to try again: the one place that decides it, for every engine (DESIGN.md, rule 5)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

FaultKind = Literal["network", "server", "replaced", "refused", "gone", "full", "untrusted"]

_RETRYABLE: frozenset[FaultKind] = frozenset({"network", "server", "full", "untrusted"})

FIRST_WAIT = 0.2
"""Seconds; the longest first wait. Most losses are a moment's."""

LONGEST_ASKED = 3600.0
"""Seconds; a server that asks for more (Retry-After, FLOOD_WAIT) is not believed."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a connection ended or did not come up.

    network: no answer, or cut. server: it failed or is going away. full: no place now. replaced: a newer session of the
    same identity took over (trying again would take turns for ever). refused: wrong or expired key. gone: no such room.
    untrusted: its https is not to be trusted, now; a certificate is renewed and a clock is set without us.
    """

    kind: FaultKind
    retry_after: float | None = None
    """Seconds the other side asks us to wait, if it said so."""


def retryable(fault: Fault) -> bool:
    """Whether trying again can help. All else needs a person."""
    return fault.kind in _RETRYABLE


def probe_pause(waited: float, chance: float) -> float:
    """Seconds to the next attempt to reach a server that did not answer for ``waited`` seconds.

    It costs both sides next to nothing, and who waits long comes back late: never more than 0.8 s.

    :param chance: in [0, 1), so that the members of a room do not all knock in the same moment.
    """
    longest = 0.25 if waited < 60.0 else 0.5 if waited < 600.0 else 0.8
    return longest * (0.7 + 0.3 * chance)


class Reconnect:
    """The waits between attempts: a small first one, doubled up to ``cap``, randomised.

    :param cap: seconds, a property of the engine. What the other side asks for may exceed it.
    :param rng: gives numbers in [0, 1), so that the members of a room do not all return in the same moment.
    :param steady: seconds a connection must have lasted to count as good; one that breaks at once keeps the wait long.
    """

    def __init__(self, cap: float, rng: Callable[[], float], steady: float = 5.0) -> None:
        self._cap = cap
        self._rng = rng
        self._steady = steady
        self._attempts = 0
        self._connected_at: float | None = None

    @property
    def attempts(self) -> int:
        """How many losses there were since the last good connection."""
        return self._attempts

    def connected(self, now: float) -> None:
        """The connection is up."""
        self._connected_at = now

    def lost(self, now: float, error: Fault) -> float | None:
        """The connection was lost or an attempt failed: seconds to wait before the next, or None: do not try again."""
        if self._connected_at is not None and now - self._connected_at >= self._steady:
            self._attempts = 0
        self._connected_at = None
        if not retryable(error):
            return None
        wait = min(self._cap, FIRST_WAIT * 2.0 ** min(self._attempts, 30)) * (0.5 + 0.5 * self._rng())
        self._attempts += 1
        return max(wait, self._asked(error.retry_after))

    def route_changed(self) -> float:
        """The way to the network is another: what failed before tells nothing. Seconds to wait, none."""
        self._attempts = 0
        return 0.0

    def _asked(self, retry_after: float | None) -> float:
        # Comes from the other side, so it may be anything; NaN fails the comparison and counts as not asked.
        if retry_after is None or not retry_after > 0.0:
            return 0.0
        return min(retry_after, LONGEST_ASKED) * (1.0 + 0.1 * self._rng())
