"""The peer of bench-call: one end of a plain aiortc call, with a paced microphone and a sink. ``aiortc_peer WAV offer|answer``.

Descriptions go over standard input and output, one JSON line each; it runs until it is ended.
"""

import asyncio
import fractions
import json
import sys
import time
import wave

import aioice.ice
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from av import AudioFrame

RATE, FRAME = 48_000, 960


class Microphone(MediaStreamTrack):
    """A WAV file over and over, 20 ms a frame, as aiortc's own player would give it."""

    kind = "audio"

    def __init__(self, path: str) -> None:
        super().__init__()
        with wave.open(path) as file:
            self._samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        self._sent, self._began = 0, 0.0

    async def recv(self) -> AudioFrame:
        """The next frame, when it is due."""
        self._began = self._began or time.monotonic()
        await asyncio.sleep(max(0.0, self._began + self._sent / RATE - time.monotonic()))
        start = self._sent % (len(self._samples) - FRAME)
        frame = AudioFrame.from_ndarray(
            self._samples[start : start + FRAME].reshape(1, -1), format="s16", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._sent, fractions.Fraction(1, RATE)
        self._sent += FRAME
        return frame


async def listen(track: MediaStreamTrack) -> None:
    """Take every frame, as a loudspeaker would."""
    while True:
        frame = await track.recv()
        if isinstance(frame, AudioFrame):
            frame.to_ndarray()


async def main(path: str, role: str) -> None:
    """Be one end of the call."""
    aioice.ice.get_host_addresses = lambda **_families: ["127.0.0.1"]
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    tasks = set()
    connection.on("track", lambda track: tasks.add(asyncio.ensure_future(listen(track))))
    connection.addTrack(Microphone(path))
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
