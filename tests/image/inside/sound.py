"""What the device hears and plays: the kernel's own cable (snd-aloop); Kontor has its one end, this program the other.

``python3 -m tests.image.inside.sound HERTZ`` plays a tone into the microphone for ever and writes down the loudness and the pitch
of what the loudspeaker plays, twice a second: :func:`played` reads the last of it.
"""

from __future__ import annotations

import array
import itertools
import json
import math
import os
import statistics
import sys
import threading
import time
from pathlib import Path

import alsaaudio

_CARD = "hw:CARD=Loopback,DEV=0"
_RATE, _PERIOD, _PERIODS = 48_000, 960, 24
_PEAK = 8000
TOLD = Path("/run/kontor-test-played.json")


_FORMATS = {
    alsaaudio.PCM_PLAYBACK: ("S32_LE", alsaaudio.PCM_FORMAT_S32_LE, "i"),
    alsaaudio.PCM_CAPTURE: ("S16_LE", alsaaudio.PCM_FORMAT_S16_LE, "h"),
}
"""As Kontor has the other ends: a cable has one format, and this library takes what it gets without a word."""


def _open(kind: int) -> alsaaudio.PCM:
    name, form, _ = _FORMATS[kind]
    wanted = {"rate": _RATE, "channels": 1, "format": form, "periodsize": _PERIOD, "periods": _PERIODS}
    pcm = alsaaudio.PCM(kind, device=_CARD, **wanted)
    if (got := pcm.info()["format_name"]) != name:
        raise RuntimeError(f"the cable has {got}, not {name}")
    return pcm


def _again(pcm: alsaaudio.PCM, kind: int) -> alsaaudio.PCM:
    pcm.close()
    time.sleep(0.05)
    return _open(kind)


def speak(hertz: int) -> None:
    """Play the tone for ever; a machine that was too slow leaves a gap."""
    peak, code = _PEAK << 16, _FORMATS[alsaaudio.PCM_PLAYBACK][2]
    wave = array.array(code, (round(peak * math.sin(2 * math.pi * hertz * at / _RATE)) for at in range(_RATE)))
    data, size = wave.tobytes(), wave.itemsize * _PERIOD
    pcm, at = _open(alsaaudio.PCM_PLAYBACK), 0
    while True:
        try:
            pcm.write(data[at : at + size])
        except alsaaudio.ALSAAudioError:  # an under-run, which this library does not always put right
            pcm = _again(pcm, alsaaudio.PCM_PLAYBACK)
        at = (at + size) % len(data)


def told(samples: array.array[int]) -> dict[str, float]:
    """Loudness (dBFS) and pitch (Hz) of some mono sound: by the median of its periods, which a gap does not change."""
    power = sum(value * value for value in samples) / len(samples)
    crossings = [at for at, (a, b) in enumerate(itertools.pairwise(samples)) if a < 0 <= b]
    periods = [later - earlier for earlier, later in itertools.pairwise(crossings)]
    hertz = _RATE / statistics.median(periods) if periods else 0.0
    return {"level": 10 * math.log10(power / 32768**2 + 1e-12), "hertz": hertz}


def listen() -> None:
    """Write down what is played, for ever."""
    pcm, samples, written = _open(alsaaudio.PCM_CAPTURE), array.array("h"), 0
    while True:
        try:
            size, data = pcm.read()
        except alsaaudio.ALSAAudioError:
            size, data = -1, b""
        if size <= 0:
            pcm = _again(pcm, alsaaudio.PCM_CAPTURE)
            continue
        samples.frombytes(data)
        if len(samples) >= _RATE // 2:
            written += 1
            TOLD.with_suffix(".new").write_text(json.dumps({"number": written, **told(samples)}))
            os.replace(TOLD.with_suffix(".new"), TOLD)
            samples = array.array("h")


def played() -> dict[str, float]:
    """Of what the loudspeaker played last: ``level``, ``hertz``, and the ``number`` of that half second."""
    found: dict[str, float] = (
        json.loads(TOLD.read_text()) if TOLD.exists() else {"number": 0, "level": -120.0, "hertz": 0.0}
    )
    return found


def plays(hertz: float) -> dict[str, float]:
    """What :func:`played` gives, if that is a tone of ``hertz`` (within 5 %) that can be heard; else nothing."""
    now = played()
    return now if abs(now["hertz"] / hertz - 1) < 0.05 and now["level"] > -30 else {}


def main(hertz: str) -> None:
    """Speak and listen."""
    threading.Thread(target=listen, daemon=True).start()
    speak(int(hertz))


if __name__ == "__main__":
    main(*sys.argv[1:])
