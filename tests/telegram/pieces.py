"""Pieces of a voice chat that comes mixed, as its listeners get them: a second in Ogg with Opus, of up to eight channels.

Which channel is whose stands in the tag TG_META, base64 of little-endian numbers: one that nobody looks at, how many follow, and
for each from which 10 ms on, the channel, and the SSRC. This follows what ntgcalls 3.0.5 reads; nobody here has seen Telegram's.
"""

import base64
import io
import struct
from collections.abc import Mapping

import av
import numpy as np

from appliance.core.units import RATE

_LAYOUTS = {1: "mono", 2: "stereo"}


def piece(tones: Mapping[int, float], begins: int, level: float = 0.25) -> bytes:
    """A second of one or two who say a tone each, by source, from ``begins`` on, ms of Unix time."""
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=RATE, layout=_LAYOUTS[len(tones)])
        whose = b"".join(struct.pack("<iiI", 0, channel, source) for channel, source in enumerate(tones))
        stream.metadata["TG_META"] = base64.b64encode(struct.pack("<ii", 0, len(tones)) + whose).decode()
        at = begins / 1000 % 60 + np.arange(RATE) / RATE
        waves = [np.sin(2 * np.pi * hertz * at) * 32767 * level for hertz in tones.values()]
        frame = av.AudioFrame.from_ndarray(
            np.stack(waves, 1).astype(np.int16).reshape(1, -1), format="s16", layout=_LAYOUTS[len(tones)]
        )
        frame.sample_rate = RATE
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return file.getvalue()
