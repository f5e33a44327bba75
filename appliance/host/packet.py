"""The few fields that forwarding reads, where the packet lies in the receive buffer (RFC 3550, RFC 8285, RFC 6464).

media/rtp.py reads packets for a receiver; here nothing is copied, and the header is read before the packet is opened.
"""

import struct
from typing import NamedTuple

from appliance.host.lane import Copy
from appliance.host.srtp import Datagram
from appliance.media import red

_FIXED = struct.Struct("!BBHII")
_ONE_BYTE_PROFILE = 0xBEDE


class Header(NamedTuple):
    """The header of an RTP packet."""

    payload_type: int
    seq: int
    timestamp: int
    source: int
    """SSRC."""
    level: int | None
    """-dBov, 0 … 127; None when the packet does not say."""
    size: int
    """Bytes until the payload begins."""
    padded: bool


def read_header(packet: Datagram, level_id: int | None) -> Header | None:
    """Read what is in the clear even in SRTP; None when it is no RTP packet. Never raises.

    :param level_id: id of the audio-level extension, if one was agreed on.
    """
    first, second, seq, timestamp, source = _FIXED.unpack_from(packet.data)
    at = _FIXED.size + 4 * (first & 0x0F)
    level = None
    if first & 0x10:
        if at + 4 > packet.size:
            return None
        profile, words = struct.unpack_from("!HH", packet.data, at)
        begin, at = at + 4, at + 4 + 4 * words
        if at <= packet.size and level_id is not None and profile == _ONE_BYTE_PROFILE:
            level = _read_level(packet.data, begin, at, level_id)
    if first >> 6 != 2 or at > packet.size:
        return None
    return Header(second & 0x7F, seq, timestamp, source, level, at, bool(first & 0x20))


def _read_level(data: bytearray, at: int, end: int, level_id: int) -> int | None:
    while at < end - 1:
        ident, size = data[at] >> 4, (data[at] & 0x0F) + 1
        if ident == 0:  # padding
            at += 1
        elif ident == level_id:
            return data[at + 1] & 0x7F
        elif ident == 15:  # RFC 8285, 4.2: stop here
            return None
        else:
            at += 1 + size
    return None


def payload_of(packet: Datagram, header: Header) -> memoryview:
    """The payload of an opened packet, without its padding; empty when the padding is not what it says."""
    end = packet.size
    if header.padded and end > header.size:
        end -= packet.data[end - 1]
    return packet.view[header.size : max(header.size, end)]


def read_frames(
    payload: memoryview, header: Header, opus: int | None, redundant: int | None
) -> tuple[memoryview, list[Copy]] | None:
    """The Opus packet in a payload, and what else it brings of earlier ones; None when it is of neither type. Never raises.

    :param opus: payload type of Opus, and in ``redundant`` that of redundant audio (RFC 2198), as they were agreed on.
    """
    if header.payload_type == opus:
        return payload, []
    frames = red.split(payload) if header.payload_type == redundant else ()
    if not frames or any(frame.payload_type != opus for frame in frames):
        return None
    copies = []
    for back, frame in enumerate(frames[-2::-1], 1):
        if frame.offset and len(frame.payload):
            seq, timestamp = (header.seq - back) & 0xFFFF, (header.timestamp - frame.offset) & 0xFFFFFFFF
            copies.append(Copy(seq, timestamp, memoryview(frame.payload)))
    copies.reverse()
    return memoryview(frames[-1].payload), copies
