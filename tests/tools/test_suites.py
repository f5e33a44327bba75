"""The suite in two halves."""

from pathlib import Path

from tools.suites import WAITING, closing_line, halves

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
    assert closing_line([first, second]) == "kontor: 34 passed, 1 failed, 3 skipped"
    assert closing_line([first, "it broke before the first test"]) == "kontor: 30 passed, 0 failed, 2 skipped"
