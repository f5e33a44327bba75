"""Hours in seconds, in the right order."""

import asyncio
import socket
import threading
import time

import pytest


@pytest.mark.virtual_time
async def test_hours_pass_in_a_moment_and_in_order() -> None:
    begun, loop = time.monotonic(), asyncio.get_running_loop()
    start, seen = loop.time(), []

    async def wake(after: float) -> None:
        await asyncio.sleep(after)
        seen.append((after, loop.time() - start))

    async with asyncio.TaskGroup() as group:
        for after in (36_000.0, 0.01, 7_200.0, 200_000.0):  # the last is longer than the loop ever waits at once
            group.create_task(wake(after))
    assert [after for after, _ in seen] == [0.01, 7_200.0, 36_000.0, 200_000.0]
    assert all(late == pytest.approx(after, abs=1e-6) for after, late in seen)
    assert time.monotonic() - begun < 5


@pytest.mark.virtual_time
async def test_a_timeout_is_virtual_too() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3_600):
            await asyncio.get_running_loop().create_future()


@pytest.mark.virtual_time
async def test_a_socket_that_is_ready_comes_before_the_next_timer() -> None:
    loop = asyncio.get_running_loop()
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        right.send(b"first")
        async with asyncio.timeout(3_600):
            assert await loop.sock_recv(left, 10) == b"first"
        assert loop.time() == 1_000.0


@pytest.mark.virtual_time
async def test_another_thread_wakes_a_loop_without_timers() -> None:
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    thread = threading.Timer(0.05, loop.call_soon_threadsafe, (done.set_result, 7))
    thread.start()
    assert await done == 7
    thread.join()
