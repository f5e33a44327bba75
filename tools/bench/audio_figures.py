"""What the audio bench writes: means over rooms and seeds, their spread, and how far each is from must and reach."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean, stdev
from typing import NamedTuple

from tools.acoustics.scores import Scores
from tools.measurements import COMPARE, Figure

ROWS = ("none", "aec3", "speex", "ours_mono", "ours_4mics")
SCENARIOS = ("far", "dt_m10", "dt_0", "drift50", "jumps", "clip", "moving", "noise20")
EXTRA = ("near_1m", "near_2m", "near_3m", "dt_1m", "dt_2m", "dt_3m", "noise15", "noise10", "keys15", "cheap")
DOUBLE_TALK = ("dt_m10", "dt_0", "drift50", "jumps", "clip", "moving")
DUCKED = {"half_duplex": ("far", "dt_m10", "dt_0")}
"""A row that is measured in some scenarios: for rooms where echo still wins."""
MEASURES = ("echo", "deg", "erle_db", "us_per_block", "pesq", "stoi")
BRIEFLY = ("echo", "deg")
"""What is written of the extra scenarios; the rest is in build/audio/scores.json."""
OURS = "ours_4mics"
Results = Mapping[str, Mapping[str, dict[tuple[str, int], Scores]]]
"""By scenario, row, and room with seed."""
_DIGITS = {"erle_db": 1, "erle_5s_db": 1, "us_per_block": 0, "doa_deg": 1, "doa_dt_deg": 1, "delay_ms": 1, "stoi": 3}
_UNITS = {
    "erle_db": "dB",
    "erle_5s_db": "dB",
    "us_per_block": "µs",
    "doa_deg": "°",
    "doa_dt_deg": "°",
    "delay_ms": "ms",
    "stoi": "",
}


class Bar(NamedTuple):
    """What a figure must be, and what it may reach."""

    must: str
    reach: str = ""


BARS = {
    "audio.far.ours_4mics.erle_db": Bar(">= 34", ">= 40"),
    "audio.far.ours_4mics.erle_5s_db": Bar("", ">= 20"),
    "audio.far.ours_4mics.echo": Bar(">= 4.3", ">= 4.5"),
    "audio.dt_m10.ours_4mics.echo": Bar(">= 4", ">= 4.2"),
    "audio.dt_m10.ours_4mics.deg": Bar(">= 2.8", ">= 3.2"),
    "audio.dt_0.ours_4mics.echo": Bar(">= 4.2", ">= 4.4"),
    "audio.dt_0.ours_4mics.deg": Bar(">= 3.7", ">= 3.9"),
    "audio.noise20.ours_4mics.dnsmos_ovrl": Bar(">= 2.5", ">= 2.7"),
    "audio.noise20.ours_4mics.p808": Bar(">= 3.1", ">= 3.3"),
    "audio.doa_1m5_deg": Bar("<= 4", "<= 3"),
    "audio.doa_3m_deg": Bar("<= 8", "<= 6"),
    "audio.doa_1m5_dt_deg": Bar("<= 4", "<= 3"),
    "audio.doa_3m_dt_deg": Bar("<= 8", "<= 6"),
    "audio.added_delay_ms": Bar("<= 20", "<= 15"),
    "audio.instructions_per_block_mono": Bar("<= 3600000", "<= 2500000"),
    "audio.instructions_per_block_4mics": Bar("<= 6000000", "<= 4500000"),
}


def figure(name: str, value: float, unit: str, note: str = "", bar: Bar | None = None) -> Figure:
    """One figure with its goal; the note says whether the reach is reached too."""
    bar = bar or BARS.get(name, Bar(""))
    if bar.reach:
        operator, number = bar.reach.split()
        word = "reached" if COMPARE[operator](value, float(number)) else "not reached"
        note = f"reach {bar.reach}: {word}" + (f"; {note}" if note else "")
    return Figure(name, value, unit, bar.must, note=note)


def figures(results: Results) -> list[Figure]:
    """All figures that scenes give."""
    found = []
    for scenario, rows in results.items():
        for row, runs in rows.items():
            found += _row(scenario, row, list(runs.values()))
    for scenario in DOUBLE_TALK:
        found.append(_above(scenario, results[scenario]))
    for scenario in ("drift50", "jumps"):
        found += [_kept(results, scenario, measure) for measure in ("echo", "deg")]
    return found + _directions(results) + [_delay(results)]


def mean(runs: list[Scores], measure: str) -> float:
    """Over the runs that have it; NaN if none has."""
    values = _values(runs, measure)
    return fmean(values) if values else math.nan


def _values(runs: list[Scores], measure: str) -> list[float]:
    return [value for run in runs if not math.isnan(value := getattr(run, measure))]


def _spread(runs: list[Scores], measure: str) -> str:
    values = _values(runs, measure)
    if len(values) < 2:
        return ""
    return f"sd {stdev(values):.2g}, {min(values):.3g} to {max(values):.3g} in {len(values)} scenes"


def _row(scenario: str, row: str, runs: list[Scores]) -> list[Figure]:
    names = {measure: measure for measure in (MEASURES if scenario in SCENARIOS else BRIEFLY)}
    if scenario == "far":
        names["erle_5s_db"] = "erle_5s_db"
    if scenario.startswith(("noise", "keys", "near")):
        names |= {"ovrl": "dnsmos_ovrl", "p808": "p808"}
    found = []
    for measure, name in names.items():
        value = mean(runs, measure)
        if not math.isnan(value):
            rounded = round(value, _DIGITS.get(measure, 2))
            unit = _UNITS.get(measure, "MOS")
            found.append(figure(f"audio.{scenario}.{row}.{name}", rounded, unit, _spread(runs, measure)))
    return found


def _above(scenario: str, rows: Mapping[str, dict[tuple[str, int], Scores]]) -> Figure:
    """Echo and degradation together, against the better of the two peers."""
    sums = {
        row: round(mean(list(runs.values()), "echo") + mean(list(runs.values()), "deg"), 2)
        for row, runs in rows.items()
    }
    peer = max(("aec3", "speex"), key=lambda row: sums[row])
    better = round(sums[OURS] - sums[peer], 2)
    note = f"reach 0.5 above: {'reached' if better >= 0.5 else 'not reached'}; {better:+.2f}"
    goal = f">= {sums[peer] + 0.01:.2f}"
    return Figure(f"audio.{scenario}.{OURS}.echo_and_deg", sums[OURS], "MOS", goal, peer, sums[peer], note)


def _kept(results: Results, scenario: str, measure: str) -> Figure:
    """What drift or jumps leave of a score, in the same rooms with the same seeds."""
    with_it, without = (mean(list(results[name][OURS].values()), measure) for name in (scenario, "dt_m10"))
    rows = [round(mean(list(results[name]["aec3"].values()), measure), 2) for name in (scenario, "dt_m10")]
    note = f"{with_it:.2f} against {without:.2f} in dt_m10; aec3 {rows[0]} against {rows[1]}"
    name = f"audio.{scenario}.{OURS}.{measure}_kept"
    return figure(name, round(with_it / without, 2), "", note, Bar(">= 0.85", ">= 0.9"))


def _directions(results: Results) -> list[Figure]:
    """Mean errors of the direction; scenes without one are left out."""
    found = []
    for name, scenario, measure in (
        ("audio.doa_1m5_deg", "noise20", "doa_deg"),
        ("audio.doa_3m_deg", "near_3m", "doa_deg"),
        ("audio.doa_1m5_dt_deg", "dt_m10", "doa_dt_deg"),
        ("audio.doa_3m_dt_deg", "dt_3m", "doa_dt_deg"),
    ):
        runs = list(results.get(scenario, {}).get(OURS, {}).values())
        if not math.isnan(value := mean(runs, measure)):
            found.append(figure(name, round(value, 1), "°", f"{scenario}; {_spread(runs, measure)}"))
    return found


def _delay(results: Results) -> Figure:
    """From the first microphone to what is sent: where near speech correlates best, nobody else talking."""
    runs = list(results["noise20"][OURS].values())
    delays = sorted(_values(runs, "delay_ms"))
    value = round(delays[len(delays) // 2], 1)
    return figure(
        "audio.added_delay_ms", value, "ms", f"median; {delays[0]:.1f} to {delays[-1]:.1f} in {len(delays)} scenes"
    )


def shown(results: Results) -> str:
    """Tables for a terminal: a line for each scenario and row, mean and standard deviation; then ours by room."""
    measures = (
        "echo",
        "deg",
        "erle_db",
        "erle_5s_db",
        "pesq",
        "stoi",
        "ovrl",
        "p808",
        "doa_deg",
        "doa_dt_deg",
        "us_per_block",
    )
    lines = [f"{'':10} {'':10} " + " ".join(f"{measure:>12}" for measure in measures)]
    for scenario, rows in results.items():
        for row, runs in rows.items():
            cells = [_cell(list(runs.values()), measure) for measure in measures]
            lines.append(f"{scenario:10} {row:10} " + " ".join(cells))
    lines.append("")
    for scenario, rows in results.items():
        runs = rows.get(OURS, {})
        for where in sorted({key[0] for key in runs}):
            here = [scores for key, scores in runs.items() if key[0] == where]
            cells = [_cell(here, measure) for measure in measures]
            lines.append(f"{scenario:10} {where:10} " + " ".join(cells))
    return "\n".join(lines)


def _cell(runs: list[Scores], measure: str) -> str:
    values = _values(runs, measure)
    if not values:
        return " " * 12
    digits = min(2, _DIGITS.get(measure, 2))
    spread = f"±{stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{fmean(values):.{digits}f}{spread}".rjust(12)
