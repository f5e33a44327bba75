"""The list of the devices page: every device with its lamps in words, on every width, and for admins alone."""

from typing import Any

from tests.host.page.fleet import ADMIN, HERE, fleet, look, reported, rows
from tests.host.page.mock_host import MockHost, member, site
from tests.host.page.visits import Visit, visiting


@visiting(host=fleet, **HERE)
async def test_every_device_stands_in_the_list_with_its_lamps_in_words(visit: Visit) -> None:
    await look(visit)
    await visit.wait_text(".device-list th.label", "6 devices")
    found = await rows(visit)
    lisbon = found.pop(3)
    assert found == [
        ["Board room", "Door closed", "On", "Off"],
        ["Hamburg", "In the room", "Off", "On"],
        ["Kitchen", "In the room", "Off", "On"],
        ["Support desk", "Listening only", "On", "On"],
        ["Workshop", "In the room", "Off", "On"],
    ]
    assert lisbon[0] == "Lisbon"
    assert lisbon[1].startswith("Reconnecting, ")
    assert lisbon[2:] == ["On", "Pulses"]
    headers = visit.page.get_by_role("table", name="Devices").get_by_role("columnheader")
    assert await headers.all_inner_texts() == ["6 devices", "MIC", "ROOM"]


@visiting(host=fleet, **HERE)
async def test_seconds_of_reconnecting_go_on_and_nothing_moves(visit: Visit) -> None:
    await look(visit)

    async def place() -> str:
        return await visit.text("tr:nth-child(4) .second")

    first = await visit.eventually(place, r"^Reconnecting, \d+ s$")
    await visit.eventually(place, rf"^(?!{first})Reconnecting, \d+ s$")
    lisbon = site("closed", ("switch",))
    await visit.host.change("lisbon", state="muted", site=lisbon)
    await visit.wait_text("tr:nth-child(4) .second", "In the room")
    assert await visit.shifts() == []


def _two_rooms(host: MockHost) -> None:
    fleet(host)
    host.members = host.members[:1]
    twin = host.add("annex", "Annex", [member("hamburg", "Hamburg two", 3, 3, kind="site", site=reported())])
    twin.you = dict(ADMIN)
    lobby = host.add("lobby", "Lobby", [member("desk", "Lobby desk", 3, 3, kind="site", site=site())])
    lobby.you = {"id": "mira", "name": "Mira Koch", "role": "speaker", "kind": "person"}


@visiting(host=_two_rooms, **HERE)
async def test_devices_of_all_rooms_that_one_is_an_admin_of_and_of_no_other(visit: Visit) -> None:
    await look(visit, "/devices")
    await visit.wait_text(".device-list th.label", "2 devices")
    names = [name for name, *_ in await rows(visit)]
    assert sorted(names) == ["Hamburg", "Hamburg two"]
    await visit.page.get_by_role("link", name="Hamburg two").click()
    assert visit.page.url.split("#")[0].endswith("/devices/annex%3Ahamburg")
    await visit.wait_text("h1 bdi", "Hamburg two")
    await visit.page.get_by_role("button", name="Mute", exact=True).click()
    await visit.host.others[0].heard({"type": "mute", "member": "hamburg"})
    assert visit.host.received == []


@visiting(**HERE)
async def test_for_others_the_page_says_that_it_is_for_admins(visit: Visit) -> None:
    await look(visit, "/devices", stage="admins")
    assert await visit.text("#page h1") == "This page is for admins."
    assert "Hamburg" not in await visit.text("#page")
    await look(visit, "/devices/hamburg", stage="admins")
    assert await visit.page.locator(".device-page").count() == 0


def _empty(host: MockHost) -> None:
    fleet(host)
    host.members = []


@visiting(host=_empty, **HERE)
async def test_without_a_device_one_can_be_added(visit: Visit) -> None:
    await look(visit, "/devices", stage="none")
    await visit.wait_text(".devices-notice p", "No device reports a state yet.")
    assert await visit.page.get_by_role("button", name="Add a device").is_visible()
    await visit.host.push({"type": "member", "member": member("attic", "Attic", 1, 1, kind="site", site=reported())})
    await visit.page.wait_for_selector('.devices[data-stage="list"]')
    await visit.wait_text("h1 bdi", "Attic")


@visiting(host=fleet, **HERE)
async def test_what_the_page_cannot_know_it_does_not_show(visit: Visit) -> None:
    await look(visit)
    visit.host.silent = True
    await visit.host.close(1011)
    await visit.wait_text(".device-state", "Not known: no network")
    assert {tuple(row[1:]) for row in await rows(visit)} == {("Not known: no network",) * 3}
    assert await visit.page.locator('.device-list .lamp[data-lamp="none"]').count() == 12


@visiting(host=fleet, **HERE)
async def test_who_leaves_keeps_the_place_and_who_comes_stands_below(visit: Visit) -> None:
    await look(visit)
    await visit.host.push({"type": "left", "id": "kitchen"})
    await visit.host.push({"type": "member", "member": member("attic", "Attic", 1, 1, kind="site", site=site())})
    await visit.wait_text("tr:nth-child(3) .second", "Not in the room")
    assert [name for name, *_ in await rows(visit)][2:] == ["Kitchen", "Lisbon", "Support desk", "Workshop", "Attic"]


@visiting(host=fleet, **HERE)
async def test_an_address_of_no_device_says_so(visit: Visit) -> None:
    await look(visit, "/devices/nobody")
    assert await visit.text(".device-page h1") == "This device is not here."


@visiting(host=fleet, width=320, height=640, **HERE)
async def test_on_a_phone_the_list_leads_to_the_device_and_back(visit: Visit) -> None:
    await look(visit, "/devices")
    assert not await visit.page.locator(".device-page").is_visible()
    await visit.page.get_by_role("link", name="Kitchen").press("Enter")
    await visit.wait_text("h1 bdi", "Kitchen")
    assert await visit.page.evaluate("document.activeElement.textContent") == "Kitchen"
    assert not await visit.page.locator(".device-list").is_visible()
    await visit.page.get_by_role("link", name="All devices").click()
    assert await visit.page.locator(".device-list").is_visible()
    assert "Kitchen" in await visit.page.evaluate("document.activeElement.textContent")
    await visit.page.go_back()
    await visit.wait_text("h1 bdi", "Kitchen")


def _long_names(host: MockHost) -> None:
    fleet(host)
    host.members[0]["name"] = "W" * 64
    host.members[1]["name"] = "<b>Lisboa</b>"
    host.members[2]["name"] = "مكتب הקטן 🏢"
    host.members[0]["site"]["reasons"] = ["tide <i>high</i>"]
    host.members[0]["site"]["gate"] = "closed"


async def _widest(visit: Visit) -> Any:
    return await visit.page.evaluate(
        "[document.scrollingElement.scrollWidth, document.querySelector('#page').scrollWidth]"
    )


@visiting(host=_long_names, width=320, height=640, **HERE)
async def test_names_are_text_and_move_nothing_on_a_phone(visit: Visit) -> None:
    await look(visit)
    assert await _widest(visit) == [320, 320]
    assert (await visit.page.locator(".cell-gate dl > div").first.inner_text()).startswith("tide <i>high</i>")
    await visit.page.get_by_role("link", name="All devices").click()
    assert await _widest(visit) == [320, 320]
    assert "<b>Lisboa</b>" in await visit.texts(".device-list bdi")


@visiting(host=_long_names, **HERE)
async def test_a_long_name_leaves_the_keys_where_they_are(visit: Visit) -> None:
    await look(visit)
    box = await visit.page.get_by_role("button", name="Support bundle").bounding_box()
    assert box is not None
    assert round(box["x"] + box["width"]) == 1248
    assert await _widest(visit) == [1280, 1280]


@visiting(host=fleet, **HERE)
async def test_by_keyboard_alone(visit: Visit) -> None:
    await look(visit)
    await visit.page.get_by_role("link", name="Hamburg").focus()
    await visit.page.keyboard.press("ArrowDown")
    await visit.page.keyboard.press("ArrowDown")
    await visit.page.keyboard.press("ArrowUp")
    await visit.page.keyboard.press("Enter")
    await visit.wait_text("h1 bdi", "Kitchen")
    assert await visit.page.locator('.device-link[aria-current="true"]').inner_text() == "Kitchen\nIn the room"
    seen: list[str] = []
    for _ in range(6):
        await visit.page.keyboard.press("Tab")
        seen.append(await visit.page.evaluate("document.activeElement.textContent"))
    assert seen[-3:] == ["Add a device", "Mute", "Support bundle"]
