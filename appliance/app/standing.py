"""How link stands to its room, since when, and how long it was out of it for the settings that are in force."""

import time
from collections.abc import Callable

from appliance.core.lamps import LinkPhase


class Standing:
    """Told of every phase, and of every time that link leaves the room for new settings.

    :param now: Unix time in seconds.
    :param clock: seconds that only grow.
    """

    def __init__(self, now: Callable[[], float] = time.time, clock: Callable[[], float] = time.monotonic) -> None:
        self._now, self._clock = now, clock
        self._phase, self._since = LinkPhase.STARTING, int(now())
        self._left, self._away = clock(), True
        self._back: tuple[str, int] | None = None
        """With which settings link was back, and after how many seconds."""

    def leaves(self) -> None:
        """Link leaves the room for settings that it takes up."""
        self._left, self._away = self._clock(), True

    def change(self, phase: LinkPhase, digest: str) -> None:
        """Link stands like this now.

        :param digest: of the settings that it runs with.
        """
        if phase is not self._phase:
            self._phase, self._since = phase, int(self._now())
        if phase is LinkPhase.IN_ROOM and self._away:
            self._away = False
            if self._back is None or self._back[0] != digest:  # else it came back for another reason
                self._back = digest, round(self._clock() - self._left)

    def back_s(self, digest: str) -> int | None:
        """Seconds that link was away for the settings of this digest, 0: it stayed; None: it is not back yet."""
        if self._away or self._back is None:
            return None
        settled, seconds = self._back
        return seconds if settled == digest else 0

    def as_dict(self) -> dict[str, object]:
        """As the site's report has it."""
        return {"phase": self._phase.name.lower(), "since": self._since}
