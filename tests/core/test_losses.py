"""What the listeners of one stream lose, as its talker is told."""

import pytest

from appliance.core.losses import FRESH, ListenerLosses


def losses(*told: tuple[float, int]) -> ListenerLosses:
    made = ListenerLosses()
    for i, (fraction, copies) in enumerate(told):
        made.note(str(i), fraction, copies, 0.0)
    return made


def test_copies_of_each_frame_leave_less_of_a_loss() -> None:
    assert losses((0.1, 0)).typical(1.0) == pytest.approx(0.1)
    assert losses((0.1, 1)).typical(1.0) == pytest.approx(0.01)
    assert losses((0.1, 2)).typical(1.0) == pytest.approx(0.001)


def test_one_bad_line_among_many_does_not_count_and_one_of_three_does() -> None:
    assert losses((0.5, 0), *[(0.01, 0)] * 9).typical(1.0) == pytest.approx(0.01)
    assert losses((0.5, 0), (0.0, 0), (0.0, 0)).typical(1.0) == 0.5
    assert losses((0.5, 0), (0.0, 0), (0.0, 0), (0.0, 0)).typical(1.0) == 0.0


def test_old_reports_and_those_of_who_left_do_not_count() -> None:
    told = losses((0.5, 0), (0.1, 0))
    told.note("1", 0.2, 0, 5.0)
    assert told.typical(FRESH) == 0.5
    assert told.typical(FRESH + 1) == 0.2
    told.forget("1")
    told.forget("nobody")
    assert told.typical(FRESH + 1) == 0.0
    told.clear()
    assert told.typical(0.0) == 0.0


def test_fractions_are_kept_within_bounds() -> None:
    assert losses((7.0, 0)).typical(0.0) == 1.0
    assert losses((-1.0, 1)).typical(0.0) == 0.0
