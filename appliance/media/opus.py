"""Opus (RFC 6716) through libopus and ctypes: mono, 48 kHz.

ctypes calls release the GIL, so a thread that encodes does not hold up the others. Encoder and decoder belong to one thread
each; buffers are made once.
"""

import ctypes
import functools
import importlib.util
import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from appliance.core.units import BLOCK, RATE, Pcm

MOST_SAMPLES = 120 * RATE // 1000
"""Samples of the longest packet there is: 120 ms."""
MOST_BYTES = 1275
"""Bytes of the largest packet of one frame (RFC 6716, 3.2.1)."""

Packet = bytes | bytearray | memoryview

_VOIP = 2048
_SIGNAL_VOICE = 3001
_SET_BITRATE = 4002
_SET_COMPLEXITY = 4010
_SET_INBAND_FEC = 4012
_SET_PACKET_LOSS_PERC = 4014
_SET_DTX = 4016
_SET_SIGNAL = 4024
_RESET_STATE = 4028


class OpusMissing(RuntimeError):
    """No usable libopus; the text is one sentence with the way out."""


class OpusError(RuntimeError):
    """libopus refuses a call: ``code`` is its number (opus_defines.h)."""

    def __init__(self, what: str, code: int, words: str) -> None:
        super().__init__(f"{what}: {words}")
        self.code = code


_WAY_OUT = "install it (on Debian: sudo apt install libopus0) or set KONTOR_LIBOPUS to the path of libopus.so.0"


def _bundled() -> Iterator[str]:
    """The copies that PyAV's wheel brings, newest name first, without importing PyAV."""
    spec = importlib.util.find_spec("av")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        yield from sorted((str(path) for path in Path(place).parent.glob("av.libs/libopus*.so*")), reverse=True)


def _load(name: str) -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(name)
        _declare(library)
    except (OSError, AttributeError):  # not there; or there and not Opus
        return None
    return library


def find_library() -> ctypes.CDLL:
    """Load libopus: the one that KONTOR_LIBOPUS names and no other, else the system's, else the copy of PyAV.

    :raises OpusMissing: there is none.
    """
    chosen = os.environ.get("KONTOR_LIBOPUS")
    if chosen:
        library = _load(chosen)
        if library is None:
            raise OpusMissing(f"KONTOR_LIBOPUS is {chosen}, which is no Opus library: correct or unset it.")
        return library
    for name in ("libopus.so.0", *_bundled()):
        library = _load(name)
        if library is not None:
            return library
    raise OpusMissing(f"The Opus library was not found: {_WAY_OUT}.")


def _declare(library: ctypes.CDLL) -> None:
    """Tell ctypes the types, so that a pointer is never cut to an int."""
    pointer, integer = ctypes.c_void_p, ctypes.c_int
    error = ctypes.POINTER(integer)
    data, size = ctypes.c_char_p, ctypes.c_int32
    types: dict[str, tuple[Any, list[Any]]] = {
        "opus_get_version_string": (ctypes.c_char_p, []),
        "opus_strerror": (ctypes.c_char_p, [integer]),
        "opus_packet_get_nb_samples": (integer, [data, size, size]),
        "opus_encoder_create": (pointer, [size, integer, integer, error]),
        "opus_encoder_init": (integer, [pointer, size, integer, integer]),
        "opus_encoder_destroy": (None, [pointer]),
        "opus_encoder_ctl": (integer, [pointer, integer, size]),
        "opus_encode": (size, [pointer, pointer, integer, pointer, size]),
        "opus_decoder_create": (pointer, [size, integer, error]),
        "opus_decoder_destroy": (None, [pointer]),
        "opus_decoder_ctl": (integer, [pointer, integer, size]),
        "opus_decode": (integer, [pointer, data, size, pointer, integer, integer]),
    }
    for name, (result, arguments) in types.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments


@functools.cache
def _library() -> ctypes.CDLL:
    return find_library()


def _checked(what: str, code: int) -> int:
    if code < 0:
        raise OpusError(what, code, _library().opus_strerror(code).decode())
    return code


def version() -> str:
    """What libopus calls itself, such as "libopus 1.3.1".

    :raises OpusMissing: there is none.
    """
    return str(_library().opus_get_version_string().decode())


def packet_samples(packet: Packet) -> int:
    """Samples at 48 kHz that ``packet`` decodes to, 120 to 5760; 0: it is no Opus packet."""
    data = bytes(packet)
    return max(0, int(_library().opus_packet_get_nb_samples(data, len(data), RATE)))


def has_fec(packet: Packet) -> bool:
    """Whether ``packet`` carries a coarse copy of the sound before it (LBRR: RFC 6716, 4.2.3 and 4.2.4).

    Told for packets of one frame, or of two of the same size; others count as having none.
    """
    if len(packet) < 2:
        return False
    config, code = packet[0] >> 3, packet[0] & 3
    if config >= 16 or code > 1:  # CELT has none
        return False
    # 10 ms and 20 ms have one SILK frame, 40 ms two, 60 ms three; hybrid (from 12 on) has one. A VAD bit each, then ours.
    silk_frames = 1 if config >= 12 else (1, 1, 2, 3)[config & 3]
    return bool(packet[1] >> (7 - silk_frames) & 1)


class _Handle:
    """A state of libopus that is given back once: by ``close``, by ``with``, or when nobody uses it any more."""

    def __init__(self, kind: str, state: int | None, error: int) -> None:
        _checked(f"no {kind}", error)
        if not state:
            raise OpusError(f"no {kind}", -7, "out of memory")
        self._kind = kind
        self._state = state
        self._finalizer = weakref.finalize(self, getattr(_library(), f"opus_{kind}_destroy"), state)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the memory back; any later call raises OpusError. May be called again."""
        self._finalizer()

    def _open(self) -> int:
        if not self._finalizer.alive:
            raise OpusError(f"the {self._kind}", -6, "closed")
        return self._state


class Encoder(_Handle):
    """Encodes mono voice. One thread.

    :param frame_ms: audio in a packet, 10 or 20 ms.
    :param bitrate: bits a second; about 226 µs of CPU per 20 ms at 32,000 and complexity 5 on the measured machine.
    :param complexity: 0 to 10.
    :param fec: put a coarse copy of each frame into the packet after it.
    :param expected_loss: percent; how much FEC is worth.
    :param dtx: in silence make packets of 1 or 2 bytes, which need not be sent.
    :raises OpusMissing: there is no libopus.
    :raises OpusError: a value is out of range.
    """

    def __init__(
        self,
        frame_ms: int = 20,
        bitrate: int = 32_000,
        complexity: int = 5,
        fec: bool = True,
        expected_loss: int = 10,
        dtx: bool = False,
    ) -> None:
        if frame_ms not in {10, 20}:
            raise ValueError(f"a frame has 10 or 20 ms, not {frame_ms}")
        error = ctypes.c_int()
        state = _library().opus_encoder_create(RATE, 1, _VOIP, ctypes.byref(error))
        super().__init__("encoder", state, error.value)
        self.samples = frame_ms * BLOCK // 10
        """Samples in a frame."""
        self._pcm = np.zeros(self.samples, np.int16)
        self._packet = ctypes.create_string_buffer(MOST_BYTES)
        self._packet_view = memoryview(self._packet)
        self._arguments = (self._pcm.ctypes.data, self.samples, ctypes.addressof(self._packet), MOST_BYTES)
        self._encode = _library().opus_encode
        self._settings: dict[int, int] = {}
        self._set("the signal", _SET_SIGNAL, _SIGNAL_VOICE)
        self._set("the complexity", _SET_COMPLEXITY, complexity)
        self._set("FEC", _SET_INBAND_FEC, int(fec))
        self._set("DTX", _SET_DTX, int(dtx))
        self.tune(bitrate, expected_loss)

    def _set(self, what: str, request: int, value: int) -> None:
        _checked(f"{what} {value}", _library().opus_encoder_ctl(self._open(), request, value))
        self._settings[request] = value

    def tune(self, bitrate: int | None = None, expected_loss: int | None = None, fec: bool | None = None) -> None:
        """Change bits a second, the expected loss in percent, or whether there is FEC, while running.

        :raises OpusError: a value is out of range, or the encoder is closed.
        """
        if bitrate is not None:
            self._set("the bitrate", _SET_BITRATE, bitrate)
        if expected_loss is not None:
            self._set("the expected loss", _SET_PACKET_LOSS_PERC, expected_loss)
        if fec is not None:
            self._set("FEC", _SET_INBAND_FEC, int(fec))

    def encode(self, pcm: Pcm) -> bytes:
        """One packet of one frame, shape (480,) or (960,), int16.

        :raises ValueError: the frame has another shape or type.
        :raises OpusError: libopus fails, or the encoder is closed.
        """
        if pcm.shape != self._pcm.shape or pcm.dtype != np.int16:
            raise ValueError(f"a frame has {self.samples} int16 samples, not {pcm.shape} {pcm.dtype}")
        self._pcm[:] = pcm
        size = self._encode(self._open(), *self._arguments)
        return bytes(self._packet_view[: _checked("encoding", size)])

    def reset(self) -> None:
        """Forget all sound: what is encoded from now on is, byte for byte, what a new encoder makes of it."""
        # OPUS_RESET_STATE would keep whether FEC was in use, and packets would depend on the time before.
        _checked("resetting", _library().opus_encoder_init(self._open(), RATE, 1, _VOIP))
        for request, value in self._settings.items():
            self._set("a setting", request, value)
        self._pcm.fill(0)


class Decoder(_Handle):
    """Decodes to mono; stereo is mixed down by libopus. One thread.

    :raises OpusMissing: there is no libopus.
    """

    def __init__(self) -> None:
        error = ctypes.c_int()
        state = _library().opus_decoder_create(RATE, 1, ctypes.byref(error))
        super().__init__("decoder", state, error.value)
        self._pcm = np.zeros(MOST_SAMPLES, np.int16)
        self._address = self._pcm.ctypes.data
        self._decode = _library().opus_decode

    def decode(self, packet: Packet, out: Pcm) -> int:
        """Decode ``packet`` into the beginning of ``out`` (int16) and return the number of samples.

        :raises OpusError: it is no Opus packet, or longer than ``out`` (then nothing has changed).
        """
        if len(packet) == 0:  # libopus would take it for a loss
            raise OpusError("decoding", -4, "corrupted stream")
        return self._call("decoding", bytes(packet), out, out.size, fec=0)

    def conceal(self, out: Pcm, samples: int) -> int:
        """Invent ``samples`` (a multiple of 120) samples that go on from what was decoded last.

        :raises OpusError: ``samples`` is no multiple of 120, or more than 5760.
        """
        return self._call("concealing", None, out, samples, fec=0)

    def decode_fec(self, packet: Packet, out: Pcm, samples: int) -> int:
        """Restore the ``samples`` samples before ``packet`` from the copy in it; conceal them when it has none.

        :raises OpusError: it is no Opus packet, or ``samples`` is no multiple of 120.
        """
        if len(packet) == 0:
            raise OpusError("decoding FEC", -4, "corrupted stream")
        return self._call("decoding FEC", bytes(packet), out, samples, fec=1)

    def _call(self, what: str, data: bytes | None, out: Pcm, samples: int, fec: int) -> int:
        most = min(samples, MOST_SAMPLES)
        if out.size < samples or (samples > MOST_SAMPLES and (data is None or fec)):
            raise OpusError(what, -2, "buffer too small")
        size = 0 if data is None else len(data)
        count = _checked(what, self._decode(self._open(), data, size, self._address, most, fec))
        out[:count] = self._pcm[:count]
        return count

    def reset(self) -> None:
        """Forget all sound: another talker begins."""
        _checked("resetting", _library().opus_decoder_ctl(self._open(), _RESET_STATE, 0))
        self._pcm.fill(0)
