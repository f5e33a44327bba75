"""``kontor run``: children that end, hang or refuse, and that nothing is left running."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from appliance.app import supervisor as module
from appliance.app.panels import VIRTUAL_PANEL
from appliance.app.process import _GRACE
from appliance.app.supervisor import Child, ChildRefused, Supervisor, kontor
from appliance.core.events import EventName
from tests.app.parts import gone, journal
from tests.support import until

BEATS = """
import os, socket, sys, time
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
while True:
    manager.sendto(b"WATCHDOG=1", os.environ["NOTIFY_SOCKET"])
    time.sleep(0.05)
"""


def child(program: str = BEATS, name: str = "link") -> Child:
    return Child(name, [sys.executable, "-c", program], EventName.LINK_RESTARTED)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WATCHDOG", 1.0)
    monkeypatch.setattr(module, "_START", 5.0)


async def test_a_killed_child_comes_back_and_the_others_stay() -> None:
    log, out = journal()
    sound, link = child(name="sound"), child()
    async with Supervisor([sound, link], log) as watched:
        watching = asyncio.create_task(watched.watch())
        await until(lambda: all(child.ready for child in watched.children))
        first, other = link.pid, sound.pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: link.ready and link.pid != first)
        assert sound.pid == other
        assert out.lines("child_ended") and out.lines("link_restarted")
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        pids = [sound.pid, link.pid]
    assert all(gone(pid) for pid in pids)


async def test_a_stopped_child_is_killed_and_comes_back() -> None:
    log, out = journal()
    link = child()
    async with Supervisor([link], log) as watched:
        watching = asyncio.create_task(watched.watch())
        await until(lambda: all(child.ready for child in watched.children))
        first = link.pid
        os.kill(first, signal.SIGSTOP)
        await until(lambda: link.starts == 2 and link.ready)
        assert gone(first)
        assert any("no sign of life" in line for line in out.lines("child_ended"))
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_a_child_that_ignores_sigterm_or_is_stopped_is_ended_all_the_same() -> None:
    stubborn = [child("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + BEATS) for _ in range(2)]
    async with Supervisor(stubborn, journal()[0]) as watched:
        watching = asyncio.create_task(watched.watch())
        await until(lambda: all(child.ready for child in watched.children))
        pids = [each.pid for each in stubborn]
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        began = time.monotonic()
    assert time.monotonic() - began < _GRACE, "else our own end would be cut off, as if it had failed"
    assert all(map(gone, pids))


@pytest.mark.parametrize("code", [64, 78])
async def test_a_child_that_refuses_its_settings_ends_everything(code: int) -> None:
    async with Supervisor([child(f"raise SystemExit({code})"), child()], journal()[0]) as watched:
        with pytest.raises(ChildRefused) as refused:
            await watched.watch()
    assert refused.value.code == code


async def test_a_child_that_keeps_ending_is_started_with_growing_waits() -> None:
    log, out = journal()
    async with Supervisor([child("raise SystemExit(70)")], log) as watched:
        watching = asyncio.create_task(watched.watch())
        await asyncio.sleep(2)
        assert 2 <= watched.children[0].starts <= 6
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert out.lines("child_ended")


async def test_a_foreign_message_is_no_sign_of_life() -> None:
    silent = child("import time\ntime.sleep(60)")
    async with Supervisor([silent], journal()[0]) as watched:
        watching = asyncio.create_task(watched.watch())
        await until(lambda: silent.pid)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", BEATS, env={"NOTIFY_SOCKET": watched._path}
        )
        await asyncio.sleep(0.5)
        assert not silent.ready
        process.kill()
        await process.wait()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_run_ends_as_its_child_did_when_starting_again_mends_nothing(short_dir: Path) -> None:
    config = short_dir / "kontor.toml"
    config.write_text(
        f'schema = 1\n[device]\nstate_dir = "{short_dir}"\nruntime_dir = "{short_dir}"\n[panel]\nkind = "virtual"\n'
    )
    environment = {name: value for name, value in os.environ.items() if name != VIRTUAL_PANEL}
    process = await asyncio.create_subprocess_exec(
        *kontor("run", "--config", str(config)),
        env={**environment, "PYTHONPATH": str(Path(module.__file__).parents[2])},
        stderr=asyncio.subprocess.PIPE,
    )
    _, text = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 78
    assert b"on a device the panel is real" in text
