"""The own key in every state: what it says, what a press does, and above all what leaves the microphone."""

import asyncio

import pytest

from tests.host.page.mock_host import MockHost
from tests.host.page.visits import Visit, visiting

LIVE = {"type": "muted", "muted": False}
MUTED = {"type": "muted", "muted": True}
OPENED = """
window.opened = 0;
const real = RTCRtpSender.prototype.replaceTrack;
RTCRtpSender.prototype.replaceTrack = function (track) {
  if (track) window.opened += 1;
  return real.call(this, track);
};
"""
"""Counts how often a track is put on the way up."""

TALKING = """
navigator.mediaDevices.getUserMedia = async () => {
  const context = new AudioContext(), tone = new OscillatorNode(context), out = new MediaStreamAudioDestinationNode(context);
  tone.connect(out);
  tone.start();
  window.quiet = () => tone.disconnect();
  return out.stream;
};
"""
"""A microphone into which somebody talks on and on, until quiet(); the browser's own fake one only beeps."""

BARRED = """
const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = (c) => window.plugged ? real(c) : Promise.reject(new DOMException("", "%s"));
"""
"""A microphone that is not to be had until ``window.plugged``."""

NOT_ASKED = "navigator.mediaDevices.getUserMedia = () => { throw new Error('a listener was asked'); };"


async def says(visit: Visit, first: str, second: str) -> None:
    """Assert both lines of the own key."""
    assert (await visit.text("#own-first"), await visit.text("#own-second")) == (first, second)


@visiting()
async def test_join_muted_unmute_mute_leave(visit: Visit) -> None:
    await visit.open()
    await says(visit, "Join", "You join muted")
    await visit.own.click()
    await visit.own_is("muted")
    await says(visit, "Unmute", "Hold space to talk")
    await visit.host.heard(MUTED)
    assert await visit.text("#status") == "Muted."
    assert await visit.text("#count") == "6 here"
    assert "Mira Koch (you)\nMuted" in await visit.texts("#members .words")
    assert await visit.packets_within(1.0) == 0, "joined muted: nothing leaves"
    await visit.own.click()
    await visit.own_is("live")
    await says(visit, "You are live", "Everyone hears you")
    await visit.host.heard(LIVE)
    assert await visit.text("#status") == "You are live."
    assert await visit.packets_within(1.0) > 20
    await visit.page.wait_for_selector('#own .meter:not([data-n="0"])', timeout=3000)  # the fake microphone beeps
    await visit.own.click()
    await visit.own_is("muted")
    await asyncio.sleep(0.2)
    assert await visit.packets_within(1.0) == 0
    await visit.page.get_by_role("button", name="Leave").click()
    await visit.own_is("join")
    assert visit.host.deleted == ["1"]
    await visit.wait_text("#count", "5 here")


_AGAIN = """() => {
  const [dock, own] = [document.getElementById("dock"), document.getElementById("own")];
  window.again = 0;
  new MutationObserver(() => {
    if (dock.dataset.own !== "muted" || again) return;
    again += 1;
    own.click();
  }).observe(dock, { attributes: true });
}"""


@visiting(script=OPENED)
async def test_a_double_click_on_join_never_opens_the_microphone(visit: Visit) -> None:
    await visit.open()
    await visit.page.evaluate(_AGAIN)
    await visit.own.dblclick()
    await visit.own_is("muted")
    await visit.page.wait_for_timeout(300)
    assert await visit.page.evaluate("window.again") > 0, "pressed once more, the moment it could be"
    assert await visit.page.evaluate("window.opened") == 0


@visiting()
async def test_space_talks_while_it_is_held(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.page.locator("#title").focus()
    await visit.page.keyboard.down(" ")
    await visit.own_is("held")
    await says(visit, "You are live", "Release to mute")
    assert await visit.packets_within(0.5) > 5
    await visit.page.keyboard.up(" ")
    await visit.own_is("muted")
    assert await visit.page.evaluate("seen.mutedAt - seen.keyUpAt") > 150, "the last syllable is not cut"
    assert visit.host.received[-2:] == [LIVE, MUTED]


@visiting()
async def test_losing_the_window_releases_at_once(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.page.locator("#title").focus()
    await visit.page.keyboard.down(" ")
    await visit.own_is("held")
    await visit.page.evaluate("dispatchEvent(new Event('blur'))")
    await visit.own_is("muted")
    await visit.page.keyboard.up(" ")
    await visit.own_is("muted")


@visiting()
async def test_on_the_own_key_enter_toggles_and_space_holds(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.own.focus()
    await visit.page.keyboard.press("Enter")
    await visit.own_is("live")
    await visit.page.keyboard.press("Enter")
    await visit.own_is("muted")
    await visit.page.keyboard.down(" ")
    await visit.own_is("held")
    await visit.page.keyboard.up(" ")
    await visit.own_is("muted")


@visiting()
async def test_space_on_another_control_belongs_to_it(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.page.locator("#hand").focus()
    await visit.page.keyboard.press(" ")
    await visit.host.heard({"type": "hand", "up": True})
    await visit.own_is("muted")


@visiting()
async def test_a_long_press_talks_and_a_short_one_toggles(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.own.hover()
    await visit.page.mouse.down()
    await visit.own_is("held")
    await visit.page.mouse.up()
    await visit.own_is("muted")


@visiting()
async def test_a_hold_that_ends_beside_the_key_swallows_no_later_press(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.own.hover()
    await visit.page.mouse.down()
    await visit.own_is("held")
    await visit.page.mouse.move(640, 300)
    await visit.own_is("muted")
    await visit.page.mouse.up()
    await visit.own.focus()
    await visit.page.keyboard.press("Enter")
    await visit.own_is("live")


@visiting()
async def test_m_mutes_and_j_joins_but_letters_can_be_switched_off(visit: Visit) -> None:
    await visit.open()
    await visit.page.keyboard.press("m")
    await visit.own_is("join")
    await visit.page.keyboard.press("j")
    await visit.own_is("muted")
    await visit.page.wait_for_timeout(650)
    await visit.page.keyboard.press("m")
    await visit.own_is("live")
    await visit.page.keyboard.press("m")
    await visit.own_is("muted")
    await visit.page.get_by_role("button", name="Settings").click()
    await visit.page.get_by_role("checkbox", name="Single-letter keys").uncheck()
    await visit.page.keyboard.press("Escape")
    await visit.page.keyboard.press("m")
    await asyncio.sleep(0.2)
    await visit.own_is("muted")


@visiting()
async def test_muted_by_admin_asks_and_is_lifted_without_opening(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.own.click()
    await visit.own_is("live")
    await visit.host.change("mira", admin_muted=True, state="admin_muted")
    await visit.host.push({"type": "muted_by_admin", "by": {"id": "lena", "name": "Lena Brandt"}})
    await visit.own_is("adminMuted")
    await says(visit, "Ask to speak", "Muted by admin")
    await visit.wait_text("#alert", "An admin muted your microphone. You can still listen.")
    await visit.wait_text(".toast > span", "An admin muted your microphone. You can still listen.")
    await asyncio.sleep(0.2)
    assert await visit.packets_within(0.6) == 0
    await visit.own.click()
    await visit.own_is("asked")
    await says(visit, "You asked to speak", "Press to withdraw")
    await visit.own.click()
    await visit.own_is("adminMuted")
    await visit.page.locator("#title").focus()
    await visit.page.keyboard.down(" ")
    await asyncio.sleep(0.2)
    await visit.page.keyboard.up(" ")
    await visit.own_is("adminMuted")
    await visit.host.change("mira", admin_muted=False, state="muted", muted=True)
    await visit.host.push({"type": "admin_mute_lifted"})
    await visit.own_is("muted")
    await visit.wait_text(".toast > span", "You can now speak.")
    assert await visit.packets_within(0.6) == 0, "lifting opens nothing"


@visiting(script=TALKING)
async def test_the_hint_hears_the_closed_microphone_and_nothing_leaves(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.wait_text(".hint b", "You are muted")
    assert await visit.text(".hint .second") == "Nobody hears this."
    await visit.wait_text("#status", "You are muted. Nobody hears this.")
    assert int(await visit.page.locator(".hint .meter").get_attribute("data-n") or 0) > 10
    assert await visit.packets_within(0.6) == 0
    said = [m for m in visit.host.received if m["type"] != "muted"]
    assert said == [], "the level stays here"
    await visit.page.evaluate("window.quiet()")
    await asyncio.sleep(1.5)
    assert await visit.page.locator(".hint").is_visible()
    await visit.page.wait_for_selector(".hint", state="hidden", timeout=3500)


@pytest.mark.parametrize(
    ("error", "state", "first", "second"),
    [
        ("NotFoundError", "none", "No microphone found", "You can listen. Check again"),
        ("NotAllowedError", "blocked", "Microphone is blocked", "Allow it in the browser"),
    ],
)
@visiting()
async def test_without_a_microphone_one_listens(visit: Visit, error: str, state: str, first: str, second: str) -> None:
    await visit.page.add_init_script(BARRED % error)
    await visit.open()
    await visit.own.click()
    await visit.own_is(state)
    await says(visit, first, second)
    await visit.page.wait_for_function("() => !document.getElementById('slot-0').paused")
    await visit.page.wait_for_timeout(650)
    await visit.page.evaluate("window.plugged = true")
    await visit.own.click()
    await visit.own_is("muted")
    await visit.own.click()
    await visit.own_is("live")
    assert await visit.packets_within(0.6) > 5


def _listener(host: MockHost) -> None:
    host.you["role"] = "listener"


@visiting(host=_listener, script=NOT_ASKED)
async def test_by_a_listener_link_one_only_listens(visit: Visit) -> None:
    await visit.open()
    await visit.own_is("listen")
    await says(visit, "Listen", "You can only listen")
    await visit.own.click()
    await visit.own_is("listening")
    assert await visit.own.get_attribute("aria-disabled") == "true"
    await visit.page.wait_for_function("() => !document.getElementById('slot-0').paused")


@visiting()
async def test_media_lost_comes_back_by_itself_and_live_again(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.own.click()
    await visit.own_is("live")
    await visit.drop_media()
    await visit.own_was("reconnecting")
    await visit.own_is("live")
    assert await visit.packets_within(0.6) > 5


@visiting()
async def test_a_short_loss_of_presence_is_not_noticed(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.own.click()
    await visit.own_is("live")
    visit.host.received.clear()
    await visit.host.close(1001)
    await visit.host.heard(LIVE)
    await visit.own_is("live")
    assert not await visit.page.locator(".notice").is_visible()


@visiting()
async def test_muted_survives_a_loss(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.drop_media()
    await visit.own_was("reconnecting")
    await visit.own_is("muted")
    assert await visit.packets_within(0.6) == 0


@visiting()
async def test_leaving_the_page_leaves_the_room(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    for _ in range(100):
        if visit.host.deleted:
            break
        await asyncio.sleep(0.02)
    assert visit.host.deleted == ["1"]


@visiting()
async def test_volumes_go_to_the_slot_of_the_member(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.host.push({"type": "slots", "slots": [None, "ben", None]})
    await visit.page.locator("#members .tile:nth-child(2) > button").click()
    volume = visit.page.get_by_role("slider", name="Volume")
    await volume.fill("50")
    sounds = "[...document.querySelectorAll('audio')].map(a => [a.volume, a.muted])"
    assert await visit.page.evaluate(sounds) == [[1, False], [0.5, False], [1, False]]
    await volume.fill("200")
    assert (await visit.page.evaluate(sounds))[1][1] is True, "above 100 % a gain node plays in place of the element"
    await visit.host.push({"type": "slots", "slots": ["ben", None, None]})
    await visit.page.wait_for_function(
        "() => [...document.querySelectorAll('audio')].map(a => +a.muted).join('') === '100'"
    )
    await visit.page.get_by_role("checkbox", name="Mute for me").check()
    assert await visit.page.evaluate(sounds) == [[0, True], [1, False], [1, False]]
