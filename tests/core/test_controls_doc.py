"""docs/controls.md: current, and true."""

import re

import pytest

from appliance.core.controls import Event, MuteControl, Reason
from tools import controls_diagram


def test_the_page_is_current() -> None:
    assert controls_diagram.main(["--check"]) == 0, "make it anew: python -m tools.controls_diagram"


def test_an_old_page_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    target = controls_diagram.TARGET.with_name("there-is-no-such-page.md")
    monkeypatch.setattr(controls_diagram, "TARGET", target)
    assert controls_diagram.main(["--check"]) == 1
    assert "is old" in capsys.readouterr().out


def test_every_reason_and_event_stands_in_it() -> None:
    page = controls_diagram.render()
    for reason in Reason:
        assert f"| {int(reason)} | **{reason.word}** | {controls_diagram.MEANING[reason]} |" in page
    for event in Event:
        assert f"\n| {event.value} |" in page


def diagrams() -> list[list[tuple[str, str, str]]]:
    found = []
    for block in re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", controls_diagram.render(), re.DOTALL):
        names = {short: text for text, short in re.findall(r'state "(.*?)" as (s\d+)', block)}
        found.append([(names[a], names[b], how) for a, b, how in re.findall(r"(s\d+) --> (s\d+): (.*)", block)])
    return found


def test_the_diagrams_show_the_answer_of_the_room() -> None:
    latching, momentary, door = diagrams()
    assert ("closed: switch, admin (ends with the switch)", "gate open", "switch opened") in latching
    assert ("closed: switch, admin", "closed: admin", "switch opened, switch found open") in latching
    assert ("closed: button, admin", "gate open", "press while closed") in momentary
    assert len({state for edge in latching for state in edge[:2]}) == 5
    assert len({state for edge in momentary for state in edge[:2]}) == 4
    assert {event for _, to, how in door if to == "open" for event in how.split(", ")} == {"door pressed", "reset held"}
    assert ("listening", "open", "reset held") in door, "one step back from where a press had led"
    assert ("open", "closed", "door released") not in door


def test_only_a_hand_or_reading_the_switch_leads_to_an_open_gate() -> None:
    for edges in diagrams()[:2]:
        opening = {event for _, to, how in edges if to == "gate open" for event in how.split(", ")}
        assert opening <= {"switch opened", "switch found open", "press while closed"}


@pytest.mark.parametrize("kind", MuteControl)
def test_the_samples_are_states_of_the_kind(kind: MuteControl) -> None:
    other = Reason.BUTTON if kind is MuteControl.LATCHING else Reason.SWITCH
    for state in controls_diagram._samples(kind):
        assert state.kind is kind
        assert other not in state.held
