"""What the deck is wired to: contacts and lamps (:class:`Lines`), and coloured lights (:class:`Pixels`).

Real lines, virtual ones and those of the tests obey the same rules, and one contract suite runs over all of them.
"""

from collections.abc import Callable
from typing import Protocol

from appliance.core.lamps import LAMPS
from appliance.core.pins import LINES

CONTACTS = ("mute", "room", "talk", "volume_up", "volume_down", "knock")
"""Every contact that a panel can have, named as in the pin map."""

LIT_UNDRIVEN = frozenset(lamp for lamp in LAMPS if LINES[f"{lamp}_lamp"].undriven == "lit")
"""Lamps that are lit when nobody drives them, and so before and after us: MIC and FAULT."""


class LinesError(Exception):
    """The lines cannot be had, or are lost. One sentence, with the way out where there is one."""


Edge = Callable[[str, bool], None]
"""A contact has moved: its name, and whether it is down (pressed, or for MUTE muted) now. Called on a thread of the lines."""
Failed = Callable[[Exception], None]
"""The thread that reads the lines has ended with this: the lines are lost, or it is an error of ours."""


class Lines(Protocol):
    """The wires of a panel. Between :meth:`open` and :meth:`close` one thread at a time calls :meth:`light`."""

    @property
    def name(self) -> str:
        """For status and journal."""

    @property
    def contacts(self) -> tuple[str, ...]:
        """Those of :data:`CONTACTS` that are wired."""

    @property
    def dims(self) -> frozenset[str]:
        """Lamps that can be lit partly. The others are on or off, and who wants them darker switches them quickly."""

    @property
    def problem(self) -> str:
        """What does not work though the panel does, one sentence; empty: all of it does."""

    def open(self, edge: Edge, failed: Failed) -> None:
        """Claim every line, with MIC and FAULT lit from the first moment on, and tell edges from now on.

        What was claimed is let go when not all of it can be had.

        :raises LinesError: a line is claimed by somebody else, or the chip is not there.
        """

    def level(self, contact: str) -> bool:
        """Whether the contact is down now.

        :raises LinesError: the lines are lost.
        """

    def light(self, lamp: str, brightness: float) -> None:
        """Light one of :data:`~appliance.core.lamps.LAMPS`: 0 dark, 1 full, a share of full light between them.

        A lamp that is not wired is ignored.

        :raises LinesError: the lines are lost.
        """

    def close(self) -> None:
        """Let all of it go, with MIC and FAULT lit and the other lamps dark. No edge is told afterwards. Never raises."""


class Pixels(Protocol):
    """A ring or row of coloured lights. One thread at a time."""

    def open(self) -> None:
        """Open the way to them.

        :raises OSError: it is not there, or not ours to open.
        """

    def send(self, colours: bytes) -> None:
        """Show these, four bytes each (:attr:`appliance.panel.renderer.Frame.pixels`).

        :raises OSError: they cannot be sent.
        """

    def close(self) -> None:
        """Let it go; they stay as they are."""
