"""Speech through a network of virtual time: our playout, a buffer that waits for ever, and aiortc's.

The clock is a number. A packet is a place in the talker's time; the network decides whether and when it comes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket
from numpy.typing import NDArray

from appliance.core.units import BLOCK, RATE, Pcm
from appliance.media import red
from appliance.media.opus import Decoder, Encoder, has_fec
from appliance.media.playout import Playout
from appliance.media.rtp import Rtp

FRAME = 2 * BLOCK
BITRATE = 32_000
COMPLEXITY = 9
"""The product's; see settings/model.py."""
_SOURCE, _FIRST, _START = 7, 1000, 48_000
_OPUS, _RED = 111, 63


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


def encoded(pcm: Pcm, protection: Protection) -> list[bytes]:
    """One Opus packet for each 20 ms."""
    encoder = Encoder(20, BITRATE, complexity=COMPLEXITY, fec=protection.fec, expected_loss=protection.expected_loss)
    return [encoder.encode(pcm[at : at + FRAME]) for at in range(0, pcm.size - FRAME + 1, FRAME)]


def _payloads(packets: Sequence[bytes], blocks: int) -> list[bytes]:
    if not blocks:
        return list(packets)
    return [
        red.build(_OPUS, packet, [(back * FRAME, packets[i - back]) for back in range(min(blocks, i), 0, -1)])
        for i, packet in enumerate(packets)
    ]


def _arrivals(net: Network, seconds: float = FRAME / RATE) -> list[tuple[float, int]]:
    """When each packet that is not lost comes, in the order in which they come."""
    return sorted((i * seconds + float(net.later[i]), int(i)) for i in np.flatnonzero(~net.lost))


@dataclass
class Heard:
    """What a listener got."""

    pcm: Pcm
    delays: list[float]
    """The buffer's own delay at each block, ms; NaN while unknown."""
    counts: dict[str, int]
    targets: list[float]


def ours(packets: Sequence[bytes], net: Network, blocks: int = 0, more: float = 0.5, low_delay: bool = False) -> Heard:
    """Through our playout, pulled every 10 ms until ``more`` seconds after the last packet was sent."""
    playout = Playout(Decoder(), low_delay=low_delay)
    payloads = _payloads(packets, blocks)
    arrivals = _arrivals(net)
    ticks = round((len(packets) * 0.02 + more) * 100)
    pcm, delays, targets = np.zeros(ticks * BLOCK, np.int16), [], []
    coming = 0
    for tick in range(ticks):
        now = 0.003 + tick * 0.01
        while coming < len(arrivals) and arrivals[coming][0] <= now:
            at, i = arrivals[coming]
            _push(playout, payloads[i], i, at, redundant=bool(blocks))
            coming += 1
        playout.pull(pcm[tick * BLOCK : (tick + 1) * BLOCK], now)
        delays.append(np.nan if playout.delay_ms is None else playout.delay_ms)
        targets.append(playout.target_ms)
    return Heard(pcm, delays, playout.counts, targets)


def _push(playout: Playout, payload: bytes, i: int, at: float, redundant: bool) -> None:
    """As the downlink does: the newest frame, then what came with it."""
    sequence, timestamp = (_FIRST + i) & 0xFFFF, _START + i * FRAME
    if not redundant:
        playout.push(Rtp(_OPUS, i == 0, sequence, timestamp, _SOURCE, payload), at)
        return
    *earlier, newest = red.split(payload)
    playout.push(Rtp(_OPUS, i == 0, sequence, timestamp, _SOURCE, bytes(newest.payload)), at)
    for back, frame in enumerate(reversed(earlier), 1):
        copy = Rtp(_OPUS, False, (sequence - back) & 0xFFFF, timestamp - frame.offset, _SOURCE, bytes(frame.payload))
        playout.push_redundant(copy, at)


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
