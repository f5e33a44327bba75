"""One Chromium for all page tests."""

from collections.abc import Iterator

import pytest

from tests.host.page.visits import Chrome
from tests.support import need


@pytest.fixture(scope="package")
def chrome() -> Iterator[Chrome]:
    """Chromium; tests that ask for it are skipped where there is none."""
    need("module:playwright", "playwright is not installed: pip install -e .[dev]")
    browser = Chrome(need("chromium", "Chromium is not installed: apt install chromium"))
    yield browser
    browser.close()
