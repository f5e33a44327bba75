"""What bench-recovery tells of what somebody heard."""

import threading
import time

import pytest

from tools.bench import recovery
from tools.bench.recovery import Ear


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "_NOTICED", 0.0)


def heard(*looks: tuple[float, bool]) -> Ear:
    ear = Ear()
    for at, sound in looks:
        ear.note(at, sound)
    return ear


def test_the_last_silence_ends_with_sound() -> None:
    now = time.monotonic()
    ear = heard((now - 4, True), (now - 3, False), (now - 1.5, True), (now, True))
    assert ear.back(now - 5, now - 2, 0.0) == pytest.approx(0.5)
    assert ear.back(now - 5, now - 1, 0.0) == 0.0, "it ended before"
    assert ear.back(now - 1.2, now - 1, 0.0) == 0.0, "there was none"


def test_a_silence_that_lasts_is_no_return() -> None:
    now = time.monotonic()
    assert heard((now - 3, True), (now - 2, False), (now, False)).back(now - 5, now - 2, 0.0) is None


def test_nobody_who_looks_is_no_return() -> None:
    now = time.monotonic()
    assert Ear().back(now - 5, now - 2, 0.0) is None
    assert heard((now - 3, True)).back(now - 5, now - 2, 0.0) is None, "a member that died is not back at once"


def test_sound_that_comes_while_it_is_waited_for() -> None:
    now = time.monotonic()
    ear = heard((now - 1, True), (now - 0.5, False))
    timer = threading.Timer(0.05, lambda: ear.note(now + 0.05, True))
    timer.start()
    assert ear.back(now - 2, now, 20.0) == pytest.approx(0.05)
    timer.join()
