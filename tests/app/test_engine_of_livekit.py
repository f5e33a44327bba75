"""The settings of a LiveKit room become its engine, and what is missing is told with the way out."""

import builtins
import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from appliance.app.engines import make_engine
from appliance.app.process import NotAllowed
from appliance.host import authority
from appliance.rooms.livekit_tokens import issue
from appliance.settings import Settings, Source, load

SECRET = "hunter2-hunter2-hunter2-hunter2-1"
FOR_A_ROOM = issue("office", b"x" * 32, {"roomJoin": True}, 4_000_000_000)
FOR_NONE = issue("office", b"x" * 32, {"roomAdmin": True}, 4_000_000_000)


def settings(folder: Path, *lines: str, **files: str) -> Settings:
    for name, content in files.items():
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
    text = ['schema = 1\n[room]\nengine = "livekit"\n[livekit]\nurls = ["ws://127.0.0.1:1"]', *lines]
    return load([Source("kontor.toml", "\n".join(text).encode(), folder)])


def with_key(folder: Path) -> Settings:
    return settings(folder, 'api_key = "office"', 'api_secret_file = "secret"', secret=SECRET)


def with_token(folder: Path, token: str) -> Settings:
    return settings(folder, 'token_file = "token"', token=token)


def test_a_key_or_a_token_makes_an_engine_and_neither_is_told_by_it(tmp_path: Path) -> None:
    pytest.importorskip("livekit")
    for made in (make_engine(with_key(tmp_path)), make_engine(with_token(tmp_path, FOR_A_ROOM))):
        assert made.capabilities.audio_per_member
        told = f"{made!r} {vars(made)!r}"
        assert SECRET not in told
        assert FOR_A_ROOM not in told


def test_an_authority_of_ones_own_reaches_the_library_and_a_wrong_one_is_told_at_once(tmp_path: Path) -> None:
    pytest.importorskip("livekit")
    names, now = authority.general_names(["rooms.lan"]), dt.datetime.now(dt.UTC)
    authority.store(tmp_path, authority.make(names, now))
    lines = ('api_key = "office"', 'api_secret_file = "secret"', "[network]")
    given = settings(tmp_path, *lines, f'ca = "{tmp_path / authority.PUBLIC}"', secret=SECRET)
    made: Any = make_engine(given)
    assert "BEGIN CERTIFICATE" in made._authorities
    (tmp_path / authority.PUBLIC).write_text("no certificate")
    with pytest.raises(NotAllowed, match=r"\[network\] ca"):
        make_engine(given)


@pytest.mark.parametrize(
    ("token", "says"), [("hunter2", "no token of LiveKit"), (FOR_NONE, "roomJoin"), ("Schlüssel", "something else")]
)
def test_a_token_that_lets_nobody_in_is_told_at_once_and_not_shown(tmp_path: Path, token: str, says: str) -> None:
    pytest.importorskip("livekit")
    with pytest.raises(NotAllowed, match=says) as error:
        make_engine(with_token(tmp_path, token))
    assert "[livekit] token_file" in str(error.value)
    assert token not in str(error.value)


def test_without_its_library_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = with_key(tmp_path)
    real = builtins.__import__

    def missing(name: str, *more: Any) -> Any:
        if name == "appliance.rooms.livekit":
            raise ImportError("No module named 'livekit'", name="livekit")
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(NotAllowed, match=r"livekit is missing\): install kontor\[livekit\]"):
        make_engine(given)
