"""Bridges without reports that begin at the same moment: one goes on, the others end, and nobody hears themselves."""

from random import Random

import pytest

from appliance.rooms.bridge_rings import BridgeEnded
from tests.rooms.bridge_town import Guest, Joiner, Place, Town, town

pytestmark = [pytest.mark.virtual_time, pytest.mark.timeout(300)]

QUIET = 0.5
"""Two marks at a time are not as loud as this, of full scale; what a guest says is."""


async def begin(all_of_it: Town, bridges: list[Joiner], moments: list[float]) -> None:
    now = 0.0
    for bridge, moment in sorted(zip(bridges, moments, strict=True), key=lambda both: both[1]):
        await all_of_it.run(moment - now)
        now = moment
        await bridge.begin()


async def one_goes_on(
    seed: int, spread: float, *, count: int = 2, echo: float = 0.0, talks: bool = False, flipped: bool | None = None
) -> None:
    """So many bridges begin within ``spread`` seconds, each with the rooms in an order of its own."""
    rng = Random(seed)
    a, b = Place("A", rng.randrange(3, 60)), Place("B", rng.randrange(3, 60), echo)
    ada = Guest(a)
    orders = [rng.sample((a, b), 2) if flipped is None else [(a, b), (b, a)][flipped and n % 2] for n in range(count)]
    bridges = [Joiner(one, other, 100 * seed + n) for n, (one, other) in enumerate(orders)]
    async with town([a, b], [ada] if talks else [], *bridges) as all_of_it:
        await begin(all_of_it, bridges, [rng.uniform(0, spread) for _ in bridges])
        await all_of_it.until(lambda: sum(each.ended is None for each in bridges) == 1, 240)
        (left,) = [each for each in bridges if each.ended is None]
        await all_of_it.until(lambda: left.open, 60)
        await all_of_it.run(12)
        assert left.ended is None
        await all_of_it.until(lambda: left.open, 5)
        assert all(isinstance(each.ended, BridgeEnded) for each in bridges if each is not left)
        assert all_of_it.round_trips == 0
        assert ada.loudest < QUIET, "what Ada says has come back to her"


@pytest.mark.parametrize("seed", range(4))
async def test_of_two_that_begin_at_once_one_goes_on_and_nothing_comes_back(seed: int) -> None:
    await one_goes_on(seed, 0.0, talks=seed == 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4, 38))
async def test_of_two_that_begin_at_once_one_goes_on_every_time(seed: int) -> None:
    await one_goes_on(seed, 0.0, talks=seed % 4 == 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40, 60))
async def test_of_two_that_begin_at_nearly_the_same_moment_one_goes_on(seed: int) -> None:
    await one_goes_on(seed, 12.0, talks=seed % 4 == 0)


@pytest.mark.parametrize("flipped", [False, True])
async def test_of_two_whose_first_marks_are_the_same_one_goes_on(
    flipped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names that are drawn differ in what is said second only."""
    names = iter(["%08x" % (17 + 132 * 3), "%08x" % (17 + 132 * 100)])
    monkeypatch.setattr("appliance.rooms.bridge.secrets.token_hex", lambda _: next(names))
    await one_goes_on(90, 0.3, flipped=flipped)


@pytest.mark.slow
async def test_of_three_at_once_in_a_room_with_an_echo_one_goes_on() -> None:
    await one_goes_on(91, 1.0, count=3, echo=0.5)
