"""``kontor config check`` on the machine that has the panel: a board, chip or bus that is not there is refused."""

import json
import sys
from pathlib import Path

import pytest

from appliance.panel import probe
from tests.settings.test_command_config import kontor

Output = pytest.CaptureFixture[str]
PI4 = "Raspberry Pi 4 Model B Rev 1.5"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A Pi 4 with its chip."""
    monkeypatch.setattr(probe, "model", lambda: PI4)
    monkeypatch.setattr(probe, "chips", lambda: [probe.Chip(Path("/dev/gpiochip0"), "pinctrl-bcm2711", 58)])
    return monkeypatch


def check(folder: Path, panel: str, capsys: Output) -> list[str]:
    """What is told of ``panel``, one line each; nothing: it is right."""
    path = folder / "kontor.toml"
    path.write_text(f'schema = 1\n[panel]\nkind = "gpio"\n{panel}')
    code = kontor("check", "--config", str(path))
    told = capsys.readouterr().err.splitlines()
    assert code == (78 if told else 0)
    return [line.replace(str(path), "kontor.toml") for line in told]


def test_a_panel_that_fits_is_right(machine: pytest.MonkeyPatch, tmp_path: Path, capsys: Output) -> None:
    assert check(tmp_path, "", capsys) == []
    assert check(tmp_path, 'board = "pi4"', capsys) == []


def test_another_board_is_refused(machine: pytest.MonkeyPatch, tmp_path: Path, capsys: Output) -> None:
    assert check(tmp_path, 'board = "pi5"', capsys) == [
        f'kontor.toml:4: panel.board = "pi5": must be pi4: that is what this machine is ({PI4}). auto finds it out.'
    ]


def test_a_chip_that_is_missing_is_refused(machine: pytest.MonkeyPatch, tmp_path: Path, capsys: Output) -> None:
    (told,) = check(tmp_path, 'chip = "pinctrl-rp1"', capsys)
    assert told.startswith('kontor.toml:4: panel.chip = "pinctrl-rp1": cannot be: there is no GPIO chip pinctrl-rp1')
    machine.setattr(probe, "chips", list)
    (told,) = check(tmp_path, "", capsys)
    assert told.startswith('panel.board = "auto": cannot be: there is no GPIO chip pinctrl-bcm2711 (here: none)')


def test_a_ring_without_a_bus_and_a_wrong_board_are_told_at_once(
    machine: pytest.MonkeyPatch, tmp_path: Path, capsys: Output
) -> None:
    told = check(tmp_path, 'board = "pi5"\npixels = 12\nspi = "/dev/spidev999.9"', capsys)
    assert [line.split(":")[1] for line in told] == ["4", "6"]
    assert "must be a device of this machine, which is not there. firmware/ has the overlay" in told[1]


def test_a_machine_that_is_no_board_is_told_what_to_set(
    machine: pytest.MonkeyPatch, tmp_path: Path, capsys: Output
) -> None:
    machine.setattr(probe, "model", lambda: "Some other board")
    (told,) = check(tmp_path, "", capsys)
    assert "is no board that Kontor knows: set [panel] board" in told


def test_a_missing_library_is_told(machine: pytest.MonkeyPatch, tmp_path: Path, capsys: Output) -> None:
    machine.undo()
    machine.setattr(probe, "model", lambda: PI4)
    machine.setitem(sys.modules, "gpiod", None)
    (told,) = check(tmp_path, "", capsys)
    assert 'panel.kind = "gpio": needs gpiod. Install kontor[device] with pip.' in told


def test_settings_for_another_machine_are_not_compared_with_a_desk_computer(
    machine: pytest.MonkeyPatch, tmp_path: Path, capsys: Output
) -> None:
    machine.setattr(probe, "model", lambda: "")
    machine.setattr(probe, "chips", list)
    assert check(tmp_path, 'board = "pi5"\npixels = 12', capsys) == []
    assert kontor("check", "--config", str(tmp_path / "kontor.toml")) == 0
    assert "Check again on the device." in capsys.readouterr().out, (
        "what was not looked at is not passed over in silence"
    )


def test_it_can_be_had_by_programs(machine: pytest.MonkeyPatch, tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "kontor.toml"
    path.write_text('schema = 1\n[panel]\nkind = "gpio"\nboard = "pi5"\n')
    assert kontor("check", "--json", "--config", str(path)) == 78
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["problems"][0]["key"], told["problems"][0]["line"]) == (False, "panel.board", 4)
