"""The guest of all tests of the network."""

from collections.abc import Iterator

import pytest

from tests.kernel.conftest import need_kernel
from tests.network.inside import world
from tests.support.need import need
from tools.kernel.machine import Machine
from tools.system import NETWORK, find


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """A guest with networks around it."""
    missing = [package for program, package in NETWORK.items() if find(program) is None]
    need(not missing, f"missing {', '.join(missing)}: python3 -m tools.system network")
    need_kernel()
    with Machine(memory_mib=1536, echo=lambda said: print(said, end="", flush=True)) as machine:
        print(f"kernel {machine.release}, up in {machine.boot_seconds:.0f} s")
        print(machine.call(world.begin, seconds=300))
        yield machine
