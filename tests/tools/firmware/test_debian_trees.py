"""`make firmware` as a whole, on the device trees and bindings of Debian's kernel (fetched once)."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.need import need
from tools.firmware import build, overlays, validate
from tools.firmware.trees import Trees, trees
from tools.kernel.fetch import KernelMissingError
from tools.pinmap import load

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
PINS = load()
PI4 = replace(PINS, boards={"pi4": PINS.boards["pi4"]}, socs={"pi4": PINS.socs["pi4"]})


@pytest.fixture(scope="module")
def debian() -> Trees:
    need("fdtoverlay", "device trees are compiled with dtc (Debian's device-tree-compiler)")
    need(
        "module:dtschema",
        "trees are held against the kernel's bindings with dtschema (python3 -m tools.bootstrap hardware)",
    )
    try:
        return trees()
    except KernelMissingError as error:
        need(False, f"Debian's device trees: {error}")
        raise


def test_everything_holds_and_is_the_same_on_a_second_run(debian: Trees, tmp_path: Path) -> None:
    for run in ("first", "second"):
        assert build.main(tmp_path / run) == 0
    first, second = (build.sums(tmp_path / run) for run in ("first", "second"))
    assert first == second
    assert all(f"  {board}/config.txt\n" in first for board in PINS.boards)
    bare = {tree.file for board in PINS.boards for tree in PINS.trees[board]}
    audio = {tree.file for board, soc in PINS.socs.items() if soc != "bcm2712" for tree in PINS.trees[board]}
    made = {path.stem for path in (tmp_path / "first" / "trees").iterdir()}
    assert made == bare | {f"{name}+kontor-audio" for name in audio}


WRONG = (
    ('"rohm,bh2228fv"', '"kontor,ring"', "failed to match any schema with compatible: ['kontor,ring']"),
    ("panic-indicator;", "panic-indicator;\n\t\t\tbrightness = <1>;", "'brightness' was unexpected"),
    ("spi-max-frequency = <4000000>", 'spi-max-frequency = "fast"', "spi-max-frequency: size (5) error"),
    ("\t\t\tbias-pull-down;", "\t\t\tbias-pull-sideways;", "bias-pull-sideways"),
)
"""What stands in the overlay, what is written instead, what dt-validate says to that."""


def test_what_the_bindings_do_not_allow_is_found(
    debian: Trees, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = overlays.source
    text = right("kontor-panel", PINS)
    for old, new, _ in WRONG:
        assert old in text
        text = text.replace(old, new, 1)
    monkeypatch.setattr(overlays, "source", lambda name, pins: text if name == "kontor-panel" else right(name, pins))
    found = build.proved(PI4, debian, tmp_path / "built", tmp_path)
    for _, _, said in WRONG:
        assert any(said in finding for finding in found), (said, found)


def test_what_the_kernels_own_trees_say_is_not_ours(debian: Trees, tmp_path: Path) -> None:
    """Once its I2S runs, a Pi 4's tree lacks what its own binding wants; ours mends that and adds the accepted exception."""
    build.boards(PI4, tmp_path)
    made = {one.name: one for _, one in build.merged(PI4, debian, tmp_path, tmp_path)}
    one = made["bcm2711-rpi-4-b+kontor-audio"]
    told = validate.findings(debian, [one.switched, one.merged], tmp_path)
    assert any("'dmas' is a required property" in finding.message for finding in told[one.switched])
    assert [finding.accepted for finding in told[one.merged]] == [True]
