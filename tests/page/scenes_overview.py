"""The overview of the rooms, going on elsewhere in the page while in a room, and the floating window."""

import asyncio
import time
from typing import TYPE_CHECKING

from tests.host.page.mock_host import MockHost, member, site
from tests.host.page.visits import Visit
from tests.page.scenes import scene
from tests.page.scenes_room import talk

if TYPE_CHECKING:
    from playwright.async_api import Page


def rooms(host: MockHost) -> None:
    """The six of the design's picture."""
    listening = site("closed", ("door",)) | {"door": "listening"}
    closed = site("closed", ("door", "quiet hours")) | {"door": "closed", "quiet_until": int(time.time()) + 3600}
    closed["lamps"]["room"] = "off"
    host.add("workshop", "Workshop").members = [
        member("aylin", "Aylin Demir", 6, 11),
        member("ground", "Ground floor", 7, 2, kind="site", site=site()),
        member("jonas", "Jonas Weber", 3, 5),
    ]
    host.add("support", "Support desk").members = [
        member("priya", "Priya Nair", 1, 0),
        member("front", "Front desk", 6, 8, kind="site", site=listening, state="muted", muted=True),
    ]
    host.add("lisbon", "Hamburg \N{EN DASH} Lisbon").members = [
        member("hamburg2", "Hamburg", 1, 10, kind="site", site=site()),
        member("lisbon", "Lisbon", 4, 5, kind="site", site=site(room="slow"), state="connecting"),
    ]
    host.add("kitchen", "Kitchen").members = []
    board = member("board", "Board room", 0, 3, kind="site", site=closed, state="on_hold", joined=False, muted=True)
    host.add("board", "Board room").members = [board]


async def overview(visit: Visit) -> None:
    """All rooms, and four who speak in two of them."""
    await visit.page.goto(visit.host.overview)
    await visit.page.locator(".card").nth(len(visit.host.others)).wait_for()
    for _ in range(3):
        await visit.host.speak(ben=-18, hamburg=-36)
        if visit.host.others:
            await visit.host.others[0].speak(aylin=-16, ground=-45)
        await asyncio.sleep(0.15)


scene("overview", host=rooms, drawn=True)(overview)


def _spoken(host: MockHost) -> None:
    rooms(host)
    now = int(time.time())
    host.last_spoke = {"room": now - 2, "members": {"yuki": now - 14}}
    host.others[1].last_spoke = {"room": now - 720, "members": {"priya": now - 720}}
    host.others[3].last_spoke = {"room": now - 5 * 3600, "members": {}}
    host.others[0].recording = {"since": now - 65, "starts": now - 60, "by": None}


scene("overview-last-spoke", host=_spoken)(overview)


def _refused(host: MockHost) -> None:
    rooms(host)
    host.others[0].refuse, host.others[0].reason = 4401, "expired"
    host.others[1].refuse = 4404
    host.others[2].refuse = 1013


@scene("overview-refused", host=_refused)
async def _some_refused(visit: Visit) -> None:
    await overview(visit)
    await visit.page.wait_for_timeout(2500)


def _hostile(host: MockHost) -> None:
    host.title = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbe"
    host.add("markup", "<b>Bold</b> & <script>").members = [member("markup", "<i>Ida</i>", 3, 5, initials="<I")]
    host.add("hebrew", "\u05d7\u05d3\u05e8 \u05d4\u05e2\u05d1\u05d5\u05d3\u05d4").members = []
    host.add("evil", "Up \u202eevil\u202c").members = [member("long", host.title, 0, 2, initials="DO")]


@scene("overview-bad-names", host=_hostile)
async def _bad_names(visit: Visit) -> None:
    await overview(visit)


def _many(host: MockHost) -> None:
    for number in range(31):
        host.add(f"room-{number}", f"Room {number:02}").members = [
            member(f"m{number}", f"Member {number:02}", number % 8, number % 12)
        ]


scene("overview-many", host=_many, widths=(360, 1280))(overview)


@scene("overview-without-a-link")
async def _nothing(visit: Visit) -> None:
    await visit.page.goto(f"http://localhost:{visit.host.port}/")
    await visit.page.wait_for_timeout(800)


@scene("overview-joined", host=rooms)
async def _joined(visit: Visit) -> None:
    """In a room, and looking at the others."""
    await visit.page.goto(visit.host.overview)
    await visit.page.locator(".card").nth(5).wait_for()
    await visit.page.locator(".card .key").first.click()
    await visit.own_is("muted")
    await visit.page.wait_for_timeout(650)
    await visit.page.locator("#place-rooms:visible, .back:visible").click()
    await visit.page.locator(".card").nth(5).wait_for()


@scene("room-of-several", host=rooms, resizes=False)  # the last minute goes on
async def _of_several(visit: Visit) -> None:
    await visit.page.goto(visit.host.overview.replace("/#", "/studio#"))
    await visit.page.locator("#members .tile").nth(4).wait_for()
    await talk(visit)
    await visit.host.others[0].speak(aylin=-16)
    await visit.page.wait_for_timeout(200)


@scene("room-another-watched", host=rooms)
async def _another(visit: Visit) -> None:
    """In the studio, and looking into the workshop."""
    await _of_several(visit)
    await visit.own.click()
    await visit.own_is("muted")
    await visit.page.keyboard.press("2")
    await visit.page.locator("#away:visible").wait_for()


# ---- the floating window


async def widget(visit: Visit) -> "Page":
    """It, of somebody who is in the room and muted; two others speak."""
    await visit.open()
    await visit.join()
    async with visit.page.context.expect_page() as coming:
        await visit.page.click("#widget")
    window = await coming.value
    await window.wait_for_selector(".widget .own")
    await talk(visit)
    return window


scene("widget", floats=True, drawn=True)(widget)


@scene("widget-live", floats=True)
async def _widget_live(visit: Visit) -> "Page":
    window = await widget(visit)
    await window.click(".own")
    await visit.own_is("live")
    await talk(visit)
    return window
