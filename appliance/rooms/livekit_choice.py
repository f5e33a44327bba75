"""Who of a room is listened to when not everybody can be: whose microphone is on, and then whoever speaks."""

from collections.abc import Iterable, Mapping

KEPT = 2.0
"""Seconds since somebody was last heard to speak, before which nobody takes the place."""
UNUSED = 10.0
"""Seconds that a member keeps its place with the microphone off: who comes back is heard at once."""


class Choice:
    """Chooses at most ``most`` members. No clock: ``now`` is in seconds.

    Where there are places enough everybody whose microphone is on has one, so that no first word is lost while the server
    notices who speaks (0.2 to 0.7 s). Else a place goes to who speaks, from whoever was not heard for longest.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._chosen: dict[str, float] = {}
        """Since when each could do without: who spoke last when, or was switched off."""

    @property
    def chosen(self) -> frozenset[str]:
        """Those who have a place."""
        return frozenset(self._chosen)

    def choose(self, there: Mapping[str, bool], speaking: Iterable[str], now: float) -> frozenset[str]:
        """Who is listened to from now on.

        :param there: who has a microphone in the room, and whether it is on; whoever came first stands first.
        :param speaking: who speaks now, the loudest first.
        """
        loud = [who for who in speaking if there.get(who)]
        for who in [who for who in self._chosen if who not in there]:
            del self._chosen[who]
        for who in loud:
            if who in self._chosen:
                self._chosen[who] = now
        self._let_go(there, now)
        for who in [*loud, *(who for who, on in there.items() if on)]:
            if who not in self._chosen and (len(self._chosen) < self._most or self._free(there, loud, who, now)):
                self._chosen[who] = now
        return self.chosen

    def _let_go(self, there: Mapping[str, bool], now: float) -> None:
        for who, since in list(self._chosen.items()):
            if not there[who] and now - since >= UNUSED:
                del self._chosen[who]

    def _free(self, there: Mapping[str, bool], loud: list[str], wants: str, now: float) -> bool:
        """Take a place from whoever needs it least, for somebody who speaks, or from one that is switched off."""
        off = [who for who in self._chosen if not there[who]]
        silent = [who for who, since in self._chosen.items() if there[who] and now - since >= KEPT]
        giving = off or (silent if wants in loud else [])
        if not giving:
            return False
        del self._chosen[min(giving, key=lambda who: self._chosen[who])]
        return True
