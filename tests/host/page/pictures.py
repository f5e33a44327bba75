"""The pictures of the documents, drawn from the page itself: ``python -m tests.host.page.pictures [folder]``.

They show what the machine's own fonts make of it. A mock host plays the scene; nothing else is needed.
"""

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Any

from tests.host.page.fleet import fleet
from tests.host.page.mock_host import site
from tests.host.page.visits import Chrome, Visit

SCENES: dict[str, dict[str, Any]] = {
    "room-1280-light": {"color_scheme": "light"},
    "room-1280-dark": {"color_scheme": "dark"},
    "room-360": {"width": 360, "height": 740, "language": "de", "device_scale_factor": 2},
}


async def talk(visit: Visit) -> None:
    """Two speak, a third has just stopped."""
    host = visit.host
    for levels in (
        {"hamburg": -27, "ben": -12},
        {"hamburg": -36, "ben": -18, "yuki": -30},
        {"hamburg": -36, "ben": -18},
    ):
        await host.speak(**{"yuki": -127, **levels})
        await asyncio.sleep(0.4)
    await host.change("hamburg", site=site(speak="steady"))
    await asyncio.sleep(0.5)


async def locate(visit: Visit) -> None:
    """Somebody talks in Hamburg, and an admin looks at its device."""
    await visit.page.goto(f"http://localhost:{visit.host.port}/devices/hamburg#{visit.host.token}")
    await visit.page.wait_for_selector('.devices[data-stage="list"]')
    for level in (-30, -24, -12):
        await visit.host.speak(hamburg=level)
        await asyncio.sleep(0.6)


async def draw(chrome: Chrome, folder: Path) -> None:
    """Draw every scene."""
    async with chrome.visit(host=fleet, height=824, color_scheme="light", timezone_id="Europe/London") as visit:
        await locate(visit)
        await visit.page.screenshot(path=folder / "devices-1280.png")
    for name, options in SCENES.items():
        async with chrome.visit(**options) as visit:
            await visit.open()
            if name != "room-1280-light":
                await visit.join()
                await visit.own.click()
                await visit.own_is("live")
            await talk(visit)
            await visit.page.screenshot(path=folder / f"{name}.png")


def main() -> None:
    """Draw into the folder that is named, or into docs/pictures."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures")
    chrome = Chrome(shutil.which("chromium") or "chromium")
    try:
        chrome.run(draw(chrome, folder))
    finally:
        chrome.close()


if __name__ == "__main__":
    main()
