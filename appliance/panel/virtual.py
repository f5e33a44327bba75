"""A panel that is not there: for the demo and the tests.

It is the real panel (:class:`~appliance.panel.deck.Deck`) on lines that obey the rules of real ones: edges arrive on a thread
of their own, a switch keeps its position while the power is off (a small file plays the lever). It is moved through
:meth:`VirtualPanel.move`, which the local status socket of sound offers in ``kontor demo`` and tests only (DESIGN.md, rule 3).
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

from appliance.core.controls import MuteControl
from appliance.core.lamps import LAMPS
from appliance.panel.contacts import Timing
from appliance.panel.deck import Deck
from appliance.panel.layout import Layout
from appliance.panel.lines import CONTACTS, LIT_UNDRIVEN, Edge, Failed, LinesError, Pixels

NO_RING = Layout(pixels=0)
_TAP = 0.06
"""Seconds that a press lasts."""
_REPEAT = 0.2
_PAGE = {"door": "room"}
"""Contacts that the page calls by what they do."""


class VirtualLines:
    """See :class:`appliance.panel.lines.Lines`. ``lever`` is the file that keeps the switch's position, or None."""

    name = "virtual"
    contacts = CONTACTS
    dims = frozenset(LAMPS)
    problem = ""

    def __init__(self, lever: Path | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._lever, self._clock = lever, clock
        self._moves: queue.SimpleQueue[tuple[float, str, bool] | None] = queue.SimpleQueue()
        self._waiting: list[tuple[float, str, bool]] = []
        self._thread: threading.Thread | None = None
        self._down = {"mute": True} if self._kept() else {}
        self.lamps = dict.fromkeys(LIT_UNDRIVEN, 1.0)
        """What is lit, and how brightly."""
        self.lit: Callable[[str, float], None] = lambda _lamp, _brightness: None
        """Told of every change of a lamp, on whatever thread made it; must not block."""
        self.broken = ""
        """Why the lines cannot be had from now on, as if somebody had pulled the plug; empty: they can."""

    def open(self, edge: Edge, failed: Failed) -> None:
        self._check()
        self._edge, self._failed = edge, failed
        self._moves = queue.SimpleQueue()
        self._waiting.clear()
        self._thread = threading.Thread(target=self._run, name="panel-lines", daemon=True)
        self._thread.start()

    def level(self, contact: str) -> bool:
        self._check()
        return self.stands(contact)

    def stands(self, contact: str) -> bool:
        """Whether the contact is down, whether or not anybody can read it."""
        return self._down.get(contact, False)

    def light(self, lamp: str, brightness: float) -> None:
        self._check()
        self.lamps[lamp] = brightness
        self.lit(lamp, brightness)

    def close(self) -> None:
        self._moves.put(None)
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join()
            self._thread = None
        self.lamps = dict.fromkeys(LIT_UNDRIVEN, 1.0)

    @property
    def moving(self) -> bool:
        """Whether a move has not been told yet."""
        return not self._moves.empty() or bool(self._waiting)

    def move(self, contact: str, down: bool, after: float = 0.0) -> None:
        """Move a contact as a hand would, ``after`` so many seconds. Any thread.

        :raises ValueError: there is no such contact.
        """
        if contact not in CONTACTS:
            raise ValueError(f'there is no contact "{contact}": allowed are {", ".join(CONTACTS)}')
        self._moves.put((self._clock() + after, contact, down))

    def shift(self, contact: str, down: bool) -> None:
        """Change a level without an edge, as when the edge was lost."""
        self._down[contact] = down

    def _check(self) -> None:
        if self.broken:
            raise LinesError(self.broken)

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        except Exception as error:  # noqa: BLE001 - whatever it is, the panel has to know
            self._failed(error)

    def _turn(self) -> bool:
        with contextlib.suppress(queue.Empty):
            times = [move[0] for move in self._waiting]
            move = self._moves.get(timeout=max(0.0, min(times) - self._clock()) if times else None)
            if move is None:
                return False
            self._waiting.append(move)
        now = self._clock()
        for move in [move for move in self._waiting if move[0] <= now]:
            self._take(move[1], move[2])
            self._waiting.remove(move)
        return True

    def _take(self, contact: str, down: bool) -> None:
        if self._down.get(contact, False) is not down:
            self._down[contact] = down
            self._edge(contact, down)
        if contact == "mute" and self._lever is not None:
            with contextlib.suppress(OSError):  # a full disk leaves an empty file, and must not end the panel
                self._lever.write_text("mute" if down else "open")

    def _kept(self) -> bool:
        if self._lever is None:
            return False
        with contextlib.suppress(FileNotFoundError):
            return self._lever.read_text() != "open"  # a file that was never finished reads as muted
        return False


class VirtualPanel(Deck):
    """The deck on virtual lines."""

    def __init__(
        self,
        kind: MuteControl,
        debounce: float = 0.02,
        hold: float = 1.0,
        lever: Path | None = None,
        *,
        push_to_talk: bool = False,
        pixels: Pixels | None = None,
        layout: Layout = NO_RING,
    ) -> None:
        # Only a switch stays where it was put.
        self.lines = VirtualLines(lever if kind is MuteControl.LATCHING else None)
        timing = Timing(debounce, hold, _REPEAT)
        super().__init__(self.lines, kind, timing, push_to_talk=push_to_talk, pixels=pixels, layout=layout)

    @property
    def switched_to_mute(self) -> bool:
        """Where the lever stands."""
        return self.lines.stands("mute")

    @property
    def at_rest(self) -> bool:
        """Whether nothing moves any more, and all that has moved was dealt with."""
        return not self.lines.moving and super().at_rest

    def move(self, contact: str, down: bool) -> None:
        """Move a contact as a hand would. Any thread.

        :raises ValueError: there is no such contact.
        """
        self.lines.move(_PAGE.get(contact, contact), down)

    def press(self, contact: str) -> None:
        """Press and release a button: a tap, or for ROOM as long as it takes.

        :raises ValueError: there is no such contact.
        """
        contact = _PAGE.get(contact, contact)
        self.lines.move(contact, True)
        held = self._timing.hold if contact == "room" else 0.0
        self.lines.move(contact, False, held + 2 * self._timing.debounce + _TAP)
