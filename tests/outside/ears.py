"""A listener of ours that an outside client has to be heard by, and a talker it has to hear."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.host.harness import House
from tests.host.member import Heard, Member, Presence, open_mic
from tests.host.sound import FRAME_SAMPLES, decoded, hum, share_of, tone
from tests.support import until

SETTLED = 25
"""Packets at the beginning that are left out: encoders and gains settle, and silence comes first."""


@asynccontextmanager
async def anna_in(home: House) -> AsyncIterator[tuple[Member, Presence]]:
    """A member of ours in the room, unmuted, who watches it."""
    async with Member(home, "anna") as anna, anna.presence() as seen:
        await anna.connect()
        await open_mic(anna, seen)
        yield anna, seen


async def hears(listener: Member, hertz: float, packets: int = 60, seconds: float = 20.0) -> None:
    """Wait until ``listener`` has heard the tone, and nothing much besides it."""
    await until(lambda: len(listener.heard) > SETTLED + packets, seconds, "nothing arrives")
    heard: list[Heard] = listener.heard[-packets:]
    sound = decoded(heard)[10 * FRAME_SAMPLES :]
    assert abs(sound).max() > 1000, "silence arrives"
    assert share_of(sound, hertz) > 0.9, "something other than the tone arrives"


@asynccontextmanager
async def humming(talker: Member, hertz: float) -> AsyncIterator[None]:
    """``talker`` sends a tone meanwhile."""
    stop = asyncio.Event()
    task = asyncio.create_task(hum(talker, tone(hertz, 1), stop))
    try:
        yield
    finally:
        stop.set()
        await task
