"""WAV files: every form that is read and written, and one clear sentence for each that is not."""

import struct
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.audio.wav import WavError, Writer, read


def write(path: Path, sound: np.ndarray, **how: int) -> Path:
    writer = Writer(path.open("wb"), len(sound), **how)
    for part in np.array_split(sound, 3, axis=1):
        writer.write(part)
    writer.close()
    return path


@pytest.mark.parametrize("bits", [16, 24, 32])
@pytest.mark.parametrize("channels", [1, 2, 3, 8])
def test_what_is_written_is_read(tmp_path: Path, channels: int, bits: int) -> None:
    sound = np.random.default_rng(bits).uniform(-1, 1, (channels, 1001)).astype(np.float32)
    got = read(write(tmp_path / "a.wav", sound, bits=bits))
    assert (got.rate, got.bits, got.sound.shape, got.sound.dtype) == (48_000, bits, sound.shape, np.float32)
    assert np.abs(got.sound - sound).max() <= 2.0 ** -min(bits - 1, 23)
    size = (tmp_path / "a.wav").stat().st_size
    assert struct.unpack("<I", (tmp_path / "a.wav").read_bytes()[4:8]) == (size - 8,)


def test_full_scale_and_beyond_are_clipped_not_wrapped(tmp_path: Path) -> None:
    sound = np.array([[-2.0, -1.0, 1.0, 2.0]], np.float32)
    for bits in (16, 24, 32):
        got = read(write(tmp_path / "a.wav", sound, bits=bits)).sound
        assert np.allclose(got, [[-1, -1, 1, 1]], atol=1e-4)


def test_a_plain_file_is_what_others_read_and_write(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.full((2, 480), 0.5, np.float32), bits=16)
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes()) == (2, 2, 48_000, 480)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 3, 16_000, 0, "NONE", ""))
        file.writeframes(b"\x00\x00\x40" * 3)
    got = read(path)
    assert (got.rate, got.bits) == (16_000, 24) and np.allclose(got.sound, 0.5)


def test_a_file_is_readable_while_it_is_written_and_after_a_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    writer = Writer(path.open("wb"), 2)
    writer.write(np.full((2, 480), 0.25, np.float32))
    assert read(path).sound.shape == (2, 480)
    writer.close()
    path.write_bytes(path.read_bytes()[:-5])
    assert read(path).sound.shape == (2, 479), "a frame that is not whole does not count"


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF])
def test_a_length_that_nobody_filled_in_is_up_to_the_end(tmp_path: Path, length: int) -> None:
    data = write(tmp_path / "a.wav", np.ones((1, 100), np.float32), bits=16).read_bytes()
    at = data.index(b"data") + 4
    (tmp_path / "a.wav").write_bytes(data[:at] + struct.pack("<I", length) + data[at + 4 :])
    assert read(tmp_path / "a.wav").sound.shape == (1, 100)


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def wav(*chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + sum(map(len, chunks))) + b"WAVE" + b"".join(chunks)


def form(code: int = 1, channels: int = 1, bits: int = 16, rate: int = 48_000, frame: int | None = None) -> bytes:
    frame = channels * bits // 8 if frame is None else frame
    return chunk(b"fmt ", struct.pack("<HHIIHH", code, channels, rate, rate * frame, frame, bits))


SOUND = chunk(b"data", bytes(960))


def test_chunks_that_mean_nothing_here_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(chunk(b"LIST", b"odd"), form(), chunk(b"fact", b"1234"), SOUND))
    assert read(tmp_path / "a.wav").sound.shape == (1, 480)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it ends within its header"),
        (b"RIFF1234", "it ends within its header"),
        (b"ID3\x03 and so on", "it does not begin with RIFF and WAVE"),
        (b"RF64" + wav(form(), SOUND)[4:], "it is a RF64 file"),
        (wav(form()), "it has no sound in it"),
        (wav(form(), chunk(b"data", b"")), "it has no sound in it"),
        (wav(SOUND, form()), "its sound comes before its format"),
        (wav(chunk(b"fmt ", b"short"), SOUND), "it ends within its header"),
        (wav(form(3, bits=32), SOUND), "it holds floating-point numbers instead of whole numbers"),
        (wav(form(7, bits=8), SOUND), "it holds µ-law instead"),
        (wav(form(9), SOUND), "it holds sound of format 9"),
        (wav(form(bits=8), SOUND), "it holds samples of 8 bits; 16, 24 and 32 are read"),
        (wav(form(channels=9), SOUND), "it has 9 channels; 1 to 8 are read"),
        (wav(form(channels=0), SOUND), "it has 0 channels"),
        (wav(form(frame=3), SOUND), "its header contradicts itself"),
        (wav(form(rate=0), SOUND), "its header contradicts itself"),
        (wav(form(rate=1), chunk(b"data", bytes(8000))), "it is longer than 60 minutes"),
    ],
)
def test_what_is_not_read_is_said_in_one_sentence(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    with pytest.raises(WavError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path} cannot be read as a WAV file: ")
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_is_a_folder(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(WavError, match=words):
            read(path)


@given(st.binary(max_size=200), st.integers(0, 60))
def test_whatever_the_bytes_there_is_sound_or_one_error(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "junk.wav"
    whole = wav(form(), SOUND)
    path.write_bytes(whole[:at] + junk + whole[at + len(junk) :])
    try:
        got = read(path)
    except WavError:
        return
    assert got.sound.size > 0 and got.sound.ndim == 2


@pytest.mark.parametrize("make", [lambda f: Writer(f, 9), lambda f: Writer(f, 0), lambda f: Writer(f, 1, bits=8)])
def test_a_writer_of_a_form_that_is_not_read_is_refused(tmp_path: Path, make: Callable[..., Writer]) -> None:
    with (tmp_path / "a").open("wb") as file, pytest.raises(ValueError, match="channels of"):
        make(file)
