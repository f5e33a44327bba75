"""What is made of the circuits: current, the same every time, and what other programs can read."""

import json
import re
import shutil
from pathlib import Path

import pytest

import tools.hardware.__main__ as hardware
from tools.hardware.__main__ import PAIRS, compare, main
from tools.hardware.exports import bill, files, harness, kicad
from tools.hardware.faults import Row
from tools.hardware.netlist import HARDWARE, Netlist


def test_what_lies_in_hardware_is_current(
    tables: dict[str, tuple[Row, ...]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Solving takes the time, and is done once for all tests.
    monkeypatch.setattr(hardware, "table", lambda netlist: tables[netlist.tier])
    assert main(["--check"]) == 0, capsys.readouterr().out


def test_an_old_page_and_a_wrong_circuit_are_told(
    tmp_path: Path, netlists: dict[str, Netlist], capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "hardware"
    shutil.copytree(HARDWARE, root)
    (root / "bom" / "b.csv").write_text("one resistor\n")
    assert compare(root, files(netlists["b"])) == 1
    assert "hardware/ is old, `make hardware` mends it: bom/b.csv\n" in capsys.readouterr().out
    path = root / "circuits" / "panel.toml"
    path.write_text(path.read_text().replace('["line talk", "VT", "P_TALK"]', '["line shout", "VT", "P_TALK"]'))
    assert main(["--check"], root) == 1
    assert "no line shout" in capsys.readouterr().out


@pytest.mark.parametrize("tier", ["a-cut", "b"])
def test_no_two_faults_let_a_word_out_under_the_lamp_of_the_switch(tier: str) -> None:
    pairs = json.loads((HARDWARE / PAIRS).read_text())[tier]
    assert pairs["tried"] > 2000
    assert pairs["heard_while_muted"] == 0


def test_kicads_netlist_has_every_part_and_every_pin_once(netlists: dict[str, Netlist]) -> None:
    netlist = netlists["b"]
    text = kicad(netlist, "MUTE")
    assert text.count("(") == text.count(")")
    parts = re.findall(r'\(comp \(ref "(\w+)"\)', text)
    assert len(parts) == len(set(parts))
    assert {ref for ref, part in netlist.parts.items() if part.board == "MUTE"} | {
        "J201",
        "J202",
        "J203",
        "J204",
    } == set(parts)
    nodes = re.findall(r'\(node \(ref "(\w+)"\) \(pin "(\w+)"\)\)', text)
    assert len(nodes) == len(set(nodes))
    lamp = re.search(r'\(name "M_LAMP_A"\)(.*?)\n    \)', text, re.DOTALL)
    assert lamp is not None
    assert set(re.findall(r'"(\w+)"\) \(pin "(\w+)"', lamp[1])) == {("D201", "2"), ("Q201", "3"), ("R205", "2")}


def test_the_bill_counts_every_part_that_is_bought(netlists: dict[str, Netlist]) -> None:
    for netlist in netlists.values():
        items = bill(netlist)
        counted = [ref for item in items for ref in item.refs]
        assert sorted(counted) == sorted(ref for ref, part in netlist.parts.items() if part.data["buy"])
        assert all(item.count == len(item.refs) for item in items)


def test_the_harness_follows_the_pin_map(netlists: dict[str, Netlist]) -> None:
    text = harness(netlists["b"])
    assert "'MIC (GPIO25)'" in text
    assert "- PI: [1, 4, 6, 39, 11, 12, 35, 38, 40]" in text
