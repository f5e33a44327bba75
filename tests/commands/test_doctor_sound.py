"""``kontor doctor`` as a command: which parts it looks at, for people and for programs, and the picture."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from appliance.__main__ import main
from appliance.app import booth, doctor_plot, doctor_sound
from appliance.app.doctor_listen import Plan
from appliance.audio import inventory
from appliance.core.chirp import Chirp
from appliance.core.controls import Door, Reason
from appliance.panel.memory import MuteMemory
from tests.app.parts import kept
from tests.app.room_card import RoomCard, paths
from tests.audio.sound_server import Server
from tests.support.need import need
from tools.bench import graph


@pytest.fixture
def device(short_dir: Path) -> str:
    """The settings of a device with a real card and no server."""
    path = short_dir / "kontor.toml"
    path.write_text(
        f'schema = 1\n[device]\nstate_dir = "{short_dir}"\nruntime_dir = "{short_dir}"\n[audio]\nbackend = "alsa"\n'
    )
    return str(path)


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The card is one in a room, and chirps are short."""
    monkeypatch.setattr(inventory, "cards", list)
    monkeypatch.setattr(booth, "real_time", lambda priority: False)  # it computes all the time, as no real card does
    monkeypatch.setattr(doctor_sound, "Plan", lambda: Plan(0.1, 0.3, 2, 0.5, Chirp(seconds=0.5)))

    def with_card(card: RoomCard) -> None:
        monkeypatch.setattr(doctor_sound, "make_card", lambda settings: card)

    return with_card


def test_sound_first_then_the_network_as_the_settings_say(
    device: str, room: Any, capsys: pytest.CaptureFixture[str], free_port: int
) -> None:
    room(RoomCard(paths(100)))
    assert main(["doctor", "--config", device]) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "The sound card, and the room that it hears (it plays a chirp three times):\n  ok    card     Capture"
    )
    assert "  ok    echo     The echo comes back with -5 dB" in out
    assert "  -     server   No server is named: set [room] url" in out
    Path(device).write_text(Path(device).read_text() + f'[room]\nurl = "http://127.0.0.1:{free_port}"\n')
    room(RoomCard(paths(100)))
    assert main(["doctor", "--config", device]) == 69
    out = capsys.readouterr().out
    assert out.index("ok    echo") < out.index("The way to http://127.0.0.1") < out.index("BAD   port")


def test_sound_alone_for_programs(device: str, room: Any, capsys: pytest.CaptureFixture[str]) -> None:
    room(RoomCard(paths(100, 101)))
    assert main(["doctor", "--sound", "--json", "--config", device]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["good"] is True
    assert {finding["check"] for finding in told["findings"]} >= {"card", "echo", "delay", "noise"}
    assert told["sound"]["channels"][1]["echo_db"] == pytest.approx(-4.7, abs=0.3)
    assert told["sound"]["channels"][0]["delay_ms"] == pytest.approx(2.1, abs=0.1)
    assert told["sound"]["microphones"] == [1]


def test_a_picture(
    device: str, room: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    need("module:matplotlib", "matplotlib is not installed: pip install -e .[plot]")
    room(RoomCard(paths(100)))
    assert main(["doctor", "--sound", "--plot", str(tmp_path / "a.png"), "--config", device]) == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert f"Echo path and spectra: {tmp_path}/a.png" in capsys.readouterr().out
    room(RoomCard(paths(100)))
    assert main(["doctor", "--sound", "--plot", str(tmp_path / "no" / "a.png"), "--config", device]) == 78
    assert "--plot" in capsys.readouterr().err
    room(RoomCard(paths(100)))
    assert main(["doctor", "--sound", "--plot", str(tmp_path / "a.word"), "--config", device]) == 78


def test_a_picture_without_its_library_is_refused_before_anything_is_played(
    device: str, room: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_plot, "find_spec", lambda name: None)
    card = RoomCard(paths(100))
    room(card)
    assert main(["doctor", "--sound", "--plot", "a.png", "--config", device]) == 78
    assert "--plot needs matplotlib: install python3-matplotlib, or kontor[plot] with pip" in capsys.readouterr().err
    assert not card.played


def test_a_muted_room_ends_it_with_69(device: str, room: Any, capsys: pytest.CaptureFixture[str]) -> None:
    MuteMemory(kept(Path(device).parent)).save(frozenset({Reason.ADMIN}), Door.OPEN)
    card = RoomCard(paths(100))
    room(card)
    assert main(["doctor", "--sound", "--config", device]) == 69
    assert "BAD   mute     The room is muted (admin)" in capsys.readouterr().out
    assert not card.played


@pytest.mark.parametrize(
    "wrong", [["--sound", "--link", "x"], ["--network", "--plot", "a.png"], ["--link", "x", "--plot", "a"]]
)
def test_what_does_not_go_together(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", *wrong]) == 64
    assert "leave out" in capsys.readouterr().err


def test_without_a_card_there_is_a_note(short_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = short_dir / "kontor.toml"
    config.write_text(f'schema = 1\n[device]\nstate_dir = "{short_dir}"\nruntime_dir = "{short_dir}"\n')
    assert main(["doctor", "--sound", "--config", str(config)]) == 0
    assert '[audio] backend = "virtual"' in capsys.readouterr().out


def test_over_a_real_sound_server(device: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    need("module:alsaaudio", "pyalsaaudio is not installed: pip install -e .[device]")
    need(not graph.missing(), "no sound server: python3 -m tools.system bench")
    Path(device).write_text(Path(device).read_text() + 'capture = "mic"\nplayback = "spk"\n')
    told: dict[str, Any] = {}
    with Server(tmp_path):
        for _ in range(3):  # a machine that is too busy interrupts all chirps at times
            main(["doctor", "--sound", "--json", "--config", device])
            told = json.loads(capsys.readouterr().out)
            print(told["findings"])
            if "sound" in told:
                break
    findings = {finding["check"]: finding for finding in told["findings"]}
    assert findings["echo"]["state"] == "good", told
    assert told["sound"]["channels"][0]["echo_db"] == pytest.approx(0, abs=1), "the microphone hears all that is played"
    assert 5 < told["sound"]["round_trip_ms"] < 500
    assert "alsaaudio" in sys.modules
