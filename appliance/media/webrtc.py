# ruff: noqa: SLF001  # private parts of aiortc are the business of this file
"""The device's media connection: ICE (ice.py), DTLS from aiortc, SRTP by pylibsrtp (srtp.py), without a peer connection.

The only file that imports aiortc. :data:`PRIVATE_PARTS` lists what it and srtp.py use of foreign libraries that is private,
and tests/media/test_webrtc_libraries.py fails when something of it changes. What a packet goes through is ours: ready RTP
packets are protected in place and handed to the socket by the thread that made them; what comes is deciphered in place and
given on without a queue or a task.
"""

import asyncio
import contextlib
import importlib.util
import ipaddress
import secrets
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, cast

from OpenSSL import SSL

from appliance.core import sdp
from appliance.core.units import SLOTS
from appliance.media.ice import CONSENT, Agent, OpenRelay, RelayUse, Remote
from appliance.media.srtp import Incoming, Outgoing
from appliance.media.ways import Way


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
        "pylibsrtp.Session": ("_srtp",),
        "pylibsrtp": ("ffi", "lib"),
    }
)
"""Names without a promise that this file relies on."""

_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:"
    b"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305"
)
_TEND_EVERY = 0.25
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


class DeviceTransport:
    """One media connection to a host: offer, connect, send, close. It is never used again after that.

    It outlives cuts of the network and new addresses of this device, as long as the host keeps its end (ice.py).

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
        self._ice = Agent(self._media, self._go, count)
        # It stands in for an RTCIceTransport; test_webrtc_libraries.py watches what the DTLS transport takes from it.
        self._dtls = RTCDtlsTransport(cast(RTCIceTransport, self._ice), [self._certificate])
        self._outgoing: Outgoing | None = None
        self._incoming: Incoming | None = None
        self._way: Way | None = None
        self._tending: asyncio.Task[None] | None = None
        self._closing = False
        self._heard = self._loop.time()

    @property
    def last_heard(self) -> float:
        """The loop's time of the last thing that was really the host's: a packet, or its answer to a check."""
        return max(self._heard, self._ice.answered)

    @property
    def silence(self) -> float:
        """Seconds for which nothing of the host came, or none of our checks was answered, whichever is longer."""
        return max(self._loop.time() - self.last_heard, self._ice.doubt)

    @property
    def round_trip(self) -> float | None:
        """Seconds to the host and back; None: not known yet."""
        return self._ice.round_trip

    @property
    def relayed(self) -> bool:
        """Whether a relay stands between."""
        return self._way is not None and self._way.relayed

    def offer(self, slots: int = SLOTS) -> str:
        """The SDP offer: one sendrecv and the other recvonly audio sections on one transport, ours the DTLS client.

        :param slots: how many sections, to hear one stream in each.
        """
        fingerprint = next(f.value for f in self._certificate.getFingerprints() if f.algorithm == "sha-256")
        local = sdp.LocalTransport(self._ice.local_username, self._ice.local_password, fingerprint)
        return sdp.build_offer(local, (), slots, ssrc=self.ssrc)

    async def connect(
        self,
        answer: sdp.Answer,
        pinned: bytes | None = None,
        relay: OpenRelay | None = None,
        use: RelayUse = "when_needed",
    ) -> None:
        """Bring the connection up.

        :param pinned: the SHA-256 of the one certificate that the host may show; None takes the one in the answer.
        :param relay: opens a way through a relay (relay.py).
        :param use: when it is taken.
        :raises TransportError: it did not come up, within 5 s.
        """
        if pinned is not None and pinned != answer.fingerprint:
            raise CertificateMismatch("The server's certificate is not the pinned one.")
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await self._ice.connect(_remote(answer), relay, use)
                await self._connect_dtls(answer)
        except TimeoutError:
            raise TransportError("The server does not answer on its media port: a firewall may block UDP.") from None
        except ConnectionError:
            raise TransportError("There is no way to the server's media port.") from None
        if self._way is None:
            raise TransportError("The connection was closed.")
        self._incoming = Incoming(self._dtls._rx_srtp, self._on_rtp, self._on_rtcp, self._count)
        self._outgoing = Outgoing(self._dtls._tx_srtp, self._way.send)
        self._heard = self._loop.time()
        self._tending = asyncio.create_task(self._tend(), name="ice-tend")

    async def _connect_dtls(self, answer: sdp.Answer) -> None:
        self._dtls._set_role("client")
        fingerprint = RTCDtlsFingerprint("sha-256", sdp.fingerprint_text(answer.fingerprint))
        await self._dtls.start(RTCDtlsParameters([fingerprint]))
        if self._dtls.state != "connected":
            raise TransportError("The server's media port did not prove to be the server's (DTLS).")
        self._dtls.on("statechange", self._dtls_changed)

    def _dtls_changed(self) -> None:
        self._end("The server ended the media connection.")

    def _end(self, why: str) -> None:
        if not self._closing:
            self._closing = True
            self.stop_sending()
            self._on_lost(why)

    async def _tend(self) -> None:
        """Keep the way, and find another when it leads nowhere any more."""
        while not self._closing:
            await asyncio.sleep(_TEND_EVERY)
            if self.silence > CONSENT:
                self._end("The server has not answered for half a minute.")
                return
            self._ice.tend(self.silence)

    def _go(self, way: Way) -> None:
        """Packets go this way from now on."""
        moved, self._way = self._way is not None, way
        if moved:
            self._count("link_moves")
        if self._outgoing is not None:
            self._outgoing.move(way.send)

    def _media(self, data: bytes | memoryview) -> None:
        incoming, now = self._incoming, self._loop.time()
        if incoming is not None and incoming.take(data, now):
            self._heard = now

    def poll(self) -> None:
        """Read what has come, on the calling thread, which from now on has to call often: the loop lets it.

        ``on_rtp`` and ``on_rtcp`` are called here then. A thread that stops polling is replaced by the loop after 0.2 s.
        """
        way = self._way
        if way is not None:
            way.poll()

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

    @property
    def rtp_packets(self) -> int:
        """Packets of media that were to leave."""
        return self._outgoing.rtp_packets if self._outgoing is not None else 0

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
        self._incoming = None
        tasks = [task for task in (self._tending, cast("asyncio.Task[Any] | None", self._dtls._task)) if task]
        if self._tending is not None:
            self._tending.cancel()
        with contextlib.suppress(ConnectionError):
            await self._dtls.stop()
        if tasks:
            await asyncio.wait(tasks)
        await self._ice.close()


def _remote(answer: sdp.Answer) -> Remote:
    """The host as its answer tells of it: its candidates are UDP places.

    :raises TransportError: there is none.
    """
    places = []
    for text in answer.candidates:
        words = text.split()
        with contextlib.suppress(ValueError, IndexError):
            if words[1] == "1" and words[2].lower() == "udp":
                places.append((str(ipaddress.ip_address(words[4])), int(words[5])))
    if not places:
        raise TransportError("The server's answer names no media port.")
    return Remote(answer.ufrag, answer.pwd, tuple(dict.fromkeys(places)))
