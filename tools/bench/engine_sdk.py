"""Members of a LiveKit room by the plain SDK, in a process of their own, for bench-engines.

One that subscribes to everybody and takes the sound of each by a stream, as the SDK's examples do; or several that only talk.
Commands: engine_lines.py.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from livekit import rtc

from appliance.core.levels import dbov
from appliance.core.units import BLOCK, BLOCK_SECONDS, RATE
from tools.bench.engine_lines import serve
from tools.bench.engine_sound import LOUD, blocks, voice

_QUEUE_MS = 60


class Member:
    """One of them. ``heard`` counts the loud blocks of each whom it hears."""

    def __init__(self, given: Mapping[str, Any], *, ears: bool) -> None:
        self._given, self._ears = given, ears
        self._room = rtc.Room()
        self._room.on("track_subscribed", self._subscribed)
        self._source = rtc.AudioSource(RATE, 1, queue_size_ms=_QUEUE_MS)
        self._tasks: list[asyncio.Task[None]] = []
        self.heard: dict[str, int] = {}

    async def join(self) -> None:
        """Enter the room and begin to talk."""
        await self._room.connect(self._given["url"], self._given["token"], rtc.RoomOptions(auto_subscribe=self._ears))
        track = rtc.LocalAudioTrack.create_audio_track("mic", self._source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=True, red=False)
        await self._room.local_participant.publish_track(track, options)
        self._tasks.append(asyncio.create_task(self._talk()))

    async def _talk(self) -> None:
        says = [block.tobytes() for block in blocks(voice(self._given["seed"]))]
        due, turn = time.monotonic(), 0
        while True:
            await self._source.capture_frame(rtc.AudioFrame(says[turn % len(says)], RATE, 1, BLOCK))
            due, turn = due + BLOCK_SECONDS, turn + 1
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _subscribed(self, track: rtc.Track, _publication: object, who: rtc.RemoteParticipant) -> None:
        if track.kind == rtc.TrackKind.KIND_AUDIO:
            self._tasks.append(asyncio.create_task(self._listen(track, who.identity)))

    async def _listen(self, track: rtc.Track, who: str) -> None:
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1, frame_size_ms=10)
        async for event in stream:
            pcm = np.frombuffer(event.frame.data, np.int16)
            self.heard[who] = self.heard.get(who, 0) + (dbov(pcm) > LOUD)

    async def leave(self) -> None:
        """And be gone."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._room.disconnect()


class Members:
    """All of this process, and what they are asked; as engine_member.py."""

    def __init__(self) -> None:
        self._members: Sequence[Member] = ()

    async def begin(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Who they are."""
        given = asked["given"]
        self._members = [Member(one, ears=given["ears"]) for one in given["members"]]
        return {}

    async def join(self, _asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Enter the room."""
        for member in self._members:
            await member.join()
        return {}

    async def heard(self, _asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Loud blocks by whom the first one hears."""
        return {"heard": self._members[0].heard}

    async def leave(self) -> None:
        """All of them."""
        await asyncio.gather(*(member.leave() for member in self._members))


async def main() -> None:
    """Until standard input ends."""
    members = Members()
    try:
        await serve({name: getattr(members, name) for name in ("begin", "join", "heard")})
    finally:
        await members.leave()


if __name__ == "__main__":
    asyncio.run(main())
