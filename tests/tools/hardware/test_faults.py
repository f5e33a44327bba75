"""What breaks, and what the lamps say then: the claims of the pages, asserted."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tools.hardware import checks
from tools.hardware.bench import NOTHING, POSITIONS, Damage, measure, sense_volts
from tools.hardware.faults import Danger, Row, find, single, table
from tools.hardware.netlist import Netlist
from tools.hardware.timing import switch_off

Change = Callable[..., Netlist]


def named(rows: tuple[Row, ...], beginning: str) -> Row:
    (found,) = (row for row in rows if row.fault.name.startswith(beginning))
    return found


@pytest.mark.parametrize("tier", ["a-cut", "b"])
def test_a_switch_that_cuts_leaves_nothing_and_says_so(netlists: dict[str, Netlist], tier: str) -> None:
    live, muted = (find(netlists[tier], position) for position in POSITIONS)
    assert live.heard == (True, True)
    assert live.hardware_lamp == live.software_lamp == (False, False)
    assert muted.powered == muted.heard == (False, False)
    assert muted.hardware_lamp == muted.software_lamp == (True, True)
    assert muted.supply < 0.02


def test_a_switch_that_is_only_read_leaves_the_microphones_powered(netlists: dict[str, Netlist]) -> None:
    muted = find(netlists["a"], "muted")
    assert muted.powered == (True, True)
    assert muted.heard == (False, False)
    assert muted.software_lamp == (True, True)


@pytest.mark.parametrize("tier", ["a-cut", "b"])
def test_no_single_fault_lights_the_lamp_of_the_switch_over_a_microphone_with_a_supply(
    tables: dict[str, tuple[Row, ...]], tier: str
) -> None:
    assert len(tables[tier]) > 200
    for row in tables[tier]:
        for finding in row.findings.values():
            assert not (finding.hardware_lamp[0] and finding.powered[1]), row.fault.name


def test_with_own_microphones_only_a_switch_that_does_not_move_lets_a_word_out_while_muted(
    tables: dict[str, tuple[Row, ...]],
) -> None:
    heard = [row.fault.name for row in tables["b"] if row.findings["muted"].heard[1]]
    assert heard == ["S201 as a whole: stays live"]


def test_not_even_wrong_software_hears_a_muted_microphone(netlists: dict[str, Netlist]) -> None:
    for name in netlists["b"].wired_lines():
        for level in ("high", "low"):
            finding = find(netlists["b"], "muted", Damage(lines={name: level}))
            assert finding.powered[1] is False, name
            assert finding.connected is False, name


@pytest.mark.parametrize("tier", ["a", "a-cut", "b"])
def test_a_broken_sense_wire_reads_muted(netlists: dict[str, Netlist], tier: str) -> None:
    cut = frozenset(wire.name for wire in netlists[tier].wires if wire.line == "mute")
    assert sense_volts(netlists[tier], measure(netlists[tier], "live", Damage(cut))) < 0.1
    finding = find(netlists[tier], "live", Damage(cut))
    assert finding.heard == (False, False)
    assert finding.software_lamp == (True, True)


def test_a_welded_contact_leaves_the_lamp_dark_and_the_data_cut(tables: dict[str, tuple[Row, ...]]) -> None:
    row = named(tables["b"], "S201 pole A: live contact welded")
    muted = row.findings["muted"]
    assert muted.powered == (True, True)
    assert muted.hardware_lamp == (False, False)
    assert not muted.connected
    assert row.danger is Danger.TOLD


def test_without_the_transistor_that_contact_would_be_dangerous(changed: Change) -> None:
    base = 'R206 = { part = "resistor", ohm = '
    netlist = changed("b", "mute-microphones", f"{base}10_000", f"{base}1e9")
    faults = [fault for fault in single(netlist) if fault.name.startswith("S201 pole A: live contact welded")]
    (row,) = table(netlist, faults)
    assert row.danger is Danger.DANGEROUS
    assert any("S201 pole A: live contact welded" in one for one in checks.dangers(netlist, [row], checks.accepted()))


def test_both_contacts_of_a_pole_in_series_may_not_weld_but_one_may(tables: dict[str, tuple[Row, ...]]) -> None:
    for pole in "AB":
        assert named(tables["a-cut"], f"S401 pole {pole}: live contact welded").danger is Danger.SAFE


@pytest.mark.parametrize("tier", ["a", "a-cut", "b"])
def test_every_dangerous_fault_has_a_reason_and_every_reason_a_fault(
    netlists: dict[str, Netlist], tables: dict[str, tuple[Row, ...]], tier: str
) -> None:
    assert checks.dangers(netlists[tier], tables[tier], checks.accepted()) == []


def test_a_reason_that_fits_nothing_is_told(netlists: dict[str, Netlist], tables: dict[str, tuple[Row, ...]]) -> None:
    stay = [*checks.accepted(), checks.Accepted(("b",), ("R999 open",), "it was there once")]
    assert checks.dangers(netlists["b"], tables["b"], stay) == [
        "b: hardware/accepted.toml: no dangerous fault begins with R999 open"
    ]


def test_when_nobody_drives_the_lines_both_lamps_that_warn_are_lit(netlists: dict[str, Netlist]) -> None:
    for netlist in netlists.values():
        reading = measure(netlist, "live", Damage(supplies=frozenset({"software"})))
        lit = {part.ref for part in netlist.of_kind("led") if reading.lamp(part) > 0.001}
        assert lit == {"D101", "D102"}


def test_the_supply_ends_within_milliseconds_even_with_one_resistor_broken(netlists: dict[str, Netlist]) -> None:
    for damage in (NOTHING, Damage(pins=frozenset({("R201", "1")}))):
        ending = switch_off(netlists["b"], damage)
        assert 0 < ending.off < ending.dead < 0.0025
        assert ending.told < 0.0025
    both = Damage(pins=frozenset({("R201", "1"), ("R202", "1")}))
    assert switch_off(netlists["b"], both).dead > 0.01  # the two are what does it


CHECKLIST = [
    ({"id": "muted-supply-gone", "volts": (1.0, 2.0)}, "TP202 has 0.00 V"),
    ({"id": "muted-supply-gone", "point": "TP9"}, "there is no test point TP9"),
    ({"id": "live-reads-live", "expect": "low"}, "is not low"),
    ({"id": "mic-lamp-wire", "bias": "pull-down"}, "a broken wire would pass too"),
    ({"id": "mic-lamp-wire", "expect": "high"}, "is not high"),
    ({"id": "muted-bridged-reads-live", "ask": "Take it away."}, "is not high"),
    ({"id": "sense-unplugged-reads-muted", "expect": "high"}, "is not high"),
    ({"id": "muted-bridged-lamp-dark", "ask": ""}, "the lamp beside the switch is lit then"),
    ({"id": "live-lamp-dark", "question": "Is it lit?"}, "the lamp beside the switch is dark then"),
]


@pytest.mark.parametrize("tier", ["a", "a-cut", "b"])
def test_the_checklist_agrees_with_the_circuits(netlists: dict[str, Netlist], tier: str) -> None:
    assert checks.checklist(netlists[tier], checks.steps()) == []


@pytest.mark.parametrize(("change", "told"), CHECKLIST, ids=[one[1] for one in CHECKLIST])
def test_a_checklist_that_says_something_else_is_told(
    netlists: dict[str, Netlist], change: dict[str, object], told: str
) -> None:
    steps = [replace(step, **change) if step.id == change["id"] else step for step in checks.steps()]  # type: ignore[arg-type]
    assert any(told in finding for finding in checks.checklist(netlists["b"], steps))


def test_a_line_that_no_step_looks_at_is_told(netlists: dict[str, Netlist]) -> None:
    steps = [step for step in checks.steps() if step.line != "knock"]
    assert checks.checklist(netlists["a"], steps) == ["a: hardware/checklist.toml: no step looks at line knock"]
