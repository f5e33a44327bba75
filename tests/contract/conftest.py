"""The engines over which the contract suite runs, and their servers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.harness import EXPECTED, PACES, SERVERS, Pace, Room, Server, serving


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test runs over the engines that are expected to give what it is about: claiming less fails, it does not skip."""
    needed = [name for mark in metafunc.definition.iter_markers("gives") for name in mark.args]
    quick = metafunc.definition.get_closest_marker("short") is not None
    names = [
        pytest.param(name, marks=() if quick or name == "hosted" else (pytest.mark.engines, pytest.mark.timeout(240)))
        for name in SERVERS
        if all(getattr(EXPECTED[name], capability) for capability in needed)
    ]
    if "server" in metafunc.fixturenames:
        metafunc.parametrize("server", names, indirect=True, scope="module")
    if "mortal" in metafunc.fixturenames:
        metafunc.parametrize("mortal", names, indirect=True)


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(request.param, tmp_path_factory.mktemp(request.param)) as server:
        yield server


@pytest.fixture
def mortal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server for one test, which may kill it."""
    with serving(request.param, tmp_path) as server:
        yield server


@pytest.fixture
def room(server: Server) -> Room:
    return server.room()


@pytest.fixture
def pace(request: pytest.FixtureRequest) -> Pace:
    """How fast the engine under test is."""
    server: Server = request.getfixturevalue("mortal" if "mortal" in request.fixturenames else "server")
    return PACES[server.name]
