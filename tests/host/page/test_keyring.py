"""Links: kept by the browser, out of the address, one for each room; and without storage they work too."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from tests.host.page.mock_host import MockHost, member, token
from tests.host.page.visits import Visit, visiting

if TYPE_CHECKING:
    from playwright.async_api import Route

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
