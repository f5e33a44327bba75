"""Widths from 320 to 2560, both languages, both themes: nothing overflows, nothing is cut, nothing moves by itself."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.host.page.mock_host import MockHost, member, site
from tests.host.page.test_device import OPEN
from tests.host.page.visits import Visit, visiting

if TYPE_CHECKING:
    from playwright.async_api import Route

OVERFLOW = """() => document.documentElement.scrollWidth > innerWidth ? [document.documentElement.scrollWidth]
  : [...document.querySelectorAll("main *, footer *, header *, nav *, aside *")].filter((node) => {
      const box = node.getBoundingClientRect();
      return box.width && !node.closest(".reader, .skip") && (box.right > innerWidth + 1 || box.left < -1);
    }).map((node) => node.outerHTML.slice(0, 100))"""

CUT = """() => [...document.querySelectorAll("#own-first, #own-second, .key, .before")].filter((node) =>
    node.offsetParent && (node.scrollWidth > node.clientWidth + 1 || node.scrollHeight > node.clientHeight + 2)
  ).map((node) => node.textContent)"""

BROKEN = """() => { const word = new Range(); word.selectNodeContents(document.querySelector("#lamp-strip > :first-child"));
  return word.getClientRects().length > 1; }"""

WIDTHS = (320, 360, 619, 620, 768, 1099, 1100, 1280, 1600, 2560)
HEIGHT = 740


@pytest.mark.parametrize("language", ["en", "de"])
@visiting()
async def test_nothing_overflows_at_any_width(visit: Visit, language: str) -> None:
    await visit.open()
    if language == "de":
        await visit.page.locator("#language").click()
    for joined in (False, True):
        if joined:
            await visit.page.set_viewport_size({"width": 1280, "height": 800})
            await visit.join()
        for width in WIDTHS:
            await visit.page.set_viewport_size({"width": width, "height": HEIGHT})
            assert await visit.page.evaluate(OVERFLOW) == [], (width, joined)
            assert not await visit.page.evaluate(BROKEN), (width, "the word beside the lamps is one line")
            for visible in ("#bar", "#own"):
                box = await visit.page.locator(visible).bounding_box()
                assert box is not None
                assert box["y"] >= 0, (width, visible)
                assert box["y"] + box["height"] <= HEIGHT, (width, visible)


@pytest.mark.parametrize("language", ["en", "de"])
@visiting()
async def test_the_own_keys_words_are_never_cut(visit: Visit, language: str) -> None:
    await visit.open()
    if language == "de":
        await visit.page.locator("#language").click()
    await visit.join()
    states = await visit.page.evaluate(
        """async () => {
          const { OwnKey } = await import("/page/ownkey.js");
          const key = new OwnKey();
          window.own = (state) => key.show(state);
          return ["join", "listen", "listening", "connecting", "reconnecting", "muted", "live", "held"].concat(
            ["adminMuted", "asked", "none", "blocked", "asking", "busy", "failed", "guest", "unable"]);
        }"""
    )
    for width in (360, 620, 1280):
        await visit.page.set_viewport_size({"width": width, "height": HEIGHT})
        for state in states:
            await visit.page.evaluate("s => window.own(s)", state)
            assert await visit.page.evaluate(CUT) == [], (width, state)


def _crowd(host: MockHost) -> None:
    host.members += [member(f"m{n}", f"Member {n:02}", n % 8, n % 12) for n in range(95)]


@pytest.mark.parametrize("width", [360, 768, 1280])
@visiting(host=_crowd)
async def test_only_the_list_of_a_hundred_scrolls(visit: Visit, width: int) -> None:
    await visit.page.set_viewport_size({"width": width, "height": 740})
    await visit.open()
    assert await visit.text("#count") == "100 here"
    assert await visit.page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    last = visit.page.locator("#members .tile").last
    await last.scroll_into_view_if_needed()
    own = await visit.own.bounding_box()
    tile = await last.bounding_box()
    assert own is not None and tile is not None
    assert tile["y"] + tile["height"] <= own["y"], "the last tile comes to stand above the dock"


@visiting()
async def test_at_200_percent_zoom_everything_can_be_reached(visit: Visit) -> None:
    await visit.page.set_viewport_size({"width": 640, "height": 400})
    await visit.open()
    await visit.page.locator("#members .tile").last.scroll_into_view_if_needed()
    assert await visit.page.evaluate(OVERFLOW) == []


@pytest.mark.parametrize(("width", "height"), [(360, 740), (768, 900), (1280, 800)])
@visiting()
async def test_nothing_shifts(visit: Visit, width: int, height: int) -> None:
    await visit.page.set_viewport_size({"width": width, "height": height})
    await visit.open()
    await visit.join()
    await asyncio.sleep(0.6)
    before = await visit.shifts()
    for level in (-60, -30, -3, -127):
        await visit.host.speak(ben=level, hamburg=level, yuki=-40, tomas=level)
        await asyncio.sleep(0.1)
    await visit.host.change("hamburg", site=site("closed", ("switch", "admin", "quiet hours", "settings on trial")))
    await visit.host.change("yuki", hand=True, state="hand")
    await visit.host.push({"type": "knock", "by": {"id": "lena", "name": "Lena Brandt"}})
    await visit.own.click()
    await visit.own_is("live")
    await asyncio.sleep(0.6)
    await visit.host.push({"type": "member", "member": member("zoe", "Zoe Zander", 2, 2)})
    await visit.wait_text("#count", "7 here")
    await asyncio.sleep(0.4)
    assert await visit.shifts() == before
    assert sum(shift[0] for shift in before) == 0


@pytest.mark.parametrize("fragment", ["", "&panel=once"], ids=["page", "demo"])
@visiting()
async def test_the_first_paint_already_stands_where_it_stays(visit: Visit, fragment: str) -> None:
    visit.host.panel_state = dict(OPEN)
    await visit.page.route("**/page/p*.js", _late)  # whatever of the page is slow to come
    await visit.open(fragment)
    await asyncio.sleep(0.5)
    assert await visit.shifts() == []


async def _late(route: "Route") -> None:
    await asyncio.sleep(0.4)
    await route.continue_()


@visiting()
async def test_nobody_speaks_gives_way_to_who_begins_without_a_shift(visit: Visit) -> None:
    visit.host.members = [one for one in visit.host.members if one["id"] == "ben"]
    await visit.open()
    await visit.wait_text("#bar .second", "Nobody speaks")
    await visit.host.speak(ben=-20)
    await visit.wait_text("#bar .name", "Ben Adeyemi")
    await asyncio.sleep(0.3)
    assert await visit.shifts() == []


KEY = """document.querySelector("#own").getBoundingClientRect().toJSON()"""


@pytest.mark.parametrize("language", ["en", "de"])
@visiting(width=360)
async def test_in_a_narrow_dock_the_own_key_stays_where_it_is(visit: Visit, language: str) -> None:
    await visit.open()
    await visit.page.evaluate("l => l === 'de' && document.getElementById('language').click()", language)
    answer = visit.host.answer
    assert answer is not None

    async def late(offer: str) -> str:
        await asyncio.sleep(1.0)
        return await answer(offer)

    visit.host.answer = late
    await visit.own.click()
    await visit.own_is("connecting")
    stands = await visit.page.evaluate(KEY)
    await visit.own_is("muted")
    assert await visit.page.evaluate(KEY) == stands
    shifts = [shift for shift in await visit.shifts() if "tile" not in str(shift)]
    assert shifts == [], "however long it takes to come in"
    await visit.page.wait_for_timeout(650)
    await visit.own.click()
    await visit.own_is("live")
    await visit.page.wait_for_timeout(600)
    await visit.drop_media()
    await visit.own_is("reconnecting")
    await visit.own_is("live")
    assert await visit.page.evaluate(KEY) == stands
    assert [shift for shift in await visit.shifts() if "tile" not in str(shift)] == []

    await visit.host.change("mira", admin_muted=True, state="admin_muted")
    await visit.host.push({"type": "muted_by_admin", "by": {"id": "lena", "name": "Lena Brandt"}})
    await visit.own_is("adminMuted")
    grown = await visit.page.evaluate(KEY)
    assert grown["left"] < stands["left"], "over the place of the hand"
    assert {**stands, **dict.fromkeys(("x", "left", "width"))} == {**grown, **dict.fromkeys(("x", "left", "width"))}


@pytest.mark.parametrize("width", [320, 768, 1280])
@visiting()
async def test_nothing_shifts_when_a_room_cannot_be_shown_or_an_admin_comes(visit: Visit, width: int) -> None:
    await visit.page.set_viewport_size({"width": width, "height": 800})
    visit.host.you["role"] = "admin"
    await visit.open()
    assert await visit.shifts() == []
    visit.host.refuse, visit.host.reason = 4410, "removed"
    await visit.host.close(4410, "removed")
    await visit.page.locator("#end-first:visible").wait_for()
    await asyncio.sleep(0.3)
    assert await visit.shifts() == []


@visiting(width=768)
async def test_rooms_open_at_the_title_on_a_tablet(visit: Visit) -> None:
    await visit.open()
    assert not await visit.page.locator("#rooms").is_visible()
    await visit.page.get_by_role("button", name="Rooms").click()
    assert await visit.page.locator("#rooms").is_visible()
    await visit.page.keyboard.press("Escape")
    assert not await visit.page.locator("#rooms").is_visible()


@visiting(width=1280)
async def test_a_sheet_stays_open_whatever_the_width_becomes(visit: Visit) -> None:
    await visit.open()
    await visit.page.locator("#settings").click()
    sheet = visit.page.locator("dialog[open]")
    await sheet.locator("select, input").first.focus()
    for width in (1000, 1280):
        await visit.page.set_viewport_size({"width": width, "height": 800})
        await visit.page.wait_for_timeout(200)
        assert await sheet.get_by_role("heading", name="Settings").is_visible()
        assert await sheet.evaluate("node => node.contains(document.activeElement)")


@visiting(width=768)
async def test_the_devices_sheet_gives_the_device_back_where_that_has_a_place(visit: Visit) -> None:
    await visit.open()
    await visit.page.locator("#lamp-strip").click()
    await visit.page.locator("dialog[open] #device").wait_for()
    await visit.page.set_viewport_size({"width": 1280, "height": 800})
    await visit.page.locator("aside #device").wait_for()
    assert await visit.page.locator("dialog").count() == 0
    assert await visit.page.evaluate("document.activeElement.id") == "aside"


def _named_by_a_proxy(host: MockHost) -> None:
    host.named = host.token
    host.rooms = [{"id": host.room, "title": host.title, "token": host.token}]


@pytest.mark.parametrize("path", ["/", "/studio", "/devices"])
@visiting(host=_named_by_a_proxy)
async def test_a_name_that_a_proxy_gives_pushes_nothing_aside(visit: Visit, path: str) -> None:
    await visit.page.route("**/token", _late)
    await visit.page.route("**/rooms", _late)
    await visit.page.goto(f"http://localhost:{visit.host.port}{path}")
    await visit.wait_text("#self-name", "Mira Koch")
    await visit.page.locator("#language:visible").wait_for()
    await asyncio.sleep(0.3)
    assert await visit.shifts() == []


@visiting()
async def test_a_name_that_was_there_before_is_there_at_once(visit: Visit) -> None:
    await visit.open()
    visit.host.silent = True
    await visit.page.goto(f"http://localhost:{visit.host.port}/studio")
    await visit.wait_text("#self-name", "Mira Koch")
    assert await visit.page.locator("#language").is_visible()


@visiting()
async def test_whom_nobody_names_has_the_keys_of_the_header_all_the_same(visit: Visit) -> None:
    await visit.page.goto(f"http://localhost:{visit.host.port}/")
    await visit.page.locator("#language:visible").click()
    await visit.wait_text("#place-rooms", "Räume")
