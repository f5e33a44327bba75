"""The gallery: every scene at every width, in both themes and languages, in build/page; some are compared with stored ones.

``python -m tests.page.gallery [--store] [SCENE ...]`` draws, and with ``--store`` keeps what is compared from then on. A stored
picture has few colours, so that all of them together stay small; fonts are those of fonts.conf, whatever the machine has.
"""

import argparse
import asyncio
import os
import shutil
import sys
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tests.host.page.visits import Chrome
from tests.page import (
    scenes_asks,
    scenes_devices,
    scenes_overview,
    scenes_room,
    scenes_rooms_device,
    scenes_sheets,
    scenes_trouble,
)
from tests.page.scenes import HEIGHTS, MICROPHONE, SCENES, Scene, moved_by_itself

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from playwright.async_api import Page

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "page"
STORED = Path(__file__).parent / "pictures"
FONTS = Path(__file__).parent / "fonts.conf"
INTER, DEJAVU = Path("/usr/share/fonts/opentype/inter"), Path("/usr/share/fonts/truetype/dejavu")
THEMES, LANGUAGES = ("light", "dark"), ("en", "de")
MODULES = (
    scenes_room,
    scenes_sheets,
    scenes_overview,
    scenes_devices,
    scenes_trouble,
    scenes_asks,
    scenes_rooms_device,
)

COLOURS = 200
FAR = 40
"""From this difference of a channel on (of 255) a pixel is another one; the edge of a letter half a pixel aside is not."""
TOLERANCE = 800
"""So many pixels may be others: some cells of the last minute, a segment of a meter, the digits of a clock."""
MOST_BYTES = 8_000_000


@dataclass(frozen=True, slots=True, order=True)
class Look:
    """One picture of a scene."""

    scene: str
    width: int
    theme: str
    language: str

    @property
    def name(self) -> str:
        """The file's, without its end."""
        return f"{self.scene}-{self.width}-{self.theme}-{self.language}"


def looks(scene: Scene) -> list[Look]:
    """All pictures of a scene."""
    return [Look(scene.name, w, theme, lang) for lang in LANGUAGES for w in scene.heights for theme in THEMES]


def stored_looks(scene: Scene) -> list[Look]:
    """Those of them that are stored and compared: two, chosen by the scene's name, so that all kinds get their turn."""
    every, first = looks(scene), zlib.crc32(scene.name.encode())
    return sorted({every[first % len(every)], every[(first + len(every) // 2 + 1) % len(every)]})


def environment() -> dict[str, str | float | bool]:
    """Of a browser that knows the pinned fonts alone."""
    return {**os.environ, "FONTCONFIG_FILE": str(FONTS)}


async def draw(
    chrome: Chrome, scene: Scene, wanted: Iterable[Look], look_into: Callable[["Page"], Awaitable[None]] | None = None
) -> dict[Look, Path]:
    """Draw these pictures of a scene into build/page; ``look_into`` looks at the page of each visit, at its last size.

    Whatever the page does until it looks so, nothing may move by itself, break the
    page's policy or stick out to the side.
    """
    BUILD.mkdir(parents=True, exist_ok=True)
    drawn: dict[Look, Path] = {}
    for group in _visits(scene, sorted(wanted, key=lambda look: (look.language, look.width))):
        language = group[0].language
        # what moves on a phone is not what moves on a wide screen
        played = group[0 if language == LANGUAGES[0] else -1]
        width = 1280 if scene.floats else played.width
        options: dict[str, Any] = {
            "width": width,
            "height": HEIGHTS[width],
            "language": language,
            "script": MICROPHONE + scene.script,
        }
        async with chrome.visit(**options, host=scene.host, **scene.context) as visit:
            page = await scene.play(visit) or visit.page
            moved = moved_by_itself(await visit.shifts(), scene.moves)
            assert not moved, f"{scene.name}: something moved by itself: {moved}"
            for look in group:
                drawn[look] = await _picture(page, look, scene.heights[look.width])
                fits = await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                assert fits, f"{look.name}: something sticks out to the side"
            broken = await visit.page.evaluate("seen.violations")
            assert not broken, f"{scene.name}: the policy was broken: {broken}"
            if look_into is not None:
                await look_into(page)
    return drawn


def _visits(scene: Scene, wanted: list[Look]) -> Iterator[list[Look]]:
    """The pictures that one visit draws: of one language, and of one width unless the scene bears another one."""
    groups: dict[tuple[str, int], list[Look]] = {}
    for look in wanted:
        groups.setdefault((look.language, 0 if scene.resizes else look.width), []).append(look)
    yield from groups.values()


async def _picture(page: "Page", look: Look, height: int) -> Path:
    if page.viewport_size != {"width": look.width, "height": height}:
        await page.set_viewport_size({"width": look.width, "height": height})
    await page.emulate_media(color_scheme="dark" if look.theme == "dark" else "light")
    await page.wait_for_timeout(180)  # signs swell for 80 ms, hints fade for 120
    path = BUILD / f"{look.name}.png"
    path.write_bytes(
        await page.screenshot(caret="hide")
    )  # Playwright would write it in a thread of its own, which stays
    return path


def difference(drawn: Path, stored: Path) -> int:
    """How many pixels are others; all of them when the sizes differ. Leaves a picture of them beside the drawn one."""
    one, other = _pixels(drawn), _pixels(stored)
    if one.shape != other.shape:
        return int(one.shape[0] * one.shape[1])
    far = np.abs(one - other).max(axis=2) > FAR
    count = int(far.sum())
    if count > TOLERANCE:
        Image.fromarray((~far).astype(np.uint8) * 255).convert("1").save(drawn.with_suffix(".others.png"))
    return count


def _pixels(path: Path) -> "NDArray[np.int16]":
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"), dtype=np.int16)


def store(drawn: Path, look: Look) -> None:
    """Keep a picture, in few colours."""
    STORED.mkdir(exist_ok=True)
    few = _few_colours(_pixels(drawn))
    few.save(STORED / f"{look.name}.png", optimize=True)


def _few_colours(pixels: "NDArray[np.int16]") -> Image.Image:
    """The most frequent colours as they are, which is every ground, hue and lamp; each other pixel is the nearest of them."""
    height, width, _ = pixels.shape
    found, places, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True)
    kept = found[np.argsort(-counts, kind="stable")[:COLOURS]]
    nearest = np.array([np.abs(kept - colour).sum(axis=1).argmin() for colour in found], dtype=np.uint8)
    few = Image.fromarray(nearest[places].reshape(height, width)).convert("P")
    few.putpalette(kept.astype(np.uint8).tobytes())
    return few


def write_index() -> None:
    """build/page/index.html: all that has been drawn, a row for each scene."""
    rows = []
    for name in SCENES:
        pictures = sorted(BUILD.glob(f"{name}-[0-9]*.png"))
        shown = "".join(f'<a href="{p.name}"><img src="{p.name}" alt="{p.stem}" height="300"></a> ' for p in pictures)
        rows.append(f"<h2>{name}</h2><p>{shown}</p>\n")
    (BUILD / "index.html").write_text(f"<!doctype html><title>Kontor: states of the page</title>\n{''.join(rows)}")


async def _all(chrome: Chrome, scenes: list[Scene], keep: bool) -> int:
    failed = 0
    for scene in scenes:
        try:
            async with asyncio.timeout(300):
                drawn = await draw(chrome, scene, stored_looks(scene) if keep else looks(scene))
        except Exception as error:  # noqa: BLE001  # one scene that cannot be played is told, the others are drawn
            print(f"{scene.name}: {type(error).__name__}: {' '.join(str(error).split())[:300]}", flush=True)
            failed += 1
            continue
        for look, path in drawn.items() if keep else ():
            store(path, look)
        print(f"{scene.name}: {len(drawn)}", flush=True)
    return failed


def main(arguments: list[str]) -> int:
    """Draw; 1 when a scene could not be played."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", action="store_true", help="draw what is compared, and keep it")
    parser.add_argument("scenes", nargs="*", help="all, unless some are named")
    given = parser.parse_args(arguments)
    scenes = [SCENES[name] for name in given.scenes] or list(SCENES.values())
    chrome = Chrome(shutil.which("chromium") or "chromium", environment())
    failed = [0]

    async def run() -> None:
        failed[0] = await _all(chrome, scenes, given.store)

    try:
        chrome.run(run())
    finally:
        chrome.close()
    write_index()
    if given.store and not given.scenes:
        names = {look.name for scene in scenes for look in stored_looks(scene)}
        for old in STORED.glob("*.png"):
            if old.stem not in names:
                old.unlink()
    return 1 if failed[0] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
