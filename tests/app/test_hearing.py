"""Which front end the settings make."""

from importlib import util
from pathlib import Path

import numpy as np
import pytest

from appliance.app import hearing
from appliance.app.hearing import array_of, channels_of, make_front_end
from appliance.app.process import NotAllowed
from appliance.audio.port import CardFacts
from appliance.core.units import BLOCK, RATE
from appliance.settings import AudioSettings
from tests.app.parts import settings


def audio(text: str = "") -> AudioSettings:
    return settings(Path("/x"), f"[audio]\n{text}").audio


def facts(channels: int = 1, usb_id: str = "", card: str = "") -> CardFacts:
    return CardFacts("mic", "spk", channels, "S16_LE", RATE, 240, usb_id, card)


def test_an_array_is_known_by_its_usb_id_or_its_name() -> None:
    assert array_of(audio(), facts(6, "2886:0018")).name == "respeaker_usb_4"
    assert array_of(audio(), facts(1, "2886:0018")).name == "respeaker_usb_4_processed"
    assert array_of(audio(), facts(4, card="seeed-4mic-voicecard")).name == "respeaker_hat_4"
    assert array_of(audio(), facts(2, "1234:5678", "A webcam")).name == "mono"
    assert array_of(audio(), None).name == "mono"


def test_the_settings_win() -> None:
    assert array_of(audio('array = "mono"'), facts(6, "2886:0018")).name == "mono"
    own = array_of(audio('geometry_mm = "50,0; -50,0; 0,50"'), facts(6, "2886:0018"))
    assert (own.name, own.microphones) == ("described", (0, 1, 2))
    mixed = array_of(audio('array = "respeaker_usb_4"\ngeometry_mm = "50,0; -50,0; 0,50; 0,-50"'), None)
    assert mixed.microphones == (1, 2, 3, 4)
    assert mixed.positions[0] == pytest.approx((0.05, 0, 0))


@pytest.mark.parametrize(
    ("text", "channels"),
    [
        ("", 0),
        ("channels = 2", 2),
        ('array = "respeaker_usb_4"', 6),
        ('geometry_mm = "50,0; -50,0; 0,50"', 3),
        ('geometry_mm = "50,0; -50,0; 0,50"\nchannels = 8', 8),
    ],
)
def test_as_many_channels_as_are_needed(text: str, channels: int) -> None:
    assert channels_of(audio(text)) == channels


def test_a_library_that_cannot_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_given: object) -> None:
        raise ImportError("libstdc++.so.6: version not found", name="webrtc_noise_gain")

    monkeypatch.setattr(hearing, "_front_end", broken)
    with pytest.raises(NotAllowed, match=r"needs webrtc_noise_gain, which cannot be loaded: libstdc\+\+"):
        make_front_end(audio('echo = "safe"'))


@pytest.mark.parametrize(
    ("text", "of", "chain"),
    [
        ('backend = "alsa"', facts(), ("full duplex", "voice detector", "gain control", "limiter")),
        (
            'backend = "alsa"\nnoise = "high"',
            facts(),
            ("full duplex", "noise suppression", "voice detector", "gain control", "limiter"),
        ),
        ('backend = "alsa"', facts(1, "0b0e:0412"), ("hardware", "voice detector", "limiter")),
        ('echo = "hardware"', facts(), ("hardware", "voice detector", "limiter")),
        ('echo = "half_duplex"\nnoise = "off"', facts(), ("half duplex", "voice detector", "gain control", "limiter")),
        ('echo = "safe"\ngain_control = false', facts(), ("aec3", "noise suppression", "voice detector", "limiter")),
        (
            'backend = "alsa"\necho = "off"',
            facts(),
            ("the microphone as it is", "noise suppression", "voice detector", "gain control", "limiter"),
        ),
    ],
)
def test_the_chain(text: str, of: CardFacts, chain: tuple[str, ...]) -> None:
    front_end = make_front_end(audio(text))
    assert front_end is not None
    front_end.opened(of)
    front_end.process(np.zeros((of.channels, BLOCK), np.float32), 0, 0.0, np.zeros(BLOCK, np.float32))
    assert front_end.state().chain == chain
    assert front_end.degraded == ""


@pytest.mark.parametrize("echo", ["hardware", "off"])
def test_who_needs_no_reference_is_never_silenced_for_it(echo: str) -> None:
    front_end = make_front_end(audio(f'backend = "alsa"\necho = "{echo}"\nnoise = "off"\ngain_control = false'))
    assert front_end is not None
    heard, out = np.full((1, BLOCK), 0.1, np.float32), np.zeros(BLOCK, np.float32)
    front_end.playing(heard[0].copy())  # and no word of when it is heard
    front_end.process(heard, 0, 0.0, out)
    assert np.array_equal(out, heard[0])
    assert front_end.counts["reference_missing"] == 0


def test_the_virtual_card_stays_light() -> None:
    assert make_front_end(audio()) is None
    assert make_front_end(audio('echo = "off"')) is None
    assert make_front_end(audio('echo = "safe"')) is not None


@pytest.mark.parametrize(
    ("missing", "text", "words"),
    [
        (
            "pywebrtc_audio",
            'echo = "safe"',
            '[audio] echo = "safe" needs pywebrtc-audio: install kontor[device] with pip',
        ),
        ("pywebrtc_audio", 'backend = "alsa"', '[audio] echo = "auto" needs pywebrtc-audio'),
        ("webrtc_noise_gain", 'echo = "hardware"', "[audio] the voice detector needs webrtc-noise-gain"),
    ],
)
def test_a_missing_library_is_one_clear_sentence(
    monkeypatch: pytest.MonkeyPatch, missing: str, text: str, words: str
) -> None:
    monkeypatch.setattr(hearing, "find_spec", lambda name: None if name == missing else util.find_spec(name))
    with pytest.raises(NotAllowed) as caught:
        make_front_end(audio(text))
    assert words in str(caught.value)


def test_an_array_that_cancels_needs_no_canceller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "find_spec", lambda name: None if name == "pywebrtc_audio" else util.find_spec(name))
    assert make_front_end(audio('backend = "alsa"\narray = "jabra_speak"')) is not None
    assert make_front_end(audio('backend = "alsa"\necho = "off"')) is not None
