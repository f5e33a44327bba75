"""The floating window: opened by a real press, it shows who speaks, mutes and unmutes, and goes when one leaves."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.host.page.visits import Visit, visiting
from tests.page.axe import violations

if TYPE_CHECKING:
    from playwright.async_api import Page

NO_PICTURE = "delete window.documentPictureInPicture;"
"""A browser that has no Document Picture-in-Picture: the window is one of its own then."""
NO_WINDOW = NO_PICTURE + "window.open = () => null;"
"""One that allows no window either."""


async def opened(visit: Visit, press: Callable[[], Awaitable[None]]) -> "Page":
    """Press, and the window that comes, in the size that it is made for."""
    async with visit.page.context.expect_page() as coming:
        await press()
    window = await coming.value
    window.on("pageerror", lambda error: visit.complaints.append(str(error)))
    await window.set_viewport_size({"width": 320, "height": 180})
    await window.wait_for_selector(".widget .own", timeout=5000)
    return window


async def by_key(visit: Visit) -> "Page":
    """The window, opened by its letter."""
    return await opened(visit, lambda: visit.page.keyboard.press("w"))


async def box(window: "Page", selector: str) -> dict[str, float]:
    """Where it stands."""
    found = await window.locator(selector).first.bounding_box()
    assert found is not None
    return {side: round(found[side], 1) for side in ("x", "y", "width", "height")}


async def gone(window: "Page") -> None:
    """Wait until the window is closed."""
    if not window.is_closed():
        with suppress(Exception):  # it may close before it can be waited for
            await window.wait_for_event("close", timeout=5000)
    assert window.is_closed()


async def speak(visit: Visit, window: "Page", **levels: int) -> None:
    """Say who speaks, and give the meters time to follow."""
    await visit.host.speak(**levels)
    await window.wait_for_timeout(250)


async def names(window: "Page") -> list[str]:
    """Who stands in its two places."""
    return [text.strip() for text in await window.locator("li bdi").all_inner_texts()]


async def widest(window: "Page") -> bool:
    """Whether nothing is cut off and nothing scrolls."""
    return bool(
        await window.evaluate(
            "() => { const e = document.documentElement; return e.scrollWidth <= innerWidth && e.scrollHeight <= innerHeight; }"
        )
    )


@pytest.mark.parametrize("script", ["", NO_PICTURE], ids=["picture", "window"])
def test_muting_in_the_window_mutes_here(script: str, chrome: object) -> None:
    @visiting(script=script)
    async def play(visit: Visit) -> None:
        await visit.open()
        await visit.join()
        window = await opened(visit, lambda: visit.page.click("#widget"))
        assert await window.title() == "\u2068Studio\u2069 · Kontor"
        assert await window.get_by_role("button", name="Unmute").count() == 1
        await window.click(".own")
        await visit.own_is("live")
        await window.get_by_role("button", name="You are live").wait_for()
        assert await visit.packets_within(0.6) > 10
        await window.click(".own")
        await visit.own_is("muted")
        await window.get_by_role("button", name="Unmute").wait_for()
        assert await window.evaluate("document.querySelectorAll('[style]').length") == 0
        await window.get_by_role("button", name="Leave").click()
        await visit.own_is("join")
        await gone(window)

    play(chrome=chrome)


@visiting()
async def test_it_stands_as_in_the_design(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    window = await by_key(visit)
    await speak(visit, window, ben=-14, hamburg=-34)
    assert await window.locator("h1").inner_text() == "Studio"
    assert await window.locator("header .second").inner_text() == "6 here"
    assert await names(window) == ["Ben Adeyemi", "Hamburg"]
    assert (await box(window, "h1"))["x"] == 14
    assert await box(window, "li .sign") == {"x": 14, "y": 39, "width": 44, "height": 44}
    assert await box(window, "li .meter") == {"x": 70, "y": 68, "width": 234, "height": 12}
    assert await box(window, "li + li .sign") == {"x": 22, "y": 88, "width": 28, "height": 28}
    assert await box(window, "li + li .meter") == {"x": 188, "y": 98, "width": 116, "height": 8}
    assert await box(window, ".own") == {"x": 14, "y": 124, "width": 232, "height": 44}
    assert await box(window, ".side") == {"x": 254, "y": 124, "width": 52, "height": 44}
    assert await box(window, ".own .lamp") == {"x": 215, "y": 137.5, "width": 16, "height": 16}
    lit = [await window.locator("li .meter").nth(n).get_attribute("data-n") for n in (0, 1)]
    assert lit == ["15", "9"]
    assert await widest(window)


@visiting(bypass_csp=True)
async def test_nothing_in_it_keeps_anybody_out(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    window = await by_key(visit)
    await speak(visit, window, ben=-14, hamburg=-34)
    assert await violations(window) == []
    said = await window.locator("footer [role=status]").inner_text()
    await window.click(".own")
    await visit.own_is("live")
    await window.wait_for_function(
        "(said) => document.querySelector('footer [role=status]').textContent !== said", arg=said
    )
    assert "You are live" in await window.locator("footer [role=status]").inner_text()
    assert await violations(window) == []
    order = []
    for key in ("Tab", "Shift+Tab"):
        await window.keyboard.press(key)
        order.append(await window.evaluate("document.activeElement.className"))
    assert order == ["key side", "key own"], "two keys, both reached"
    assert await window.get_by_role("list", name="Who speaks").get_by_role("listitem").count() == 2


@visiting()
async def test_in_the_smallest_window_the_second_speaker_goes(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    window = await by_key(visit)
    await window.set_viewport_size({"width": 240, "height": 120})
    await speak(visit, window, ben=-14, hamburg=-34)
    assert await widest(window)
    assert [await window.locator("li").nth(n).is_visible() for n in (0, 1)] == [True, False]
    for selector in (".own", ".side"):
        found = await box(window, selector)
        assert found["height"] >= 44 and found["width"] >= 44
        assert found["y"] + found["height"] <= 120 and found["x"] + found["width"] <= 240


@visiting()
async def test_the_loudest_comes_first_and_nobody_jumps(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    window = await by_key(visit)
    assert await names(window) == ["Nobody speaks", ""]
    await speak(visit, window, yuki=-30)
    assert await names(window) == ["Yuki Tanaka", ""]
    await speak(visit, window, yuki=-30, ben=-28)
    assert await names(window) == ["Yuki Tanaka", "Ben Adeyemi"], "a little louder is not another order"
    await speak(visit, window, yuki=-30, ben=-12)
    assert await names(window) == ["Yuki Tanaka", "Ben Adeyemi"], "a syllable neither"
    for _ in range(5):
        await speak(visit, window, yuki=-30, ben=-12)
    assert await names(window) == ["Ben Adeyemi", "Yuki Tanaka"]
    await speak(visit, window, ben=-127, yuki=-127)
    assert await names(window) == ["Ben Adeyemi", "Yuki Tanaka"], "who spoke last stays in sight"
    assert await window.locator("li .meter").first.get_attribute("data-n") == "0"
    await visit.host.change("ben", muted=True, state="muted")
    await window.wait_for_selector('li .sign[data-state="muted"]')
    assert await window.locator("li .reader").first.inner_text() == "Muted"
    assert await window.locator("li .meter").first.get_attribute("data-p") == "0", (
        "nothing is filled of a closed microphone"
    )


@visiting()
async def test_talking_while_held_in_the_window(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    window = await by_key(visit)
    own = await box(window, ".own")
    await window.mouse.move(own["x"] + 60, own["y"] + 20)
    await window.mouse.down()
    await visit.own_is("held")
    await window.mouse.up()
    await visit.own_is("muted")
    await window.keyboard.down(" ")
    await visit.own_is("held")
    await window.get_by_role("button", name="You are live").wait_for()
    await window.keyboard.up(" ")
    await visit.own_is("muted")
    await window.keyboard.press("m")
    await visit.own_is("live")
    await window.keyboard.press("m")
    await visit.own_is("muted")
    await window.focus(".side")
    await window.keyboard.down(" ")
    assert await visit.page.locator("#dock").get_attribute("data-own") == "muted", "on Leave space leaves"
    await window.keyboard.up(" ")
    await visit.own_is("join")
    await gone(window)


@visiting()
async def test_a_held_key_is_let_go_with_the_window(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    window = await by_key(visit)
    await window.keyboard.down(" ")
    await visit.own_is("held")
    with suppress(Exception):  # it is gone before the key comes up again
        await window.keyboard.press("w")
    await gone(window)
    await visit.own_is("muted")


@visiting()
async def test_language_theme_and_levels_follow(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    window = await by_key(visit)
    assert await window.evaluate("document.documentElement.lang") == "en"
    light = await window.evaluate("getComputedStyle(document.body).backgroundColor")
    await visit.page.click("#language")
    await window.get_by_role("button", name="Sprechen").wait_for()
    assert await window.get_by_role("button", name="Gehen").count() == 1
    assert await window.locator("header .second").inner_text() == "6 hier"
    assert await window.evaluate("document.documentElement.lang") == "de"
    await visit.page.click("#theme")
    await visit.page.click("#theme")
    await window.wait_for_function("() => document.documentElement.dataset.theme === 'dark'")
    assert await window.evaluate("getComputedStyle(document.body).backgroundColor") != light


@visiting()
async def test_every_state_of_the_own_key_fits(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    window = await by_key(visit)
    await visit.page.click("#language")
    for size in ((320, 180), (240, 120)):
        await window.set_viewport_size({"width": size[0], "height": size[1]})
        for state, words in (
            ({"admin_muted": True, "state": "admin_muted"}, "Ums Wort bitten"),
            ({"admin_muted": True, "state": "hand", "hand": True}, "Wortmeldung läuft"),
            ({"admin_muted": False, "state": "muted", "hand": False, "muted": True}, "Sprechen"),
        ):
            await visit.host.change("mira", **state)
            await window.get_by_role("button", name=words).wait_for()
            assert await widest(window)
            key, text = await box(window, ".own"), await box(window, ".first")
            assert text["height"] <= key["height"] and text["width"] < key["width"]


@visiting()
async def test_it_opens_before_joining_and_joins(visit: Visit) -> None:
    await visit.open()
    window = await by_key(visit)
    assert await window.locator(".side").is_hidden()
    await window.get_by_role("button", name="Join").click()
    await visit.own_is("muted")
    assert await window.locator(".side").is_visible()
    await visit.page.click("#leave")
    await gone(window)


@visiting()
async def test_it_goes_with_the_page_and_with_its_key(visit: Visit) -> None:
    await visit.open()
    window = await by_key(visit)
    await visit.page.bring_to_front()
    await visit.page.keyboard.press("w")
    await gone(window)
    window = await by_key(visit)
    await visit.page.reload()
    await gone(window)


@visiting(script=NO_WINDOW)
async def test_a_browser_that_allows_no_window_is_told(visit: Visit) -> None:
    await visit.open()
    await visit.page.click("#widget")
    await visit.page.wait_for_selector("#toast:not([hidden])")
    assert "Allow pop-ups" in await visit.text("#toast")


@visiting()
async def test_names_are_text_and_move_nothing(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    window = await by_key(visit)
    long = "<b>W</b>" + "\u202eevil\u0007" + "W" * 50
    before = [await box(window, selector) for selector in ("li .meter", ".own", ".side", "header .second")]
    await visit.host.change("ben", name=long)
    await speak(visit, window, ben=-14)
    assert await window.locator("li b").count() == 0
    assert [await box(window, selector) for selector in ("li .meter", ".own", ".side", "header .second")] == before
    assert await widest(window)


@visiting()
async def test_drawing_does_not_wait_for_a_hidden_page(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    window = await by_key(visit)
    await visit.page.evaluate("Object.defineProperty(document, 'hidden', { value: true })")
    shown = set()
    for level in (-50, -40, -30, -20, -10):
        await visit.host.speak(ben=level)
        await asyncio.sleep(0.2)
        shown.add(await window.locator("li .meter").first.get_attribute("data-n"))
    assert len(shown) >= 4
