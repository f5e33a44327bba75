"""hardware/pinmap.toml: read, checked, and made into code that is current."""

from pathlib import Path

import pytest

from tools import pinmap

GIVEN = pinmap.SOURCE.read_text()


def changed(folder: Path, old: str, new: str) -> Path:
    assert old in GIVEN
    path = folder / "pinmap.toml"
    path.write_text(GIVEN.replace(old, new, 1))
    return path


def test_the_module_is_current() -> None:
    assert pinmap.TARGET.read_text() == pinmap.page(pinmap.load())


def test_what_is_made_is_the_map_again() -> None:
    made: dict[str, object] = {}
    exec(pinmap.page(pinmap.load()), made)
    assert made["LINES"] == pinmap.load().lines
    assert made["BOARDS"] == pinmap.load().boards


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("gpio = 24\npin = 18", "gpio = 17\npin = 11", "GPIO 17 is used twice: by mute and room"),
        ("gpio = 24\npin = 18", "gpio = 24\npin = 22", "room: header pin 22 is not GPIO 24"),
        ("gpio = 24\npin = 18", "gpio = 14\npin = 8", "room: GPIO 14 is reserved: serial console, transmit"),
        ('pull = "down"', 'pull = "up"', "mute: a broken wire must read as muted: pull down, not up"),
        (
            'pull = "up"\n\n[lines.talk]',
            'pull = "down"\n\n[lines.talk]',
            "room: a broken wire must read as not pressed",
        ),
        ('undriven = "lit"', 'undriven = "dark"', "mic_lamp: must be lit while its pin is undriven"),
        ('undriven = "dark"\n', "", "room_lamp: say what the lamp shows while its pin is undriven"),
        ("supply_5v = [2, 4]", "supply_5v = [2]", "the header must have each of its 40 pins once"),
        ('"Raspberry Pi 5 Model B"', '"Raspberry Pi 4 Model B"', "two boards have the same model"),
    ],
)
def test_a_map_that_contradicts_itself_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(pinmap.PinMapError) as refused:
        pinmap.load(changed(tmp_path, old, new))
    assert said in str(refused.value)


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    path = changed(tmp_path, "gpio = 24\npin = 18", "gpio = 14\npin = 11")
    with pytest.raises(pinmap.PinMapError) as refused:
        pinmap.load(path)
    assert len(str(refused.value).splitlines()) == 2


def test_a_wrong_map_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def wrong() -> pinmap.PinMap:
        raise pinmap.PinMapError("one\ntwo")

    monkeypatch.setattr(pinmap, "load", wrong)
    assert pinmap.main() == 1
    assert capsys.readouterr().out == "kontor: hardware/pinmap.toml: one; two\n"
