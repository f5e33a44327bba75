"""The bring-up checklist of a panel, as ``kontor doctor --panel`` walks through it.

hardware/checklist.toml is its source and says what every key means; checklist.toml beside this file is the copy that is
installed with the program (tools/checklist.py).
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from appliance.core.pins import LINES
from appliance.settings.model_panel import PINS

TIERS = ("a", "a-cut", "b")
"""The kinds of hardware: the array is bought, its supply goes through the switch, the microphones are built in."""


class Kind(StrEnum):
    """What is done in a step."""

    LEVEL = "level"
    WIRE = "wire"
    PRESS = "press"
    HOLD = "hold"
    LAMP = "lamp"
    PIXELS = "pixels"
    QUESTION = "question"
    MEASURE = "measure"


_NEEDS: Mapping[Kind, tuple[str, ...]] = {
    Kind.LEVEL: ("line", "expect"),
    Kind.WIRE: ("line", "expect", "bias"),
    Kind.PRESS: ("line", "seconds"),
    Kind.HOLD: ("line", "seconds"),
    Kind.LAMP: ("line", "question"),
    Kind.PIXELS: ("question",),
    Kind.QUESTION: ("question",),
    Kind.MEASURE: ("point", "volts"),
}
_CONTACTS = frozenset({Kind.LEVEL, Kind.PRESS, Kind.HOLD})
_LAMPS = frozenset({Kind.WIRE, Kind.LAMP})
_ONE_OF: Mapping[str, tuple[str, ...]] = {
    "expect": ("high", "low", ""),
    "bias": ("pull-up", "pull-down", ""),
    "switch": ("live", "muted", ""),
    "line": (*PINS, ""),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step. The keys are those of hardware/checklist.toml.

    :raises ValueError: it says too little, or something that is not allowed; the text names the step.
    """

    id: str
    tiers: tuple[str, ...]
    kind: Kind
    line: str = ""
    expect: str = ""
    bias: str = ""
    switch: str = ""
    seconds: float = 0.0
    point: str = ""
    volts: tuple[float, ...] = ()
    optional: bool = False
    ask: str = ""
    question: str = ""
    help: str = ""

    def __post_init__(self) -> None:
        for key in (*_NEEDS[self.kind], "help"):
            if not getattr(self, key):
                raise ValueError(f"{self.id}: a step of kind {self.kind} needs {key}")
        for key, allowed in _ONE_OF.items():
            if getattr(self, key) not in allowed:
                raise ValueError(f'{self.id}: {key} = "{getattr(self, key)}" is not allowed')
        if self.kind in _CONTACTS and LINES[self.line].direction != "in":
            raise ValueError(f"{self.id}: {self.line} is no contact")
        if self.kind in _LAMPS and LINES[self.line].direction != "out":
            raise ValueError(f"{self.id}: {self.line} is no lamp")
        if not self.tiers or not set(self.tiers) <= set(TIERS):
            raise ValueError(f"{self.id}: tiers must be some of {', '.join(TIERS)}")
        if self.kind is Kind.MEASURE and (len(self.volts) != 2 or self.volts[0] > self.volts[1]):
            raise ValueError(f"{self.id}: volts must be [least, most]")


def parse(text: str) -> tuple[Step, ...]:
    """The steps of a checklist.

    :raises ValueError: it is none; the text names the step.
    """
    told = tomllib.loads(text)
    if told.get("schema") != 1:
        raise ValueError("schema must be 1")
    steps = tuple(_step(raw) for raw in told.get("step", ()))
    ids = [step.id for step in steps]
    if len(ids) != len(set(ids)):
        raise ValueError("two steps have the same id")
    return steps


def _step(raw: Mapping[str, Any]) -> Step:
    known = {field.name for field in fields(Step)}
    name = raw.get("id", "a step without id")
    if not {"id", "tiers", "kind"} <= set(raw) <= known:
        raise ValueError(f"{name}: it needs id, tiers and kind, and may have {', '.join(sorted(known))}")
    if raw["kind"] not in list(Kind):
        raise ValueError(f'{name}: kind = "{raw["kind"]}" is not known')
    tuples = {key: tuple(raw[key]) for key in ("tiers", "volts") if key in raw}
    return Step(**{**raw, **tuples, "kind": Kind(raw["kind"])})


def installed() -> tuple[Step, ...]:
    """The checklist that came with this program."""
    return parse(Path(__file__).with_name("checklist.toml").read_text("utf-8"))
