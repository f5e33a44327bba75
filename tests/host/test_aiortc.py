"""A stock aiortc member: another implementation of everything, from the offer to the ear."""

import asyncio
import contextlib
import fractions
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.host.harness import House, house, token
from tests.host.member import Presence, inside
from tests.host.sound import decoded, hum, share_of, tone
from tests.support import need, until

need("module:aiortc", "aiortc is the other end of this test")

from aiortc import (  # noqa: E402  # it may be missing
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from av import AudioFrame  # noqa: E402

RATE, FRAME = 48_000, 960


class Sine(MediaStreamTrack):
    """A tone, paced by the loop's clock."""

    kind = "audio"

    def __init__(self, hertz: float) -> None:
        super().__init__()
        self._hertz = hertz
        self._sent = 0
        self._begin = 0.0

    async def recv(self) -> AudioFrame:
        loop = asyncio.get_running_loop()
        if not self._sent:
            self._begin = loop.time()
        await asyncio.sleep(max(0.0, self._begin + self._sent * FRAME / RATE - loop.time()))
        wave = 8000 * np.sin(2 * np.pi * self._hertz * (np.arange(FRAME) + self._sent * FRAME) / RATE)
        frame = AudioFrame.from_ndarray(wave.astype(np.int16).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._sent * FRAME, fractions.Fraction(1, RATE)
        self._sent += 1
        return frame


class Stock:
    """A peer connection with one section to send and hear in, and two more to hear in."""

    def __init__(self, home: House, hertz: float, configuration: RTCConfiguration | None = None) -> None:
        self._home = home
        self.connection = RTCPeerConnection(configuration or RTCConfiguration(iceServers=[]))
        self.connection.addTransceiver(Sine(hertz), direction="sendrecv")
        for _ in range(2):
            self.connection.addTransceiver("audio", direction="recvonly")
        self.sound: list[list[Any]] = []
        self._sinks: list[asyncio.Task[None]] = []
        self.connection.on("track", self._hear)

    def _hear(self, track: MediaStreamTrack) -> None:
        self.sound.append([])
        self._sinks.append(asyncio.create_task(self._sink(track, self.sound[-1])))

    async def _sink(self, track: MediaStreamTrack, kept: list[Any]) -> None:
        with contextlib.suppress(Exception):  # MediaStreamError at the end
            while True:
                frame = await track.recv()
                assert isinstance(frame, AudioFrame)
                kept.append(frame.to_ndarray().reshape(-1, 2)[:, 0])

    async def join(self, name: str) -> None:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        headers = {"Authorization": f"Bearer {token(name)}", "Content-Type": "application/sdp"}
        offer = self.connection.localDescription.sdp
        async with self._home.http.post(self._home.url(), data=offer, headers=headers) as response:
            answer = await response.text()
            assert response.status == 201, answer
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await until(lambda: self.connection.connectionState == "connected")

    async def close(self) -> None:
        await self.connection.close()
        for sink in self._sinks:
            sink.cancel()
        await asyncio.gather(*self._sinks, return_exceptions=True)


async def test_a_stock_member_is_heard_and_hears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])
    async with house(tmp_path) as home, inside(home, "anna") as ((anna, _),):
        stock = Stock(home, 880)
        try:
            await stock.join("stock")
            stop = asyncio.Event()
            humming = asyncio.create_task(hum(anna, tone(440, 1), stop))
            async with Presence(house=home, hello=token("stock")) as presence:
                await presence.send(type="muted", muted=False)
                await until(lambda: presence.state("stock") == "listening")
                await until(lambda: len(anna.heard) > 75)
            stop.set()
            await humming
        finally:
            await stock.close()
        heard = np.concatenate(max(stock.sound, key=len)).astype(np.float64)
        assert share_of(heard[len(heard) // 2 :], 440) > 0.95
        assert all(packet.mid for packet in anna.heard)
        assert len({packet.slot for packet in anna.heard}) == 1
        assert share_of(decoded(anna.heard)[10 * FRAME :], 880) > 0.95
