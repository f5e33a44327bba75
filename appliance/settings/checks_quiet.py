"""What in ``[quiet]`` must fit each other."""

from collections.abc import Iterator

from appliance.core.text import quoted
from appliance.settings.clash import Clash
from appliance.settings.model import Settings
from appliance.settings.schedule import never_opens, overlapping

_BOTH = ("quiet.hours", "quiet.holidays")


def quiet(settings: Settings) -> Iterator[Clash]:
    """A schedule without a time zone, with something twice, or one that leaves no time at which the door could be open."""
    given = settings.quiet
    for key in ("hours", "holidays", "night"):
        if getattr(given, key) and not given.time_zone:
            yield Clash(f"quiet.{key}", "needs quiet.time_zone beside it", beside=("quiet.time_zone",))
    twice = overlapping(given.hours, given.holidays)
    if twice:
        one, other, when = twice
        words = f"must not overlap, but {quoted(one)} and {quoted(other)} both hold on {when}"
        if other in map(str, given.hours):
            hint = "Let one end where the other begins; 19:00-07:00 is also 19:00-24:00 and 00:00-07:00."
            yield Clash("quiet.hours", words, hint)
        else:
            yield Clash("quiet.holidays", words, "Leave one of them out, or let it end before the other begins.")
    if never_opens(given.hours, given.holidays):
        key = "quiet.hours" if given.hours else "quiet.holidays"
        words = "must leave a time at which the door can be open"
        yield Clash(key, words, "To keep it closed for good, leave the device's door closed.", beside=_BOTH)
