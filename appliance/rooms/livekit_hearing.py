"""Listening to a LiveKit room: subscribing to who is chosen, and bringing what the library decodes to the loudspeaker.

The server tells who speaks only of those to whom one is subscribed. So those who are not chosen, and have their microphone on,
are subscribed to and paused: nothing of them is sent, and it is known when they speak (docs/adr/0223).

A stream of the library outlives its track and then carries the next member who gets the same place, at full level: each is
closed as soon as its track is gone, and what still comes from it is not heard.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from livekit import rtc

from appliance.core.units import BLOCK, RATE, SLOTS
from appliance.rooms.decoded import DecodedDownlink
from appliance.rooms.livekit_calls import done
from appliance.rooms.livekit_choice import Choice
from appliance.rooms.livekit_members import microphone
from appliance.rooms.livekit_requests import enable

_MOST_ASKED = 16
"""Members that are subscribed to, paused or not."""
_MOST_QUEUED = 20
"""Blocks that a stream may hold when the loop is late."""
_NEWS = 3.0
"""Seconds for which somebody of whom the server said that it speaks is taken to."""
_CLOSE_SECONDS = 2.0
_ASK_AGAIN = 2.5
"""Seconds after which a track that was asked for and did not come is asked for once more."""
_REST = 0.3
"""Seconds before which a track is not asked for again: the server takes the two for one change, and none comes."""


@dataclass(slots=True)
class _Asked:
    """A microphone that was asked for."""

    source: rtc.RemoteTrackPublication
    sid: str
    since: float
    track: rtc.RemoteAudioTrack | None = None
    """Once it has come."""
    on: bool = True
    """Whether it is to be heard."""
    sent: bool = True
    """Whether the server was told to send it: so it is with a track that has just come."""


class Hearing:
    """Of one stay. Loop only. What the library raises is raised as Lost.

    :param clock: seconds.
    """

    def __init__(self, room: rtc.Room, downlink: DecodedDownlink, clock: Callable[[], float]) -> None:
        self._room = room
        self._downlink = downlink
        self._clock = clock
        self._choice = Choice(SLOTS)
        self._spoke: dict[str, float] = {}
        """When the server said last that somebody speaks, or that it does so louder or less loud."""
        self._asked: dict[str, _Asked] = {}
        self._rests: dict[str, float] = {}
        """Until when those who were given up are not asked for."""
        self._streams: dict[str, tuple[rtc.AudioStream, asyncio.Task[None]]] = {}
        """By track."""
        self._closing: set[asyncio.Task[None]] = set()

    def speaking(self, who: tuple[str, ...]) -> None:
        """The server says of whom it has news, the loudest first: of who goes on as before it says nothing."""
        now = self._clock()
        self._spoke = {one: at for one, at in self._spoke.items() if now - at < _NEWS} | dict.fromkeys(who, now)
        self.look()

    def look(self) -> None:
        """Something has changed, or time has passed: hear those whom we want, and know of the others when they speak."""
        now = self._clock()
        there = {
            participant.identity: source
            for participant in self._room.remote_participants.values()
            if isinstance(source := microphone(participant), rtc.RemoteTrackPublication)
        }
        chosen = self._choose(there, now)
        wanted = dict.fromkeys([*chosen, *(who for who, source in there.items() if not source.muted)][:_MOST_ASKED])
        for who, asked in list(self._asked.items()):
            lost = asked.track is None and now - asked.since > _ASK_AGAIN
            same = there.get(who) is asked.source
            if who not in wanted or lost or not same:
                self._give_up(who, there=same)
        self._rests = {who: until for who, until in self._rests.items() if until > now}
        for who in wanted:
            if who not in self._asked and who not in self._rests:
                self._asked[who] = _Asked(there[who], there[who].sid, now)
                done(there[who].set_subscribed, True)
        for who in sorted(self._asked, key=chosen.__contains__):  # places are given up before they are taken
            self._hear(who, on=who in chosen)

    @property
    def waits(self) -> bool:
        """Whether somebody is to be asked for in a moment."""
        return bool(self._rests)

    def _choose(self, there: Mapping[str, rtc.RemoteTrackPublication], now: float) -> frozenset[str]:
        # Of those who are heard their sound says better whether they speak.
        heard = self._downlink.heard
        news = [who for who, at in self._spoke.items() if now - at < _NEWS and who not in heard]
        loud = [*self._downlink.speaking, *reversed(news)]
        return self._choice.choose({who: not source.muted for who, source in there.items()}, loud, now)

    def _hear(self, who: str, *, on: bool) -> None:
        """Let a microphone be heard, or pause it, once it has come: before that the library pauses nothing."""
        asked = self._asked[who]
        asked.on = on
        if asked.track is not None and asked.sent is not on:
            asked.sent = on
            done(enable, asked.source, on)
        if not on:
            self.ended(asked.sid)
            self._downlink.forget(who)
        elif asked.track is not None and asked.sid not in self._streams:
            self._open(who, asked.track)

    def _give_up(self, who: str, *, there: bool) -> None:
        asked = self._asked.pop(who)
        if there:
            done(asked.source.set_subscribed, False)
            self._rests[who] = self._clock() + _REST
        self.ended(asked.sid)
        self._downlink.forget(who)

    def returned(self) -> None:
        """The library is back. What it had it goes on with, and tells nothing of it; what had not come is asked for anew."""
        for who, asked in list(self._asked.items()):
            if asked.track is None:
                self._give_up(who, there=False)
        self.look()

    def begun(self, track: rtc.Track, who: str) -> None:
        """A track that was asked for comes."""
        asked = self._asked.get(who)
        if asked is not None and isinstance(track, rtc.RemoteAudioTrack) and track.sid == asked.sid:
            self.ended(track.sid)
            asked.track, asked.sent = track, True
            self._hear(who, on=asked.on)

    def _open(self, who: str, track: rtc.RemoteAudioTrack) -> None:
        self._downlink.hear(who)
        stream = done(
            lambda: rtc.AudioStream(
                track, capacity=_MOST_QUEUED, sample_rate=RATE, num_channels=1, frame_size_ms=1000 * BLOCK // RATE
            )
        )
        self._streams[track.sid] = stream, asyncio.create_task(self._listen(who, stream), name=f"hears {track.sid}")

    def gone(self, track: str) -> None:
        """A track is gone, whoever ended it."""
        for asked in self._asked.values():
            if asked.sid == track:
                asked.track = None
        self.ended(track)

    def ended(self, track: str) -> None:
        """A track is not heard any more: its stream must not hear who comes next."""
        stream, task = self._streams.pop(track, (None, None))
        if stream is not None and task is not None:
            task.cancel()
            closing = asyncio.create_task(_close(stream, task), name=f"closes {track}")
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def left(self, who: str) -> None:
        """A member has left."""
        if who in self._asked:
            self._give_up(who, there=False)
        self._rests.pop(who, None)
        self._downlink.left(who)
        self.look()

    async def end(self) -> None:
        """Nothing is heard any more; wait for all streams to be closed."""
        for track in list(self._streams):
            self.ended(track)
        for who in self._downlink.heard:
            self._downlink.left(who)
        self._asked.clear()
        if self._closing:
            await asyncio.wait(self._closing)

    async def _listen(self, who: str, stream: rtc.AudioStream) -> None:
        async for event in stream:
            block = np.frombuffer(event.frame.data, np.int16)
            if block.size == BLOCK:
                self._downlink.put(who, block)


async def _close(stream: rtc.AudioStream, task: asyncio.Task[None]) -> None:
    with contextlib.suppress(Exception):  # it is given up, whatever the library thinks of that
        async with asyncio.timeout(_CLOSE_SECONDS):
            await asyncio.wait([task])
            await stream.aclose()
