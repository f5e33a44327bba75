"""The panel: what hands do to its contacts, and what its lamps and its ring show. One for real lines and for virtual ones.

Two threads meet here under one lock. The lines tell edges on a thread of theirs: it closes the gate and lights MIC before
anything else happens (UX.md, mute rule 2). The thread "panel" does the rest: it debounces, reads the levels again, since an
edge can be lost, looks whether MIC shows the gate, and draws. At rest it wakes up four times a second.

When the lines are lost, the gate is closed, PANEL_LOST is told, and they are tried again; what is found then is read as at the
start. A ring that cannot be reached only makes the panel less than it should be. Any other error ends the panel, and sound
with it.
"""

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace

from appliance.core.controls import Event, MuteControl
from appliance.core.lamps import Lamps, Sign
from appliance.panel.contacts import Contacts, Timing
from appliance.panel.layout import Layout
from appliance.panel.lights import BackOff, Lights, Ring
from appliance.panel.lines import Lines, LinesError, Pixels
from appliance.panel.port import Hands, View
from appliance.panel.renderer import RingState, render

DARK = Lamps(Sign.STEADY, Sign.OFF, Sign.OFF, Sign.STEADY, 0.0)
"""Before anything is known, and after the end: the microphone is closed, the daemon not up."""

READ_EVERY = 0.25
"""Seconds between two looks at the levels."""
FRAME = 1 / 30
"""Seconds between two frames, at least."""


def _first(*times: float | None) -> float:
    return min(time for time in times if time is not None)


class Deck:
    """See :class:`appliance.panel.port.Panel`.

    :param layout: of the ring; what else it says (night, still) counts for the lamps too.
    :param pixels: None: there is no ring.
    """

    def __init__(
        self,
        lines: Lines,
        kind: MuteControl,
        timing: Timing,
        *,
        push_to_talk: bool,
        layout: Layout,
        pixels: Pixels | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lines, self._clock = lines, clock
        self._kind, self._timing, self._push_to_talk = kind, timing, push_to_talk
        self._layout = layout
        self._hands: Hands  # what attach is given
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._ending = False
        self._contacts: Contacts | None = None
        """None: the lines are lost, or were never had."""
        self._failures: deque[Exception] = deque()
        """What threads of the lines met: lost lines, or an error of ours."""
        self._problem = ""
        self._again = BackOff()
        self._losses = self._lost_edges = 0
        self._read_at: float  # set with every find of the lines
        self._lights, self._ring = Lights(lines), Ring(pixels)
        self._view, self._changed = View(DARK), True
        self._lit_by_us = False
        """MIC was lit last as the gate is closed, whatever the view says."""
        self._drawn = RingState()
        self._drawn_at, self._draw_at = -math.inf, math.inf
        self.turns = 0
        self.ended: Future[None] = Future()

    @property
    def name(self) -> str:
        return f"{self._lines.name} ({self._kind})"

    @property
    def problem(self) -> str:
        return self._problem or self._lines.problem or self._ring.problem

    @property
    def counts(self) -> Mapping[str, int]:
        return {
            "panel_losses": self._losses,
            "panel_edges_lost": self._lost_edges,
            "panel_ring_failures": self._ring.failures,
        }

    @property
    def at_rest(self) -> bool:
        """Whether no contact moves or is held for longer."""
        contacts = self._contacts
        return contacts is not None and contacts.due is None

    @property
    def shown(self) -> Lamps:
        """The lamps as they are lit, from the next frame on at the latest."""
        lamps = self._view.lamps
        return replace(lamps, mic=Sign.STEADY) if self._must_light(lamps) else lamps

    def attach(self, hands: Hands, now: float) -> None:
        """Claim lines and ring, and tell what was found; what cannot be had is tried again at its time."""
        self._hands = replace(hands, close=lambda: self._close(hands))
        self._find_lines(now)
        self._ring.find(now)

    def start(self, hands: Hands) -> None:
        self.attach(hands, self._clock())
        self._thread = threading.Thread(target=self._run, name="panel", daemon=True)
        self._thread.start()

    def show(self, view: View) -> None:
        self._view, self._changed = view, True
        self._wake.set()

    def stop(self) -> None:
        self._ending = True
        self._wake.set()
        if self._thread:
            self._thread.join(1)

    def _close(self, hands: Hands) -> bool:
        """Gate first, lamp second; whoever called tells the loop third. Under the lock."""
        was_open = hands.close()
        if self._contacts is not None:
            self._lit_by_us = True
            try:
                self._lights.light("mic", 1.0)
            except LinesError as error:
                self._fail(error)
        return was_open

    def _must_light(self, lamps: Lamps) -> bool:
        """Whether MIC would be dark over a closed gate: the loop has not looked since it was closed."""
        return lamps.mic is Sign.OFF and not self._hands.is_open()

    def _edge(self, contact: str, down: bool) -> None:
        """An edge, on the thread of the lines."""
        try:
            with self._lock:
                if self._contacts is not None:
                    self._contacts.edge(contact, down, self._clock())
        except Exception as error:  # noqa: BLE001 - it has to end the panel, not a thread of some library
            self._failures.append(error)
        self._wake.set()

    def _fail(self, error: Exception) -> None:
        """To be dealt with on the thread "panel": the thread of the lines has ended, or MIC could not be lit."""
        self._failures.append(error)
        self._wake.set()

    def _run(self) -> None:
        self.ended.set_running_or_notify_cancel()  # from here on a waiter that gives up does not cancel it
        try:
            while not self._ending:
                due = self.turn(self._clock())
                self.turns += 1
                self._wake.wait(
                    min(due - self._clock(), READ_EVERY)
                )  # also while the lines are away: it has to be seen to live
                self._wake.clear()
            self._let_go()
            self.ended.set_result(None)
        except BaseException as error:  # noqa: BLE001 - whatever it is, sound must end with it and not lose its panel
            with contextlib.suppress(Exception):  # closed at once, and not only when the loop hears of it
                self._lose(now=0.0)
            with contextlib.suppress(Exception):
                self._let_go()
            self.ended.set_exception(error)

    def turn(self, now: float) -> float:
        """Do everything that is due at ``now``; returns when to come back. On the thread "panel", or a test's own."""
        try:
            if self._failures:
                raise self._failures.popleft()
            if self._ring.due is not None and now >= self._ring.due:
                self._ring.find(now)
                self._changed = True
            if self._contacts is None and self._again.at is not None and now >= self._again.at:
                self._find_lines(now)
            return _first(self._watch(now), self._draw(now), self._dim(now), self._again.at, self._ring.due)
        except LinesError as error:
            self._problem = str(error)
            self._lose(now)
            self._lines.close()
            return now

    def _watch(self, now: float) -> float | None:
        """Contacts come to rest, and the levels are read again."""
        with self._lock:
            if self._contacts is None:
                return None
            if now >= self._read_at:
                self._read_at = now + READ_EVERY
                for contact in self._lines.contacts:
                    self._lost_edges += self._contacts.read(contact, self._lines.level(contact), now)
                # A gate that was closed and opened again before the loop looked is told by no view.
                if self._must_light(self._view.lamps) is not self._lit_by_us:
                    self._changed = True
            self._contacts.settle(now)
            return _first(self._read_at, self._contacts.due)

    def _draw(self, now: float) -> float:
        """Draw, if there is something new; returns when there is again."""
        if not self._changed and now < self._draw_at:
            return self._draw_at
        if now < self._drawn_at + FRAME:
            return self._drawn_at + FRAME
        self._changed = False  # before the view is taken: one that comes meanwhile is drawn next
        view = self._view
        self._drawn, frame = render(self._drawn, view, now, self._layout)
        with self._lock:
            if self._contacts is not None:
                self._lit_by_us = self._must_light(view.lamps)
                self._lights.light("mic", 1.0 if self._lit_by_us else frame.mic)
                self._lights.light("room", frame.room)
                self._lights.light("speak", frame.speak)
                self._lights.light("fault", frame.fault)
        self._ring.send(frame.pixels, now)
        self._drawn_at, self._draw_at = now, math.inf if frame.next is None else frame.next
        return self._draw_at

    def _dim(self, now: float) -> float | None:
        with self._lock:
            return None if self._contacts is None else self._lights.turn(now)

    def _find_lines(self, now: float) -> None:
        """Claim the lines, and read where the contacts stand.

        An edge is told from the claim on; until the levels were read it is dropped, and after that it waits for the lock.
        """
        try:
            self._lines.open(self._edge, self._fail)
            with self._lock:
                levels = [(contact, self._lines.level(contact)) for contact in self._lines.contacts]
                self._lights, self._changed, self._read_at = Lights(self._lines), True, now + READ_EVERY
                self._contacts = Contacts(
                    self._lines.contacts, self._kind, self._push_to_talk, self._timing, self._hands
                )
                self._hands.post(Event.PANEL_FOUND)
                for contact, down in levels:
                    self._contacts.found(contact, down)
        except LinesError as error:
            self._lines.close()
            self._problem = str(error)
            self._again.failed(now)
            return
        self._problem = ""
        self._again.worked()

    def _lose(self, now: float) -> None:
        """Close the gate, since nobody sees any more what is pressed."""
        with self._lock:
            if self._contacts is None:
                return
            self._contacts = None
            self._losses += 1
            self._again.failed(now)
            self._hands.close()
            self._hands.post(Event.PANEL_LOST)

    def _let_go(self) -> None:
        with self._lock:
            self._contacts = None
        self._lines.close()
        _, last = render(RingState(), View(DARK), self._clock(), self._layout)
        self._ring.close(last.pixels)
