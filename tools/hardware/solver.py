"""Voltages of a circuit: nodal analysis, with parts that switch between straight pieces.

Resistors, supplies and capacitors are straight. A diode conducts or not, a transistor is off, on (or between), a chip's
output is high, low or let go: for each such state the circuit is straight and solved at once; the part whose state does not
fit its voltages changes it, until all fit. That is as exact as a page of test points needs: 0.1 V.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

GROUND = "0"
_LEAK = 1e-9
"""Siemens from each node to ground, so that what hangs in the air has a voltage (0) and not none."""
_ROUNDS, _TOGETHER = 400, 4


class UnsolvedError(RuntimeError):
    """No set of states fits: the circuit swings, or a model is wrong."""


class Straight:
    """The linear part: conductances and currents by node names."""

    def __init__(self, nodes: Iterable[str]) -> None:
        names = sorted(set(nodes) - {GROUND})
        self.index: dict[str, int] = {name: number for number, name in enumerate(names)}
        size = len(names)
        self.matrix: NDArray[np.float64] = np.eye(size) * _LEAK
        self.currents: NDArray[np.float64] = np.zeros(size)

    def resistor(self, first: str, second: str, ohm: float) -> None:
        """A resistor between two nodes."""
        self.transfer(first, second, first, second, 1 / ohm)

    def source(self, node: str, volts: float, ohm: float) -> None:
        """A supply against ground, with its inner resistance."""
        self.resistor(node, GROUND, ohm)
        self.current(GROUND, node, volts / ohm)

    def current(self, start: str, end: str, amperes: float) -> None:
        """A current that flows out of ``start`` and into ``end``."""
        if start != GROUND:
            self.currents[self.index[start]] -= amperes
        if end != GROUND:
            self.currents[self.index[end]] += amperes

    def transfer(self, start: str, end: str, plus: str, minus: str, siemens: float) -> None:
        """A current from ``start`` to ``end`` of so much for each volt between ``plus`` and ``minus``."""
        for row, row_sign in ((start, 1.0), (end, -1.0)):
            for column, column_sign in ((plus, 1.0), (minus, -1.0)):
                if GROUND not in (row, column):
                    self.matrix[self.index[row], self.index[column]] += row_sign * column_sign * siemens

    def copy(self) -> Straight:
        """The same, to be added to."""
        twin = object.__new__(Straight)
        twin.index, twin.matrix, twin.currents = self.index, self.matrix.copy(), self.currents.copy()
        return twin


class Volts:
    """Node to volts against ground."""

    def __init__(self, index: Mapping[str, int], values: NDArray[np.float64]) -> None:
        self._index, self._values = index, values

    def __getitem__(self, node: str) -> float:
        return 0.0 if node == GROUND else float(self._values[self._index[node]])


class Bent(Protocol):
    """A part with states."""

    state: str

    @property
    def nodes(self) -> tuple[str, ...]:
        """What it touches."""

    def stamp(self, straight: Straight) -> None:
        """Add what it is in its state."""

    def fits(self, volts: Volts) -> str:
        """The state that these voltages ask for."""


@dataclass(slots=True)
class Diode:
    """Conducts from ``anode`` to ``cathode`` above ``forward`` volts, then with ``ohm``."""

    anode: str
    cathode: str
    forward: float
    ohm: float
    state: str = "off"

    @property
    def nodes(self) -> tuple[str, ...]:
        return self.anode, self.cathode

    def stamp(self, straight: Straight) -> None:
        if self.state == "on":
            straight.resistor(self.anode, self.cathode, self.ohm)
            straight.current(self.cathode, self.anode, self.forward / self.ohm)

    def fits(self, volts: Volts) -> str:
        return "on" if volts[self.anode] - volts[self.cathode] > self.forward else "off"

    def amperes(self, volts: Volts) -> float:
        """What flows."""
        return max(0.0, (volts[self.anode] - volts[self.cathode] - self.forward) / self.ohm)


@dataclass(slots=True)
class Npn:
    """Off; active (collector current is ``gain`` times the base's); saturated (a few ohms)."""

    base: str
    collector: str
    emitter: str
    forward: float
    gain: float
    state: str = "off"
    _ohm = 100.0
    """Of the base."""
    _saturated = 20.0

    @property
    def nodes(self) -> tuple[str, ...]:
        return self.base, self.collector, self.emitter

    def stamp(self, straight: Straight) -> None:
        if self.state == "off":
            return
        straight.resistor(self.base, self.emitter, self._ohm)
        straight.current(self.emitter, self.base, self.forward / self._ohm)
        if self.state == "saturated":
            straight.resistor(self.collector, self.emitter, self._saturated)
        else:
            straight.transfer(self.collector, self.emitter, self.base, self.emitter, self.gain / self._ohm)
            straight.current(self.emitter, self.collector, self.gain * self.forward / self._ohm)

    def fits(self, volts: Volts) -> str:
        base = (volts[self.base] - volts[self.emitter] - self.forward) / self._ohm
        across = volts[self.collector] - volts[self.emitter]
        if base <= 0:
            return "off"
        enough = self.state != "off" and across / self._saturated <= self.gain * base
        return "saturated" if enough else "active"


@dataclass(slots=True)
class Fet:
    """A MOSFET: off; active (current grows with the gate's voltage beyond its threshold); on (less than an ohm).

    Its body diode is left out: no circuit here turns one round.
    """

    gate: str
    source: str
    drain: str
    threshold: float
    polarity: int
    """1 for N channel, -1 for P channel."""
    state: str = "off"
    _ohm = 0.2
    _siemens = 0.1

    @property
    def nodes(self) -> tuple[str, ...]:
        return self.gate, self.source, self.drain

    def stamp(self, straight: Straight) -> None:
        if self.state == "on":
            straight.resistor(self.source, self.drain, self._ohm)
        elif self.state == "active":
            straight.transfer(self.drain, self.source, self.gate, self.source, self._siemens)
            straight.current(self.source, self.drain, self.polarity * self._siemens * self.threshold)

    def fits(self, volts: Volts) -> str:
        beyond = self.polarity * (volts[self.gate] - volts[self.source]) - self.threshold
        across = self.polarity * (volts[self.drain] - volts[self.source])
        if beyond <= 0:
            return "off"
        return "on" if self.state != "off" and across / self._ohm <= self._siemens * beyond else "active"


@dataclass(slots=True)
class Gate:
    """One channel of a buffer: follows its input above half its supply; without a supply it lets go."""

    supply: str
    ground: str
    input: str
    output: str
    least: float
    """Volts of supply below which it does nothing."""
    state: str = "off"
    _ohm = 30.0

    @property
    def nodes(self) -> tuple[str, ...]:
        return self.supply, self.ground, self.input, self.output

    def stamp(self, straight: Straight) -> None:
        if self.state != "off":
            straight.resistor(self.output, self.supply if self.state == "high" else self.ground, self._ohm)

    def fits(self, volts: Volts) -> str:
        supply = volts[self.supply] - volts[self.ground]
        if supply < self.least:
            return "off"
        return "high" if volts[self.input] - volts[self.ground] > supply / 2 else "low"


@dataclass(slots=True)
class Circuit:
    """A circuit that can be solved: what is straight, what is bent, and capacitors for the passing of time."""

    straight: Straight
    bent: list[Bent] = field(default_factory=list)
    capacitors: list[tuple[str, str, float]] = field(default_factory=list)

    def solve(self) -> Volts:
        """Voltages when all has settled: capacitors carry nothing."""
        return self._settle(self.straight)

    def step(self, before: Volts, seconds: float) -> Volts:
        """Voltages ``seconds`` after ``before`` (backward Euler: never overshoots)."""
        straight = self.straight.copy()
        for first, second, farad in self.capacitors:
            straight.resistor(first, second, seconds / farad)
            straight.current(second, first, (before[first] - before[second]) * farad / seconds)
        return self._settle(straight)

    def _settle(self, straight: Straight) -> Volts:
        for number in range(_ROUNDS):
            whole = straight.copy()
            for part in self.bent:
                part.stamp(whole)
            volts = Volts(whole.index, np.asarray(np.linalg.solve(whole.matrix, whole.currents), dtype=np.float64))
            wrong = [(part, wanted) for part in self.bent if (wanted := part.fits(volts)) != part.state]
            if not wrong:
                return volts
            # All at once gets near; then one at a time, and not always the first: two that wait for each other would swing.
            for part, wanted in wrong if number < _TOGETHER else [wrong[number % len(wrong)]]:
                part.state = wanted
        raise UnsolvedError("the circuit has no state that fits its voltages")
