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
import sys
import threading
import time
from pathlib import Path

import alsaaudio

_CARD = "hw:CARD=Loopback,DEV=0"
_RATE, _PERIOD, _PERIODS = 48_000, 960, 24
_PEAK = 8000
TOLD = Path("/run/kontor-test-played.json")


def _open(kind: int) -> alsaaudio.PCM:
    wanted = {
        "rate": _RATE,
        "channels": 1,
        "format": alsaaudio.PCM_FORMAT_S16_LE,
        "periodsize": _PERIOD,
        "periods": _PERIODS,
    }
    return alsaaudio.PCM(kind, device=_CARD, **wanted)


def _again(pcm: alsaaudio.PCM, kind: int) -> alsaaudio.PCM:
    pcm.close()
    time.sleep(0.05)
    return _open(kind)


def speak(hertz: int) -> None:
    """Play the tone for ever; a machine that was too slow leaves a gap."""
    wave = array.array("h", (round(_PEAK * math.sin(2 * math.pi * hertz * at / _RATE)) for at in range(_RATE)))
    data, size = wave.tobytes(), 2 * _PERIOD
    pcm, at = _open(alsaaudio.PCM_PLAYBACK), 0
    while True:
        try:
            pcm.write(data[at : at + size])
        except alsaaudio.ALSAAudioError:  # an under-run, which this library does not always put right
            pcm = _again(pcm, alsaaudio.PCM_PLAYBACK)
        at = (at + size) % len(data)


def told(samples: array.array[int]) -> dict[str, float]:
    """Loudness (dBFS) and pitch (Hz, by the crossings of zero) of some mono sound."""
    power = sum(value * value for value in samples) / len(samples)
    crossings = sum(a < 0 <= b for a, b in itertools.pairwise(samples))
    return {"level": 10 * math.log10(power / 32768**2 + 1e-12), "hertz": crossings * _RATE / len(samples)}


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
