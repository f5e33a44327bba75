"""A person in the room, from the office: hears what the device says, and says a tone to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tests.host.member import FRAME, Heard, Member, Presence, open_mic
from tests.host.sound import Sound, decoded, share_of, tone
from tests.image.office import Office
from tools.image.qemu import BOOT


@dataclass(frozen=True, slots=True)
class Tone:
    """Some seconds of what came: how much of it is the tone, how loud it is (dBFS), what is missing of it."""

    share: float
    level: float
    packets: int
    missing: int
    longest_gap_ms: float


class Person:
    """Somebody in the room."""

    def __init__(self, member: Member, presence: Presence) -> None:
        self.member, self.presence = member, presence

    async def state(self, who: str, *wanted: str, seconds: float = BOOT) -> str:
        """Wait until the room shows somebody so; seconds of the host's. Raises AssertionError."""
        end = time.monotonic() + seconds
        while (now := self.presence.state(who)) not in wanted:
            assert time.monotonic() < end, f"{who} is {now}, and not {wanted}: {self.presence.messages[-3:]}"
            await asyncio.sleep(0.2)
        return str(now)

    async def hears(self, hertz: float, seconds: float = 4.0, within: float = BOOT) -> Tone:
        """Wait until there are that many seconds of the tone in a row, and tell of them. Raises AssertionError."""
        end, tone_found = time.monotonic() + within, None
        while time.monotonic() < end:
            last = self.member.heard[-round(seconds / FRAME) :]
            if len(last) == round(seconds / FRAME):
                tone_found = told(last, hertz)
                if tone_found.share > 0.9:
                    return tone_found
            await asyncio.sleep(0.5)
        raise AssertionError(f"{hertz} Hz is not heard; {len(self.member.heard)} packets, last {tone_found}")

    async def silence(self, seconds: float = 2.0) -> int:
        """How many packets come in that many seconds."""
        self.member.heard.clear()
        await asyncio.sleep(seconds)
        return len(self.member.heard)

    @asynccontextmanager
    async def humming(self, hertz: float) -> AsyncIterator[None]:
        """Say a tone meanwhile, a packet for each that is heard: the device has seconds of its own, and is not hurried."""
        task = asyncio.create_task(self._hum(tone(hertz, 1.0)))
        try:
            yield
        finally:
            task.cancel()

    async def _hum(self, packets: list[bytes]) -> None:
        heard = self.member.heard
        sent, before = 0, len(heard)
        while True:
            await asyncio.sleep(FRAME / 4)
            for _ in range(len(heard) - before):
                self.member.say(packets[sent % len(packets)], 18)
                sent += 1
            before = len(heard)


def told(heard: list[Heard], hertz: float) -> Tone:
    """What some packets in a row are like."""
    sound: Sound = decoded(heard)
    missing = sum(((b.seq - a.seq) & 0xFFFF) - 1 for a, b in pairwise(heard))
    gap = max((b.at - a.at for a, b in pairwise(heard)), default=0.0)
    level = float(10 * np.log10(np.mean(sound**2) / 32768**2 + 1e-12))
    return Tone(share_of(sound, hertz), level, len(heard), missing, gap * 1000)


@asynccontextmanager
async def person(office: Office, name: str) -> AsyncIterator[Person]:
    """Somebody who comes into the room, and leaves it at the end."""
    async with (
        office.entered() as room,
        Member(room, name, key=office.key) as member,
        member.presence() as presence,
    ):
        await member.connect()
        await open_mic(member, presence)
        yield Person(member, presence)
        await member.leave()
