"""``kontor setup`` as a command: by options without a terminal, and by a person at one."""

import asyncio
import base64
import os
import pty
import select
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from appliance.__main__ import main
from appliance.app import setup
from appliance.commands import setup as command
from appliance.core.enrolment import fingerprint
from appliance.provisioning import nearby
from appliance.provisioning.files import MACHINE
from tests.host.harness import ROOM, house, token

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def config(short_dir: Path) -> Path:
    """A settings file whose folders are the test's."""
    path = short_dir / "kontor.toml"
    path.write_text(f'schema = 1\n[device]\nstate_dir = "{short_dir}"\nruntime_dir = "{short_dir}"\n')
    return path


def by_options(config: Path, *more: str, room: str = "") -> int:
    return main(["setup", "--config", str(config), "--room", room, "--name", "Hall", "--card", "none", *more])


def test_without_a_terminal_by_options(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert by_options(config) == 0
    assert tomllib.loads(config.read_text())["device"]["name"] == "Hall"
    assert capsys.readouterr().out == (
        f"\nWritten: {config}; the one before is kontor.toml.old\n{command._NO_PANEL}\n"
        f"systemd does not look after Kontor here. Start it with: kontor run --config {config}\n"
    )


def test_a_switch_makes_a_panel(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert by_options(config, "--switch", "momentary", "--no-start") == 0
    assert tomllib.loads(config.read_text())["panel"] == {"kind": "gpio", "mute": "momentary"}
    assert "no panel" not in capsys.readouterr().out


def test_a_question_that_is_left_needs_a_terminal(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = config.read_text()
    assert main(["setup", "--config", str(config), "--card", "none"]) == 64
    assert capsys.readouterr().err == "kontor setup: without a terminal it needs --room, --name\n"
    assert config.read_text() == before


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (
            ["--room", "https://a.example"],
            "--room: the address has to end with the room: like https://rooms.example.org/",
        ),
        (["--room", "https://a.example/A%20B"], "--room: the name of the room must be 1 to 64 of the characters a-z"),
        (["--name", ""], "--name must be text of 1 to 64 printable characters"),
        (["--ca-file", "/nowhere.pem"], "--ca-file /nowhere.pem: "),
    ],
)
def test_wrong_options(config: Path, more: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert by_options(config, *more) == 64
    assert f"kontor setup: {says}" in capsys.readouterr().err


async def test_a_room_that_is_not_there_is_not_written(config: Path, tmp_path: Path) -> None:
    before = config.read_text()
    async with house(tmp_path) as home:
        assert await asyncio.to_thread(by_options, config, room=f"{home.base}/loby") == 69
    assert config.read_text() == before
    assert by_options(config, "--unchecked", "--no-start", room="http://127.0.0.1:9/loby") == 0
    assert tomllib.loads(config.read_text())["room"] == {"url": "http://127.0.0.1:9", "id": "loby"}


async def test_how_the_server_lets_the_device_in(
    config: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with house(tmp_path) as home:
        assert await asyncio.to_thread(by_options, config, "--no-start", room=f"{home.base}/{ROOM}") == 0
    said = capfd.readouterr().out
    assert main(["key", "--config", str(config)]) == 0
    digits = fingerprint(base64.b64decode(capfd.readouterr().out))
    assert f"\n   {digits}\n" in said
    assert f'\n   kontor host device admit hall --key "{digits}"\n' in said


async def test_a_link_is_enough(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with house(tmp_path) as home:
        link = f"{home.base}/{ROOM}#{token('hall')}"
        assert await asyncio.to_thread(by_options, config, "--no-start", room=link) == 0
    kept = Path(tomllib.loads(config.read_text())["room"]["token_file"])
    assert kept.read_text() == f"{link.partition('#')[2]}\n"
    assert "own key" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("schema = 1\n[devise]\n", "devise is no section of Kontor"),
        ("schema = 1\ndevice = { id = 'a' }\n", "device.name is written there in a way that only its writer"),
    ],
)
def test_a_file_that_cannot_be_changed(config: Path, text: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(text)
    assert by_options(config) == 78
    assert says in capsys.readouterr().err
    assert config.read_text() == text


def test_a_folder_that_is_not_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert by_options(tmp_path / "kontor.toml") == 73
    assert "cannot be written by this user. Try: sudo kontor setup" in capsys.readouterr().err


# ---- a machine with systemd


class Units:
    """Units of which only what is done to them is there."""

    done: tuple[str, ...] = ()
    starts = True

    def are_here(self) -> bool:
        return True

    def stop(self) -> bool:
        Units.done += ("stop",)
        return True

    def start(self) -> bool:
        Units.done += ("start",)
        return Units.starts


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A root folder with systemd in it; link answers from its runtime folder."""
    monkeypatch.setenv("KONTOR_ROOT", str(tmp_path))
    monkeypatch.setattr(setup, "Services", Units)
    monkeypatch.setattr(command, "_IN_THE_ROOM", 0.0)
    monkeypatch.setattr(setup, "try_sound", lambda _settings, _config: False)
    monkeypatch.setattr(setup, "public_key", lambda _settings, _config: b"")
    yield tmp_path / MACHINE
    Units.done, Units.starts = (), True


def test_units_are_started_after_the_sound_was_tried(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["setup", "--room", "", "--name", "Hall", "--card", "auto"]) == 69
    assert Units.done == ("stop", "start")
    assert machine.exists()
    assert "It runs, and needs a room: kontor setup again" in capsys.readouterr().out


def test_a_device_that_is_not_in_the_room(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["setup", "--room", "http://127.0.0.1:9/lobby", "--name", "Hall", "--card", "none", "--unchecked"]
    assert main(words) == 69
    said = capsys.readouterr().out
    assert "It is not in the room yet (link does not answer). kontor status tells how it goes on." in said
    assert "Its key could not be had" in said
    monkeypatch.setattr(command, "_IN_THE_ROOM", 5.0)
    answers = iter([{"phase": "connecting", "why": ""}, {"phase": "refused", "why": "not known"}])
    monkeypatch.setattr("appliance.health.status.ask", lambda *_: next(answers))
    assert main(words) == 69
    assert "It is not in the room yet (refused, not known)." in capsys.readouterr().out
    monkeypatch.setattr("appliance.health.status.ask", lambda *_: {"phase": "in_room", "why": ""})
    assert main(words) == 0
    assert capsys.readouterr().out.endswith("It is in the room.\n")
    Units.starts = False
    assert main(words) == 69
    assert "It could not be started: journalctl" in capsys.readouterr().out


def test_whoever_sits_there_waits_until_somebody_lets_it_in(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["setup", "--room", "http://127.0.0.1:9/lobby", "--name", "Hall", "--card", "none", "--unchecked"]
    monkeypatch.setattr(command, "_IN_THE_ROOM", 5.0)
    monkeypatch.setattr(command, "time", SimpleNamespace(monotonic=time.monotonic, sleep=lambda _seconds: None))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    refused, joined = {"phase": "refused", "why": "asks"}, {"phase": "in_room", "why": ""}
    answers = iter([refused, refused, refused, joined])
    monkeypatch.setattr("appliance.health.status.ask", lambda *_: next(answers))
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "Waiting for that. Ctrl-C ends the waiting" in said
    assert said.endswith("It is in the room.\n")

    def interrupted(*_: object) -> dict[str, str]:
        if next(answers) is joined:
            raise KeyboardInterrupt
        return refused

    answers = iter([refused, joined])
    monkeypatch.setattr("appliance.health.status.ask", interrupted)
    assert main(words) == 69
    assert capsys.readouterr().out.endswith("\nkontor status tells how it goes on.\n")


def test_another_file_has_the_last_word(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    beside = machine.parent / "conf.d" / "10.toml"
    beside.parent.mkdir(parents=True)
    beside.write_text('schema = 1\n[device]\nname = "Stronger"\n')
    assert main(["setup", "--room", "", "--name", "Hall", "--card", "none"]) == 0
    assert f"Another file has the last word on: device.name ({beside}:3)" in capsys.readouterr().out
    beside.write_text("schema = 1\n[devise]\n")
    assert main(["setup", "--room", "", "--name", "Hall", "--card", "none"]) == 78


def test_rooms_nearby_are_found_with_their_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    found = SimpleNamespace(nearby=SimpleNamespace(title="Lobby", room="lobby"), url="https://a.example")

    async def look() -> list[SimpleNamespace]:
        return [found]

    async def without_the_library() -> list[SimpleNamespace]:
        raise ImportError

    monkeypatch.setattr(nearby, "look", look)
    assert command._rooms() == [("Lobby", "https://a.example/lobby")]
    monkeypatch.setattr(nearby, "look", without_the_library)
    assert command._rooms() == ()


# ---- a terminal


def at_a_terminal(config: Path, answers: list[tuple[str, str]]) -> tuple[int, str]:
    """What the command ends with and says to somebody who types ``answers``, each when its question stands there."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "appliance", "setup", "--config", str(config), "--card", "none"]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    )
    os.close(theirs)
    said, seen, end = "", 0, time.monotonic() + 40
    try:
        while time.monotonic() < end:
            if answers and answers[0][0] in said[seen:]:
                seen = len(said)
                os.write(ours, answers.pop(0)[1].encode())
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    said += os.read(ours, 4096).decode()
                except OSError:  # it has ended, and nobody has the other side any more
                    break
        return process.wait(10), said
    finally:
        process.kill()
        process.wait()
        os.close(ours)


async def test_a_person_at_a_terminal(config: Path, tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        answers = [("Address", f"{home.base}/{ROOM}\n"), ("Name [", "Hall\n")]
        code, said = await asyncio.to_thread(at_a_terminal, config, answers)
    assert (code, answers) == (0, []), said
    written = tomllib.loads(config.read_text())
    assert (written["device"]["name"], written["room"]) == ("Hall", {"url": home.base, "id": ROOM})


def test_somebody_who_breaks_it_off(config: Path) -> None:
    before = config.read_text()
    code, said = at_a_terminal(config, [("Address", "\x04")])
    assert code == 75, said
    assert said.rstrip().endswith("Nothing was changed.")
    assert config.read_text() == before
