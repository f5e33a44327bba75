"""What opens over the room: menus and sheets."""

from tests.host.page.mock_host import MockHost
from tests.host.page.visits import Visit
from tests.page.scenes import NARROW, scene


def admin(host: MockHost) -> None:
    """The visitor may do what admins may."""
    host.you["role"] = "admin"


async def menu_of(visit: Visit, name: str) -> None:
    """Open a member's menu."""
    await visit.page.locator("#members .tile", has_text=name).get_by_role("button").first.click()


@scene("menu-member", resizes=False)
async def _menu(visit: Visit) -> None:
    await visit.open()
    await menu_of(visit, "Ben Adeyemi")


@scene("menu-admin", host=admin, resizes=False, drawn=True)
async def _menu_admin(visit: Visit) -> None:
    await visit.open()
    await menu_of(visit, "Ben Adeyemi")


@scene("sheet-sound", resizes=False, drawn=True)
async def _sound(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.page.locator("#sound").click()
    await visit.page.locator("dialog[open]").wait_for()


@scene("sheet-settings", resizes=False, drawn=True)
async def _settings(visit: Visit) -> None:
    await visit.open()
    await visit.page.locator("#settings").click()
    await visit.page.locator("dialog[open]").wait_for()


@scene("sheet-settings-admin", host=admin, resizes=False)
async def _settings_admin(visit: Visit) -> None:
    await _settings(visit)


@scene("sheet-keyboard", resizes=False, drawn=True)
async def _keyboard(visit: Visit) -> None:
    await visit.open()
    await visit.page.keyboard.press("?")
    await visit.page.locator("dialog[open]").wait_for()


@scene("sheet-device", widths=NARROW, resizes=False)
async def _device(visit: Visit) -> None:
    await visit.open()
    await visit.page.locator("#lamp-strip").click()
    await visit.page.locator("dialog[open]").wait_for()


@scene("sheet-add-device", host=admin, widths=(320, 360, 768, 1280, 1920), resizes=False)
async def _add_device(visit: Visit) -> None:
    await _settings(visit)
    await visit.page.locator("dialog[open] button.key").last.click()
    await visit.page.locator("dialog[open] input[type=text], dialog[open] .text").first.wait_for()
