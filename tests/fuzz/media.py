"""Parsers of what comes as datagrams: RTP, RTCP, redundancy, STUN, DTLS, Opus, and what stands behind them."""

import contextlib
import struct
from collections.abc import Iterator

import numpy as np
from aioice import stun as peer_stun

from appliance.app.speech import synthetic
from appliance.core import sdp
from appliance.core.counters import Counters
from appliance.core.units import BLOCK
from appliance.host import packet as host_packet
from appliance.host import stun
from appliance.host.certificate import Certificate, load_or_make
from appliance.host.dtls import DtlsError, Handshake, server_context
from appliance.host.srtp import Datagram
from appliance.media import red, rtp
from appliance.media.opus import MOST_SAMPLES, Decoder, Encoder, OpusError, has_fec, packet_samples
from appliance.media.playout import Playout
from appliance.media.rtp import Data, ReportBlock
from appliance.rooms.downlink import Downlink
from appliance.rooms.proof import MuteProof
from appliance.rooms.uplink import CodecSettings, Uplink
from tests.fuzz import mutate
from tests.fuzz.target import Run, Target, simple
from tests.host import dtls_client
from tests.rooms.path import Wire
from tests.rooms.test_uplink import REDUNDANT

_LEVEL, _MID = 2, 1


def _speech(frame_ms: int = 20, count: int = 6) -> tuple[bytes, ...]:
    encoder = Encoder(frame_ms)
    pcm = (synthetic(count * frame_ms / 1000 + 0.1) * 32_767).astype(np.int16)
    n = encoder.samples
    return tuple(encoder.encode(pcm[i * n : (i + 1) * n]) for i in range(count))


FRAMES = _speech()
SHORT = _speech(10, 6)
SILENT = (b"\xf8\xff\xfe", b"\x08", b"\x0b\x01", b"\x78\x07")
"""Silence as the host and as DTX have it, and packets that say less than they should."""


def _packet(sequence: int, payload: Data, kind: int = sdp.DEVICE_OPUS, ssrc: int = 1, *, marker: bool = False) -> bytes:
    buffer = bytearray(2048)
    length = rtp.build_into(
        buffer,
        payload_type=kind,
        marker=marker,
        sequence=sequence,
        timestamp=sequence * 960,
        ssrc=ssrc,
        payload=payload,
        level_id=_LEVEL,
        level=-20.0,
        voice=True,
        mid_id=_MID,
        mid="0",
    )
    return bytes(buffer[:length])


def _redundant(at: int, count: int = 1) -> bytes:
    earlier = [(960 * back, FRAMES[at - back]) for back in range(count, 0, -1)]
    return red.build(sdp.DEVICE_OPUS, FRAMES[at], earlier)


PACKETS = (
    _packet(100, FRAMES[0], marker=True),
    _packet(65_535, b""),
    _packet(7, _redundant(3), sdp.DEVICE_RED),
    # Padding, contributing sources, two-byte extensions.
    b"\xb2\x6f\x00\x05"
    + bytes(16)
    + b"\x10\x00\x00\x02"
    + b"\x01\x01\x05\x02\x01\x06\x00\x00"
    + FRAMES[1]
    + b"\0\0\0\4",
)
REPORTS = (
    rtp.receiver_report(5, [ReportBlock(42, 30, -4, 7, 8, 9, 10), ReportBlock(1, 255, 2**23 - 1, 2**32 - 1, 8)]),
    rtp.sender_report(1, 1e9, 96_000, 100, 9_000, blocks=[ReportBlock(42, 3, 4, 5, 6)]),
    rtp.bye(1),
    rtp.receiver_report(5, [ReportBlock(n, n, n, n, n) for n in range(31)]),
)

# ---- one packet


def _rtp(data: bytes) -> None:
    packet = rtp.parse(data)
    if packet is not None:
        assert len(packet.payload) + len(packet.extensions) <= len(data)
        for ident in range(16):
            packet.extension(ident), packet.level(ident), packet.voice(ident), packet.mid(ident)


def _rtcp(data: bytes) -> None:
    assert len(rtp.parse_rtcp(data)) <= len(data) // 4


def _red(data: bytes) -> None:
    frames = red.split(data)
    assert red.primary(data) == (frames[-1].payload if frames else None)
    assert sum(len(frame.payload) for frame in frames) <= len(data)


def _header(data: bytes) -> None:
    packet = Datagram()
    packet.size = min(len(data), len(packet.data))
    packet.data[: packet.size] = data[: packet.size]
    header = host_packet.read_header(packet, _LEVEL)
    if header is not None:
        payload = host_packet.payload_of(packet, header)
        assert len(payload) <= packet.size
        host_packet.read_frames(payload, header, sdp.DEVICE_OPUS, sdp.DEVICE_RED)


# ---- STUN


_PASSWORD = b"a password of the host"


def _stun_request(*, nominated: bool) -> bytes:
    message = peer_stun.Message(peer_stun.Method.BINDING, peer_stun.Class.REQUEST)
    message.attributes.update({"USERNAME": "ours:theirs", "PRIORITY": 7, "ICE-CONTROLLING": 9})
    if nominated:
        message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity(_PASSWORD)
    message.add_fingerprint()
    return bytes(message)


def _stun(data: bytes) -> None:
    check = stun.parse(data)
    if check is not None:
        check.is_signed_with(_PASSWORD)
        assert len(stun.answer(check, ("192.0.2.1", 5000), _PASSWORD)) < 200


# ---- DTLS


def _hellos() -> tuple[bytes, ...]:
    """What a member's DTLS begins with, and the answer to a server that asks for more."""
    member = dtls_client.Client(dtls_client.context(dtls_client.identity()))
    first = member.exchange()
    return (*first, first[0] * 2, b"\x16\xfe\xfd" + bytes(60), b"\x15\xfe\xfd" + bytes(8) + b"\0\2\1\0")


def _certificate() -> Certificate:
    from pathlib import Path
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        return load_or_make(Path(folder) / "host.pem")[0]


@contextlib.contextmanager
def _dtls() -> Iterator[Run]:
    context = server_context(_certificate())

    def run(data: bytes) -> None:
        handshake = Handshake(context, bytes(32))
        try:
            for datagram in mutate.split(data):
                if not 20 <= next(iter(datagram), 0) <= 63:  # RFC 7983: only those get so far
                    continue
                assert handshake.receive(datagram) is None, "nobody gets keys without a certificate"
                assert sum(map(len, handshake.outgoing())) < 50_000
        finally:
            handshake.close()

    yield run


# ---- Opus


@contextlib.contextmanager
def _opus() -> Iterator[Run]:
    out = np.zeros(MOST_SAMPLES, np.int16)
    with Decoder() as decoder:

        def run(data: bytes) -> None:
            samples = packet_samples(data)
            assert 0 <= samples <= MOST_SAMPLES
            has_fec(data)
            decoder.conceal(out, 960)
            if samples:
                decoder.decode_fec(data, out, min(samples, 2880))
            assert decoder.decode(data, out) == samples

        yield run


# ---- several packets: what keeps a state


@contextlib.contextmanager
def _playout() -> Iterator[Run]:
    block = np.zeros(BLOCK, np.float32)
    with Decoder() as decoder:
        playout = Playout(decoder)
        now = 0.0

        def run(data: bytes) -> None:
            nonlocal now
            for record in mutate.split(data):
                packet = rtp.parse(record)
                if packet is not None:
                    (playout.push_redundant if packet.marker and packet.payload_type & 1 else playout.push)(packet, now)
                now += 0.01
                playout.pull(block)
                assert np.isfinite(block).all()

        yield run


@contextlib.contextmanager
def _downlink() -> Iterator[Run]:
    downlink = Downlink()
    downlink.attach(REDUNDANT)
    block, now = np.zeros(BLOCK, np.float32), 0.0

    def run(data: bytes) -> None:
        nonlocal now
        for record in mutate.split(data):
            downlink.push(memoryview(record), now)
            if 192 <= record[1:2][0] <= 223 if len(record) > 1 else False:
                downlink.heard_report(record, now)
            now += 0.01
            downlink.mix(block)
        for told in downlink.reception(now):
            assert 0 <= told.fraction_lost <= 255
            rtp.receiver_report(5, [told])

    yield run


@contextlib.contextmanager
def _reports() -> Iterator[Run]:
    codec = CodecSettings()
    uplink = Uplink(codec, MuteProof(codec.encoder, codec.frame_ms), Counters())
    uplink.attach(Wire(), REDUNDANT)
    now = 0.0

    def run(data: bytes) -> None:
        nonlocal now
        now += 0.3
        uplink.heard_report(data, now)
        assert uplink._attached is not None
        assert 1 <= uplink._attached.protection.blocks <= 2

    yield run


def _rows() -> tuple[bytes, ...]:
    """Streams: plain, redundant, with a loss and a switch of the talker, with reports in between."""
    plain = [_packet(n, frame, marker=n == 0) for n, frame in enumerate(FRAMES[:6])]
    redundant = [_packet(n, _redundant(n, min(n, 2)), sdp.DEVICE_RED) for n in range(6)]
    other = [_packet(40_000 + n, frame, ssrc=2, marker=n == 0) for n, frame in enumerate(SHORT[:3])]
    rests = [_packet(n * 20, SILENT[n % len(SILENT)]) for n in range(4)]
    rows = (plain, redundant, plain[:2] + plain[4:] + other, plain[:2] + list(REPORTS[:3]) + rests)
    return tuple(map(mutate.join, rows))


def targets() -> list[Target]:
    """All of this file."""
    binary, rows = mutate.binary, _rows()
    payloads = (*FRAMES, *SHORT[:2], *SILENT, b"\xff\x41" + bytes(200), struct.pack("!BB", 0x03, 0xC1) + bytes(40))
    return [
        Target("rtp", binary, PACKETS, simple(_rtp)),
        Target("rtcp", binary, REPORTS, simple(_rtcp)),
        Target("red", binary, (_redundant(3), _redundant(4, 2), red.build(111, b"x")), simple(_red)),
        Target("host_header", binary, PACKETS, simple(_header)),
        Target("stun", binary, (_stun_request(nominated=True), _stun_request(nominated=False)), simple(_stun)),
        Target("dtls", mutate.records, tuple(mutate.join([hello, hello]) for hello in _hellos()), _dtls, (DtlsError,)),
        Target("opus", binary, payloads, _opus, (OpusError,)),
        Target("playout", mutate.records, rows, _playout),
        Target("downlink", mutate.records, rows, _downlink),
        Target("reports", binary, REPORTS, _reports),
    ]
