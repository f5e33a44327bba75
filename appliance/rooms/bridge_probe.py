"""Looking for a ring where an engine passes on no reports: a mark is said in one room, and must not come out of the other.

Before a bridge opens it says a mark (core/marks.py), quietly and for a second and a half, while it says nothing else. Only over
another bridge can it come out of the other room; then the rooms are connected already, and it does not open at all. Whoever
has opened carries the marks of others as it carries everything. Two that look at once hear each other's marks where they are
said, and look again after a while that chance gives, so that one is open when the other one looks. If chance gave both the
same mark they hear nothing of each other, and open; so each closes a little later for one more mark, another one.

A bridge that was away from a room looks again when it is back: another one may have come meanwhile.
"""

from collections.abc import Callable
from enum import Enum

from appliance.core.marks import FAINT, MARKS, SECONDS, Ear, mark
from appliance.rooms.bridge_clock import Lane

_EVERY = 0.5
"""Seconds between two looks: each searches four seconds of sound."""
_WAIT, _AGAIN = 0.8, 6.0
"""Chance gives so many seconds at most before a mark, and so many more before another try."""
_READY = 0.5
"""Until a room knows that somebody may be heard."""
_BACK = 1.5
"""After a mark until it would have come back, over several bridges."""
_ONCE_MORE = 10.0
"""Chance gives so many seconds at most, and a third of them at least, until a mark is said once more."""


class _State(Enum):
    AWAY = 0
    WAITS = 1
    READY = 2
    SAYS = 3
    LISTENS = 4
    DONE = 5
    SAYS_AGAIN = 6
    SURE = 7


_HEEDED = (_State.SAYS, _State.LISTENS, _State.SAYS_AGAIN)


class Probe:
    """:meth:`look` is asked often, on the loop.

    :param into: the way into the room where the mark is said; what is heard there comes over ``out``.
    """

    def __init__(self, into: Lane, out: Lane, chance: Callable[[], float]) -> None:
        self._into, self._chance = into, chance
        self._number = 0
        self._there, self._here = Ear(), Ear()
        self.ears = ((self._there, out), (self._here, into))
        """What listens in the room where the mark is said, and in the other."""
        self._state = _State.AWAY
        self._until = self._due = 0.0

    @property
    def done(self) -> bool:
        """Whether there is no ring, as far as can be heard."""
        return self._state in (_State.DONE, _State.SURE)

    @property
    def speaks(self) -> bool:
        """Whether the mark is said, or is about to be."""
        return self._state in (_State.READY, _State.SAYS, _State.SAYS_AGAIN)

    def look(self, now: float, is_here: bool, is_muted: bool) -> bool:
        """Go on; whether the mark has come back.

        :param is_here: the bridge is in both rooms.
        :param is_muted: somebody muted it where the mark is said.
        """
        if not is_here or (is_muted and not self.done):
            self._go(_State.AWAY, now)
        elif self._state is _State.AWAY:
            self._wait(now)
        elif self._state is not _State.SURE and now >= self._due:
            self._due = now + _EVERY
            if not self.done and self._hears_another():
                self._again(now)
            elif self._state in _HEEDED and self._here.finds((self._number,), FAINT):
                return True
            elif now >= self._until and not is_muted:
                self._next(now)
        return False

    def _hears_another(self) -> bool:
        """Our own may be heard there, too: somebody's loudspeaker stands in front of an open microphone."""
        return self._there.finds(number for number in range(MARKS) if number != self._number)

    def _again(self, now: float) -> None:
        """Somebody else looks now; once open, a bridge goes on meanwhile."""
        if self._state is _State.SAYS_AGAIN:
            self._go(_State.DONE, now, self._once_more())
        else:
            self._wait(now, _AGAIN)

    def _once_more(self) -> float:
        return _ONCE_MORE * (1 + 2 * self._chance()) / 3

    def _say(self) -> None:
        self._number = int(self._chance() * MARKS)
        self._there.forget()
        self._here.forget()
        self._into.say_mark(mark(self._number))

    def _wait(self, now: float, more: float = 0.0) -> None:
        self._there.forget()
        self._go(_State.WAITS, now, (_WAIT + more) * self._chance())

    def _next(self, now: float) -> None:
        match self._state:
            case _State.WAITS:
                self._go(_State.READY, now, _READY)
            case _State.READY:
                self._go(_State.SAYS, now, SECONDS)
                self._say()
            case _State.SAYS:
                self._go(_State.LISTENS, now, _BACK)
            case _State.LISTENS:
                self._go(_State.DONE, now, self._once_more())
            case _State.DONE:
                self._go(_State.SAYS_AGAIN, now, SECONDS + _BACK)
                self._say()
            case _:
                self._go(_State.SURE, now)

    def _go(self, state: _State, now: float, seconds: float = 0.0) -> None:
        if self._state in _HEEDED and state in (_State.AWAY, _State.WAITS, _State.DONE):
            self._into.say_mark(())
        self._state, self._until = state, now + seconds
