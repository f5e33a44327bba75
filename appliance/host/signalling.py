"""Joining and leaving over HTTP, as WHIP (RFC 9725) and WHEP do it.

POST of an offer gives 201 with the answer, DELETE of what it names in Location leaves. PATCH adds candidates, which are read
and not needed: the host is ICE-lite. There are three endpoints for three kinds of members: ``media`` for those who speak and
listen, ``whip`` for those who only speak, ``whep`` for those who only listen.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from aiohttp import hdrs, web
from multidict import CIMultiDict

from appliance.core.events import EventName
from appliance.core.protocol import Claims, TokenError
from appliance.core.sdp import Offer, SdpError, UnfitOffer, parse_offer
from appliance.core.sdp_fragment import MEDIA_TYPE as FRAGMENT
from appliance.core.sdp_fragment import parse_fragment
from appliance.host.approach import reached
from appliance.host.conference import Conference, RoomFull
from appliance.host.config import Rate
from appliance.host.cors import OPEN, SDP, accepts, preflight
from appliance.host.fan_out import Address
from appliance.host.http import Refusal, bearer, read_body
from appliance.host.limits import Buckets
from appliance.host.services import Services
from appliance.host.session import Session

_FULL_AGAIN = 20
"""Seconds after which it is worth trying a full room again."""

_PATCHES = Rate(10.0, 100.0)
"""Fragments for one session: some clients send one for each candidate."""

_PATIENCE = "Too many attempts; wait a little."

_ENDPOINT = ("OPTIONS", "POST")
_SESSION = ("OPTIONS", "PATCH", "DELETE")

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Signalling:
    """Serves the media resources of all rooms.

    :param public_address: IPv4 address that members send to; empty takes the one that their request came to.
    """

    def __init__(self, conferences: Mapping[str, Conference], services: Services, public_address: str) -> None:
        self._conferences = conferences
        self._services = services
        self._public_address = public_address
        self._joins = Buckets(services.limits.joins)
        self._patches = Buckets(_PATCHES)

    def routes(self) -> list[web.RouteDef]:
        """What it serves: every method, so that whatever is refused says so to pages of other origins too."""
        endpoint = _resource({"POST": self.join}, _ENDPOINT)
        session = _resource({"PATCH": self.trickle, "DELETE": self.leave}, _SESSION)
        kind = "/rooms/{room}/{kind:media|whip|whep}"
        return [web.route("*", kind, endpoint), web.route("*", kind + "/{session}", session)]

    async def join(self, request: web.Request) -> web.Response:
        """``POST /rooms/{room}/media``, ``whip`` or ``whep``."""
        conference = self._conference(request)
        claims, now = self._claims(request, conference), self._services.now()
        if not self._services.gate.join(self._services.approach(request).address, now):
            raise Refusal(429, _PATIENCE, {hdrs.RETRY_AFTER: "2"})
        if not self._joins.take(f"{conference.id} {claims.identity}", now):
            self._services.counters.add("host_joins_limited")
            raise Refusal(429, _PATIENCE, {hdrs.RETRY_AFTER: "2"})
        if not accepts(request, SDP):
            raise Refusal(406, f"The answer is {SDP}, which the request does not accept.")
        body = await read_body(request, SDP, self._services.times.body)
        claims = self._claims(request, conference)  # its key may have been revoked meanwhile
        kind = request.match_info["kind"]
        try:
            offer = parse_offer(body)
            if kind != "media":
                offer = _limited(offer, kind)
            if kind == "whep":
                claims = replace(claims, role="listener")
            session, answer = self._enter(conference, claims, offer, request)
        except SdpError as error:
            self._services.counters.add("host_offers_refused")
            raise Refusal(422 if isinstance(error, UnfitOffer) else 400, str(error)) from None
        headers: CIMultiDict[str] = CIMultiDict(
            {
                hdrs.LOCATION: f"/rooms/{conference.id}/{kind}/{session.id}",
                hdrs.ETAG: _tag(session),
                hdrs.CACHE_CONTROL: "no-store",
                "Accept-Patch": FRAGMENT,
            }
        )
        for link in _links(self._services.ice_servers(claims.identity)):
            headers.add(hdrs.LINK, link)
        return web.Response(status=201, text=answer, content_type=SDP, headers=headers)

    def _enter(self, conference: Conference, claims: Claims, offer: Offer, request: web.Request) -> tuple[Session, str]:
        only_sends = not offer.listening
        if only_sends and claims.role == "listener":
            raise Refusal(403, "With this link, or without https, one can only listen.")
        try:
            # Whoever only sends sees nothing of the room: it has no way to unmute itself.
            return conference.join(claims, offer, self._media_address(request), unmuted=only_sends)
        except RoomFull:
            raise Refusal(503, "The room is full.", {hdrs.RETRY_AFTER: str(_FULL_AGAIN)}) from None

    async def trickle(self, request: web.Request) -> web.Response:
        """``PATCH`` of a session: candidates, which change nothing. A restart of ICE is a new join here."""
        session = self._own_session(request)
        if not self._patches.take(session.id, self._services.now()):
            raise Refusal(429, _PATIENCE, {hdrs.RETRY_AFTER: "2"})
        if not _matches(request, session):
            raise Refusal(412, "The session has another entity tag.")
        body = await read_body(request, FRAGMENT, self._services.times.body)
        try:
            fragment = parse_fragment(body, known=[section.mid for section in session.offer.media])
        except SdpError as error:
            self._services.counters.add("host_trickles_refused")
            raise Refusal(400, str(error)) from None
        if (fragment.ufrag, fragment.pwd) != (session.offer.ufrag, session.offer.pwd):
            self._services.counters.add("host_restarts_refused")
            raise Refusal(422, "ICE is not restarted here: a check from a new address is enough, or join anew.")
        return web.Response(status=204, headers={hdrs.ETAG: _tag(session)})

    async def leave(self, request: web.Request) -> web.Response:
        """``DELETE`` of a session."""
        session = self._own_session(request)
        self._conference(request).leave(session, "left")
        return web.Response()

    def _own_session(self, request: web.Request) -> Session:
        """The session that the request names, of whoever sends it. An expired token is good enough for that."""
        conference = self._conference(request)
        claims = self._claims(request, conference, expiry=False)
        session = conference.session(request.match_info["session"])
        if session is None:
            raise Refusal(404, "There is no such session.")
        if session.who != claims.identity:
            raise Refusal(403, "This session is somebody else's.")
        return session

    def _conference(self, request: web.Request) -> Conference:
        conference = self._conferences.get(request.match_info["room"])
        if conference is None:
            self._services.counters.add("host_rooms_unknown")
            raise Refusal(404, "There is no such room.")
        return conference

    def _claims(self, request: web.Request, conference: Conference, *, expiry: bool = True) -> Claims:
        try:
            approach = self._services.approach(request)
            return conference.admission.verify(bearer(request), expiry=expiry, approach=approach)
        except TokenError as error:
            self._services.counters.add("host_refused")
            self._services.tell(EventName.MEMBER_REFUSED, room=conference.id, why=error.code)
            headers: dict[str, str] = {}
            if error.http_status == 401:
                headers[hdrs.WWW_AUTHENTICATE] = 'Bearer error="invalid_token"'
            elif error.http_status == 429:
                headers[hdrs.RETRY_AFTER] = "30"
            raise Refusal(error.http_status, str(error), headers) from None

    def _media_address(self, request: web.Request) -> Address:
        """Where the member shall send its media."""
        port = self._services.port.address[1]
        # Not every router lets us out and in again.
        if self._public_address and not self._services.approach(request).local:
            return self._public_address, port
        bound = self._services.port.address[0]
        if bound != "0.0.0.0":  # noqa: S104  # bound to one address: there it listens
            return bound, port
        return reached(request) or "127.0.0.1", port


def _resource(methods: Mapping[str, Handler], allow: tuple[str, ...]) -> Handler:
    """A handler of all methods of a resource, open to pages of every origin."""

    async def handle(request: web.Request) -> web.Response:
        handler = methods.get(request.method)
        try:
            if request.method == hdrs.METH_OPTIONS:
                response = preflight(allow)
            elif handler is None:
                response = web.Response(
                    status=405, text="This is not done here.\n", headers={hdrs.ALLOW: ", ".join(allow)}
                )
            else:
                response = await handler(request)
        except Refusal as refusal:
            response = refusal.response()
        response.headers.update(OPEN)
        return response

    return handle


def _limited(offer: Offer, kind: str) -> Offer:
    """What is left of an offer at an endpoint for one direction.

    :raises UnfitOffer: nothing.
    """
    limited = offer.turned(sends=kind == "whip", receives=kind == "whep")
    if not limited.audio:
        verb = "send" if kind == "whip" else "receive"
        raise UnfitOffer(f"At this endpoint one can only {verb}, and the offer does not.")
    return limited


def _tag(session: Session) -> str:
    return f'"{session.id}"'


def _matches(request: web.Request, session: Session) -> bool:
    """Whether If-Match lets the request through; there are clients that send none."""
    wanted = request.headers.get(hdrs.IF_MATCH, "*")
    return not {"*", _tag(session)}.isdisjoint(tag.strip() for tag in wanted.split(","))


def _links(servers: list[dict[str, object]]) -> list[str]:
    """The relays as WHIP tells them: a Link header for each URL."""
    links = []
    for server in servers:
        rest = f'; rel="ice-server"; username="{server["username"]}"; credential="{server["credential"]}"'
        urls = server["urls"] if isinstance(server["urls"], list) else [server["urls"]]
        links += [f'<{url}>{rest}; credential-type="password"' for url in urls]
    return links
