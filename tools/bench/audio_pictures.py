"""Pictures of the audio bench: docs/pictures/front-end-*.png, made of the scenes that tools/bench/audio.py keeps."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from statistics import stdev
from typing import TYPE_CHECKING

import numpy as np

from appliance.core.units import RATE, Block
from tools.acoustics.scenes import Scene
from tools.acoustics.scores import erle_over_time, narrowed
from tools.bench.audio_figures import ROWS, SCENARIOS, Results, mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
NAMES = {
    "none": "nothing",
    "aec3": "AEC3 + NS",
    "speex": "speex",
    "ours_mono": "ours, 1 microphone",
    "ours_4mics": "ours, 4 microphones",
}
_COLOURS = {"none": "#9a9a9a", "aec3": "#d17c2b", "speex": "#7a5ea8", "ours_mono": "#58a4b0", "ours_4mics": "#12607a"}
_OVER_TIME = {
    "far": "far end only",
    "jumps": "the delay jumps; from 10 s on somebody near talks too: only his pauses are shown",
}
_WINDOW = 0.5
_TALK = (12.0, 17.0)


def keep(build: Path, scenario: str, made: Scene, outs: Mapping[str, Block]) -> None:
    """Save what the pictures of a scenario need, if there are any."""
    kept: dict[str, np.ndarray] = {}
    if scenario in _OVER_TIME:
        kept |= {f"erle_{row}": erle_over_time(made, out, _WINDOW) for row, out in outs.items()}
    if scenario == "dt_m10":
        part = slice(int(_TALK[0] * RATE), int(_TALK[1] * RATE))
        kept |= {row: narrowed(out[part]) for row, out in outs.items()}
        kept |= {"near": narrowed(made.near[0][part])}
    if kept:
        build.mkdir(parents=True, exist_ok=True)
        np.savez(build / f"picture-{scenario}.npz", allow_pickle=False, **kept)


def draw(build: Path, results: Results) -> None:
    """All three pictures."""
    import matplotlib as mpl  # noqa: PLC0415 - slow to load

    mpl.use("Agg")
    mpl.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "savefig.dpi": 90})
    _scores(results)
    _over_time(build)
    _double_talk(build)


def _scores(results: Results) -> None:
    """AECMOS of every scenario and row, with the standard deviation over rooms, languages and seeds."""
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, panels = plt.subplots(2, 1, figsize=(9.5, 6), sharex=True, layout="constrained")
    wide = 0.8 / len(ROWS)
    for panel, measure, title in zip(
        panels, ("echo", "deg"), ("echo: 5 = none is heard", "degradation: 5 = untouched"), strict=True
    ):
        for number, row in enumerate(ROWS):
            runs = [list(results[scenario][row].values()) for scenario in SCENARIOS]
            values = [mean(one, measure) for one in runs]
            spread = [stdev(getattr(run, measure) for run in one) if len(one) > 1 else 0.0 for one in runs]
            at = np.arange(len(SCENARIOS)) + (number - (len(ROWS) - 1) / 2) * wide
            panel.bar(at, np.array(values) - 1, wide * 0.92, bottom=1, yerr=spread, color=_COLOURS[row], label=NAMES[row],
                      error_kw={"elinewidth": 0.7, "ecolor": "#333333"})  # fmt: skip
        panel.set(ylabel="AECMOS", ylim=(1, 5))
        panel.set_title(title, loc="left", fontsize=9)
        panel.grid(axis="y", linewidth=0.4, alpha=0.5)
    panels[1].set_xticks(np.arange(len(SCENARIOS)), SCENARIOS)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(ROWS), frameon=False)
    _save(figure, "scores")


def _over_time(build: Path) -> None:
    """How much of the echo is gone when, in one room."""
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, panels = plt.subplots(len(_OVER_TIME), 1, figsize=(9.5, 6), layout="constrained")
    for panel, (scenario, title) in zip(panels, _OVER_TIME.items(), strict=True):
        with np.load(build / f"picture-{scenario}.npz") as kept:
            for row in ROWS[1:]:
                values = kept[f"erle_{row}"]
                heard = np.isfinite(values)
                panel.plot(
                    np.arange(values.size)[heard] * _WINDOW + _WINDOW / 2,
                    values[heard],
                    color=_COLOURS[row],
                    label=NAMES[row],
                )
        panel.set(ylabel="microphone over output, dB", xlim=(0, 20), ylim=(-5, None))
        panel.set_title(title, loc="left", fontsize=9)
        panel.grid(linewidth=0.4, alpha=0.5)
    panels[-1].set_xlabel("seconds")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(ROWS), frameon=False)
    _save(figure, "over-time")


def _double_talk(build: Path) -> None:
    """Spectrograms of both talking at once, the echo 10 dB louder than the talker."""
    from matplotlib import pyplot as plt  # noqa: PLC0415

    titles = {
        "none": "microphone: near talker, and 10 dB over him the echo",
        "near": "near talker alone at the microphone",
    }
    titles |= {row: NAMES[row] for row in ("aec3", "speex", "ours_4mics")}
    figure, panels = plt.subplots(len(titles), 1, figsize=(9.5, 7.5), sharex=True, layout="constrained")
    with np.load(build / "picture-dt_m10.npz") as kept:
        for panel, (name, title) in zip(panels, titles.items(), strict=True):
            _spectrogram(panel, kept[name])
            panel.set_title(title, loc="left", fontsize=9)
    panels[-1].set_xlabel("seconds")
    _save(figure, "double-talk")


def _spectrogram(panel: Axes, samples: Block) -> None:
    loud = samples / np.float32(max(float(np.sqrt(np.mean(samples**2))), 1e-6))
    panel.specgram(loud, NFFT=512, Fs=16000, noverlap=384, cmap="magma", vmin=-95, vmax=-35, rasterized=True)
    panel.set(ylabel="Hz", ylim=(0, 6000))


def _save(figure: Figure, name: str) -> None:
    """As a PNG of 64 colours: a quarter of the size, and no difference is seen."""
    from matplotlib import pyplot as plt  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415 - comes with matplotlib

    buffer = BytesIO()
    figure.savefig(buffer)
    plt.close(figure)
    Image.open(buffer).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(
        PICTURES / f"front-end-{name}.png", optimize=True
    )
