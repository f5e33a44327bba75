"""The media connection of a member: it is held through what ends a presence socket, and through cuts of the network.

The host keeps its end for some seconds without a sign of life. So after a cut, or when this device has another address, sound
comes back with the first packets, while presence is still finding its way; a new join is needed only when the host has given
us up, or is another.
"""

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from appliance.core.reconnect import Fault
from appliance.core.state import WayState
from appliance.core.units import SLOTS
from appliance.media import relay
from appliance.media.ice import RelayUse
from appliance.media.webrtc import CertificateMismatch, DeviceTransport, TransportError
from appliance.rooms.downlink import Downlink
from appliance.rooms.signalling import Joined, Lost
from appliance.rooms.uplink import Uplink

MEDIA_SILENCE = 2.0
"""Seconds without anything of the host (it reports twice a second), or without an answer to the checks that are sent, after
which the room counts as lost."""

_JUST_NOW = 0.5
_RESUME = 0.7
"""Seconds in which a connection that is held has to be answered once the host is reached; a check goes out four times a
second."""
_WATCH = 0.25
_REPORT_EVERY = 1.0
_WORD = 1.0
"""Seconds that the presence socket has to say why the host ended the media connection."""


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """How the media connection is to be."""

    pinned: bytes | None = None
    """SHA-256 of the certificate that the host's media port has to show; None takes the one its answer names."""
    relay: RelayUse = "when_needed"
    slots: int = SLOTS
    """Streams that the host sends at a time."""


class Doorstep(Protocol):
    """Where a media connection is offered: :class:`appliance.rooms.signalling.Signalling`, or what another engine has."""

    @property
    def tls(self) -> ssl.SSLContext | None:
        """Checks the certificates of relays."""

    async def join(self, token: str, offer: str) -> Joined:
        """Offer it. Raises Lost: it is not taken."""


class HeldMedia:
    """At most one connection at a time. Loop only; the exchange thread polls :attr:`transport`."""

    def __init__(
        self, settings: MediaSettings, uplink: Uplink, downlink: Downlink, count: Callable[[str], None]
    ) -> None:
        self._settings, self._uplink, self._downlink, self._count = settings, uplink, downlink, count
        self._ended = asyncio.Event()
        self._closing: set[asyncio.Task[None]] = set()
        self.transport: DeviceTransport | None = None
        """The connection that packets come by."""
        self.joined: Joined | None = None

    @property
    def way(self) -> WayState:
        """How the way to the room and back is, from the checks of ICE and the reports of RTP."""
        transport = self.transport
        if transport is None:
            return WayState()
        rtt = transport.round_trip
        return WayState(
            rtt_ms=None if rtt is None else rtt * 1000,
            loss=self._uplink.loss,
            jitter_ms=self._downlink.jitter_ms,
            delay_ms=self._downlink.delay_ms,
            relayed=transport.relayed,
        )

    def alive_within(self, seconds: float) -> bool:
        """Whether there is a connection, and it was seen to lead both ways this lately."""
        transport = self.transport
        return transport is not None and transport.connected and transport.silence <= seconds

    async def resume(self) -> bool:
        """Whether the connection of before still leads to the host, which has just been reached."""
        end = asyncio.get_running_loop().time() + _RESUME
        while self.transport is not None and self.transport.connected:
            if self.alive_within(_JUST_NOW):
                return True
            if asyncio.get_running_loop().time() > end:
                break
            await asyncio.sleep(_WATCH / 5)
        return False

    async def join(self, signalling: Doorstep, token: str) -> None:
        """Join anew; what was held is let go.

        :raises Lost: the host refuses, or media does not find its way.
        """
        self.let_go()
        ended = self._ended = asyncio.Event()  # of this one: what the one before has still to tell is no matter
        transport = DeviceTransport(self._downlink.push, self._heard_report, lambda _: ended.set(), self._count)
        try:
            joined = self.joined = await signalling.join(token, transport.offer(self._settings.slots))
            opens = relay.through(joined.relays, signalling.tls)
            await transport.connect(joined.answer, self._settings.pinned, opens, self._settings.relay)
        except CertificateMismatch as mismatch:
            self._close(transport)
            raise Lost(Fault("refused"), str(mismatch)) from None
        except TransportError as failure:
            self._close(transport)
            raise Lost(Fault("network"), str(failure)) from None
        except BaseException:
            self._close(transport)
            raise
        self._downlink.attach(joined.answer)
        self._uplink.attach(transport, joined.answer)
        self.transport = transport

    def _heard_report(self, packet: memoryview, now: float) -> None:
        self._uplink.heard_report(packet, now)
        self._downlink.heard_report(packet, now)

    async def watch(self) -> None:
        """Send a report each second. Ends only by raising.

        :raises Lost: the host ended the connection, or nothing has come for two seconds.
        """
        loop, transport = asyncio.get_running_loop(), self.transport
        reported, silent = loop.time() - _REPORT_EVERY, 0
        while transport is not None and transport.connected:
            now = loop.time()
            # Two looks in a row: after a stall of our own loop the packets of meanwhile are read first.
            silent = silent + 1 if transport.silence > MEDIA_SILENCE else 0
            if silent > 1:
                raise Lost(Fault("network"), "The server has not answered for two seconds.")
            if now - reported >= _REPORT_EVERY:
                reported = now
                report = self._uplink.report(time.time(), self._downlink.reception(now))
                if report is not None:
                    transport.send_rtcp(report)
            await _either(self._ended, _WATCH)
        await asyncio.sleep(_WORD)
        raise Lost(Fault("network"), "The server ended the media connection.")

    def let_go(self) -> None:
        """End the connection: nothing leaves by it from now on, and nothing of it is heard."""
        transport, self.transport = self.transport, None
        self.joined = None
        if transport is not None:
            self._uplink.detach()
            self._downlink.detach()
            self._close(transport)

    def _close(self, transport: DeviceTransport) -> None:
        """In the background: on a network that is away this takes a moment."""
        task = asyncio.create_task(transport.close(), name="media-close")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def closed(self) -> None:
        """Wait until every connection of before has ended."""
        await asyncio.gather(*self._closing)


async def _either(event: asyncio.Event, seconds: float) -> None:
    """Wait for ``event``, at most so long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
