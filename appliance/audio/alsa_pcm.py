"""A device of ALSA's through libasound and ctypes, for the library of Debian 13: its pyalsaaudio 0.10 cannot say what waits.

The same calls with the same answers as pyalsaaudio 0.11's ``PCM``, as far as we use it. Never waits: ``SND_PCM_NONBLOCK``.
Source: alsa-lib's pcm.h, and alsaaudio.c of pyalsaaudio 0.11.0.
"""

from __future__ import annotations

import ctypes
import errno
import functools
from typing import TYPE_CHECKING, Any

import alsaaudio

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

_INTERLEAVED = 3
"""SND_PCM_ACCESS_RW_INTERLEAVED."""
_LAST_FORMAT = 52
_HANDLE, _INT, _FRAMES = ctypes.c_void_p, ctypes.c_int, ctypes.c_long


@functools.cache
def _library() -> ctypes.CDLL:
    """libasound, with the types of what we call. Raises ALSAAudioError where it is not."""
    try:
        library = ctypes.CDLL("libasound.so.2")
    except OSError as error:
        raise alsaaudio.ALSAAudioError(str(error)) from error
    for name in ("avail", "readi", "writei"):
        getattr(library, f"snd_pcm_{name}").restype = _FRAMES
    for name in ("snd_strerror", "snd_pcm_format_name"):
        getattr(library, name).restype = ctypes.c_char_p
    library.snd_pcm_open.argtypes = [ctypes.POINTER(_HANDLE), ctypes.c_char_p, _INT, _INT]
    for name in ("avail", "close", "drop", "prepare"):
        getattr(library, f"snd_pcm_{name}").argtypes = [_HANDLE]
    for name in ("readi", "writei"):
        getattr(library, f"snd_pcm_{name}").argtypes = [_HANDLE, ctypes.c_char_p, ctypes.c_ulong]
    library.snd_pcm_frames_to_bytes.argtypes = [_HANDLE, _FRAMES]
    library.snd_pcm_frames_to_bytes.restype = ctypes.c_ssize_t
    return library


class Pcm:
    """One side of a device, opened. The arguments are those of ``alsaaudio.PCM``.

    :raises ALSAAudioError: it cannot be opened: the text of strerror(3), and the device in brackets.
    """

    def __init__(  # noqa: PLR0913 - the library's own
        self,
        kind: int,
        mode: int,
        *,
        device: str,
        rate: int,
        channels: int,
        format: int,  # noqa: A002
        periodsize: int,
        periods: int,
    ) -> None:
        self._device, self._alsa = device, _library()
        self._pcm = _HANDLE()
        self._told(self._alsa.snd_pcm_open(ctypes.byref(self._pcm), device.encode(), kind, mode))
        self._asked = _HANDLE()
        self._told(self._alsa.snd_pcm_hw_params_malloc(ctypes.byref(self._asked)))
        try:
            self._settle(rate, channels, format, periodsize, periods)
            self._info = self._looked()
        except BaseException:
            self.close()
            raise
        self._buffer = ctypes.create_string_buffer(self._bytes(self._info["period_size"]))

    def _settle(self, rate: int, channels: int, form: int, period: int, periods: int) -> None:
        """Ask for all of it; what the device refuses it has its own way with, and is looked at afterwards."""
        self._wish("any")
        self._wish("set_access", _INT(_INTERLEAVED))
        self._wish("set_format", _INT(form))
        self._wish("set_channels", ctypes.c_uint(channels))
        self._wish("set_rate_near", ctypes.byref(ctypes.c_uint(rate)), None)
        self._wish("set_period_size_near", ctypes.byref(ctypes.c_ulong(period)), None)
        self._wish("set_periods_near", ctypes.byref(ctypes.c_uint(periods)), None)
        self._told(self._alsa.snd_pcm_hw_params(self._pcm, self._asked))

    def _wish(self, name: str, *values: Any) -> int:
        told: int = getattr(self._alsa, f"snd_pcm_hw_params_{name}")(self._pcm, self._asked, *values)
        return told

    def _got(self, name: str, kind: Any, *more: Any) -> int:
        value = kind()
        getattr(self._alsa, f"snd_pcm_hw_params_get_{name}")(self._asked, ctypes.byref(value), *more)
        return int(value.value)

    def _looked(self) -> dict[str, Any]:
        form = self._got("format", _INT)
        return {
            "rate": self._got("rate", ctypes.c_uint, None),
            "channels": self._got("channels", ctypes.c_uint),
            "format_name": (self._alsa.snd_pcm_format_name(form) or b"").decode(),
            "period_size": self._got("period_size", ctypes.c_ulong, None),
            "buffer_size": self._got("buffer_size", ctypes.c_ulong),
            "card_no": self._card(),
        }

    def _card(self) -> int:
        """The number of its card; -1: it is of none."""
        about = _HANDLE()
        self._told(self._alsa.snd_pcm_info_malloc(ctypes.byref(about)))
        try:
            if self._alsa.snd_pcm_info(self._pcm, about) < 0:
                return -1
            return int(self._alsa.snd_pcm_info_get_card(about))
        finally:
            self._alsa.snd_pcm_info_free(about)

    def info(self) -> dict[str, Any]:
        """What it became: rate, channels, format_name, period_size, buffer_size (frames), card_no."""
        return dict(self._info)

    def getformats(self) -> dict[str, int]:
        """The sample formats that it can have, by name."""
        every = _HANDLE()
        self._told(self._alsa.snd_pcm_hw_params_malloc(ctypes.byref(every)))
        try:
            self._alsa.snd_pcm_hw_params_any(self._pcm, every)
            test = self._alsa.snd_pcm_hw_params_test_format
            can = [form for form in range(_LAST_FORMAT + 1) if test(self._pcm, every, _INT(form)) == 0]
            return {name.decode(): form for form in can if (name := self._alsa.snd_pcm_format_name(form))}
        finally:
            self._alsa.snd_pcm_hw_params_free(every)

    def avail(self) -> int:
        """Frames that can be read, or written; negative: an error number, -EPIPE after an over- or under-run."""
        return int(self._alsa.snd_pcm_avail(self._pcm))

    def read(self) -> tuple[int, bytes]:
        """Up to a period: frames and samples; 0: nothing waits; -EPIPE: there was an over-run, and it begins anew.

        :raises ALSAAudioError: the device is gone.
        """
        got = self._done(self._alsa.snd_pcm_readi(self._pcm, self._buffer, self._info["period_size"]))
        return got, self._buffer.raw[: self._bytes(got)] if got > 0 else b""

    def write(self, data: Buffer) -> int:
        """Frames that were taken; 0: there is no room; -EPIPE: there was an under-run, and it begins anew.

        :raises ALSAAudioError: the device is gone.
        """
        sound = bytes(data)
        return self._done(self._alsa.snd_pcm_writei(self._pcm, sound, len(sound) // self._bytes(1)))

    def drop(self) -> None:
        """Forget what waits to be played. Raises ALSAAudioError."""
        self._told(self._alsa.snd_pcm_drop(self._pcm))

    def close(self) -> None:
        """Close it; again: nothing to do."""
        if self._asked.value:
            self._alsa.snd_pcm_hw_params_free(self._asked)
            self._asked = _HANDLE()
        if self._pcm.value:
            self._alsa.snd_pcm_close(self._pcm)
            self._pcm = _HANDLE()

    def _bytes(self, frames: int) -> int:
        return int(self._alsa.snd_pcm_frames_to_bytes(self._pcm, frames))

    def _done(self, number: int) -> int:
        if number == -errno.EPIPE:
            self._alsa.snd_pcm_prepare(self._pcm)
        elif number == -errno.EAGAIN:
            return 0
        else:
            self._told(number)
        return number

    def _told(self, number: int) -> None:
        if number < 0:
            raise alsaaudio.ALSAAudioError(f"{self._alsa.snd_strerror(number).decode()} [{self._device}]")
