"""What an admin does in the room: its title, mute new members, who was sent out."""

import pytest

from tests.host.page.admins import admin, plain
from tests.host.page.mock_host import MockHost
from tests.host.page.test_menu import HOSTILE, LONG
from tests.host.page.visits import Visit, visiting


async def open_room(visit: Visit) -> None:
    """Open the sheet of the room."""
    await visit.page.locator("#settings").click()
    await visit.page.get_by_role("button", name="This room", exact=True).click()
    await visit.page.get_by_role("dialog", name="This room").wait_for()


@visiting()
async def test_whoever_is_no_admin_is_offered_none_of_it(visit: Visit) -> None:
    await visit.open()
    assert not await visit.page.locator("#link").is_visible()
    await visit.page.locator("#settings").click()
    await visit.page.get_by_role("dialog", name="Settings").wait_for()
    assert await visit.page.get_by_role("button", name="This room", exact=True).count() == 0


@visiting(host=admin)
async def test_more_on_a_phone_is_gone_once_something_of_it_was_chosen(visit: Visit) -> None:
    await visit.page.set_viewport_size({"width": 360, "height": 740})
    await visit.open()
    await visit.page.click("#more")
    await visit.page.locator("dialog").get_by_text("Knock").click()
    await visit.host.heard({"type": "knock"})
    await visit.page.wait_for_selector("dialog", state="detached")
    assert await visit.page.evaluate("document.activeElement.id") == "more"


# ---- the title


@visiting(host=admin)
async def test_a_new_title_counted_as_people_count(visit: Visit) -> None:
    await visit.open()
    await open_room(visit)
    title = visit.page.get_by_role("textbox", name="Title of the room")
    assert await title.input_value() == "Studio"
    count = visit.page.locator("#title-count")
    assert await count.inner_text() == "6 of 64"
    before = await visit.page.locator("dialog").bounding_box()
    await title.fill("\U0001f3a4" * 65)
    assert await count.inner_text() == "65 of 64"
    await visit.wait_text("dialog .wrong", "At most 64 characters.")
    await visit.page.keyboard.press("Enter")
    await title.fill("   ")
    assert await count.inner_text() == "0 of 64"
    await visit.page.keyboard.press("Enter")
    await visit.wait_text("dialog .wrong", "A title has at least one character.")
    assert not [said for said in visit.host.received if said["type"] == "title"]
    await title.fill(" \U0001f3a4 Radio ")
    assert await visit.page.locator("dialog").bounding_box() == before, "nothing has moved"
    await visit.page.keyboard.press("Enter")
    await visit.host.heard({"type": "title", "title": "\U0001f3a4 Radio"})
    await visit.wait_text("#title", "\U0001f3a4 Radio")
    await visit.wait_text("#toast > span", "The room has a new title.")


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "The host does not take this title"), ("de", "Der Server nimmt diesen Titel nicht")],
)
@visiting(host=admin)
async def test_what_the_host_says_against_a_title_is_shown(visit: Visit, language: str, words: str) -> None:
    await visit.open()
    if language == "de":
        await visit.page.locator("#language").click()
    visit.host.title_refuse = "A title is 1 to 64 characters on one line."
    await visit.page.locator("#settings").click()
    await visit.page.locator("dialog .key").first.click()
    title = visit.page.locator("dialog .rename .text")
    await title.fill("Left \u202eright")
    await visit.page.keyboard.press("Enter")
    await visit.eventually(lambda: visit.text("dialog .rename .wrong"), f"^{words}")
    assert await title.evaluate("n => n === document.activeElement && n.value") == "Left \u202eright"
    assert await visit.text("#title") == "Studio"


PLACES = """() => ["#count", "#settings", "#more", "#bar", "#members", "#own"].map((selector) => {
  const box = document.querySelector(selector).getBoundingClientRect();
  return [selector, box.y, box.height, selector === "#count" ? 0 : box.x];
})"""


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
@visiting(host=admin)
async def test_whatever_the_title_is_nothing_moves(visit: Visit, width: int) -> None:
    await visit.page.set_viewport_size({"width": width, "height": 740})
    await visit.open()
    before = await visit.page.evaluate(PLACES)
    for title in [*HOSTILE.values(), "\u0127\u0300\u0301\u0302" * 16, LONG]:
        await visit.host.push({"type": "title", "title": title})
        await visit.page.wait_for_function("(t) => document.querySelector('#title').textContent === t", arg=title)
        assert await visit.page.evaluate(PLACES) == before
        assert await visit.page.locator("#title *").count() == 0
        assert title in plain(await visit.page.evaluate("document.title")) or any(c in title for c in "\n\t")
    assert await visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# ---- who comes in, and who does not


@visiting(host=admin)
async def test_mute_new_members(visit: Visit) -> None:
    await visit.open()
    await open_room(visit)
    box = visit.page.get_by_role("checkbox", name="Mute new members")
    await box.check()
    await visit.host.heard({"type": "mute_new", "on": True})
    await visit.host.push({"type": "mute_new", "on": True})
    await visit.host.push({"type": "mute_new", "on": False})
    await visit.page.wait_for_function("() => !document.querySelector('dialog input[type=checkbox]').checked")


def _sent_out(host: MockHost) -> None:
    admin(host)
    host.removed = [{"id": "gus", "name": "Gus Berg", "by": "Lena Brandt"}, {"id": "long", "name": LONG, "by": LONG}]


@visiting(host=_sent_out)
async def test_who_was_sent_out_is_let_in_again(visit: Visit) -> None:
    await visit.open()
    await open_room(visit)
    row = visit.page.locator("dialog li", has_text="Gus Berg")
    assert plain(await row.locator(".second").inner_text()) == "by Lena Brandt"
    await row.get_by_role("button", name="Let in again: Gus Berg").press("Enter")
    await row.get_by_text("May come in again.").wait_for()
    assert [one["id"] for one in visit.host.removed] == ["long"]
    assert await visit.page.evaluate("document.activeElement.textContent") == "May come in again.", (
        "the focus is not lost"
    )
    visit.host.removed = []
    await visit.page.get_by_role("button", name=f"Let in again: {LONG}").click()
    await (
        visit.page.locator("dialog li", has_text=LONG).get_by_text("Somebody has let them in again already.").wait_for()
    )
    await visit.page.keyboard.press("Escape")
    await open_room(visit)
    await visit.page.get_by_text("Nobody was sent out.").wait_for()


@pytest.mark.parametrize("width", [320, 1280])
@visiting(host=_sent_out)
async def test_the_sheet_is_not_wider_than_the_window(visit: Visit, width: int) -> None:
    await visit.page.set_viewport_size({"width": width, "height": 740})
    await visit.open()
    if width < 620:
        await visit.page.locator("#more").click()
        await visit.page.locator("dialog").get_by_text("Settings").click()
    else:
        await visit.page.locator("#settings").click()
    await visit.page.get_by_role("button", name="This room", exact=True).click()
    await visit.page.locator("dialog li", has_text="Gus Berg").wait_for()
    dialog = visit.page.locator("dialog")
    assert await dialog.evaluate("d => d.scrollWidth <= d.clientWidth && d.getBoundingClientRect().right <= innerWidth")
