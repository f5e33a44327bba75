"""pytest plugin: coroutine tests on a fresh loop, a time limit for all, and nothing asynchronous left behind."""

import asyncio
import contextlib
import functools
import inspect
import signal
import traceback
from collections.abc import Callable, Coroutine, Generator
from types import FrameType
from typing import Any

import pytest

from tests.support.virtual_time import VirtualTimeLoop

LIMIT = 60.0
"""Seconds a test may take when it does not say."""

SLOW_LIMIT = 900.0
"""The same for tests marked slow, bench or engines."""

GRACE = 0.2
"""Real seconds for tasks that were told to end."""

Test = Callable[..., Coroutine[Any, Any, None]]


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test, alone or under hypothesis (each example gets a loop of its own)."""
    test = pyfuncitem.obj
    run = functools.partial(
        _run, virtual=pyfuncitem.get_closest_marker("virtual_time") is not None, limit=limit_of(pyfuncitem)
    )
    if hypothesis := getattr(test, "hypothesis", None):
        if inspect.iscoroutinefunction(hypothesis.inner_test):
            hypothesis.inner_test = _synchronous(hypothesis.inner_test, run)
        return None
    if not inspect.iscoroutinefunction(test):
        return None
    wanted = inspect.signature(test).parameters
    run(test, {name: value for name, value in pyfuncitem.funcargs.items() if name in wanted})
    return True


def limit_of(item: pytest.Item) -> float:
    """Seconds that this test may take."""
    if marker := item.get_closest_marker("timeout"):
        return float(marker.args[0])
    return SLOW_LIMIT if any(item.get_closest_marker(name) for name in ("slow", "bench", "engines")) else LIMIT


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Interrupt a test that has outrun its limit; 5 s later than the loop's own, kinder way."""

    def interrupt(_signal: int, frame: FrameType | None) -> None:
        where = "".join(traceback.format_stack(frame, limit=6))
        raise TimeoutError(f"the test took longer than {limit_of(item):g} s and was here:\n{where}")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, limit_of(item) + 5)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _synchronous(test: Test, run: Callable[[Test, dict[str, Any]], None]) -> Callable[..., None]:
    @functools.wraps(test)
    def example(**arguments: Any) -> None:
        run(test, arguments)

    return example


def _run(test: Test, arguments: dict[str, Any], *, virtual: bool, limit: float) -> None:
    unseen: list[str] = []

    def note(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        exception = context.get("exception")
        detail = "".join(traceback.format_exception(exception)) if exception else repr(context)
        unseen.append(f"{context.get('message')}\n{detail}")

    factory = VirtualTimeLoop if virtual else asyncio.SelectorEventLoop
    with asyncio.Runner(debug=False, loop_factory=factory) as runner:
        runner.get_loop().set_exception_handler(note)
        leaked = runner.run(_watched(test(**arguments), None if virtual else limit))
    if leaked:
        pytest.fail("the test left tasks behind:\n" + "\n".join(leaked), pytrace=False)
    if unseen:
        pytest.fail("nobody saw these exceptions:\n" + "\n".join(unseen), pytrace=False)


async def _watched(test: Coroutine[Any, Any, None], limit: float | None) -> list[str]:
    """Run the test; give what it left running, one line a task."""
    timer = asyncio.timeout(limit)
    try:
        async with timer:
            await test
    except TimeoutError as error:
        if timer.expired():
            raise TimeoutError(f"the test took longer than {limit:g} s") from error
        raise
    virtual = limit is None
    deadline = asyncio.get_running_loop().time() + GRACE
    rounds = 0
    while leaked := asyncio.all_tasks() - {asyncio.current_task()}:
        rounds += 1
        if rounds > 20 and (virtual or asyncio.get_running_loop().time() > deadline):
            break
        await asyncio.sleep(0 if virtual or rounds <= 20 else 0.01)
    return [_describe(task) for task in leaked]


def _describe(task: asyncio.Task[Any]) -> str:
    where = "not started"
    with contextlib.suppress(IndexError):
        frame = task.get_stack()[0]
        where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    coroutine = task.get_coro()
    name = getattr(coroutine, "__qualname__", repr(coroutine))
    return f"  task {task.get_name()!r} running {name} at {where}"
