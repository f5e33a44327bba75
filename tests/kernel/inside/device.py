"""The product itself in the guest while its card goes and comes."""

from __future__ import annotations

import time
from typing import Any

from tests.kernel.inside.process import sound
from tests.kernel.inside.usb import present
from tools.kernel import guest

_SECTIONS = """[audio]
backend = "alsa"
capture = "auto"
playback = "auto"
[panel]
kind = "virtual"
"""


def replugs(times: int) -> dict[str, Any]:
    """The whole process with its front end while the array goes and comes: seconds until its journal says so."""
    present()
    rows = []
    guest.let_card_hear("array", "hum")  # nothing is played, and zeros would be a fault
    with sound(_SECTIONS) as journal:
        journal.when("audio_found")
        for _ in range(times):
            time.sleep(1)
            pulled = time.monotonic()
            guest.unplug_card("array")
            lost = journal.when("audio_lost", pulled)
            time.sleep(0.5)
            gone = time.monotonic()
            guest.plug_card("array")
            rows.append({"noticed": lost - pulled, "back": journal.when("audio_found", gone) - gone})
        lines = journal.text.splitlines()
    return {"rows": rows, "journal": lines}
