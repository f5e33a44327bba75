"""Everything by keyboard alone, as a screen reader names it: overview, room, menus, sheets, devices, and out again."""

import asyncio
import re

import pytest

from tests.host.page.fleet import fleet, look
from tests.host.page.mock_host import MockHost
from tests.host.page.visits import Visit, visiting
from tests.page.scenes_asks import guests
from tests.page.scenes_overview import rooms
from tests.page.scenes_sheets import KEY

MOST_STOPS = 60
SEEN = """() => {
  const node = document.activeElement, box = node.getBoundingClientRect();
  const line = (style, kind) => style[`${kind}Style`] !== "none" && parseFloat(style[`${kind}Width`]) >= 2;
  const ring = (n) => [undefined, "::before", "::after"].some((part) => {
    const style = getComputedStyle(n, part);
    return line(style, "outline") || (part && style.content !== "none" && line(style, "borderTop"));
  });
  return {
    nothing: node === document.body,
    ring: [node, node.parentElement, node.closest("li"), ...node.querySelectorAll("*")].some((n) => n && ring(n)),
    inside: box.top >= -1 && box.left >= -1 && box.bottom <= innerHeight + 1 && box.right <= innerWidth + 1,
  };
}"""
"""Whether the focus is on something, which is in sight and has a ring on or around it."""

INSIDE = (
    "[document.body, ...document.querySelectorAll('dialog[open], dialog[open] *')].includes(document.activeElement)"
)
"""Whether the Tab key has stayed in the sheet; the browser's own keys come where the page shows its body."""

SMALL = """() => {
  const more = (style, ...sides) => style.content === "none" || style.position !== "absolute" ? 0
    : sides.reduce((sum, side) => sum - (parseFloat(style[side]) || 0), 0);
  const targets = [...document.querySelectorAll("button, a, input, select")].filter((n) => n.checkVisibility());
  return targets.map((n) => {
    const box = n.getBoundingClientRect(), after = getComputedStyle(n, "::after");
    return [n.id || n.innerText, box.width, box.width + more(after, "left", "right"), box.height + more(after, "top", "bottom")];
  }).filter(([, shown, width, height]) => shown > 1 && (width < 43.9 || height < 43.9));
}"""
"""Targets below 44 px, with what an ::after adds to them."""

Stop = tuple[str, str]


class Hands:
    """A keyboard, and what a screen reader says to it."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit

    async def focused(self) -> Stop:
        """Role and name of what has the focus (ARIA's rules for both, as Playwright has them); ("", "") for nothing."""
        if await self.visit.page.evaluate("document.activeElement === document.body"):
            return "", ""
        told = await self.visit.page.locator(":focus").aria_snapshot()
        if not told:  # it went just now, and something else has the focus
            return await self.focused()
        found = re.match(r"""- '?(\w+)(?: "((?:[^"\\]|\\.)*)")?""", told)
        assert found, f"not a role and a name: {told!r}"
        role, name = found.groups(default="")
        if role == "text":  # what opens more, a summary: its words are its name
            name = told.removeprefix("- text:").strip()
        return role, name.replace("\u2068", "").replace("\u2069", "")

    async def press(self, key: str) -> None:
        """A key of the keyboard."""
        await self.visit.page.keyboard.press(key)

    async def act(self, key: str) -> None:
        """The same, of a key that does something: whatever it does, the focus is not lost by it."""
        await self.press(key)
        assert (await self.focused())[0], f"after {key} the focus is on nothing"

    async def stands_at(self, role: str, name: str) -> None:
        """Wait until this has the focus, which on the way there is never on nothing."""
        async with asyncio.timeout(10):
            while (stop := await self.focused()) != (role, name):
                assert stop[0], f"before {name} the focus is on nothing"
                await asyncio.sleep(0.05)

    async def stops(self) -> list[Stop]:
        """Every stop of the Tab key from the first one on: named, in sight, and with a ring."""
        found: list[Stop] = []
        await self.visit.page.evaluate("document.getElementById('skip').focus({ focusVisible: true })")
        for _ in range(MOST_STOPS):
            seen, stop = await self.visit.page.evaluate(SEEN), await self.focused()
            if seen["nothing"] or stop in found[:1]:
                return found
            assert stop[1], f"a {stop[0]} without a name, after {found[-1:]}"
            assert seen["ring"], f"no ring around {stop}"
            assert seen["inside"], f"{stop} has the focus and is out of sight"
            found.append(stop)
            await self.press("Tab")
        raise AssertionError(f"the Tab key never comes round: {found}")

    async def tab_to(self, name: str) -> Stop:
        """Press Tab until something whose name begins so has the focus."""
        passed = []
        for _ in range(MOST_STOPS):
            await self.press("Tab")
            passed.append(await self.focused())
            if passed[-1][1].startswith(name):
                return passed[-1]
        raise AssertionError(f"Tab never comes to {name}: {passed}")


@visiting(host=rooms)
async def test_every_stop_of_the_overview_has_a_name_of_its_own(visit: Visit) -> None:
    await visit.page.goto(visit.host.overview)
    await visit.page.locator(".card").nth(5).wait_for()
    found = await Hands(visit).stops()
    assert found[0][1] == "To the microphone"
    for room in ("Studio", "Workshop", "Support desk", "Kitchen", "Board room"):
        assert any(role == "link" and name.startswith(room) for role, name in found), found
    keys = [name for role, name in found if role == "button"]
    assert len(keys) == len(set(keys)), f"keys that are told apart by sight alone: {keys}"
    assert sum("Join" in name for name in keys) == 5
    assert sum("Knock" in name for name in keys) == 1


@visiting(host=rooms)
async def test_from_the_overview_into_a_room_and_out(visit: Visit) -> None:
    hands = Hands(visit)
    await visit.page.goto(visit.host.overview)
    await visit.page.locator(".card").nth(5).wait_for()
    await visit.page.locator(".card h2 a").first.focus()
    await hands.tab_to("Join")
    await hands.press("Enter")
    await visit.own_is("muted")
    await visit.wait_text("#status", "Muted.")
    await visit.page.wait_for_timeout(650)
    await hands.tab_to("Unmute")
    await hands.press("Enter")
    await visit.own_is("live")
    await hands.press("Enter")
    await visit.own_is("muted")
    await visit.page.keyboard.down(" ")
    await visit.own_is("held")
    await visit.page.keyboard.up(" ")
    await visit.own_is("muted")
    await hands.tab_to("Hand")
    await hands.press("Enter")
    await visit.host.heard({"type": "hand", "up": True})
    await hands.tab_to("Leave")
    await hands.press("Enter")
    await visit.own_is("join")


@visiting(host=rooms)
async def test_the_focus_goes_along_to_the_heading_of_the_next_view(visit: Visit) -> None:
    visit.host.you["role"] = "admin"
    hands = Hands(visit)
    await visit.page.goto(visit.host.overview)
    await visit.page.locator(".card").nth(5).wait_for()

    async def stands_at(name: str) -> None:
        await visit.page.wait_for_function("() => document.activeElement.tagName === 'H1'")
        await visit.eventually(lambda: visit.page.evaluate("document.activeElement.textContent"), f"^{name}$")
        assert (await hands.focused()) == ("heading", name)
        assert await visit.page.evaluate("document.activeElement.tabIndex") == -1

    await visit.page.locator(".card h2 a").nth(1).focus()
    await hands.press("Enter")
    await stands_at("Workshop")
    await hands.press("2")
    await stands_at("Workshop")
    await hands.press("1")
    await stands_at("Studio")
    await visit.page.locator("#place-devices").focus()
    await hands.press("Enter")
    await visit.page.locator('.devices[data-stage="list"]').wait_for()
    await stands_at("Hamburg")
    await visit.page.locator("#place-rooms").focus()
    await hands.press("Enter")
    await stands_at("Rooms")
    for name in ("Hamburg", "Studio", "Workshop", "Rooms"):
        await visit.page.go_back()
        await stands_at(name)
    await visit.page.go_forward()
    await stands_at("Workshop")


@visiting(host=fleet, width=360, height=740, timezone_id="Europe/London")
async def test_on_narrow_pages_too(visit: Visit) -> None:
    hands = Hands(visit)
    await visit.page.goto(f"http://localhost:{visit.host.port}/studio#{visit.host.token}")
    await visit.page.locator("#members .tile").nth(4).wait_for()
    await visit.page.evaluate(
        "history.pushState(null, '', '/devices/hamburg'); dispatchEvent(new PopStateEvent('popstate'))"
    )
    await visit.page.locator('.devices[data-stage="list"]').wait_for()
    await visit.page.wait_for_function("() => document.activeElement.tagName === 'H1'")
    assert await hands.focused() == ("heading", "Hamburg"), "the list is out of sight"
    await visit.page.go_back()
    await visit.page.wait_for_function("() => document.activeElement.id === 'title'")


@visiting()
async def test_stops_of_the_room_come_in_the_order_that_the_design_names(visit: Visit) -> None:
    hands = Hands(visit)
    await visit.open()
    await visit.join()
    names = [name for _, name in await hands.stops()]
    ordered = [
        "To the microphone",
        "Rooms",
        "Settings",
        "Hamburg",
        "Mute the device",
        "Unmute",
        "Hand",
        "Sound",
        "Leave",
    ]
    at = [next((n for n, name in enumerate(names) if name.startswith(wanted)), -1) for wanted in ordered]
    assert at == sorted(at) and at[0] == 0, names
    await visit.page.evaluate("document.getElementById('skip').focus()")
    await hands.press("Enter")
    assert await hands.focused() == ("button", "Unmute"), "the skip link leads to the microphone"


@pytest.mark.parametrize(
    ("key", "title"), [("Sound", "Sound"), ("Settings", "Settings"), ("Make a link", "Make a link")]
)
@visiting(host=lambda host: host.you.update(role="admin"))
async def test_a_sheet_keeps_the_tab_key_and_gives_the_focus_back(visit: Visit, key: str, title: str) -> None:
    hands = Hands(visit)
    await visit.open()
    await hands.press("j")
    await visit.own_is("muted")
    opener = await hands.tab_to(key)
    await hands.press("Enter")
    dialog = visit.page.locator("dialog[open]")
    await dialog.wait_for()
    assert title in await dialog.get_by_role("heading").first.inner_text()
    for _ in range(14):
        await hands.press("Tab")
        assert await visit.page.evaluate(INSIDE)
    await hands.press("Escape")
    await dialog.wait_for(state="hidden")
    assert await hands.focused() == opener
    await visit.own_is("muted")


@visiting()
async def test_letters_and_the_members_menu(visit: Visit) -> None:
    hands = Hands(visit)
    await visit.open()
    await hands.press("?")
    dialog = visit.page.locator("dialog[open]")
    await dialog.wait_for()
    assert "Talk while held" in await dialog.inner_text()
    await hands.press("?")
    await dialog.wait_for(state="hidden")
    await hands.tab_to("Hamburg")
    await hands.press("ArrowDown")
    who = await hands.focused()
    assert not who[1].startswith("Hamburg")
    await hands.press("Enter")
    await visit.page.locator(".menu").wait_for()
    assert await visit.page.evaluate("document.querySelector('.menu').contains(document.activeElement)")
    await hands.press("Escape")
    assert await hands.focused() == who
    await hands.press("d")
    assert await visit.page.evaluate("document.getElementById('aside').contains(document.activeElement)")
    await hands.press("k")
    await visit.host.heard({"type": "knock"})


@visiting(host=fleet, timezone_id="Europe/London")
async def test_the_devices_page(visit: Visit) -> None:
    await visit.page.goto(f"http://localhost:{visit.host.port}/devices/hamburg#{visit.host.token}")
    await visit.page.locator('.devices[data-stage="list"]').wait_for()
    names = [name for _, name in await Hands(visit).stops()]
    for wanted in ("Mute", "Lisbon", "Support bundle"):
        assert any(wanted in name for name in names), (wanted, names)
    assert not any("nmute" in name and "Ask" not in name for name in names), "nothing here unmutes"


@visiting(host=rooms, width=360, height=740)
async def test_on_a_narrow_screen_everything_is_named_and_large_enough(visit: Visit) -> None:
    await visit.page.goto(visit.host.overview.replace("/#", "/studio#"))
    await visit.page.locator("#members .tile").nth(4).wait_for()
    assert len(await Hands(visit).stops()) >= 6
    assert await visit.page.evaluate(SMALL) == []


def _adding(host: MockHost) -> None:
    fleet(host)
    host.asking = [{"id": "attic", "name": "Attic", "key": KEY, "replaces": False}]


@visiting(host=_adding, timezone_id="Europe/London")
async def test_a_device_is_added_and_another_let_in(visit: Visit) -> None:
    hands = Hands(visit)
    await look(visit)
    opener = await hands.tab_to("Add a device")
    await hands.act("Enter")
    dialog = visit.page.get_by_role("dialog", name="Add a device")
    await dialog.wait_for()
    assert await hands.focused() == ("textbox", "Name of the device"), "one can begin to type"
    await visit.page.keyboard.type("Loft")
    assert await hands.tab_to("Wi-Fi") == ("textbox", "Wi-Fi (empty: by cable)")
    assert (await hands.tab_to("Password"))[1] == "Password of the Wi-Fi"
    assert await hands.tab_to("Make") == ("button", "Make the file")
    async with visit.page.expect_download():
        await hands.act("Enter")
    await hands.stands_at("button", "Download again")
    assert await hands.tab_to("Let in") == ("button", "Let in: Attic"), "which of several it is, is heard"
    await hands.act("Enter")
    await hands.stands_at("text", "Attic comes within half a minute.")
    await hands.act("Escape")
    await dialog.wait_for(state="detached")
    assert await hands.focused() == opener


@visiting(host=fleet, timezone_id="Europe/London")
async def test_a_support_bundle(visit: Visit) -> None:
    hands = Hands(visit)
    visit.host.bundle_refuse = "device_away"
    await look(visit)
    opener = await hands.tab_to("Support bundle")
    await hands.act("Enter")
    dialog = visit.page.get_by_role("dialog", name="Support bundle")
    await dialog.get_by_text("This device is not in the room.").wait_for()
    visit.host.bundle_refuse = ""
    assert await hands.tab_to("Try") == ("button", "Try again")
    await hands.act("Enter")
    await dialog.get_by_text("Hamburg packs it, 1 s").wait_for()
    assert await hands.focused() == ("button", "Try again"), "whoever waits stays where they are"
    assert await visit.page.locator(":focus").get_attribute("aria-disabled") == "true"
    await hands.act("Enter")
    async with visit.page.expect_download():
        visit.host.bundle = b"\x1f\x8bpacked"
    await hands.stands_at("button", "Save again")
    async with visit.page.expect_download():
        await hands.act(" ")
    await hands.act("Escape")
    await dialog.wait_for(state="detached")
    assert await hands.focused() == opener


@visiting(host=guests)
async def test_who_asks_is_answered_and_another_put_off(visit: Visit) -> None:
    hands = Hands(visit)
    await visit.open()
    await hands.press("j")
    await visit.own_is("muted")
    for guest in ("gus", "pia"):
        await visit.host.change(guest, hand=True, state="hand")
    await visit.eventually(lambda: visit.text("#status"), "Gus Berg")
    assert await hands.tab_to("Admit") == ("button", "Admit: Gus Berg"), "who it is, is heard"
    await hands.act("Enter")
    await visit.host.heard({"type": "admit", "member": "gus"})
    await visit.host.change("gus", hand=False, role="speaker", state="muted")
    await hands.stands_at("button", "Unmute")
    assert await hands.tab_to("Admit") == ("button", "Admit: Pia Lund")
    assert await hands.tab_to("Not now") == ("button", "Not now")
    await hands.act(" ")
    await visit.page.locator("#dock .asks").wait_for(state="hidden")
    await hands.stands_at("button", "Unmute")
    assert {"type": "admit", "member": "pia"} not in visit.host.received


@visiting()
async def test_the_echo_test(visit: Visit) -> None:
    hands = Hands(visit)
    await visit.open()
    await hands.press("j")
    await visit.own_is("muted")
    opener = await hands.tab_to("Sound")
    await hands.act("Enter")
    sheet = visit.page.get_by_role("dialog", name="Sound")
    await sheet.wait_for()
    assert await hands.tab_to("Record") == ("button", "Record 5 s")
    await hands.act("Enter")
    await sheet.get_by_text("Speak now:").wait_for()
    await hands.stands_at("button", "Stop")
    await sheet.get_by_text("This is how you sound.").wait_for(timeout=12_000)
    await hands.stands_at("button", "Stop")
    await hands.act(" ")
    await hands.stands_at("button", "Record 5 s")
    await hands.act("Escape")
    await sheet.wait_for(state="hidden")
    assert await hands.focused() == opener
    await visit.own_is("muted")
