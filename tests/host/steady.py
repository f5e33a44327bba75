"""A tone between two members that nothing may disturb, and what was counted meanwhile."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from appliance.core.levels import dbov
from appliance.core.units import RATE
from tests.host.harness import House
from tests.host.member import Heard, Member, Presence, inside
from tests.host.sound import FRAME_SAMPLES, decoded, hum, share_of, tone
from tests.support import until

TONE = 440.0
LEVEL = 15
"""-dBov of the tone; nobody else says that."""

LONGEST = 0.5
"""Seconds that a listener may wait for a packet, unless the machine let this process stand still."""

_AFTERWARDS = 30
"""Packets that are still to come when the disturbance is over."""

_TAKING_IN = 10
"""Frames that a decoder takes until it has the level."""

ORDINARY = frozenset(
    f"host_{name}"
    for name in (
        *("joins", "leaves", "updates_merged"),
        *("datagrams", "packets_in", "packets_out", "packets_skipped", "packets_muted", "packets_late"),
        *("slot_changes", "frames_recovered", "reports"),
    )
)
"""What is counted of members that do nothing wrong, or as a consequence."""


@dataclass
class Room:
    """A host, ben who hears anna's tone, and mallory with an open microphone."""

    home: House
    ben: Member
    bens: Presence
    mallory: Member
    mallorys: Presence
    machine: "Machine"
    before: Mapping[str, int] = field(default_factory=dict)

    def counted(self) -> dict[str, int]:
        """What was counted of wrong things since the tone began."""
        now = self.home.host.counters.snapshot()
        found = {name: n - self.before.get(name, 0) for name, n in now.items()}
        return {name: n for name, n in found.items() if n and name.startswith("host_") and name not in ORDINARY}

    async def counts(self, *names: str, least: int = 1) -> None:
        """Each of these is counted at least so often, and nothing else that is wrong."""

        def enough() -> bool:
            return all(self.counted().get(name, 0) >= least for name in names)

        with contextlib.suppress(AssertionError):  # what was counted says more
            await until(enough)
        counted = self.counted()
        assert enough(), counted
        if self.machine.still and "host_timestamp_jumps" not in names:  # anna was held up, and with her what she sends
            counted.pop("host_timestamp_jumps", None)
        assert set(counted) == set(names), counted


class Machine:
    """Notes when this process stood still for want of a processor: what is late then is no fault of the host."""

    def __init__(self) -> None:
        self.still: list[tuple[float, float]] = []
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            begin, used = loop.time(), time.process_time()
            await asyncio.sleep(0.01)
            end = loop.time()
            if end - begin > LONGEST / 2 and time.process_time() - used < (end - begin) / 2:
                self.still.append((begin, end))

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    def stood(self, a: Heard, b: Heard) -> bool:
        """Whether it stood still between two packets, or so shortly before that the sender was catching up."""
        return any(a.at <= end + 0.1 and b.at >= begin for begin, end in self.still)


@contextlib.asynccontextmanager
async def tone_between(home: House) -> AsyncIterator[Room]:
    """Anna hums to ben for as long as this lasts; afterwards nothing of it is missing, and it sounds as it should."""
    async with inside(home, "anna", "ben", "mallory") as ((anna, _), (ben, bens), (mallory, mallorys)):
        stop, machine = asyncio.Event(), Machine()
        humming = asyncio.create_task(hum(anna, tone(TONE, 1), stop, LEVEL))
        try:
            await until(lambda: len(ben.heard) > 5, what="the tone does not begin")
            yield Room(home, ben, bens, mallory, mallorys, machine, home.host.counters.snapshot())
            went_on = len(heard_of(ben)) + _AFTERWARDS
            await until(lambda: len(heard_of(ben)) > went_on, what="the tone has ended")
        finally:
            stop.set()
            sent = await humming
            await machine.end()
        if not machine.still:
            await until(lambda: len(heard_of(ben)) >= sent - 1, what="some of the tone is missing")
        check(heard_of(ben), machine)
        assert bens.code is None
        assert ben.refused == 0
        surprises = [event for event in home.events if "error" in event.fields]
        assert not surprises, surprises[:3]


def heard_of(ben: Member) -> list[Heard]:
    """What ben heard of the tone."""
    return [packet for packet in ben.heard if packet.level == LEVEL]


def check(stream: list[Heard], machine: Machine) -> None:
    """The tone came in its own slot, without a gap or a long wait, and as loud and as pure as it was sent."""
    assert {packet.slot for packet in stream} == {stream[0].slot}
    assert all((b.seq - a.seq) & 0xFFFF == 1 for a, b in pairwise(stream))
    pairs = [(a, b) for a, b in pairwise(stream) if not machine.stood(a, b)]
    assert all((b.timestamp - a.timestamp) & 0xFFFFFFFF == FRAME_SAMPLES for a, b in pairs)
    assert max(b.at - a.at for a, b in pairs) < LONGEST
    sound = decoded(stream)[FRAME_SAMPLES * _TAKING_IN :]
    assert share_of(sound, TONE) > 0.99
    wanted = 20 * np.log10(8000 / 32_768 / np.sqrt(2))
    assert all(abs(level - wanted) < 1.5 for level in levels(sound)), sorted(levels(sound))


def levels(sound: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> Iterator[float]:
    """The level of each 100 ms, dBov."""
    step = RATE // 10
    for at in range(0, len(sound) - step, step):
        yield dbov(sound[at : at + step].astype(np.int16))
