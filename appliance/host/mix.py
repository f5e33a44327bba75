"""The mix: one stream of all three slots, for members that take no more (a WHEP player, a recording, a bridge).

It is a part that listens as a member does, with a playout for each slot, and speaks as one: every 20 ms of its own clock it makes
one frame, encoded once for all who take it. A member of one stream that talks hears the mix without itself: as only those in
slots are heard, that is one more encoding for each slot at most. While nobody takes the mix nothing of it runs.

Decoding, mixing and encoding have a thread: they release the GIL for most of their time, and packets are forwarded meanwhile.
Packets come to it, and frames from it, over queues that are bounded; only the loop touches sockets.
"""

import asyncio
import functools
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from appliance.core.counters import Counters
from appliance.core.levels import dbov
from appliance.core.mixer import Mixer
from appliance.core.units import BLOCK, RATE, SLOTS, Block
from appliance.host.fan_out import Address, FanOut, Packet, Stream
from appliance.host.lane import History, Lane
from appliance.host.reports import Sending
from appliance.host.srtp import Outbound
from appliance.media.opus import Decoder, Encoder
from appliance.media.playout import Playout
from appliance.media.rtp import Rtp

FRAME = 2 * BLOCK
FRAME_SECONDS = FRAME / RATE

_SHARED = SLOTS
"""The output for all who are not in a slot; outputs 0 to 2 leave that slot out."""

_HELD = 64
"""Packets of a slot that may wait for the thread: more than a second."""

_MOST_BEHIND = 0.2
"""Seconds that the clock of the mix catches up; what was longer ago is not made any more."""

_QUIET_FRAMES = 20
"""Frames of silence after which only one in so many is sent, as Opus does itself (DTX: RFC 7587, 3.1.3)."""


class Frame(NamedTuple):
    """20 ms of one output."""

    output: int
    payload: bytes
    level: int
    """-dBov."""


class Band:
    """Makes the frames. All but :meth:`hear` belongs to one thread."""

    def __init__(self) -> None:
        self._waiting: tuple[deque[tuple[Rtp, float]], ...] = tuple(deque(maxlen=_HELD) for _ in range(SLOTS))
        self._playouts = tuple(Playout(Decoder()) for _ in range(SLOTS))
        self._blocks = np.zeros((SLOTS, FRAME), np.float32)
        self._sounds = [False] * SLOTS
        self._mixers = [Mixer() for _ in range(SLOTS + 1)]
        self._encoders: list[Encoder | None] = [None] * (SLOTS + 1)
        self._mixed = np.zeros(FRAME, np.float32)
        self._pcm = np.zeros(FRAME, np.int16)
        self._quiet = 0

    def hear(self, slot: int, packet: Packet, now: float) -> None:
        """A packet of ``slot`` came ``now``. Called by whoever forwards it."""
        rtp = Rtp(0, packet.marker, packet.seq, packet.timestamp, slot, bytes(packet.payload))
        self._waiting[slot].append((rtp, now))

    def play(self, outputs: Sequence[int], now: float) -> list[Frame]:
        """The next 20 ms of each of ``outputs``; nothing in most of a long silence."""
        for slot in range(SLOTS):
            self._listen(slot, now)
        self._quiet = 0 if any(self._sounds) else self._quiet + 1
        if self._quiet > _QUIET_FRAMES and self._quiet % _QUIET_FRAMES:
            return []
        return [self._frame(output) for output in outputs]

    def _listen(self, slot: int, now: float) -> None:
        waiting, playout = self._waiting[slot], self._playouts[slot]
        while waiting:
            playout.push(*waiting.popleft())
        halves = (self._half(slot, 0), self._half(slot, 1))
        heard = [playout.pull(half, now) for half in halves]
        self._sounds[slot] = any(heard)

    def _half(self, slot: int, half: int) -> Block:
        return self._blocks[slot, half * BLOCK : (half + 1) * BLOCK]

    def _frame(self, output: int) -> Frame:
        mixer = self._mixers[output]
        for half in (0, 1):
            blocks = [
                self._half(slot, half) if self._sounds[slot] and slot != output else None for slot in range(SLOTS)
            ]
            mixer.mix(blocks, (1.0,) * SLOTS, self._mixed[half * BLOCK : (half + 1) * BLOCK])
        np.multiply(self._mixed, 32_767, out=self._mixed)
        np.rint(self._mixed, out=self._mixed)
        np.copyto(self._pcm, self._mixed, casting="unsafe")
        encoder = self._encoders[output]
        if encoder is None:
            encoder = self._encoders[output] = Encoder(frame_ms=20)
        return Frame(output, encoder.encode(self._pcm), -round(dbov(self._pcm)))


@dataclass(slots=True)
class _Listener:
    outbound: Outbound
    stream: Stream
    address: Address
    output: int
    copies: int = 1
    packets: int = 0
    octets: int = 0
    """What went to it from outputs that it has left."""


class Mix:
    """The mix of one room. All is called on the loop.

    :param descriptor: the media port's socket.
    """

    def __init__(self, descriptor: int, counters: Counters, lanes: Sequence[Lane]) -> None:
        self._counters = counters
        self._lanes = lanes
        self._fans = [FanOut(descriptor, counters) for _ in range(SLOTS + 1)]
        self._histories = [History() for _ in range(SLOTS + 1)]
        self._listeners: dict[str, _Listener] = {}
        self._holders: Sequence[str | None] = (None,) * SLOTS
        self._seq = secrets.randbits(15)
        self._newest = (secrets.randbits(32), 0.0)
        self._spurt = True
        self._outputs: tuple[int, ...] = ()
        self._playing: _Playing | None = None

    def __contains__(self, who: str) -> bool:
        return who in self._listeners

    # ---- who listens

    def add(self, who: str, outbound: Outbound, stream: Stream, address: Address) -> None:
        """Let ``who`` hear the mix."""
        self.remove(who)
        listener = self._listeners[who] = _Listener(outbound, stream, address, self._output_of(who))
        self._fans[listener.output].add(who, outbound, stream, address)
        self._attend()

    def remove(self, who: str) -> None:
        """``who`` hears the mix no more; with the last one it ends."""
        listener = self._listeners.pop(who, None)
        if listener is not None:
            self._fans[listener.output].remove(who)
            self._attend()

    def move(self, who: str, address: Address) -> None:
        """``who`` listens at another address."""
        listener = self._listeners[who]
        listener.address = address
        self._fans[listener.output].move(who, address)

    def follow(self, holders: Sequence[str | None]) -> None:
        """Others are in the slots: whoever talks is left out of what it hears."""
        self._holders = holders
        for who, listener in self._listeners.items():
            output = self._output_of(who)
            if output != listener.output:
                self._reseat(who, listener, output)
        self._attend()

    def protect_by(self, who: str, copies: int) -> None:
        """Give ``who`` so many earlier frames beside each from now on, if it agreed on any."""
        listener = self._listeners[who]
        listener.copies = copies
        self._fans[listener.output].protect_by(who, copies)

    def sending(self, who: str, ssrc: int, now: float) -> Sending:
        """The stream to ``who`` as it stands ``now``."""
        listener = self._listeners[who]
        packets, octets = self._fans[listener.output].sent(who)
        timestamp, at = self._newest
        now_stamp = (timestamp + round((now - at) * RATE)) & 0xFFFFFFFF
        return Sending(ssrc, now_stamp, listener.packets + packets, listener.octets + octets)

    def _output_of(self, who: str) -> int:
        return self._holders.index(who) if who in self._holders else _SHARED

    def _reseat(self, who: str, listener: _Listener, output: int) -> None:
        """The same stream goes on from another encoder, without a gap."""
        fan = self._fans[listener.output]
        packets, octets = fan.sent(who)
        listener.packets += packets
        listener.octets += octets
        following = fan.remove(who)
        if following is not None:
            listener.stream = replace(listener.stream, first=following)
        listener.output = output
        self._fans[output].add(who, listener.outbound, listener.stream, listener.address)
        self._fans[output].protect_by(who, listener.copies)

    # ---- the thread

    def _attend(self) -> None:
        """Begin, end, or tell the thread what to make."""
        self._outputs = tuple(output for output, fan in enumerate(self._fans) if len(fan))
        if not self._outputs:
            self.close()
        elif self._playing is None:
            self._playing = _Playing(self)
            for slot, lane in enumerate(self._lanes):
                lane.tap = functools.partial(self._playing.band.hear, slot)
        if self._playing is not None:
            self._playing.outputs = self._outputs

    def close(self) -> None:
        """End the thread, if there is one; waits for it, a frame at most."""
        if self._playing is not None:
            for lane in self._lanes:
                lane.tap = None
            self._playing.stop()
            self._playing = None
            self._spurt = True
            for history in self._histories:
                history.clear()

    def check(self) -> None:
        """Raises what has ended the thread, if something has."""
        if self._playing is not None and self._playing.error is not None:
            raise self._playing.error

    def send(self, frames: Sequence[Frame], ticks: int, made: float) -> None:
        """Send what the thread made at ``made``, ``ticks`` frames after what it made before."""
        timestamp = (self._newest[0] + ticks * FRAME) & 0xFFFFFFFF
        self._newest = (timestamp, made)
        if not frames:
            self._spurt = True
            return
        self._seq = (self._seq + 1) & 0xFFFF
        for frame in frames:
            history = self._histories[frame.output]
            earlier = history.before(self._seq, timestamp)
            history.keep(self._seq, timestamp, frame.payload)
            packet = Packet(self._seq, timestamp, self._spurt, frame.level, frame.payload, earlier)
            self._fans[frame.output].send(packet)
        self._spurt = False

    def late(self, frames: int) -> None:
        """The thread came too late for so many frames."""
        self._counters.add("host_mix_late", frames)


class _Playing:
    """The running thread: it makes a frame every 20 ms, whether packets come or not."""

    def __init__(self, mix: Mix) -> None:
        self.band = Band()
        self.outputs: tuple[int, ...] = ()
        self.error: Exception | None = None
        self._mix = mix
        self._loop = asyncio.get_running_loop()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mix", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._play()
        except Exception as error:  # noqa: BLE001  # whoever attends to the room raises it
            self.error = error

    def _play(self) -> None:
        due, ticks = time.monotonic() + FRAME_SECONDS, 1
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            now = time.monotonic()
            behind = int((now - due) / FRAME_SECONDS) if now - due > _MOST_BEHIND else 0
            if behind:
                due += behind * FRAME_SECONDS
                ticks += behind
                self._tell(self._mix.late, behind)
            frames = self.band.play(self.outputs, now)
            self._tell(self._send, frames, ticks, now)
            due, ticks = due + FRAME_SECONDS, 1

    def _send(self, frames: Sequence[Frame], ticks: int, made: float) -> None:
        if not self._stopped.is_set():
            self._mix.send(frames, ticks, made)

    def _tell(self, what: Callable[..., None], *arguments: object) -> None:
        self._loop.call_soon_threadsafe(what, *arguments)
