"""Add a device: a file for its card, and who asks to be let in. Only admins see it."""

import tomllib
from pathlib import Path

from tests.host.page.fleet import ADMIN, HERE, fleet, look, reported
from tests.host.page.mock_host import MockHost, member, site
from tests.host.page.test_menu import HOSTILE
from tests.host.page.visits import Visit, visiting

KEY = "1a2b 3c4d 5e6f 7081 92a3 b4c5 d6e7 f809"
ASKING = [{"id": "attic", "name": "Attic", "key": KEY, "replaces": True}]


def _admin(host: MockHost) -> None:
    host.you["role"] = "admin"


def _asking(host: MockHost) -> None:
    _admin(host)
    host.asking = ASKING


async def open_dialog(visit: Visit) -> None:
    await visit.page.locator("#settings").click()
    await visit.page.get_by_role("button", name="This room", exact=True).click()
    await visit.page.locator("dialog .key", has_text="Add a device").click()
    await visit.wait_text("dialog h2", "Add a device")


async def made(visit: Visit, press: str) -> str:
    async with visit.page.expect_download() as download:
        await visit.page.get_by_role("button", name=press).click()
    assert (await download.value).suggested_filename == "kontor.toml"
    return Path(await (await download.value).path()).read_text()


@visiting(host=_admin)
async def test_a_file_is_made_and_the_host_is_not_told_the_password(visit: Visit) -> None:
    await visit.open()
    await open_dialog(visit)
    assert await visit.page.evaluate("document.activeElement.maxLength") == 64, "the name comes first"
    fields = visit.page.locator("dialog .text")
    await fields.nth(0).fill("  Room 3 ")
    await fields.nth(1).fill('Office "2"')
    await fields.nth(2).fill("back\\slash\x7f1")
    text = await made(visit, "Make the file")
    assert tomllib.loads(text)["network"]["wifi"] == [{"ssid": 'Office "2"', "password": "back\\slash\x7f1"}]
    assert visit.host.devices_asked == [
        {"path": "/rooms/studio/devices", "name": "Room 3", "url": f"http://localhost:{visit.host.port}"}
    ]
    await visit.wait_text("dialog b", "kontor.toml for \u2068Room 3\u2069 is made.")
    assert "Copy it onto the boot partition of the card. It lets one device in, until" in await visit.text(
        "dialog .admin p"
    )
    assert await made(visit, "Download again") == text
    await visit.page.get_by_role("button", name="Another device").click()
    await fields.nth(0).fill("Room 4")
    assert await made(visit, "Make the file") == "schema = 1\n", "without Wi-Fi there is nothing of it"
    await visit.page.get_by_role("button", name="Another device").click()
    await fields.nth(0).fill("Room 5")
    await fields.nth(1).fill("Guests")
    async with visit.page.expect_download() as download:
        await fields.nth(1).press("Enter")
    open_network = tomllib.loads(Path(await (await download.value).path()).read_text())["network"]["wifi"]
    assert open_network == [{"ssid": "Guests", "security": "open"}]
    assert await visit.page.evaluate("seen.shifts") == []


@visiting(host=_admin)
async def test_what_the_host_refuses_is_said_and_the_devices_key_is_shown(visit: Visit) -> None:
    await visit.open()
    assert not await visit.page.locator(".print").is_visible()
    await visit.host.change("hamburg", site=site() | {"key": KEY})
    await visit.wait_text(".print code", KEY)
    visit.host.devices_refuse = "devices_full"
    await open_dialog(visit)
    await visit.page.get_by_role("button", name="Make the file").click()
    assert visit.host.devices_asked == [], "a name is needed"
    await visit.page.locator("dialog .text").nth(0).fill("Room 3")
    await visit.page.get_by_role("button", name="Make the file").click()
    await visit.wait_text("dialog .wrong", "This room has as many devices as a room can have.")
    visit.host.devices_refuse = ""
    await made(visit, "Make the file")


@visiting(host=_asking, language="de")
async def test_who_asks_is_let_in_by_its_key(visit: Visit) -> None:
    await visit.open()
    await visit.host.push({"type": "device_asks", "device": {"id": "attic", "name": "Attic"}})
    await visit.wait_text("#toast span", "Attic bittet um Einlass: Einstellungen, Dieser Raum, Gerät hinzufügen.")
    await visit.page.locator("#settings").click()
    await visit.page.get_by_role("button", name="Dieser Raum", exact=True).click()
    await visit.page.locator("dialog .key", has_text="Gerät hinzufügen").click()
    await visit.wait_text("dialog li code", KEY)
    assert await visit.text("dialog li .second") == "Tritt an die Stelle von attic."
    await visit.page.get_by_role("button", name="Hereinlassen").click()
    await visit.wait_text("dialog li > .second", "\u2068Attic\u2069 kommt in einer halben Minute.")
    assert visit.host.devices_asked == [{"path": "/rooms/studio/devices/attic/admit", "key": KEY}]
    assert await visit.text("#status") == "\u2068Attic\u2069 kommt in einer halben Minute."


@visiting()
async def test_others_see_nothing_of_it(visit: Visit) -> None:
    await visit.open()
    await visit.host.change("hamburg", site=site() | {"key": "1a2b 3c4d"})
    await visit.page.locator("#settings").click()
    await visit.page.get_by_role("dialog", name="Settings").wait_for()
    assert await visit.page.get_by_role("button", name="This room", exact=True).count() == 0
    assert not await visit.page.locator("#device-add").is_visible()
    assert not await visit.page.locator(".print").is_visible()


# ---- on the devices page, for whoever looks after several rooms


def _rooms(host: MockHost) -> None:
    fleet(host)
    host.title = "Hamburg office"
    annex = host.add("annex", "Annex", [member("annex-box", "Annex box", 3, 3, kind="site", site=reported())])
    twin = host.add("annex-2", "Annex", [member("twin-box", "Twin box", 4, 3, kind="site", site=reported())])
    for room in (annex, twin):
        room.you = dict(ADMIN)
    twin.asking = ASKING
    lobby = host.add("lobby", "Lobby", [])
    lobby.you = {"id": "mira", "name": "Mira Koch", "role": "speaker", "kind": "person"}


async def choices(visit: Visit) -> tuple[list[str], str]:
    """The rooms that are offered, and the chosen one."""
    room = visit.page.get_by_role("dialog").get_by_role("combobox", name="Room")
    return await room.locator("option").all_text_contents(), await room.evaluate("s => s.selectedOptions[0].text")


@visiting(host=_rooms, **HERE)
async def test_whoever_looks_after_several_rooms_chooses_one_of_them(visit: Visit) -> None:
    annex, twin, lobby = visit.host.others
    await look(visit, "/devices/annex-box")
    await visit.page.get_by_role("button", name="Add a device").click()
    await visit.page.get_by_role("combobox", name="Room").wait_for()
    offered = ["Hamburg office", "Annex (annex)", "Annex (annex-2)"]
    assert await choices(visit) == (offered, "Annex (annex)"), (
        "that of the device that is looked at, and none of others"
    )
    await visit.page.get_by_label("Name of the device").fill("Attic")
    await visit.page.get_by_role("combobox", name="Room").select_option("Hamburg office")
    assert await made(visit, "Make the file") == "schema = 1\n"
    assert [asked["path"] for asked in visit.host.devices_asked] == ["/rooms/studio/devices"]
    await visit.wait_text(
        "dialog b", "kontor.toml for \u2068Attic\u2069 is made, for the room \u2068Hamburg office\u2069."
    )
    await visit.page.get_by_role("button", name="Another device").click()
    assert (await choices(visit))[1] == "Hamburg office", "the next one most likely goes there too"
    await visit.page.get_by_role("combobox", name="Room").select_option("Annex (annex-2)")
    await visit.page.get_by_label("Name of the device").fill("Cellar")
    await made(visit, "Make the file")
    assert [asked["name"] for asked in twin.devices_asked] == ["Cellar"]
    assert annex.devices_asked == lobby.devices_asked == []
    assert await visit.shifts() == []


@visiting(host=_rooms, **HERE)
async def test_who_asks_in_any_of_the_rooms_is_let_in_there(visit: Visit) -> None:
    twin = visit.host.others[1]
    await look(visit)
    await visit.page.get_by_role("button", name="Add a device").click()
    row = visit.page.get_by_role("dialog").get_by_role("listitem").filter(has_text="Attic")
    await row.get_by_text("Into the room \u2068Annex (annex-2)\u2069").wait_for()
    await row.get_by_role("button", name="Let in").click()
    await row.get_by_text("comes within half a minute").wait_for()
    assert twin.devices_asked == [{"path": "/rooms/annex-2/devices/attic/admit", "key": KEY}]
    assert visit.host.devices_asked == []


def _one_of_two(host: MockHost) -> None:
    fleet(host)
    lobby = host.add("lobby", "Lobby", [])
    lobby.you = {"id": "mira", "name": "Mira Koch", "role": "speaker", "kind": "person"}


@visiting(host=_one_of_two, **HERE)
async def test_who_looks_after_one_room_has_no_choice_to_make(visit: Visit) -> None:
    await look(visit)
    await visit.page.get_by_role("button", name="Add a device").click()
    await visit.page.get_by_label("Name of the device").fill("Attic")
    assert await visit.page.get_by_role("dialog").get_by_role("combobox").count() == 0
    await made(visit, "Make the file")
    assert [asked["path"] for asked in visit.host.devices_asked] == ["/rooms/studio/devices"]


def _strange_rooms(host: MockHost) -> None:
    fleet(host)
    for number, title in enumerate(HOSTILE.values()):
        room = host.add(f"r{number}", title, [])
        room.you, room.asking = dict(ADMIN), ASKING


@visiting(host=_strange_rooms, width=320, height=740, **HERE)
async def test_rooms_of_any_title_are_text_and_fit(visit: Visit) -> None:
    await look(visit)
    await visit.page.get_by_role("link", name="All devices").click()
    await visit.page.get_by_role("button", name="Add a device").click()
    await visit.page.get_by_role("combobox", name="Room").wait_for()
    offered, _ = await choices(visit)
    assert len(offered) == 1 + len(HOSTILE)
    dialog = visit.page.get_by_role("dialog")
    assert await dialog.evaluate("d => d.scrollWidth <= d.clientWidth && d.getBoundingClientRect().right <= innerWidth")
    assert await dialog.locator("option *, li :is(img, b)").count() == 0
    assert await dialog.locator("li").evaluate_all("rows => rows.every(row => row.scrollWidth <= row.clientWidth)")
    assert await dialog.get_by_role("button", name="Let in").count() == len(HOSTILE)
