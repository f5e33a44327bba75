"""One Chromium for all tests of this folder, with the fonts of the pictures and no others."""

from collections.abc import Iterator

import pytest

from tests.host.page.visits import Chrome
from tests.page import gallery
from tests.support import need


@pytest.fixture(scope="package")
def chrome() -> Iterator[Chrome]:
    """Chromium; tests that ask for it are skipped where it, or a font of the pictures, is missing."""
    need("module:playwright", "playwright is not installed: pip install -e .[dev]")
    need(gallery.INTER, "the pictures need their fonts: apt install fonts-inter")
    need(gallery.DEJAVU, "the pictures need their fonts: apt install fonts-dejavu-core")
    program = need("chromium", "Chromium is not installed: apt install chromium")
    browser = Chrome(program, gallery.environment())
    yield browser
    browser.close()
    if gallery.BUILD.is_dir():
        gallery.write_index()
