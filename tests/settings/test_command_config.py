import argparse
import json
import os
import stat
from pathlib import Path

import pytest

from appliance.commands import config
from appliance.provisioning import files
from appliance.settings import Source
from tests.settings.support import key_file, room

Output = pytest.CaptureFixture[str]


def kontor(*words: str) -> int:
    parser = argparse.ArgumentParser()
    config.register(parser.add_subparsers(required=True))
    given = parser.parse_args(["config", *words])
    return int(given.run(given))


@pytest.fixture
def good(tmp_path: Path) -> str:
    path = tmp_path / "kontor.toml"
    path.write_text(f"schema = 1\n[audio]\nframe_ms = 10\n{room(key_file(tmp_path))}")
    return str(path)


@pytest.fixture
def bad(tmp_path: Path) -> str:
    path = tmp_path / "bad.toml"
    path.write_text('schema = 1\n[audio]\nframe_ms = 11\n[room]\ntoken_file = "hunter2"\n')
    return str(path)


def test_check_is_content(good: str, capsys: Output) -> None:
    assert kontor("check", "--config", good) == 0
    assert capsys.readouterr().out == f"The settings are right. 3 differ from their defaults; read from: {good}\n"
    assert kontor("check", "--json", "--config", good) == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "problems": [], "warnings": [], "files": [good]}


def test_check_tells_everything_that_is_wrong(bad: str, capsys: Output) -> None:
    assert kontor("check", "--config", bad) == 78
    told = capsys.readouterr()
    assert told.out == ""
    first, second = told.err.splitlines()
    assert first == f"{bad}:3: audio.frame_ms = 11: must be 10 or 20 (ms)."
    assert second.startswith(f"{bad}:5: room.token_file = (hidden): names a file that does not exist. Only the path")


@pytest.mark.parametrize("action", ["check", "show", "diff"])
def test_what_is_wrong_can_be_had_by_programs(action: str, bad: str, capsys: Output) -> None:
    assert kontor(action, "--json", "--config", bad) == 78
    told = capsys.readouterr()
    assert json.loads(told.out)["ok"] is False
    assert json.loads(told.out)["problems"][0]["key"] == "audio.frame_ms"
    assert "hunter2" not in told.out + told.err


def test_a_missing_file_is_an_error(capsys: Output) -> None:
    assert kontor("check", "--config", "/nowhere/kontor.toml") == 78
    assert capsys.readouterr().err == "/nowhere/kontor.toml does not exist.\n"


def test_show_and_diff(good: str, capsys: Output) -> None:
    assert kontor("show", "--config", good) == 0
    shown = capsys.readouterr().out
    assert f"# {good}:3" in shown
    assert "bitrate = 32000" in shown
    assert kontor("diff", "--config", good) == 0
    assert "bitrate" not in capsys.readouterr().out
    assert kontor("show", "--json", "--config", good) == 0
    assert json.loads(capsys.readouterr().out)["audio.frame_ms"]["origin"] == f"{good}:3"
    assert kontor("diff", "--json", "--config", good) == 0
    assert "audio.bitrate" not in json.loads(capsys.readouterr().out)


def test_show_needs_no_secret_to_be_readable(good: str, capsys: Output) -> None:
    (Path(good).parent / "lobby.key").chmod(0o644)
    assert kontor("check", "--config", good) == 78
    assert kontor("show", "--config", good) == 0
    assert "0123456789abcdef" not in capsys.readouterr().out


def test_without_any_file(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    def nothing(_named: Path | None) -> list[Source]:
        return []

    monkeypatch.setattr(config, "sources", nothing)
    assert kontor("check") == 0
    assert capsys.readouterr().out.startswith("There is no settings file, so everything has its default.")
    assert kontor("diff") == 0
    assert capsys.readouterr().out == "Nothing differs from the defaults.\n"
    assert kontor("diff", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {}
    assert str(files.MACHINE) == "etc/kontor/kontor.toml"


def test_schema(capsys: Output) -> None:
    assert kontor("schema") == 0
    assert json.loads(capsys.readouterr().out)["required"] == ["schema"]


def test_a_new_key_is_private_and_never_the_same(tmp_path: Path, capsys: Output) -> None:
    before = os.umask(0)
    try:
        assert [kontor("new-key", str(tmp_path / name)) for name in "ab"] == [0, 0]
    finally:
        os.umask(before)
    first, second = (tmp_path / "a", tmp_path / "b")
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert len(first.read_bytes().strip()) == 44
    assert first.read_bytes() != second.read_bytes()
    told = capsys.readouterr()
    assert first.read_text().strip() not in told.out + told.err


def test_an_old_key_is_never_written_over(tmp_path: Path, capsys: Output) -> None:
    path = key_file(tmp_path)
    assert kontor("new-key", str(path)) == 73
    assert path.read_bytes() == b"0123456789abcdef\n"
    assert "an old key is never written over" in capsys.readouterr().err
    assert kontor("new-key", str(tmp_path / "nowhere" / "key")) == 73
    assert "cannot be made: No such file or directory." in capsys.readouterr().err
