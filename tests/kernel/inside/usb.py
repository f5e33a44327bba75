"""USB cards that come and go, hang, are muted, in use, or not what the settings say."""

from __future__ import annotations

import time
from typing import Any

import alsaaudio

from appliance.audio.alsa import AlsaCard
from tests.kernel.inside.cards import LOOP_HEARS, UP, numbers, running
from tests.kernel.inside.listener import Listener, until
from tools.kernel import guest

ARRAY = "Array"
"""The id that Linux makes of the array's name."""
_BACK = 15.0
"""Seconds within which a card has to be back, on a processor that is emulated."""


def present(card: str = ARRAY) -> None:
    """Wait until the guest has the card."""
    until(lambda: card in numbers(), UP, f"the card {card} is there")


def _replug(user: Listener, card: AlsaCard, between: float) -> dict[str, float]:
    """Pull the array out and put it in again: seconds until the loss was told, and until its own sound was heard."""
    pulled = time.monotonic()
    guest.unplug_card("array")
    until(lambda: user.when(running=False, since=pulled), _BACK, "the loss is told")
    time.sleep(between)
    gone = time.monotonic()
    asked = len([at for at in user.asked if pulled <= at < gone])
    guest.plug_card("array")
    until(lambda: user.sounded(gone), _BACK, f"sound is back ({card.problem})")
    lost, back, known = user.when(running=False, since=pulled), user.sounded(gone), user.when(running=True, since=gone)
    assert lost is not None and back is not None
    return {
        "noticed": lost - pulled,
        "back": back - gone,
        "told_back": (known or back) - gone,
        "asked_a_second": asked / (gone - pulled),
    }


def replugs(times: int) -> dict[str, Any]:
    """The array, both directions, unplugged and plugged again and again."""
    present()
    card = AlsaCard(f"hw:CARD={ARRAY}", f"hw:CARD={ARRAY}")
    rows = []
    with running(card) as user:
        until(lambda: user.sounded(0.0), UP, "the ramp is heard")
        for turn in range(times):
            rows.append(_replug(user, card, 0.3 + 0.1 * (turn % 5)))
            print(f"  {turn + 1:2}: " + ", ".join(f"{name} {value:.3f}" for name, value in rows[-1].items()))
            time.sleep(0.5 + 0.3 * (turn % 4))
        facts, jumps = card.facts, [str(side) for side, _at, _count in user.jumps]
    assert facts is not None
    return {
        "rows": rows,
        "jumps": jumps,
        "counts": dict(card.counts),
        "usb_id": facts.usb_id,
        "channels": facts.channels,
        "alike": all(one.alike for one in user.heard),
    }
