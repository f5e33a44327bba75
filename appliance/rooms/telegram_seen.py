"""How this device wants to be seen in the voice chat, and what it asks of Telegram for it: one thing at a time, and not for ever.

What Telegram refuses is asked for again after ever longer waits. Where it lets us only listen (a voice chat that comes mixed),
it is joined anew to speak when the gate is opened, and once more after a while; then the status says so until a hand opens the
gate again.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from appliance.rooms.signalling import Lost
from appliance.rooms.telegram_account import WaitAsked
from appliance.rooms.telegram_shapes import People

MIXED = "The voice chat is very large: who only listens hears it some seconds late, and levels are as late."
LISTENS = "The voice chat is too large: Telegram lets this device only listen in it, so nobody hears what is said here."
JOINED_ANEW = "The microphone was opened: the voice chat is joined anew, to speak in it."
_NOT_SHOWN = "Telegram does not change how this device is shown in the voice chat."

_JOINS, _JOIN_AGAIN = 2, 15.0
"""How often it is joined anew for one opening of the gate, and seconds between these."""
_EDIT_AGAIN, _LONGEST = 10.0, 300.0
"""Seconds until something that Telegram refused is asked for again: doubled each time, up to the longest."""
_TOLD_AFTER = 3
"""Refusals in a row after which that is told."""


@dataclass(slots=True)
class Wanted:
    """What is wanted, and what became of it; lives as long as the engine."""

    muted: bool = True
    hand: bool = False
    said: str = ""
    """What was told last of being in the room."""
    _joined_anew: int = 0
    """How often, since the gate was opened."""
    _not_before: dict[str, float] = field(default_factory=dict)
    """Until when what Telegram refused is not asked for; by the loop's clock."""
    _waits: float = 0.0
    """The same for everything, because it asked for that."""
    _refusals: dict[str, int] = field(default_factory=dict)

    def gate(self, *, opened: bool) -> None:
        """The gate is open, or closed: what failed before tells nothing of another opening."""
        if self.muted is opened:
            self._joined_anew = 0
            self._forget("muted")
            self._forget("joining")
        self.muted = not opened

    def differs(self, people: People, now: float, *, mixed: bool = False) -> Mapping[str, bool]:
        """What Telegram has to be told next. Whom somebody else muted a hand unmutes.

        :param mixed: who only listens is not shown as speaking.
        """
        own = people.own
        if own.source is None:
            return {}
        kept = not self.muted and (mixed or self._obeys(people))
        if self._may("muted", now) and self.muted != own.muted and not kept:
            return {"muted": self.muted}
        if self._may("raise_hand", now) and self.hand != own.hand:
            return {"raise_hand": self.hand}
        return {}

    def _obeys(self, people: People) -> bool:
        return people.own.admin_muted or people.silenced

    # ---- to speak where one only listens

    def joins_anew(self, people: People, now: float) -> bool:
        """Whether a voice chat that comes mixed has to be joined anew now, to speak in it; counts that it is."""
        if self.muted or people.own.source is None or self._obeys(people) or self._joined_anew >= _JOINS:
            return False
        if not self._may("joining", now):
            return False
        self._joined_anew += 1
        self._not_before["joining"] = now + _JOIN_AGAIN
        return True

    def of_being_there(self, *, mixed: bool) -> str:
        """What has to be known of being in the room, one sentence or ""."""
        if mixed:
            return LISTENS if self._joined_anew and not self.muted else MIXED
        return _NOT_SHOWN if max(self._refusals.values(), default=0) >= _TOLD_AFTER else ""

    # ---- what became of it

    def taken(self, what: Collection[str]) -> None:
        """Telegram has done it."""
        for name in what:
            self._forget(name)

    def refused(self, what: Collection[str], lost: Lost, now: float) -> None:
        """Telegram has not, or asks to wait with everything."""
        if isinstance(lost, WaitAsked):
            self._waits = now + (lost.fault.retry_after or _EDIT_AGAIN)
            return
        for name in what:
            count = self._refusals[name] = self._refusals.get(name, 0) + 1
            self._not_before[name] = now + min(_LONGEST, _EDIT_AGAIN * 2.0 ** (min(count, 9) - 1))

    def _may(self, name: str, now: float) -> bool:
        return max(self._waits, self._not_before.get(name, 0.0)) <= now

    def _forget(self, name: str) -> None:
        self._not_before.pop(name, None)
        self._refusals.pop(name, None)
