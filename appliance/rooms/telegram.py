"""Telegram: being a member of the voice chat of a group, by a user account (docs/telegram.md).

Telethon speaks to Telegram from link's loop; ntgcalls carries the sound in a process of its own, which can crash
(telegram_media.py). A stay (telegram_stay.py) ends by a fault of some class, and core/reconnect.py decides whether and when to
come back. Nothing of this was run against Telegram itself.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Mapping

from appliance.core.counters import Counters, total
from appliance.core.lamps import LinkPhase
from appliance.core.reconnect import FaultKind, Reconnect
from appliance.core.state import ProofState, WayState
from appliance.core.units import Block, Pcm
from appliance.rooms import contract
from appliance.rooms.contract import Capabilities, RoomEvent, RoomRefused, SiteReport
from appliance.rooms.signalling import Lost
from appliance.rooms.telegram_account import Unanswered
from appliance.rooms.telegram_shapes import MOST_MEMBERS, People
from appliance.rooms.telegram_sound import Sound, Up
from appliance.rooms.telegram_stay import Stay, TelegramSettings, Wanted, first_of

LONGEST_WAIT = 30.0
"""Seconds between two attempts to come back, unless Telegram asks for more (DESIGN.md, rule 5)."""

_ABSENT = 5.0
"""Seconds without a connection to Telegram that are nobody's concern while the sound goes on."""
_LEAVE_SECONDS = 0.9
_GIVES_UP: frozenset[FaultKind] = frozenset({"replaced", "refused", "gone"})
"""Faults after which the media connection is not held."""

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
        self._reconnect = Reconnect(LONGEST_WAIT, rng)
        self._report: Callable[[RoomEvent], None] = lambda _: None
        self._stay: Stay | None = None
        self._held: int | None = None
        """The voice chat whose media connection is held."""
        self._in_room = False
        self._why = ""
        self._lost_at: float | None = None
        self._leaving = asyncio.Event()
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
        self._wanted.muted = not report.gate_open
        self._wants()

    def _wants(self) -> None:
        if self._stay is not None:
            self._stay.wants.set()

    async def run(self, report: Callable[[RoomEvent], None]) -> None:
        """Be in the room until cancelled; after :meth:`leave` wait for that.

        :raises RoomRefused: the room does not want this account.
        """
        self._report = report
        self._sound.begin()
        self._tell(contract.PhaseChanged(LinkPhase.CONNECTING))
        try:
            while (lost := await self._stay_or_leave()) is not None:
                await self._wait(lost)
        finally:
            await self._end()
        self._tell(contract.PhaseChanged(LinkPhase.LEFT))
        await asyncio.Event().wait()

    async def leave(self) -> None:
        """Leave the voice chat within one second."""
        self._sound.up.allowed = False
        stay = self._stay
        if stay is not None:
            with contextlib.suppress(TimeoutError, Lost):
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await stay.leave()
        self._leaving.set()

    def _tell(self, event: RoomEvent) -> None:
        if isinstance(event, contract.Recording):
            if event.on == self._recorded:
                return
            self._recorded = event.on
        if isinstance(event, contract.PhaseChanged):
            self._in_room = event.phase is LinkPhase.IN_ROOM
            self._why = event.why
        self._report(event)

    def _empty(self) -> None:
        """Nobody is there, as far as is known."""
        self._sound.silence()
        for event in self._people.empty():
            self._report(event)

    async def _end(self) -> None:
        """Leave in order if there is still a way, and let everything go."""
        self._sound.up.allowed = False
        stay, self._stay = self._stay, None
        if stay is not None:
            with contextlib.suppress(TimeoutError, Lost):
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await stay.leave()
            await stay.end()
        self._held = None
        self._empty()
        await self._sound.media.close()

    async def _stay_or_leave(self) -> Lost | None:
        """Stay until the room is lost (and why) or left (None)."""
        try:
            self._stay = Stay(
                self._settings,
                self._people,
                self._sound,
                self._wanted,
                self._counters,
                tell=self._tell,
                arrived=self._arrived,
            )
            await first_of(self._stay.run(self._held), self._leaving.wait())
        except Lost as lost:
            self._counters.add("link_losses" if self._in_room else "join_failures")
            stay, self._stay = self._stay, None
            if stay is not None:
                self._held = stay.call_id or self._held
                await stay.end()
            if self._sound.media.source is None or lost.fault.kind in _GIVES_UP:
                self._held = None
                self._sound.up.allowed = False
                self._sound.silence()
            return lost
        return None

    def _arrived(self, why: str) -> None:
        now = asyncio.get_running_loop().time()
        self._reconnect.connected(now)
        self._lost_at = None
        if not self._in_room or why != self._why:
            self._tell(contract.PhaseChanged(LinkPhase.IN_ROOM, why))
        if self._stay is not None:
            self._stay.tell_changes()

    async def _wait(self, lost: Lost) -> None:
        """Wait as long as core/reconnect.py says.

        :raises RoomRefused: it says that trying again is no use.
        """
        now = asyncio.get_running_loop().time()
        seconds = self._reconnect.lost(now, lost.fault)
        if seconds is None:
            self._empty()
            self._tell(contract.PhaseChanged(LinkPhase.REFUSED, str(lost)))
            raise RoomRefused(str(lost), ask_again=lost.fault.kind != "replaced")
        self._trouble(lost, now)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._leaving.wait()

    def _trouble(self, lost: Lost, now: float) -> None:
        """The room is lost, or not reached yet. A moment without Telegram is no trouble while its sound goes on."""
        if self._in_room and self._held is not None and not isinstance(lost, Unanswered):
            self._lost_at = self._lost_at or now
            if now - self._lost_at < _ABSENT:
                return
        if self._in_room or str(lost) != self._why:
            self._tell(contract.PhaseChanged(LinkPhase.RECONNECTING, str(lost)))
