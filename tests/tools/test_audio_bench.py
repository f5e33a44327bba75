"""bench-audio: how scores become figures."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest

from appliance.core.units import BLOCK
from tests.support import need

for module in ("scipy", "pyroomacoustics"):
    need(f"module:{module}", "simulated rooms are for who benches and trains: make judges")

from tools.acoustics.scores import Scores  # noqa: E402
from tools.bench import arm64, audio_child, audio_cost  # noqa: E402
from tools.bench.audio_figures import ROWS, SCENARIOS, figure, figures, shown  # noqa: E402
from tools.measurements import Figure  # noqa: E402


def results(**ours: float) -> dict[str, dict[str, dict[tuple[str, int], Scores]]]:
    """Peers are at 3, ours as told."""
    told = {"echo": 3.0, "deg": 3.0, "erle_db": 30.0, "delay_ms": 12.0, "doa_deg": 2.0, "doa_dt_deg": 5.0}
    rows = {}
    for row in ROWS:
        values = told | (ours if row == "ours_4mics" else {})
        rows[row] = {
            (room, 1): Scores(**{**values, "echo": values["echo"] + off}) for room, off in (("r1", -0.2), ("r2", 0.2))
        }
    return dict.fromkeys(SCENARIOS, rows)


def named(found: list[Figure], name: str) -> Figure:
    (one,) = [figure for figure in found if figure.name == f"audio.{name}"]
    return one


def test_figures_are_means_with_their_spread() -> None:
    found = figures(results(echo=4.1, deg=2.9))
    echo = named(found, "dt_m10.ours_4mics.echo")
    assert (echo.value, echo.goal, echo.met()) == (4.1, ">= 4", True)
    assert "not reached" in echo.note
    assert "sd 0.28, 3.9 to 4.3 in 2 scenes" in echo.note
    assert named(found, "dt_m10.aec3.echo").goal == ""
    assert not [one for one in found if math.isnan(one.value)]
    for scenario in SCENARIOS:
        for row in ROWS:
            assert {named(found, f"{scenario}.{row}.{measure}").unit for measure in ("echo", "deg")} == {"MOS"}


@pytest.mark.parametrize(
    ("echo", "met", "reach"), [(3.0, False, "not reached"), (3.3, True, "not reached"), (3.5, True, ": reached")]
)
def test_ours_is_compared_with_the_better_peer(echo: float, met: bool, reach: str) -> None:
    both = named(figures(results(echo=echo)), "clip.ours_4mics.echo_and_deg")
    assert (both.goal, both.peer_value) == (">= 6.01", 6.0)
    assert both.met() is met
    assert reach in both.note


def test_drift_is_compared_with_the_same_rooms_without() -> None:
    found = results(echo=4.0)
    found["drift50"] = results(echo=3.5)["drift50"]
    kept = named(figures(found), "drift50.ours_4mics.echo_kept")
    assert kept.value == 0.88
    assert kept.met() is True
    assert "not reached" in kept.note


def test_directions_and_delay() -> None:
    found = figures(results())
    assert named(found, "doa_1m5_deg").met() is True
    assert named(found, "doa_1m5_dt_deg").met() is False
    assert named(found, "added_delay_ms").note.startswith("reach <= 15: reached; median")
    assert not [one for one in found if "3m" in one.name]  # not in a short run
    assert figure("audio.doa_3m_deg", 7.0, "°").met() is True


def test_tables_tell_each_row_and_each_room() -> None:
    lines = shown(results(echo=4.0)).splitlines()
    assert any(line.startswith("far        ours_4mics") and "4.00±0.28" in line for line in lines)
    assert any(line.startswith("far        r1") and "3.80" in line for line in lines)


COUNTER = """import sys
_, module, name, blocks, scene = sys.argv[1:]
print(f"==1== Collected : {1_000_000_000 + {'mono': 2_500_000, '4mics': 6_100_000}[name] * int(blocks)}", file=sys.stderr)
"""


def test_instructions_are_those_of_the_steady_state(tmp_path: Path) -> None:
    (tmp_path / "counter.py").write_text(COUNTER)
    command = [sys.executable, str(tmp_path / "counter.py")]
    mono, four = audio_cost._counted(command, "", "callgrind, x86", (10, 30), tmp_path / "scene.npz")
    assert (mono.name, mono.value, mono.met()) == ("audio.instructions_per_block_mono", 2_500_000, True)
    assert "reach <= 2500000: reached; callgrind, x86; 20 blocks" in mono.note
    assert (four.value, four.met()) == (6_100_000, False)
    with pytest.raises(RuntimeError, match="ended with"):
        audio_cost._counted([sys.executable, "-c", "raise SystemExit(3)"], "", "", (1, 2), tmp_path)


def test_the_child_runs_the_product_over_a_scene(tmp_path: Path) -> None:
    need("module:pywebrtc_audio", "the front end's libraries are for devices and tests")
    blocks = 12
    sound = np.random.default_rng(1).normal(0, 0.01, (5, blocks * BLOCK)).astype(np.float32)
    calls = [(kind, block, block * BLOCK, block / 100) for block in range(blocks) for kind in range(3)]
    calls.insert(9, (3, 0, 0, 0.03))
    np.savez(tmp_path / "scene.npz", microphones=sound[:4], reference=sound[4], calls=np.array(calls))
    for name in audio_child.CHAINS:
        assert audio_child.main([name, "10", str(tmp_path / "scene.npz")]) == 0


def test_what_arm64_takes_is_named_if_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(arm64.Missing, match="sudo apt-get install qemu-user"):
        arm64.command()
