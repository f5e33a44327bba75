"""pytest plugin: what outlives its test, or its fixture, fails it by name."""

import functools
import gc
import operator
from collections.abc import Generator
from typing import Any

import pytest

from tests.support.leaks import Alive, collecting, end_processes, leaks_since, look, mark_descendants

_before = pytest.StashKey[Alive]()
_of_wider_fixtures: dict[object, Alive] = {}


def pytest_configure() -> None:
    """Before the first test: descendants are known by a mark."""
    mark_descendants()


def pytest_collection_finish() -> None:
    """Put all that importing made out of the collector's way: a collection a test then costs a millisecond."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Look before any fixture of the test."""
    item.stash[_before] = look() - _theirs()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
    """What a fixture of a wider scope starts may stay as long as the fixture."""
    if fixturedef.scope == "function":
        return (yield)
    before = look()
    try:
        return (yield)
    finally:
        _of_wider_fixtures[fixturedef] = look() - before


def pytest_fixture_post_finalizer(fixturedef: pytest.FixtureDef[Any]) -> None:
    """The fixture is gone: what it started must be gone too."""
    _of_wider_fixtures.pop(fixturedef, None)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Look again after the last fixture, with the garbage out."""
    with collecting() as unseen:
        result = yield
    leaked = leaks_since(item.stash[_before] | _theirs())
    lines = leaked.names() + unseen.lines
    end_processes(leaked)
    if lines:
        pytest.fail("the test left behind:\n  " + "\n  ".join(lines), pytrace=False)
    return result


def _theirs() -> Alive:
    """What the wider fixtures of this moment have started."""
    return functools.reduce(operator.or_, _of_wider_fixtures.values(), Alive())
