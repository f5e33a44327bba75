"""What opens over the room: menus and sheets."""

from tests.host.page.mock_host import MockHost
from tests.host.page.visits import Visit
from tests.page.scenes import NARROW, open_sheet, scene

KEY = "1a2b 3c4d 5e6f 7081 92a3 b4c5 d6e7 f809"


def admin(host: MockHost) -> None:
    """The visitor may do what admins may."""
    host.you["role"] = "admin"


def _busy_admin(host: MockHost) -> None:
    admin(host)
    host.removed = [{"id": "gus", "name": "Gus Gast", "by": "Lena Brandt", "device": False}]


def _no_links(host: MockHost) -> None:
    admin(host)
    host.links_refuse = "name_of_device"


def _asked(host: MockHost) -> None:
    _busy_admin(host)
    host.asking = [{"id": "attic", "name": "Attic", "key": KEY, "replaces": False}]


async def menu_of(visit: Visit, name: str) -> None:
    """Open a member's menu."""
    await visit.page.locator("#members .tile", has_text=name).get_by_role("button").first.click()


@scene("menu-member", resizes=False)
async def _menu(visit: Visit) -> None:
    await visit.open()
    await menu_of(visit, "Ben Adeyemi")


@scene("menu-admin", host=admin, resizes=False)
async def _menu_admin(visit: Visit) -> None:
    await visit.open()
    await menu_of(visit, "Ben Adeyemi")


async def sound(visit: Visit) -> None:
    """The sound sheet of somebody who is in the room."""
    await visit.open()
    await visit.join()
    await open_sheet(visit, "sound")


scene("sheet-sound", resizes=False, drawn=True)(sound)


@scene("sheet-sound-echo-test", resizes=False)
async def _echo(visit: Visit) -> None:
    await sound(visit)
    await visit.page.locator("dialog .test button.key:visible").first.click()
    await visit.page.wait_for_timeout(300)


@scene("sheet-more", widths=(320, 360), resizes=False)
async def _more(visit: Visit) -> None:
    await visit.open()
    await open_sheet(visit, "more")


@scene("sheet-settings", resizes=False)
async def _settings(visit: Visit) -> None:
    await visit.open()
    await open_sheet(visit, "settings")


@scene("sheet-settings-admin", host=admin, resizes=False)
async def _settings_admin(visit: Visit) -> None:
    await _settings(visit)


@scene("sheet-keyboard", resizes=False)
async def _keyboard(visit: Visit) -> None:
    await visit.open()
    await visit.page.keyboard.press("?")
    await visit.page.locator("dialog[open]").wait_for()


@scene("sheet-device", widths=NARROW, resizes=False)
async def _device(visit: Visit) -> None:
    await visit.open()
    await open_sheet(visit, "lamp-strip")


@scene("admin-room", host=_busy_admin, resizes=False, drawn=True)
async def _room(visit: Visit) -> None:
    await _settings(visit)
    await visit.page.locator("dialog[open] .sheet-body > button.key").first.click()
    await visit.page.locator("dialog[open] .admin").wait_for()
    await visit.page.wait_for_timeout(200)


@scene("admin-link", host=admin, resizes=False)
async def _link(visit: Visit) -> None:
    await visit.open()
    await open_sheet(visit, "link")


@scene("admin-link-made", host=admin, resizes=False, drawn=True)
async def _link_made(visit: Visit) -> None:
    await _link(visit)
    await visit.page.locator("dialog[open] input.text").first.fill("Priya Nair")
    await visit.page.locator("dialog[open] form button.key").last.click()
    await visit.page.locator("dialog[open] .qr").wait_for()


@scene("admin-link-refused", host=_no_links, resizes=False)
async def _link_refused(visit: Visit) -> None:
    await _link(visit)
    await visit.page.locator("dialog[open] input.text").first.fill("Priya Nair")
    await visit.page.locator("dialog[open] form button.key").last.click()
    await visit.page.locator("dialog[open] .wrong:visible").wait_for()


@scene("admin-remove", host=admin, resizes=False)
async def _remove(visit: Visit) -> None:
    await visit.open()
    await menu_of(visit, "Ben Adeyemi")
    await visit.page.locator(".menu button.key").last.click()
    await visit.page.locator(".menu p").wait_for()


@scene("admin-add-device", host=_asked, resizes=False)
async def _add_device(visit: Visit) -> None:
    await _room(visit)
    await visit.page.locator("dialog[open] .pair button").last.click()
    await visit.page.locator("dialog[open] li").first.wait_for()
