"""How loud the members of a room are, who speaks, and when who spoke last.

The last of these is kept only where the settings want it (``[host] last_spoke``, off by default), in memory, of those who are
here, and one time for the whole room.
"""

from collections.abc import Mapping
from typing import Any

from appliance.core.units import SILENCE
from appliance.host.session import Session
from appliance.host.watcher import Levels

_SILENT = round(SILENCE)


class Loudness:
    """Of one room.

    :param sessions: who is here, as it changes.
    :param last_spoke: whether times are kept.
    """

    def __init__(self, sessions: Mapping[str, Session], *, last_spoke: bool) -> None:
        self._sessions = sessions
        self._keeps_times = last_spoke
        self._room_spoke: int | None = None
        self._spoke: dict[str, int] = {}
        self.speaking: frozenset[str] = frozenset()
        """Who speaks, as it was last told."""

    def all(self) -> Levels:
        """Everybody's level who can be heard."""
        levels = {who: session.level for who, session in self._sessions.items() if session.level > _SILENT}
        return Levels(levels, self.speaking)

    def news(self, now: float, unix_now: float) -> Levels | None:
        """What has changed since the last time; None: nothing."""
        changed: dict[str, float] = {}
        speaking = set()
        for who, session in self._sessions.items():
            if session.rests and who not in self.speaking:
                continue
            level = session.meter.read(now)
            if level != session.level:
                changed[who] = session.level = level
            if session.speaking.update(level, now):
                speaking.add(who)
        if self._keeps_times and speaking:
            self._room_spoke = int(unix_now)
            self._spoke.update(dict.fromkeys(speaking, self._room_spoke))
        if not changed and speaking == self.speaking:
            return None
        self.speaking = frozenset(speaking)
        return Levels(changed, self.speaking)

    def forget(self, who: str) -> None:
        """Of somebody who has left no time is kept."""
        self._spoke.pop(who, None)

    @property
    def last_spoke(self) -> dict[str, Any] | None:
        """Whole Unix seconds, as the welcome has them; None where they are not kept."""
        return {"room": self._room_spoke, "members": dict(self._spoke)} if self._keeps_times else None
