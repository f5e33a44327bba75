"""Whether a bridge closes a ring: by what others tell (core/bridges.py), and where nothing is told by marks (bridge_probe.py).

A bridge that closes one ends, or stands aside: it stays in both rooms, says nothing and tells nothing of itself, so that the
others go on as if it was not there. When the ring is open again without it, it takes the place of the bridge that is gone.
"""

from collections.abc import Callable, Mapping

from appliance.core.bridges import Hop, is_youngest, ring, ways
from appliance.rooms.bridge_clock import Lane
from appliance.rooms.bridge_end import End
from appliance.rooms.bridge_probe import Probe

SETTLED = 1.0
"""Seconds in both rooms before anything is said: a ring has been told of by then."""
VACANT = 5.0
"""Seconds without a ring until who stands aside takes the place, and as many more at most as chance gives."""
AGAIN = 60.0
"""The same between two looks by marks, which people hear: one only after somebody has left a room."""
BEFORE = 30.0
"""Seconds before a way closed: who came since then may have looked for a ring after it, and have found none."""


class BridgeEnded(Exception):
    """The bridge cannot go on, and trying again at once is no use: one sentence with the way out."""


class Rings:
    """Loop only.

    :param ends: the bridge in its two rooms.
    :param into: its ways into them.
    :param own: what it tells of itself.
    :param stands_aside: it waits beside a ring, instead of ending.
    :param chance: gives numbers in [0, 1).
    """

    def __init__(
        self,
        ends: tuple[End, End],
        into: tuple[Lane, Lane],
        own: Hop,
        chance: Callable[[], float],
        *,
        stands_aside: bool = False,
    ) -> None:
        self._ends, self._own, self._chance, self._stands_aside = ends, own, chance, stands_aside
        wordless = not all(end.engine.capabilities.reports for end in ends)
        self.probe = Probe(into, chance, int(own.id, 16)) if wordless else None
        self.others: Mapping[str, int] = {}
        """Of the ring that is told of, each with when it began."""
        self.aside = ""
        """Why it stands aside, one sentence; "": it does not."""
        self._seen = 0
        self._here_since: float | None = None
        self._vacant_at: float | None = None
        self._looked = 0.0
        self._closed_since: list[float | None] = [None, None]

    # ---- what is asked

    @property
    def closed(self) -> bool:
        """Whether what is said here would come back."""
        return bool(self.others or self.aside)

    def starting(self, at: int, now: float) -> bool:
        """Whether others have not been listened to for long enough to say something in the room ``at``."""
        if self.probe is not None:
            return at not in self.probe.free
        return self._here_since is None or now - self._here_since < SETTLED

    def says_mark(self, at: int) -> bool:
        """Whether a mark is said in the room ``at``, or is about to be."""
        return self.probe is not None and self.probe.speaks(at)

    # ---- what happens

    def look(self, now: float) -> None:
        """Often.

        :raises BridgeEnded: the bridge closes a ring, and began last, or both of its sides are in one room.
        """
        a, b = self._ends
        for end in self._ends:
            if any(hops[0].id == self._own.id and side != end.side for side, hops in end.bridges):
                raise BridgeEnded(f"both sides are in the same room: {a.settings.room}. Name another one.")
        here = a.here and b.here
        if self._here_since is None and here and not self.aside:
            self._here_since = now
        self.read()
        self._seen = self._seen + 1 if self.others else 0
        if self._seen > 1 and not self.aside and is_youngest(self._own, self.others):
            self._step_aside(now, len(self.others))
        self._listen(now, here)
        if self.aside and here:
            self._wait_for_the_place(now)

    def read(self) -> None:
        """Take what others tell at this moment: a way that opens must not go by what they told at the last :meth:`look`."""
        a, b = self._ends
        reach = [ways((hops for _, hops in end.bridges), self._own.id) for end in self._ends]
        self.others = ring(reach[0], reach[1], a.settings.digest, b.settings.digest)

    def _listen(self, now: float, here: bool) -> None:
        probe = self.probe
        if probe is None:
            return
        known = probe.is_ring
        if probe.look(now, here, [end.muted for end in self._ends]) and not known:
            self._looked = now
            if not self.aside:
                self._step_aside(now, 1)

    def _step_aside(self, now: float, others: int) -> None:
        a, b = (end.settings.room for end in self._ends)
        over = "another bridge" if others == 1 else f"{others} other bridges"
        why = f"{a} and {b} are connected already, over {over}: take one away, or everybody would hear themselves."
        if not self._stands_aside:
            raise BridgeEnded(why)
        self.aside, self._looked, self._vacant_at, self._here_since = why, now, None, None

    def _wait_for_the_place(self, now: float) -> None:
        marks = self.probe is not None and self.probe.is_ring
        gone = max(end.left_at for end in self._ends) > self._looked
        if self.others or (marks and not gone):
            self._vacant_at = None
        elif self._vacant_at is None:
            least = max(now, self._looked + AGAIN) if marks else now
            self._vacant_at = least + VACANT * (1 + self._chance())
        elif now >= self._vacant_at:
            self.aside, self._looked = "", now
            if self.probe is not None:
                self.probe.anew(now)

    def may_open(self, at: int, now: float, *, closed: bool) -> bool:
        """Whether the way into the room ``at`` opens, as far as rings go.

        Whoever came while it was closed said their marks when it did not carry them: then it looks anew.

        :param closed: something else keeps it closed.
        """
        probe, free = self.probe, not (closed or self.starting(at, now))
        if probe is None:
            return free
        since = self._closed_since[at]
        self._closed_since[at] = (now if since is None else since) if closed and at in probe.proven else None
        if closed or since is None or all(end.came_at < since - BEFORE for end in self._ends):
            return free
        probe.anew(now)
        return False
