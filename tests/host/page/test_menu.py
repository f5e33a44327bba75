"""The menu of a member's tile: volume for oneself, what may be done about others, all of it by keyboard too."""

from collections.abc import Callable

import pytest

from tests.host.page.mock_host import MockHost, member, site
from tests.host.page.visits import Visit, visiting

FOCUSED = "document.activeElement.querySelector('bdi')?.textContent ?? document.activeElement.textContent"

LONG = "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbe"
"""64 characters without a space."""

HOSTILE = {
    "markup": "<img src=x onerror=alert(1)><b>Bold</b>",
    "turned": "Left \u202eright",
    "hebrew": "\u05d3\u05d5\u05d3 \u05db\u05d4\u05df",
    "emoji": "\U0001f469\u200d\U0001f469\u200d\U0001f467\U0001f3f3\ufe0f\u200d\U0001f308 Family",
    "long": LONG,
    "control": "Bell\x07 line\nbreak\ttab",
}


def tile(visit: Visit, name: str) -> str:
    return f'#members .tile:has-text("{name}")'


async def open_menu(visit: Visit, name: str) -> list[str]:
    """Open somebody's menu; what it offers by keys."""
    await visit.page.locator(tile(visit, name)).get_by_role("button").first.click()
    await visit.page.locator(".menu").wait_for()
    return await visit.texts(".menu button")


def _admin(host: MockHost) -> None:
    host.you["role"] = "admin"


def _all_roles(role: str) -> Callable[[MockHost], None]:
    def prepare(host: MockHost) -> None:
        host.you["role"] = role
        host.members += [
            member("gus", "Gus Berg", 3, 3, role="guest", state="muted", muted=True),
            member("leo", "Leo Wolf", 3, 5, role="listener", state="muted", muted=True),
            member("ada", "Ada Chef", 6, 5, role="admin"),
        ]

    return prepare


async def offers(visit: Visit) -> dict[str, list[str]]:
    """What the menus of a device, a guest, a listener, a speaker and an admin offer."""
    await visit.open()
    found = {}
    for name in ("Hamburg", "Gus", "Leo", "Ben", "Ada"):
        found[name] = await open_menu(visit, name)
        await visit.page.keyboard.press("Escape")
    return found


@visiting(host=_all_roles("listener"))
async def test_a_listener_may_only_mute_the_device(visit: Visit) -> None:
    assert await offers(visit) == {"Hamburg": ["Mute the device"], "Gus": [], "Leo": [], "Ben": [], "Ada": []}


@visiting(host=_all_roles("speaker"))
async def test_a_speaker_may_let_guests_in(visit: Visit) -> None:
    assert await offers(visit) == {"Hamburg": ["Mute the device"], "Gus": ["Admit"], "Leo": [], "Ben": [], "Ada": []}


@visiting(host=_all_roles("admin"))
async def test_an_admin_is_offered_what_fits(visit: Visit) -> None:
    assert await offers(visit) == {
        "Hamburg": ["Mute the device"],
        "Gus": ["Admit", "Remove"],
        "Leo": ["Allow to speak", "Remove"],
        "Ben": ["Mute for everyone", "Let listen only", "Remove"],
        "Ada": ["Mute for everyone", "Remove"],
    }


@pytest.mark.parametrize(
    ("name", "state", "key", "said"),
    [
        ("Ben", {}, "Mute for everyone", [{"type": "mute", "member": "ben"}]),
        ("Ben", {"admin_muted": True}, "Allow to speak", [{"type": "unmute", "member": "ben"}]),
        ("Ben", {}, "Let listen only", [{"type": "role", "member": "ben", "role": "listener"}]),
        ("Ben", {"role": "listener"}, "Allow to speak", [{"type": "admit", "member": "ben"}]),
        (
            "Ben",
            {"role": "listener", "admin_muted": True},
            "Allow to speak",
            [{"type": "admit", "member": "ben"}, {"type": "unmute", "member": "ben"}],
        ),
        ("Ben", {"role": "guest"}, "Admit", [{"type": "admit", "member": "ben"}]),
        ("Hamburg", {}, "Mute the device", [{"type": "mute", "member": "hamburg"}]),
        (
            "Hamburg",
            {"site": site("closed", ("switch",))},
            "Ask the room to unmute",
            [{"type": "ask_unmute", "member": "hamburg"}],
        ),
    ],
)
@visiting(host=_admin)
async def test_what_a_key_says_to_the_host(
    visit: Visit, name: str, state: dict[str, object], key: str, said: list[dict[str, object]]
) -> None:
    await visit.open()
    await visit.host.change("ben" if name == "Ben" else "hamburg", **state)
    await open_menu(visit, name)
    await visit.page.locator(".menu").get_by_role("button", name=key).click()
    for message in said:
        await visit.host.heard(message)
    assert await visit.page.locator(".menu").count() == 0
    assert name in await visit.page.evaluate(FOCUSED), "the focus is on the tile again"


@visiting(host=_admin)
async def test_nobody_is_removed_without_a_question(visit: Visit) -> None:
    await visit.open()
    await open_menu(visit, "Ben")
    await visit.page.get_by_role("button", name="Remove").press("Enter")
    question = await visit.text(".menu p")
    assert question.replace("\u2068", "").replace("\u2069", "").startswith("Remove Ben Adeyemi?")
    assert await visit.page.evaluate(FOCUSED) == "Cancel", "a second Enter does no harm"
    asked = visit.page.get_by_role("button", name="Cancel")
    assert await asked.get_attribute("aria-describedby") == "menu-question"
    await visit.page.keyboard.press("Enter")
    assert await visit.page.locator(".menu").count() == 0
    assert not [said for said in visit.host.received if said["type"] == "remove"]
    await open_menu(visit, "Ben")
    await visit.page.get_by_role("button", name="Remove").click()
    await visit.page.get_by_role("button", name="Remove for good").click()
    await visit.host.heard({"type": "remove", "member": "ben"})


@visiting(host=_admin)
async def test_the_whole_menu_by_keyboard(visit: Visit) -> None:
    await visit.open()
    first = visit.page.locator("#members .tile > button").first
    await first.focus()
    for key, name in (
        ("ArrowRight", "Ben Adeyemi"),
        ("ArrowDown", "Tomás Ruiz"),
        ("Home", "Hamburg"),
        ("End", "Yuki Tanaka"),
        ("ArrowUp", "Lena Brandt"),
    ):
        await visit.page.keyboard.press(key)
        assert await visit.page.evaluate(FOCUSED) == name
    await visit.page.keyboard.press("Enter")
    menu = visit.page.get_by_role("dialog", name="Lena Brandt")
    volume = menu.get_by_role("slider", name="Volume")
    await volume.wait_for()
    assert await volume.evaluate("v => v === document.activeElement && v.value === '100' && v.max === '200'")
    await visit.page.keyboard.press("ArrowRight")
    assert await menu.locator("output").inner_text() == "105 %"
    await visit.page.keyboard.press("Tab")
    await visit.page.keyboard.press("Space")
    await visit.wait_text("#members .tile:nth-child(3) .second", "Muted for me")
    for name in ("Mute for everyone", "Let listen only", "Remove"):
        await visit.page.keyboard.press("Tab")
        assert await visit.page.evaluate(FOCUSED) == name
    await visit.page.keyboard.press("Escape")
    assert await menu.count() == 0
    assert await visit.page.evaluate(FOCUSED) == "Lena Brandt"
    tabbable = await visit.page.locator('#members .tile > button[tabindex="0"]').count()
    assert tabbable == 1, "the list is one stop"
    await visit.page.keyboard.press("Enter")
    await menu.get_by_role("button", name="Remove").focus()
    await visit.page.keyboard.press("Tab")
    assert await menu.count() == 0, "the menu goes when the focus goes on"
    await visit.page.locator("#own").focus()
    await visit.page.keyboard.press("Shift+Tab")
    assert await visit.page.locator(".menu").count() == 0


@visiting()
async def test_a_press_beside_it_closes_it_and_one_on_its_tile_too(visit: Visit) -> None:
    await visit.open()
    await open_menu(visit, "Ben")
    await visit.page.locator("#title").click()
    assert await visit.page.locator(".menu").count() == 0
    await open_menu(visit, "Ben")
    await visit.page.locator(tile(visit, "Ben")).get_by_role("button").first.click()
    assert await visit.page.locator(".menu").count() == 0
    assert await visit.page.locator('[aria-expanded="true"]').count() == 0


@visiting(host=_admin)
async def test_it_follows_what_its_member_becomes(visit: Visit) -> None:
    await visit.open()
    await open_menu(visit, "Ben")
    await visit.page.get_by_role("button", name="Mute for everyone").focus()
    await visit.host.change("ben", admin_muted=True, state="admin_muted")
    await visit.wait_text(".menu button", "Allow to speak")
    assert await visit.page.evaluate(FOCUSED) == "Allow to speak"
    await visit.host.speak(ben=-20)
    assert await visit.texts(".menu button") == ["Allow to speak", "Let listen only", "Remove"]


@visiting(host=_admin)
async def test_a_menu_that_goes_with_its_member_gives_the_focus_to_the_neighbour(visit: Visit) -> None:
    await visit.open()
    await open_menu(visit, "Ben")
    await visit.host.push({"type": "left", "id": "ben"})
    await visit.page.locator(".menu").wait_for(state="detached")
    assert await visit.page.evaluate(FOCUSED) == "Lena Brandt"
    await open_menu(visit, "Yuki")
    await visit.host.push({"type": "members", "members": [], "left": ["yuki"]})
    await visit.page.locator(".menu").wait_for(state="detached")
    assert await visit.page.evaluate(FOCUSED) == "Tomás Ruiz", "the last one has a neighbour before it"


VOLUMES = "() => JSON.parse(localStorage.getItem('kontor')).volumes"


@visiting()
async def test_volumes_are_remembered_by_who_it_is(visit: Visit) -> None:
    await visit.open()
    await open_menu(visit, "Ben")
    await visit.page.get_by_role("slider", name="Volume").fill("150")
    await open_menu(visit, "Lena")
    await visit.page.get_by_role("checkbox", name="Mute for me").check()
    assert await visit.page.evaluate(VOLUMES) == {
        "ben": {"gain": 1.5, "muted": False},
        "lena": {"gain": 1, "muted": True},
    }
    await visit.page.reload()
    await visit.wait_text("#members .tile:nth-child(3) .second", "Muted for me")
    await open_menu(visit, "Ben")
    assert await visit.page.get_by_role("slider", name="Volume").input_value() == "150"
    await visit.page.get_by_role("slider", name="Volume").fill("100")
    await open_menu(visit, "Lena")
    await visit.page.get_by_role("checkbox", name="Mute for me").uncheck()
    assert await visit.page.evaluate(VOLUMES) == {}, "nothing is kept of whoever is as loud as all"


DENIED = """
Object.defineProperty(window, "localStorage", { get() { throw new DOMException("denied", "SecurityError"); } });
"""
JUNK = """localStorage.setItem("kontor", '{"volumes": {"ben": {"gain": "loud"}, "lena": 7, "tomas": {"gain": 99}}}');"""


@pytest.mark.parametrize("name", ["Ben", "Lena", "Tom"])
@visiting(script=JUNK)
async def test_junk_that_is_stored_is_no_volume(visit: Visit, name: str) -> None:
    await visit.open()
    await open_menu(visit, name)
    assert await visit.page.get_by_role("slider", name="Volume").input_value() == "100"


@visiting(script=DENIED)
async def test_without_storage_volumes_hold_for_this_visit(visit: Visit) -> None:
    await visit.open()
    await open_menu(visit, "Ben")
    await visit.page.get_by_role("slider", name="Volume").fill("40")
    await visit.page.keyboard.press("Escape")
    await open_menu(visit, "Ben")
    assert await visit.page.get_by_role("slider", name="Volume").input_value() == "40"


@visiting()
async def test_a_menu_that_does_not_come_says_so_and_can_be_tried_again(visit: Visit) -> None:
    await visit.open()
    await visit.page.route("**/page/menu.js*", lambda route: route.abort())
    await visit.page.locator(tile(visit, "Ben")).get_by_role("button").first.click()
    await visit.page.locator("#toast").wait_for()
    assert await visit.page.locator(".menu").count() == 0
    await visit.page.unroute("**/page/menu.js*")
    visit.complaints.clear()  # what did not come is told in the console, too
    assert await open_menu(visit, "Ben") == []


def _crowd(host: MockHost) -> None:
    _admin(host)
    host.members += [member(f"m{n}", f"Member {n:02}", n % 8, n % 12) for n in range(70)]


@visiting(host=_crowd)
async def test_among_many_it_is_not_cut_off(visit: Visit) -> None:
    await visit.open()
    await open_menu(visit, "Member 03")
    box = await visit.page.get_by_role("button", name="Remove").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    assert await visit.page.evaluate("([x, y]) => document.elementFromPoint(x, y)?.textContent", [x, y]) == "Remove"


def _hostile(host: MockHost) -> None:
    _admin(host)
    host.members = [member(who, name, 2, 4, initials="XX") for who, name in HOSTILE.items()]


@pytest.mark.parametrize("width", [320, 1280])
@visiting(host=_hostile)
async def test_bad_names_are_text_and_move_nothing(visit: Visit, width: int) -> None:
    await visit.page.set_viewport_size({"width": width, "height": 800})
    await visit.open()
    places = "ns => ns.map(n => n.getBoundingClientRect()).map(b => [b.x, b.width, b.height].map(Math.round))"
    before = await visit.page.locator("#members .tile").evaluate_all(places)
    assert len({(w, h) for _, w, h in before}) == 1, "all tiles are of one size"
    for n in range(len(HOSTILE)):
        await visit.page.locator("#members .tile > button").nth(n).click()
        await visit.page.get_by_role("button", name="Remove").click()
        await visit.page.get_by_role("button", name="Remove for good").wait_for()
        box = await visit.page.locator(".menu").bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= width
        assert await visit.page.locator(".menu :is(img, bdi *, p *)").count() == 0
        assert await visit.page.locator("#members .tile").evaluate_all(places) == before
        await visit.page.keyboard.press("Escape")
    assert await visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await visit.shifts() == []
