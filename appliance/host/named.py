"""A token for whom a trusted reverse proxy has signed in: they need no link. Off unless the settings name the header."""

import hashlib
from collections.abc import Mapping

from aiohttp import web

from appliance.core.events import EventName
from appliance.host.conference import Conference
from appliance.host.http import Refusal, json_response
from appliance.host.services import Services
from appliance.settings import identity_of

_LONGEST = 48
_DIGEST = 12


def identity_of_name(name: str) -> str:
    """The identity of whoever signs in as ``name``: two names that differ never are the same member."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    return f"{identity_of(name)[:_LONGEST]}.{digest}"


class Named:
    """Serves ``/rooms/{room}/token``."""

    def __init__(self, conferences: Mapping[str, Conference], services: Services) -> None:
        self._conferences = conferences
        self._services = services

    def routes(self) -> list[web.RouteDef]:
        """What it serves: nothing, unless a header is named."""
        is_on = self._services.proxy.name_header and self._services.proxy.trusted
        return [web.post("/rooms/{room}/token", self.token)] if is_on else []

    async def token(self, request: web.Request) -> web.Response:
        """``POST /rooms/{room}/token``."""
        services, room = self._services, request.match_info["room"]
        approach = services.approach(request)
        # The browser shows the proxy's cookie to it whoever asks: another page must not get a token by it.
        if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise self._refusal(403, "This is for the page of this server only.", room, "foreign page")
        if approach.name is None:
            raise self._refusal(401, "Nobody is signed in. Open the link that you were sent.", room, "not named")
        conference = self._conferences.get(room)
        if conference is None:
            raise Refusal(404, "There is no such room.")
        identity = identity_of_name(approach.name)
        if identity in conference.memory.removed:
            raise self._refusal(403, "You were sent out of this room.", room, "removed")
        token = conference.issue(identity, approach.name, "person", services.times.named)
        return json_response({"token": token, "name": approach.name})

    def _refusal(self, status: int, sentence: str, room: str, why: str) -> Refusal:
        self._services.counters.add("host_refused")
        self._services.counters.add("host_names_refused")
        self._services.tell(EventName.MEMBER_REFUSED, room=room, why=why)
        return Refusal(status, sentence)
