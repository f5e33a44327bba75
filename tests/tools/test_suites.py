"""The suite in two halves."""

import sys
from pathlib import Path

import pytest

from tools import suites
from tools.suites import WAITING, closing_line, counts_of, halves

TESTS = Path(__file__).resolve().parent.parent


def test_the_halves_hold_every_folder_with_tests_once() -> None:
    waiting, computing = halves()
    assert [f"tests/{name}" for name in sorted(WAITING)] == waiting
    with_tests = {path.relative_to(TESTS).parts[0] for path in TESTS.rglob("test_*.py")}
    assert sorted(waiting + computing) == sorted(f"tests/{name}" for name in with_tests)


def test_one_closing_line_counts_both() -> None:
    first = (
        "kontor: 1 passed, 1 failed, 0 skipped\n...\nkontor: 30 passed, 0 failed, 2 skipped\n== 30 passed in 2 s ==\n"
    )
    second = "kontor: 4 passed, 1 failed, 1 skipped\n"
    counts = [counts_of(first), counts_of(second)]
    assert closing_line(counts) == "kontor: 34 passed, 1 failed, 3 skipped"
    broken = [counts_of(first), counts_of("it broke before the first test")]
    assert closing_line(broken) == "kontor: 30 passed, 0 failed, 2 skipped"


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite of two folders, without this one's plugins but with its closing line."""
    report = (TESTS / "support" / "plugin_report.py").read_text()
    (tmp_path / "conftest.py").write_text(report)
    for name in ("host", "core"):
        (tmp_path / "tests" / name).mkdir(parents=True)
    (tmp_path / "tests" / "core" / "test_core.py").write_text("def test_it() -> None:\n    assert True\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n")
    monkeypatch.setattr(suites, "ROOT", tmp_path)
    monkeypatch.setattr(suites, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(suites, "command", lambda half: [*_PYTEST, "-o", f"cache_dir={tmp_path / 'cache' / half}"])
    monkeypatch.setattr(suites, "halves", lambda: (["tests/host"], ["tests/core"]))
    return tmp_path


_PYTEST = [sys.executable, "-m", "pytest", "-p", "no:asyncio"]
_FAILS_ONCE = """
from pathlib import Path
def test_beside() -> None:
    seen = Path(__file__).with_name("seen")
    before = seen.exists()
    seen.touch()
    assert before
def test_other() -> None:
    assert True
"""


def test_what_failed_beside_the_other_half_is_tried_alone_and_named(
    small: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (small / "tests" / "host" / "test_host.py").write_text(_FAILS_ONCE)
    assert suites.main() == 0
    said = capfd.readouterr().out
    assert "kontor: 1 failed beside the other half; once more, alone:" in said
    assert "test_beside PASSED" in said
    assert said.rstrip().endswith("kontor: 3 passed, 0 failed, 0 skipped")


def test_what_fails_alone_too_has_failed(small: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (small / "tests" / "host" / "test_host.py").write_text("def test_wrong() -> None:\n    assert False\n")
    assert suites.main() == 1
    assert capfd.readouterr().out.rstrip().endswith("kontor: 1 passed, 1 failed, 0 skipped")


def test_what_fails_much_is_not_the_machines_fault(small: Path, capfd: pytest.CaptureFixture[str]) -> None:
    many = "\n".join(f"def test_{number}() -> None:\n    assert False" for number in range(7))
    (small / "tests" / "host" / "test_host.py").write_text(many)
    assert suites.main() == 1
    said = capfd.readouterr().out
    assert "once more" not in said
    assert said.rstrip().endswith("kontor: 1 passed, 7 failed, 0 skipped")
