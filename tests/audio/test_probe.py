"""Asking libasound what a card can do, over a library that a test speaks for."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from appliance.audio.inventory import Ability, Card
from appliance.audio.port import Side
from tests.audio.machine import lay_out


class Library(ModuleType):
    """In place of alsaaudio. ``gives`` is what a device answers; one that is not in it cannot be opened."""

    PCM_CAPTURE, PCM_PLAYBACK, PCM_NONBLOCK = 1, 0, 1

    class ALSAAudioError(Exception):
        pass

    def __init__(self) -> None:
        super().__init__("alsaaudio")
        self.gives: dict[tuple[int, str], Any] = {}
        self.calls: list[str] = []

    def pcms(self, kind: int) -> list[str]:
        return [
            "null",
            "default",
            "pipewire",
            "hw:CARD=PCH,DEV=0",
            "speex",
            *(["mic"] if kind == self.PCM_CAPTURE else ["spk"]),
        ]

    def PCM(self, kind: int, mode: int, device: str, rate: int) -> Any:  # noqa: N802 - the library's name
        assert rate == 48_000
        self.calls.append(f"open {device}")
        if (kind, device) not in self.gives:
            raise self.ALSAAudioError("Device or resource busy")
        rates, counts = self.gives[kind, device]
        calls = self.calls

        class Pcm:
            def getformats(self) -> dict[str, int]:
                return {"S32_LE": 10, "S16_LE": 2}

            def getrates(self) -> Any:
                return rates

            def getchannels(self) -> Any:
                return counts

            def close(self) -> None:
                calls.append(f"close {device}")

        return Pcm()


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    library = Library()
    monkeypatch.setitem(sys.modules, "alsaaudio", library)
    monkeypatch.delitem(sys.modules, "appliance.audio.probe", raising=False)
    yield library
    sys.modules.pop("appliance.audio.probe", None)


def asked(cards: list[Card]) -> list[Card]:
    from appliance.audio.probe import asked

    return asked(cards)


def test_only_what_is_free_and_not_known_is_asked(library: Library, tmp_path: Path) -> None:
    library.gives = {(0, "hw:CARD=PCH,DEV=3"): ((32_000, 192_000), [2, 8])}
    (card,) = asked(lay_out("laptop", tmp_path).cards())
    hdmi = card.stream(Side.PLAYBACK, 3)
    assert hdmi is not None
    formats = ("S16_LE", "S32_LE")
    assert hdmi.abilities == (
        Ability(2, formats, (32_000, 192_000), continuous=True),
        Ability(8, formats, (32_000, 192_000), continuous=True),
    )
    assert library.calls == ["open hw:CARD=PCH,DEV=3", "close hw:CARD=PCH,DEV=3"], "the others are in use"
    assert asked(lay_out("speakerphone", tmp_path / "b").cards())[0].streams[0].abilities[0].rates == (16_000,)
    assert len(library.calls) == 2


def test_single_values_lists_and_a_card_that_cannot_be_opened(library: Library, tmp_path: Path) -> None:
    library.gives = {(0, "hw:CARD=Headphones,DEV=0"): ([44_100, 48_000], 2)}
    hdmi, headphones, _ = asked(lay_out("pi_respeaker", tmp_path).cards())
    assert headphones.streams[0].abilities == (Ability(2, ("S16_LE", "S32_LE"), (44_100, 48_000)),)
    assert hdmi.streams[0].abilities == ()
    library.gives = {(0, "hw:CARD=Headphones,DEV=0"): (48_000, [1])}
    assert asked(lay_out("pi_respeaker", tmp_path).cards())[1].streams[0].abilities == (
        Ability(1, ("S16_LE", "S32_LE"), (48_000,)),
    )


def test_names_that_are_no_cards(library: Library) -> None:
    from appliance.audio.probe import names

    assert names() == ["default", "pipewire", "mic", "spk"]
