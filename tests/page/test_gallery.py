"""Every state of the page: it looks as it did, nothing moved on the way to it, nothing sticks out, and axe-core finds nothing.

A drawn part of the scenes, one picture each, is part of ``make test``; all pictures of all scenes are ``make test-page``.
"""

import asyncio
import itertools
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

from tests.host.page.visits import Chrome
from tests.page import axe, gallery
from tests.page.gallery import Look, looks, stored_looks
from tests.page.scenes import HEIGHTS, SCENES, Scene

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.browser


async def look_into(page: "Page") -> None:
    """What holds in every state."""
    assert await axe.violations(page) == []
    shown = await page.evaluate("document.body.innerText")
    assert not re.search(r"\b(undefined|null|NaN)\b|\[object|\{\w+\}", shown), "a word that nothing stands behind"
    # what hides the caret in a screenshot leaves an empty one
    assert await page.evaluate("document.querySelectorAll(`[style]:not([style=''])`).length") == 0


def draw_and_compare(chrome: Chrome, scene: Scene, wanted: Iterable[Look]) -> None:
    """Draw; whatever is stored must look the same."""
    told: list[str] = []

    async def play() -> None:
        async with asyncio.timeout(280):
            drawn = await gallery.draw(chrome, scene, wanted, look_into)
        for look in sorted(drawn.keys() & set(stored_looks(scene))):
            others = gallery.difference(drawn[look], gallery.STORED / f"{look.name}.png")
            if others > gallery.TOLERANCE:
                told.append(f"{look.name}: {others} pixels are others")

    chrome.run(play())
    assert not told, f"{told}; look at build/page; python -m tests.page.gallery --store {scene.name} keeps them so"


@pytest.mark.parametrize("name", [name for name, scene in SCENES.items() if scene.drawn])
def test_a_state_looks_as_it_did(chrome: Chrome, name: str) -> None:
    draw_and_compare(chrome, SCENES[name], stored_looks(SCENES[name])[:1])


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SCENES)
def test_every_state_at_every_width_in_both_themes_and_languages(chrome: Chrome, name: str) -> None:
    draw_and_compare(chrome, SCENES[name], looks(SCENES[name]))


def test_what_is_stored_is_what_is_compared_and_stays_small() -> None:
    wanted = {look for scene in SCENES.values() for look in stored_looks(scene)}
    files = list(gallery.STORED.glob("*.png"))
    assert {path.stem for path in files} == {look.name for look in wanted}
    assert sum(path.stat().st_size for path in files) <= gallery.MOST_BYTES
    seen = {(look.width, look.theme, look.language) for look in wanted}
    kinds = itertools.product(HEIGHTS, gallery.THEMES, gallery.LANGUAGES)
    assert seen >= set(kinds), "each kind is among them"
