"""A room on LiveKit: being a member through LiveKit's own library, which encodes, decodes and reconnects by itself.

What is ours is what happens before and after: the gate's blocks are proven where they are handed over (block_proof.py), at most
three members are subscribed to, mixed here (decoded.py), and where the library gives up another stay begins (livekit_stay.py).
"""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from appliance.core.counters import Counters, total
from appliance.core.reconnect import Fault, Reconnect
from appliance.core.roster import Kind
from appliance.core.state import ProofState, WayState
from appliance.core.units import SLOTS, Block, Pcm
from appliance.rooms.block_proof import BlockProof
from appliance.rooms.contract import Capabilities, RoomEvent, SiteReport
from appliance.rooms.decoded import DecodedDownlink
from appliance.rooms.livekit_calls import Background
from appliance.rooms.livekit_faults import keep_tokens_out_of_logs
from appliance.rooms.livekit_members import MOST_MEMBERS, Roomful
from appliance.rooms.livekit_own import Own
from appliance.rooms.livekit_servers import Servers
from appliance.rooms.livekit_stay import Parts, Stay
from appliance.rooms.livekit_tokens import Tokens
from appliance.rooms.livekit_trust import believing, prepare
from appliance.rooms.livekit_uplink import BlockUplink
from appliance.rooms.signalling import Lost
from appliance.rooms.staying import Staying

LONGEST_WAIT = 4.0
"""Seconds between two attempts to come back."""

_LEAVE_SECONDS = 0.9

CAPABILITIES = Capabilities(
    real_levels=True,  # from the sound of those who are subscribed to: whoever is heard has one
    audio_per_member=True,
    hands=True,
    knocks=True,
    admin_mute=True,
    mute_enforced=True,  # the right to publish is taken, and the server forwards nothing
    asks=True,
    doors=True,
    reports=True,
    recording=True,
    bundles=False,
    most_members=MOST_MEMBERS,
)


@dataclass(frozen=True, slots=True)
class LiveKitSettings:
    """What the engine needs to know."""

    urls: tuple[str, ...]
    """The servers, "wss://…" or "ws://…", in the order of preference."""
    identity: str
    tokens: Tokens = field(repr=False)
    bitrate: int = 32_000
    """Of the encoder, bits a second."""
    kind: Kind = "site"
    authorities: str = ""
    """Certificate authorities (PEM) that are believed beside the system's; "": none."""


class LiveKitEngine:
    """The engine for a room on LiveKit; see :class:`appliance.rooms.contract.Engine`."""

    def __init__(
        self,
        settings: LiveKitSettings,
        rng: Callable[[], float] = random.random,
        uplink: type[BlockUplink] = BlockUplink,
    ) -> None:
        keep_tokens_out_of_logs()
        prepare()
        self._authorities = settings.authorities
        self._counters = Counters()
        self._sending_counters = Counters()
        self._proof = BlockProof(self._violated)
        self._uplink = uplink(self._proof, self._sending_counters)
        self._downlink = DecodedDownlink(SLOTS)
        self._own = Own(settings.kind)
        self._roomful = Roomful(settings.identity)
        self._background = Background()
        servers = Servers(settings.urls, rng)
        self._staying = Staying(self, servers, Reconnect(LONGEST_WAIT, rng), self._counters.add)
        self._parts = Parts(
            servers,
            settings.tokens,
            self._staying,
            self._uplink,
            self._downlink,
            self._roomful,
            self._own,
            self._counters.add,
            settings.bitrate,
            self._background,
        )
        self._stay: Stay | None = None

    @property
    def capabilities(self) -> Capabilities:
        """All but the house's own."""
        return CAPABILITIES

    @property
    def counters(self) -> Mapping[str, int]:
        """See core/counters.py."""
        return total(self._counters.snapshot(), self._sending_counters.snapshot(), self._downlink.counters())

    @property
    def proof(self) -> ProofState:
        """See rooms/block_proof.py."""
        return self._proof.state

    @property
    def violations(self) -> int:
        """The same count alone."""
        return self._proof.violations

    @property
    def way(self) -> WayState:
        """From the statistics of the library; the delay is what is added behind it."""
        state = self._stay.way.state if self._stay is not None else WayState()
        return replace(state, delay_ms=self._downlink.delay_ms)

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
        return self._downlink.mix(out)

    def _violated(self, _level: float) -> None:
        self._sending_counters.add("proof_violations")

    # ---- the loop

    def set_hand(self, up: bool) -> None:
        """Raise or lower this site's hand."""
        self._own.hand(up)

    def knock(self) -> None:
        """Knock."""
        self._own.knock()

    def set_volume(self, member: str, gain: float) -> None:
        """Set how loud ``member`` is here."""
        self._downlink.set_volume(member, gain)

    def report_site(self, report: SiteReport) -> None:
        """Tell the room how this site is, and the server that it is muted when its gate is closed."""
        self._own.report(report)
        if self._stay is not None:
            self._stay.mute_as_the_gate_is()

    async def hand_in(self, word: str, bundle: bytes, /) -> str:  # noqa: ARG002
        """Nothing: nobody can ask for a bundle."""
        return "A LiveKit server takes no support bundles."

    def route_changed(self) -> None:
        """The network is another: try at once."""
        self._staying.route_changed()

    async def run(self, report: Callable[[RoomEvent], None]) -> None:
        """Be in the room until cancelled; after :meth:`leave` wait for that.

        :raises RoomRefused: the room does not want this site.
        """
        with believing(self._authorities):
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
        self._stay = Stay(self._parts)
        try:
            await self._stay.run()
        finally:
            self._stay = None

    def alive_within(self, _seconds: float) -> bool:
        """No: while sound still flows the library has not given up, and the stay goes on."""
        return False

    def judge(self, lost: Lost) -> Fault:
        """What it looks like."""
        return lost.fault

    def let_go(self) -> None:
        """Nothing is held from stay to stay."""

    def end(self) -> None:
        """Nor when there is none to come."""

    def silence(self) -> Iterable[RoomEvent]:
        """The room is not heard any more."""
        return ()

    def empty(self) -> Iterable[RoomEvent]:
        """We are out of the room."""
        return self._roomful.empty()

    async def ended(self) -> None:
        """Wait until the library has closed what it opened."""
        await self._background.closed()
