"""RTP and RTCP packets as bytes (RFC 3550), with the header extensions for level (RFC 6464) and mid (RFC 9143).

Reading takes any bytes and never raises. Redundancy (RFC 2198) is not read here: a RED payload stays a payload.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from appliance.core.units import SILENCE

_FIXED = struct.Struct("!BBHII")
_PAIR = struct.Struct("!HH")
_ONE_BYTE_PROFILE = 0xBEDE  # RFC 8285, 4.2
_BLOCK = struct.Struct("!IIIIII")
_SENDER = struct.Struct("!IIIII")
_NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970
_SR, _RR, _SDES, _BYE = 200, 201, 202, 203
_MOST_BLOCKS = 31
_MOST_TEXT = 255

Data = bytes | bytearray | memoryview


class Rtp(NamedTuple):
    """An RTP packet that was read; its bytes are copies."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    """Without padding; may be empty."""
    extensions: bytes = b""
    """One-byte header extensions as they came; empty when there are none or of another kind."""

    def extension(self, ident: int | None) -> bytes | None:
        """The data of extension ``ident``, 1 to 14; None: it is not there."""
        return next((data for found, data in _elements(self.extensions) if found == ident), None)

    def level(self, ident: int | None) -> float | None:
        """What the sender says of the loudness, dBov, -127 to 0."""
        data = self.extension(ident)
        return -float(data[0] & 0x7F) if data else None

    def voice(self, ident: int | None) -> bool:
        """Whether the sender says that this is voice."""
        data = self.extension(ident)
        return bool(data and data[0] & 0x80)

    def mid(self, ident: int | None) -> str | None:
        """The media section that the packet belongs to."""
        data = self.extension(ident)
        return data.decode("ascii", "replace") if data else None


def _elements(block: bytes) -> Iterator[tuple[int, bytes]]:
    """Ident and data of each one-byte extension; what does not fit ends them."""
    at = 0
    while at < len(block):
        ident, size = block[at] >> 4, (block[at] & 0x0F) + 1
        if ident == 0:  # padding
            at += 1
            continue
        if ident == 15 or at + 1 + size > len(block):
            return
        yield ident, block[at + 1 : at + 1 + size]
        at += 1 + size


def parse(data: Data) -> Rtp | None:
    """The RTP packet in ``data``; None when it is none (RTCP is none: RFC 5761, 4). Never raises."""
    size = len(data)
    if size < _FIXED.size:
        return None
    first, second, sequence, timestamp, ssrc = _FIXED.unpack_from(data)
    if first >> 6 != 2 or 192 <= second <= 223:
        return None
    at = _FIXED.size + 4 * (first & 0x0F)
    extensions = b""
    if first & 0x10:
        if at + 4 > size:
            return None
        profile, words = _PAIR.unpack_from(data, at)
        begin, at = at + 4, at + 4 + 4 * words
        if profile == _ONE_BYTE_PROFILE:
            extensions = bytes(data[begin:at])
    end = size
    if first & 0x20:
        if data[-1] == 0:
            return None
        end -= data[-1]
    if at > end:
        return None
    return Rtp(second & 0x7F, second >= 128, sequence, timestamp, ssrc, bytes(data[at:end]), extensions)


def _extension_bytes(level_id: int | None, level: float, voice: bool, mid_id: int | None, mid: str) -> bytes:
    block = b""
    if level_id is not None:
        loudness = round(-max(SILENCE, min(0.0, level)))
        block += bytes((level_id << 4, voice << 7 | loudness))
    if mid_id is not None:
        name = mid.encode("ascii")
        if not 1 <= len(name) <= 16:
            raise ValueError(f"a mid has 1 to 16 bytes, not {len(name)}")
        block += bytes((mid_id << 4 | len(name) - 1,)) + name
    if not all(1 <= ident <= 14 for ident in (level_id, mid_id) if ident is not None):
        raise ValueError("the ident of an extension is 1 to 14")
    return block


def build_into(  # noqa: PLR0913 - the fields of the header, by name
    buffer: bytearray | memoryview,
    *,
    payload_type: int,
    marker: bool,
    sequence: int,
    timestamp: int,
    ssrc: int,
    payload: Data,
    level_id: int | None = None,
    level: float = SILENCE,
    voice: bool = False,
    mid_id: int | None = None,
    mid: str = "",
) -> int:
    """Write an RTP packet into the beginning of ``buffer`` and return its length.

    :param sequence: taken modulo 2**16.
    :param timestamp: samples at 48 kHz, taken modulo 2**32.
    :param level_id: ident of the level extension (1 to 14); None leaves it out.
    :param level: dBov, -127 to 0.
    :param mid_id: ident of the mid extension (1 to 14); None leaves it out.
    :raises ValueError: ``buffer`` is too small, or an ident or mid is out of bounds.
    """
    extensions = _extension_bytes(level_id, level, voice, mid_id, mid)
    words = (len(extensions) + 3) // 4
    at = _FIXED.size + (4 + 4 * words if words else 0)
    end = at + len(payload)
    if end > len(buffer):
        raise ValueError(f"the packet has {end} bytes, the buffer {len(buffer)}")
    first = 0x90 if words else 0x80
    second = marker << 7 | payload_type & 0x7F
    _FIXED.pack_into(buffer, 0, first, second, sequence & 0xFFFF, timestamp & 0xFFFF_FFFF, ssrc)
    if words:
        _PAIR.pack_into(buffer, _FIXED.size, _ONE_BYTE_PROFILE, words)
        buffer[_FIXED.size + 4 : at] = extensions.ljust(4 * words, b"\0")
    buffer[at:end] = payload
    return end


class ReportBlock(NamedTuple):
    """What a receiver says of one source (RFC 3550, 6.4.1)."""

    ssrc: int
    fraction_lost: int
    """Of 256, since the report before."""
    lost: int
    """Packets, -2**23 to 2**23 - 1; negative when there were more duplicates than losses."""
    highest: int
    """Highest sequence number with its wraps above it, 32 bits."""
    jitter: int
    """In samples."""
    last_sender_report: int = 0
    """Middle 32 bits of its NTP time; 0: none came."""
    delay: int = 0
    """Since then, in 1/65536 s."""


class SenderReport(NamedTuple):
    """RTCP SR."""

    ssrc: int
    ntp: int
    """Seconds since 1900, 32.32 bits."""
    timestamp: int
    packets: int
    octets: int
    blocks: tuple[ReportBlock, ...]


class ReceiverReport(NamedTuple):
    """RTCP RR."""

    ssrc: int
    blocks: tuple[ReportBlock, ...]


class Bye(NamedTuple):
    """RTCP BYE."""

    ssrcs: tuple[int, ...]


Rtcp = SenderReport | ReceiverReport | Bye


def _rtcp(kind: int, count: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def _source_description(ssrc: int, cname: str) -> bytes:
    name = cname.encode()[:_MOST_TEXT]
    chunk = struct.pack("!IBB", ssrc, 1, len(name)) + name
    # At least one zero ends the items of a chunk (RFC 3550, 6.5).
    return _rtcp(_SDES, 1, chunk + bytes(4 - len(chunk) % 4))


def _block_bytes(block: ReportBlock) -> bytes:
    lost = max(-0x80_0000, min(0x7F_FFFF, block.lost)) & 0xFF_FFFF
    return _BLOCK.pack(
        block.ssrc,
        min(255, block.fraction_lost) << 24 | lost,
        block.highest & 0xFFFF_FFFF,
        min(block.jitter, 0xFFFF_FFFF),
        block.last_sender_report,
        block.delay & 0xFFFF_FFFF,
    )


def _blocks_bytes(blocks: Sequence[ReportBlock]) -> bytes:
    return b"".join(map(_block_bytes, blocks[:_MOST_BLOCKS]))


def receiver_report(ssrc: int, blocks: Sequence[ReportBlock] = (), cname: str = "kontor") -> bytes:
    """A compound packet of RR and SDES; of ``blocks`` at most 31 are told."""
    body = struct.pack("!I", ssrc) + _blocks_bytes(blocks)
    return _rtcp(_RR, min(len(blocks), _MOST_BLOCKS), body) + _source_description(ssrc, cname)


def sender_report(
    ssrc: int,
    unix_time: float,
    timestamp: int,
    packets: int,
    octets: int,
    *,
    blocks: Sequence[ReportBlock] = (),
    cname: str = "kontor",
) -> bytes:
    """A compound packet of SR and SDES: ``timestamp`` is the RTP time at ``unix_time`` (seconds)."""
    ntp = int((unix_time + _NTP_EPOCH) * 2**32) & 0xFFFF_FFFF_FFFF_FFFF
    counts = (value & 0xFFFF_FFFF for value in (timestamp, packets, octets))
    body = struct.pack("!I", ssrc) + _SENDER.pack(ntp >> 32, ntp & 0xFFFF_FFFF, *counts) + _blocks_bytes(blocks)
    return _rtcp(_SR, min(len(blocks), _MOST_BLOCKS), body) + _source_description(ssrc, cname)


def bye(ssrc: int, cname: str = "kontor") -> bytes:
    """A compound packet of an empty RR, SDES and BYE: this source leaves."""
    return receiver_report(ssrc, (), cname) + _rtcp(_BYE, 1, struct.pack("!I", ssrc))


def parse_rtcp(data: Data) -> tuple[Rtcp, ...]:
    """The reports and goodbyes in a compound packet; what cannot be read ends them. Never raises."""
    found: list[Rtcp] = []
    at = 0
    while at + 4 <= len(data):
        first, kind, words = struct.unpack_from("!BBH", data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2 or end > len(data):
            break
        report = _parse_one(kind, first & 0x1F, bytes(data[at + 4 : end]))
        if report is not None:
            found.append(report)
        at = end
    return tuple(found)


def _parse_one(kind: int, count: int, body: bytes) -> Rtcp | None:
    if kind == _BYE and len(body) >= 4 * count:
        return Bye(struct.unpack_from(f"!{count}I", body))
    if kind == _RR and len(body) >= 4 + _BLOCK.size * count:
        (ssrc,) = struct.unpack_from("!I", body)
        return ReceiverReport(ssrc, _parse_blocks(body, 4, count))
    if kind == _SR and len(body) >= 4 + _SENDER.size + _BLOCK.size * count:
        ssrc, high, low, timestamp, packets, octets = struct.unpack_from("!6I", body)
        blocks = _parse_blocks(body, 4 + _SENDER.size, count)
        return SenderReport(ssrc, high << 32 | low, timestamp, packets, octets, blocks)
    return None


def _parse_blocks(body: bytes, start: int, count: int) -> tuple[ReportBlock, ...]:
    blocks = []
    for at in range(start, start + _BLOCK.size * count, _BLOCK.size):
        ssrc, losses, highest, jitter, last, delay = _BLOCK.unpack_from(body, at)
        lost = losses & 0xFF_FFFF
        signed = lost - 0x100_0000 if lost & 0x80_0000 else lost
        blocks.append(ReportBlock(ssrc, losses >> 24, signed, highest, jitter, last, delay))
    return tuple(blocks)
