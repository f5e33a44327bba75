"""Tones as Opus, and what arrives of them."""

import asyncio

import numpy as np
from numpy.typing import NDArray

from appliance.core.units import RATE
from appliance.media.opus import Decoder, Encoder
from tests.host.member import FRAME, Heard, Member

FRAME_SAMPLES = 960

Sound = NDArray[np.float64]


def tone(hertz: float, seconds: float) -> list[bytes]:
    """Opus packets of a tone, 20 ms each."""
    wave = np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE) * 8000
    with Encoder(frame_ms=20) as encoder:
        return [encoder.encode(frame.astype(np.int16)) for frame in wave.reshape(-1, FRAME_SAMPLES)]


def decoded(heard: list[Heard]) -> Sound:
    out = np.zeros(FRAME_SAMPLES, np.int16)
    frames = []
    with Decoder() as decoder:
        for packet in heard:
            assert decoder.decode(packet.payload, out) == FRAME_SAMPLES
            frames.append(out.copy())
    return np.concatenate(frames).astype(np.float64)


def share_of(sound: Sound, hertz: float) -> float:
    """How much of the energy lies within 20 Hz of ``hertz``."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    near = np.abs(np.fft.rfftfreq(len(sound), 1 / RATE) - hertz) < 20
    return float(spectrum[near].sum() / spectrum.sum())


async def hum(member: Member, packets: list[bytes], stop: asyncio.Event, level: int = 18) -> int:
    """Send ``packets`` over and over as loud as ``level``, one every 20 ms, until told to stop; gives how many."""
    loop = asyncio.get_running_loop()
    begin, sent = loop.time(), 0
    while not stop.is_set():
        await asyncio.sleep(max(0.0, begin + sent * FRAME - loop.time()))
        member.say(packets[sent % len(packets)], level)
        sent += 1
    return sent
