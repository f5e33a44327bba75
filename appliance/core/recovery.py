"""The ladder of recovery: what a device does about an illness that does not end by itself. Pure decisions.

The first rung is not here: sound opens its card again and link joins again by themselves, all the time. What stands here is
for when that does not help. A reboot is the last rung, waits until the machine has run for an hour, and for twice as long
each time that the one before was in vain: so there is at most one an hour, whatever the clock on the wall says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Step(StrEnum):
    """What can be done."""

    REJOIN = "rejoin"
    RESTART_LINK = "restart_link"
    RESTART_SOUND = "restart_sound"
    REBOOT = "reboot"


class Ill(StrEnum):
    """What can be wrong, as the journal and ``kontor status`` say it."""

    CARD = "the sound card is lost"
    SOUND = "sound does not answer"
    LINK = "link does not answer"
    EXCHANGE = "sound and link do not find each other"
    ROOM = "the room is not reached"
    NETWORK = "there is no network"


LADDER: Mapping[Ill, tuple[tuple[float, Step], ...]] = MappingProxyType(
    {
        Ill.CARD: ((120, Step.RESTART_SOUND), (600, Step.REBOOT)),
        # systemd starts what ended and what hangs; this is for when it has given up, or does not help.
        Ill.SOUND: ((600, Step.REBOOT),),
        Ill.LINK: ((600, Step.REBOOT),),
        Ill.EXCHANGE: ((60, Step.RESTART_LINK), (180, Step.RESTART_SOUND)),
        # No reboot: a server that is down is no reason for forty devices to start anew.
        Ill.ROOM: ((60, Step.REJOIN), (300, Step.RESTART_LINK)),
        Ill.NETWORK: ((1800, Step.REBOOT),),
    }
)
"""After how many seconds of an illness which step is taken."""

AGAIN = 900.0
"""Seconds after which the last step of an illness is taken again."""
FIRST_REBOOT = 3600.0
"""Seconds that the machine has to have run before it is rebooted."""
LONGEST_WAIT = 24 * 3600.0
WELL = 60.0
"""Seconds without any illness after which a reboot counts as having helped."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A step to take, and what for."""

    step: Step
    ill: Ill
    seconds: float
    """How long it has been so."""


@dataclass(slots=True)
class _Course:
    """How far an illness has come."""

    since: float
    rung: int = 0
    """The next one."""
    due: float = 0.0


class Ladder:
    """Decides; ``now`` is in seconds that only grow.

    :param in_vain: reboots of before after which the machine was never well.
    """

    def __init__(self, in_vain: int = 0) -> None:
        self.in_vain = in_vain
        self._ills: dict[Ill, _Course] = {}
        self._well_since: float | None = None

    @property
    def ills(self) -> Mapping[Ill, float]:
        """What is wrong, and since when."""
        return {ill: course.since for ill, course in self._ills.items()}

    @property
    def reboot_after(self) -> float:
        """Seconds that the machine has to have run before it may be rebooted."""
        return min(LONGEST_WAIT, FIRST_REBOOT * (1 << min(self.in_vain, 10)))

    def look(self, ills: frozenset[Ill], now: float, uptime: float) -> list[Decision]:
        """Take note of what is wrong now, and say what to do about it; at most one step for each illness.

        :param uptime: seconds since the machine started.
        """
        for ill in list(self._ills):
            if ill not in ills:
                del self._ills[ill]
        for ill in sorted(ills):
            self._ills.setdefault(ill, _Course(now, due=now + LADDER[ill][0][0]))
        self._take_note_of_health(now)
        return [decision for ill in self._ills if (decision := self._decide(ill, now, uptime))]

    def pause(self) -> None:
        """What is wrong now is somebody's doing: settings are on trial."""
        self._ills.clear()
        self._well_since = None

    def _take_note_of_health(self, now: float) -> None:
        if self._ills:
            self._well_since = None
        elif self._well_since is None:
            self._well_since = now
        elif now - self._well_since >= WELL:
            self.in_vain = 0

    def _decide(self, ill: Ill, now: float, uptime: float) -> Decision | None:
        course, rungs = self._ills[ill], LADDER[ill]
        if now < course.due:
            return None
        step = rungs[course.rung][1]
        if step is Step.REBOOT and uptime < self.reboot_after:
            return None
        if course.rung + 1 < len(rungs):
            course.rung += 1
            course.due = course.since + rungs[course.rung][0]
        else:
            course.due = now + AGAIN
        return Decision(step, ill, now - course.since)
