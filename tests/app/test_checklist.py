"""The checklist of a panel: what is installed, and what is none."""

import re
from collections.abc import Iterable

import pytest

from appliance.app.checklist import Kind, installed, parse
from tools.checklist import SOURCE, TARGET


def lines(**step: object) -> str:
    def value(told: object) -> str:
        if isinstance(told, str):
            return f'"{told}"'
        return str(told).lower() if isinstance(told, bool) else str(told)

    return "schema = 1\n[[step]]\n" + "\n".join(f"{key} = {value(told)}" for key, told in step.items())


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ({"id": "a", "tiers": ["a"]}, "needs id, tiers and kind"),
        ({"id": "a", "tiers": ["a"], "kind": "look"}, 'kind = "look"'),
        ({"id": "a", "tiers": ["a"], "kind": "question", "question": "?", "colour": "red"}, "may have ask"),
        ({"id": "a", "tiers": ["z"], "kind": "question", "question": "?", "help": "."}, "tiers"),
        ({"id": "a", "tiers": ["a"], "kind": "level", "line": "mute"}, "needs expect"),
        ({"id": "a", "tiers": ["a"], "kind": "level", "line": "mute", "expect": "lit"}, 'expect = "lit"'),
        ({"id": "a", "tiers": ["a"], "kind": "press", "line": "bell", "seconds": 1}, 'line = "bell"'),
        ({"id": "a", "tiers": ["a"], "kind": "press", "line": "mic_lamp", "seconds": 1}, "is no contact"),
        ({"id": "a", "tiers": ["a"], "kind": "press", "line": "i2s_clock", "seconds": 1}, 'line = "i2s_clock"'),
        ({"id": "a", "tiers": ["a"], "kind": "lamp", "line": "mute", "question": "?"}, "is no lamp"),
        ({"id": "a", "tiers": ["a"], "kind": "measure", "point": "TP1", "volts": [2, 1]}, "volts must be"),
        ({"id": "a", "tiers": ["a"], "kind": "measure", "point": "TP1", "volts": [1]}, "volts must be"),
    ],
)
def test_a_checklist_that_says_something_wrong(step: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        parse(lines(**{"help": "x"} | step))


def test_other_checklists_that_are_none() -> None:
    good = lines(id="a", tiers=["a"], kind="question", question="Is it?", help="No.")
    assert [step.id for step in parse(good)] == ["a"]
    with pytest.raises(ValueError, match="same id"):
        parse(good + "\n" + good.removeprefix("schema = 1\n"))
    with pytest.raises(ValueError, match="schema"):
        parse(good.replace("schema = 1", "schema = 2"))


def test_what_is_installed_is_what_the_hardware_says() -> None:
    assert TARGET.read_text() == SOURCE.read_text(), "make docs"
    kinds: Iterable[Kind] = {step.kind for step in installed()}
    assert set(kinds) == set(Kind)
