"""Debian's packages beside ours: what the Makefile asks for is there to be asked for, and nothing takes a machine over."""

import re
from pathlib import Path

import pytest

from tools import debian, system

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = {"janus"}
"""Asked for by their own name."""


def test_every_set_that_the_makefile_names_is_one() -> None:
    asked = re.findall(r"-m tools\.system ([a-z ]+)", (ROOT / "Makefile").read_text())
    assert len(asked) > 10
    assert {name for names in asked for name in names.split()} <= {*system.SETS, *PACKAGES}


@pytest.mark.parametrize("runs", [False, True])
def test_what_takes_over_a_network_is_installed_in_containers_alone(
    runs: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed: list[str] = []
    monkeypatch.setattr(system, "RUNS", runs)
    monkeypatch.setattr(system, "find", lambda program: None)
    monkeypatch.setattr(debian, "available", lambda: True)
    monkeypatch.setattr(debian, "elevation", list)
    monkeypatch.setattr(debian, "install", lambda *names: installed.extend(names))
    assert system.main(["network"]) == 75
    assert ("network-manager" in installed, "hostapd" in installed) == (not runs, True)
    assert "network-manager" in capsys.readouterr().out.rpartition("type: ")[2], "whoever wants it types it"
