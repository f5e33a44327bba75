"""With the programs that draw: pictures and netlist agree, and everything that is made is made the same again."""

import shutil
from pathlib import Path

import pytest

from tests.support.need import need
from tools.hardware import exports
from tools.hardware.__main__ import main
from tools.hardware.netlist import HARDWARE, Netlist

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(autouse=True)
def _programs() -> None:
    need("module:schemdraw", "drawings need schemdraw: make hardware installs it")
    need("module:wireviz", "pictures of cables need WireViz: make hardware installs it")
    need("dot", "pictures of cables need Debian's graphviz")


def test_all_of_it_is_made_anew_as_it_lies_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pairs of faults too. Pictures of cables are laid out by Graphviz, and another version of it may do it otherwise."""
    root = tmp_path / "hardware"
    shutil.copytree(HARDWARE, root)
    for made in ("bom", "drawings", "harness", "kicad"):
        shutil.rmtree(root / made)
    assert main([], root) == 0, capsys.readouterr().out
    files = {path.relative_to(root) for path in root.rglob("*") if path.is_file()}
    assert files == {path.relative_to(HARDWARE) for path in HARDWARE.rglob("*") if path.is_file()}
    for name in files:
        if name.parts[0] != "harness" or name.suffix != ".svg":
            assert (root / name).read_bytes() == (HARDWARE / name).read_bytes(), f"{name} is old: make hardware"


def test_the_picture_of_the_cables_is_the_same_again_and_names_every_cable(netlists: dict[str, Netlist]) -> None:
    for netlist in netlists.values():
        text = exports.harness(netlist)
        picture = exports.harness_svg(text)
        assert picture == exports.harness_svg(text)
        assert picture.startswith(("<?xml", "<svg"))
        assert str(HARDWARE.parent) not in picture
        for cable in netlist.cables:
            assert f">{cable}<" in picture


def test_every_part_is_drawn_and_joined_as_the_netlist_says(netlists: dict[str, Netlist]) -> None:
    from tools.hardware.drawings import draw

    for netlist in netlists.values():
        sheets = draw(netlist)
        assert [finding for sheet in sheets.values() for finding in sheet.compare()] == []
        assert {ref for sheet in sheets.values() for ref in sheet.parts} == set(netlist.parts)


def test_a_drawing_that_says_something_else_is_told(netlists: dict[str, Netlist]) -> None:
    from tools.hardware.sheet import Sheet

    sheet = Sheet(netlists["b"], ["MUTE"], ["R201", "R202", "R213"])
    sheet.two("R201", (0, 2), (0, 0))
    sheet.two("R202", (3, 2), (3, 0))
    sheet.line((0, 2), (3, 2))
    told = sheet.compare()
    assert told[:2] == ["R213 1 is not drawn", "R213 2 is not drawn"]
    assert [finding.partition(" of ")[0] for finding in told[2:]] == ["the drawing does not join all"]
    sheet.ground((0, 0))
    sheet.ground((3, 0))
    sheet.two("R213", (6, 2), (6, 0))
    sheet.ground((6, 0))
    assert sheet.compare() == []
    sheet.line((3, 2), (6, 2))
    (finding,) = sheet.compare()
    assert finding.startswith("the drawing joins ")
    assert "M_PARK" in finding
