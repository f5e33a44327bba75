"""Joining and leaving over HTTP, as WHIP does it (RFC 9725): POST of an offer, 201 with the answer, DELETE to leave."""

from collections.abc import Mapping

from aiohttp import hdrs, web

from appliance.core.events import EventName
from appliance.core.protocol import Claims, TokenError
from appliance.core.sdp import SdpError, parse_offer
from appliance.host.approach import reached
from appliance.host.conference import Conference, RoomFull
from appliance.host.fan_out import Address
from appliance.host.http import Refusal, bearer, read_body
from appliance.host.limits import Buckets
from appliance.host.services import Services

_SDP = "application/sdp"

_FULL_AGAIN = 20
"""Seconds after which it is worth trying a full room again."""


class Signalling:
    """Serves the media resources of all rooms.

    :param public_address: IPv4 address that members send to; empty takes the one that their request came to.
    """

    def __init__(self, conferences: Mapping[str, Conference], services: Services, public_address: str) -> None:
        self._conferences = conferences
        self._services = services
        self._public_address = public_address
        self._joins = Buckets(services.limits.joins)

    def routes(self) -> list[web.RouteDef]:
        """What it serves."""
        return [
            web.post("/rooms/{room}/media", self.join),
            web.delete("/rooms/{room}/media/{session}", self.leave),
        ]

    async def join(self, request: web.Request) -> web.Response:
        """``POST /rooms/{room}/media``."""
        conference = self._conference(request)
        claims = self._claims(request, conference)
        if not self._joins.take(f"{conference.id} {claims.identity}", self._services.now()):
            raise Refusal(429, "Too many attempts; wait a little.", {hdrs.RETRY_AFTER: "2"})
        body = await read_body(request, _SDP, self._services.times.body)
        try:
            session, answer = conference.join(claims, parse_offer(body), self._media_address(request))
        except SdpError as error:
            raise Refusal(400, str(error)) from None
        except RoomFull:
            raise Refusal(503, "The room is full.", {hdrs.RETRY_AFTER: str(_FULL_AGAIN)}) from None
        headers = {
            hdrs.LOCATION: f"/rooms/{conference.id}/media/{session.id}",
            hdrs.ETAG: f'"{session.id}"',
            hdrs.CACHE_CONTROL: "no-store",
        }
        return web.Response(status=201, text=answer, content_type=_SDP, headers=headers)

    async def leave(self, request: web.Request) -> web.Response:
        """``DELETE /rooms/{room}/media/{session}``."""
        conference = self._conference(request)
        claims = self._claims(request, conference, expiry=False)
        session = conference.session(request.match_info["session"])
        if session is None:
            raise Refusal(404, "There is no such session.")
        if session.who != claims.identity:
            raise Refusal(403, "This session is somebody else's.")
        conference.leave(session, "left")
        return web.Response()

    def _conference(self, request: web.Request) -> Conference:
        conference = self._conferences.get(request.match_info["room"])
        if conference is None:
            raise Refusal(404, "There is no such room.")
        return conference

    def _claims(self, request: web.Request, conference: Conference, *, expiry: bool = True) -> Claims:
        try:
            return conference.verify(bearer(request), expiry=expiry)
        except TokenError as error:
            self._services.counters.add("host_refused")
            self._services.tell(EventName.MEMBER_REFUSED, room=conference.id, why=error.code)
            challenge = {str(hdrs.WWW_AUTHENTICATE): 'Bearer error="invalid_token"'} if error.http_status == 401 else {}
            raise Refusal(error.http_status, str(error), challenge) from None

    def _media_address(self, request: web.Request) -> Address:
        """Where the member shall send its media."""
        port = self._services.port.address[1]
        if self._public_address:
            return self._public_address, port
        bound = self._services.port.address[0]
        if bound != "0.0.0.0":  # noqa: S104  # bound to one address: there it listens
            return bound, port
        return reached(request) or "127.0.0.1", port
