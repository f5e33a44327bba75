"""What bench-mouth-to-ear measures with: its network, its delays."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from appliance.app.speech import synthetic
from appliance.core.units import RATE
from tools.bench import graph
from tools.bench.quality import delays
from tools.bench.relay import Relay


def test_the_delay_of_each_window_is_found() -> None:
    said = synthetic(6.0) + np.random.default_rng(1).normal(0, 1e-3, 6 * RATE).astype(np.float32)
    late = round(0.0831 * RATE)
    heard = np.concatenate([np.zeros(late, np.float32), said])[: said.size] * np.float32(0.7)
    found = list(delays(said, heard))
    assert len(found) == 6
    assert found == pytest.approx([83.1] * 6, abs=0.05)


def test_what_was_never_heard_is_not_found() -> None:
    said = synthetic(4.0)
    noise = np.random.default_rng(1).normal(0, 0.05, said.size).astype(np.float32)
    assert set(delays(said, noise)) == {None}


class Echo(asyncio.DatagramProtocol):
    """The target: gives everything back."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.transport.sendto(data, address)


class Sender(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.back: list[bytes] = []

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.back.append(data)


@contextlib.asynccontextmanager
async def through_relay() -> AsyncIterator[tuple[Relay, asyncio.DatagramTransport, Sender]]:
    loop = asyncio.get_running_loop()
    target, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    relay = Relay(target.get_extra_info("sockname"))
    before, _ = await loop.create_datagram_endpoint(lambda: relay, local_addr=("127.0.0.1", 0))
    way, sender = await loop.create_datagram_endpoint(Sender, remote_addr=before.get_extra_info("sockname"))
    try:
        yield relay, way, sender
    finally:
        for transport in (way, before, target):
            transport.close()
        relay.close()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(("loss", "share"), [(0.0, 1.0), (0.1, 0.81), (1.0, 0.0)])
async def test_the_relay_loses_what_it_is_told_to_in_both_directions(loss: float, share: float) -> None:
    async with through_relay() as (relay, way, sender):
        way.sendto(b"first")  # opens the way
        await asyncio.sleep(0.05)
        relay.loss = loss
        sender.back.clear()
        for number in range(2000):
            way.sendto(b"%d" % number)
            if number % 20 == 0:
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.1)
        assert len(sender.back) / 2000 == pytest.approx(share, abs=0.04)


def test_a_graph_tells_which_packages_it_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "find", lambda program: None if program == "wireplumber" else "/usr/bin/x")
    assert graph.missing() == ["wireplumber"]
