"""Links that an admin makes: with name, role, expiry and QR code, copied by any browser, refused with a reason."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.host.page.admins import admin, plain
from tests.host.page.visits import Visit, visiting
from tests.support import need


async def open_link(visit: Visit, name: str = "Sam Okafor") -> None:
    """Open the sheet of links, and write a name."""
    await visit.page.locator("#link").click()
    await visit.page.get_by_role("textbox", name="Name of whoever it is for").fill(name)


async def make(visit: Visit) -> str:
    """Make the link; its text."""
    await visit.page.keyboard.press("Enter")
    await visit.page.get_by_role("button", name="Copy").wait_for()
    return await visit.page.get_by_role("dialog").get_by_role("textbox").input_value()


@visiting(host=admin)
async def test_a_link_with_name_role_and_expiry(visit: Visit) -> None:
    await visit.open()
    await visit.page.locator("#link").click()
    dialog = visit.page.get_by_role("dialog", name="Make a link")
    name = dialog.get_by_role("textbox", name="Name of whoever it is for")
    assert await name.evaluate("n => n === document.activeElement"), "the name comes first"
    await visit.page.keyboard.press("Enter")
    assert visit.host.links_asked == [], "a name is needed"
    await name.fill("  Sam Okafor ")
    assert await dialog.get_by_role("radio", name="Speak and listen").is_checked()
    await dialog.get_by_role("radio", name="Listen only").check()
    assert await dialog.get_by_role("combobox", name="Good for").evaluate("s => [...s.options].map(o => o.text)") == [
        "1 day",
        "7 days",
        "30 days",
        "90 days",
        "365 days",
    ]
    await dialog.get_by_role("combobox", name="Good for").select_option("7 days")
    await dialog.get_by_role("button", name="Make the link").click()
    await dialog.get_by_role("textbox", name="Make a link").wait_for()
    assert visit.host.links_asked == [{"name": "Sam Okafor", "role": "listener", "days": 7}]
    assert plain(await visit.text("dialog b")) == "Link for Sam Okafor"
    assert re.fullmatch(r"Listen only, until \S.+", (await visit.texts("dialog .second"))[0])
    assert plain((await visit.texts("dialog .second"))[1]) == "Whoever has this link comes in as Sam Okafor."
    assert await visit.page.evaluate("document.activeElement.textContent") == "Copy"
    await dialog.get_by_role("button", name="Another link").click()
    assert await name.input_value() == ""


@visiting(host=admin)
async def test_a_link_is_copied_and_that_is_said(visit: Visit) -> None:
    await visit.open()
    await visit.page.context.grant_permissions(
        ["clipboard-read", "clipboard-write"], origin=f"http://localhost:{visit.host.port}"
    )
    await open_link(visit)
    link = await make(visit)
    assert link.startswith("https://kontor.example/studio#")
    await visit.page.get_by_role("button", name="Copy").press("Enter")
    toast = visit.page.locator("#toast")
    await visit.wait_text("#toast > span", "Link copied.")
    assert await visit.page.evaluate("navigator.clipboard.readText()") == link
    box = await toast.bounding_box()
    assert box
    at = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
    assert await visit.page.evaluate("([x, y]) => document.elementFromPoint(x, y).closest('#toast') !== null", at), (
        "above all"
    )
    status = visit.page.get_by_role("dialog").get_by_role("status")
    assert await status.inner_text() == "Link copied.", "readers hear nothing from outside of a dialog"
    await visit.page.keyboard.press("Escape")
    assert await visit.page.locator("#dock #toast").count() == 1
    assert await visit.page.locator("body > #status").count() == 1


NO_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', { value: undefined });"


@visiting(host=admin, script=NO_CLIPBOARD)
async def test_without_encryption_the_old_way_of_copying_is_taken(visit: Visit) -> None:
    await visit.open()
    await open_link(visit)
    await visit.page.keyboard.press("Enter")
    await visit.page.get_by_role("button", name="Copy").click()
    await visit.wait_text("#toast > span", "Link copied.")


@visiting(host=admin, script=NO_CLIPBOARD + "document.execCommand = () => false;")
async def test_where_nothing_can_be_copied_it_is_marked_for_the_hand(visit: Visit) -> None:
    await visit.open()
    await open_link(visit)
    link = await make(visit)
    await visit.page.get_by_role("button", name="Copy").click()
    await visit.wait_text("#toast > span", "Press Ctrl+C to copy.")
    assert await visit.page.evaluate("getSelection().toString()") == link


def read_code(picture: Path) -> str:
    """What a camera would read."""
    reader = need("zbarimg", "zbar-tools is not installed: apt install zbar-tools")
    return subprocess.run([reader, "-q", "--raw", picture], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("theme", ["light", "dark"])
@visiting(host=admin, device_scale_factor=2)
async def test_a_camera_reads_the_link_from_the_screen(visit: Visit, theme: str, tmp_path: Path) -> None:
    await visit.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    await visit.open()
    await open_link(visit)
    link = await make(visit)
    (tmp_path / "code.png").write_bytes(await visit.page.locator("dialog").screenshot(caret="initial"))
    assert read_code(tmp_path / "code.png") == link


@visiting(host=admin)
async def test_what_the_host_says_against_a_link_is_shown(visit: Visit) -> None:
    await visit.open()
    visit.host.links_refuse = "A device of this room has this name: take another one."
    await open_link(visit, "Hamburg")
    await visit.page.keyboard.press("Enter")
    await visit.wait_text("dialog .wrong", visit.host.links_refuse)
    assert await visit.page.get_by_role("textbox").input_value() == "Hamburg", "nothing has to be written anew"
    visit.host.links_refuse = ""
    await visit.page.get_by_role("button", name="Make the link").click()
    await visit.page.get_by_role("button", name="Copy").wait_for()


@visiting(host=admin)
async def test_a_link_sheet_whose_style_does_not_come_says_so_and_can_be_tried_again(visit: Visit) -> None:
    await visit.open()
    await visit.page.route("**/admin.css*", lambda route: route.abort())
    await visit.page.click("#link")
    await visit.wait_text(".toast > span", "This part of the page did not come. Try again.")
    await visit.page.unroute("**/admin.css*")
    await visit.page.click("#link")
    await visit.page.locator("dialog").get_by_text("Make a link").wait_for()
    visit.complaints.clear()  # it is told in the console too
