"""The page in Firefox: it joins, hears the device and a colleague in Chromium, and is heard by both."""

import asyncio
import dataclasses
import time
from pathlib import Path

import numpy as np
import pytest

from appliance.app.demo import own_address
from appliance.host.server import Host
from tests.e2e.rig import Rig, strength, until
from tests.e2e.test_browser import browser, inbound_energy, own_key_says, speech
from tests.page.firefox import Firefox, firefox
from tests.page.gallery import BUILD
from tests.support.need import need

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180)]

DEVICE_TONE = 700
LOUD = 1e-4
"""Energy of what is plainly heard (RTCInboundRtpStreamStats.totalAudioEnergy), of a second or more."""


class Nearby(Rig):
    """A host whose page is on localhost, as the demo's; its sound has an address that Firefox can send to."""

    def _host(self) -> Host:
        host = super()._host()
        address = own_address()
        need(bool(address), "Firefox sends nothing over the loopback interface: this machine needs an address")
        return Host(dataclasses.replace(host.config, udp_host=address, public_address=address), lambda event: None)


async def louder_slots(window: Firefox, seconds: float = 2.0) -> int:
    """In how many slots something plays."""
    before, _ = await asyncio.to_thread(window.figures)
    await asyncio.sleep(seconds)
    after, _ = await asyncio.to_thread(window.figures)
    return sum(energy - before.get(slot, 0.0) > LOUD for slot, energy in after.items())


def tone_of(sound: np.ndarray) -> float:
    """The strongest frequency, Hz, but that of the device itself."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    spectrum[: int(100 * len(sound) / 48_000)] = 0
    return float(spectrum.argmax() * 48_000 / len(sound))


async def test_firefox_joins_talks_both_ways_and_hears_the_device(short_dir: Path, free_port: int) -> None:
    _, wav = speech(short_dir)
    async with Nearby(short_dir, free_port, {"box": f"tone:{DEVICE_TONE}"}) as rig, browser(wav) as page:
        box = rig.devices["box"]
        address = f"http://localhost:{free_port}/studio#"
        with firefox(short_dir) as window:
            await asyncio.to_thread(window.open, address + rig.token("fritz"))
            await asyncio.to_thread(window.wait, "return document.querySelector('#bar').textContent.includes('Box')")

            # Into the room, muted: the device is heard, and nothing leaves.
            await asyncio.to_thread(window.press, "#own")
            await asyncio.to_thread(window.own_is, "muted")
            assert await louder_slots(window) == 1, "the device, and nobody else"
            assert (await asyncio.to_thread(window.figures))[1] == 0

            # A colleague in Chromium speaks.
            await page.goto(address + rig.token("clara"))
            await page.locator("#own").click()
            await own_key_says(page, "Unmute")
            await asyncio.sleep(0.7)
            await page.locator("#own").click()
            await own_key_says(page, "You are live")
            await until(lambda: _hears(window, 2))
            await asyncio.to_thread(window.wait, "return document.querySelector('#bar').textContent.includes('Clara')")
            await page.locator("#own").click()
            await own_key_says(page, "Unmute")

            # Firefox speaks: the device's loudspeaker plays its tone, and Chromium hears it beside a muted device.
            await box.panel(switch="closed")
            await asyncio.to_thread(window.press, "#own")
            await asyncio.to_thread(window.own_is, "live")
            before = await inbound_energy(page)
            await asyncio.sleep(4)
            assert await inbound_energy(page) - before > LOUD
            tone = tone_of(box.played(1.0))
            assert strength(box.played(1.0), tone) > -50
            assert await page.locator("#bar").get_by_text("Fritz").is_visible()
            await asyncio.to_thread(window.picture, BUILD / "firefox-live.png")

            # Muted again: not one packet more, and silence.
            await asyncio.to_thread(window.press, "#own")
            await asyncio.to_thread(window.own_is, "muted")
            await asyncio.sleep(0.5)
            _, sent = await asyncio.to_thread(window.figures)
            await asyncio.sleep(2)
            assert (await asyncio.to_thread(window.figures))[1] == sent
            assert strength(box.played(1.0), tone) < -80

            await asyncio.to_thread(window.press, "#leave")
            await asyncio.to_thread(window.own_is, "join")


async def _hears(window: Firefox, slots: int) -> bool:
    return await louder_slots(window, 1.0) >= slots


async def test_the_demo_is_heard_in_firefox(short_dir: Path, free_port: int) -> None:
    from tests.e2e.test_browser import demo

    need(bool(own_address()), "Firefox sends nothing over the loopback interface: this machine needs an address")
    async with demo(free_port, short_dir / "played.wav") as address:
        with firefox(short_dir) as window:
            begun = time.monotonic()
            await asyncio.to_thread(window.open, address)
            await asyncio.to_thread(window.press, "#own")
            await asyncio.to_thread(window.own_is, "muted")
            assert time.monotonic() - begun < 15
            await until(lambda: _hears(window, 1))
