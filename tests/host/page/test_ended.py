"""When the host says no, or nothing at all: one sentence, one key, no names and no levels."""

import pytest

from tests.host.page.mock_host import MockHost, token
from tests.host.page.visits import Visit, visiting


async def refused_with(visit: Visit, title: str, key: str) -> None:
    """Assert the whole of the refusal."""
    await visit.wait_text("#end b", title)
    assert await visit.text("#alert") == title
    assert await visit.text("#end button") == key
    for hidden in ("#bar", "#members", "#dock", "#own", "#aside .device", "#lamp-strip"):
        assert not await visit.page.locator(hidden).is_visible(), hidden


@pytest.mark.parametrize(
    ("code", "title"),
    [(4401, "This link is not valid."), (4403, "This link is not valid."), (4404, "There is no such room.")],
)
@visiting()
async def test_refused(visit: Visit, code: int, title: str) -> None:
    visit.host.refuse = code
    await visit.page.goto(visit.host.address)
    await refused_with(visit, title, "Try again")
    visit.host.refuse = None
    await visit.page.get_by_role("button", name="Try again").click()
    await visit.wait_text("#count", "5 here")


@visiting()
async def test_an_expired_link_says_so_by_the_host_s_clock(visit: Visit) -> None:
    visit.host.token = token(name="Jörg")
    visit.host.refuse, visit.host.reason = 4401, "expired"
    await visit.page.goto(visit.host.address)
    await refused_with(visit, "This link has expired.", "Try again")
    assert await visit.text("#self-name") == "Jörg"


@visiting()
async def test_where_nothing_can_be_joined_the_skip_key_leads_to_what_is_said(visit: Visit) -> None:
    visit.host.refuse = 4401
    await visit.page.goto(visit.host.address)
    await refused_with(visit, "This link is not valid.", "Try again")
    await visit.page.locator("#skip").focus()
    await visit.page.keyboard.press("Enter")
    assert await visit.page.evaluate("document.activeElement.id") == "title"


@visiting()
async def test_without_a_token_nothing_is_asked(visit: Visit) -> None:
    await visit.page.goto(visit.host.address.split("#", maxsplit=1)[0])
    await refused_with(visit, "This link is not valid.", "Try again")


@visiting()
async def test_open_in_another_window_is_taken_here(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.own.click()
    await visit.own_is("live")
    await visit.host.close(4409)
    await refused_with(visit, "Open in another window.", "Take it here")
    assert await visit.packets_within(0.5) == 0
    await visit.page.get_by_role("button", name="Take it here").click()
    await visit.own_is("muted")
    assert await visit.packets_within(0.5) == 0, "taken, and muted"


def _full(host: MockHost) -> None:
    host.media_status = 503


@pytest.mark.parametrize(("language", "name"), [("en", "Wait no longer"), ("de", "Nicht länger warten")])
@pytest.mark.parametrize("hand", ["keyboard", "touch"])
@visiting(host=_full, has_touch=True, width=360, height=740)
async def test_a_full_room_is_given_up(visit: Visit, hand: str, language: str, name: str) -> None:
    await visit.page.clock.install()
    await visit.open()
    await visit.page.evaluate("l => l === 'de' && document.getElementById('language').click()", language)
    await visit.own.tap()
    await visit.page.locator(".notice:visible").wait_for()
    stop = visit.page.locator("#notice").get_by_role("button", name=name)
    box = await stop.bounding_box()
    assert box and box["width"] >= 44 and box["height"] >= 44
    if hand == "touch":
        await stop.tap()
    else:
        await stop.focus()
        await visit.page.keyboard.press("Enter")
        assert await visit.page.evaluate("document.activeElement.id") == "own", "the focus is not lost"
    await visit.page.locator("#notice").wait_for(state="hidden")
    visit.host.media_status = 201
    await visit.page.clock.run_for(25_000)
    await visit.own_is("join")
    assert await visit.page.evaluate("seen.own.at(-1)") == "join", "nobody joins by itself any more"
    assert "muted" not in await visit.page.evaluate("seen.own")


def _guest(host: MockHost) -> None:
    host.you["role"] = "guest"


@visiting(host=_guest, has_touch=True, width=360, height=740)
async def test_a_guest_takes_the_asking_back_by_touch_and_goes(visit: Visit) -> None:
    await visit.open()
    await visit.own.tap()
    await visit.own_is("guest")
    await visit.page.wait_for_timeout(650)
    await visit.own.tap()
    await visit.own_is("asked")
    await visit.own.tap()
    await visit.host.heard({"type": "hand", "up": False})
    await visit.own_is("guest")
    await visit.own.tap()
    await visit.own_is("asked")
    await visit.page.get_by_role("button", name="Leave").tap()
    await visit.own_is("join")


@visiting(host=_full)
async def test_a_full_room_is_tried_again(visit: Visit) -> None:
    await visit.open()
    await visit.own.click()
    await visit.wait_text(".notice b", "The room is full.")
    await visit.own_is("join")
    assert await visit.text(".notice .second") in ("Next try in 20 s.", "Next try in 19 s.")
    await visit.page.wait_for_function("() => /1\\d s/.test(document.querySelector('.notice .second').textContent)")
    await visit.page.keyboard.press("Escape")
    assert not await visit.page.locator(".notice").is_visible(), "Esc gives up waiting"
    await visit.own.click()
    await visit.wait_text(".notice b", "The room is full.")
    visit.host.media_status = 201
    await visit.page.get_by_role("button", name="Try again").click()
    await visit.own_is("muted")
    assert not await visit.page.locator(".notice").is_visible()


@visiting(host=lambda host: setattr(host, "media_status", 401))
async def test_a_link_that_ends_while_joining(visit: Visit) -> None:
    await visit.open()
    await visit.own.click()
    await refused_with(visit, "This link is not valid.", "Try again")


@visiting()
async def test_what_a_room_said_does_not_outlive_the_stay_in_it(visit: Visit) -> None:
    await visit.open()
    await visit.own.click()
    await visit.own_is("muted")
    await visit.host.push({"type": "admin_mute_lifted"})
    await visit.wait_text("#toast > span", "You can now speak.")
    visit.host.refuse, visit.host.reason = 4410, "removed"
    await visit.host.close(4410, "removed")
    await refused_with(visit, "You were removed from this room.", "Try again")
    assert not await visit.page.locator("#toast").is_visible()


@visiting()
async def test_no_network_says_so_and_goes_on_by_itself(visit: Visit) -> None:
    await visit.open()
    await visit.host.speak(ben=-20)
    await visit.wait_text("#bar li:nth-child(2) .second", "Speaking")
    visit.host.refuse = 1013
    await visit.host.close(1001)
    await visit.wait_text(".notice b", "No network.")
    assert await visit.text(".notice .second") == "Trying again by itself."
    assert await visit.page.locator('#bar .meter:not([data-n="0"])').count() == 0, "no old levels"
    visit.host.refuse = None
    await visit.page.wait_for_selector(".notice", state="hidden")


@visiting()
async def test_silence_of_the_host_after_hello_is_not_waited_for_forever(visit: Visit) -> None:
    await visit.page.add_init_script(
        "const wait = setTimeout; window.setTimeout = (f, t) => wait(f, t === 8000 ? 300 : t);"
    )
    visit.host.silent = True
    await visit.page.goto(visit.host.address)
    await visit.page.wait_for_timeout(500)
    visit.host.silent = False
    await visit.wait_text("#count", "5 here")
