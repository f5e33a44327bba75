"""Which card a name of ALSA's means."""

from pathlib import Path

import pytest

from appliance.audio import alsa_names
from appliance.audio.alsa_names import card_of, is_there, on_card


@pytest.mark.parametrize(
    ("device", "card", "moved"),
    [
        ("hw:1", "1", "hw:Array"),
        ("hw:1,0", "1", "hw:Array,0"),
        ("plughw:Old,2,1", "Old", "plughw:Array,2,1"),
        ("hw:CARD=Old,DEV=0", "Old", "hw:CARD=Array,DEV=0"),
        ("plughw:DEV=1,CARD=Old", "Old", "plughw:DEV=1,CARD=Array"),
        ("sysdefault:Old", "Old", "sysdefault:Array"),
        ("plug:'hw:0,0'", "0", "plug:'hw:Array,0'"),
        ("surround51:CARD=Old,DEV=0", "Old", "surround51:CARD=Array,DEV=0"),
        ("default", "", "default"),
        ("pulse", "", "pulse"),
        ("hw", "", "hw"),
        ("hw:DEV=0", "", "hw:DEV=0"),
        ("mine:Old", "", "mine:Old"),
    ],
)
def test_the_card_of_a_name(device: str, card: str, moved: str) -> None:
    assert card_of(device) == card
    assert on_card(device, "Array") == moved


def test_a_card_is_there_by_number_and_by_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alsa_names, "PROC", tmp_path)
    (tmp_path / "card3").mkdir()
    (tmp_path / "Array").symlink_to("card3")
    assert [card for card in ("3", "Array", "0", "Other") if is_there(card)] == ["3", "Array"]
    (tmp_path / "card3").rmdir()
    assert not is_there("Array")
