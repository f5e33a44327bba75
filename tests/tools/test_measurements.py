"""Figures are written as they came, and the page shows them."""

import json
import platform
from pathlib import Path

import pytest

from tools.measurements import Figure, number, render, write

FIGURES = [
    Figure("demo.second_start_s", 2.345, "s", goal="<= 5"),
    Figure("call.cpu_ratio", 0.61, "", goal="<= 0.5", peer="plain aiortc", peer_value=1, note="two cores, both busy"),
    Figure("demo.download_mib", 61, "MiB"),
]


def test_the_file_has_the_agreed_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write("demo", FIGURES, tmp_path / "new")
    document = json.loads(path.read_text())
    assert path.name == "demo.json"
    assert set(document) == {"bench", "date", "machine", "commit", "figures"}
    assert document["figures"][1] == {
        "name": "call.cpu_ratio",
        "value": 0.61,
        "unit": "",
        "goal": "<= 0.5",
        "peer": "plain aiortc",
        "peer_value": 1,
        "note": "two cores, both busy",
    }
    assert platform.node() not in document["machine"]
    printed = capsys.readouterr().out
    assert "| 2.35 " in printed
    assert "| met " in printed
    assert "| MISSED " in printed


def test_the_page_is_made_of_all_files(tmp_path: Path) -> None:
    write("b", FIGURES[:1], tmp_path)
    write("a", FIGURES[1:], tmp_path)
    page = render(tmp_path)
    assert page.index("## a\n") < page.index("## b\n")
    assert "plain aiortc: 1" in page
    assert (tmp_path / "README.md").read_text() == page


def test_a_goal_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not enough values"):
        write("x", [Figure("x.y", 1, "s", goal="5")], tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "text"), [(5.0, "5"), (0.01234, "0.0123"), (1234.5, "1234"), (120000, "120000"), (99.95, "100")]
)
def test_numbers_read_well(value: float, text: str) -> None:
    assert number(value) == text
