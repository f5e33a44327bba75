"""``kontor doctor --panel`` as a command: with a terminal and without, for people and for programs."""

import io
import json
from pathlib import Path

import pytest

from appliance.__main__ import main
from appliance.app import doctor_panel
from appliance.app.checklist import Step, parse
from appliance.commands.doctor import Terminal
from appliance.panel import bias
from appliance.panel.lines import LinesError
from appliance.panel.virtual import VirtualLines

STEPS = """schema = 1
[[step]]
id = "red"
tiers = ["a"]
kind = "lamp"
line = "mic_lamp"
question = "Did it go on and off?"
help = "D101."
[[step]]
id = "supply"
tiers = ["b"]
kind = "measure"
point = "TP1"
volts = [3.0, 3.4]
help = "F201."
"""


class Keyboard(io.StringIO):
    """What somebody types."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def device(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The settings of a device with a real panel, whose lines are virtual ones."""
    path = short_dir / "kontor.toml"
    path.write_text(
        f'schema = 1\n[device]\nstate_dir = "{short_dir}"\nruntime_dir = "{short_dir}"\n[panel]\nkind = "gpio"\n'
    )

    def wire(_line: str, _bias: str) -> bool:
        raise LinesError("there is no chip")

    def steps() -> tuple[Step, ...]:
        return parse(STEPS)

    monkeypatch.setattr(doctor_panel, "panel_lines", lambda _settings: (VirtualLines(), None))
    monkeypatch.setattr(doctor_panel, "installed", steps)
    monkeypatch.setattr("appliance.app.panel_bench._BLINK", 0.0)
    monkeypatch.setattr(bias, "Biased", lambda _panel: wire)
    return str(path)


def words(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, however it was set."""
    return " ".join(capsys.readouterr().out.split())


def types(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", Keyboard(text))


def test_somebody_at_a_terminal(
    device: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    types(monkeypatch, "perhaps\nYes\n")
    assert main(["doctor", "--panel", "--config", device]) == 0
    out = words(capsys)
    assert out.startswith("The panel, step by step: ok contacts virtual: MUTE high, ROOM high")
    assert out.count("? Did it go on and off? [y/n]") == 2, "perhaps is no answer"
    assert out.endswith("ok red Did it go on and off? Yes.")
    assert "supply" not in out, "it is of another hardware"


def test_what_does_not_work_ends_with_69(
    device: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    types(monkeypatch, "n\nn\n")
    assert main(["doctor", "--panel", "--config", device]) == 69
    assert "BAD red Did it go on and off? No. -> D101." in words(capsys)


def test_a_record_of_it_for_programs(
    device: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    types(monkeypatch, "3.3 V\ninf\n3,3\n")
    assert main(["doctor", "--panel", "--tier", "b", "--json", "--config", device]) == 0
    told = capsys.readouterr()
    record = json.loads(told.out)
    assert record["good"] is True
    assert record["panel"]["tier"] == "b"
    assert record["panel"]["levels"]["mute"] == "high"
    assert [finding["check"] for finding in record["findings"]] == ["contacts", "supply"]
    assert told.err.count("Volts at TP1 against ground?") == 3


def test_nobody_there(device: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--panel", "--json", "--config", device]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [(finding["check"], finding["state"]) for finding in record["findings"]] == [
        ("contacts", "good"),
        ("red", "skipped"),
    ]


def test_somebody_who_leaves(device: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    types(monkeypatch, "")
    assert main(["doctor", "--panel", "--config", device]) == 69
    assert "Whoever was asked has gone" in words(capsys)


def test_settings_without_a_panel_are_no_pass(device: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(device)
    path.write_text(path.read_text().replace('kind = "gpio"', 'kind = "none"'))
    assert main(["doctor", "--panel", "--config", device]) == 78
    assert 'Set it to "gpio"' in capsys.readouterr().err


def test_it_is_about_this_machine_alone(device: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--panel", "--link", "https://kontor.example/room#token"]) == 64
    assert main(["doctor", "--panel", "--plot", "echo.png", "--config", device]) == 64
    assert "leave out" in capsys.readouterr().err


def test_what_he_is_told_stands_out() -> None:
    out = io.StringIO()
    Terminal(out).tell("Press ROOM.")
    assert out.getvalue() == "  >     Press ROOM.\n"
