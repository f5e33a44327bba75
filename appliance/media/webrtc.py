# ruff: noqa: SLF001  # private parts of aiortc are the business of this file
"""The device's ICE, DTLS and SRTP, from aioice, aiortc and pylibsrtp, without a peer connection.

The only file that imports aiortc and aioice. :data:`PRIVATE_PARTS` lists what it and srtp.py use of theirs that is private,
and tests/media/test_webrtc.py fails when something of it changes. What a packet goes through is ours: ready RTP packets are
protected in place and handed to the socket by the thread that made them; what comes is deciphered in place and given on
without a queue or a task.

The other side is an ICE-lite host (RFC 8445, 2.5): it learns our address from our check, so nothing is gathered before its
answer names where it listens, and the one candidate that leads there is all that is needed. That works on loopback, and
without AF_NETLINK in a sandbox.
"""

import asyncio
import contextlib
import importlib.util
import secrets
import socket
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, cast

import aioice
from aioice.ice import StunProtocol
from OpenSSL import SSL

from appliance.core import sdp
from appliance.media.polled import PolledSocket
from appliance.media.srtp import MOST_BYTES, Incoming, Outgoing


@contextlib.contextmanager
def _light_aiortc() -> Iterator[None]:
    """Let single modules of aiortc be imported without the rest of it, which would load PyAV (docs/adr/).

    Meanwhile ``aiortc`` is a package whose ``__init__`` did not run, and ``av`` one name. Both go again: whoever imports
    aiortc or av later in this process gets the whole.
    """
    placed: list[str] = []
    if "aiortc" not in sys.modules and (spec := importlib.util.find_spec("aiortc")) is not None:
        sys.modules["aiortc"] = importlib.util.module_from_spec(spec)
        placed.append("aiortc")
        if "av" not in sys.modules:
            av = types.ModuleType("av")
            av.AudioFrame = object  # type: ignore[attr-defined]  # aiortc.rtp names it in one annotation
            sys.modules["av"] = av
            placed.append("av")
    try:
        yield
    finally:
        for name in placed:
            del sys.modules[name]


with _light_aiortc():
    from aiortc.rtcdtlstransport import (
        RTCCertificate,
        RTCDtlsFingerprint,
        RTCDtlsParameters,
        RTCDtlsTransport,
        SRTPProtectionProfile,
    )
    from aiortc.rtcicetransport import RTCIceTransport

VERSIONS: Mapping[str, str] = MappingProxyType({"aiortc": "1.16.0", "aioice": "0.13.0", "pylibsrtp": "1.0.0"})
"""What this file was written against and is tested with."""

PRIVATE_PARTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "aiortc.rtcdtlstransport.RTCCertificate": ("_create_ssl_context", "_cert", "_key"),
        "aiortc.rtcdtlstransport.RTCDtlsTransport": (
            "_set_role",
            "_rx_srtp",
            "_tx_srtp",
            "_task",
        ),
        "aioice.Connection": (
            "_local_candidates",
            "_local_candidates_start",
            "_local_candidates_end",
            "_nominated",
            "_protocols",
            "_queue",
            "data_received",
            "get_component_candidates",
        ),
        "asyncio.selector_events._SelectorDatagramTransport": ("max_size", "_read_ready"),
        "asyncio.selector_events.BaseSelectorEventLoop": ("_add_reader", "_remove_reader"),
        "pylibsrtp.Session": ("_srtp",),
        "pylibsrtp": ("ffi", "lib"),
    }
)
"""Names without a promise that this file relies on."""

_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:"
    b"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305"
)
_DTLS_WAITING = 32  # datagrams; a handshake has five
_CONNECT_SECONDS = 5.0


class TransportError(Exception):
    """The media connection did not come up; one sentence."""


class CertificateMismatch(TransportError):
    """The host shows another certificate than the one it is pinned to."""


class _Certificate(RTCCertificate):
    """A certificate whose context is made for the client, and without a Python callback in OpenSSL.

    pyOpenSSL makes callbacks with cffi, which needs memory that is writable and executable: MemoryDenyWriteExecute=yes
    refuses it. A client needs none: it gets the server's certificate in any case, and that is checked against the
    fingerprint in the answer (RFC 8122, 5), not against authorities.
    """

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_options(SSL.OP_NO_TICKET)
        context.set_verify(SSL.VERIFY_NONE)
        context.use_certificate(self._cert)
        context.use_privatekey(self._key)
        context.set_cipher_list(_CIPHERS)
        context.set_tlsext_use_srtp(b":".join(profile.openssl_profile for profile in srtp_profiles))
        return context


class _Ice(aioice.Connection):
    """The ICE side of one connection: controlling, without STUN or TURN servers, with one socket per address family.

    It stands in for aiortc's RTCIceTransport, of which the DTLS transport uses ``role``, ``_recv`` and ``_send``.
    """

    role = "controlling"
    _recv = aioice.Connection.recv
    _send = aioice.Connection.send

    def __init__(self, on_media: Callable[[bytes], None], count: Callable[[str], None]) -> None:
        super().__init__(ice_controlling=True)
        self._on_media = on_media
        self._count = count

    async def gather_towards(self, remote: list[aioice.Candidate]) -> None:
        """Open a socket on each own address from which one of ``remote`` is reached."""
        addresses = {_own_address(candidate.host, candidate.port) for candidate in remote} - {None}
        self._local_candidates_start = True
        self._local_candidates += await self.get_component_candidates(1, sorted(cast("set[str]", addresses)))
        self._local_candidates_end = True
        for protocol in self._protocols:
            self._part(protocol)

    def _part(self, protocol: StunProtocol) -> None:
        """Take media before aioice tries to read it as STUN, which is an exception for each packet."""
        others = protocol.datagram_received

        def datagram_received(data: bytes, address: tuple[Any, ...]) -> None:
            if data and 128 <= data[0] <= 191:
                self._on_media(data)
            else:
                others(data, address)

        protocol.datagram_received = datagram_received  # type: ignore[method-assign, assignment]
        # asyncio reads each datagram into 256 KiB of fresh memory: 13 µs of 16 go into mapping it.
        cast(Any, protocol.transport).max_size = 2 * MOST_BYTES

    def data_received(self, data: bytes, component: int) -> None:
        """What is neither STUN nor media (RFC 7983): DTLS waits for its task, all else is dropped."""
        if data and 20 <= data[0] <= 63 and self._queue.qsize() < _DTLS_WAITING:
            super().data_received(data, component)
        else:
            self._count("packets_junk")

    def way(self) -> socket.socket:
        """A socket of our own on the connection's port, non-blocking.

        Connecting it connects the port: the kernel keeps the route, and drops what comes from anybody but the host.
        """
        pair = self._nominated[1]
        shared = pair.protocol.transport.get_extra_info("socket")
        own = socket.fromfd(shared.fileno(), shared.family, shared.type)
        own.setblocking(False)
        own.connect(pair.remote_addr)
        return own

    def polled(self, on_media: Callable[[memoryview], None]) -> PolledSocket:
        """The connection's socket, for a thread that reads it instead of the loop."""
        pair = self._nominated[1]
        protocol, address, loop = pair.protocol, pair.remote_addr, asyncio.get_running_loop()

        def take(datagram: memoryview) -> None:
            if 128 <= datagram[0] <= 191:
                on_media(datagram)
            else:
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(protocol.datagram_received, bytes(datagram), address)

        return PolledSocket(protocol.transport, take)


def _own_address(host: str, port: int) -> str | None:
    """The own address that the kernel would send from to ``host``; sends nothing. None: there is no way there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, port))
        except OSError:
            return None
        return str(probe.getsockname()[0])


class DeviceTransport:
    """One media connection to a host: offer, connect, send, close. It is never used again after that.

    All methods belong to the loop, but for :meth:`send_rtp`, :attr:`buffer` and :meth:`poll`, which belong to one thread.

    :param on_rtp: gets each RTP packet and the loop's time; the memory is used again after the call.
    :param on_rtcp: the same for RTCP.
    :param on_lost: told once, with one sentence, when a connection that was up has ended without :meth:`close`.
    :param count: adds one to a counter of ``core/counters.py``.
    """

    def __init__(
        self,
        on_rtp: Callable[[memoryview, float], None],
        on_rtcp: Callable[[memoryview, float], None],
        on_lost: Callable[[str], None],
        count: Callable[[str], None],
    ) -> None:
        self.ssrc = secrets.randbits(32) or 1
        self._on_rtp = on_rtp
        self._on_rtcp = on_rtcp
        self._on_lost = on_lost
        self._count = count
        self._loop = asyncio.get_running_loop()
        self._certificate = _Certificate.generateCertificate()
        self._ice = _Ice(self._media, count)
        # It stands in for an RTCIceTransport; test_webrtc.py watches what the DTLS transport takes from it.
        self._dtls = RTCDtlsTransport(cast(RTCIceTransport, self._ice), [self._certificate])
        self._outgoing: Outgoing | None = None
        self._incoming: Incoming | None = None
        self._polled: PolledSocket | None = None
        self._closing = False
        self.last_heard = self._loop.time()
        """The loop's time of the last packet that was really the host's."""

    def offer(self) -> str:
        """The SDP offer: one sendrecv and two recvonly audio sections on one transport, ours the DTLS client."""
        fingerprint = next(f.value for f in self._certificate.getFingerprints() if f.algorithm == "sha-256")
        local = sdp.LocalTransport(self._ice.local_username, self._ice.local_password, fingerprint)
        return sdp.build_offer(local, (), ssrc=self.ssrc)

    async def connect(self, answer: sdp.Answer, pinned: bytes | None = None) -> None:
        """Bring the connection up.

        :param pinned: the SHA-256 of the one certificate that the host may show; None takes the one in the answer.
        :raises TransportError: it did not come up, within 5 s.
        """
        if pinned is not None and pinned != answer.fingerprint:
            raise CertificateMismatch("The server's certificate is not the pinned one.")
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await self._connect_ice(answer)
                await self._connect_dtls(answer)
        except TimeoutError:
            raise TransportError("The server does not answer on its media port: a firewall may block UDP.") from None
        self._incoming = Incoming(self._dtls._rx_srtp, self._on_rtp, self._on_rtcp, self._count)
        self._outgoing = Outgoing(self._dtls._tx_srtp, self._ice.way())
        self._polled = self._ice.polled(self._media)
        self.last_heard = self._loop.time()

    async def _connect_ice(self, answer: sdp.Answer) -> None:
        remote = _candidates(answer)
        await self._ice.gather_towards(remote)
        self._ice.remote_is_lite = answer.ice_lite
        self._ice.remote_username, self._ice.remote_password = answer.ufrag, answer.pwd
        for candidate in remote:
            await self._ice.add_remote_candidate(candidate)
        await self._ice.add_remote_candidate(None)
        try:
            await self._ice.connect()
        except ConnectionError:
            raise TransportError("There is no way to the server's media port.") from None

    async def _connect_dtls(self, answer: sdp.Answer) -> None:
        self._dtls._set_role("client")
        fingerprint = RTCDtlsFingerprint("sha-256", sdp.fingerprint_text(answer.fingerprint))
        await self._dtls.start(RTCDtlsParameters([fingerprint]))
        if self._dtls.state != "connected":
            raise TransportError("The server's media port did not prove to be the server's (DTLS).")
        self._dtls.on("statechange", self._dtls_changed)

    def _dtls_changed(self) -> None:
        if not self._closing:
            self._closing = True
            self._on_lost("The server ended the media connection.")

    def _media(self, data: bytes | memoryview) -> None:
        incoming, now = self._incoming, self._loop.time()
        if incoming is not None and incoming.take(data, now):
            self.last_heard = now

    def poll(self) -> None:
        """Read what has come, on the calling thread, which from now on has to call often: the loop lets it.

        ``on_rtp`` and ``on_rtcp`` are called here then. A thread that stops polling is replaced by the loop after 0.2 s.
        """
        polled = self._polled
        if polled is not None:
            polled.poll()

    @property
    def connected(self) -> bool:
        """Whether packets can be sent."""
        return self._outgoing is not None and not self._closing

    @property
    def buffer(self) -> bytearray:
        """Where the sending thread builds its next RTP packet. At most srtp.MOST_BYTES long; connected only."""
        if self._outgoing is None:
            raise TransportError("The transport is not connected.")
        return self._outgoing.buffer

    def send_rtp(self, length: int) -> bool:
        """Protect and send the first ``length`` bytes of :attr:`buffer`, here and now. False when it did not leave."""
        return self._outgoing is not None and self._outgoing.rtp(length)

    def send_rtcp(self, packet: bytes) -> bool:
        """Protect and send one RTCP packet (from the loop). False when it did not leave."""
        return self._outgoing is not None and self._outgoing.rtcp(packet)

    def stop_sending(self) -> None:
        """Let no packet leave from now on, whatever a thread is doing."""
        if self._outgoing is not None:
            self._outgoing.close()

    async def close(self) -> None:
        """End the connection; the host is told. May be called at any time, also after a failed connect."""
        self._closing = True
        self.stop_sending()
        if self._polled is not None:
            self._polled.close()
        self._incoming = None
        pump = cast("asyncio.Task[Any] | None", self._dtls._task)
        with contextlib.suppress(ConnectionError):
            await self._dtls.stop()
        if pump is not None:
            await asyncio.wait([pump])
        await self._ice.close()


def _candidates(answer: sdp.Answer) -> list[aioice.Candidate]:
    """The places where the host listens, UDP only.

    :raises TransportError: there is none.
    """
    found = []
    for text in answer.candidates:
        with contextlib.suppress(ValueError, IndexError, AssertionError):
            candidate = aioice.Candidate.from_sdp(text)
            if candidate.transport.lower() == "udp" and candidate.component == 1:
                found.append(candidate)
    if not found:
        raise TransportError("The server's answer names no media port.")
    return found
