"""Telegram: being a member of the voice chat of a group, by a user account (docs/telegram.md).

Telethon speaks to Telegram from link's loop; ntgcalls carries the sound in a process of its own, which can crash
(telegram_media.py). A stay (telegram_stay.py) ends by a fault of some class, and core/reconnect.py decides whether and when to
come back. Nothing of this was run against Telegram itself.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterable, Mapping

from appliance.core.counters import Counters, total
from appliance.core.reconnect import Fault, Reconnect
from appliance.core.state import ProofState, WayState
from appliance.core.units import Block, Pcm
from appliance.rooms import contract
from appliance.rooms.contract import Capabilities, RoomEvent, SiteReport
from appliance.rooms.reach import Reach
from appliance.rooms.signalling import Lost
from appliance.rooms.staying import Staying, first_of
from appliance.rooms.telegram_account import Unanswered, place_of
from appliance.rooms.telegram_seen import Wanted
from appliance.rooms.telegram_shapes import MOST_MEMBERS, People
from appliance.rooms.telegram_sound import Sound, Up
from appliance.rooms.telegram_stay import Stay, TelegramSettings

LONGEST_WAIT = 30.0
"""Seconds between two attempts to come back, unless Telegram asks for more (DESIGN.md, rule 5)."""

_LEAVE_SECONDS = 0.9
_CHECKED = 6.0
"""Seconds within which something of the server has come while there is a way to it."""

CAPABILITIES = Capabilities(
    real_levels=True,
    audio_per_member=True,
    hands=True,
    knocks=False,
    admin_mute=True,
    mute_enforced=False,
    asks=False,
    doors=False,
    reports=False,
    recording=True,
    bundles=False,
    most_members=MOST_MEMBERS,
)


class TelegramEngine:
    """The engine for a Telegram group; see :class:`appliance.rooms.contract.Engine`."""

    def __init__(self, settings: TelegramSettings, rng: Callable[[], float] = random.random, up: type[Up] = Up) -> None:
        self._settings = settings
        self._counters = Counters()
        self._people = People(settings.identity, settings.name)
        self._sound = Sound(self._counters, self._people.whose, up)
        self._wanted = Wanted()
        reach = Reach(place_of(settings.login), None, rng=rng)
        self._staying = Staying(self, reach, Reconnect(LONGEST_WAIT, rng), self._counters.add)
        self._stay: Stay | None = None
        self._held: int | None = None
        """The voice chat whose media connection is held."""
        self._unanswered = False
        """Telegram was waited for in vain: nobody knows whether its sound goes on."""
        self._recorded = False

    @property
    def capabilities(self) -> Capabilities:
        """No knocks, no asking, no doors: Telegram has no place for them. What it has is in docs/engines.md."""
        return CAPABILITIES

    @property
    def counters(self) -> Mapping[str, int]:
        """See core/counters.py."""
        coalesced = {"updates_coalesced": self._people.coalesced}
        return total(self._counters.snapshot(), self._sound.down.counters(), coalesced)

    @property
    def proof(self) -> ProofState:
        """Of both proofs (telegram_sound.py)."""
        return self._sound.proof

    @property
    def violations(self) -> int:
        """The same count alone."""
        return self._sound.up.proof.violations

    @property
    def way(self) -> WayState:
        """Its library tells nothing of the way; what waits here is known."""
        return WayState(delay_ms=self._sound.down.delay_ms)

    # ---- the exchange thread

    def send(self, pcm: Pcm | None) -> None:
        """Take one gated block, or None: the gate is closed."""
        self._sound.up.take(pcm)

    def forbid(self, closed: bool) -> None:
        """Whether a reason to close the gate holds."""
        self._sound.up.forbid(closed)

    def check(self) -> None:
        """Look at the way up while the gate is closed."""
        self._sound.up.check()

    def receive(self, out: Block) -> bool:
        """Write the next mixed block."""
        return self._sound.receive(out)

    # ---- the loop

    def set_hand(self, up: bool) -> None:
        """Raise or lower this site's hand: "wants to speak"."""
        self._wanted.hand = up
        self._wants()

    def knock(self) -> None:
        """Telegram has no knocking."""

    def set_volume(self, member: str, gain: float) -> None:
        """Set how loud ``member`` is here: not for the account's other devices."""
        self._sound.down.set_volume(member, gain)

    async def hand_in(self, _word: str, _bundle: bytes, /) -> str:
        """Nobody can ask for one."""
        return "Telegram takes no support bundles."

    def report_site(self, report: SiteReport) -> None:
        """Muted when the gate is closed is all that Telegram is told."""
        self._wanted.gate(opened=report.gate_open)
        self._people.silenced &= report.gate_open  # a gate that was closed is opened by a hand, which may undo it
        self._wants()

    def _wants(self) -> None:
        if self._stay is not None:
            self._stay.wants.set()

    def route_changed(self) -> None:
        """The network is another: try at once."""
        self._staying.route_changed()

    async def run(self, report: Callable[[RoomEvent], None]) -> None:
        """Be in the room until cancelled; after :meth:`leave` wait for that.

        :raises RoomRefused: the room does not want this account.
        """
        self._sound.begin()

        def noted(event: RoomEvent) -> None:
            if isinstance(event, contract.PhaseChanged):
                self._wanted.said = event.why
            report(event)

        await self._staying.run(noted)

    async def leave(self) -> None:
        """Leave the voice chat within one second."""
        self._sound.up.allowed = False
        await self._out()
        self._staying.leaving.set()
        await self._staying.left(1.0 - _LEAVE_SECONDS)

    async def _out(self) -> None:
        if self._stay is not None:
            with contextlib.suppress(TimeoutError, Lost):
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await self._stay.leave()

    # ---- what Staying asks (staying.py)

    def judge(self, lost: Lost) -> Fault:
        """As it is."""
        self._unanswered = isinstance(lost, Unanswered)
        return lost.fault

    def alive_within(self, _seconds: float) -> bool:
        """Whether the sound goes on: both ends check their way every few seconds (telegram_ears.py)."""
        return self._held is not None and not self._unanswered and self._sound.media.silence < _CHECKED

    def let_go(self) -> None:
        """Nothing is sent, and nobody heard, any more."""
        self._held = None
        self._sound.up.allowed = False
        self._sound.silence()

    def end(self) -> None:
        """Nothing is sent any more."""
        self._sound.up.allowed = False

    def silence(self) -> Iterable[RoomEvent]:
        """Who is there has to be told anew; a sound that goes on goes on."""
        return self._people.untell()

    def empty(self) -> Iterable[RoomEvent]:
        """Nobody is there, and nobody records us, as far as is known."""
        self.let_go()
        recorded, self._recorded = self._recorded, False
        return [*([contract.Recording(False)] if recorded else ()), *self._people.empty()]

    async def ended(self) -> None:
        """Leave in order if there is still a way, and let everything go."""
        await self._out()
        stay, self._stay = self._stay, None
        if stay is not None:
            await stay.end()
        await self._sound.media.close()

    async def stay(self) -> None:
        """One stay in the voice chat. Ends only by raising.

        :raises Lost: it ended, or did not begin.
        """
        stay = Stay(
            self._settings,
            self._people,
            self._sound,
            self._wanted,
            self._counters,
            tell=self._tell,
            arrived=self._arrived,
        )
        await self._staying.arrive()
        self._stay = stay
        try:
            await first_of(stay.run(self._held), self._another_route())
        except Lost:
            self._held = stay.call_id or self._held
            if self._sound.media.source is None:
                self.let_go()
            self._stay = None
            await stay.end()
            raise

    async def _another_route(self) -> None:
        """With another address of this device the voice chat is joined anew."""
        try:
            await self._staying.other_route()
        except Lost:
            self._sound.media.source = None
            raise

    def _arrived(self, but: str) -> None:
        self._staying.arrived(but)
        if self._stay is not None:
            self._stay.tell_changes()

    def _tell(self, event: RoomEvent) -> None:
        if isinstance(event, contract.Recording):
            if event.on == self._recorded:
                return
            self._recorded = event.on
        self._staying.tell(event)
