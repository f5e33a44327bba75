"""Several rooms: the strip, going from one to another, and being in one while looking at another."""

import asyncio

import pytest

from tests.host.page.mock_host import MockHost, member, site
from tests.host.page.visits import Visit, visiting


def two(host: MockHost) -> None:
    """Studio and Workshop."""
    host.add("workshop", "Workshop", [member("aylin", "Aylin Demir", 6, 11), member("jonas", "Jonas Weber", 3, 5)])


async def open_studio(visit: Visit) -> None:
    """Open the studio with the keys of all rooms."""
    keys = visit.host.overview.split("#")[1]
    await visit.page.goto(f"http://localhost:{visit.host.port}/studio#{keys}")
    await visit.wait_text("#rooms-list li:nth-child(2) .n", str(len(visit.host.others[0].members)))


@visiting(host=two)
async def test_the_strip_shows_every_room_and_how_loud_it_is(visit: Visit) -> None:
    await open_studio(visit)
    assert await visit.texts("#rooms-list .name") == ["Studio", "Workshop"]
    assert await visit.texts("#rooms-list .n") == ["5", "2"]
    assert await visit.page.locator("#rooms-list .meter:visible").count() == 0, "nobody speaks"
    await visit.host.others[0].speak(aylin=-24)
    await visit.page.wait_for_selector('#rooms-list li:nth-child(2) .meter[data-n="3"]')
    assert await visit.page.locator("#rooms-list .meter:visible").count() == 1
    links = visit.page.get_by_role("navigation", name="Rooms").get_by_role("link")
    assert await links.evaluate_all("all => all.map((a) => a.ariaLabel)") == ["Studio, 5 here", "Workshop, 2 here"]
    assert await visit.page.locator("#rooms-list [aria-current]").count() == 1
    assert await visit.texts("#bar .name") == ["Hamburg", "", ""], "the bar is of the room that is looked at"


@visiting(host=two)
async def test_numbers_go_to_a_room_without_joining_it(visit: Visit) -> None:
    await open_studio(visit)
    await visit.page.keyboard.press("2")
    await visit.wait_text("#title", "Workshop")
    assert await visit.page.evaluate("[location.pathname, document.activeElement.id]") == ["/workshop", "title"]
    assert await visit.texts("#members .words bdi") == ["Aylin Demir", "Jonas Weber"]
    await visit.own_is("join")
    await visit.page.keyboard.press("7")
    assert await visit.text("#title") == "Workshop", "there is no seventh"
    await visit.page.go_back()
    await visit.wait_text("#title", "Studio")
    assert await visit.page.title() == "\u2068Studio\u2069 · Kontor"


@visiting(host=two)
async def test_in_one_room_and_looking_at_another(visit: Visit) -> None:
    await open_studio(visit)
    await visit.join()
    await visit.own.click()
    await visit.own_is("live")
    await visit.page.keyboard.press("2")
    await visit.wait_text("#title", "Workshop")
    assert await visit.page.locator("#dock").get_attribute("data-own") == "live", "looking changes nothing"
    assert await visit.packets_within(0.4) > 5
    assert await visit.page.locator("#away").inner_text() == "In the room:\nStudio\nJoin here"
    assert not visit.host.deleted
    await visit.page.keyboard.press("m")
    await visit.own_is("muted")
    await visit.host.heard({"type": "muted", "muted": True})
    await visit.page.locator("#away-back").click()
    await visit.wait_text("#title", "Studio")
    assert not await visit.page.locator("#away").is_visible()


@visiting(host=two)
async def test_joining_another_room_leaves_the_first(visit: Visit) -> None:
    await open_studio(visit)
    await visit.join()
    await visit.own.click()
    await visit.own_is("live")
    await visit.page.keyboard.press("2")
    await visit.page.get_by_role("button", name="Join here").click()
    await visit.own_is("muted")
    assert visit.host.deleted == ["1"], "left the first"
    assert "mira" in [m["id"] for m in visit.host.others[0].members]
    assert "mira" not in [m["id"] for m in visit.host.members]
    assert await visit.packets_within(0.4) == 0, "whoever joins is muted"
    assert not await visit.page.locator("#away").is_visible()
    await visit.page.wait_for_timeout(650)
    await visit.own.click()
    await visit.own_is("live")
    await visit.host.others[0].heard({"type": "muted", "muted": False}, visit.host.others[0].received)


@visiting(host=two)
async def test_leaving_from_elsewhere_leaves_the_room_one_is_in(visit: Visit) -> None:
    await open_studio(visit)
    await visit.join()
    await visit.page.keyboard.press("2")
    await visit.wait_text("#title", "Workshop")
    await visit.page.locator("#leave").click()
    await visit.own_is("join")
    assert visit.host.deleted == ["1"]
    await visit.own.click()
    await visit.own_is("muted")
    assert "mira" in [m["id"] for m in visit.host.others[0].members], "the key is now that of the room looked at"


@visiting(host=two)
async def test_being_muted_by_an_admin_while_looking_elsewhere(visit: Visit) -> None:
    await open_studio(visit)
    await visit.join()
    await visit.own.click()
    await visit.own_is("live")
    await visit.page.keyboard.press("2")
    await visit.wait_text("#title", "Workshop")
    await visit.host.push({"type": "muted_by_admin", "by": {"id": "lena", "name": "Lena"}})
    await visit.own_is("adminMuted")
    assert await visit.packets_within(0.4) == 0
    await visit.host.others[0].push({"type": "muted_by_admin", "by": {"id": "x", "name": "X"}})


@visiting(host=two)
async def test_a_message_of_the_other_room_never_touches_the_own_microphone(visit: Visit) -> None:
    await open_studio(visit)
    await visit.join()
    await visit.own.click()
    await visit.own_is("live")
    other = visit.host.others[0]
    own = member("mira", "Mira Koch", 0, 6, admin_muted=True, muted=True, state="admin_muted", hand=True)
    await other.push({"type": "muted_by_admin", "by": {"id": "x", "name": "X"}}, {"type": "member", "member": own})
    await other.push({"type": "slots", "slots": ["aylin", None, None]})
    await visit.wait_text("#rooms-list li:nth-child(2) .n", "3")
    assert await visit.page.locator("#dock").get_attribute("data-own") == "live"
    await other.close(4410, "removed")
    await visit.wait_text("#rooms-list li:nth-child(2) .n", "")
    assert await visit.page.locator("#dock").get_attribute("data-own") == "live"
    assert await visit.packets_within(0.4) > 5


@visiting(host=two)
async def test_the_room_one_is_in_ends_while_looking_elsewhere(visit: Visit) -> None:
    await open_studio(visit)
    await visit.join()
    await visit.page.keyboard.press("2")
    await visit.wait_text("#title", "Workshop")
    await visit.host.close(4410, "removed")
    await visit.wait_text(".toast > span", "\u2068Studio\u2069: You were removed from this room.")
    await visit.own_is("join")
    assert await visit.texts("#members .words bdi") == ["Aylin Demir", "Jonas Weber"], "this room goes on"


@visiting(host=two)
async def test_taking_a_room_here_while_in_another_one_leaves_that(visit: Visit) -> None:
    await open_studio(visit)
    await visit.join()
    await visit.page.keyboard.press("2")
    await visit.wait_text("#title", "Workshop")
    await visit.host.others[0].close(4409)
    await visit.page.get_by_role("button", name="Take it here").click()
    await visit.page.wait_for_selector("body[data-stay=here]")
    await visit.own_is("muted")
    assert await visit.text("#title") == "Workshop"
    assert visit.host.deleted == ["1"], "one is in one room"


@visiting(host=two, width=768, height=1024)
async def test_rooms_are_in_a_menu_at_the_title_where_there_is_less_space(visit: Visit) -> None:
    await open_studio(visit)
    assert not await visit.page.locator("#rooms").is_visible()
    await visit.page.get_by_role("button", name="Rooms").click()
    await visit.page.locator("#rooms").get_by_role("link", name="Workshop, 2 here").click()
    await visit.wait_text("#title", "Workshop")
    assert not await visit.page.locator("#rooms").is_visible(), "it closes behind one"


@visiting(host=two, width=360, height=740)
async def test_on_a_phone_back_leads_to_the_overview(visit: Visit) -> None:
    await open_studio(visit)
    await visit.page.locator("#room .back").click()
    await visit.page.wait_for_selector(".card:nth-child(2)")
    assert await visit.page.locator("#place-devices").is_visible()
    await visit.page.get_by_role("link", name="Workshop").click()
    await visit.wait_text("#title", "Workshop")
    await visit.page.get_by_role("button", name="More").click()
    await visit.page.get_by_role("dialog", name="More").get_by_role("button", name="Knock").click()
    other = visit.host.others[0]
    await other.heard({"type": "knock"}, other.received)


@visiting()
async def test_with_one_room_there_is_no_overview_to_go_through(visit: Visit) -> None:
    await visit.page.goto(visit.host.address.replace("/studio#", "/#"))
    await visit.wait_text("#title", "Studio")
    await visit.wait_text("#count", "5 here")
    await visit.page.locator("#place-rooms").click()
    await visit.wait_text("#title", "Studio")
    assert await visit.page.locator("#place-rooms").get_attribute("aria-current") == "page"


@visiting(host=two)
async def test_a_new_title_moves_nothing(visit: Visit) -> None:
    await open_studio(visit)
    await visit.page.wait_for_timeout(600)
    await visit.host.push({"type": "title", "title": "A studio with a longer name"})
    await visit.wait_text("#title", "A studio with a longer name")
    await visit.wait_text("#rooms-list .name", "A studio with a longer name")
    await visit.page.wait_for_timeout(300)
    assert await visit.shifts() == []
    assert await visit.text("#count") == "5 here"


def _two_devices(host: MockHost) -> None:
    host.add("workshop", "Workshop", [member("wd", "W" * 64, 6, 11, kind="site", site=site("closed", ("switch",)))])


@visiting(host=_two_devices)
async def test_each_room_has_its_own_device(visit: Visit) -> None:
    await open_studio(visit)
    assert await visit.text("#device-key") == "Mute the device"
    await visit.page.keyboard.press("2")
    await visit.wait_text("#device-key", "Ask the room to unmute")
    await visit.page.locator("#device-key").click()
    other = visit.host.others[0]
    await other.heard({"type": "ask_unmute", "member": "wd"}, other.received)
    title = await visit.page.locator("#device-title").bounding_box()
    assert title is not None
    assert title["height"] <= 20, "a name of 64 characters moves nothing"


@pytest.mark.parametrize("path", ["/devices", "/devices/hamburg"])
@visiting(host=two)
async def test_the_devices_place_has_an_address(visit: Visit, path: str) -> None:
    await open_studio(visit)
    await visit.page.evaluate(
        "path => { const a = document.getElementById('place-devices'); a.href = path; a.click(); }", path
    )
    await visit.page.wait_for_selector('body[data-view="devices"] #page > *')
    assert await visit.page.evaluate("location.pathname") == path
    assert await visit.page.locator("#place-devices").get_attribute("aria-current") == "page"
    await visit.page.go_back()
    await visit.wait_text("#title", "Studio")


@visiting(host=two, script="")
async def test_a_part_that_does_not_come_is_said_and_can_be_tried_again(visit: Visit) -> None:
    await open_studio(visit)
    await visit.page.route("**/page/overview.js*", lambda route: route.abort())
    await visit.page.locator("#place-rooms").click()
    await visit.wait_text(".toast > span", "This part of the page did not come. Try again.")
    await visit.page.unroute("**/page/overview.js*")
    await visit.page.locator("#place-rooms").click()
    await visit.page.wait_for_selector(".card:nth-child(2)")
    visit.complaints.clear()  # it is told in the console too


@visiting(host=two)
async def test_leaving_while_it_connects_leaves_nobody_behind(visit: Visit) -> None:
    await open_studio(visit)
    answer = visit.host.answer
    assert answer
    asked, left = asyncio.Event(), asyncio.Event()

    async def late(offer: str) -> str:
        asked.set()
        await left.wait()
        return await answer(offer)

    visit.host.answer = late
    await visit.own.click()
    await asyncio.wait_for(asked.wait(), 10)
    await visit.page.click("#leave")
    await visit.own_is("join")
    left.set()
    async with asyncio.timeout(10):
        while visit.host.deleted != ["1"]:
            await asyncio.sleep(0.05)


def listener_of_the_first(host: MockHost) -> None:
    """A listener in the studio, a speaker in the workshop."""
    two(host)
    host.you["role"] = "listener"


@visiting(host=listener_of_the_first)
async def test_a_stay_that_ends_while_one_looks_elsewhere_leaves_the_key_of_that_room(visit: Visit) -> None:
    await open_studio(visit)
    await visit.own.click()
    await visit.own_is("listening")
    await visit.page.keyboard.press("2")
    await visit.wait_text("#title", "Workshop")
    await visit.host.close(4404)
    await visit.own_is("join")
    await visit.own.click()
    await visit.own_is("muted")
    assert await visit.page.get_attribute("body", "data-stay") == "here", "in the workshop, not in the studio again"


@visiting(host=two)
async def test_what_was_counted_in_one_room_does_not_stand_in_another(visit: Visit) -> None:
    await open_studio(visit)
    assert await visit.text("#count") == "5 here"
    await visit.page.evaluate("history.pushState(null, '', '/elsewhere')")
    await visit.page.evaluate("dispatchEvent(new PopStateEvent('popstate'))")
    assert await visit.page.locator("#count").text_content() == ""


@pytest.mark.parametrize("width", [768, 1280])
@visiting(host=two)
async def test_another_title_shifts_nothing(visit: Visit, width: int) -> None:
    await visit.page.set_viewport_size({"width": width, "height": 800})
    await open_studio(visit)
    await visit.page.wait_for_timeout(600)
    before = await visit.shifts()
    for title in ("Planning and reviews", "Hall", "A" * 64):
        await visit.host.push({"type": "title", "title": title})
        await visit.wait_text("#title", title)
        await visit.page.wait_for_timeout(200)
    assert await visit.shifts() == before


@visiting(host=two)
async def test_toasts_and_notices_change_with_the_language(visit: Visit) -> None:
    await open_studio(visit)
    await visit.page.keyboard.press("k")
    await visit.wait_text(".toast > span", "You knocked.")
    visit.host.refuse = 1013
    await visit.host.close(1001)
    await visit.wait_text(".notice b", "No network.")
    await visit.page.locator("#language").click()
    await visit.wait_text(".notice b", "Kein Netz.")
    assert not await visit.page.locator(".toast").is_visible()
