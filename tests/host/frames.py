"""Opus packets that are as loud as they claim, and that can be told apart."""

import functools

import numpy as np

from appliance.core.units import RATE
from appliance.media.opus import Encoder

FRAME_SAMPLES = 960
SILENCE = b"\xf8\xff\xfe"
"""20 ms of silence (RFC 6716, 3.1)."""


@functools.cache
def loud(level: int) -> bytes:
    """An Opus packet of 20 ms that decodes to a tone of about ``level`` (-dBov), also when it comes over and over."""
    amplitude = min(32_000.0, 32_768 * 10 ** (-level / 20) * 2**0.5)
    wave = np.sin(2 * np.pi * 400 * np.arange(FRAME_SAMPLES * 10) / RATE) * amplitude
    with Encoder(frame_ms=20, fec=False) as encoder:
        return [encoder.encode(frame.astype(np.int16)) for frame in wave.reshape(-1, FRAME_SAMPLES)][-1]


def tagged(packet: bytes, tag: bytes) -> bytes:
    """The same Opus packet with ``tag`` at its end: as padding, which is not decoded (RFC 6716, 3.2.5)."""
    assert packet[0] & 3 == 0, "a packet of one frame"
    assert len(tag) < 255
    return bytes([packet[0] | 3, 0x41, len(tag)]) + packet[1:] + tag
