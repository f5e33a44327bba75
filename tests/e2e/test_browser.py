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
from typing import TYPE_CHECKING

import numpy as np
import pytest

from appliance.app.speech import decode, find, synthetic
from appliance.audio.virtual import read_wav
from appliance.core.levels import dbov
from tests.audio.test_virtual import write_wav
from tests.e2e.rig import ROOT
from tests.e2e.speech import likeness
from tests.support.need import need

if TYPE_CHECKING:
    from playwright.async_api import Page

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
async def browser(wav: Path, width: int = 1280, height: int = 800) -> AsyncIterator["Page"]:
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


async def picture(page: "Page", name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=PICTURES / f"{name}.png")


async def levels_move(page: "Page") -> bool:
    """Whether the bar's meters show different levels within a while."""
    levels: set[str] = set()
    end = time.monotonic() + 15
    while len(levels) < 5 and time.monotonic() < end:
        levels |= set(await page.eval_on_selector_all("#bar .meter", "all => all.map(m => m.dataset.n ?? '0')"))
        await asyncio.sleep(0.1)
    return len(levels) >= 5


async def own_key_says(page: "Page", words: str) -> None:
    await page.locator("#own-first", has_text=words).wait_for(timeout=20_000)


def level_of_last(record: Path, seconds: float) -> float:
    return dbov(read_wav(record)[-int(seconds * 48_000) :])


async def speak_and_compare(page: "Page", record: Path, said: np.ndarray) -> None:
    """Unmute: the device's loudspeaker plays me, and I hear it."""
    await page.locator("#own").click()
    await own_key_says(page, "You are live")
    scores: list[float] = []
    end = time.monotonic() + 60
    while not scores or scores[-1] < 0.9:  # a busy machine loses a packet now and then: what is right gets through
        assert time.monotonic() < end, f"what the loudspeaker played is not what was said: {scores}"
        await asyncio.sleep(7)
        heard = read_wav(record)[-6 * 48_000 :]
        assert dbov(heard) > -50
        scores.append(await asyncio.to_thread(likeness, np.concatenate([said, said]), heard))
    await picture(page, "3-live")
    assert await inbound_energy(page) > 1e-4, "the browser hears the device"


async def mute_device(page: "Page") -> None:
    """The panel's switch: red lamp, and nothing of the device arrives from then on."""
    await page.get_by_role("switch").first.click()
    await page.locator("aside").get_by_text("Closed by: Switch").wait_for(timeout=5_000)
    await picture(page, "4-device-muted")
    await asyncio.sleep(1)
    before = await inbound_energy(page)
    await asyncio.sleep(2)
    assert await inbound_energy(page) - before < 1e-7
    await page.get_by_role("switch").first.click()
    await page.locator("aside").get_by_text("Microphone open").wait_for(timeout=5_000)


async def test_a_colleague_sees_joins_speaks_hears_and_leaves(short_dir: Path, free_port: int) -> None:
    said, wav = speech(short_dir)
    record = short_dir / "played.wav"
    async with demo(free_port, record) as address, browser(wav) as page:
        problems: list[str] = []
        page.on(
            "response",
            lambda answer: problems.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None,
        )
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(address)
        await page.get_by_text("Meeting room").first.wait_for()
        assert await levels_move(page), "the device's voice moves the bar before joining"
        await picture(page, "1-before-joining")

        await page.locator("#own").click()
        await own_key_says(page, "Unmute")
        await picture(page, "2-joined-muted")
        await asyncio.sleep(2)
        assert level_of_last(record, 1) < -80, "joined muted"

        await speak_and_compare(page, record, said)
        await page.locator("#own").click()
        await own_key_says(page, "Unmute")
        await asyncio.sleep(2)
        assert level_of_last(record, 1) < -80, "muted again"
        await mute_device(page)

        await page.reload()
        await page.get_by_role("switch").first.wait_for(timeout=10_000)  # though the panel's word has been used
        await page.locator("#own").click()
        await own_key_says(page, "Unmute")
        await page.locator("#leave").click()
        await own_key_says(page, "Join")
        await picture(page, "5-left")
        assert not problems, "\n".join(problems)


INBOUND = """async () => {
  let energy = 0;
  for (const connection of window.kontorConnections ?? [])
    (await connection.getStats()).forEach((s) => { if (s.type === "inbound-rtp") energy += s.totalAudioEnergy ?? 0; });
  return energy;
}"""
KEEP = """const Real = RTCPeerConnection; window.kontorConnections = [];
window.RTCPeerConnection = class extends Real { constructor(...a) { super(...a); window.kontorConnections.push(this); } };"""


async def inbound_energy(page: "Page") -> float:
    """Energy of everything that the browser has played so far (RTCInboundRtpStreamStats.totalAudioEnergy)."""
    return float(await page.evaluate(INBOUND))
