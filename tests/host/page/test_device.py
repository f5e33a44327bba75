"""The device panel: lamps in words, reasons, what may be asked from afar, and the demo's switch."""

import re
from typing import Any

import pytest

from tests.host.page.mock_host import MockHost, site
from tests.host.page.visits import Visit, visiting

OPEN = {
    "gate": "open",
    "reasons": [],
    "lamps": {"mic": "off", "room": "steady", "speak": "off", "fault": "off"},
    "switch": "open",
    "door": "open",
    "loudspeaker": -127,
    "talking_while_closed": False,
}


async def lamps(visit: Visit) -> list[str]:
    """The four lamps in words."""
    return await visit.texts("#aside dl:first-of-type dd")


def _demo(host: MockHost) -> None:
    host.panel_state = OPEN | {"lamps": dict(OPEN["lamps"])}  # type: ignore[call-overload]


@visiting()
async def test_lamps_in_words(visit: Visit) -> None:
    await visit.open()
    hand = "Nobody speaks.\nHand up:\u00a0Tomás Ruiz"
    assert await lamps(visit) == ["Off. Microphone open", "On. In the room", hand, "Off. Healthy"]
    await visit.host.speak(ben=-20, hamburg=-30)
    await visit.wait_text("#aside dd.two", "Ben Adeyemi, Hamburg.\nHand up:\u00a0Tomás Ruiz")
    shown: list[tuple[dict[str, Any], tuple[str, str, str]]] = [
        (site("closed", ("switch", "admin")), ("On. Closed by: Switch, Admin", "On. In the room", "Off. Healthy")),
        (site("closed", ("no audio",), mic="fast"), ("Blinks. Closed by a fault", "On. In the room", "Off. Healthy")),
        (site(room="slow", fault="slow"), ("Off. Microphone open", "Pulses. Connecting", "Pulses. Limited")),
        (site(room="fast", fault="fast"), ("Off. Microphone open", "Blinks. Refused", "Blinks. Needs a person")),
        (site(room="off", fault="steady"), ("Off. Microphone open", "Off. Not in the room", "On. Starting or stopped")),
    ]
    for report, words in shown:
        await visit.host.change("hamburg", site=report)
        await visit.wait_text("#aside dd:nth-of-type(2)", words[1])
        await visit.wait_text("#aside dd:nth-of-type(1)", words[0])
        await visit.wait_text("#aside dd:nth-of-type(4)", words[2])


@visiting(language="de")
async def test_every_reason_has_its_words(visit: Visit) -> None:
    await visit.open()
    reasons = ("switch", "button", "admin", "door", "quiet hours", "push-to-talk", "no audio", "panel lost", "hand")
    more = ("starting", "settings on trial", "recording", "fault")
    await visit.host.change("hamburg", site=site("closed", (*reasons, *more)))
    await visit.wait_text(".reasons li", "Schalter")
    assert await visit.texts(".reasons li") == [
        "Schalter",
        "Taste",
        "Moderation",
        "Tür",
        "Ruhezeit",
        "Sprechtaste",
        "Kein Ton",
        "Bedienfeld fehlt",
        "Wartet auf eine Hand",
        "Startet",
        "Einstellungen auf Probe",
        "Aufnahme",
        "Störung",
    ]
    await visit.host.change("hamburg", site=site())
    await visit.page.wait_for_selector(".reasons li", state="detached")


QUIET = site("closed", ("door", "quiet hours"), room="off") | {"door": "closed"}


@visiting()
async def test_quiet_hours_tell_their_end_on_the_visitor_s_clock(visit: Visit) -> None:
    await visit.open()
    await visit.host.change("hamburg", site=QUIET)
    await visit.wait_text("#door", ", Quiet hours")
    until = int(await visit.page.evaluate("+new Date(new Date().setHours(13, 0)) / 1000"))
    await visit.host.change("hamburg", site=QUIET | {"quiet_until": until})
    await visit.wait_text("#door", ", Quiet hours until 13:00")
    await visit.wait_text(".reasons li:nth-of-type(2)", "Quiet hours until 13:00")
    await visit.host.change("hamburg", site=QUIET | {"quiet_until": until, "door": "listening"})
    await visit.wait_text("#door", ", Device is listening only")


@visiting(language="de")
async def test_the_end_of_quiet_hours_is_told_as_short_as_can_be(visit: Visit) -> None:
    await visit.open()
    shown = await visit.page.evaluate(
        """async () => {
          const { setLanguage, timeWords } = await import("/page/words.js");
          const now = new Date(2027, 11, 24, 18);
          const days = [[2027, 11, 24, 23, 5], [2027, 11, 27, 7], [2028, 0, 3, 7], [2027, 10, 29, 18]];
          const until = days.map((day) => new Date(...day));
          return ["en", "de"].map((language) => (setLanguage(language), until.map((then) => timeWords(then / 1000, now / 1000))));
        }"""
    )
    # How a browser writes a day is its own affair.
    assert [[re.sub("[.,]", "", text) for text in language] for language in shown] == [
        ["23:05", "Mon 07:00", "3 Jan 07:00", "29 Nov 18:00"],
        ["23:05", "Mo 07:00", "3 Jan 07:00", "29 Nov 18:00"],
    ]


@visiting()
async def test_anybody_mutes_it_and_nobody_from_afar_opens_it(visit: Visit) -> None:
    await visit.open()
    await visit.page.get_by_role("button", name="Mute the device").click()
    await visit.host.heard({"type": "mute", "member": "hamburg"})
    await visit.host.change("hamburg", site=site("closed", ("admin",)), muted=True, state="muted")
    await visit.page.get_by_role("button", name="Ask the room to unmute").click()
    await visit.host.heard({"type": "ask_unmute", "member": "hamburg"})
    await visit.wait_text("#status", "The room was asked to unmute.")
    assert await visit.text("#toast") == "The room was asked to unmute."
    assert {m["type"] for m in visit.host.received} == {"mute", "ask_unmute"}


REFUSED = ("Too many at once. Wait a little.", "Zu viele auf einmal. Bitte etwas warten.")
TOASTS = """() => { window.toasts = new Set(); const node = document.querySelector("#toast span");
  new MutationObserver(() => toasts.add(node.textContent)).observe(node, { childList: true, subtree: true }); }"""


@pytest.mark.parametrize(("language", "form"), [("en", 0), ("de", 1)])
@pytest.mark.parametrize("where", ["panel", "menu"])
@visiting()
async def test_a_room_that_was_asked_just_now_is_not_said_to_be_asked(
    visit: Visit, where: str, language: str, form: int
) -> None:
    visit.host.refuses = {"ask_unmute": "too_often"}
    await visit.open()
    await visit.host.change("hamburg", site=site("closed", ("admin",)), muted=True, state="muted")
    if language == "de":
        await visit.page.locator("#language").click()
    await visit.page.evaluate(TOASTS)
    if where == "menu":
        await visit.page.locator("#members .tile > button").first.click()
    ask = "Um Öffnen bitten" if form else "Ask the room to unmute"
    await visit.page.locator(".menu" if where == "menu" else "#device").get_by_role("button", name=ask).click()
    await visit.wait_text("#toast span", REFUSED[form])
    assert await visit.text("#alert") == REFUSED[form]
    await visit.page.wait_for_timeout(800)
    assert await visit.page.evaluate("[...toasts]") == [REFUSED[form]], "nothing else was said"


@visiting()
async def test_what_else_is_refused_meanwhile_is_not_said_of_the_question(visit: Visit) -> None:
    await visit.open()
    await visit.host.change("hamburg", site=site("closed", ("admin",)), muted=True, state="muted")
    await visit.page.evaluate(TOASTS)
    await visit.page.get_by_role("button", name="Ask the room to unmute").click()
    await visit.host.heard({"type": "ask_unmute", "member": "hamburg"})
    for code in ("forbidden", "bad_title", "not_removed"):
        await visit.host.push({"type": "error", "code": code, "text": "In the host's own words."})
    await visit.wait_text("#toast span", "The room was asked to unmute.")
    await visit.host.push({"type": "error", "code": "not_joined", "text": "In the host's own words."})
    await visit.page.wait_for_timeout(300)
    assert await visit.page.evaluate("[...toasts]") == ["The room was asked to unmute."]


@visiting()
async def test_from_afar_the_switch_is_a_picture(visit: Visit) -> None:
    await visit.open()
    assert await visit.page.get_by_role("switch").count() == 0
    await visit.host.change("hamburg", site=site("closed", ("switch",)))
    await visit.page.wait_for_selector('.switch[data-closed="true"]')


@visiting()
async def test_the_ring_lights_the_figures_of_those_who_speak(visit: Visit) -> None:
    await visit.open()
    await visit.host.speak(hamburg=-20, ben=-20)
    await visit.page.wait_for_selector(".ring .led")
    lit = await visit.page.locator(".ring path").evaluate_all(
        "p => p.slice(0, 12).map((path, led) => path.dataset.hue && [led, +path.dataset.hue]).filter(Boolean)"
    )
    assert lit == [[0, 1], [1, 5], [2, 5], [4, 5], [11, 1]], "petrol 11 from 11, rust 1101 from 1"
    assert await visit.page.locator(".ring text").all_text_contents() == ["HA", "BA", ""]


def _two_figures_meet(host: MockHost) -> None:
    host.members[1]["sign"] = {"hue": 1, "place": 0}


@visiting(host=_two_figures_meet)
async def test_an_led_stays_with_whoever_lit_it_first(visit: Visit) -> None:
    await visit.open()
    hue = "() => document.querySelector('.ring path').dataset.hue"
    await visit.host.speak(ben=-20)
    await visit.page.wait_for_selector(".ring .led")
    await visit.host.speak(ben=-20, hamburg=-20)
    await visit.page.wait_for_selector('.ring path:nth-of-type(12)[data-hue="1"]')
    assert await visit.page.evaluate(hue) == "1"


@visiting(host=_demo)
async def test_in_the_demo_the_switch_is_a_control(visit: Visit) -> None:
    await visit.open("&panel=once")
    switch = visit.page.get_by_role("switch", name="Mute switch of the device")
    assert await switch.get_attribute("aria-checked") == "false"
    assert await visit.text(".says") == "Demo: switch and keys work here."
    await switch.click()
    await visit.host.heard({"switch": "closed"}, visit.host.panel_received)
    assert await switch.get_attribute("aria-checked") == "false", "it shows where it stands, not what was wished"
    closed = {"mic": "slow", "room": "steady", "speak": "off", "fault": "off"}
    await visit.host.push_panel(
        gate="closed", reasons=["switch"], switch="closed", lamps=closed, talking_while_closed=True
    )
    await visit.page.wait_for_selector('[role="switch"][aria-checked="true"]')
    assert (await lamps(visit))[0] == "Pulses. Closed by: Switch"
    assert await visit.page.locator('.lens [data-lamp="slow"]').count() == 1
    assert await visit.texts(".reasons li") == ["Switch", "Somebody talks into the closed microphone"]
    await switch.press("Enter")
    await visit.host.heard({"switch": "open"}, visit.host.panel_received)
    await visit.page.get_by_role("button", name="Door key of the device").click()
    await visit.host.heard({"press": "door"}, visit.host.panel_received)
    await visit.page.get_by_role("button", name="Knock key of the device").click()
    await visit.host.heard({"press": "knock"}, visit.host.panel_received)


@visiting(host=_demo)
async def test_in_the_demo_the_loudspeaker_shows_its_level(visit: Visit) -> None:
    await visit.open("&panel=once")
    assert await visit.text(".loudness span.second") == "Loudspeaker"
    await visit.host.push_panel(loudspeaker=-24)
    await visit.page.wait_for_selector('.loudness .meter[data-n="12"]')
    await visit.wait_text(".loudness output", "\N{MINUS SIGN}24 dB")


def _button(host: MockHost) -> None:
    _demo(host)
    assert host.panel_state is not None
    host.panel_state["switch"] = None


@visiting(host=_button)
async def test_a_demo_with_a_button_presses_it(visit: Visit) -> None:
    await visit.open("&panel=once")
    await visit.page.get_by_role("switch").click()
    await visit.host.heard({"press": "mute"}, visit.host.panel_received)


@visiting(width=360, height=740)
async def test_on_a_phone_the_lamps_stand_in_a_strip_that_opens_the_panel(visit: Visit) -> None:
    await visit.open()
    strip = visit.page.locator("#lamp-strip")
    assert "Off. Microphone open. On. In the room" in (await strip.text_content() or "")
    await strip.click()
    sheet = visit.page.get_by_role("dialog", name="Device")
    assert await sheet.get_by_role("button", name="Mute the device").is_visible()
    await visit.page.keyboard.press("Escape")
    assert await sheet.count() == 0
    await visit.page.keyboard.press("d")
    assert await sheet.get_by_role("button", name="Mute the device").is_visible()


@visiting(host=lambda host: setattr(host, "members", host.members[1:]))
async def test_a_room_without_a_device_says_so(visit: Visit) -> None:
    await visit.open()
    assert await visit.text("#aside") == "Device\n\nThere is no device in this room."


@visiting()
async def test_where_the_voice_comes_from_and_never_of_a_closed_microphone(visit: Visit) -> None:
    await visit.open()
    assert not await visit.page.locator(".voice").is_visible()
    await visit.host.change("hamburg", site=site() | {"direction": 90})
    await visit.wait_text(".voice", "The voice comes from 12 o'clock")
    arrow = visit.page.locator(".ring .arrow")
    assert await arrow.get_attribute("transform") == "rotate(0)"
    await visit.host.change("hamburg", site=site() | {"direction": 315})
    await visit.wait_text(".voice", "The voice comes from 5 o'clock")
    assert await arrow.get_attribute("transform") == "rotate(-225)"
    await visit.host.change("hamburg", site=site("closed", ("switch",)) | {"direction": 315})
    await visit.page.locator(".voice").wait_for(state="hidden")
    assert await arrow.count() == 0
