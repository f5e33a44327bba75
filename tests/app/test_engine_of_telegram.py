"""The settings of a Telegram group become its engine, and what is missing is told with the way out."""

import builtins
from pathlib import Path
from typing import Any

import pytest

from appliance.__main__ import main
from appliance.app import bundle
from appliance.app.bridge import _runtime
from appliance.app.bridge_sides import read_side, sides_as_dict
from appliance.app.engines import make_engine
from appliance.app.one_box import room_of
from appliance.app.privacy import privacy
from appliance.app.process import NotAllowed
from appliance.provisioning.boot import _PART_OF
from appliance.settings import Settings, Source, load, resolve
from appliance.settings.describe import as_toml
from tests.telegram.wire import key_of, session_string

HASH = "0123456789abcdef0123456789abcdef"
SESSION = session_string("192.0.2.7", 443, key_of("s", 1, 0))


def settings(folder: Path, session: str = SESSION, group: str = "@our_group") -> Settings:
    for name, content in {"hash": HASH, "session": session}.items():
        (folder / name).write_text(content + "\n")
        (folder / name).chmod(0o600)
    text = f"""
        schema = 1
        [room]
        engine = "telegram"
        [telegram]
        api_id = 5
        api_hash_file = "hash"
        session_file = "session"
        group = "{group}"
    """
    (folder / "kontor.toml").write_text(text)
    return load([Source("kontor.toml", text.encode(), folder)])


def test_hash_and_session_make_an_engine_which_tells_neither(tmp_path: Path) -> None:
    made = make_engine(settings(tmp_path))
    assert made.capabilities.hands
    told = f"{made!r} {vars(made)!r} {settings(tmp_path)!r}"
    assert HASH not in told
    assert SESSION not in told


def test_a_session_of_other_characters_is_told_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(NotAllowed, match=r"\[telegram\] session_file") as error:
        make_engine(settings(tmp_path, "Schlüssel" * 20))
    assert "Schlüssel" not in str(error.value)


def test_a_support_bundle_and_what_is_told_have_no_secret_of_it(tmp_path: Path) -> None:
    """A link that lets in whoever has it is one too."""
    given = settings(tmp_path, group="https://t.me/+SECRETinvite")
    text = as_toml(resolve([Source("kontor.toml", (tmp_path / "kontor.toml").read_bytes(), tmp_path)], ()))
    assert "SECRETinvite" in text, "else it would show nothing"
    status = {"link": {"room": room_of(given), "engine": "telegram"}}
    files = bundle.collect(text, status, [tmp_path], lambda _command: "", afar=False)
    told = "\n".join([*(content.decode() for content in files.values()), str(privacy(given, {}))])
    assert 'engine = "telegram"' in told
    for secret in (HASH, SESSION, "SECRETinvite"):
        assert secret not in told


def test_a_bridge_names_no_group_by_a_link_that_lets_in_whoever_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other room is told what the room on its far side is called."""
    sides = []
    for group in ("https://t.me/+SECRETinvite", "https://t.me/joinchat/SECRETinvite2", "@our_group"):
        settings(tmp_path, group=group)
        sides.append(read_side(str(tmp_path / "kontor.toml")))
    assert "SECRETinvite" not in f"{sides!r} {sides_as_dict(sides[0], sides[1])!r}"
    assert sides[2].room == "@our_group"
    assert len({side.digest for side in sides}) == 3, "they are different rooms still"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    assert _runtime(sides[0], sides[2]) != _runtime(sides[1], sides[2]), "nor do two bridges share a status"
    assert room_of(settings(tmp_path)) == "@our_group"


def test_without_its_libraries_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, real = settings(tmp_path), builtins.__import__

    def missing(name: str, *more: Any) -> Any:
        if name == "appliance.rooms.telegram":
            raise ImportError("No module named 'telethon'", name="telethon")
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(NotAllowed, match=r"telethon is missing\): install kontor\[telegram\]"):
        make_engine(given)


@pytest.mark.parametrize("section", ["room", "livekit", "janus", "telegram"])
def test_what_a_card_has_of_an_engines_secrets_is_for_link_to_read(section: str) -> None:
    assert _PART_OF[section] == "link"


def test_the_command_is_there_and_asks_for_the_number(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["telegram", "login"])
    assert ended.value.code == 64
    assert "--api-id" in capsys.readouterr().err
