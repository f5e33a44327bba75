"""A real Chromium as a member of the bare host: its ICE, DTLS, SRTP, slots and statistics. The page has its own tests."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.host.harness import ROOM, house, token
from tests.host.member import Presence, inside
from tests.host.sound import decoded, hum, tone
from tests.support import until
from tests.support.need import need

JOIN = """async ([room, token]) => {
  const microphone = await navigator.mediaDevices.getUserMedia({audio: true});
  const pc = window.pc = new RTCPeerConnection({bundlePolicy: 'max-bundle'});
  pc.addTransceiver(microphone.getTracks()[0], {direction: 'sendrecv'});
  for (let i = 0; i < 2; i++) pc.addTransceiver('audio', {direction: 'recvonly'});
  pc.ontrack = ({track}) => { const a = new Audio(); a.srcObject = new MediaStream([track]); a.play(); };
  await pc.setLocalDescription();
  const answer = await fetch(`/rooms/${room}/media`, {
    method: 'POST', body: pc.localDescription.sdp,
    headers: {'Content-Type': 'application/sdp', Authorization: `Bearer ${token}`},
  });
  if (answer.status !== 201) return answer.status;
  await pc.setRemoteDescription({type: 'answer', sdp: await answer.text()});
  for (let i = 0; i < 100 && pc.connectionState !== 'connected'; i++) await new Promise(r => setTimeout(r, 50));
  return pc.connectionState;
}"""

STATISTICS = (
    """async () => [...(await pc.getStats()).values()].filter(s => ['inbound-rtp', 'transport'].includes(s.type))"""
)


def inbound(statistics: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The streams that something arrived on."""
    return [s for s in statistics if s["type"] == "inbound-rtp" and s["packetsReceived"]]


@pytest.mark.browser
async def test_chromium_hears_a_slot_without_loss_and_is_heard(tmp_path: Path) -> None:
    browser_path = need("chromium", "Debian's chromium is the other end of this test")
    need("module:playwright", "playwright drives the browser")
    from playwright.async_api import async_playwright  # it may be missing

    arguments = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--no-sandbox"]
    arguments.append("--autoplay-policy=no-user-gesture-required")
    async with house(tmp_path) as home, inside(home, "anna") as ((anna, _),), async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_path, args=arguments)
        try:
            page = await browser.new_page()
            await page.goto(f"http://localhost:{home.host.address[1]}/health")
            stop = asyncio.Event()
            humming = asyncio.create_task(hum(anna, tone(440, 1), stop))
            assert await page.evaluate(JOIN, [ROOM, token("chrome")]) == "connected"
            async with Presence(house=home, hello=token("chrome")) as presence:
                await presence.send(type="muted", muted=False)
                await until(lambda: len(anna.heard) > 100, 10)
                statistics = await page.evaluate(STATISTICS)
                await until(lambda: (presence.level("chrome") or -127) > -60)
            stop.set()
            await humming
            await page.evaluate("pc.close()")
            await until(lambda: home.host.state()["members"] == 1, 10, "closing DTLS is leaving")
        finally:
            await browser.close()
        (heard,) = inbound(statistics)
        assert heard["packetsReceived"] > 50
        assert heard["packetsLost"] == 0
        assert heard["audioLevel"] > 0.1, "the tone does not come out"
        assert heard["concealedSamples"] < heard["totalSamplesReceived"] * 0.1
        (transport,) = [s for s in statistics if s["type"] == "transport"]
        assert transport["srtpCipher"].endswith("AEAD_AES_128_GCM")
        assert (transport["dtlsRole"], transport["iceRole"]) == ("client", "controlling")
        assert max(abs(decoded(anna.heard))) > 1000, "Chromium's beeps do not arrive"
