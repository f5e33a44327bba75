"""A token for whom a trusted reverse proxy has signed in: they need no link. Off unless the settings name the header."""

import hashlib
from collections.abc import Mapping

from aiohttp import web

from appliance.core.events import EventName
from appliance.host.conference import Conference
from appliance.host.http import Refusal, json_response
from appliance.host.services import Services
from appliance.settings import identity_of

_NOBODY = "Nobody is signed in. Open the link that you were sent."
_LONGEST = 48
_DIGEST = 12


def identity_of_name(name: str) -> str:
    """The identity of whoever signs in as ``name``: two names that differ never are the same member."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    return f"{identity_of(name)[:_LONGEST]}.{digest}"


class Named:
    """Serves ``/rooms/{room}/token``, and ``/rooms``: all rooms with a token for each, for a page that knows none yet."""

    def __init__(self, conferences: Mapping[str, Conference], services: Services) -> None:
        self._conferences = conferences
        self._services = services
        self._is_on = bool(services.proxy.name_header and services.proxy.trusted)

    def routes(self) -> list[web.RouteDef]:
        """What it serves: unless a header is named, that nobody is signed in."""
        rooms = web.get("/rooms", self.rooms)
        return [rooms, web.post("/rooms/{room}/token", self.token)] if self._is_on else [rooms]

    async def rooms(self, request: web.Request) -> web.Response:
        """``GET /rooms``: those that whoever is signed in may enter."""
        if not self._is_on:  # every page without a link asks this once: it is no news
            raise Refusal(401, _NOBODY)
        name = self._name(request, "")
        identity = identity_of_name(name)
        return json_response(
            {
                "rooms": [
                    {"id": each.id, "title": each.title, "token": self._token(each, identity, name)}
                    for each in self._conferences.values()
                    if identity not in each.memory.removed
                ]
            }
        )

    async def token(self, request: web.Request) -> web.Response:
        """``POST /rooms/{room}/token``."""
        room = request.match_info["room"]
        name = self._name(request, room)
        conference = self._conferences.get(room)
        if conference is None:
            raise Refusal(404, "There is no such room.")
        identity = identity_of_name(name)
        if identity in conference.memory.removed:
            raise self._refusal(403, "You were sent out of this room.", room, "removed")
        return json_response({"token": self._token(conference, identity, name), "name": name})

    def _name(self, request: web.Request, room: str) -> str:
        """Who sends it, as the proxy says.

        :raises Refusal: another page asks, or nobody is signed in.
        """
        # The browser shows the proxy's cookie to it whoever asks: another page must not get a token by it.
        if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise self._refusal(403, "This is for the page of this server only.", room, "foreign page")
        name = self._services.approach(request).name
        if name is None:
            raise self._refusal(401, _NOBODY, room, "not named")
        return name

    def _token(self, conference: Conference, identity: str, name: str) -> str:
        return conference.admission.speaker(identity, name, "person", self._services.times.named)

    def _refusal(self, status: int, sentence: str, room: str, why: str) -> Refusal:
        self._services.counters.add("host_refused")
        self._services.counters.add("host_names_refused")
        self._services.tell(EventName.MEMBER_REFUSED, room=room, why=why)
        return Refusal(status, sentence)
