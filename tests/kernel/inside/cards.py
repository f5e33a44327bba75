"""Cards that are started and stopped, and what must not be left of them."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import alsaaudio
import numpy as np

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
    user, before, devices = Listener(), set(threading.enumerate()), opened()
    card.start(user)
    try:
        if up:
            until(lambda: user.running, UP, f"the card runs ({card.problem or 'it says nothing'})")
        yield user
    finally:
        card.stop()
    left = [thread.name for thread in set(threading.enumerate()) - before]
    assert not left, f"threads left: {left}"
    left = sorted(set(opened()) - set(devices))
    assert not left, f"devices left open: {left}"


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


def frames(card: str) -> int:
    """Samples that the card's first loudspeaker has played since it was started; 0: it does not run, or is not there."""
    path = Path(f"/proc/asound/{card}/pcm0p/sub0/status")
    try:
        status = path.read_text()
    except OSError:
        return 0
    found = re.search(r"^hw_ptr\s*:\s*(\d+)", status, re.MULTILINE)
    return int(found[1]) if found and "RUNNING" in status else 0


class Stream:
    """Something live that is played into a device by a thread of its own, so that a microphone behind it hears it."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._play, name="stream")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ending.set()
        self._thread.join()

    def _play(self) -> None:
        pcm = alsaaudio.PCM(
            alsaaudio.PCM_PLAYBACK,
            device=self._device,
            rate=48_000,
            channels=1,
            format=alsaaudio.PCM_FORMAT_S16_LE,
            periodsize=480,
            periods=8,
        )
        sound = np.arange(480, dtype="<i2").tobytes()
        while not self._ending.is_set():
            pcm.write(sound)
        pcm.drop()
        pcm.close()
