"""The overview: every room of the keyring as a card, all of it visible without joining."""

import asyncio
import re
import time

import pytest

from tests.host.page.mock_host import Message, MockHost, member, site
from tests.host.page.visits import Visit, visiting

CARD = ".card:nth-child({})"
SPEAKING = '.row[data-state="speaking"] .name'


def plain(text: str) -> str:
    """Without the signs that keep a name's direction to itself."""
    return text.replace("\u2068", "").replace("\u2069", "")


def house(host: MockHost) -> None:
    """The rooms of picture 1, on a host that keeps who spoke last."""
    now = time.time()
    host.last_spoke = {"room": now, "members": {}}
    workshop = [
        member("aylin", "Aylin Demir", 6, 11),
        member("ground", "Ground floor", 7, 2, kind="site", site=site()),
        member("jonas", "Jonas Weber", 3, 5),
    ]
    other = host.add("workshop", "Workshop", workshop)
    other.last_spoke = {"room": now, "members": {"jonas": now - 240}}
    other.recording = {"since": now - 10, "starts": now - 5, "by": None}
    shut = site("closed", ("switch",)) | {"door": "listening"}
    desk = [
        member("priya", "Priya Nair", 1, 0),
        member("front", "Front desk", 6, 9, kind="site", muted=True, state="muted", site=shut),
    ]
    host.add("support", "Support desk", desk).last_spoke = {"room": now, "members": {"priya": now - 720}}
    far = [
        member("hh", "Hamburg", 1, 11, kind="site", site=site()),
        member("lis", "Lisbon", 4, 6, kind="site", state="connecting", site=site(room="slow")),
    ]
    host.add("hamburg-lisbon", "Hamburg - Lisbon", far)
    kitchen = host.add("kitchen", "Kitchen", [member("kd", "Kitchen", 2, 0, kind="site", joined=False, site=site())])
    kitchen.last_spoke = {"room": now - 60, "members": {}}
    quiet = site("closed", ("quiet hours",)) | {"door": "closed", "quiet_until": now + 3600}
    host.add("board", "Board room", [member("bd", "Board", 2, 0, kind="site", joined=False, site=quiet)])


async def open_overview(visit: Visit) -> None:
    """Open it and wait until every room has answered."""
    rooms = 1 + len(visit.host.others)
    await visit.page.goto(visit.host.overview)
    await visit.page.wait_for_function(
        "n => [...document.querySelectorAll('.card .n')].filter((c) => c.textContent).length === n", arg=rooms
    )


async def card(visit: Visit, n: int, part: str) -> str:
    return plain(await visit.text(f"{CARD.format(n)} {part}"))


@visiting(host=house)
async def test_every_room_says_how_it_is(visit: Visit) -> None:
    await open_overview(visit)
    titles = ["Studio", "Workshop", "Support desk", "Hamburg - Lisbon", "Kitchen", "Board room"]
    assert await visit.texts(".card h2") == titles
    assert await visit.texts(".card .n") == ["5 here", "3 here", "2 here", "2 here", "Empty", "Empty"]
    doors = ["Door open", "Door open", "Device is listening only", "Lisbon is reconnecting", "Door open", "Door closed"]
    assert [plain(text) for text in await visit.texts(".card-door")] == doors
    lamps = await visit.page.locator(".card-door .lamp").evaluate_all("all => all.map((l) => l.dataset.lamp)")
    assert lamps == ["steady", "steady", "steady", "slow", "steady", "off"]
    assert await visit.page.locator(".card .tag:visible").count() == 1
    assert await visit.page.locator(f"{CARD.format(2)} .tag").is_visible(), "it is recorded there"
    assert await card(visit, 5, ".card-body") == "Nobody is here. The door is open."
    assert re.fullmatch(r"Quiet hours until (\w{3} )?\d\d:\d\d\.", await card(visit, 6, ".card-body"))
    assert re.fullmatch(r"Last spoke (\w{3},? )?\d\d:\d\d", await card(visit, 5, ".also"))
    assert await card(visit, 6, ".also") == "A knock rings a chime there"
    assert await visit.text(".overview-head .count") == "Nobody speaks"
    assert await visit.page.title() == "Rooms · Kontor"


@visiting(host=house)
async def test_who_speaks_and_who_spoke_last(visit: Visit) -> None:
    await open_overview(visit)
    assert await visit.texts(f"{CARD.format(2)} .row .second") == ["4 min ago", "", ""], (
        "who was heard last stands first"
    )
    await visit.host.speak(ben=-12, hamburg=-30)
    await visit.host.others[0].speak(aylin=-12, ground=-40)
    await visit.wait_text(".overview-head .count", "4 are speaking, in 2 rooms")
    assert sorted(await visit.texts(f"{CARD.format(1)} {SPEAKING}")) == ["Ben Adeyemi", "Hamburg"]
    ben = visit.page.locator(".row", has_text="Ben Adeyemi")
    await ben.locator('.meter[data-n="16"]').wait_for()
    assert await ben.locator(".name").evaluate("n => getComputedStyle(n).fontWeight") == "600"
    assert await ben.locator(".sign").get_attribute("data-state") == "speaking"
    assert (await ben.inner_text()).endswith("Ben Adeyemi\nSpeaking"), "the state is text too"
    also = await card(visit, 1, ".also")
    assert also.startswith("Also here: ")
    before = await visit.texts(f"{CARD.format(1)} .row .name")
    await visit.host.speak(ben=-127, hamburg=-127)
    await visit.wait_text(f"{CARD.format(1)} .row .second", "1 s ago")
    assert await visit.texts(f"{CARD.format(1)} .row .name") == before, "rows keep their member"
    await visit.host.others[0].speak(aylin=-127, ground=-40)
    await visit.wait_text(".overview-head .count", "1 is speaking, in 1 room")


@visiting(host=house)
async def test_a_fourth_speaker_takes_the_row_of_the_quietest(visit: Visit) -> None:
    await open_overview(visit)
    first = await visit.texts(f"{CARD.format(1)} .row .name")
    missing = next(m for m in visit.host.members if m["name"] not in first and not m["muted"])
    for identity in [m["id"] for m in visit.host.members if m["name"] in first[1:] and not m["muted"]]:
        await visit.host.speak(**{identity: -20})
        await asyncio.sleep(0.1)
    await visit.host.speak(**{missing["id"]: -20})
    await visit.wait_text(f"{CARD.format(1)} .row .name", missing["name"])
    after = await visit.texts(f"{CARD.format(1)} .row .name")
    assert sum(a != b for a, b in zip(first, after, strict=True)) == 1, "one row changed, the others stayed"


@visiting(host=lambda host: host.add("workshop", "Workshop", [member("aylin", "Aylin Demir", 6, 11)]) and None)
async def test_without_the_host_s_leave_nothing_older_than_a_minute_is_told(visit: Visit) -> None:
    await visit.page.clock.install()
    await open_overview(visit)
    other = visit.host.others[0]
    await other.speak(aylin=-20)
    await visit.page.clock.run_for(1100)
    await visit.wait_text(".overview-head .count", "1 is speaking, in 1 room")
    await other.speak(aylin=-127)
    await visit.wait_text(".overview-head .count", "Nobody speaks")
    await visit.page.clock.run_for(14_000)
    assert re.fullmatch(r"1[3-5] s ago", (await visit.texts(f"{CARD.format(2)} .row .second"))[0])
    await visit.page.clock.run_for(50_000)
    assert await visit.texts(f"{CARD.format(2)} .row .second") == ["", "", ""]


@visiting(host=house)
async def test_joining_from_a_card(visit: Visit) -> None:
    await open_overview(visit)
    await visit.page.get_by_role("button", name="Join: Workshop").click()
    await visit.own_is("muted")
    assert await visit.page.evaluate("location.pathname") == "/workshop"
    await visit.wait_text("#title", "Workshop")
    assert [m["name"] for m in visit.host.others[0].members if m["id"] == "mira"] == ["Mira Koch"]
    assert await visit.page.evaluate("document.activeElement.id") == "own"
    await visit.page.go_back()
    await visit.wait_text(f"{CARD.format(2)} .also", "You are in this room.")
    assert await visit.page.get_by_role("button", name="Open: Workshop").is_visible()
    assert await visit.page.locator("#own").is_visible(), "whoever is in a room can mute from everywhere"
    assert await visit.page.locator("#away").inner_text() == "In the room:\nWorkshop"


@visiting(host=house)
async def test_knocking_from_a_card(visit: Visit) -> None:
    await open_overview(visit)
    await visit.page.get_by_role("button", name="Knock: Board room").click()
    board = visit.host.others[-1]
    await board.heard({"type": "knock"}, board.received)
    await visit.wait_text(".toast > span", "You knocked.")
    assert await visit.page.evaluate("location.pathname") == "/", "without going there"


@visiting(host=house)
async def test_a_knock_in_a_room_that_is_not_looked_at_names_it(visit: Visit) -> None:
    await open_overview(visit)
    await visit.host.others[0].push({"type": "knock", "by": {"id": "jonas", "name": "Jonas Weber"}})
    await visit.page.wait_for_selector(".toast:not([hidden])")
    assert plain(await visit.text(".toast > span")) == "Jonas Weber knocks: Workshop"


@visiting(host=house)
async def test_a_room_that_is_lost_says_so_and_comes_back(visit: Visit) -> None:
    await open_overview(visit)
    other = visit.host.others[0]
    await other.speak(aylin=-20)
    await visit.wait_text(f"{CARD.format(2)} {SPEAKING}", "Aylin Demir")
    other.refuse = 1013
    await other.close(1001)
    await visit.wait_text(f"{CARD.format(2)} .card-door", "Reconnecting")
    assert await visit.page.locator(f"{CARD.format(2)} {SPEAKING}").count() == 0, "no old levels"
    assert await card(visit, 1, ".card-door") == "Door open", "the others go on"
    other.refuse = None
    await visit.wait_text(f"{CARD.format(2)} .card-door", "Door open")


@pytest.mark.parametrize(("code", "text"), [(4401, "This link is not valid."), (4404, "There is no such room.")])
@visiting(host=house)
async def test_a_refused_room_shows_no_names_and_no_levels(visit: Visit, code: int, text: str) -> None:
    visit.host.others[0].refuse = code
    await visit.page.goto(visit.host.overview)
    await visit.wait_text(f"{CARD.format(2)} .card-body b", text)
    assert await visit.page.locator(f"{CARD.format(2)} .row:visible").count() == 0
    assert await visit.page.locator(f"{CARD.format(2)} .key:visible").count() == 0
    assert await visit.page.locator(f"{CARD.format(2)} .n:visible").count() == 0
    assert await visit.page.get_by_role("button", name="Join: Studio").is_visible()


@visiting(host=house)
async def test_open_in_another_window_is_taken_here_from_its_card(visit: Visit) -> None:
    await open_overview(visit)
    await visit.host.others[0].close(4409)
    await (
        visit.page.get_by_role("button", name="Take it here: workshop")
        .or_(visit.page.get_by_role("button", name="Take it here: Workshop"))
        .click()
    )
    await visit.own_is("muted")
    assert await visit.page.evaluate("location.pathname") == "/workshop"


@pytest.mark.parametrize(("width", "columns"), [(320, 1), (360, 1), (768, 2), (1280, 3), (1920, 4), (2560, 4)])
@visiting(host=house)
async def test_columns_and_cards_by_width(visit: Visit, width: int, columns: int) -> None:
    await visit.page.set_viewport_size({"width": width, "height": 900})
    await open_overview(visit)
    tops = await visit.page.locator(".card").evaluate_all("all => all.map((c) => c.getBoundingClientRect().top)")
    assert tops.count(tops[0]) == columns
    high = await visit.page.locator(".card").evaluate_all("all => all.map((c) => c.getBoundingClientRect().height)")
    assert set(high) == {324 if width >= 2400 else 288}
    sheet = await visit.page.locator(".cards").bounding_box()
    assert sheet is not None
    assert sheet["width"] <= 2000 - 64
    assert sheet["x"] == pytest.approx(16 if width < 620 else 32 if width <= 2000 else (width - 2000) / 2 + 32, abs=1)
    assert await visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@visiting(host=house)
async def test_nothing_shifts_while_people_talk_come_and_go(visit: Visit) -> None:
    await open_overview(visit)
    await asyncio.sleep(0.6)
    other = visit.host.others[0]
    for level in (-60, -30, -3, -127):
        await visit.host.speak(ben=level, hamburg=level, tomas=level, yuki=-40)
        await other.speak(aylin=level, jonas=-20)
        await asyncio.sleep(0.1)
    await other.push({"type": "recording", "on": False})
    await other.push({"type": "member", "member": member("zoe", "Zoe Zander", 2, 2)})
    await other.push({"type": "title", "title": "A workshop with a much longer title than before"})
    await other.push({"type": "left", "id": "jonas"})
    await visit.host.others[3].push({"type": "member", "member": member("zoe", "Zoe Zander", 2, 2)})
    await visit.wait_text(f"{CARD.format(5)} .n", "1 here")
    await asyncio.sleep(0.4)
    assert await visit.shifts() == []


def _many(host: MockHost) -> None:
    for n in range(40):
        host.add(f"room-{n}", f"Room {n}", [member(f"m{n}-{k}", f"Member {k}", k, k) for k in range(6)])


@visiting(host=_many)
async def test_many_rooms_and_no_more_than_can_be_watched(visit: Visit) -> None:
    await visit.page.goto(visit.host.overview)
    await visit.wait_text(f"{CARD.format(32)} .n", "6 here")
    assert await visit.page.locator(".card").count() == 32
    far = visit.host.others[30]
    near = visit.host.others[0]
    for one in (near, far):
        await one.speak(**{one.members[0]["id"]: -12})
    await visit.page.wait_for_selector(f'{CARD.format(2)} .meter[data-n="16"]')
    hidden = visit.page.locator(f"{CARD.format(32)} {SPEAKING}")
    await hidden.wait_for(state="attached")
    assert await visit.page.locator(f'{CARD.format(32)} .meter[data-n="16"]').count() == 0, "drawn once it is in sight"
    await visit.page.locator(CARD.format(32)).scroll_into_view_if_needed()
    await visit.page.wait_for_selector(f'{CARD.format(32)} .meter[data-n="16"]')


_LONG = "W" * 64


def _hostile(host: MockHost) -> None:
    names = ("<b onclick=alert(1)>x</b>", "\u202egnp.exe", "\U0001f9d1\u200d\U0001f680 Ada", _LONG)
    people: list[Message] = [member(f"m{n}", name, n, n) for n, name in enumerate(names)]
    host.add("one", _LONG, people)
    host.add("two", "<script>alert(1)</script>", [])
    host.add("three", "\u202eright to left", [])


@pytest.mark.parametrize("width", [320, 768, 1280])
@visiting(host=_hostile)
async def test_names_and_titles_of_any_kind_are_text_and_move_nothing(visit: Visit, width: int) -> None:
    await visit.page.set_viewport_size({"width": width, "height": 900})
    await visit.page.goto(visit.host.overview)
    await visit.wait_text(f"{CARD.format(4)} .n", "Empty")
    assert await visit.page.locator(".card script, .card b b, .card [onclick]").count() == 0
    await visit.host.others[0].speak(m0=-20, m1=-20, m3=-20)
    await visit.wait_text(".overview-head .count", "3 are speaking, in 1 room")
    boxes = await visit.page.locator(".card").evaluate_all("all => all.map((c) => c.getBoundingClientRect().height)")
    assert set(boxes) == {288}
    assert await visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    inside = """all => all.every((c) => [...c.querySelectorAll("h2, .n, .row, .also, .key")].every((n) => {
      const [inner, outer] = [n.getBoundingClientRect(), c.getBoundingClientRect()];
      return !inner.width || (inner.left >= outer.left && inner.right <= outer.right && inner.bottom <= outer.bottom);
    }))"""
    assert await visit.page.locator(".card").evaluate_all(inside)


@visiting(host=house, language="de")
async def test_in_german(visit: Visit) -> None:
    await open_overview(visit)
    await visit.host.speak(ben=-12, hamburg=-30)
    await visit.wait_text(".overview-head .count", "2 sprechen, in 1 Raum")
    assert await visit.texts(".overview h1") == ["Räume"]
    assert await card(visit, 5, ".card-body") == "Niemand da. Die Tür ist offen."
    assert await visit.page.get_by_role("button", name="Anklopfen: Board room").is_visible()


@visiting(host=house)
async def test_the_overview_by_keyboard(visit: Visit) -> None:
    await open_overview(visit)
    await visit.page.locator("#place-devices").focus()
    stops = []
    for _ in range(8):
        await visit.page.keyboard.press("Tab")
        stops.append(
            await visit.page.evaluate("document.activeElement.ariaLabel || document.activeElement.textContent")
        )
    assert stops[2:] == [
        "Studio",
        "Join: Studio",
        "Forget this room: Studio",
        "Workshop",
        "Join: Workshop",
        "Forget this room: Workshop",
    ]
    await visit.page.keyboard.press("3")
    await visit.wait_text("#title", "Support desk")
    await visit.own_is("join")
