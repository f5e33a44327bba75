"""Coming back without a click: after sleep, in another network, from a host that starts anew; and browsers that cannot."""

import asyncio
from pathlib import Path

import pytest

from tests.host.harness import house
from tests.host.page.mock_host import MockHost, member
from tests.host.page.test_with_the_host import join, own_is, window, windows
from tests.host.page.visits import Visit, visiting

SLEEP = """
const now = Date.now.bind(Date);
window.slept = 0;
Date.now = () => now() + slept;
window.since = () => performance.now() - window.began;
const hellos = WebSocket.prototype.send;
window.hellos = 0;
WebSocket.prototype.send = function (text) { if (text.includes('"hello"')) window.hellos += 1; return hellos.call(this, text); };
"""
"""``slept = milliseconds`` lets the clock jump, as it does for a page when the machine wakes."""

DEAF = """
const stats = RTCPeerConnection.prototype.getStats;
RTCPeerConnection.prototype.getStats = async function () {
  const reports = [...(await stats.call(this)).values()].map((report) => ({ ...report }));
  for (const report of reports) if ("bytesReceived" in report && window.deaf === this) report.bytesReceived = 7;
  window.last = this;
  return new Map(reports.map((report, n) => [n, report]));
};
"""
"""``deaf = last``: from now on nothing comes over that connection, and the browser has not noticed."""


EVENTS = ["dispatchEvent(new Event('online'))", "navigator.connection.dispatchEvent(new Event('change'))"]
"""How a browser tells of another network."""


async def live(visit: Visit) -> None:
    await visit.own.click()
    await visit.own_is("live")


@visiting(script=SLEEP)
async def test_after_a_night_one_is_back_at_once_and_muted(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await live(visit)
    await visit.page.evaluate("hellos = 0, slept = 8 * 3600e3")
    await visit.own_was("reconnecting")
    await visit.own_is("muted")
    assert (await visit.page.evaluate("seen.own"))[-2:] == ["reconnecting", "muted"]
    assert await visit.page.evaluate("hellos") == 1, "the socket is a new one too"
    assert await visit.packets_within(0.6) == 0
    await live(visit)
    assert await visit.packets_within(0.6) > 5


@visiting(script=SLEEP)
async def test_a_nap_shorter_than_a_loss_that_resumes(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await live(visit)
    await visit.page.evaluate("slept = 12e3")
    await visit.own_was("reconnecting")
    await visit.own_is("live")
    assert await visit.packets_within(0.6) > 5


@visiting(script=SLEEP)
async def test_a_busy_moment_is_no_sleep(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await live(visit)
    await visit.page.evaluate("slept = 2e3")
    await asyncio.sleep(2.5)
    assert "reconnecting" not in await visit.page.evaluate("seen.own")


@pytest.mark.parametrize("event", EVENTS)
@visiting(script=DEAF)
async def test_in_another_network_the_broken_connection_is_noticed_within_two_seconds(visit: Visit, event: str) -> None:
    await visit.open()
    await visit.join()
    await visit.page.wait_for_function("() => window.last")
    await visit.page.evaluate(f"window.deaf = last, window.began = performance.now(), {event}")
    await visit.own_was("reconnecting")
    noticed = await visit.page.evaluate("performance.now() - began")
    await visit.own_is("muted")
    assert noticed < 3000, "without the event it takes 3 s to 4 s, and the check itself 1.3 s"
    await live(visit)
    assert await visit.packets_within(0.6) > 5


@visiting()
async def test_another_network_that_carries_is_not_noticed(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await live(visit)
    await visit.page.evaluate(", ".join(EVENTS))
    await asyncio.sleep(2)
    await visit.own_is("live")
    assert await visit.page.evaluate("seen.own") == ["connecting", "muted", "live"]


@visiting()
async def test_a_wait_between_two_tries_ends_with_the_network(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    visit.host.media_status = 500
    await visit.drop_media()
    await visit.own_is("reconnecting")
    await asyncio.sleep(4)  # by now it waits for more than a second between two tries
    visit.host.media_status = 201
    await visit.page.evaluate("dispatchEvent(new Event('online'))")
    await visit.page.wait_for_selector('#dock[data-own="muted"]', timeout=15_000)
    assert await visit.packets_within(0.4) == 0


def _listener(host: MockHost) -> None:
    host.you["role"] = "listener"


@visiting(host=_listener)
async def test_whoever_is_let_speak_while_it_reconnects_comes_back_by_one_connection(visit: Visit) -> None:
    await visit.open()
    await visit.own.click()
    await visit.own_is("listening")
    visit.host.media_status = 500
    await visit.drop_media()
    await visit.own_is("reconnecting")
    visit.host.you["role"] = "speaker"
    own = member("mira", "Mira Koch", 0, 6, role="speaker", state="connecting", joined=False, muted=True)
    await visit.host.push({"type": "member", "member": own})
    await visit.wait_text("#toast span", "You can now speak.")
    tries: list[str] = []
    visit.page.on("request", lambda request: tries.append(request.url) if request.method == "POST" else None)
    visit.host.media_status = 201
    await visit.own_is("muted")
    await asyncio.sleep(2.5)  # longer than any wait between two tries
    assert len(tries) <= 1, "nobody else goes on trying"
    await visit.own_is("muted")
    assert not await visit.page.locator(".notice").is_visible(), "nothing is the matter any more"
    await live(visit)
    assert await visit.packets_within(0.6) > 5


@visiting(script="delete window.RTCPeerConnection;")
async def test_a_browser_without_webrtc_says_so_and_shows_the_room(visit: Visit) -> None:
    await visit.open()
    await _cannot(visit)


@visiting(
    script="window.RTCPeerConnection = class { constructor() { throw new DOMException('', 'NotSupportedError'); } };"
)
async def test_a_browser_whose_webrtc_is_switched_off_says_so(visit: Visit) -> None:
    await visit.open()
    await visit.own.click()
    await visit.wait_text("#status", "This browser has no sound for rooms.")
    await _cannot(visit)


async def _cannot(visit: Visit) -> None:
    await visit.own_is("unable")
    assert await visit.text("#own-first") == "No sound here"
    assert await visit.text("#own-second") == "This browser lacks WebRTC"
    assert await visit.own.get_attribute("aria-disabled") == "true"
    assert await visit.text("#count") == "5 here"
    await visit.host.speak(ben=-20)
    await visit.page.get_by_role("region", name="Who speaks").get_by_text("Ben Adeyemi").wait_for()
    await visit.page.keyboard.press("j")
    await visit.own.click(force=True)
    await visit.own_is("unable")


@pytest.mark.browser
async def test_from_a_host_that_starts_anew_one_is_soon_back_and_muted(tmp_path: Path) -> None:
    async with windows(tmp_path) as (home, browser):
        anna = await window(home, browser, "anna")
        await join(anna)
        _, port = home.host.address
        await home.host.stop()
        await own_is(anna, "reconnecting")
        async with house(tmp_path, http_port=port) as again:
            up = asyncio.get_running_loop().time()
            await own_is(anna, "muted")
            took = asyncio.get_running_loop().time() - up
            assert took < 4, "a wait between two tries is 1.5 s at most, and joining takes a part of a second"
            assert again.count("host_joins") == 1
            assert "live" not in await anna.evaluate("seen.own")
