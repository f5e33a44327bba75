"""A panel on the bench, and whoever stands before it, for the tests of the doctor."""

from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

from appliance.app.checklist import Step
from appliance.app.doctor_findings import Finding
from appliance.app.doctor_panel import Examination
from appliance.app.panel_bench import Bench
from appliance.core.lamps import LAMPS
from appliance.panel.lines import CONTACTS, Edge, Failed, LinesError
from tests.app.parts import settings

GPIO = '[panel]\nkind = "gpio"\npixels = 12\n'
HELP = "Look at R1."


class Panel:
    """Lines that a test moves while the doctor waits for them; time passes only when he does."""

    name = "lines of a test"
    contacts = CONTACTS
    dims: frozenset[str] = frozenset()
    problem = ""

    def __init__(self) -> None:
        self.now = 0.0
        self.down = dict.fromkeys(CONTACTS, False)
        self.lit: dict[str, float] = {}
        self.flashes: list[tuple[str, float]] = []
        self.colours: list[bytes] = []
        self.planned: list[tuple[float, Callable[[], None]]] = []
        self.opened = self.closed = 0
        self.pixels_are_open = False
        self.refuses, self.spi_fails = "", False
        self.edge: Edge = lambda _contact, _down: None
        self.failed: Failed = lambda _error: None

    def open(self, edge: Edge | None = None, failed: Failed | None = None) -> None:
        if edge is None or failed is None:
            self.pixels_are_open = True
            return
        if self.refuses:
            raise LinesError(self.refuses)
        self.opened += 1
        self.edge, self.failed = edge, failed
        self.lit = {lamp: 1.0 if lamp in {"mic", "fault"} else 0.0 for lamp in LAMPS}

    def level(self, contact: str) -> bool:
        return self.down[contact]

    def light(self, lamp: str, brightness: float) -> None:
        self.lit[lamp] = brightness
        self.flashes.append((lamp, brightness))

    def send(self, colours: bytes) -> None:
        assert self.pixels_are_open
        if self.spi_fails:
            raise OSError("no such bus")
        self.colours.append(colours)

    def close(self) -> None:
        if self.pixels_are_open:
            self.pixels_are_open = False
        else:
            self.closed += 1

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for at, act in [plan for plan in self.planned if plan[0] <= self.now]:
            self.planned.remove((at, act))
            act()

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        self.planned.append((self.now + seconds, act))

    def put(self, contact: str, down: bool, *, told: bool = True) -> None:
        self.down[contact] = down
        if told:
            self.edge(contact, down)

    def press(self, contact: str, seconds: float = 0.1, *, told: bool = True) -> None:
        """A second from now."""
        self.after(1, lambda: self.put(contact, True, told=told))
        self.after(1 + seconds, lambda: self.put(contact, False, told=told))


class Person:
    """Does what he is told, if a test says how; answers yes unless it says no, once."""

    def __init__(self, panel: Panel, does: dict[str, Callable[[], None]] | None = None) -> None:
        self.panel, self.does = panel, does or {}
        self.told: list[str] = []
        self.asked: list[str] = []
        self.says_no: list[str] = []
        self.tries_again = False
        self.goes: type[BaseException] | None = None
        self.volts: Iterator[float] = repeat(3.3)

    def tell(self, text: str) -> None:
        self.told.append(text)
        for words, act in self.does.items():
            if words in text:
                act()

    def yes(self, question: str) -> bool:
        self.asked.append(question)
        if self.goes is not None:
            raise self.goes
        if question in self.says_no:
            self.says_no.remove(question)
            return False
        return self.tries_again or question != "Try it again?"

    def number(self, question: str) -> float:
        self.asked.append(question)
        return next(self.volts)


class World:
    """A panel, whoever stands before it, and what is found."""

    def __init__(self, folder: Path, more: str = GPIO) -> None:
        self.panel = Panel()
        self.person: Person | None = Person(self.panel)
        self.settings = settings(folder, more).panel
        self.wire: Callable[[str, str], bool] | None = None
        self.pixels: Panel | None = self.panel

    def does(self, **words: Callable[[], None]) -> None:
        self.person = Person(self.panel, {word.replace("_", " "): act for word, act in words.items()})

    def walk(self, *steps: Step) -> dict[str, Finding]:
        bench = Bench(
            self.settings, self.panel, self.pixels, wire=self.wire, clock=lambda: self.panel.now, sleep=self.panel.sleep
        )
        told: list[Finding] = []
        self.examination = Examination(bench, self.person)
        self.examination.run(steps, told.append)
        assert all(finding.says.endswith((".", "?")) for finding in told), told
        assert all(finding.way_out for finding in told if finding.state in {"bad", "warning"}), told
        return {finding.check: finding for finding in told}

    def one(self, **step: Any) -> Finding:
        return self.walk(make(**step))["it"]


def make(**step: Any) -> Step:
    return Step(**{"id": "it", "tiers": ("a",), "help": HELP, **step})
