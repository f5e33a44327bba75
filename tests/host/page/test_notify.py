"""Notifications: asked for by a press, shown while the page is out of sight, and never otherwise."""

from typing import Any

from tests.host.page.mock_host import member
from tests.host.page.visits import Visit, visiting

SPY = """
window.asked = 0;
window.told = [];
window.focused = 0;
window.focus = () => { window.focused += 1; };
let answer = "ANSWER";
let state = "default";
window.Notification = class {
  static get permission() { return state; }
  static async requestPermission() { window.asked += 1; return state = answer; }
  constructor(title, options) { this.title = title; this.options = options; this.closed = false; window.told.push(this); }
  close() { this.closed = true; this.onclose?.(); }
};
window.hide = (hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
};
"""
"""Stands in for the system that shows them: a browser without a screen shows none."""

TOLD = """told.map((one) => {
  const { body, tag } = one.options;
  return { title: one.title.replace(/[\\u2068\\u2069]/g, ""), body, tag, closed: one.closed };
})"""


def spy(answer: str = "granted") -> str:
    """A system that gives this answer when it is asked."""
    return SPY.replace("ANSWER", answer)


async def settings(visit: Visit) -> None:
    """Open the settings."""
    await visit.page.click("#settings")
    await visit.page.wait_for_selector("dialog")


async def switch_on(visit: Visit) -> None:
    """Join, and ask for notifications in the settings."""
    await visit.open()
    await visit.join()
    await settings(visit)
    await visit.page.get_by_label("Notify me of knocks and hands").check()
    await visit.page.keyboard.press("Escape")


async def told(visit: Visit) -> list[dict[str, Any]]:
    """What the system was asked to show."""
    await visit.page.wait_for_timeout(150)
    return list(await visit.page.evaluate(TOLD))


def knock(name: str = "Tomás Ruiz", identity: str = "tomas") -> dict[str, Any]:
    """The host's word of a knock."""
    return {"type": "knock", "by": {"id": identity, "name": name}}


def as_admin(host: Any) -> None:
    """We are an admin here."""
    host.you["role"] = "admin"


@visiting(script=spy())
async def test_nobody_is_asked_before_they_ask(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.page.evaluate("hide(true)")
    await visit.host.push(knock())
    assert await told(visit) == []
    await visit.page.evaluate("hide(false)")
    await settings(visit)
    assert await visit.page.evaluate("asked") == 0
    box = visit.page.get_by_label("Notify me of knocks and hands")
    assert not await box.is_checked()
    await box.check()
    assert await visit.page.evaluate("asked") == 1
    assert await box.is_checked()


@visiting(script=spy())
async def test_a_knock_is_told_only_while_the_page_is_out_of_sight(visit: Visit) -> None:
    await switch_on(visit)
    await visit.host.push(knock())
    assert await told(visit) == []
    await visit.page.evaluate("hide(true)")
    await visit.host.push(knock())
    (shown,) = await told(visit)
    assert shown["title"] == "Tomás Ruiz knocks"
    assert "Studio" in shown["body"]
    await visit.host.push(knock("Mira Koch", "mira"))
    assert len(await told(visit)) == 1, "not of one's own"
    await visit.host.push(knock())
    tags = [one["tag"] for one in await told(visit)]
    assert len(tags) == 2 and len(set(tags)) == 1, "the same again takes the place of the first"
    await visit.page.evaluate("hide(false)")
    assert all(one["closed"] for one in await told(visit)), "seen is done"


@visiting(script=spy(), host=as_admin)
async def test_a_hand_is_told_to_whoever_may_answer_it(visit: Visit) -> None:
    await switch_on(visit)
    await visit.page.evaluate("hide(true)")
    await visit.host.change("lena", admin_muted=True, hand=True, state="hand")
    (shown,) = await told(visit)
    assert shown["title"] == "Lena Brandt wants to speak"
    await visit.host.change("lena", name="Lena B.")
    assert len(await told(visit)) == 1, "it was up already"
    await visit.host.change("lena", hand=False, state="admin_muted")
    await visit.host.change("lena", hand=True, state="hand")
    assert len(await told(visit)) == 2


@visiting(script=spy())
async def test_a_hand_is_not_told_to_others_and_being_asked_is(visit: Visit) -> None:
    await switch_on(visit)
    await visit.page.evaluate("hide(true)")
    await visit.host.change("lena", admin_muted=True, hand=True, state="hand")
    assert await told(visit) == []
    await visit.host.push({"type": "asked_to_unmute", "by": {"id": "ben", "name": "Ben Adeyemi"}})
    (shown,) = await told(visit)
    assert shown["title"] == "Ben Adeyemi asks you to unmute."
    assert await visit.page.locator("#dock").get_attribute("data-own") == "muted", "and nothing is opened by it"


@visiting(script=spy())
async def test_a_press_on_it_brings_the_page_to_the_front(visit: Visit) -> None:
    await switch_on(visit)
    await visit.page.evaluate("hide(true)")
    await visit.host.push(knock())
    await told(visit)
    await visit.page.evaluate("told[0].onclick()")
    assert await visit.page.evaluate("focused") == 1
    assert (await told(visit))[0]["closed"]
    assert await visit.page.evaluate("location.pathname") == "/studio"


@visiting(script=spy("denied"))
async def test_a_refusal_is_shown_where_it_was_asked(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await settings(visit)
    box = visit.page.get_by_label("Notify me of knocks and hands")
    await box.click()
    await visit.page.get_by_text("The browser blocks notifications. Allow them there.").wait_for()
    assert not await box.is_checked()
    await visit.page.evaluate("hide(true)")
    await visit.host.push(knock())
    assert await told(visit) == []


@visiting(script=spy())
async def test_switched_off_is_off(visit: Visit) -> None:
    await switch_on(visit)
    await settings(visit)
    await visit.page.get_by_label("Notify me of knocks and hands").uncheck()
    await visit.page.evaluate("hide(true)")
    await visit.host.push(knock())
    assert await told(visit) == []


@visiting(script=spy())
async def test_names_are_text_and_junk_is_nothing(visit: Visit) -> None:
    await switch_on(visit)
    await visit.page.evaluate("hide(true)")
    visit.host.members.append(member("odd", "<b>\u202e\u0007", 3, 3))
    await visit.host.push(knock("<b>odd</b>\u202e", "odd"))
    (shown,) = await told(visit)
    assert shown["title"].startswith("<b>odd</b>")


@visiting(script="delete window.Notification;")
async def test_a_browser_without_them_offers_none(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await settings(visit)
    assert await visit.page.get_by_label("Notify me of knocks and hands").count() == 0


@visiting()
async def test_the_browsers_own_are_shown_by_the_browser(visit: Visit) -> None:
    origin = f"http://localhost:{visit.host.port}"
    await visit.page.context.grant_permissions(["microphone", "notifications"], origin=origin)
    await switch_on(visit)
    await visit.page.evaluate(
        """() => {
          Object.defineProperty(document, "hidden", { value: true });
          const Own = window.Notification;
          window.shown = [];
          window.Notification = class extends Own {
            constructor(title, options) { super(title, options); this.onshow = () => shown.push(this.title); }
          };
        }"""
    )
    await visit.host.push(knock())
    await visit.page.wait_for_function("() => shown.length === 1", timeout=5000)
