"""A panel that is not there: for the demo and the tests.

It obeys the rules of the real one: edges arrive on a thread of its own, contacts bounce and are debounced, a switch keeps
its position while the power is off (a small file plays the lever). It is moved through :meth:`VirtualPanel.move`, which the
local status socket of sound offers in ``kontor demo`` and tests only (DESIGN.md, rule 3).
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from appliance.core.controls import Event, MuteControl
from appliance.core.lamps import Lamps, Sign
from appliance.panel.contacts import HoldContact, MuteContact
from appliance.panel.port import Hands, View

DARK = Lamps(Sign.STEADY, Sign.OFF, Sign.OFF, Sign.STEADY, 0.0)
"""Before anything is known: the microphone is closed, the daemon not up."""

_CONTACTS = ("mute", "door", "knock")
_TAP = 0.06
"""Seconds that a press lasts."""


class VirtualPanel:
    """``lever`` is the file that keeps the switch's position, or None. ``clock`` can be replaced in tests."""

    def __init__(
        self,
        kind: MuteControl,
        debounce: float = 0.02,
        hold: float = 1.0,
        lever: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.kind = kind
        self._debounce, self._hold, self._lever, self._clock = debounce, hold, lever, clock
        self._edges: queue.SimpleQueue[tuple[float, str, bool] | None] = queue.SimpleQueue()
        self._waiting: list[tuple[float, str, bool]] = []
        self._thread: threading.Thread | None = None
        self._down = self._read_lever()
        self._shown = DARK
        self.ended: Future[None] = Future()
        self.lit: Callable[[Lamps], None] = lambda _lamps: None
        """Told of every change of the lamps, on whatever thread made it; must not block."""

    @property
    def name(self) -> str:
        return f"virtual ({self.kind})"

    @property
    def problem(self) -> str:
        return ""

    @property
    def shown(self) -> Lamps:
        """The lamps as they are lit now."""
        return self._shown

    @property
    def switched_to_mute(self) -> bool:
        """Where the lever stands."""
        return self._down

    @property
    def at_rest(self) -> bool:
        """Whether the mute contact is up and has been still."""
        return not self._mute.contact.down and self._mute.due is None and self._edges.empty()

    def start(self, hands: Hands) -> None:
        self._mute = MuteContact(self.kind, hands, self._debounce)
        self._door = HoldContact(Event.DOOR_PRESSED, hands, self._debounce, self._hold)
        self._hands = hands
        hands.post(Event.PANEL_FOUND)
        self._mute.found(self.kind is MuteControl.LATCHING and self._down)
        self._thread = threading.Thread(target=self._run, name="panel", daemon=True)
        self._thread.start()

    def show(self, view: View) -> None:
        self._light(view.lamps)

    def stop(self) -> None:
        self._edges.put(None)
        if self._thread:
            self._thread.join(1)

    def move(self, contact: str, down: bool) -> None:
        """Move a contact as a hand would: "mute", "door" or "knock". Any thread.

        :raises ValueError: there is no such contact.
        """
        self._put(0.0, contact, down)

    def press(self, contact: str) -> None:
        """Press and release a button: a tap, or for the door as long as it takes.

        :raises ValueError: there is no such contact.
        """
        seconds = self._hold + 2 * self._debounce if contact == "door" else self._debounce
        self._put(0.0, contact, True)
        self._put(seconds + _TAP, contact, False)

    def _put(self, after: float, contact: str, down: bool) -> None:
        if contact not in _CONTACTS:
            raise ValueError(f'there is no contact "{contact}": allowed are {", ".join(_CONTACTS)}')
        self._edges.put((self._clock() + after, contact, down))

    def _run(self) -> None:
        self.ended.set_running_or_notify_cancel()  # from here on a waiter that gives up does not cancel it
        try:
            while self._turn():
                pass
            self.ended.set_result(None)
        except BaseException as error:  # noqa: BLE001 - whatever it is, sound must end with it and not lose its panel
            self.ended.set_exception(error)

    def _turn(self) -> bool:
        try:
            edge = self._edges.get(timeout=self._wait())
            if edge is None:
                return False
            self._waiting.append(edge)
        except queue.Empty:
            pass
        now = self._clock()
        for edge in [edge for edge in self._waiting if edge[0] <= now]:
            self._waiting.remove(edge)
            self._take(edge[1], edge[2], now)
        self._mute.settle(now)
        self._door.settle(now)
        return True

    def _wait(self) -> float | None:
        times = [t for t in (self._mute.due, self._door.due, *(edge[0] for edge in self._waiting)) if t is not None]
        return max(0.0, min(times) - self._clock()) if times else None

    def _take(self, contact: str, down: bool, now: float) -> None:
        if contact == "mute":
            if self._mute.edge(down, now):
                self._light(replace(self._shown, mic=Sign.STEADY))
            self._keep_lever(down)
        elif contact == "door":
            self._door.edge(down, now)
        elif down:
            self._hands.knock()

    def _light(self, lamps: Lamps) -> None:
        if lamps != self._shown:
            self._shown = lamps
            self.lit(lamps)

    def _read_lever(self) -> bool:
        if self.kind is MuteControl.MOMENTARY or self._lever is None:
            return False
        with contextlib.suppress(FileNotFoundError):
            return self._lever.read_text() != "open"  # a file that was never finished reads as muted
        return False

    def _keep_lever(self, down: bool) -> None:
        self._down = down
        if self.kind is MuteControl.LATCHING and self._lever is not None:
            with contextlib.suppress(OSError):  # a full disk leaves an empty file, and must not end the panel
                self._lever.write_text("mute" if down else "open")
