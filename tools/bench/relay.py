"""A way through a bad network: ``relay LISTEN:PORT TARGET:PORT``, UDP, with random loss in both directions.

Each sender gets a socket of its own towards the target, as behind address translation. The share of the datagrams to lose,
0 to 1, comes on standard input, one number a line; it begins without loss. Kernels without netem need no root for this.
"""

import asyncio
import random
import sys
from typing import Any

_MOST_SENDERS = 64


class _Back(asyncio.DatagramProtocol):
    """What comes from the target for one sender."""

    def __init__(self, relay: "Relay", sender: tuple[str, int]) -> None:
        self._relay, self._sender = relay, sender

    def datagram_received(self, data: bytes, _address: Any) -> None:
        self._relay.back(data, self._sender)


class Relay(asyncio.DatagramProtocol):
    """What comes from the senders."""

    def __init__(self, target: tuple[str, int], seed: int = 1) -> None:
        self._target, self._random = target, random.Random(seed)  # noqa: S311 - a network's whims
        self._ways: dict[tuple[str, int], asyncio.DatagramTransport] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._transport: asyncio.DatagramTransport | None = None
        self.loss = 0.0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
        way = self._ways.get(sender)
        if way is None:
            if len(self._ways) + len(self._opening) < _MOST_SENDERS:
                task = asyncio.get_running_loop().create_task(self._open(sender))
                self._opening.add(task)
                task.add_done_callback(self._opening.discard)
        elif self._random.random() >= self.loss:
            way.sendto(data)

    async def _open(self, sender: tuple[str, int]) -> None:
        if sender in self._ways:
            return
        loop = asyncio.get_running_loop()
        way, _ = await loop.create_datagram_endpoint(lambda: _Back(self, sender), remote_addr=self._target)
        self._ways[sender] = way

    def back(self, data: bytes, sender: tuple[str, int]) -> None:
        """One datagram on its way back."""
        if self._transport is not None and self._random.random() >= self.loss:
            self._transport.sendto(data, sender)

    def close(self) -> None:
        """Close the ways to the target."""
        for way in self._ways.values():
            way.close()


def _address(text: str) -> tuple[str, int]:
    host, port = text.rsplit(":", 1)
    return host, int(port)


async def main(listen: str, target: str) -> None:
    """Forward until standard input ends."""
    loop = asyncio.get_running_loop()
    relay = Relay(_address(target))
    transport, _ = await loop.create_datagram_endpoint(lambda: relay, local_addr=_address(listen))
    lines = asyncio.StreamReader()
    pipe, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        relay.loss = float(line)
    pipe.close()
    transport.close()
    relay.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
