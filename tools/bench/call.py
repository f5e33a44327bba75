"""What a call costs the device: ``make bench-call``.

Two devices, each two real processes with virtual sound cards, talk to each other in a room of a host; a plain aiortc call
between two processes with the same speech runs at the same time, so that both see the same machine. CPU is percent of one
core over the same seconds; memory is PSS.
"""

import asyncio
import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from appliance.app.demo import free_port
from appliance.app.panels import VIRTUAL_PANEL
from appliance.app.speech import prepare
from appliance.app.supervisor import kontor
from appliance.health.status import ask
from appliance.host.config import DeviceConfig, HostConfig, RoomConfig
from appliance.host.server import Host
from appliance.rooms.device_key import DeviceKey
from tools.bench.processes import cpu_seconds, pss_mib
from tools.measurements import Figure, write

SECONDS = 30.0
ROOM = "bench"
PEER = "plain aiortc call, same virtual sound card"


def config(folder: Path, name: str, port: int, speech: Path) -> Path:
    """The settings of one device."""
    place = folder / name
    (place / "state" / "link").mkdir(parents=True)
    path = place / "kontor.toml"
    path.write_text(f"""schema = 1
[device]
name = "{name}"
id = "{name}"
state_dir = "{place / "state"}"
runtime_dir = "{place}"
[room]
url = "http://127.0.0.1:{port}"
id = "{ROOM}"
[audio]
microphone = "{speech}"
[panel]
kind = "virtual"
""")
    return path


@contextlib.contextmanager
def processes(commands: list[list[str]], **more: object) -> Iterator[list[subprocess.Popen[str]]]:
    """Run all of them, and end them afterwards."""
    running = [subprocess.Popen(command, text=True, **more) for command in commands]  # type: ignore[call-overload]
    try:
        yield running
    finally:
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    pipe.close()


def _hand_over(giver: subprocess.Popen[str], taker: subprocess.Popen[str]) -> None:
    """Pass one description on."""
    if giver.stdout and taker.stdin:
        taker.stdin.write(giver.stdout.readline())
        taker.stdin.flush()


@contextlib.contextmanager
def aiortc_call(speech: Path) -> Iterator[list[int]]:
    """A plain call between two processes; gives their pids."""
    commands = [[sys.executable, "-m", "tools.bench.aiortc_peer", str(speech), role] for role in ("offer", "answer")]
    with processes(commands, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as (one, other):
        _hand_over(one, other)
        _hand_over(other, one)
        yield [one.pid, other.pid]


def status(folder: Path, name: str, part: str) -> dict[str, Any]:
    """What a part of a device says of itself; empty while it is not there."""
    try:
        return dict(ask(folder / name / f"{part}.status", {"do": "status"}))
    except OSError:
        return {}


def wait_for_call(folder: Path, names: list[str]) -> None:
    """Until every device is in the room and plays something."""
    end = time.monotonic() + 30
    while True:
        links = [status(folder, name, "link").get("phase") for name in names]
        played = [status(folder, name, "sound").get("loudspeaker", -127) for name in names]
        if links == ["in_room"] * len(names) and min(played) > -60:
            return
        if time.monotonic() > end:
            raise TimeoutError(f"the call did not come up: {links}, {played}")
        time.sleep(0.2)


async def serve(port: int, folder: Path, names: list[str]) -> Host:
    """A host that knows the devices."""
    keys = {name: DeviceKey.load_or_make(folder / name / "state" / "link").public for name in names}
    host = Host(
        HostConfig(
            listen_host="127.0.0.1",
            http_port=port,
            udp_host="127.0.0.1",
            udp_port=port,
            public_address="127.0.0.1",
            max_members=10,
            rooms=(RoomConfig(ROOM, "Bench", {"k": secrets.token_bytes(32)}),),
            devices=tuple(DeviceConfig(name, name, ROOM, key) for name, key in keys.items()),
            certificate_path=folder / "host.pem",
        ),
        lambda _event: None,
    )
    await host.start()
    return host


def measured(pids: list[int], seconds: float) -> list[float]:
    """CPU of each process over the same time, percent of one core."""
    before, began = [cpu_seconds(pid) for pid in pids], time.monotonic()
    time.sleep(seconds)
    after, passed = [cpu_seconds(pid) for pid in pids], time.monotonic() - began
    return [100 * (b - a) / passed for a, b in zip(before, after, strict=True)]


async def bench(folder: Path) -> list[Figure]:
    """One call and its peer."""
    speech = folder / "speech.wav"
    said = prepare(speech)
    names, port = ["one", "two"], free_port("127.0.0.1", 18_000)
    configs = [config(folder, name, port, speech) for name in names]
    host = await serve(port, folder, names)
    commands = [kontor(part, "--config", str(path)) for path in configs for part in ("sound", "link")]
    environment = {**os.environ, VIRTUAL_PANEL: "1"}
    try:
        with processes(commands, env=environment) as (sound, link, *_), aiortc_call(speech) as plain:
            await asyncio.to_thread(wait_for_call, folder, names)
            await asyncio.sleep(3)
            pids = [link.pid, sound.pid, *plain]
            cpu_link, cpu_sound, *cpu_plain = await asyncio.to_thread(measured, pids, SECONDS)
            memory = [pss_mib(pid) for pid in pids]
            exchange = (await asyncio.to_thread(status, folder, "one", "sound"))["exchange_ms"]
    finally:
        await host.stop()
    return figures(said, cpu_link, cpu_sound, cpu_plain, memory, exchange["p99"])


_SHORT = (
    "link and sound together. Short of the goal: both wake 100 times a second, as the plain call does, and after each wake"
    " Python's code is cold (a turn of link takes about 390 µs; its parts, run hot, 130 µs, of which the encoder has 80)."
    " Tried: packets sent from the exchange thread, media parted from STUN before aioice, one buffer without copies, headers"
    " encoded once and known again, no exceptions in the paths, levels and news every fifth block, a loop that turns on news"
    " only, RTP read by the exchange thread. Left: two blocks a message, which would add 10 ms of delay."
)


def figures(
    said: str, link: float, sound: float, plain: list[float], memory: list[float], exchange: float
) -> list[Figure]:
    """The rows of the table."""
    peer = sum(plain) / len(plain)
    note = f"{SECONDS:.0f} s, two devices talking at once; {said}"
    return [
        Figure("call.cpu_link", round(link, 2), "% of a core", "", PEER, round(peer, 2), note),
        Figure("call.cpu_sound", round(sound, 2), "% of a core", "", PEER, round(peer, 2)),
        Figure("call.pss_link", round(memory[0], 1), "MiB", "", PEER, round(sum(memory[2:]) / len(plain), 1)),
        Figure("call.pss_sound", round(memory[1], 1), "MiB"),
        Figure("call.exchange_p99_ms", round(exchange, 2), "ms", note="sound's send to link's answer"),
        Figure("call.cpu_ratio", round((link + sound) / peer, 2), "", "<= 0.5", PEER, 1.0, _SHORT),
    ]


def main() -> int:
    """Measure and write."""
    with tempfile.TemporaryDirectory(prefix="k") as folder:
        write("call", asyncio.run(bench(Path(folder))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
