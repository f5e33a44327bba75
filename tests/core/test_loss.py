"""What reports of loss lead to: at once more protection, less only after a while, and no swinging."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.loss import USUAL, LossControl, Protection


def after(*fractions: float, control: LossControl | None = None, start: float = 0.0) -> Protection:
    """What is done after a report each second."""
    control = control or LossControl()
    return [control.update(fraction, start + second) for second, fraction in enumerate(fractions)][-1]


def test_without_loss_nothing_changes_and_the_same_object_comes_back() -> None:
    control = LossControl()
    assert after(*[0.0] * 100, control=control) is USUAL
    assert control.loss == 0.0


@pytest.mark.parametrize("fraction", [0.0, 0.005, 0.01, 0.02, 0.03])
def test_little_loss_is_met_by_one_copy(fraction: float) -> None:
    assert after(*[fraction] * 300) == USUAL


@pytest.mark.parametrize(("fraction", "reports"), [(0.05, 3), (0.08, 1), (0.1, 1), (0.2, 1), (1.0, 1)])
def test_heavy_loss_is_met_by_two_copies_within_three_reports(fraction: float, reports: int) -> None:
    assert after(*[fraction] * reports).blocks == 2


def test_a_single_burst_is_met_at_once_and_forgotten_after_ten_seconds_or_more() -> None:
    control = LossControl()
    assert after(0.12, control=control).blocks == 2
    blocks = [control.update(0.0, float(second)).blocks for second in range(1, 60)]
    calm_after = blocks.index(1)
    assert 10 <= calm_after <= 30
    assert set(blocks[calm_after:]) == {1}


def test_what_the_encoder_reckons_with_follows_the_loss_between_two_bounds() -> None:
    assert after(*[0.05] * 50).expected_loss == 7
    assert after(*[0.2] * 50).expected_loss == 10
    control = LossControl()
    after(*[0.2] * 50, control=control)
    assert after(*[0.09] * 2, control=control, start=50).expected_loss == 10, "down with slack"
    assert after(*[0.0] * 50, control=control, start=52) == USUAL


@pytest.mark.parametrize("middle", [0.015, 0.03, 0.04, 0.084, 0.12])
def test_loss_that_swings_around_a_threshold_does_not_make_the_stream_swing(middle: float) -> None:
    control = LossControl()
    decided = [control.update(middle * (1.3 if second % 2 else 0.7), float(second)) for second in range(300)]
    assert sum(before != now for before, now in pairwise(decided)) <= 3


@given(st.lists(st.tuples(st.floats(-1, 2), st.floats(-5, 100)), max_size=80))
def test_whatever_is_reported_stays_within_bounds(reports: list[tuple[float, float]]) -> None:
    control, now = LossControl(), 0.0
    for fraction, later in reports:
        now += later
        protection = control.update(fraction, now)
        assert protection.blocks in (1, 2)
        assert protection.expected_loss in (7, 10)
        assert 0.0 <= control.loss <= 1.0


def test_a_report_after_a_pause_counts_as_one_of_ten_seconds() -> None:
    control = LossControl()
    after(*[0.5] * 10, control=control)
    before = control.loss
    control.update(0.0, 1e6)
    assert 0.1 * before < control.loss < before
