"""The histogram of turnaround times."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from appliance.media.histogram import Histogram


@given(st.lists(st.integers(0, 200_000_000_000), min_size=1, max_size=200), st.sampled_from([1, 50, 90, 99, 100]))
def test_percentiles_are_never_too_low_and_seven_percent_too_high_at_most(times: list[int], percent: int) -> None:
    histogram = Histogram()
    for time in times:
        histogram.add(time)
    true = float(np.percentile(np.array(times) // 1000, percent, method="inverted_cdf")) / 1000
    assert histogram.count == len(times)
    assert true <= histogram.percentile_ms(percent) <= true * 1.07
    assert histogram.worst_ms == max(times) // 1000 / 1000


def test_nothing_counted_is_zero_and_memory_is_bounded() -> None:
    histogram = Histogram()
    assert histogram.percentile_ms(99) == 0
    for power in range(70):
        histogram.add(2**power)
    histogram.add(-5)
    assert histogram.count == 71
    assert len(histogram._buckets) == 400
    histogram.clear()
    assert (histogram.count, histogram.worst_ms, histogram.percentile_ms(50)) == (0, 0, 0)


def test_a_value_above_the_last_bucket_shows_as_the_worst() -> None:
    histogram = Histogram()
    histogram.add(10**15)
    assert histogram.percentile_ms(50) == 10**15 / 1e6
