"""The peer of bench-call: one end of a plain aiortc call. ``aiortc_peer WAV offer|answer``.

What a small program around aiortc does: a sound card with 10 ms blocks, here the same virtual one as ours, whose capture
thread hands blocks to the loop, a track that makes frames of two, and received frames that wait for the playback thread.
Descriptions go over standard input and output, one JSON line each; it runs until it is ended.
"""

import asyncio
import fractions
import json
import queue
import sys

import aioice.ice
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from av import AudioFrame

from appliance.audio.virtual import VirtualCard, microphone
from appliance.core.units import BLOCK, RATE, Block, Pcm
from tools.bench.card_user import Calls

_MOST_WAITING = 20


class Microphone(MediaStreamTrack):
    """Captured blocks as frames of 20 ms."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._later = asyncio.get_running_loop().call_soon_threadsafe
        self._blocks: asyncio.Queue[Pcm] = asyncio.Queue()
        self._sent = 0

    def captured(self, block: Block) -> None:
        """Capture thread."""
        self._later(self._blocks.put_nowait, (block * 32767).astype(np.int16))

    async def recv(self) -> AudioFrame:
        """The next frame."""
        samples = np.concatenate([await self._blocks.get(), await self._blocks.get()])
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._sent, fractions.Fraction(1, RATE)
        self._sent += 2 * BLOCK
        return frame


class Loudspeaker:
    """Received frames as blocks of 10 ms."""

    def __init__(self) -> None:
        self._blocks: queue.SimpleQueue[Pcm] = queue.SimpleQueue()

    async def listen(self, track: MediaStreamTrack) -> None:
        """Take every frame."""
        while True:
            frame = await track.recv()
            if isinstance(frame, AudioFrame) and self._blocks.qsize() < _MOST_WAITING:
                samples = frame.to_ndarray().reshape(-1, 2)[:, 0].astype(np.int16)
                for start in range(0, len(samples), BLOCK):
                    self._blocks.put(samples[start : start + BLOCK])

    def wanted(self, out: Block) -> None:
        """Playback thread."""
        try:
            np.multiply(self._blocks.get_nowait(), np.float32(1 / 32768), out=out)
        except queue.Empty:
            out.fill(0)


async def main(path: str, role: str) -> None:
    """Be one end of the call."""
    aioice.ice.get_host_addresses = lambda **_families: ["127.0.0.1"]
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    tasks = set()
    source, sink = Microphone(), Loudspeaker()
    connection.on("track", lambda track: tasks.add(asyncio.ensure_future(sink.listen(track))))
    connection.addTrack(source)
    VirtualCard(microphone(path)).start(Calls(source.captured, sink.wanted))
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def heard() -> RTCSessionDescription:
        return RTCSessionDescription(**json.loads(await reader.readline()))

    def tell() -> None:
        local = connection.localDescription
        print(json.dumps({"sdp": local.sdp, "type": local.type}), flush=True)

    if role == "offer":
        await connection.setLocalDescription(await connection.createOffer())
        tell()
        await connection.setRemoteDescription(await heard())
    else:
        await connection.setRemoteDescription(await heard())
        await connection.setLocalDescription(await connection.createAnswer())
        tell()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
