"""The guest of all tests of cards, and the figures that the kernel bench leaves."""

from collections.abc import Iterator

import pytest

from tests.kernel.inside import cards
from tests.support.figures import written
from tests.support.need import need
from tools import measurements
from tools.kernel import fetch
from tools.kernel.audio_class import CardModel
from tools.kernel.machine import Machine, missing

MODELS = {
    "array": CardModel(),
    "wide": CardModel(product=0x0101, name="Wide", microphones=4, sample_bytes=3),
    "slow": CardModel(product=0x0102, name="Slow", microphones=1, rate=16_000),
    "mute": CardModel(product=0x0103, name="Speaker", microphones=0),
    "deaf": CardModel(product=0x0104, name="Microphone", microphones=1, loudspeakers=0),
}
"""USB cards of the guest, by the name under which they are plugged."""


def need_kernel() -> None:
    """Skip where no guest can be booted, and say why."""
    need(not missing(), missing())
    try:
        fetch.kernel()
    except fetch.KernelMissingError as error:
        need(False, str(error))


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """A guest with the drivers of sound loaded and no USB card plugged in."""
    need("module:alsaaudio", "pyalsaaudio is not installed: make alsa")
    need_kernel()
    with Machine(cards=MODELS, echo=lambda said: print(said, end="", flush=True)) as machine:
        print(f"kernel {machine.release}, up in {machine.boot_seconds:.0f} s")
        machine.call(cards.load)
        yield machine


@pytest.fixture
def plugging(machine: Machine) -> Iterator[Machine]:
    """The same; every USB card is pulled out again afterwards, and hears what is played."""
    yield machine
    for card in machine.cards.values():
        card.unplug()
        card.hear("echo")


@pytest.fixture
def array(plugging: Machine) -> Machine:
    """The same with the array plugged in."""
    plugging.cards["array"].plug()
    return plugging


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Iterator[list[measurements.Figure]]:
    """What the tests of cards measured: docs/measurements/alsa.json."""
    yield from written(request, "alsa")


@pytest.fixture(scope="session")
def panel_figures(request: pytest.FixtureRequest) -> Iterator[list[measurements.Figure]]:
    """What the tests of the panel measured: docs/measurements/panel_kernel.json."""
    yield from written(request, "panel_kernel")
