"""What every part of a host works with."""

import hashlib
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from appliance.core.counters import Counters
from appliance.core.events import Event, EventName
from appliance.core.roster import Sign
from appliance.host.approach import Approach, approach_of
from appliance.host.config import Limits, Proxy, Times, Turn
from appliance.host.limits import Gate
from appliance.host.port import Port
from appliance.host.relay import ice_servers

_WHO = frozenset({"member", "by"})
"""Fields of events that hold an identity."""


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
    gate: Gate
    """What one address may ask for."""
    devices: Collection[str] = frozenset()
    """Identities of devices, by which no link lets anybody in."""
    turn: Turn | None = None
    proxy: Proxy = field(default_factory=Proxy)
    last_spoke: bool = False
    """Whether whoever may enter is told when who spoke last."""
    tls: bool = False
    """Whether the host serves https itself."""
    sites: set[str] = field(default_factory=set)
    """Devices that have been in, those among them that came to be known while the host runs."""
    salt: bytes = field(default_factory=lambda: os.urandom(16), repr=False)
    """Makes other words of identities at each start."""

    def tell(self, name: EventName, **fields: object) -> None:
        """Report an event. A device is named in it; people are told apart and not named (docs/data-protection.md)."""
        shown = {key: self._shown(str(value)) if key in _WHO else value for key, value in fields.items()}
        self.on_event(Event(name, self.now(), shown))

    def _shown(self, identity: str) -> str:
        """A person's identity often is the name, so it becomes one that holds until the host is started anew."""
        if identity in self.devices or identity in self.sites:
            return identity
        return "person-" + hashlib.blake2b(identity.encode(), key=self.salt, digest_size=4).hexdigest()

    def approach(self, request: web.Request) -> Approach:
        """How a request came to us."""
        return approach_of(request, self.proxy, tls=self.tls)

    def ice_servers(self, identity: str) -> list[dict[str, Any]]:
        """The relays that this member may use for a while, as RTCIceServer has them; empty when there is none."""
        return ice_servers(self.turn, identity, self.unix_now())
