"""A room of a Janus server: being a member of its AudioBridge, with our own media path.

Janus mixes: one stream comes down that carries everybody else, one goes up. Who is there, who talks and who is muted comes over
its WebSocket (janus_gateway.py). The session there and the media connection are held over cuts of the network: whoever comes
back claims the one and goes on with the other, so that nobody is in the room twice.
"""

import asyncio
import contextlib
import os
import random
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from yarl import URL

from appliance.core import sdp
from appliance.core.counters import Counters, total
from appliance.core.levels import dbov
from appliance.core.reconnect import Fault, Reconnect
from appliance.core.roster import Kind
from appliance.core.state import ProofState, WayState
from appliance.core.units import SILENCE, Block, Pcm
from appliance.rooms.contract import Capabilities, RoomEvent, SiteReport
from appliance.rooms.downlink import Downlink
from appliance.rooms.held import MEDIA_SILENCE, HeldMedia, MediaSettings
from appliance.rooms.janus_gateway import Gateway, Place, Refusal
from appliance.rooms.janus_names import Shown
from appliance.rooms.janus_presence import Presence
from appliance.rooms.janus_twins import Twins
from appliance.rooms.proof import MuteProof
from appliance.rooms.reach import Reach
from appliance.rooms.signalling import Joined, Lost
from appliance.rooms.staying import Staying, first_of
from appliance.rooms.uplink import CodecSettings, Uplink

LONGEST_WAIT = 4.0
"""Seconds between two attempts to come back."""

FRAME_MS = 20
"""What the AudioBridge mixes; packets of another length it takes for ones of this."""

_LEAVE_SECONDS = 0.9
_LISTEN_EVERY, _MISSED = 0.5, 5
"""Seconds between two looks whether anything came, and how many may find nothing."""

CAPABILITIES = Capabilities(
    real_levels=False,  # the plugin tells who talks, and not how loud
    audio_per_member=False,  # it sends one mix
    hands=True,
    knocks=True,
    admin_mute=True,
    mute_enforced=False,  # the plugin lets a member undo it; ours obeys
    asks=False,  # the plugin has no messages between participants
    doors=False,
    reports=False,
    recording=False,  # that members of ours record is told; that the server does, it tells nobody
    bundles=False,
    most_members=300,  # it encodes for each: 70 to 95 a core
)


@dataclass(frozen=True, slots=True)
class JanusSettings:
    """What the engine needs to know."""

    url: str
    """The WebSocket of the server, "ws://…" or "wss://…"."""
    room: int
    identity: str
    name: str
    kind: Kind = "site"
    pin: str = field(default="", repr=False)
    """Of the room; "" for none."""
    token: str = field(default="", repr=False)
    """Of Janus' own authentication, and of the room's list of those who may come; "" for none."""
    secret: bytes = field(default_factory=lambda: os.urandom(32), repr=False)
    """Nobody but this device, and who has its key, knows it: by it a later session proves that it is the same device."""
    codec: CodecSettings = field(default_factory=CodecSettings)
    tls: ssl.SSLContext | None = None
    """Checks the server's certificate; None believes what the system does."""
    proxy: str = ""
    """The http proxy that leads to it; "" for none. Sound does not go through it."""


class JanusEngine:
    """The engine for a Janus AudioBridge; see :class:`appliance.rooms.contract.Engine`."""

    def __init__(
        self, settings: JanusSettings, rng: Callable[[], float] = random.random, uplink: type[Uplink] = Uplink
    ) -> None:
        self._settings = settings
        codec = replace(settings.codec, frame_ms=FRAME_MS)
        self._counters = Counters()
        self._sending_counters = Counters()
        self._proof = MuteProof(codec.encoder, codec.frame_ms, self._violated)
        self._uplink = uplink(codec, self._proof, self._sending_counters)
        self._downlink = Downlink()
        self._media = HeldMedia(MediaSettings(relay="never", slots=1), self._uplink, self._downlink, self._counters.add)
        self._url = URL(settings.url)
        proxy = URL(settings.proxy) if settings.proxy else None
        self._reach = Reach(self._url, settings.tls, rng=rng, proxy=proxy)
        self._place = Place()
        self._loudest = SILENCE
        """Of the mix since the loop looked last, dBov: written by the exchange thread."""
        self._staying = Staying(self, self._reach, Reconnect(LONGEST_WAIT, rng), self._counters.add)
        twins = Twins(settings.room, settings.identity, settings.secret)
        who = Shown(settings.identity, settings.name, settings.kind)
        self._presence = Presence(who, self._staying.tell, self._staying.remark, twins)

    @property
    def capabilities(self) -> Capabilities:
        """What the plugin of Janus 1.1.2 gives."""
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
        """Write the next block of the mix."""
        transport = self._media.transport
        if transport is not None:
            transport.poll()
        heard = self._downlink.mix(out, time.monotonic())
        if heard:
            self._loudest = max(self._loudest, dbov(out))
        return heard

    def _violated(self, _level: float) -> None:
        self._sending_counters.add("proof_violations")

    # ---- the loop

    def set_hand(self, up: bool) -> None:
        """Raise or lower this site's hand."""
        self._presence.show_hand(up)

    def knock(self) -> None:
        """Knock."""
        self._presence.knock()

    def set_volume(self, member: str, gain: float) -> None:
        """Nothing: what comes is mixed already."""

    def report_site(self, report: SiteReport) -> None:
        """Tell the room whether this site is muted and whether it records; there is no way to tell it more."""
        self._presence.report(gate_open=report.gate_open, records=report.recording)

    async def hand_in(self, word: str, bundle: bytes, /) -> str:  # noqa: ARG002
        """Nothing: nobody can ask for a bundle."""
        return "A Janus server takes no support bundles."

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
        self._uplink.detach()
        self._staying.leaving.set()
        await self._staying.left(_LEAVE_SECONDS)

    # ---- a stay (staying.py)

    async def stay(self) -> None:
        """One stay in the room. Ends only by raising.

        :raises Lost: it ended, or did not begin.
        """
        await self._staying.arrive()
        async with self._reach.session() as http:
            gateway = Gateway(self._place, self._settings.token, self._presence.take, self._junk)
            opened = asyncio.create_task(gateway.run(http, self._url), name="janus")
            try:
                metering = self._presence.meter(self._level)
                await first_of(_end_of(opened), self._be_heard(gateway), metering, self._other_route())
            except Lost as lost:
                if lost.fault.kind == "network":  # what we are in the room stays there, to be claimed
                    gateway.drop()
                else:
                    await self._go(gateway)
                raise
            except asyncio.CancelledError:
                await self._go(gateway)
                raise
            finally:
                opened.cancel()
                await asyncio.gather(opened, return_exceptions=True)  # what it raised was told, or follows from it

    async def _go(self, gateway: Gateway) -> None:
        """Out of the room, so that the others know it at once."""
        self._uplink.detach()
        await gateway.goodbye()
        self._media.let_go()

    async def _other_route(self) -> None:
        try:
            await self._staying.other_route()
        except Lost:
            self._media.let_go()  # Janus goes on sending where it was told to first, and answers our checks from elsewhere
            raise

    async def _be_heard(self, gateway: Gateway) -> None:
        """Go on with what is held, or join; then watch it. Ends only by raising."""
        await gateway.open.wait()
        if not await self._go_on(gateway):
            await self._join(gateway)
            self._counters.add("joins")
        self._staying.arrived(self._presence.but)
        await first_of(self._media.watch(), self._hear(), self._presence.keep_told(gateway))

    async def _hear(self) -> None:
        """Watch that the mix comes: Janus sends it without a pause, also when nobody talks. Ends only by raising.

        Answers to our checks prove less: they come to whichever address we ask from.
        """
        before, missed = -1, 0
        while missed < _MISSED:
            await asyncio.sleep(_LISTEN_EVERY)
            now = self._downlink.counters()["packets_received"]
            before, missed = now, missed + 1 if now == before else 0
        if self._media.alive_within(MEDIA_SILENCE):  # else the network is away, and what is held may be good after it
            self._media.let_go()
        raise Lost(Fault("network"), "Nothing is heard of the room.")

    async def _go_on(self, gateway: Gateway) -> bool:
        """Whether the session and the media connection of before are good still.

        :raises Lost: Janus does not answer.
        """
        if not (self._place.known and await gateway.claim()):
            return False
        if self._place.handle and await self._media.resume():
            with contextlib.suppress(Refusal):
                await gateway.message({"request": "listparticipants", "room": self._settings.room})
                if self._presence.roomful.own_id:
                    return True
        await gateway.detach()
        return False

    async def _join(self, gateway: Gateway) -> None:
        """Into the room, and then its sound.

        :raises Lost: the room does not take us.
        """
        if self._place.known:
            await gateway.attach()
        else:
            await gateway.create()
        settings = self._settings
        try:
            await gateway.message(
                self._presence.joining(settings.room, settings.pin, settings.token, settings.codec.bitrate)
            )
        except Refusal as refusal:
            raise refusal.lost() from None
        await self._media.join(_Doorstep(gateway), "")

    def _level(self) -> float:
        level, self._loudest = self._loudest, SILENCE
        return level

    def _junk(self) -> None:
        self._counters.add("presence_junk")

    def judge(self, lost: Lost) -> Fault:
        """What it means that a stay ended so: what it says."""
        return lost.fault

    def alive_within(self, seconds: float) -> bool:
        """Whether sound was seen to flow both ways this lately."""
        return self._media.alive_within(seconds)

    def let_go(self) -> None:
        """Nothing is held for the next stay."""
        self._place.session = self._place.handle = 0
        self._media.let_go()

    def end(self) -> None:
        """The same: by now the session has ended."""
        self.let_go()

    def silence(self) -> Iterable[RoomEvent]:
        """The room is not heard any more."""
        return self._presence.roomful.silence()

    def empty(self) -> Iterable[RoomEvent]:
        """We are out of the room."""
        return self._presence.roomful.empty()

    async def ended(self) -> None:
        """Wait until the media connections have ended."""
        await self._media.closed()


async def _end_of(task: asyncio.Task[None]) -> None:
    """What a task raises, without ending it when nobody waits any more."""
    await asyncio.wait([task])
    task.result()


class _Doorstep:
    """Where the media connection is offered: in the room that was joined."""

    tls = None

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def join(self, token: str, offer: str) -> Joined:
        """Offer it.

        :raises Lost: it is not taken, or what is answered is no answer.
        """
        try:
            said = await self._gateway.message({"request": "configure"}, offer)
            answer = sdp.parse_answer(said.description, mids=[one.mid for one in sdp.parse_offer(offer).media])
        except Refusal as refusal:
            raise refusal.lost() from None
        except sdp.SdpError:
            raise Lost(Fault("server"), "Janus answered with media that this device cannot use.") from None
        return Joined(answer, URL(), token)
