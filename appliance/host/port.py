"""One UDP port for everybody: ICE-lite, DTLS and SRTP, told apart by the first byte (RFC 7983, RFC 8445).

A :class:`Peer` is one member's media session. It is reached through its user fragment (STUN) until an address has passed a
check, and through that address from then on. A valid check with USE-CANDIDATE from another address moves it: from Wi-Fi to
cable without a new join. DTLS and SRTP count only from addresses that passed a check, so no cookie is needed.

IPv4 only for now.
"""

import asyncio
import secrets
import socket
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from OpenSSL import SSL

from appliance.core.counters import Counters
from appliance.host import stun
from appliance.host.config import Rate
from appliance.host.dtls import DtlsError, Endless, ForeignCertificate, Handshake, Keys
from appliance.host.fan_out import Address
from appliance.host.limits import Bucket, Buckets
from appliance.host.srtp import Datagram, Inbound, Outbound

_BATCH = 128
"""Datagrams read in one turn of the loop; timers and HTTP come in between."""

_BUFFER = 4 << 20
"""Bytes asked of the kernel for each direction: a talker's packet to hundreds of listeners is one burst."""

_MOST_ADDRESSES = 8
"""Addresses of one peer that passed a check and may be used."""

_STALE = 2.0
"""Seconds without a sign of life after which another peer may take over an address (a port mapping used again)."""

_MOST_FAILURES = 4
"""Handshakes of one peer that may fail: junk from its address must not end it, a real mismatch must."""

_CHECKS = Rate(50.0, 200.0)
"""STUN checks from one address and port. A browser that connects sends some 20 a second for each way it tries."""

_RECORDS = Rate(20.0, 128.0)
"""DTLS datagrams from one peer: a handshake takes a dozen, and afterwards there are alerts at most."""


_MOST_WAITING = 1024
"""DTLS datagrams that wait for their turn."""


class Ended(StrEnum):
    """Why the port gave a peer up."""

    CLOSED = "closed"
    CERTIFICATE = "foreign certificate"
    HANDSHAKE = "handshake failed"


class Owner(Protocol):
    """Whom a peer's media concerns. All is called on the loop."""

    def up(self) -> None:
        """The keys are there: media can flow."""

    def moved(self) -> None:
        """The peer has another address."""

    def down(self, why: Ended) -> None:
        """The peer is gone; the owner removes it from the port."""

    def rtp(self, packet: Datagram, now: float) -> None:
        """An RTP packet, not yet opened: the owner may want to skip it."""

    def rtcp(self, packet: Datagram, now: float) -> None:
        """An RTCP packet, opened."""


class Peer:
    """One member's media session on the port.

    :param begins: we begin with DTLS, as soon as a check has come; otherwise the peer does.
    """

    def __init__(self, fingerprint: bytes, owner: Owner, now: float, *, begins: bool = False) -> None:
        self.ufrag = secrets.token_hex(8)
        self.password = secrets.token_hex(16)
        self.fingerprint = fingerprint
        self.begins = begins
        self.records = Bucket(_RECORDS, now)
        self.owner = owner
        self.heard = now
        """When the last thing came that only this peer can have sent."""
        self.address: Address | None = None
        """Where it is sent to."""
        self.inbound: Inbound | None = None
        self.outbound: Outbound | None = None
        self.addresses: list[Address] = []
        self.handshake: Handshake | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.failures = 0


class Port:
    """The socket, and the peers behind it."""

    def __init__(self, context: SSL.Context, counters: Counters, on_error: Callable[[Exception], None]) -> None:
        self._context = context
        self._counters = counters
        self._on_error = on_error
        self._loop = asyncio.get_running_loop()
        self._by_ufrag: dict[str, Peer] = {}
        self._by_address: dict[Address, Peer] = {}
        self._packet = Datagram()
        self._handshaking: deque[tuple[Peer, bytes]] = deque()
        self._checks = Buckets(_CHECKS)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def open(self, host: str, port: int) -> None:
        """Bind and begin to read.

        :raises OSError: the address is taken or not ours.
        """
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
            self._socket.setblocking(False)
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self._loop.add_reader(self._socket, self._readable)

    @property
    def address(self) -> Address:
        """Where the socket is bound."""
        host, port = self._socket.getsockname()
        return host, port

    @property
    def descriptor(self) -> int:
        """The socket's file descriptor, for the fan-out."""
        return self._socket.fileno()

    def close(self) -> None:
        """Stop reading and let the port go. Peers are removed before."""
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def add(self, peer: Peer) -> None:
        """Let ``peer`` in: its checks are answered from now on."""
        self._by_ufrag[peer.ufrag] = peer

    def remove(self, peer: Peer) -> None:
        """Forget ``peer``, and tell it that DTLS has ended. A second time does nothing."""
        if self._by_ufrag.pop(peer.ufrag, None) is None:
            return
        if peer.timer is not None:
            peer.timer.cancel()
        if peer.handshake is not None:
            peer.handshake.close()
            self._flush(peer)
        for address in peer.addresses:
            if self._by_address.get(address) is peer:
                del self._by_address[address]
        peer.inbound = peer.outbound = peer.handshake = None

    def send_rtcp(self, peer: Peer, packet: bytes) -> None:
        """Protect and send an RTCP packet, if the peer is up."""
        sealed = peer.outbound.seal_rtcp(packet) if peer.outbound is not None else None
        if sealed is not None and peer.address is not None:
            self._send(sealed, peer.address)

    def _send(self, data: bytes, address: Address) -> None:
        try:
            self._socket.sendto(data, address)
        except OSError:  # full, no route, filtered: whoever waits for it asks again
            self._counters.add("host_packets_dropped")

    # ---- receiving

    def _readable(self) -> None:
        packet = self._packet
        now = self._loop.time()
        for _ in range(_BATCH):
            try:
                packet.size, address = self._socket.recvfrom_into(packet.data)
            except OSError:  # empty, or an error of an earlier send
                return
            self._counters.add("host_datagrams")
            try:
                self._take(packet, address, now)
            except Exception as error:  # noqa: BLE001  # one datagram must never disturb the others
                self._counters.add("host_datagrams_junk")
                self._on_error(error)

    def _take(self, packet: Datagram, address: Address, now: float) -> None:
        if packet.size == len(packet.data):  # it may have been longer still
            self._counters.add("host_datagrams_oversize")
            return
        kind = packet.data[0] if packet.size else 0xFF
        if 128 <= kind <= 191 and packet.size >= 12:
            peer = self._by_address.get(address)
            if peer is not None and peer.inbound is not None:
                self._take_media(peer, peer.inbound, packet, now)
                return
        elif kind <= 3:
            self._take_check(bytes(packet.view[: packet.size]), address, now)
            return
        elif 20 <= kind <= 63:
            peer = self._by_address.get(address)
            if peer is not None:
                self._take_dtls(peer, bytes(packet.view[: packet.size]), now)
                return
        self._counters.add("host_datagrams_junk")

    def _take_media(self, peer: Peer, inbound: Inbound, packet: Datagram, now: float) -> None:
        if not 192 <= packet.data[1] <= 223:  # RFC 5761, section 4
            peer.owner.rtp(packet, now)
        elif inbound.open_rtcp(packet):
            peer.heard = now
            peer.owner.rtcp(packet, now)
        else:
            self._counters.add("host_srtp_refused")

    # ---- ICE

    def _take_check(self, data: bytes, address: Address, now: float) -> None:
        if not self._checks.take(address, now):  # before anything is read of it
            self._counters.add("host_stun_flooded")
            return
        check = stun.parse(data)
        peer = self._by_ufrag.get(check.local) if check is not None else None
        if check is None or peer is None or not check.is_signed_with(peer.password.encode()):
            self._counters.add("host_stun_refused")
            return
        if not self._admit(peer, address, now):
            self._counters.add("host_stun_refused")
            return
        peer.heard = now
        self._send(stun.answer(check, address, peer.password.encode()), address)
        if peer.address is None:
            peer.address = address
        elif check.nominated and peer.address != address:
            peer.address = address
            self._counters.add("host_moves")
            peer.owner.moved()
        if peer.begins and peer.handshake is None:
            handshake = peer.handshake = Handshake(self._context, peer.fingerprint, begins=True)
            self._step(peer, handshake.begin)

    def _admit(self, peer: Peer, address: Address, now: float) -> bool:
        """Let ``peer`` be known by ``address``, unless that is another's who is alive: nobody takes over a neighbour."""
        holder = self._by_address.get(address)
        if holder is peer:
            return True
        if holder is not None:
            if holder.address == address and now - holder.heard < _STALE:
                return False
            holder.addresses.remove(address)
        if len(peer.addresses) >= _MOST_ADDRESSES:
            oldest = next(known for known in peer.addresses if known != peer.address)
            peer.addresses.remove(oldest)
            del self._by_address[oldest]
        peer.addresses.append(address)
        self._by_address[address] = peer
        return True

    # ---- DTLS

    def _take_dtls(self, peer: Peer, data: bytes, now: float) -> None:
        if not peer.records.take(now):
            self._counters.add("host_dtls_flooded")
            return
        peer.heard = now
        if peer.begins:  # its media may be right behind
            self._receive(peer, data)
        elif len(self._handshaking) < _MOST_WAITING:
            if not self._handshaking:
                self._loop.call_soon(self._handshake)
            self._handshaking.append((peer, data))
        else:
            self._counters.add("host_dtls_flooded")

    def _handshake(self) -> None:
        """One step of one handshake in a turn of the loop: each costs up to a millisecond, and media is read in between."""
        peer, data = self._handshaking.popleft()
        if self._handshaking:
            self._loop.call_soon(self._handshake)
        if self._by_ufrag.get(peer.ufrag) is not peer:
            return
        try:
            self._receive(peer, data)
        except Exception as error:  # noqa: BLE001  # as in _readable
            self._counters.add("host_datagrams_junk")
            self._on_error(error)

    def _receive(self, peer: Peer, data: bytes) -> None:
        if peer.handshake is None:
            if peer.begins:  # it answers a hello that failed; the next check begins anew
                self._counters.add("host_datagrams_junk")
                return
            peer.handshake = Handshake(self._context, peer.fingerprint)
        handshake = peer.handshake
        self._step(peer, lambda: handshake.receive(data))
        if handshake.closed:
            peer.owner.down(Ended.CLOSED)

    def _elapse(self, peer: Peer) -> None:
        peer.timer = None
        if peer.handshake is not None:
            self._step(peer, peer.handshake.elapse)

    def _step(self, peer: Peer, step: Callable[[], Keys | None]) -> None:
        """Take the handshake one step further, send what it has to say, and set its timer."""
        try:
            keys = step()
        except DtlsError as error:
            self._fail(peer, error)
            return
        self._flush(peer)
        if peer.timer is not None:
            peer.timer.cancel()
            peer.timer = None
        if keys is not None:
            peer.inbound = Inbound(keys.profile, keys.inbound)
            peer.outbound = Outbound(keys.profile, keys.outbound)
            peer.owner.up()
        elif peer.inbound is None and peer.handshake is not None:
            left = peer.handshake.timeout
            if left is not None:
                peer.timer = self._loop.call_later(left, self._elapse, peer)

    def _fail(self, peer: Peer, error: DtlsError) -> None:
        """A handshake failed; the next datagram begins another one."""
        self._counters.add("host_dtls_endless" if isinstance(error, Endless) else "host_dtls_failures")
        self._flush(peer)  # the alert that says why
        peer.handshake = None
        peer.failures += 1
        if isinstance(error, ForeignCertificate):
            peer.owner.down(Ended.CERTIFICATE)
        elif peer.failures >= _MOST_FAILURES:
            peer.owner.down(Ended.HANDSHAKE)

    def _flush(self, peer: Peer) -> None:
        if peer.handshake is not None and peer.address is not None:
            for datagram in peer.handshake.outgoing():
                self._send(datagram, peer.address)
