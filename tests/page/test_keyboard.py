"""Everything by keyboard alone, as a screen reader names it: overview, room, menus, sheets, devices, and out again."""

from typing import Any

from tests.host.page.fleet import fleet
from tests.host.page.mock_host import MockHost
from tests.host.page.visits import Visit, visiting
from tests.page.scenes_overview import rooms

MOST_STOPS = 60
_RING = """() => {
  const node = document.activeElement, style = getComputedStyle(node), box = node.getBoundingClientRect();
  const shown = [node, ...node.querySelectorAll("*")].some((n) => parseFloat(getComputedStyle(n).outlineWidth) >= 2
    && getComputedStyle(n).outlineStyle !== "none") || node.closest(":focus-within") !== null && style.outlineStyle !== "none";
  const inside = box.top >= -1 && box.left >= -1 && box.bottom <= innerHeight + 1 && box.right <= innerWidth + 1;
  return { shown, inside, body: node === document.body };
}"""

INSIDE = (
    "[document.body, ...document.querySelectorAll('dialog[open], dialog[open] *')].includes(document.activeElement)"
)
"""Whether the Tab key has stayed in the sheet; the browser's own keys come where the page shows its body."""
SMALL = """() => [...document.querySelectorAll("button, a, input, select")].filter((n) => n.checkVisibility())
  .map((n) => ({ who: n.id || n.textContent, box: n.getBoundingClientRect() }))
  .filter(({ box }) => box.width > 1 && (box.width < 43.9 || box.height < 43.9))
  .map(({ who, box }) => `${who}: ${box.width} by ${box.height}`)"""


async def focused(visit: Visit) -> tuple[str, str]:
    """Role and name of what has the focus, as the browser tells them to a screen reader; ("", "") for nothing."""
    session = await visit.page.context.new_cdp_session(visit.page)
    given = await session.send("Runtime.evaluate", {"expression": "document.activeElement"})
    tree = await session.send(
        "Accessibility.getPartialAXTree", {"objectId": given["result"]["objectId"], "fetchRelatives": False}
    )
    await session.detach()
    node: dict[str, Any] = tree["nodes"][0]
    role, name = (str(node.get(field, {}).get("value", "")) for field in ("role", "name"))
    return (
        ("", "")
        if role in ("RootWebArea", "none", "generic")
        else (role, name.replace("\u2068", "").replace("\u2069", ""))
    )


async def stops(visit: Visit) -> list[tuple[str, str]]:
    """Every stop of the Tab key from the top of the page to its end: named, in sight, and marked by the ring."""
    found: list[tuple[str, str]] = []
    await visit.page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    for _ in range(MOST_STOPS):
        await visit.page.keyboard.press("Tab")
        seen = await visit.page.evaluate(_RING)
        role, name = await focused(visit)
        if seen["body"] or (found and (role, name) == found[0]):
            return found
        assert name, f"a {role} without a name, after {found[-1:]}"
        assert seen["shown"], f"no ring around {role} {name}"
        assert seen["inside"], f"{role} {name} has the focus and is out of sight"
        found.append((role, name))
    raise AssertionError(f"the Tab key never comes round: {found}")


async def tab_to(visit: Visit, name: str) -> None:
    """Press Tab until what has this name has the focus."""
    passed = []
    for _ in range(MOST_STOPS):
        await visit.page.keyboard.press("Tab")
        passed.append((await focused(visit))[1])
        if passed[-1] == name:
            return
    raise AssertionError(f"Tab never comes to {name}: {passed}")


@visiting(host=rooms)
async def test_from_the_overview_into_a_room_and_out(visit: Visit) -> None:
    await visit.page.goto(visit.host.overview)
    await visit.page.locator(".card").nth(5).wait_for()
    found = await stops(visit)
    names = [name for _, name in found]
    for room in ("Studio", "Workshop", "Support desk", "Kitchen", "Board room"):
        assert ("link", room) in found, names
    keys = [name for role, name in found if role == "button"]
    assert len(keys) == len(set(keys)), f"keys that are told apart by sight alone: {keys}"
    joins = [name for name in keys if name.startswith("Join")]
    assert len(joins) == 5
    await tab_to(visit, joins[0])
    await visit.page.keyboard.press("Enter")
    await visit.own_is("muted")
    await visit.wait_text("#status", "Muted.")
    await visit.page.wait_for_timeout(650)
    await tab_to(visit, "Unmute")
    await visit.page.keyboard.press("Enter")
    await visit.own_is("live")
    await visit.page.keyboard.press("Enter")
    await visit.own_is("muted")
    await visit.page.keyboard.down(" ")
    await visit.own_is("held")
    await visit.page.keyboard.up(" ")
    await visit.own_is("muted")
    await tab_to(visit, "Hand")
    await visit.page.keyboard.press("Enter")
    await visit.host.heard({"type": "hand", "up": True})
    await tab_to(visit, "Leave")
    await visit.page.keyboard.press("Enter")
    await visit.own_is("join")


@visiting()
async def test_stops_of_the_room_come_in_the_order_that_the_design_names(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    found = await stops(visit)
    names = [name for _, name in found]
    assert names[0] == "To the microphone"
    ordered = ["Rooms", "Settings", "Hamburg", "Mute the device", "Unmute", "Hand", "Sound", "Leave"]
    at = [next(n for n, name in enumerate(names) if name.startswith(wanted)) for wanted in ordered]
    assert at == sorted(at), names
    await visit.page.evaluate("document.activeElement.blur()")
    await visit.page.keyboard.press("Tab")
    await visit.page.keyboard.press("Enter")
    assert (await focused(visit)) == ("button", "Unmute"), "the skip link leads to the microphone"


@visiting(host=lambda host: host.you.update(role="admin"))
async def test_letters_menus_and_sheets(visit: Visit) -> None:
    await visit.open()
    await visit.page.keyboard.press("j")
    await visit.own_is("muted")
    await visit.page.wait_for_timeout(650)

    # Sheets: each has a name, keeps the Tab key, and gives the focus back to what opened it.
    for key, opened in (("?", "Keyboard"), ("Sound", "Sound"), ("Settings", "Settings"), ("Link", "")):
        if len(key) == 1:
            await visit.page.keyboard.press(key)
        else:
            await tab_to(visit, next(n for n in await names_of(visit) if n.startswith(key)))
            before = await focused(visit)
            await visit.page.keyboard.press("Enter")
        dialog = visit.page.locator("dialog[open]")
        await dialog.wait_for()
        assert opened in (await dialog.get_by_role("heading").first.inner_text())
        for _ in range(12):
            await visit.page.keyboard.press("Tab")
            assert await visit.page.evaluate(INSIDE)
        await visit.page.keyboard.press("Escape")
        await dialog.wait_for(state="hidden")
        if len(key) > 1:
            assert await focused(visit) == before
        await visit.own_is("muted")

    # The members: arrows, Enter for the menu, Esc back to the tile.
    await visit.page.locator("#members .tile > button").first.focus()
    await visit.page.keyboard.press("ArrowDown")
    who = await focused(visit)
    await visit.page.keyboard.press("Enter")
    await visit.page.locator(".menu").wait_for()
    assert await visit.page.evaluate("document.querySelector('.menu').contains(document.activeElement)")
    await visit.page.keyboard.press("Escape")
    assert await focused(visit) == who
    await visit.page.keyboard.press("d")
    assert await visit.page.evaluate("document.getElementById('aside').contains(document.activeElement)")
    await visit.page.keyboard.press("k")
    await visit.host.heard({"type": "knock"})


async def names_of(visit: Visit) -> list[str]:
    """The names of all stops, once round."""
    return [name for _, name in await stops(visit)]


@visiting(host=fleet, timezone_id="Europe/London")
async def test_the_devices_page(visit: Visit) -> None:
    await visit.page.goto(f"http://localhost:{visit.host.port}/devices/hamburg#{visit.host.token}")
    await visit.page.locator('.devices[data-stage="list"]').wait_for()
    names = await names_of(visit)
    for wanted in ("Mute", "Hamburg", "Lisbon", "Support bundle"):
        assert any(wanted in name for name in names), (wanted, names)
    assert not any("nmute" in name and "Ask" not in name for name in names), "nothing here unmutes"


def _narrow(host: MockHost) -> None:
    rooms(host)


@visiting(host=_narrow, width=360, height=740, has_touch=True)
async def test_on_a_narrow_screen_everything_is_named_too(visit: Visit) -> None:
    await visit.page.goto(visit.host.overview.replace("/#", "/studio#"))
    await visit.page.locator("#members .tile").nth(4).wait_for()
    names = await names_of(visit)
    assert len(names) > 8
    assert await visit.page.evaluate(SMALL) == [], "targets are 44 px at least"
