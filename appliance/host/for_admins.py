"""What a room's admins ask for over HTTP: a link for somebody, and who was sent out, to let them in again.

``POST /rooms/{room}/links``, ``GET /rooms/{room}/removed`` and ``DELETE /rooms/{room}/removed/{member}``, each with the token of
an admin. What they do while they are present goes over the presence socket (requests.py).
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import segno
from aiohttp import hdrs, web

from appliance.core.events import EventName
from appliance.core.protocol import Claims, GivenRole, TokenError, Who
from appliance.core.wire import Fields, ProtocolError, choice, name, number
from appliance.host.authority_page import host_of
from appliance.host.conference import Conference
from appliance.host.config import Rate
from appliance.host.http import Refusal, bearer, json_response, read_json
from appliance.host.limits import Buckets
from appliance.host.services import Services
from appliance.settings import identity_of, page_url

_DAY = 86_400
_MOST_DAYS = 365
_ROLES: tuple[GivenRole, ...] = ("speaker", "listener")
"""What a link of the page makes of somebody; links for admins and guests are made on the server."""

_LINKS = Rate(0.5, 20.0)
"""Links by one admin: drawing a QR code takes some 20 ms."""


def admin_of(
    request: web.Request, conferences: Mapping[str, Conference], services: Services
) -> tuple[Conference, Claims]:
    """The room of a request, and the admin who sends it.

    :raises Refusal: there is no such room, or no admin of it.
    """
    conference = conferences.get(request.match_info["room"])
    if conference is None:
        raise Refusal(404, "There is no such room.", code="no_room")
    try:
        claims = conference.admission.verify(bearer(request), approach=services.approach(request))
    except TokenError as error:
        raise Refusal(error.http_status, str(error), code=error.code) from None
    if claims.role != "admin":
        raise Refusal(403, "Only an admin of the room may do this, and only by https.", code="forbidden")
    return conference, claims


class ForAdmins:
    """Serves them.

    :param page: the address of the page where the settings name it; "": where the admin's own page came from.
    """

    def __init__(self, conferences: Mapping[str, Conference], services: Services, page: str) -> None:
        self._conferences = conferences
        self._services = services
        self._page = page
        self._links = Buckets(_LINKS)

    def routes(self) -> list[web.RouteDef]:
        """What it serves."""
        return [
            web.post("/rooms/{room}/links", self.link),
            web.get("/rooms/{room}/removed", self.removed),
            web.delete("/rooms/{room}/removed/{member}", self.allow),
        ]

    async def link(self, request: web.Request) -> web.Response:
        """``POST /rooms/{room}/links``: a link for ``name``, with its QR code."""
        conference, admin = self._admin(request)
        if not self._links.take(f"{conference.id} {admin.identity}", self._services.now()):
            raise Refusal(429, "Too many links; wait a little.", {hdrs.RETRY_AFTER: "2"}, code="too_often")
        fields = await read_json(request, self._services.times.body)
        self._admin(request)  # its key may have been revoked meanwhile
        claims = self._wanted(conference, fields)
        url = f"{self._address(request)}/{conference.id}#{conference.admission.issue(claims)}"
        self._services.tell(EventName.LINK_MADE, room=conference.id, role=claims.role, by=admin.identity)
        qr = await asyncio.to_thread(_rows, url)
        response = json_response({"url": url, "expires": claims.expires, "qr": qr})
        response.set_status(201)
        return response

    def _wanted(self, conference: Conference, fields: Fields) -> Claims:
        try:
            person, role = name(fields, "name"), choice(fields, "role", _ROLES)
            days = number(fields, "days", 1, _MOST_DAYS)
        except ProtocolError as error:
            raise Refusal(400, str(error), code="bad_name") from None
        identity = identity_of(person)
        if conference.admission.is_device(identity):
            raise Refusal(400, "A device of this room has this name: take another one.", code="name_of_device")
        if identity in conference.memory.removed:
            raise Refusal(400, f"{person} was sent out of this room: let them in again first.", code="name_sent_out")
        expires = int(self._services.unix_now()) + days * _DAY
        return Claims(conference.id, identity, person, role, "person", expires, "")

    def _address(self, request: web.Request) -> str:
        """Where the page is, as the admin's browser found it when the settings do not say."""
        if self._page:
            return self._page
        try:
            origin = page_url(request.headers.get(hdrs.ORIGIN, ""))
        except ValueError:
            origin = ""
        if origin:
            return origin
        https = self._services.tls or request.headers.get(hdrs.X_FORWARDED_PROTO, "").strip().lower() == "https"
        return f"{'https' if https else 'http'}://{host_of(request)}"

    async def removed(self, request: web.Request) -> web.Response:
        """``GET /rooms/{room}/removed``: the people who were sent out. Devices are let in again on the server."""
        conference, _ = self._admin(request)
        return json_response({"removed": [entry for entry in removed_of(conference) if not entry["device"]]})

    async def allow(self, request: web.Request) -> web.Response:
        """``DELETE /rooms/{room}/removed/{member}``: let somebody in again."""
        conference, admin = self._admin(request)
        member = request.match_info["member"]
        if conference.admission.is_device(member):
            raise Refusal(403, "A device is let in again on the server.", code="device_sent_out")
        if member not in conference.memory.removed:
            raise Refusal(404, "Nobody with this id was sent out.", code="not_removed")
        conference.requests.allow(member, Who(admin.identity, admin.name))
        await conference.store.written()
        return json_response({"allowed": member})

    def _admin(self, request: web.Request) -> tuple[Conference, Claims]:
        return admin_of(request, self._conferences, self._services)


def removed_of(conference: Conference) -> list[dict[str, Any]]:
    """Who was sent out of a room, ready for JSON, the last one first."""
    return [
        {"id": who, "name": entry.name, "by": entry.by, "device": conference.admission.is_device(who)}
        for who, entry in reversed(list(conference.memory.removed.items()))
    ]


def _rows(url: str) -> list[str]:
    """The QR code of ``url``, a row a text, 1 for dark; the quiet zone is left to whoever draws it.

    The lowest level of correction: the code is on a screen, and a token is long.
    """
    code = segno.make_qr(url, error="l", boost_error=False)
    return ["".join("1" if module else "0" for module in row) for row in code.matrix]
