"""A browser that plays nothing before a press, or gives no sound at all: said in words, with one key that tries again."""

import pytest

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


DEAD = """
localStorage["kontor"] = JSON.stringify({ volume: 2 });
window.dead = "";
window.told = 0;
const refuse = (what) => { if (window.dead === what) { window.told += 1; throw new DOMException("", "NotSupportedError"); } };
const Real = window.AudioContext;
window.AudioContext = class extends Real {
  constructor(options) { refuse("new"); super(options); }
  resume() { refuse("resume"); return super.resume(); }
  createMediaStreamSource(stream) { refuse("source"); return super.createMediaStreamSource(stream); }
};
window.granted = [];
const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wish) => {
  const stream = await ask(wish);
  granted.push(...stream.getTracks());
  return stream;
};
"""
"""A browser whose sound can be switched off by ``dead = "new"`` and the like; the room is at 200 %."""

ELEMENTS = "[...document.querySelectorAll('audio')].map((a) => [a.paused, a.muted, a.volume].join())"


@pytest.mark.parametrize("what", ["new", "source"])
@visiting(script=DEAD)
async def test_without_any_sound_context_one_listens_and_a_press_tries_again(visit: Visit, what: str) -> None:
    await visit.open()
    await visit.page.evaluate("(what) => { dead = what; }", what)
    await visit.own.click()
    await visit.own_is("failed")
    assert await visit.text("#own-first") == "Microphone failed"
    assert await visit.text("#own-second") == "You can listen. Try again"
    assert await visit.own.get_attribute("aria-disabled") is None
    assert await visit.packets_within(0.4) == 0
    assert await visit.page.evaluate("granted.every((track) => track.readyState === 'ended')"), "given back"
    await visit.wait_text(".toast > span", "The browser plays no louder than 100 % now.")
    assert await visit.page.evaluate(ELEMENTS) == ["false,false,1"] * 3, "the room is heard all the same"
    await visit.page.wait_for_timeout(650)  # the guard against double clicks
    before = await visit.page.evaluate("told")
    await visit.own.click()
    await visit.page.wait_for_function("(before) => told > before", arg=before)
    await visit.own_is("failed")
    await visit.page.evaluate("dead = ''")
    await visit.own.click()
    await visit.own_is("muted")
    assert await visit.packets_within(0.4) == 0, "the press that brought it back opens nothing"
    await visit.own.click()
    await visit.own_is("live")
    assert await visit.packets_within(0.6) > 5
    await visit.host.push({"type": "slots", "slots": ["ben", None, None]})
    await visit.page.wait_for_function(f"() => {ELEMENTS}.every((one) => one === 'false,true,1')")  # amplified again


@visiting(script=DEAD, language="de")
async def test_a_sound_context_that_cannot_go_on_stops_nobody_from_joining(visit: Visit) -> None:
    await visit.open()
    await visit.page.evaluate("dead = 'resume'")
    await visit.join()
    assert await visit.page.evaluate("told") > 0
    await visit.own.click()
    await visit.own_is("live")
    assert await visit.packets_within(0.6) > 5


@visiting(script=DEAD)
async def test_a_chime_that_cannot_sound_says_so(visit: Visit) -> None:
    await visit.open()
    await visit.page.evaluate("dead = 'new'")
    await visit.own.click()
    await visit.own_is("failed")
    await visit.page.locator("#sound").click()
    await visit.page.get_by_text("Microphone failed. You can listen. Try again.").wait_for()
    await visit.page.get_by_role("button", name="Play a chime").click()
    await visit.wait_text(".toast > span", "The browser starts no sound. Close other pages with sound and try again.")


@visiting(script=HELD_BACK)
async def test_whoever_stands_on_its_key_when_the_network_goes_does_not_lose_the_focus(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.wait_text(".notice b", "The browser keeps the sound off.")
    await visit.page.locator("#notice .key").focus()
    visit.host.refuse = 1013
    await visit.host.close(1001)
    await visit.wait_text(".notice b", "No network.")
    assert await visit.page.evaluate("document.activeElement.id") == "own"
