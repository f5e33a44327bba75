"""Looking for a ring where an engine passes on no reports: a mark is said in each room, and must not come out of the other.

A bridge that begins listens in both rooms first. Then it says two marks (core/marks.py) at a time, another one in each room,
quietly and for two seconds, while it carries nothing. What comes out of the other room was brought there by another bridge.
A second time leaves no doubt, and it does not open at all. Whoever has opened carries the marks of others as everything.

Of two that begin at once the one that says its marks later hears those of the first for certain, as it has listened for longer
than the other one takes until it opens: it stops, and who of them goes first follows from the numbers of the marks. These
follow from the name that a bridge draws at its start. Of who has drawn the same numbers a bridge hears as much as of an echo:
its own marks, where it said them. So it says others then, and opens after three times only.

Once more, a little later, it says two marks: what the first ones missed costs seconds. A bridge that was away from a room, or
muted in it while somebody came, looks again: another one may be there.
"""

from collections.abc import Callable, Sequence
from enum import Enum

from appliance.core.marks import FAINT, MARKS, PLAIN, SECONDS, Ear, mark
from appliance.rooms.bridge_clock import Lane

_EVERY = 0.25
"""Seconds between two looks, each at five seconds of one of the rooms."""
_BACK = 1.5
"""After a mark until it would have come back, over several bridges."""
_LISTEN = SECONDS + _BACK + 0.7
"""Seconds before a mark: whoever has begun to say one before these has opened after them, and brings ours back."""
_READY = 0.5
"""Until a room knows that somebody may be heard."""
_WAIT = 0.8
"""Chance gives so many seconds at most, besides."""
_AFTER_YOU = 4.0
"""Seconds that who goes second leaves to who goes first."""
_ONCE_MORE = 10.0
"""Chance gives so many seconds at most, and a third of them at least, until marks are said once more."""
_ECHOES = 3
"""How often in a row one's own marks may be heard where they were said until that is an echo: with each the chance that it is
another bridge, which begins at the same moment and says the same, is one in 66 of what it was."""
_SURE_OF_RING = 2
_KNOWN = range(4)
"""Numbers of those that were open already: the lowest, so that they go first."""
_NEW = range(4, MARKS)
_NAMED = 3
"""Pairs that a name of 32 bits is good for."""


class _State(Enum):
    AWAY = 0
    WAITS = 1
    READY = 2
    SAYS = 3
    LISTENS = 4
    DONE = 5
    SURE = 6
    RING = 7


_LOOKING = (_State.WAITS, _State.READY, _State.SAYS, _State.LISTENS)
_SAID = (_State.SAYS, _State.LISTENS)
_OPEN = (_State.DONE, _State.SURE)


class Probe:
    """:meth:`look` is asked often, on the loop. Rooms are 0 and 1.

    :param into: the way into each room.
    :param chance: gives numbers in [0, 1).
    :param name: of the bridge, a number.
    """

    def __init__(self, into: Sequence[Lane], chance: Callable[[], float], name: int) -> None:
        self._into, self._chance, self._name = tuple(into), chance, name
        self._hearing = Ear(), Ear()
        """What listens in each room."""
        self.ears = ((self._hearing[0], into[1]), (self._hearing[1], into[0]))
        """The same, each with the way out of its room."""
        self._state = _State.AWAY
        self._until = self._due = 0.0
        self._turn = 0
        self._round = 0
        self._says: dict[int, int] = {}
        """The number that is said in each room, or is about to be."""
        self.proven: frozenset[int] = frozenset()
        """Into which rooms something may be said but for a moment, in which it looks once more."""
        self._rings = self._echoes = 0
        self._back = self._echo = self._known = False

    @property
    def free(self) -> frozenset[int]:
        """Into which rooms something may be said: nobody brings it back, as far as can be heard."""
        return self.proven if self._state in _OPEN else frozenset()

    @property
    def is_ring(self) -> bool:
        """Whether marks came back; it stays so until it looks anew."""
        return self._state is _State.RING

    def speaks(self, room: int) -> bool:
        """Whether a mark is said there, or is about to be."""
        return self._state in (_State.READY, _State.SAYS) and room in self._says

    def anew(self, now: float) -> None:
        """Look once again, from the beginning."""
        self._rings = self._echoes = 0
        self._known = False
        self._wait(now)

    def look(self, now: float, is_here: bool, muted: Sequence[bool]) -> bool:
        """Go on; whether marks have come back.

        :param is_here: the bridge is in both rooms.
        :param muted: in which rooms somebody muted it: there no mark is said, and so nothing else before that is over.
        """
        may = [room for room in range(2) if not muted[room]]
        if not is_here or (not may and self._state in _LOOKING):
            self._go(_State.AWAY, now)
        elif self._state is _State.AWAY:
            if may:
                self.anew(now)
        elif self._state in _OPEN:
            self._go_on_open(now, may)
        elif self._state in _LOOKING:
            self._go_on(now, may)
        return self.is_ring

    def _go_on_open(self, now: float, may: Sequence[int]) -> None:
        if not self.proven.issuperset(may):
            self.anew(now)
        elif self._state is _State.DONE and now < self._until:
            if now >= self._due:  # an ear that was not asked for long has all of it to search at once
                self._due, self._turn = now + _EVERY, 1 - self._turn
                self._hearing[self._turn].likeness()
        elif self._state is _State.DONE:
            if self._listen(range(2)) or not may:  # somebody looks just now, and needs us open
                self._until = now + self._once_more()
            else:
                self._say(now, may)

    def _go_on(self, now: float, may: Sequence[int]) -> None:
        ends = now >= self._until
        if not set(self._says).issubset(may):
            self._wait(now)
        elif ends or now >= self._due:
            self._due, self._turn = now + _EVERY, 1 - self._turn
            others = self._listen(range(2) if ends else (self._turn,))
            if others:
                self._give_way(now, others | self._listen(range(2)))
            elif self._back:
                self._came_back(now)
            elif ends:
                self._next(now, may)

    def _listen(self, rooms: Sequence[int]) -> set[int]:
        """Marks of others, in these rooms. Whether our own are heard is noted."""
        others: set[int] = set()
        said = self._says if self._state in _SAID else {}
        for room in rooms:
            for number, like in self._hearing[room].likeness().items():
                if number not in said.values():
                    others |= {number} if like > PLAIN else set()
                elif said.get(room) == number:
                    self._echo = self._echo or like > PLAIN
                else:
                    self._back = self._back or like > FAINT
        return others

    def _give_way(self, now: float, others: set[int]) -> None:
        """Somebody else looks: one of us goes first. Who has said nothing yet does not."""
        first = self._state in _SAID and min(self._says.values()) < min(others)
        self._echoes = 0
        self._wait(now, 0.0 if first else _AFTER_YOU)

    def _came_back(self, now: float) -> None:
        """Over a bridge, or it was another one that said the same: then it says something else next."""
        self._rings += 1
        if self._rings >= _SURE_OF_RING:
            self._go(_State.RING, now)
        else:
            self._wait(now)

    def _next(self, now: float, may: Sequence[int]) -> None:
        match self._state:
            case _State.WAITS:
                self._says = self._drawn(may)
                self._go(_State.READY, now, _READY)
            case _State.READY:
                self._say(now, may)
            case _State.SAYS:
                self._go(_State.LISTENS, now, _BACK)
            case _:
                self._heard_nobody(now)

    def _heard_nobody(self, now: float) -> None:
        again = bool(self.proven)
        self._echoes = self._echoes + 1 if self._echo and not again else 0
        if 0 < self._echoes < _ECHOES:
            self._wait(now)
            return
        self._rings = 0
        self.proven |= frozenset(self._says)
        self._known = True
        self._go(_State.SURE if again else _State.DONE, now, self._once_more())

    def _say(self, now: float, may: Sequence[int]) -> None:
        if self._state is _State.DONE:
            self._says = self._drawn(may)
        self._back = self._echo = False
        for room, number in self._says.items():
            self._into[room].say_mark(mark(number))
        self._go(_State.SAYS, now, SECONDS)

    def _drawn(self, rooms: Sequence[int]) -> dict[int, int]:
        """Two numbers that are not the same: of a bridge that has not been open from its name, as long as that has some."""
        among = _KNOWN if self._known else _NEW
        pairs = len(among) * (len(among) - 1)
        named = self._round < _NAMED and not self._known
        pair = self._name // pairs**self._round % pairs if named else int(self._chance() * pairs)
        self._round += named
        first, second = divmod(pair, len(among) - 1)
        numbers = among[first], among[second + (second >= first)]
        return {room: numbers[room] for room in rooms}

    def _wait(self, now: float, more: float = 0.0) -> None:
        for ear in self._hearing:
            ear.forget()
        self._go(_State.WAITS, now, _LISTEN + more + _WAIT * self._chance())

    def _once_more(self) -> float:
        return _ONCE_MORE * (1 + 2 * self._chance()) / 3

    def _go(self, state: _State, now: float, seconds: float = 0.0) -> None:
        if self._state in _SAID and state not in _SAID:
            for lane in self._into:
                lane.say_mark(())
        if state in (_State.AWAY, _State.WAITS, _State.RING):
            self._says, self.proven, self._back = {}, frozenset(), False
        self._state, self._until = state, now + seconds
