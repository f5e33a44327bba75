"""The device's transport against stock aiortc on the other side, over real sockets on loopback."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aioice
import pytest
from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport
from aiortc.rtcdtlstransport import generate_certificate
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL
from pylibsrtp import Policy, Session

from appliance.core import sdp
from appliance.media import ice, ways, webrtc
from tests.support import until

RTP = bytes.fromhex("806f 1234 00000001 0000002a") + b"some opus bytes"
RECEIVER_REPORT = bytes.fromhex("80c9 0001 0000002a")


class Peer:
    """The host's part, played by aioice and aiortc as they come: controlled, DTLS server."""

    def __init__(self, certificate: RTCCertificate | None = None) -> None:
        self.rtp: list[bytes] = []
        self.rtcp: list[bytes] = []
        self.ice = aioice.Connection(ice_controlling=False)
        self.certificate = certificate or RTCCertificate.generateCertificate()
        self.ice.role, self.ice._recv, self.ice._send = "controlled", self.ice.recv, self.ice.send  # type: ignore[attr-defined]
        self.dtls = RTCDtlsTransport(self.ice, [self.certificate])  # type: ignore[arg-type]
        self.dtls._set_role("server")
        if isinstance(self.certificate, ForgivingCertificate):
            self.dtls._validate_peer_identity = lambda _: None  # type: ignore[method-assign, assignment]
        self.dtls._handle_rtp_data = self._on_rtp  # type: ignore[method-assign]
        self.dtls._handle_rtcp_data = self._on_rtcp  # type: ignore[method-assign]

    async def _on_rtp(self, data: bytes, arrival_time_ms: int) -> None:
        self.rtp.append(data)

    async def _on_rtcp(self, data: bytes) -> None:
        self.rtcp.append(data)

    @property
    def address(self) -> tuple[str, int]:
        candidate = self.ice.local_candidates[0]
        return candidate.host, candidate.port

    async def answer(self, offer_text: str, address: str = "127.0.0.1", fingerprint: str = "") -> sdp.Answer:
        offer = sdp.parse_offer(offer_text)
        self.ice._local_candidates_start = self.ice._local_candidates_end = True
        self.ice._local_candidates += await self.ice.get_component_candidates(1, [address])
        self.ice.remote_username, self.ice.remote_password = offer.ufrag, offer.pwd
        own = fingerprint or self.certificate.getFingerprints()[0].value
        host = sdp.HostTransport(self.ice.local_username, self.ice.local_password, own, *self.address, session_id=7)
        self.offered = RTCDtlsParameters([RTCDtlsFingerprint("sha-256", sdp.fingerprint_text(offer.fingerprint))])
        return sdp.parse_answer(sdp.build_answer(offer, host, [101, 102, 103]))

    async def run(self) -> None:
        await self.ice.connect()
        await self.dtls.start(self.offered)

    async def send(self, packet: bytes) -> None:
        await self.dtls._send_rtp(packet)

    def send_raw(self, data: bytes, address: tuple[str, int]) -> None:
        self.ice._protocols[0].transport.sendto(data, address)

    async def close(self) -> None:
        pump = self.dtls._task
        await self.dtls.stop()
        if pump is not None:
            await asyncio.wait([pump])
        await self.ice.close()


class Device:
    """The transport under test, with what it told."""

    def __init__(self) -> None:
        self.rtp: list[bytes] = []
        self.rtcp: list[bytes] = []
        self.lost: list[str] = []
        self.counts: Counter[str] = Counter()
        self.transport = webrtc.DeviceTransport(
            lambda packet, now: self.rtp.append(bytes(packet)),
            lambda packet, now: self.rtcp.append(bytes(packet)),
            self.lost.append,
            lambda name: self.counts.update([name]),
        )

    def send(self, packet: bytes) -> bool:
        self.transport.buffer[: len(packet)] = packet
        return self.transport.send_rtp(len(packet))


def own_place(device: Device) -> tuple[str, int]:
    """Where the device's socket is bound."""
    way = device.transport._way
    assert isinstance(way, ways.Direct) and way._socket._socket is not None
    host, port = way._socket._socket.getsockname()
    return host, port


class ForgivingCertificate(RTCCertificate):
    """A server's that asks for no certificate and so needs no callback: for the peer in the sandbox test."""

    def _create_ssl_context(self, srtp_profiles: Any) -> SSL.Context:
        return webrtc._Certificate._create_ssl_context(self, srtp_profiles)  # type: ignore[arg-type]


class RsaCertificate(RTCCertificate):
    """What a host shows that serves GStreamer too."""

    def _create_ssl_context(self, srtp_profiles: Any) -> SSL.Context:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(b"ECDHE-RSA-AES128-GCM-SHA256")
        return context


@asynccontextmanager
async def connected(
    address: str = "127.0.0.1", certificate: RTCCertificate | None = None
) -> AsyncIterator[tuple[Device, Peer]]:
    peer, device = Peer(certificate), Device()
    try:
        answer = await peer.answer(device.transport.offer(), address)
        running = asyncio.create_task(peer.run())
        await device.transport.connect(answer)
        await running
        yield device, peer
    finally:
        await device.transport.close()
        await peer.close()


async def test_packets_travel_both_ways_and_arrive_as_sent() -> None:
    async with connected() as (device, peer):
        assert device.transport.connected
        assert device.send(RTP)
        assert device.transport.send_rtcp(RECEIVER_REPORT)
        await peer.send(RTP)
        await peer.send(RECEIVER_REPORT)
        await until(lambda: peer.rtp and peer.rtcp and device.rtp and device.rtcp)
        assert peer.rtp == [RTP] == device.rtp
        assert peer.rtcp == [RECEIVER_REPORT] == device.rtcp
        assert not device.counts


async def test_packets_leave_from_another_thread_in_order() -> None:
    async with connected() as (device, peer):
        packets = [RTP[:2] + n.to_bytes(2) + RTP[4:] for n in range(200)]
        sent = await asyncio.to_thread(lambda: [device.send(packet) for packet in packets])
        assert all(sent)
        await until(lambda: len(peer.rtp) == len(packets))
        assert peer.rtp == packets
    # asyncio.to_thread leaves a worker to the loop
    await asyncio.get_running_loop().shutdown_default_executor()


async def test_it_connects_where_interfaces_cannot_be_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a sandbox without AF_NETLINK."""

    def refuse(**families: bool) -> list[str]:
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr("ifaddr.get_adapters", refuse)
    async with connected() as (device, peer):
        assert device.send(RTP)
        await until(lambda: peer.rtp)


async def test_it_works_over_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 on loopback")
    async with connected("::1") as (device, peer):
        assert device.send(RTP)
        await until(lambda: peer.rtp)


async def test_a_host_with_an_rsa_certificate_is_understood() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    certificate = RsaCertificate(key, generate_certificate(key))  # type: ignore[arg-type]
    async with connected(certificate=certificate) as (device, peer):
        assert device.send(RTP)
        await until(lambda: peer.rtp)


async def test_another_certificate_than_the_answers_is_refused() -> None:
    peer, device = Peer(), Device()
    answer = await peer.answer(device.transport.offer(), fingerprint=":".join(["AB"] * 32))
    running = asyncio.create_task(peer.run())
    with pytest.raises(webrtc.TransportError, match="did not prove to be the server's"):
        await device.transport.connect(answer)
    assert not device.transport.connected
    assert not device.transport.send_rtp(12)
    await device.transport.close()
    await running
    await peer.close()


async def test_another_certificate_than_the_pinned_one_is_refused_before_anything_is_sent() -> None:
    peer, device = Peer(), Device()
    answer = await peer.answer(device.transport.offer())
    with pytest.raises(webrtc.CertificateMismatch):
        await device.transport.connect(answer, pinned=bytes(32))
    await device.transport.close()
    await peer.close()


async def test_a_silent_host_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webrtc, "_CONNECT_SECONDS", 0.2)
    peer, device = Peer(), Device()
    answer = await peer.answer(device.transport.offer())
    await peer.ice.close()
    with pytest.raises(webrtc.TransportError, match="does not answer"):
        await device.transport.connect(answer)
    await device.transport.close()
    await peer.close()


async def test_an_answer_without_a_way_is_one_sentence() -> None:
    peer, device = Peer(), Device()
    answer = await peer.answer(device.transport.offer())
    object.__setattr__(answer, "candidates", ())
    with pytest.raises(webrtc.TransportError, match="names no media port"):
        await device.transport.connect(answer)
    await device.transport.close()
    await peer.close()


async def test_the_host_ending_the_connection_is_told_once() -> None:
    async with connected() as (device, peer):
        await peer.close()
        await until(lambda: device.lost)
        assert device.lost == ["The server ended the media connection."]
        assert not device.transport.connected


async def test_without_an_answer_for_long_nothing_is_sent_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's consent has run out (RFC 7675)."""
    monkeypatch.setattr(webrtc, "CONSENT", 0.5)
    monkeypatch.setattr(webrtc, "_TEND_EVERY", 0.05)
    monkeypatch.setattr(ice, "_CONSENT_EVERY", 0.1)
    async with connected() as (device, peer):
        await asyncio.sleep(0.8)
        assert device.lost == [], "checks that are answered are consent"
        monkeypatch.setattr(peer.ice, "request_received", lambda *_: None)
        await until(lambda: device.lost)
        assert device.lost == ["The server has not answered for half a minute."]
        assert not device.transport.connected
        assert not device.send(RTP)
        assert device.transport.silence > 0.5


async def test_packets_go_on_from_another_address() -> None:
    async with connected() as (device, peer):
        assert device.send(RTP)
        await until(lambda: peer.rtp)
        way = device.transport._way
        assert isinstance(way, ways.Direct)
        way.own = "192.0.2.1"  # where it left from is gone
        await until(lambda: device.counts["link_moves"] == 1)
        assert device.transport._way is not way
        assert not device.transport.relayed
        assert device.send(RTP[:2] + bytes.fromhex("1235") + RTP[4:])
        await until(lambda: len(peer.rtp) == 2)
        assert device.transport.send_rtcp(RECEIVER_REPORT)
        await until(lambda: peer.rtcp)
        await until(lambda: way._socket._socket is None)


async def test_closing_is_final_and_tells_nobody() -> None:
    async with connected() as (device, peer):
        device.transport.stop_sending()
        assert not device.send(RTP)
        assert not device.transport.send_rtcp(RECEIVER_REPORT)
        await device.transport.close()
        await asyncio.sleep(0.05)
        assert peer.rtp == []
        assert device.lost == []


async def test_junk_is_counted_and_disturbs_nothing() -> None:
    async with connected() as (device, peer):
        own = own_place(device)
        foreign = Session(
            Policy(
                key=bytes(28),
                ssrc_type=Policy.SSRC_ANY_OUTBOUND,
                srtp_profile=Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
            )
        )
        junk = [b"\xff" * 40, b"\x80", b"\x80" * 1700, b"\x16\xfe\xfd" * 20, b"\x00\x01" + bytes(18), b"hello"]
        for packet in [*junk, foreign.protect(RTP)]:
            peer.send_raw(packet, own)
        await peer.send(RTP)
        await until(lambda: device.rtp)
        assert device.rtp == [RTP]
        assert device.lost == []
        await until(lambda: device.counts["packets_refused"] == 1)
        assert device.counts["packets_junk"] == 5


async def test_what_strangers_send_does_not_even_arrive() -> None:
    async with connected() as (device, peer):
        own = own_place(device)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for packet in (RTP, b"hello", b"\x16\xfe\xfd" * 20):
                stranger.sendto(packet, own)
        await peer.send(RTP)
        await until(lambda: device.rtp)
        assert not device.counts


async def test_only_packets_of_the_host_count_as_heard() -> None:
    async with connected() as (device, peer):
        before = device.transport.last_heard
        own = own_place(device)
        await asyncio.sleep(0.02)
        peer.send_raw(RTP, own)
        await until(lambda: device.counts["packets_refused"])
        assert device.transport.last_heard == before
        await peer.send(RECEIVER_REPORT)
        await until(lambda: device.rtcp)
        assert device.transport.last_heard > before


async def test_the_offer_is_what_the_host_reads() -> None:
    device = Device()
    offer = sdp.parse_offer(device.transport.offer())
    assert [section.direction for section in offer.audio] == ["sendrecv", "recvonly", "recvonly"]
    assert offer.setup == "active"
    assert offer.talking is not None
    assert offer.talking.ssrcs == (device.transport.ssrc,)
    await device.transport.close()
