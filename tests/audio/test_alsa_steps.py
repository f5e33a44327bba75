"""When a device that counts in steps is looked at."""

import math
import time

import pytest

from appliance.audio.alsa_steps import Steps
from appliance.core.units import BLOCK, RATE


@pytest.mark.parametrize("step", [1, 48, 240, 256, 480, 960])
def test_it_is_looked_at_right_after_the_step_that_completes_a_block(
    step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    steps, taken, looks, late = Steps(), 0, 0, list[float]()
    while now[0] < 4:
        looks += 1
        count = int(now[0] * RATE / step + 1e-9) * step
        steps.look(count)
        if count - taken < BLOCK:
            now[0] += steps.wait(BLOCK - (count - taken))
            continue
        taken += BLOCK
        late.append(now[0] - math.ceil(taken / step) * step / RATE)
    settled = late[len(late) // 2 :]
    assert min(settled) >= -1e-9
    assert max(settled) < 0.0012
    assert looks < 4 * len(late)


def test_a_wait_is_never_longer_than_a_block() -> None:
    steps = Steps()
    steps.look(100_000)
    assert steps.wait(BLOCK) <= 0.01
    assert steps.wait(1) == pytest.approx(0.001)
