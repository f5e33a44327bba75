"""WAV files of whole numbers, read and written: 1 to 8 channels of 16, 24 or 32 bits.

The form is that of RIFF (Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0", 1991) with its
extensible header ("Multiple channel audio data and WAVE files", 2001), which files of more than two channels or 16 bits have;
the standard library's reader refuses it before Python 3.12. Samples are float32 in [-1, 1] on our side.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from appliance.core.units import RATE

MOST_CHANNELS = 8
BITS = (16, 24, 32)
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_LONGEST = 3600
"""Seconds of a file that is read: it is kept in memory."""
_CHUNK = struct.Struct("<4sI")
_FORMAT = struct.Struct("<HHIIHH")
_EXTENSION = struct.Struct("<HHIH14s")
_GUID = bytes.fromhex("000000001000800000aa00389b71")
"""What follows the format's number in the sub-format of PCM."""
_UNKNOWN_SIZE = 0xFFFFFFFF
_WORDS = {_FLOAT: "floating-point numbers", 6: "A-law", 7: "µ-law", 17: "ADPCM", 85: "MP3"}

Sound = NDArray[np.float32]
"""Shape (channels, samples), range [-1, 1]."""


class WavError(ValueError):
    """A file that is no WAV file of whole numbers; one sentence that names it."""


@dataclass(frozen=True, slots=True)
class Wav:
    """What a file holds."""

    sound: Sound
    rate: int
    bits: int


def read(path: Path) -> Wav:
    """All of a WAV file.

    A file that was cut off gives what is there; a length of 0 or of all ones counts as "up to the end", as programs write it
    that were killed or write into a pipe.

    :raises WavError: it cannot be read, is none, is of a kind that is not read here, or is empty or too long.
    """
    try:
        with path.open("rb") as file:
            return _read(file, os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise WavError(f"{path} cannot be read as a WAV file: {error.strerror or error}") from error
    except struct.error as error:
        raise WavError(f"{path} cannot be read as a WAV file: it ends within its header") from error
    except WavError as error:
        raise WavError(f"{path} cannot be read as a WAV file: {error}") from error


def _read(file: BinaryIO, size: int) -> Wav:
    riff, _, kind = struct.unpack("<4sI4s", file.read(12))
    if riff in {b"RIFX", b"RF64"}:
        raise WavError(f"it is a {riff.decode()} file, another form of it")
    if (riff, kind) != (b"RIFF", b"WAVE"):
        raise WavError("it does not begin with RIFF and WAVE")
    (channels, rate, bits), length = _find(file)
    left = size - file.tell()
    length = left if length in {0, _UNKNOWN_SIZE} else min(length, left)
    frame = channels * bits // 8
    if length < frame:
        raise WavError("it has no sound in it")
    if length // frame > _LONGEST * rate:
        raise WavError(f"it is longer than {_LONGEST // 60} minutes")
    return Wav(_samples(file.read(length - length % frame), channels, bits), rate, bits)


def _find(file: BinaryIO) -> tuple[tuple[int, int, int], int]:
    """Read up to the sound; gives its form, and how many bytes it is said to have."""
    form: tuple[int, int, int] | None = None
    while True:
        head = file.read(_CHUNK.size)
        if len(head) < _CHUNK.size:
            raise WavError("it has no sound in it")
        name, length = _CHUNK.unpack(head)
        if name == b"data":
            break
        body = file.tell()
        if name == b"fmt ":
            form = _form(file.read(min(length, 64)), length)
        file.seek(body + length + length % 2)
    if form is None:
        raise WavError("its sound comes before its format")
    return form, length


def _form(data: bytes, length: int) -> tuple[int, int, int]:
    """Channels, rate and bits of a ``fmt`` chunk, of which ``data`` is the beginning."""
    code, channels, rate, _, frame, bits = _FORMAT.unpack(data[: _FORMAT.size])
    if code == _EXTENSIBLE and length >= _FORMAT.size + _EXTENSION.size:
        code = _EXTENSION.unpack(data[_FORMAT.size : _FORMAT.size + _EXTENSION.size])[3]
    if code != _PCM:
        raise WavError(f"it holds {_WORDS.get(code, f'sound of format {code}')} instead of whole numbers")
    if bits not in BITS:
        raise WavError(f"it holds samples of {bits} bits; 16, 24 and 32 are read")
    if not 1 <= channels <= MOST_CHANNELS:
        raise WavError(f"it has {channels} channels; 1 to {MOST_CHANNELS} are read")
    if frame != channels * bits // 8 or not rate:
        raise WavError("its header contradicts itself")
    return channels, rate, bits


def _samples(data: bytes, channels: int, bits: int) -> Sound:
    if bits == 24:
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)  # in the upper three bytes: 24 bits as 32
        whole, full = wide.view("<i4")[:, 0], 2.0**31
    else:
        whole, full = np.frombuffer(data, f"<i{bits // 8}"), 2.0 ** (bits - 1)
    sound = whole.reshape(-1, channels).T.astype(np.float32)
    sound *= np.float32(1 / full)
    return np.ascontiguousarray(sound)


class Writer:
    """Writes a file as the sound comes; it is readable at any moment, also after a kill.

    :param file: a new file, opened for writing; it is closed with this.
    :param bits: of a sample: 16, 24 or 32. 24 keep all that float32 has.
    """

    def __init__(self, file: BinaryIO, channels: int, rate: int = RATE, bits: int = 24) -> None:
        if bits not in BITS or not 1 <= channels <= MOST_CHANNELS:
            raise ValueError(f"{channels} channels of {bits} bits")
        self._file, self._channels, self._rate, self._bits = file, channels, rate, bits
        self.frames = 0
        """Written so far."""
        self._header()

    def write(self, sound: Sound) -> None:
        """Add sound, shape (channels, frames); what is beyond full scale is clipped."""
        # In float64: full scale of 32 bits is no float32.
        top = 2.0 ** (self._bits - 1) - 1
        whole = np.clip(np.rint(sound.T.astype(np.float64) * (top + 1)), -top - 1, top).astype("<i4")
        if self._bits == 24:
            data = np.ascontiguousarray(whole).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
        else:
            data = whole.astype(f"<i{self._bits // 8}").tobytes()
        self._file.write(data)
        self.frames += sound.shape[1]
        self._header()

    def close(self) -> None:
        """Close the file."""
        try:
            self._header()
            if self.frames * self._channels * self._bits // 8 % 2:
                self._file.write(b"\0")  # a chunk of an odd size has one byte more, which does not count
        finally:
            self._file.close()

    def _header(self) -> None:
        frame = self._channels * self._bits // 8
        size = self.frames * frame
        extensible = self._channels > 2 or self._bits > 16
        form = _FORMAT.pack(
            _EXTENSIBLE if extensible else _PCM, self._channels, self._rate, self._rate * frame, frame, self._bits
        )
        if extensible:  # no channel is where a loudspeaker stands: mask 0
            form += _EXTENSION.pack(22, self._bits, 0, _PCM, _GUID)
        body = _CHUNK.pack(b"fmt ", len(form)) + form + _CHUNK.pack(b"data", size)
        self._file.seek(0)
        self._file.write(_CHUNK.pack(b"RIFF", 4 + len(body) + size + size % 2) + b"WAVE" + body)
        self._file.seek(0, os.SEEK_END)
        self._file.flush()
