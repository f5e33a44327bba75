"""The process that holds ntgcalls: it can crash, and takes nothing along but itself (telegram_media.py starts it anew).

It knows no account, no group and no key: it makes what joins a voice chat, takes the server's answer, hands ntgcalls the gated
blocks and gives back what is heard, one frame of 10 ms for each member. Just before a block is handed over the proof of mute
looks at it (block_proof.py); when ntgcalls is muted and emptied telegram_mouth.py decides.

It ends with its parent: by the kernel's word, and when the control socket ends.
"""

import asyncio
import base64
import contextlib
import ctypes
import functools
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Coroutine, Mapping
from typing import Any

import ntgcalls

from appliance.core.units import RATE, Pcm
from appliance.rooms import telegram_pipe as pipe
from appliance.rooms.block_proof import BlockProof
from appliance.rooms.telegram_ears import heard_ago
from appliance.rooms.telegram_mouth import Mouth

_CALL = 1
"""ntgcalls' own number of the one call."""
_PR_SET_PDEATHSIG = 1
_TELL_EVERY = 0.5
_HANDLES = 64


class _Microphone:
    """What the one call sends; see :class:`appliance.rooms.telegram_mouth.Library`."""

    def __init__(self, calls: Any) -> None:
        self._calls = calls
        self._frame = ntgcalls.FrameData(0, ntgcalls.VideoRotation.VIDEO_ROTATION_0, 0, 0)

    def mute(self) -> Awaitable[object]:
        muting: Awaitable[object] = self._calls.mute(_CALL)
        return muting

    def unmute(self) -> Awaitable[object]:
        unmuting: Awaitable[object] = self._calls.unmute(_CALL)
        return unmuting

    def send(self, pcm: Pcm) -> Awaitable[object]:
        device = ntgcalls.StreamDevice.MICROPHONE
        sending: Awaitable[object] = self._calls.send_external_frame(_CALL, device, pcm.tobytes(), self._frame)
        return sending


class Child:
    """One call. Everything runs on its loop but :meth:`_heard`, which ntgcalls calls from a thread of its own.

    :param control, up, down: see telegram_pipe.py.
    """

    def __init__(self, control: socket.socket, up: socket.socket, down: socket.socket) -> None:
        self._control, self._up, self._down = control, up, down
        self._loop = asyncio.get_running_loop()
        self._proof = BlockProof(lambda _: self._loop.call_soon(self._tell))  # type: ignore[arg-type]
        self._calls = ntgcalls.NTgCalls()
        self._ended = asyncio.Event()
        self._mouth = Mouth(_Microphone(self._calls), self._proof, self._ended.set)
        self._unsent = self._late = 0
        self._said: Mapping[str, object] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until the parent is gone."""
        self._calls.on_connection_change(self._changed)
        self._calls.on_frames(self._heard)
        self._calls.on_request_broadcast_part(self._piece_wanted)
        self._loop.add_reader(self._control, self._controlled)
        self._loop.add_reader(self._up, self._sent_up)
        working = [asyncio.create_task(self._mouth.run()), asyncio.create_task(self._report())]
        pipe.tell(self._control, "ready", library=str(ntgcalls.__version__))
        try:
            await self._ended.wait()
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
            with contextlib.suppress(Exception):
                async with asyncio.timeout(0.5):
                    await self._calls.stop(_CALL)

    # ---- control

    def _controlled(self) -> None:
        while (message := pipe.receive(self._control, pipe.MOST_CONTROL)) is not None:
            if not message:
                self._loop.remove_reader(self._control)
                self._ended.set()
                return
            asked = pipe.told(message)
            work: Mapping[str, Coroutine[Any, Any, None]] = {}
            match asked["is"]:
                case "create":
                    work = {"create": self._create()}
                case "connect":
                    work = {"connect": self._connect(str(asked["params"]))}
                case "piece":
                    work = {"piece": self._piece(asked)}
            for name, coroutine in work.items():
                task = asyncio.create_task(self._try(name, coroutine))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _try(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - the library's own, of many kinds; its text may hold parts of a payload
            pipe.tell(self._control, "failed", task=name, why=type(error).__name__)

    async def _create(self) -> None:
        """Begin anew: what was before is ended."""
        with contextlib.suppress(Exception):
            await self._calls.stop(_CALL)
        self._mouth.end()
        params = await self._calls.create_call(_CALL)
        sound = ntgcalls.AudioDescription(ntgcalls.MediaSource.EXTERNAL, RATE, 1, "", True)
        media = ntgcalls.MediaDescription(microphone=sound, speaker=None, camera=None, screen=None)
        for mode in (ntgcalls.StreamMode.CAPTURE, ntgcalls.StreamMode.PLAYBACK):
            await self._calls.set_stream_sources(_CALL, mode, media)
        pipe.tell(self._control, "created", params=params)

    async def _connect(self, params: str) -> None:
        await self._calls.connect(_CALL, params, False)
        self._mouth.begin()

    def _piece_wanted(self, _call: int, wanted: ntgcalls.SegmentPartRequest) -> None:
        """A thread of ntgcalls: it plays a voice chat that comes in pieces, and needs another one."""
        fields = {"segment": wanted.segment_id, "part": wanted.part_id, "time": wanted.timestamp, "limit": wanted.limit}
        self._loop.call_soon_threadsafe(functools.partial(pipe.tell, self._control, "piece", **fields))

    async def _piece(self, answer: Mapping[str, Any]) -> None:
        """What it asked for: empty when that is gone, and not there yet when nothing is said of it."""
        status, data = ntgcalls.MediaSegmentPartStatus.NOT_READY, None
        if answer["data"] is not None:
            status, data = ntgcalls.MediaSegmentPartStatus.SUCCESS, base64.b64decode(answer["data"])
        with contextlib.suppress(Exception):  # the voice chat may be another one by now
            await self._calls.send_broadcast_part(_CALL, answer["segment"], answer["part"], status, False, data)

    def _changed(self, _call: int, info: Any) -> None:
        """A thread of ntgcalls: it tells states only until the first connection (FACTS)."""
        self._loop.call_soon_threadsafe(self._is_now, info.state.name)

    def _is_now(self, state: str) -> None:
        pipe.tell(self._control, "state", state=state)

    # ---- up

    def _sent_up(self) -> None:
        """Take what waits. All from before the newest closing is thrown away with it."""
        for _ in range(_HANDLES):
            message = pipe.receive(self._up, pipe.MOST_UP)
            if message is None:
                break
            if not message:
                self._loop.remove_reader(self._up)
                self._mouth.close()
                break
            self._take(message[:1], message[1:])

    def _take(self, kind: bytes, body: bytes) -> None:
        match kind:
            case pipe.CLOSED:
                self._mouth.close()
            case pipe.BLOCK_OF_SOUND:
                pcm = pipe.fresh(body)
                if pcm is None:
                    self._late += 1
                else:
                    self._mouth.take(pcm)
            case pipe.FORBIDDEN | pipe.ALLOWED:
                self._proof.forbid(kind == pipe.FORBIDDEN)
            case pipe.CHECK:
                self._proof.check(kept=self._mouth.keeps)
                self._tell()

    # ---- down, and what is told of it all

    def _heard(self, _call: int, mode: Any, _device: Any, frames: Any) -> None:
        """A thread of ntgcalls: 10 ms of everybody who is heard."""
        if mode == ntgcalls.StreamMode.PLAYBACK:
            message = pipe.heard([(frame.ssrc & 0xFFFFFFFF, frame.data) for frame in frames])
            if message and not pipe.send(self._down, message):
                self._unsent += 1

    async def _report(self) -> None:
        """Be heard of: a process that says nothing hangs."""
        while True:
            self._tell()
            pipe.tell(self._control, "alive", heard=heard_ago())
            await asyncio.sleep(_TELL_EVERY)

    def _tell(self) -> None:
        """What the proof has seen, and what was lost, when it is news."""
        seen = self._proof.state
        says = {"violations": seen.violations, "why": seen.why, "checks": seen.checks}
        says |= {"dropped": self._mouth.dropped + self._late, "unsent": self._unsent, "failures": self._mouth.failures}
        if says != self._said:
            self._said = says
            pipe.tell(self._control, "proof", **says)


def main(arguments: list[str]) -> None:
    """``python -m appliance.rooms.telegram_child PARENT CONTROL UP DOWN``: a pid and three sockets."""
    parent, *sockets = map(int, arguments)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to act on
    control, up, down = (socket.socket(fileno=number) for number in sockets)

    async def serve() -> None:
        await Child(control, up, down).run()

    asyncio.run(serve())
    os._exit(0)  # ntgcalls' threads may hold up an orderly end


if __name__ == "__main__":
    main(sys.argv[1:])
