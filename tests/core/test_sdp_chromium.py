"""Our answers in a real Chromium: every bundle policy, and offers that begin with video or have data."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, async_playwright

from appliance.core.sdp import (
    HostTransport,
    LocalTransport,
    build_answer,
    build_offer,
    fingerprint_text,
    parse_answer,
    parse_offer,
)
from tests.support import need

pytestmark = pytest.mark.browser

HOST = HostTransport("hostfrag", "hostpassword0123456789", fingerprint_text(bytes(range(32))), "127.0.0.1", 9, 1)
OFFER = """async ([policy, first]) => {
  const peer = window.peer = new RTCPeerConnection({bundlePolicy: policy});
  if (first === "video") peer.addTransceiver("video", {direction: "recvonly"});
  if (first === "data") peer.createDataChannel("x");
  peer.addTransceiver("audio", {direction: "sendrecv"});
  peer.addTransceiver("audio", {direction: "recvonly"});
  peer.addTransceiver("audio", {direction: "recvonly"});
  await peer.setLocalDescription();
  return peer.localDescription.sdp;
}"""
ACCEPT = """async (sdp) => {
  await peer.setRemoteDescription({type: "answer", sdp});
  const found = [peer.signalingState, ...peer.getTransceivers().map((one) => one.currentDirection)];
  peer.close();
  return found;
}"""
ANSWER = """async (sdp) => {
  const peer = new RTCPeerConnection();
  await peer.setRemoteDescription({type: "offer", sdp});
  await peer.setLocalDescription();
  const answer = peer.localDescription.sdp;
  peer.close();
  return answer;
}"""


@asynccontextmanager
async def chromium() -> AsyncIterator[Page]:
    path = need("chromium", "Chromium is not installed.")
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield await browser.new_page()
        finally:
            await browser.close()


async def test_chromium_accepts_our_answers() -> None:
    async with chromium() as page:
        for policy in ("balanced", "max-bundle", "max-compat"):
            for first in ("", "video", "data"):
                offer = parse_offer(await page.evaluate(OFFER, [policy, first]))
                found = await page.evaluate(ACCEPT, build_answer(offer, HOST, (11, 12, 13)))
                kept = ["inactive"] if first == "video" else []
                assert found == ["stable", *kept, "sendrecv", "recvonly", "recvonly"], (policy, first)


async def test_chromium_answers_the_offer_of_a_device() -> None:
    local = LocalTransport("devfrag", "devicepassword01234567", fingerprint_text(bytes(range(32))))
    async with chromium() as page:
        answer = parse_answer(await page.evaluate(ANSWER, build_offer(local, [], ssrc=77)), ["0", "1", "2"])
    assert answer.setup == "passive"
    assert [section.opus for section in answer.media if section.kind == "audio"] == [111, 111, 111]
