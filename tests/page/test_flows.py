"""The page against the real host, with real speech at the microphone: rooms, floating window, sound sheet, and what admins do."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from appliance.core.levels import dbov
from appliance.core.protocol import Claims, issue
from appliance.core.roster import Role
from appliance.host.config import RoomConfig
from appliance.host.server import Host
from tests.e2e.rig import Device, Rig
from tests.e2e.speech import likeness
from tests.e2e.test_browser import browser, speech
from tests.host.page.visits import WATCH
from tests.page.scenes import moved_by_itself

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180)]
SILENT = -80


class House(Rig):
    """The rig's host with a second room; its device, in the studio, says nothing by itself."""

    def _host(self) -> Host:
        host = super()._host()
        rooms = (*host.config.rooms, RoomConfig("workshop", "Workshop", {"k": self.secret}))
        config = dataclasses.replace(host.config, rooms=rooms, state_dir=self.folder / "kept")
        (self.folder / "kept").mkdir(exist_ok=True)
        return Host(config, lambda event: None)

    def link(self, identity: str, *rooms: str, role: Role = "speaker") -> str:
        """The address of a link for these rooms."""
        expires = int(time.time()) + 600
        tokens = [
            issue(Claims(room, identity, identity.title(), role, "person", expires, "k"), self.secret) for room in rooms
        ]
        return f"http://localhost:{self.port}/{rooms[0] if len(rooms) == 1 else ''}#{'&'.join(tokens)}"


@asynccontextmanager
async def house(folder: Path, port: int) -> AsyncIterator[tuple[House, Device, "Page", np.ndarray]]:
    """A host, its device, a browser whose microphone plays speech, and that speech."""
    said, wav = speech(folder)
    async with House(folder, port, {"box": "silence"}) as rig, browser(wav) as page:
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.add_init_script(WATCH)
        yield rig, rig.devices["box"], page, said
        assert not problems
        assert await page.evaluate("seen.violations") == []
        assert moved_by_itself(await page.evaluate("seen.shifts")) == []


async def own_is(page: "Page", state: str) -> None:
    await page.wait_for_selector(f'#dock[data-own="{state}"]', timeout=20_000)


async def own_press(page: "Page", state: str) -> None:
    """Press the own key, once it takes presses, and wait for what comes of it."""
    await page.wait_for_timeout(650)
    await page.locator("#own").click()
    await own_is(page, state)


async def plays(box: Device, said: np.ndarray) -> bool:
    """Whether the device's loudspeaker plays what was said."""
    scores: list[float] = []
    for _ in range(5):  # a busy machine loses a packet now and then
        await asyncio.sleep(5)
        heard = box.played(4.0)
        scores.append(
            await asyncio.to_thread(likeness, np.concatenate([said, said]), heard) if dbov(heard) > -50 else 0.0
        )
        if scores[-1] > 0.9:
            return True
    print(f"likeness: {scores}")
    return False


async def is_silent(box: Device) -> bool:
    await asyncio.sleep(2)
    return dbov(box.played(1.0)) < SILENT


async def test_from_the_overview_through_two_rooms(short_dir: Path, free_port: int) -> None:
    async with house(short_dir, free_port) as (rig, box, page, said):
        await page.goto(rig.link("mira", "studio", "workshop"))
        studio, workshop = (page.locator(".card", has_text=name) for name in ("Studio", "Workshop"))
        await studio.get_by_text("1 here").wait_for()
        await workshop.get_by_text("Empty").wait_for()

        # One press, and in; the microphone is closed.
        await studio.locator(".key").click()
        await own_is(page, "muted")
        assert page.url.endswith("/studio") or "/studio#" in page.url
        assert await is_silent(box)
        await own_press(page, "live")
        assert await plays(box, said)

        # A look at the other room changes nothing; joining it does.
        await page.locator("#rooms-list a, #rooms-list button", has_text="Workshop").first.click()
        await page.get_by_role("heading", name="Workshop").wait_for()
        assert await page.locator("#away").is_visible()
        assert dbov(box.played(1.0)) > -60 or await plays(box, said), "still heard in the studio"
        await page.locator("#away-join").click()
        await own_is(page, "muted")
        assert await is_silent(box), "nothing more in the studio"
        await page.locator("#place-rooms").click()
        await workshop.get_by_text("1 here").wait_for()
        await studio.get_by_text("1 here").wait_for()


async def test_muted_in_the_floating_window(short_dir: Path, free_port: int) -> None:
    async with house(short_dir, free_port) as (rig, box, page, said):
        await page.goto(rig.link("mira", "studio"))
        await page.locator("#count", has_text="1 here").wait_for()
        await page.locator("#own").click()
        await own_is(page, "muted")
        async with page.context.expect_page() as coming:
            await page.locator("#widget").click()
        window = await coming.value
        await page.wait_for_timeout(650)
        await window.locator(".own").click()
        await own_is(page, "live")
        assert await plays(box, said)
        await window.locator(".own").click()
        await own_is(page, "muted")
        assert await is_silent(box)
        await window.get_by_role("button", name="Leave").click()
        await own_is(page, "join")


async def test_the_sound_sheet_while_live(short_dir: Path, free_port: int) -> None:
    async with house(short_dir, free_port) as (rig, box, page, said):
        await page.goto(rig.link("mira", "studio"))
        await page.locator("#own").click()
        await own_is(page, "muted")
        await own_press(page, "live")
        await page.locator("#sound").click()
        sheet = page.get_by_role("dialog", name="Sound")
        await sheet.wait_for()
        seen: set[str] = set()
        for _ in range(60):
            seen.add(str(await sheet.locator(".meter").first.get_attribute("data-n")))
            await asyncio.sleep(0.1)
        assert len(seen) > 4, "my own voice moves the meter"
        for box_of in await sheet.get_by_role("checkbox").all():
            await box_of.click()
            await page.wait_for_timeout(300)
            await box_of.click()
        await page.keyboard.press("Escape")
        await own_is(page, "live")
        assert await plays(box, said), "still heard after every switch was moved and moved back"


async def test_what_an_admin_does_reaches_everybody(short_dir: Path, free_port: int) -> None:
    async with house(short_dir, free_port) as (rig, box, page, said):
        assert page.context.browser is not None
        other = await (
            await page.context.browser.new_context(viewport={"width": 1280, "height": 800}, locale="en")
        ).new_page()
        await other.goto(rig.link("ada", "studio", role="admin"))
        await other.locator("#count", has_text="1 here").wait_for()
        await page.goto(rig.link("mira", "studio"))
        await page.locator("#own").click()
        await own_is(page, "muted")
        await own_press(page, "live")
        assert await plays(box, said)

        # Muted, asked, and allowed again: nothing opens by it.
        tile = other.locator("#members .tile", has_text="Mira").get_by_role("button").first
        await tile.click()
        await other.get_by_role("button", name="Mute for everyone").click()
        await own_is(page, "adminMuted")
        assert await is_silent(box)
        await own_press(page, "asked")
        await tile.click()
        await other.get_by_role("dialog", name="Mira").get_by_role("button", name="Allow to speak").click()
        await own_is(page, "muted")
        assert await is_silent(box)

        # A new title is there for everybody.
        await other.locator("#settings").click()
        await other.locator("dialog .sheet-body > button.key").first.click()
        title = other.get_by_role("textbox", name="Title")
        await title.fill("Studio 2 <b>")
        await title.press("Enter")
        await page.get_by_role("heading", name="Studio 2 <b>").wait_for()
        await other.keyboard.press("Escape")

        # A link made here lets a listener in.
        await other.locator("#link").click()
        await other.get_by_role("textbox", name="Name of whoever it is for").fill("Lior")
        await other.get_by_role("radio", name="Listen only").check()
        await other.get_by_role("button", name="Make the link").click()
        url = await other.locator("dialog .copy input").input_value()
        await other.keyboard.press("Escape")
        guest = await (await page.context.browser.new_context(locale="en")).new_page()
        await guest.goto(url)
        await own_is(guest, "listen")
        await guest.locator("#own").click()
        await own_is(guest, "listening")

        # Sent out, and not let in again.
        await tile.click()
        await other.get_by_role("button", name="Remove").click()
        await other.get_by_role("button", name="Remove for good").click()
        await page.locator("#end", has_text="You were removed from this room.").wait_for()
        await other.locator("#members .tile", has_text="Mira").wait_for(state="detached")
