"""The demo as its user meets it: ``kontor demo``, a real Chromium, real speech, and a look at the pictures.

Chromium's fake microphone plays a WAV file of recorded speech; what the device's loudspeaker plays of it is compared with it.
"""

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from appliance.app.speech import decode, find, synthetic
from appliance.audio.virtual import read_wav
from appliance.core.levels import dbov
from tests.audio.test_virtual import write_wav
from tests.e2e.rig import ROOT, until
from tests.e2e.speech import likeness
from tests.support.need import need

pytestmark = pytest.mark.browser

PICTURES = ROOT / "build" / "pictures"
SPEAK = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--no-sandbox", "--disable-quic")


@asynccontextmanager
async def demo(port: int, record: Path, *more: str) -> AsyncIterator[str]:
    """``kontor demo``; gives the address that it prints, ends it with SIGINT and looks whether it went well."""
    command = [sys.executable, "-m", "appliance", "demo", "--port", str(port), "--record", str(record), *more]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": str(record.parent)}
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environment)
    assert process.stdout is not None
    try:
        text = ""
        while not (found := re.search(r"http://localhost:\d+/\S+", text)):
            line = await asyncio.wait_for(process.stdout.readline(), 60)
            assert line, f"the demo ended: {text}"
            text += line.decode()
        yield found.group()
    finally:
        process.send_signal(signal.SIGINT)
        _, code = await asyncio.gather(process.stdout.read(), asyncio.wait_for(process.wait(), 15))
    assert code == 0


@asynccontextmanager
async def browser(wav: Path, width: int = 1280, height: int = 800) -> AsyncIterator[object]:
    """A page of a headless Chromium whose microphone plays ``wav``."""
    need("module:playwright", "playwright drives the browser")
    chromium = need("chromium", "these tests need a browser: apt-get install chromium")
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        args = [*SPEAK, f"--use-file-for-fake-audio-capture={wav}"]
        started = await playwright.chromium.launch(executable_path=chromium, args=args)
        try:
            context = await started.new_context(viewport={"width": width, "height": height}, locale="en")
            page = await context.new_page()
            await page.add_init_script(KEEP)
            yield page
        finally:
            await started.close()


def speech(folder: Path) -> tuple[np.ndarray, Path]:
    """20 s of speech, and the file that the fake microphone plays over and over."""
    source = find()
    samples = (decode(source) if source else synthetic())[: 20 * 48_000]
    samples = samples / np.abs(samples).max() * 0.4
    return samples, write_wav(folder / "me.wav", samples * 32767)


async def picture(page: object, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=PICTURES / f"{name}.png")  # type: ignore[attr-defined]


async def test_a_colleague_sees_joins_speaks_hears_and_leaves(short_dir: Path, free_port: int) -> None:
    said, wav = speech(short_dir)
    record = short_dir / "played.wav"
    async with demo(free_port, record) as address, browser(wav) as page:
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(address)

        # Before joining: the device is there and its voice moves the bar.
        await page.get_by_text("Meeting room").first.wait_for()
        levels = set()
        end = time.monotonic() + 15
        while len(levels) < 5 and time.monotonic() < end:
            levels |= set(await page.eval_on_selector_all("#bar .meter", "all => all.map(m => m.dataset.n ?? '0')"))
            await asyncio.sleep(0.1)
        assert len(levels) >= 5, f"the bar does not move: {levels}"
        await picture(page, "1-before-joining")

        # Join: muted, and nothing of mine is heard.
        own = page.locator("#own")
        assert "Join" in await own.inner_text()
        await own.click()
        await own.get_by_text("Unmute").wait_for(timeout=20_000)
        await picture(page, "2-joined-muted")
        await asyncio.sleep(2)
        assert dbov(read_wav(record)[-48_000:]) < -80

        # Unmute: the device's loudspeaker plays me, and I hear it.
        await own.click()
        await own.get_by_text("You are live").wait_for(timeout=10_000)
        await asyncio.sleep(11)
        await picture(page, "3-live")
        heard = read_wav(record)[-8 * 48_000 :]
        assert dbov(heard.astype(np.float32)) > -50
        twice = np.concatenate([said, said, said])
        score = likeness(twice, heard)
        assert score >= 0.9, f"what the loudspeaker played is not what was said: {score:.2f}"
        assert await inbound_energy(page) > 1e-4, "the browser hears the device"

        # Mute again: the loudspeaker falls silent.
        await own.click()
        await own.get_by_text("Unmute").wait_for(timeout=10_000)
        await asyncio.sleep(2)
        assert dbov(read_wav(record)[-48_000:]) < -80

        # The panel's switch: red lamp, and nothing of the device arrives from then on.
        await page.get_by_role("switch").first.click()
        await page.get_by_text("Closed by: Switch").first.wait_for(timeout=5_000)
        await picture(page, "4-device-muted")
        await asyncio.sleep(1)
        before = await inbound_energy(page)
        await asyncio.sleep(2)
        assert await inbound_energy(page) - before < 1e-7

        # A reload keeps the panel, though its word has been used.
        await page.get_by_role("switch").first.click()
        await page.get_by_text("Microphone open").first.wait_for(timeout=5_000)
        await page.reload()
        await page.get_by_role("switch").first.wait_for(timeout=10_000)

        # Leave.
        await own.click()
        await own.get_by_text("Unmute").wait_for(timeout=20_000)
        await page.locator("#leave").click()
        await own.get_by_text("Join").wait_for(timeout=10_000)
        await picture(page, "5-left")
        assert problems == []


INBOUND = """async () => {
  let energy = 0;
  for (const connection of window.kontorConnections ?? [])
    (await connection.getStats()).forEach((s) => { if (s.type === "inbound-rtp") energy += s.totalAudioEnergy ?? 0; });
  return energy;
}"""
KEEP = """const Real = RTCPeerConnection; window.kontorConnections = [];
window.RTCPeerConnection = class extends Real { constructor(...a) { super(...a); window.kontorConnections.push(this); } };"""


async def inbound_energy(page: object) -> float:
    """Energy of everything that the browser has played so far (RTCInboundRtpStreamStats.totalAudioEnergy)."""
    return float(await page.evaluate(INBOUND))  # type: ignore[attr-defined]
