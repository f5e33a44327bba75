"""An event loop whose clock jumps: hours of play in seconds, and the same every time."""

import asyncio
import selectors

START = 1_000.0
"""Where virtual time begins, in seconds: not 0, so that nothing leans on "now is falsy"."""

STUCK_AFTER = 10.0
"""Real seconds with no timer due and nothing ready, after which the loop says that it is stuck."""


class _JumpingSelector(selectors.DefaultSelector):
    """Sockets are looked at for real; waiting for a timer is not done but counted."""

    now = START

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is not None:
            self.now += timeout
            return []
        ready = super().select(STUCK_AFTER)  # only a socket or another thread can wake us now
        if not ready:
            raise RuntimeError(f"virtual time: no timer is set and nothing has woken the loop for {STUCK_AFTER:g} s")
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """``loop.time()`` starts at :data:`START` and jumps to the next timer whenever nothing is ready."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now
