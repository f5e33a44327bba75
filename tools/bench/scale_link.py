"""``kontor link`` for a room of more members than one of our own may have: only the bounds of what presence tells are lifted."""

import sys

from appliance.__main__ import main
from appliance.core import presence_reader, protocol

MOST = 8192


def lift() -> None:
    """Let a room have :data:`MOST` members in this process."""
    for module in (presence_reader, protocol):
        module.MOST_MEMBERS = MOST  # type: ignore[attr-defined]
        module.MOST_SERVER_BYTES = 8 << 20  # type: ignore[attr-defined]


if __name__ == "__main__":
    lift()
    sys.exit(main(["link", *sys.argv[1:]]))
