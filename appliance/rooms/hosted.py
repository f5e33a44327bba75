"""The hosted room: being a member of our own host (DESIGN.md, "The hosted room").

A stay is: the server is reached (reach.py), a token, the presence socket, and beside it the media connection, which is held
(held.py) when the stay ends only because the network does. Whatever ends a stay has a class of fault, and core/reconnect.py
decides whether and when to come back.
"""

import asyncio
import contextlib
import random
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import aiohttp
from yarl import URL

from appliance.core import protocol
from appliance.core.counters import Counters, total
from appliance.core.protocol import ServerMessage
from appliance.core.reconnect import Fault, Reconnect
from appliance.core.state import ProofState, WayState
from appliance.core.units import Block, Pcm
from appliance.rooms import trust
from appliance.rooms.contract import Capabilities, RoomEvent, SiteReport
from appliance.rooms.downlink import Downlink
from appliance.rooms.held import HeldMedia, MediaSettings
from appliance.rooms.presence import Outbox, Presence, Roomful, site_message
from appliance.rooms.proof import MuteProof
from appliance.rooms.reach import Reach
from appliance.rooms.signalling import Credentials, Joined, Lost, Signalling
from appliance.rooms.staying import Staying, first_of
from appliance.rooms.uplink import CodecSettings, Uplink

LONGEST_WAIT = 1.5
"""Seconds between two attempts to come back: the host is ours, and its members are few."""

_MOMENT = 5
"""Seconds by which clocks differ that are set: a host tells its own in whole seconds."""
_LEAVE_SECONDS = 1.0

CAPABILITIES = Capabilities(
    real_levels=True,
    audio_per_member=True,
    hands=True,
    knocks=True,
    admin_mute=True,
    mute_enforced=True,
    asks=True,
    doors=True,
    reports=True,
    recording=True,
    bundles=True,
    most_members=protocol.MOST_MEMBERS,
)

_NOT_HEARD = "Nobody hears this device: without https in [room] url it may only listen."


@dataclass(frozen=True, slots=True)
class HostedSettings:
    """What the engine needs to know."""

    url: str
    """The host, "http://…" or "https://…"."""
    room: str
    identity: str
    credentials: Credentials
    codec: CodecSettings = field(default_factory=CodecSettings)
    media: MediaSettings = field(default_factory=MediaSettings)
    tls: ssl.SSLContext | None = None
    """Checks the host's https; None believes what the system does."""
    proxy: str = ""
    """The http proxy that leads to the host; "" for none. Sound does not go through it."""


class HostedEngine:
    """The engine for rooms of our own host; see :class:`appliance.rooms.contract.Engine`."""

    def __init__(
        self, settings: HostedSettings, rng: Callable[[], float] = random.random, uplink: type[Uplink] = Uplink
    ) -> None:
        self._settings = settings
        self._counters = Counters()
        self._sending_counters = Counters()
        self._proof = MuteProof(settings.codec.encoder, settings.codec.frame_ms, self._violated)
        self._uplink = uplink(settings.codec, self._proof, self._sending_counters)
        self._downlink = Downlink(low_delay=settings.codec.frame_ms == 10)
        self._outbox = Outbox()
        self._roomful = Roomful()
        self._media = HeldMedia(settings.media, self._uplink, self._downlink, self._counters.add)
        proxy = URL(settings.proxy) if settings.proxy else None
        self._reach = Reach(URL(settings.url), settings.tls, rng=rng, proxy=proxy)
        self._staying = Staying(self, self._reach, Reconnect(LONGEST_WAIT, rng), self._counters.add)
        self._joined: Joined | None = None
        """The session that leaving has to end."""
        self._refused = False
        self._told_of_site: SiteReport | None = None
        self._ahead = 0
        """Seconds that our clock is before the host's, when that is more than a moment."""

    @property
    def capabilities(self) -> Capabilities:
        """All of the contract."""
        return CAPABILITIES

    @property
    def counters(self) -> Mapping[str, int]:
        """See core/counters.py."""
        return total(self._counters.snapshot(), self._sending_counters.snapshot(), self._downlink.counters())

    @property
    def proof(self) -> ProofState:
        """See rooms/proof.py."""
        return self._proof.state

    @property
    def violations(self) -> int:
        """The same count alone."""
        return self._proof.violations

    @property
    def way(self) -> WayState:
        """From the checks of ICE and the reports of RTP."""
        return self._media.way

    # ---- the exchange thread

    def send(self, pcm: Pcm | None) -> None:
        """Take one gated block, or None: the gate is closed."""
        self._uplink.take(pcm)

    def forbid(self, closed: bool) -> None:
        """Whether a reason to close the gate holds."""
        self._proof.forbid(closed)

    def check(self) -> None:
        """Look at the way up while the gate is closed."""
        self._uplink.check()

    def receive(self, out: Block) -> bool:
        """Write the next mixed block."""
        transport = self._media.transport
        if transport is not None:
            transport.poll()
        return self._downlink.mix(out, time.monotonic())

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
        self._outbox.put("report", site_message(report, self._ahead), at_once=not only_louder)
        if report.recording or (before is not None and before.recording):
            self._outbox.put("recording", protocol.SetRecording(report.recording))

    async def hand_in(self, word: str, bundle: bytes, /) -> str:
        """Give the host the support bundle that it asked for with ``word``."""
        try:
            async with self._reach.session() as http:
                signalling = self._signalling(http)
                await signalling.hand_in(await self._settings.credentials(signalling), word, bundle)
        except Lost as lost:
            return str(lost)
        return ""

    def route_changed(self) -> None:
        """The network is another: try at once."""
        self._staying.route_changed()

    async def run(self, report: Callable[[RoomEvent], None]) -> None:
        """Be in the room until cancelled; after :meth:`leave` wait for that.

        :raises RoomRefused: the room does not want this site.
        """
        await self._staying.run(report)

    async def leave(self) -> None:
        """Leave the room within one second."""
        self._staying.leaving.set()
        self._uplink.detach()
        joined, self._joined = self._media.joined or self._joined, None
        if joined is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_SECONDS), self._reach.session() as http:
                await self._signalling(http).leave(joined)

    def _signalling(self, http: aiohttp.ClientSession) -> Signalling:
        return Signalling(http, URL(self._settings.url), self._settings.room, self._settings.tls)

    # ---- a stay (staying.py)

    def judge(self, lost: Lost) -> Fault:
        """A token may expire on its way, and a host that restarts does not know its own challenges any more: once."""
        if lost.token_refused and not self._refused:
            self._refused = True
            return Fault("server")
        return lost.fault

    def alive_within(self, seconds: float) -> bool:
        """Whether the media connection was seen to lead both ways this lately."""
        return self._media.alive_within(seconds)

    def let_go(self) -> None:
        """Nothing is held any more."""
        self._media.let_go()

    def end(self) -> None:
        """The same, but for the session that leaving has to end."""
        self._joined = self._media.joined or self._joined
        self._media.let_go()

    def silence(self) -> Iterable[RoomEvent]:
        """The room is not heard any more."""
        return self._roomful.silence()

    def empty(self) -> Iterable[RoomEvent]:
        """We are out of the room."""
        return self._roomful.empty()

    async def ended(self) -> None:
        """Wait until the media connections have ended."""
        await self._media.closed()

    async def stay(self) -> None:
        """One stay in the room. Ends only by raising.

        The presence socket comes first: by it the host tells a session that is replaced from the one that replaces it.

        :raises Lost: it ended, or did not begin.
        """
        await self._staying.arrive()
        async with self._reach.session() as http:
            signalling = self._signalling(http)
            token = await self._settings.credentials(signalling)
            welcome: asyncio.Future[protocol.Welcome] = asyncio.get_running_loop().create_future()

            def take(message: ServerMessage) -> None:
                self._take(message)
                if isinstance(message, protocol.Welcome) and not welcome.done():
                    welcome.set_result(message)

            presence = Presence(self._outbox, take, lambda: self._counters.add("presence_junk"))
            try:
                await first_of(
                    presence.run(http, signalling, token),
                    self._be_heard(signalling, token, welcome),
                    self._staying.other_route(),
                )
            finally:
                self._outbox.close()

    async def _be_heard(self, signalling: Signalling, token: str, welcome: asyncio.Future[protocol.Welcome]) -> None:
        """Go on with the media connection that is held, or join; then watch it. Ends only by raising."""
        said = await welcome
        there = any(member.id == said.you.id and member.joined for member in said.members)
        if not (there and await self._media.resume()):
            await self._media.join(signalling, token)
            self._counters.add("joins")
        self._go_by(signalling.skew)
        self._outbox.open(() if said.takes_recordings else ("recording",))
        self._refused = False
        self._staying.arrived(_NOT_HEARD if said.open_network else trust.clock_words(signalling.skew))
        await self._media.watch()

    def _go_by(self, skew: float | None) -> None:
        """What a device tells of times is in the host's: its own clock may be anything until it was set."""
        if skew is not None:
            self._ahead = round(skew) if abs(skew) > _MOMENT else 0
        if self._told_of_site is not None:
            self._outbox.put("report", site_message(self._told_of_site, self._ahead))

    def _take(self, message: ServerMessage) -> None:
        match message:
            case protocol.Welcome(slots=slots) | protocol.SlotsChanged(slots):
                self._downlink.hold(slots)
            case protocol.MemberLeft(who):
                self._downlink.forget(who)
            case protocol.MembersChanged(left=left):
                for who in left:
                    self._downlink.forget(who)
        self._staying.tell(*self._roomful.understand(message))
