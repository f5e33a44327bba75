"""A colleague at home: https by an own authority, addresses translated on both sides, UDP to the relay alone or none at all."""

import asyncio
import contextlib
import os
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from appliance.host.relay import ice_servers
from appliance.media.relay import RelayServer, through
from tests.e2e.afar import PORT, Afar, Distant, afar
from tests.e2e.nets import PUBLIC, RELAY, RELAY_PORT, inside
from tests.host.harness import ROOM, token
from tests.host.member import Presence
from tests.host.sound import share_of
from tests.support import need, until

need("module:aiortc", "aiortc is one of the members")

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCIceServer  # noqa: E402  # it may be missing
from aiortc.rtcconfiguration import RTCIceTransportPolicy  # noqa: E402

from tests.host.test_aiortc import Stock  # noqa: E402

if TYPE_CHECKING:
    from playwright.async_api import Page

KEEP = """window.made = []; const Real = RTCPeerConnection;
window.RTCPeerConnection = class extends Real { constructor(...a) { super(...a); made.push(this); } };"""
WAY = """async () => {
  const all = await made.at(-1).getStats();
  const transport = [...all.values()].find((s) => s.type === "transport");
  const local = all.get(all.get(transport.selectedCandidatePairId).localCandidateId);
  const energy = [...all.values()].reduce((sum, s) => sum + (s.type === "inbound-rtp" ? s.totalAudioEnergy ?? 0 : 0), 0);
  return [local.candidateType, local.relayProtocol ?? "", energy];
}"""


@asynccontextmanager
async def stock(rig: Afar, place: str, name: str, hertz: float, **how: Any) -> AsyncIterator[tuple[Stock, Distant]]:
    """A stock aiortc member, joined and unmuted; all its sockets are in ``place``."""
    async with rig.seen_from(place) as home:
        member = Stock(
            home, hertz, RTCConfiguration(**{"iceServers": [], "bundlePolicy": RTCBundlePolicy.MAX_BUNDLE, **how})
        )
        try:
            await member.join(name)
            async with Presence(house=home, hello=token(name)) as presence:
                await presence.send(type="muted", muted=False)
                await until(lambda: presence.state(name) == "listening")
                yield member, home
        finally:
            await member.close()


async def hears(member: Stock, hertz: float, seconds: float = 20.0) -> None:
    """Wait until half a second of what it hears is the tone."""

    def tone() -> bool:
        frames = max(member.sound, key=len, default=[])[-25:]
        return len(frames) == 25 and share_of(np.concatenate(frames).astype(np.float64), hertz) > 0.9

    await until(tone, seconds, f"{hertz} Hz is not heard")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_through_the_relay_alone_one_speaks_and_hears(tmp_path: Path, transport: str) -> None:
    async with afar(tmp_path, (transport,)) as rig:
        rig.nets.let_out("relay" if transport == "udp" else "nothing")
        login = ice_servers(rig.turn, "far", time.time())[0]
        servers = [RTCIceServer(**login)]
        relayed = {"iceServers": servers, "iceTransportPolicy": RTCIceTransportPolicy.RELAY}
        async with (
            stock(rig, "member", "far", 880, **relayed) as (far, _),
            stock(rig, "inet", "near", 440) as (near, _),
        ):
            await asyncio.gather(hears(far, 440), hears(near, 880))
        log = rig.relay_log.read_text(errors="replace")
        assert f"user <{login['username']}>: incoming packet ALLOCATE processed, success" in log


async def test_yesterdays_credentials_open_no_relay(tmp_path: Path) -> None:
    async with afar(tmp_path) as rig:
        for age, opens in ((0, True), (2 * rig.turn.lifetime, False)):
            (login,) = ice_servers(rig.turn, "far", time.time() - age)
            server = RelayServer(RELAY, RELAY_PORT, username=login["username"], credential=login["credential"])
            way = through([server], None)
            assert way is not None
            with inside(rig.nets.name("member")), contextlib.nullcontext() if opens else pytest.raises(ConnectionError):
                opened = await way((PUBLIC, PORT), lambda _: None, lambda *_: None)
                opened.close()
                await opened.closed()


@asynccontextmanager
async def chromium(rig: Afar, place: str) -> AsyncIterator["Page"]:
    """A page of a Chromium that lives in ``place`` and trusts the host's authority, as its user installed it."""
    need("module:playwright", "playwright drives the browser")
    program = need("chromium", "Debian's chromium is one of the members")
    certutil = need("certutil", "Debian's libnss3-tools installs the authority for Chromium")
    from playwright.async_api import async_playwright  # it may be missing

    database = rig.folder / "home" / ".pki" / "nssdb"
    database.mkdir(parents=True)
    for command in (["-N", "--empty-password"], ["-A", "-n", "kontor", "-t", "C,,", "-i", str(rig.ca_file)]):
        await asyncio.to_thread(subprocess.run, [certutil, "-d", f"sql:{database}", *command], check=True, timeout=20)
    arguments = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--no-sandbox"]
    with inside(rig.nets.name(place)):
        async with async_playwright() as playwright:
            environment: dict[str, str | float | bool] = {**os.environ, "HOME": str(rig.folder / "home")}
            browser = await playwright.chromium.launch(executable_path=program, args=arguments, env=environment)
            try:
                page = await browser.new_page(locale="en")
                await page.add_init_script(KEEP)
                yield page
            finally:
                await browser.close()


async def own_key_says(page: "Page", words: str) -> None:
    await page.locator("#own-first", has_text=words).wait_for(timeout=20_000)


async def speaks_and_hears(page: "Page", presence: Presence, *ways: str) -> None:
    """The page joins, unmutes, hears and is heard, over one of these kinds of candidates."""
    await page.locator("#own").click()
    await own_key_says(page, "Unmute")
    await asyncio.sleep(0.7)  # presses so soon after joining count for nothing
    await page.locator("#own").click()
    await own_key_says(page, "You are live")
    await until(lambda: (presence.level("page") or -127) > -60, 10, "the page is not heard")
    kind, protocol, before = await page.evaluate(WAY)
    assert f"{kind} {protocol}".strip() in ways
    async with asyncio.timeout(10):
        while (await page.evaluate(WAY))[2] - before < 1e-4:
            await asyncio.sleep(0.05)  # until it hears
    await page.locator("#leave").click()
    await own_key_says(page, "Join")


@pytest.mark.browser
async def test_the_page_finds_its_way_by_itself(tmp_path: Path) -> None:
    """Directly where UDP passes, through the relay where it does not, and over TLS where nothing else is let out."""
    async with (
        afar(tmp_path, ("udp", "tls")) as rig,
        stock(rig, "inet", "near", 440) as (_, home),
        Presence(house=home, hello=token("watcher")) as presence,
        chromium(rig, "member") as page,
    ):
        await page.goto(f"{home.base}/{ROOM}#{token('page')}")
        rig.nets.let_out("relay")
        await speaks_and_hears(page, presence, "relay udp")
        rig.nets.let_out("nothing")
        await speaks_and_hears(page, presence, "relay tls")
        rig.nets.let_out("all")
        await speaks_and_hears(page, presence, "srflx", "prflx")


@pytest.mark.browser
async def test_without_https_one_listens_and_both_sides_read_why(tmp_path: Path) -> None:
    async with afar(tmp_path, scheme="http") as rig, chromium(rig, "member") as page:
        rig.nets.let_out("all")
        await page.goto(f"http://203.0.113.1:8443/{ROOM}#{token('page', role='admin')}")
        await page.locator("#notice b", has_text="Only listening: this page came without encryption.").wait_for()
        await own_key_says(page, "Listen")
        await page.locator("#own").click()
        await own_key_says(page, "Listening")
        assert "event=listen_only" in (rig.folder / "host.log").read_text()
