"""What tests of the admin's dialogs share."""

import re

from tests.host.page.mock_host import MockHost


def admin(host: MockHost) -> None:
    """Whoever looks at the page is an admin of the room."""
    host.you["role"] = "admin"


def plain(text: str) -> str:
    """Without the signs that keep a name's direction to itself."""
    return re.sub("[\u2068\u2069]", "", text)
