"""What the doctor of the panel finds over every kind of lines; plain functions, as in panel_suite."""

import time
from collections.abc import Iterable, Iterator

from appliance.app.checklist import Kind, Step
from appliance.app.doctor_findings import Finding
from appliance.app.doctor_panel import Examination
from appliance.app.panel_bench import Bench
from appliance.core.lamps import LAMPS
from appliance.panel.lines import CONTACTS
from appliance.settings import PanelKind, PanelSettings
from tests.contract.panel_suite import Rig, at_rest

PANEL = PanelSettings(kind=PanelKind.GPIO)
BUTTONS = tuple(contact for contact in CONTACTS if contact != "mute")


class Somebody:
    """Moves the rig's contacts as he is told, and sees its lamps."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.seen: list[tuple[bool, ...]] = []
        self.moves: Iterator[tuple[str, bool]] = iter(())

    def tell(self, text: str) -> None:
        what = text.split(maxsplit=1)[0]
        if what in CONTACTS:
            self.moves = iter([(what, True), (what, False)])
        elif text.startswith("Put the mute switch to"):
            self.moves = iter([("mute", text.endswith("MUTED."))])

    def yes(self, question: str) -> bool:
        return question != "Try it again?"

    def number(self, question: str) -> float:
        raise AssertionError(question)

    def sleep(self, seconds: float) -> None:
        """A moment for the lines' thread; one contact is moved in it."""
        self.seen.append(tuple(self.rig.lit(lamp) for lamp in LAMPS))
        move = next(self.moves, None)
        if move is not None:
            self.rig.move(*move)
        time.sleep(min(seconds, 0.005))


def walk(rig: Rig, steps: Iterable[Step]) -> tuple[dict[str, Finding], Somebody]:
    """What is found, and who did it."""
    somebody, found = Somebody(rig), list[Finding]()
    Examination(Bench(PANEL, rig.lines, sleep=somebody.sleep), somebody).run(steps, found.append)
    assert rig.lit("mic") and rig.lit("fault") and not rig.lit("room"), "as nobody drives them"
    return {finding.check: finding for finding in found}, somebody


def _step(name: str, kind: Kind, line: str, **more: object) -> Step:
    return Step(**{"id": name, "tiers": ("a",), "kind": kind, "line": line, "help": "Look.", **more})  # type: ignore[arg-type]


def every_button_is_seen(rig: Rig) -> None:
    at_rest(rig)
    steps = [_step(name, Kind.PRESS, name, seconds=5, ask=f"{name} is to be pressed.") for name in BUTTONS]
    found, _ = walk(rig, steps)
    assert {name: finding.says for name, finding in found.items() if finding.state != "good"} == {}
    assert set(found) == {"contacts", *BUTTONS}


def the_switch_is_read_at_its_wire(rig: Rig) -> None:
    at_rest(rig)
    muted = _step("muted", Kind.LEVEL, "mute", switch="muted", expect="low")
    live = _step("live", Kind.LEVEL, "mute", switch="live", expect="high")
    found, _ = walk(rig, (muted, live))
    assert [finding.state for finding in found.values()] == ["good"] * 3
    at_rest(rig)


def each_lamp_goes_on_and_off_alone(rig: Rig) -> None:
    at_rest(rig)
    for at, lamp in enumerate(LAMPS):
        found, somebody = walk(rig, [_step(lamp, Kind.LAMP, f"{lamp}_lamp", question="Does it?")])
        assert found[lamp].state == "good"
        states = [seen[at] for seen in somebody.seen]
        assert states[:4] == [True, False, True, False]
        others = {seen[:at] + seen[at + 1 :] for seen in somebody.seen}
        assert len(others) == 1, "no other lamp changes"


def lines_that_somebody_else_has(rig: Rig) -> None:
    at_rest(rig)
    with rig.claimed("room"):
        found, _ = walk(rig, [])
    assert [finding.state for finding in found.values()] == ["bad"]
    assert found["lines"].says.endswith(".")


CHECKS = (
    every_button_is_seen,
    the_switch_is_read_at_its_wire,
    each_lamp_goes_on_and_off_alone,
    lines_that_somebody_else_has,
)
