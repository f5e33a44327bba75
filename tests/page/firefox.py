"""Debian's Firefox, driven by selenium through geckodriver: a window on the page, whose microphone is a tone of Firefox's own."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.need import need
from tools.page_tools import GECKODRIVER

PREFERENCES: dict[str, bool | int | str] = {
    "media.navigator.streams.fake": True,  # a microphone that is not there, as Chromium's fake one
    "media.navigator.permission.disabled": True,  # and nobody who is asked for it
    "intl.accept_languages": "en",
    "app.update.disabledForTesting": True,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
}

KEEP = """
const Real = RTCPeerConnection;
window.connections = [];
window.RTCPeerConnection = class extends Real { constructor(...a) { super(...a); window.connections.push(this); } };
"""
"""Keeps the page's connections for whoever asks for their figures."""

_FIGURES = """
const done = arguments[0];
connections.at(-1).getStats().then((all) => {
  const rows = [...all.values()];
  done({
    energies: Object.fromEntries(rows.filter((r) => r.type === "inbound-rtp").map((r) => [r.id, r.totalAudioEnergy ?? 0])),
    sent: rows.filter((r) => r.type === "outbound-rtp").reduce((sum, r) => sum + r.packetsSent, 0),
  });
}, (error) => done({ energies: {}, sent: 0, error: String(error) }));
"""


class Firefox:
    """A window. Everything here blocks: call it in a thread."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def open(self, address: str) -> None:
        """Open the page and wait until it knows the room."""
        self._driver.get(address)
        self._driver.execute_script(KEEP)
        self.wait("return document.querySelector('#count')?.textContent")

    def wait(self, script: str, *arguments: object, seconds: float = 20.0) -> object:
        """Wait until the script gives something true; what it gave."""
        end = time.monotonic() + seconds
        while not (given := self._driver.execute_script(script, *arguments)):
            assert time.monotonic() < end, f"not within {seconds} s: {script} {arguments}"
            time.sleep(0.1)
        return given

    def own_is(self, state: str) -> None:
        """Wait until the own key is in ``state``."""
        self.wait("return document.querySelector('#dock').dataset.own === arguments[0]", state)

    def press(self, selector: str) -> None:
        """A click, as of a mouse."""
        self._driver.find_element("css selector", selector).click()

    def text(self, selector: str) -> str:
        """What stands there."""
        return str(self._driver.find_element("css selector", selector).text)

    def figures(self) -> tuple[dict[str, float], int]:
        """Energy that each slot has played so far, by the slot, and packets sent."""
        given = self._driver.execute_async_script(_FIGURES)
        assert "error" not in given, given
        return dict(given["energies"]), int(given["sent"])

    def picture(self, path: Path) -> None:
        """A screenshot."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._driver.save_screenshot(str(path))


@contextmanager
def firefox(folder: Path) -> Iterator[Firefox]:
    """A window of 1280 by 900; its driver writes its log into ``folder``."""
    need("module:selenium", "selenium drives Firefox: pip install -e .[dev]")
    program = need("firefox-esr", "this test needs Firefox: apt-get install firefox-esr")
    need(GECKODRIVER, "`python3 -m tools.page_tools geckodriver` builds Firefox's driver")
    from selenium import webdriver

    options = webdriver.FirefoxOptions()
    options.binary_location = program
    options.add_argument("-headless")
    for name, value in PREFERENCES.items():
        options.set_preference(name, value)
    service = webdriver.FirefoxService(str(GECKODRIVER), log_output=str(folder / "geckodriver.log"))
    driver = webdriver.Firefox(options=options, service=service)
    try:
        driver.set_window_size(1280, 900)
        yield Firefox(driver)
    finally:
        driver.quit()
