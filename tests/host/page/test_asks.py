"""Who asks to speak or knocks: above the dock until it is answered, for whoever may answer."""

from collections.abc import Callable

import pytest

from tests.host.page.admins import plain
from tests.host.page.mock_host import MockHost, member
from tests.host.page.test_menu import HOSTILE
from tests.host.page.visits import Visit, visiting

ASKS = "#dock .asks"


def _guests(role: str) -> Callable[[MockHost], None]:
    def prepare(host: MockHost) -> None:
        host.you["role"] = role
        host.members += [
            member("gus", "Gus Berg", 3, 3, role="guest", state="muted", muted=True),
            member("pia", "Pia Lund", 6, 5, role="guest", state="muted", muted=True),
        ]

    return prepare


async def asked(visit: Visit, words: str) -> None:
    await visit.eventually(lambda: visit.text(f"{ASKS} b"), f"^\u2068{words}$".replace("@", "\u2069"))


@visiting(host=_guests("speaker"))
async def test_a_guest_who_knocks_is_let_in_from_the_notice(visit: Visit) -> None:
    await visit.open()
    await visit.host.push({"type": "knock", "by": {"id": "gus", "name": "Gus Berg"}})
    await asked(visit, "Gus Berg@ knocks")
    assert plain(await visit.text("#status")) == "Gus Berg knocks"
    assert await visit.text(f"{ASKS} .second") == "Guest, listening"
    assert not await visit.page.locator("#toast").is_visible(), "once is enough"
    await visit.page.locator(ASKS).get_by_role("button", name="Admit").press("Enter")
    await visit.host.heard({"type": "admit", "member": "gus"})
    assert not await visit.page.locator(ASKS).is_visible()
    assert await visit.page.evaluate("document.activeElement.id") == "own", "the focus is not lost"


@visiting(host=_guests("speaker"))
async def test_a_guest_who_knocks_at_the_door_is_asked_about_once_inside(visit: Visit) -> None:
    await visit.open()
    await visit.host.push({"type": "knock", "by": {"id": "sam", "name": "Sam Okafor"}})
    await visit.eventually(lambda: visit.text("#toast > span"), "Sam Okafor")
    assert not await visit.page.locator(ASKS).is_visible()
    await visit.page.keyboard.press("Escape")
    sam = member("sam", "Sam Okafor", 1, 1, role="guest", muted=True, state="muted")
    await visit.host.push({"type": "member", "member": sam})
    await asked(visit, "Sam Okafor@ knocks")
    await visit.host.push({"type": "left", "id": "sam"})
    await visit.page.locator(ASKS).wait_for(state="hidden")


@visiting(host=_guests("speaker"))
async def test_hands_of_guests_are_asked_about_one_after_the_other(visit: Visit) -> None:
    await visit.open()
    await visit.host.change("ben", hand=True, state="hand")
    await visit.host.change("gus", hand=True, state="hand")
    await asked(visit, "Gus Berg@ wants to speak")
    await visit.host.change("pia", hand=True, state="hand")
    await visit.eventually(lambda: visit.text(f"{ASKS} .second"), "^Guest, listening, and 1 more$")
    assert plain(await visit.text(f"{ASKS} b")) == "Gus Berg wants to speak", "the key does not become another's"
    await visit.page.locator(ASKS).get_by_role("button", name="Not now").click()
    await asked(visit, "Pia Lund@ wants to speak")
    await visit.host.change("pia", hand=False, state="muted")
    await visit.page.locator(ASKS).wait_for(state="hidden")
    await visit.host.change("gus", hand=False, state="muted")
    await visit.host.change("gus", hand=True, state="hand")
    await asked(visit, "Gus Berg@ wants to speak")
    await visit.host.change("gus", hand=False, role="speaker", state="muted")
    await visit.page.locator(ASKS).wait_for(state="hidden")


@visiting(host=_guests("admin"))
async def test_an_admin_answers_whom_an_admin_muted(visit: Visit) -> None:
    await visit.open()
    await visit.host.change("ben", hand=True, admin_muted=True, state="admin_muted")
    await asked(visit, "Ben Adeyemi@ wants to speak")
    assert await visit.text(f"{ASKS} .second") == "Muted by admin"
    await visit.page.locator(ASKS).get_by_role("button", name="Allow to speak").click()
    await visit.host.heard({"type": "unmute", "member": "ben"})


@visiting(host=_guests("listener"))
async def test_whoever_may_let_nobody_in_is_not_asked(visit: Visit) -> None:
    await visit.open()
    await visit.host.change("gus", hand=True, state="hand")
    await visit.host.push({"type": "knock", "by": {"id": "gus", "name": "Gus Berg"}})
    await visit.eventually(lambda: visit.text("#toast > span"), "Gus Berg")
    assert not await visit.page.locator(ASKS).is_visible()


JUMPING = "const real = performance.now.bind(performance); performance.now = () => real() + (window.jumped ?? 0);"


@visiting(host=_guests("speaker"), script=JUMPING)
async def test_a_knock_is_over_after_a_minute(visit: Visit) -> None:
    await visit.open()
    await visit.host.push({"type": "knock", "by": {"id": "gus", "name": "Gus Berg"}})
    await asked(visit, "Gus Berg@ knocks")
    await visit.page.evaluate("window.jumped = 61_000")
    await visit.host.change("ben", muted=True, state="muted")
    await visit.page.locator(ASKS).wait_for(state="hidden")


def _strangers(host: MockHost) -> None:
    host.members = [member(who, name, 2, 4, role="guest", muted=True, state="muted") for who, name in HOSTILE.items()]


@pytest.mark.parametrize("width", [320, 1280])
@visiting(host=_strangers)
async def test_bad_names_that_ask_are_text_and_move_nothing(visit: Visit, width: int) -> None:
    await visit.page.set_viewport_size({"width": width, "height": 740})
    await visit.open()
    for who in HOSTILE:
        await visit.host.change(who, hand=True, state="hand")
        await visit.page.locator(ASKS).wait_for()
        box = await visit.page.locator(ASKS).bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= width and box["y"] > 0
        assert await visit.page.locator(f"{ASKS} :is(img, b b)").count() == 0
        await visit.host.change(who, hand=False, state="muted")
        await visit.page.locator(ASKS).wait_for(state="hidden")
    assert await visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await visit.shifts() == []
