"""The peers of bench-recovery: ``recovery_peers page|plain URL ROOM TOKEN``.

``page`` is our own page in Chromium; ``plain`` a small program around aiortc, which joins as the page does and joins again
when its connection has failed. Both only listen. Twenty times a second each writes a line to standard output: the monotonic
time, and 1 when sound has come since the line before.
"""

import asyncio
import shutil
import sys
import time
from collections.abc import Callable

import aiohttp
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from av import AudioFrame
from playwright.async_api import async_playwright

_EVERY = 0.05
_LOUD = 300
"""RMS of int16 samples."""
_ENERGY = """async () => {
  let energy = 0;
  for (const connection of window.kept ?? [])
    (await connection.getStats()).forEach((s) => { if (s.type === "inbound-rtp") energy += s.totalAudioEnergy ?? 0; });
  return energy;
}"""
_KEEP = """const Real = RTCPeerConnection; window.kept = [];
window.RTCPeerConnection = class extends Real { constructor(...a) { super(...a); window.kept.push(this); } };"""
_CHROMIUM = (
    "--no-sandbox",
    "--disable-quic",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)


def tell(heard: bool) -> None:
    """One line."""
    print(f"{time.monotonic():.3f} {int(heard)}", flush=True)


async def page(url: str, room: str, token: str) -> None:
    """Our page, joined and muted."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(_CHROMIUM))
        context = await browser.new_context(ignore_https_errors=True, locale="en")
        tab = await context.new_page()
        await tab.add_init_script(_KEEP)
        await tab.goto(f"{url}/{room}#{token}")
        await tab.locator("#own-first", has_text="Join").wait_for(timeout=30_000)
        await tab.locator("#own").click()
        before = 0.0
        while True:
            await asyncio.sleep(_EVERY)
            energy = float(await tab.evaluate(_ENERGY))
            tell(energy - before > 1e-6)
            before = energy


class Plain:
    """One connection after the other."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._headers = url, {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"}
        self.heard = False

    async def listen(self, track: MediaStreamTrack, over: Callable[[], None]) -> None:
        """Take every frame of a track until it ends."""
        try:
            while True:
                frame = await track.recv()
                if isinstance(frame, AudioFrame):
                    samples = frame.to_ndarray().astype(np.float64)
                    self.heard = self.heard or bool(np.sqrt(np.mean(samples**2)) > _LOUD)
        except Exception:  # noqa: BLE001  # MediaStreamError, of a module that is not public
            over()

    async def stay(self) -> None:
        """Join, and stay until the connection has failed."""
        connection, ended = RTCPeerConnection(RTCConfiguration(iceServers=[])), asyncio.Event()
        tasks = []
        connection.on("track", lambda track: tasks.append(asyncio.ensure_future(self.listen(track, ended.set))))
        connection.on(
            "connectionstatechange",
            lambda: ended.set() if connection.connectionState in {"failed", "closed"} else None,
        )
        for _ in range(3):
            connection.addTransceiver("audio", direction="recvonly")
        try:
            await connection.setLocalDescription(await connection.createOffer())
            async with aiohttp.ClientSession() as http:
                offer = connection.localDescription.sdp
                async with http.post(self._url, data=offer, headers=self._headers, ssl=False) as response:
                    answer = await response.text()
                    response.raise_for_status()
            await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            await ended.wait()
        finally:
            await connection.close()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def run(self) -> None:
        """Stay for ever."""
        while True:
            try:
                await self.stay()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                print(type(error).__name__, file=sys.stderr)  # its text may hold the token
            await asyncio.sleep(1)


async def plain(url: str, room: str, token: str) -> None:
    """A small program around aiortc."""
    member = Plain(f"{url}/rooms/{room}/media", token)
    running = asyncio.create_task(member.run())
    while not running.done():
        await asyncio.sleep(_EVERY)
        heard, member.heard = member.heard, False
        tell(heard)
    running.result()


if __name__ == "__main__":
    asyncio.run({"page": page, "plain": plain}[sys.argv[1]](*sys.argv[2:]))
