"""The room as everybody sees it who has its link: bar, count, members."""

from tests.host.page.mock_host import MockHost, member
from tests.host.page.visits import Visit, visiting

PLACES = "#bar .name"
BARS = "#bar .meter"
SKIPPING = "const real = performance.now.bind(performance); performance.now = () => real() + (window.jumped ?? 0);"


async def lit(visit: Visit) -> list[tuple[int, int]]:
    """Lit segments and peak of the three places."""
    found = await visit.page.locator(BARS).evaluate_all("m => m.map(b => [+b.dataset.n || 0, +b.dataset.p || 0])")
    return [tuple(pair) for pair in found]


@visiting()
async def test_the_bar_moves_before_joining(visit: Visit) -> None:
    await visit.open()
    assert await visit.text("#own-first") == "Join"
    assert (await lit(visit))[0] == (0, 0)
    await visit.host.speak(hamburg=-30)
    await visit.page.wait_for_selector('#bar li:nth-child(1) .meter[data-n="10"]')
    await visit.host.speak(hamburg=-12)
    await visit.page.wait_for_selector('#bar li:nth-child(1) .meter[data-n="16"]')
    assert await visit.texts(PLACES) == ["Hamburg", "", ""]
    assert await visit.text("#bar li:nth-child(1) .second") == "Speaking"
    await visit.host.speak(hamburg=-127)
    await visit.page.wait_for_selector('#bar li:nth-child(1) .meter[data-n="0"]')
    assert (await lit(visit))[0] == (0, 16), "the highest segment stays"
    await visit.page.wait_for_selector('#bar li:nth-child(1) .meter[data-p="0"]', timeout=2500)


@visiting()
async def test_no_meter_is_filled_while_the_microphone_is_closed(visit: Visit) -> None:
    await visit.open()
    await visit.host.speak(ben=-12)
    await visit.page.wait_for_selector('#bar li:nth-child(2) .meter[data-p="16"]')
    await visit.page.evaluate("setTimeout(() => window.late = true, 1000)")
    await visit.host.speak(ben=-127)
    await visit.host.change("ben", muted=True, state="muted")
    await visit.page.wait_for_selector('#bar li:nth-child(2) .meter[data-n="0"][data-p="0"]')
    assert not await visit.page.evaluate("window.late"), "not even the peak of before stays"
    assert await visit.page.locator("#bar li:nth-child(2) .sign").get_attribute("data-state") == "muted"
    await visit.host.speak(ben=-12)  # a host that errs
    await visit.page.wait_for_timeout(200)
    assert (await lit(visit))[1] == (0, 0)


@visiting()
async def test_places_are_kept_and_the_quietest_makes_room(visit: Visit) -> None:
    await visit.open()
    assert await visit.texts(PLACES) == ["Hamburg", "", ""], "a device stands there from the start"
    await visit.host.speak(ben=-20)
    await visit.wait_text("#bar li:nth-child(2) .name", "Ben Adeyemi")
    await visit.host.speak(yuki=-20)
    await visit.wait_text("#bar li:nth-child(3) .name", "Yuki Tanaka")
    await visit.host.speak(hamburg=-20)
    assert await visit.texts(PLACES) == ["Hamburg", "Ben Adeyemi", "Yuki Tanaka"]
    await visit.host.speak(tomas=-20)
    await visit.wait_text("#bar li:nth-child(2) .name", "Tomás Ruiz")
    assert await visit.texts(PLACES) == ["Hamburg", "Tomás Ruiz", "Yuki Tanaka"], "Ben had been quiet longest"
    await visit.host.speak(hamburg=-20, tomas=-20, yuki=-20, ben=-20)
    await visit.wait_text("#members .tile:nth-child(2) .second", "Speaking")
    assert await visit.texts(PLACES) == ["Hamburg", "Tomás Ruiz", "Yuki Tanaka"], "who speaks keeps the place"


@visiting(script=SKIPPING)
async def test_the_last_minute_is_remembered_and_nothing_older(visit: Visit) -> None:
    await visit.open()
    place = visit.page.locator("#bar li:nth-child(2)")
    state = place.locator(".second").inner_text
    lit = "p => [...p.querySelectorAll('i')].map(i => +i.classList.contains('on')).join('')"
    await visit.host.speak(ben=-20)
    await visit.eventually(state, "^Speaking$")
    assert await place.evaluate(lit) == 19 * "0" + "1"
    await visit.host.speak(ben=-127)
    await visit.eventually(state, "^Spoke [1-5] s ago$")
    await visit.page.evaluate("window.jumped = 30_000")
    ago = int((await visit.eventually(state, "^Spoke [3-5][0-9] s ago$")).split()[1])
    assert abs(3 * (19 - (await place.evaluate(lit)).rindex("1")) - ago) <= 4, "a cell is 3 s"
    await visit.page.evaluate("window.jumped = 63_000")
    await visit.eventually(state, "^Listening$")
    assert "1" not in await place.evaluate(lit)


@visiting()
async def test_members_stand_in_order_with_their_states_in_words(visit: Visit) -> None:
    await visit.open()
    assert await visit.texts("#members .words") == [
        "Hamburg\nListening",
        "Ben Adeyemi\nListening",
        "Lena Brandt\nMuted",
        "Tomás Ruiz\nWants to speak",
        "Yuki Tanaka\nListening",
    ]
    assert await visit.text("#count") == "5 here"
    words = {
        "connecting": "Connecting",
        "on_hold": "On hold",
        "admin_muted": "Muted by admin",
        "muted": "Muted",
    }
    for state, word in words.items():
        await visit.host.change("ben", state=state)
        await visit.wait_text("#members .tile:nth-child(2) .second", word)
    await visit.host.push({"type": "member", "member": member("anna", "Anna Ek", 3, 3)})
    await visit.wait_text("#members .tile:nth-child(2) bdi", "Anna Ek")
    await visit.host.push({"type": "left", "id": "anna"})
    await visit.wait_text("#count", "5 here")


def _hostile(host: MockHost) -> None:
    host.members = [member("x", "<img src=x onerror=alert(1)>\u202egnp", 0, 0)]


@visiting(host=_hostile)
async def test_a_name_is_text_and_nothing_else(visit: Visit) -> None:
    await visit.open()
    assert await visit.page.locator("#members img").count() == 0
    assert await visit.page.locator("#members bdi").count() == 1


@visiting(host=lambda host: setattr(host, "members", []))
async def test_an_empty_room_says_so(visit: Visit) -> None:
    await visit.open()
    assert await visit.text("#count") == "Empty"
    assert await visit.text("#nobody") == "Nobody is here."
    assert await visit.text("#bar li:nth-child(1) .second") == "Nobody speaks"


@visiting(host=lambda host: setattr(host, "levels", "on_off"))
async def test_without_real_levels_no_meter_is_invented(visit: Visit) -> None:
    await visit.open()
    await visit.host.speak(ben=-20)
    await visit.wait_text("#bar li:nth-child(2) .second", "Speaking")
    assert not await visit.page.locator("#bar .meter").first.is_visible()


@visiting()
async def test_a_knock_is_sent_and_shown(visit: Visit) -> None:
    await visit.open()
    await visit.page.keyboard.press("k")
    await visit.host.heard({"type": "knock"})
    await visit.wait_text("#toast > span", "You knocked.")
    await visit.host.push({"type": "knock", "by": {"id": "lena", "name": "Lena Brandt"}})
    await visit.wait_text(".toast > span", "\u2068Lena Brandt\u2069 knocks")
    await visit.wait_text("#status", "\u2068Lena Brandt\u2069 knocks")
    await visit.page.keyboard.press("Escape")
    assert not await visit.page.locator(".toast").is_visible()


@visiting(host=lambda host: setattr(host, "deaf", True))
async def test_a_knock_that_nobody_is_told_of_is_not_said_to_be_one(visit: Visit) -> None:
    await visit.open()
    await visit.page.keyboard.press("k")
    await visit.host.heard({"type": "knock"})
    assert not await visit.page.locator("#toast").is_visible()
    await visit.wait_text("#toast > span", "You knocked just now. Wait a little.")
    assert await visit.text("#alert") == "You knocked just now. Wait a little."


def _hundreds(host: MockHost) -> None:
    host.members = [member(f"m{n}", f"Member {n:03}", n % 8, n % 12) for n in range(200)]


HIGH = "document.getElementById('members').getBoundingClientRect().height"


@visiting(host=_hundreds)
async def test_hundreds_stand_in_their_order_at_their_height_and_keep_the_focus(visit: Visit) -> None:
    await visit.open()
    before = await visit.page.evaluate(HIGH)
    await visit.page.get_by_role("button", name="Member 060").focus()
    await visit.host.push({"type": "left", "id": "m7"}, {"type": "left", "id": "m120"})
    await visit.wait_text("#count", "198 here")
    names = [f"Member {n:03}" for n in range(200) if n not in (7, 120)]
    assert await visit.page.locator("#members .words bdi").all_text_contents() == names
    assert "Member 060" in await visit.page.evaluate("document.activeElement.textContent")
    await visit.page.keyboard.press("ArrowDown")
    assert "Member 062" in await visit.page.evaluate("document.activeElement.textContent"), "one row further"
    await visit.page.keyboard.press("End")
    assert "Member 199" in await visit.page.evaluate("document.activeElement.textContent")
    tile = await visit.page.locator("#members .tile").last.bounding_box()
    assert tile and await visit.page.evaluate(HIGH) == before - tile["height"], "a row less, seen or not"
    assert abs(before - 100 * tile["height"]) <= 1
