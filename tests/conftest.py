"""The suite's plugins and the fixtures that any test may ask for; tests/support/__init__.py tells what they do."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support import ports

# As the program sets it, and before numpy is loaded: beside other work the threads of OpenBLAS wait for each other, and small
# matrices take ten times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A shared machine is slow at times: no test fails for that.
hypothesis.settings.register_profile("kontor", deadline=None)
hypothesis.settings.load_profile("kontor")

pytest_plugins = ["tests.support.plugin_async", "tests.support.plugin_leaks", "tests.support.plugin_report"]


@pytest.fixture
def free_port() -> int:
    """A port that is free for TCP and UDP on 127.0.0.1."""
    return ports.free_port()


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """An empty directory with a path short enough for Unix sockets (107 bytes)."""
    path = Path(tempfile.mkdtemp(prefix="k"))
    yield path
    shutil.rmtree(path)
