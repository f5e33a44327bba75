"""What works less well in a device, or in a bridge, is said in the language of the page."""

import pytest

from appliance.app import bridge_words
from appliance.app.about import extra_of
from appliance.health.machine import THROTTLED, Machine
from tests.host.page.mock_host import MockHost, member, site
from tests.host.page.test_files import WORDS
from tests.host.page.visits import Visit, visiting

BRIDGE = "untold"
"""What tests/rooms/test_bridge.py has a bridge tell."""


def told() -> dict[str, object]:
    """Of a device in which all is wrong at once."""
    slow = Machine(uptime=1.0, throttled=tuple(THROTTLED.values()))
    wrong = {"front_end": {"degraded": "one microphone is silent"}, "panel_problem": "the ring shows nothing"}
    extra = extra_of({}, wrong, slow)
    return {name: extra[name] for name in ("limited", "limited_by")}


CODES = [*str(told()["limited_by"]).split(), BRIDGE]


def test_every_code_has_words_and_no_words_are_kept_for_others() -> None:
    assert len(CODES) == 7
    assert {f"limited.{code}" for code in CODES} == {key for key in WORDS if key.startswith("limited.")}


def test_each_reason_that_closes_a_bridge_has_words() -> None:
    assert {f"reason.{why}" for why in bridge_words.WHY} <= WORDS.keys()


FAULT = "#device dd:last-of-type"


@pytest.mark.parametrize(("language", "form", "first"), [("en", 0, "Limited: "), ("de", 1, "Eingeschränkt: ")])
@visiting()
async def test_it_is_said_in_the_language_of_the_page(visit: Visit, language: str, form: int, first: str) -> None:
    await visit.open()
    if language == "de":
        await visit.page.locator("#language").click()

    async def says(extra: dict[str, object], what: str) -> None:
        await visit.host.change("hamburg", site=site(fault="slow") | {"extra": extra})
        await visit.eventually(lambda: visit.text(FAULT), f"{first}{what}$")

    await says(told(), ", ".join(WORDS[f"limited.{code}"][form] for code in CODES if code != BRIDGE))
    await says(
        {"limited": "x", "limited_by": "sound hot"}, f"{WORDS['limited.sound'][form]}, {WORDS['limited.hot'][form]}"
    )
    await says({"limited": "what a newer device tells", "limited_by": "sound newer"}, "what a newer device tells")
    await says({"limited": "what an older device tells"}, "what an older device tells")
    await visit.host.change("hamburg", site=site(fault="slow") | {"extra": {"limited_by": ["constructor"]}})
    await visit.eventually(lambda: visit.text(FAULT), f"{first.strip(': ')}$")


CUT = """() => { const fault = document.querySelector("#device dd:last-of-type"), at = new Range(); at.selectNodeContents(fault);
  return fault.scrollWidth > fault.clientWidth || fault.scrollHeight > fault.clientHeight
    || at.getBoundingClientRect().bottom > document.querySelector("#device hr").getBoundingClientRect().top; }"""


@visiting(width=1280, language="de")
async def test_two_at_once_are_said_in_full_and_nothing_moves(visit: Visit) -> None:
    await visit.open()
    for codes in ("panel", "sound under_voltage", "under_voltage frequency_capped"):
        await visit.host.change("hamburg", site=site(fault="slow") | {"extra": {"limited": "x", "limited_by": codes}})
        last = WORDS[f"limited.{codes.split()[-1]}"][1]
        await visit.eventually(lambda: visit.text(FAULT), f"{last}$")
        assert not await visit.page.evaluate(CUT), codes
        await visit.host.change("hamburg", site=site())
        await visit.eventually(lambda: visit.text(FAULT), "In Ordnung$")
    assert await visit.shifts() == []


def _bridged(host: MockHost) -> None:
    host.members.append(member("bridge", "Bridge to Berlin", 2, 8, kind="bridge", site=site()))


@pytest.mark.parametrize(("language", "form"), [("en", 0), ("de", 1)])
@visiting(host=_bridged)
async def test_the_menu_of_a_bridge_says_why_it_is_closed_and_what_it_cannot_do(
    visit: Visit, language: str, form: int
) -> None:
    await visit.open()
    if language == "de":
        await visit.page.locator("#language").click()
    await visit.page.locator("#members .tile", has_text="Bridge to Berlin").get_by_role("button").first.click()
    menu = visit.page.get_by_role("dialog", name="Bridge to Berlin")
    said = visit.page.locator("#menu-told")
    await menu.wait_for()
    assert not await said.is_visible(), "nothing is the matter"
    for reason in bridge_words.WHY:
        await visit.host.change("bridge", site=site("closed", (reason,)))
        word = WORDS[f"reason.{reason}"][form]
        await visit.wait_text("#menu-told", WORDS["lamp.micClosed"][form].replace("{reasons}", word))
    limited = {"extra": {"limited": "Berlin cannot be told of it", "limited_by": BRIDGE}}
    await visit.host.change("bridge", site=site(fault="slow") | limited)
    what = WORDS[f"limited.{BRIDGE}"][form]
    await visit.wait_text("#menu-told", WORDS["lamp.limited"][form].replace("{what}", what))
    assert await said.is_visible()
