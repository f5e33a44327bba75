"""A new user's first minutes: ``make bench-demo``.

A fresh clone, an empty package cache, ``make demo``, and a real browser on the address that it prints, until the page shows
the device in the room. Then Ctrl-C, nothing left running, and the same again with everything installed.
"""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import async_playwright

from appliance.app.demo import DEVICE_NAME, free_port
from tools.measurements import ROOT, Figure, write
from tools.system import find

_ADDRESS = re.compile(r"http://localhost:\d+/\S+")
_FETCH = re.compile(r"(\d+) MiB (?:to fetch from your Python|from your Debian)")
_PATIENCE = 900.0


@dataclass(slots=True)
class Start:
    """One ``make demo``, from the command to the page."""

    seconds: float
    said: str
    left: list[str]
    """Processes that were still there after Ctrl-C."""


def clone(folder: Path) -> Path:
    """What a new user has: the repository as it is committed."""
    target = folder / "kontor"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(target)], check=True)
    return target


def environment(folder: Path) -> dict[str, str]:
    """Nothing of ours, and no package that was fetched before."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KONTOR_", "PYTHON", "MAKE"))}
    return {**kept, "XDG_CACHE_HOME": str(folder / "cache"), "XDG_RUNTIME_DIR": str(folder)}


async def read_address(process: asyncio.subprocess.Process, said: list[str]) -> str:
    """The address, as soon as it is printed."""
    while process.stdout and (line := (await process.stdout.readline()).decode()):
        said.append(line)
        found = _ADDRESS.search(line)
        if found:
            return found.group()
    raise RuntimeError("make demo ended without an address:\n" + "".join(said))


async def see_device(address: str) -> None:
    """Open the page in a real browser and wait until it shows the device."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find("chromium"), args=["--no-sandbox", "--disable-quic"]
        )
        try:
            page = await browser.new_page()
            await page.goto(address)
            await page.get_by_text(DEVICE_NAME, exact=True).first.wait_for(timeout=30_000)
        finally:
            await browser.close()


def children_of(group: int) -> list[str]:
    """Processes of the demo's session that still run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"KONTOR_BENCH={group}".encode() in path.read_bytes().split(b"\0"):
                found.append(path.parent.name)
    return found


async def start(checkout: Path, environ: dict[str, str], port: int) -> Start:
    """``make demo``, look at the page, Ctrl-C."""
    mark = time.monotonic_ns()
    began, said = time.monotonic(), list[str]()
    process = await asyncio.create_subprocess_exec(
        *("make", "demo", f"ARGS=--port {port}"),
        cwd=checkout,
        env={**environ, "KONTOR_BENCH": str(mark)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_PATIENCE):
            address = await read_address(process, said)
        await see_device(address)
        seconds = time.monotonic() - began
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)  # as the terminal does at Ctrl-C
        async with asyncio.timeout(15):
            await process.communicate()
    await asyncio.sleep(1)
    return Start(seconds, "".join(said), children_of(mark))


async def bench(folder: Path) -> list[Figure]:
    """Both starts."""
    port = free_port("127.0.0.1", 18_200)
    environ, began = environment(folder), time.monotonic()
    checkout = clone(folder)
    cloning = time.monotonic() - began
    first = await start(checkout, environ, port)
    second = await start(checkout, environ, port)
    if first.left or second.left:
        raise RuntimeError(f"left running after Ctrl-C: {first.left + second.left}")
    download = sum(int(size) for size in _FETCH.findall(first.said))
    return [
        Figure(
            "demo.clone_to_page_s", round(cloning + first.seconds, 1), "s", note="clone, make demo, page in Chromium"
        ),
        Figure("demo.second_start_s", round(second.seconds, 1), "s", "<= 5", note="make demo to the page in Chromium"),
        Figure("demo.download_mib", download, "MiB", note="packages and recorded speech, as make demo announces them"),
    ]


def main() -> int:
    """Measure and write."""
    with tempfile.TemporaryDirectory(prefix="k") as folder:
        write("demo", asyncio.run(bench(Path(folder))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
