"""What a device costs while nobody talks: ``make bench-idle``, half an hour in a quiet room, the gate open, then closed.

Sound and link are real processes with the front end on and a virtual card whose microphone hears a quiet office (noise at
-62 dBFS); a second device is in the room, as quiet, so that the first receives and plays what it sends. CPU is percent of one
core, memory is PSS, and what is written is what the kernel says these two wrote to a disk, the lines of their journal included.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from appliance.app.demo import free_port
from appliance.app.panels import VIRTUAL_PANEL
from appliance.app.supervisor import kontor
from appliance.core.units import RATE
from appliance.health.status import ask
from tools.bench.call import config, processes, serve, status
from tools.bench.processes import cpu_seconds, pss_mib
from tools.measurements import Figure, table, write

MINUTES = 30.0
CLOSED = 0.2
"""Part of the time in which the gate is closed by the button."""
_QUIET = 10 ** (-62 / 20)
_SECONDS_OF_NOISE = 20
_SETTLES = 15.0
"""Seconds until the start is over and the canceller has given up waiting for sound."""
_DAY = 86_400.0


_COST = (
    ". What it goes for: both wake 100 times a second and find their caches cold (bench call), the room's noise is taken out of"
    " every block by both gains, and is encoded. What was done: what has to do with an echo is left out while nothing"
    " is played; behind a closed gate the canceller rests, and every second block is listened to."
    " Left: to stop sending in silence (DTX), which a listener hears as a hole in the noise."
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What two processes used up to now."""

    at: float
    cpu: tuple[float, ...]
    """Seconds of each process."""
    written: int
    """Bytes that both wrote to a disk."""


def look(pids: Sequence[int]) -> Seen:
    """Ask the kernel."""
    return Seen(time.monotonic(), tuple(cpu_seconds(pid) for pid in pids), sum(map(_written, pids)))


def _written(pid: int) -> int:
    """``write_bytes`` of proc(5): pages that became dirty on a real disk, whoever writes them there in the end."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))


def quiet_office(path: Path) -> None:
    """Noise of a quiet office, more of it in low tones, 16 bits, 48 kHz."""
    noise = np.random.default_rng(7).standard_normal(RATE * _SECONDS_OF_NOISE)
    noise = np.convolve(noise, np.ones(16) / 16, "same")
    samples = np.round(noise / np.sqrt(np.mean(noise**2)) * _QUIET * 32_767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())


def settings_of(folder: Path, name: str, port: int, noise: Path) -> Path:
    """The settings of a device whose front end works."""
    path = config(folder, name, port, noise)
    text = path.read_text().replace("[audio]\n", '[audio]\necho = "full_duplex"\n')
    path.write_text(text + 'mute = "momentary"\n')
    return path


def wait_until_open(folder: Path, names: Sequence[str]) -> None:
    """Until every device is in the room with its gate open."""
    end = time.monotonic() + 30
    while True:
        phases = [status(folder, name, "link").get("phase") for name in names]
        gates = [status(folder, name, "sound").get("gate") for name in names]
        if (phases, gates) == (["in_room"] * len(names), ["open"] * len(names)):
            return
        if time.monotonic() > end:
            raise TimeoutError(f"the room did not come up: {phases}, {gates}")
        time.sleep(0.2)


async def bench(folder: Path, minutes: float) -> list[Figure]:
    """Open, then closed."""
    noise = folder / "office.wav"
    quiet_office(noise)
    names, port = ["one", "two"], free_port("127.0.0.1", 18_200)
    configs = [settings_of(folder, name, port, noise) for name in names]
    host = await serve(port, folder, names)
    commands = [kontor(part, "--config", str(path)) for path in configs for part in ("sound", "link")]
    environment = {**os.environ, VIRTUAL_PANEL: "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        with (
            (folder / "journal").open("w") as journal,
            processes(commands, env=environment, stderr=journal) as (sound, link, *_),
        ):
            return await asyncio.to_thread(measure, folder, names, (sound.pid, link.pid), minutes)
    finally:
        await host.stop()


def measure(folder: Path, names: Sequence[str], pids: Sequence[int], minutes: float) -> list[Figure]:
    """The first device's two processes, given as sound and link."""
    wait_until_open(folder, names)
    time.sleep(_SETTLES)
    began = look(pids)
    time.sleep(60 * minutes * (1 - CLOSED))
    opened = look(pids)
    if status(folder, names[0], "sound").get("gate") != "open":
        raise RuntimeError("the gate closed by itself")
    ask(folder / names[0] / "sound.status", {"do": "panel", "press": "mute"})
    time.sleep(1)
    closing = look(pids)
    time.sleep(60 * minutes * CLOSED)
    closed = look(pids)
    if status(folder, names[0], "sound").get("reasons") != ["button"]:
        raise RuntimeError("the gate is not closed by the button")
    front_end = status(folder, names[0], "sound")["front_end"]
    return figures(began, opened, closing, closed, [pss_mib(pid) for pid in pids], f"{front_end['chain']}")


def percent(one: Seen, other: Seen) -> tuple[float, ...]:
    """CPU of each process between two looks."""
    return tuple(100 * (b - a) / (other.at - one.at) for a, b in zip(one.cpu, other.cpu, strict=True))


def figures(began: Seen, opened: Seen, closing: Seen, closed: Seen, memory: list[float], chain: str) -> list[Figure]:
    """The rows of the table."""
    is_open, is_closed = percent(began, opened), percent(closing, closed)
    seconds = closed.at - began.at
    written = (closed.written - began.written) / 2**20 * _DAY / seconds
    each = "sound {:.1f}, link {:.1f}"
    note = f"{seconds / 60:.0f} min in a quiet room with another device; front end: {chain}; "
    return [
        Figure(
            "idle.cpu_percent", round(sum(is_open), 2), "% of a core", "<= 8", note=note + each.format(*is_open) + _COST
        ),
        Figure(
            "idle.cpu_closed_percent", round(sum(is_closed), 2), "% of a core", "<= 5", note=each.format(*is_closed)
        ),
        Figure("idle.pss_mib", round(sum(memory), 1), "MiB", "<= 110", note=each.format(*memory)),
        Figure(
            "idle.writes_mib_per_day",
            round(written, 2),
            "MiB",
            "<= 5",
            note="to the disk, from both; beside it the service manager's journal writes its own copy of each line",
        ),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; a shorter run only prints."""
    parser = argparse.ArgumentParser(prog="bench-idle", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"how long (default: {MINUTES:g})")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="k", dir="/var/tmp") as folder:
        found = asyncio.run(bench(Path(folder), given.minutes))
    if given.minutes < MINUTES:
        print(table(found))
    else:
        write("idle", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
