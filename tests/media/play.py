"""A talker, a network and a listener without sockets or clocks: time is a number, loss a list of booleans."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from appliance.core.units import BLOCK, RATE, Pcm
from appliance.media.opus import Decoder, Encoder
from appliance.media.playout import Playout
from appliance.media.rtp import Rtp

_TOC = {480: 0x00, 960: 0x08, 1920: 0x10, 2880: 0x18}  # one SILK frame of so many samples (RFC 6716, 3.1)
CONCEALED = -1


def mark(n: int) -> int:
    """What every sample of packet ``n`` is when a Ruler decodes it: loud, and growing with ``n``."""
    return 20_000 + n % 12_000


class Ruler:
    """Decodes packets of :func:`ruled` to sound that tells where it is from.

    Packet n is ``mark(n)`` everywhere, the FEC of packet n ``-mark(n)``, concealment CONCEALED.
    """

    def __init__(self) -> None:
        self.resets = 0

    def decode(self, packet: bytes, out: Pcm) -> int:
        samples = next(n for n, toc in _TOC.items() if toc == packet[0])
        out[:samples] = mark(int.from_bytes(packet[2:4], "big"))
        return samples

    def conceal(self, out: Pcm, samples: int) -> int:
        assert samples % 120 == 0
        out[:samples] = CONCEALED
        return samples

    def decode_fec(self, packet: bytes, out: Pcm, samples: int) -> int:
        out[:samples] = -mark(int.from_bytes(packet[2:4], "big"))
        return samples

    def reset(self) -> None:
        self.resets += 1


def ruler_playout() -> Playout:
    """A playout whose decoder is a Ruler."""
    return Playout(cast("Decoder", Ruler()))


def still(playout: Playout) -> Playout:
    """The same, but its delay stays what it was at the beginning: nothing is taken out or put in."""
    playout._adapt = lambda: None  # type: ignore[method-assign]
    return playout


def ruled(n: int, samples: int = 960, fec: bool = False) -> bytes:
    """The payload of packet ``n`` for a Ruler."""
    voice_bits = max(1, samples // 960)  # the bit after them says that there is FEC
    return bytes((_TOC[samples], fec << (7 - voice_bits))) + (n % 12_000).to_bytes(2, "big")


@dataclass(frozen=True)
class Sent:
    """A packet on its way."""

    at: float
    """When it arrives, seconds."""
    packet: Rtp


@dataclass(frozen=True)
class Talker:
    """Sends packets that arrive the moment they are sent."""

    samples: int = 960
    """In a packet."""
    sequence: int = 100
    timestamp: int = 5000
    ssrc: int = 7
    start: float = 0.0
    ppm: float = 0.0
    """How fast its clock is."""
    marker: bool = True

    def send(self, payloads: Iterable[bytes]) -> list[Sent]:
        """One packet for each payload."""
        step = self.samples / RATE / (1 + self.ppm / 1e6)
        return [Sent(self.start + i * step, self._packet(i, payload)) for i, payload in enumerate(payloads)]

    def ruled(self, count: int, fec: bool = False) -> list[Sent]:
        """``count`` packets for a Ruler, numbered from 0."""
        return self.send(ruled(n, self.samples, fec) for n in range(count))

    def _packet(self, i: int, payload: bytes) -> Rtp:
        sequence = (self.sequence + i) & 0xFFFF
        timestamp = (self.timestamp + i * self.samples) & 0xFFFF_FFFF
        return Rtp(111, self.marker and i == 0, sequence, timestamp, self.ssrc, payload)


def lose(sent: Sequence[Sent], pattern: Sequence[bool]) -> list[Sent]:
    """Lose packet i where ``pattern[i]`` is true; the pattern repeats."""
    return [s for i, s in enumerate(sent) if not pattern[i % len(pattern)]]


def late(sent: Sequence[Sent], seconds: Iterable[float]) -> list[Sent]:
    """Let packet i take ``seconds[i]`` longer; packets may overtake each other."""
    return sorted((replace(s, at=s.at + more) for s, more in zip(sent, seconds, strict=True)), key=lambda s: s.at)


def outage(sent: Sequence[Sent], begin: float, end: float) -> list[Sent]:
    """Nothing comes between ``begin`` and ``end`` (seconds); then all of it at once."""
    return [replace(s, at=end) if begin <= s.at < end else s for s in sent]


@dataclass
class Played:
    """What a listener got, block by block."""

    pcm: Pcm
    """All samples in a row."""
    heard: list[bool]
    """What pull returned."""
    delays: list[float]
    """The playout's own delay after each block, ms; NaN while unknown."""

    @property
    def blocks(self) -> Pcm:
        """Shape (blocks, 480)."""
        return self.pcm.reshape(-1, BLOCK)

    @property
    def order(self) -> list[int]:
        """The numbers of the packets in the order in which a Ruler's sound tells them."""
        ends = self.blocks[:, -1].astype(int)
        numbers = ends[ends >= mark(0)] - mark(0)
        return [int(n) for i, n in enumerate(numbers) if i == 0 or n != numbers[i - 1]]


def play(playout: Playout, sent: Sequence[Sent], seconds: float, *, start: float = 0.0, phase: float = 0.003) -> Played:
    """Pull a block every 10 ms from ``start + phase`` on, for ``seconds``; packets are pushed when they arrive."""
    blocks = round(seconds * 100)
    pcm = np.zeros(blocks * BLOCK, np.int16)
    heard, delays = [], []
    waiting = iter(sent)
    coming = next(waiting, None)
    for i in range(blocks):
        now = start + phase + i * 0.01
        while coming is not None and coming.at <= now:
            playout.push(coming.packet, coming.at)
            coming = next(waiting, None)
        heard.append(playout.pull(pcm[i * BLOCK : (i + 1) * BLOCK], now))
        known = playout.delay_ms
        delays.append(float("nan") if known is None else known)
    return Played(pcm, heard, delays)


def encode(pcm: Pcm, frame_ms: int = 20, expected_loss: int = 20) -> list[bytes]:
    """Opus packets of ``pcm``."""
    encoder = Encoder(frame_ms, expected_loss=expected_loss)
    n = encoder.samples
    return [encoder.encode(pcm[i : i + n]) for i in range(0, pcm.size - n + 1, n)]


def counted(playout: Playout) -> dict[str, int]:
    return {name: n for name, n in playout.counts.items() if n}
