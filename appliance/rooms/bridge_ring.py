"""Listening for a ring where an engine passes on no reports: what is said in its room must not come out of it again.

Over a ring the voices of the one room come into the other twice: over this bridge, and over another one. When they seem to
come back, this bridge stops saying them. If they still come, somebody else brings them: that is a ring. If they do not, it was
an echo of this bridge's own sound, from a loudspeaker in front of an open microphone; it goes on, and does not ask again soon.

The younger a bridge is, the sooner it doubts, so that of two the younger one ends.
"""

from collections.abc import Callable
from enum import Enum

from appliance.core.likeness import Likeness
from appliance.rooms.bridge_clock import Lane

_EVERY = 0.2
_YOUNG = 60.0
"""Seconds."""
_PATIENCE, _OLD_PATIENCE, _CHANCE = 2, 6, 3
"""Looks in a row by which a voice is known to come back; of a young bridge, what an old one adds, and what chance adds."""
_SILENT = 1.6
"""Seconds without a word until what was said before is certainly gone from what is looked at."""
_MOST_DOUBT = 6.0
_MOST_UNLIKE = 10
"""Looks that chance adds to those by which a voice is known not to come: of two bridges that doubt at once one goes on sooner."""
_TRUST, _MOST_TRUST = 2.0, 64.0
"""Seconds in which an echo is not taken for a ring again, at first; twice as long each time, up to."""


class _State(Enum):
    SURE = 0
    DOUBTS = 1


class Listening:
    """At one room, which the way ``into`` leads into and ``out`` out of.

    :param likeness: fed with what the two ways hear.
    """

    def __init__(self, likeness: Likeness, into: Lane, out: Lane, chance: Callable[[], float]) -> None:
        self.likeness, self.into, self.out = likeness, into, out
        self._chance = chance
        self._began: float | None = None
        self._state = _State.SURE
        self._due = 0.0
        self._since = 0.0
        self._alike = self._unlike = 0
        self._trusted_until, self._trust = 0.0, _TRUST
        self._enough = _PATIENCE
        self._patience = _PATIENCE

    @property
    def doubts(self) -> bool:
        """Whether nothing may be said, to find out."""
        return self._state is _State.DOUBTS

    def look(self, now: float) -> bool:
        """Whether there is a ring. To be asked often; it looks every 0.2 s."""
        if self._began is None:
            self._began, self._patience = now, _PATIENCE + int(self._chance() * _CHANCE)
        if now < self._due:
            return False
        self._due = now + _EVERY
        found = self.likeness.look()
        return self._doubt(found, now) if self.doubts else self._be_sure(found, now)

    def _be_sure(self, found: bool | None, now: float) -> bool:
        may_doubt = self.into.open and now >= self._trusted_until
        self._alike = self._alike + 1 if found and may_doubt else 0
        old = self._began is not None and now - self._began > _YOUNG
        if self._alike >= self._patience + (_OLD_PATIENCE if old else 0):
            self._state, self._since = _State.DOUBTS, now
            self._alike = self._unlike = 0
            self._enough = _PATIENCE + int(self._chance() * _MOST_UNLIKE)
        return False

    def _doubt(self, found: bool | None, now: float) -> bool:
        if now - self._since < _SILENT:
            return False
        self._alike += found is True
        self._unlike += found is False
        if self._alike >= _PATIENCE:
            return True
        if self._unlike > self._enough or now - self._since > _MOST_DOUBT:
            self._state, self._trusted_until = _State.SURE, now + self._trust
            self._trust = min(_MOST_TRUST, 2 * self._trust)
            self._alike = 0
        return False
