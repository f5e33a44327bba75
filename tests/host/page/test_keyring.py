"""Links: kept by the browser, out of the address, one for each room; and without storage they work too."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from tests.host.page.mock_host import MockHost, member, token
from tests.host.page.visits import Visit, visiting

if TYPE_CHECKING:
    from playwright.async_api import Page, Route

DENIED = """for (const name of ["localStorage", "sessionStorage"])
  Object.defineProperty(window, name, { get() { throw new DOMException("denied", "SecurityError"); } });"""


def two(host: MockHost) -> None:
    """Studio and Workshop."""
    host.add("workshop", "Workshop", [member("aylin", "Aylin Demir", 6, 11)])


@visiting(host=two)
async def test_a_link_leaves_the_address_and_is_found_again(visit: Visit) -> None:
    await visit.page.goto(visit.host.overview)
    await visit.page.wait_for_selector(".card:nth-child(2)")
    assert await visit.page.evaluate("location.href") == f"http://localhost:{visit.host.port}/"
    await visit.page.reload()
    await visit.page.wait_for_selector(".card:nth-child(2)")
    await visit.page.goto(f"http://localhost:{visit.host.port}/workshop")
    await visit.wait_text("#count", "1 here")
    assert await visit.texts("#rooms-list .name") == ["Studio", "Workshop"]


@visiting(host=two)
async def test_links_add_up(visit: Visit) -> None:
    await visit.page.goto(visit.host.address)
    await visit.wait_text("#count", "5 here")
    assert await visit.texts("#rooms-list .name") == ["Studio"]
    await visit.page.goto(visit.host.others[0].address)
    await visit.wait_text("#title", "Workshop")
    assert await visit.texts("#rooms-list .name") == ["Studio", "Workshop"]


@visiting()
async def test_a_newer_link_takes_the_place_of_the_older(visit: Visit) -> None:
    await visit.page.goto(visit.host.address)
    await visit.wait_text("#count", "5 here")
    visit.host.token = token(name="Somebody else", room="studio")
    visit.host.you = {"id": "else", "name": "Somebody else", "role": "speaker", "kind": "person"}
    await visit.page.evaluate(
        "link => { location.href = link; }", visit.host.address
    )  # only the fragment is another one
    await visit.wait_text("#self-name", "Somebody else")
    await visit.wait_text("#count", "5 here")
    await visit.page.reload()
    await visit.wait_text("#self-name", "Somebody else")


@visiting()
async def test_two_tabs_may_be_two_people(visit: Visit) -> None:
    await visit.page.goto(visit.host.address)
    await visit.wait_text("#count", "5 here")
    first = visit.host.token
    visit.host.token = token(name="Other", room="studio")
    second = await visit.page.context.new_page()
    await second.goto(visit.host.address)
    await second.wait_for_function("document.querySelector('#count').textContent === '5 here'")
    await second.close()
    visit.host.token = first
    await visit.page.reload()
    await visit.wait_text("#count", "5 here")  # the mock takes no other token


@visiting(host=two)
async def test_what_the_host_refuses_is_forgotten(visit: Visit) -> None:
    visit.host.others[0].refuse, visit.host.others[0].reason = 4401, "expired"
    await visit.page.goto(visit.host.overview)
    await visit.wait_text(".card:nth-child(2) b", "This link has expired.")
    assert await visit.page.evaluate("Object.keys(JSON.parse(localStorage['kontor.keys']))") == ["studio"]
    await visit.page.reload()
    await visit.wait_text(".card:nth-child(2) b", "This link has expired.")
    fresh = await visit.page.context.new_page()
    await fresh.goto(f"http://localhost:{visit.host.port}/")
    await fresh.wait_for_function("document.querySelector('#title').textContent === 'Studio'")
    await fresh.close()


@visiting(host=two, script=DENIED)
async def test_without_storage_the_link_stays_in_the_address_and_all_works(visit: Visit) -> None:
    await visit.page.goto(visit.host.overview)
    await visit.page.wait_for_selector(".card:nth-child(2)")
    fragment = visit.host.overview.split("#")[1]
    assert await visit.page.evaluate("location.hash") == f"#{fragment}"
    await visit.page.keyboard.press("2")
    await visit.wait_text("#title", "Workshop")
    assert await visit.page.evaluate("location.pathname + location.hash") == f"/workshop#{fragment}"
    await visit.page.reload()
    await visit.wait_text("#title", "Workshop")
    await visit.page.locator("#language").click()
    await visit.own_is("join")
    assert await visit.text("#own-first") == "Beitreten"
    await visit.own.click()
    await visit.own_is("muted")


@visiting(script="localStorage['kontor.keys'] = '{\"studio\": 5, \"x\": [1]}'; localStorage['kontor'] = '[[['")
async def test_junk_in_the_storage_is_no_key(visit: Visit) -> None:
    await visit.page.goto(visit.host.address)
    await visit.wait_text("#count", "5 here")
    assert await visit.texts("#rooms-list .name") == ["Studio"]


def _signed_in(host: MockHost) -> None:
    two(host)
    host.rooms = [{"id": one.room, "title": one.title, "token": one.token} for one in (host, *host.others)]
    host.named = host.token


@visiting(host=_signed_in)
async def test_whom_a_proxy_names_sees_all_rooms_without_a_link(visit: Visit) -> None:
    await visit.page.goto(f"http://localhost:{visit.host.port}/")
    await visit.page.wait_for_selector(".card:nth-child(2)")
    await visit.wait_text(".card:nth-child(1) .n", "5 here")
    assert await visit.page.evaluate("localStorage['kontor.keys']") is None, "such a token is never kept"


@visiting()
async def test_without_any_link_the_overview_says_what_is_needed(visit: Visit) -> None:
    await visit.page.goto(f"http://localhost:{visit.host.port}/")
    await visit.wait_text(".overview .none", "No room is open here. Open the link that you were given.")


LAUNCHES = """
const setConsumer = (take) => { window.launch = (targetURL) => take({ targetURL }); };
Object.defineProperty(window, "launchQueue", { value: { setConsumer } });
"""
KEPT = "JSON.parse(localStorage['kontor.keys'])"


async def _launch(visit: Visit, link: str) -> None:
    """The system opens a link in the window of the installed page."""
    await visit.page.wait_for_function("() => window.launch")
    await visit.page.evaluate("(link) => launch(link)", link)


@visiting(host=two, script=LAUNCHES)
async def test_a_link_that_is_opened_while_in_a_room_is_kept_and_looked_at(visit: Visit) -> None:
    await visit.page.goto(visit.host.address)
    await visit.wait_text("#count", "5 here")
    await visit.join()
    other = visit.host.others[0]
    await _launch(visit, other.address)
    await visit.wait_text("#title", "Workshop")
    await visit.wait_text("#count", "1 here")
    assert await visit.page.get_attribute("body", "data-stay") == "away"
    assert not visit.host.deleted, "nobody is taken out of a room"
    assert await visit.page.evaluate(KEPT) == {"studio": visit.host.token, "workshop": other.token}
    assert await visit.page.evaluate("location.href") == f"http://localhost:{visit.host.port}/workshop"
    fresh = await visit.page.context.new_page()
    await fresh.goto(f"http://localhost:{visit.host.port}/")
    await fresh.wait_for_selector(".card:nth-child(2)")
    await fresh.close()


@visiting(host=two, script=LAUNCHES)
async def test_a_newer_link_for_another_room_is_used_at_once(visit: Visit) -> None:
    await visit.page.goto(visit.host.overview)
    await visit.page.get_by_role("button", name="Join: Studio").click()
    await visit.own_is("muted")
    other = visit.host.others[0]
    other.token = token(name="Mira as admin", room="workshop")
    other.you = {"id": "mira", "name": "Mira Koch", "role": "admin", "kind": "person"}
    await _launch(visit, other.address)
    await visit.wait_text("#title", "Workshop")
    await visit.page.wait_for_selector("#link:visible")  # which admins have
    assert (await visit.page.evaluate(KEPT))["workshop"] == other.token
    await visit.own_is("muted")


@visiting(host=two, script=LAUNCHES)
async def test_a_newer_link_for_the_room_one_is_in_counts_once_one_has_left(visit: Visit) -> None:
    visit.host.you["role"] = "listener"
    await visit.page.goto(visit.host.address)
    await visit.wait_text("#count", "5 here")
    await visit.own.click()
    await visit.own_is("listening")
    visit.host.token, before = token(name="Mira Koch", room="studio", role="speaker"), visit.host.token
    await _launch(visit, visit.host.address)
    await visit.wait_text(".toast > span", "This link counts once you have left the room.")
    assert await visit.page.evaluate(KEPT) == {"studio": visit.host.token}
    await visit.own_is("listening")
    visit.host.token, newer = before, visit.host.token
    await visit.page.evaluate("dispatchEvent(new Event('offline')), dispatchEvent(new Event('online'))")
    await visit.page.wait_for_timeout(
        300
    )  # its socket comes back with the key that the stay began with: the mock takes no other
    await visit.own_is("listening")
    visit.host.you["role"] = "speaker"
    await visit.page.evaluate("document.getElementById('leave').click()")
    while not visit.host.deleted:
        await asyncio.sleep(0.01)
    visit.host.token = newer
    await visit.own_is("join")
    await visit.own.click()
    await visit.own_is("muted")


@visiting(host=two, script=LAUNCHES)
async def test_a_link_for_several_rooms_leads_to_the_overview_and_the_app_alone_nowhere(visit: Visit) -> None:
    host = visit.host
    await visit.page.goto(host.address)
    await visit.wait_text("#count", "5 here")
    await visit.join()
    await _launch(visit, f"http://localhost:{host.port}/")
    await visit.page.wait_for_timeout(200)
    assert await visit.page.evaluate("location.pathname") == "/studio", "somebody pressed on its picture, no more"
    await _launch(visit, host.overview)
    await visit.wait_text(".card:nth-child(2) .n", "1 here")
    assert await visit.page.get_attribute("body", "data-stay") == "away"


def _three(host: MockHost) -> None:
    two(host)
    host.add("kitchen", "Kitchen", [])


@pytest.mark.parametrize(
    ("language", "name", "question", "sure", "done"),
    [
        ("en", "Forget this room: Workshop", "Forget this room?", "Forget", "Workshop is forgotten."),
        ("de", "Raum vergessen: Workshop", "Diesen Raum vergessen?", "Vergessen", "Workshop ist vergessen."),
    ],
)
@visiting(host=_three)
async def test_a_room_is_forgotten_by_keyboard(
    visit: Visit, language: str, name: str, question: str, sure: str, done: str
) -> None:
    await visit.page.goto(visit.host.overview)
    await visit.wait_text(".card:nth-child(2) .n", "1 here")
    if language == "de":
        await visit.page.locator("#language").click()
    press = visit.page.get_by_role("button", name=name)
    assert await press.evaluate("b => getComputedStyle(b).opacity") == "0", "at rest a card is as it is drawn"
    await visit.page.locator(".card:nth-child(2) .card-foot .key").focus()
    await visit.page.keyboard.press("Tab")
    assert await press.evaluate("b => b === document.activeElement && getComputedStyle(b).opacity") == "1"
    await visit.page.keyboard.press("Enter")
    sheet = visit.page.get_by_role("dialog", name=question)
    await visit.page.keyboard.press("Escape")
    assert await sheet.count() == 0
    assert await visit.page.evaluate("Object.keys(" + KEPT + ")") == ["studio", "workshop", "kitchen"], (
        "Esc forgets nothing"
    )
    await visit.page.keyboard.press("Enter")
    assert "Workshop" in await sheet.inner_text()
    await sheet.get_by_role("button", name=sure).focus()
    await visit.page.keyboard.press("Enter")
    await visit.wait_text(".toast > span", done.replace("Workshop", "\u2068Workshop\u2069"))
    assert await visit.texts(".card h2") == ["Studio", "Kitchen"]
    assert await visit.page.locator("#rooms-list .name").all_text_contents() == ["Studio", "Kitchen"]
    for where in ("localStorage", "sessionStorage"):
        assert await visit.page.evaluate(f"Object.keys(JSON.parse({where}['kontor.keys']))") == ["studio", "kitchen"]
    assert await visit.page.evaluate("document.activeElement.id") == "page", "the focus is not lost"
    while visit.host.others[0]._sockets:  # it is watched no more
        await asyncio.sleep(0.01)
    await visit.page.reload()
    await visit.wait_text(".card:nth-child(2) .n", "Leer" if language == "de" else "Empty")
    assert await visit.texts(".card h2") == ["Studio", "Kitchen"]


@visiting(host=two)
async def test_the_room_one_is_in_is_not_forgotten(visit: Visit) -> None:
    await visit.page.goto(visit.host.overview)
    await visit.page.get_by_role("button", name="Join: Studio").click()
    await visit.own_is("muted")
    await visit.page.go_back()
    await visit.wait_text(".card:nth-child(1) .also", "You are in this room.")
    assert await visit.page.locator(".card:nth-child(1) .forget").is_hidden()
    assert await visit.page.locator(".card:nth-child(2) .forget").is_visible()
    await visit.page.locator(".card:nth-child(1) h2 a").click()
    await visit.page.get_by_role("button", name="Settings").click()
    sheet = visit.page.get_by_role("dialog", name="Settings")
    await sheet.get_by_role("button", name="Keyboard").wait_for()
    assert await sheet.get_by_role("button", name="Forget this room").count() == 0
    await visit.page.keyboard.press("Escape")
    await visit.page.evaluate("document.getElementById('leave').click()")
    await visit.own_is("join")
    await visit.page.get_by_role("button", name="Settings").click()
    await sheet.get_by_role("button", name="Forget this room").click()
    await visit.page.get_by_role("dialog", name="Forget this room?").get_by_role("button", name="Cancel").click()
    assert await visit.page.evaluate("Object.keys(" + KEPT + ")") == ["studio", "workshop"]


@visiting()
async def test_the_only_room_is_forgotten_from_its_settings(visit: Visit) -> None:
    await visit.page.goto(visit.host.address)
    await visit.wait_text("#count", "5 here")
    await visit.page.get_by_role("button", name="Settings").click()
    await visit.page.get_by_role("button", name="Forget this room").click()
    await visit.page.get_by_role("dialog").get_by_role("button", name="Forget", exact=True).click()
    await visit.wait_text(".overview .none", "No room is open here. Open the link that you were given.")
    assert await visit.page.evaluate(
        "[localStorage['kontor.keys'], sessionStorage['kontor.keys'], location.pathname]"
    ) == ["{}", "{}", "/"]
    assert await visit.page.get_attribute("body", "data-dock") == "none", "nothing of it is left to press"
    await visit.page.evaluate("link => { location.href = link; }", visit.host.address)
    await visit.wait_text("#count", "5 here")


@visiting(host=two, script=DENIED)
async def test_where_nothing_is_stored_the_address_forgets(visit: Visit) -> None:
    await visit.page.goto(visit.host.overview)
    await visit.wait_text(".card:nth-child(2) .n", "1 here")
    await visit.page.locator(".card:nth-child(2)").hover()
    await visit.page.get_by_role("button", name="Forget this room: Workshop").click()
    await visit.page.get_by_role("dialog").get_by_role("button", name="Forget", exact=True).click()
    await visit.page.wait_for_selector(".card:nth-child(2)", state="detached")
    await visit.page.reload()
    await visit.wait_text("#title", "Studio")
    assert await visit.page.locator("#rooms-list .name").all_text_contents() == ["Studio"]


@visiting(host=_signed_in)
async def test_what_a_proxy_lets_in_cannot_be_forgotten(visit: Visit) -> None:
    await visit.page.goto(f"http://localhost:{visit.host.port}/")
    await visit.wait_text(".card:nth-child(1) .n", "5 here")
    assert await visit.page.locator(".card .forget:visible").count() == 0


@visiting(host=two, has_touch=True, is_mobile=True, width=360, height=740)
async def test_where_nothing_hovers_the_key_is_always_in_sight(visit: Visit) -> None:
    await visit.page.goto(visit.host.overview)
    await visit.wait_text(".card:nth-child(2) .n", "1 here")
    press = visit.page.get_by_role("button", name="Forget this room: Workshop")
    assert await press.evaluate("b => getComputedStyle(b).opacity") == "1"
    box = await press.bounding_box()
    assert box is not None and min(box["width"], box["height"]) >= 44
    await press.tap()
    await visit.page.get_by_role("dialog", name="Forget this room?").wait_for()


async def _cut(route: "Route") -> None:
    """No network."""
    await route.abort()


async def _away(route: "Route") -> None:
    """A proxy whose host is away."""
    await route.fulfill(status=502, body="Bad gateway")


async def _another(route: "Route") -> None:
    """Somebody who is not the host: a café's sign-in page."""
    await route.fulfill(status=200, content_type="text/html", body="<p>Welcome")


UNREACHED = "The server cannot be reached. Trying again by itself."


@pytest.mark.parametrize("answer", [_cut, _away, _another])
@visiting()
async def test_only_the_host_may_say_that_no_room_is_open(
    visit: Visit, answer: Callable[["Route"], Awaitable[None]]
) -> None:
    await visit.page.route("**/rooms", answer)
    await visit.page.goto(f"http://localhost:{visit.host.port}/")
    await visit.wait_text(".overview .none", UNREACHED)
    await visit.page.locator("#language").click()
    await visit.wait_text(".overview .none", "Der Server ist nicht zu erreichen. Es geht von selbst weiter.")
    await visit.page.locator("#language").click()
    await visit.page.unroute("**/rooms")
    await visit.wait_text(".overview .none", "No room is open here. Open the link that you were given.")


@visiting(host=_signed_in)
async def test_a_host_that_was_away_shows_its_rooms_once_it_is_there(visit: Visit) -> None:
    await visit.page.route("**/rooms", _away)
    await visit.page.goto(f"http://localhost:{visit.host.port}/")
    await visit.wait_text(".overview .none", UNREACHED)
    assert await visit.page.locator(".overview .none").get_attribute("role") == "status", "readers are told"
    await visit.page.unroute("**/rooms")
    await visit.page.wait_for_selector(".card:nth-child(2)")
    assert not await visit.page.locator(".overview .none").is_visible()


@visiting(host=_signed_in)
async def test_a_link_to_a_room_is_not_called_invalid_while_the_host_is_away(visit: Visit) -> None:
    await visit.page.route("**/token", _away)
    await visit.page.goto(f"http://localhost:{visit.host.port}/studio")
    await visit.wait_text(".notice b", "No network.")
    await visit.page.unroute("**/token")
    await visit.wait_text("#count", "5 here")
    await visit.page.wait_for_selector(".notice", state="hidden")


async def _another_tab(visit: Visit) -> "Page":
    tab = await visit.page.context.new_page()
    await tab.goto(f"http://localhost:{visit.host.port}/")
    await tab.locator(".card").nth(2).wait_for()
    return tab


@visiting(host=_three)
async def test_what_is_forgotten_in_one_tab_is_forgotten_in_all(visit: Visit) -> None:
    await visit.page.goto(visit.host.overview)
    await visit.page.locator(".card").nth(2).wait_for()
    tab = await _another_tab(visit)
    await tab.locator(".card h2 a").nth(1).click()
    await tab.wait_for_function("() => document.querySelector('#title').textContent === 'Workshop'")
    await visit.page.locator(".card:nth-child(2)").hover()
    await visit.page.get_by_role("button", name="Forget this room: Workshop").click()
    await visit.page.get_by_role("dialog").get_by_role("button", name="Forget", exact=True).click()
    await tab.locator(".card").nth(1).wait_for()
    assert await tab.locator(".card h2").all_inner_texts() == ["Studio", "Kitchen"]
    assert await tab.evaluate("Object.keys(JSON.parse(sessionStorage['kontor.keys']))") == ["studio", "kitchen"]
    assert await visit.page.evaluate("localStorage['kontor.forgotten']") is None, "no key stays behind"
    await tab.reload()
    await tab.locator(".card").nth(1).wait_for()
    assert await tab.locator(".card h2").all_inner_texts() == ["Studio", "Kitchen"]


async def _forgotten_elsewhere(visit: Visit) -> "Page":
    """We are in a room that another tab, which is given back, has forgotten."""
    await visit.page.goto(visit.host.overview)
    await visit.page.get_by_role("button", name="Join: Studio").click()
    await visit.own_is("muted")
    tab = await _another_tab(visit)
    await tab.locator(".card:nth-child(1)").hover()
    await tab.get_by_role("button", name="Forget this room: Studio").click()
    await tab.get_by_role("dialog").get_by_role("button", name="Forget", exact=True).click()
    await tab.wait_for_selector(".card:nth-child(3)", state="detached")
    return tab


@visiting(host=_three)
async def test_a_tab_that_is_in_the_room_forgets_it_once_it_has_left(visit: Visit) -> None:
    await _forgotten_elsewhere(visit)
    await visit.page.wait_for_timeout(300)
    assert await visit.text("#title") == "Studio"
    await visit.own_is("muted")
    await visit.page.evaluate("document.getElementById('leave').click()")
    await visit.page.locator(".card").nth(1).wait_for()
    assert await visit.texts(".card h2") == ["Workshop", "Kitchen"]


@visiting(host=_three)
async def test_a_tab_with_another_key_keeps_that(visit: Visit) -> None:
    await visit.page.goto(visit.host.overview)
    await visit.page.locator(".card").nth(2).wait_for()
    first = visit.host.others[0].token
    visit.host.others[0].token = token(name="Other", room="workshop")
    tab = await visit.page.context.new_page()
    await tab.goto(visit.host.overview)
    await tab.locator(".card:nth-child(2) .n", has_text="1 here").wait_for()
    await visit.page.evaluate(
        "key => { localStorage.setItem('kontor.forgotten', key); localStorage.removeItem('kontor.forgotten'); }", first
    )
    await tab.wait_for_timeout(500)
    assert await tab.locator(".card").count() == 3


@pytest.mark.parametrize("where", ["in a new tab", "in the tab that is in the room"])
@visiting(host=_three, script=LAUNCHES)
async def test_a_newer_key_outlives_a_forgotten_one(visit: Visit, where: str) -> None:
    tab = await _forgotten_elsewhere(visit)
    newer = visit.host.token = token(name="Newer")
    if where == "in a new tab":
        await tab.goto(visit.host.address)
    else:
        await _launch(visit, visit.host.address)
    await visit.page.evaluate("document.getElementById('leave').click()")
    await visit.page.wait_for_function("() => !document.body.dataset.stay")
    await visit.page.wait_for_timeout(300)
    assert (await visit.page.evaluate(KEPT))["studio"] == newer
