"""The room's own device and its bridges, in what goes wrong with them."""

from typing import Any

from tests.host.page.mock_host import MockHost, site
from tests.host.page.visits import Visit
from tests.page.scenes import NARROW, open_sheet, scene
from tests.page.scenes_room import bridge
from tests.page.scenes_sheets import menu_of

STILL = {"reduced_motion": "reduce"}
"""Lamps that pulse or blink show their still glyph, whenever the window gets another size."""


def _device(name: str, state: str, told: dict[str, Any]) -> None:
    """The device panel beside the room; on narrow pages the lamp strip, and the panel in its sheet."""

    async def _show(visit: Visit) -> None:
        await visit.open()
        await visit.host.change("hamburg", muted=True, state=state, site=told)
        await visit.page.locator(f'#device [data-lamp="{told["lamps"]["room"]}"]').first.wait_for(state="attached")

    async def _show_sheet(visit: Visit) -> None:
        await _show(visit)
        await open_sheet(visit, "lamp-strip")

    scene(f"room-device-{name}", context=STILL)(_show)
    scene(f"sheet-device-{name}", widths=NARROW, resizes=False, context=STILL)(_show_sheet)


_device("refused", "muted", site("closed", ("switch",), room="fast"))
_device("connecting", "connecting", site("closed", ("switch",), room="slow"))
_device("starting", "connecting", site("closed", ("starting",), room="off", fault="steady"))


def _closed_bridges(host: MockHost) -> None:
    ring, away = bridge("berlin", "Berlin", 2, 8), bridge("lisbon", "Lisbon", 6, 5, heard=False)
    ring["site"] |= {"gate": "closed", "reasons": ["ring"]}
    away["site"] |= {"gate": "closed", "reasons": ["away"], "extra": {"limited": "no word", "limited_by": "untold"}}
    for one in (ring, away):
        one["site"]["lamps"] = one["site"]["lamps"] | {"mic": "steady"}
        one.update(muted=True, state="muted")
    away["site"]["lamps"]["fault"] = "slow"
    host.members = [*(one for one in host.members if one["id"] in ("hamburg", "ben")), ring, away]


@scene("menu-bridge-another", host=_closed_bridges, resizes=False)
async def _ring(visit: Visit) -> None:
    await visit.open()
    await menu_of(visit, "Bridge to Berlin")
    await visit.page.locator("#menu-told:visible").wait_for()


@scene("menu-bridge-away", host=_closed_bridges, resizes=False)
async def _away(visit: Visit) -> None:
    await visit.open()
    await menu_of(visit, "Bridge to Lisbon")
    await visit.page.locator("#menu-told:visible").wait_for()
