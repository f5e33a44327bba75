"""Whether two recordings say the same: correlation of their log-mel envelopes after alignment."""

import numpy as np

RATE = 48_000
_HOP, _WINDOW, _BANDS = 480, 1200, 24


def _filters() -> np.ndarray:
    """Triangular mel bands from 100 to 7000 Hz, shape (bands, bins)."""
    mel = np.linspace(2595 * np.log10(1 + 100 / 700), 2595 * np.log10(1 + 7000 / 700), _BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    bins = np.fft.rfftfreq(_WINDOW, 1 / RATE)
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    filters: np.ndarray = np.clip(np.minimum(rise, fall), 0, None)
    return filters


def log_mel(sound: np.ndarray) -> np.ndarray:
    """Level in each band, shape (frames of 10 ms, bands), dB, from 50 dB below the loudest on."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::_HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(_WINDOW))) ** 2 @ _filters().T
    decibel = 10 * np.log10(power + 1e-12)
    levels: np.ndarray = np.maximum(decibel, decibel.max() - 50)
    return levels


def likeness(said: np.ndarray, heard: np.ndarray) -> float:
    """The best correlation of the envelopes over all shifts, -1 to 1; ``heard`` is looked for in ``said``."""
    # The frames of both begin at other samples: a quarter of a hop is close enough.
    return max(_likeness(log_mel(said), log_mel(heard[start:])) for start in range(0, _HOP, _HOP // 4))


def _likeness(a: np.ndarray, b: np.ndarray) -> float:
    # The shift by the loudness alone first, all of it at once; then exactly around the best ones.
    score = np.correlate(a.mean(1) - a.mean(), b.mean(1) - b.mean(), "valid")
    best = -1.0
    for shift in np.argsort(score)[-20:]:
        part = a[shift : shift + len(b)]
        best = max(best, float(np.corrcoef(part.ravel(), b.ravel())[0, 1]))
    return best
