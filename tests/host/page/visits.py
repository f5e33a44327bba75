"""Visits to the page: one Chromium for all tests of this folder, a mock host and a fresh window for each.

``@visiting()`` makes a test out of ``async def test_…(visit: Visit)``. At the end of every visit the page must have broken
neither its own policy nor anything else: no error, no violation, no style attribute.
"""

import asyncio
import functools
import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.host.page.mock_host import MockHost

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Locator, Page, Playwright

ARGUMENTS = (
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--disable-background-networking",
    "--disable-features=WebRtcHideLocalIpsWithMdns",  # the answering page needs an address it can be reached at
)

WATCH = """
window.seen = { shifts: [], violations: [], own: [], mutedAt: 0, keyUpAt: 0 };
addEventListener("keyup", () => { seen.keyUpAt = performance.now(); });
new PerformanceObserver((list) => {
  const told = (s) => [s.node?.outerHTML?.slice(0, 120), JSON.stringify([s.previousRect, s.currentRect])];
  for (const shift of list.getEntries()) if (!shift.hadRecentInput) seen.shifts.push([shift.value, ...shift.sources.map(told)]);
}).observe({ type: "layout-shift", buffered: true });
addEventListener("DOMContentLoaded", () => {
  const dock = document.getElementById("dock");
  const note = () => {
    if (seen.own.at(-1) === dock.dataset.own) return;
    seen.own.push(dock.dataset.own);
    if (dock.dataset.own === "muted") seen.mutedAt = performance.now();
  };
  new MutationObserver(note).observe(dock, { attributes: true });
});
addEventListener("securitypolicyviolation", (event) => seen.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""

_ANSWER = """async (offer) => {
  const peer = new RTCPeerConnection();
  window.peer = peer;
  const tone = new OscillatorNode(window.context ??= new AudioContext(), { frequency: 440 });
  const out = new MediaStreamAudioDestinationNode(context);
  tone.connect(out);
  tone.start();
  await peer.setRemoteDescription({ type: "offer", sdp: offer });
  for (const transceiver of peer.getTransceivers()) {
    transceiver.direction = transceiver.direction === "recvonly" && offer.includes("sendrecv") ? "sendrecv" : "sendonly";
    await transceiver.sender.replaceTrack(out.stream.getAudioTracks()[0]);
  }
  await peer.setLocalDescription();
  await new Promise((done) => {
    const look = () => peer.iceGatheringState === "complete" && done();
    peer.onicegatheringstatechange = look;
    look();
  });
  return peer.localDescription.sdp;
}"""

_PACKETS = """async () => {
  const report = [...(await window.peer.getStats()).values()];
  return report.filter((r) => r.type === "inbound-rtp").reduce((sum, r) => sum + r.packetsReceived, 0);
}"""


class Visit:
    """One window on the page, and the host behind it."""

    def __init__(self, host: MockHost, page: "Page", other: "Page") -> None:
        self.host = host
        self.page = page
        self.other = other
        """The far end of the media connection."""
        self.complaints: list[str] = []
        host.answer = self._answer

    async def open(self, fragment: str = "") -> None:
        """Open the page and wait until it knows the room."""
        await self.page.goto(self.host.address + fragment)
        await self.page.wait_for_function("() => document.querySelector('#count').textContent !== ''")

    async def join(self) -> None:
        """Join and wait until the own key says that the member is muted."""
        await self.own.click()
        await self.own_is("muted")
        await self.page.wait_for_timeout(650)  # the guard against double clicks

    @property
    def own(self) -> "Locator":
        """The own key."""
        return self.page.locator("#own")

    async def own_is(self, state: str) -> None:
        """Wait for a state of the own key."""
        await self.page.wait_for_selector(f'#dock[data-own="{state}"]', timeout=15_000)

    async def own_was(self, state: str) -> None:
        """Wait until the own key has been in ``state``, however briefly."""
        await self.page.wait_for_function("(state) => seen.own.includes(state)", arg=state, timeout=15_000)

    async def eventually(self, said: Callable[[], Awaitable[str]], pattern: str) -> str:
        """Ask until the answer matches; for pages whose clock is not to be trusted."""
        async with asyncio.timeout(15):
            while not re.search(pattern, answer := await said()):
                await asyncio.sleep(0.05)
        return answer

    async def text(self, selector: str) -> str:
        """What stands there."""
        return (await self.page.locator(selector).inner_text()).strip()

    async def texts(self, selector: str) -> list[str]:
        """What stands in each of them."""
        return [text.strip() for text in await self.page.locator(selector).all_inner_texts()]

    async def wait_text(self, selector: str, text: str) -> None:
        """Wait until ``text`` stands there."""
        await self.page.wait_for_function(
            "([s, t]) => [...document.querySelectorAll(s)].some((n) => n.textContent.trim() === t)",
            arg=[selector, text],
        )

    async def packets(self) -> int:
        """RTP packets that have come from the page's microphone."""
        return int(await self.other.evaluate(_PACKETS))

    async def packets_within(self, seconds: float) -> int:
        """The same, of the next ``seconds``."""
        before = await self.packets()
        await self.page.wait_for_timeout(seconds * 1000)
        return await self.packets() - before

    async def drop_media(self) -> None:
        """The far end closes the connection."""
        await self.other.evaluate("window.peer.close()")

    async def shifts(self) -> list[Any]:
        """Layout shifts that no press caused."""
        return list(await self.page.evaluate("seen.shifts"))

    async def check(self) -> None:
        """What holds at the end of every visit."""
        assert self.complaints == [], self.complaints
        assert await self.page.evaluate("seen.violations") == []
        assert await self.page.evaluate("document.querySelectorAll('[style]').length") == 0

    async def _answer(self, offer: str) -> str:
        return str(await self.other.evaluate(_ANSWER, offer))


class Chrome:
    """Chromium on a loop of its own, which lives as long as the tests of this folder."""

    def __init__(self, program: str, environment: dict[str, str | float | bool] | None = None) -> None:
        """:param environment: of the browser, where it is another than ours."""
        self._runner = asyncio.Runner()
        self._environment = environment
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._runner.run(self._start(program))

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a visit."""
        self._runner.run(coroutine)

    def close(self) -> None:
        """End the browser and the loop."""
        self._runner.run(self._stop())
        self._runner.close()

    async def _start(self, program: str) -> None:
        from playwright.async_api import async_playwright  # it may be missing, and then nobody gets here

        self._playwright = await async_playwright().start()
        self._browser = await self._playwright.chromium.launch(
            executable_path=program, args=list(ARGUMENTS), env=self._environment
        )

    async def _stop(self) -> None:
        if self._browser is not None:
            await self._browser.close()
        if self._playwright is not None:
            await self._playwright.stop()

    @asynccontextmanager
    async def visit(
        self,
        *,
        width: int = 1280,
        height: int = 800,
        language: str = "en",
        host: Callable[[MockHost], None] | None = None,
        script: str = "",
        **context: Any,
    ) -> AsyncIterator[Visit]:
        """A window of this size and language; ``host`` prepares the host, ``script`` runs before the page's own."""
        assert self._browser is not None
        mock = MockHost()
        if host is not None:
            host(mock)
        await mock.start()
        options = {
            "viewport": {"width": width, "height": height},
            "locale": language,
            "service_workers": "block",
        } | context
        window: BrowserContext = await self._browser.new_context(**options)
        try:
            await window.grant_permissions(["microphone"], origin=f"http://localhost:{mock.port}")
            other = await window.new_page()
            page = await window.new_page()
            await page.add_init_script(WATCH + script)
            visit = Visit(mock, page, other)
            page.on("pageerror", lambda error: visit.complaints.append(str(error)))
            page.on("console", lambda message: _note(visit, message.type, message.text))
            yield visit
        finally:
            await window.close()
            await mock.stop()


def _note(visit: Visit, kind: str, text: str) -> None:
    # A refused POST and a lost socket are told by the browser itself; they are what some tests are about.
    # The page's worker is kept out of all tests but its own.
    expected = ("Failed to load resource", "WebSocket connection", "Service Worker registration blocked")
    if kind in ("error", "warning") and not any(part in text for part in expected):
        visit.complaints.append(f"{kind}: {text}")


def visiting(**options: Any) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., None]]:
    """Make a test of a coroutine function whose first argument is a :class:`Visit`; the options are of :meth:`Chrome.visit`."""

    def decorate(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
        async def play(chrome: Chrome, arguments: dict[str, Any]) -> None:
            async with asyncio.timeout(50), chrome.visit(**options) as visit:
                await test(visit, **arguments)
                await visit.check()

        @functools.wraps(test)
        def run(chrome: Chrome, **arguments: Any) -> None:
            chrome.run(play(chrome, arguments))

        wanted = list(inspect.signature(test).parameters.values())[1:]
        first = inspect.Parameter("chrome", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        run.__signature__ = inspect.Signature([first, *wanted])  # type: ignore[attr-defined]
        del run.__wrapped__
        marked: Callable[..., None] = pytest.mark.browser(run)
        return marked

    return decorate
