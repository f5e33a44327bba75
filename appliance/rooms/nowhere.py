"""The engine of a device that is in no room yet, because no server is named: silent, and it says so."""

import asyncio
from collections.abc import Callable, Mapping

from appliance.core.lamps import LinkPhase
from appliance.core.state import ProofState, WayState
from appliance.core.units import Block, Pcm
from appliance.rooms.contract import Capabilities, PhaseChanged, RoomEvent, SiteReport


class Nowhere:
    """See :class:`appliance.rooms.contract.Engine`; ``why`` is the sentence that status shows."""

    capabilities = Capabilities(
        real_levels=False,
        audio_per_member=False,
        hands=False,
        knocks=False,
        admin_mute=False,
        mute_enforced=False,
        asks=False,
        doors=False,
        reports=False,
        recording=False,
        bundles=False,
        most_members=0,
    )
    counters: Mapping[str, int] = {}
    proof = ProofState()
    violations = 0
    way = WayState()

    def __init__(self, why: str) -> None:
        self._why = why

    async def run(self, report: Callable[[RoomEvent], None]) -> None:
        """Say where we are, and stay there."""
        report(PhaseChanged(LinkPhase.LEFT, self._why))
        await asyncio.Event().wait()

    async def leave(self) -> None:
        """There is nothing to leave."""

    def send(self, pcm: Pcm | None) -> None:
        """Nobody hears it."""

    def forbid(self, closed: bool) -> None:
        """Nothing leaves."""

    def check(self) -> None:
        """There is nothing to look at."""

    def receive(self, out: Block) -> bool:
        """Nobody speaks."""
        out.fill(0)
        return False

    def set_hand(self, up: bool) -> None:
        """Nobody sees it."""

    def knock(self) -> None:
        """Nobody hears it."""

    def set_volume(self, member: str, gain: float) -> None:
        """There is no member."""

    async def hand_in(self, _word: str, _bundle: bytes, /) -> str:
        """Nobody asked."""
        return self._why

    def report_site(self, report: SiteReport) -> None:
        """Nobody asks."""
