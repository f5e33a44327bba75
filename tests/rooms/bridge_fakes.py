"""An engine of the contract that is a list of what it was given, and blocks that a test puts into it."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from appliance.core.lamps import LinkPhase
from appliance.core.roster import Member, new_member
from appliance.core.state import ProofState, WayState
from appliance.core.units import Block, Pcm
from appliance.rooms.contract import Capabilities, PhaseChanged, RoomEvent, SiteReport
from appliance.rooms.hosted import CAPABILITIES


class FakeEngine:
    """See :class:`appliance.rooms.contract.Engine`."""

    def __init__(self, capabilities: Capabilities = CAPABILITIES) -> None:
        self.capabilities = capabilities
        self.counters: Mapping[str, int] = {}
        self.way = WayState()
        self.violations = 0
        self.blocks: deque[Block] = deque()
        self.sent: list[Pcm | None] = []
        self.forbidden: list[bool] = []
        self.checks = 0
        self.reports: list[SiteReport] = []
        self.left = False
        self.refuse: Exception | None = None
        self._report: Callable[[RoomEvent], None] = lambda _: None

    @property
    def proof(self) -> ProofState:
        return ProofState(self.violations, "sound was about to leave" if self.violations else "")

    async def run(self, report: Callable[[RoomEvent], None]) -> None:
        self._report = report
        if self.refuse is not None:
            raise self.refuse
        await asyncio.Event().wait()

    def tell(self, *events: RoomEvent) -> None:
        for event in events:
            self._report(event)

    def enter(self) -> None:
        self.tell(PhaseChanged(LinkPhase.IN_ROOM))

    async def leave(self) -> None:
        self.left = True

    def send(self, pcm: Pcm | None) -> None:
        self.sent.append(None if pcm is None else pcm.copy())

    def forbid(self, closed: bool) -> None:
        self.forbidden.append(closed)

    def check(self) -> None:
        self.checks += 1

    def receive(self, out: Block) -> bool:
        if not self.blocks:
            out.fill(0)
            return False
        np.copyto(out, self.blocks.popleft())
        return True

    def set_hand(self, up: bool) -> None: ...

    def knock(self) -> None:
        raise AssertionError("a knock stays in its room")

    def set_volume(self, member: str, gain: float) -> None: ...

    async def hand_in(self, _word: str, _bundle: bytes, /) -> str:
        return ""

    def report_site(self, report: SiteReport) -> None:
        self.reports.append(report)


def person(name: str) -> Member:
    return replace(new_member(name.lower(), name, "person", "speaker"), connecting=False, muted=False)
