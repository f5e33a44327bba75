"""``kontor record``: every channel of the card into a file, for support. Announced, bounded, ended by a mute.

Where ``kontor sound`` has the card it records, into its runtime folder, a file that its user alone may read; whoever asked
fetches it. Nobody who asks can open the gate: what is recorded is what the room lets be heard anyway, before the front end.
"""

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from appliance.app.booth import Booth, refusal
from appliance.app.desk import ANNOUNCEMENT, Desk
from appliance.audio.gate import Gate
from appliance.audio.port import Side, SoundCard
from appliance.audio.tap import Tap
from appliance.audio.wav import Writer
from appliance.core.controls import Reason
from appliance.core.units import BLOCK, RATE, Block, Blocks

LONGEST = 30
"""Seconds of a recording."""
_PREFIX, _SUFFIX = "recording-", ".wav"
_DRAIN = 0.1
_LEFT_ALONE = 3.0
"""Seconds without a question after which nobody waits for the recording any more."""
_STUCK = 2.0
"""Seconds without sound after which the card counts as lost."""
_SLACK = 2.0
"""Seconds that an announcement may end late."""
_SETTLED = 0.05
"""Seconds after an opening in which blocks may still come that were captured before it."""


class Refused(ValueError):
    """No recording is made, or not now; one sentence."""


def create(path: Path) -> BinaryIO:
    """A new file that its owner alone may read.

    :raises OSError: it exists, or cannot be made.
    """
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "wb")


def channels_from(text: str) -> tuple[int, ...]:
    """Which channels are meant, from 0: ``all`` gives none, ``1,3`` the first and third.

    :raises Refused: it is none of both.
    """
    if text == "all":
        return ()
    parts = text.split(",")
    if not all(len(part) == 1 and part in "12345678" for part in parts) or len(parts) > 8:
        raise Refused(f'"{text}" are no channels: write "all", or numbers from 1 as in "1,2"')
    return tuple(int(part) - 1 for part in parts)


def pick(channels: Sequence[int], count: int) -> list[int]:
    """Those of a card with ``count`` channels; all where none is named.

    :raises Refused: the card has no such channel.
    """
    missing = [channel + 1 for channel in channels if channel >= count]
    if missing:
        raise Refused(f"there is no channel {missing[0]}: the card gives {count}")
    return list(channels) or list(range(count))


async def announced(desk: Desk, gate: Gate) -> None:
    """Announce a recording, and wait until the gate is open after it and what comes then was captured since.

    :raises Refused: it stays closed, since somebody muted.
    """
    desk.announce()
    end = time.monotonic() + ANNOUNCEMENT + _SLACK
    while time.monotonic() < end:
        if gate.is_open or muted(desk):
            break
        await asyncio.sleep(_DRAIN / 2)
    if not gate.is_open:
        raise Refused(muted(desk) or "The gate did not open after the announcement.")
    await asyncio.sleep(_SETTLED)


def muted(desk: Desk) -> str:
    """Why the gate stays closed, with the way out; empty: it is open, or will be after an announcement."""
    reasons = desk.controls.reasons - {Reason.RECORDING}
    return refusal(reasons) if reasons else ""


async def write(
    tap: Tap,
    picked: Sequence[int],
    file: BinaryIO,
    seconds: float,
    desk: Desk,
    going: Callable[[], bool] = lambda: True,
) -> str:
    """Write what the tap gives until it is enough; why it ended before that, or "". The file is closed.

    :param desk: knows why the gate has closed.
    :param going: asked again and again; when it is False the recording ends.
    """
    writer = Writer(file, len(picked))
    wanted, heard_at = max(BLOCK, int(seconds * RATE)), time.monotonic()
    try:
        while writer.frames < wanted:
            await asyncio.sleep(_DRAIN)
            if tap.muted:
                await asyncio.sleep(_DRAIN)  # the card's thread closes the gate itself, and tells the desk afterwards
                lost = Reason.AUDIO in desk.controls.reasons
                return "The sound card was lost." if lost else "The gate has closed: a mute ends a recording."
            sound = tap.take()[picked, : wanted - writer.frames]
            if sound.shape[1]:
                heard_at = time.monotonic()
                await asyncio.to_thread(writer.write, np.ascontiguousarray(sound))
            elif time.monotonic() - heard_at > _STUCK:
                return "No sound came from the card any more."
            if not going():
                return "Nobody waits for it any more."
    finally:
        writer.close()
    return f"{tap.lost} blocks are missing in it: this machine was too busy." if tap.lost else ""


class Recordings:
    """What a running sound answers to ``kontor record``: one at a time. Loop only.

    :param tapped: gives the capture path a tap, or takes it away (None).
    """

    def __init__(
        self, desk: Desk, gate: Gate, card: SoundCard, folder: Path, tapped: Callable[[Tap | None], None]
    ) -> None:
        self._desk, self._gate, self._card, self._folder, self._tapped = desk, gate, card, folder, tapped
        self._task: asyncio.Task[None] | None = None
        self._state: dict[str, object] = {}
        self._asked_at = 0.0
        self._fetched = asyncio.Event()
        for stale in folder.glob(f"{_PREFIX}*{_SUFFIX}"):  # of a run that was killed
            stale.unlink(missing_ok=True)

    async def begin(self, request: Mapping[str, Any]) -> Mapping[str, object]:
        """Begin one: ``seconds`` and ``channels`` (from 1; empty: all).

        :raises Refused: not now.
        """
        if self._task and not self._task.done():
            raise Refused("another recording is being made")
        seconds, channels = request.get("seconds"), request.get("channels", "all")
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 < seconds <= LONGEST:
            raise Refused(f"a recording lasts at most {LONGEST} seconds")
        if not isinstance(channels, str):
            raise Refused("channels are text")
        facts = self._card.facts
        if muted(self._desk) or facts is None:
            raise Refused(muted(self._desk) or "the sound card does not run")
        picked = pick(channels_from(channels), facts.channels)
        self._fetched.clear()
        self._asked_at = time.monotonic()
        self._state = {"state": "announced", "why": "", "file": "", "channels": len(picked)}
        self._task = asyncio.create_task(self._record(float(seconds), facts.channels, picked))
        return self._state

    async def look(self, request: Mapping[str, Any]) -> Mapping[str, object]:
        """How it stands; with ``fetched`` its file is no longer needed."""
        self._asked_at = time.monotonic()
        if request.get("fetched") is True:
            self._fetched.set()
        return self._state

    async def stop(self) -> None:
        """End and forget it."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _going(self) -> bool:
        return time.monotonic() - self._asked_at < _LEFT_ALONE

    async def _record(self, seconds: float, count: int, picked: Sequence[int]) -> None:
        path = self._folder / f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}"
        try:
            await announced(self._desk, self._gate)
            tap = Tap(self._gate, count)
            self._state |= {"state": "recording"}
            self._tapped(tap)
            self._state |= {"why": await write(tap, picked, create(path), seconds, self._desk, self._going)}
            self._tapped(None)
            self._state |= {"state": "done", "file": str(path)}
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LEFT_ALONE):
                    await self._fetched.wait()
        except Refused as error:
            self._state |= {"state": "done", "why": str(error)}
        except Exception as error:  # noqa: BLE001 - whatever it is, whoever asked waits for an end of it
            self._state |= {"state": "done", "why": f"{path.parent}: {type(error).__name__}: {error}"}
        finally:
            self._tapped(None)
            path.unlink(missing_ok=True)
            self._desk.recorded()


class Recorded:
    """Hears in a booth: the tap gets everything, and nothing is played."""

    def __init__(self) -> None:
        self.tap: Tap | None = None

    def captured(self, microphones: Blocks, position: int, time: float) -> None:  # noqa: ARG002 - only the sound counts
        """Into the tap."""
        if self.tap is not None:
            self.tap.put(microphones)

    def wanted(self, out: Block) -> None:
        """Silence."""
        out.fill(0)

    def played(self, position: int, time: float) -> None:
        """It was silence."""

    def jumped(self, side: Side) -> None:
        """A hole is no matter here."""


async def record_here(
    open_booth: Callable[[Recorded], Booth],
    channels: Sequence[int],
    seconds: float,
    file: BinaryIO,
    tell: Callable[[str], None],
) -> tuple[str, int]:
    """Record in a booth of our own. Gives why it ended too early ("" when it did not), and how many channels there are.

    :param tell: told "announced" and "recording" as they begin.
    :raises Muted, Refused, NotAllowed: nothing is recorded.
    """
    recorded = Recorded()
    booth = open_booth(recorded)
    async with booth.open():
        tell("announced")
        await announced(booth.desk, booth.gate)
        facts = booth.card.facts
        if facts is None:
            raise Refused(booth.card.problem or "the sound card was lost")
        picked = pick(channels, facts.channels)
        tap = recorded.tap = Tap(booth.gate, facts.channels)
        tell("recording")
        return await write(tap, picked, file, seconds, booth.desk), len(picked)
