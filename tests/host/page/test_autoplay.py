"""A browser that plays nothing before a press: said in words, with one key that starts the sound."""

from tests.host.page.mock_host import MockHost
from tests.host.page.visits import Visit, visiting

HELD_BACK = """
const play = HTMLMediaElement.prototype.play;
HTMLMediaElement.prototype.play = function () {
  return window.pressed ? play.call(this) : Promise.reject(new DOMException("", "NotAllowedError"));
};
addEventListener("click", (event) => { window.pressed ||= event.isTrusted && !event.target.closest("#own"); }, true);
"""
"""Holds back until a press on anything but the own key."""

PAUSED = "[...document.querySelectorAll('audio')].map((a) => a.paused)"


@visiting(script=HELD_BACK)
async def test_the_sound_that_is_held_back_starts_by_one_key(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.wait_text(".notice b", "The browser keeps the sound off.")
    assert await visit.text("#alert") == "The browser keeps the sound off. It starts with a press."
    assert await visit.page.evaluate(PAUSED) == [True] * 3
    shifts = await visit.shifts()
    key = visit.page.get_by_role("button", name="Start the sound")
    await key.click()
    await visit.page.wait_for_selector("#notice", state="hidden")
    await visit.page.wait_for_function(f"() => {PAUSED}.every((paused) => !paused)")
    assert await visit.shifts() == shifts


@visiting(script=HELD_BACK, language="de")
async def test_any_press_starts_it_and_leaving_ends_the_notice(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.wait_text(".notice b", "Der Browser hält den Ton zurück.")
    assert await visit.page.locator("#notice .key").inner_text() == "Ton starten"
    await visit.page.locator("#hand").click()
    await visit.page.wait_for_selector("#notice", state="hidden")
    await visit.page.wait_for_function(f"() => {PAUSED}.every((paused) => !paused)")


@visiting(script=HELD_BACK)
async def test_it_is_still_said_after_the_network_came_back(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.drop_media()
    await visit.own_was("reconnecting")
    await visit.own_is("muted")
    await visit.wait_text(".notice b", "The browser keeps the sound off.")
    await visit.page.keyboard.press("Escape")
    await visit.page.evaluate("document.getElementById('leave').click()")
    await visit.own_is("join")
    await visit.page.wait_for_selector("#notice", state="hidden")


UNTOUCHED = """
addEventListener("DOMContentLoaded", () => {
  const look = setInterval(() => {
    if (!document.getElementById("count").textContent) return;
    clearInterval(look);
    document.getElementById("own").click();
  }, 50);
});
"""
"""Joins without a person, as a page that is taken over from another window does."""


def _listener(host: MockHost) -> None:
    host.you["role"] = "listener"


@visiting(host=_listener, script=UNTOUCHED)
async def test_the_rule_of_the_browser_itself_is_met(visit: Visit) -> None:
    await visit.page.goto(visit.host.address)
    await visit.own_is("listening")
    await visit.page.get_by_role("button", name="Start the sound").click()
    await visit.page.wait_for_function(f"() => {PAUSED}.every((paused) => !paused)")
    await visit.page.wait_for_selector("#notice", state="hidden")
