"""What every part of a host works with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from appliance.core.counters import Counters
from appliance.core.events import Event, EventName
from appliance.core.roster import Sign
from appliance.host.config import Limits, Times
from appliance.host.port import Port


@dataclass(frozen=True, slots=True)
class Services:
    """Given to the parts when the host starts."""

    port: Port
    fingerprint: bytes
    """SHA-256 of the host's certificate."""
    counters: Counters
    on_event: Callable[[Event], None]
    now: Callable[[], float]
    """Seconds of the loop's clock."""
    unix_now: Callable[[], float]
    """Seconds since 1970: tokens expire by it."""
    times: Times
    limits: Limits
    max_members: int
    signs: Mapping[str, Sign]
    """Signs that do not follow from the identity."""

    def tell(self, name: EventName, **fields: object) -> None:
        """Report an event."""
        self.on_event(Event(name, self.now(), fields))
