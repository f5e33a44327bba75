"""The life of a process: every vital part that ends, ends it with 70; a signal ends it with 0; children end with parents."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from appliance.app.process import (
    Collections,
    NotAllowed,
    VitalEnded,
    beat,
    make_folders,
    moved,
    real_time,
    unless_stopped,
    until_stopped,
    vital,
)
from appliance.health.notify import Notifier
from tests.app.parts import gone, journal
from tests.support import wait_for


def program(body: str) -> list[str]:
    """A process of ours whose main coroutine is ``body``."""
    return [
        sys.executable,
        "-c",
        textwrap.dedent(
            """
            import asyncio, sys
            from appliance.app.process import run, until_stopped, vital
            async def main(stop, journal):
            """
        )
        + textwrap.indent(textwrap.dedent(body), "    ")
        + "\nsys.exit(run('test', main))\n",
    ]


def ended(body: str) -> tuple[int, str]:
    done = subprocess.run(program(body), capture_output=True, text=True, timeout=20, check=False)
    return done.returncode, done.stderr


def test_a_vital_part_that_returns_ends_the_process_with_70() -> None:
    code, text = ended("await until_stopped(stop, {'ears': lambda: asyncio.sleep(0.01)})")
    assert (code, text.strip()) == (70, 'test: event=task_failed error="ears ended"')


def test_a_stop_before_the_parts_began_is_an_orderly_end() -> None:
    code, text = ended("stop.set()\nawait until_stopped(stop, {'ears': lambda: asyncio.sleep(9)})")
    assert (code, text) == (0, "")


def test_a_vital_part_that_fails_ends_the_process_with_70() -> None:
    code, text = ended("async def part(): raise OSError('no card')\nawait until_stopped(stop, {'ears': part})")
    assert code == 70
    assert "ears failed: OSError: no card" in text


def test_an_error_of_ours_is_no_silent_end() -> None:
    code, text = ended("raise KeyError('bug')")
    assert code == 1
    assert "KeyError: 'bug'" in text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_with_0(number: signal.Signals) -> None:
    body = """
    async def part():
        try:
            print("up", flush=True)
            await asyncio.Event().wait()
        finally:
            print("cleaned", flush=True)
    await until_stopped(stop, {"part": part})
    """
    with subprocess.Popen(program(body), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(number)
        assert process.stdout.read() == "cleaned\n"
        assert process.wait(5) == 0


def test_an_end_that_hangs_is_cut_off_within_two_seconds() -> None:
    body = """
    async def part():
        print("up", flush=True)
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
    await until_stopped(stop, {"part": part})
    """
    with subprocess.Popen(program(body), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        began = time.monotonic()
        process.terminate()
        assert process.wait(10) == 70
        assert time.monotonic() - began < 4  # 1.8 s by its own clock; the rest is this machine


def test_a_child_is_killed_when_its_parent_is() -> None:
    child = program("print('up', flush=True)\nawait stop.wait()")
    parent = f"""
import os, subprocess, sys
child = subprocess.Popen({child!r}, stdout=subprocess.PIPE, text=True, env={{**os.environ, "KONTOR_PARENT": str(os.getpid())}})
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()
        process.wait(5)
        wait_for(lambda: gone(pid))


def test_a_child_whose_parent_died_first_does_not_start() -> None:
    environment = {**os.environ, "KONTOR_PARENT": "1234567"}
    done = subprocess.run(program("await stop.wait()"), env=environment, timeout=10, check=False)
    assert done.returncode == 70


async def test_vital_passes_a_cancellation_on() -> None:
    task = asyncio.create_task(vital("part", asyncio.Event().wait()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_all_parts_are_cancelled_on_stop() -> None:
    stop, ends = asyncio.Event(), []

    async def part(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ends.append(name)

    running = asyncio.create_task(until_stopped(stop, {"a": lambda: part("a"), "b": lambda: part("b")}))
    await asyncio.sleep(0.01)
    stop.set()
    await running
    assert sorted(ends) == ["a", "b"]


async def test_what_takes_long_to_begin_is_left_when_a_stop_comes_first() -> None:
    stop, ends = asyncio.Event(), list[str]()

    async def begin(seconds: float) -> str:
        try:
            await asyncio.sleep(seconds)
        finally:
            ends.append("ended")
        return "begun"

    async def fails() -> None:
        raise ValueError("negative")

    assert await unless_stopped(stop, begin(0)) == "begun"
    asyncio.get_running_loop().call_later(0.01, stop.set)
    async with asyncio.timeout(5):
        assert await unless_stopped(stop, begin(60)) is None
    assert ends == ["ended", "ended"], "nothing of it goes on"
    with pytest.raises(ValueError, match="negative"):
        await unless_stopped(asyncio.Event(), fails())


async def test_a_failing_part_cancels_the_others() -> None:
    ends = []

    async def other() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ends.append("other")

    with pytest.raises(BaseExceptionGroup) as caught:
        await until_stopped(asyncio.Event(), {"short": lambda: asyncio.sleep(0), "other": other})
    assert ends == ["other"]
    assert isinstance(caught.value.exceptions[0], VitalEnded)


@pytest.mark.virtual_time
async def test_beat_speaks_only_while_alive_and_tells_a_stall() -> None:
    told: list[str] = []

    class Ear(Notifier):
        def tell(self, *lines: str) -> bool:
            told.extend(lines)
            return True

    alive = [True]
    log, out = journal()
    beating = asyncio.create_task(beat(Ear(""), lambda: alive[0], log))
    await asyncio.sleep(2.1)
    assert told == ["WATCHDOG=1"] * 5
    alive[0] = False
    await asyncio.sleep(2)
    assert len(told) == 5
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
    assert out.lines("loop_stalled") == []


async def test_a_stalled_loop_and_a_long_collection_are_told() -> None:
    log, out = journal()
    beating = asyncio.create_task(beat(Notifier(""), lambda: True, log))
    await asyncio.sleep(0)
    for phase in ("start", "stop"):  # as the collector calls it
        for callback in gc.callbacks:
            callback(phase, {})
        time.sleep(0.6)  # noqa: ASYNC251 - the stall
    await asyncio.sleep(0.55)
    assert out.lines("loop_stalled")
    assert out.lines("long_collection")
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
    assert not any(isinstance(getattr(callback, "__self__", None), Collections) for callback in gc.callbacks)


@pytest.mark.virtual_time
async def test_beat_says_in_words_how_it_is_when_that_changes() -> None:
    told: list[str] = []

    class Ear(Notifier):
        def tell(self, *lines: str) -> bool:
            told.extend(lines)
            return True

    words = ["open"]
    beating = asyncio.create_task(beat(Ear(""), lambda: False, journal()[0], lambda: words[0]))
    await asyncio.sleep(1.2)
    words[0] = "closed:\nWATCHDOG=1"
    await asyncio.sleep(1.2)
    assert told == ["STATUS=open", "STATUS=closed: WATCHDOG=1"], "one line, whatever somebody else put into it"
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)


def test_moved_misses_every_thread_but_one_that_is_not_there() -> None:
    audio, panel = [0], [0]
    alive = moved(lambda: audio[0], lambda: panel[0], lambda: None)
    assert alive()
    audio[0] += 1
    assert not alive(), "the panel stands still"
    panel[0] += 1
    assert not alive(), "audio stands still"
    audio[0] += 1
    panel[0] += 1
    assert alive()


def test_real_time_that_the_service_manager_gave_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getscheduler", lambda _pid: os.SCHED_FIFO)
    monkeypatch.setattr(os, "sched_setscheduler", lambda *_: pytest.fail("the sandbox forbids it"))
    assert real_time(10)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
def test_a_folder_that_root_makes_belongs_to_whom_the_one_around_it_belongs(tmp_path: Path) -> None:
    os.chown(tmp_path, 4321, 1234)
    make_folders(tmp_path / "authority", tmp_path / "authority")
    found = (tmp_path / "authority").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (4321, 1234, 0o750)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotAllowed, match=r"file cannot be made: .*state_dir"):
        make_folders(tmp_path / "file")
