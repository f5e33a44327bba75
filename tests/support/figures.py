"""What the tests of a slow suite measured, written where ``KONTOR_MEASUREMENTS`` says."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import measurements


def written(request: pytest.FixtureRequest, bench: str) -> Iterator[list[measurements.Figure]]:
    """A list for the figures of ``bench``, written when the tests that fill it are done, unless a test failed."""
    found: list[measurements.Figure] = []
    failed = request.session.testsfailed
    yield found
    place = os.environ.get("KONTOR_MEASUREMENTS")
    if place and found and request.session.testsfailed == failed:
        measurements.write(bench, found, Path(place))
