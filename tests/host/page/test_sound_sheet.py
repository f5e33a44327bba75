"""The sound sheet: what is chosen there is so at once, and nothing of what is tried there leaves the browser."""

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.host.page.mock_host import MockHost
from tests.host.page.visits import Visit, visiting
from tests.page.axe import violations

if TYPE_CHECKING:
    from playwright.async_api import Locator

KEEP = """
window.senders = [];
const add = RTCPeerConnection.prototype.addTransceiver;
RTCPeerConnection.prototype.addTransceiver = function (...a) {
  const made = add.apply(this, a); senders.push(made.sender); return made;
};
const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
window.granted = [];
navigator.mediaDevices.getUserMedia = async (c) => { const s = await ask(c); granted.push(...s.getTracks()); return s; };
window.sent = () => senders.map((sender) => sender.track).find((track) => track);
window.loudness = (n) => +document.querySelectorAll(".sound .meter")[n].dataset.n;
"""
"""Lets a test look at what is really sent: ``sent()`` is the track on its way up, ``granted`` all that a browser gave."""

MICROPHONE, LOUDSPEAKER = 0, 1
"""Which meter of the sheet."""


async def open_sheet(visit: Visit) -> "Locator":
    """Open it by its key."""
    await visit.page.locator("#sound").click()
    sheet = visit.page.get_by_role("dialog", name="Sound")
    await sheet.wait_for()
    return sheet


async def live(visit: Visit) -> None:
    await visit.own.click()
    await visit.own_is("live")


async def becomes(visit: Visit, condition: str) -> None:
    await visit.page.wait_for_function(f"() => {condition}", timeout=10_000)


@visiting(script=KEEP)
async def test_another_microphone_is_heard_at_once_and_remembered(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await live(visit)
    sheet = await open_sheet(visit)
    choice = sheet.get_by_role("combobox", name="Microphone")
    await choice.locator("option", has_text="Fake Audio Input 2").wait_for(state="attached")
    names = await choice.locator("option").all_inner_texts()
    assert names[0] == "As the system has it"
    assert {"Fake Audio Input 1", "Fake Audio Input 2"} <= set(names)
    await choice.select_option(label="Fake Audio Input 2")
    await becomes(visit, "sent()?.label === 'Fake Audio Input 2' && sent().enabled")
    assert await visit.packets_within(0.6) > 5, "whoever is live stays so"
    await visit.own_is("live")
    assert await visit.page.evaluate("granted.filter((t) => t.readyState === 'live').length") == 1
    await visit.page.keyboard.press("Escape")
    await visit.page.reload()
    await visit.page.wait_for_function("() => document.querySelector('#count').textContent !== ''")
    await visit.join()
    await live(visit)
    assert await visit.page.evaluate("sent().label") == "Fake Audio Input 2"


@visiting(script=KEEP)
async def test_a_mute_while_the_microphone_is_changed_holds(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await live(visit)
    sheet = await open_sheet(visit)
    await visit.page.evaluate("""() => {
        const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async (c) => {
            await new Promise((go) => window.go = go);
            return ask(c);
        };
    }""")
    await sheet.get_by_role("combobox", name="Microphone").select_option(label="Fake Audio Input 2")
    await becomes(visit, "window.go")
    await sheet.get_by_role("heading", name="Sound").click()
    await visit.page.keyboard.press("m")
    await visit.own_is("muted")
    await visit.page.evaluate("go()")
    await becomes(visit, "granted.length === 2")
    await asyncio.sleep(0.3)
    assert await visit.packets_within(0.6) == 0
    await visit.own_is("muted")
    assert await visit.page.evaluate("sent()") is None


@pytest.mark.parametrize(
    ("words", "setting"),
    [
        ("Suppress noise", "noiseSuppression"),
        ("Cancel echo", "echoCancellation"),
        ("Automatic level", "autoGainControl"),
    ],
)
@visiting(script=KEEP)
async def test_processing_changes_while_live(visit: Visit, words: str, setting: str) -> None:
    await visit.open()
    await visit.join()
    await live(visit)
    sheet = await open_sheet(visit)
    assert await visit.page.evaluate(f"sent().getSettings().{setting}") is True
    await sheet.get_by_role("checkbox", name=words).uncheck()
    await becomes(visit, f"sent()?.getSettings().{setting} === false && sent().enabled")
    await visit.own_is("live")
    assert await visit.packets_within(0.6) > 5


@visiting()
async def test_the_meter_is_hollow_while_muted_and_filled_while_live(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    sheet = await open_sheet(visit)
    meter = sheet.locator(".meter").first
    await becomes(visit, "+document.querySelector('.sound .meter').dataset.n > 5")  # the fake microphone beeps
    assert "hollow" in str(await meter.get_attribute("class"))
    await sheet.get_by_text("Muted. Only you see this level.").wait_for()
    await sheet.get_by_role("heading", name="Sound").click()
    await visit.page.keyboard.press("m")
    await sheet.get_by_text("You are live. Everyone hears this.").wait_for()
    assert "hollow" not in str(await meter.get_attribute("class"))
    await visit.page.keyboard.press("m")
    await sheet.get_by_text("Muted. Only you see this level.").wait_for()
    assert "hollow" in str(await meter.get_attribute("class"))


@visiting(script=KEEP)
async def test_the_chime_and_all_sound_come_out_of_the_chosen_loudspeaker(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    sheet = await open_sheet(visit)
    await asyncio.sleep(0.3)
    assert await visit.page.evaluate(f"loudness({LOUDSPEAKER})") == 0, "nothing plays before a press"
    await sheet.get_by_role("button", name="Play a chime").click()
    await becomes(visit, f"loudness({LOUDSPEAKER}) > 8")
    await becomes(visit, f"loudness({LOUDSPEAKER}) === 0")
    choice = sheet.get_by_role("combobox", name="Loudspeaker")
    await choice.select_option(label="Fake Audio Output 2")
    sinks = "[...document.querySelectorAll('audio')].map((a) => a.sinkId)"
    await becomes(visit, f"new Set({sinks}).size === 1 && {sinks}[0] === document.querySelectorAll('select')[1].value")
    assert await visit.page.evaluate("document.querySelectorAll('select')[1].value") != ""


FORGETS = """
const list = navigator.mediaDevices.enumerateDevices.bind(navigator.mediaDevices);
navigator.mediaDevices.enumerateDevices = async () => (await list()).filter((d) => d.label !== window.unplugged);
window.unplug = (label) => { window.unplugged = label; navigator.mediaDevices.dispatchEvent(new Event("devicechange")); };
"""
"""``unplug(label)`` takes a device out of the list, and says so; unplug("") puts it back."""


@visiting(script=FORGETS)
async def test_a_loudspeaker_that_goes_is_replaced_until_it_is_back(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    sheet = await open_sheet(visit)
    await sheet.get_by_role("combobox", name="Loudspeaker").select_option(label="Fake Audio Output 1")
    sinks = "[...document.querySelectorAll('audio')].every((a) => (a.sinkId === '') === %s)"
    await becomes(visit, sinks % "false")
    await visit.page.evaluate("unplug('Fake Audio Output 1')")
    await becomes(visit, sinks % "true")
    await visit.wait_text(".toast > span", "The chosen loudspeaker is gone. Sound comes from the system's.")
    await sheet.locator("option", has_text="The chosen one is not there").wait_for(state="attached")
    await visit.page.evaluate("unplug('')")
    await becomes(visit, sinks % "false")
    await visit.wait_text(".toast > span", "Sound comes from: Fake Audio Output 1.")


@visiting(script=KEEP)
async def test_the_echo_test_plays_what_was_said_and_sends_nothing(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    sheet = await open_sheet(visit)
    visit.host.received.clear()
    before = await visit.packets()
    shifts = await visit.shifts()  # the own tile comes into the list when one joins
    await sheet.get_by_role("button", name="Record 5 s").click()
    await sheet.get_by_text("Speak now: 5 s").wait_for()
    await sheet.get_by_text("Speak now: 2 s").wait_for()
    assert await visit.page.evaluate(f"loudness({LOUDSPEAKER})") == 0
    await sheet.get_by_text("This is how you sound.").wait_for()
    room = "[...document.querySelectorAll('audio')].map((a) => a.muted || a.volume === 0)"
    assert await visit.page.evaluate(room) == [True] * 3, "the room steps aside"
    await becomes(visit, f"loudness({LOUDSPEAKER}) > 5")  # the beep comes back
    await sheet.get_by_role("button", name="Record 5 s").wait_for(timeout=9000)
    assert await visit.page.evaluate(room) == [False] * 3
    assert await visit.packets() == before
    assert visit.host.received == []
    assert await visit.page.evaluate("document.getElementById('hint').hidden"), "whoever tries it knows"
    assert await visit.shifts() == shifts


PARTS = "[...document.querySelectorAll('.sound section')].map((part) => part.getBoundingClientRect().toJSON())"


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("width", [320, 1280])
@visiting()
async def test_its_parts_have_their_place_from_the_first_look_on(visit: Visit, width: int, language: str) -> None:
    await visit.page.set_viewport_size({"width": width, "height": 800})
    await visit.open()
    await visit.page.evaluate("l => l === 'de' && document.getElementById('language').click()", language)
    await visit.join()
    shifts = await visit.shifts()
    await visit.page.evaluate("document.getElementById('sound').click()")
    sheet = visit.page.locator(".sound")
    await sheet.wait_for()
    stand = await visit.page.evaluate(PARTS)
    assert len(stand) == 5
    key = sheet.locator(".test .key:visible").first
    await visit.page.wait_for_timeout(300)
    for press, says in (
        (True, "Speak now|Jetzt sprechen"),
        (False, "This is how you sound|So klingt es"),
        (False, "It stays|Die Aufnahme bleibt"),
    ):
        if press:
            await key.click()
        await sheet.locator(".test .second", has_text=re.compile(says)).wait_for(timeout=9000)
        assert await visit.page.evaluate(PARTS) == stand, says
    assert await visit.shifts() == shifts


@visiting(script=KEEP)
async def test_the_echo_test_mutes_first_and_ends_when_the_microphone_opens(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await live(visit)
    sheet = await open_sheet(visit)
    await sheet.get_by_role("button", name="Mute and record 5 s").click()
    await visit.own_is("muted")
    await sheet.get_by_text("Speak now:").wait_for()
    await visit.host.heard({"type": "muted", "muted": True})
    assert await visit.packets_within(0.5) == 0
    await sheet.get_by_role("heading", name="Sound").click()
    await visit.page.keyboard.press("m")
    await visit.own_is("live")
    await sheet.get_by_role("button", name="Mute and record 5 s").wait_for()
    await asyncio.sleep(5.5)
    assert not await sheet.get_by_text("This is how you sound.").is_visible()
    assert await visit.page.evaluate(f"loudness({LOUDSPEAKER})") == 0, "the room would have heard it"


SILENT = """
navigator.mediaDevices.getUserMedia = async () => new MediaStreamAudioDestinationNode(new AudioContext()).stream;
"""


@visiting(script=SILENT + KEEP)
async def test_an_echo_test_of_silence_says_so(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    sheet = await open_sheet(visit)
    await sheet.get_by_role("button", name="Record 5 s").click()
    await sheet.get_by_text("Nothing was heard.").wait_for(timeout=9000)


@visiting(script="delete window.MediaRecorder;")
async def test_a_browser_that_cannot_record_says_so(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    sheet = await open_sheet(visit)
    await sheet.get_by_role("button", name="Record 5 s").click()
    await sheet.get_by_text("This browser cannot record.").wait_for()


@visiting(script=KEEP)
async def test_the_microphone_is_tried_before_joining_and_given_back(visit: Visit) -> None:
    await visit.open()
    await visit.page.evaluate("document.getElementById('sound').click()")
    sheet = visit.page.get_by_role("dialog", name="Sound")
    await sheet.get_by_text("Nothing leaves.").wait_for()
    assert await visit.page.evaluate("granted.length") == 0, "not asked before a press"
    await sheet.get_by_role("button", name="Try the microphone").click()
    await becomes(visit, f"loudness({MICROPHONE}) > 5")
    await sheet.locator("option", has_text="Fake Audio Input 2").wait_for(state="attached")
    await sheet.get_by_text("Known while in the room").wait_for()
    await visit.page.keyboard.press("Escape")
    await becomes(visit, "granted.every((t) => t.readyState === 'ended')")
    await visit.own_is("join")


@visiting()
async def test_push_to_talk_goes_on_as_long_as_was_set(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    sheet = await open_sheet(visit)
    await sheet.get_by_role("slider", name="Goes on after letting go").fill("600")
    await sheet.get_by_text("600 ms").wait_for()
    await visit.page.keyboard.press("Escape")
    await visit.page.locator("#title").focus()
    await visit.page.keyboard.down(" ")
    await visit.own_is("held")
    await visit.page.keyboard.up(" ")
    await visit.own_is("muted")
    assert 550 < await visit.page.evaluate("seen.mutedAt - seen.keyUpAt") < 1200
    await asyncio.sleep(0.2)
    assert await visit.packets_within(0.6) == 0


@visiting()
async def test_space_can_be_told_not_to_talk(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    sheet = await open_sheet(visit)
    await sheet.get_by_role("checkbox", name="Hold space to talk").uncheck()
    await visit.page.keyboard.press("Escape")
    assert await visit.text("#own-second") == "Hold to talk"
    await visit.page.locator("#title").focus()
    await visit.page.keyboard.down(" ")
    await asyncio.sleep(0.3)
    await visit.own_is("muted")
    await visit.page.keyboard.up(" ")
    assert await visit.packets_within(0.4) == 0


@visiting()
async def test_the_volume_of_the_room_is_remembered(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    sheet = await open_sheet(visit)
    await sheet.get_by_role("slider", name="Volume of the room").fill("40")
    volumes = "[...document.querySelectorAll('audio')].map((a) => a.volume)"
    assert await visit.page.evaluate(volumes) == [0.4] * 3
    await asyncio.sleep(0.5)
    await visit.page.reload()
    await visit.page.wait_for_function("() => document.querySelector('#count').textContent !== ''")
    await visit.join()
    assert await visit.page.evaluate(volumes) == [0.4] * 3


LOSSY = """
const stats = RTCPeerConnection.prototype.getStats;
const counted = { type: "inbound-rtp", packetsReceived: 0, packetsLost: 0, jitter: 0.012 };
RTCPeerConnection.prototype.getStats = async function () {
  counted.packetsLost += window.bad ? 60 : 0;
  counted.packetsReceived += window.bad ? 20 : 80;
  return new Map([...(await stats.call(this)), ["x", { ...counted }]]);
};
"""
"""One more stream, of which most packets are lost while ``window.bad``."""


@visiting(script=LOSSY)
async def test_the_connection_is_told_in_a_word_and_on_request_in_figures(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    sheet = await open_sheet(visit)
    connection = sheet.get_by_role("region", name="Connection")
    await connection.get_by_text("Good", exact=True).wait_for()
    assert not await connection.get_by_text("There and back").is_visible()
    await connection.get_by_text("Figures").click()
    row = connection.locator("dd")
    await becomes(visit, r"/^\d+ ms$/.test(document.querySelectorAll('.sound dd')[2].textContent)")
    await visit.page.evaluate("window.bad = true")
    await connection.get_by_text("Poor", exact=True).wait_for(timeout=9000)
    assert (await row.all_inner_texts())[0].endswith(" %")
    await visit.own_is("muted")


def _listener(host: MockHost) -> None:
    host.you["role"] = "listener"


@visiting(host=_listener)
async def test_a_listener_has_only_a_loudspeaker(visit: Visit) -> None:
    await visit.open()
    await visit.own.click()
    await visit.own_is("listening")
    sheet = await open_sheet(visit)
    regions = [await region.get_attribute("aria-label") for region in await sheet.locator("section").all()]
    assert regions == ["Loudspeaker", "Connection"]


@visiting()
async def test_a_sheet_that_does_not_come_can_be_tried_again(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.page.route("**/sound.css*", lambda route: route.abort())
    await visit.page.locator("#sound").click()
    await visit.wait_text(".toast > span", "This part of the page did not come. Try again.")
    await visit.page.unroute("**/sound.css*")
    await open_sheet(visit)
    visit.complaints.clear()  # it is told in the console too


JUNK = (
    'localStorage.setItem("kontor", JSON.stringify({ volume: "loud", release: null, microphone: "gone", noise: 7 }));'
)


@visiting(script=JUNK)
async def test_stored_junk_breaks_nothing_and_a_device_of_before_is_done_without(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    assert await visit.page.evaluate("document.querySelector('audio').volume") == 1
    sheet = await open_sheet(visit)
    assert await sheet.get_by_role("checkbox", name="Suppress noise").is_checked()
    await sheet.locator("option", has_text="The chosen one is not there").wait_for(state="attached")


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("language", ["en", "de"])
def test_it_is_usable_by_all(chrome: Any, width: int, language: str) -> None:
    async def look() -> None:
        async with chrome.visit(width=width, language=language) as visit:
            await visit.open()
            await visit.join()
            await visit.page.evaluate("document.getElementById('sound').click()")
            await visit.page.locator(".sound").wait_for()
            await visit.page.locator(".sound summary").click()
            assert await violations(visit.page) == []
            wide = "document.querySelector('dialog').scrollWidth <= document.querySelector('dialog').clientWidth"
            assert await visit.page.evaluate(wide), "nothing is cut at the side"
            await visit.check()

    chrome.run(look())
