"""The wires of the panel, from outside: the pins are the kernel's gpio-sim, which the device tree names (tree.dts)."""

from __future__ import annotations

import functools
import time
from pathlib import Path

LAMPS = {"mic": (25, False), "room": (22, True), "speak": (12, True), "fault": (23, False)}
"""Of the lamps the line, and whether it is high when lit (hardware/pinmap.toml)."""
CONTACTS = {"mute": 17, "room": 24}


@functools.cache
def _lines() -> Path:
    return next(Path("/sys/devices/platform").glob("kontor-test-pins/gpiochip*/sim_gpio0")).parent


def pull(contact: str, up: bool) -> None:
    """Pull the wire of a contact up or down."""
    (_lines() / f"sim_gpio{CONTACTS[contact]}" / "pull").write_text("pull-up" if up else "pull-down")


def lit(lamp: str) -> bool:
    """Whether a lamp is lit, by its wire."""
    line, high = LAMPS[lamp]
    return ((_lines() / f"sim_gpio{line}" / "value").read_text().strip() == "1") == high


def lamps() -> dict[str, bool]:
    """Which lamps are lit now."""
    return {lamp: lit(lamp) for lamp in LAMPS}


def watched(lamp: str, seconds: float) -> list[tuple[float, bool]]:
    """How a lamp was for so long: what it was at first, and each change with its time."""
    begin = time.monotonic()
    seen = [(0.0, lit(lamp))]
    while (at := time.monotonic() - begin) < seconds:
        if (now := lit(lamp)) != seen[-1][1]:
            seen.append((at, now))
        time.sleep(0.02)
    return seen


def switch(muted: bool) -> None:
    """Move the mute switch; low is muted."""
    pull("mute", up=not muted)


def cycle() -> None:
    """Open, muted, open: what a hand does that means it."""
    for muted in (False, True, False):
        switch(muted)
        time.sleep(1.0)


def hold(contact: str, seconds: float) -> None:
    """Press a button that long."""
    pull(contact, up=False)
    time.sleep(seconds)
    pull(contact, up=True)
