"""Whoever cannot see, hear, point or read English uses the same room: names, roles, focus, languages, motion."""

import pytest

from tests.host.page.mock_host import MockHost
from tests.host.page.visits import Visit, visiting

NAMELESS = """() => {
  const bad = [];
  const text = (id) => document.getElementById(id)?.textContent?.trim() ?? "";
  for (const node of document.querySelectorAll("button, a[href], input, select, [role=switch], dialog, nav, aside, section")) {
    const labelled = (node.getAttribute("aria-labelledby") ?? "").split(" ").map(text).join(" ").trim();
    const inside = node.matches("button, a") ? node.textContent.trim() : "";
    const label = node.labels?.[0]?.textContent.trim();
    const name = labelled || node.getAttribute("aria-label") || label || inside;
    if (!name && !node.closest("[hidden]")) bad.push(node.outerHTML.slice(0, 120));
  }
  return bad;
}"""

IDS = """() => {
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  const twice = ids.filter((id, n) => ids.indexOf(id) !== n);
  const dangling = [...document.querySelectorAll("[aria-labelledby], [aria-describedby], [aria-controls]")].flatMap((node) =>
    ["aria-labelledby", "aria-describedby", "aria-controls"].flatMap((a) => (node.getAttribute(a) ?? "").split(" "))
  ).filter((id) => id && !document.getElementById(id));
  return [...twice, ...dangling];
}"""

DRAWN = "() => [...document.querySelectorAll('svg, .meter, .lamp, .cells')].filter(n => !n.closest('[aria-hidden=true]')).length"

FOCUSED = "document.activeElement.id || (document.activeElement.querySelector('.words') ?? document.activeElement).textContent"

SMALL = """() => [...document.querySelectorAll("button, a[href], select, input[type=range], label")].filter((node) => {
  const box = node.getBoundingClientRect();
  if (!box.width || node.matches(".skip") || node.closest("[hidden]")) return false;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const reach = (dx, dy) => node.contains(document.elementFromPoint(x + dx, y + dy));
  return !(box.height >= 44 || (reach(0, -21) && reach(0, 21))) || !(box.width >= 44 || (reach(-21, 0) && reach(21, 0)));
}).map((node) => node.outerHTML.slice(0, 100))"""


@pytest.mark.parametrize("language", ["en", "de"])
@visiting()
async def test_everything_that_can_be_pressed_has_a_name(visit: Visit, language: str) -> None:
    await visit.open()
    if language == "de":
        await visit.page.locator("#language").click()
    assert await visit.page.evaluate(NAMELESS) == []
    assert await visit.page.evaluate(IDS) == []
    assert await visit.page.evaluate(DRAWN) == 0, "pictures say nothing, words stand beside them"
    assert await visit.page.evaluate("document.documentElement.lang") == language
    assert await visit.page.locator("[lang]").count() == 1, "lang on the root and on nothing else"


@visiting()
async def test_landmarks(visit: Visit) -> None:
    await visit.open()
    for role in ("banner", "main", "complementary", "contentinfo"):
        assert await visit.page.get_by_role(role).count() == 1, role
    assert await visit.page.get_by_role("region", name="Who speaks").get_by_role("listitem").count() == 3
    assert await visit.page.get_by_role("navigation", name="Rooms").count() == 1
    assert await visit.page.get_by_role("complementary", name="Device in \u2068Hamburg\u2069").count() == 1
    assert await visit.page.get_by_role("heading", level=1, name="Studio").count() == 1


@visiting()
async def test_the_own_key_is_named_by_its_action_and_described_by_its_state(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    own = visit.page.get_by_role("button", name="Unmute", exact=True)
    assert await own.get_attribute("id") == "own"
    assert await own.get_attribute("aria-pressed") is None, "its name changes instead"
    assert await visit.text("#own-second") == "Hold space to talk"


@visiting()
async def test_the_way_of_the_focus(visit: Visit) -> None:
    await visit.open()
    seen = []
    for _ in range(12):
        await visit.page.keyboard.press("Tab")
        seen.append(await visit.page.evaluate(FOCUSED))
    head = ["skip", "place-rooms", "place-devices", "language", "theme"]
    assert seen == [*head, "Studio 5", "knock", "widget", "settings", "HamburgListening", "device-key", "own"]
    await visit.page.locator("#skip").focus()
    await visit.page.keyboard.press("Enter")
    assert await visit.page.evaluate("document.activeElement.id") == "own"
    assert (await visit.page.evaluate("location.hash")) == "", "the link is on the keyring, and in no history"


@visiting()
async def test_the_list_of_keys(visit: Visit) -> None:
    await visit.open()
    await visit.page.keyboard.press("?")
    sheet = visit.page.get_by_role("dialog", name="Keyboard")
    rows = (await sheet.inner_text()).split("\n")
    for key in ("M", "Space", "J", "H", "K", "D", "1 \N{EN DASH} 9", "Arrows", "Enter", "Esc", "?"):
        assert key in rows
    await visit.page.keyboard.press("?")
    assert await sheet.count() == 0
    for key, where in (("1", "title"), ("d", "aside")):
        await visit.page.keyboard.press(key)
        assert await visit.page.evaluate("document.activeElement.id") == where


@visiting()
async def test_language_and_theme_are_kept(visit: Visit) -> None:
    await visit.open()
    await visit.page.locator("#language").click()
    assert await visit.text("#own-first") == "Beitreten"
    assert await visit.text("#count") == "5 hier"
    await visit.page.get_by_role("button", name="Darstellung: Automatisch").click()
    await visit.page.get_by_role("button", name="Darstellung: Hell").click()
    main = visit.page.locator("#room")
    assert await main.evaluate("m => getComputedStyle(m).backgroundColor") == "rgb(28, 28, 26)"
    await visit.page.reload()
    await visit.wait_text("#own-first", "Beitreten")
    assert await visit.page.evaluate("document.documentElement.dataset.theme") == "dark"


@visiting(language="de-CH")
async def test_the_first_language_is_the_browsers(visit: Visit) -> None:
    await visit.open()
    assert await visit.text("#own-first") == "Beitreten"


@visiting()
async def test_who_speaks_is_announced_only_when_asked_for(visit: Visit) -> None:
    await visit.open()
    await visit.host.speak(ben=-20)
    await visit.wait_text("#bar li:nth-child(2) .second", "Speaking")
    assert await visit.text("#status") == ""
    await visit.page.get_by_role("button", name="Settings").click()
    await visit.page.get_by_role("checkbox", name="Announce who speaks").check()
    await visit.page.keyboard.press("Escape")
    await visit.host.speak(ben=-127, yuki=-20)
    await visit.wait_text("#status", "Yuki Tanaka speaks")


def _slow_lamp(host: MockHost) -> None:
    host.members[0]["site"]["lamps"]["room"] = "slow"


MOVING = "() => document.getAnimations().filter(a => a.playState === 'running').length"


@visiting(host=_slow_lamp, reduced_motion="reduce")
async def test_reduced_motion_stands_still(visit: Visit) -> None:
    await visit.open()
    assert await visit.page.evaluate(MOVING) == 0
    await visit.host.speak(ben=-33)
    await visit.page.wait_for_selector('#bar li:nth-child(2) .meter[data-n="8"]')  # five steps of 12 dB


@visiting(host=_slow_lamp)
async def test_still_display_is_a_setting(visit: Visit) -> None:
    await visit.open()
    assert await visit.page.evaluate(MOVING) > 0
    await visit.page.get_by_role("button", name="Settings").click()
    await visit.page.get_by_role("checkbox", name="Still display").check()
    await visit.page.keyboard.press("Escape")
    assert await visit.page.evaluate(MOVING) == 0


@pytest.mark.parametrize(("width", "height"), [(360, 740), (1280, 800)])
@visiting()
async def test_targets_are_as_large_as_a_finger(visit: Visit, width: int, height: int) -> None:
    await visit.page.set_viewport_size({"width": width, "height": height})
    await visit.open()
    await visit.join()
    assert await visit.page.evaluate(SMALL) == []


@visiting()
async def test_nothing_needs_a_style_attribute_even_in_sheets(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    for name in ("Sound", "Settings"):
        await visit.page.get_by_role("button", name=name, exact=True).click()
        await visit.page.get_by_role("dialog", name=name).wait_for()
        assert await visit.page.evaluate(NAMELESS) == []
        await visit.page.keyboard.press("Escape")
