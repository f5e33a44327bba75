"""What this device says in a LiveKit room: the library's source and track, and whether the server takes it for muted.

An admin mutes in one of two ways. Either the right to publish is taken, and the server forwards nothing until it is given back.
Or the track is muted, as LiveKit's dashboards do it, which any member may undo: ours does so only when its gate was seen closed
meanwhile and a hand has opened it (:attr:`appliance.rooms.livekit_own.Own.silenced`), so that no report that was on its way does.
Each mute that was told is told to be over when it is: lifted by the server, undone by that hand, or gone with the session.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

from livekit import rtc

from appliance.core.units import RATE, Pcm
from appliance.rooms import contract
from appliance.rooms.contract import RoomEvent
from appliance.rooms.livekit_calls import answered, begun, done
from appliance.rooms.livekit_own import Own
from appliance.rooms.signalling import Lost

_QUEUE_MS: Final = 60
"""Of the library's queue of blocks that are not yet encoded."""
_PUBLISHES: Final = 8.0
"""Seconds for the server to take a microphone: the library negotiates anew."""
_TAKES: Final = 3.0
"""Seconds for the library to take blocks of 10 ms."""
_APART: Final = 0.2
"""Seconds between two switchings: the library sends each by a task of its own, so two in one moment may change places, and the
server took us for muted as long as we talked."""
_TOLD_LATE: Final = 2.0
"""Seconds after which the library does not tell a switching of ours any more: of one that changed nothing it tells nothing."""
_NOT_TAKEN: Final = "The LiveKit server did not take this device's microphone."
_BROKEN: Final = "LiveKit's library took no more sound."


class Microphone:
    """Of one stay. Loop only.

    :param tell: reports what an admin did.
    :param fail: ends the stay: the library raised something where nobody of the stay waits for it.
    """

    def __init__(self, own: Own, bitrate: int, tell: Callable[[RoomEvent], None], fail: Callable[[Lost], None]) -> None:
        self._own, self._bitrate, self._tell, self._fail = own, bitrate, tell, fail
        self._participant: rtc.LocalParticipant | None = None
        self._source: rtc.AudioSource | None = None
        self._track: rtc.LocalAudioTrack | None = None
        self._muted = True
        """Whether the server takes it for muted."""
        self._switching: deque[tuple[bool, float]] = deque()
        """Of our own switching on and off what the library has not yet told, and until when it may."""
        self._not_before = 0.0
        self._later: asyncio.TimerHandle | None = None
        """Tells it once that is possible."""
        self.may_speak = False
        self._publish_anew = asyncio.Event()

    async def begin(self, participant: rtc.LocalParticipant) -> None:
        """We are in the room.

        :raises Lost: the server does not take the microphone.
        """
        self._participant = participant
        self._source = done(rtc.AudioSource, RATE, 1, _QUEUE_MS, asyncio.get_running_loop())
        self.may_speak = participant.permissions.can_publish
        if self.may_speak:
            await self._publish()

    def arrived(self) -> None:
        """The room knows us. A mute of an earlier session is over: the server has given the right to speak anew."""
        if self.may_speak:
            self._over()

    async def publish_when_asked(self) -> None:
        """Each time that the right to speak is given back the server wants the microphone anew."""
        while True:
            await self._publish_anew.wait()
            self._publish_anew.clear()
            if self.may_speak:
                await self._publish()

    async def _publish(self) -> None:
        """Give the server our microphone, muted as the gate is.

        :raises Lost: it does not take it.
        """
        if self._source is None or self._participant is None:
            return
        track = done(rtc.LocalAudioTrack.create_audio_track, "microphone", self._source)
        self._track, self._muted = None, not self._own.sounds
        self._switching.clear()
        if self._muted:
            done(track.mute)
        options = rtc.TrackPublishOptions(
            source=rtc.TrackSource.SOURCE_MICROPHONE,
            dtx=True,
            red=False,  # nothing of open time is sent again after closing (UX.md, mute rule 1)
        )
        options.audio_encoding.max_bitrate = self._bitrate
        try:
            await answered(self._participant.publish_track(track, options), _PUBLISHES, _NOT_TAKEN)
        except Lost:
            if self.may_speak:  # else it was taken meanwhile, which is no reason to come back with it
                raise
        if self.may_speak:
            self._track = track
            self._not_before = asyncio.get_running_loop().time() + _APART
            self.mute_as_the_gate_is()

    async def close(self) -> None:
        """The library forgets it."""
        if self._later is not None:
            self._later.cancel()
        source, self._source, self._track = self._source, None, None
        if source is not None:
            with contextlib.suppress(Exception):  # the stay is over, whatever the library thinks of that
                await source.aclose()

    # ---- the hand-over (livekit_uplink.py)

    def take(self, sound: Pcm) -> Awaitable[None]:
        """Hand blocks to the library, now; what is given back is its answer.

        :raises Lost: it takes none, where that answer is awaited.
        """
        if self._source is None:
            return _nothing()
        frame = rtc.AudioFrame(sound.tobytes(), RATE, 1, sound.size)
        return answered(begun(self._source.capture_frame(frame)), _TAKES, _BROKEN)

    def empty(self) -> None:
        """Throw away what the library has not yet encoded."""
        if self._source is not None:
            self._at_once(self._source.clear_queue)

    # ---- whether the room is to know us muted

    def mute_as_the_gate_is(self) -> None:
        """Tell the server whether we are muted, after each report. Of what changes in one moment the last counts."""
        wish, loop = not self._own.sounds, asyncio.get_running_loop()
        if self._track is None or self._muted is wish or self._later is not None:
            return
        if (wait := self._not_before - loop.time()) > 0:
            self._later = loop.call_later(wait, self._mute_later)
            return
        self._muted, self._not_before = wish, loop.time() + _APART
        self._switching.append((wish, loop.time() + _TOLD_LATE))
        self._at_once(self._track.mute if wish else self._track.unmute)
        if not wish:
            self._over()

    def _at_once(self, call: Callable[[], None]) -> None:
        try:
            done(call)
        except Lost as lost:
            self._fail(lost)

    def _mute_later(self) -> None:
        self._later = None
        self.mute_as_the_gate_is()

    # ---- what the library tells of us

    def switched(self, *, muted: bool) -> None:
        """The library tells each switching once, in its order: ours, and beside it the server's."""
        now = asyncio.get_running_loop().time()
        while self._switching and self._switching[0][1] < now:
            self._switching.popleft()
        if self._switching and self._switching[0][0] is muted:
            self._switching.popleft()
        elif muted is not self._muted:
            self._muted = muted
            if muted:
                self._own.silenced = self._own.gate_open
                self._told()
            else:
                self._own.silenced = False
                self._over()
                self.mute_as_the_gate_is()  # no act from afar opens a gate: who unmutes a closed one has unmuted nothing

    def permitted(self, permissions: Any) -> None:
        """An admin may have taken the right to speak, or given it back."""
        if permissions.can_publish is self.may_speak:
            return
        self.may_speak = permissions.can_publish
        self._own.admin_muted(not self.may_speak)
        if self.may_speak:
            self._own.silenced = False
            self._publish_anew.set()
            self._over()
        else:
            self._track = None
            self._own.silenced = self._own.gate_open
            self._told()

    def _told(self) -> None:
        self._own.mute_told = True
        self._tell(contract.MutedByAdmin(""))

    def _over(self) -> None:
        if self._own.mute_told:
            self._own.mute_told = False
            self._own.admin_muted(False)
            self._tell(contract.AdminMuteLifted())


async def _nothing() -> None:
    """There is no source: nothing is taken."""
