"""A LiveKit server for the tests of a module."""

from collections.abc import Iterator

import pytest

from tests.contract.harness import serving
from tests.contract.livekit_harness import LiveKitRoom, LiveKitServer


@pytest.fixture(scope="module")
def livekit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKitServer]:
    with serving("livekit", tmp_path_factory.mktemp("livekit")) as server:
        assert isinstance(server, LiveKitServer)
        yield server


@pytest.fixture
def room(livekit: LiveKitServer) -> LiveKitRoom:
    return livekit.room()
