"""Listening to a LiveKit room: subscribing to who is chosen, and bringing what the library decodes to the loudspeaker.

A stream of the library outlives its track and then carries the next member who gets the same place, at full level: each is
closed as soon as its track is gone, and what still comes from it is not heard.
"""

import asyncio
import contextlib
from collections.abc import Callable

import numpy as np
from livekit import rtc

from appliance.core.units import BLOCK, RATE, SLOTS
from appliance.rooms.decoded import DecodedDownlink
from appliance.rooms.livekit_choice import Choice
from appliance.rooms.livekit_members import microphone

_MOST_QUEUED = 20
"""Blocks that a stream may hold when the loop is late."""
_NEWS = 3.0
"""Seconds for which somebody of whom the server said that it speaks is taken to."""
_CLOSE_SECONDS = 2.0
_ASK_AGAIN = 3.0
"""Seconds after which a track that was asked for and did not come is asked for once more."""


class Hearing:
    """Of one stay. Loop only.

    :param clock: seconds.
    """

    def __init__(self, room: rtc.Room, downlink: DecodedDownlink, clock: Callable[[], float]) -> None:
        self._room = room
        self._downlink = downlink
        self._clock = clock
        self._choice = Choice(SLOTS)
        self._spoke: dict[str, float] = {}
        """When the server said last that somebody speaks, or that it does so louder or less loud."""
        self._asked: dict[str, tuple[str, float]] = {}
        """The track of each member that was asked for, and when."""
        self._streams: dict[str, tuple[rtc.AudioStream, asyncio.Task[None]]] = {}
        """By track."""
        self._closing: set[asyncio.Task[None]] = set()

    def speaking(self, who: tuple[str, ...]) -> None:
        """The server says of whom it has news, the loudest first: of who goes on as before it says nothing."""
        now = self._clock()
        self._spoke = {one: at for one, at in self._spoke.items() if now - at < _NEWS} | dict.fromkeys(who, now)
        self.look()

    def look(self) -> None:
        """Something has changed, or time has passed: ask for whom we want, and give up whom we do not."""
        there = {
            participant.identity: source
            for participant in self._room.remote_participants.values()
            if (source := microphone(participant)) is not None
        }
        now = self._clock()
        # Of those who are heard their sound says better whether they speak.
        heard = self._downlink.heard
        news = [who for who, at in self._spoke.items() if now - at < _NEWS and who not in heard]
        loud = [*self._downlink.speaking, *reversed(news)]
        chosen = self._choice.choose({who: not source.muted for who, source in there.items()}, loud, now)
        for who, (track, since) in list(self._asked.items()):
            never_came = track not in self._streams and now - since > _ASK_AGAIN
            if who not in chosen or there[who].sid != track or never_came:
                del self._asked[who]
                if who in there and there[who].sid == track:
                    self._ask(there[who], False)
                self._downlink.forget(who)
        for who in chosen:
            if who not in self._asked:
                self._asked[who] = there[who].sid, now
                self._ask(there[who], True)

    def forget_asked(self) -> None:
        """The library has begun anew with the server: nothing that was asked for holds."""
        for who in self._asked:
            self._downlink.forget(who)
        self._asked.clear()
        self.look()

    @staticmethod
    def _ask(source: object, on: bool) -> None:
        if isinstance(source, rtc.RemoteTrackPublication):
            source.set_subscribed(on)

    def begun(self, track: rtc.Track, who: str) -> None:
        """A track that was asked for comes."""
        if not isinstance(track, rtc.RemoteAudioTrack) or who not in self._asked:
            return
        self.ended(track.sid)
        self._downlink.hear(who)
        stream = rtc.AudioStream(
            track, capacity=_MOST_QUEUED, sample_rate=RATE, num_channels=1, frame_size_ms=1000 * BLOCK // RATE
        )
        self._streams[track.sid] = stream, asyncio.create_task(self._listen(who, stream), name=f"hears {track.sid}")

    def ended(self, track: str) -> None:
        """A track is gone: its stream must not hear who comes next."""
        stream, task = self._streams.pop(track, (None, None))
        if stream is not None and task is not None:
            task.cancel()
            closing = asyncio.create_task(_close(stream, task), name=f"closes {track}")
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def left(self, who: str) -> None:
        """A member has left."""
        self._asked.pop(who, None)
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
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await asyncio.wait([task])
            await stream.aclose()
