"""A recording: announced before it begins, counted by the host's clock, seen and heard of by everybody."""

import re

import pytest

from tests.host.page.mock_host import MockHost
from tests.host.page.visits import Visit, visiting

SAID = """
window.alerts = [];
addEventListener("DOMContentLoaded", () => {
  const node = document.getElementById("alert");
  new MutationObserver(() => node.textContent && alerts.push(node.textContent)).observe(node, { childList: true });
});
"""


def plain(text: str) -> str:
    """Without the signs that keep a name's direction to itself."""
    return text.replace("\u2068", "").replace("\u2069", "")


async def alerts(visit: Visit) -> list[str]:
    return [plain(text) for text in await visit.page.evaluate("alerts")]


async def height(visit: Visit) -> float:
    box = await visit.page.locator("#recording").bounding_box()
    assert box
    return box["height"]


@visiting(script=SAID)
async def test_it_is_announced_counted_and_ended(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.host.record(2, id="lena", name="Lena Brandt")
    strip = visit.page.locator("#recording")
    await visit.wait_text("#recording b", "Recording starts in 2 s")
    assert plain(await strip.locator(".second").inner_text()) == "started by Lena Brandt"
    assert await strip.get_by_role("button", name="Leave").is_visible()
    assert await strip.locator(".tag").inner_text() == "REC"
    before = await height(visit)
    await visit.wait_text("#recording b", "Recording starts in 1 s")
    await visit.wait_text("#recording b", "Recording, 0:00")
    await visit.wait_text("#recording b", "Recording, 0:01")
    assert await strip.get_by_role("button").count() == 0
    assert await height(visit) == before, "its space is there from the announcement on"
    await visit.host.stop_recording()
    await visit.wait_text("#recording b", "Recording stopped.")
    assert await height(visit) == before
    assert await alerts(visit) == [
        "Recording starts in 2 s, started by Lena Brandt",
        "This room is being recorded.",
        "Recording stopped.",
    ], "the seconds are not said"
    await strip.wait_for(state="hidden", timeout=8000)


@visiting()
async def test_leave_leaves_before_anything_is_kept(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.host.record(5, id="lena", name="Lena Brandt")
    await visit.page.locator("#recording").get_by_role("button", name="Leave").press("Enter")
    await visit.own_is("join")
    assert visit.host.deleted == ["1"]
    assert await visit.page.locator("#recording b").is_visible(), "it is seen from outside, too"
    assert await visit.page.locator("#recording").get_by_role("button").count() == 0


def _running(host: MockHost) -> None:
    host.clock = -86_400.0  # and so it is the visitor's clock that is a day fast
    starts = host.now - 760
    host.recording = {"since": starts - 5, "starts": starts, "by": None}


@visiting(host=_running, script=SAID)
async def test_who_comes_later_reads_the_time_by_the_host_s_clock(visit: Visit) -> None:
    await visit.open()
    shown = await visit.eventually(lambda: visit.text("#recording b"), r"^Recording, 1[23]:\d\d$")
    assert shown
    assert await visit.text("#recording .second") == ""
    assert await alerts(visit) == ["This room is being recorded."]
    await visit.host.close(1001)
    await visit.page.wait_for_timeout(1500)
    await visit.wait_text("#count", "5 here")
    assert await alerts(visit) == ["This room is being recorded."], "a socket that came back brings no news"


@visiting(script=SAID)
async def test_it_ended_while_the_socket_was_gone(visit: Visit) -> None:
    await visit.open()
    await visit.host.record(-3700)
    await visit.eventually(lambda: visit.text("#recording b"), r"^Recording, 1:0[12]:\d\d$")
    visit.host.recording = None
    await visit.host.close(1001)
    await visit.wait_text("#recording b", "Recording stopped.")


@visiting()
async def test_another_one_records_on(visit: Visit) -> None:
    await visit.open()
    await visit.host.record(-10, id="lena", name="Lena Brandt")
    await visit.eventually(lambda: visit.text("#recording .second"), "Lena Brandt")
    assert visit.host.recording
    visit.host.recording["by"] = {"id": "ben", "name": "Ben Adeyemi"}
    await visit.host.push({"type": "recording", "on": True, **visit.host.recording})
    await visit.eventually(lambda: visit.text("#recording .second"), "Ben Adeyemi")
    assert re.fullmatch(r"Recording, 0:[1-5]\d", await visit.text("#recording b"))


@visiting(host=_running)
async def test_a_refused_visitor_reads_nothing_of_it(visit: Visit) -> None:
    await visit.open()
    await visit.page.locator("#recording").wait_for()
    await visit.host.close(4410, "removed")
    await visit.page.locator("#recording").wait_for(state="hidden")


@visiting(language="de")
async def test_german_words(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.host.record(2, id="lena", name="Lena Brandt")
    await visit.wait_text("#recording b", "Aufnahme beginnt in 2 s")
    assert plain(await visit.text("#recording .second")) == "gestartet von Lena Brandt"
    await visit.wait_text("#recording b", "Aufnahme läuft, 0:00")
    await visit.page.locator("#language").click()
    await visit.eventually(lambda: visit.text("#recording b"), "^Recording, 0:0")
    await visit.page.locator("#language").click()
    await visit.host.stop_recording()
    await visit.wait_text("#recording b", "Aufnahme beendet.")


NAMES = [
    "<b>Bold</b><script>alert(1)</script>",
    "Left \u202eright",
    "\u05d3\u05d5\u05d3",
    "x" * 64,
    "Bell\x07\nline",
    "\U0001f3f3\ufe0f\u200d\U0001f308" * 8,
]


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
@visiting(language="de")
async def test_bad_names_are_text_and_its_size_stays(visit: Visit, width: int) -> None:
    await visit.page.set_viewport_size({"width": width, "height": 740})
    await visit.open()
    await visit.join()
    tall = 26 if width >= 620 else 20
    for name in NAMES:
        await visit.host.record(5, id="x", name=name)
        await visit.eventually(
            lambda: visit.page.locator("#recording .second").evaluate("n => n.textContent"), "gestartet"
        )
        assert await height(visit) == tall
        key = await visit.page.locator("#recording").get_by_role("button", name="Gehen").bounding_box()
        first = visit.page.locator("#recording b")
        assert key and key["x"] + key["width"] <= width
        assert await first.evaluate("n => n.scrollWidth <= n.clientWidth"), "the words are not cut"
        assert await visit.page.locator("#recording :is(script, b b)").count() == 0
    assert await visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


COVERED = """() => { const strip = document.getElementById("recording").getBoundingClientRect(), at = document.createRange();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), covered = [];
  for (let text = walk.nextNode(); text; text = walk.nextNode()) {
    const said = text.parentElement;
    if (said.closest("#recording, .reader, .skip") || !said.checkVisibility({ visibilityProperty: true })) continue;
    at.selectNodeContents(text);
    for (const line of at.getClientRects()) {
      const [top, bottom] = [line.top + line.height / 4, line.bottom - line.height / 4]; // letters, not the space of their line
      if (line.width && top < strip.bottom && bottom > strip.top) covered.push(text.textContent);
    }
  }
  return covered; }"""
"""Texts of which the strip covers something."""


def _another_room(host: MockHost) -> None:
    host.add("workshop", "Workshop").members = []
    host.you["role"] = "admin"


@pytest.mark.parametrize(("width", "language"), [(320, "de"), (360, "en"), (768, "de"), (1280, "en")])
@visiting(host=_another_room)
async def test_nothing_moves_for_it_and_nothing_is_hidden_by_it(visit: Visit, width: int, language: str) -> None:
    await visit.page.set_viewport_size({"width": width, "height": 740})
    await visit.page.goto(visit.host.overview.replace("/#", "/studio#"))
    await visit.page.locator("#members .tile").nth(4).wait_for()
    if language == "de":
        await visit.page.evaluate("document.getElementById('language').click()")
    await visit.join()
    for path in ("/studio", "/", "/devices"):
        if path != "/studio":
            await visit.page.evaluate("path => document.querySelector(`.places a[href='${path}']`).click()", path)
            await visit.page.locator(".card, .devices").first.wait_for()
        await visit.page.wait_for_timeout(300)
        shifts = await visit.shifts()
        await visit.host.record(1.2, id="lena", name="Lena Brandt")
        await visit.page.locator("#recording-leave:visible").wait_for()
        await visit.page.locator("#recording-leave").wait_for(state="hidden")
        assert await visit.page.evaluate(COVERED) == []
        await visit.host.stop_recording()
        await visit.wait_text("#recording b", "Recording stopped." if language == "en" else "Aufnahme beendet.")
        if path == "/devices":
            await visit.page.locator("#recording").wait_for(state="hidden", timeout=9000)
        assert await visit.shifts() == shifts


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("width", [320, 360])
@visiting()
async def test_on_a_phone_it_still_says_how_many_are_here(visit: Visit, width: int, language: str) -> None:
    await visit.page.set_viewport_size({"width": width, "height": 740})
    await visit.open()
    await visit.page.evaluate("l => l === 'de' && document.getElementById('language').click()", language)
    await visit.join()
    stands = await visit.page.locator("#title").bounding_box()
    shifts = await visit.shifts()
    for seconds in (2.0, -760.0):
        await visit.host.record(seconds, id="lena", name="Lena Brandt")
        await visit.page.locator("#recording:visible").wait_for()
        count = visit.page.locator("#count")
        assert await visit.text("#count") == ("6 here" if language == "en" else "6 hier")
        assert await count.is_visible()
        assert await visit.page.evaluate(COVERED) == []
        box = await count.bounding_box()
        assert box and stands and box["x"] + box["width"] <= width
        title = await visit.page.locator("#title").bounding_box()
        assert title and (title["x"], title["y"]) == (stands["x"], stands["y"]), "the title stays where it is"
    await visit.host.push({"type": "title", "title": "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbe"})
    await visit.page.wait_for_timeout(200)
    assert await visit.page.evaluate(
        """() => { const at = new Range(); at.selectNodeContents(document.getElementById("count"));
        const box = at.getBoundingClientRect(), more = document.getElementById("more").getBoundingClientRect();
        return box.right <= more.left && document.getElementById("title").getBoundingClientRect().right <= box.left; }"""
    ), "a long title is cut before it"
    assert await visit.shifts() == shifts
