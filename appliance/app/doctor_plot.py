"""The picture of ``kontor doctor --plot``: echo path, its decay and the spectra, one line for each microphone."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from appliance.app.doctor_listen import Heard
from appliance.app.process import NotAllowed
from appliance.core.chirp import Samples
from appliance.core.echo_path import MS, TAIL_MS, spectrum
from appliance.core.units import RATE

_SMOOTH = 12
"""Points an octave of the spectra."""
_FLOOR = 1e-9


def ready() -> None:
    """Whether a picture can be drawn.

    :raises NotAllowed: matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise NotAllowed("--plot needs matplotlib: install python3-matplotlib, or kontor[plot] with pip")


def plot(heard: Heard, microphones: Sequence[int], path: Path) -> None:
    """Draw it into ``path`` (PNG by its name; whatever matplotlib writes).

    :raises OSError: the file cannot be written.
    :raises ValueError: matplotlib writes no such kind of file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - for this alone
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(10, 10), layout="constrained")
    FigureCanvasAgg(figure)
    response, decay, spectra = figure.subplots(3, 1)
    _frame(response, "Echo path: what comes back of an impulse", "ms after playing", "of full scale")
    _frame(decay, "Its decay: energy that is still to come", "ms after playing", "dB")
    _frame(spectra, "Echo path (solid) and noise (dotted, dBov an octave band of 1/12)", "Hz", "dB")
    for number in microphones:
        if number < len(heard.channels):
            _draw(heard, number, (response, decay, spectra))
    decay.axvline(TAIL_MS, color="gray", linestyle="--", label=f"reach of the canceller, {TAIL_MS} ms")
    decay.set_ylim(-70, 3)
    spectra.set_xscale("log")
    spectra.set_xlim(60, 20_000)
    for axes in (response, decay):
        if axes.get_legend_handles_labels()[1]:
            axes.legend(loc="upper right")
    figure.savefig(path, dpi=110)


def _frame(axes: Any, title: str, across: str, up: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(visible=True, alpha=0.3)


def _draw(heard: Heard, number: int, axes: tuple[Any, Any, Any]) -> None:
    response, decay, spectra = axes
    color, label = f"C{number}", f"channel {number + 1}"
    noise = heard.take.sound[number, : heard.take.quiet].astype(np.float64)
    # Power in bands: the FFT of a window, scaled so that all bands add up to the mean square.
    window = np.hanning(len(noise))
    power = 2 * np.abs(np.fft.rfft(noise * window)) ** 2 / (len(noise) * np.sum(window**2))
    centres, band = _bands(np.arange(len(power), dtype=np.float64) * (RATE / len(noise)), power, summed=True)
    spectra.plot(centres, 10 * np.log10(band + _FLOOR**1.5), color=color, linestyle=":")
    path = heard.channels[number].path
    if path is None:
        return
    time = (np.arange(len(path.response)) + path.begin) / MS
    shown = slice(0, 60 * MS)
    response.plot(time[shown], path.response[shown], color=color, linewidth=0.8, label=label)
    left = np.cumsum(path.response[::-1] ** 2)[::-1]
    decay.plot(time, 10 * np.log10(left / left[0] + _FLOOR), color=color, label=label)
    frequencies, magnitudes = spectrum(path.response)
    centres, band = _bands(frequencies, magnitudes**2, summed=False)
    spectra.plot(centres, 10 * np.log10(band + _FLOOR), color=color, label=label)


def _bands(frequencies: Samples, power: Samples, *, summed: bool) -> tuple[Samples, Samples]:
    """Power in twelfths of octaves from 60 Hz to 20 kHz: what an ear (nearly) tells apart."""
    edges = 60 * 2 ** (np.arange(int(np.log2(20_000 / 60) * _SMOOTH) + 1) / _SMOOTH)
    at = np.searchsorted(frequencies, edges)
    whole = np.concatenate([[0.0], np.cumsum(power)])
    count = np.maximum(at[1:] - at[:-1], 1)
    band = whole[np.minimum(at[:-1] + count, len(power))] - whole[at[:-1]]
    return np.sqrt(edges[1:] * edges[:-1]), band if summed else band / count
