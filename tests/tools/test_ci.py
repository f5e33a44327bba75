""".ci/run: the whole check, then the slow suites that a change calls for, in a clone where `make` only says what it does."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import need

ROOT = Path(__file__).resolve().parent.parent.parent
MAKEFILE = """
test:
\t@echo "tests, required: $(KONTOR_REQUIRE)"; echo "kontor: 10 passed, 0 failed, 1 skipped"; exit $(TEST_STATUS)
slow:
\t@echo "slow: $(ARGS)"; case "$(ARGS)" in \\
\t*--last-failed*) echo "kontor: $(AGAIN), 0 skipped"; exit $(AGAIN_STATUS);; \\
\t*) echo "kontor: 2 passed, $(FAILED) failed, 0 skipped"; exit $(SLOW_STATUS);; esac
test-engines:
\t@echo "engines: $(ARGS)"; echo "kontor: 3 passed, 0 failed, 0 skipped"
"""
SLOW = """# minutes path watched
5  tests/soak/test_hours.py    ^appliance/(media|rooms)/
58 tests/image/test_boot.py    ^appliance/
5  tests/soak/test_words.py    ^docs/
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    need("git", "git makes the clone")
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    (tmp_path / ".ci" / "slow").write_text(SLOW)
    (tmp_path / "Makefile").write_text(MAKEFILE)
    git(tmp_path, "init", "-q")
    commit(tmp_path, "2026-01-01T00:00:00Z")
    for name in ("appliance/media/new.py", "README.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    commit(tmp_path, "2026-01-02T00:00:00Z")
    return tmp_path


def git(root: Path, *arguments: str, **environment: str) -> None:
    who = {f"GIT_{role}_{what}": "a@b" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["git", *arguments], cwd=root, env={**os.environ, **who, **environment}, check=True)


def commit(root: Path, date: str) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "x", GIT_COMMITTER_DATE=date, GIT_AUTHOR_DATE=date)


def run(clone: Path, test: int = 0, slow: int = 0, **environment: str) -> tuple[int, list[str]]:
    again = {"AGAIN": "1 passed, 0 failed", "AGAIN_STATUS": "0"}
    status = {"TEST_STATUS": str(test), "SLOW_STATUS": str(slow), "FAILED": "0", **again, **environment}
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("KONTOR_", "MAKE"))}
    done = subprocess.run(
        ["bash", ".ci/run"], cwd=clone, env={**clean, **status}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.splitlines()


def test_what_changed_chooses_the_slow_suites_and_the_clock_leaves_out(clone: Path) -> None:
    status, lines = run(clone)
    assert status == 0
    assert "tests, required: all" in lines
    assert "slow: tests/soak/test_hours.py" in lines
    assert "slow: tests/image/test_boot.py" in lines
    assert "slow: tests/soak/test_words.py" not in lines
    assert lines[-1] == "kontor: 14 passed, 0 failed, 1 skipped"


def test_a_suite_that_does_not_fit_into_the_hour_is_named(clone: Path) -> None:
    (clone / ".ci" / "slow").write_text(SLOW.replace("58", "61"))
    _, lines = run(clone)
    assert "kontor: left out for want of time: tests/image/test_boot.py (61 min)" in lines
    assert "slow: tests/image/test_boot.py" not in lines


def test_a_suite_over_every_engine_is_run_by_a_goal_of_its_own(clone: Path) -> None:
    (clone / ".ci" / "slow").write_text("5  engines:tests/contract  ^appliance/\n")
    status, lines = run(clone)
    assert status == 0
    assert "engines: tests/contract" in lines
    assert lines[-1] == "kontor: 13 passed, 0 failed, 1 skipped"


def test_the_base_can_be_named(clone: Path) -> None:
    _, lines = run(clone, KONTOR_BASE="HEAD")
    assert not any(line.startswith("slow:") for line in lines)
    assert lines[-1] == "kontor: 10 passed, 0 failed, 1 skipped"


@pytest.mark.parametrize(("test", "slow"), [(1, 0), (0, 1), (1, 1)])
def test_a_failure_anywhere_fails_the_run(clone: Path, test: int, slow: int) -> None:
    status, lines = run(clone, test, slow)
    assert status != 0
    assert lines[-1].startswith("kontor: 14 passed")


def test_one_or_two_failures_of_a_slow_suite_are_tried_once_more_alone_and_named(clone: Path) -> None:
    (clone / ".ci" / "slow").write_text("5  tests/soak  ^appliance/\n")
    status, lines = run(clone, slow=1, FAILED="1")
    assert status == 0
    assert "kontor: 1 failed in tests/soak; once more, alone:" in lines
    assert "slow: tests/soak --last-failed --last-failed-no-failures=none" in lines
    assert lines[-1] == "kontor: 13 passed, 0 failed, 1 skipped"
    status, lines = run(clone, slow=1, FAILED="2", AGAIN="1 passed, 1 failed", AGAIN_STATUS="1")
    assert status != 0
    assert lines[-1] == "kontor: 13 passed, 1 failed, 1 skipped"


@pytest.mark.parametrize("failed", ["0", "3"])
def test_a_slow_suite_that_broke_or_failed_in_more_is_not_tried_again(clone: Path, failed: str) -> None:
    (clone / ".ci" / "slow").write_text("5  tests/soak  ^appliance/\n")
    status, lines = run(clone, slow=1, FAILED=failed)
    assert status != 0
    assert not any("once more" in line for line in lines)
    assert lines[-1] == f"kontor: 12 passed, {failed} failed, 1 skipped"
