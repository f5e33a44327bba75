"""What a host says of its room in the local network (DNS-SD, RFC 6763), and how little of it is believed.

Anybody in the network may say such a thing. So it is bounded and checked here, a device only shows it, and joins when a hand in
the room has pressed for it; whether the device is let in, the host's people decide (docs/enrolment.md).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from appliance.core.wire import is_identity, is_name

SERVICE = "_kontor._tcp.local."
"""The type of the service."""
LONGEST = 255
"""Bytes of one key=value (RFC 6763, 6.1)."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class NearbyRoom:
    """One room that is announced."""

    room: str
    title: str
    certificate: str
    """SHA-256 of the host's media certificate, hexadecimal: no other server is talked to later."""
    url: str = ""
    """Where the host is; "": at the address that the announcement names."""
    https: bool = False
    authority: str = ""
    """SHA-256 of the PEM file of the host's own authority, which it serves without encryption; "": it has none."""

    def properties(self) -> dict[str, str]:
        """As the announcement carries it; of a title of many bytes what fits."""
        title = self.title.encode()[: LONGEST - len("title=")].decode("utf-8", "ignore").strip()
        found = {"v": "1", "room": self.room, "title": title, "certificate": self.certificate}
        found |= {"url": self.url} if self.url else {}
        found |= {"tls": "1"} if self.https else {}
        return found | ({"authority": self.authority} if self.authority else {})


def read_nearby(properties: Mapping[str, str]) -> NearbyRoom | None:
    """What an announcement says; None when it is none that is understood. ``url`` is left to be checked by the reader."""
    given = {key: properties.get(key, "") for key in ("v", "room", "title", "certificate", "url", "tls", "authority")}
    if given["v"] != "1" or not is_identity(given["room"]) or not is_name(given["title"]):
        return None
    if not _SHA256.fullmatch(given["certificate"]) or not re.fullmatch(rf"({_SHA256.pattern})?", given["authority"]):
        return None
    https = given["tls"] == "1" or given["url"].startswith("https:")
    return NearbyRoom(given["room"], given["title"], given["certificate"], given["url"], https, given["authority"])
