"""What every network has to do under provisioning, whatever it is made of: the contract of provisioning/network.py.

Plain functions, so that the same ones run here over the virtual network and a NetworkManager with one cable, and in a booted
kernel over Wi-Fi.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Protocol

import pytest

from appliance.provisioning.network import Network, NetworkError
from appliance.settings import Settings

SHORT = 2
"""Seconds of ``provisioning.confirm_s`` in these tests, where time takes back what was not kept."""
_SOON = 30.0


class Rig(Protocol):
    """A machine with a network, and somebody who looks at it from outside."""

    good: Settings
    """Stands; the test begins with it."""
    other: Settings
    """Stands too."""
    wrong: Settings
    """Does not come up."""

    def process(self) -> Network:
        """The network as a new process of provision has it."""

    async def has(self, settings: Settings) -> bool:
        """Whether the machine's network is as these settings say."""

    async def power_cut(self) -> None:
        """The machine goes off and on; what :meth:`process` gave before is of no use any more."""


async def _kept(rig: Rig) -> Network:
    """The network with ``rig.good`` kept."""
    network = rig.process()
    await network.apply(rig.good)
    await network.keep()
    await _becomes(rig, rig.good)
    return network


async def _becomes(rig: Rig, settings: Settings) -> None:
    async with asyncio.timeout(_SOON):
        while not await rig.has(settings):
            await asyncio.sleep(0.1)


def _hasty(settings: Settings) -> Settings:
    return replace(settings, provisioning=replace(settings.provisioning, confirm_s=SHORT))


async def stands_and_is_kept(rig: Rig) -> None:
    network = await _kept(rig)
    await network.apply(_hasty(rig.other))
    assert await rig.has(rig.other)
    assert network.state()["trial"] is True
    await network.keep()
    assert network.state()["trial"] is False
    await asyncio.sleep(SHORT + 0.5)
    assert await rig.has(rig.other)


async def is_taken_back(rig: Rig) -> None:
    network = await _kept(rig)
    await network.apply(rig.other)
    await network.revert()
    await _becomes(rig, rig.good)
    assert network.state()["trial"] is False


async def leaves_all_as_it_was_when_nothing_comes_up(rig: Rig) -> None:
    network = await _kept(rig)
    with pytest.raises(NetworkError, match="No connection came up"):
        await network.apply(rig.wrong)
    await _becomes(rig, rig.good)
    assert network.state()["trial"] is False
    assert "No connection came up" in str(network.state()["why"])
    await network.apply(rig.other)  # the next one is free of it
    assert network.state()["why"] == ""
    await network.revert()


async def is_taken_back_by_time(rig: Rig) -> None:
    network = await _kept(rig)
    await network.apply(_hasty(rig.other))
    await asyncio.sleep(SHORT)
    await _becomes(rig, rig.good)
    with pytest.raises(NetworkError, match="in time"):
        await network.keep()
    await _becomes(rig, rig.good)


async def a_power_cut_takes_it_back(rig: Rig) -> None:
    network = await _kept(rig)
    await network.apply(rig.other)
    await rig.power_cut()
    await _becomes(rig, rig.good)


async def a_power_cut_leaves_what_was_kept(rig: Rig) -> None:
    network = await _kept(rig)
    await network.apply(rig.other)
    await network.keep()
    await rig.power_cut()
    await _becomes(rig, rig.other)


async def the_same_again_changes_nothing(rig: Rig) -> None:
    await _kept(rig)
    again = rig.process()
    await again.apply(rig.good)
    assert again.state()["trial"] is False
    assert await rig.has(rig.good)


async def another_on_top_takes_the_first_back(rig: Rig) -> None:
    network = await _kept(rig)
    await network.apply(rig.other)
    await network.apply(rig.good)
    assert network.state()["trial"] is False
    await _becomes(rig, rig.good)


async def without_a_trial_there_is_nothing_to_keep_or_take_back(rig: Rig) -> None:
    network = await _kept(rig)
    await network.keep()
    await network.revert()
    assert await rig.has(rig.good)


async def tells_what_stands(rig: Rig) -> None:
    network = await _kept(rig)
    looking = asyncio.create_task(network.run())
    try:
        async with asyncio.timeout(_SOON):
            while not (found := [each for each in _connections(network) if each["ours"] and each["state"] == "up"]):
                await asyncio.sleep(0.1)
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    assert found[0]["addresses"]
    assert found[0]["name"]
    assert found[0]["interface"]
    assert network.state()["manager"]


def _connections(network: Network) -> list[Any]:
    found = network.state()["connections"]
    assert isinstance(found, list)
    return found


CHECKS: tuple[Callable[[Rig], Coroutine[Any, Any, None]], ...] = (
    stands_and_is_kept,
    is_taken_back,
    leaves_all_as_it_was_when_nothing_comes_up,
    is_taken_back_by_time,
    a_power_cut_takes_it_back,
    a_power_cut_leaves_what_was_kept,
    the_same_again_changes_nothing,
    another_on_top_takes_the_first_back,
    without_a_trial_there_is_nothing_to_keep_or_take_back,
    tells_what_stands,
)
