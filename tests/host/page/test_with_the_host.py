"""The page and the real host together: what a mock might have promised too much of."""

import asyncio
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from yarl import URL

from appliance.core.enrolment import fingerprint
from appliance.core.roster import Role
from appliance.rooms.device_key import DeviceKey
from appliance.rooms.enrolment import enrolling_credentials
from appliance.rooms.signalling import Lost, Signalling
from tests.host.harness import House, house, token
from tests.host.member import Presence, inside
from tests.host.page.visits import ARGUMENTS, WATCH
from tests.host.test_presence import REPORT
from tests.support import need

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page


@asynccontextmanager
async def windows(folder: Path, most: int = 200) -> AsyncIterator[tuple[House, "Browser"]]:
    """A real host and a browser."""
    need("module:playwright", "playwright is not installed: pip install -e .[dev]")
    program = need("chromium", "Chromium is not installed: apt install chromium")
    from playwright.async_api import async_playwright

    async with house(folder, max_members=most) as home, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        try:
            yield home, browser
        finally:
            await browser.close()


async def window(home: House, browser: "Browser", identity: str, role: Role = "speaker") -> "Page":
    """A window of its own for a member, on the page."""
    page = await browser.new_page(viewport={"width": 1280, "height": 800}, locale="en")
    await page.add_init_script(WATCH)
    await page.goto(f"http://localhost:{home.host.address[1]}/studio#{token(identity, role)}")
    await page.get_by_role("heading", name="Studio").wait_for()
    return page


async def own_is(page: "Page", state: str) -> None:
    await page.wait_for_selector(f'#dock[data-own="{state}"]', timeout=15_000)


async def join(page: "Page") -> None:
    await page.locator("#own").click()
    await own_is(page, "muted")
    await page.wait_for_timeout(650)


@pytest.mark.browser
async def test_an_admin_mutes_and_lifts_and_the_room_sees_it(tmp_path: Path) -> None:
    async with windows(tmp_path) as (home, browser):
        anna = await window(home, browser, "anna")
        ben = await window(home, browser, "ben", "admin")
        await join(anna)
        await join(ben)
        await anna.locator("#own").click()
        await own_is(anna, "live")
        await ben.get_by_role("region", name="Who speaks").get_by_text("Anna").wait_for()  # it beeps
        await ben.locator("#members .tile", has_text="Anna").get_by_role("button").first.click()
        await ben.get_by_role("button", name="Mute for everyone").click()
        await own_is(anna, "adminMuted")
        await anna.locator("#own").click()
        await own_is(anna, "asked")
        tile = ben.locator("#members .tile", has_text="Anna")
        await tile.get_by_text("Muted by admin").wait_for()
        await tile.get_by_role("button").first.click()
        await ben.get_by_role("dialog", name="Anna").get_by_role("button", name="Allow to speak").click()
        await own_is(anna, "muted")
        await anna.get_by_role("button", name="You can now speak.").wait_for()


@pytest.mark.browser
async def test_silence_is_no_loss(tmp_path: Path) -> None:
    async with windows(tmp_path) as (home, browser):
        anna = await window(home, browser, "anna")
        await join(anna)
        await asyncio.sleep(6)
        assert await anna.evaluate("seen.own") == ["connecting", "muted"], "the host's reports are pulse enough"


@pytest.mark.browser
async def test_the_newer_window_takes_over_and_can_be_taken_back(tmp_path: Path) -> None:
    async with windows(tmp_path) as (home, browser):
        first = await window(home, browser, "anna")
        await join(first)
        second = await window(home, browser, "anna")
        await join(second)
        await first.get_by_role("button", name="Take it here").click()
        await own_is(first, "muted")
        await second.locator("#end", has_text="Open in another window.").wait_for()
        assert home.count("host_replaced") == 2


@pytest.mark.browser
async def test_a_full_room_says_so(tmp_path: Path) -> None:
    async with windows(tmp_path, most=1) as (home, browser):
        anna = await window(home, browser, "anna")
        await join(anna)
        ben = await window(home, browser, "ben")
        await ben.locator("#own").click()
        await ben.locator("#notice", has_text="The room is full.").wait_for()
        await own_is(ben, "join")
        await anna.locator("#leave").click()
        await ben.get_by_role("button", name="Try again").click()
        await own_is(ben, "muted")


@pytest.mark.browser
async def test_a_host_that_starts_anew_is_found_again(tmp_path: Path) -> None:
    async with windows(tmp_path) as (home, browser):
        anna = await window(home, browser, "anna")
        await join(anna)
        _, port = home.host.address
        await home.host.stop()
        await own_is(anna, "reconnecting")
        async with house(tmp_path, http_port=port) as again:
            await own_is(anna, "muted")
            assert again.count("host_joins") == 1


@pytest.mark.browser
async def test_a_guest_is_admitted_speaks_and_is_removed(tmp_path: Path) -> None:
    async with windows(tmp_path) as (home, browser):
        gus = await window(home, browser, "gus", "guest")
        ben = await window(home, browser, "ben", "admin")
        await gus.locator("#own").click()
        await own_is(gus, "guest")
        await join(ben)
        tile = ben.locator("#members .tile", has_text="Gus")
        await tile.get_by_text("Guest, listening").wait_for()
        await tile.get_by_role("button").first.click()
        await ben.get_by_role("button", name="Admit").click()
        await own_is(gus, "muted")
        await gus.locator("#own").click()
        await own_is(gus, "live")
        await ben.get_by_role("region", name="Who speaks").get_by_text("Gus").wait_for()  # it beeps
        await tile.get_by_role("button").first.click()
        await ben.get_by_role("button", name="Remove").click()
        await ben.get_by_role("button", name="Remove for good").click()
        await gus.locator("#end", has_text="You were removed from this room.").wait_for()
        await tile.wait_for(state="detached")


@pytest.mark.browser
async def test_a_listener_who_is_allowed_to_speak_is_heard(tmp_path: Path) -> None:
    async with windows(tmp_path) as (home, browser):
        leo = await window(home, browser, "leo", "listener")
        ben = await window(home, browser, "ben", "admin")
        await leo.locator("#own").click()
        await own_is(leo, "listening")
        await join(ben)
        await ben.locator("#members .tile", has_text="Leo").get_by_role("button").first.click()
        await ben.get_by_role("button", name="Allow to speak").click()
        await own_is(leo, "muted")
        await leo.wait_for_timeout(100)
        await leo.locator("#own").click()
        await own_is(leo, "live")
        await ben.get_by_role("region", name="Who speaks").get_by_text("Leo").wait_for()


@pytest.mark.browser
async def test_an_admin_makes_a_card_and_lets_in_who_asks(tmp_path: Path) -> None:
    async with windows(tmp_path) as (home, browser):
        key, stranger = DeviceKey.make(), DeviceKey.make()
        signalling = Signalling(home.http, URL(home.base), "studio")
        with pytest.raises(Lost, match="has to let this device in"):
            await enrolling_credentials("attic", "Attic", stranger, "")(signalling)
        boss = await window(home, browser, "boss", "admin")
        await boss.locator("#device-add").click()
        row = boss.locator("dialog li")
        assert await row.locator("code").inner_text() == fingerprint(stranger.public)
        await row.get_by_role("button", name="Let in").click()
        await row.get_by_text("comes within half a minute.").wait_for()
        assert await enrolling_credentials("attic", "Attic", stranger, "")(signalling)
        await boss.locator("dialog .text").first.fill("Room 3")
        async with boss.expect_download() as download:
            await boss.get_by_role("button", name="Make the file").click()
        card = tomllib.loads(Path(await (await download.value).path()).read_text())
        assert card["room"]["url"] == f"http://localhost:{home.host.address[1]}"
        credentials = enrolling_credentials(card["device"]["id"], "Room 3", key, card["room"]["enrolment"])
        assert await credentials(signalling)


@pytest.mark.browser
async def test_an_admin_s_link_lets_somebody_in_and_out_and_in_again(tmp_path: Path) -> None:
    async with windows(tmp_path) as (home, browser):
        boss = await window(home, browser, "boss", "admin")
        await boss.locator("#link").click()
        await boss.get_by_role("textbox", name="Name of whoever it is for").fill("Sam Okafor")
        await boss.keyboard.press("Enter")
        await boss.get_by_role("button", name="Copy").wait_for()
        assert await boss.locator("dialog .qr").is_visible()
        link = await boss.locator("dialog .copy input").input_value()
        await boss.keyboard.press("Escape")
        sam = await (await browser.new_context(viewport={"width": 1280, "height": 800}, locale="en")).new_page()
        await sam.goto(link)
        await sam.get_by_role("heading", name="Studio").wait_for()
        assert await sam.locator("#self-name").inner_text() == "Sam Okafor"
        assert not await sam.locator("#link").is_visible()
        await join(sam)
        await boss.locator("#members .tile", has_text="Sam Okafor").get_by_role("button").first.click()
        await boss.get_by_role("button", name="Remove").click()
        await boss.get_by_role("button", name="Remove for good").click()
        await sam.locator("#end", has_text="You were removed from this room.").wait_for()
        await boss.locator("#settings").click()
        await boss.get_by_role("button", name="This room", exact=True).click()
        await boss.get_by_role("button", name="Let in again: Sam Okafor").click()
        await boss.get_by_text("May come in again.", exact=True).wait_for()
        await sam.get_by_role("button", name="Try again").click()
        await own_is(sam, "join")


@pytest.mark.browser
async def test_a_title_that_an_admin_gives_is_read_by_all_and_a_bad_one_is_refused(tmp_path: Path) -> None:
    async with windows(tmp_path) as (home, browser):
        anna = await window(home, browser, "anna")
        boss = await window(home, browser, "boss", "admin")
        await boss.locator("#settings").click()
        await boss.get_by_role("button", name="This room", exact=True).click()
        title = boss.get_by_role("textbox", name="Title of the room")
        await title.fill("Left \u202eright")
        await boss.get_by_role("button", name="Rename").click()
        await boss.locator("dialog .wrong", has_text="The host does not take this title").wait_for()
        await title.fill("  Radio <b>Kontor</b> ")
        await boss.get_by_role("button", name="Rename").click()
        await anna.get_by_role("heading", name="Radio <b>Kontor</b>").wait_for()
        await boss.locator("#toast", has_text="The room has a new title.").wait_for()


@pytest.mark.browser
async def test_a_recording_is_counted_down_for_all(tmp_path: Path) -> None:
    async with (
        windows(tmp_path) as (home, browser),
        Presence(house=home, hello=token("rec", "admin")) as recorder,
    ):
        anna = await window(home, browser, "anna")
        await join(anna)
        await recorder.send(type="recording", on=True)
        await anna.locator("#recording b", has_text="Recording starts in 5 s").wait_for()
        assert "started by \u2068Rec\u2069" in await anna.locator("#recording").inner_text()
        await anna.locator("#recording b", has_text="Recording, 0:00").wait_for()
        late = await window(home, browser, "late")
        await late.locator("#recording b", has_text="Recording, 0:0").wait_for()
        await recorder.send(type="recording", on=False)
        for page in (anna, late):
            await page.locator("#recording b", has_text="Recording stopped.").wait_for()


@pytest.mark.browser
async def test_a_room_that_is_asked_too_often_is_not_said_to_be_asked(tmp_path: Path) -> None:
    async with (
        windows(tmp_path) as (home, browser),
        inside(home, "box", kind="site") as ((_, box),),
    ):
        await box.send(type="report", site=REPORT)
        anna = await window(home, browser, "anna")
        await join(anna)
        ask = anna.get_by_role("button", name="Ask the room to unmute")
        await ask.click()
        await anna.locator("#toast", has_text="The room was asked to unmute.").wait_for()
        assert box.of("asked_to_unmute")[-1]["by"]["id"] == "anna"
        for _ in range(3):
            await ask.click()
        await anna.locator("#toast", has_text="Too many at once. Wait a little.").wait_for()
        await anna.wait_for_timeout(1000)
        assert "asked to unmute" not in await anna.locator("#toast").inner_text()
