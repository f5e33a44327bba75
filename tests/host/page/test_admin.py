"""What an admin does in the room: links with their QR code, its title, mute new members, who was sent out, who asks to speak."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.host.page.mock_host import MockHost, member
from tests.host.page.test_menu import HOSTILE, LONG
from tests.host.page.visits import Visit, visiting
from tests.support import need

ASKS = "#dock .asks"


def _admin(host: MockHost) -> None:
    host.you["role"] = "admin"


def plain(text: str) -> str:
    """Without the signs that keep a name's direction to itself."""
    return re.sub("[\u2068\u2069]", "", text)


async def open_room(visit: Visit) -> None:
    """Open the sheet of the room."""
    await visit.page.locator("#settings").click()
    await visit.page.get_by_role("button", name="This room").click()
    await visit.page.get_by_role("dialog", name="This room").wait_for()


async def open_link(visit: Visit, name: str = "Sam Okafor") -> None:
    """Open the sheet of links, and write a name."""
    await visit.page.locator("#link").click()
    await visit.page.get_by_role("textbox", name="Name of whoever it is for").fill(name)


async def make(visit: Visit) -> str:
    """Make the link; its text."""
    await visit.page.keyboard.press("Enter")
    await visit.page.get_by_role("button", name="Copy").wait_for()
    return await visit.page.get_by_role("dialog").get_by_role("textbox").input_value()


# ---- links


@visiting()
async def test_whoever_is_no_admin_is_offered_none_of_it(visit: Visit) -> None:
    await visit.open()
    assert not await visit.page.locator("#link").is_visible()
    await visit.page.locator("#settings").click()
    await visit.page.get_by_role("dialog", name="Settings").wait_for()
    assert await visit.page.get_by_role("button", name="This room").count() == 0


@visiting(host=_admin)
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


@visiting(host=_admin)
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


@visiting(host=_admin, script=NO_CLIPBOARD)
async def test_without_encryption_the_old_way_of_copying_is_taken(visit: Visit) -> None:
    await visit.open()
    await open_link(visit)
    await visit.page.keyboard.press("Enter")
    await visit.page.get_by_role("button", name="Copy").click()
    await visit.wait_text("#toast > span", "Link copied.")


@visiting(host=_admin, script=NO_CLIPBOARD + "document.execCommand = () => false;")
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
@visiting(host=_admin, device_scale_factor=2)
async def test_a_camera_reads_the_link_from_the_screen(visit: Visit, theme: str, tmp_path: Path) -> None:
    await visit.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    await visit.open()
    await open_link(visit)
    link = await make(visit)
    (tmp_path / "code.png").write_bytes(await visit.page.locator("dialog").screenshot(caret="initial"))
    assert read_code(tmp_path / "code.png") == link


@visiting(host=_admin)
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


@visiting(host=_admin)
async def test_a_link_sheet_whose_style_does_not_come_says_so_and_can_be_tried_again(visit: Visit) -> None:
    await visit.open()
    await visit.page.route("**/admin.css*", lambda route: route.abort())
    await visit.page.click("#link")
    await visit.wait_text(".toast > span", "This part of the page did not come. Try again.")
    await visit.page.unroute("**/admin.css*")
    await visit.page.click("#link")
    await visit.page.locator("dialog").get_by_text("Make a link").wait_for()
    visit.complaints.clear()  # it is told in the console too


@visiting(host=_admin)
async def test_more_on_a_phone_is_gone_once_something_of_it_was_chosen(visit: Visit) -> None:
    await visit.page.set_viewport_size({"width": 360, "height": 740})
    await visit.open()
    await visit.page.click("#more")
    await visit.page.locator("dialog").get_by_text("Knock").click()
    await visit.host.heard({"type": "knock"})
    await visit.page.wait_for_selector("dialog", state="detached")
    assert await visit.page.evaluate("document.activeElement.id") == "more"


# ---- the title


@visiting(host=_admin)
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
@visiting(host=_admin)
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
@visiting(host=_admin)
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


@visiting(host=_admin)
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
    _admin(host)
    host.removed = [{"id": "gus", "name": "Gus Berg", "by": "Lena Brandt"}, {"id": "long", "name": LONG, "by": LONG}]


@visiting(host=_sent_out)
async def test_who_was_sent_out_is_let_in_again(visit: Visit) -> None:
    await visit.open()
    await open_room(visit)
    row = visit.page.locator("dialog li", has_text="Gus Berg")
    assert plain(await row.locator(".second").inner_text()) == "by Lena Brandt"
    await row.get_by_role("button", name="Let Gus Berg in again").press("Enter")
    await row.get_by_text("May come in again.").wait_for()
    assert [one["id"] for one in visit.host.removed] == ["long"]
    assert await visit.page.evaluate("document.activeElement.textContent") == "May come in again.", (
        "the focus is not lost"
    )
    visit.host.removed = []
    await visit.page.get_by_role("button", name=f"Let {LONG} in again").click()
    await visit.page.locator("dialog li", has_text=LONG).get_by_text("Nobody with this id was sent out.").wait_for()
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
    await visit.page.get_by_role("button", name="This room").click()
    await visit.page.locator("dialog li", has_text="Gus Berg").wait_for()
    dialog = visit.page.locator("dialog")
    assert await dialog.evaluate("d => d.scrollWidth <= d.clientWidth && d.getBoundingClientRect().right <= innerWidth")


# ---- who asks


def _guests(role: str) -> Callable[[MockHost], None]:
    def prepare(host: MockHost) -> None:
        host.you["role"] = role
        host.members += [
            member("gus", "Gus Berg", 3, 3, role="guest", state="muted", muted=True),
            member("pia", "Pia Lund", 6, 5, role="guest", state="muted", muted=True),
        ]

    return prepare


async def asked(visit: Visit, words: str) -> None:
    await visit.eventually(lambda: visit.text(f"{ASKS} b"), f"^\u2068{words}$".replace("@", "\u2069"))


@visiting(host=_guests("speaker"))
async def test_a_guest_who_knocks_is_let_in_from_the_notice(visit: Visit) -> None:
    await visit.open()
    await visit.host.push({"type": "knock", "by": {"id": "gus", "name": "Gus Berg"}})
    await asked(visit, "Gus Berg@ knocks")
    assert plain(await visit.text("#status")) == "Gus Berg knocks"
    assert await visit.text(f"{ASKS} .second") == "Guest, listening"
    assert not await visit.page.locator("#toast").is_visible(), "once is enough"
    await visit.page.locator(ASKS).get_by_role("button", name="Admit").press("Enter")
    await visit.host.heard({"type": "admit", "member": "gus"})
    assert not await visit.page.locator(ASKS).is_visible()
    assert await visit.page.evaluate("document.activeElement.id") == "own", "the focus is not lost"


@visiting(host=_guests("speaker"))
async def test_a_guest_who_knocks_at_the_door_is_asked_about_once_inside(visit: Visit) -> None:
    await visit.open()
    await visit.host.push({"type": "knock", "by": {"id": "sam", "name": "Sam Okafor"}})
    await visit.eventually(lambda: visit.text("#toast > span"), "Sam Okafor")
    assert not await visit.page.locator(ASKS).is_visible()
    await visit.page.keyboard.press("Escape")
    sam = member("sam", "Sam Okafor", 1, 1, role="guest", muted=True, state="muted")
    await visit.host.push({"type": "member", "member": sam})
    await asked(visit, "Sam Okafor@ knocks")
    await visit.host.push({"type": "left", "id": "sam"})
    await visit.page.locator(ASKS).wait_for(state="hidden")


@visiting(host=_guests("speaker"))
async def test_hands_of_guests_are_asked_about_one_after_the_other(visit: Visit) -> None:
    await visit.open()
    await visit.host.change("ben", hand=True, state="hand")
    await visit.host.change("gus", hand=True, state="hand")
    await asked(visit, "Gus Berg@ wants to speak")
    await visit.host.change("pia", hand=True, state="hand")
    await visit.eventually(lambda: visit.text(f"{ASKS} .second"), "and 1 more")
    assert plain(await visit.text(f"{ASKS} b")) == "Gus Berg wants to speak", "the key does not become another's"
    await visit.page.locator(ASKS).get_by_role("button", name="Not now").click()
    await asked(visit, "Pia Lund@ wants to speak")
    await visit.host.change("pia", hand=False, state="muted")
    await visit.page.locator(ASKS).wait_for(state="hidden")
    await visit.host.change("gus", hand=False, state="muted")
    await visit.host.change("gus", hand=True, state="hand")
    await asked(visit, "Gus Berg@ wants to speak")
    await visit.host.change("gus", hand=False, role="speaker", state="muted")
    await visit.page.locator(ASKS).wait_for(state="hidden")


@visiting(host=_guests("admin"))
async def test_an_admin_answers_whom_an_admin_muted(visit: Visit) -> None:
    await visit.open()
    await visit.host.change("ben", hand=True, admin_muted=True, state="admin_muted")
    await asked(visit, "Ben Adeyemi@ wants to speak")
    assert await visit.text(f"{ASKS} .second") == "Muted by admin"
    await visit.page.locator(ASKS).get_by_role("button", name="Allow to speak").click()
    await visit.host.heard({"type": "unmute", "member": "ben"})


@visiting(host=_guests("listener"))
async def test_whoever_may_let_nobody_in_is_not_asked(visit: Visit) -> None:
    await visit.open()
    await visit.host.change("gus", hand=True, state="hand")
    await visit.host.push({"type": "knock", "by": {"id": "gus", "name": "Gus Berg"}})
    await visit.eventually(lambda: visit.text("#toast > span"), "Gus Berg")
    assert not await visit.page.locator(ASKS).is_visible()


JUMPING = "const real = performance.now.bind(performance); performance.now = () => real() + (window.jumped ?? 0);"


@visiting(host=_guests("speaker"), script=JUMPING)
async def test_a_knock_is_over_after_a_minute(visit: Visit) -> None:
    await visit.open()
    await visit.host.push({"type": "knock", "by": {"id": "gus", "name": "Gus Berg"}})
    await asked(visit, "Gus Berg@ knocks")
    await visit.page.evaluate("window.jumped = 61_000")
    await visit.host.change("ben", muted=True, state="muted")
    await visit.page.locator(ASKS).wait_for(state="hidden")


def _strangers(host: MockHost) -> None:
    host.members = [member(who, name, 2, 4, role="guest", muted=True, state="muted") for who, name in HOSTILE.items()]


@pytest.mark.parametrize("width", [320, 1280])
@visiting(host=_strangers)
async def test_bad_names_that_ask_are_text_and_move_nothing(visit: Visit, width: int) -> None:
    await visit.page.set_viewport_size({"width": width, "height": 740})
    await visit.open()
    for who in HOSTILE:
        await visit.host.change(who, hand=True, state="hand")
        await visit.page.locator(ASKS).wait_for()
        box = await visit.page.locator(ASKS).bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= width and box["y"] > 0
        assert await visit.page.locator(f"{ASKS} :is(img, b b)").count() == 0
        await visit.host.change(who, hand=False, state="muted")
        await visit.page.locator(ASKS).wait_for(state="hidden")
    assert await visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await visit.shifts() == []
