"""Speech through a network of virtual time: our playout, a buffer that waits for ever, and aiortc's.

The clock is a number. A packet is a place in the talker's time; the network decides whether and when it comes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket
from numpy.typing import NDArray

from appliance.core import sdp
from appliance.core.units import BLOCK, RATE, Pcm
from appliance.media import red, rtp
from appliance.media.opus import Decoder, Encoder, has_fec
from appliance.rooms.downlink import Downlink
from appliance.settings.model import AudioSettings

FRAME = 2 * BLOCK
BITRATE = 32_000
COMPLEXITY = AudioSettings().complexity
"""The product's."""
_SOURCE, _FIRST, _START = 101, 1000, 48_000


@dataclass(frozen=True)
class Protection:
    """What a talker sends beside its sound."""

    blocks: int = 0
    """Redundant frames in a packet (RFC 2198)."""
    fec: bool = False
    """Opus FEC, made for :attr:`expected_loss` percent."""
    expected_loss: int = 0


@dataclass(frozen=True)
class Network:
    """What happens to each packet of a run; both arrays have one entry a packet."""

    lost: NDArray[np.bool_]
    later: NDArray[np.float64]
    """Seconds on the way."""


def network(packets: int, seed: int, loss: float = 0.0, burst: int = 1, jitter: float = 0.0) -> Network:
    """Losses of ``burst`` packets in a row, ``loss`` of all, and a way that takes 0 to ``jitter`` seconds, uniformly."""
    rng = np.random.default_rng(seed)
    begins = rng.random(packets) < loss / (burst - (burst - 1) * loss)
    lost = np.zeros(packets, bool)
    at = 0
    while at < packets:
        if begins[at]:
            lost[at : at + burst] = True
            at += burst
        else:
            at += 1
    lost[:10] = False  # so that every buffer begins alike
    return Network(lost, rng.random(packets) * jitter)


def encoded(pcm: Pcm, protection: Protection, complexity: int) -> list[bytes]:
    """One Opus packet for each 20 ms."""
    encoder = Encoder(20, BITRATE, complexity, protection.fec, protection.expected_loss)
    return [encoder.encode(pcm[at : at + FRAME]) for at in range(0, pcm.size - FRAME + 1, FRAME)]


def _payloads(packets: Sequence[bytes], blocks: int) -> list[bytes]:
    if not blocks:
        return list(packets)
    return [
        red.build(sdp.DEVICE_OPUS, packet, [(back * FRAME, packets[i - back]) for back in range(min(blocks, i), 0, -1)])
        for i, packet in enumerate(packets)
    ]


def _arrivals(net: Network, seconds: float = FRAME / RATE) -> list[tuple[float, int]]:
    """When each packet that is not lost comes, in the order in which they come."""
    return sorted((i * seconds + float(net.later[i]), int(i)) for i in np.flatnonzero(~net.lost))


@dataclass
class Heard:
    """What a listener got."""

    pcm: Pcm
    delays: NDArray[np.float64]
    """The buffer's own delay at each block, ms; NaN while unknown."""
    targets: NDArray[np.float64]
    """What it aimed at, ms."""
    counts: dict[str, int]


def _connected(low_delay: bool) -> Downlink:
    """A device's way down, as negotiated with our host."""
    fingerprint = ":".join(["AB"] * 32)
    offer = sdp.build_offer(sdp.LocalTransport("ufrag", "p" * 22, fingerprint), (), ssrc=42)
    host = sdp.HostTransport("host", "h" * 22, fingerprint, "192.0.2.1", 4000, 1)
    downlink = Downlink(low_delay)
    downlink.attach(sdp.parse_answer(sdp.build_answer(sdp.parse_offer(offer), host, [_SOURCE, 102, 103])))
    return downlink


def ours(packets: Sequence[bytes], net: Network, blocks: int = 0, more: float = 0.5, low_delay: bool = False) -> Heard:
    """Through a device's downlink, asked for a block every 10 ms until ``more`` seconds after the last packet was sent."""
    downlink = _connected(low_delay)
    playout = downlink._slots[0].playout  # noqa: SLF001 - its delay is what is measured
    arrivals, payloads, buffer = _arrivals(net), _payloads(packets, blocks), bytearray(4096)
    ticks = round((len(packets) * 0.02 + more) * 100)
    pcm, delays, targets = np.zeros((ticks, BLOCK), np.int16), np.full(ticks, np.nan), np.zeros(ticks)
    block, coming = np.zeros(BLOCK, np.float32), 0
    for tick in range(ticks):
        now = 0.003 + tick * 0.01
        while coming < len(arrivals) and arrivals[coming][0] <= now:
            at, i = arrivals[coming]
            downlink.push(_wire(buffer, payloads[i], i, redundant=bool(blocks)), at)
            coming += 1
        downlink.mix(block, now)
        pcm[tick] = np.rint(block * 32767)
        delays[tick] = np.nan if playout.delay_ms is None else playout.delay_ms
        targets[tick] = playout.target_ms
    return Heard(pcm.ravel(), delays, targets, playout.counts)


def _wire(buffer: bytearray, payload: bytes, i: int, redundant: bool) -> memoryview:
    size = rtp.build_into(
        buffer,
        payload_type=sdp.DEVICE_RED if redundant else sdp.DEVICE_OPUS,
        marker=i == 0,
        sequence=_FIRST + i,
        timestamp=_START + i * FRAME,
        ssrc=_SOURCE,
        payload=payload,
    )
    return memoryview(buffer)[:size]


def ceiling(packets: Sequence[bytes], net: Network, protection: Protection) -> Pcm:
    """What the codec can make of what comes at all: a buffer that waits for ever."""
    decoder = Decoder()
    came = ~net.lost
    out = np.zeros((len(packets), FRAME), np.int16)
    for i, place in enumerate(out):
        following = packets[i + 1] if i + 1 < len(packets) and came[i + 1] else None
        if came[i : i + protection.blocks + 1].any():
            decoder.decode(packets[i], place)
        elif protection.fec and following is not None and has_fec(following):
            decoder.decode_fec(following, place, FRAME)
        else:
            decoder.conceal(place, FRAME)
    return np.concatenate([out.ravel(), np.zeros(RATE, np.int16)])


def peer(packets: Sequence[bytes], net: Network, more: float = 0.5) -> Pcm:
    """Through aiortc's buffer (capacity 16, 4 packets ahead: what its receiver has), played by a clock of 10 ms."""
    buffer, decoder, waiting = JitterBuffer(capacity=16, prefetch=4), Decoder(), np.zeros(0, np.int16)
    arrivals = _arrivals(net)
    ticks = round((len(packets) * 0.02 + more) * 100)
    pcm = np.zeros(ticks * BLOCK, np.int16)
    coming, frame = 0, np.zeros(FRAME, np.int16)
    for tick in range(ticks):
        while coming < len(arrivals) and arrivals[coming][0] <= 0.003 + tick * 0.01:
            i = arrivals[coming][1]
            packet = RtpPacket(sequence_number=(_FIRST + i) & 0xFFFF, timestamp=_START + i * FRAME)
            packet._data = packets[i]  # type: ignore[attr-defined]  # noqa: SLF001 - as its receiver does
            _, ready = buffer.add(packet)
            if ready is not None:
                decoder.decode(ready.data, frame)
                waiting = np.concatenate([waiting, frame])
            coming += 1
        size = min(BLOCK, waiting.size)
        pcm[tick * BLOCK : tick * BLOCK + size] = waiting[:size]
        waiting = waiting[size:]
    return pcm
