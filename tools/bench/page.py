"""What the page weighs, how soon it draws a level, and what a full room costs it: ``make bench-page``, five minutes.

Weight, first level and what moves on the way through a room are of visits to the demo, a real host with a real device that makes
a tone. What moves when others come, go, speak, record or shut the room, two hundred members, and an hour of updates come from a
stand-in host (page_stage.py); the hour is the browser's own, its clock is turned by hand.
"""

import argparse
import asyncio
import gzip
import json
import os
import re
import shutil
import signal
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tools.bench.page_stage import TALKERS, Stage
from tools.bench.priority import prefer
from tools.measurements import ROOT, Figure, table, write
from tools.page_tools import MODULES

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, Response

PAGE = ROOT / "appliance" / "host" / "page"
PEER = MODULES / "livekit-client" / "dist" / "livekit-client.umd.js"
PEER_NAME = "the library livekit-client alone, without a page"
VISITS = 15
MEMBERS, RATE, SECONDS = 200, 30, 30.0
FEW = 9
"""Members of the room in which much happens."""
WARM, HOUR = 300, 3600
"""Virtual seconds before the first look at the heap, and between both."""
MIB = 1024 * 1024
ARGUMENTS = ("--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")

FIRST_LEVEL = """
addEventListener("DOMContentLoaded", () => {
  const look = () => {
    if (window.firstLevel || !document.querySelector('#bar .meter[data-n]:not([data-n="0"])')) return;
    requestAnimationFrame(() => { window.firstLevel ||= performance.now(); });
  };
  new MutationObserver(look).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["data-n"] });
});
"""
"""Milliseconds from the beginning of the navigation to the frame that draws the first level."""
SHIFTS = """
window.shifts = { all: 0, order: 0, of: [] };
new PerformanceObserver((list) => {
  for (const shift of list.getEntries()) {
    if (shift.hadRecentInput) continue;
    const tiles = shift.sources.every((source) => source.node?.matches?.(".tile"));
    shifts[tiles ? "order" : "all"] += shift.value;
    if (!tiles) shifts.of.push(...shift.sources.map((source) => source.node?.outerHTML?.slice(0, 60)));
  }
}).observe({ type: "layout-shift", buffered: true });
"""
"""Sums of layout shifts that no press caused: ``order`` of tiles alone, which stand in the order of names (PAGE.md) and so make
room when somebody comes; ``all`` the others, and ``of`` what moved there."""
WINDOWS = ((1280, 800), (768, 1024), (360, 740))


@dataclass(frozen=True, slots=True)
class Weight:
    """What one visit fetched."""

    unpacked: int
    packed: int
    """Bytes of the bodies as they came: the host packs what gets smaller by gzip."""
    elsewhere: int
    """Requests to other origins."""


@asynccontextmanager
async def demo() -> AsyncIterator[str]:
    """``kontor demo`` whose device makes a tone; gives the page's address."""
    with tempfile.TemporaryDirectory(prefix="k") as folder:
        command = [sys.executable, "-m", "appliance", "demo", "--port", "8480", "--microphone", "tone:440"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": folder}
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environment)
        try:
            text = ""
            async with asyncio.timeout(60):
                while not (found := re.search(r"http://localhost:\d+/\S+", text)):
                    line = await process.stdout.readline() if process.stdout else b""
                    if not line:
                        raise RuntimeError(f"the demo ended: {text}")
                    text += line.decode()
            yield found.group()
        finally:
            process.send_signal(signal.SIGINT)
            await process.communicate()


@asynccontextmanager
async def chromium() -> AsyncIterator["Browser"]:
    """Debian's Chromium, headless."""
    from playwright.async_api import async_playwright  # noqa: PLC0415  # of the tests alone

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()


async def weigh(browser: "Browser", address: str) -> Weight:
    """Visit a room for the first time, and add up what came."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    page = await context.new_page()
    answers: list[Response] = []
    context.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108  # Playwright marks what it calls
    await page.goto(address)
    await page.wait_for_function("() => document.querySelector('#count').textContent")
    await page.wait_for_timeout(3000)
    good = [answer for answer in answers if answer.status == HTTPStatus.OK]
    # a file that is asked for again is answered "not modified", which the browser tells as the file
    bodies = [await answer.body() for answer in {answer.url: answer for answer in good}.values()]
    packed = sum([(await answer.request.sizes())["responseBodySize"] for answer in good])
    origin = address.split("/", 3)[2]
    elsewhere = sum(answer.url.split("/", 3)[2] != origin for answer in answers)
    await context.close()
    return Weight(sum(map(len, bodies)), packed, elsewhere)


async def first_levels(browser: "Browser", address: str, times: int) -> list[float]:
    """Milliseconds to the first level of so many visits, each with nothing kept from the one before."""
    seen = []
    for _ in range(times):
        context = await browser.new_context(viewport={"width": 1280, "height": 800})
        page = await context.new_page()
        await page.add_init_script(FIRST_LEVEL)
        await page.goto(address)
        seen.append(float(await (await page.wait_for_function("() => window.firstLevel")).json_value()))
        await context.close()
    return seen


async def shifts(browser: "Browser", address: str) -> tuple[float, float]:
    """The worst sum of layout shifts of one visit, and that of tiles in their order, which the first one leaves out.

    Six visits: at each width one to the demo, and one to a room in which much happens.
    """
    sums = []
    for width, height in WINDOWS:
        for visit in (_through_the_demo, _while_much_happens):
            context = await browser.new_context(
                viewport={"width": width, "height": height}, permissions=["microphone"], has_touch=width < 600
            )
            page = await context.new_page()
            await page.add_init_script(SHIFTS)
            await visit(page, address)
            seen = await page.evaluate("window.shifts")
            if seen["of"]:
                print(f"moved by itself at {width} px, {visit.__name__}: {seen['of']}", file=sys.stderr)
            sums.append(seen)
            await context.close()
    return max(one["all"] for one in sums), max(one["order"] for one in sums)


async def _through_the_demo(page: "Page", address: str) -> None:
    """Load, look on, join, speak, mute, open and close the sound sheet, leave."""
    await page.goto(address)
    await page.wait_for_function("() => document.querySelector('#count').textContent")
    await page.wait_for_timeout(3000)
    for selector, state in (("#own", "muted"), ("#own", "live"), ("#own", "muted"), ("#leave", "join")):
        if selector == "#leave" and await page.locator("#sound").is_visible():
            await page.locator("#sound").click()
            await page.locator("dialog[open]").wait_for()
            await page.wait_for_timeout(1000)
            await page.keyboard.press("Escape")
        await page.locator(selector).click()
        await page.wait_for_selector(f'#dock[data-own="{state}"]')
        await page.wait_for_timeout(2000)


async def _while_much_happens(page: "Page", _address: str) -> None:
    """An admin looks on, and presses nothing."""
    stage = Stage(FEW, role="admin")
    await stage.start()
    try:
        await page.goto(stage.address)
        await page.wait_for_function("() => document.querySelector('#count').textContent")
        await page.wait_for_timeout(1000)
        await stage.a_day()
        await page.locator("#end-first:visible").wait_for()
        await page.wait_for_timeout(500)
    finally:
        await stage.stop()


async def busy(browser: "Browser", members: int = MEMBERS, seconds: float = SECONDS) -> tuple[float, float]:
    """Share of the time that the page's main thread is in tasks, with many members and levels: by the clock, and of a core."""
    stage = Stage(members)
    await stage.start()
    try:
        page = await (await browser.new_context(viewport={"width": 1280, "height": 800})).new_page()
        await page.goto(stage.address)
        await page.wait_for_function("n => document.querySelectorAll('#members .tile').length === n", arg=members)
        await stage.at_rate(RATE, 3)  # everything has been drawn once
        await browser.start_tracing(
            page=page, categories=["toplevel", "disabled-by-default-devtools.timeline", "__metadata"]
        )
        await stage.at_rate(RATE, seconds)
        events = json.loads(await browser.stop_tracing())["traceEvents"]
        await page.context.close()
    finally:
        await stage.stop()
    return shares(events)


def shares(events: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """Time in tasks of the busiest renderer's main thread, by the time that was traced; and the processor time of them.

    :raises ValueError: no renderer's main thread was traced.
    """
    mains = {
        (event["pid"], event["tid"])
        for event in events
        if event.get("name") == "thread_name" and event["args"].get("name") == "CrRendererMain"
    }
    spans = [event for event in events if event.get("ph") == "X" and "dur" in event]
    tasks = [event for event in spans if event["name"] == "RunTask" and (event["pid"], event["tid"]) in mains]
    if not tasks:
        raise ValueError("The trace holds no task of a page's main thread.")
    wall = max(event["ts"] + event["dur"] for event in spans) - min(event["ts"] for event in spans)
    by_thread = {main: [t for t in tasks if (t["pid"], t["tid"]) == main] for main in mains}
    busiest = max(by_thread.values(), key=lambda own: sum(task["dur"] for task in own))
    return sum(t["dur"] for t in busiest) / wall, sum(t.get("tdur", 0) for t in busiest) / wall


async def heap_growth(browser: "Browser") -> tuple[float, int]:
    """MiB by which the heap grows in an hour of the page's time, and how many level updates that were."""
    stage = Stage(MEMBERS)
    await stage.start()
    try:
        page = await (await browser.new_context(viewport={"width": 1280, "height": 800})).new_page()
        await page.clock.install()
        await page.goto(stage.address)
        async with asyncio.timeout(20):
            await stage.watched.wait()
        await page.clock.run_for(1000)
        await pass_time(stage, page, WARM)
        before, sent = await heap(page), stage.sent
        await pass_time(stage, page, HOUR)
        grown, updates = await heap(page) - before, stage.sent - sent
        await page.context.close()
    finally:
        await stage.stop()
    return grown / MIB, updates


async def pass_time(stage: Stage, page: "Page", seconds: int) -> None:
    """Let the page live through so many seconds, each with its levels."""
    for second in range(seconds):
        await stage.levels(RATE)
        if second % 60 == 30:
            await stage.happenings()
        await page.clock.run_for(1000)


async def heap(page: "Page") -> int:
    """Bytes of the page's heap that are in use after everything unused was collected."""
    session = await page.context.new_cdp_session(page)
    for _ in range(3):
        await session.send("HeapProfiler.collectGarbage")
    used = int((await session.send("Runtime.getHeapUsage"))["usedSize"])
    await session.detach()
    return used


async def figures(visits: int, hour: bool) -> list[Figure]:
    """All of them, in the order of the goals."""
    preferred = f"{prefer()}, load of the machine {os.getloadavg()[0]:.0f} at the beginning"
    peer = PEER.read_bytes() if PEER.exists() else b""
    async with chromium() as browser:
        async with demo() as address:
            weight = await weigh(browser, address)
            first = await first_levels(browser, address, visits)
            cls, order = await shifts(browser, address)
        share, processor = await busy(browser)
        growth = await heap_growth(browser) if hour else None
    everything = sum(path.stat().st_size for path in PAGE.iterdir())
    rows = [
        _beside(
            "bytes_unpacked",
            weight.unpacked,
            "<= 150000",
            peer,
            f"first visit to a room; all files: {everything}",
        ),
        _beside(
            "bytes_gzip",
            weight.packed,
            "",
            gzip.compress(peer, 9) if peer else b"",
            "the same, as it came: the host packs what gets smaller",
        ),
        Figure("page.requests_third_party", weight.elsewhere, "requests", "<= 0"),
        Figure(
            "page.first_meter_ms",
            round(statistics.median(first)),
            "ms",
            "<= 500",
            note=f"{_spread(first)}; {preferred}",
        ),
        Figure("page.cls", round(cls, 4), "", "<= 0", note=f"{_FLOWS}; without tiles in their order"),
        Figure(
            "page.cls_order",
            round(order, 4),
            "",
            note="tiles alone: who comes in the middle of the names moves the rest",
        ),
        Figure(
            "page.busy_200_members",
            round(share, 4),
            "of the time",
            "<= 0.1",
            note=f"main thread in tasks, {RATE} updates a second of {TALKERS} levels; processor time of them: {processor:.3f}",
        ),
    ]
    if growth is not None:
        note = f"{growth[1]} updates, {HOUR // 60} comings and goings; what is unused is collected before both looks"
        rows.append(Figure("page.heap_growth_1h_mib", round(growth[0], 3), "MiB", "<= 1", note=note))
    return rows


_FLOWS = (
    f"worst of {2 * len(WINDOWS)} visits at {', '.join(str(width) for width, _ in WINDOWS)} px: load, join, speak, mute, "
    "sound sheet, leave; as an admin: levels, hands, members come and go, title, recording, room shut"
)


def _beside(name: str, value: int, goal: str, peer: bytes, note: str) -> Figure:
    """A weight beside that of the peer, where there is one."""
    if not peer:
        return Figure(f"page.{name}", value, "bytes", goal, note=f"{note}; no peer: make outside installs it")
    return Figure(f"page.{name}", value, "bytes", goal, PEER_NAME, len(peer), note)


def _spread(values: Sequence[float]) -> str:
    return f"median of {len(values)} first visits, {min(values):.0f} to {max(values):.0f}"


def main(arguments: Sequence[str]) -> int:
    """Measure, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visits", type=int, default=VISITS)
    parser.add_argument("--no-hour", action="store_true", help="leave out the hour of updates")
    parser.add_argument("--dry", action="store_true", help="print the figures, write nothing")
    given = parser.parse_args(arguments)
    rows = asyncio.run(figures(given.visits, not given.no_hour))
    if given.dry:
        print(table(rows))
    else:
        write("page", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
