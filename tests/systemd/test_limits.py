"""What a guest without a kernel of its own cannot show: limits of memory and tasks, locked memory, kinds of devices."""

import pytest

from tests.kernel.conftest import need_kernel
from tests.support.need import need
from tests.systemd import inside
from tests.systemd.guest import missing
from tools.kernel.machine import Machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_limits_and_kinds_of_devices_are_enforced() -> None:
    need(not missing(), missing())
    need_kernel()
    with Machine(memory_mib=2048, echo=lambda said: print(said, end="", flush=True)) as machine:
        told = machine.call(inside.limits, seconds=600)
    assert told["memory"] == ["oom-kill", "success"]
    assert told["memory of sound"] == ["oom-kill", "success"]
    assert told["tasks"] == ["exit-code", "success"]
    for kind in ("alsa", "gpiochip", "spi"):
        assert told["devices"][f"{kind} with"] == "success", told
        assert told["devices"][f"{kind} without"] == "exit-code", told
    assert told["oom_score_adj"] == -500
    assert told["locked"]
    assert told["locked kB"] > 10_000, "what it uses stays in memory"
