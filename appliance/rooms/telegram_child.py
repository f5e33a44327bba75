"""The process that holds ntgcalls: it can crash, and takes nothing along but itself (telegram_media.py starts it anew).

It knows no account, no group and no key: it makes what joins a voice chat, takes the server's answer, hands ntgcalls the gated
blocks and gives back what is heard, one frame of 10 ms for each member. Just before a block is handed over the proof of mute
looks at it (block_proof.py). When the gate closes ntgcalls is muted for a moment: its encoder holds up to 60 ms, which would
leave with the next block otherwise, and a mute throws them away (docs/adr/0229). Two packets of digital silence follow, so that
whoever listens hears silence and not what concealment makes of the last packet; then it is muted until the gate opens.

It ends with its parent: by the kernel's word, and when the control socket ends.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Coroutine, Mapping
from typing import Any

import ntgcalls
import numpy as np

from appliance.core.units import BLOCK, RATE, Pcm
from appliance.rooms import telegram_pipe as pipe
from appliance.rooms.block_proof import BlockProof
from appliance.rooms.telegram_ears import heard_ago

_CALL = 1
"""ntgcalls' own number of the one call."""
_QUEUE = 6
"""Blocks that wait for ntgcalls at most; more than that is a stall, and old sound is worth nothing."""
_SILENCE = 12
"""Blocks of two packets: the second one is silence whatever the first one was filled with."""
_ZEROS = np.zeros(BLOCK, np.int16)
_PR_SET_PDEATHSIG = 1
_TELL_EVERY = 0.5
_HANDLES = 64


class Child:
    """One call. Everything runs on its loop but :meth:`_heard`, which ntgcalls calls from a thread of its own.

    :param control, up, down: see telegram_pipe.py.
    """

    def __init__(self, control: socket.socket, up: socket.socket, down: socket.socket) -> None:
        self._control, self._up, self._down = control, up, down
        self._loop = asyncio.get_running_loop()
        self._proof = BlockProof(lambda _: self._loop.call_soon(self._tell))  # type: ignore[arg-type]
        self._calls = ntgcalls.NTgCalls()
        self._queue: deque[Pcm] = deque(maxlen=_QUEUE)
        self._wake = asyncio.Event()
        self._ended = asyncio.Event()
        self._open = False
        self._muted = False
        self._to_empty = False
        """The gate has closed, and what ntgcalls holds has to be thrown away."""
        self._begun = False
        """There is a call that takes blocks."""
        self._dropped = self._failures = 0
        self._unsent = 0
        self._said: Mapping[str, object] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until the parent is gone."""
        self._calls.on_connection_change(self._changed)
        self._calls.on_frames(self._heard)
        self._loop.add_reader(self._control, self._controlled)
        self._loop.add_reader(self._up, self._sent_up)
        working = [asyncio.create_task(self._hand_over()), asyncio.create_task(self._report())]
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
        self._muted = self._begun = self._to_empty = False
        params = await self._calls.create_call(_CALL)
        sound = ntgcalls.AudioDescription(ntgcalls.MediaSource.EXTERNAL, RATE, 1, "", True)
        media = ntgcalls.MediaDescription(microphone=sound, speaker=None, camera=None, screen=None)
        for mode in (ntgcalls.StreamMode.CAPTURE, ntgcalls.StreamMode.PLAYBACK):
            await self._calls.set_stream_sources(_CALL, mode, media)
        pipe.tell(self._control, "created", params=params)

    async def _connect(self, params: str) -> None:
        await self._calls.connect(_CALL, params, False)
        self._begun = True
        self._wake.set()

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
                self._close()
                break
            self._take(message[:1], message[1:])
        self._wake.set()

    def _take(self, kind: bytes, body: bytes) -> None:
        match kind:
            case pipe.CLOSED:
                self._close()
            case pipe.BLOCK_OF_SOUND:
                self._queue_up(pipe.fresh(body))
            case pipe.FORBIDDEN | pipe.ALLOWED:
                self._proof.forbid(kind == pipe.FORBIDDEN)
            case pipe.CHECK:
                self._proof.check(kept=bool(self._queue))
                self._tell()

    def _queue_up(self, pcm: Pcm | None) -> None:
        if pcm is None:
            self._dropped += 1
            return
        self._proof.entered(pcm)
        self._open = True
        self._dropped += len(self._queue) == _QUEUE
        self._queue.append(pcm)

    def _close(self) -> None:
        self._to_empty |= self._open
        self._open = False
        self._queue.clear()
        self._proof.entered(None)

    async def _hand_over(self) -> None:
        """Mute and unmute ntgcalls with the gate, and hand it one block after the other."""
        frame = ntgcalls.FrameData(0, ntgcalls.VideoRotation.VIDEO_ROTATION_0, 0, 0)
        while True:
            self._wake.clear()
            while self._begun and (self._to_empty or self._muted == self._open or self._queue):
                try:
                    await self._one(frame)
                except Exception:  # noqa: BLE001 - the library's own: one block is not heard
                    self._failures += 1
                    break
            await self._wake.wait()

    async def _one(self, frame: Any) -> None:
        if self._to_empty:
            self._to_empty = False
            await self._mute(True)
            await self._mute(False)
            for _ in range(_SILENCE):
                await self._push(_ZEROS, frame)
        elif self._muted == self._open:
            await self._mute(not self._open)
        elif self._queue:
            await self._push(self._queue.popleft(), frame)

    async def _mute(self, muted: bool) -> None:
        self._muted = muted
        await (self._calls.mute(_CALL) if muted else self._calls.unmute(_CALL))

    async def _push(self, pcm: Pcm, frame: Any) -> None:
        if self._proof.leaving(pcm):
            await self._calls.send_external_frame(_CALL, ntgcalls.StreamDevice.MICROPHONE, pcm.tobytes(), frame)

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
        says |= {"dropped": self._dropped, "unsent": self._unsent, "failures": self._failures}
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
