"""``kontor config check`` of a card's file, in which secrets may stand: as on the device, and the file is left as it is."""

import tempfile
from pathlib import Path

import pytest

from appliance.__main__ import main
from appliance.core.exits import Exit
from appliance.settings.card import Card, kontor_toml, wifi_toml

CARD = kontor_toml(Card("attic", "Attic", "https://x", "r", "t" * 43, 0, bytes(32), "")) + wifi_toml(
    "Office", "s3cr3t-wifi"
)


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "kontor.toml"
    path.write_text(CARD)
    return path


def test_the_file_that_the_host_makes_is_right(card: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", str(card)]) == 0
    told = capsys.readouterr().out
    assert f"read from: {card}\nIt holds secrets" in told
    assert card.read_text() == CARD
    assert [path.name for path in card.parent.iterdir()] == ["kontor.toml"]


def test_so_is_one_whose_secrets_were_moved(card: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card.write_text(CARD.replace("t" * 43, "(moved)").replace("s3cr3t-wifi", "(moved)"))
    assert main(["config", "check", str(card)]) == 0
    assert "It holds secrets" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'password = "s3cr3t-wifi"',
            "password = 7",
            "network.wifi[1].password = (hidden): must be a text. Write it in",
        ),
        ('ssid = "Office"', 'sid = "Office"', 'network.wifi[1].sid is no setting of Kontor. Did you mean "ssid"?'),
    ],
)
def test_what_is_wrong_is_told_of_the_file_itself(
    card: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    card.write_text(CARD.replace(old, new))
    assert main(["config", "check", str(card)]) == Exit.CONFIGURATION
    told = capsys.readouterr().err
    assert said in told and "s3cr3t" not in told
    assert all(line.startswith(f"{card}:") for line in told.splitlines())


def test_no_room_for_its_own_files(
    card: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(card))
    assert main(["config", "check", str(card)]) == Exit.CANNOT_CREATE
    assert "needs a folder for its own files" in capsys.readouterr().err
