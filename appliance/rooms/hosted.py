"""The hosted room: being a member of our own host (DESIGN.md, "The hosted room").

A stay is: a token, an offer that is answered, the presence socket and the media connection side by side, until one of them
ends. Whatever ends it has a class of fault, and core/reconnect.py decides whether and when to come back.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
from yarl import URL

from appliance.core import protocol
from appliance.core.counters import Counters, total
from appliance.core.lamps import LinkPhase
from appliance.core.protocol import ServerMessage
from appliance.core.reconnect import Fault, Reconnect
from appliance.core.units import Block, Pcm
from appliance.media.webrtc import CertificateMismatch, DeviceTransport, TransportError
from appliance.rooms import contract
from appliance.rooms.contract import Capabilities, RoomEvent, RoomRefused, SiteReport
from appliance.rooms.downlink import Downlink
from appliance.rooms.presence import Outbox, Presence, Roomful, site_message
from appliance.rooms.proof import MuteProof
from appliance.rooms.signalling import Credentials, Joined, Lost, Signalling
from appliance.rooms.uplink import CodecSettings, Uplink

LONGEST_WAIT = 1.5
"""Seconds between two attempts to come back: the host is ours, and its members are few."""

MEDIA_SILENCE = 2.0
"""Seconds without any packet of the host (it sends a report each second) after which the connection counts as lost."""

_WATCH = 0.25
_REPORT_EVERY = 1.0
_LEAVE_SECONDS = 1.0
_WORD_SECONDS = 1.0

CAPABILITIES = Capabilities(
    real_levels=True,
    audio_per_member=True,
    hands=True,
    knocks=True,
    admin_mute=True,
    most_members=protocol.MOST_MEMBERS,
)


@dataclass(frozen=True, slots=True)
class HostedSettings:
    """What the engine needs to know."""

    url: str
    """The host, "http://…" or "https://…"."""
    room: str
    identity: str
    credentials: Credentials
    codec: CodecSettings = field(default_factory=CodecSettings)
    pinned: bytes | None = None
    """SHA-256 of the certificate that the host's media port has to show; None takes the one its answer names."""


class HostedEngine:
    """The engine for rooms of our own host; see :class:`appliance.rooms.contract.Engine`."""

    def __init__(self, settings: HostedSettings, rng: Callable[[], float] = random.random) -> None:
        self._settings = settings
        self._counters = Counters()
        self._sending_counters = Counters()
        self.proof = MuteProof(settings.codec.encoder, settings.codec.frame_ms, self._violated)
        self._uplink = Uplink(settings.codec, self.proof, self._sending_counters)
        self._downlink = Downlink()
        self._outbox = Outbox()
        self._roomful = Roomful()
        self._reconnect = Reconnect(LONGEST_WAIT, rng)
        self._report: Callable[[RoomEvent], None] = lambda _: None
        self._joined: Joined | None = None
        self._transport: DeviceTransport | None = None
        """The connection that packets come by, polled by the exchange thread."""
        self._refused = False
        self._told_of_site: SiteReport | None = None
        self._leaving = asyncio.Event()
        self._route_changed = asyncio.Event()

    @property
    def capabilities(self) -> Capabilities:
        """All of the contract."""
        return CAPABILITIES

    @property
    def counters(self) -> Mapping[str, int]:
        """See core/counters.py."""
        return total(self._counters.snapshot(), self._sending_counters.snapshot(), self._downlink.counters())

    # ---- the exchange thread

    def send(self, pcm: Pcm | None) -> None:
        """Take one gated block, or None: the gate is closed."""
        self._uplink.take(pcm)

    def forbid(self, closed: bool) -> None:
        """Whether a reason to close the gate holds."""
        self.proof.forbid(closed)

    def receive(self, out: Block) -> bool:
        """Write the next mixed block."""
        transport = self._transport
        if transport is not None:
            transport.poll()
        return self._downlink.mix(out)

    def _heard_report(self, packet: memoryview, now: float) -> None:
        self._uplink.heard_report(packet, now)
        self._downlink.heard_report(packet, now)

    def _violated(self, _level: float) -> None:
        self._sending_counters.add("proof_violations")

    # ---- the loop

    def set_hand(self, up: bool) -> None:
        """Raise or lower this site's hand."""
        self._outbox.put("hand", protocol.SetHand(up))

    def knock(self) -> None:
        """Knock."""
        self._outbox.once("knock", protocol.Knock())

    def set_volume(self, member: str, gain: float) -> None:
        """Set how loud ``member`` is here."""
        self._downlink.set_volume(member, gain)

    def report_site(self, report: SiteReport) -> None:
        """Tell the room how this site is, and that it is muted when its gate is closed."""
        before, self._told_of_site = self._told_of_site, report
        only_louder = before is not None and replace(before, loudspeaker=report.loudspeaker) == report
        self._outbox.put("muted", protocol.SetMuted(not report.gate_open))
        self._outbox.put("report", site_message(report), at_once=not only_louder)

    def route_changed(self) -> None:
        """The network is another: try at once."""
        self._route_changed.set()

    async def run(self, report: Callable[[RoomEvent], None]) -> None:
        """Be in the room until cancelled; after :meth:`leave` wait for that.

        :raises RoomRefused: the room does not want this site.
        """
        self._report = report
        self._tell(contract.PhaseChanged(LinkPhase.CONNECTING))
        try:
            async with aiohttp.ClientSession(trust_env=False) as http:
                while (lost := await self._stay_or_leave(http)) is not None:
                    await self._wait(lost)
        finally:
            self._tell(*self._roomful.empty())
        self._tell(contract.PhaseChanged(LinkPhase.LEFT))
        await asyncio.Event().wait()

    async def leave(self) -> None:
        """Leave the room within one second."""
        self._leaving.set()
        self._uplink.detach()
        joined, self._joined = self._joined, None
        if joined is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_SECONDS), aiohttp.ClientSession(trust_env=False) as http:
                await self._signalling(http).leave(joined)

    def _tell(self, *events: RoomEvent) -> None:
        for event in events:
            self._report(event)

    def _signalling(self, http: aiohttp.ClientSession) -> Signalling:
        return Signalling(http, URL(self._settings.url), self._settings.room)

    async def _stay_or_leave(self, http: aiohttp.ClientSession) -> Lost | None:
        """Stay until the room is lost (and why) or left (None)."""
        try:
            await _first_of(self._stay(http), self._leaving.wait())
        except Lost as lost:
            self._counters.add("join_failures" if self._joined is None else "link_losses")
            self._joined = None
            self._tell(*self._roomful.silence())
            return lost
        return None

    async def _wait(self, lost: Lost) -> None:
        """Wait as long as core/reconnect.py says, or until something makes trying sooner worth it.

        :raises RoomRefused: it says that trying again is no use.
        """
        fault = lost.fault
        if lost.token_refused and not self._refused:
            # A token may expire on its way, and a host that restarts does not know its own challenges any more.
            self._refused = True
            fault = Fault("server")
        seconds = self._reconnect.lost(asyncio.get_running_loop().time(), fault)
        if seconds is None:
            self._tell(*self._roomful.empty(), contract.PhaseChanged(LinkPhase.REFUSED, str(lost)))
            raise RoomRefused(str(lost))
        self._tell(contract.PhaseChanged(LinkPhase.RECONNECTING, str(lost)))
        self._route_changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await _first_of(self._route_changed.wait(), self._leaving.wait())
        if self._route_changed.is_set():
            self._reconnect.route_changed()

    async def _stay(self, http: aiohttp.ClientSession) -> None:
        """One stay in the room. Ends only by raising.

        The presence socket comes first: by it the host tells a session that is replaced from the one that replaces it.

        :raises Lost: it ended, or did not begin.
        """
        signalling = self._signalling(http)
        token = await self._settings.credentials(signalling)
        ended = asyncio.Event()
        welcomed = asyncio.Event()

        def take(message: ServerMessage) -> None:
            self._take(message)
            welcomed.set()

        presence = Presence(self._outbox, take, lambda: self._counters.add("presence_junk"))
        transport = DeviceTransport(self._downlink.push, self._heard_report, lambda _: ended.set(), self._counters.add)
        try:
            await _first_of(
                presence.run(http, signalling, token),
                self._media(signalling, token, transport, welcomed),
                _media_ended(ended),
            )
        finally:
            self._transport = None
            self._outbox.close()
            self._uplink.detach()
            self._downlink.detach()
            await transport.close()

    async def _media(
        self, signalling: Signalling, token: str, transport: DeviceTransport, welcomed: asyncio.Event
    ) -> None:
        """Join, bring the media connection up, then watch it. Ends only by raising."""
        await welcomed.wait()
        joined = self._joined = await signalling.join(token, transport.offer())
        self._outbox.open()
        try:
            await transport.connect(joined.answer, self._settings.pinned)
        except CertificateMismatch as mismatch:
            raise Lost(Fault("refused"), str(mismatch)) from None
        except TransportError as failure:
            raise Lost(Fault("network"), str(failure)) from None
        self._downlink.attach(joined.answer)
        self._uplink.attach(transport, joined.answer)
        self._transport = transport
        self._counters.add("joins")
        self._refused = False
        self._reconnect.connected(asyncio.get_running_loop().time())
        self._tell(contract.PhaseChanged(LinkPhase.IN_ROOM))
        await self._watch(transport)

    async def _watch(self, transport: DeviceTransport) -> None:
        """Send a receiver report each second; raise when nothing has come for two."""
        loop = asyncio.get_running_loop()
        reported, silent = loop.time() - _REPORT_EVERY, 0
        while True:
            now = loop.time()
            # Two looks in a row: after a stall of our own loop the packets of meanwhile are read first.
            silent = silent + 1 if now - transport.last_heard > MEDIA_SILENCE else 0
            if silent > 1:
                raise Lost(Fault("network"), "Nothing came from the server for two seconds.")
            if now - reported >= _REPORT_EVERY:
                reported = now
                report = self._uplink.report(time.time(), self._downlink.reception(now))
                if report is not None:
                    transport.send_rtcp(report)
            await asyncio.sleep(_WATCH)

    def _take(self, message: ServerMessage) -> None:
        match message:
            case protocol.Welcome(slots=slots) | protocol.SlotsChanged(slots):
                self._downlink.hold(slots)
            case protocol.MemberLeft(who):
                self._downlink.forget(who)
        self._tell(*self._roomful.understand(message))


async def _media_ended(ended: asyncio.Event) -> None:
    """The host ended the media connection: the presence socket has a moment to say why, or else it was the network."""
    await ended.wait()
    await asyncio.sleep(_WORD_SECONDS)
    raise Lost(Fault("network"), "The server ended the media connection.")


async def _first_of(*parts: Coroutine[Any, Any, Any] | asyncio.Future[Any]) -> None:
    """Run all until the first ends, cancel the others, and raise what it raised."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
