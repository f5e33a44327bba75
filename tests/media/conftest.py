"""Both ends of an exchange, connected."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.media.exchange import Client, Listener


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "exchange"


@pytest.fixture
def listener(path: Path) -> Iterator[Listener]:
    listener = Listener(path)
    yield listener
    listener.close()


@pytest.fixture
def client(path: Path, listener: Listener) -> Iterator[Client]:
    client = Client(path, timeout=0.02)
    assert listener.poll()
    yield client
    client.close()
