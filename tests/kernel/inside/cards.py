"""Cards that are started and stopped, and what must not be left of them."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from appliance.audio.alsa import AlsaCard
from tests.kernel.inside.listener import Listener, until
from tools.kernel import guest

LOOP_PLAYS, LOOP_HEARS = "hw:CARD=Loopback,DEV=0", "hw:CARD=Loopback,DEV=1"
"""The two ends of snd-aloop: what is written to one is read from the other."""
UP = 15.0
"""Seconds for a card to come up, on a processor that is emulated."""


def load() -> None:
    """The drivers of the cards that the tests use."""
    guest.modprobe("snd-aloop", "pcm_substreams=1")
    guest.modprobe("-a", "xhci-pci", "snd-usb-audio")


@contextlib.contextmanager
def running(card: AlsaCard, *, up: bool = True) -> Iterator[Listener]:
    """A started card and its user, once it runs; stopped afterwards, without a trace."""
    user, before = Listener(), set(threading.enumerate())
    card.start(user)
    try:
        if up:
            until(lambda: user.running, UP, f"the card runs ({card.problem or 'it says nothing'})")
        yield user
    finally:
        card.stop()
    left = [thread.name for thread in set(threading.enumerate()) - before]
    assert not left, f"threads left: {left}"
    assert not opened(), f"devices left open: {opened()}"


def opened() -> list[str]:
    """Devices of ALSA's that this process has open."""
    found = []
    for entry in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{entry}")
            if target.startswith("/dev/snd/pcm"):
                found.append(target)
    return found


def numbers() -> dict[str, int]:
    """Cards by id, with their numbers."""
    return {
        (folder / "id").read_text().strip(): int(folder.name.removeprefix("card"))
        for folder in Path("/proc/asound").glob("card[0-9]*")
        if (folder / "id").exists()
    }
