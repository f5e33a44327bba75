"""The real circuits, read once, and copies to break."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.hardware.faults import Row, table
from tools.hardware.netlist import HARDWARE, Netlist, load, tiers


@pytest.fixture(scope="session")
def netlists() -> dict[str, Netlist]:
    return {tier: load(tier) for tier in tiers()}


@pytest.fixture(scope="session")
def tables(netlists: dict[str, Netlist]) -> dict[str, tuple[Row, ...]]:
    return {tier: table(netlist) for tier, netlist in netlists.items()}


@pytest.fixture
def changed(tmp_path: Path) -> Callable[..., Netlist]:
    """A tier of a copy of hardware/ in which one text of one circuit was replaced."""

    def make(tier: str, sheet: str, old: str, new: str) -> Netlist:
        root = tmp_path / "hardware"
        shutil.copytree(HARDWARE, root)
        path = root / "circuits" / f"{sheet}.toml"
        text = path.read_text()
        assert text.count(old) == 1, f"{old} is {text.count(old)} times in {sheet}"
        path.write_text(text.replace(old, new))
        return load(tier, root)

    return make
