"""``kontor devices`` on machines of which only /proc is there."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from appliance import audio
from appliance.__main__ import main
from appliance.audio import inventory
from tests.audio.machine import Machine, lay_out


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes this machine one of those in tests/audio/machines, without ALSA's library."""
    monkeypatch.setitem(sys.modules, "appliance.audio.probe", None)
    monkeypatch.delattr(audio, "probe", raising=False)  # there when another test has imported it

    def become(name: str) -> Machine:
        machine = lay_out(name, tmp_path / name)
        monkeypatch.setattr(inventory, "cards", machine.cards)
        return machine

    return become


def config(folder: Path, audio: str) -> str:
    path = folder / "kontor.toml"
    path.write_text(f"schema = 1\n[audio]\n{audio}\n")
    return str(path)


def test_a_table_for_people(here: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here("pi_respeaker")
    asked = config(tmp_path, 'backend = "alsa"\ncapture = "auto"\nplayback = "auto"')
    assert main(["devices", "--config", asked]) == 0
    assert capsys.readouterr().out == (
        "0  vc4hdmi0: vc4-hdmi-0\n"
        "   loudspeaker  plughw:CARD=vc4hdmi0,DEV=0         nobody tells what it can do; free\n"
        "1  Headphones: bcm2835 Headphones\n"
        "   loudspeaker  plughw:CARD=Headphones,DEV=0       nobody tells what it can do; free\n"
        "3  ArrayUAC10: ReSpeaker 4 Mic Array (UAC1.0), USB 2886:0018, the array respeaker_usb_4\n"
        "   microphone   plughw:CARD=ArrayUAC10,DEV=0       6 channels, S16_LE, 16 kHz; free\n"
        "   loudspeaker  plughw:CARD=ArrayUAC10,DEV=0       2 channels, S16_LE, 16 kHz; free\n"
        "\n"
        "Used:\n"
        "   microphone   plughw:CARD=ArrayUAC10,DEV=0       the known array respeaker_usb_4\n"
        "   loudspeaker  plughw:CARD=ArrayUAC10,DEV=0       it is on the card of the microphone: one clock\n"
        "   array        respeaker_usb_4                    4 microphones\n"
    )


def test_what_is_missing_ends_it_with_69(here: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here("pi_respeaker")
    assert main(["devices", "--config", config(tmp_path, 'backend = "alsa"\ncapture = "hw:CARD=Gone"')]) == 69
    assert '-> [audio] capture = "hw:CARD=Gone": there is no such card' in capsys.readouterr().out
    assert main(["devices", "--config", config(tmp_path, 'backend = "virtual"\ncapture = "hw:CARD=Gone"')]) == 0
    assert 'None is used: [audio] backend = "virtual". With' in capsys.readouterr().out


def test_who_uses_what(here: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here("speakerphone")
    assert main(["devices", "--config", config(tmp_path, 'capture = "auto"\nplayback = "auto"')]) == 0
    out = capsys.readouterr().out
    assert "2 channels, S16_LE, 8, 16, 48 kHz; in use by mpv (process 902)" in out
    assert "1 channel, S16_LE, 8 to 48 kHz; free" in out
    assert "-> hw:CARD=USB,DEV=0 is in use by mpv (process 902)" in out
    assert "jabra_speak                        1 microphone, which cancels echo by itself" in out
    here("laptop")
    main(["devices", "--config", config(tmp_path, "")])
    assert "what it can do is told when it is free; in use by pipewire (process 1713)" in capsys.readouterr().out


def test_the_same_for_programs(here: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here("pi_respeaker")
    assert main(["devices", "--json", "--config", config(tmp_path, 'backend = "alsa"\ncapture = "auto"')]) == 0
    told = json.loads(capsys.readouterr().out)
    array = told["cards"][2]
    assert (array["id"], array["usb_id"], array["array"]) == ("ArrayUAC10", "2886:0018", "respeaker_usb_4")
    assert array["streams"][0] == {
        "device": 0,
        "side": "capture",
        "name": "USB Audio",
        "abilities": [{"channels": 6, "formats": ["S16_LE"], "rates": [16_000], "continuous": False}],
        "holder": None,
        "pcm": "plughw:CARD=ArrayUAC10,DEV=0",
        "native": False,
    }
    assert told["use"]["capture"]["card"] == "ArrayUAC10" and told["use"]["playback"]["card"] is None
    assert told["array"] == {"name": "respeaker_usb_4", "microphones": [1, 2, 3, 4], "cancels": False}


def test_settings_say_which_array_it_is(here: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here("speakerphone")
    asked = config(tmp_path, 'backend = "alsa"\ncapture = "hw:CARD=C920"\ngeometry_mm = "-30,0; 30,0"')
    assert main(["devices", "--config", asked]) == 0
    assert "described                          2 microphones" in capsys.readouterr().out
    asked = config(tmp_path, 'backend = "alsa"\ncapture = "hw:CARD=C920"\ngeometry_mm = "-30,0; 30,0; 0,30"')
    assert main(["devices", "--config", asked]) == 69
    assert (
        "-> [audio] array, geometry_mm: described has 3 microphones, and hw:CARD=C920 2 channels"
        in capsys.readouterr().out
    )


def test_with_its_library_alsa_is_asked_too(
    here: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here("pi_respeaker")
    library = SimpleNamespace(asked=lambda cards: cards[:1], names=lambda: ["default", "pipewire"])
    monkeypatch.setitem(sys.modules, "appliance.audio.probe", library)
    monkeypatch.setattr(audio, "probe", library, raising=False)
    assert main(["devices", "--config", config(tmp_path, "")]) == 0
    out = capsys.readouterr().out
    assert "Other names of ALSA's: default, pipewire" in out and "ArrayUAC10" not in out


def test_a_machine_without_a_card_and_wrong_settings(
    here: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here("laptop")
    monkeypatch.setattr(inventory, "cards", list)
    assert main(["devices", "--config", config(tmp_path, "")]) == 0
    assert capsys.readouterr().out.startswith("No sound card is here.\n")
    assert main(["devices", "--config", config(tmp_path, "channels = 99")]) == 78


def test_a_line_for_each_usb_card(here: Any, capsys: pytest.CaptureFixture[str]) -> None:
    here("pi_respeaker")
    assert main(["devices", "--report"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(
        '{ usb = "2886:0018", name = "ReSpeaker 4 Mic Array (UAC1.0)", hears = "6 channels, S16_LE, 16 kHz", '
    )


def test_without_a_usb_card_there_is_nothing_to_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("appliance.commands.devices._cards", lambda: ([], []))
    assert main(["devices", "--report"]) == 69
    assert capsys.readouterr().out == "No USB sound card is here.\n"
