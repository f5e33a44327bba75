"""What a bridge between two rooms of ours adds, and what it costs: ``make bench-bridge``.

Two hosts and ``kontor bridge`` in processes of their own, on this machine's loopback, so without loss. Somebody talks in the one
room; somebody else there and somebody in the other room hear it, all three on one clock, so that their sounds can be compared
sample by sample. What the bridge adds is how much later the far one hears it than the near one. In the far room somebody talks,
too. Where it is allowed all of it runs with the priority that the bridge's unit has.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from appliance.core.lamps import LinkPhase
from appliance.core.units import BLOCK, BLOCK_SECONDS, RATE, Pcm
from appliance.health.status import ask
from appliance.rooms.contract import Engine, RoomEvent
from appliance.rooms.hosted import HostedEngine
from appliance.rooms.signalling import fixed_credentials
from tests.contract.harness import serving
from tests.contract.hosted_harness import HostedRoom, HostedServer
from tests.contract.rig import Rig
from tools.measurements import Figure, table, write

SECONDS = 60.0
_BURST, _EVERY = 0.4, 1.0
"""Seconds of noise, and from one burst to the next."""
_MOST = 0.6
"""Seconds by which a burst may be late."""
_PATIENCE = 30.0
_NICE = -5
"""As in systemd/kontor-bridge@.service."""

Sound = NDArray[np.float32]


class Everybody:
    """All engines of one process on one clock: what each says, and what each hears."""

    def __init__(self, engines: Sequence[Engine], says: Sequence[Sound | None]) -> None:
        self._engines = engines
        self._says = [None if sound is None else _pcm(sound) for sound in says]
        self.heard: list[list[Sound]] = [[] for _ in engines]
        self.said = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """From now on."""
        self._thread.start()

    def stop(self) -> None:
        """Until now."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        out = np.zeros(BLOCK, np.float32)
        due = time.monotonic()
        while not self._ending.is_set():
            due += BLOCK_SECONDS
            time.sleep(max(0.0, due - time.monotonic()))
            for engine, pcm, heard in zip(self._engines, self._says, self.heard, strict=True):
                engine.send(None if pcm is None else pcm[self.said % len(pcm)])
                engine.receive(out)
                heard.append(out.copy())
            self.said += 1


def _pcm(sound: Sound) -> list[Pcm]:
    return list((sound * 32767).astype(np.int16).reshape(-1, BLOCK))


def bursts(seed: int, seconds: float) -> Sound:
    """Noise of a voice's band, a burst a second, each another one."""
    rng = np.random.default_rng(seed)
    sound = np.zeros(int(seconds * RATE), np.float32)
    for begin in range(0, sound.size, int(_EVERY * RATE)):
        sound[begin : begin + int(_BURST * RATE)] = _burst(rng)
    return sound


def _burst(rng: np.random.Generator) -> Sound:
    size = int(_BURST * RATE)
    hertz = np.fft.rfftfreq(size, 1 / RATE)
    noise = np.fft.irfft(np.fft.rfft(rng.normal(size=size)) * ((hertz > 200) & (hertz < 3400)), size)
    shaped: Sound = (noise / np.abs(noise).max() * 0.3 * np.hanning(size)).astype(np.float32)
    return shaped


def lateness(said: Sound, heard: Sound) -> list[float]:
    """How much later each burst is heard than said, seconds; of those that are found."""
    found = []
    for begin in range(0, said.size - int((_BURST + _MOST) * RATE), int(_EVERY * RATE)):
        burst = said[begin : begin + int(_BURST * RATE)]
        where = heard[begin : begin + int((_BURST + _MOST) * RATE)]
        alike = np.correlate(where[::4], burst[::4])
        best = int(alike.argmax())
        energy = float(np.dot(burst[::4], burst[::4]))
        if alike[best] > 0.3 * energy:
            found.append(best * 4 / RATE)
    return found


async def _in_room(engine: Engine, *, speaks: bool) -> asyncio.Task[None]:
    there = asyncio.Event()

    def heard(event: RoomEvent) -> None:
        if getattr(event, "phase", None) is LinkPhase.IN_ROOM:
            there.set()

    task = asyncio.create_task(engine.run(heard))
    async with asyncio.timeout(_PATIENCE):
        await there.wait()
    if speaks:
        Rig(engine, "").report(gate_open=True)
    return task


def _member(room: HostedRoom, name: str) -> Engine:
    return HostedEngine(room.settings(name, fixed_credentials(room.token(name))))


class Bridged:
    """``kontor bridge`` in a process of its own."""

    def __init__(self, folder: Path, a: HostedRoom, b: HostedRoom) -> None:
        self._folder = folder
        sides = []
        for name, room in (("a", a), ("b", b)):
            side = folder / name
            side.write_text(f"{room.url}/{room.room}#{room.token('bridge', kind='bridge')}")
            side.chmod(0o600)
            sides.append(str(side))
        environment = {**os.environ, "RUNTIME_DIRECTORY": str(folder)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "appliance", "bridge", *sides], env=environment, stderr=subprocess.DEVNULL
        )

    def wait(self) -> None:
        """Until it carries both ways."""
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            try:
                said = ask(self._folder / "bridge.status", {"do": "status"})
            except OSError:
                said = {}
            if said and not said["a"]["closed"] and not said["b"]["closed"]:
                return
            time.sleep(0.1)
        raise RuntimeError("the bridge did not open")

    def said_ms(self) -> float:
        """What it says itself that it adds."""
        return float(ask(self._folder / "bridge.status", {"do": "status"})["b"]["added_ms"])

    def cpu(self) -> float:
        """Seconds of a core that all its threads have had."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def end(self) -> None:
        """In order."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)


async def measure(a: HostedRoom, b: HostedRoom, folder: Path, seconds: float) -> list[Figure]:
    """One run."""
    said = bursts(1, seconds)
    engines = [_member(a, "ada"), _member(a, "anna"), _member(b, "ben"), _member(b, "bob")]
    everybody = Everybody(engines, [said, None, bursts(2, seconds), None])
    tasks = [await _in_room(engine, speaks=at % 2 == 0) for at, engine in enumerate(engines)]
    bridge = Bridged(folder, a, b)
    try:
        await asyncio.to_thread(bridge.wait)
        everybody.start()
        await asyncio.sleep(2)
        before, began = bridge.cpu(), time.monotonic()
        await asyncio.sleep(seconds - 3)
        busy = (bridge.cpu() - before) / (time.monotonic() - began)
        own = await asyncio.to_thread(bridge.said_ms)
        everybody.stop()
    finally:
        bridge.end()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *(engine.leave() for engine in engines), return_exceptions=True)
    near, far = (np.concatenate(everybody.heard[at])[: said.size] for at in (1, 3))
    return figures(lateness(said[: near.size], near), lateness(said[: far.size], far), busy, own)


def figures(near: Sequence[float], far: Sequence[float], busy: float, own: float) -> list[Figure]:
    """What is written down.

    :param near: seconds after which each burst was heard in its own room, and
    :param far: in the other one.
    :param busy: of a core.
    :param own: what the bridge itself says that it adds, ms.
    """
    direct, over = (1000 * statistics.median(late) for late in (near, far))
    worst = 1000 * float(np.percentile(far, 95)) - direct
    note = (
        f"{len(far)} of {len(near)} bursts; mouth to ear {direct:.0f} ms in the room, {over:.0f} ms over the bridge; "
        f"p95 {worst:.0f} ms more; its own status says {own:.0f} ms"
    )
    return [
        Figure("bridge.added_ms", round(over - direct, 1), "ms", "<= 60", note=note),
        Figure("bridge.cpu_percent", round(100 * busy, 1), "%", note="of a core, a talker in each room"),
    ]


def main(arguments: Sequence[str]) -> int:
    """Measure, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--dry", action="store_true", help="print the figures, write nothing")
    given = parser.parse_args(arguments)
    with contextlib.suppress(PermissionError):
        os.nice(_NICE)
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place) / name for name in ("a", "b", "bridge")]
        for folder in folders:
            folder.mkdir()
        with serving("hosted", folders[0]) as near, serving("hosted", folders[1]) as far:
            if not (isinstance(near, HostedServer) and isinstance(far, HostedServer)):
                raise TypeError
            rows = asyncio.run(measure(near.room(), far.room(), folders[2], max(10.0, given.seconds)))
    if given.dry:
        print(table(rows))
    else:
        write("bridge", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
