"""The solver against circuits whose answer is known."""

import math

import pytest

from tools.hardware.solver import GROUND, Circuit, Diode, Fet, Gate, Npn, Straight, UnsolvedError


def straight(*nodes: str) -> Straight:
    made = Straight(nodes)
    made.source("supply", 3.3, 0.001)
    return made


def test_a_divider() -> None:
    made = straight("supply", "middle")
    made.resistor("supply", "middle", 1000)
    made.resistor("middle", GROUND, 2000)
    assert Circuit(made).solve()["middle"] == pytest.approx(2.2, abs=0.001)


def test_what_hangs_in_the_air_is_at_zero() -> None:
    assert Circuit(straight("supply", "alone")).solve()["alone"] == 0


def test_a_lamp_takes_its_forward_voltage() -> None:
    made = straight("supply", "anode")
    made.resistor("supply", "anode", 460)
    lamp = Diode("anode", GROUND, 1.8, 40)
    volts = Circuit(made, [lamp]).solve()
    assert lamp.amperes(volts) == pytest.approx(0.003, rel=0.01)
    assert volts["anode"] == pytest.approx(1.92, abs=0.01)


def test_a_lamp_the_wrong_way_round_is_dark() -> None:
    made = straight("supply", "cathode")
    made.resistor("supply", "cathode", 460)
    lamp = Diode(GROUND, "cathode", 1.8, 40)
    assert lamp.amperes(Circuit(made, [lamp]).solve()) == 0


@pytest.mark.parametrize(
    ("base", "collector", "state"), [(0.5, 3.3, "off"), (0.68, 2.0, "active"), (3.3, 0.0, "saturated")]
)
def test_a_transistor_is_off_between_or_on(base: float, collector: float, state: str) -> None:
    made = straight("supply", "in", "base", "collector")
    made.source("in", base, 0.001)
    made.resistor("in", "base", 2200)
    made.resistor("supply", "collector", 1000)
    transistor = Npn("base", "collector", GROUND, 0.65, 100)
    volts = Circuit(made, [transistor]).solve()
    assert transistor.state == state
    assert volts["collector"] == pytest.approx(collector, abs=0.15)


@pytest.mark.parametrize(("gate", "lit"), [(0.0, True), (3.3, False)])
def test_a_p_channel_transistor_conducts_while_its_gate_is_low(gate: float, lit: bool) -> None:
    made = straight("supply", "gate", "drain")
    made.source("gate", gate, 0.001)
    made.resistor("drain", GROUND, 1000)
    volts = Circuit(made, [Fet("gate", "supply", "drain", 0.9, -1)]).solve()
    assert volts["drain"] == pytest.approx(3.3 if lit else 0.0, abs=0.01)


def test_a_gate_that_is_tied_to_its_drain_settles_between() -> None:
    made = straight("supply", "tied")
    made.resistor("tied", GROUND, 1000)
    assert Circuit(made, [Fet("tied", "supply", "tied", 0.9, -1)]).solve()["tied"] == pytest.approx(2.4, abs=0.05)


@pytest.mark.parametrize(("supply", "output"), [(3.3, 3.3), (1.0, 0.0)])
def test_a_buffer_without_a_supply_lets_go(supply: float, output: float) -> None:
    made = Straight(["rail", "in", "out"])
    made.source("rail", supply, 0.001)
    made.source("in", 3.3, 0.001)
    made.resistor("out", GROUND, 100_000)
    volts = Circuit(made, [Gate("rail", GROUND, "in", "out", 1.4)]).solve()
    assert volts["out"] == pytest.approx(output, abs=0.01)
    assert volts["rail"] == pytest.approx(supply, abs=0.001)


def test_a_capacitor_empties_as_the_exponential_says() -> None:
    made = Straight(["top"])
    made.resistor("top", GROUND, 750)
    full = Straight(["top"])
    full.source("top", 3.3, 0.001)
    circuit = Circuit(made, capacitors=[("top", GROUND, 1.3e-6)])
    volts = Circuit(full).solve()
    for _ in range(1000):
        volts = circuit.step(volts, 1e-6)
    assert volts["top"] == pytest.approx(3.3 * math.exp(-1e-3 / (750 * 1.3e-6)), rel=0.01)


def test_a_circuit_that_swings_is_said_to() -> None:
    made = Straight(["rail", "in"])
    made.source("in", 3.3, 1000)
    made.resistor("rail", GROUND, 1e6)
    ring = Gate("rail", GROUND, "in", "in", 1.4)

    class Backwards(Gate):
        """A buffer that feeds its own supply until it has one, and then takes it away."""

        def fits(self, volts: object) -> str:
            return "off" if self.state != "off" else "low"

    with pytest.raises(UnsolvedError):
        Circuit(made, [ring, Backwards("rail", GROUND, "in", "in", 1.4)]).solve()
