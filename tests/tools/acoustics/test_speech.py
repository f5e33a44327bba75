"""Recorded voices: who is in which set, and what is made of recordings."""

import wave
from pathlib import Path

import numpy as np
import pytest

from appliance.core.units import RATE
from tests.support import need

for module in ("scipy", "pyroomacoustics"):
    need(f"module:{module}", "simulated rooms are for who benches and trains: make judges")

from tools.acoustics import speech  # noqa: E402
from tools.acoustics.signals import active_rms  # noqa: E402

SPEAKERS_REPORTED = ("allison", "june", "carlo")


def test_no_speaker_is_in_both_sets() -> None:
    reported = {source for source in speech.SOURCES if source.reported}
    assert sorted(source.name for source in reported) == sorted(SPEAKERS_REPORTED)
    assert {source.language for source in reported} == {"en", "fr", "it"}
    for source in speech.SOURCES:
        if not source.reported:
            told = f"{source.name} {source.package} {source.folder}".lower()
            assert not any(speaker in told for speaker in SPEAKERS_REPORTED)
            assert "core-sounds-es" not in told  # she is Allison too


def recording(path: Path, seconds: float, level: float) -> None:
    said = level * np.sin(2 * np.pi * 300 * np.arange(int(seconds * 16000)) / 16000)
    silent = np.zeros(8000)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes((np.concatenate([silent, said, silent]) * 32767).astype("<i2").tobytes())


def test_recordings_are_cut_levelled_and_put_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(speech, "UNPACKED", tmp_path)
    recording(tmp_path / "long.wav", 2.0, 0.01)
    recording(tmp_path / "short.wav", 1.0, 0.5)
    recording(tmp_path / "word.wav", 0.3, 0.5)
    (tmp_path / "junk.wav").write_bytes(b"no sound")
    pcm = speech._pcm(speech.Source("somebody", "xx", "", ".", "*.wav"))
    assert pcm is not None
    voice = speech.Voice("somebody", "xx", pcm)
    assert voice.samples.size / RATE == pytest.approx(3.0 + 2 * (0.15 + 0.3), abs=0.05)
    for second in (0.5, 2.7):
        part = voice.part(int(second * RATE), RATE // 4)
        assert active_rms(part) == pytest.approx(speech.LEVEL, rel=0.03)
    around = voice.part(pcm.size - 10, 20)
    assert around[10:] == pytest.approx(voice.samples[:10])
    assert list((tmp_path / "cache" / "voices").iterdir()) == [tmp_path / "cache" / "voices" / "somebody.npy"]


def test_a_voice_that_is_not_there_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "CACHE", tmp_path)
    monkeypatch.setattr(speech, "UNPACKED", tmp_path)
    assert speech._pcm(speech.Source("nobody", "xx", "", "nowhere", "*.wav")) is None
