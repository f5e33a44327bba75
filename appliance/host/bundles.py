"""Support bundles on their way from a device to an admin of its room (docs/site-report.md).

An admin asks the device for one by ``POST /rooms/{room}/devices/{device}/bundle``, and is told the word under which it will be
here. The device makes it, if its settings allow, and hands it in by ``PUT /rooms/{room}/bundles/{word}`` with its own token,
once. The admin asks ``GET`` of the same until it is there. It lies in memory for ten minutes, and nowhere else.
"""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import hdrs, web

from appliance.core.events import EventName
from appliance.core.protocol import Claims, TokenError, bundle_asked
from appliance.core.roster import Member
from appliance.host.conference import Conference
from appliance.host.config import Rate
from appliance.host.for_admins import admin_of
from appliance.host.http import MOST_TYPE, Refusal, bearer, json_response
from appliance.host.limits import Buckets
from appliance.host.services import Services

MOST_BYTES = 8 * 1024 * 1024
MOST = 4
"""Bundles that are waited for or kept at a time: with their bytes they are the most that strangers' devices can fill."""
KEPT = 600.0
"""Seconds from the asking until all of it is forgotten."""
PATIENCE = 120.0
"""Seconds that a device has to begin handing in: it packs its journal, on a small processor. As long a bundle keeps its place
while nobody asks for it."""
_BODY = 60.0
"""Seconds for 8 MiB to arrive."""
_TYPE = "application/gzip"
_MAGIC = b"\x1f\x8b"
_CHUNK = 64 * 1024
_ASKING = Rate(0.1, 6.0)
_UNKNOWN = "There is no such bundle, or no longer."


@dataclass(slots=True)
class _Bundle:
    room: str
    device: str
    asked: float
    wanted: float
    """When somebody last asked for it: whoever has closed the page never fetches it."""
    coming: bool = False
    """The device hands it in just now."""
    fetched: bool = False
    content: bytes = b""


class Bundles:
    """Serves them, for all rooms of a host."""

    def __init__(self, conferences: Mapping[str, Conference], services: Services) -> None:
        self._conferences = conferences
        self._services = services
        self._bundles: dict[str, _Bundle] = {}
        self._asking = Buckets(_ASKING)

    def routes(self) -> list[web.RouteDef]:
        """What it serves."""
        return [
            web.post("/rooms/{room}/devices/{device}/bundle", self.ask),
            web.put("/rooms/{room}/bundles/{word}", self.hand_in),
            web.get("/rooms/{room}/bundles/{word}", self.fetch),
        ]

    async def ask(self, request: web.Request) -> web.Response:
        """``POST /rooms/{room}/devices/{device}/bundle``: 202, and the word."""
        conference, admin = admin_of(request, self._conferences, self._services)
        if not self._asking.take(f"{conference.id} {admin.identity}", self._services.now()):
            raise Refusal(429, "Asked too often; wait a little.", {hdrs.RETRY_AFTER: "10"}, code="too_often")
        device = _offering(conference, request.match_info["device"])
        self._forget()
        word = self._waited_for(conference.id, device.id)
        if word:
            self._bundles[word].wanted = self._services.now()
        else:
            self._make_room()
            word, now = secrets.token_urlsafe(16), self._services.now()
            self._bundles[word] = _Bundle(conference.id, device.id, now, now)
            asyncio.get_running_loop().call_later(KEPT, self._drop, word)  # also when nobody ever asks again
            self._services.tell(EventName.BUNDLE_ASKED, room=conference.id, member=device.id, by=admin.identity)
            conference.send_to(device.id, bundle_asked(word))
        return _pending(word)

    def _waited_for(self, room: str, device: str) -> str:
        """Under which word this device has been asked and is still waited for; "" for none. Two admins may want the same."""
        asked = [word for word, it in self._bundles.items() if (it.room, it.device) == (room, device)]
        for word in asked:
            if self._is_late(self._bundles[word]):  # it may never have heard of it
                del self._bundles[word]
            elif not self._bundles[word].content:
                return word
        return ""

    def _is_late(self, bundle: _Bundle) -> bool:
        return not bundle.content and not bundle.coming and self._services.now() - bundle.asked > PATIENCE

    def _is_over(self, bundle: _Bundle) -> bool:
        """Whether it may give way to another one: it was fetched, does not come, or nobody waits for it any more."""
        return bundle.fetched or self._is_late(bundle) or self._services.now() - bundle.wanted > PATIENCE

    def _make_room(self) -> None:
        """What is over gives way.

        :raises Refusal: there is no place for one more.
        """
        over = [word for word, it in self._bundles.items() if self._is_over(it)]
        for word in over[: max(0, len(self._bundles) + 1 - MOST)]:
            del self._bundles[word]
        if len(self._bundles) >= MOST:
            words = f"{MOST} support bundles are on their way; try again in some minutes."
            raise Refusal(503, words, {hdrs.RETRY_AFTER: "60"}, code="bundles_full")

    def _drop(self, word: str) -> None:
        self._bundles.pop(word, None)

    def _forget(self) -> None:
        now = self._services.now()
        self._bundles = {word: it for word, it in self._bundles.items() if now - it.asked <= KEPT}

    def _find(self, conference: Conference, word: str) -> _Bundle:
        self._forget()
        found = self._bundles.get(word)
        if found is None or found.room != conference.id:
            raise Refusal(404, _UNKNOWN, code="no_bundle")
        return found

    # ---- from the device

    async def hand_in(self, request: web.Request) -> web.Response:
        """``PUT /rooms/{room}/bundles/{word}``: once, by the device that was asked."""
        conference, word = self._conference(request), request.match_info["word"]
        claims = self._claims(request, conference)
        found = self._find(conference, word)
        if (claims.kind, claims.identity) != ("site", found.device):  # nobody else learns that it is waited for
            raise Refusal(404, _UNKNOWN, code="no_bundle")
        if found.coming or found.content:
            raise Refusal(409, "This bundle was handed in already.")
        _check_head(request)
        found.coming = True
        try:
            content = await _body(request)
        finally:
            found.coming = False
        if not content.startswith(_MAGIC):
            raise Refusal(415, f"The body has to be {_TYPE}.", code="bad_request")
        if self._bundles.get(word) is not found:  # it took too long
            raise Refusal(404, _UNKNOWN, code="no_bundle")
        found.content = content
        self._services.counters.add("host_bundles")
        response = json_response({"bytes": len(content)})
        response.set_status(201)
        return response

    def _conference(self, request: web.Request) -> Conference:
        conference = self._conferences.get(request.match_info["room"])
        if conference is None:
            raise Refusal(404, "There is no such room.", code="no_room")
        return conference

    def _claims(self, request: web.Request, conference: Conference) -> Claims:
        try:
            return conference.admission.verify(bearer(request), approach=self._services.approach(request))
        except TokenError as error:
            raise Refusal(error.http_status, str(error), code=error.code) from None

    # ---- to the admin

    async def fetch(self, request: web.Request) -> web.Response:
        """``GET /rooms/{room}/bundles/{word}``: 202 until it is there, then the archive."""
        conference, _ = admin_of(request, self._conferences, self._services)
        word = request.match_info["word"]
        found = self._find(conference, word)
        found.wanted = self._services.now()
        if found.content:
            found.fetched = True
            return web.Response(
                body=found.content,
                content_type=_TYPE,
                headers={
                    hdrs.CONTENT_DISPOSITION: f'attachment; filename="kontor-{found.device}.tar.gz"',
                    hdrs.CACHE_CONTROL: "no-store",
                },
            )
        if self._is_late(found):
            del self._bundles[word]
            raise Refusal(504, "The device has not handed in a support bundle.", code="bundle_late")
        return _pending(word)


def _offering(conference: Conference, identity: str) -> Member:
    """The device, if it is here and offers bundles.

    :raises Refusal: it is not, or does not.
    """
    member = conference.roster.get(identity)
    if member is None or member.kind != "site":
        raise Refusal(404, "This device is not in the room.", code="device_away")
    details = (member.site or {}).get("details", {})
    if details.get("bundle") is not True:
        raise Refusal(409, "The settings of this device do not allow support bundles.", code="bundle_not_offered")
    return member


def _pending(word: str) -> web.Response:
    response = json_response({"bundle": word})
    response.set_status(202)
    response.headers[hdrs.RETRY_AFTER] = "1"
    return response


def _check_head(request: web.Request) -> None:
    """Whatever can be known of a body before it is read.

    :raises Refusal: it is of another type, compressed once more, or too big.
    """
    # As in http.py: parameters of the type are not even looked at when there are too many.
    if len(request.headers.get(hdrs.CONTENT_TYPE, "")) > MOST_TYPE or request.content_type != _TYPE:
        raise Refusal(415, f"The body has to be {_TYPE}.", code="bad_request")
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        accepted: Mapping[str, str] = {hdrs.ACCEPT_ENCODING: "identity"}
        raise Refusal(415, "The body must not be compressed again.", accepted, code="bad_request")
    if (request.content_length or 0) > MOST_BYTES:
        raise _too_big()


async def _body(request: web.Request) -> bytes:
    """Of a device that is known and was asked: only such fill memory.

    :raises Refusal: 413 it is too big, 408 it does not come.
    """
    content = bytearray()
    try:
        async with asyncio.timeout(_BODY):
            async for chunk in request.content.iter_chunked(_CHUNK):
                content += chunk
                if len(content) > MOST_BYTES:
                    raise _too_big()
    except TimeoutError:
        raise Refusal(408, "The body did not come in time.", code="too_slow") from None
    return bytes(content)


def _too_big() -> Refusal:
    return Refusal(413, f"A support bundle has at most {MOST_BYTES} bytes.")
