"""Eyevinn's WHIP client and WebRTC player in Chromium, on a page of another origin than the host's.

Their offers have video (the player's first), and they ask with OPTIONS before anything else.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from appliance.core.events import EventName
from tests.host.harness import ROOM, House, house, token
from tests.outside.bundle import bundle
from tests.outside.ears import anna_in, hears, humming
from tests.outside.packages import MODULES, package
from tests.support import until
from tests.support.need import need

CLIENTS = ("@eyevinn/whip-web-client", "@eyevinn/webrtc-player")
ADVERTS = ("@eyevinn/csai-manager",)

SPEAK = """async ([endpoint, authkey, hertz]) => {
  const audio = new AudioContext();
  const tone = new OscillatorNode(audio, {frequency: hertz});
  const quieter = new GainNode(audio, {gain: 0.3});
  const out = new MediaStreamAudioDestinationNode(audio, {channelCount: 1});
  tone.connect(quieter).connect(out);
  tone.start();
  const {WHIPClient} = packages['@eyevinn/whip-web-client'];
  window.client = new WHIPClient({endpoint, opts: {authkey, iceServers: [], timeout: 2000}});
  const began = performance.now();
  await client.ingest(out.stream);
  return performance.now() - began;
}"""

LISTEN = """async ([endpoint, authkey]) => {
  const {WebRTCPlayer} = packages['@eyevinn/webrtc-player'];
  const video = document.body.appendChild(document.createElement('video'));
  video.autoplay = true;
  window.player = new WebRTCPlayer({video, type: 'whep', iceServers: []});
  await player.load(new URL(endpoint), `Bearer ${authkey}`);
}"""

HEARD = """async () => [...(await player.peer.getStats()).values()].filter(s => s.type === 'inbound-rtp')"""


@asynccontextmanager
async def page_with_clients() -> AsyncIterator[Any]:
    """A page on a server of its own that has the clients in ``packages``."""
    browser_path = need("chromium", "Debian's chromium runs these clients")
    need("module:playwright", "playwright drives the browser")
    for name in CLIENTS:
        package(name)
    from playwright.async_api import async_playwright  # it may be missing

    script = bundle(MODULES, CLIENTS, without=ADVERTS)

    async def html(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>outside</title><body>", content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/", html)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=browser_path, args=arguments)
            try:
                page = await browser.new_page()
                await page.goto(f"http://localhost:{runner.addresses[0][1]}/")
                await page.add_script_tag(content=script)
                yield page
            finally:
                await browser.close()
    finally:
        await runner.cleanup()


def endpoint(home: House, kind: str) -> str:
    return home.url(f"/rooms/{ROOM}/{kind}")


@pytest.mark.browser
async def test_a_browser_client_speaks_from_a_page_of_another_origin(tmp_path: Path) -> None:
    async with house(tmp_path) as home, anna_in(home) as (anna, seen), page_with_clients() as page:
        took = await page.evaluate(SPEAK, [endpoint(home, "whip"), token("chrome"), 550])
        await hears(anna, 550)
        assert took < 1900, "it waited for candidates: it did not read that PATCH is allowed"
        # The mid of its only section is 0, which it takes for none: its fragments are empty, and a refusal does not harm it.
        assert home.count("host_trickles_refused") > 0
        await page.evaluate("client.destroy()")
        await until(lambda: seen.of("left"), 10)
        assert home.told(EventName.MEMBER_LEFT)[0].fields["why"] in {"left", "closed"}


@pytest.mark.browser
async def test_a_browser_player_hears_though_it_asks_for_video_first(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        anna_in(home) as (anna, seen),
        humming(anna, 440),
        page_with_clients() as page,
    ):
        await page.evaluate(LISTEN, [endpoint(home, "whep"), token("player", role="listener")])
        await until(lambda: seen.state("player"), 10)
        heard: list[dict[str, Any]] = []

        async def is_heard() -> bool:
            heard[:] = [s for s in await page.evaluate(HEARD) if s.get("packetsReceived", 0) > 80]
            return bool(heard)

        for _ in range(80):
            if await is_heard():
                break
            await page.wait_for_timeout(100)
        (stream,) = heard
        assert stream["kind"] == "audio"
        assert stream["audioLevel"] > 0.1, "the tone does not come out"
        assert stream["packetsLost"] == 0
        assert stream["concealedSamples"] < stream["totalSamplesReceived"] * 0.2
