"""Who wants something of whoever looks: the panel above the dock, with the key that answers, and what is said of a device."""

from tests.host.page.mock_host import MockHost, member
from tests.host.page.visits import Visit
from tests.page.scenes import scene
from tests.page.scenes_sheets import admin

ASKS = "#dock .asks"


def guests(host: MockHost) -> None:
    """Two guests listen until somebody lets them in."""
    host.members += [
        member("gus", "Gus Berg", 3, 3, role="guest", state="muted", muted=True),
        member("pia", "Pia Lund", 6, 5, role="guest", state="muted", muted=True),
    ]


def _long(host: MockHost) -> None:
    guests(host)
    host.members[-2]["name"] = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbe"


async def _inside(visit: Visit) -> None:
    await visit.open()
    await visit.join()


@scene("asks-guest", host=guests, resizes=False, drawn=True)
async def _guest(visit: Visit) -> None:
    await _inside(visit)
    await visit.host.change("gus", hand=True, state="hand")
    await visit.page.locator(f"{ASKS}:visible").wait_for()


@scene("asks-several", host=_long, resizes=False)
async def _several(visit: Visit) -> None:
    await _guest(visit)
    await visit.host.change("pia", hand=True, state="hand")
    await visit.page.locator(f"{ASKS} .second", has_text="1").wait_for()


@scene("asks-knock", host=guests, resizes=False)
async def _knock(visit: Visit) -> None:
    await _inside(visit)
    await visit.host.push({"type": "knock", "by": {"id": "gus", "name": "Gus Berg"}})
    await visit.page.locator(f"{ASKS}:visible").wait_for()


@scene("asks-muted-by-admin", host=admin, resizes=False)
async def _admin_muted(visit: Visit) -> None:
    await _inside(visit)
    await visit.host.change("ben", hand=True, admin_muted=True, muted=True, state="admin_muted")
    await visit.page.locator(f"{ASKS}:visible").wait_for()


@scene("asks-device", host=admin, resizes=False)  # its toast stays for six seconds
async def _device(visit: Visit) -> None:
    await _inside(visit)
    await visit.host.push({"type": "device_asks", "device": {"id": "attic", "name": "Attic"}})
    await visit.page.locator(".toast:visible").wait_for()
