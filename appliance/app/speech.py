"""The recorded speech that the demo's virtual microphone plays, as a WAV file at 48 kHz.

The recording is demo-instruct of the Debian package asterisk-core-sounds-en-g722: © Allison Smith, CC BY-SA 3.0. It is
fetched by ``make demo`` and never committed. Where it is not to be had, a voice-like sound of our own is used instead.
Run as ``python -m appliance.app.speech TARGET``, since decoding loads libraries that the demo itself does not need.
"""

import importlib.util
import os
import sys
import wave
from pathlib import Path

import numpy as np

from appliance.core.units import RATE, Block

ATTRIBUTION = "speech: Allison Smith, CC BY-SA 3.0, from Debian's asterisk-core-sounds-en-g722"
SYNTHETIC = "speech: a voice-like sound, since the recording is not installed"
FOLDER = "KONTOR_SPEECH"
"""Environment variable: a folder in which the recording is looked for first."""
_NAME = "demo-instruct.g722"
_CHECKOUT = Path(__file__).resolve().parents[2] / ".cache" / "speech"
_SYSTEM = Path("/usr/share/asterisk/sounds")
_RMS = 10 ** (-26 / 20)
"""-26 dBov, the usual level of active speech (ITU-T P.56)."""


def find() -> Path | None:
    """The recording, or None: also where PyAV, which decodes it, is left out as in the Debian package."""
    if importlib.util.find_spec("av") is None:
        return None
    own = os.environ.get(FOLDER)
    for folder in [Path(own)] if own else [_CHECKOUT, _SYSTEM]:
        for path in sorted(folder.rglob(_NAME)):
            return path
    return None


def decode(path: Path) -> Block:
    """The samples of a G.722 file (ITU-T G.722, 16 kHz) at 48 kHz, shape (n,) float32."""
    import av  # noqa: PLC0415 - the rest of this file is used without it

    resampler = av.AudioResampler("s16", "mono", RATE)
    parts = []
    with av.open(str(path), format="g722") as container:
        for frame in container.decode(audio=0):
            parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
    return np.concatenate(parts).astype(np.float32) / np.float32(32768)


def synthetic(seconds: float = 20.0) -> Block:
    """A voice-like sound: a buzz of 110 Hz through two wandering formants, in syllables and phrases. Shape (n,) float32."""
    count = int(seconds * RATE)
    time = np.arange(count) / RATE
    pitch = 110 * (1 + 0.08 * np.sin(2 * np.pi * 0.4 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    out = np.zeros(count)
    for harmonic in range(1, 32):
        frequency = harmonic * 110
        first, second = 500 + 250 * np.sin(2 * np.pi * 1.1 * time), 1500 + 500 * np.sin(2 * np.pi * 0.7 * time)
        weight = np.exp(-(((frequency - first) / 150) ** 2)) + 0.5 * np.exp(-(((frequency - second) / 250) ** 2))
        out += weight * np.sin(harmonic * phase) / harmonic**0.5
    syllables = np.clip(np.sin(2 * np.pi * 2.2 * time), 0, None) ** 0.7
    phrases = (time % 4.0 < 2.8).astype(float)
    voice: Block = (out * syllables * phrases).astype(np.float32)
    return voice


def prepare(target: Path) -> str:
    """Write the speech to ``target``; returns the line that says what it is."""
    source = find()
    samples = decode(source) if source else synthetic()
    active = samples[np.abs(samples) > 0.01 * np.abs(samples).max()]
    samples = np.clip(samples * (_RMS / np.sqrt(np.mean(active**2))), -1, 1)
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return ATTRIBUTION if source else SYNTHETIC


if __name__ == "__main__":
    sys.stdout.write(prepare(Path(sys.argv[1])) + "\n")
