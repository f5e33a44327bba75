"""One device on the devices page: what an admin sees of it, and what they may ask of it."""

import asyncio
import re
from itertools import pairwise

import pytest

from tests.host.page.fleet import HERE, at, details, facts, fleet, look, reported
from tests.host.page.mock_host import MockHost
from tests.host.page.test_files import CODE
from tests.host.page.visits import Visit, visiting

NONE = "\N{EN DASH}"
"""Stands where nothing was told."""


@visiting(host=fleet, **HERE)
async def test_a_device_that_is_well_as_the_picture_shows_it(visit: Visit) -> None:
    await look(visit)
    assert await visit.text(".device-page h1") == "Hamburg"
    assert await visit.text(".device-state") == "In the room, microphone open"
    gate = await facts(visit, ".cell-gate")
    assert await visit.text(".cell-gate h2") == "Gate: open"
    assert gate == {
        "Switch": "09:12 to 09:40",
        "Button": "never",
        "Admin": "3 Nov, 15:20",
        "Door": "today, 08:01",
        "Quiet hours": "18:00 to 08:00",
        "Push-to-talk": "never",
        "No audio": "12 Nov, 2 s",
        "Panel lost": "never",
        "Waits for a hand": "never",
        "Settings on trial": "never",
        "Recording": "never",
        "Starting": "12 Nov, 4 s",
        "Fault": "never",
    }
    assert await visit.text(".proof-number") == "0"
    assert await visit.text(".cell-proof .second") == (
        "frames left while the gate was closed. 3,412,006 checked since 12 November, every engine."
    )
    assert await facts(visit, ".cell-config") == {
        "Version": "41",
        "Digest": "7f3a 91c2",
        "Signed by": "ops-2",
        "Applied": "09:02",
        "Back in the room": "after 4 s",
    }
    health = await visit.page.locator(".health > div").evaluate_all(
        "rows => rows.map(r => [...r.querySelectorAll('dt, dd b, dd .second')].map(n => n.textContent).join(' '))"
    )
    assert health == [
        "Round trip 24 ms max 150 ms",
        "Packet loss 0.2 % max 5 %",
        "Playout delay 46 ms 20 to 80 ms",
        "Dropouts 0 in 24 h",
        "Processor 31 % of one core",
        "Temperature 52 °C max 80 °C",
    ]
    assert await visit.page.locator('.health use[href$="#check"]').count() == 6


@visiting(host=fleet, language="de", **HERE)
async def test_the_same_in_german_and_the_other_language_without_a_reload(visit: Visit) -> None:
    await look(visit)
    assert await visit.text(".cell-gate h2") == "Mikrofon: offen"
    assert (await facts(visit, ".cell-gate"))["Moderation"] == "3. Nov., 15:20"
    assert "3.412.006 geprüft seit 12. November" in await visit.text(".cell-proof .second")
    await visit.page.click("#language")
    await visit.wait_text(".cell-gate h2", "Gate: open")
    assert (await facts(visit, ".cell-gate"))["Switch"] == "09:12 to 09:40"


@visiting(host=fleet, script="Date.now = ((real) => () => real() - 9e7)(Date.now);", **HERE)
async def test_times_are_told_by_the_hosts_clock(visit: Visit) -> None:
    await look(visit)
    assert (await facts(visit, ".cell-gate"))["Door"] == "today, 08:01"


@visiting(host=fleet, **HERE)
async def test_a_closed_gate_tells_its_reasons_first_and_hides_the_voice(visit: Visit) -> None:
    await look(visit)
    await visit.host.speak(hamburg=-20)
    await visit.page.wait_for_selector(".polar circle[r='5']")
    held = details()["held"] | {"switch": [at(11, 27, 14), None]}
    closed = reported("closed", ("admin", "switch"), details=details(held=held), direction=48)
    await visit.host.change("hamburg", site=closed, muted=True, state="muted")
    await visit.wait_text(".cell-gate h2", "Gate: closed")
    first = visit.page.locator(".cell-gate dl > div")
    assert (await first.nth(0).inner_text()).split("\n")[0] == "Admin"
    assert await first.nth(1).locator("dd").inner_text() == "since 14:00"
    weights = await visit.page.locator(".cell-gate dt").evaluate_all("n => n.map(d => getComputedStyle(d).fontWeight)")
    assert weights == ["600", "600"] + ["400"] * 11
    lit = await visit.page.locator(".cell-gate .lamp").evaluate_all("n => n.map(l => l.dataset.lamp)")
    assert lit == ["steady", "steady"] + ["off"] * 11
    assert await visit.text(".device-state") == "In the room, microphone closed"
    assert await visit.text(".polar-blank") == "Not drawn while muted"
    assert not await visit.page.locator(".polar svg").is_visible()
    assert await visit.text(".degrees") == ""
    assert await visit.page.get_by_role("img", name="Not drawn while muted").count() == 1
    await visit.host.change("hamburg", site=reported(), muted=False, state="listening")
    await visit.wait_text(".cell-gate h2", "Gate: open")
    assert await visit.page.locator(".polar circle:not([r='0'])").count() == 0, "what was heard before is forgotten"
    assert await visit.shifts() == []


CRAMPED = """() => [...document.querySelectorAll(".cell-gate dl > div")].flatMap((row) => {
  const lines = (selector) => {
    const range = new Range();
    range.selectNodeContents(row.querySelector(selector));
    return [...range.getClientRects()];
  };
  const [term, value] = [lines("dt > span:last-child"), lines("dd")];
  const right = Math.max(...term.map((line) => line.right));
  return term.length <= 2 && value.length === 1 && right + 4 <= value[0].left ? [] : [row.textContent];
})"""
"""Rows of the gate whose reason needs more than the two lines that it has, or runs into when it held."""


BRIDGES = {"ring", "away"}
"""Why a bridge says nothing: it has no gate, and no card here."""
REASONS = tuple(reason for reason in re.findall(r'"reason\.([^"]+)"', CODE["words.js"]) if reason not in BRIDGES)


async def cramped(visit: Visit, gate: str) -> list[str]:
    """What does not fit beside a closed gate's reasons that have held since this morning, or an open one's of another day."""
    span = [at(11, 3, 15), at(11, 26, 20, 20)] if gate == "open" else [at(11, 27, 8, 20), None]
    told = details(held=dict.fromkeys(REASONS, span))
    visit.host.members[0]["site"] = reported(gate, REASONS if gate == "closed" else (), details=told)
    await look(visit)
    assert len(await facts(visit, ".cell-gate")) == len(REASONS) == 13
    found: list[str] = await visit.page.evaluate(CRAMPED)
    return found


@pytest.mark.parametrize("gate", ["open", "closed"])
@visiting(host=fleet, width=320, height=740, **HERE)
async def test_every_reason_fits_beside_when_it_held_on_the_narrowest_page(visit: Visit, gate: str) -> None:
    assert await cramped(visit, gate) == []


@pytest.mark.parametrize("gate", ["open", "closed"])
@visiting(host=fleet, width=320, height=740, language="de", **HERE)
async def test_so_does_every_german_reason(visit: Visit, gate: str) -> None:
    assert await cramped(visit, gate) == []


@visiting(host=fleet, **HERE)
async def test_it_can_be_muted_and_asked_and_never_unmuted_from_here(visit: Visit) -> None:
    await look(visit)
    mute = visit.page.get_by_role("button", name="Mute", exact=True)
    await mute.focus()
    await mute.press("Enter")
    await visit.host.heard({"type": "mute", "member": "hamburg"})
    await visit.host.change("hamburg", site=reported("closed", ("admin",)), muted=True, state="muted")
    ask = visit.page.get_by_role("button", name="Ask the room to unmute")
    await ask.wait_for()
    assert await ask.evaluate("key => key === document.activeElement"), "the keyboard stays where it was"
    assert await visit.text(".cell-gate .second") == "Only a hand in the room can unmute it."
    await ask.press("Enter")
    await visit.host.heard({"type": "ask_unmute", "member": "hamburg"})
    await visit.wait_text("#toast span", "The room was asked to unmute.")
    assert {m["type"] for m in visit.host.received} == {"mute", "ask_unmute"}
    assert await visit.page.get_by_role("button", name="Unmute", exact=True).count() == 0
    assert await visit.shifts() == []


@visiting(host=fleet, **HERE)
async def test_a_room_that_refuses_to_be_asked_is_not_said_to_be_asked(visit: Visit) -> None:
    visit.host.refuses = {"ask_unmute": "too_often"}
    await look(visit, "/devices/support")
    await visit.page.get_by_role("button", name="Ask the room to unmute").click()
    await visit.wait_text("#toast span", "Too many at once. Wait a little.")
    await visit.page.wait_for_timeout(800)
    assert await visit.text("#toast") == "Too many at once. Wait a little."


@visiting()
async def test_without_a_key_and_without_a_host_it_says_that_nobody_answers(visit: Visit) -> None:
    await visit.page.route("**/rooms", lambda route: route.fulfill(status=502))
    await visit.page.goto(f"http://localhost:{visit.host.port}/devices")
    await visit.wait_text(".devices p", "The server cannot be reached. Trying again by itself.")
    assert "This page is for admins." not in await visit.text(".devices")
    await visit.page.unroute("**/rooms")
    await visit.wait_text(".devices h1", "This page is for admins.")


def _silent(host: MockHost) -> None:
    host.refuse = 1013


@visiting(host=_silent)
async def test_with_a_key_and_without_a_host_it_says_so_too(visit: Visit) -> None:
    await visit.page.goto(f"http://localhost:{visit.host.port}/devices#{visit.host.token}")
    await visit.wait_text(".devices p", "The server cannot be reached. Trying again by itself.")
    visit.host.refuse = None
    await visit.wait_text(".devices h1", "This page is for admins.")


@visiting(host=fleet, **HERE)
async def test_where_the_voice_comes_from_as_on_the_ring(visit: Visit) -> None:
    await look(visit)
    assert await visit.text(".polar-words") == "42°\nbetween 1 and 2 o'clock, ± 3°"
    assert await visit.page.locator(".pointer").get_attribute("transform") == "rotate(42)"
    assert (await visit.page.locator(".beam").get_attribute("d") or "").count("L") == 71
    await visit.host.speak(hamburg=-20)
    dot = visit.page.locator(".polar circle[r='5']")
    await dot.wait_for()
    # -20 dBov is two thirds of the way out; 42° clockwise from 12 o'clock is right and up.
    assert await dot.evaluate("c => [c.cx.baseVal.value, c.cy.baseVal.value].map(Math.round)") == [50, -55]
    await visit.host.change("hamburg", site=reported(direction=90))
    await visit.wait_text(".degrees", "0°")
    assert await visit.text(".polar-words .second") == "at 12 o'clock, ± 3°"
    await visit.page.wait_for_function("() => document.querySelectorAll(\".polar circle[r='3']\").length > 0")
    assert await visit.shifts() == []


@visiting(host=fleet, **HERE)
async def test_a_direction_in_steps_of_fifteen_degrees_is_drawn_and_told_as_such(visit: Visit) -> None:
    await look(visit)
    assert await visit.page.locator(".wedge").get_attribute("d") == "", "3° are as good as exact"
    # As every device tells it: 45° in its own terms, which is half a step of 15 off at most.
    await visit.host.change("hamburg", site=reported(direction=60, details=details(direction_error=8)))
    await visit.wait_text(".degrees", "≈\u202f30°")
    assert await visit.text(".polar-words .second") == "about 1 o'clock, ± 8°"
    wedge = visit.page.locator(".wedge")
    assert await wedge.get_attribute("transform") == "rotate(30)"
    assert await wedge.evaluate("w => Math.round(w.getBBox().width)") == 31, "16° wide at the outer circle"
    await visit.host.change("hamburg", site=reported("closed", ("admin",), details=details(direction_error=8)))
    await visit.wait_text(".degrees", "")
    assert await wedge.get_attribute("d") == ""
    assert await visit.shifts() == []


@visiting(host=fleet, **HERE)
async def test_the_label_of_the_plot_changes_every_five_seconds_at_most(visit: Visit) -> None:
    await look(visit)
    image = visit.page.locator(".polar[role=img]")
    assert await image.get_attribute("aria-label") == "Talker direction: 42°, between 1 and 2 o'clock, ± 3°"
    await visit.page.evaluate(
        """() => { window.labels = [];
             new MutationObserver(() => labels.push(performance.now())).observe(
               document.querySelector(".polar"), { attributes: true, attributeFilter: ["aria-label"] }); }"""
    )
    for turn in range(14):
        await visit.host.change("hamburg", site=reported(direction=(48 + 15 * turn) % 360))
        await asyncio.sleep(0.5)
    labels: list[float] = await visit.page.evaluate("labels")
    assert len(labels) in (1, 2)
    assert all(later - earlier >= 4900 for earlier, later in pairwise(labels))


@visiting(host=fleet, **HERE)
async def test_an_older_device_is_shown_as_such_and_nothing_is_made_up(visit: Visit) -> None:
    await look(visit, "/devices/workshop")
    assert await visit.text(".cell-gate .second") == "All clear. It tells no times."
    assert set((await facts(visit, ".cell-gate")).values()) == {""}
    assert await visit.text(".proof-number") == NONE
    older = "Not told: this device has older software."
    assert await visit.texts(".cell-proof .second, .cell-config > .second, .cell-health > p") == [older] * 3
    assert set((await facts(visit, ".cell-config")).values()) == {NONE}
    assert await visit.texts(".health b") == [NONE] * 6
    icons = await visit.page.locator(".health .icon").evaluate_all("n => n.map(i => getComputedStyle(i).visibility)")
    assert icons == ["hidden"] * 6
    assert await visit.text(".polar-words") == "This device tells no direction"
    assert await visit.page.get_by_role("button", name="Support bundle").count() == 0


@visiting(host=fleet, **HERE)
async def test_a_device_that_follows_no_settings_is_not_called_old(visit: Visit) -> None:
    await look(visit)
    told = details()
    del told["config"], told["health"]
    await visit.host.change("hamburg", site=reported(details=told))
    await visit.wait_text(".cell-config > .second", "This device follows no published settings.")
    assert await visit.text(".cell-health > p") == "This device does not tell it yet."
    assert await visit.text(".proof-number") == "0"


@visiting(host=fleet, **HERE)
async def test_beyond_a_limit_stands_a_triangle_and_the_way_out(visit: Visit) -> None:
    await look(visit)
    worse = details()["health"] | {"loss_percent": 7.25, "temperature_c": 84}
    bad = details(
        health=worse, proof={"violations": 3, "checked": 3_500_000, "since": at(11, 12, 9), "engine": "native"}
    )
    await visit.host.change("hamburg", site=reported(details=bad))
    await visit.wait_text(".proof-number", "3")
    assert await visit.page.locator('.health use[href$="#warn"]').count() == 2
    assert await visit.texts(".cell-health .ways li") == [
        "Packet loss: use a cable, or a Wi-Fi with less traffic.",
        "Temperature: give it air or a heat sink, away from sun and heating.",
    ]
    assert "Beyond the limit" in (await facts(visit, ".cell-health"))["Packet loss"]
    assert await visit.text(".cell-proof .second") == (
        "frames left while the gate was closed. Unplug this device and send its support bundle."
    )
    assert await visit.page.locator(".proof-number .bad").is_visible()
    await visit.host.change("hamburg", site=reported())
    await visit.wait_text(".proof-number", "0")
    assert await visit.page.locator(".ways:visible, .bad").count() == 0
    assert await visit.shifts() == []


@visiting(host=fleet, **HERE)
async def test_a_support_bundle_is_packed_by_the_device_and_saved(visit: Visit) -> None:
    await look(visit)
    await visit.page.get_by_role("button", name="Support bundle").click()
    sheet = visit.page.get_by_role("dialog", name="Support bundle")
    await sheet.get_by_text("Hamburg packs it, 1 s").wait_for()
    async with visit.page.expect_download() as coming:
        visit.host.bundle = b"\x1f\x8bpacked"
    saved = await coming.value
    assert saved.suggested_filename == "kontor-hamburg.tar.gz"
    assert (await saved.path()).read_bytes() == b"\x1f\x8bpacked"
    await sheet.get_by_text("kontor-hamburg.tar.gz is saved.").wait_for()
    async with visit.page.expect_download():
        await sheet.get_by_role("button", name="Save again").click()


@visiting(host=fleet, **HERE)
async def test_why_there_is_no_support_bundle_is_said_and_it_can_be_tried_again(visit: Visit) -> None:
    visit.host.bundle_refuse = "device_away"
    await look(visit)
    await visit.page.get_by_role("button", name="Support bundle").click()
    sheet = visit.page.get_by_role("dialog", name="Support bundle")
    await sheet.get_by_text("This device is not in the room.").wait_for()
    visit.host.bundle_refuse = ""
    await sheet.get_by_role("button", name="Try again").click()
    await sheet.get_by_text("Hamburg packs it, 1 s").wait_for()
    visit.host.bundle_refuse = "no_bundle"
    await sheet.get_by_text("The server has this support bundle no more.").wait_for()
    visit.host.bundle_refuse = "bundles_full"
    await sheet.get_by_role("button", name="Try again").click()
    await sheet.get_by_text("Too many support bundles are on their way. Try again in some minutes.").wait_for()
    await visit.page.keyboard.press("Escape")
    await sheet.wait_for(state="detached")


@visiting(host=fleet, **HERE)
async def test_a_device_is_added_to_the_room_of_the_one_that_is_looked_at(visit: Visit) -> None:
    await look(visit)
    await visit.page.get_by_role("button", name="Add a device").click()
    sheet = visit.page.get_by_role("dialog", name="Add a device")
    await sheet.get_by_label("Name of the device").fill("Attic")
    await sheet.get_by_role("button", name="Make the file").click()
    await visit.page.wait_for_timeout(300)
    assert visit.host.devices_asked[0]["name"] == "Attic"


@visiting(host=fleet, width=1280, height=800, **HERE)
async def test_places_and_sizes_of_the_picture(visit: Visit) -> None:
    await look(visit)
    boxes: dict[str, list[int]] = await visit.page.evaluate(
        """() => Object.fromEntries([".device-list", ".device-list tbody tr", ".device-sheet", ".cell-gate", ".cell-polar",
             ".device-keys .key:last-child", ".proof-number"].map(s => {
               const { x, y, width, height } = document.querySelector(s).getBoundingClientRect();
               return [s, [x, y, width, height].map(Math.round)]; }))"""
    )
    assert boxes[".device-list"][2] == 249
    assert boxes[".device-list tbody tr"][1:4:2] == [101, 52]
    assert boxes[".device-sheet"][:3] == [281, 137, 967]
    assert boxes[".cell-gate"][0] + boxes[".cell-gate"][2] == 583
    assert boxes[".cell-polar"][0] + boxes[".cell-polar"][2] == 947
    assert boxes[".device-keys .key:last-child"][1::2] == [81, 36]
    assert await visit.page.locator(".proof-number").evaluate("n => getComputedStyle(n).fontSize") == "56px"
