"""How link stands to its room, since when, and how long it was out of it for the settings that are in force."""

from appliance.app.clock import Moments
from appliance.core.lamps import LinkPhase


class Standing:
    """Told of every phase, and of every time that link leaves the room for new settings.

    :param moments: how they are kept and told.
    """

    def __init__(self, moments: Moments | None = None) -> None:
        self._moments = moments or Moments()
        self._clock = self._moments.steady
        self._phase, self._since = LinkPhase.STARTING, self._clock()
        self._left, self._away = self._clock(), True
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
            self._phase, self._since = phase, self._clock()
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
        return {"phase": self._phase.name.lower(), "since": self._moments.unix(self._since)}
