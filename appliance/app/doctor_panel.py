"""``kontor doctor --panel``: walks a person through the bring-up of a panel, step by step (hardware/checklist.toml).

It has the lines of the panel for itself, so it is refused while ``kontor sound`` runs. No sound is read or played. Where nobody
is there to press and to look, it tells what can be seen without: the levels of all contacts, and the wires of the lamps.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

from appliance.app.checklist import Kind, Step, installed
from appliance.app.doctor_findings import Finding, State
from appliance.app.doctor_sound import running
from appliance.app.panel_bench import Bench, label
from appliance.app.panels import panel_lines
from appliance.app.process import NotAllowed
from appliance.core.controls import MuteControl
from appliance.panel.lines import LinesError
from appliance.settings import PanelKind, Settings

PATIENCE, MORE_PATIENCE = 20.0, 60.0
"""Seconds that a person has to move a switch, and to do what a step asks for, if it says no time."""
_CHATTERS = "Set [panel] debounce_ms higher, or take a better contact."
_NOBODY = "Nobody is here to press and to look: run it in a terminal."
Result = tuple[State, str]


class Gone(Exception):
    """Whoever was asked has gone away."""


class Person(Protocol):
    """Whoever stands before the panel. Each call raises :class:`Gone` when there is nobody any more."""

    def tell(self, text: str) -> None:
        """Say what there is to do."""

    def yes(self, question: str) -> bool:
        """Ask what there is to see."""

    def number(self, question: str) -> float:
        """Ask what a meter shows."""


def examine(
    settings: Settings, tier: str, person: Person | None, note: Callable[[Finding], None]
) -> Mapping[str, object]:
    """Look at the panel of this machine; gives what was seen, for programs.

    :param tier: which hardware it is, one of :data:`~appliance.app.checklist.TIERS`.
    :raises NotAllowed: the settings have no panel on lines, or ask for one that cannot be had.
    """
    if running(Path(settings.device.runtime_dir)):
        way_out = "Stop it for as long (kontor run, or its service), and ask again: kontor doctor --panel"
        note(Finding("lines", "bad", "kontor sound runs, and has the lines.", way_out))
        return {}
    if settings.panel.kind is not PanelKind.GPIO:
        kind = settings.panel.kind
        raise NotAllowed(f'there is no panel on lines of this machine: [panel] kind is "{kind}". Set it to "gpio"')
    lines, pixels = panel_lines(settings)
    from appliance.panel.bias import Biased  # noqa: PLC0415 - its libraries are there, as the lines are

    examination = Examination(Bench(settings.panel, lines, pixels, wire=Biased(settings.panel)), person)
    examination.run([step for step in installed() if tier in step.tiers], note)
    return {"tier": tier, "levels": dict(examination.levels)}


class Examination:
    """One walk through the checklist.

    :param person: None: nobody is there.
    """

    def __init__(self, bench: Bench, person: Person | None) -> None:
        self._bench, self._person = bench, person
        self._has_switch = bench.panel.mute is MuteControl.LATCHING
        self._switch = ""
        self.levels: Mapping[str, str] = {}
        """What the contacts read at the beginning, by the names of the pin map."""
        self._kinds: Mapping[Kind, Callable[[Step, Person], Result]] = {
            Kind.PRESS: self._press,
            Kind.HOLD: self._hold,
            Kind.LAMP: self._lamp,
            Kind.PIXELS: self._pixels,
            Kind.QUESTION: _answer,
            Kind.MEASURE: _measure,
        }

    def run(self, steps: Iterable[Step], note: Callable[[Finding], None]) -> None:
        """Go through the steps; ``note`` is given each finding as it is made."""
        steps = tuple(steps)
        wires = [step for step in steps if step.kind is Kind.WIRE]
        try:
            for step in wires:  # before the lines are claimed
                note(self._look(step))
            self._bench.open()
            self._contacts(note)
            for step in steps:
                if step.kind is not Kind.WIRE:
                    note(self._look(step))
        except LinesError as error:
            way_out = "Mend that, look at the plug, and ask the doctor again."
            note(Finding("lines", "bad", _sentence(error), way_out))
        except (Gone, KeyboardInterrupt):
            says = "Whoever was asked has gone: the steps that are left were not done."
            note(Finding("person", "bad", says, "Ask the doctor again."))
        finally:
            self._bench.close()

    def _contacts(self, note: Callable[[Finding], None]) -> None:
        """The levels of all contacts; a button that nobody presses must be at rest."""
        self.levels = self._bench.levels()
        words = ", ".join(f"{label(contact)} {level}" for contact, level in self.levels.items())
        note(Finding("contacts", "good", f"{self._bench.name}: {words}."))
        pressed = [contact for contact, level in self.levels.items() if level == self._bench.active(contact)]
        stuck = ", ".join(label(contact) for contact in pressed if not (self._has_switch and contact == "mute"))
        if stuck:
            way_out = "Let go. Otherwise its wire touches another, or [panel] button_level or mute_level is wrong."
            note(Finding("at-rest", "bad", f"Pressed, and nobody should: {stuck}.", way_out))

    def _look(self, step: Step) -> Finding:
        missing = self._bench.missing(step.line) if step.line or step.kind is Kind.PIXELS else ""
        if missing:
            state: State = "skipped" if step.optional else "bad"
            way_out = "" if step.optional else "Wire it as the pin map says, and take the setting out."
            return Finding(step.id, state, f"There is none: [panel] {missing}.", way_out)
        state, says = self._try(step)
        while state == "bad" and self._person is not None:
            self._person.tell(f"{says} {step.help}")
            if not self._person.yes("Try it again?"):
                break
            state, says = self._try(step)
        ways_out: Mapping[State, str] = {"bad": step.help, "warning": _CHATTERS}
        return Finding(step.id, state, says, ways_out.get(state, ""))

    def _try(self, step: Step) -> Result:
        if step.kind is Kind.WIRE:
            return self._biased(step)
        if step.switch and not self._has_switch:
            return "skipped", "There is no mute switch here."
        if step.switch and not self._switched(step.switch):
            return "skipped", f"Nobody is here to put the mute switch to {step.switch.upper()}."
        if step.kind is Kind.LEVEL:
            return self._at_level(step)
        if self._person is None:
            return "skipped", _NOBODY
        if step.ask and step.kind not in {Kind.PRESS, Kind.HOLD}:  # these are told what to do by it, when all is ready
            self._person.tell(step.ask)
        return self._kinds[step.kind](step, self._person)

    def _switched(self, position: str) -> bool:
        """Have the mute switch put there; False: it is elsewhere, and nobody is here."""
        active = self._bench.active("mute")

        def there() -> bool:
            return (self._bench.level("mute") == active) is (position == "muted")

        if self._person is None:
            return there()
        if position != self._switch:
            self._switch = position
            self._person.tell(f"Put the mute switch to {position.upper()}.")
            self._bench.wait(there, PATIENCE)
        return True

    def _biased(self, step: Step) -> Result:
        try:
            level = self._bench.biased(step.line, step.bias)
        except LinesError as error:
            return "skipped", _sentence(error)
        return _compared(step, level, f" with a {step.bias}")

    def _at_level(self, step: Step) -> Result:
        level = self._bench.level(step.line)
        if self._person is None:
            return _compared(step, level) if level == step.expect and not step.ask else ("skipped", _NOBODY)
        if step.ask:
            self._person.tell(step.ask)
        patience = MORE_PATIENCE if step.ask else PATIENCE
        self._bench.wait(lambda: self._bench.level(step.line) == step.expect, patience)
        return _compared(step, self._bench.level(step.line))

    def _press(self, step: Step, person: Person) -> Result:
        bench, line, name = self._bench, step.line, label(step.line)
        rest = bench.level(line)
        bench.forget_edges()
        person.tell(step.ask or f"Press {name} and let it go.")
        if not bench.wait(lambda: bool(bench.edges(line)) or bench.level(line) != rest, step.seconds):
            return "bad", f"{name} was not pressed, or does not reach its pin."
        if not bench.wait(lambda: bench.rests(line, rest), step.seconds):
            return "bad", f"{name} did not come back."
        chatter = bench.chatter_ms(line)
        if not bench.edges(line):
            return "bad", f"{name} has moved, and no edge was told."
        if chatter > bench.panel.debounce_ms:
            return "warning", f"{name} works, but chatters for {chatter:.0f} ms."
        return "good", f"{name} works; it chatters for {chatter:.0f} ms."

    def _hold(self, step: Step, person: Person) -> Result:
        bench, line, name = self._bench, step.line, label(step.line)
        rest = bench.level(line)
        bench.forget_edges()
        person.tell(step.ask or f"Press {name} and hold it for {step.seconds:g} s.")
        held = "low" if rest == "high" else "high"
        if not bench.wait(lambda: bench.rests(line, held), PATIENCE):
            return "bad", f"{name} was not pressed, or does not reach its pin."
        if bench.wait(lambda: bench.level(line) == rest, step.seconds):
            return "bad", f"{name} came back within {step.seconds:g} s: let go too early, or a loose contact."
        person.tell("Let it go.")
        if not bench.wait(lambda: bench.level(line) == rest, PATIENCE):
            return "bad", f"{name} did not come back."
        return "good", f"{name} was held for {step.seconds:g} s."

    def _lamp(self, step: Step, person: Person) -> Result:
        self._bench.blink(step.line.removesuffix("_lamp"))
        return _answer(step, person)

    def _pixels(self, step: Step, person: Person) -> Result:
        try:
            self._bench.run_light()
        except OSError as error:
            return "bad", f"The pixels take nothing: {error}."
        return _answer(step, person)


def _measure(step: Step, person: Person) -> Result:
    least, most = step.volts
    volts = person.number(f"Volts at {step.point} against ground?")
    good = least <= volts <= most
    return ("good" if good else "bad"), f"{step.point} has {volts:g} V; {least:g} to {most:g} V are right."


def _answer(step: Step, person: Person) -> Result:
    good = person.yes(step.question)
    return ("good" if good else "bad"), f"{step.question} {'Yes' if good else 'No'}."


def _compared(step: Step, level: str, how: str = "") -> Result:
    if level == step.expect:
        return "good", f"{label(step.line)} is {level}{how}."
    return "bad", f"{label(step.line)} is {level}{how}, and should be {step.expect}."


def _sentence(error: Exception) -> str:
    text = str(error).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."
