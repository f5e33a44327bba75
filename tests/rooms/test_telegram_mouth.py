"""When ntgcalls is muted, emptied and given sound: in which order, and what one that refuses or takes its time makes of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest

from appliance.core.units import BLOCK, Pcm
from appliance.rooms.block_proof import BlockProof
from appliance.rooms.telegram_mouth import PACKET, Mouth

pytestmark = pytest.mark.virtual_time

LOUD = np.full(BLOCK, 9000, np.int16)


class Library:
    """Holds what does not fill a packet, as ntgcalls does; it may refuse, or take its time."""

    def __init__(self) -> None:
        self.done: list[str] = []
        """What was done, in its order: "mute", "unmute", "sound", "silence"."""
        self.muted = False
        self.held: list[Pcm] = []
        self.left: list[Pcm] = []
        """Blocks that were sent to the others."""
        self.refuses: dict[str, int] = {}
        """How many of the next calls fail, by name."""
        self.free = asyncio.Event()
        self.free.set()

    async def mute(self) -> None:
        await self._do("mute")
        self.muted, self.held = True, []

    async def unmute(self) -> None:
        await self._do("unmute")
        self.muted = False

    async def send(self, pcm: Pcm) -> None:
        await self._do("sound" if pcm.any() else "silence")
        if not self.muted:
            self.held.append(pcm.copy())
            if len(self.held) == PACKET:
                self.left, self.held = self.left + self.held, []

    async def _do(self, what: str) -> None:
        await self.free.wait()
        if self.refuses.get(what, 0):
            self.refuses[what] -= 1
            self.done.append(f"no {what}")
            raise RuntimeError(what)
        self.done.append(what)

    @property
    def in_short(self) -> list[str]:
        """What was done, what is repeated once."""
        return [what for what, before in zip(self.done, ["", *self.done], strict=False) if what != before]


@contextlib.asynccontextmanager
async def speaking(library: Library, given_up: Callable[[], None] = lambda: None) -> AsyncIterator[Mouth]:
    mouth = Mouth(library, BlockProof(), given_up)
    running = asyncio.create_task(mouth.run())
    mouth.begin()
    try:
        yield mouth
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def say(mouth: Mouth, blocks: int = 1) -> None:
    for _ in range(blocks):
        mouth.take(LOUD)
        await asyncio.sleep(0.002)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.002)


async def test_what_it_holds_is_thrown_away_at_closing_and_silence_follows_in_the_rhythm_of_its_packets() -> None:
    library = Library()
    async with speaking(library) as mouth:
        await until(lambda: library.muted)
        await say(mouth, PACKET + 4)
        mouth.close()
        loop = asyncio.get_running_loop()
        began = loop.time()
        await until(lambda: "silence" in library.done)
        assert not any(block.any() for block in library.held)
        assert library.done[-library.done.count("silence") :].count("silence") >= 4, (
            "as much at once as was thrown away"
        )
        await until(lambda: len(library.left) == 5 * PACKET)
        assert 0.18 < loop.time() - began < 0.25, "each block of silence in its time"
    assert library.in_short == ["mute", "unmute", "sound", "mute", "unmute", "silence"]
    assert [block.any() for block in library.left] == [True] * PACKET + [False] * 4 * PACKET


async def test_after_half_a_minute_of_silence_nothing_is_sent_until_the_gate_opens() -> None:
    library = Library()
    async with speaking(library) as mouth:
        await until(lambda: library.muted)
        await say(mouth, PACKET)
        mouth.close()
        await asyncio.sleep(29.9)
        assert not library.muted
        await asyncio.sleep(0.2)
        assert library.muted
        assert 2990 <= library.done.count("silence") <= 3001
        sent = len(library.done)
        await asyncio.sleep(3600)
        assert len(library.done) == sent, "nor is anything asked of the library"
        await say(mouth)
        await until(lambda: library.held)
        assert library.done[sent:] == ["unmute", "sound"]


async def test_a_mute_that_fails_lets_nothing_out_until_it_has_succeeded() -> None:
    library = Library()
    async with speaking(library) as mouth:
        await until(lambda: library.muted)
        await say(mouth, 4)
        library.refuses = {"mute": 2}
        mouth.close()
        await say(mouth, 3)
        await until(lambda: library.held)
    assert library.in_short == ["mute", "unmute", "sound", "no mute", "mute", "unmute", "sound"]
    assert mouth.failures == 2
    assert len(library.held) == 3, "nothing of before is in front of it"


async def test_an_unmute_that_fails_while_the_gate_is_open_is_tried_again_and_nothing_is_given_to_a_mute() -> None:
    library = Library()
    async with speaking(library) as mouth:
        await until(lambda: library.muted)
        library.refuses = {"unmute": 2}
        await say(mouth, 3)
        await until(lambda: len(library.held) == 3)
    assert library.in_short == ["mute", "no unmute", "unmute", "sound"]


async def test_an_unmute_that_fails_and_a_gate_that_closes_end_in_a_mute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.rooms.telegram_mouth.SILENT", 0.05)
    library = Library()
    async with speaking(library) as mouth:
        await until(lambda: library.muted)
        library.refuses = {"unmute": 1}
        await say(mouth)
        mouth.close()
        await until(lambda: library.done[-1] == "mute" and "silence" in library.done)
        assert library.muted
    assert "sound" not in library.done


async def test_the_gate_that_closes_while_an_unmute_takes_its_time_gives_nothing_of_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("appliance.rooms.telegram_mouth.SILENT", 0.05)
    library = Library()
    async with speaking(library) as mouth:
        await until(lambda: library.muted)
        library.free.clear()
        await say(mouth, 3)
        mouth.close()
        library.free.set()
        await until(lambda: library.muted and "silence" in library.done)
        await asyncio.sleep(0.05)
    assert "sound" not in library.done
    assert library.done[-1] == "mute"


async def test_reopened_at_once_it_is_emptied_first_and_the_sound_follows_without_a_pause() -> None:
    library = Library()
    async with speaking(library) as mouth:
        await until(lambda: library.muted)
        await say(mouth, 4)
        mouth.close()
        mouth.take(LOUD)
        mouth.close()
        mouth.take(LOUD)
        await until(lambda: library.held and library.done[-1] == "sound" and library.done[-2] != "sound")
    assert library.in_short == ["mute", "unmute", "sound", "mute", "unmute", "sound"]
    assert len(library.held) == 1


async def test_a_library_that_does_not_do_what_it_is_told_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.rooms.telegram_mouth._AGAIN", 0.001)
    library = Library()
    library.refuses = {"mute": 10_000}
    up = asyncio.Event()
    async with speaking(library, up.set):
        await asyncio.wait_for(up.wait(), 5)
    assert "sound" not in library.done


async def test_with_another_call_everything_begins_anew() -> None:
    library = Library()
    async with speaking(library) as mouth:
        await until(lambda: library.muted)
        await say(mouth, 4)
        mouth.end()
        await say(mouth, 4)
        mouth.close()
        before = len(library.done)
        await asyncio.sleep(0.05)
        assert len(library.done) == before, "there is no call"
        library.muted, library.held = False, []
        mouth.begin()
        await until(lambda: library.muted)
    assert library.done[before:] == ["mute"]
