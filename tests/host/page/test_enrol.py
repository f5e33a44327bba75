"""Add a device: a file for its card, and who asks to be let in. Only admins see it."""

import tomllib
from pathlib import Path

from tests.host.page.mock_host import MockHost, site
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
    await visit.page.locator("dialog .key", has_text="This room").click()
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
    await visit.page.locator("dialog .key", has_text="Dieser Raum").click()
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
    assert await visit.page.locator("dialog .key", has_text="This room").count() == 0
    assert not await visit.page.locator("#device-add").is_visible()
    assert not await visit.page.locator(".print").is_visible()
