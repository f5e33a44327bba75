"""The product itself on a card that is real to Linux: its process while the card goes and comes."""

from statistics import median

import pytest

from tests.kernel.inside import device
from tools.kernel.machine import Machine
from tools.measurements import Figure

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_the_process_that_has_the_card_goes_on_through_unplugs(array: Machine, figures: list[Figure]) -> None:
    told = array.call(device.replugs, 5, seconds=300)
    print(told)
    noticed, back = [row["noticed"] for row in told["rows"]], [row["back"] for row in told["rows"]]
    assert max(noticed) < 1
    assert max(back) < 5
    note = "kontor sound as a whole, front end on, 5 times; until its journal says audio_found"
    figures.append(Figure("alsa.process_replug_median_s", round(median(back), 3), "s", "<= 2", note=note))
